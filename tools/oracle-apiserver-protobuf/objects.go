package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"sort"
	"strings"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/randfill"
)

var words = []string{"", "a", "one", "app.example.com/name", "two words", "\u00fc\u4e2d\U0001f600", strings.Repeat("long ", 30)}

// What random bytes would not be: values that JSON can carry.
func values() []any {
	raw := func(c randfill.Continue) []byte {
		return []byte([]string{`{"a":"b"}`, `"text"`, `[1,2,{"x":null}]`, `7`}[c.Intn(4)])
	}
	return []any{
		// What is inside a list has none in protobuf.
		func(*metav1.TypeMeta, randfill.Continue) {},
		func(s *string, c randfill.Continue) { *s = words[c.Intn(len(words))] },
		func(n *int64, c randfill.Continue) { *n = []int64{0, 1, -1, 300, 1 << 40}[c.Intn(5)] },
		func(n *int32, c randfill.Continue) { *n = []int32{0, 1, -1, 300, 1 << 30}[c.Intn(5)] },
		func(f *float64, c randfill.Continue) { *f = []float64{0, 1, -1.5, 1e10}[c.Intn(4)] },
		func(b *[]byte, c randfill.Continue) { *b = []byte(words[c.Intn(len(words))]) },
		func(q *resource.Quantity, c randfill.Continue) {
			*q = resource.MustParse([]string{"0", "1", "100m", "1Gi", "1500Mi", "-3", "12e6"}[c.Intn(7)])
		},
		func(v *intstr.IntOrString, c randfill.Continue) {
			*v = []intstr.IntOrString{intstr.FromInt32(0), intstr.FromInt32(80), intstr.FromString("http"), intstr.FromString("")}[c.Intn(4)]
		},
		func(t *metav1.Time, c randfill.Continue) {
			if c.Intn(4) > 0 {
				*t = metav1.Unix(int64(c.Intn(2_000_000_000)), 0)
			}
		},
		func(t *metav1.MicroTime, c randfill.Continue) {
			*t = metav1.NewMicroTime(time.Unix(int64(c.Intn(2_000_000_000)), int64(c.Intn(1_000_000))*1000))
		},
		func(d *metav1.Duration, c randfill.Continue) {
			d.Duration = time.Duration(c.Intn(1_000_000)) * time.Millisecond
		},
		func(r *runtime.RawExtension, c randfill.Continue) { r.Raw = raw(c) },
		func(r *metav1.FieldsV1, c randfill.Continue) { r.Raw = []byte(`{"f:data":{".":{},"f:a":{}}}`) },
		func(r *apiextensionsv1.JSON, c randfill.Continue) { r.Raw = raw(c) },
		func(s *apiextensionsv1.JSONSchemaPropsOrBool, c randfill.Continue) {
			if c.Bool() {
				s.Allows = c.Bool()
				return
			}
			s.Allows, s.Schema = true, &apiextensionsv1.JSONSchemaProps{Type: "string"}
		},
		func(s *apiextensionsv1.JSONSchemaPropsOrArray, c randfill.Continue) {
			if c.Bool() {
				s.Schema = &apiextensionsv1.JSONSchemaProps{Type: "object"}
				return
			}
			s.JSONSchemas = []apiextensionsv1.JSONSchemaProps{{Type: "string"}, {Title: "second"}}
		},
		func(s *apiextensionsv1.JSONSchemaPropsOrStringArray, c randfill.Continue) {
			if c.Bool() {
				s.Schema = &apiextensionsv1.JSONSchemaProps{Format: "x"}
				return
			}
			s.Property = []string{"p", "q"}
		},
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// sorted is JSON with its members in order and no blanks.
func sorted(object any) []byte {
	text, err := json.Marshal(object)
	must(err)
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var tree any
	must(decoder.Decode(&tree))
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	must(encoder.Encode(tree))
	return bytes.TrimSpace(out.Bytes())
}

func objects(to io.Writer) {
	scheme := known()
	out := gzip.NewWriter(to)
	defer out.Close()
	serializer := protobuf.NewSerializer(scheme, scheme)
	var kinds []schema.GroupVersionKind
	for gvk, of := range scheme.AllKnownTypes() {
		_, hasType := of.FieldByName("TypeMeta")
		options := strings.HasSuffix(gvk.Kind, "Options") && gvk.Group != ""
		if isData(gvk) && hasType && !options {
			kinds = append(kinds, gvk)
		}
	}
	sort.Slice(kinds, func(i, j int) bool { return kinds[i].String() < kinds[j].String() })
	for _, gvk := range kinds {
		for seed, nilChance := range []float64{1, .1, .4} {
			depth := 16
			if gvk.Group == "apiextensions.k8s.io" {
				depth = 10
				nilChance = max(nilChance, .6)
			}
			filler := randfill.NewWithSeed(int64(seed)).NilChance(nilChance).NumElements(1, 2).MaxDepth(depth).Funcs(values()...)
			filled, err := scheme.New(gvk)
			must(err)
			if seed > 0 {
				filler.Fill(filled)
			}
			filled.GetObjectKind().SetGroupVersionKind(gvk)
			text := sorted(filled)
			// What is written is what was read: JSON cannot tell all that Go can.
			read := reflect.New(reflect.TypeOf(filled).Elem()).Interface().(runtime.Object)
			must(json.Unmarshal(text, read))
			text = sorted(read)
			var written bytes.Buffer
			must(serializer.Encode(read, &written))
			line, err := json.Marshal(map[string]any{"object": json.RawMessage(text), "protobuf": written.Bytes()})
			must(err)
			fmt.Fprintf(out, "%s\n", line)
		}
	}
}
