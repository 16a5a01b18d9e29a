// Records what Helm makes of the small charts in crates/windlass-helm/tests/charts.
//
// Each case is one text file of sections that begin with a line `-- NAME --`: `args` has the arguments of
// `helm template`, one a line; the files of the chart and of values follow; `helm 4.3.1` and `helm 3.21.4` are what
// the programs in target/tools/bin printed. Only these last two are written here. A third argument is a part of the
// names of the cases to record.
package main

//go:generate go run . ../../crates/windlass-helm/tests/charts ../../target/tools/bin

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

type section struct{ name, text string }

func main() {
	cases, err := filepath.Glob(filepath.Join(os.Args[1], "*.txt"))
	check(err)
	bin, err := filepath.Abs(os.Args[2])
	check(err)
	for _, path := range cases {
		if len(os.Args) > 3 && !strings.Contains(path, os.Args[3]) {
			continue
		}
		record(path, bin)
	}
}

func record(path, bin string) {
	raw, err := os.ReadFile(path)
	check(err)
	sections := parse(string(raw))
	dir, err := os.MkdirTemp("", "oracle-helm")
	check(err)
	defer os.RemoveAll(dir)
	args := []string{"template"}
	var out []section
	kube := true
	for _, s := range sections {
		switch {
		case s.name == "args":
			for _, line := range strings.Split(strings.TrimSuffix(s.text, "\n"), "\n") {
				if line != "" {
					args = append(args, line)
				}
				kube = kube && line != "--kube-version"
			}
		case strings.HasPrefix(s.name, "helm "):
			continue
		case s.name != "":
			file := filepath.Join(dir, s.name)
			check(os.MkdirAll(filepath.Dir(file), 0o755))
			check(os.WriteFile(file, []byte(s.text), 0o644))
		}
		out = append(out, s)
	}
	if kube {
		args = append(args, "--kube-version", "v1.34.0")
	}
	for _, h := range []struct{ name, program string }{{"helm 4.3.1", "helm"}, {"helm 3.21.4", "helm3"}} {
		cmd := exec.Command(filepath.Join(bin, h.program), args...)
		cmd.Dir = dir
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		text := ""
		if err := cmd.Run(); err != nil {
			all := stderr.String()
			if at := strings.Index(all, "Error: "); at >= 0 {
				all = all[at:]
			}
			text = strings.ReplaceAll(strings.TrimRight(all, "\n"), dir, "DIR") + "\n"
		} else {
			text = stdout.String()
		}
		out = append(out, section{h.name, text})
	}
	var b strings.Builder
	for _, s := range out {
		if s.name == "" {
			b.WriteString(s.text)
			continue
		}
		fmt.Fprintf(&b, "-- %s --\n%s", s.name, s.text)
		if !strings.HasSuffix(s.text, "\n") && s.text != "" {
			b.WriteString("\n")
		}
	}
	check(os.WriteFile(path, []byte(b.String()), 0o644))
}

func parse(text string) []section {
	sections := []section{{}}
	for _, line := range strings.SplitAfter(text, "\n") {
		trimmed := strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(trimmed, "-- ") && strings.HasSuffix(trimmed, " --") && len(trimmed) > 6 {
			sections = append(sections, section{name: trimmed[3 : len(trimmed)-3]})
			continue
		}
		sections[len(sections)-1].text += line
	}
	return sections
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
