package main

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"strings"
)

// fixture is the data of the cases, and of half of the generated templates.
const fixture = `{"s":"hello","empty":"","t":true,"f":false,"nil":null,"n":3,"half":1.5,"big":1e20,"neg":-7,"i":{"$int":42},` +
	`"i64":{"$int64":-9},"u":{"$uint":7},"u8":{"$uint8":200},"u64":{"$uint64":5},"i8":{"$int8":-8},"r":{"$int32":233},"f32":{"$float32":0.1},` +
	`"cx":{"$complex":2},"l":[1,"two",null,[3,4],{"k":"v"}],"el":[],"m":{"a":1,"b":{"c":{"d":"deep"}},"nil":null,"range":"kw"},"em":{},` +
	`"ss":{"$strings":["b","a"]},"is":{"$ints":[3,1,2]},"sm":{"$smap":{"x":"1","y":"2"}},"by":{"$bytes":"aGkK/w=="},"bin":{"$binary":"Yf9iwg=="},` +
	`"ns":{"$nil":"slice"},"nss":{"$nil":"strings"},"nm":{"$nil":"map"},"nt":{"$nil":"thing"},"err":{"$error":"an error"},"lv":{"$level":3},` +
	`"th":{"$thing":"box"},"fl":{"$flat":"flat"},"nd":{"$named":{"one":1,"Size":2}},"html":"<a href='x'>&\"é\u2028</a>","uni":"héllo 日本 \u0000\u0007"}`

type generator struct {
	*rand.Rand
	vars  []string
	depth int
	loops int
	names []string
	level int // which templates may be called: later ones only, so that nothing recurses
}

func (g *generator) pick(from ...string) string { return from[g.Intn(len(from))] }

func (g *generator) record() *record {
	g.vars = []string{"$"}
	g.depth, g.loops = 0, 0
	g.names = []string{"aux", "other"}
	r := &record{Missing: g.pick("", "", "zero", "error")}
	if g.Intn(2) == 0 {
		data := map[string]any{}
		for n := g.Intn(8); n >= 0; n-- {
			data[g.field()] = g.data(0)
		}
		r.Data, _ = json.Marshal(data)
	}
	g.level = 0
	r.Templates = [][2]string{{"x", g.list(g.Intn(4) + 1)}}
	for at, name := range g.names {
		g.level = at + 1
		if g.Intn(3) > 0 {
			g.vars = []string{"$"}
			r.Templates = append(r.Templates, [2]string{name, g.list(g.Intn(3))})
		}
	}
	if g.Intn(12) == 0 {
		at := g.Intn(len(r.Templates))
		r.Templates[at][1] = g.broken(r.Templates[at][1])
	}
	return r
}

// broken changes a byte or two, so that errors of the parser show up.
func (g *generator) broken(text string) string {
	if text == "" {
		return "{{"
	}
	bytes := []byte(text)
	for n := g.Intn(2); n >= 0; n-- {
		at := g.Intn(len(bytes))
		switch g.Intn(4) {
		case 0:
			bytes = append(bytes[:at], bytes[at+1:]...)
			if len(bytes) == 0 {
				return ""
			}
		case 1:
			bytes[at] = "{}()|.$\"`'\n -:=,@x0"[g.Intn(19)]
		case 2:
			bytes = append(bytes[:at], append([]byte(g.pick("{{", "}}", " ", "-", "(", ")", "\"", "end", "/*", "0x", ".", "$", "|", ":=", "\n", "é", "'a'", ",")), bytes[at:]...)...)
		case 3:
			bytes = bytes[:at]
			if len(bytes) == 0 {
				return "{{ "
			}
		}
	}
	return strings.ToValidUTF8(string(bytes), "?")
}

func (g *generator) data(depth int) any {
	kind := func(name string, of any) any { return map[string]any{"$" + name: of} }
	if depth < 3 {
		switch g.Intn(6) {
		case 0:
			list := []any{}
			for n := g.Intn(4); n > 0; n-- {
				list = append(list, g.data(depth+1))
			}
			return list
		case 1:
			made := map[string]any{}
			for n := g.Intn(4); n > 0; n-- {
				made[g.field()] = g.data(depth + 1)
			}
			return made
		}
	}
	switch g.Intn(22) {
	case 0:
		return nil
	case 1:
		return g.Intn(2) == 0
	case 2, 3:
		return float64(g.Intn(20) - 5)
	case 4:
		return []float64{0.1, 1e6, 1e20, 1e21, 1e-7, 123456789, 12345678901234567, -0.5, 3e-5, 1e100}[g.Intn(10)]
	case 5, 6, 7:
		return g.text()
	case 8:
		return kind("int", g.Intn(300)-50)
	case 9:
		return kind("int64", g.Intn(300)-50)
	case 10:
		return kind("uint8", g.Intn(256))
	case 11:
		return kind("strings", []string{g.text(), g.text()}[:g.Intn(3)])
	case 12:
		return kind("ints", []int{g.Intn(9), g.Intn(9), -1}[:g.Intn(4)])
	case 13:
		return kind("smap", map[string]any{g.field(): g.text()})
	case 14:
		return kind("bytes", []string{"", "aGk=", "/wA="}[g.Intn(3)])
	case 15:
		return kind("binary", []string{"Yf9i", "wg==", "4pg="}[g.Intn(3)])
	case 16:
		return kind("nil", g.pick("slice", "strings", "map", "thing"))
	case 17:
		return kind("error", g.text())
	case 18:
		return kind("level", g.Intn(5))
	case 19:
		return kind("thing", g.text())
	case 20:
		return kind("named", map[string]any{g.field(): g.text()})
	}
	return kind("float32", []float64{0.1, 1e10, 2.5, 16777216}[g.Intn(4)])
}

func (g *generator) text() string {
	return g.pick("", "a", "b", "hello", "x y", "%d", "{{.}}", "{{.s}}!", "{{template \"aux\" .}}", "1", "0", "true", "é日", "<&>\"'", "line\nbreak", "nil", "{{", "aux", "%v %s")
}

func (g *generator) field() string {
	return g.pick("s", "empty", "t", "f", "nil", "n", "half", "i", "i64", "u", "u8", "l", "el", "m", "em", "ss", "is", "sm", "by", "bin", "ns", "nm", "nt", "err",
		"lv", "th", "fl", "nd", "a", "b", "c", "d", "k", "x", "missing", "Name", "Count", "Tags", "Hello", "Fail", "Size", "Itself", "one", "big", "html", "uni", "cx", "r")
}

func (g *generator) list(n int) string {
	var b strings.Builder
	for ; n > 0; n-- {
		b.WriteString(g.node())
	}
	return b.String()
}

func (g *generator) left() string {
	if g.Intn(8) == 0 {
		return "{{- "
	}
	return g.pick("{{", "{{", "{{", "{{ ")
}

func (g *generator) right() string {
	if g.Intn(8) == 0 {
		return " -}}"
	}
	return g.pick("}}", "}}", "}}", " }}", "\n}}")
}

func (g *generator) node() string {
	if g.depth > 3 {
		return g.left() + g.pipeline() + g.right()
	}
	g.depth++
	defer func() { g.depth-- }()
	mark := len(g.vars)
	switch g.Intn(24) {
	case 0, 1, 2, 3:
		return g.pick("text", " ", "\n", "  \n  ", "a\n", "é", "", "}}", "- ")
	case 4, 5, 6:
		text := g.left() + "if " + g.control() + g.right() + g.list(g.Intn(3))
		for g.Intn(4) == 0 {
			text += g.left() + "else if " + g.control() + g.right() + g.list(g.Intn(2))
		}
		if g.Intn(2) == 0 {
			text += g.left() + "else" + g.right() + g.list(g.Intn(3))
		}
		g.vars = g.vars[:mark]
		return text + g.left() + "end" + g.right()
	case 7, 8:
		text := g.left() + "with " + g.control() + g.right() + g.list(g.Intn(3))
		if g.Intn(5) == 0 {
			text += g.left() + "else with " + g.control() + g.right() + g.list(g.Intn(2))
		}
		if g.Intn(2) == 0 {
			text += g.left() + "else" + g.right() + g.list(g.Intn(3))
		}
		g.vars = g.vars[:mark]
		return text + g.left() + "end" + g.right()
	case 9, 10, 11:
		decl := ""
		switch g.Intn(4) {
		case 0:
			g.vars = append(g.vars, "$e")
			decl = "$e := "
		case 1:
			g.vars = append(g.vars, "$i", "$e")
			decl = "$i, $e := "
		case 2:
			if len(g.vars) > 1 && g.Intn(2) == 0 {
				decl = g.vars[g.Intn(len(g.vars)-1)+1] + " = "
			}
		}
		pipe := g.pick(".l", ".m", ".is", ".ss", ".sm", "3", "(list 1 2 .s)", "", "")
		if pipe == "" {
			pipe = g.pipeline()
		}
		g.loops++
		text := g.left() + "range " + decl + pipe + g.right() + g.list(g.Intn(3)+1)
		if g.Intn(6) == 0 {
			text += g.left() + g.pick("break", "continue") + g.right() + g.list(g.Intn(2))
		}
		g.loops--
		if g.Intn(4) == 0 {
			text += g.left() + "else" + g.right() + g.list(g.Intn(2))
		}
		g.vars = g.vars[:mark]
		return text + g.left() + "end" + g.right()
	case 12:
		name := [][]string{{`"aux"`, `"other"`, "`aux`", `"inner"`}, {`"other"`, `"none"`}, {`"none"`}}[g.level]
		return g.left() + "template " + g.pick(name...) + g.pick("", " .", " "+g.operand()) + g.right()
	case 13:
		if g.depth > 1 {
			return ""
		}
		outer, level := g.vars, g.level
		defer func() { g.level = level }()
		g.vars, g.level = []string{"$"}, 2
		text := g.left() + "define " + g.pick(`"inner"`, `"aux"`) + g.right() + g.list(g.Intn(3)) + g.left() + "end" + g.right()
		g.vars = outer
		return text
	case 14:
		pipe := g.pipeline()
		outer, level := g.vars, g.level
		defer func() { g.level = level }()
		g.vars, g.level = []string{"$"}, 2
		text := g.left() + `block "inner" ` + pipe + g.right() + g.list(g.Intn(3)) + g.left() + "end" + g.right()
		g.vars = outer
		return text
	case 15, 16:
		name := g.pick("$x", "$y", "$e")
		text := g.left() + name + " := " + g.pipeline() + g.right()
		g.vars = append(g.vars, name)
		return text
	case 17:
		if len(g.vars) > 1 {
			return g.left() + g.vars[g.Intn(len(g.vars)-1)+1] + " = " + g.pipeline() + g.right()
		}
		return g.left() + "/* a comment */" + g.right()
	case 18:
		if g.loops > 0 {
			return g.left() + "if " + g.operand() + g.right() + g.left() + g.pick("break", "continue") + g.right() + g.left() + "end" + g.right()
		}
		return "{{/* note */}}"
	}
	return g.left() + g.pipeline() + g.right()
}

func (g *generator) control() string {
	if g.Intn(4) == 0 {
		name := g.pick("$x", "$c")
		text := name + " := " + g.pipeline()
		g.vars = append(g.vars, name)
		return text
	}
	return g.pipeline()
}

func (g *generator) pipeline() string {
	g.depth++
	defer func() { g.depth-- }()
	text := g.command()
	for g.Intn(4) == 0 {
		text += " | " + g.function(true)
	}
	return text
}

func (g *generator) command() string {
	if g.Intn(3) == 0 {
		return g.function(false)
	}
	return g.operand()
}

func (g *generator) chain() string {
	text := ""
	for n := g.Intn(3); n >= 0; n-- {
		text += "." + g.field()
	}
	return text
}

func (g *generator) operand() string {
	switch g.Intn(20) {
	case 0:
		return "."
	case 1, 2, 3, 4, 5, 6:
		return g.chain()
	case 7, 8:
		return g.vars[g.Intn(len(g.vars))] + g.pick("", "", g.chain())
	case 9, 10:
		if g.depth < 6 {
			return "(" + g.pipeline() + ")" + g.pick("", "", "", g.chain())
		}
		return "nil"
	case 11, 12:
		return g.pick("0", "1", "2", "-1", "42", "1.5", "1e3", "0x1F", "0o17", "0b11", "017", "1_000", "'a'", "'\\n'", "1i", "1e400", "9223372036854775807", "9223372036854775808", "1.0", "-0", "+5", ".5", "5.", "0x1p4", "08", "1e5", "100000000000000000000", "1+2i")
	case 13, 14, 15:
		return g.pick(`"str"`, `""`, `"a\tb"`, "`raw`", `"aux"`, `"%d"`, `"%v|%s"`, `"\u00e9\xff"`, `"k"`, `"a"`, `"{{.s}}"`)
	case 16:
		return g.pick("true", "false")
	case 17:
		return "nil"
	case 18:
		return g.pick("null", "list", "dict", "print")
	}
	return "." + g.field()
}

var arities = map[string][2]int{"and": {1, 3}, "or": {1, 3}, "not": {1, 1}, "eq": {1, 3}, "ne": {2, 2}, "lt": {2, 2}, "le": {2, 2}, "gt": {2, 2}, "ge": {2, 2},
	"index": {1, 3}, "slice": {1, 4}, "len": {1, 1}, "print": {0, 3}, "println": {0, 3}, "html": {0, 2}, "js": {0, 2}, "urlquery": {0, 2}, "add": {2, 2}, "join": {1, 3}, "f64": {1, 1},
	"i64": {1, 1}, "u8": {1, 1}, "yes": {1, 1}, "list": {0, 3}, "strs": {0, 2}, "ints": {0, 2}, "id": {1, 1}, "typeof": {1, 1}, "dict": {0, 4}, "keys": {1, 1}, "first": {1, 1}, "fail": {1, 1}, "null": {0, 0}}

var functionNames = []string{"and", "or", "not", "eq", "eq", "ne", "lt", "le", "gt", "ge", "index", "index", "slice", "len", "print", "println", "html", "js", "urlquery", "add", "join", "f64", "i64",
	"u8", "yes", "list", "strs", "ints", "id", "typeof", "dict", "keys", "first", "fail", "null"}

// function is a call, or what follows a pipe.
func (g *generator) function(piped bool) string {
	switch g.Intn(12) {
	case 0, 1:
		return "printf " + g.format() + g.arguments(g.Intn(4))
	case 2:
		return "call " + g.pick("(fn \"add\")", "(fn \"join\")", "(fn \"fail\")", "(fn \"\")", ".s") + g.arguments(g.Intn(3))
	case 3:
		return g.pick("include ", "include ", "tpl ") + g.pick(`"aux"`, `"other"`, `"{{.s}}"`, `"{{.a.b}}"`, g.operand()) + " " + g.operand()
	case 4:
		return "set " + g.pick(".m", "$", ".em", "(dict)", ".s") + " " + g.pick(`"z"`, `"a"`, ".s") + " " + g.operand()
	case 5:
		return g.pick(".th.Hello ", ".th.Sum ", ".th.Itself.Hello ", ".m.a ", ".nd.Size ", "$.th.Fail ", "(id .th).Sum ") + strings.TrimPrefix(g.arguments(g.Intn(2)), " ")
	}
	name := functionNames[g.Intn(len(functionNames))]
	arity := arities[name]
	n := arity[0] + g.Intn(arity[1]-arity[0]+1)
	if piped && n > 0 && g.Intn(8) > 0 {
		n--
	}
	if g.Intn(15) == 0 {
		n = g.Intn(4)
	}
	return name + g.arguments(n)
}

func (g *generator) arguments(n int) string {
	text := ""
	for ; n > 0; n-- {
		text += " " + g.operand()
	}
	return text
}

func (g *generator) format() string {
	if g.Intn(6) == 0 {
		return g.operand()
	}
	var b strings.Builder
	for n := g.Intn(3); n >= 0; n-- {
		b.WriteString(g.pick("", "a", " ", "%%"))
		b.WriteString("%")
		for g.Intn(3) == 0 {
			b.WriteString(g.pick("+", "-", "#", "0", " "))
		}
		if g.Intn(10) == 0 {
			b.WriteString(g.pick("[1]", "[2]", "[9]", "[x]", "[", "[0]"))
		}
		switch g.Intn(6) {
		case 0:
			fmt.Fprint(&b, g.Intn(12))
		case 1:
			b.WriteString("*")
		}
		switch g.Intn(6) {
		case 0:
			fmt.Fprint(&b, ".", g.Intn(6))
		case 1:
			b.WriteString(g.pick(".", ".*", ".[1]*"))
		}
		b.WriteString(g.pick("v", "v", "d", "s", "s", "q", "x", "X", "T", "t", "f", "e", "g", "G", "c", "U", "b", "o", "O", "E", "F", "w", "z", "é", "", "p"[:0]))
	}
	return "\"" + b.String() + "\""
}
