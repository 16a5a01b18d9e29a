// Builds folders as Flux's kustomize-controller does, and writes down what comes out.
//
// A case is a folder: `spec.yaml` has the fields of a Flux Kustomization's spec, `root` the files of an artifact, and
// `path` in the spec the folder in it. The output goes to expected.yaml, an error to expected.error.
//
//go:generate go run . ../../crates/windlass-kustomize/tests/generated
package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/fluxcd/pkg/kustomize"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func main() {
	for _, cases := range os.Args[1:] {
		entries, err := os.ReadDir(cases)
		check(err)
		for _, entry := range entries {
			record(filepath.Join(cases, entry.Name()))
		}
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func record(folder string) {
	_ = os.Remove(filepath.Join(folder, "expected.yaml"))
	_ = os.Remove(filepath.Join(folder, "expected.error"))
	copied, err := os.MkdirTemp("", "oracle-flux-")
	check(err)
	defer os.RemoveAll(copied)
	copied, err = filepath.EvalSymlinks(copied)
	check(err)
	source := filepath.Join(folder, "root")
	check(filepath.WalkDir(source, func(path string, entry fs.DirEntry, err error) error {
		check(err)
		below, err := filepath.Rel(source, path)
		check(err)
		target := filepath.Join(copied, below)
		if entry.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		bytes, err := os.ReadFile(path)
		check(err)
		return os.WriteFile(target, bytes, 0o644)
	}))
	text, err := os.ReadFile(filepath.Join(folder, "spec.yaml"))
	check(err)
	spec := map[string]any{}
	check(yaml.Unmarshal(text, &spec))
	output, err := build(copied, spec)
	if err != nil {
		words := strings.ReplaceAll(err.Error(), copied, "/case")
		check(os.WriteFile(filepath.Join(folder, "expected.error"), []byte(words+"\n"), 0o644))
		return
	}
	check(os.WriteFile(filepath.Join(folder, "expected.yaml"), output, 0o644))
}

func build(root string, spec map[string]any) ([]byte, error) {
	path, _ := spec["path"].(string)
	folder := filepath.Join(root, path)
	generator := kustomize.NewGenerator(root, unstructured.Unstructured{Object: map[string]any{"spec": spec}})
	if _, err := generator.WriteFile(folder); err != nil {
		return nil, err
	}
	resources, err := kustomize.SecureBuild(root, folder, false)
	if err != nil {
		return nil, err
	}
	text, err := resources.AsYaml()
	if err != nil {
		return nil, fmt.Errorf("print: %w", err)
	}
	return text, nil
}
