package main

import (
	"math/rand/v2"
	"strconv"
	"strings"
)

// generate asks count random questions of every kind; the same seed asks the same.
func generate(seed uint64, count int, ask func(string, ...string)) {
	random := random{rand.New(rand.NewPCG(seed, seed))}
	for range count {
		version := random.text(1, 9, versionPieces)
		ask("version", version)
		ask("strict", version)
		ask("compare", random.version(), random.version())
		ask("constraint", random.constraint(), random.version(), random.version(), random.version())
		separators := random.of("", "/", "/.", ".")
		pattern := random.text(1, 7, globPieces)
		ask("gobwas", append([]string{pattern, separators}, random.names()...)...)
		ask("path", append([]string{random.text(1, 7, pathPieces)}, random.names()...)...)
		ask("doublestar", append([]string{random.text(1, 7, pathPieces)}, random.names()...)...)
		ask("duration", random.text(1, 6, durationPieces))
		ask("nanoseconds", strconv.FormatInt(random.Int64()>>random.IntN(63), 10))
		ask("re2", random.text(1, 8, regexpPieces), random.text(0, 8, textPieces), random.text(0, 5, templatePieces))
	}
}

type random struct{ *rand.Rand }

func (r random) of(choices ...string) string { return choices[r.IntN(len(choices))] }

func (r random) text(min, max int, pieces []string) string {
	var text strings.Builder
	for range min + r.IntN(max-min+1) {
		text.WriteString(r.of(pieces...))
	}
	return text.String()
}

func (r random) version() string {
	number := func() string { return r.of("0", "0", "1", "1", "2", "3", "10") }
	version := r.of("", "", "v") + number()
	for range r.IntN(3) {
		version += "." + number()
	}
	if r.IntN(3) == 0 {
		version += "-" + r.of("0", "1", "10", "a", "rc", "rc.1", "rc.2", "rc.10", "rc.a", "alpha.1.2", "beta-3", "99999999999999999999")
	}
	if r.IntN(6) == 0 {
		version += "+" + r.of("b", "1.2", "sha-1")
	}
	return version
}

func (r random) constraint() string {
	number := func() string { return r.of("0", "0", "1", "1", "2", "3", "10", "x", "*", "X") }
	one := func() string {
		version := r.of("", "", "", "v") + number()
		for range r.IntN(3) {
			version += "." + number()
		}
		if r.IntN(4) == 0 {
			version += "-" + r.of("0", "a", "rc.1", "rc", "1x")
		}
		if r.IntN(12) == 0 {
			version += "+b"
		}
		return version
	}
	var text string
	for idx := range 1 + r.IntN(3) {
		if idx > 0 {
			text += r.of(" ", ",", ", ", " , ", " || ", "||", "  ", "")
		}
		if r.IntN(6) == 0 {
			text += one() + r.of(" - ", " - ", "  -  ", "-") + one()
			continue
		}
		text += r.of("", "", "=", "!=", ">", "<", ">=", "=>", "<=", "=<", "~", "~>", "^", "^", "~", "==", "!") + r.of("", "", "", " ") + one()
	}
	if r.IntN(30) == 0 {
		text += r.of(" ", "||", ",", "-", "|", "é")
	}
	return text
}

func (r random) names() []string {
	var names []string
	for range 4 {
		names = append(names, r.text(0, 6, namePieces))
	}
	return names
}

var (
	versionPieces  = []string{"1", "0", "2", "10", "01", ".", ".", ".", "-", "+", "v", "rc", "x", "a-b", "18446744073709551616", " ", "_", "1.2.3", "0.1.0", "1.2"}
	globPieces     = []string{"a", "b", "c", "/", ".", "*", "*", "**", "?", "[ab]", "[!a]", "[a-c]", "{", "}", ",", "{a,b}", "{a*,b}", "{,c}", "\\", "[", "]", "-", "!", "é", "*.a", "{a/b,c}"}
	pathPieces     = []string{"a", "b", "c", "/", "/", "*", "*", "**", "**/", "/**", "?", "[ab]", "[^a]", "[!a]", "[a-c]", "{", "}", ",", "{a,b}", "{a*,b}", "{,c}", "{**,a/}", "\\", "[", "]", "-", "^", "é", ".", "[\\]a]"}
	namePieces     = []string{"a", "b", "c", "/", ".", "é", "ab", "a/b", "*", "[", "]", "{", "}", ",", "-", "!", "\\"}
	durationPieces = []string{"1", "0", "5", "12", "1.5", ".5", "5.", ".", "-", "+", "h", "m", "s", "ms", "us", "µs", "μs", "ns", "d", " ", "9223372036854775807", "0.00000000000000000001", "é", "3600", "2562047", "\""}
	regexpPieces   = []string{"a", "b", "A", "k", "é", "ſ", ".", "^", "$", "*", "+", "?", "*?", "{2}", "{1,}", "{0,2}", "{", "}", "{,2}", "{1001}", "(", ")", "(a", "b)", "(?:", "(?i)", "(?i:a", "(?s)", "(?m)", "(?U)", "(?-i)", "(?x)", "(?P<n>", "(?<m>", "|", "[ab]", "[^a]", "[a-", "[", "]", "[[:alpha:]]", "[[:^alpha:]]", "[[:word:]k]", "[^\\d]", "[\\w-]", "[\\W]", "[]a]", "[a&&b]", "\\d", "\\D", "\\w", "\\W", "\\s", "\\b", "\\B", "\\A", "\\z", "\\Z", "\\pL", "\\p{Greek}", "\\P{Lu}", "\\p{^L}", "\\Qa.b\\E", "\\Q", "\\E", "\\07", "\\1", "\\x41", "\\x{e9}", "\\.", "\\-", "\\_", "\\n", "-", ",", "\n", "(|a)", "(a*)", "(a|ab)", "(?:a|b)*", "(a*)*", "(a?)+?"}
	textPieces     = []string{"a", "b", "A", "B", "k", "K", "\u212a", "ſ", "s", "é", "É", " ", "\n", "1", "١", "_", "-", ".", "ab", "aab", "{", "}", "a.b", "λ", ",2}"}
	templatePieces = []string{"$1", "${1}", "$0", "$2x", "$1x", "${n}", "$n", "$m ", "$$", "$", "x", "${", "${1", "}", "$01", "$é", "-"}
)
