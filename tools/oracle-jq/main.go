// Command oracle-jq asks gojq what del(EXPRESSION) makes of objects, as Argo CD asks it.
//
//	oracle-jq CASES.json > RECORDED.jsonl
//
// CASES.json holds {"objects": {name: object}, "expressions": [text]}; each line of output is one expression on one
// object: the result, or that there was an error.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sort"

	"github.com/itchyny/gojq"
)

type answer struct {
	Expression string `json:"expression"`
	Object     string `json:"object"`
	Result     any    `json:"result"`
	Error      string `json:"error,omitempty"`
}

func main() {
	var cases struct {
		Objects     map[string]any `json:"objects"`
		Expressions []string       `json:"expressions"`
	}
	check(json.Unmarshal(must(os.ReadFile(os.Args[1])), &cases))
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	info, _ := debug.ReadBuildInfo()
	known := []string{runtime.Version()}
	for _, module := range info.Deps {
		if module.Path == "github.com/itchyny/gojq" {
			known = append(known, module.Path+" "+module.Version)
		}
	}
	check(out.Encode(map[string]any{"oracle": known}))
	names := make([]string, 0, len(cases.Objects))
	for name := range cases.Objects {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, expression := range cases.Expressions {
		for _, name := range names {
			result, err := run(expression, copied(cases.Objects[name]))
			told := answer{Expression: expression, Object: name, Result: result}
			if err != nil {
				told.Error = err.Error()
			}
			check(out.Encode(told))
		}
	}
}

func run(expression string, object any) (any, error) {
	query, err := gojq.Parse("del(" + expression + ")")
	if err != nil {
		return nil, err
	}
	code, err := gojq.Compile(query)
	if err != nil {
		return nil, err
	}
	result, ok := code.Run(object).Next()
	if !ok {
		return nil, fmt.Errorf("no result")
	}
	if err, ok := result.(error); ok {
		return nil, err
	}
	return result, nil
}

func copied(value any) (out any) {
	check(json.Unmarshal(must(json.Marshal(value)), &out))
	return out
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "oracle-jq:", err)
		os.Exit(1)
	}
}
