//! Merging and ordering of lists.

use super::{DIRECTIVE, Result, Schema, StrategicPatchError, bad_type, merge_maps, unknown_directive};
use crate::go_print::GoValue;
use crate::{Array, Map, Value};

/// Merges two lists: of objects by their merge key, of scalars as sets.
pub(super) fn merge(
    original: &Array,
    patch: &Array,
    schema: Schema<'_>,
    merge_key: Option<&str>,
    is_deletion: bool,
    depth: usize,
) -> Result<Array> {
    if original.is_empty() && patch.is_empty() {
        return Ok(original.clone());
    }
    if !holds_maps(&[original, patch])? {
        if is_deletion {
            return Ok(original.iter().filter(|item| !patch.contains(item)).cloned().collect());
        }
        let mut merged: Vec<Value> = Vec::with_capacity(original.len() + patch.len());
        for item in original.iter().chain(patch) {
            if !merged.contains(item) {
                merged.push(item.clone());
            }
        }
        return arrange(merged, patch, original, None);
    }
    let Some(key) = merge_key.filter(|key| !key.is_empty()) else {
        return Err(StrategicPatchError::Failed("cannot merge lists without merge key for struct".into()));
    };
    let (original, patch) = take_directives(original, patch, key)?;
    let mut merged: Vec<Value> = original.iter().cloned().collect();
    for item in &patch {
        let map = as_map(item)?;
        let value = merge_value(map, key)?;
        match find(&merged, key, value)? {
            Some(idx) => {
                let have = as_map(&merged[idx])?;
                merged[idx] = Value::Object(merge_maps(have, map, schema, depth)?);
            }
            None => merged.push(item.clone()),
        }
    }
    arrange(merged, &patch, &original, Some(key))
}

/// Puts a merged list into the order that `$setElementOrder` asks for.
pub(super) fn order(
    merged: &Array,
    order: &Array,
    original: Option<&Array>,
    patch: Option<&Array>,
    merge_key: Option<&str>,
) -> Result<Array> {
    let empty = Array::new();
    let original = original.unwrap_or(&empty);
    let has_maps = holds_maps(&[original, patch.unwrap_or(&empty)])?;
    let key = merge_key.filter(|_| has_maps);
    arrange(merged.iter().cloned().collect(), order, original, key)
}

/// Items named in the patch come in its order, the others in the server's, and the server's order decides how the
/// two are interleaved.
fn arrange(merged: Vec<Value>, patch: &Array, original: &Array, key: Option<&str>) -> Result<Array> {
    let mut in_patch = Vec::new();
    let mut server_only = Vec::new();
    for item in merged {
        let is_in_patch = match key {
            None => patch.contains(&item),
            Some(key) => find(patch, key, merge_value(as_map(&item)?, key)?)?.is_some(),
        };
        if is_in_patch {
            in_patch.push(item);
        } else {
            server_only.push(item);
        }
    }
    for list in [patch, original] {
        if let Some(key) = key {
            list.iter().try_for_each(|item| merge_value(as_map(item)?, key).map(drop))?;
        }
    }
    let identity = |item: &Value| match key {
        Some(key) => item.get(key).cloned().unwrap_or_default(),
        None => item.clone(),
    };
    let position = |list: &Array, item: &Value| {
        let wanted = identity(item);
        list.iter().position(|have| identity(have) == wanted)
    };
    in_patch.sort_by_key(|item| position(patch, item));
    server_only.sort_by_key(|item| position(original, item));
    let mut out = Vec::with_capacity(in_patch.len() + server_only.len());
    let mut in_patch = in_patch.into_iter().peekable();
    for item in server_only {
        let place = position(original, &item);
        while let Some(next) = in_patch.peek() {
            let is_before =
                matches!((place, position(original, next)), (Some(item), Some(next)) if item < next);
            if is_before {
                break;
            }
            out.extend(in_patch.next());
        }
        out.push(item);
    }
    out.extend(in_patch);
    Ok(out.into())
}

/// Does what items with `$patch` say; the original that is left, and the patch without them.
fn take_directives(original: &Array, patch: &Array, key: &str) -> Result<(Array, Array)> {
    let mut original = original.clone();
    let mut items = Vec::new();
    let mut replaces = false;
    for item in patch {
        let map = as_map(item)?;
        let Some(directive) = map.get(DIRECTIVE) else {
            items.push(item.clone());
            continue;
        };
        match directive.as_str() {
            Some("delete") => {
                let value = merge_value(map, key)?;
                while let Some(idx) = find(&original, key, value)? {
                    original.as_mut().remove(idx);
                }
            }
            Some("replace") => replaces = true,
            Some("merge") => {
                let message = "merging lists cannot yet be specified in the patch";
                return Err(StrategicPatchError::Failed(message.into()));
            }
            _ => return Err(unknown_directive(directive, map)),
        }
    }
    let items = Array::from(items);
    Ok(if replaces { (items, Array::new()) } else { (original, items) })
}

/// Checks that the items of the patch are in the order asked for, in the same order.
pub(super) fn check_order(patch: Option<&Array>, order: &Array, merge_key: Option<&str>) -> Result<()> {
    // A list that is not there fails only where its type is looked at.
    let Some(patch) = patch.filter(|patch| !patch.is_empty() && !order.is_empty()) else { return Ok(()) };
    let mut items: Vec<&Value> = patch.iter().collect();
    if merge_key.is_some() {
        for item in patch {
            as_map(item)?;
        }
        items.retain(|item| item.get(DIRECTIVE).and_then(Value::as_str) != Some("delete"));
    }
    let (mut i, mut o) = (0, 0);
    while i < items.len() && o < order.len() {
        if items[i].get(DIRECTIVE).is_some() {
            i += 1;
            continue;
        }
        let is_same = match merge_key {
            None => *items[i] == order[o],
            Some(key) => merge_value(as_map(items[i])?, key)? == merge_value(as_map(&order[o])?, key)?,
        };
        i += usize::from(is_same);
        o += 1;
    }
    if i < items.len() && o >= order.len() {
        let (patch, order) = (Value::Array(patch.clone()), Value::Array(order.clone()));
        return Err(StrategicPatchError::Failed(format!(
            "The order in patch list:\n{}\n doesn't match $setElementOrder list:\n{}\n",
            GoValue(&patch),
            GoValue(&order)
        )));
    }
    Ok(())
}

fn as_map(value: &Value) -> Result<&Map> {
    value.as_object().ok_or_else(|| bad_type("map[string]interface {}", value))
}

fn merge_value<'v>(map: &'v Map, key: &str) -> Result<&'v Value> {
    map.get(key).ok_or_else(|| {
        let map = Value::Object(map.clone());
        let message = format!("map: {} does not contain declared merge key: {key}", GoValue(&map));
        StrategicPatchError::Failed(message)
    })
}

fn find(list: &[Value], key: &str, value: &Value) -> Result<Option<usize>> {
    for (idx, item) in list.iter().enumerate() {
        let Value::Object(map) = item else {
            return Err(StrategicPatchError::Failed(format!("value for key {idx} is not a map")));
        };
        if map.get(key) == Some(value) {
            return Ok(Some(idx));
        }
    }
    Ok(None)
}

/// Whether the lists hold objects; all their items must be of one type, and no lists.
fn holds_maps(lists: &[&Array]) -> Result<bool> {
    let mut items = lists.iter().flat_map(|list| list.iter());
    let Some(first) = items.next() else {
        return Err(StrategicPatchError::Failed("no elements in any of the given slices".into()));
    };
    if matches!(first, Value::Array(_)) {
        return Err(StrategicPatchError::Unsupported("lists of lists are not supported"));
    }
    let kind = std::mem::discriminant(first);
    if items.any(|item| std::mem::discriminant(item) != kind) {
        let lists = Value::Array(lists.iter().map(|list| Value::Array((*list).clone())).collect());
        let message = format!("list element types are not identical: {}", GoValue(&lists));
        return Err(StrategicPatchError::Failed(message));
    }
    Ok(matches!(first, Value::Object(_)))
}
