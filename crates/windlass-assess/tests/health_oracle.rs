//! Compares every verdict with Argo CD's; `tests/data/README.md` says how those are renewed.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;

use windlass_assess::{Checks, health};
use windlass_kube::{Object, Value};

fn read(name: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    let text = std::fs::read_to_string(path).unwrap();
    // The first line names the versions.
    text.lines().skip(1).map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn check(recorded: &[Value]) {
    let mut wrong = Vec::new();
    for case in recorded {
        let name = case.str_at(&["name"]).unwrap();
        let object = Object::try_new(case.at(&["object"]).unwrap().clone()).unwrap();
        let text = |key| case.str_at(&["health", key]).unwrap_or_default().to_owned();
        let expected = case.at(&["health"]).filter(|health| !health.is_null());
        let expected = expected.map(|_| (text("status"), text("message")));
        let got = health(&object);
        assert_eq!(got, Checks::new().health(&object), "{name}");
        let got = got.map(|health| (health.status.to_string(), health.message.to_string()));
        if got != expected {
            wrong.push(format!("{name}\n   ours   {got:?}\n   theirs {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), recorded.len(), wrong.join("\n"));
}

#[test]
fn health_is_what_argo_cd_says() {
    let changed = read("health-3.6.jsonl");
    let mut recorded = read("health.jsonl");
    recorded.retain(|case| changed.iter().all(|newer| newer.get("name") != case.get("name")));
    assert!(recorded.len() > 200, "{} objects", recorded.len());
    check(&recorded);
}

#[test]
fn health_is_what_argo_cd_says_since_3_6() {
    check(&read("health-3.6.jsonl"));
}
