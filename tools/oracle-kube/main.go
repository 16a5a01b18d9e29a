// Records what Kubernetes' own libraries and a real kube-apiserver do, as the expected values of the tests of
// windlass-kube: one JSON document a line, the first of them naming versions.
//
// The server is started here, on loopback, from target/tools/bin or from where KUBEBUILDER_ASSETS points.
// Without arguments everything is recorded anew; with names, only those recordings.
package main

//go:generate go run .

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
)

type object = map[string]any
type list = []any

const data = "../../crates/windlass-kube/tests/data"

var recordings = []struct {
	name   string
	record func()
	// Whether it asks a server.
	asksServer bool
}{
	{"fields", recordFields, false},
	{"json-patch", recordJSONPatch, false},
	{"merge-patch", recordMergePatch, false},
	{"selectors", recordSelectors, false},
	{"quantities", recordQuantities, false},
	{"strategic", recordStrategic, false},
	{"three-way", recordThreeWay, false},
	{"names", recordNames, false},
	{"take-over", recordTakeOver, false},
	{"schema", recordSchema, true},
	{"apply", recordApply, true},
}

var out *json.Encoder

// rng starts anew for each recording, so that one can be repeated alone.
var rng *rand.Rand

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
	names := os.Args[1:]
	for _, recording := range recordings {
		if len(names) > 0 && !slices.Contains(names, recording.name) {
			continue
		}
		if recording.asksServer {
			startServer()
		}
		file := must(os.Create(filepath.Join(data, recording.name+".jsonl")))
		buffered := bufio.NewWriter(file)
		out = json.NewEncoder(buffered)
		out.SetEscapeHTML(false)
		rng = rand.New(rand.NewSource(20260101))
		recording.record()
		if err := buffered.Flush(); err != nil {
			panic(err)
		}
		file.Close()
		fmt.Fprintln(os.Stderr, recording.name)
	}
	stopServer()
}
