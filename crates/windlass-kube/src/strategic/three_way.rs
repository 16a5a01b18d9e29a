//! What `kubectl apply` makes of an object: a three-way merge that merges lists item by item.

use super::{Schema, list, without_nulls};
use crate::fields::MAX_DEPTH;
use crate::schema::{ObjectType, PatchStrategy};
use crate::{Array, Map, Str, Value};

/// The object that `live` becomes when `wanted` is applied to it, and `applied` is what was applied last.
///
/// What `wanted` says holds; what `applied` said and `wanted` does not goes; the rest stays. Lists are merged item by
/// item where the type says by which key, and are taken as a whole from `wanted` where it does not, where an item has
/// no key, and where one is named twice: then no key says which is meant. Unknown fields are merged as maps.
///
/// Equal to applying what `CreateThreeWayMergePatch` of apimachinery v0.36.3 makes of the same three, but for lists
/// with repeated items, and for items that were applied, are wanted and are gone from `live`: there it leaves directives
/// behind that nobody carries out.
#[must_use]
pub fn three_way(object_type: &ObjectType, applied: &Value, wanted: &Value, live: &Value) -> Value {
    let (Value::Object(wanted_map), Value::Object(live)) = (wanted, live) else {
        return without_nulls(wanted);
    };
    let schema = Schema { types: object_type.types(), id: object_type.root() };
    Value::Object(maps(Some(schema), applied.as_object(), wanted_map, live, false, MAX_DEPTH))
}

fn maps(
    schema: Option<Schema<'_>>,
    applied: Option<&Map>,
    wanted: &Map,
    live: &Map,
    wanted_keys_only: bool,
    depth: usize,
) -> Map {
    let applied_at = |key: &str| applied.and_then(|applied| applied.get(key));
    let mut merged: Vec<(Str, Value)> = Vec::with_capacity(live.len().max(wanted.len()));
    for (key, there) in live.iter() {
        match wanted.get(key) {
            None if wanted_keys_only || applied_at(key).is_some() => {}
            None => merged.push((key.clone(), there.clone())),
            Some(Value::Null) => {}
            Some(wanted) => {
                merged.push((key.clone(), member(schema, key, applied_at(key), wanted, there, depth)));
            }
        }
    }
    let new = wanted.iter().filter(|(key, value)| !value.is_null() && !live.contains_key(key.as_str()));
    merged.extend(new.map(|(key, value)| (key.clone(), without_nulls(value))));
    merged.into_iter().collect()
}

fn member(
    schema: Option<Schema<'_>>,
    key: &str,
    applied: Option<&Value>,
    wanted: &Value,
    live: &Value,
    depth: usize,
) -> Value {
    let Some(depth) = depth.checked_sub(1) else { return without_nulls(wanted) };
    match (wanted, live) {
        (Value::Object(wanted), Value::Object(live)) => {
            let applied = applied.and_then(Value::as_object);
            match schema.and_then(|schema| schema.field(key).ok()) {
                Some((_, strategy)) if strategy.replace => Value::Object(wanted.clone()),
                Some((inner, strategy)) => {
                    Value::Object(maps(Some(inner), applied, wanted, live, strategy.retain_keys, depth))
                }
                None => Value::Object(maps(None, applied, wanted, live, false, depth)),
            }
        }
        (Value::Array(wanted), Value::Array(live)) => {
            let empty = Array::new();
            let applied = applied.and_then(Value::as_array).unwrap_or(&empty);
            let merged = schema
                .and_then(|schema| schema.items(key).ok())
                .filter(|(_, it)| it.merge)
                .and_then(|(items, strategy)| lists(items, strategy, applied, wanted, live, depth));
            Value::Array(merged.unwrap_or_else(|| wanted.clone()))
        }
        _ => without_nulls(wanted),
    }
}

/// A list whose items are merged; `None` where it can only be taken as a whole.
fn lists(
    schema: Schema<'_>,
    strategy: &PatchStrategy,
    applied: &Array,
    wanted: &Array,
    live: &Array,
    depth: usize,
) -> Option<Array> {
    if live.is_empty() {
        return None;
    }
    let key = strategy.merge_key.as_deref().filter(|key| !key.is_empty());
    let are_maps = |items: &Array| items.iter().all(|item| matches!(item, Value::Object(_)));
    let is_scalar = |item: &Value| !matches!(item, Value::Object(_) | Value::Array(_));
    if [applied, wanted, live].into_iter().flatten().all(is_scalar) {
        let stays = |item: &&Value| wanted.contains(item) || !applied.contains(item);
        let new = wanted.iter().filter(|item| !live.contains(item));
        let merged: Array = live.iter().filter(stays).chain(new).cloned().collect();
        return arranged(&merged, wanted, live, None);
    }
    let key = key.filter(|_| are_maps(applied) && are_maps(wanted) && are_maps(live))?;
    if ![applied, wanted, live].into_iter().all(|items| is_keyed(items, key)) {
        return None;
    }
    let of = |items: &'_ Array, item: &Value| -> Option<Map> {
        let found = items.iter().find(|other| other.get(key) == item.get(key))?;
        found.as_object().cloned()
    };
    let stays = |there: &&Value| of(wanted, there).is_some() || of(applied, there).is_none();
    let is_new = |item: &&Value| of(live, item).is_none();
    let kept = live.iter().filter(stays).map(|there| match (of(wanted, there), there) {
        (Some(wanted), Value::Object(live)) => {
            let applied = of(applied, there);
            Value::Object(maps(Some(schema), applied.as_ref(), &wanted, live, strategy.retain_keys, depth))
        }
        _ => there.clone(),
    });
    let merged: Array = kept.chain(wanted.iter().filter(is_new).map(without_nulls)).collect();
    // New items take the places of those that went, and so get a place among those that are not wanted: as in the
    // original, where both lists share their memory.
    let places: Array =
        live.iter().filter(stays).chain(wanted.iter().filter(is_new)).take(live.len()).cloned().collect();
    let named =
        |item: &Value| [(Str::new(key), item.get(key).cloned().unwrap_or_default())].into_iter().collect();
    let order: Array = wanted.iter().map(|item| Value::Object(named(item))).collect();
    arranged(&merged, &order, &places, Some(key))
}

/// What is wanted in its order, with the others between as they were.
fn arranged(merged: &Array, order: &Array, places: &Array, key: Option<&str>) -> Option<Array> {
    if order.is_empty() {
        return Some(merged.clone());
    }
    list::order(merged, order, Some(places), None, key).ok()
}

/// Whether all items have the key, each another one.
fn is_keyed(items: &Array, key: &str) -> bool {
    let keys: Vec<&Value> = items.iter().filter_map(|item| item.get(key)).collect();
    keys.len() == items.len() && keys.iter().enumerate().all(|(idx, one)| !keys[..idx].contains(one))
}
