//! The method `format` of strings.

use super::{quoted, to_text};
use crate::evaluate::Fault;
use crate::types::Type;
use crate::value::{List, Value};
use windlass_go::fmt::format_float;

/// How many digits a number has after its point if nothing is said.
const PRECISION: usize = 6;

/// The most digits after a point: what a float has of them.
const MOST_PRECISION: usize = 1_100;

const DECIMAL: &str = "decimal clause can only be used on integers";
const FIXED: &str = "fixed-point clause can only be used on doubles";
const SCIENTIFIC: &str = "scientific clause can only be used on doubles";
const BINARY: &str = "only integers and bools can be formatted as binary";
const HEXADECIMAL: &str = "only integers, byte buffers, and strings can be formatted as hex";
const OCTAL: &str = "octal clause can only be used on integers";
const STRING: &str = "string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps";

/// What is wrong with a layout for items of these types, and with which item, before there are values.
pub(crate) fn check(layout: &str, types: &[&Type]) -> Result<(), (Option<usize>, String)> {
    let mut rest = layout;
    let mut next = 0;
    while let Some(at) = rest.find('%') {
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            rest = after;
            continue;
        }
        if rest.is_empty() {
            return Err((None, "unexpected end of string".to_owned()));
        }
        let Some(ty) = types.get(next) else { return Err((None, format!("index {next} out of range"))) };
        if let Some(after) = rest.strip_prefix('.') {
            rest = after.trim_start_matches(|char: char| char.is_ascii_digit());
        }
        let Some(verb) = rest.chars().next() else { return Ok(()) };
        rest = &rest[verb.len_utf8()..];
        let (fits, clause) = match verb {
            's' => (!matches!(ty, Type::Struct(_) | Type::Opaque(..)), STRING),
            'd' => (matches!(ty, Type::Int | Type::Uint), DECIMAL),
            'f' => (matches!(ty, Type::Double | Type::String), FIXED),
            'e' => (matches!(ty, Type::Double | Type::String), SCIENTIFIC),
            'b' => (matches!(ty, Type::Int | Type::Uint | Type::Bool), BINARY),
            'o' => (matches!(ty, Type::Int | Type::Uint), OCTAL),
            'x' | 'X' => (matches!(ty, Type::Int | Type::Uint | Type::String | Type::Bytes), HEXADECIMAL),
            _ => {
                let message =
                    format!("could not parse formatting clause: unrecognized formatting clause \"{verb}\"");
                return Err((None, message));
            }
        };
        if !fits && !ty.is_dyn() {
            let name = crate::check::type_name(ty);
            return Err((Some(next), format!("error during formatting: {clause}, was given {name}")));
        }
        next += 1;
    }
    if types.len() > next {
        let message =
            format!("too many arguments supplied to string.format (expected {next}, got {})", types.len());
        return Err((None, message));
    }
    Ok(())
}

/// Replaces each clause of a layout by the next item.
pub(super) fn format(layout: &str, list: &List) -> Result<String, Fault> {
    let fault = |message: String| Fault::new(message);
    let clause_fault = |message: &str| Fault::new(format!("could not parse formatting clause: {message}"));
    let mut out = String::with_capacity(layout.len());
    let mut rest = layout;
    let mut next = 0;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let Some(value) = list.get(next) else { return Err(fault(format!("index {next} out of range"))) };
        if rest.is_empty() {
            return Err(fault("unexpected end of string".to_owned()));
        }
        let mut precision = None;
        if let Some(after) = rest.strip_prefix('.') {
            let digits = after.bytes().take_while(u8::is_ascii_digit).count();
            if digits == after.len() {
                return Err(clause_fault(
                    "error while parsing precision: could not find end of precision specifier",
                ));
            }
            match after[..digits].parse::<usize>() {
                Ok(number) => precision = Some(number.min(MOST_PRECISION)),
                Err(_) => {
                    return Err(clause_fault(&format!(
                        "error while parsing precision: error while converting precision to integer: strconv.Atoi: parsing {}: invalid syntax",
                        quoted(&after[..digits])
                    )));
                }
            }
            rest = &after[digits..];
        }
        let Some(verb) = rest.chars().next() else {
            return Err(fault("unexpected end of string".to_owned()));
        };
        rest = &rest[verb.len_utf8()..];
        let text = clause(verb, precision.unwrap_or(PRECISION), &value).map_err(|message| match message {
            None => clause_fault(&format!("unrecognized formatting clause \"{verb}\"")),
            Some(message) => Fault::new(format!("error during formatting: {message}")),
        })?;
        out.push_str(&text);
        if out.len() > super::MAX_TEXT {
            return Err(super::too_long());
        }
        next += 1;
    }
    out.push_str(rest);
    Ok(out)
}

/// One clause; an error without a message where there is no such clause.
fn clause(verb: char, precision: usize, value: &Value) -> Result<String, Option<String>> {
    let only = |clause: &str| Err(Some(format!("{clause}, was given {}", value.type_name())));
    match verb {
        's' => string(value).map_err(Some),
        'd' => match value {
            Value::Int(_) | Value::Uint(_) => Ok(to_text(value).unwrap_or_default()),
            _ => only(DECIMAL),
        },
        'f' | 'e' => {
            let double = match value {
                Value::Double(double) => *double,
                Value::String(text) if matches!(&**text, "NaN" | "Infinity" | "-Infinity") => {
                    text.replace("Infinity", "inf").parse().unwrap_or(f64::NAN)
                }
                _ if verb == 'f' => return only(FIXED),
                _ => return only(SCIENTIFIC),
            };
            Ok(localized(double, verb, precision))
        }
        'b' => match value {
            Value::Int(int) if *int < 0 => Ok(format!("-{:b}", int.unsigned_abs())),
            Value::Int(int) => Ok(format!("{int:b}")),
            Value::Uint(uint) => Ok(format!("{uint:b}")),
            Value::Bool(flag) => Ok(u8::from(*flag).to_string()),
            _ => only(BINARY),
        },
        'o' => match value {
            Value::Int(int) if *int < 0 => Ok(format!("-{:o}", int.unsigned_abs())),
            Value::Int(int) => Ok(format!("{int:o}")),
            Value::Uint(uint) => Ok(format!("{uint:o}")),
            _ => only(OCTAL),
        },
        'x' | 'X' => {
            let text = match value {
                Value::Int(int) if *int < 0 => format!("-{:x}", int.unsigned_abs()),
                Value::Int(int) => format!("{int:x}"),
                Value::Uint(uint) => format!("{uint:x}"),
                Value::String(text) => text.bytes().map(|byte| format!("{byte:02x}")).collect(),
                Value::Bytes(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
                _ => return only(HEXADECIMAL),
            };
            Ok(if verb == 'X' { text.to_uppercase() } else { text })
        }
        _ => Err(None),
    }
}

/// A number as the English of Go's text packages prints it.
fn localized(double: f64, verb: char, precision: usize) -> String {
    if double.is_nan() {
        return "NaN".to_owned();
    }
    if double.is_infinite() {
        return if double > 0.0 { "∞" } else { "-∞" }.to_owned();
    }
    if verb == 'f' {
        let text = format_float(double, b'f', Some(precision), 64);
        let (whole, fraction) = match text.split_once('.') {
            Some((whole, fraction)) => (whole.to_owned(), format!(".{fraction}")),
            None => (text, String::new()),
        };
        let (sign, digits) = match whole.strip_prefix('-') {
            Some(digits) => ("-", digits.to_owned()),
            None => ("", whole),
        };
        let mut grouped = String::new();
        for (idx, digit) in digits.chars().enumerate() {
            if idx > 0 && (digits.len() - idx) % 3 == 0 {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        return format!("{sign}{grouped}{fraction}");
    }
    let text = format_float(double, b'e', Some(precision), 64);
    let (number, exponent) = text.split_once('e').unwrap_or((&text, "+00"));
    let (sign, digits) = exponent.split_at(1);
    let raised: String = digits
        .chars()
        .filter_map(|digit| "⁰¹²³⁴⁵⁶⁷⁸⁹".chars().nth(digit.to_digit(10).unwrap_or(0) as usize))
        .collect();
    format!("{number}×10{}{raised}", if sign == "-" { "⁻" } else { "" })
}

fn string(value: &Value) -> Result<String, String> {
    match value {
        Value::Null => Ok("null".to_owned()),
        Value::List(_) | Value::Map(_) => nested(value),
        Value::Bool(_)
        | Value::Int(_)
        | Value::Uint(_)
        | Value::Double(_)
        | Value::String(_)
        | Value::Bytes(_)
        | Value::Timestamp(_)
        | Value::Duration(_)
        | Value::Type(_) => to_text(value).ok_or_else(|| "could not convert argument to string".to_owned()),
        other => Err(format!("{STRING}, was given {}", other.type_name())),
    }
}

/// A value inside of a list or a map.
fn nested(value: &Value) -> Result<String, String> {
    Ok(match value {
        Value::String(text) => quoted(text),
        Value::Bytes(bytes) => format!("b{}", windlass_go::fmt::quote(bytes)),
        Value::Double(double) if double.is_finite() => format_float(*double, b'f', Some(PRECISION), 64),
        Value::Double(double) => quoted(if double.is_nan() {
            "NaN"
        } else if *double > 0.0 {
            "+Inf"
        } else {
            "-Inf"
        }),
        Value::Timestamp(_) => format!("timestamp({})", quoted(&to_text(value).unwrap_or_default())),
        Value::Duration(_) => format!("duration({})", quoted(&to_text(value).unwrap_or_default())),
        Value::List(list) => {
            let items: Result<Vec<String>, String> = list.iter().map(|item| nested(&item)).collect();
            format!("[{}]", items?.join(", "))
        }
        Value::Map(map) => {
            let mut entries = Vec::new();
            for (key, value) in map.entries() {
                entries.push((nested(&key)?, nested(&value)?));
            }
            entries.sort();
            let shown: Vec<String> =
                entries.into_iter().map(|(key, value)| format!("{key}:{value}")).collect();
            format!("{{{}}}", shown.join(", "))
        }
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Type(_) => string(value)?,
        other => return Err(format!("no formatting function for {}", other.type_name())),
    })
}
