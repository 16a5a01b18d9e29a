//! Server-side apply and the tracking of ownership, against what a real kube-apiserver did.

#![allow(clippy::unwrap_used, reason = "tests")]

mod recorded;

use std::collections::HashMap;
use std::sync::LazyLock;

use proptest::prelude::*;
use recorded::{Report, cases, lines};
use windlass_kube::fields::{FieldSet, Operation, extract, extract_owned, managed_fields, owned_by};
use windlass_kube::merge::{ApplyError, Request, apply, keep_times_of_unchanged, take_over, update};
use windlass_kube::schema::{ObjectType, Types};
use windlass_kube::{Gvk, Object, Value, value};

/// The types of the recorded kinds: built-in ones from OpenAPI v3, custom ones from their structural schemas.
fn object_types(recording: &Value) -> HashMap<String, ObjectType> {
    let types = Types::from_openapi(&lines("schema.jsonl")[0]).unwrap();
    let mut object_types = HashMap::new();
    for (api_version, kind) in
        [("v1", "ConfigMap"), ("v1", "Service"), ("v1", "Pod"), ("apps/v1", "Deployment")]
    {
        let gvk = Gvk::from_api_version(api_version, kind);
        object_types.insert(kind.to_owned(), types.get(&gvk).unwrap());
    }
    for (kind, schema) in recording.get("schemas").unwrap().as_object().unwrap().iter() {
        object_types.insert(kind.to_string(), ObjectType::from_crd(schema, false).unwrap());
    }
    object_types
}

/// What the strategies of the recorded kinds reset.
fn reset_fields(kind: &str, subresource: &str) -> FieldSet {
    let text = match (kind, subresource) {
        ("Blob" | "ConfigMap", _) => "{}",
        (_, "") => r#"{"f:status":{}}"#,
        ("Lamp", _) => r#"{"f:metadata":{},"f:spec":{}}"#,
        ("Deployment", _) => r#"{"f:metadata":{"f:labels":{}},"f:spec":{}}"#,
        _ => r#"{"f:spec":{}}"#,
    };
    FieldSet::parse(text).unwrap()
}

fn managed_of(object: &Object) -> Value {
    object.at(&["metadata", "managedFields"]).cloned().unwrap_or_default()
}

/// Without what the server sets.
fn bare(object: &Object) -> Value {
    let mut bare = object.clone();
    for field in ["creationTimestamp", "generation", "managedFields", "namespace", "resourceVersion", "uid"] {
        bare.remove_at(&["metadata", field]);
    }
    bare.into_value()
}

/// The one default of the recorded custom kinds.
fn set_defaults(object: &mut Object) {
    if let Some(Value::Array(bulbs)) = object.at(&["spec", "bulbs"]) {
        let bulbs: Vec<Value> = bulbs
            .iter()
            .cloned()
            .map(|mut bulb| {
                if bulb.get("port").is_none() {
                    bulb.set_at(&["port"], 80_i64);
                }
                bulb
            })
            .collect();
        object.set_at(&["spec", "bulbs"], bulbs);
    }
}

/// An endpoint writes only its part of an object that has a status.
fn reset(object: &mut Object, live: Option<&Object>, subresource: &str) {
    let kept = if subresource.is_empty() { "status" } else { "spec" };
    match live.and_then(|live| live.at(&[kept])) {
        Some(value) => object.set_at(&[kept], value.clone()),
        None => {
            object.remove_at(&[kept]);
        }
    }
}

/// Ports without a protocol have TCP.
fn set_protocols(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (name, value) in map.iter_mut() {
                if let (true, Value::Array(ports)) = (name == "ports", &mut *value) {
                    for port in ports.as_mut().iter_mut().filter(|port| port.get("protocol").is_none()) {
                        port.set_at(&["protocol"], "TCP");
                    }
                }
                set_protocols(value);
            }
        }
        Value::Array(items) => items.as_mut().iter_mut().for_each(set_protocols),
        _ => {}
    }
}

fn causes_of(step: &Value) -> Vec<[String; 3]> {
    let text = |cause: &Value, key| cause.str_at(&[key]).unwrap_or_default().to_owned();
    let mut causes: Vec<[String; 3]> = step
        .items_at(&["causes"])
        .iter()
        .map(|cause| [text(cause, "reason"), text(cause, "message"), text(cause, "field")])
        .collect();
    causes.sort();
    causes
}

#[test]
fn merges_and_owns_as_the_server_does() {
    let lines = lines("apply.jsonl");
    let object_types = object_types(&lines[0]);
    let mut report = Report::default();
    for scenario in &lines[1..] {
        let (kind, name) = (scenario.str_at(&["kind"]).unwrap(), scenario.str_at(&["name"]).unwrap());
        let object_type = &object_types[kind];
        let mut live: Option<Object> = None;
        for (idx, step) in scenario.items_at(&["steps"]).iter().enumerate() {
            let verb = step.str_at(&["verb"]).unwrap();
            let of = || format!("{kind} {name} step {idx} {verb} by {:?}", step.str_at(&["manager"]));
            let request_body = step.get("request").unwrap();
            let response = step.get("response").map(|response| Object::try_new(response.clone()).unwrap());
            let subresource = step.str_at(&["subresource"]).unwrap_or_default();
            let now = response
                .as_ref()
                .and_then(|object| managed_fields(object).filter_map(|entry| entry.time).max());
            let ignored = reset_fields(kind, subresource);
            let request = Request {
                manager: step.str_at(&["manager"]).unwrap(),
                object_type,
                subresource,
                now: now.unwrap_or("2026-01-01T00:00:00Z"),
                ignored: Some(&ignored),
            };
            if verb == "apply" {
                let config = Object::try_new(request_body.clone()).unwrap();
                let force = step.bool_at(&["force"]) == Some(true);
                let ours = apply(live.as_ref(), &config, &request, force);
                let message = step.str_at(&["message"]).unwrap_or_default();
                match (ours, step.int_at(&["code"]).unwrap()) {
                    // The caller knows which kind it serves, and validates what the schema does not say.
                    (_, 400) if message.starts_with("invalid object type") => {}
                    (Ok(_), 422) => {}
                    (Ok(applied), 200 | 201) => {
                        let recorded = response.as_ref().unwrap();
                        let mut ours = recorded.clone();
                        ours.remove_at(&["metadata", "managedFields"]);
                        if let managed @ Value::Array(_) = managed_of(&applied.object) {
                            ours.set_at(&["metadata", "managedFields"], managed);
                        }
                        if let Some(live) = &live {
                            keep_times_of_unchanged(live, &mut ours);
                        }
                        report.check(
                            || format!("{} managedFields", of()),
                            &managed_of(&ours),
                            &managed_of(recorded),
                        );
                        let all = managed_fields(recorded)
                            .map(|entry| entry.fields().unwrap())
                            .reduce(|all, fields| all.union(&fields))
                            .unwrap_or_default();
                        if matches!(kind, "Lamp" | "Blob") {
                            let mut object = applied.object.clone();
                            if kind == "Lamp" {
                                set_defaults(&mut object);
                                reset(&mut object, live.as_ref(), subresource);
                            }
                            let mut object = object.into_value();
                            object_type.encode_as_go(&mut object);
                            let object = Object::try_new(object).unwrap();
                            report.check(|| format!("{} object", of()), &bare(&object), &bare(recorded));
                        } else {
                            let owned = |object: &Object| {
                                let mut value = object.to_value();
                                object_type.encode_as_go(&mut value);
                                set_protocols(&mut value);
                                // Quantities are printed in their canonical form by the server.
                                format!("{:?}", extract(&value, &all)).replace("\"0.1\"", "\"100m\"")
                            };
                            report.check(
                                || format!("{} owned part", of()),
                                &owned(&applied.object),
                                &owned(recorded),
                            );
                            let mut encoded = recorded.to_value();
                            object_type.encode_as_go(&mut encoded);
                            report.check(|| format!("{} encoded", of()), &encoded, &recorded.to_value());
                        }
                    }
                    (Err(why), code @ (400 | 409 | 500)) => {
                        report.check(of, &why.to_string(), &message.to_owned());
                        let expected = match code {
                            409 => matches!(why, ApplyError::Conflicts(_)),
                            400 => matches!(why, ApplyError::BadRequest(_)),
                            _ => matches!(why, ApplyError::Typed { .. }),
                        };
                        report.check(of, &expected, &true);
                        if let ApplyError::Conflicts(conflicts) = &why {
                            let mut ours: Vec<[String; 3]> = conflicts
                                .causes()
                                .into_iter()
                                .map(|cause| [cause.reason.to_owned(), cause.message, cause.field])
                                .collect();
                            ours.sort();
                            report.check(of, &ours, &causes_of(step));
                        }
                    }
                    (ours, code) => {
                        let ours = format!("{:?}", ours.map(|applied| applied.changed));
                        report.check(of, &ours, &format!("{code} {message}"));
                    }
                }
            } else if let Some(recorded) = &response {
                let mut new = recorded.clone();
                new.remove_at(&["metadata", "managedFields"]);
                let sent = match (verb, &live) {
                    ("merge-patch", Some(live)) => managed_of(live),
                    _ => request_body.at(&["metadata", "managedFields"]).cloned().unwrap_or_default(),
                };
                if !sent.is_null() {
                    new.set_at(&["metadata", "managedFields"], sent);
                }
                if (verb, kind) == ("create", "Service") {
                    // Allocated after ownership is recorded.
                    for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
                        new.remove_at(&["spec", field]);
                    }
                }
                if (verb, kind) == ("create", "Pod") {
                    // Set by admission, which comes after too.
                    for field in ["preemptionPolicy", "priority", "tolerations"] {
                        new.remove_at(&["spec", field]);
                    }
                }
                let mut ours = update(live.as_ref(), &new, &request);
                if let Some(live) = &live {
                    keep_times_of_unchanged(live, &mut ours);
                }
                report.check(|| format!("{} managedFields", of()), &managed_of(&ours), &managed_of(recorded));
            }
            if let Some(response) = response {
                live = Some(response);
            }
        }
    }
    report.finish(800);
}

#[test]
fn ownership_of_client_side_apply_is_taken_over() {
    let mut report = Report::default();
    for case in cases("take-over.jsonl") {
        let object = Object::try_new(case.get("object").unwrap().clone()).unwrap();
        let ours = take_over(&object, "csa", "ssa", "");
        // A list that only encodes anew is no change.
        let before = object.at(&["metadata", "managedFields"]);
        let expected = case.get("managedFields").filter(|after| Some(*after) != before).cloned();
        report.check(|| format!("{case:?}"), &ours, &expected);
    }
    report.finish(40);
}

#[test]
fn what_is_extracted_by_manager_is_what_it_owns() {
    let mut report = Report::default();
    for scenario in &lines("apply.jsonl")[1..] {
        for response in scenario.items_at(&["steps"]).iter().filter_map(|step| step.get("response")) {
            let object = Object::try_new(response.clone()).unwrap();
            for manager in ["m1", "m2", "kubectl", "nobody"] {
                let expected =
                    owned_by(&object, manager, Operation::Apply).map(|set| extract(response, &set));
                report.check(
                    || format!("{manager} of {object:?}"),
                    &extract_owned(&object, manager),
                    &expected,
                );
            }
        }
    }
    report.finish(2000);
}

proptest! {
    #[test]
    fn applying_twice_is_applying_once(live in spec(), first in spec(), second in spec(), force in any::<bool>()) {
        static LAMP: LazyLock<ObjectType> = LazyLock::new(|| {
            let schema = lines("apply.jsonl")[0].at(&["schemas", "Lamp"]).unwrap().clone();
            ObjectType::from_crd(&schema, false).unwrap()
        });
        let types = [LAMP.clone(), ObjectType::deduced()];
        for object_type in types {
            let request = Request { manager: "a", object_type: &object_type, subresource: "", now: "2026-01-01T00:00:00Z", ignored: None };
            let created = update(None, &lamp(&live), &Request { manager: "creator", ..request });
            let Ok(once) = apply(Some(&created), &lamp(&first), &request, force) else { continue };
            let later = Request { now: "2027-01-01T00:00:00Z", ..request };
            let twice = apply(Some(&once.object), &lamp(&first), &later, false).unwrap();
            prop_assert!(!twice.changed);
            prop_assert_eq!(&twice.object, &once.object);
            if first == Value::object() {
                continue;
            }
            let mine = extract_owned(&once.object, "a").unwrap_or_default();
            let wanted = extract(&lamp(&first).to_value(), &owned_by(&once.object, "a", Operation::Apply).unwrap_or_default());
            prop_assert_eq!(sorted(mine), sorted(wanted));
            // Leaving everything out gives it all back.
            let forced = apply(Some(&once.object), &lamp(&second), &later, true).unwrap();
            let gone = apply(Some(&forced.object), &lamp(&Value::object()), &later, true).unwrap();
            prop_assert_eq!(owned_by(&gone.object, "a", Operation::Apply).unwrap_or_default().to_string(), ".spec");
        }
    }
}

/// Lists that merge keep the order of the live object.
fn sorted(value: Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.into_iter().map(sorted).collect();
            items.sort_by(Value::total_cmp);
            Value::from(items)
        }
        Value::Object(map) => {
            Value::Object(map.into_iter().map(|(name, value)| (name, sorted(value))).collect())
        }
        scalar => scalar,
    }
}

fn lamp(spec: &Value) -> Object {
    let lamp = value!({"apiVersion": "example.com/v1", "kind": "Lamp", "metadata": {"name": "l"}, "spec": (spec.clone())});
    Object::try_new(lamp).unwrap()
}

fn spec() -> impl Strategy<Value = Value> {
    let colour = prop::option::of(prop::sample::select(vec!["red", "blue"]));
    let tags = prop::option::of(prop::sample::subsequence(vec!["a", "b", "c"], 1..3).prop_shuffle());
    let bulb = |name: &'static str| {
        prop::option::of(prop::option::of(0..3_i64)).prop_map(move |watt| {
            watt.map(|watt| value!({"name": name, "port": 80, "watt": (watt.map_or(1, |watt| watt + 5))}))
        })
    };
    let bulbs = (bulb("p"), bulb("q"), bulb("r"))
        .prop_map(|(p, q, r)| [p, q, r].into_iter().flatten().collect::<Vec<Value>>())
        .prop_shuffle();
    let map = prop::collection::btree_map("[a-c]", "[12]", 0..3);
    (colour, tags, bulbs, map).prop_map(|(colour, tags, bulbs, map)| {
        let mut spec = Value::object();
        if let Some(colour) = colour {
            spec.set_at(&["colour"], colour);
        }
        if let Some(tags) = tags {
            spec.set_at(&["tags"], tags.into_iter().map(Value::from).collect::<Vec<Value>>());
        }
        if !bulbs.is_empty() {
            spec.set_at(&["bulbs"], bulbs);
        }
        for (name, value) in map {
            spec.set_at(&["map", &name], value);
        }
        spec
    })
}

#[test]
fn depth_is_bounded() {
    let mut deep = Value::from("x");
    for _ in 0..5000 {
        deep = value!({"a": (deep)});
    }
    let config = lamp(&deep);
    let deduced = ObjectType::deduced();
    let request = Request {
        manager: "a",
        object_type: &deduced,
        subresource: "",
        now: "2026-01-01T00:00:00Z",
        ignored: None,
    };
    let refused = apply(None, &config, &request, false).unwrap_err().to_string();
    assert!(
        refused.ends_with("nests deeper than MAX_DEPTH (256) levels"),
        "{}",
        &refused[refused.len() - 80..]
    );
    // An update is never refused here: the object is stored, its ownership is not tracked.
    assert_eq!(update(None, &config, &request).at(&["metadata", "managedFields"]), None);
    let mut fields = value!({"f:x": (Value::object())});
    for _ in 0..300 {
        fields = value!({"f:a": (fields)});
    }
    let refused = FieldSet::from_value(&fields).unwrap_err().to_string();
    assert_eq!(refused, "fieldsV1 nests deeper than MAX_DEPTH (256) levels");
    // Taking such a value apart is the tree's own business, and needs more stack than a test has.
    std::mem::forget((deep, config));
}
