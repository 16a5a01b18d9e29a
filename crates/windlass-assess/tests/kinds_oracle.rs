//! Compares the checks of other people's kinds with Argo CD's scripts; `tests/data/README.md` says how to renew them.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::path::Path;

use windlass_assess::{health, known_kinds};
use windlass_kube::{Object, Value};

const STATUSES: [&str; 6] = ["Healthy", "Suspended", "Progressing", "Missing", "Degraded", "Unknown"];

/// Compares, and answers the kinds that were asked about.
fn check(path: &Path) -> BTreeMap<String, usize> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut wrong = Vec::new();
    let mut kinds = BTreeMap::new();
    // The first line names the versions.
    for line in text.lines().skip(1) {
        let case: Value = serde_json::from_str(line).unwrap();
        let name = case.str_at(&["name"]).unwrap();
        let object = Object::try_new(case.at(&["object"]).unwrap().clone()).unwrap();
        let said = |key| case.str_at(&["health", key]).unwrap_or_default().to_owned();
        // No status is nothing said.
        let expected = (!said("status").is_empty()).then(|| (said("status"), said("message")));
        let got = health(&object).map(|health| (health.status.to_string(), health.message.to_string()));
        // A phase that Argo CD hands on as a status although it is none; it shows as Unknown there, too.
        let is_none = expected.as_ref().is_some_and(|(status, _)| !STATUSES.contains(&status.as_str()));
        if got != expected && !is_none {
            wrong.push(format!(
                "{name}\n   ours   {got:?}\n   theirs {expected:?}\n   {}",
                case.at(&["object"]).map(|it| serde_json::to_string(it).unwrap()).unwrap()
            ));
        }
        let gvk = object.gvk();
        *kinds.entry(format!("{}/{}", gvk.group, gvk.kind)).or_default() += 1;
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    kinds
}

#[test]
fn health_of_other_kinds_is_what_argo_cd_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/kinds.jsonl");
    let asked = check(&path);
    let known = known_kinds();
    assert!(known.len() > 280, "{} kinds", known.len());
    assert!(asked.len() > 280, "{} kinds", asked.len());
}
