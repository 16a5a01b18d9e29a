//! Whether a value fits its type, with the server's words where it does not.

use std::fmt;

use super::typed::{Shape, item_element, shape};
use crate::fields::{MAX_DEPTH, PathElement};
use crate::go_print::{GoSyntax, GoValue};
use crate::schema::{ListKind, ListType, MapType, ObjectType, Scalar, TypeId, Types};
use crate::{Array, Map, Value};

/// One thing that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidationError {
    /// Where, such as `.spec.ports`; empty for the object itself.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}

/// All that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ValidationErrors(pub Vec<ValidationError>);

impl fmt::Display for ValidationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

impl fmt::Display for ValidationErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [only] => only.fmt(f),
            all => {
                f.write_str("errors:")?;
                all.iter().try_for_each(|error| write!(f, "\n  {error}"))
            }
        }
    }
}

/// Collects errors while a walk knows only where it is relative to its parent.
#[derive(Default)]
pub(super) struct Problems(Vec<ValidationError>);

impl Problems {
    pub(super) fn add(&mut self, message: impl Into<String>) {
        self.0.push(ValidationError { path: String::new(), message: message.into() });
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// Says of all errors since there were `count` that they lie below `element`.
    pub(super) fn below(&mut self, count: usize, element: &PathElement) {
        for error in &mut self.0[count..] {
            error.path.insert_str(0, &element.to_string());
        }
    }

    pub(super) fn into_result<T>(self, value: T) -> Result<T, ValidationErrors> {
        if self.0.is_empty() { Ok(value) } else { Err(ValidationErrors(self.0)) }
    }
}

/// Checks an object against its type.
pub(super) fn validate(
    object_type: &ObjectType,
    value: &Value,
    allow_duplicates: bool,
) -> Result<(), ValidationErrors> {
    let mut walk = Walk { types: object_type.types(), allow_duplicates, problems: Problems::default() };
    walk.value(object_type.root(), value, MAX_DEPTH);
    walk.problems.into_result(())
}

struct Walk<'a> {
    types: &'a Types,
    allow_duplicates: bool,
    problems: Problems,
}

impl Walk<'_> {
    fn value(&mut self, id: TypeId, value: &Value, depth: usize) {
        if depth == 0 {
            self.problems.add(format!("nests deeper than MAX_DEPTH ({MAX_DEPTH}) levels"));
            return;
        }
        match (shape(self.types.get_type(id), value), value) {
            (Shape::Never, _) => self.problems.add("schema error: invalid atom: inlined"),
            (_, Value::Null) => {}
            (Shape::Scalar(scalar), value) => {
                if let Some(problem) = scalar_problem(scalar, value) {
                    self.problems.add(problem);
                }
            }
            (Shape::Map(map), Value::Object(members)) => self.members(map, members, depth - 1),
            (Shape::Map(_), other) => self.problems.add(format!("expected map, got &{{{}}}", GoValue(other))),
            (Shape::List(list), Value::Array(items)) => self.items(list, items, depth - 1),
            (Shape::List(_), other) => {
                self.problems.add(format!("expected list, got &{{{}}}", GoValue(other)));
            }
        }
    }

    fn members(&mut self, map: &MapType, members: &Map, depth: usize) {
        for (name, member) in members.iter() {
            let count = self.problems.count();
            match map.member(name) {
                // Scalars that fit are most of what there is.
                Some(TypeId::STRING) if matches!(member, Value::String(_)) => continue,
                Some(id) => self.value(id, member, depth),
                None => self.problems.add("field not declared in schema"),
            }
            if self.problems.count() > count {
                self.problems.below(count, &PathElement::Field(name.clone()));
                if map.member(name).is_none() {
                    return;
                }
            }
        }
    }

    fn items(&mut self, list: &ListType, items: &Array, depth: usize) {
        let mut seen: Vec<PathElement> = Vec::new();
        for (idx, item) in items.iter().enumerate() {
            if matches!((list.items, item), (TypeId::STRING, Value::String(_)))
                && matches!(list.kind, ListKind::Atomic)
            {
                continue;
            }
            let element = if matches!(list.kind, ListKind::Atomic) {
                PathElement::Index(i64::try_from(idx).unwrap_or(i64::MAX))
            } else {
                match item_element(self.types, list, item) {
                    Ok(element) => element,
                    Err(why) => {
                        self.problems.add(format!("element {idx}: {why}"));
                        return;
                    }
                }
            };
            if !matches!(list.kind, ListKind::Atomic) {
                match seen.binary_search(&element) {
                    Ok(_) if self.allow_duplicates => {}
                    Ok(_) => self.problems.add(format!("duplicate entries for key {element}")),
                    Err(at) => seen.insert(at, element.clone()),
                }
            }
            let count = self.problems.count();
            self.value(list.items, item, depth);
            if self.problems.count() > count {
                self.problems.below(count, &element);
            }
        }
    }
}

fn scalar_problem(scalar: Scalar, value: &Value) -> Option<String> {
    let is_scalar = !matches!(value, Value::Array(_) | Value::Object(_));
    match (scalar, value) {
        (Scalar::Numeric, Value::Int(_) | Value::Float(_))
        | (Scalar::String, Value::String(_))
        | (Scalar::Boolean, Value::Bool(_)) => None,
        (Scalar::Any, _) if is_scalar => None,
        (Scalar::Numeric, other) => {
            let found = match other {
                Value::String(_) => "string",
                Value::Bool(_) => "bool",
                Value::Array(_) => "[]interface {}",
                _ => "map[string]interface {}",
            };
            Some(format!("expected numeric (int or float), got {found}"))
        }
        (Scalar::String, other) => {
            Some(format!("expected string, got &value.valueUnstructured{{Value:{}}}", GoSyntax(other)))
        }
        (Scalar::Boolean, other) => Some(format!("expected boolean, got &{{{}}}", GoValue(other))),
        (Scalar::Any, other) => Some(format!("expected any scalar, got &{{{}}}", GoValue(other))),
    }
}
