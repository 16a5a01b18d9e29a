//! `eq`, `ne`, `lt`, `le`, `gt`, `ge`: only values of the same basic kind compare.

use super::Answer;
use crate::context::Context;
use crate::format;
use crate::function::FunctionError;
use crate::value::{Number, Value};

const BAD_TYPE: &str = "invalid type for comparison";

/// A value as comparisons see it.
enum Basic {
    Bool(bool),
    Complex(f64, f64),
    Int(i64),
    Float(f64),
    String(crate::value::Str),
    Uint(u64),
    /// Nothing that has an order.
    Other,
}

impl Basic {
    fn of(value: &Value) -> Self {
        match value {
            Value::Bool(bool) => Self::Bool(*bool),
            Value::Int(int) | Value::Int64(int) => Self::Int(*int),
            Value::Float(float) => Self::Float(*float),
            Value::String(text) => Self::String(text.clone()),
            Value::Number(Number::Complex128(real, imaginary)) => Self::Complex(*real, *imaginary),
            Value::Number(_) => match (value.as_int(), value.as_uint(), value.as_float()) {
                (Some(int), _, _) => Self::Int(int),
                (_, Some(uint), _) => Self::Uint(uint),
                (_, _, Some(float)) => Self::Float(float),
                _ => Self::Other,
            },
            Value::Object(object) => object.scalar().as_ref().map_or(Self::Other, Self::of),
            _ => Self::Other,
        }
    }
}

pub(super) fn equal(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let (one, others) = (&arguments[0], &arguments[1..]);
    if others.is_empty() {
        return Err("missing argument for comparison".into());
    }
    let basic = Basic::of(one);
    for other in others {
        if are_equal(one, &basic, other)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn are_equal(one: &Value, basic: &Basic, other: &Value) -> Result<bool, FunctionError> {
    Ok(match (basic, Basic::of(other)) {
        (Basic::Bool(one), Basic::Bool(other)) => *one == other,
        (Basic::Int(one), Basic::Int(other)) => *one == other,
        (Basic::Uint(one), Basic::Uint(other)) => *one == other,
        (Basic::Float(one), Basic::Float(other)) => *one == other,
        (Basic::String(one), Basic::String(other)) => *one == other,
        (Basic::Complex(real, imaginary), Basic::Complex(other_real, other_imaginary)) => {
            *real == other_real && *imaginary == other_imaginary
        }
        (Basic::Int(one), Basic::Uint(other)) => u64::try_from(*one) == Ok(other),
        (Basic::Uint(one), Basic::Int(other)) => u64::try_from(other) == Ok(*one),
        (Basic::Other, Basic::Other) => return same(one, other),
        _ if is_invalid(one) || is_invalid(other) => false,
        _ => return Err(incompatible(one, other)),
    })
}

fn is_invalid(value: &Value) -> bool {
    matches!(value, Value::NoValue | Value::Nil)
}

fn incompatible(one: &Value, other: &Value) -> FunctionError {
    let (one, other) = (one.type_of().name, other.type_of().name);
    format!("incompatible types for comparison: {one} and {other}").into()
}

/// Compares what is no basic value: anything with nil, and pointers.
fn same(one: &Value, other: &Value) -> Result<bool, FunctionError> {
    if !is_invalid(one) && !is_invalid(other) && one.kind() != other.kind() {
        let (one, other) = (
            format!("{}: {}", printed(one, b"%s")?, one.type_of().name),
            format!("{}: {}", other.type_of().name, printed(other, b"%v")?),
        );
        return Err(format!("non-comparable types {one}, {other}").into());
    }
    if one.is_nil() || other.is_nil() {
        return Ok(one.is_nil() == other.is_nil());
    }
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            Ok(one.type_of() == other.type_of() && one.equals(other.as_ref()))
        }
        _ => {
            let text = printed(other, b"%s")?;
            Err(format!("non-comparable type {text}: {}", other.type_of().name).into())
        }
    }
}

fn printed(value: &Value, verb: &[u8]) -> Result<String, FunctionError> {
    let text = format::sprintf(verb, std::slice::from_ref(value));
    let text = text.map_err(|error| FunctionError::Message(error.to_string()))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

pub(super) fn not_equal(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    negated(equal(context, arguments))
}

fn negated(answer: Answer) -> Answer {
    answer.map(|answer| Value::Bool(!answer.truth()))
}

pub(super) fn less(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    is_less(&arguments[0], &arguments[1]).map(Value::Bool)
}

fn is_less(one: &Value, other: &Value) -> Result<bool, FunctionError> {
    Ok(match (Basic::of(one), Basic::of(other)) {
        (Basic::Other, _) | (_, Basic::Other) => return Err(BAD_TYPE.into()),
        (Basic::Int(one), Basic::Int(other)) => one < other,
        (Basic::Uint(one), Basic::Uint(other)) => one < other,
        (Basic::Float(one), Basic::Float(other)) => one < other,
        (Basic::String(one), Basic::String(other)) => one < other,
        (Basic::Int(one), Basic::Uint(other)) => u64::try_from(one).is_ok_and(|one| one < other) || one < 0,
        (Basic::Uint(one), Basic::Int(other)) => u64::try_from(other).is_ok_and(|other| one < other),
        (Basic::Bool(_), Basic::Bool(_)) | (Basic::Complex(..), Basic::Complex(..)) => {
            return Err(BAD_TYPE.into());
        }
        _ => return Err(incompatible(one, other)),
    })
}

pub(super) fn less_or_equal(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    if is_less(&arguments[0], &arguments[1])? {
        return Ok(Value::Bool(true));
    }
    equal(context, arguments)
}

pub(super) fn greater(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    negated(less_or_equal(context, arguments))
}

pub(super) fn greater_or_equal(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    negated(less(context, arguments))
}
