// Command oracle-go asks Go's own libraries what windlass-go must answer.
//
//	oracle-go record DATA-DIR      answers DATA-DIR/cases.json into DATA-DIR/*.jsonl
//	oracle-go generate SEED COUNT  prints COUNT random questions of every kind with their answers
//
// Every line of output is one question and its answer: {"op", "in", "out"}; an answer is {"err"} where the
// library refuses. The first line of a recorded file names the versions.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"sort"
	"strconv"
	"time"

	"github.com/Masterminds/semver/v3"
	"github.com/bmatcuk/doublestar/v4"
	"github.com/gobwas/glob"
)

type question struct {
	Op  string   `json:"op"`
	In  []string `json:"in"`
	Out any      `json:"out"`
}

type refusal struct {
	Err string `json:"err"`
}

// cases lists what to ask; lists of two kinds are asked in all pairs.
type cases struct {
	Versions    []string `json:"versions"`
	Constraints struct {
		Texts    []string `json:"texts"`
		Versions []string `json:"versions"`
	} `json:"constraints"`
	Gobwas []struct {
		Separators string   `json:"separators"`
		Patterns   []string `json:"patterns"`
		Names      []string `json:"names"`
	} `json:"gobwas"`
	Paths []struct {
		Patterns []string `json:"patterns"`
		Names    []string `json:"names"`
	} `json:"paths"`
	Durations   []string `json:"durations"`
	Nanoseconds []string `json:"nanoseconds"`
	Re2         []struct {
		Patterns  []string `json:"patterns"`
		Texts     []string `json:"texts"`
		Templates []string `json:"templates"`
	} `json:"re2"`
}

func main() {
	switch {
	case len(os.Args) == 3 && os.Args[1] == "record":
		record(os.Args[2])
	case len(os.Args) == 4 && os.Args[1] == "generate":
		seed, count := must(strconv.Atoi(os.Args[2])), must(strconv.Atoi(os.Args[3]))
		out := bufio.NewWriter(os.Stdout)
		generate(uint64(seed), count, writer(out))
		check(out.Flush())
	default:
		fmt.Fprintln(os.Stderr, "usage: oracle-go record DATA-DIR | oracle-go generate SEED COUNT")
		os.Exit(2)
	}
}

func record(dir string) {
	var todo cases
	check(json.Unmarshal(must(os.ReadFile(filepath.Join(dir, "cases.json"))), &todo))

	file(dir, "semver", func(ask func(string, ...string)) {
		for _, version := range todo.Versions {
			ask("version", version)
			ask("strict", version)
		}
		for _, a := range todo.Constraints.Versions {
			for _, b := range todo.Constraints.Versions {
				ask("compare", a, b)
			}
		}
		for _, text := range todo.Constraints.Texts {
			ask("constraint", append([]string{text}, todo.Constraints.Versions...)...)
		}
	})
	file(dir, "glob", func(ask func(string, ...string)) {
		for _, group := range todo.Gobwas {
			for _, pattern := range group.Patterns {
				ask("gobwas", append([]string{pattern, group.Separators}, group.Names...)...)
			}
		}
		for _, group := range todo.Paths {
			for _, pattern := range group.Patterns {
				ask("path", append([]string{pattern}, group.Names...)...)
				ask("doublestar", append([]string{pattern}, group.Names...)...)
			}
		}
	})
	file(dir, "duration", func(ask func(string, ...string)) {
		for _, text := range todo.Durations {
			ask("duration", text)
		}
		for _, nanoseconds := range todo.Nanoseconds {
			ask("nanoseconds", nanoseconds)
		}
	})
	file(dir, "re2", func(ask func(string, ...string)) {
		for _, group := range todo.Re2 {
			for _, pattern := range group.Patterns {
				for idx, text := range group.Texts {
					ask("re2", pattern, text, group.Templates[idx%len(group.Templates)])
				}
			}
		}
	})
}

func file(dir, name string, fill func(ask func(string, ...string))) {
	out := must(os.Create(filepath.Join(dir, name+".jsonl")))
	defer out.Close()
	check(json.NewEncoder(out).Encode(map[string]any{"oracle": versions()}))
	fill(writer(out))
}

func versions() []string {
	info, _ := debug.ReadBuildInfo()
	known := []string{runtime.Version()}
	for _, module := range info.Deps {
		known = append(known, module.Path+" "+module.Version)
	}
	sort.Strings(known)
	return known
}

func writer(out io.Writer) func(op string, in ...string) {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	return func(op string, in ...string) {
		check(encoder.Encode(question{op, in, answer(op, in)}))
	}
}

func answer(op string, in []string) any {
	switch op {
	case "version", "strict":
		parse := semver.NewVersion
		if op == "strict" {
			parse = semver.StrictNewVersion
		}
		version, err := parse(in[0])
		if err != nil {
			return refusal{err.Error()}
		}
		return []string{version.String(), version.Original(), version.Prerelease(), version.Metadata()}
	case "compare":
		a, errA := semver.NewVersion(in[0])
		b, errB := semver.NewVersion(in[1])
		if errA != nil || errB != nil {
			return refusal{"not versions"}
		}
		return a.Compare(b)
	case "constraint":
		return answerConstraint(in[0], in[1:])
	case "gobwas":
		pattern, err := glob.Compile(in[0], []rune(in[1])...)
		if err != nil {
			return refusal{err.Error()}
		}
		return answerGobwas(pattern, in[2:])
	case "path":
		var failed error
		matched := each(in[1:], func(name string) bool {
			is, err := path.Match(in[0], name)
			failed = err
			return is
		})
		if failed != nil {
			return refusal{failed.Error()}
		}
		return matched
	case "doublestar":
		if !doublestar.ValidatePattern(in[0]) {
			return refusal{doublestar.ErrBadPattern.Error()}
		}
		return each(in[1:], func(name string) bool { return doublestar.MatchUnvalidated(in[0], name) })
	case "duration":
		duration, err := time.ParseDuration(in[0])
		if err != nil {
			return refusal{err.Error()}
		}
		return []string{strconv.FormatInt(int64(duration), 10), duration.String()}
	case "nanoseconds":
		return time.Duration(must(strconv.ParseInt(in[0], 10, 64))).String()
	case "re2":
		pattern, err := regexp.Compile(in[0])
		if err != nil {
			return refusal{err.Error()}
		}
		return map[string]any{
			"match":   pattern.MatchString(in[1]),
			"find":    pattern.FindStringSubmatchIndex(in[1]),
			"all":     pattern.FindAllStringIndex(in[1], -1),
			"replace": pattern.ReplaceAllString(in[1], in[2]),
			"names":   pattern.SubexpNames(),
		}
	}
	panic("unknown question " + op)
}

// answerGobwas survives the patterns on which gobwas/glob itself does not.
func answerGobwas(pattern glob.Glob, names []string) (out any) {
	defer func() {
		if recover() != nil {
			out = refusal{"panic"}
		}
	}()
	return each(names, pattern.Match)
}

func answerConstraint(text string, versions []string) any {
	constraint, err := semver.NewConstraint(text)
	if err != nil {
		return refusal{err.Error()}
	}
	matched := make([]bool, 0)
	reasons := make([][]string, 0)
	for _, text := range versions {
		version, err := semver.NewVersion(text)
		if err != nil {
			panic(text)
		}
		matched = append(matched, constraint.Check(version))
		said := make([]string, 0)
		_, errs := constraint.Validate(version)
		for _, err := range errs {
			said = append(said, err.Error())
		}
		reasons = append(reasons, said)
	}
	return map[string]any{"text": constraint.String(), "matches": matched, "reasons": reasons}
}

func each(names []string, match func(string) bool) []bool {
	matched := make([]bool, 0, len(names))
	for _, name := range names {
		matched = append(matched, match(name))
	}
	return matched
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "oracle-go:", err)
		os.Exit(1)
	}
}
