// Records what Kubernetes' own libraries and a real kube-apiserver do, as the expected values of the tests of
// windlass-kube. Each command prints one JSON document a line, the first of them naming versions.
//
//	go run . fields|json-patch|merge-patch|selectors|quantities|strategic|names|take-over > data.jsonl
//	go run . schema URL TOKEN > schema.json
//	go run . apply URL TOKEN > data.jsonl
package main

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
)

type object = map[string]any
type list = []any

var out = json.NewEncoder(os.Stdout)

// rng is seeded, so that a recording can be repeated.
var rng = rand.New(rand.NewSource(20260101))

func emit(value any) {
	if err := out.Encode(value); err != nil {
		panic(err)
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func parse(text string) any {
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		panic(fmt.Sprintf("%v in %s", err, text))
	}
	return value
}

func main() {
	out.SetEscapeHTML(false)
	commands := map[string]func(){
		"fields": recordFields, "json-patch": recordJSONPatch, "merge-patch": recordMergePatch,
		"selectors": recordSelectors, "quantities": recordQuantities, "strategic": recordStrategic,
		"names": recordNames, "take-over": recordTakeOver, "schema": recordSchema, "apply": recordApply,
	}
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: oracle-kube COMMAND [URL TOKEN]")
		os.Exit(2)
	}
	commands[os.Args[1]]()
}
