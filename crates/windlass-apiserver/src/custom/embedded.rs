//! Whole objects within custom resources: their metadata is read and checked as that of every object.

use windlass_kube::{Gvk, Map, Object, Value, validation};

use super::cause_of;
use super::schema::Node;
use crate::defaults;
use crate::status::Cause;

/// Whether a schema has whole objects somewhere.
pub(super) fn is_anywhere(node: &Node) -> bool {
    node.embedded
        || node.properties.iter().any(|(_, member)| is_anywhere(member))
        || node.items.as_deref().is_some_and(is_anywhere)
        || matches!(&node.additional, super::schema::Additional::Like(like) if is_anywhere(like))
}

/// Drops what the metadata of a whole object does not have.
pub(super) fn prune(node: &Node, value: &mut Value, path: &str, unknown: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            if node.embedded
                && let Some(metadata) = map.get("metadata").filter(|it| it.as_object().is_some()).cloned()
            {
                let mut carrier = Value::object();
                carrier.set_at(&["metadata"], metadata);
                if let Ok(dropped) = defaults::normalize(&Gvk::new("", "v1", "ConfigMap"), &mut carrier) {
                    unknown.extend(dropped.into_iter().map(|field| step(path, &field)));
                    let read = carrier.get("metadata").cloned().unwrap_or_else(Value::object);
                    map.insert("metadata", read);
                }
            }
            for (key, value) in map.iter_mut() {
                if let (Some(member), Value::Object(_) | Value::Array(_)) = (node.member(key), &value) {
                    prune(member, value, &step(path, key), unknown);
                }
            }
        }
        Value::Array(items) => {
            let Some(item_node) = &node.items else { return };
            for (idx, item) in items.as_mut().iter_mut().enumerate() {
                prune(item_node, item, &format!("{path}[{idx}]"), unknown);
            }
        }
        _ => {}
    }
}

fn step(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// Adds what is wrong with whole objects.
pub(super) fn check(node: &Node, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    match value {
        Value::Object(map) => {
            if node.embedded {
                object(map, path, causes);
            }
            for (key, value) in map.iter() {
                let (member, path) =
                    match node.properties.binary_search_by(|(have, _)| have.as_str().cmp(key.as_str())) {
                        Ok(idx) => (Some(&node.properties[idx].1), step(path, key)),
                        Err(_) => (node.member(key), format!("{path}[{key}]")),
                    };
                if let (Some(member), Value::Object(_) | Value::Array(_)) = (member, value) {
                    check(member, value, &path, causes);
                }
            }
        }
        Value::Array(items) => {
            let Some(item_node) = &node.items else { return };
            for (idx, item) in items.iter().enumerate() {
                check(item_node, item, &format!("{path}[{idx}]"), causes);
            }
        }
        _ => {}
    }
}

fn object(map: &Map, path: &str, causes: &mut Vec<Cause>) {
    for key in ["apiVersion", "kind"] {
        let field = step(path, key);
        match map.get(key) {
            None => causes.push(Cause::required(field, "")),
            Some(Value::String(text)) if text.is_empty() => {
                causes.push(Cause::invalid(field, &Value::from(""), "must not be empty"));
            }
            Some(Value::String(text)) if key == "kind" => {
                let messages = validation::dns1035_label(&text.to_lowercase());
                if !messages.is_empty() {
                    let why =
                        format!("may have mixed case, but should otherwise match: {}", messages.join(","));
                    causes.push(Cause::invalid(field, &Value::from(text.clone()), &why));
                }
            }
            Some(Value::String(text)) => {
                if text.matches('/').count() > 1 {
                    let why = format!("unexpected GroupVersion string: {text}");
                    causes.push(Cause::invalid(field, &Value::from(text.clone()), &why));
                }
            }
            Some(other) => causes.push(Cause::invalid(field, other, "must be a string")),
        }
    }
    let Some(Ok(of)) = map.get("metadata").map(|metadata| {
        let mut carrier = Value::object();
        carrier.set_at(&["metadata"], metadata.clone());
        Object::try_new(carrier)
    }) else {
        return;
    };
    let path = step(path, "metadata");
    for message in validation::path_segment_name(of.name()) {
        if !of.name().is_empty() {
            causes.push(Cause::invalid(format!("{path}.name"), &Value::from(of.name()), &message));
        }
    }
    let maps = [
        ("labels", validation::labels as fn(&Map, &str) -> Vec<validation::Invalid>),
        ("annotations", validation::annotations),
    ];
    for (member, check) in maps {
        if let Some(map) = of.at(&["metadata", member]).and_then(Value::as_object) {
            causes.extend(check(map, &format!("{path}.{member}")).into_iter().map(cause_of));
        }
    }
}
