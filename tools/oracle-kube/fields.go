package main

import (
	"strings"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"
)

func randomElement() fieldpath.PathElement {
	names := []string{"spec", "a", "b", "c", "metadata", "z\"q", "dot.ted", "é", "<&>"}
	values := []any{"x", "y<z", int64(1), int64(80), 2.5, true, false, nil, "\n\"", "é\u2028"}
	switch rng.Intn(8) {
	case 0:
		return fieldpath.KeyElementByFields("name", values[rng.Intn(len(values))])
	case 1:
		return fieldpath.KeyElementByFields("port", int64(rng.Intn(3)+80), "protocol", []string{"TCP", "UDP"}[rng.Intn(2)])
	case 2:
		return fieldpath.ValueElement(value.NewValueInterface(values[rng.Intn(len(values))]))
	case 3:
		return fieldpath.IndexElement(rng.Intn(4))
	default:
		return fieldpath.FieldNameElement(names[rng.Intn(len(names))])
	}
}

func randomSet() *fieldpath.Set {
	set := fieldpath.NewSet()
	pool := make([]fieldpath.PathElement, 4)
	for i := range pool {
		pool[i] = randomElement()
	}
	for range rng.Intn(9) {
		path := fieldpath.Path{}
		for range rng.Intn(4) + 1 {
			if rng.Intn(3) == 0 {
				path = append(path, randomElement())
			} else {
				path = append(path, pool[rng.Intn(len(pool))])
			}
		}
		set.Insert(path)
	}
	return set
}

func recordFields() {
	emit(object{"oracle": "sigs.k8s.io/structured-merge-diff/v6 v6.3.3 fieldpath"})
	print := func(set *fieldpath.Set) string { return string(must(set.ToJSON())) }
	for range 120 {
		a, b := randomSet(), randomSet()
		if rng.Intn(2) == 0 {
			b = b.Union(a.Intersection(randomSet().Union(a.Leaves())))
		}
		emit(object{
			"a": print(a), "b": print(b), "union": print(a.Union(b)), "intersection": print(a.Intersection(b)),
			"difference": print(a.Difference(b)), "recursive_difference": print(a.RecursiveDifference(b)),
			"leaves": print(a.Leaves()), "paths": a.String(), "size": a.Size(),
		})
	}
	odd := []string{
		`{}`, `null`, `{".":{}}`, `{"f:b":{},"f:a":{}}`, `{"f:a":{"f:b":{},".":{}}}`, `{"f:a":{"x:new":{}}}`,
		`{"x:new":{"f:b":{}},"f:a":{}}`, `{"k:{\"b\":1,\"a\":\"x\"}":{"f:c":{}}}`, `{"v:1":{},"v:1.0":{}}`,
		`{"v:9007199254740993":{}}`, `{"v:1e3":{},"v:1.5e22":{},"v:1e-7":{}}`, `{"i:-1":{},"i:3":{}}`, `{"f:":{}}`,
		`{"k:{}":{}}`, `{"v:{\"a\":[1,null]}":{}}`, `{"a":{}}`, `{"ab":{}}`,
		`{"i:x":{}}`, `{"v:":{}}`, `{"k:[1]":{}}`, `{"f:a":null}`, `{"f:a":{".":null}}`, `[]`, `{"f:a":1}`,
	}
	for _, text := range odd {
		set := &fieldpath.Set{}
		result := object{"text": text}
		if err := set.FromJSON(strings.NewReader(text)); err != nil {
			result["error"] = err.Error()
		} else {
			result["printed"] = print(set)
		}
		emit(result)
	}
}
