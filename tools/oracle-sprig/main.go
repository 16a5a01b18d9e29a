// Oracle-sprig records what the functions of sprig and of Helm's template engine answer.
//
//	oracle-sprig names                      the functions that a Helm template can call, one a line
//	oracle-sprig render < TEMPLATES         one JSON string a line in, one record a line out
//	oracle-sprig generate SEED COUNT [FN…]  so many calls with random arguments, one record a line
//	oracle-sprig samples                    keys, certificates and passwords that Go made
//	oracle-sprig check < CLAIMS             whether Go finds keys and certificates right that others made
//
// A record has the template ("t"), the values of its variables ("a"), and either what it printed ("out") or
// the error ("err"). Values that a call changed stand under "after". `dump` prints a value with its Go type.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"text/template"
	"time"
	_ "unsafe"

	_ "helm.sh/helm/v4/pkg/engine"
)

//go:linkname helmFunctions helm.sh/helm/v4/pkg/engine.funcMap
func helmFunctions() template.FuncMap

// functions are those of a Helm template; the ones that need an engine are left to the tests of Helm itself.
func functions() template.FuncMap {
	functions := helmFunctions()
	functions["getHostByName"] = func(string) string { return "" }
	functions["required"] = func(message string, value any) (any, error) {
		if value == nil || value == "" {
			return value, fmt.Errorf("%s", message)
		}
		return value, nil
	}
	functions["dump"] = func(value any) (string, error) {
		text, err := json.Marshal(dump(value))
		return string(text), err
	}
	return functions
}

type record struct {
	Template string         `json:"t"`
	Values   map[string]any `json:"a,omitempty"`
	Out      string         `json:"out,omitempty"`
	Err      string         `json:"err,omitempty"`
	After    map[string]any `json:"after,omitempty"`
}

func dumpAll(values map[string]any) map[string]any {
	dumped := map[string]any{}
	for name, value := range values {
		dumped[name] = dump(value)
	}
	return dumped
}

func run(funcs template.FuncMap, text string, values map[string]any) record {
	result := record{Template: text, Values: dumpAll(values)}
	before, _ := json.Marshal(result.Values)
	parsed, err := template.New("t").Funcs(funcs).Option("missingkey=zero").Parse(text)
	if err != nil {
		result.Err = err.Error()
		return result
	}
	var out strings.Builder
	if err := parsed.Execute(&out, values); err != nil {
		result.Err = err.Error()
	} else {
		result.Out = out.String()
	}
	changed := dumpAll(values)
	if after, _ := json.Marshal(changed); string(after) != string(before) {
		result.After = changed
	}
	return result
}

func main() {
	os.Setenv("TZ", "UTC")
	time.Local = time.UTC
	out := bufio.NewWriterSize(os.Stdout, 1<<16)
	defer out.Flush()
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	funcs := functions()
	switch {
	case len(os.Args) == 2 && os.Args[1] == "names":
		names := []string{}
		for name := range funcs {
			if name != "dump" {
				names = append(names, name)
			}
		}
		sort.Strings(names)
		for _, name := range names {
			fmt.Fprintf(out, "%s %s\n", name, strings.ReplaceAll(reflect.TypeOf(funcs[name]).String(), " ", ""))
		}
	case len(os.Args) == 2 && os.Args[1] == "render":
		lines := bufio.NewScanner(os.Stdin)
		lines.Buffer(nil, 1<<26)
		for lines.Scan() {
			var text string
			if err := json.Unmarshal(lines.Bytes(), &text); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			encoder.Encode(run(funcs, text, nil))
		}
	case len(os.Args) == 2 && os.Args[1] == "check":
		check(os.Stdin, out)
	case len(os.Args) == 2 && os.Args[1] == "samples":
		if err := samples(out); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	case len(os.Args) >= 4 && os.Args[1] == "generate":
		seed, _ := strconv.ParseInt(os.Args[2], 10, 64)
		count, _ := strconv.Atoi(os.Args[3])
		generator := generator{rand.New(rand.NewSource(seed))}
		names := os.Args[4:]
		if len(names) == 0 {
			for name := range funcs {
				if !skipped[name] {
					names = append(names, name)
				}
			}
		}
		sort.Strings(names)
		for range count {
			name := names[generator.Intn(len(names))]
			text, values := generator.call(name, reflect.TypeOf(funcs[name]))
			encoder.Encode(run(funcs, text, values))
		}
	default:
		fmt.Fprintln(os.Stderr, "usage: oracle-sprig names | render | samples | check | generate SEED COUNT [FUNCTION…]")
		os.Exit(2)
	}
}
