package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/template"
	"time"
)

// measure executes the template that gotemplate's example measures, with the same data.
func measure(out io.Writer) {
	text, err := os.ReadFile("../../crates/gotemplate/examples/measure.tpl")
	if err != nil {
		panic(err)
	}
	var data any
	raw, err := os.ReadFile("../../crates/gotemplate/examples/measure.json")
	if err != nil {
		panic(err)
	}
	if err := json.Unmarshal(raw, &data); err != nil {
		panic(err)
	}
	root := template.New("root")
	root.Funcs(functions(root))
	start := time.Now()
	const parses = 200
	for range parses {
		template.Must(template.Must(root.Clone()).New("x").Parse(string(text)))
	}
	parse := time.Since(start) / parses
	template.Must(root.New("x").Parse(string(text)))
	var printed strings.Builder
	if err := root.ExecuteTemplate(&printed, "x", data); err != nil {
		panic(err)
	}
	start = time.Now()
	const rounds = 500
	for range rounds {
		var printed strings.Builder
		root.ExecuteTemplate(&printed, "x", data)
	}
	fmt.Fprintf(out, "parse %v, execute %v, %d bytes\n", parse, time.Since(start)/rounds, printed.Len())
}
