//! What is refused, and in which words, equals the answers of kube-apiserver 1.36.3.

use std::collections::BTreeSet;

use windlass_apiserver::defaults::{
    CreateContext, ServiceAllocator, apply_defaults, normalize, prepare_for_create, prepare_for_update,
};
use windlass_apiserver::validation::{validate_create, validate_update};
use windlass_kube::{Gvk, Value};

/// Lines of the recording in which our answer is known to differ, and why.
const DIFFERENT: &[(usize, &str)] = &[
    (
        55,
        "privileged containers are a cluster's policy, and allowed here; the struct is not printed as Go does",
    ),
    (121, "Go's JSON error is not imitated: it could show a piece of the secret"),
    (152, "definitions are checked elsewhere"),
];

fn gvk(object: &Value) -> Gvk {
    let text = |key: &str| object.str_at(&[key]).expect("a manifest");
    Gvk::from_api_version(text("apiVersion"), text("kind"))
}

/// An answer: a message without causes, or every cause as `reason field message`.
fn answer(case: &Value) -> BTreeSet<String> {
    let gvk = gvk(case.get("new").expect("new"));
    let mut new = case.get("new").expect("new").clone();
    let refused = |why: String| {
        let message =
            format!("{} in version {:?} cannot be handled as a {}: {why}", gvk.kind, gvk.version, gvk.kind);
        BTreeSet::from([message])
    };
    match normalize(&gvk, &mut new) {
        Err(error) => return refused(error.to_string()),
        Ok(unknown) if !unknown.is_empty() => {
            let fields: Vec<String> =
                unknown.iter().map(|field| format!("unknown field {field:?}")).collect();
            return refused(format!("strict decoding error: {}", fields.join(", ")));
        }
        Ok(_) => {}
    }
    apply_defaults(&gvk, &mut new);
    let causes = match case.get("old") {
        Some(old) => {
            for field in ["namespace", "uid"] {
                if let Some(value) = old.at(&["metadata", field]) {
                    new.set_at(&["metadata", field], value.clone());
                }
            }
            prepare_for_update(&gvk, &mut new, old);
            validate_update(&gvk, &new, old)
        }
        None => {
            let name = new.str_at(&["metadata", "name"]).unwrap_or_default().to_owned();
            if name.is_empty() {
                // The API asks for a name before anything else.
                return BTreeSet::from([
                    "FieldValueRequired metadata.name Required value: name or generateName is required"
                        .into(),
                ]);
            }
            new.set_at(&["metadata", "uid"], "UID");
            let context = CreateContext { now: "2026-01-01T00:00:00Z".into(), ..CreateContext::default() };
            prepare_for_create(&gvk, &mut new, &context);
            if gvk.kind == "Service"
                && let Err(error) = ServiceAllocator::new().allocate(&mut new.clone(), None)
            {
                let allocated = format!(
                    "FieldValueInvalid {} Invalid value: {}: {}",
                    error.field, error.value, error.detail
                );
                let causes = validate_create(&gvk, &new);
                if causes.is_empty() {
                    return BTreeSet::from([allocated]);
                }
            }
            validate_create(&gvk, &new)
        }
    };
    causes.iter().map(|cause| format!("{} {} {}", cause.reason, cause.field, cause.message)).collect()
}

fn recorded(case: &Value) -> BTreeSet<String> {
    let Some(status) = case.get("status") else { return BTreeSet::new() };
    let causes = status.items_at(&["details", "causes"]);
    if causes.is_empty() {
        return BTreeSet::from([status.str_at(&["message"]).expect("message").to_owned()]);
    }
    causes
        .iter()
        .map(|cause| {
            let text = |key: &str| cause.str_at(&[key]).unwrap_or_default();
            // Differences between objects that Go prints after the message are not compared.
            let message = text("message").split("\n@@").next().unwrap_or_default().trim_end();
            format!("{} {} {}", text("reason"), text("field"), without_uid(message))
        })
        .collect()
}

/// The uid of the recorded object, replaced by ours.
fn without_uid(message: &str) -> String {
    const BEFORE: &str = "\"batch.kubernetes.io/controller-uid\":\"";
    let uid = message.split_once(BEFORE).and_then(|(_, rest)| rest.split_once('"')).map(|(uid, _)| uid);
    uid.map_or_else(|| message.to_owned(), |uid| message.replace(uid, "UID"))
}

#[test]
fn refusals_are_those_of_the_real_server() {
    let mut report = Vec::new();
    let mut compared = 0;
    for (line, number) in include_str!("data/validation/recorded.jsonl").lines().zip(0..).skip(1) {
        let case: Value = serde_json::from_str(line).expect("recorded JSON");
        let theirs = recorded(&case);
        let ours: BTreeSet<String> =
            answer(&case).into_iter().map(|text| text.trim_end().to_owned()).collect();
        compared += 1;
        let known = DIFFERENT.iter().any(|(different, _)| *different == number);
        if (ours != theirs) != known {
            let list = |set: &BTreeSet<String>, other: &BTreeSet<String>| {
                set.difference(other).map(|text| format!("      {text}\n")).collect::<String>()
            };
            report.push(format!(
                "[{number}] {:?}\n    ours only:\n{}    theirs only:\n{}",
                case.at(&["new", "spec"]).or_else(|| case.get("new")),
                list(&ours, &theirs),
                list(&theirs, &ours)
            ));
        }
    }
    assert!(compared >= 80, "only {compared} cases");
    assert!(report.is_empty(), "{} of {compared} differ:\n{}", report.len(), report.join("\n"));
}

#[test]
fn nothing_the_real_server_accepts_is_refused() {
    for line in include_str!("data/defaults/recorded.jsonl").lines().skip(1) {
        let case: Value = serde_json::from_str(line).expect("recorded JSON");
        let object = &mut case.get("output").expect("output").clone();
        object.set_at(&["metadata", "uid"], "UID");
        let causes = validate_create(&gvk(object), object);
        assert!(causes.is_empty(), "{object:?}: {causes:?}");
        let causes = validate_update(&gvk(object), object, object);
        assert!(causes.is_empty(), "{object:?}: {causes:?}");
    }
    for line in include_str!("data/tables/recorded.jsonl").lines().skip(1) {
        let case: Value = serde_json::from_str(line).expect("recorded JSON");
        let object = case.get("object").expect("object");
        let causes = validate_create(&gvk(object), object);
        assert!(causes.is_empty(), "{object:?}: {causes:?}");
    }
}
