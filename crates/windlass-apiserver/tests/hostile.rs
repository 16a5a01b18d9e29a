//! Nothing a client can send makes reading, defaulting, checking or printing an object panic.

use std::time::SystemTime;

use windlass_apiserver::defaults::{
    CreateContext, ServiceAllocator, apply_defaults, normalize, prepare_for_create,
    prepare_for_status_update, prepare_for_update,
};
use windlass_apiserver::tables::row;
use windlass_apiserver::validation::{validate_create, validate_update};
use windlass_kube::{Array, Gvk, Value};

/// What stands where something else belongs.
fn intruders() -> Vec<Value> {
    vec![
        Value::Null,
        true.into(),
        Value::Int(-1),
        Value::Int(i64::MAX),
        Value::Float(1.5),
        "".into(),
        "\u{fc}%'/..".into(),
        Value::Array(Array::new()),
        Value::Array(vec![Value::Null].into()),
        Value::Array(vec![Value::object()].into()),
        Value::object(),
    ]
}

/// Every value that is made from `value` by putting `intruder` in one place.
fn variants(value: &Value, intruder: &Value) -> Vec<Value> {
    let mut found = vec![intruder.clone()];
    match value {
        Value::Object(members) => {
            for (key, member) in members.iter() {
                for variant in variants(member, intruder) {
                    let mut changed = value.clone();
                    changed.set_at(&[key], variant);
                    found.push(changed);
                }
            }
        }
        Value::Array(items) => {
            for (idx, item) in items.iter().enumerate() {
                for variant in variants(item, intruder) {
                    let mut items = items.clone();
                    items.as_mut()[idx] = variant;
                    found.push(Value::Array(items));
                }
            }
        }
        _ => {}
    }
    found
}

fn run(gvk: &Gvk, sent: &Value, stored: &Value) {
    let now = SystemTime::UNIX_EPOCH;
    // Tables also print what was stored by other rules.
    let _ = row(gvk, sent, now);
    let mut object = sent.clone();
    if normalize(gvk, &mut object).is_err() {
        return;
    }
    let mut again = object.clone();
    assert_eq!(normalize(gvk, &mut again), Ok(Vec::new()), "{sent:?}");
    assert_eq!(again, object, "reading what was printed changes it: {sent:?}");
    apply_defaults(gvk, &mut object);
    let (mut created, mut updated, mut status) = (object.clone(), object.clone(), object);
    let context = CreateContext { now: "2026-01-01T00:00:00Z".into(), ..CreateContext::default() };
    prepare_for_create(gvk, &mut created, &context);
    if gvk.kind == "Service" {
        let _ = ServiceAllocator::new().allocate(&mut created, None);
    }
    let _ = validate_create(gvk, &created);
    let _ = row(gvk, &created, now);
    prepare_for_update(gvk, &mut updated, stored);
    let _ = validate_update(gvk, &updated, stored);
    prepare_for_status_update(gvk, &mut status, stored, "2026-01-01T00:00:00Z");
    let _ = row(gvk, &status, now);
}

#[test]
fn anything_anywhere_is_survived() {
    let mut runs = 0_usize;
    for line in include_str!("data/defaults/recorded.jsonl").lines().skip(1) {
        let case: Value = serde_json::from_str(line).expect("recorded JSON");
        let (input, stored) = (case.get("input").expect("input"), case.get("output").expect("output"));
        let text = |key: &str| input.str_at(&[key]).expect("a manifest");
        let gvk = Gvk::from_api_version(text("apiVersion"), text("kind"));
        for intruder in intruders() {
            for sent in variants(input, &intruder) {
                run(&gvk, &sent, stored);
                runs += 1;
            }
        }
    }
    assert!(runs > 10_000, "only {runs}");
}

#[test]
fn states_of_any_shape_can_be_printed() {
    for line in include_str!("data/tables/recorded.jsonl").lines().skip(1) {
        let case: Value = serde_json::from_str(line).expect("recorded JSON");
        let object = case.get("object").expect("object");
        let text = |key: &str| object.str_at(&[key]).expect("an object");
        let gvk = Gvk::from_api_version(text("apiVersion"), text("kind"));
        for intruder in intruders() {
            for variant in variants(object, &intruder) {
                let _ = row(&gvk, &variant, SystemTime::UNIX_EPOCH);
            }
        }
    }
}
