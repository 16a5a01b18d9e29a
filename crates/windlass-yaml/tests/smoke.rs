//! The layer's basic promises, by example.

use windlass_yaml::{LoadOptions, json, load, load_all, load_manifest};

#[track_caller]
fn check(text: &str, expected: &str) {
    let got = match load(text) {
        Ok(value) => json::to_string(&value),
        Err(error) => error.to_string(),
    };
    assert_eq!(got, expected, "{text:?}");
}

#[test]
fn loads_what_go_loads() {
    check(
        "a: 1\nb: [x, 'y', \"z\\n\"]\nc:\n- d: |\n    e\n    f\n",
        r#"{"a":1,"b":["x","y","z\n"],"c":[{"d":"e\nf\n"}]}"#,
    );
    check("yes: on\n", r#"{"true":true}"#);
    check("a: |\n  x", r#"{"a":"x"}"#);
    check("m: 'x\n  y'\n", r#"{"m":"x y"}"#);
    check("m: 'x\ny'\n", r#"{"m":"x y"}"#);
    check("base: &b {x: 1}\nd:\n  <<: *b\n  z: 2\n", r#"{"base":{"x":1},"d":{"x":1,"z":2}}"#);
    check("", "null");
    check("a: b: c", "yaml: mapping values are not allowed in this context");
    check("a: 1\nb: c: d", "yaml: line 2: mapping values are not allowed in this context");
    check("a: [1, 2\nb: 3\n", "yaml: line 1: did not find expected ',' or ']'");
    check("a: 1.0\nb: 1e21\nc: 0777\nd: 1_000\n", r#"{"a":1,"b":1e+21,"c":511,"d":1000}"#);
}

#[test]
fn splits_streams_and_manifests() {
    let all = load_all("a: 1\n---\nb: 2\n...\n---\n", &LoadOptions::default()).unwrap();
    let lines: Vec<usize> = all.iter().map(|document| document.line).collect();
    assert_eq!(lines, [1, 3, 6]);
    let manifest =
        load_manifest("---\nkind: A\n---\nkind: [\n---\n# nothing\n---\nkind: B\n", &LoadOptions::default());
    let seen: Vec<String> = manifest
        .iter()
        .map(|item| match item {
            Ok(document) => format!("{} {:?}", document.line, document.value),
            Err(error) => format!("{} {error}", error.position()),
        })
        .collect();
    assert_eq!(
        seen,
        [r#"2 {"kind":"A"}"#, "5:1 yaml: line 1: did not find expected node content", r#"8 {"kind":"B"}"#]
    );
    let objects = load_manifest("{\"kind\": \"A\"}\n{\"kind\": \"B\"}", &LoadOptions::default());
    assert_eq!(objects.len(), 2);
    assert_eq!(objects[1].as_ref().unwrap().line, 2);
}
