// Command oracle-flux-health asks Flux what its health check expressions say of objects.
//
//	oracle-flux-health CASES.json > ANSWERS.json
//
// A case is {"name", "current", "failed", "inProgress", "object"}; an answer adds the status, or the error.
package main

//go:generate sh -c "go run . ../../crates/windlass-assess/tests/data/cel_cases.json > ../../crates/windlass-assess/tests/data/cel_answers.json"

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

type question struct {
	Name       string                     `json:"name"`
	Current    string                     `json:"current"`
	Failed     string                     `json:"failed,omitempty"`
	InProgress string                     `json:"inProgress,omitempty"`
	Object     *unstructured.Unstructured `json:"object"`
	Status     string                     `json:"status,omitempty"`
	Error      string                     `json:"error,omitempty"`
}

func main() {
	var cases []*question
	check(json.Unmarshal(must(os.ReadFile(os.Args[1])), &cases))
	for _, asked := range cases {
		evaluator, err := cel.NewStatusEvaluator(&kustomize.HealthCheckExpressions{
			Current: asked.Current, Failed: asked.Failed, InProgress: asked.InProgress,
		})
		if err == nil {
			result, failed := evaluator.Evaluate(context.Background(), asked.Object)
			err = failed
			if failed == nil {
				asked.Status = string(result.Status)
			}
		}
		if err != nil {
			asked.Error = err.Error()
		}
	}
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	out.SetIndent("", " ")
	check(out.Encode(cases))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func must[T any](value T, err error) T {
	check(err)
	return value
}
