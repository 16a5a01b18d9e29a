// Oracle-yaml records what Kubernetes' YAML and JSON packages make of a text.
//
//	oracle-yaml record-yaml INPUTS  > RECORDED   one JSON string a line in, one record a line out
//	oracle-yaml record-json INPUTS  > RECORDED   the same; each character of an input is one byte
//	oracle-yaml record-split INPUTS > RECORDED   apimachinery's splitting and YAML-or-JSON decoding
//	oracle-yaml corpus DIR...       > RESULTS    one line for each .yaml and .yml file below the folders
//	oracle-yaml show FILE                        everything about one file, in full
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"strconv"
	"strings"

	goyaml "go.yaml.in/yaml/v3"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	k8sjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// result is a text or the error instead of it.
type result struct {
	Text  string `json:"text,omitempty"`
	Error string `json:"error,omitempty"`
}

func (r result) hashed() string {
	if r.Error != "" {
		return "error " + r.Error
	}
	h := fnv.New64a()
	h.Write([]byte(r.Text))
	return strconv.FormatUint(h.Sum64(), 16)
}

func of(text []byte, err error) result {
	if err != nil {
		return result{Error: err.Error()}
	}
	return result{Text: string(text)}
}

// canonical turns JSON into JSON with Kubernetes' numbers.
func canonical(data []byte) (any, []byte, error) {
	var v any
	if err := utiljson.Unmarshal(data, &v); err != nil {
		return nil, nil, err
	}
	out, err := json.Marshal(v)
	return v, out, err
}

func sigs(data []byte) (any, result) {
	j, err := yaml.YAMLToJSON(data)
	if err != nil {
		return nil, of(nil, err)
	}
	v, out, err := canonical(j)
	return v, of(out, err)
}

func strict(data []byte) result {
	_, err := yaml.YAMLToJSONStrict(data)
	return of(nil, err)
}

// jsonable names keys as sigs.k8s.io/yaml does.
func jsonable(v any) (any, error) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			c, err := jsonable(e)
			if err != nil {
				return nil, err
			}
			v[k] = c
		}
		return v, nil
	case map[any]any:
		m := map[string]any{}
		for k, e := range v {
			var name string
			switch k := k.(type) {
			case string:
				name = k
			case int:
				name = strconv.Itoa(k)
			case bool:
				name = strconv.FormatBool(k)
			case float64:
				name = strconv.FormatFloat(k, 'g', -1, 32)
				switch name {
				case "+Inf":
					name = ".inf"
				case "-Inf":
					name = "-.inf"
				case "NaN":
					name = ".nan"
				}
			default:
				return nil, fmt.Errorf("unsupported map key of type: %s, key: %+#v, value: %+#v", reflect.TypeOf(k), k, e)
			}
			c, err := jsonable(e)
			if err != nil {
				return nil, err
			}
			m[name] = c
		}
		return m, nil
	case []any:
		for i, e := range v {
			c, err := jsonable(e)
			if err != nil {
				return nil, err
			}
			v[i] = c
		}
	}
	return v, nil
}

// third decodes all documents with yaml.v3.
func third(data []byte) (results []result) {
	d := goyaml.NewDecoder(bytes.NewReader(data))
	for {
		var v any
		err := d.Decode(&v)
		if errors.Is(err, io.EOF) {
			return results
		}
		if err != nil {
			return append(results, of(nil, err))
		}
		v, err = jsonable(v)
		if err != nil {
			return append(results, of(nil, err))
		}
		j, err := json.Marshal(v)
		if err != nil {
			results = append(results, of(nil, err))
			continue
		}
		_, out, err := canonical(j)
		results = append(results, of(out, err))
	}
}

func marshal3(v any, indent int) (r result) {
	defer func() {
		if p := recover(); p != nil {
			r = result{Error: fmt.Sprint(p)}
		}
	}()
	var out bytes.Buffer
	e := goyaml.NewEncoder(&out)
	e.SetIndent(indent)
	if err := e.Encode(v); err != nil {
		return of(nil, err)
	}
	err := e.Close()
	return of(out.Bytes(), err)
}

// nodes reads every document as a node and writes it again.
func nodes(data []byte, indent int, compact bool) (r result) {
	defer func() {
		if p := recover(); p != nil {
			r = result{Error: fmt.Sprint(p)}
		}
	}()
	var out bytes.Buffer
	e := goyaml.NewEncoder(&out)
	e.SetIndent(indent)
	if compact {
		e.CompactSeqIndent()
	}
	d := goyaml.NewDecoder(bytes.NewReader(data))
	for first := true; ; first = false {
		var n goyaml.Node
		err := d.Decode(&n)
		if errors.Is(err, io.EOF) {
			if first {
				// The encoder cannot be closed before it was given anything.
				return result{}
			}
			break
		}
		if err != nil {
			return of(nil, err)
		}
		if err := e.Encode(&n); err != nil {
			return of(nil, err)
		}
	}
	err := e.Close()
	return of(out.Bytes(), err)
}

type record struct {
	In      string   `json:"in"`
	Sigs    result   `json:"sigs"`
	Strict  string   `json:"strict,omitempty"`
	V3      []result `json:"v3"`
	Yaml    string   `json:"yaml,omitempty"`
	V3Two   string   `json:"v3two,omitempty"`
	V3Four  string   `json:"v3four,omitempty"`
	Node    result   `json:"node"`
	Compact result   `json:"compact"`
}

func about(data []byte) record {
	r := record{In: string(data)}
	var v any
	v, r.Sigs = sigs(data)
	r.Strict = strict(data).Error
	r.V3 = third(data)
	if r.Sigs.Error == "" {
		y, err := yaml.Marshal(v)
		r.Yaml = of(y, err).Text
		r.V3Two = marshal3(v, 2).Text
		r.V3Four = marshal3(v, 4).Text
	}
	r.Node = nodes(data, 2, false)
	r.Compact = nodes(data, 2, true)
	return r
}

type jsonRecord struct {
	In     string `json:"in"`
	Value  result `json:"value"`
	Strict string `json:"strict,omitempty"`
	Plain  string `json:"plain,omitempty"`
	Raw    string `json:"raw,omitempty"`
	Two    string `json:"two,omitempty"`
}

func aboutJSON(in string) jsonRecord {
	var data []byte
	for _, r := range in {
		data = append(data, byte(r))
	}
	r := jsonRecord{In: in}
	var v any
	err := k8sjson.UnmarshalCaseSensitivePreserveInts(data, &v)
	if err != nil {
		r.Value = of(nil, err)
		return r
	}
	var again any
	problems, err := k8sjson.UnmarshalStrict(data, &again)
	if err == nil && len(problems) > 0 {
		r.Strict = problems[0].Error()
	}
	out, err := json.Marshal(v)
	r.Value = of(out, err)
	var raw bytes.Buffer
	e := json.NewEncoder(&raw)
	e.SetEscapeHTML(false)
	if e.Encode(v) == nil {
		r.Raw = strings.TrimSuffix(raw.String(), "\n")
	}
	two, _ := json.MarshalIndent(v, "", "  ")
	r.Two = string(two)
	return r
}

type splitRecord struct {
	In    string   `json:"in"`
	Parts []result `json:"parts"`
	Items []result `json:"items"`
}

func aboutSplit(in string) splitRecord {
	r := splitRecord{In: in}
	reader := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(in)))
	for {
		part, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		r.Parts = append(r.Parts, of(part, err))
		if err != nil {
			break
		}
	}
	d := utilyaml.NewYAMLOrJSONDecoder(strings.NewReader(in), 4096)
	for {
		var v any
		err := d.Decode(&v)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			r.Items = append(r.Items, of(nil, err))
			break
		}
		out, err := json.Marshal(v)
		r.Items = append(r.Items, of(out, err))
	}
	return r
}

func inputs(path string) (texts []string) {
	data, err := os.ReadFile(path)
	if err != nil {
		fatal(err)
	}
	for i, line := range strings.Split(string(data), "\n") {
		if line == "" || strings.HasPrefix(line, "//") {
			continue
		}
		var text string
		if err := json.Unmarshal([]byte(line), &text); err != nil {
			fatal(fmt.Errorf("%s:%d: %w", path, i+1, err))
		}
		texts = append(texts, text)
	}
	return texts
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, "oracle-yaml:", err)
	os.Exit(1)
}

func printer() (func(any), func()) {
	w := bufio.NewWriter(os.Stdout)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return func(v any) {
		if err := e.Encode(v); err != nil {
			fatal(err)
		}
	}, func() { w.Flush() }
}

// file is one line of the corpus results: hashes, or the errors themselves.
type file struct {
	Path  string      `json:"path"`
	Parts [][2]string `json:"parts"`
	V3    []string    `json:"v3"`
	V3Two []string    `json:"v3two"`
	Node  string      `json:"node"`
}

func aboutFile(path string, data []byte) file {
	f := file{Path: path}
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(data)))
	for {
		part, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			f.Parts = append(f.Parts, [2]string{"error " + err.Error(), ""})
			break
		}
		v, r := sigs(part)
		emitted := ""
		if r.Error == "" {
			y, err := yaml.Marshal(v)
			emitted = of(y, err).hashed()
			f.V3Two = append(f.V3Two, marshal3(v, 2).hashed())
		}
		f.Parts = append(f.Parts, [2]string{r.hashed(), emitted})
	}
	for _, r := range third(data) {
		f.V3 = append(f.V3, r.hashed())
	}
	f.Node = nodes(data, 2, true).hashed()
	return f
}

func show(path string, data []byte) {
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(data)))
	for i := 0; ; i++ {
		part, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			fmt.Printf("== part %d error %v\n", i, err)
			break
		}
		v, r := sigs(part)
		fmt.Printf("== part %d %s%s\n", i, r.Text, r.Error)
		if r.Error == "" {
			y, _ := yaml.Marshal(v)
			fmt.Printf("== part %d yaml\n%s", i, y)
			fmt.Printf("== part %d v3 yaml\n%s", i, marshal3(v, 2).Text)
		}
	}
	for i, r := range third(data) {
		fmt.Printf("== v3 document %d %s%s\n", i, r.Text, r.Error)
	}
	n := nodes(data, 2, true)
	fmt.Printf("== nodes %s\n%s", n.Error, n.Text)
}

func main() {
	if len(os.Args) < 3 {
		fatal(errors.New("usage: oracle-yaml record-yaml|record-json|record-split|corpus|show PATH..."))
	}
	emit, flush := printer()
	defer flush()
	switch os.Args[1] {
	case "record-yaml":
		for _, text := range inputs(os.Args[2]) {
			emit(about([]byte(text)))
		}
	case "record-json":
		for _, text := range inputs(os.Args[2]) {
			emit(aboutJSON(text))
		}
	case "record-split":
		for _, text := range inputs(os.Args[2]) {
			emit(aboutSplit(text))
		}
	case "corpus":
		var paths []string
		for _, root := range os.Args[2:] {
			err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
				ext := filepath.Ext(path)
				if err == nil && entry.Type().IsRegular() && (ext == ".yaml" || ext == ".yml") {
					paths = append(paths, path)
				}
				return err
			})
			if err != nil {
				fatal(err)
			}
		}
		sort.Strings(paths)
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				fatal(err)
			}
			emit(aboutFile(path, data))
		}
	case "show":
		data, err := os.ReadFile(os.Args[2])
		if err != nil {
			fatal(err)
		}
		show(os.Args[2], data)
	default:
		fatal(fmt.Errorf("unknown command %s", os.Args[1]))
	}
}
