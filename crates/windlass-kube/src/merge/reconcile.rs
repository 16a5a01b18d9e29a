//! Fits owned fields to a schema that changed since they were recorded.

use super::managers::Managed;
use super::typed::{Shape, shape_of};
use super::versions::Seen;
use crate::fields::{FieldSet, Node, PathElement};
use crate::schema::{ListKind, ObjectType, TypeId, Types};

/// Where a list or map became atomic, whoever owned something in it owns all of it.
pub(super) fn reconcile(mut managed: Managed, here: &ObjectType, seen: Seen<'_>) -> Managed {
    seen.forget_unserved(&mut managed);
    for entry in managed.entries_mut() {
        let object_type = seen.object_type(&entry.api_version, here);
        if let Outcome::Changed(set) = fit(object_type.types(), object_type.root(), &entry.set, false) {
            entry.set = set;
        }
    }
    managed
}

enum Outcome {
    Same,
    /// The path itself is owned, and nothing below it is told apart.
    Whole,
    Changed(FieldSet),
}

fn fit(types: &Types, id: TypeId, set: &FieldSet, is_leaf: bool) -> Outcome {
    let shape = shape_of(types.get_type(id), None);
    match shape {
        Shape::Map(map) if map.untyped => return Outcome::Same,
        Shape::Map(map) if map.atomic && !is_leaf => {
            return if set.is_empty() { Outcome::Same } else { Outcome::Whole };
        }
        Shape::List(list) if matches!(list.kind, ListKind::Atomic) && !is_leaf => return Outcome::Whole,
        Shape::Map(_) | Shape::List(_) => {}
        Shape::Scalar(_) | Shape::Never => return Outcome::Same,
    }
    let mut changed: Option<Vec<Node>> = None;
    for (idx, node) in set.nodes().iter().enumerate() {
        // A leaf stays what it is, whatever its type has become.
        if node.children.is_empty() {
            continue;
        }
        let id = match (shape, &node.element) {
            (Shape::Map(map), PathElement::Field(name)) => map.member(name),
            (Shape::Map(map), _) => map.other,
            (Shape::List(list), _) => Some(list.items),
            _ => None,
        };
        let Some(id) = id else { continue };
        let (member, children) = match fit(types, id, &node.children, false) {
            Outcome::Same => continue,
            Outcome::Whole => (true, FieldSet::new()),
            Outcome::Changed(children) => (node.member, children),
        };
        let nodes = changed.get_or_insert_with(|| set.nodes().to_vec());
        nodes[idx] = Node { element: node.element.clone(), member, children };
    }
    changed.map_or(Outcome::Same, |nodes| Outcome::Changed(FieldSet::from_nodes(nodes)))
}
