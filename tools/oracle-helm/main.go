// Records what Helm makes of the small charts in crates/windlass-helm/tests/charts.
//
// Each case is one text file of sections that begin with a line `-- NAME --`: `args` has the arguments of
// `helm template`, one a line; `post-renderer` says what a post-renderer does; the files of the chart and of values
// follow; `helm 4.3.1` and `helm 3.21.4` are what
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
	var args3, args4 []string
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
		case s.name == "post-renderer":
			postRenderer(dir, s.text)
			args4 = []string{"--post-renderer", "changer"}
			args3 = []string{"--post-renderer", filepath.Join(dir, "plugins/changer/change.sh")}
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
		all := append([]string{}, args...)
		if h.program == "helm" {
			all = append(all, args4...)
		} else {
			all = append(all, args3...)
		}
		cmd := exec.Command(filepath.Join(bin, h.program), all...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "HELM_PLUGINS="+filepath.Join(dir, "plugins"))
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

// postRenderer writes a program, for Helm 3, that is also a plugin, for Helm 4. Each line of the text is a step:
// `replace A B`, or `append TEXT`, which adds a line at the end.
func postRenderer(dir, text string) {
	plugin := filepath.Join(dir, "plugins/changer")
	check(os.MkdirAll(plugin, 0o755))
	script := "#!/bin/sh\ncat"
	for _, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		words := strings.SplitN(line, " ", 3)
		switch words[0] {
		case "replace":
			script += " | sed -e 's/" + words[1] + "/" + words[2] + "/g'"
		case "append":
			script += " | { cat; echo '" + strings.TrimPrefix(line, "append ") + "'; }"
		case "fail":
			script += "; exit 1"
		}
	}
	check(os.WriteFile(filepath.Join(plugin, "change.sh"), []byte(script+"\n"), 0o755))
	manifest := "apiVersion: v1\nname: changer\nversion: 1.0.0\ntype: postrenderer/v1\nruntime: subprocess\n" +
		"runtimeConfig:\n  platformCommand:\n  - command: \"${HELM_PLUGIN_DIR}/change.sh\"\n"
	check(os.WriteFile(filepath.Join(plugin, "plugin.yaml"), []byte(manifest), 0o644))
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
