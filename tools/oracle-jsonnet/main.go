// Program oracle-jsonnet answers what go-jsonnet makes of programs, a JSON object a line: for each line of stdin the
// same line with "json" or "error" added. Without input it answers the cases of cases.go.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path"
	"strings"

	jsonnet "github.com/google/go-jsonnet"
)

type variable struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	Code  bool   `json:"code,omitempty"`
}

type request struct {
	Root  string            `json:"root,omitempty"`
	File  string            `json:"file"`
	Files map[string]string `json:"files,omitempty"`
	Ext   []variable        `json:"ext,omitempty"`
	Tla   []variable        `json:"tla,omitempty"`
	Libs  []string          `json:"libs,omitempty"`
	JSON  json.RawMessage   `json:"json,omitempty"`
	Error string            `json:"error,omitempty"`
}

// importer reads from the request, or from the folder that it names.
type importer struct {
	request *request
	read    map[string]jsonnet.Contents
}

func (i *importer) Import(from, imported string) (jsonnet.Contents, string, error) {
	folders := []string{path.Dir(from)}
	for idx := len(i.request.Libs) - 1; idx >= 0; idx-- {
		folders = append(folders, i.request.Libs[idx])
	}
	if from == "" {
		folders = []string{""}
	}
	for _, folder := range folders {
		found := path.Join(folder, imported)
		if contents, known := i.read[found]; known {
			return contents, found, nil
		}
		text, known := i.request.Files[found]
		if i.request.Root != "" {
			bytes, err := os.ReadFile(path.Join(i.request.Root, found))
			text, known = string(bytes), err == nil
		}
		if known {
			i.read[found] = jsonnet.MakeContents(text)
			return i.read[found], found, nil
		}
	}
	return jsonnet.Contents{}, "", errors.New("not found: " + imported)
}

func answer(asked request) request {
	vm := jsonnet.MakeVM()
	vm.SetTraceOut(io.Discard)
	vm.Importer(&importer{&asked, map[string]jsonnet.Contents{}})
	for _, v := range asked.Ext {
		if v.Code {
			vm.ExtCode(v.Name, v.Value)
		} else {
			vm.ExtVar(v.Name, v.Value)
		}
	}
	for _, v := range asked.Tla {
		if v.Code {
			vm.TLACode(v.Name, v.Value)
		} else {
			vm.TLAVar(v.Name, v.Value)
		}
	}
	asked.JSON, asked.Error = nil, ""
	out, err := vm.EvaluateFile(asked.File)
	if err != nil {
		asked.Error = strings.SplitN(err.Error(), "\n", 2)[0]
		return asked
	}
	asked.JSON = json.RawMessage(strings.TrimSpace(out))
	return asked
}

func main() {
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	if len(os.Args) < 2 {
		for _, asked := range cases {
			if err := out.Encode(answer(asked)); err != nil {
				panic(err)
			}
		}
		return
	}
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 64<<20)
	for in.Scan() {
		var asked request
		if err := json.Unmarshal(in.Bytes(), &asked); err != nil {
			panic(err)
		}
		if err := out.Encode(answer(asked)); err != nil {
			panic(err)
		}
	}
}
