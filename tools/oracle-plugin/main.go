// Answers questions about config management plugins with Argo CD's own code: reads lines of JSON, writes lines of JSON.
// README.md says how it is built and what its answers are for.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/argoproj/argo-cd/v3/cmpserver/plugin"
	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/reposerver/repository"

	"github.com/argoproj/argo-cd/gitops-engine/v3/pkg/utils/kube"
)

type question struct {
	Ask        string                            `json:"ask"`
	Plugin     *v1alpha1.ApplicationSourcePlugin `json:"plugin,omitempty"`
	Build      []string                          `json:"build,omitempty"`
	Files      map[string]string                 `json:"files,omitempty"`
	Folder     string                            `json:"folder,omitempty"`
	Definition string                            `json:"definition,omitempty"`
	Env        []string                          `json:"env,omitempty"`
	Output     string                            `json:"output,omitempty"`
}

// write puts the files of a question into a folder of its own.
func write(files map[string]string) (string, error) {
	root, err := os.MkdirTemp("", "oracle-plugin-")
	if err != nil {
		return "", err
	}
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return root, err
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			return root, err
		}
	}
	return root, nil
}

func config(text string) (*plugin.PluginConfig, error) {
	root, err := write(map[string]string{"plugin.yaml": text})
	defer func() { _ = os.RemoveAll(root) }()
	if err != nil {
		return nil, err
	}
	return plugin.ReadPluginConfig(root)
}

func answer(q question) (any, error) {
	switch q.Ask {
	case "environment":
		env, err := repository.OracleParamEnvs(q.Build, q.Plugin)
		if err != nil {
			return nil, err
		}
		// Maps are walked in any order.
		own := env[len(q.Build):]
		sort.Strings(own)
		return own, nil
	case "config":
		read, err := config(q.Definition)
		if err != nil {
			return nil, err
		}
		address := filepath.Base(read.Address())
		return strings.TrimSuffix(address, ".sock"), nil
	case "discover":
		read, err := config(q.Definition)
		if err != nil {
			return nil, err
		}
		root, err := write(q.Files)
		defer func() { _ = os.RemoveAll(root) }()
		if err != nil {
			return nil, err
		}
		supported, enabled, err := plugin.OracleMatch(*read, root, q.Env, q.Folder)
		if err != nil {
			return nil, fmt.Errorf("%s", strings.ReplaceAll(err.Error(), root, "ROOT"))
		}
		return map[string]bool{"supported": supported, "enabled": enabled}, nil
	case "announce":
		read, err := config(q.Definition)
		if err != nil {
			return nil, err
		}
		return plugin.OracleAnnounce(*read, os.TempDir(), q.Env)
	case "generate":
		read, err := config(q.Definition)
		if err != nil {
			return nil, err
		}
		root, err := write(q.Files)
		defer func() { _ = os.RemoveAll(root) }()
		if err != nil {
			return nil, err
		}
		texts, err := plugin.OracleGenerate(*read, filepath.Join(root, q.Folder), q.Env)
		if err != nil {
			return nil, fmt.Errorf("%s", strings.ReplaceAll(err.Error(), root, "ROOT"))
		}
		objects := []any{}
		for _, text := range texts {
			split, err := kube.SplitYAML([]byte(text))
			if err != nil {
				return nil, err
			}
			for _, object := range split {
				objects = append(objects, object.Object)
			}
		}
		return objects, nil
	}
	return nil, fmt.Errorf("nobody asks %q", q.Ask)
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var asked map[string]any
		var q question
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			panic(err)
		}
		if err := json.Unmarshal(lines.Bytes(), &q); err != nil {
			panic(err)
		}
		found, err := answer(q)
		if err != nil {
			asked["error"] = err.Error()
		} else {
			asked["answer"] = found
		}
		if err := out.Encode(asked); err != nil {
			panic(err)
		}
	}
}
