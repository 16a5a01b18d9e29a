package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// moment is what all clocks say to the scripts.
const moment = 1700000000

// asked is an object, and the parameters of the actions that ask for some.
type asked struct {
	Name       string                       `json:"name"`
	Object     *unstructured.Unstructured   `json:"object"`
	Parameters map[string]map[string]string `json:"parameters,omitempty"`
}

// acted is what Argo CD's scripts say of it: which actions it has, and what each of them writes.
type acted struct {
	asked
	Actions any               `json:"actions"`
	Wrote   map[string]any    `json:"wrote"`
	Failed  map[string]string `json:"failed,omitempty"`
}

// printActions asks the scripts of each object's kind. Every action is run, whether it is disabled or not.
func printActions(cases, folder string) {
	var list []asked
	check(json.Unmarshal(must(os.ReadFile(cases)), &list))
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	check(out.Encode(map[string]any{"oracle": versions()}))
	for _, one := range list {
		gvk := one.Object.GroupVersionKind()
		dir := filepath.Join(folder, gvk.Group, gvk.Kind, "actions")
		found, err := run(one.Object, filepath.Join(dir, "discovery.lua"), nil)
		check(err)
		said := acted{asked: one, Actions: found, Wrote: map[string]any{}, Failed: map[string]string{}}
		names := must(filepath.Glob(filepath.Join(dir, "*", "action.lua")))
		sort.Strings(names)
		for _, script := range names {
			name := filepath.Base(filepath.Dir(script))
			wrote, err := run(one.Object, script, one.Parameters[name])
			if err != nil {
				said.Failed[name] = firstLine(err)
				continue
			}
			said.Wrote[name] = wrote
		}
		check(out.Encode(said))
	}
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// run answers what a script returns, as JSON.
func run(object *unstructured.Unstructured, path string, parameters map[string]string) (any, error) {
	state := lua.NewState()
	defer state.Close()
	given := state.NewTable()
	for name, value := range parameters {
		given.RawSetString(name, lua.LString(value))
	}
	state.SetGlobal("actionParams", given)
	state.SetGlobal("obj", toLua(state, object.DeepCopy().Object))
	clock := fmt.Sprintf("local date = os.date os.time = function() return %d end os.date = function(f) return date(f, %d) end", moment, moment)
	check(state.DoString(clock))
	if err := state.DoString(string(must(os.ReadFile(path)))); err != nil {
		return nil, err
	}
	table, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return nil, fmt.Errorf("the script returns no table")
	}
	return fromLua(table), nil
}

// fromLua makes JSON of a value; of an empty table, an empty list, as Argo CD does.
func fromLua(value lua.LValue) any {
	switch value := value.(type) {
	case lua.LBool:
		return bool(value)
	case lua.LNumber:
		return float64(value)
	case lua.LString:
		return string(value)
	case *lua.LTable:
		list := []any{}
		if value.MaxN() > 0 {
			for at := 1; at <= value.MaxN(); at++ {
				list = append(list, fromLua(value.RawGetInt(at)))
			}
			return list
		}
		members := map[string]any{}
		value.ForEach(func(key, member lua.LValue) { members[key.String()] = fromLua(member) })
		if len(members) == 0 {
			return list
		}
		return members
	}
	return nil
}
