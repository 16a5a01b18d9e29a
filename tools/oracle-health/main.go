// Command oracle-health asks Argo CD what it thinks of the health of objects.
//
//	oracle-health CASES.json SCRIPTS > RECORDED.jsonl
//	oracle-health -made N SCRIPTS > RECORDED.jsonl
//	oracle-health -shipped SCRIPTS > LOOKED_AT.jsonl
//	oracle-health -actions CASES.json SCRIPTS > RECORDED.jsonl
//
// The second form makes N objects at random for each script, the third takes those that the scripts are tested with.
// The fourth tells which actions objects have, and what each of them writes.
//
// CASES.json lists {"name", "object"}; each line of output adds Argo CD's answer. A kind whose built-in check is a
// Lua script is asked by running that script, as Argo CD does before it looks for a check written in Go; SCRIPTS is
// the folder resource_customizations of an Argo CD module.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sort"
	"strconv"
	"strings"

	"github.com/argoproj/gitops-engine/pkg/health"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

type question struct {
	Name   string                     `json:"name"`
	Object *unstructured.Unstructured `json:"object"`
	Health *health.HealthStatus       `json:"health"`
}

func main() {
	switch os.Args[1] {
	case "-made":
		printCases(made(os.Args[3], must(strconv.Atoi(os.Args[2]))))
		return
	case "-shipped":
		printCases(shipped(os.Args[2]))
		return
	case "-actions":
		printActions(os.Args[2], os.Args[3])
		return
	}
	var cases []question
	check(json.Unmarshal(must(os.ReadFile(os.Args[1])), &cases))
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	check(out.Encode(map[string]any{"oracle": versions()}))
	for _, asked := range cases {
		// An error is told in the health as well.
		asked.Health, _ = health.GetResourceHealth(asked.Object, scripts(os.Args[2]))
		check(out.Encode(asked))
	}
}

// ask runs the script of an object's kind, or the check written in Go where there is none.
func ask(object *unstructured.Unstructured) (*health.HealthStatus, error) {
	return health.GetResourceHealth(object, scripts(os.Args[len(os.Args)-1]))
}

func versions() []string {
	info, _ := debug.ReadBuildInfo()
	known := []string{runtime.Version(), "scripts of " + filepath.Base(filepath.Dir(filepath.Clean(os.Args[len(os.Args)-1])))}
	for _, module := range info.Deps {
		if strings.Contains(module.Path, "argoproj") || strings.Contains(module.Path, "gopher-lua") {
			known = append(known, module.Path+" "+module.Version)
		}
	}
	sort.Strings(known)
	return known
}

// scripts are the checks that Argo CD ships as Lua.
type scripts string

func (dir scripts) GetResourceHealth(object *unstructured.Unstructured) (*health.HealthStatus, error) {
	gvk := object.GroupVersionKind()
	script := dir.find(gvk.Group, gvk.Kind)
	if script == nil {
		return nil, nil
	}
	state := lua.NewState()
	defer state.Close()
	state.SetGlobal("obj", toLua(state, object.Object))
	if err := state.DoString(string(script)); err != nil {
		return nil, err
	}
	table, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return nil, fmt.Errorf("the script returns no table")
	}
	text := func(key string) string {
		if value, ok := table.RawGetString(key).(lua.LString); ok {
			return string(value)
		}
		return ""
	}
	return &health.HealthStatus{Status: health.HealthStatusCode(text("status")), Message: text("message")}, nil
}

// find reads the script for a kind: exactly that, else the first pattern in the order of their names.
func (dir scripts) find(group, kind string) []byte {
	if script, err := os.ReadFile(filepath.Join(string(dir), group, kind, "health.lua")); err == nil {
		return script
	}
	patterns, _ := filepath.Glob(filepath.Join(string(dir), "*_*", "*", "health.lua"))
	more, _ := filepath.Glob(filepath.Join(string(dir), "*", "_", "health.lua"))
	patterns = append(patterns, more...)
	sort.Strings(patterns)
	for _, path := range patterns {
		of, _ := filepath.Rel(string(dir), filepath.Dir(path))
		if ok, _ := filepath.Match(strings.ReplaceAll(of, "_", "*"), group+"/"+kind); ok {
			return must(os.ReadFile(path))
		}
	}
	return nil
}

func toLua(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case bool:
		return lua.LBool(value)
	case float64:
		return lua.LNumber(value)
	case int64:
		return lua.LNumber(value)
	case string:
		return lua.LString(value)
	case []any:
		list := state.NewTable()
		for _, item := range value {
			list.Append(toLua(state, item))
		}
		return list
	case map[string]any:
		table := state.NewTable()
		for key, item := range value {
			table.RawSetString(key, toLua(state, item))
		}
		return table
	}
	return lua.LNil
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "oracle-health:", err)
		os.Exit(1)
	}
}
