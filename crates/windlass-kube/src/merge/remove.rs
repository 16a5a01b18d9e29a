//! Removes what an applier no longer applies.

use super::managers::Managed;
use super::typed::{Shape, field_set, item_element, shape};
use crate::fields::{FieldSet, Node, PathElement};
use crate::schema::{ListKind, ObjectType, TypeId, Types};
use crate::{Str, Value};

/// Removes from the merged object what the applier applied last, `last`, and nobody owns now. `managed` has the
/// applier's new set already. `None` when nothing is removed.
pub(super) fn prune(
    object_type: &ObjectType,
    merged: &Value,
    managed: &Managed,
    last: &FieldSet,
) -> Option<Value> {
    let all = managed.entries().fold(FieldSet::new(), |all, entry| all.union(&entry.set));
    // All that was applied last is still owned: what pruning takes away would all be added back.
    if last.difference(&all).is_empty() {
        return None;
    }
    let (types, root) = (object_type.types(), object_type.root());
    let named = |set: &FieldSet| with_named_fields(types, root, set);
    let (last, all) = (named(last), named(&all));
    let merged_set = named(&field_set(object_type, merged));
    let pruned = remove(types, root, merged, &last);
    // What went with its parent but is owned comes back.
    let pruned_set = named(&field_set(object_type, &pruned));
    let pruned = remove(types, root, merged, &merged_set.difference(&pruned_set.union(&all)));
    // So does what the applier never owned.
    let pruned_set = named(&field_set(object_type, &pruned));
    let gone = merged_set.difference(&pruned_set).intersection(&last);
    (!gone.is_empty()).then(|| remove(types, root, merged, &gone))
}

/// The value without what was applied last.
pub(super) fn without(object_type: &ObjectType, value: &Value, last: &FieldSet) -> Value {
    let (types, root) = (object_type.types(), object_type.root());
    remove(types, root, value, &with_named_fields(types, root, last))
}

/// The merged value without what is neither left after pruning nor owned.
pub(super) fn add_back_owned(
    object_type: &ObjectType,
    merged: &Value,
    pruned: &Value,
    owned: &FieldSet,
) -> Value {
    let (types, root) = (object_type.types(), object_type.root());
    let named = |set: &FieldSet| with_named_fields(types, root, set);
    let (merged_set, pruned_set) =
        (named(&field_set(object_type, merged)), named(&field_set(object_type, pruned)));
    remove(types, root, merged, &merged_set.difference(&pruned_set.union(&named(owned))))
}

/// The merged value without what pruning took of what was applied last.
pub(super) fn add_back_dangling(
    object_type: &ObjectType,
    merged: &Value,
    pruned: &Value,
    last: &FieldSet,
) -> Value {
    let (types, root) = (object_type.types(), object_type.root());
    let named = |set: &FieldSet| with_named_fields(types, root, set);
    let (merged_set, pruned_set) =
        (named(&field_set(object_type, merged)), named(&field_set(object_type, pruned)));
    remove(types, root, merged, &merged_set.difference(&pruned_set).intersection(&named(last)))
}

/// The value without the items and fields in `gone`. A container that loses all it has becomes null.
fn remove(types: &Types, id: TypeId, value: &Value, gone: &FieldSet) -> Value {
    match (shape(types.get_type(id), value), value) {
        (Shape::Map(map), Value::Object(members)) => {
            if map.atomic || members.is_empty() {
                return Value::Null;
            }
            let mut kept: Vec<(Str, Value)> = Vec::with_capacity(members.len());
            for (name, member) in members.iter() {
                let member = match gone.field(name) {
                    Some(Node { member: true, .. }) => continue,
                    Some(node) => {
                        remove(types, map.member(name).unwrap_or(TypeId::NEVER), member, &node.children)
                    }
                    None => member.clone(),
                };
                kept.push((name.clone(), member));
            }
            if kept.is_empty() { Value::Null } else { Value::Object(kept.into_iter().collect()) }
        }
        (Shape::List(list), Value::Array(items)) => {
            if matches!(list.kind, ListKind::Atomic) || items.is_empty() {
                return Value::Null;
            }
            let mut kept = Vec::with_capacity(items.len());
            for item in items {
                let node = item_element(types, list, item).ok().and_then(|element| gone.node(&element));
                match node {
                    Some(Node { member: true, .. }) => {}
                    Some(node) => kept.push(remove(types, list.items, item, &node.children)),
                    None => kept.push(item.clone()),
                }
            }
            if kept.is_empty() { Value::Null } else { Value::Array(kept.into()) }
        }
        (Shape::Scalar(_), value) => value.clone(),
        _ => Value::Null,
    }
}

/// The set with the named fields that lead to its members as members too; members of maps and items of lists are
/// not added.
fn with_named_fields(types: &Types, id: TypeId, set: &FieldSet) -> FieldSet {
    let ty = types.get_type(id);
    let nodes = set.nodes().iter().map(|node| {
        if node.children.is_empty() {
            return node.clone();
        }
        let (is_named, child) = match (&node.element, &ty.map, &ty.list) {
            (PathElement::Field(name), Some(map), _) => (map.field(name).is_some(), map.member(name)),
            (PathElement::Key(_), _, Some(list)) => (false, Some(list.items)),
            _ => (false, None),
        };
        Node {
            element: node.element.clone(),
            member: node.member || is_named,
            children: with_named_fields(types, child.unwrap_or(TypeId::NEVER), &node.children),
        }
    });
    FieldSet::from_nodes(nodes.collect())
}
