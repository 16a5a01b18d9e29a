// Prints which repository addresses Argo CD matches with the web address of a push.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
)

// The declarations of util/webhook/webhook.go that decide.
var wanted = map[string]bool{"usernameRegex": true, "GetWebURLRegex": true, "getURLRegex": true}

var webURLs = []string{
	"https://github.com/team/app",
	"https://github.com/Team/App",
	"https://git.example.org:8443/team/app",
	"https://git.example.org/a/b/c",
	"https://git.example.org/team/my%20app",
	"https://git.example.org/team/my.app",
	"https://dev.azure.com/org/project/_git/app",
	"http://10.1.2.3/team/app",
}

var repoURLs = []string{
	"https://github.com/team/app", "https://github.com/team/app.git", "http://github.com/team/app",
	"https://GITHUB.com/TEAM/app", "https://bob@github.com/team/app", "https://github.com:443/team/app.git",
	"https://github.com:8443/team/app", "git@github.com:team/app.git", "git@github.com:team/app", "github.com:team/app",
	"ssh://git@github.com/team/app", "ssh://git@github.com:22/team/app.git", "ssh://github.com/team/app",
	"ssh://git@ssh.github.com:443/team/app.git", "git@altssh.github.com:team/app.git", "git@ssh.github.com:team/app",
	"https://github.com/team/app2", "https://github.com/team", "https://github.com/team/app/sub",
	"https://github.com.evil.org/team/app", "https://evilgithub.com/team/app", "https://evil.org/github.com/team/app",
	"https://git.example.org/team/app", "https://git.example.org:8443/team/app", "git@git.example.org:team/app",
	"https://git.example.org/a/b/c.git", "git@git.example.org:a/b/c", "https://git.example.org/a/b",
	"https://git.example.org/team/my%20app", "https://git.example.org/team/my.app", "https://git.example.org/team/myxapp",
	"https://dev.azure.com/org/project/_git/app", "https://org@dev.azure.com/org/project/_git/app",
	"git@ssh.dev.azure.com:v3/org/project/app", "http://10.1.2.3/team/app", "http://10.1.2.3:3000/team/app",
	"ssh://git@10.1.2.3:2222/team/app", "http://10x1x2x3/team/app", "/srv/team/app",
}

func main() {
	if len(os.Args) != 2 {
		fail(fmt.Errorf("give the folder of Argo CD's sources"))
	}
	source := filepath.Join(os.Args[1], "util", "webhook", "webhook.go")
	files := token.NewFileSet()
	parsed, err := parser.ParseFile(files, source, nil, 0)
	fail(err)
	var program bytes.Buffer
	program.WriteString("package main\nimport (\"encoding/json\"; \"fmt\"; \"net/url\"; \"os\"; \"regexp\"; \"strings\")\n")
	for _, declaration := range parsed.Decls {
		if isWanted(declaration) {
			fail(format.Node(&program, files, declaration))
			program.WriteString("\n")
		}
	}
	program.WriteString(`
func main() {
	var question [2][]string
	if err := json.NewDecoder(os.Stdin).Decode(&question); err != nil { panic(err) }
	for _, web := range question[0] {
		pattern, err := GetWebURLRegex(web)
		if err != nil { panic(err) }
		for _, repository := range question[1] {
			line, _ := json.Marshal(map[string]any{"web": web, "repository": repository, "matches": pattern.MatchString(repository)})
			fmt.Println(string(line))
		}
	}
	_ = strings.TrimPrefix; _ = url.Parse
}`)
	folder, err := os.MkdirTemp("", "oracle")
	fail(err)
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "main.go")
	fail(os.WriteFile(path, program.Bytes(), 0o600))
	question, err := json.Marshal([2][]string{webURLs, repoURLs})
	fail(err)
	fmt.Printf("{\"version\":\"%s, GetWebURLRegex\"}\n", filepath.Base(filepath.Dir(os.Args[1]))+" "+filepath.Base(os.Args[1]))
	command := exec.Command("go", "run", path)
	command.Stdin, command.Stdout, command.Stderr = bytes.NewReader(question), os.Stdout, os.Stderr
	fail(command.Run())
}

func isWanted(declaration ast.Decl) bool {
	switch declaration := declaration.(type) {
	case *ast.FuncDecl:
		return declaration.Recv == nil && wanted[declaration.Name.Name]
	case *ast.GenDecl:
		for _, spec := range declaration.Specs {
			if value, ok := spec.(*ast.ValueSpec); ok && wanted[value.Names[0].Name] {
				return true
			}
		}
	}
	return false
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
