//! JSON merge patch (RFC 7386): apply one, and make one from two documents.

use crate::{Map, Value};

/// Applies a merge patch: null removes a member, objects are merged, all else replaces.
///
/// As kube-apiserver does it (`evanphx/json-patch` v4.13.0), nulls inside what is newly set are dropped too,
/// also in objects within lists; a list that replaces an object keeps them.
#[must_use]
pub fn apply(document: &Value, patch: &Value) -> Value {
    match (document, patch) {
        (Value::Object(document), Value::Object(patch)) => Value::Object(merge(document, patch)),
        (_, patch) => without_nulls(patch),
    }
}

fn merge(document: &Map, patch: &Map) -> Map {
    let mut merged = document.clone();
    for (key, change) in patch.iter() {
        if change.is_null() {
            if merged.contains_key(key) {
                merged.remove(key);
            }
            continue;
        }
        let new = match (merged.get(key), change) {
            (Some(Value::Object(current)), Value::Object(change)) => Value::Object(merge(current, change)),
            (Some(Value::Object(_)), other) => other.clone(),
            (_, change) => without_nulls(change),
        };
        if merged.get(key) != Some(&new) {
            merged.insert(key.clone(), new);
        }
    }
    merged
}

/// Without the null members of objects, at any depth; null items of lists stay.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let members = map.iter().filter(|(_, value)| !value.is_null());
            Value::Object(members.map(|(key, value)| (key.clone(), without_nulls(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_nulls).collect()),
        scalar => scalar.clone(),
    }
}

/// The smallest merge patch that turns `from` into `to`; an empty object when they are equal.
///
/// `apply(from, diff(from, to)) == to` as long as `to` has no null members: a merge patch cannot set null.
#[must_use]
pub fn diff(from: &Value, to: &Value) -> Value {
    match (from, to) {
        (Value::Object(from), Value::Object(to)) => Value::Object(diff_maps(from, to)),
        (_, to) => to.clone(),
    }
}

fn diff_maps(from: &Map, to: &Map) -> Map {
    let removed = from.keys().filter(|key| !to.contains_key(key)).map(|key| (key.clone(), Value::Null));
    let changed = to.iter().filter_map(|(key, new)| match (from.get(key), new) {
        (Some(old), new) if old == new => None,
        (Some(Value::Object(old)), Value::Object(new)) => {
            Some((key.clone(), Value::Object(diff_maps(old, new))))
        }
        _ => Some((key.clone(), new.clone())),
    });
    removed.chain(changed).collect()
}
