//! Dictionaries: maps with string keys, which change for everyone who holds them.

use crate::function::{Context, Entry, FunctionError, Signature};
use crate::stack;
use crate::value::{Kind, List, Map, Object, Str, Value, types};

use super::arguments::{ANY, Answer, MAP, STRING, any, map, text};
use super::display::string_of;

pub(super) const FUNCTIONS: &[Entry] = &[
    Entry::new("dict", Signature::variadic(&[], ANY), dict),
    Entry::new("get", Signature::fixed(&[MAP, STRING]), |_, arguments| {
        Ok(map(arguments, 0).get(text(arguments, 1).as_bytes()).unwrap_or(Value::EMPTY))
    }),
    Entry::new("set", Signature::fixed(&[MAP, STRING, ANY]), set),
    Entry::new("unset", Signature::fixed(&[MAP, STRING]), unset),
    Entry::new("hasKey", Signature::fixed(&[MAP, STRING]), |_, arguments| {
        Ok(map(arguments, 0).contains_key(text(arguments, 1).as_bytes()).into())
    }),
    Entry::new("pluck", Signature::variadic(&[STRING], MAP), pluck),
    Entry::new("keys", Signature::variadic(&[], MAP), keys),
    Entry::new("values", Signature::fixed(&[MAP]), values),
    Entry::new("pick", Signature::variadic(&[MAP], STRING), pick),
    Entry::new("omit", Signature::variadic(&[MAP], STRING), omit),
    Entry::new("dig", Signature::variadic(&[], ANY), dig),
    Entry::new("deepCopy", Signature::fixed(&[ANY]), deep_copy),
    Entry::new("mustDeepCopy", Signature::fixed(&[ANY]), deep_copy),
];

/// How deep a value may nest to be copied; one that contains itself nests without end.
const MAX_COPY_DEPTH: usize = 1_000;

fn dict(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let pairs = arguments.chunks(2);
    Ok(Value::Map(
        pairs.map(|pair| (string_of(&pair[0]), pair.get(1).cloned().unwrap_or(Value::EMPTY))).collect(),
    ))
}

fn set(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let target = map(arguments, 0);
    if target.is_nil() {
        return Err("assignment to entry in nil map".into());
    }
    target.insert(text(arguments, 1).clone(), any(arguments, 2).clone());
    Ok(Value::Map(target))
}

fn unset(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let target = map(arguments, 0);
    target.remove(text(arguments, 1).as_bytes());
    Ok(Value::Map(target))
}

fn pluck(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let key = text(arguments, 0);
    let maps = arguments.iter().skip(1).filter_map(Value::as_map);
    Ok(Value::list(maps.filter_map(|map| map.get(key.as_bytes())).collect()))
}

/// All keys. Go has them in any order; here they are sorted.
fn keys(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let maps = arguments.iter().filter_map(Value::as_map);
    let keys: Vec<Str> = maps.flat_map(Map::keys).collect();
    context.charge_memory(keys.len() * size_of::<Value>())?;
    Ok(Value::strings(keys))
}

/// All values. Go has them in any order; here they are in the order of their keys.
fn values(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let entries = map(arguments, 0).entries();
    context.charge_memory(entries.len() * size_of::<Value>())?;
    Ok(Value::list(entries.into_iter().map(|(_, value)| value).collect()))
}

fn pick(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let source = map(arguments, 0);
    let keys = arguments.iter().skip(1).filter_map(Value::as_string);
    Ok(Value::Map(keys.filter_map(|key| Some((key.clone(), source.get(key.as_bytes())?))).collect()))
}

fn omit(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let mut entries = map(arguments, 0).read().clone();
    context.charge_memory(entries.len() * size_of::<Value>())?;
    for key in arguments.iter().skip(1).filter_map(Value::as_string) {
        entries.remove(key.as_bytes());
    }
    Ok(Value::Map(Map::typed(&types::MAP, entries)))
}

/// Walks down dictionaries along keys; the default where a key is missing.
fn dig(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let [keys @ .., default, dictionary] = arguments else {
        return Err("dig needs at least three arguments".into());
    };
    if keys.is_empty() {
        return Err("dig needs at least three arguments".into());
    }
    let mut current = asserted_map(dictionary)?;
    let mut path = Vec::with_capacity(keys.len());
    for key in keys {
        path.push(key.as_string().ok_or_else(|| not_a(key, "string"))?);
    }
    let Some((last, before)) = path.split_last() else { return Ok(default.clone()) };
    for key in before {
        let Some(step) = current.get(key.as_bytes()) else { return Ok(default.clone()) };
        current = asserted_map(&step)?;
    }
    Ok(current.get(last.as_bytes()).unwrap_or_else(|| default.clone()))
}

/// A `map[string]any`, and no named type made of it.
fn asserted_map(value: &Value) -> Result<Map, FunctionError> {
    match value {
        Value::Map(map) if *map.type_of() == types::MAP => Ok(map.clone()),
        _ => Err(not_a(value, types::MAP.name)),
    }
}

/// What Go says of a type assertion that fails.
fn not_a(value: &Value, wanted: &str) -> FunctionError {
    let found = match value {
        Value::Nil | Value::NoValue => "nil",
        value => value.type_of().name,
    };
    format!("interface conversion: interface {{}} is {found}, not {wanted}").into()
}

fn deep_copy(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    match any(arguments, 0) {
        Value::Nil | Value::NoValue => Err("reflect: call of reflect.Value.Type on zero Value".into()),
        value => copied(context, value, 0),
    }
}

fn copied(context: &mut Context<'_>, value: &Value, depth: usize) -> Answer {
    if depth > MAX_COPY_DEPTH {
        return Err(format!("value nests deeper than {MAX_COPY_DEPTH} levels").into());
    }
    Ok(match value {
        Value::List(list) if !list.is_nil() => {
            charge(context, list.len())?;
            let items = list.items().iter().map(|item| stack::deepen(|| copied(context, item, depth + 1)));
            Value::List(List::typed(list.type_of(), items.collect::<Result<_, _>>()?))
        }
        Value::Map(map) if !map.is_nil() => {
            let entries = map.entries();
            charge(context, entries.len())?;
            let entries = entries
                .into_iter()
                .map(|(key, value)| Ok((key, stack::deepen(|| copied(context, &value, depth + 1))?)));
            Value::Map(Map::typed(map.type_of(), entries.collect::<Result<_, FunctionError>>()?))
        }
        Value::Object(object) if object.type_of().kind == Kind::Ptr => emptied(object.as_ref(), value),
        _ => value.clone(),
    })
}

/// A copy of a pointer's struct has only its exported fields; a version has none.
fn emptied(object: &dyn Object, value: &Value) -> Value {
    if object.type_of().name == super::semver::POINTER.name { super::semver::empty() } else { value.clone() }
}

fn charge(context: &mut Context<'_>, count: usize) -> Result<(), FunctionError> {
    context.charge(count as u64)?;
    Ok(context.charge_memory(count.saturating_mul(size_of::<Value>()))?)
}
