// Records what Kustomize's own modules hold and do, as data and expected values for windlass-kustomize.
//
//	go run . schema     facts of the built-in Kubernetes schema that merging needs
//	go run . config     the built-in tables of fields that transformers change
//	go run . serve      answers one JSON request a line; see serve.go
package main

//go:generate go run . schema config

import (
	"fmt"
	"os"
)

const data = "../../crates/windlass-kustomize/src/filters/data"

var commands = map[string]func(){
	"schema": writeSchema,
	"config": writeConfig,
	"serve":  serve,
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "which recording?")
		os.Exit(2)
	}
	for _, name := range os.Args[1:] {
		run, found := commands[name]
		if !found {
			fmt.Fprintf(os.Stderr, "no recording is called %q\n", name)
			os.Exit(2)
		}
		run()
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
