//! Values seen through their types: what a value is, how list items are named, which fields it sets.

use crate::fields::{FieldSet, MAX_DEPTH, PathElement, SetBuilder};
use crate::go_print::quote;
use crate::schema::{ListKind, ListType, MapType, ObjectType, Scalar, Type, TypeId, Types};
use crate::{Str, Value};

/// What a value is to be treated as.
#[derive(Clone, Copy)]
pub(super) enum Shape<'t> {
    Map(&'t MapType),
    Scalar(Scalar),
    List(&'t ListType),
    Never,
}

/// The one of a type's possibilities that a value is; `None` for null and for what the type does not allow.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Map,
    Scalar,
    List,
}

pub(super) fn kind(ty: &Type, value: &Value) -> Option<Kind> {
    match value {
        Value::Null => None,
        Value::Array(_) => ty.list.is_some().then_some(Kind::List),
        Value::Object(_) => ty.map.is_some().then_some(Kind::Map),
        _ => ty.scalar.is_some().then_some(Kind::Scalar),
    }
}

/// How to treat a value of that kind; where the kind is open, a map before a scalar before a list.
pub(super) fn shape_of(ty: &Type, kind: Option<Kind>) -> Shape<'_> {
    match (kind, ty) {
        (None | Some(Kind::Map), Type { map: Some(map), .. }) => Shape::Map(map),
        (None | Some(Kind::Scalar), Type { scalar: Some(scalar), .. }) => Shape::Scalar(*scalar),
        (None | Some(Kind::List), Type { list: Some(list), .. }) => Shape::List(list),
        _ => Shape::Never,
    }
}

pub(super) fn shape<'t>(ty: &'t Type, value: &Value) -> Shape<'t> {
    shape_of(ty, kind(ty, value))
}

/// Whether two values of a type are to be treated alike.
pub(super) fn same_kind(ty: &Type, a: Option<Kind>, b: Option<Kind>) -> bool {
    let is_only = |kind| match kind {
        Kind::Map => ty.scalar.is_none() && ty.list.is_none(),
        Kind::Scalar => ty.map.is_none() && ty.list.is_none(),
        Kind::List => ty.map.is_none() && ty.scalar.is_none(),
    };
    match (a, b) {
        (Some(a), Some(b)) => a == b,
        (None, None) => true,
        (Some(kind), None) | (None, Some(kind)) => is_only(kind),
    }
}

/// What names an item within its list; the error is the server's.
pub(super) fn item_element(types: &Types, list: &ListType, item: &Value) -> Result<PathElement, String> {
    match &list.kind {
        ListKind::Atomic => Err("invalid indexing of non-associative list".into()),
        ListKind::Set => match item {
            Value::Object(_) => Err("associative list without keys has an element that's a map type".into()),
            Value::Array(_) => Err("not supported: associative list with lists as elements".into()),
            Value::Null => Err("associative list without keys has an element that's an explicit null".into()),
            scalar => Ok(PathElement::Value(scalar.clone())),
        },
        ListKind::Map(keys) => {
            let map = match item {
                Value::Object(map) => map,
                Value::Null => return Err("associative list with keys may not have a null element".into()),
                _ => return Err("associative list with keys may not have non-map elements".into()),
            };
            let mut fields: Vec<(Str, Value)> = Vec::with_capacity(keys.len());
            for key in keys {
                if let Some(value) = map.get(key) {
                    fields.push((key.clone(), value.clone()));
                    continue;
                }
                let Some(item_type) = &types.get_type(list.items).map else {
                    return Err(format!(
                        "couldn't find default value for {key}: associative list may not have non-map types"
                    ));
                };
                if let Some(default) = item_type.field(key).and_then(|field| field.default.clone()) {
                    fields.push((key.clone(), default));
                }
            }
            if fields.is_empty() && !keys.is_empty() {
                let keys: Vec<String> = keys.iter().map(|key| quote(key)).collect();
                return Err(format!(
                    "associative list with keys has an element that omits all key fields [{}] (and doesn't have \
                     default values for any key fields)",
                    keys.join(" ")
                ));
            }
            Ok(PathElement::key(fields))
        }
    }
}

/// The fields that a valid object sets.
pub(super) fn field_set(object_type: &ObjectType, value: &Value) -> FieldSet {
    owned(object_type.types(), object_type.root(), value, MAX_DEPTH).1
}

/// Whether the value itself counts as a field, and the fields below it.
fn owned(types: &Types, id: TypeId, value: &Value, depth: usize) -> (bool, FieldSet) {
    if depth == 0 {
        return (true, FieldSet::new());
    }
    match (shape(types.get_type(id), value), value) {
        (Shape::Scalar(_), _) => (true, FieldSet::new()),
        (Shape::Map(map), _) if map.atomic => (true, FieldSet::new()),
        (Shape::List(ListType { kind: ListKind::Atomic, .. }), _) => (true, FieldSet::new()),
        (Shape::Map(map), Value::Object(members)) => {
            let mut set = SetBuilder::with_capacity(members.len());
            for (name, member) in members.iter() {
                let field = map.field(name);
                let id = field.map(|field| field.ty).or(map.other).unwrap_or(TypeId::NEVER);
                let (is_member, below) = owned(types, id, member, depth - 1);
                let is_empty = match member {
                    Value::Null => true,
                    Value::Object(map) => map.is_empty(),
                    _ => false,
                };
                set.add(PathElement::Field(name.clone()), is_member || is_empty || field.is_none(), below);
            }
            (false, set.build())
        }
        (Shape::List(list), Value::Array(items)) => {
            let elements: Vec<Option<PathElement>> =
                items.iter().map(|item| item_element(types, list, item).ok()).collect();
            let mut set = SetBuilder::with_capacity(items.len());
            for (idx, (element, item)) in elements.iter().zip(items.iter()).enumerate() {
                let Some(element) = element else { continue };
                let same = |other: &Option<PathElement>| other.as_ref() == Some(element);
                // Of an element that is there twice only the element itself is a field.
                let repeats = elements.len() > 1
                    && (elements[..idx].iter().any(same) || elements[idx + 1..].iter().any(same));
                let below =
                    if repeats { FieldSet::new() } else { owned(types, list.items, item, depth - 1).1 };
                set.add(element.clone(), true, below);
            }
            (false, set.build())
        }
        _ => (false, FieldSet::new()),
    }
}
