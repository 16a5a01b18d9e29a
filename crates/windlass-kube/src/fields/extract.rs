//! Reads from a live object what a set of fields owns, without a schema.

use std::cmp::Ordering;

use super::element::{PathElement, compare_values};
use super::managed::{Operation, owned_by};
use super::set::{FieldSet, Node};
use crate::{Map, Object, Str, Value};

/// The part of `live` that `set` owns.
///
/// A member without members below it is taken whole. A container that is itself a member is kept even when
/// nothing in it is owned; any other container appears only with something in it. Items of lists are found by
/// their key fields (`k:`), their value (`v:`) or their position (`i:`), keep the order they have in `live`,
/// and include their key fields. What `set` owns and `live` lacks is left out. `apiVersion` and `kind` are
/// never owned, so they are not in the result.
#[must_use]
pub fn extract(live: &Value, set: &FieldSet) -> Value {
    pick(live, set).unwrap_or_else(|| empty_like(live))
}

/// The part of `live` that `manager` owns by server-side apply; `None` when it owns nothing.
#[must_use]
pub fn extract_owned(live: &Object, manager: &str) -> Option<Value> {
    let set = owned_by(live, manager, Operation::Apply)?;
    Some(pick_members(live.as_map(), &set).map_or_else(Value::object, Value::Object))
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
                let Some(mut picked) = pick_node(item, node) else { continue };
                if let (PathElement::Key(key), Value::Object(picked), Value::Object(item)) =
                    (&node.element, &mut picked, item)
                {
                    for (name, _) in key.iter() {
                        if let (false, Some(value)) = (picked.contains_key(name), item.get(name)) {
                            picked.insert(name.clone(), value.clone());
                        }
                    }
                }
                out.push(picked);
            }
            (!out.is_empty()).then(|| Value::Array(out.into()))
        }
        _ => None,
    }
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

/// The elements of a set that name items of a list, by kind.
struct ItemLookup<'a> {
    by_key: &'a [Node],
    by_value: &'a [Node],
    by_index: &'a [Node],
    /// All keys have the same names, so that they sort by their values alone.
    uniform: bool,
}

impl<'a> ItemLookup<'a> {
    fn new(nodes: &'a [Node]) -> Self {
        let n_fields = nodes.partition_point(|node| matches!(node.element, PathElement::Field(_)));
        let (_, nodes) = nodes.split_at(n_fields);
        let n_keys = nodes.partition_point(|node| matches!(node.element, PathElement::Key(_)));
        let (by_key, nodes) = nodes.split_at(n_keys);
        let n_values = nodes.partition_point(|node| matches!(node.element, PathElement::Value(_)));
        let (by_value, by_index) = nodes.split_at(n_values);
        let uniform = by_key.windows(2).all(|pair| match (&pair[0].element, &pair[1].element) {
            (PathElement::Key(a), PathElement::Key(b)) => {
                a.len() == b.len() && a.iter().zip(b.iter()).all(|((a, _), (b, _))| a == b)
            }
            _ => false,
        });
        Self { by_key, by_value, by_index, uniform }
    }

    fn find(&self, idx: usize, item: &Value) -> Option<&'a Node> {
        if let (false, Value::Object(item)) = (self.by_key.is_empty(), item) {
            let found = if self.uniform {
                self.by_key.binary_search_by(|node| compare_key(&node.element, item)).ok()
            } else {
                self.by_key.iter().position(|node| compare_key(&node.element, item).is_eq())
            };
            if let Some(found) = found {
                return Some(&self.by_key[found]);
            }
        }
        if !self.by_value.is_empty() {
            let by_value = |node: &Node| match &node.element {
                PathElement::Value(value) => compare_values(value, item),
                _ => Ordering::Less,
            };
            if let Ok(found) = self.by_value.binary_search_by(by_value) {
                return Some(&self.by_value[found]);
            }
        }
        if !self.by_index.is_empty() {
            let by_index = |node: &Node| match &node.element {
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
