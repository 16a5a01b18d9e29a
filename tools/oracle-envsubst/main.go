// Program oracle-envsubst prints what Flux makes of texts with variables, a JSON object a line.
package main

//go:generate sh -c "go run . > ../../crates/windlass-render/tests/data/envsubst.jsonl"

import (
	"encoding/json"
	"math/rand"
	"os"
	"strings"

	"github.com/fluxcd/pkg/envsubst"
)

var variables = map[string]string{
	"a": "1", "name": "windlass", "path": "/usr/local/bin/tool.tar.gz", "empty": "", "mixed": "hELLO wORLD", "dots": "a.b.c.d",
	"_x9": "under", "word": "ébène ß İ", "star": "a*b", "slash": "a/b/c", "num": "-3", "q": "\"1\"", "äö": "umlaut", "long": "aaabbbaaa",
}

var texts = []string{
	"", "plain", "$", "$$", "$a", "$$a", "${a}", "$${a}", "$$${a}", "$$$${a}", "$${a}${a}", "a$", "{a}", "${", "${}", "${a", "${a:", "${a:-", "${ a}", "${a }", "${-a}", "${1}", "${a.b}", "${a}${name}", "x${a}y${name}z",
	"${missing}", "${missing:-}", "${missing:-d}", "${missing:=d}", "${missing=d}", "${missing-d}", "${missing+d}", "${missing?d}", "${missing:+d}", "${missing:?d}", "${a:-d}", "${a:+d}", "${a:?d}", "${a=d}", "${a:=d}", "${empty:-d}", "${empty=d}", "${empty}",
	"${missing:-${a}}", "${missing:-x${a}y${name}z}", "${missing:-${other:-${third:-deep}}}", "${a:-${missing}}", "${missing:-a$b}", "${missing:-$$}", "${missing:-a:b}", "${missing:-a b}", "${missing:-'q'}", "${missing:-\\}}", "${missing:-{}}", "${missing:-${}}", "${missing:-${a}", "${missing:--}", "${missing:==}", "${missing:-\n}",
	"${#name}", "${#missing}", "${#empty}", "${#word}", "${#}", "${#name", "${#name-}", "${#name}}", "${##name}",
	"${name^}", "${name^^}", "${mixed,}", "${mixed,,}", "${mixed^^}", "${word^^}", "${word^}", "${word,,}", "${empty^}", "${name^,}", "${name,^}", "${name^^^}", "${name^x}", "${missing^}",
	"${name:0}", "${name:1}", "${name:8}", "${name:9}", "${name:-1}", "${name: -3}", "${name:0:3}", "${name:2:100}", "${name:2:-1}", "${name:1:-7}", "${name:1:-8}", "${name:x}", "${name:1:x}", "${name:1:}", "${name:}", "${name::}", "${name::2}", "${name:1::2}", "${name:${a}}", "${name:${a}:${a}}", "${name:${a}x}", "${name:1:2:3}", "${name:+1}", "${missing:0:1}", "${name:0", "${name:0:", "${name:5:0}", "${empty:0:1}", "${name:00003}", "${name:99999999999999999999}",
	"${path#*/}", "${path##*/}", "${path%.*}", "${path%%.*}", "${dots#*.}", "${dots##*.}", "${dots%.*}", "${dots%%.*}", "${name#w}", "${name#x}", "${name##win}", "${name%s}", "${name%%lass}", "${name#}", "${name##}", "${name%}", "${name%%}", "${name#[a-z]}", "${name##[a-z]*}", "${name#[^a-z]}", "${name#[}", "${name#[z-a]}", "${name#?}", "${name##?}", "${name%??}", "${name#*}", "${name##*}", "${name%*}", "${name%%*}", "${star#a\\*}", "${name#w${a}}", "${name#${a}}", "${name###}", "${name%%%}", "${long#a*}", "${long##a*}", "${long#*a}", "${long##*a}", "${long%a*}", "${long%%a*}", "${long##*b}", "${long%[b]*}", "${name#[]w]}", "${name#[\\w]}", "${name#[w-]}", "${name#a\\}", "${missing#x}", "${name#*${missing:-d}}",
	"${slash/\\//-}", "${slash//\\//-}", "${name/s/S}", "${name//s/S}", "${name/#win/lose}", "${name/#lass/x}", "${name/%lass/lad}", "${name/%win/x}", "${name/s/}", "${name//s/}", "${name//s}", "${name/s}", "${name/}", "${name//}", "${name///}", "${name/s//x}", "${name/\\s/x}", "${name/\\\\/x}", "${name/s/\\/}", "${name/s/\\\\}", "${name/s/a\\/b}", "${name/s/$$}", "${name/$$/x}", "${name/${a}/x}", "${name/s/${a}}", "${name//s/${a}}", "${name//s/x${a}}", "${name/#w/${missing:-d}}", "${dots//./\\/}", "${missing/a/b}", "${name/s/a}b}", "${long//aa/x}", "${name/#/x}", "${name/%/x}", "${name/ /x}", "${name/s", "${name/s/", "${name/s/x",
	"${_x9}", "${äö}", "${äö^}", "$äö", "${a}\n${name}\n", "kind: ${name}\ndata:\n  x: \"${a}\"\n", "# ${a}", "${a} $${b} ${name}", "$(a)", "`a`", "\\${a}", "\\$${a}", "${q}", "${num}", "${a}}", "}${a}", "${{a}}", "${${a}}", "${a${a}}", "${a:-${a}}}", "${a}$", "${a}$$", "${a}$$$", "$a${a}$a", "${A}", "${name:-${missing:?x}}",
}

type answer struct {
	Text    string  `json:"text"`
	Strict  bool    `json:"strict"`
	Result  *string `json:"result,omitempty"`
	Problem string  `json:"problem,omitempty"`
}

// random makes texts of pieces that mean something.
func random(source *rand.Rand) string {
	pieces := []string{"${", "}", "a", "name", "missing", "path", ":", "-", "=", "?", "+", "#", "%", "/", "^", ",", "*", "$", "$$", "\\", "1", "2", ".", "x", "s", " ", "${a}", "${name", "[a-z]", "empty"}
	var text strings.Builder
	text.WriteString("${")
	for n := source.Intn(8) + 1; n > 0; n-- {
		text.WriteString(pieces[source.Intn(len(pieces))])
	}
	if source.Intn(4) > 0 {
		text.WriteString("}")
	}
	return text.String()
}

func main() {
	source := rand.New(rand.NewSource(7))
	for range 3000 {
		texts = append(texts, random(source))
	}
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	known := map[string]bool{}
	for _, text := range texts {
		if known[text] {
			continue
		}
		known[text] = true
		for _, strict := range []bool{false, true} {
			result, err := envsubst.Eval(text, func(name string) (string, bool) {
				value, exists := variables[name]
				return value, exists || !strict
			})
			said := answer{Text: text, Strict: strict}
			if err != nil {
				said.Problem = err.Error()
			} else {
				said.Result = &result
			}
			if err := out.Encode(said); err != nil {
				panic(err)
			}
		}
	}
}
