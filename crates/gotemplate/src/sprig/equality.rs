//! Go's `reflect.DeepEqual`.

use crate::function::{Context, Entry, FunctionError, Signature};
use crate::stack;
use crate::value::{List, Map, Value};

use super::arguments::{ANY, any};

pub(super) const FUNCTIONS: &[Entry] =
    &[Entry::new("deepEqual", Signature::fixed(&[ANY, ANY]), |context, arguments| {
        Ok(deep_equal(context, any(arguments, 0), any(arguments, 1))?.into())
    })];

/// How deep two values are compared. Go has no limit here, but then no value from a document nests so deep.
const MAX_DEPTH: usize = 1_000;

/// Whether two values have the same type and the same content. NaN differs from itself, a nil slice from an
/// empty one.
pub(super) fn deep_equal(
    context: &mut Context<'_>,
    one: &Value,
    other: &Value,
) -> Result<bool, FunctionError> {
    equal(context, one, other, 0)
}

fn equal(context: &mut Context<'_>, one: &Value, other: &Value, depth: usize) -> Result<bool, FunctionError> {
    if depth > MAX_DEPTH {
        return Err(format!("value nests deeper than {MAX_DEPTH} levels").into());
    }
    Ok(match (one, other) {
        (Value::Nil | Value::NoValue, Value::Nil | Value::NoValue) => true,
        (Value::Bool(one), Value::Bool(other)) => one == other,
        (Value::Int(one), Value::Int(other)) | (Value::Int64(one), Value::Int64(other)) => one == other,
        #[expect(clippy::float_cmp, reason = "Go compares floats so")]
        (Value::Float(one), Value::Float(other)) => one == other,
        (Value::Number(one), Value::Number(other)) => one == other,
        (Value::String(one), Value::String(other)) | (Value::Bytes(one), Value::Bytes(other)) => one == other,
        (Value::List(one), Value::List(other)) => lists_equal(context, one, other, depth)?,
        (Value::Map(one), Value::Map(other)) => maps_equal(context, one, other, depth)?,
        (Value::Object(one), Value::Object(other)) => {
            one.type_of() == other.type_of() && one.equals(other.as_ref())
        }
        (Value::NilOf(one), Value::NilOf(other)) => one == other,
        _ => false,
    })
}

fn lists_equal(
    context: &mut Context<'_>,
    one: &List,
    other: &List,
    depth: usize,
) -> Result<bool, FunctionError> {
    if one.type_of() != other.type_of() || one.is_nil() != other.is_nil() || one.len() != other.len() {
        return Ok(false);
    }
    if one.is_same(other) {
        return Ok(true);
    }
    context.charge(one.len() as u64)?;
    for (one, other) in one.items().iter().zip(other.items()) {
        if !stack::deepen(|| equal(context, one, other, depth + 1))? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn maps_equal(
    context: &mut Context<'_>,
    one: &Map,
    other: &Map,
    depth: usize,
) -> Result<bool, FunctionError> {
    if one.type_of() != other.type_of() || one.is_nil() != other.is_nil() || one.len() != other.len() {
        return Ok(false);
    }
    if one.is_same(other) {
        return Ok(true);
    }
    context.charge(one.len() as u64)?;
    for (key, value) in one.entries() {
        let Some(counterpart) = other.get(key.as_bytes()) else { return Ok(false) };
        if !stack::deepen(|| equal(context, &value, &counterpart, depth + 1))? {
            return Ok(false);
        }
    }
    Ok(true)
}
