package main

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// shipped lists the objects that Argo CD tests its own scripts with. They are for looking, not for keeping.
func shipped(dir string) []question {
	var cases []question
	tests, _ := filepath.Glob(filepath.Join(dir, "*", "*", "health_test.yaml"))
	for _, test := range tests {
		var list struct {
			Tests []struct {
				InputPath string `json:"inputPath"`
			} `json:"tests"`
		}
		check(yaml.Unmarshal(must(os.ReadFile(test)), &list))
		for _, one := range list.Tests {
			path := filepath.Join(filepath.Dir(test), one.InputPath)
			object := &unstructured.Unstructured{}
			if yaml.Unmarshal(must(os.ReadFile(path)), &object.Object) != nil {
				continue
			}
			name, _ := filepath.Rel(dir, path)
			cases = append(cases, question{Name: name, Object: object})
		}
	}
	return cases
}

var (
	fieldPath = regexp.MustCompile(`obj((?:\.[A-Za-z_][A-Za-z0-9_]*)+)`)
	literal   = regexp.MustCompile(`"([^"\n\\]{1,40})"`)
	member    = regexp.MustCompile(`\.([A-Za-z_][A-Za-z0-9_]*)`)
)

// made makes objects at random of the fields and words that each script looks at: count of them for each kind.
func made(dir string, count int) []question {
	random := rand.New(rand.NewSource(7))
	var cases []question
	paths, _ := filepath.Glob(filepath.Join(dir, "*", "*", "health.lua"))
	sort.Strings(paths)
	for _, path := range paths {
		script := string(must(os.ReadFile(path)))
		kind := filepath.Base(filepath.Dir(path))
		group := filepath.Base(filepath.Dir(filepath.Dir(path)))
		group = strings.ReplaceAll(group, "_", "things")
		if kind == "_" {
			kind = "Thing"
		}
		maker := maker{random: random, words: unique(literal, script), fields: unique(member, script)}
		fields := unique(fieldPath, script)
		for idx := range count {
			object := map[string]any{"apiVersion": group + "/v1", "kind": kind}
			maker.set(object, []string{"metadata", "name"}, "a")
			if random.Intn(4) > 0 {
				maker.set(object, []string{"metadata", "generation"}, int64(1+random.Intn(2)))
			}
			maker.set(object, []string{"spec"}, map[string]any{})
			for _, field := range fields {
				steps := strings.Split(strings.TrimPrefix(field, "."), ".")
				if steps[0] == "metadata" || steps[0] == "kind" || steps[0] == "apiVersion" || random.Intn(4) == 0 {
					continue
				}
				maker.set(object, steps, maker.value(steps[len(steps)-1], 0))
			}
			if random.Intn(5) > 0 {
				maker.set(object, []string{"status", "conditions"}, maker.conditions())
			}
			if random.Intn(3) > 0 {
				maker.set(object, []string{"status", "observedGeneration"}, int64(1+random.Intn(2)))
			}
			name := fmt.Sprintf("%s/%s %d", group, kind, idx)
			cases = append(cases, question{Name: name, Object: &unstructured.Unstructured{Object: object}})
		}
	}
	return cases
}

type maker struct {
	random *rand.Rand
	words  []string
	fields []string
}

func (m maker) pick(words ...string) string { return words[m.random.Intn(len(words))] }

func (m maker) word() string {
	if len(m.words) == 0 || m.random.Intn(8) == 0 {
		return m.pick("Other", "x")
	}
	return m.pick(m.words...)
}

func (m maker) value(name string, depth int) any {
	lower := strings.ToLower(name)
	switch {
	case strings.Contains(lower, "generation"):
		return int64(1 + m.random.Intn(2))
	case strings.HasSuffix(lower, "replicas"), strings.HasSuffix(lower, "nodes"), strings.HasSuffix(lower, "scheduled"),
		strings.HasPrefix(lower, "number"), strings.HasSuffix(lower, "count"), strings.HasSuffix(lower, "id"), lower == "size",
		strings.HasSuffix(lower, "weight"), strings.HasPrefix(lower, "partition"), strings.HasPrefix(lower, "expected"),
		lower == "desired", lower == "succeeded", lower == "active", lower == "failed", lower == "currenthealthy":
		return int64(m.random.Intn(3))
	case lower == "paused", lower == "suspend", lower == "disabled", lower == "created", lower == "healthy", lower == "enabled",
		lower == "readytouse", lower == "pass", lower == "warning", lower == "cordoned", lower == "running", lower == "applied":
		return m.random.Intn(2) == 0
	case lower == "message", lower == "reason", lower == "error":
		return m.pick("why", "because", m.word())
	case strings.HasSuffix(lower, "s") && lower != "status" && depth < 2 && m.random.Intn(2) == 0:
		items := []any{}
		for range m.random.Intn(3) {
			item := map[string]any{}
			for range 3 {
				field := m.pick(append(m.fields, "state")...)
				item[field] = m.value(field, depth+1)
			}
			if m.random.Intn(2) == 0 {
				item["conditions"] = m.conditions()
			}
			items = append(items, item)
		}
		return items
	}
	return m.word()
}

func (m maker) conditions() []any {
	conditions := []any{}
	for range m.random.Intn(4) {
		condition := map[string]any{"type": m.word(), "status": m.pick("True", "False", "Unknown", "True", "False")}
		for _, field := range []string{"message", "reason"} {
			if m.random.Intn(8) > 0 {
				condition[field] = m.pick("why", m.word())
			}
		}
		if m.random.Intn(3) == 0 {
			condition["observedGeneration"] = int64(1 + m.random.Intn(2))
		}
		conditions = append(conditions, condition)
	}
	return conditions
}

// set sets a field whose way is free.
func (m maker) set(object map[string]any, steps []string, value any) {
	for _, step := range steps[:len(steps)-1] {
		next, ok := object[step]
		if !ok {
			next = map[string]any{}
			object[step] = next
		}
		below, ok := next.(map[string]any)
		if !ok {
			return
		}
		object = below
	}
	last := steps[len(steps)-1]
	if _, ok := object[last].(map[string]any); !ok {
		object[last] = value
	}
}

func unique(pattern *regexp.Regexp, text string) []string {
	seen := map[string]bool{}
	for _, match := range pattern.FindAllStringSubmatch(text, -1) {
		seen[match[1]] = true
	}
	words := make([]string, 0, len(seen))
	for word := range seen {
		words = append(words, word)
	}
	sort.Strings(words)
	return words
}

func printCases(cases []question) {
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	check(out.Encode(map[string]any{"oracle": versions()}))
	for _, asked := range cases {
		health, err := ask(asked.Object)
		if err != nil {
			continue // The script fails on it, so there is nothing to be equal to.
		}
		asked.Health = health
		check(out.Encode(asked))
	}
}
