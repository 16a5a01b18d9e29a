package main

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/resid"
	"sigs.k8s.io/yaml"
)

type backReferences struct {
	resid.Gvk `json:",inline"`
	Referrers types.FsSlice `json:"fieldSpecs,omitempty"`
}

type byGvk []backReferences

func (s byGvk) Len() int           { return len(s) }
func (s byGvk) Swap(i, j int)      { s[i], s[j] = s[j], s[i] }
func (s byGvk) Less(i, j int) bool { return s[i].Gvk.IsLessThan(s[j].Gvk) }

// writeConfig takes the tables from the module's source: the package that holds them is internal.
func writeConfig() {
	out := must(exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kustomize/api").Output())
	folder := filepath.Join(strings.TrimSpace(string(out)), "internal/konfig/builtinpluginconsts")
	expressions := map[string]ast.Expr{}
	packages := must(parser.ParseDir(token.NewFileSet(), folder, nil, 0))
	for _, file := range packages["builtinpluginconsts"].Files {
		ast.Inspect(file, func(n ast.Node) bool {
			if value, ok := n.(*ast.ValueSpec); ok && len(value.Values) == 1 {
				expressions[value.Names[0].Name] = value.Values[0]
			}
			return true
		})
	}
	var evaluate func(ast.Expr) string
	evaluate = func(expression ast.Expr) string {
		switch e := expression.(type) {
		case *ast.BasicLit:
			return must(strconv.Unquote(e.Value))
		case *ast.Ident:
			return evaluate(expressions[e.Name])
		case *ast.BinaryExpr:
			return evaluate(e.X) + evaluate(e.Y)
		}
		panic(fmt.Sprintf("%T", expression))
	}
	texts := map[string]string{}
	for name, expression := range expressions {
		if strings.HasSuffix(name, "FieldSpecs") {
			texts[name] = evaluate(expression)
		}
	}
	var lines []string
	names := make([]string, 0, len(texts))
	for name := range texts {
		names = append(names, name)
	}
	sort.Strings(names)
	field := func(spec types.FieldSpec) string {
		or := func(text string) string {
			if text == "" {
				return "-"
			}
			return text
		}
		return fmt.Sprintf("%s %s %s %t %s", or(spec.Group), or(spec.Version), or(spec.Kind), spec.CreateIfNotPresent, spec.Path)
	}
	for _, name := range names {
		var sections map[string]json.RawMessage
		if yaml.Unmarshal([]byte(texts[name]), &sections) != nil {
			continue // A part that others are put together from.
		}
		for section, raw := range sections {
			if section == "nameReference" {
				var references byGvk
				check(json.Unmarshal(raw, &references))
				sort.Sort(references)
				for _, reference := range references {
					lines = append(lines, fmt.Sprintf("[nameReference %s]",
						strings.TrimSuffix(field(types.FieldSpec{Gvk: reference.Gvk}), " false ")))
					for _, spec := range reference.Referrers {
						lines = append(lines, field(spec))
					}
				}
				continue
			}
			var specs types.FsSlice
			check(json.Unmarshal(raw, &specs))
			sort.Sort(specs)
			lines = append(lines, "["+section+"]")
			for _, spec := range specs {
				lines = append(lines, field(spec))
			}
		}
	}
	text := "# sigs.k8s.io/kustomize/api v0.21.1; written by tools/oracle-kustomize: group version kind create path\n" +
		strings.Join(lines, "\n") + "\n"
	check(os.MkdirAll(data, 0o777))
	check(os.WriteFile(filepath.Join(data, "config.txt"), []byte(text), 0o666))
}
