//! Functions of lists.

use super::{items, no_overload, too_long};
use crate::evaluate::{Evaluated, Fault};
use crate::value::{List, Value};
use std::cmp::Ordering;
use std::sync::Arc;

pub(super) fn call(function: &str, list: &List, rest: &[Value]) -> Evaluated {
    let fault = |message: String| Err(Fault::new(message));
    match (function, rest) {
        ("isSorted", []) => {
            let items = items(list);
            Ok(Value::Bool(items.windows(2).all(|pair| pair[0].compare(&pair[1]) != Some(Ordering::Greater))))
        }
        ("sum", []) => {
            let mut items = list.iter();
            let Some(first) = items.next() else { return Ok(Value::Int(0)) };
            items.try_fold(first, |sum, item| super::binary("+", sum, item))
        }
        ("max" | "min", []) => {
            let preferred = if function == "max" { Ordering::Less } else { Ordering::Greater };
            let mut best: Option<Value> = None;
            for item in list.iter() {
                best = Some(match best {
                    Some(best) if best.compare(&item) != Some(preferred) => best,
                    _ => item,
                });
            }
            best.ok_or_else(|| Fault::new(format!("{function} called on empty list")))
        }
        ("indexOf" | "lastIndexOf", [item]) => {
            let items = items(list);
            let found = if function == "indexOf" {
                items.iter().position(|known| known.equals(item))
            } else {
                items.iter().rposition(|known| known.equals(item))
            };
            Ok(Value::Int(found.and_then(|idx| i64::try_from(idx).ok()).unwrap_or(-1)))
        }
        ("slice", [Value::Int(start), Value::Int(end)]) => {
            if *start < 0 || *end < 0 {
                return fault(format!("cannot slice({start}, {end}), negative indexes not supported"));
            }
            if start > end {
                return fault(format!(
                    "cannot slice({start}, {end}), start index must be less than or equal to end index"
                ));
            }
            if usize::try_from(*end).unwrap_or(usize::MAX) > list.len() {
                return fault(format!("cannot slice({start}, {end}), list is length {}", list.len()));
            }
            let start = usize::try_from(*start).unwrap_or(0);
            let end = usize::try_from(*end).unwrap_or(0);
            Ok(Value::list((start..end).filter_map(|idx| list.get(idx)).collect()))
        }
        ("flatten", []) => Ok(Value::list(flattened(list, 1))),
        ("flatten", [Value::Int(depth)]) => match *depth < 0 {
            true => fault("level must be non-negative".to_owned()),
            false => Ok(Value::list(flattened(list, *depth))),
        },
        ("sort", []) => sorted(list, list),
        ("@sortByAssociatedKeys", [Value::List(keys)]) => sorted(list, keys),
        ("reverse", []) => {
            let mut items = items(list);
            items.reverse();
            Ok(Value::list(items))
        }
        ("distinct", []) => {
            let mut distinct: Vec<Value> = Vec::new();
            for item in list.iter() {
                if !distinct.iter().any(|known| known.equals(&item)) {
                    distinct.push(item);
                }
            }
            Ok(Value::list(distinct))
        }
        ("first" | "last", []) => {
            let idx = if function == "first" { Some(0) } else { list.len().checked_sub(1) };
            Ok(Value::Optional(idx.and_then(|idx| list.get(idx)).map(Arc::new)))
        }
        ("join", rest) => join(list, rest),
        ("sets.contains", [Value::List(other)]) => Ok(Value::Bool(contains(list, other))),
        ("sets.equivalent", [Value::List(other)]) => {
            Ok(Value::Bool(contains(list, other) && contains(other, list)))
        }
        ("sets.intersects", [Value::List(other)]) => {
            Ok(Value::Bool(list.iter().any(|item| other.iter().any(|known| known.equals(&item)))))
        }
        _ => {
            let mut all = vec![Value::List(list.clone())];
            all.extend_from_slice(rest);
            Err(no_overload(function, &all))
        }
    }
}

fn contains(list: &List, other: &List) -> bool {
    other.iter().all(|item| list.iter().any(|known| known.equals(&item)))
}

fn flattened(list: &List, depth: i64) -> Vec<Value> {
    let mut out = Vec::new();
    for item in list.iter() {
        match item {
            Value::List(inner) if depth > 0 => out.extend(flattened(&inner, depth - 1)),
            item => out.push(item),
        }
    }
    out
}

fn sorted(list: &List, keys: &List) -> Evaluated {
    if list.len() != keys.len() {
        return Err(Fault::new(format!(
            "@sortByAssociatedKeys() expected a list of the same size as the associated keys list, but got {} and {} elements respectively",
            list.len(),
            keys.len()
        )));
    }
    let mut pairs: Vec<(Value, Value)> = keys.iter().zip(list.iter()).collect();
    let Some((first, _)) = pairs.first() else { return Ok(Value::List(list.clone())) };
    if first.compare(first).is_none() && !matches!(first, Value::Double(_)) {
        return Err(Fault::new("list elements must be comparable"));
    }
    if pairs.iter().any(|(key, _)| key.type_name() != first.type_name()) {
        return Err(Fault::new("list elements must have the same type"));
    }
    pairs.sort_by(|left, right| left.0.compare(&right.0).unwrap_or(Ordering::Equal));
    Ok(Value::list(pairs.into_iter().map(|(_, item)| item).collect()))
}

fn join(list: &List, rest: &[Value]) -> Evaluated {
    let separator = match rest {
        [] => "",
        [Value::String(separator)] => separator,
        _ => return Err(Fault::no_overload()),
    };
    let mut out = String::new();
    for (idx, item) in list.iter().enumerate() {
        let Value::String(text) = &item else {
            return Err(Fault::new(format!("join: invalid input: {item}")));
        };
        if idx > 0 {
            out.push_str(separator);
        }
        out.push_str(text);
        if out.len() > super::MAX_TEXT {
            return Err(too_long());
        }
    }
    Ok(Value::String(out.into()))
}
