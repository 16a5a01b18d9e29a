package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/checker"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	apicel "k8s.io/apiserver/pkg/cel"
)

// show prints a value so that another program can print the same.
func show(value ref.Val) string {
	switch value := value.(type) {
	case types.Bool:
		return strconv.FormatBool(bool(value))
	case types.Int:
		return strconv.FormatInt(int64(value), 10)
	case types.Uint:
		return strconv.FormatUint(uint64(value), 10) + "u"
	case types.Double:
		return "double " + strconv.FormatFloat(float64(value), 'g', -1, 64)
	case types.String:
		var out strings.Builder
		encoder := json.NewEncoder(&out)
		encoder.SetEscapeHTML(false)
		check(encoder.Encode(string(value)))
		return strings.TrimSuffix(out.String(), "\n")
	case types.Bytes:
		return "bytes " + hex.EncodeToString(value)
	case types.Null:
		return "null"
	case types.Duration:
		return "duration " + strconv.FormatInt(int64(value.Duration), 10)
	case types.Timestamp:
		return "timestamp " + value.Time.Format("2006-01-02T15:04:05.999999999Z07:00")
	case *types.Optional:
		if !value.HasValue() {
			return "none"
		}
		return "some(" + show(value.GetValue()) + ")"
	case *types.Type:
		return "type " + value.TypeName()
	case *apicel.Quantity:
		return show(*value)
	case apicel.Quantity:
		return "quantity " + value.Quantity.String()
	case apicel.URL:
		return "url " + value.URL.String()
	case apicel.IP:
		return "ip " + value.Addr.String()
	case apicel.CIDR:
		return "cidr " + value.Prefix.String()
	case apicel.Semver:
		return "semver " + value.Version.String()
	case apicel.Format:
		return "format " + value.Name
	case traits.Lister:
		var items []string
		for it := value.Iterator(); it.HasNext() == types.True; {
			items = append(items, show(it.Next()))
		}
		return "[" + strings.Join(items, ", ") + "]"
	case traits.Mapper:
		var entries []string
		for it := value.Iterator(); it.HasNext() == types.True; {
			key := it.Next()
			entries = append(entries, show(key)+": "+show(value.Get(key)))
		}
		sort.Strings(entries)
		return "{" + strings.Join(entries, ", ") + "}"
	}
	return fmt.Sprintf("%T", value)
}

// pool has the arguments that each type is tried with.
var pool = map[string][]string{
	"bool":      {"true", "false", "b"},
	"int":       {"0", "1", "-3", "i", "9223372036854775807", "64"},
	"uint":      {"0u", "2u", "u", "18446744073709551615u"},
	"double":    {"0.0", "1.5", "-2.75", "d", "1e300"},
	"string":    {"''", "'abc'", "'a,b,c'", "s", "'1.2.3'", "'10.0.0.1'", "'10.0.0.0/8'", "'1Gi'", "'https://a.b:80/c?d=e'", "'B'"},
	"bytes":     {"b''", "b'abc'", "y"},
	"null":      {"null"},
	"timestamp": {"ts", "timestamp('2023-12-31T23:59:59Z')"},
	"duration":  {"du", "duration('-1.5s')"},
	"dyn":       {"any", "any.count", "any.name", "any.list", "dyn(1.0)", "dyn([1,2])"},
	"list(int)": {"[1,2,3]", "li", "[5]"}, "list(string)": {"['x','y','x']", "ls"},
	"list(uint)": {"[2u,1u]"}, "list(double)": {"[2.5,1.5]"}, "list(bool)": {"[true,false]"},
	"list(bytes)": {"[b'b',b'a']"}, "list(duration)": {"[du, duration('1s')]"}, "list(timestamp)": {"[ts]"},
	"list(dyn)": {"any.list", "[[1],[2,3]]"}, "list(list(T))": {"[[1],[2,3]]", "[['a']]"},
	"list(A)": {"[1,2,3]", "ls", "[]"}, "list(T)": {"[1,2,2,3]", "ls", "[]"},
	"map(A, B)": {"{'a':1}", "mi", "{}"}, "map(string, dyn)": {"object"},
	"A": {"1", "'x'", "3"}, "T": {"2", "'c'"}, "B": {"2"}, "K": {"'k'"}, "V": {"5", "'v'"},
	"optional_type(V)": {"optional.of(1)", "optional.none()", "os"},
	"map(K, V)":        {"ms", "{'k': 'v'}"}, "list(V)": {"li", "ls"},
	"optional_type(list(V))":   {"optional.of([1,2])", "optional.none()"},
	"optional_type(map(K, V))": {"optional.of(ms)"},
	"kubernetes.Quantity":      {"quantity('1.5')", "quantity('1Gi')", "quantity('-200m')", "quantity('123456789012345678901234')"},
	"kubernetes.URL":           {"url('https://u:p@ex.com:8080/a%20b/c?x=1&x=2&y=#f')", "url('https://[::1]/')", "url('/only/path')"},
	"net.IP":                   {"ip('10.1.2.3')", "ip('::1')", "ip('224.0.0.5')", "ip('fe80::1')", "ip('0.0.0.0')"},
	"net.CIDR":                 {"cidr('10.0.0.0/8')", "cidr('10.1.2.3/16')", "cidr('2001:db8::/32')"},
	"kubernetes.Semver":        {"semver('1.2.3')", "semver('v1.02', true)", "semver('2.0.0-rc.1+b7')"},
	"kubernetes.NamedFormat":   {"format.dns1123Label()", "format.named('uuid').value()", "format.date()", "format.uri()"},
	"type":                     {"int", "type(1)"},
}

// combinations writes calls of every overload with what the pool has for its arguments.
func combinations(env *cel.Env) []string {
	symbols := map[string]string{
		"_+_": "+", "_-_": "-", "_*_": "*", "_/_": "/", "_%_": "%", "_<_": "<", "_<=_": "<=", "_>_": ">", "_>=_": ">=",
		"_==_": "==", "_!=_": "!=", "@in": "in", "_&&_": "&&", "_||_": "||",
	}
	var names []string
	functions := env.Functions()
	for name := range functions {
		names = append(names, name)
	}
	sort.Strings(names)
	var out []string
	for _, name := range names {
		for _, overload := range functions[name].OverloadDecls() {
			choices := [][]string{{}}
			for _, argument := range overload.ArgTypes() {
				from := pool[checker.FormatCELType(argument)]
				var next [][]string
				for _, chosen := range choices {
					for _, one := range from {
						next = append(next, append(append([]string{}, chosen...), one))
					}
				}
				choices = next
			}
			// Every so-manieth, so that no overload takes more than its share.
			step := len(choices)/24 + 1
			for idx := 0; idx < len(choices); idx += step {
				if text := call(name, symbols[name], overload.IsMemberFunction(), choices[idx]); text != "" {
					out = append(out, text)
				}
			}
		}
	}
	return out
}

func call(name, symbol string, member bool, arguments []string) string {
	switch {
	case symbol != "" && len(arguments) == 2:
		return arguments[0] + " " + symbol + " " + arguments[1]
	case name == "_[_]" && len(arguments) == 2:
		return arguments[0] + "[" + arguments[1] + "]"
	case name == "_[?_]" && len(arguments) == 2:
		return arguments[0] + "[?" + arguments[1] + "]"
	case name == "_?_:_" && len(arguments) == 3:
		return arguments[0] + " ? " + arguments[1] + " : " + arguments[2]
	case name == "-_" || name == "!_":
		return name[:1] + "(" + arguments[0] + ")"
	case name == "in" || name == "flatten" && len(arguments) > 1 && len(arguments[1]) > 1:
		// No name of a function that can be written; costs that overflow.
		return ""
	case name == "lists.range" && strings.HasPrefix(arguments[0], "9"):
		// The original would make the list.
		return ""
	case strings.HasPrefix(name, "_") || strings.HasPrefix(name, "@") || strings.Contains(name, "@"):
		return ""
	case member:
		return "(" + arguments[0] + ")." + name + "(" + strings.Join(arguments[1:], ", ") + ")"
	}
	return name + "(" + strings.Join(arguments, ", ") + ")"
}
