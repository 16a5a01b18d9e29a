//! Errors name the place, the class and the limit.

use windlass_yaml::json::{self, JsonErrorKind};
use windlass_yaml::{
    Limits, LoadOptions, Position, YamlErrorKind, decode_text, documents, load, load_manifest, load_with,
    parse_nodes,
};

#[track_caller]
fn check(text: &str, kind: YamlErrorKind, (line, column): (usize, usize), problem: &str) {
    let options = LoadOptions { strict: true, ..LoadOptions::default() };
    let error = load_with(text, &options).expect_err("the text is refused");
    assert_eq!(
        (error.kind(), error.position(), error.problem()),
        (kind, Position { line, column }, problem),
        "{text}"
    );
}

#[test]
fn positions_are_exact() {
    use YamlErrorKind::{Anchor, Duplicate, Encoding, Limit, NotJson, Syntax, Type};
    check("a: 1\nb: c: d\n", Syntax, (2, 5), "mapping values are not allowed in this context");
    check("a: 1\n  b: 2\n", Syntax, (2, 4), "mapping values are not allowed in this context");
    check("a:\n  - b\n - c\n", Syntax, (3, 2), "did not find expected key");
    check("é: [1, 2\nb: 3\n", Syntax, (2, 2), "did not find expected ',' or ']'");
    check("a: \"é\n", Syntax, (2, 1), "found unexpected end of stream");
    check("a: |\n  x\n\ty\n", Syntax, (3, 1), "found a tab character where an indentation space is expected");
    check("a: b\nc: *x\n", Anchor, (2, 4), "unknown anchor 'x' referenced");
    check("a: &x [b, *x]\n", Anchor, (1, 11), "anchor 'x' value contains itself");
    check("a: b\nc: \u{1}\n", Encoding, (2, 4), "control characters are not allowed");
    check("a: 1\nb:\n  c: 2\n  c: 3\n", Duplicate, (4, 3), "key \"c\" already set in map");
    check("a:\n  - !!int x\n", Type, (2, 5), "cannot decode !!str `x` as a !!int");
    check("a: 1\nb: .inf\n", NotJson, (2, 4), "unsupported value: +Inf");
    check("a: 1\n{{ .x }}\nb: c\n", Syntax, (3, 1), "could not find expected ':'");
    check(
        "{{ .x }}\n",
        NotJson,
        (1, 2),
        "invalid map key: map[interface {}]interface {}{\".x\":interface {}(nil)}",
    );
    let deep = format!("a: {}", "[".repeat(600));
    check(&deep, Limit, (1, 515), "values nest deeper than the limit depth of 512");
}

#[test]
fn errors_in_a_manifest_count_from_its_start() {
    let text = "kind: A\n---\n# c\nkind: B\n  bad: [\n---\nkind: C\n";
    let results: Vec<_> = documents(text, &LoadOptions::default()).collect();
    assert_eq!(results.len(), 3);
    let error = results[1].as_ref().unwrap_err();
    assert_eq!(error.position(), Position { line: 5, column: 6 });
    assert_eq!(error.to_string(), "yaml: line 3: mapping values are not allowed in this context");
    assert_eq!(error.snippet(text), "5 |   bad: [\n  |      ^");
    assert_eq!(results[2].as_ref().map(|document| document.line), Ok(7));
    let objects = load_manifest("{\"a\": 1}\n{\"a\": ]\n", &LoadOptions::default());
    assert_eq!(objects[1].as_ref().unwrap_err().position(), Position { line: 2, column: 7 });
}

#[test]
fn long_lines_are_cut_around_the_error() {
    let text = format!("a: {} b: c", "x".repeat(500));
    let error = load(&text).unwrap_err();
    let snippet = error.snippet(&text);
    let mut lines = snippet.lines();
    let (line, caret) = (lines.next().unwrap(), lines.next().unwrap());
    assert!(line.len() < 90, "{line}");
    assert_eq!(line.chars().nth(caret.len() - 1), Some(':'));
    assert_eq!(error.snippet(""), "");
}

#[test]
fn limits_name_themselves() {
    let limits = Limits { input: 4, ..Limits::default() };
    let error = load_with("a: long", &LoadOptions { limits, ..LoadOptions::default() }).unwrap_err();
    assert_eq!(error.to_string(), "yaml: text of 7 bytes exceeds the limit input of 4");
    assert_eq!(parse_nodes("a: long", &limits).unwrap_err().kind(), YamlErrorKind::Limit);
    let error = json::parse("[".repeat(600).as_bytes()).unwrap_err();
    assert_eq!((error.kind(), error.offset()), (JsonErrorKind::Limit, 512));
    assert_eq!(error.to_string(), "values nest deeper than the limit depth of 512");
}

#[test]
fn encodings_are_told_apart() {
    let text = "\u{feff}a: é😀\n";
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for bytes in [text.as_bytes(), &little, &big] {
        let text = decode_text(bytes).unwrap();
        assert_eq!(load(&text).unwrap().str_at(&["a"]), Some("é😀"));
    }
    for (bytes, problem) in [
        (&b"a: \xff"[..], "invalid leading UTF-8 octet"),
        (b"a: \xc3", "incomplete UTF-8 octet sequence"),
        (b"a: \xc3x", "invalid trailing UTF-8 octet"),
        (b"\xff\xfea", "incomplete UTF-16 character"),
    ] {
        assert_eq!(decode_text(bytes).unwrap_err().problem(), problem);
    }
}
