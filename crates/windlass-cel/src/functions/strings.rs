//! Functions of text. Places count characters.

use super::{MAX_TEXT, no_overload, too_long};
use crate::evaluate::{Evaluated, Fault};
use crate::value::Value;

pub(super) fn call(function: &str, arguments: &[Value]) -> Evaluated {
    let Some((Value::String(text), rest)) = arguments.split_first() else {
        return Err(no_overload(function, arguments));
    };
    let out_of_range = |idx: i64| Err(Fault::new(format!("index out of range: {idx}")));
    match (function, rest) {
        ("contains", [Value::String(part)]) => Ok(Value::Bool(text.contains(&**part))),
        ("startsWith", [Value::String(part)]) => Ok(Value::Bool(text.starts_with(&**part))),
        ("endsWith", [Value::String(part)]) => Ok(Value::Bool(text.ends_with(&**part))),
        ("charAt", [Value::Int(idx)]) => {
            let count = text.chars().count();
            match usize::try_from(*idx) {
                Ok(place) if place < count => {
                    Ok(Value::String(text.chars().skip(place).take(1).collect::<String>().into()))
                }
                Ok(place) if place == count => Ok(Value::string("")),
                _ => out_of_range(*idx),
            }
        }
        ("indexOf", [Value::String(part)]) => index_of(text, part, 0),
        ("indexOf", [Value::String(part), Value::Int(from)]) => index_of(text, part, *from),
        ("lastIndexOf", [Value::String(part)]) => {
            let count = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
            if part.is_empty() {
                return Ok(Value::Int(count));
            }
            if text.len() < part.len() {
                return Ok(Value::Int(-1));
            }
            last_index_of(text, part, count - 1)
        }
        ("lastIndexOf", [Value::String(part), Value::Int(from)]) => last_index_of(text, part, *from),
        ("lowerAscii", []) => Ok(Value::String(text.to_ascii_lowercase().into())),
        ("upperAscii", []) => Ok(Value::String(text.to_ascii_uppercase().into())),
        ("trim", []) => Ok(Value::string(text.trim_matches(is_space))),
        ("replace", [Value::String(old), Value::String(new)]) => replace(text, old, new, -1),
        ("replace", [Value::String(old), Value::String(new), Value::Int(count)]) => {
            replace(text, old, new, *count)
        }
        ("split", [Value::String(separator)]) => Ok(split(text, separator, -1)),
        ("split", [Value::String(separator), Value::Int(count)]) => Ok(split(text, separator, *count)),
        ("substring", [Value::Int(start)]) => {
            let count = text.chars().count();
            match usize::try_from(*start) {
                Ok(start) if start <= count => {
                    Ok(Value::String(text.chars().skip(start).collect::<String>().into()))
                }
                _ => out_of_range(*start),
            }
        }
        ("substring", [Value::Int(start), Value::Int(end)]) => {
            if start > end {
                return Err(Fault::new(format!("invalid substring range. start: {start}, end: {end}")));
            }
            let count = text.chars().count();
            let place = |idx: i64| usize::try_from(idx).ok().filter(|idx| *idx <= count);
            let Some(from) = place(*start) else { return out_of_range(*start) };
            let Some(to) = place(*end) else { return out_of_range(*end) };
            Ok(Value::String(text.chars().skip(from).take(to - from).collect::<String>().into()))
        }
        ("strings.quote", []) => {
            let mut out = String::from("\"");
            for char in text.chars() {
                match char {
                    '\u{7}' => out.push_str("\\a"),
                    '\u{8}' => out.push_str("\\b"),
                    '\u{c}' => out.push_str("\\f"),
                    '\n' => out.push_str("\\n"),
                    '\r' => out.push_str("\\r"),
                    '\t' => out.push_str("\\t"),
                    '\u{b}' => out.push_str("\\v"),
                    '\\' => out.push_str("\\\\"),
                    '"' => out.push_str("\\\""),
                    other => out.push(other),
                }
            }
            out.push('"');
            Ok(Value::String(out.into()))
        }
        _ => Err(no_overload(function, arguments)),
    }
}

/// What Go's `unicode.IsSpace` holds for.
fn is_space(char: char) -> bool {
    char.is_whitespace()
}

fn index_of(text: &str, part: &str, from: i64) -> Evaluated {
    if part.is_empty() {
        return Ok(Value::Int(from));
    }
    let Ok(start) = usize::try_from(from) else {
        return Err(Fault::new(format!("index out of range: {from}")));
    };
    let Some((byte, _)) = text.char_indices().nth(start) else { return Ok(Value::Int(-1)) };
    Ok(Value::Int(match text[byte..].find(part) {
        Some(found) => from + i64::try_from(text[byte..byte + found].chars().count()).unwrap_or(0),
        None => -1,
    }))
}

fn last_index_of(text: &str, part: &str, from: i64) -> Evaluated {
    if part.is_empty() {
        return Ok(Value::Int(from));
    }
    let Ok(start) = usize::try_from(from) else {
        return Err(Fault::new(format!("index out of range: {from}")));
    };
    let Some((byte, _)) = text.char_indices().nth(start) else { return Ok(Value::Int(-1)) };
    let end = (byte + part.len()).min(text.len());
    let end = (end..=text.len()).find(|end| text.is_char_boundary(*end)).unwrap_or(text.len());
    Ok(Value::Int(match text[..end].rfind(part) {
        Some(found) => i64::try_from(text[..found].chars().count()).unwrap_or(0),
        None => -1,
    }))
}

fn replace(text: &str, old: &str, new: &str, count: i64) -> Evaluated {
    let most = usize::try_from(count).unwrap_or(usize::MAX);
    let times = if old.is_empty() { text.chars().count() + 1 } else { text.matches(old).count() };
    if text.len().saturating_add(times.min(most).saturating_mul(new.len())) > MAX_TEXT {
        return Err(too_long());
    }
    Ok(Value::String(text.replacen(old, new, most).into()))
}

fn split(text: &str, separator: &str, count: i64) -> Value {
    let most = match usize::try_from(count) {
        Ok(0) => return Value::list(Vec::new()),
        Ok(most) => most,
        Err(_) => usize::MAX,
    };
    if separator.is_empty() {
        let mut parts: Vec<String> = Vec::new();
        let mut rest = text;
        while let Some(char) = rest.chars().next() {
            if parts.len() + 1 == most {
                parts.push(rest.to_owned());
                return Value::strings(parts);
            }
            parts.push(char.to_string());
            rest = &rest[char.len_utf8()..];
        }
        return Value::strings(parts);
    }
    Value::strings(text.splitn(most, separator).map(str::to_owned))
}
