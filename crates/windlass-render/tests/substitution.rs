//! Variables in texts against the answers of `fluxcd/pkg/envsubst` 1.9.0 (`tools/oracle-envsubst`), and in objects.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use windlass_kube::{Object, Str, Value};
use windlass_render::{Substitution, SubstitutionError};

/// The variables of the oracle.
const VARIABLES: [(&str, &str); 13] = [
    ("a", "1"),
    ("name", "windlass"),
    ("path", "/usr/local/bin/tool.tar.gz"),
    ("empty", ""),
    ("mixed", "hELLO wORLD"),
    ("dots", "a.b.c.d"),
    ("_x9", "under"),
    ("word", "ébène ß İ"),
    ("star", "a*b"),
    ("slash", "a/b/c"),
    ("num", "-3"),
    ("q", "\"1\""),
    ("long", "aaabbbaaa"),
];

fn substitution(strict: bool) -> Substitution {
    Substitution::new(VARIABLES.map(|(name, value)| (name.into(), value.into())), strict).unwrap()
}

#[test]
fn texts_become_what_flux_makes_of_them() {
    let mut wrong = Vec::new();
    let mut n = 0;
    for line in include_str!("data/envsubst.jsonl").lines() {
        let case = windlass_yaml::json::parse(line.as_bytes()).unwrap();
        let text = case.str_at(&["text"]).unwrap();
        // A name that is not ASCII can be referred to, but no variable may have it.
        if text.contains("äö") {
            continue;
        }
        n += 1;
        let strict = case.bool_at(&["strict"]).unwrap();
        let expected = case.str_at(&["result"]).map_or_else(
            || Err(case.str_at(&["problem"]).unwrap().to_owned()),
            |result| Ok(result.to_owned()),
        );
        let got = substitution(strict).expand(text).map_err(|error| error.to_string());
        if got != expected {
            wrong.push(format!("{text:?} strict {strict}: expected {expected:?}, got {got:?}"));
        }
    }
    assert!(n > 4_000, "{n} cases");
    assert!(wrong.is_empty(), "{} of {n} differ:\n{}", wrong.len(), wrong.join("\n"));
}

fn object(text: &str) -> Object {
    Object::try_new(windlass_yaml::load(text).unwrap()).unwrap()
}

const OBJECT: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '${name}'}\ndata: {num: '${a}', s: 'x${a}', q: '${q}'}\n";

#[test]
fn what_a_value_becomes_is_decided_by_yaml() {
    let replaced = substitution(true).apply(&object(OBJECT)).unwrap();
    assert_eq!(replaced.name(), "windlass");
    assert_eq!(replaced.at(&["data", "num"]), Some(&Value::Int(1)));
    assert_eq!(replaced.str_at(&["data", "s"]), "x1");
    assert_eq!(replaced.str_at(&["data", "q"]), "1");
}

#[test]
fn an_object_can_be_left_out() {
    for place in ["labels", "annotations"] {
        let mut value = object(OBJECT).to_value();
        value.set_at(&["metadata", place, "kustomize.toolkit.fluxcd.io/substitute"], "disabled");
        let object = Object::try_new(value).unwrap();
        assert_eq!(substitution(true).apply(&object).unwrap(), object);
    }
}

#[test]
fn what_cannot_be_replaced_is_named_without_values() {
    let name = Substitution::new([(Str::from("a-b"), Str::from("secret"))], true).unwrap_err();
    assert_eq!(
        name.to_string(),
        "'a-b' var name is invalid, must match '^[_[:alpha:]][_[:alpha:][:digit:]]*$'"
    );
    let lines = Substitution::new([(Str::from("a"), Str::from("one\ntwo\n"))], true).unwrap();
    assert_eq!(lines.expand("${a}").unwrap(), "onetwo");
    assert_eq!(format!("{lines:?}"), r#"Substitution { variables: ["a"], strict: true }"#);
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {n: '${gone}'}\n";
    let error = substitution(true).apply(&object(text)).unwrap_err();
    assert_eq!(error.to_string(), "variable not set (strict mode): \"gone\"");
    let broken = Substitution::new([(Str::from("gone"), Str::from("{"))], true).unwrap();
    assert!(matches!(broken.apply(&object(text)), Err(SubstitutionError::Yaml(_))));
    let deep = "${a:-".repeat(1000);
    assert!(substitution(true).expand(&deep).unwrap_err().to_string().ends_with("(limit NESTED_REFERENCES)"));
}
