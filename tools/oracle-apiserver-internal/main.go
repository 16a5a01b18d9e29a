// Prints how Go writes kube-apiserver's internal types of pods, which is how its errors show them: the fields of each
// struct in their order, with the JSON name that the same field has in `k8s.io/api`.
//
//	go run . > ../../crates/windlass-apiserver/src/validation/internal.txt
//
//go:generate sh -c "go run . > ../../crates/windlass-apiserver/src/validation/internal.txt"
package main

import (
	"bufio"
	"encoding"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"sort"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/pkg/apis/core"
)

type pair struct{ internal, external reflect.Type }

var (
	structs   = map[string][]string{}
	marshaler = reflect.TypeFor[json.Marshaler]()
	textual   = reflect.TypeFor[encoding.TextMarshaler]()
)

func name(t reflect.Type) string {
	parts := strings.Split(t.PkgPath(), "/")
	return parts[len(parts)-1] + "." + t.Name()
}

func elem(t reflect.Type) reflect.Type {
	if t == nil {
		return nil
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return t.Elem()
	}
	return t
}

func typeOf(p pair) string {
	t := p.internal
	if t.Implements(marshaler) || t.Implements(textual) ||
		(t.Kind() != reflect.Pointer && (reflect.PointerTo(t).Implements(marshaler) || reflect.PointerTo(t).Implements(textual))) {
		return "own:" + name(t)
	}
	switch t.Kind() {
	case reflect.Pointer:
		return "*" + typeOf(pair{t.Elem(), elem(p.external)})
	case reflect.Slice:
		return "[]" + typeOf(pair{t.Elem(), elem(p.external)})
	case reflect.Map:
		return "{}" + typeOf(pair{t.Elem(), elem(p.external)})
	case reflect.Struct:
		visit(p)
		return "@" + name(t)
	}
	return t.Kind().String()
}

func fields(p pair) []string {
	var lines []string
	external := p.external
	if external != nil && external.Kind() == reflect.Pointer {
		external = external.Elem()
	}
	for i := range p.internal.NumField() {
		field := p.internal.Field(i)
		tag, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if tag == "-" {
			continue
		}
		var of reflect.Type
		key := "-"
		if external != nil && external.Kind() == reflect.Struct {
			if found, ok := external.FieldByName(field.Name); ok {
				of = found.Type
				key, _, _ = strings.Cut(found.Tag.Get("json"), ",")
			}
		}
		if field.Anonymous && tag == "" {
			if of == nil {
				of = external
			}
			lines = append(lines, fields(pair{field.Type, of})...)
			continue
		}
		if tag == "" {
			tag = field.Name
		}
		if key == "" {
			key = "-"
		}
		omits := ""
		if strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero") {
			omits = "?"
		}
		lines = append(lines, fmt.Sprintf(" %s%s %s %s", tag, omits, key, typeOf(pair{field.Type, of})))
	}
	return lines
}

func visit(p pair) {
	if _, known := structs[name(p.internal)]; known {
		return
	}
	structs[name(p.internal)] = nil
	structs[name(p.internal)] = fields(p)
}

func main() {
	visit(pair{reflect.TypeFor[core.PodTemplateSpec](), reflect.TypeFor[corev1.PodTemplateSpec]()})
	var names []string
	for name := range structs {
		names = append(names, name)
	}
	sort.Strings(names)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for _, name := range names {
		fmt.Fprintln(out, "struct", name)
		for _, line := range structs[name] {
			fmt.Fprintln(out, line)
		}
	}
}
