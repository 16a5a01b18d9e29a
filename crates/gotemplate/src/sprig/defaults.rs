//! Defaults: what counts as empty, and what to take instead.

use crate::function::{Context, Entry, Signature};
use crate::value::{Kind, Value};

use super::arguments::{ANY, Answer, BOOL, any};

pub(super) const FUNCTIONS: &[Entry] = &[
    Entry::new("default", Signature::variadic(&[ANY], ANY), default),
    Entry::new("empty", Signature::fixed(&[ANY]), |_, arguments| Ok(is_empty(any(arguments, 0)).into())),
    Entry::new("coalesce", Signature::variadic(&[], ANY), |_, arguments| {
        Ok(arguments.iter().find(|value| !is_empty(value)).cloned().unwrap_or_default())
    }),
    Entry::new("all", Signature::variadic(&[], ANY), |_, arguments| {
        Ok((!arguments.iter().any(is_empty)).into())
    }),
    Entry::new("any", Signature::variadic(&[], ANY), |_, arguments| {
        Ok((!arguments.iter().all(is_empty)).into())
    }),
    Entry::new("ternary", Signature::fixed(&[ANY, ANY, BOOL]), ternary),
];

fn default(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    Ok(match arguments.get(1) {
        Some(given) if !is_empty(given) => given.clone(),
        _ => any(arguments, 0).clone(),
    })
}

fn ternary(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    Ok(any(arguments, if any(arguments, 2).truth() { 0 } else { 1 }).clone())
}

/// Whether a value is the zero of its type: nil, false, 0, or without items. Structs never are.
pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(object) => match object.type_of().kind {
            Kind::Struct | Kind::Ptr => false,
            _ => !value.truth(),
        },
        _ => !value.truth(),
    }
}
