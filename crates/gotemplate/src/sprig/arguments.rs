//! Taking arguments apart, and the answers and panics that many functions share.

use std::borrow::Cow;

use crate::function::FunctionError;
use crate::value::{Kind, List, Map, Number, Str, Type, Value, types};

/// What a function returns.
pub(super) type Answer = Result<Value, FunctionError>;

/// The type behind Go's `any`, short for tables.
pub(super) const ANY: &Type = &types::ANY;
/// `string`, short for tables.
pub(super) const STRING: &Type = &types::STRING;
/// `int`, short for tables.
pub(super) const INT: &Type = &types::INT;
/// `bool`, short for tables.
pub(super) const BOOL: &Type = &types::BOOL;
/// `map[string]any`, short for tables.
pub(super) const MAP: &Type = &types::MAP;

/// What Go says of a call through nothing, as `reflect.TypeOf(nil).Kind()` is.
pub(super) const NIL_DEREFERENCE: &str = "runtime error: invalid memory address or nil pointer dereference";

/// An argument declared as `string`.
pub(super) fn text(arguments: &[Value], at: usize) -> &Str {
    static EMPTY: Str = Str::new();
    arguments.get(at).and_then(Value::as_string).unwrap_or(&EMPTY)
}

/// An argument declared as `int`.
pub(super) fn int(arguments: &[Value], at: usize) -> i64 {
    arguments.get(at).and_then(Value::as_int).unwrap_or(0)
}

/// An argument declared as `map[string]any`.
pub(super) fn map(arguments: &[Value], at: usize) -> Map {
    arguments.get(at).and_then(Value::as_map).cloned().unwrap_or_else(|| Map::nil(&types::MAP))
}

/// An argument declared as `any`.
pub(super) fn any(arguments: &[Value], at: usize) -> &Value {
    static NIL: Value = Value::Nil;
    arguments.get(at).unwrap_or(&NIL)
}

/// The items of a slice of any type; `None` if the value is none.
pub(super) fn items(value: &Value) -> Option<Cow<'_, [Value]>> {
    match value {
        Value::List(list) => Some(Cow::Borrowed(list.items())),
        Value::Bytes(bytes) => {
            Some(bytes.as_bytes().iter().map(|byte| Value::Number(Number::Uint8(*byte))).collect())
        }
        Value::Object(object) if matches!(value.kind(), Kind::Slice | Kind::Array) => {
            let scalar = object.scalar()?;
            Some(Cow::Owned(items(&scalar)?.into_owned()))
        }
        _ => None,
    }
}

/// A `[]string` or its nil.
pub(super) fn strings(items: Option<Vec<Str>>) -> Value {
    items.map_or_else(|| Value::List(List::nil(&types::STRINGS)), Value::strings)
}

/// What Go says when a slice expression `[start:end]` does not fit; `None` if it does.
pub(super) fn bounds_error(start: i64, end: Option<i64>, length: usize) -> Option<String> {
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    let problem = match end {
        Some(end) if end < 0 => format!("[:{end}]"),
        Some(end) if end > length => format!("[:{end}] with length {length}"),
        _ if start < 0 => format!("[{start}:]"),
        Some(end) if start > end => format!("[{start}:{end}]"),
        None if start > length => format!("[{start}:{length}]"),
        _ => return None,
    };
    Some(format!("runtime error: slice bounds out of range {problem}"))
}
