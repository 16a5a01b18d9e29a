package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"sigs.k8s.io/kustomize/api/filters/annotations"
	"sigs.k8s.io/kustomize/api/filters/imagetag"
	"sigs.k8s.io/kustomize/api/filters/labels"
	"sigs.k8s.io/kustomize/api/filters/namespace"
	"sigs.k8s.io/kustomize/api/filters/patchjson6902"
	"sigs.k8s.io/kustomize/api/filters/patchstrategicmerge"
	"sigs.k8s.io/kustomize/api/filters/prefix"
	"sigs.k8s.io/kustomize/api/filters/refvar"
	"sigs.k8s.io/kustomize/api/filters/replacement"
	"sigs.k8s.io/kustomize/api/filters/replicacount"
	"sigs.k8s.io/kustomize/api/filters/suffix"
	"sigs.k8s.io/kustomize/api/filters/valueadd"
	"sigs.k8s.io/kustomize/api/hasher"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/kio"
	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"
	"sigs.k8s.io/yaml"
)

// request is one case: objects, and filters that go over them one after the other.
type request struct {
	Objects string `json:"objects"`
	Steps   []step `json:"steps"`
}

type step struct {
	Filter string `json:"filter"`
	// Which object; all of them if it is negative.
	Object int `json:"object"`
	// The patch, the prefix, the namespace and so on.
	Text string `json:"text"`
	// What else the filter is told, in YAML.
	Arguments string `json:"arguments"`
}

// answer is the objects in the end, or why there are none.
type answer struct {
	Output string `json:"output,omitempty"`
	Error  string `json:"error,omitempty"`
}

// serve reads a request a line and prints an answer a line.
func serve() {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	defer out.Flush()
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		var asked request
		check(json.Unmarshal(line, &asked))
		text := must(json.Marshal(reply(asked)))
		out.Write(append(text, '\n'))
		if in.Buffered() == 0 {
			out.Flush()
		}
	}
}

func reply(asked request) (said answer) {
	defer func() {
		if panicked := recover(); panicked != nil {
			said = answer{Error: fmt.Sprint("panic: ", panicked)}
		}
	}()
	factory := resource.NewFactory(&hasher.Hasher{})
	resources, err := factory.SliceFromBytes([]byte(asked.Objects))
	if err != nil {
		return answer{Error: "reading: " + err.Error()}
	}
	for _, step := range asked.Steps {
		if err := apply(factory, resources, step); err != nil {
			return answer{Error: err.Error()}
		}
	}
	var parts []string
	for _, resource := range resources {
		if resource.IsNilOrEmpty() {
			parts = append(parts, "deleted\n")
			continue
		}
		text, err := resource.AsYAML()
		if err != nil {
			return answer{Error: "printing: " + err.Error()}
		}
		parts = append(parts, string(text))
	}
	return answer{Output: strings.Join(parts, "---\n")}
}

func decode(text string, into any) {
	check(yaml.Unmarshal([]byte(text), into))
}

func apply(factory *resource.Factory, resources []*resource.Resource, step step) error {
	if step.Filter == "replacement" {
		var replacements []types.Replacement
		decode(step.Arguments, &replacements)
		nodes := make([]*kyaml.RNode, len(resources))
		for i, resource := range resources {
			nodes[i] = &resource.RNode
		}
		_, err := replacement.Filter{Replacements: replacements}.Filter(nodes)
		return err
	}
	for i, resource := range resources {
		if step.Object >= 0 && step.Object != i || resource.IsNilOrEmpty() {
			continue
		}
		filter, err := filterOf(factory, step)
		if err != nil {
			return err
		}
		if err := resource.ApplyFilter(filter); err != nil {
			return err
		}
	}
	return nil
}

type both []kio.Filter

func (b both) Filter(nodes []*kyaml.RNode) ([]*kyaml.RNode, error) {
	for _, filter := range b {
		if _, err := filter.Filter(nodes); err != nil {
			return nodes, err
		}
	}
	return nodes, nil
}

func filterOf(factory *resource.Factory, step step) (kio.Filter, error) {
	var specs types.FsSlice
	var spec types.FieldSpec
	switch step.Filter {
	case "strategic":
		patch, err := factory.SliceFromBytes([]byte(step.Text))
		if err != nil {
			return nil, fmt.Errorf("reading the patch: %w", err)
		}
		return patchstrategicmerge.Filter{Patch: &patch[0].RNode}, nil
	case "json6902":
		return patchjson6902.Filter{Patch: step.Text}, nil
	case "labels":
		var arguments struct {
			Labels map[string]string `json:"labels"`
			Specs  types.FsSlice     `json:"specs"`
		}
		decode(step.Arguments, &arguments)
		return labels.Filter{Labels: arguments.Labels, FsSlice: arguments.Specs}, nil
	case "annotations":
		var arguments struct {
			Labels map[string]string `json:"labels"`
			Specs  types.FsSlice     `json:"specs"`
		}
		decode(step.Arguments, &arguments)
		return annotations.Filter{Annotations: arguments.Labels, FsSlice: arguments.Specs}, nil
	case "namespace":
		var arguments struct {
			UnsetOnly bool          `json:"unsetOnly"`
			Subjects  string        `json:"subjects"`
			Specs     types.FsSlice `json:"specs"`
		}
		decode(step.Arguments, &arguments)
		return namespace.Filter{
			Namespace: step.Text, FsSlice: arguments.Specs, UnsetOnly: arguments.UnsetOnly,
			SetRoleBindingSubjects: namespace.RoleBindingSubjectMode(arguments.Subjects),
		}, nil
	case "prefix":
		decode(step.Arguments, &spec)
		return prefix.Filter{Prefix: step.Text, FieldSpec: spec}, nil
	case "suffix":
		decode(step.Arguments, &spec)
		return suffix.Filter{Suffix: step.Text, FieldSpec: spec}, nil
	case "images":
		var image types.Image
		decode(step.Text, &image)
		decode(step.Arguments, &specs)
		return both{imagetag.LegacyFilter{ImageTag: image}, imagetag.Filter{ImageTag: image, FsSlice: specs}}, nil
	case "replicas":
		decode(step.Arguments, &spec)
		var count int64
		decode(step.Text, &count)
		return replicacount.Filter{Replica: types.Replica{Count: count}, FieldSpec: spec}, nil
	case "value":
		var arguments struct {
			Path     string `json:"path"`
			Position int    `json:"position"`
		}
		decode(step.Arguments, &arguments)
		return valueadd.Filter{Value: step.Text, FieldPath: arguments.Path, FilePathPosition: arguments.Position}, nil
	case "variables":
		decode(step.Arguments, &spec)
		variables := map[string]any{}
		for name, value := range must(must(kyaml.Parse(step.Text)).Map()) {
			variables[name] = value
		}
		return refvar.Filter{
			MappingFunc: refvar.MakePrimitiveReplacer(map[string]int{}, variables), FieldSpec: spec,
		}, nil
	}
	return nil, fmt.Errorf("no filter is called %q", step.Filter)
}
