//! What every function does.

pub(crate) mod cost;
pub mod format;
mod lists;
mod net;
pub(crate) mod printf;
pub mod semver;
mod strings;
mod times;
pub mod url;

use crate::evaluate::{Evaluated, Fault, insert_new};
use crate::value::{List, Map, Value};
use base64::Engine as _;
use std::cmp::Ordering;
use std::sync::Arc;
use windlass_go::duration::Duration;
use windlass_go::fmt::{format_float, quote};
use windlass_go::re2::Regex;
use windlass_kube::quantity::{Format, Quantity};

/// The largest text that a function makes. cel-go has no such limit; this is twenty times the largest request, and
/// keeps a replacement that squares a text from taking all memory.
pub const MAX_TEXT: usize = 64 * 1024 * 1024;

/// Whether a function is evaluated in one way whatever its overloads, so that both of its arguments are evaluated.
pub(crate) fn is_one_function(function: &str) -> bool {
    function.starts_with('_')
        || function.starts_with('@')
        || matches!(function, "size" | "matches" | "optional.of" | "or" | "orValue")
}

fn no_overload(function: &str, arguments: &[Value]) -> Fault {
    if matches!(function, "contains" | "startsWith" | "endsWith" | "containsIP") {
        return Fault::no_overload();
    }
    if function.starts_with('_') || function.starts_with('@') || function.ends_with('_') {
        return Fault::no_overload();
    }
    let types: Vec<&str> = arguments.iter().map(Value::type_name).collect();
    Fault::new(format!("no such overload: {function}({})", types.join(", ")))
}

/// Standard base64 of bytes.
pub(crate) fn base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

pub(crate) fn from_base64(text: &str) -> Option<Vec<u8>> {
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}

/// What a value is as text, by `string()`.
pub(crate) fn to_text(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Int(int) => int.to_string(),
        Value::Uint(uint) => uint.to_string(),
        Value::Double(double) => format_float(*double, b'g', None, 64),
        Value::String(text) => text.to_string(),
        Value::Bytes(bytes) => std::str::from_utf8(bytes).ok()?.to_owned(),
        Value::Duration(duration) => format!("{}s", format_float(duration.as_secs_f64(), b'f', None, 64)),
        Value::Timestamp(time) => time.format("2006-01-02T15:04:05.999999999Z07:00"),
        Value::Type(name) => name.to_string(),
        Value::Ip(ip) => ip.to_string(),
        Value::Cidr(ip, length) => format!("{ip}/{length}"),
        Value::Quantity(quantity) => quantity.to_string(),
        _ => return None,
    })
}

/// One of the conversions that constants are computed with.
pub(crate) fn convert(function: &str, value: &Value) -> Evaluated {
    #[expect(clippy::cast_precision_loss, reason = "as in cel-go")]
    fn double(value: &Value) -> Option<f64> {
        Some(match value {
            Value::Double(double) => *double,
            Value::Int(int) => *int as f64,
            Value::Uint(uint) => *uint as f64,
            _ => return None,
        })
    }
    let wrong =
        |to: &str| Fault::new(format!("type conversion error from '{}' to '{to}'", value.type_name()));
    let out_of_range =
        |to: &str| Fault::new(if to == "int" { "integer overflow" } else { "unsigned integer overflow" });
    match (function, value) {
        ("dyn", value) => Ok(value.clone()),
        ("type", value) => Ok(Value::Type(value.type_name().into())),
        ("bool", Value::Bool(_)) | ("bytes", Value::Bytes(_)) | ("string", Value::String(_)) => {
            Ok(value.clone())
        }
        ("bool", Value::String(text)) => match &**text {
            "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(Value::Bool(true)),
            "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(Value::Bool(false)),
            _ => Err(wrong("bool")),
        },
        ("bytes", Value::String(text)) => Ok(Value::Bytes(text.as_bytes().into())),
        ("string", Value::Bytes(bytes)) => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Value::string(text)),
            Err(_) => Err(Fault::new("invalid UTF-8 in bytes, cannot convert to string")),
        },
        (
            "string",
            Value::Null | Value::List(_) | Value::Map(_) | Value::Optional(_) | Value::Quantity(_),
        ) => Err(no_overload("string", std::slice::from_ref(value))),
        ("string", value) => match to_text(value) {
            Some(text) => Ok(Value::String(text.into())),
            None => Err(no_overload("string", std::slice::from_ref(value))),
        },
        ("double", Value::String(text)) => match parse_double(text) {
            Some(double) => Ok(Value::Double(double)),
            None => Err(wrong("double")),
        },
        ("double", value) => match double(value) {
            Some(double) => Ok(Value::Double(double)),
            None => Err(no_overload(function, std::slice::from_ref(value))),
        },
        ("int", Value::Int(_)) | ("uint", Value::Uint(_)) => Ok(value.clone()),
        ("int", Value::Uint(uint)) => i64::try_from(*uint).map(Value::Int).map_err(|_| out_of_range("int")),
        ("uint", Value::Int(int)) => u64::try_from(*int).map(Value::Uint).map_err(|_| out_of_range("uint")),
        #[expect(clippy::cast_possible_truncation, reason = "in range")]
        ("int", Value::Double(double)) => {
            if double.is_finite()
                && *double > -9_223_372_036_854_775_808.0
                && *double < 9_223_372_036_854_775_808.0
            {
                Ok(Value::Int(*double as i64))
            } else {
                Err(out_of_range("int"))
            }
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range")]
        ("uint", Value::Double(double)) => {
            if double.is_finite() && *double >= 0.0 && *double < 18_446_744_073_709_551_616.0 {
                Ok(Value::Uint(*double as u64))
            } else {
                Err(out_of_range("uint"))
            }
        }
        ("int", Value::String(text)) => go_int(text).map(Value::Int).ok_or_else(|| wrong("int")),
        ("uint", Value::String(text)) => match text.bytes().all(|byte| byte.is_ascii_digit()) {
            true => text.parse().map(Value::Uint).map_err(|_| wrong("uint")),
            false => Err(wrong("uint")),
        },
        ("int", Value::Timestamp(time)) => Ok(Value::Int(time.unix())),
        ("int", Value::Duration(duration)) => Ok(Value::Int(duration.as_nanos())),
        ("duration", Value::Duration(_)) | ("timestamp", Value::Timestamp(_)) => Ok(value.clone()),
        ("duration", Value::Int(_)) => Err(wrong("google.protobuf.Duration")),
        ("duration", Value::String(text)) => {
            Duration::parse(text).map(Value::Duration).map_err(|_| wrong("google.protobuf.Duration"))
        }
        ("timestamp", Value::Int(int)) => times::from_unix(*int),
        ("timestamp", Value::String(text)) => {
            times::parse(text).unwrap_or_else(|| Err(wrong("google.protobuf.Timestamp")))
        }
        _ => Err(no_overload(function, std::slice::from_ref(value))),
    }
}

fn go_int(text: &str) -> Option<i64> {
    text.parse().ok()
}

fn parse_double(text: &str) -> Option<f64> {
    let plain = text.trim_start_matches(['+', '-']).to_ascii_lowercase();
    let is_word = matches!(plain.as_str(), "inf" | "infinity" | "nan");
    let is_number = plain.starts_with(|char: char| char.is_ascii_digit() || char == '.');
    if !(is_word || is_number) || text != text.trim() {
        return None;
    }
    text.parse().ok().filter(|double: &f64| is_word || double.is_finite())
}

/// The value at a key or a place. `Ok(None)` only where absence is asked about.
pub(crate) fn index(value: &Value, key: &Value, may_be_absent: bool) -> Result<Option<Value>, Fault> {
    let missing_key = |key: &Value| Fault::new(format!("no such key: {key}"));
    match value {
        Value::Map(map) => match map.get(key) {
            Some(found) => Ok(Some(found)),
            None if may_be_absent => Ok(None),
            None => Err(missing_key(key)),
        },
        Value::List(list) => {
            let idx = match key {
                Value::Int(int) => *int,
                Value::Uint(uint) => i64::try_from(*uint).unwrap_or(-1),
                #[expect(clippy::cast_possible_truncation, reason = "whole")]
                Value::Double(double) if double.fract() == 0.0 => *double as i64,
                _ => {
                    return Err(Fault::new(format!("unsupported index type '{}' in list", key.type_name())));
                }
            };
            match usize::try_from(idx).ok().and_then(|idx| list.get(idx)) {
                Some(found) => Ok(Some(found)),
                None if may_be_absent => Ok(None),
                None => Err(Fault::new(format!("index out of bounds: {idx}"))),
            }
        }
        Value::Foreign(foreign) if matches!(key, Value::String(_)) => {
            let Value::String(name) = key else { return Err(missing_key(key)) };
            match foreign.field(name) {
                Some(found) => found.map(Some),
                None if may_be_absent => Ok(None),
                None => Err(missing_key(key)),
            }
        }
        Value::Struct(made) => match key {
            Value::String(name) if made.fields.contains_key(&**name) => Ok(made.fields.get(&**name).cloned()),
            _ if may_be_absent => Ok(None),
            _ => Err(missing_key(key)),
        },
        _ if may_be_absent => Ok(None),
        _ => Err(missing_key(key)),
    }
}

/// Calls a function; a method has its target first. `room` is what may still be spent.
pub(crate) fn call(
    function: &str,
    mut arguments: Vec<Value>,
    pattern: Option<&Regex>,
    room: u64,
) -> Evaluated {
    if let Some(symbol) = function.strip_prefix('_').and_then(|rest| rest.strip_suffix('_'))
        && arguments.len() == 2
    {
        let right = arguments.pop().unwrap_or(Value::Null);
        let left = arguments.pop().unwrap_or(Value::Null);
        return binary(symbol, left, right);
    }
    match (function, arguments.as_slice()) {
        ("!_", [Value::Bool(flag)]) => Ok(Value::Bool(!flag)),
        ("-_", [Value::Int(int)]) => {
            int.checked_neg().map(Value::Int).ok_or_else(|| Fault::new("integer overflow"))
        }
        ("-_", [Value::Double(double)]) => Ok(Value::Double(-double)),
        ("@in", [item, Value::List(list)]) => Ok(Value::Bool(list.iter().any(|known| known.equals(item)))),
        ("@in", [key, Value::Map(map)]) => Ok(Value::Bool(map.get(key).is_some())),
        (
            "bool" | "bytes" | "double" | "duration" | "dyn" | "int" | "string" | "timestamp" | "type"
            | "uint",
            [value],
        ) => convert(function, value),
        ("size", [value]) => match value {
            Value::String(_) | Value::Bytes(_) | Value::List(_) | Value::Map(_) => {
                Ok(Value::Int(i64::try_from(value.size()).unwrap_or(i64::MAX)))
            }
            _ => Err(Fault::new("no such overload: size")),
        },
        ("optional.of", [value]) => Ok(Value::Optional(Some(Arc::new(value.clone())))),
        ("optional.none", []) => Ok(Value::Optional(None)),
        ("optional.ofNonZeroValue", [value]) => {
            Ok(Value::Optional((!is_zero(value)).then(|| Arc::new(value.clone()))))
        }
        ("hasValue", [Value::Optional(value)]) => Ok(Value::Bool(value.is_some())),
        ("value", [Value::Optional(value)]) => match value {
            Some(value) => Ok((**value).clone()),
            None => Err(Fault::new("optional.none() dereference")),
        },
        ("or", [Value::Optional(value), other]) => match value {
            Some(_) => Ok(arguments[0].clone()),
            None => Ok(other.clone()),
        },
        ("orValue", [Value::Optional(value), other]) => match value {
            Some(value) => Ok((**value).clone()),
            None => Ok(other.clone()),
        },
        ("optional.unwrap" | "unwrapOpt", [Value::List(list)]) => {
            let mut items = Vec::new();
            for item in list.iter() {
                match item {
                    Value::Optional(Some(value)) => items.push((*value).clone()),
                    Value::Optional(None) => {}
                    other => return Err(Fault::new(format!("value {other} is not optional"))),
                }
            }
            Ok(Value::list(items))
        }
        ("cel.@mapInsert", _) => insert(arguments),
        ("matches" | "find" | "findAll", _) => matching(function, &arguments, pattern),
        ("quantity" | "isQuantity", [Value::String(text)]) => match (function, text.parse::<Quantity>()) {
            ("isQuantity", parsed) => Ok(Value::Bool(parsed.is_ok())),
            (_, Ok(quantity)) => Ok(Value::Quantity(Arc::new(quantity))),
            (_, Err(error)) => Err(Fault::new(error.to_string())),
        },
        (_, [Value::Quantity(quantity), rest @ ..]) => on_quantity(function, quantity, rest),
        (_, [Value::String(_), ..]) | ("strings.quote" | "lists.range" | "format.named", _)
            if function != "jsonpatch.escapeKey" =>
        {
            text_function(function, &arguments, room)
        }
        (_, [Value::List(list), rest @ ..]) => lists::call(function, list, rest),
        (_, [Value::Timestamp(_) | Value::Duration(_), ..]) => times::call(function, &arguments),
        (_, [Value::Ip(_) | Value::Cidr(..), ..]) => net::call(function, &arguments),
        (_, [Value::Url(url)]) => url::call(function, url),
        (_, [Value::Semver(version), rest @ ..]) => semver::call(function, version, rest),
        ("validate", [Value::Format(format), Value::String(text)]) => Ok(format.validate(text)),
        (_, [Value::Foreign(foreign), rest @ ..]) => match foreign.call(function, rest) {
            Some(result) => result,
            None => Err(no_overload(function, &arguments)),
        },
        ("jsonpatch.escapeKey", [Value::String(key)]) => {
            Ok(Value::String(key.replace('~', "~0").replace('/', "~1").into()))
        }
        (name, []) => match name.strip_prefix("format.").and_then(format::named) {
            Some(format) => Ok(Value::Format(format)),
            None => Err(no_overload(function, &arguments)),
        },
        _ => Err(no_overload(function, &arguments)),
    }
}

fn text_function(function: &str, arguments: &[Value], room: u64) -> Evaluated {
    match (function, arguments) {
        ("lists.range", [Value::Int(count)]) => {
            if u64::try_from(*count).unwrap_or(0) > room {
                return Err(Fault::TooCostly);
            }
            Ok(Value::list((0..*count).map(Value::Int).collect()))
        }
        ("url", [Value::String(text)]) => url::Url::parse(text)
            .map(|url| Value::Url(Arc::new(url)))
            .map_err(|error| Fault::new(format!("URL parse error during conversion from string: {error}"))),
        ("isURL", [Value::String(text)]) => Ok(Value::Bool(url::Url::parse(text).is_ok())),
        ("semver" | "isSemver", _) => semver::parse_call(function, arguments),
        ("ip" | "isIP" | "ip.isCanonical" | "cidr" | "isCIDR", _) => net::call(function, arguments),
        ("format.named", [Value::String(name)]) => {
            Ok(Value::Optional(format::named(name).map(|format| Arc::new(Value::Format(format)))))
        }
        ("format", [Value::String(layout), Value::List(list)]) => {
            printf::format(layout, list).map(|text| Value::String(text.into()))
        }
        _ => strings::call(function, arguments),
    }
}

fn insert(arguments: Vec<Value>) -> Evaluated {
    let mut arguments = arguments.into_iter();
    match (arguments.next(), arguments.next(), arguments.next()) {
        (Some(Value::Map(map)), Some(key), Some(value)) => insert_new(map, key, value).map(Value::Map),
        (Some(Value::Map(mut map)), Some(Value::Map(more)), None) => {
            for (key, value) in more.entries() {
                map = insert_new(map, key, value)?;
            }
            Ok(Value::Map(map))
        }
        _ => Err(Fault::no_overload()),
    }
}

fn matching(function: &str, arguments: &[Value], compiled: Option<&Regex>) -> Evaluated {
    let [Value::String(text), Value::String(pattern), rest @ ..] = arguments else {
        return Err(Fault::no_overload());
    };
    let parsed;
    let regex = match compiled {
        Some(regex) => regex,
        None => {
            let prefix = if function == "matches" { "" } else { "Illegal regex: " };
            parsed = Regex::parse(pattern).map_err(|error| Fault::new(format!("{prefix}{error}")))?;
            &parsed
        }
    };
    Ok(match function {
        "matches" => Value::Bool(regex.is_match(text)),
        "find" => Value::string(regex.find(text).unwrap_or_default()),
        _ => {
            let most = match rest {
                [Value::Int(most)] => usize::try_from(*most).unwrap_or(usize::MAX),
                _ => usize::MAX,
            };
            let found = regex.captures_all(text);
            Value::strings(found.iter().take(most).map(|found| found.get(0).unwrap_or_default().to_owned()))
        }
    })
}

/// Whether a value is the one that a field has when nothing is set.
fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null | Value::Optional(None) => true,
        Value::Bool(flag) => !flag,
        Value::Int(int) => *int == 0,
        Value::Uint(uint) => *uint == 0,
        Value::Double(double) => *double == 0.0,
        Value::String(text) => text.is_empty(),
        Value::Bytes(bytes) => bytes.is_empty(),
        Value::Duration(duration) => duration.as_nanos() == 0,
        Value::Timestamp(time) => time.is_zero(),
        Value::List(list) => list.is_empty(),
        Value::Map(map) => map.is_empty() && !map.is_object(),
        _ => false,
    }
}

fn binary(symbol: &str, left: Value, right: Value) -> Evaluated {
    let overflow = || Fault::new("integer overflow");
    let unsigned_overflow = || Fault::new("unsigned integer overflow");
    match (symbol, &left, &right) {
        ("==", _, _) => return Ok(Value::Bool(left.equals(&right))),
        ("!=", _, _) => return Ok(Value::Bool(!left.equals(&right))),
        ("<" | "<=" | ">" | ">=", Value::Double(one), other)
        | ("<" | "<=" | ">" | ">=", other, Value::Double(one))
            if one.is_nan() || matches!(other, Value::Double(other) if other.is_nan()) =>
        {
            return Err(Fault::new("NaN values cannot be ordered"));
        }
        ("<" | "<=" | ">" | ">=", _, _) => {
            let order = left.compare(&right).ok_or_else(Fault::no_overload)?;
            return Ok(Value::Bool(match symbol {
                "<" => order == Ordering::Less,
                "<=" => order != Ordering::Greater,
                ">" => order == Ordering::Greater,
                _ => order != Ordering::Less,
            }));
        }
        _ => {}
    }
    match (symbol, left, right) {
        ("+", Value::Int(left), Value::Int(right)) => {
            left.checked_add(right).map(Value::Int).ok_or_else(overflow)
        }
        ("-", Value::Int(left), Value::Int(right)) => {
            left.checked_sub(right).map(Value::Int).ok_or_else(overflow)
        }
        ("*", Value::Int(left), Value::Int(right)) => {
            left.checked_mul(right).map(Value::Int).ok_or_else(overflow)
        }
        ("/", Value::Int(_), Value::Int(0)) | ("/", Value::Uint(_), Value::Uint(0)) => {
            Err(Fault::new("division by zero"))
        }
        ("%", Value::Int(_), Value::Int(0)) | ("%", Value::Uint(_), Value::Uint(0)) => {
            Err(Fault::new("modulus by zero"))
        }
        ("/", Value::Int(left), Value::Int(right)) => {
            left.checked_div(right).map(Value::Int).ok_or_else(overflow)
        }
        ("%", Value::Int(left), Value::Int(right)) => {
            left.checked_rem(right).map(Value::Int).ok_or_else(overflow)
        }
        ("+", Value::Uint(left), Value::Uint(right)) => {
            left.checked_add(right).map(Value::Uint).ok_or_else(unsigned_overflow)
        }
        ("-", Value::Uint(left), Value::Uint(right)) => {
            left.checked_sub(right).map(Value::Uint).ok_or_else(unsigned_overflow)
        }
        ("*", Value::Uint(left), Value::Uint(right)) => {
            left.checked_mul(right).map(Value::Uint).ok_or_else(unsigned_overflow)
        }
        ("/", Value::Uint(left), Value::Uint(right)) => Ok(Value::Uint(left / right)),
        ("%", Value::Uint(left), Value::Uint(right)) => Ok(Value::Uint(left % right)),
        ("+", Value::Double(left), Value::Double(right)) => Ok(Value::Double(left + right)),
        ("-", Value::Double(left), Value::Double(right)) => Ok(Value::Double(left - right)),
        ("*", Value::Double(left), Value::Double(right)) => Ok(Value::Double(left * right)),
        ("/", Value::Double(left), Value::Double(right)) => Ok(Value::Double(left / right)),
        ("+", Value::String(left), Value::String(right)) => {
            if left.len() + right.len() > MAX_TEXT {
                return Err(too_long());
            }
            Ok(Value::String([&*left, &*right].concat().into()))
        }
        ("+", Value::Bytes(left), Value::Bytes(right)) => {
            if left.len() + right.len() > MAX_TEXT {
                return Err(too_long());
            }
            Ok(Value::Bytes([&*left, &*right].concat().into()))
        }
        ("+", Value::List(left), Value::List(right)) => Ok(Value::List(left.concat(&right))),
        ("+", Value::Map(left), Value::Map(right)) => Ok(Value::Map(overlaid(&left, &right))),
        ("+" | "-", left, right) => times::arithmetic(symbol, &left, &right),
        _ => Err(Fault::no_overload()),
    }
}

fn overlaid(left: &Map, right: &Map) -> Map {
    let all = left.entries().into_iter().chain(right.entries());
    Map::Made(Arc::new(all.filter_map(|(key, value)| Some((key.key()?, (key, value)))).collect()))
}

pub(crate) fn too_long() -> Fault {
    Fault::new(format!("a text of more than {MAX_TEXT} bytes was not made"))
}

fn on_quantity(function: &str, quantity: &Arc<Quantity>, rest: &[Value]) -> Evaluated {
    let from_int = |int: i64| Quantity::new(int, Format::DecimalExponent);
    let result = |sum: Option<Quantity>| match sum {
        Some(sum) => Ok(Value::Quantity(Arc::new(sum))),
        None => Err(Fault::new("quantity overflow")),
    };
    Ok(match (function, rest) {
        ("sign", []) => Value::Int(i64::from(quantity.signum())),
        ("asApproximateFloat", []) => Value::Double(quantity.as_float()),
        ("isInteger", []) => Value::Bool(as_int(quantity).is_some()),
        ("asInteger", []) => match as_int(quantity) {
            Some(int) => Value::Int(int),
            None => return Err(Fault::new("cannot convert value to integer")),
        },
        ("isGreaterThan", [Value::Quantity(other)]) => Value::Bool(quantity > other),
        ("isLessThan", [Value::Quantity(other)]) => Value::Bool(quantity < other),
        ("compareTo", [Value::Quantity(other)]) => Value::Int(quantity.cmp(other) as i64),
        ("add", [Value::Quantity(other)]) => return result(quantity.checked_add(other)),
        ("sub", [Value::Quantity(other)]) => return result(quantity.checked_sub(other)),
        ("add", [Value::Int(int)]) => return result(quantity.checked_add(&from_int(*int))),
        ("sub", [Value::Int(int)]) => return result(quantity.checked_sub(&from_int(*int))),
        _ => {
            let mut all = vec![Value::Quantity(Arc::clone(quantity))];
            all.extend_from_slice(rest);
            return Err(no_overload(function, &all));
        }
    })
}

/// A whole number, if the quantity is one.
fn as_int(quantity: &Quantity) -> Option<i64> {
    let int = quantity.value();
    (Quantity::new(int, Format::DecimalSi) == *quantity).then_some(int)
}

/// A text in double quotes as Go's `%q` prints it.
fn quoted(text: &str) -> String {
    quote(text.as_bytes())
}

fn items(list: &List) -> Vec<Value> {
    list.iter().collect()
}
