//! Merging dictionaries, with the rules of mergo 1.0.1, surprises included.
//!
//! - What the destination has stays, unless it is empty (`0`, `""`, `false`, an empty list or dictionary, nil)
//!   or overwriting was asked for. Overwriting takes empty values of the source too.
//! - Dictionaries on both sides are merged, in place: whoever holds the destination's sees it.
//! - Anything else is taken from the source as it is, shared: a later `set` on it changes the source too.
//! - `null` in the source overwrites, and otherwise is as if it were not there.

use crate::function::{Context, Entry, FunctionError, Signature};
use crate::stack;
use crate::value::{Kind, Map, Str, Type, Value, types};

use super::arguments::{Answer, MAP, map};

pub(super) const FUNCTIONS: &[Entry] = &[
    Entry::new("merge", Signature::variadic(&[MAP], MAP), |context, arguments| {
        lenient(merged(context, arguments, false))
    }),
    Entry::new("mergeOverwrite", Signature::variadic(&[MAP], MAP), |context, arguments| {
        lenient(merged(context, arguments, true))
    }),
    Entry::new("mustMerge", Signature::variadic(&[MAP], MAP), |context, arguments| {
        merged(context, arguments, false)
    }),
    Entry::new("mustMergeOverwrite", Signature::variadic(&[MAP], MAP), |context, arguments| {
        merged(context, arguments, true)
    }),
];

/// How deep dictionaries may nest to be merged; one that contains itself nests without end.
const MAX_MERGE_DEPTH: usize = 1_000;

/// What mergo says of two values that it cannot merge.
const DIFFERENT_TYPES: &str = "src and dst must be of same type";

/// Without `must`, a merge of different types is an empty string; any other failure stays one.
fn lenient(answer: Answer) -> Answer {
    match answer {
        Err(FunctionError::Message(message)) if message == DIFFERENT_TYPES => Ok(Value::EMPTY),
        answer => answer,
    }
}

fn merged(context: &mut Context<'_>, arguments: &[Value], overwrite: bool) -> Answer {
    let mut target = map(arguments, 0);
    for source in arguments.iter().skip(1).filter_map(Value::as_map) {
        if target.is_nil() && !source.is_nil() {
            target = Map::typed(&types::MAP, crate::value::Entries::new());
        }
        merge_into(context, &target, source, overwrite, 0)?;
    }
    Ok(Value::Map(target))
}

fn merge_into(
    context: &mut Context<'_>,
    target: &Map,
    source: &Map,
    overwrite: bool,
    depth: usize,
) -> Result<(), FunctionError> {
    if depth > MAX_MERGE_DEPTH {
        return Err(crate::error::LimitExceeded::Depth(MAX_MERGE_DEPTH).into());
    }
    let entries = source.entries();
    context.charge(entries.len() as u64)?;
    for (key, given) in entries {
        if matches!(given, Value::Nil | Value::NoValue) {
            if overwrite {
                put(target, source, key, given)?;
            }
            continue;
        }
        let present = target.get(key.as_bytes());
        match given.kind() {
            Kind::Map | Kind::Struct | Kind::Ptr => {
                merge_value(context, present.as_ref(), &given, overwrite, depth)?;
            }
            // A list replaces even what the later rules would keep, and goes in as what it is.
            Kind::Slice if overwrite || present.is_none() => {
                check_type(target, given.type_of())?;
                target.insert(key.clone(), given.clone());
            }
            _ => {}
        }
        // Whether something is there is asked only now: a merge may just have filled it.
        let is_kept = present.as_ref().is_some_and(|present| !is_empty(present));
        let is_done = match given.kind() {
            Kind::Slice => true,
            Kind::Map => present.as_ref().is_some_and(|present| present.kind() == Kind::Map),
            _ => false,
        };
        if is_kept && (is_done || !overwrite) {
            continue;
        }
        put(target, source, key, given)?;
    }
    Ok(())
}

/// Puts an element of the source into the target, whose elements may have another type.
fn put(target: &Map, source: &Map, key: Str, value: Value) -> Result<(), FunctionError> {
    check_type(target, source.type_of().element.unwrap_or(&types::ANY))?;
    target.insert(key, value);
    Ok(())
}

/// Whether the elements of a map may have a type.
fn check_type(target: &Map, given: &Type) -> Result<(), FunctionError> {
    let wanted = target.type_of().element.unwrap_or(&types::ANY);
    if given.assignable_to(wanted) {
        return Ok(());
    }
    let (given, wanted) = (given.name, wanted.name);
    let problem = format!("value of type {given} is not assignable to type {wanted}");
    Err(format!("reflect.Value.SetMapIndex: {problem}").into())
}

/// Merges a dictionary or object into what stands there, where that is possible.
fn merge_value(
    context: &mut Context<'_>,
    present: Option<&Value>,
    given: &Value,
    overwrite: bool,
    depth: usize,
) -> Result<(), FunctionError> {
    match (present, given) {
        (Some(Value::Map(target)), Value::Map(source)) if !target.is_nil() => {
            stack::deepen(|| merge_into(context, target, source, overwrite, depth + 1))
        }
        // A pointer takes nothing but a pointer.
        (Some(present), given) if present.kind() == Kind::Ptr && given.kind() != Kind::Ptr && !overwrite => {
            Err(DIFFERENT_TYPES.into())
        }
        _ => Ok(()),
    }
}

/// What mergo takes for empty.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(object) => match object.type_of().kind {
            Kind::Struct | Kind::Ptr => false,
            _ => !value.truth(),
        },
        Value::Function(_) => false,
        _ => !value.truth(),
    }
}
