//! Strategic merge patch: a merge patch that knows lists, driven by the patch strategies of the schema.
//!
//! All directives are read: `$patch: replace|delete|merge`, `$setElementOrder/…`, `$deleteFromPrimitiveList/…`
//! and `$retainKeys`. Where the original leaves the order of processing to chance, members are taken in the
//! order of their names, so items are deleted before others are added. [`three_way`] is what `kubectl apply` makes of
//! what was applied, what is wanted and what is live.
//!
//! Facts and messages: `k8s.io/apimachinery` v0.36.3, package `util/strategicpatch`.

mod list;
mod three_way;

pub use three_way::three_way;

use crate::fields::MAX_DEPTH;
use crate::go_print::{GoValue, quote};
use crate::schema::{ObjectType, PatchStrategy, TypeId, Types};
use crate::{Array, Map, Str, Value};

/// Why a strategic merge patch was refused. The messages are the server's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StrategicPatchError {
    /// A directive is malformed; the server answers 400.
    #[error("{0}")]
    Format(&'static str),
    /// It cannot be done with such content; the server answers 422.
    #[error("{0}")]
    Unsupported(&'static str),
    /// Anything else; the server answers 500.
    #[error("{0}")]
    Failed(String),
}

const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const SET_ORDER: &str = "$setElementOrder";
const DELETE_ITEMS: &str = "$deleteFromPrimitiveList";

const BAD_RETAIN_KEYS: StrategicPatchError =
    StrategicPatchError::Format("invalid patch format of retainKeys");
const BAD_ORDER: StrategicPatchError =
    StrategicPatchError::Format("invalid patch format of setElementOrder list");
const BAD_DELETION: StrategicPatchError =
    StrategicPatchError::Format("invalid patch format of primitive list");

type Result<T> = std::result::Result<T, StrategicPatchError>;

/// Applies a strategic merge patch to an object of a built-in kind.
///
/// # Errors
///
/// [`StrategicPatchError`]; a patch applies whole or not at all.
pub fn apply(object_type: &ObjectType, document: &Value, patch: &Value) -> Result<Value> {
    let empty = Map::new();
    let original = match document {
        Value::Object(original) => original,
        Value::Null => &empty,
        _ => return Err(StrategicPatchError::Format("invalid JSON document")),
    };
    let Value::Object(patch) = patch else {
        return Err(StrategicPatchError::Format("invalid JSON document"));
    };
    let schema = Schema { types: object_type.types(), id: object_type.root() };
    merge_maps(original, patch, schema, MAX_DEPTH).map(Value::Object)
}

/// The type of the value at hand.
#[derive(Clone, Copy)]
struct Schema<'t> {
    types: &'t Types,
    id: TypeId,
}

impl<'t> Schema<'t> {
    /// The type of a field and how it is patched.
    fn field(self, name: &str) -> Result<(Self, &'t PatchStrategy)> {
        let ty = self.types.get_type(self.id);
        let fields = ty.map.as_ref().map_or(&[][..], |map| map.fields.as_slice());
        if fields.is_empty() {
            let kind = match (&ty.map, &ty.list, ty.scalar) {
                (Some(_), None, None) => "map",
                (None, Some(_), None) => "slice",
                (None, None, Some(_)) => "string",
                _ => "interface",
            };
            return Err(StrategicPatchError::Failed(format!(
                "merging an object in json but data type is not struct, instead is: {kind}"
            )));
        }
        let exact = ty.map.as_ref().and_then(|map| map.field(name));
        let found = exact.or_else(|| fields.iter().find(|field| field.name.eq_ignore_ascii_case(name)));
        let found = found.ok_or_else(|| {
            let (of, name) = (self.types.struct_name(self.id), quote(name));
            StrategicPatchError::Failed(format!(
                "unable to find api field in struct {of} for the json field {name}"
            ))
        })?;
        Ok((Self { id: found.ty, ..self }, &found.patch))
    }

    /// The type of the items of a list and how the list is patched.
    fn items(self, name: &str) -> Result<(Self, &'t PatchStrategy)> {
        let (field, strategy) = self.field(name)?;
        match &self.types.get_type(field.id).list {
            Some(list) => Ok((Self { id: list.items, ..self }, strategy)),
            None => Err(StrategicPatchError::Failed("expected slice or array type, but got: struct".into())),
        }
    }
}

fn merge_maps(original: &Map, patch: &Map, schema: Schema<'_>, depth: usize) -> Result<Map> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(StrategicPatchError::Failed(format!("nests deeper than MAX_DEPTH ({MAX_DEPTH}) levels")));
    };
    if let Some(directive) = patch.get(DIRECTIVE) {
        return match directive.as_str() {
            Some("replace") => {
                let mut replacement = patch.clone();
                replacement.remove(DIRECTIVE);
                Ok(replacement)
            }
            Some("delete") => Ok(Map::new()),
            _ => Err(unknown_directive(directive, patch)),
        };
    }
    let mut merged = original.clone();
    let mut patch = patch.clone();
    retain_keys(&mut merged, &mut patch)?;
    set_element_orders(&mut merged, &mut patch, schema, depth)?;
    for (key, change) in patch.iter() {
        let deleted_from = match key.strip_prefix(DELETE_ITEMS) {
            Some(rest) => Some(rest.strip_prefix('/').ok_or(BAD_DELETION)?),
            None => None,
        };
        let name = deleted_from.unwrap_or(key);
        if change.is_null() {
            if merged.contains_key(name) {
                merged.remove(name);
            }
            continue;
        }
        let new = match (merged.get(name), change) {
            (Some(Value::Object(have)), Value::Object(change)) => {
                let (schema, strategy) = schema.field(name)?;
                if strategy.replace {
                    Some(Value::Object(change.clone()))
                } else {
                    Some(Value::Object(merge_maps(have, change, schema, depth)?))
                }
            }
            (Some(Value::Array(have)), Value::Array(change)) => {
                let (schema, strategy) = schema.items(name)?;
                Some(Value::Array(merge_lists(
                    have,
                    change,
                    schema,
                    strategy,
                    deleted_from.is_some(),
                    depth,
                )?))
            }
            // There is nothing to delete from.
            _ if deleted_from.is_some() => continue,
            _ => without_directives(&without_nulls(change)),
        };
        match new {
            Some(new) => {
                merged.insert(Str::new(name), new);
            }
            None => {
                merged.remove(name);
            }
        }
    }
    Ok(merged)
}

fn merge_lists(
    original: &Array,
    patch: &Array,
    schema: Schema<'_>,
    strategy: &PatchStrategy,
    is_deletion: bool,
    depth: usize,
) -> Result<Array> {
    if strategy.merge || is_deletion {
        list::merge(original, patch, schema, strategy.merge_key.as_deref(), is_deletion, depth)
    } else {
        Ok(patch.clone())
    }
}

/// Takes `$retainKeys` from the patch and removes from the original what it does not name.
fn retain_keys(original: &mut Map, patch: &mut Map) -> Result<()> {
    let Some(kept) = patch.remove(RETAIN_KEYS) else { return Ok(()) };
    let Value::Array(kept) = kept else { return Err(BAD_RETAIN_KEYS) };
    let is_kept = |name: &str| kept.iter().any(|kept| kept.as_str() == Some(name));
    for (name, value) in patch.iter() {
        let is_directive = name.starts_with(DELETE_ITEMS) || name.starts_with(SET_ORDER);
        if !value.is_null() && !is_directive && !is_kept(name) {
            return Err(BAD_RETAIN_KEYS);
        }
    }
    if !original.keys().all(|name| is_kept(name)) {
        original.retain(|name, _| is_kept(name));
    }
    Ok(())
}

/// Takes each `$setElementOrder/…` and the list it orders from the patch, and puts the merged list into the
/// original.
fn set_element_orders(original: &mut Map, patch: &mut Map, schema: Schema<'_>, depth: usize) -> Result<()> {
    let orders: Vec<(Str, Value)> = patch
        .iter()
        .filter(|(key, _)| key.starts_with(SET_ORDER))
        .map(|(key, order)| (key.clone(), order.clone()))
        .collect();
    for (key, order) in orders {
        patch.remove(&key);
        let order = as_list(&order)?;
        let name = key.strip_prefix(SET_ORDER).and_then(|rest| rest.strip_prefix('/')).ok_or(BAD_ORDER)?;
        let have = original.get(name).map(as_list).transpose()?;
        let change = patch.get(name).map(as_list).transpose()?;
        let (items, strategy) = schema.items(name)?;
        let merge_key = strategy.merge_key.as_deref();
        list::check_order(change.as_ref(), &order, merge_key)?;
        let merged = match (&have, &change) {
            (None, None) => continue,
            (Some(have), None) => have.clone(),
            (None, Some(change)) => change.iter().filter_map(without_directives).collect(),
            (Some(have), Some(change)) => merge_lists(have, change, items, strategy, false, depth)?,
        };
        let ordered = list::order(&merged, &order, have.as_ref(), change.as_ref(), merge_key)?;
        original.insert(Str::new(name), ordered);
        patch.remove(name);
    }
    Ok(())
}

fn as_list(value: &Value) -> Result<Array> {
    value.as_array().cloned().ok_or_else(|| bad_type("[]interface {}", value))
}

fn bad_type(expected: &str, actual: &Value) -> StrategicPatchError {
    StrategicPatchError::Failed(format!("expected a {expected}, but received a {}", printed_type(actual)))
}

/// What Go calls the type of a value in a tree.
#[must_use]
pub fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int64",
        Value::Float(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

/// A type as `%s` prints it: of nothing there is none.
fn printed_type(value: &Value) -> &'static str {
    if value.is_null() { "%!s(<nil>)" } else { go_type(value) }
}

fn unknown_directive(directive: &Value, map: &Map) -> StrategicPatchError {
    let map = Value::Object(map.clone());
    let directive = match directive {
        Value::Bool(_) | Value::Int(_) | Value::Float(_) => {
            format!("%!s({}={})", printed_type(directive), GoValue(directive))
        }
        Value::Null => "%!s(<nil>)".into(),
        other => GoValue(other).to_string(),
    };
    StrategicPatchError::Failed(format!("unknown patch type: {directive} in map: {}", GoValue(&map)))
}

/// A value to be set, without the maps that are directives; `None` when it is one itself.
fn without_directives(value: &Value) -> Option<Value> {
    match value {
        Value::Object(map) if map.contains_key(DIRECTIVE) => None,
        Value::Object(map) => {
            let kept =
                map.iter().filter_map(|(name, value)| Some((name.clone(), without_directives(value)?)));
            Some(Value::Object(kept.collect()))
        }
        Value::Array(items) => Some(Value::Array(items.iter().filter_map(without_directives).collect())),
        scalar => Some(scalar.clone()),
    }
}

/// A value to be set, without null members at any depth.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(name, value)| (name.clone(), without_nulls(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_nulls).collect()),
        scalar => scalar.clone(),
    }
}
