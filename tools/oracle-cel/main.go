// Command oracle-cel asks the CEL of kube-apiserver.
//
//	oracle-cel declarations > DECLARATIONS.tsv
//	oracle-cel expressions EXPRESSIONS.txt > ANSWERS.jsonl
//	oracle-cel rules RULES.json > ANSWERS.jsonl
//
// The first prints every overload of every function of the environment that rules of CustomResourceDefinitions are
// compiled in. The second compiles and evaluates each line of a file, and what it makes of each overload with values
// from a pool; an answer is the type, the value or the error, the cost, and the estimate of the cost. The third
// compiles rules on schemas and evaluates them on objects.
package main

//go:generate sh -c "go run . declarations > ../../crates/windlass-cel/src/check/declarations.tsv"
//go:generate sh -c "go run . expressions ../../crates/windlass-cel/tests/data/expressions.txt > ../../crates/windlass-cel/tests/data/answers.jsonl"

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strings"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/checker"
	"github.com/google/cel-go/common/types"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/cel/environment"
	"k8s.io/apiserver/pkg/cel/library"
)

func main() {
	switch os.Args[1] {
	case "declarations":
		declarations()
	case "expressions":
		expressions(os.Args[2])
	case "rules":
		rules(os.Args[2])
	}
}

func base() *environment.EnvSet { return environment.MustBaseEnvSet(version.MajorMinor(1, 36)) }

// declarations prints function, overload, call style, type parameters are capital letters, arguments, result.
func declarations() {
	functions := base().NewExpressionsEnv().Functions()
	var lines []string
	for name, function := range functions {
		for order, overload := range function.OverloadDecls() {
			var arguments []string
			for _, argument := range overload.ArgTypes() {
				arguments = append(arguments, checker.FormatCELType(argument))
			}
			style := "function"
			if overload.IsMemberFunction() {
				style = "member"
			}
			lines = append(lines, fmt.Sprintf("%s\t%03d\t%s\t%s\t%s\t%s", name, order, overload.ID(), style,
				strings.Join(arguments, ";"), checker.FormatCELType(overload.ResultType())))
		}
	}
	sort.Strings(lines)
	for _, line := range lines {
		fields := strings.Split(line, "\t")
		fmt.Println(strings.Join(append(fields[:1], fields[2:]...), "\t"))
	}
}

type answer struct {
	Expression string  `json:"expression"`
	Problem    string  `json:"problem,omitempty"`
	Type       string  `json:"type,omitempty"`
	Value      string  `json:"value,omitempty"`
	Error      string  `json:"error,omitempty"`
	Cost       *uint64 `json:"cost,omitempty"`
	Least      uint64  `json:"least,omitempty"`
	Most       uint64  `json:"most,omitempty"`
}

// The variables of every expression; crates/windlass-cel/tests/expressions.rs has the same.
var anything = map[string]any{
	"name":   "web",
	"count":  int64(3),
	"ratio":  1.5,
	"ready":  true,
	"none":   nil,
	"labels": map[string]any{"app": "shop", "tier": "front"},
	"ports": []any{
		map[string]any{"name": "http", "port": int64(80)},
		map[string]any{"name": "admin", "port": int64(9090)},
	},
	"list": []any{int64(1), "two", 3.5, nil, true},
}

func environ() (*cel.Env, map[string]any) {
	set, err := base().Extend(environment.VersionedOptions{
		IntroducedVersion: version.MajorMinor(1, 0),
		EnvOptions: []cel.EnvOption{
			cel.Variable("i", cel.IntType), cel.Variable("u", cel.UintType), cel.Variable("d", cel.DoubleType),
			cel.Variable("s", cel.StringType), cel.Variable("b", cel.BoolType), cel.Variable("y", cel.BytesType),
			cel.Variable("li", cel.ListType(cel.IntType)), cel.Variable("ls", cel.ListType(cel.StringType)),
			cel.Variable("ms", cel.MapType(cel.StringType, cel.StringType)),
			cel.Variable("mi", cel.MapType(cel.StringType, cel.IntType)),
			cel.Variable("any", cel.DynType), cel.Variable("object", cel.MapType(cel.StringType, cel.DynType)),
			cel.Variable("ts", cel.TimestampType), cel.Variable("du", cel.DurationType),
			cel.Variable("os", cel.OptionalType(cel.StringType)),
		},
	})
	check(err)
	return set.NewExpressionsEnv(), map[string]any{
		"i": int64(7), "u": uint64(5), "d": 2.5, "s": "héllo wörld", "b": true, "y": []byte("by\xfftes"),
		"li": []int64{3, 1, 2}, "ls": []string{"c", "a", "b"}, "ms": map[string]string{"k": "v", "x": "y"},
		"mi": map[string]int64{"one": 1, "two": 2}, "any": anything, "object": anything,
		"ts": time.Date(2024, 2, 29, 13, 14, 15, 160_000_000, time.UTC), "du": 90*time.Minute + 30*time.Second,
		"os": types.OptionalOf(types.String("there")),
	}
}

func expressions(file string) {
	env, variables := environ()
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	check(out.Encode(map[string]string{"oracle": "k8s.io/apiserver v0.36.3, cel-go v0.26.0"}))
	source := must(os.Open(file))
	lines := bufio.NewScanner(source)
	seen := map[string]bool{}
	ask := func(expression string) {
		if seen[expression] {
			return
		}
		seen[expression] = true
		check(out.Encode(evaluate(env, variables, expression)))
	}
	for lines.Scan() {
		if text := lines.Text(); text != "" && !strings.HasPrefix(text, "#") {
			ask(strings.ReplaceAll(text, `\N`, "\n"))
		}
	}
	for _, expression := range combinations(env) {
		ask(expression)
	}
}

func evaluate(env *cel.Env, variables map[string]any, expression string) (told answer) {
	told.Expression = expression
	ast, issues := env.Compile(expression)
	if issues != nil {
		told.Problem = issues.String()
		return
	}
	told.Type = ast.OutputType().String()
	estimator := &library.CostEstimator{SizeEstimator: noSizes{}}
	if estimate, err := env.EstimateCost(ast, estimator); err == nil {
		told.Least, told.Most = estimate.Min, estimate.Max
	}
	program, err := env.Program(ast, cel.CostTracking(estimator), cel.CostLimit(1_000_000))
	if err != nil {
		told.Error = "program: " + err.Error()
		return
	}
	value, details, err := program.Eval(variables)
	if details != nil && details.ActualCost() != nil {
		told.Cost = details.ActualCost()
	}
	if err != nil {
		told.Error = err.Error()
		return
	}
	told.Value = show(value)
	return
}

// noSizes knows the size of nothing.
type noSizes struct{}

func (noSizes) EstimateSize(checker.AstNode) *checker.SizeEstimate { return nil }
func (noSizes) EstimateCallCost(string, string, *checker.AstNode, []checker.AstNode) *checker.CallEstimate {
	return nil
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
