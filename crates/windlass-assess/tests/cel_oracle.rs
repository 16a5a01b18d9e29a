//! Health check expressions say what they say in Flux: recorded by `tools/oracle-flux-health`.

use serde_json::Value as Recorded;
use windlass_assess::cel::{CelCheck, CelChecks, CelStatus};
use windlass_assess::{Check, Checks};
use windlass_kube::{GroupKind, Object, value};
use windlass_model::HealthStatus;

#[test]
fn expressions_say_what_they_say_in_flux() {
    let cases: Vec<Recorded> = serde_json::from_str(include_str!("data/cel_answers.json")).unwrap();
    let mut differ = Vec::new();
    for case in &cases {
        let text = |key: &str| case[key].as_str().unwrap_or_default();
        let object = windlass_yaml::json::parse(case["object"].to_string().as_bytes()).unwrap();
        let object = Object::try_new(object).unwrap();
        let check = CelCheck::new(text("current"), Some(text("failed")), Some(text("inProgress")));
        let ours = match check.and_then(|check| check.status(&object)) {
            Ok(CelStatus::Current) => "Current".to_owned(),
            Ok(CelStatus::Failed) => "Failed".to_owned(),
            Ok(CelStatus::InProgress) => "InProgress".to_owned(),
            Err(error) => format!("error: {error}"),
        };
        let theirs = match text("error") {
            "" => text("status").to_owned(),
            error => format!("error: {error}"),
        };
        // What is wrong is said in other words where Flux looks up a chain of names at once.
        let is_equal = ours == theirs || (ours.starts_with("error: ") && theirs.starts_with("error: "));
        if !is_equal {
            differ.push(format!("{}: theirs {theirs}, ours {ours}", text("name")));
        }
    }
    assert!(cases.len() > 20);
    assert!(differ.is_empty(), "{} of {} differ:\n{}", differ.len(), cases.len(), differ.join("\n"));
}

#[test]
fn checks_are_asked_by_version_and_kind() {
    let spec = value!({"spec": {"healthCheckExprs": [{
        "apiVersion": "example.org/v1", "kind": "Thing",
        "current": "status.phase == 'Ready'", "failed": "status.phase == 'Broken'"
    }]}});
    let check = CelChecks::read(&spec).unwrap();
    let object = |version: &str, phase: &str| {
        Object::try_new(value!({
            "apiVersion": (version), "kind": "Thing", "metadata": {"name": "a"}, "status": {"phase": (phase)}
        }))
        .unwrap()
    };
    let status = |version, phase| check.assess(&object(version, phase)).map(|health| health.status);
    assert_eq!(status("example.org/v1", "Ready"), Some(HealthStatus::Healthy));
    assert_eq!(status("example.org/v1", "Broken"), Some(HealthStatus::Degraded));
    assert_eq!(status("example.org/v1", "?"), Some(HealthStatus::Progressing));
    assert_eq!(status("example.org/v2", "Ready"), None);

    let mut checks = Checks::new();
    checks.insert(GroupKind::new("example.org", "Thing"), check.clone());
    assert_eq!(checks.health(&object("example.org/v1", "Ready")).unwrap().status, HealthStatus::Healthy);

    assert!(CelChecks::read(&value!([{"kind": "Thing", "current": "true"}])).is_err());
    assert!(CelChecks::read(&value!([{"apiVersion": "v1", "kind": "Thing", "current": "a ="}])).is_err());
}
