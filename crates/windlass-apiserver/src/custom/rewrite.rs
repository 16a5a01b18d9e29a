//! Pruning and defaulting by a structural schema.

use windlass_kube::{Map, Value};

use super::schema::{Additional, Kind, ListKind, Node};

/// Drops what the schema does not know from an object; its type and metadata are not the schema's affair.
pub(super) fn prune_root(node: &Node, object: &mut Value, unknown: &mut Vec<String>) {
    prune(node, object, &mut String::new(), true, unknown);
}

/// Drops what the schema does not know from a part of an object.
pub(super) fn prune_value(node: &Node, value: &mut Value) {
    prune(node, value, &mut String::new(), false, &mut Vec::new());
}

fn prune(node: &Node, value: &mut Value, path: &mut String, is_resource: bool, unknown: &mut Vec<String>) {
    match value {
        Value::Object(map) => prune_members(node, map, path, is_resource || node.embedded, unknown),
        Value::Array(items) => {
            let Some(item_node) = &node.items else { return };
            if !items.iter().any(|item| matches!(item, Value::Object(_) | Value::Array(_))) {
                return;
            }
            let length = path.len();
            for (idx, item) in items.as_mut().iter_mut().enumerate() {
                path.push_str(&format!("[{idx}]"));
                prune(item_node, item, path, false, unknown);
                path.truncate(length);
            }
        }
        _ => {}
    }
}

fn prune_members(
    node: &Node,
    map: &mut Map,
    path: &mut String,
    is_resource: bool,
    unknown: &mut Vec<String>,
) {
    let of_every_resource = |key: &str| is_resource && matches!(key, "apiVersion" | "kind" | "metadata");
    let is_known = |key: &str| {
        node.preserve_unknown
            || of_every_resource(key)
            || matches!(node.additional, Additional::Any)
            || node.member(key).is_some()
    };
    let length = path.len();
    let mut drops = false;
    for key in map.keys() {
        if !is_known(key) {
            drops = true;
            step(path, key);
            unknown.push(path.clone());
            path.truncate(length);
        }
    }
    if drops {
        map.retain(|key, _| is_known(key));
    }
    if !map.values().any(|value| matches!(value, Value::Object(_) | Value::Array(_))) {
        return;
    }
    for (key, value) in map.iter_mut() {
        let Some(member) = node.member(key).filter(|_| !of_every_resource(key)) else { continue };
        if matches!(value, Value::Object(_) | Value::Array(_)) {
            step(path, key);
            prune(member, value, path, false, unknown);
            path.truncate(length);
        }
    }
}

fn step(path: &mut String, key: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(key);
}

/// Sets what is absent to its default, at every depth. Where null is no value, null counts as absent.
pub(super) fn default(node: &Node, value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (name, member) in &node.properties {
                let absent = match map.get(name) {
                    None => true,
                    Some(Value::Null) if !member.nullable => {
                        map.remove(name);
                        true
                    }
                    Some(_) => false,
                };
                if let Some(default) = member.default.as_ref().filter(|_| absent) {
                    map.insert(name.clone(), default.clone());
                }
            }
            if let Additional::Like(like) = &node.additional
                && !like.nullable
                && map.values().any(Value::is_null)
            {
                match &like.default {
                    Some(default) => {
                        let nulls = map.iter_mut().filter(|(_, value)| value.is_null());
                        nulls.for_each(|(_, value)| *value = default.clone());
                    }
                    None => map.retain(|_, value| !value.is_null()),
                }
            }
            for (key, value) in map.iter_mut() {
                if let (Some(member), Value::Object(_) | Value::Array(_)) = (node.member(key), &value) {
                    default(member, value);
                }
            }
        }
        Value::Array(items) => {
            let Some(item_node) = &node.items else { return };
            let replaces_null = item_node.default.is_some() && !item_node.nullable;
            for item in items.as_mut() {
                match item {
                    Value::Null if replaces_null => *item = item_node.default.clone().unwrap_or_default(),
                    Value::Object(_) | Value::Array(_) => default(item_node, item),
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

/// What the type of a list's items is for its keys: used where lists are checked.
pub(super) fn is_keyed(node: &Node) -> bool {
    matches!(node.list, ListKind::Set | ListKind::Map(_)) && matches!(node.kind, Some(Kind::Array) | None)
}
