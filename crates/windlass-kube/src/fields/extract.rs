//! Reads from a live object what a set of fields owns, without a schema.

use std::cmp::Ordering;

use super::element::{PathElement, compare_values};
use super::managed::{Operation, managed_fields, owned_by};
use super::set::{FieldSet, Node};
use crate::{Map, Object, Str, Value};

/// The part of `live` that `set` owns.
///
/// A member without members below it is taken whole. A container that is itself a member is kept even when
/// nothing in it is owned; any other container appears only with something in it. Items of lists are found by
/// their key fields (`k:`), their value (`v:`) or their position (`i:`), keep the order they have in `live`,
/// and include their key fields. What `set` owns and `live` lacks is left out. `apiVersion` and `kind` are
/// never owned, so they are not in the result. Without a schema, an object that was applied empty (`{}`) cannot
/// be told from one that is atomic: it is taken whole.
#[must_use]
pub fn extract(live: &Value, set: &FieldSet) -> Value {
    pick(live, set).unwrap_or_else(|| empty_like(live))
}

/// The part of `live` that `manager` owns by server-side apply; `None` when it owns nothing.
///
/// Equal to [`extract`] with what [`owned_by`] says, but reads `fieldsV1` as it goes: this is what runs on every
/// event of a watch.
#[must_use]
pub fn extract_owned(live: &Object, manager: &str) -> Option<Value> {
    let mut own = managed_fields(live).filter(|entry| {
        entry.manager == manager && entry.operation == Some(Operation::Apply) && entry.subresource.is_empty()
    });
    let only = match (own.next()?, own.next()) {
        (only, None) => only.fields_v1,
        _ => None,
    };
    let picked = match only {
        Some(Value::Object(fields)) => recorded::pick_members(live.as_map(), fields, super::MAX_DEPTH),
        _ => pick_members(live.as_map(), &owned_by(live, manager, Operation::Apply)?),
    };
    Some(picked.map_or_else(Value::object, Value::Object))
}

fn empty_like(live: &Value) -> Value {
    match live {
        Value::Array(_) => Value::Array(crate::Array::new()),
        Value::Object(_) => Value::object(),
        scalar => scalar.clone(),
    }
}

/// What of `value` lies below the members of `set`; `None` when nothing does.
fn pick(value: &Value, set: &FieldSet) -> Option<Value> {
    match value {
        Value::Object(map) => pick_members(map, set).map(Value::Object),
        Value::Array(items) => {
            let lookup = ItemLookup::new(set.nodes());
            let mut out = Vec::new();
            for (idx, item) in items.iter().enumerate() {
                let Some(node) = lookup.find(idx, item) else { continue };
                if let Some(picked) = pick_node(item, node) {
                    out.push(with_key_fields(picked, item, &node.element));
                }
            }
            (!out.is_empty()).then(|| Value::Array(out.into()))
        }
        _ => None,
    }
}

/// An item is of no use without the fields that name it.
fn with_key_fields(mut picked: Value, item: &Value, element: &PathElement) -> Value {
    if let (PathElement::Key(key), Value::Object(picked), Value::Object(item)) = (element, &mut picked, item)
    {
        for (name, _) in key.iter() {
            if let (false, Some(value)) = (picked.contains_key(name), item.get(name)) {
                picked.insert(name.clone(), value.clone());
            }
        }
    }
    picked
}

fn pick_members(map: &Map, set: &FieldSet) -> Option<Map> {
    let mut out: Vec<(Str, Value)> = Vec::with_capacity(set.nodes().len().min(map.len()));
    for node in set.nodes() {
        // Fields sort before all other elements.
        let PathElement::Field(name) = &node.element else { break };
        if let Some(picked) = map.get(name).and_then(|value| pick_node(value, node)) {
            out.push((name.clone(), picked));
        }
    }
    (!out.is_empty()).then(|| out.into_iter().collect())
}

fn pick_node(value: &Value, node: &Node) -> Option<Value> {
    if node.children.is_empty() {
        return Some(value.clone());
    }
    pick(value, &node.children).or_else(|| node.member.then(|| empty_like(value)))
}

impl AsRef<PathElement> for Node {
    fn as_ref(&self) -> &PathElement {
        &self.element
    }
}

/// The elements of a set that name items of a list, by kind.
struct ItemLookup<'a, N> {
    by_key: &'a [N],
    by_value: &'a [N],
    by_index: &'a [N],
    /// All keys have the same names, so that they sort by their values alone.
    uniform: bool,
}

impl<'a, N: AsRef<PathElement>> ItemLookup<'a, N> {
    /// Takes nodes sorted by element.
    fn new(nodes: &'a [N]) -> Self {
        let n_fields = nodes.partition_point(|node| matches!(node.as_ref(), PathElement::Field(_)));
        let (_, nodes) = nodes.split_at(n_fields);
        let n_keys = nodes.partition_point(|node| matches!(node.as_ref(), PathElement::Key(_)));
        let (by_key, nodes) = nodes.split_at(n_keys);
        let n_values = nodes.partition_point(|node| matches!(node.as_ref(), PathElement::Value(_)));
        let (by_value, by_index) = nodes.split_at(n_values);
        let uniform = by_key.windows(2).all(|pair| match (pair[0].as_ref(), pair[1].as_ref()) {
            (PathElement::Key(a), PathElement::Key(b)) => {
                a.len() == b.len() && a.iter().zip(b.iter()).all(|((a, _), (b, _))| a == b)
            }
            _ => false,
        });
        Self { by_key, by_value, by_index, uniform }
    }

    fn find(&self, idx: usize, item: &Value) -> Option<&'a N> {
        if let (false, Value::Object(item)) = (self.by_key.is_empty(), item) {
            let found = if self.uniform {
                self.by_key.binary_search_by(|node| compare_key(node.as_ref(), item)).ok()
            } else {
                self.by_key.iter().position(|node| compare_key(node.as_ref(), item).is_eq())
            };
            if let Some(found) = found {
                return Some(&self.by_key[found]);
            }
        }
        if !self.by_value.is_empty() {
            let by_value = |node: &N| match node.as_ref() {
                PathElement::Value(value) => compare_values(value, item),
                _ => Ordering::Less,
            };
            if let Ok(found) = self.by_value.binary_search_by(by_value) {
                return Some(&self.by_value[found]);
            }
        }
        if !self.by_index.is_empty() {
            let by_index = |node: &N| match node.as_ref() {
                PathElement::Index(index) => {
                    usize::try_from(*index).map_or(Ordering::Less, |have| have.cmp(&idx))
                }
                _ => Ordering::Less,
            };
            if let Ok(found) = self.by_index.binary_search_by(by_index) {
                return Some(&self.by_index[found]);
            }
        }
        None
    }
}

/// How a key element compares to the key that `item` has.
fn compare_key(element: &PathElement, item: &Map) -> Ordering {
    let PathElement::Key(fields) = element else { return Ordering::Less };
    for (name, value) in fields.iter() {
        let order = item.get(name).map_or(Ordering::Less, |have| compare_values(value, have));
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

/// The same, driven by fieldsV1 as objects carry it.
mod recorded {
    use super::{ItemLookup, PathElement, empty_like, with_key_fields};
    use crate::{Map, Str, Value};

    /// A key of fieldsV1 that names an item of a list, and what is below it.
    struct Item<'a> {
        element: PathElement,
        fields: &'a Value,
    }

    impl AsRef<PathElement> for Item<'_> {
        fn as_ref(&self) -> &PathElement {
            &self.element
        }
    }

    pub(super) fn pick_members(map: &Map, fields: &Map, depth: usize) -> Option<Map> {
        let mut out: Vec<(Str, Value)> = Vec::with_capacity(fields.len().min(map.len()));
        for (key, fields) in fields.iter() {
            let Some(name) = key.strip_prefix("f:") else { continue };
            let Some(value) = map.get(name) else { continue };
            if let Some(picked) = pick(value, fields, depth) {
                out.push((Str::new(name), picked));
            }
        }
        (!out.is_empty()).then(|| out.into_iter().collect())
    }

    fn pick(value: &Value, fields: &Value, depth: usize) -> Option<Value> {
        let leads_on = |key: &str| ["f:", "k:", "v:", "i:"].iter().any(|kind| key.starts_with(kind));
        let Some(fields) = fields.as_object().filter(|fields| fields.keys().any(|key| leads_on(key))) else {
            return Some(value.clone());
        };
        let depth = depth.checked_sub(1)?;
        let picked = match value {
            Value::Object(map) => pick_members(map, fields, depth).map(Value::Object),
            Value::Array(items) => {
                let named = fields.iter().filter_map(|(key, fields)| {
                    let element =
                        if leads_on(key) { PathElement::parse_key(key).ok()?? } else { return None };
                    Some(Item { element, fields })
                });
                let mut named: Vec<Item<'_>> = named.collect();
                if !named.is_sorted_by(|a, b| a.element <= b.element) {
                    named.sort_by(|a, b| a.element.cmp(&b.element));
                }
                let lookup = ItemLookup::new(&named);
                let mut out = Vec::with_capacity(named.len().min(items.len()));
                for (idx, item) in items.iter().enumerate() {
                    let Some(found) = lookup.find(idx, item) else { continue };
                    if let Some(picked) = pick(item, found.fields, depth) {
                        out.push(with_key_fields(picked, item, &found.element));
                    }
                }
                (!out.is_empty()).then(|| Value::Array(out.into()))
            }
            _ => None,
        };
        picked.or_else(|| fields.contains_key(".").then(|| empty_like(value)))
    }
}
