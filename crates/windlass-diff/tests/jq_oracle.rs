//! Compares what expressions delete with gojq; `tools/oracle-jq` renews what it said.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;

use windlass_diff::jq::Filter;
use windlass_kube::Value;

fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)).unwrap()
}

/// What gojq knows and this module refuses when it reads it: none of it names a field.
const REFUSED: [&str; 4] = ["now > 0", "env.HOME", "input", "IN("];

/// What gojq answers for paths that were computed on nothing; here that is an error, and so has no effect either.
const ON_NOTHING: [&str; 2] = ["| del(.n)", "| delpaths("];

#[test]
fn expressions_delete_what_gojq_deletes() {
    let cases: Value = serde_json::from_str(&read("jq_cases.json")).unwrap();
    let recorded = read("jq.jsonl");
    let mut wrong = Vec::new();
    let mut n_checked = 0;
    for line in recorded.lines().skip(1) {
        let case: Value = serde_json::from_str(line).unwrap();
        let expression = case.str_at(&["expression"]).unwrap();
        let object = cases.at(&["objects", case.str_at(&["object"]).unwrap()]).unwrap();
        let failed = case.get("error").is_some();
        let got = Filter::parse(expression).and_then(|filter| filter.delete(object));
        if REFUSED.iter().any(|refused| expression.contains(refused)) {
            assert!(got.is_err(), "{expression}");
            continue;
        }
        n_checked += 1;
        let same = match &got {
            Ok(value) => !failed && case.get("result") == Some(value),
            Err(_) => failed,
        };
        let no_effect = case.get("result") == Some(object) && got.is_err();
        let excused = no_effect && ON_NOTHING.iter().any(|it| expression.contains(it));
        if !(same || excused) {
            let theirs = case.get("error").or(case.get("result"));
            wrong.push(format!(
                "{expression} on {}\n  ours   {got:?}\n  theirs {theirs:?}",
                case.str_at(&["object"]).unwrap()
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {n_checked} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(n_checked > 450, "{n_checked}");
}

#[test]
fn every_evaluation_ends() {
    let object: Value = serde_json::from_str(r#"{"a": [1, 2, 3], "b": null}"#).unwrap();
    for expression in [
        "def f: f; f",
        "recurse(.b)",
        "repeat(.b)",
        "[range(1e12)] | .[0]",
        "reduce range(100) as $i (\"aa\"; . + .)",
        "until(false; .)",
        "\"a\" * 1e12",
        "[limit(1e9; repeat(1))]",
    ] {
        let error = Filter::parse(expression).unwrap().run(&object).unwrap_err();
        assert!(error.to_string().contains("stopped"), "{expression}: {error}");
    }
}
