package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"text/template"
)

// decode makes Go values of JSON: objects with one key that starts with $ name a type, numbers are float64.
func decode(raw json.RawMessage) any {
	if raw == nil {
		return nil
	}
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		panic(err)
	}
	return typed(value)
}

func typed(value any) any {
	switch value := value.(type) {
	case []any:
		for at := range value {
			value[at] = typed(value[at])
		}
		return value
	case map[string]any:
		if len(value) == 1 {
			for kind, of := range value {
				if strings.HasPrefix(kind, "$") {
					return special(kind[1:], of)
				}
			}
		}
		for key := range value {
			value[key] = typed(value[key])
		}
		return value
	}
	return value
}

func special(kind string, of any) any {
	switch kind {
	case "int":
		return int(of.(float64))
	case "int8":
		return int8(of.(float64))
	case "int32":
		return int32(of.(float64))
	case "int64":
		return int64(of.(float64))
	case "uint":
		return uint(of.(float64))
	case "uint8":
		return uint8(of.(float64))
	case "uint64":
		return uint64(of.(float64))
	case "float32":
		return float32(of.(float64))
	case "complex":
		return complex(of.(float64), 1)
	case "bytes":
		bytes, _ := base64.StdEncoding.DecodeString(of.(string))
		return bytes
	case "binary":
		bytes, _ := base64.StdEncoding.DecodeString(of.(string))
		return string(bytes)
	case "strings":
		list := []string{}
		for _, item := range of.([]any) {
			list = append(list, item.(string))
		}
		return list
	case "ints":
		list := []int{}
		for _, item := range of.([]any) {
			list = append(list, int(item.(float64)))
		}
		return list
	case "smap":
		made := map[string]string{}
		for key, item := range of.(map[string]any) {
			made[key] = item.(string)
		}
		return made
	case "nil":
		switch of.(string) {
		case "slice":
			return []any(nil)
		case "strings":
			return []string(nil)
		case "map":
			return map[string]any(nil)
		case "thing":
			return (*Thing)(nil)
		}
	case "error":
		return errors.New(of.(string))
	case "level":
		return Level(of.(float64))
	case "thing":
		return &Thing{Name: of.(string), Count: len(of.(string)), Tags: []string{"t1", of.(string)}}
	case "flat":
		return Flat{Name: of.(string), Any: nil}
	case "named":
		made := Named{}
		for key, item := range of.(map[string]any) {
			made[key] = typed(item)
		}
		return made
	}
	panic("no such kind: " + kind)
}

// Thing is an object with fields and methods, behind a pointer.
type Thing struct {
	Name  string
	Count int
	Tags  []string
}

func (t *Thing) Hello(to string) string { return "hello " + to + " from " + t.Name }
func (t *Thing) Fail() (string, error)  { return "", errors.New("thing fails") }
func (t *Thing) Sum(numbers ...int) int {
	n := 0
	for _, i := range numbers {
		n += i
	}
	return n
}
func (t *Thing) Itself() *Thing { return t }

// Flat is an object without methods.
type Flat struct {
	Name string
	Any  any
}

// Level is a named number with a text.
type Level int

func (l Level) String() string { return fmt.Sprintf("level-%d", int(l)) }

// Named is a named map with a method.
type Named map[string]any

func (n Named) Size() int { return len(n) }

// functions are what the templates can call beyond the language's own.
func functions(root *template.Template) template.FuncMap {
	depth := 0
	return template.FuncMap{
		"add":    func(a, b int) int { return a + b },
		"join":   func(separator string, parts ...string) string { return strings.Join(parts, separator) },
		"fail":   func(message string) (string, error) { return "", errors.New(message) },
		"null":   func() any { return nil },
		"f64":    func(f float64) float64 { return f },
		"i64":    func(i int64) int64 { return i },
		"u8":     func(u uint8) uint8 { return u },
		"yes":    func(b bool) bool { return b },
		"list":   func(items ...any) []any { return items },
		"strs":   func(items ...string) []string { return items },
		"ints":   func(items ...int) []int { return items },
		"id":     func(value any) any { return value },
		"typeof": func(value any) string { return fmt.Sprintf("%T", value) },
		"dict": func(items ...any) map[string]any {
			made := map[string]any{}
			for n := 0; n+1 < len(items); n += 2 {
				made[fmt.Sprint(items[n])] = items[n+1]
			}
			return made
		},
		"set": func(m map[string]any, key string, value any) map[string]any {
			switch reflect.ValueOf(value).Kind() {
			case reflect.Map, reflect.Slice:
				value = "a container, which could contain this map"
			}
			m[key] = value
			return m
		},
		"keys": func(m map[string]any) int { return len(m) },
		"first": func(items []any) (any, error) {
			if len(items) == 0 {
				return nil, errors.New("empty")
			}
			return items[0], nil
		},
		"fn": func(name string) any {
			switch name {
			case "add":
				return func(a, b int) int { return a + b }
			case "join":
				return func(separator string, parts ...string) string { return strings.Join(parts, separator) }
			case "fail":
				return func() (string, error) { return "", errors.New("called") }
			}
			return nil
		},
		"include": func(name string, data any) (string, error) {
			depth++
			defer func() { depth-- }()
			if depth > 3 {
				return "", errors.New("nested too deeply")
			}
			out := &limitedWriter{}
			err := root.ExecuteTemplate(out, name, data)
			return out.String(), err
		},
		"tpl": func(text string, data any) (string, error) {
			depth++
			defer func() { depth-- }()
			if depth > 3 {
				return "", errors.New("nested too deeply")
			}
			clone, err := root.Clone()
			if err != nil {
				return "", err
			}
			parsed, err := clone.New("tpl").Parse(text)
			if err != nil {
				return "", fmt.Errorf("cannot parse template %q: %w", text, err)
			}
			out := &limitedWriter{}
			if err := parsed.Execute(out, data); err != nil {
				return "", fmt.Errorf("error during tpl function execution for %q: %w", text, err)
			}
			return out.String(), nil
		},
	}
}
