//! The functions of the language itself.

mod compare;
mod escape;

use crate::context::Context;
use crate::format;
use crate::function::{Entry, Function, FunctionError, Functions, Signature, Special};
use crate::value::{Kind, List, Number, Str, Value, types};

static ONE: Signature = Signature::fixed(&[&types::REFLECT]);
static TWO: Signature = Signature::fixed(&[&types::REFLECT, &types::REFLECT]);
static ONE_OR_MORE: Signature = Signature::variadic(&[&types::REFLECT], &types::REFLECT);
static ANYTHING: Signature = Signature::variadic(&[], &types::ANY);

static FUNCTIONS: &[Entry] = &[
    Entry::new("html", ANYTHING, escape::html),
    Entry::new("index", ONE_OR_MORE, index),
    Entry::new("js", ANYTHING, escape::js),
    Entry::new("len", ONE, length),
    Entry::new("not", ONE, not),
    Entry::new("print", ANYTHING, print),
    Entry::new("printf", Signature::variadic(&[&types::STRING], &types::ANY), printf),
    Entry::new("println", ANYTHING, println),
    Entry::new("urlquery", ANYTHING, escape::urlquery),
    Entry::new("eq", ONE_OR_MORE, compare::equal),
    Entry::new("ne", TWO, compare::not_equal),
    Entry::new("lt", TWO, compare::less),
    Entry::new("le", TWO, compare::less_or_equal),
    Entry::new("gt", TWO, compare::greater),
    Entry::new("ge", TWO, compare::greater_or_equal),
];

/// Adds them all.
pub(crate) fn register(functions: &mut Functions) {
    functions.register(FUNCTIONS);
    functions.insert("and", Function::special(Special::And));
    functions.insert("or", Function::special(Special::Or));
    functions.insert("call", Function::special(Special::Call));
    functions.insert("slice", Function::special(Special::Slice));
}

type Answer = Result<Value, FunctionError>;

fn not(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    Ok(Value::Bool(!arguments[0].truth()))
}

fn print(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    made(context, format::sprint(arguments))
}

fn println(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    made(context, format::sprintln(arguments))
}

fn printf(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let Value::String(text) = &arguments[0] else { return Err("printf: the format is no string".into()) };
    let printed = format::sprintf(text.as_bytes(), &arguments[1..]);
    made(context, printed)
}

fn made(context: &mut Context<'_>, text: Result<Vec<u8>, format::PrintError>) -> Answer {
    let text = text.map_err(|error| FunctionError::Message(error.to_string()))?;
    context.charge_memory(text.len())?;
    Ok(Value::String(Str::from(text)))
}

fn length(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let length = match &arguments[0] {
        Value::Nil | Value::NilOf(_) => return Err("len of nil pointer".into()),
        // What Go's reflect panics with.
        Value::NoValue => return Err("reflect: call of reflect.Value.Type on zero Value".into()),
        Value::String(text) | Value::Bytes(text) => text.len(),
        Value::List(list) => list.len(),
        Value::Map(map) => map.len(),
        value => match as_text(value) {
            Some(text) => text.len(),
            None => {
                return Err(format!("len of type {}", value.type_of().name.trim_start_matches('*')).into());
            }
        },
    };
    Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
}

/// The text of a string, also of one of a named type.
fn as_text(value: &Value) -> Option<Str> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Object(object) => as_text(&object.scalar()?),
        _ => None,
    }
}

/// The position that an index of a slice means. Go lets the length itself pass here.
fn position(index: &Value, length: usize) -> Result<usize, FunctionError> {
    let position = match (index.as_int(), index.as_uint()) {
        (Some(int), _) => int,
        (None, Some(uint)) => uint.cast_signed(),
        (None, None) if matches!(index, Value::NoValue | Value::Nil) => {
            return Err("cannot index slice/array with nil".into());
        }
        (None, None) => {
            return Err(format!("cannot index slice/array with type {}", index.type_of().name).into());
        }
    };
    match usize::try_from(position) {
        Ok(position) if position <= length => Ok(position),
        _ => Err(format!("index out of range: {position}").into()),
    }
}

fn index(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let mut item = arguments[0].clone();
    if matches!(item, Value::NoValue | Value::Nil) {
        return Err("index of untyped nil".into());
    }
    for key in &arguments[1..] {
        item = match &item {
            Value::Nil | Value::NilOf(_) => return Err("index of nil pointer".into()),
            Value::List(list) => {
                let position = position(key, list.len())?;
                let item = list.items().get(position).cloned();
                item.ok_or(FunctionError::from("reflect: slice index out of range"))?
            }
            Value::Bytes(bytes) => {
                let position = position(key, bytes.len())?;
                let byte = bytes.as_bytes().get(position).copied();
                let byte = byte.ok_or(FunctionError::from("reflect: slice index out of range"))?;
                Value::Number(Number::Uint8(byte))
            }
            Value::Map(map) => match key {
                Value::String(key) => {
                    map.get(key).unwrap_or_else(|| map.type_of().element.map_or(Value::Nil, Value::zero))
                }
                Value::NoValue | Value::Nil => {
                    return Err("value is nil; should be of type string".into());
                }
                key => {
                    let kind = key.type_of().name;
                    return Err(format!("value has type {kind}; should be string").into());
                }
            },
            other => {
                let Some(text) = as_text(other) else {
                    let kind = other.type_of().name.trim_start_matches('*');
                    return Err(format!("can't index item of type {kind}").into());
                };
                let position = position(key, text.len())?;
                let byte = text.as_bytes().get(position).copied();
                let byte = byte.ok_or(FunctionError::from("reflect: string index out of range"))?;
                Value::Number(Number::Uint8(byte))
            }
        };
    }
    Ok(item)
}

pub(crate) fn slice(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let (item, indexes) = (&arguments[0], &arguments[1..]);
    match item {
        Value::NoValue | Value::Nil => return Err("slice of untyped nil".into()),
        Value::NilOf(_) => return Err("slice of nil pointer".into()),
        _ => {}
    }
    if indexes.len() > 3 {
        return Err(format!("too many slice indexes: {}", indexes.len()).into());
    }
    let length = match item {
        Value::String(_) if indexes.len() == 3 => return Err("cannot 3-index slice a string".into()),
        Value::String(text) | Value::Bytes(text) => text.len(),
        Value::List(list) => list.len(),
        item => {
            let kind = item.type_of().name.trim_start_matches('*');
            return Err(format!("can't slice item of type {kind}").into());
        }
    };
    let mut bounds = [0, length, length];
    for (bound, index) in bounds.iter_mut().zip(indexes) {
        *bound = position(index, length)?;
    }
    let [start, end, capacity] = bounds;
    if start > end {
        return Err(format!("invalid slice index: {start} > {end}").into());
    }
    if indexes.len() == 3 && end > capacity {
        return Err(format!("invalid slice index: {end} > {capacity}").into());
    }
    context.charge_memory(end - start)?;
    Ok(match item {
        Value::String(text) => Value::String(Str::from_bytes(&text.as_bytes()[start..end])),
        Value::Bytes(bytes) => Value::Bytes(Str::from_bytes(&bytes.as_bytes()[start..end])),
        Value::List(list) => Value::List(List::typed(list.type_of(), list.items()[start..end].to_vec())),
        _ => Value::Nil,
    })
}

/// Calls the function that is the first argument, which errors call `name`.
pub(crate) fn call(context: &mut Context<'_>, name: &str, arguments: &[Value]) -> Answer {
    let (callee, arguments) = (&arguments[0], &arguments[1..]);
    let function = match callee {
        Value::NoValue | Value::Nil => return Err("call of nil".into()),
        Value::Function(function) => function,
        Value::NilOf(kind) if kind.kind == Kind::Func => {
            return Err("reflect: call of nil function".into());
        }
        value => {
            return Err(format!("non-function {name} of type {}", value.type_of().name).into());
        }
    };
    let signature = function.signature();
    let (given, wanted) = (arguments.len(), signature.parameters.len());
    if signature.variadic.is_some() {
        if given < wanted {
            return Err(format!("wrong number of args for {name}: got {given} want at least {wanted}").into());
        }
    } else if given != wanted {
        return Err(format!("wrong number of args for {name}: got {given} want {wanted}").into());
    }
    let mut values = Vec::with_capacity(given);
    for (position, value) in arguments.iter().enumerate() {
        let kind = signature.parameter(position).unwrap_or(&types::ANY);
        let value = match value {
            Value::NoValue | Value::Nil if kind.kind.can_be_nil() || kind == &types::REFLECT => {
                Value::zero(kind)
            }
            Value::NoValue | Value::Nil => {
                let kind = kind.name;
                return Err(format!("arg {position}: value is nil; should be of type {kind}").into());
            }
            value if kind == &types::REFLECT || value.type_of().assignable_to(kind) => value.clone(),
            value => {
                let int = value.as_int().or(value.as_uint().map(u64::cast_signed));
                if let Some(int) = int.and_then(|int| Value::integer(kind, int)) {
                    values.push(int);
                    continue;
                }
                let (given, kind) = (value.type_of().name, kind.name);
                return Err(format!("arg {position}: value has type {given}; should be {kind}").into());
            }
        };
        values.push(value);
    }
    function.call(context, &values)
}
