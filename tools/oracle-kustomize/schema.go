package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"k8s.io/kube-openapi/pkg/validation/spec"
	"sigs.k8s.io/kustomize/kyaml/openapi"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// node is what merging asks of a schema: which schema a field or an item has, and how a list is merged.
type node struct {
	fields     map[string]*node
	additional *node
	items      *node
	// Merged by these keys; nil where lists are replaced.
	keys []string
	// Leads to a merged list, or to anything at all.
	wanted bool
}

// The schema is written as one line a node, each after those that are met before it:
//
//	<merge keys or -> <items or -> <additional or -> field=node …
//
// Node 0 has nothing. Only what leads to a merged list, or to a free-form object, is written: all else
// behaves like node 0. Then come the types, `apiVersion kind node`, and the scopes of kinds.
func writeSchema() {
	root := openapi.Schema()
	seen := map[string]*node{}
	var build func(s *spec.Schema) *node
	fill := func(n *node, s *spec.Schema) {
		rs := &openapi.ResourceSchema{Schema: s}
		strategy, keys := rs.PatchStrategyAndKeyList()
		if slices.Contains(strings.Split(strategy, ","), "merge") {
			n.keys = append([]string{}, keys...)
		}
		if len(s.Type) == 1 && s.Type[0] == "array" && s.Items != nil && s.Items.Schema != nil {
			n.items = build(s.Items.Schema)
		}
		if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
			n.additional = build(s.AdditionalProperties.Schema)
		}
		n.fields = map[string]*node{}
		for name, property := range s.Properties {
			n.fields[name] = build(&property)
		}
	}
	build = func(s *spec.Schema) *node {
		if ref := s.Ref.String(); ref != "" {
			if known, found := seen[ref]; found {
				return known
			}
			n := &node{}
			seen[ref] = n
			resolved, err := openapi.Resolve(&s.Ref, root)
			if err != nil {
				return n
			}
			fill(n, resolved)
			return n
		}
		n := &node{}
		fill(n, s)
		return n
	}

	types := map[yaml.TypeMeta]*node{}
	for name, definition := range root.Definitions {
		list, ok := definition.Extensions["x-kubernetes-group-version-kind"].([]any)
		if !ok {
			continue
		}
		ref := spec.MustCreateRef("#/definitions/" + name)
		n := build(&spec.Schema{SchemaProps: spec.SchemaProps{Ref: ref}})
		for _, item := range list {
			gvk := item.(map[string]any)
			apiVersion := gvk["version"].(string)
			if group, _ := gvk["group"].(string); group != "" {
				apiVersion = group + "/" + apiVersion
			}
			meta := yaml.TypeMeta{APIVersion: apiVersion, Kind: gvk["kind"].(string)}
			// Several definitions may name one type; ask which of them counts.
			if counting := openapi.SchemaForResourceType(meta); counting != nil {
				if counting.Schema.Description != definition.Description {
					fmt.Fprintln(os.Stderr, "two definitions of", meta)
				}
			}
			types[meta] = n
		}
	}

	// Mark what leads somewhere, until nothing changes.
	var all []*node
	visited := map[*node]bool{}
	var visit func(n *node)
	visit = func(n *node) {
		if n == nil || visited[n] {
			return
		}
		visited[n] = true
		all = append(all, n)
		visit(n.items)
		visit(n.additional)
		for _, child := range n.fields {
			visit(child)
		}
	}
	for _, n := range types {
		visit(n)
	}
	for changed := true; changed; {
		changed = false
		for _, n := range all {
			if n.wanted {
				continue
			}
			wanted := n.keys != nil || n.items != nil && n.items.wanted || n.additional != nil && n.additional.wanted
			for _, child := range n.fields {
				wanted = wanted || child.wanted
			}
			n.wanted = wanted
			changed = changed || wanted
		}
	}

	numbers := map[*node]int{}
	lines := []string{"- - -"}
	byText := map[string]int{lines[0]: 0}
	var number func(n *node) int
	number = func(n *node) int {
		if n == nil || !n.wanted {
			return 0
		}
		if known, found := numbers[n]; found {
			return known
		}
		place := len(lines)
		numbers[n] = place
		lines = append(lines, "")
		keys := "-"
		if n.keys != nil {
			keys = "+" + strings.Join(n.keys, ",")
		}
		child := func(n *node) string {
			if n == nil {
				return "-"
			}
			return fmt.Sprint(number(n))
		}
		parts := []string{keys, child(n.items), child(n.additional)}
		names := make([]string, 0, len(n.fields))
		for name := range n.fields {
			names = append(names, name)
		}
		sort.Strings(names)
		for _, name := range names {
			// A field that leads nowhere is still a field: what lies below is not looked up by its own kind.
			parts = append(parts, fmt.Sprintf("%s=%d", name, number(n.fields[name])))
		}
		lines[place] = strings.Join(parts, " ")
		byText[lines[place]] = place
		return place
	}
	metas := make([]yaml.TypeMeta, 0, len(types))
	for meta := range types {
		metas = append(metas, meta)
	}
	sort.Slice(metas, func(i, j int) bool {
		return metas[i].APIVersion+" "+metas[i].Kind < metas[j].APIVersion+" "+metas[j].Kind
	})
	var typeLines []string
	for _, meta := range metas {
		typeLines = append(typeLines, fmt.Sprintf("%s %s %d", meta.APIVersion, meta.Kind, number(types[meta])))
	}
	var scopeLines []string
	for _, meta := range metas {
		if namespaced, known := openapi.IsNamespaceScoped(meta); known {
			scopeLines = append(scopeLines, fmt.Sprintf("%s %s %t", meta.APIVersion, meta.Kind, namespaced))
		}
	}
	text := "# kyaml v0.21.1, Kubernetes " + openapi.GetSchemaVersion() + "; written by tools/oracle-kustomize\n" +
		"[nodes]\n" + strings.Join(lines, "\n") + "\n[types]\n" + strings.Join(typeLines, "\n") +
		"\n[namespaced]\n" + strings.Join(scopeLines, "\n") + "\n"
	check(os.MkdirAll(data, 0o777))
	check(os.WriteFile(filepath.Join(data, "schema.txt"), []byte(text), 0o666))
}
