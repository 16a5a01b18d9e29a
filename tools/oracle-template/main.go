// Oracle-template asks Go's text/template what it prints and what it complains of.
//
//	oracle-template record < CASES          one template a line (see cases.txt), one record a line out
//	oracle-template generate SEED COUNT     so many random templates with random data, one record a line out
//	oracle-template scalars SEED COUNT      random scalars under random verbs, for windlass-go
//	oracle-template measure                 how long Go takes for the template of examples/measure.rs
//	oracle-template fixture                 the data of the cases
//
// A record has the templates ("t", pairs of name and text; the first is executed), the data ("d", see data.go; the
// fixture if there is none), the
// answer to missing keys ("m"), delimiters ("l", "r"), and what was printed ("out", or "b64" if that is no UTF-8)
// with the error ("err") if there was one.
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"regexp"
	"strconv"
	"strings"
	"text/template"
	"unicode/utf8"
)

//go:generate sh -c "go run . fixture > ../../crates/gotemplate/tests/data/fixture.json"
//go:generate sh -c "go run . record < cases.txt > ../../crates/gotemplate/tests/data/cases.jsonl"
//go:generate sh -c "go run . generate 7 2000 > ../../crates/gotemplate/tests/data/generated.jsonl"

//go:generate sh -c "go run . scalars 7 4000 > ../../crates/windlass-go/tests/data/scalars.jsonl"

type record struct {
	Templates [][2]string     `json:"t"`
	Data      json.RawMessage `json:"d,omitempty"`
	Missing   string          `json:"m,omitempty"`
	Left      string          `json:"l,omitempty"`
	Right     string          `json:"r,omitempty"`
	Out       string          `json:"out"`
	Bytes     string          `json:"b64,omitempty"`
	Err       string          `json:"err,omitempty"`
}

// limitedWriter keeps a template that prints without end from using up the memory.
type limitedWriter struct{ strings.Builder }

func (w *limitedWriter) Write(p []byte) (int, error) {
	if w.Len() > 1<<20 {
		return 0, fmt.Errorf("too much output")
	}
	return w.Builder.Write(p)
}

func (r *record) run() (ok bool) {
	raw := r.Data
	if raw == nil {
		raw = json.RawMessage(fixture)
	}
	data := decode(raw)
	root := template.New("root")
	if r.Missing != "" {
		root.Option("missingkey=" + r.Missing)
	}
	root.Delims(r.Left, r.Right)
	root.Funcs(functions(root))
	out := &limitedWriter{}
	err := func() (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("PANIC %v", p)
			}
		}()
		for _, pair := range r.Templates {
			if _, err := root.New(pair[0]).Parse(pair[1]); err != nil {
				return err
			}
		}
		return root.ExecuteTemplate(out, r.Templates[0][0], data)
	}()
	r.Out = addresses.ReplaceAllString(out.String(), "0xc000000000")
	if !utf8.ValidString(r.Out) {
		r.Bytes = base64.StdEncoding.EncodeToString([]byte(r.Out))
		r.Out = ""
	}
	if err != nil {
		r.Err = addresses.ReplaceAllString(err.Error(), "0xc000000000")
		if !utf8.ValidString(r.Err) || strings.HasPrefix(r.Err, "PANIC") || strings.Contains(r.Err, "too much output") ||
			strings.Contains(r.Err, "too deeply") || strings.Contains(r.Err, "exceeded maximum") {
			return false
		}
	}
	plain := strings.ReplaceAll(addresses.ReplaceAllString(out.String(), "")+" "+r.Err, "0xc000000000", "")
	return out.Len() < 3000 && !numbers.MatchString(plain)
}

// Addresses are different each time; in other bases they cannot be told from other numbers.
var (
	addresses = regexp.MustCompile(`0x[0-9a-f]{11,12}\b`)
	numbers   = regexp.MustCompile(`[0-9a-f]{11,12}\b|[0-9A-F]{11,12}\b|[0-9]{14}|[01]{40}`)
)

func main() {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: oracle-template record|generate SEED COUNT")
		os.Exit(2)
	}
	switch os.Args[1] {
	case "fixture":
		fmt.Fprintln(out, fixture)
	case "scalars":
		count, _ := strconv.Atoi(os.Args[3])
		seed, _ := strconv.ParseInt(os.Args[2], 10, 64)
		scalars(encoder, rand.New(rand.NewSource(seed)), count)
	case "measure":
		measure(out)
	case "record":
		lines := bufio.NewScanner(os.Stdin)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			if r := parseCase(lines.Text()); r != nil {
				r.run()
				encoder.Encode(r)
			}
		}
	case "generate":
		seed, _ := strconv.ParseInt(os.Args[2], 10, 64)
		count, _ := strconv.Atoi(os.Args[3])
		g := &generator{Rand: rand.New(rand.NewSource(seed))}
		for n := 0; n < count; {
			r := g.record()
			if r.run() {
				encoder.Encode(r)
				n++
			}
		}
	}
}

// parseCase reads a line of cases.txt: a template in which ⏎ stands for a line break and § for the start of another
// template, `NAME§TEXT`. A line may start with options: @zero, @error, @delims LEFT RIGHT.
func parseCase(line string) *record {
	if line == "" || strings.HasPrefix(line, "# ") {
		return nil
	}
	r := &record{}
	for strings.HasPrefix(line, "@") {
		word, rest, _ := strings.Cut(line, " ")
		line = rest
		switch word {
		case "@zero", "@error":
			r.Missing = word[1:]
		case "@delims":
			r.Left, rest, _ = strings.Cut(line, " ")
			r.Right, line, _ = strings.Cut(rest, " ")
		}
	}
	parts := strings.Split(strings.ReplaceAll(line, "⏎", "\n"), "§")
	r.Templates = append(r.Templates, [2]string{"x", parts[0]})
	for n := 1; n+1 < len(parts); n += 2 {
		r.Templates = append(r.Templates, [2]string{parts[n], parts[n+1]})
	}
	return r
}
