//! Server-side apply and the tracking of ownership, against what a real kube-apiserver did.

#![allow(clippy::unwrap_used, reason = "tests")]

mod recorded;

use std::collections::HashMap;

use recorded::{Report, lines};
use windlass_kube::fields::{FieldSet, extract, managed_fields};
use windlass_kube::merge::{ApplyError, Request, apply, keep_times_of_unchanged, update};
use windlass_kube::schema::{ObjectType, Types};
use windlass_kube::{Gvk, Object, Value};

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
