//! Lists. Each function has a twin with `must` before its name: both fail, with the same words.

use std::borrow::Cow;

use crate::function::{Context, Entry, FunctionError, Signature};
use crate::value::{Kind, List, Str, Value, types};

use super::arguments::{ANY, Answer, INT, NIL_DEREFERENCE, any, bounds_error, int, items};
use super::cast::{to_int, truncated};
use super::defaults::is_empty;
use super::equality::deep_equal;

pub(super) const FUNCTIONS: &[Entry] = &[
    Entry::new("list", Signature::variadic(&[], ANY), list),
    Entry::new("tuple", Signature::variadic(&[], ANY), list),
    Entry::new("append", Signature::fixed(&[ANY, ANY]), append),
    Entry::new("mustAppend", Signature::fixed(&[ANY, ANY]), append),
    Entry::new("push", Signature::fixed(&[ANY, ANY]), append),
    Entry::new("mustPush", Signature::fixed(&[ANY, ANY]), append),
    Entry::new("prepend", Signature::fixed(&[ANY, ANY]), prepend),
    Entry::new("mustPrepend", Signature::fixed(&[ANY, ANY]), prepend),
    Entry::new("first", Signature::fixed(&[ANY]), first),
    Entry::new("mustFirst", Signature::fixed(&[ANY]), first),
    Entry::new("last", Signature::fixed(&[ANY]), last),
    Entry::new("mustLast", Signature::fixed(&[ANY]), last),
    Entry::new("rest", Signature::fixed(&[ANY]), rest),
    Entry::new("mustRest", Signature::fixed(&[ANY]), rest),
    Entry::new("initial", Signature::fixed(&[ANY]), initial),
    Entry::new("mustInitial", Signature::fixed(&[ANY]), initial),
    Entry::new("reverse", Signature::fixed(&[ANY]), reverse),
    Entry::new("mustReverse", Signature::fixed(&[ANY]), reverse),
    Entry::new("compact", Signature::fixed(&[ANY]), compact),
    Entry::new("mustCompact", Signature::fixed(&[ANY]), compact),
    Entry::new("uniq", Signature::fixed(&[ANY]), uniq),
    Entry::new("mustUniq", Signature::fixed(&[ANY]), uniq),
    Entry::new("without", Signature::variadic(&[ANY], ANY), without),
    Entry::new("mustWithout", Signature::variadic(&[ANY], ANY), without),
    Entry::new("has", Signature::fixed(&[ANY, ANY]), has),
    Entry::new("mustHas", Signature::fixed(&[ANY, ANY]), has),
    Entry::new("slice", Signature::variadic(&[ANY], ANY), slice),
    Entry::new("mustSlice", Signature::variadic(&[ANY], ANY), slice),
    Entry::new("concat", Signature::variadic(&[], ANY), concat),
    Entry::new("chunk", Signature::fixed(&[INT, ANY]), chunk),
    Entry::new("mustChunk", Signature::fixed(&[INT, ANY]), chunk),
];

/// The items of a list, or what the function says of anything else.
fn list_of<'a>(
    context: &mut Context<'_>,
    value: &'a Value,
    complaint: impl FnOnce(Kind) -> String,
) -> Result<Cow<'a, [Value]>, FunctionError> {
    if matches!(value, Value::Nil | Value::NoValue) {
        return Err(NIL_DEREFERENCE.into());
    }
    let items = items(value).ok_or_else(|| complaint(value.kind()))?;
    charge_items(context, items.len())?;
    Ok(items)
}

/// Accounts for a list of so many items that a function goes through, and may copy.
fn charge_items(context: &mut Context<'_>, count: usize) -> Result<(), FunctionError> {
    context.charge(count as u64)?;
    Ok(context.charge_memory(count.saturating_mul(size_of::<Value>()))?)
}

fn nil_list() -> Value {
    Value::List(List::nil(&types::LIST))
}

fn list(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    // Go makes no slice for no arguments.
    Ok(if arguments.is_empty() { Value::list(Vec::new()) } else { Value::list(arguments.to_vec()) })
}

fn append(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let list = list_of(context, any(arguments, 0), |kind| format!("Cannot push on type {kind}"))?;
    Ok(Value::list(list.iter().chain([any(arguments, 1)]).cloned().collect()))
}

fn prepend(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let list = list_of(context, any(arguments, 0), |kind| format!("Cannot prepend on type {kind}"))?;
    Ok(Value::list([any(arguments, 1)].into_iter().chain(list.iter()).cloned().collect()))
}

fn first(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let list = list_of(context, any(arguments, 0), |kind| format!("Cannot find first on type {kind}"))?;
    Ok(list.first().cloned().unwrap_or_default())
}

fn last(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let list = list_of(context, any(arguments, 0), |kind| format!("Cannot find last on type {kind}"))?;
    Ok(list.last().cloned().unwrap_or_default())
}

fn rest(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let list = list_of(context, any(arguments, 0), |kind| format!("Cannot find rest on type {kind}"))?;
    Ok(list.split_first().map_or_else(nil_list, |(_, rest)| Value::list(rest.to_vec())))
}

fn initial(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let list = list_of(context, any(arguments, 0), |kind| format!("Cannot find initial on type {kind}"))?;
    Ok(list.split_last().map_or_else(nil_list, |(_, initial)| Value::list(initial.to_vec())))
}

fn reverse(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let list = list_of(context, any(arguments, 0), |kind| format!("Cannot find reverse on type {kind}"))?;
    Ok(Value::list(list.iter().rev().cloned().collect()))
}

fn compact(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let list = list_of(context, any(arguments, 0), |kind| format!("Cannot compact on type {kind}"))?;
    Ok(Value::list(list.iter().filter(|item| !is_empty(item)).cloned().collect()))
}

fn uniq(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let list = list_of(context, any(arguments, 0), |kind| format!("Cannot find uniq on type {kind}"))?;
    let mut found: Vec<Value> = Vec::new();
    for item in list.iter() {
        if !contains(context, &found, item)? {
            found.push(item.clone());
        }
    }
    Ok(Value::list(found))
}

fn contains(context: &mut Context<'_>, list: &[Value], needle: &Value) -> Result<bool, FunctionError> {
    context.charge(list.len() as u64)?;
    for item in list {
        if deep_equal(context, needle, item)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn without(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let list = list_of(context, any(arguments, 0), |kind| format!("Cannot find without on type {kind}"))?;
    let mut kept = Vec::new();
    for item in list.iter() {
        if !contains(context, arguments.get(1..).unwrap_or_default(), item)? {
            kept.push(item.clone());
        }
    }
    Ok(Value::list(kept))
}

fn has(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    if matches!(any(arguments, 1), Value::Nil | Value::NoValue) {
        return Ok(false.into());
    }
    let list = list_of(context, any(arguments, 1), |kind| format!("Cannot find has on type {kind}"))?;
    Ok(contains(context, &list, any(arguments, 0))?.into())
}

fn slice(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let value = any(arguments, 0);
    let list = list_of(context, value, |kind| format!("list should be type of slice or array but {kind}"))?;
    if list.is_empty() {
        return Ok(Value::Nil);
    }
    let start = arguments.get(1).map_or(0, to_int);
    let end = arguments.get(2).map_or(i64::try_from(list.len()).unwrap_or(i64::MAX), to_int);
    if bounds_error(start, Some(end), list.len()).is_some() {
        return Err("reflect.Value.Slice: slice index out of bounds".into());
    }
    let (start, end) = (usize::try_from(start).unwrap_or(0), usize::try_from(end).unwrap_or(0));
    Ok(match value {
        Value::Bytes(bytes) => Value::Bytes(Str::from_bytes(&bytes.as_bytes()[start..end])),
        _ => Value::List(List::typed(value.type_of(), list[start..end].to_vec())),
    })
}

fn concat(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let mut all = Vec::new();
    for value in arguments {
        let list = list_of(context, value, |kind| format!("Cannot concat type {kind} as list"))?;
        all.extend(list.iter().cloned());
    }
    Ok(if all.is_empty() { nil_list() } else { Value::list(all) })
}

/// A list in pieces of a size, the last as long as what is left. The size is not checked by the original,
/// whose float arithmetic this follows.
fn chunk(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let size = int(arguments, 0);
    let list = list_of(context, any(arguments, 1), |kind| format!("Cannot chunk type {kind}"))?;
    let length = i64::try_from(list.len()).unwrap_or(i64::MAX);
    let impossible = || FunctionError::from("runtime error: makeslice: len out of range");
    #[expect(clippy::cast_precision_loss, reason = "the original calculates so")]
    let count = truncated(((length - 1) as f64 / size as f64).floor() + 1.0);
    let count = usize::try_from(count).map_err(|_| impossible())?;
    let mut pieces = Vec::new();
    for position in 0..count {
        let mut piece = size;
        if position + 1 == count {
            piece = match length.checked_rem(size) {
                Some(0) | None => size,
                Some(left) => left,
            };
        }
        let piece = usize::try_from(piece).map_err(|_| impossible())?;
        let start = position * usize::try_from(size).unwrap_or(0);
        pieces.push(Value::list(list.get(start..start + piece).unwrap_or_default().to_vec()));
    }
    Ok(Value::List(List::typed(&types::LISTS, pieces)))
}
