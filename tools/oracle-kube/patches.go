package main

import (
	"encoding/json"
	"fmt"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
)

func recordJSONPatch() {
	emit(object{"oracle": "gopkg.in/evanphx/json-patch.v4 v4.13.0"})
	documents := []string{
		`{"a":1,"b":{"c":[1,2,{"d":"x"}],"e":null},"f":[],"g/h":{"~":1},"t":"1","u":1.5,"":{"":2}}`,
		`{"spec":{"containers":[{"name":"a","image":"i"},{"name":"b"}],"n":null}}`,
	}
	operations := []string{
		`{"op":"add","path":"/x","value":1}`, `{"op":"add","path":"/a","value":{"z":1}}`,
		`{"op":"add","path":"/b/c/0","value":0}`, `{"op":"add","path":"/b/c/-","value":9}`,
		`{"op":"add","path":"/b/c/3","value":9}`, `{"op":"add","path":"/b/c/4","value":9}`,
		`{"op":"add","path":"/b/c/-1","value":9}`, `{"op":"add","path":"/b/c/-4","value":9}`,
		`{"op":"add","path":"/b/c/-5","value":9}`, `{"op":"add","path":"/b/c/x","value":9}`,
		`{"op":"add","path":"/b/c/01","value":9}`, `{"op":"add","path":"/b/c/+1","value":9}`,
		`{"op":"add","path":"/b/c/99999999999999999999","value":9}`,
		`{"op":"add","path":"/q/r","value":1}`, `{"op":"add","path":"/a/r","value":1}`,
		`{"op":"add","path":"/b/e/r","value":1}`, `{"op":"add","path":"","value":{"new":1}}`,
		`{"op":"add","path":"x","value":1}`, `{"op":"add","path":"x/y","value":1}`, `{"op":"add","path":"/x"}`,
		`{"op":"add","path":"/x","value":null}`, `{"op":"add","path":"/g~1h/~0","value":2}`,
		`{"op":"add","path":"//","value":3}`, `{"op":"add","value":1}`, `{"op":"add","path":1,"value":1}`,
		`{"op":"remove","path":"/a"}`, `{"op":"remove","path":"/zz"}`, `{"op":"remove","path":"/b/c/0"}`,
		`{"op":"remove","path":"/b/c/-1"}`, `{"op":"remove","path":"/b/c/3"}`, `{"op":"remove","path":"/b/c/-4"}`,
		`{"op":"remove","path":"/b/c/x"}`, `{"op":"remove","path":"/q/r"}`, `{"op":"remove","path":""}`,
		`{"op":"remove"}`, `{"op":"remove","path":"/b/e"}`,
		`{"op":"replace","path":"/a","value":[1]}`, `{"op":"replace","path":"/zz","value":1}`,
		`{"op":"replace","path":"/b/c/1","value":"x"}`, `{"op":"replace","path":"/b/c/3","value":"x"}`,
		`{"op":"replace","path":"/b/c/-1","value":"x"}`, `{"op":"replace","path":"/b/c/-","value":"x"}`,
		`{"op":"replace","path":"/q/r","value":1}`, `{"op":"replace","path":"","value":{"n":1}}`,
		`{"op":"replace","path":"","value":[1]}`, `{"op":"replace","path":"","value":3}`, `{"op":"replace","path":"/a"}`,
		`{"op":"replace","value":3}`, `{"op":"replace","path":{},"value":3}`,
		`{"op":"move","from":"/a","path":"/b/c/1"}`, `{"op":"move","from":"/b/c/0","path":"/b/c/-"}`,
		`{"op":"move","from":"/zz","path":"/y"}`, `{"op":"move","from":"/q/z","path":"/y"}`,
		`{"op":"move","from":"/a","path":"/q/z"}`, `{"op":"move","from":"/b/c/7","path":"/y"}`, `{"op":"move","path":"/y"}`,
		`{"op":"move","from":"/a"}`, `{"op":"move","from":"/a","path":"/f/1"}`, `{"op":"move","from":"/b/e","path":"/y"}`,
		`{"op":"copy","from":"/b","path":"/copy"}`, `{"op":"copy","from":"/zz","path":"/copy"}`,
		`{"op":"copy","from":"/b/c/9","path":"/copy"}`, `{"op":"copy","from":"/q/z","path":"/copy"}`,
		`{"op":"copy","from":"/a","path":"/f/3"}`, `{"op":"copy","from":"/a","path":"/q/z"}`, `{"op":"copy","path":"/x"}`,
		`{"op":"test","path":"/a","value":1}`, `{"op":"test","path":"/a","value":2}`, `{"op":"test","path":"/t","value":1}`,
		`{"op":"test","path":"/b/e","value":null}`, `{"op":"test","path":"/zz","value":null}`, `{"op":"test","path":"/zz"}`,
		`{"op":"test","path":"/zz","value":1}`, `{"op":"test","path":"/b","value":{"c":[1,2,{"d":"x"}],"e":null}}`,
		`{"op":"test","path":"/b/c","value":[1,2]}`, `{"op":"test","path":"/b/c/1","value":2}`,
		`{"op":"test","path":"/b/c/8","value":2}`, `{"op":"test","path":"/q/r","value":2}`, `{"op":"test","path":"/u","value":1.5}`,
		`{"op":"test","path":"","value":{"spec":{"containers":[{"name":"a","image":"i"},{"name":"b"}],"n":null}}}`,
		`{"op":"test","value":2}`, `{"op":"bad","path":"/a"}`, `{"path":"/a"}`, `{"op":1,"path":"/a"}`,
		`{"op":"replace","path":"/spec/containers/1/image","value":"j"}`, `{"op":"add","path":"/spec/containers/0/env","value":[{"name":"A"}]}`,
		`{"op":"remove","path":"/spec/containers/0/image"}`, `{"op":"add","path":"/spec/n/x","value":1}`,
	}
	run := func(document, patch string) {
		result := object{"document": parse(document), "patch": parse(patch)}
		decoded, err := jsonpatch.DecodePatch([]byte(patch))
		if err == nil {
			var patched []byte
			if patched, err = decoded.Apply([]byte(document)); err == nil {
				result["result"] = json.RawMessage(patched)
			}
		}
		if err != nil {
			result["error"] = err.Error()
		}
		emit(result)
	}
	for i, operation := range operations {
		document := documents[0]
		if i >= len(operations)-4 || i == len(operations)-8 {
			document = documents[1]
		}
		run(document, "["+operation+"]")
	}
	run(documents[0], `{"op":"add"}`)
	run(documents[0], `["x"]`)
	run(documents[0], `"x"`)
	run(documents[0], `3`)
	run(documents[0], `[3]`)
	run(documents[0], `[true]`)
	run(documents[0], `[]`)
	run(documents[0], `null`)
	for range 60 {
		patch := "["
		for i := range rng.Intn(4) + 1 {
			if i > 0 {
				patch += ","
			}
			patch += operations[rng.Intn(len(operations)-4)]
		}
		run(documents[0], patch+"]")
	}
}

// randomDocument makes JSON objects of few keys, so that documents and patches meet.
func randomDocument(depth int, nulls bool) any {
	switch choice := rng.Intn(7); {
	case depth == 0 || choice < 2:
		scalars := list{1, "x", true, 2.5, "y", false}
		if nulls && rng.Intn(2) == 0 {
			return nil
		}
		return scalars[rng.Intn(len(scalars))]
	case choice == 2:
		items := list{}
		for range rng.Intn(3) {
			items = append(items, randomDocument(depth-1, nulls))
		}
		return items
	default:
		return randomObject(depth, nulls)
	}
}

func randomObject(depth int, nulls bool) object {
	members := object{}
	for range rng.Intn(5) {
		members[fmt.Sprintf("%c", 'a'+rng.Intn(5))] = randomDocument(depth-1, nulls)
	}
	return members
}

func recordMergePatch() {
	emit(object{"oracle": "gopkg.in/evanphx/json-patch.v4 v4.13.0"})
	for i := range 160 {
		document, patch := any(randomObject(4, false)), any(randomObject(4, true))
		if i%40 == 39 {
			patch = list{object{"a": nil}, nil, 1}
		}
		result := object{"document": document, "patch": patch}
		merged, err := jsonpatch.MergePatch(must(json.Marshal(document)), must(json.Marshal(patch)))
		if err != nil {
			result["error"] = err.Error()
		} else {
			result["result"] = json.RawMessage(merged)
		}
		emit(result)
		other := randomObject(4, false)
		diff := must(jsonpatch.CreateMergePatch(must(json.Marshal(document)), must(json.Marshal(other))))
		emit(object{"from": document, "to": other, "diff": json.RawMessage(diff)})
	}
}
