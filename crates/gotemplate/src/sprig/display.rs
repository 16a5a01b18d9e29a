//! Values as text.

use crate::value::{Kind, Str, Value};

/// A value as `%v` prints it.
pub(super) fn display(value: &Value) -> Str {
    let mut out = Vec::new();
    write(value, 0, &mut out);
    out.into()
}

fn write(value: &Value, depth: usize, out: &mut Vec<u8>) {
    match value {
        Value::String(text) => out.extend_from_slice(text.as_bytes()),
        Value::Nil | Value::NoValue => out.extend_from_slice(b"<nil>"),
        Value::Bool(bool) => out.extend_from_slice(bool.to_string().as_bytes()),
        Value::Float(float) => out.extend_from_slice(shortest(*float).as_bytes()),
        Value::Bytes(bytes) => {
            let bytes: Vec<String> = bytes.as_bytes().iter().map(u8::to_string).collect();
            out.extend_from_slice(format!("[{}]", bytes.join(" ")).as_bytes());
        }
        Value::List(list) => {
            out.push(b'[');
            for (position, item) in list.items().iter().enumerate().take_while(|_| depth < 1_000) {
                if position > 0 {
                    out.push(b' ');
                }
                write(item, depth + 1, out);
            }
            out.push(b']');
        }
        Value::Map(map) => {
            out.extend_from_slice(b"map[");
            for (position, (key, value)) in map.entries().iter().enumerate().take_while(|_| depth < 1_000) {
                if position > 0 {
                    out.push(b' ');
                }
                out.extend_from_slice(key.as_bytes());
                out.push(b':');
                write(value, depth + 1, out);
            }
            out.push(b']');
        }
        Value::Object(object) => match object.text() {
            Some(text) => out.extend_from_slice(text.as_bytes()),
            None => {
                let fields: Vec<_> =
                    object.fields().iter().map(|(_, value)| display(value).to_string()).collect();
                let mark = if object.type_of().kind == Kind::Ptr { "&" } else { "" };
                out.extend_from_slice(format!("{mark}{{{}}}", fields.join(" ")).as_bytes());
            }
        },
        Value::Number(crate::value::Number::Float32(float)) => {
            let wide: f64 = format!("{float:e}").parse().unwrap_or(0.0);
            out.extend_from_slice(shortest(wide).as_bytes());
        }
        _ => {
            let printed = value.as_int().map(|int| int.to_string());
            let printed = printed.or_else(|| value.as_uint().map(|uint| uint.to_string()));
            out.extend_from_slice(printed.unwrap_or_else(|| "<nil>".to_owned()).as_bytes());
        }
    }
}

/// `%v` of a float: the shortest digits, with an exponent below -4 and from 6 on.
pub(super) fn shortest(float: f64) -> String {
    if !float.is_finite() {
        return if float.is_nan() {
            "NaN".into()
        } else if float > 0.0 {
            "+Inf".into()
        } else {
            "-Inf".into()
        };
    }
    with_exponent_from(float, 6)
}

/// The shortest digits of a float, with an exponent below -4 and from `limit` on.
pub(super) fn with_exponent_from(float: f64, limit: i32) -> String {
    let printed = format!("{float:e}");
    let (mantissa, exponent) = printed.split_once('e').unwrap_or((&printed, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if float != 0.0 && (exponent < -4 || exponent >= limit) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs());
    }
    format!("{float}")
}

/// A string as `%q` prints it.
pub(super) fn quoted(text: &Str) -> Vec<u8> {
    let mut out = vec![b'"'];
    for chunk in text.as_bytes().utf8_chunks() {
        for char in chunk.valid().chars() {
            quote_char(char, &mut out);
        }
        for byte in chunk.invalid() {
            out.extend_from_slice(format!("\\x{byte:02x}").as_bytes());
        }
    }
    out.push(b'"');
    out
}

fn quote_char(char: char, out: &mut Vec<u8>) {
    let escape = match char {
        '"' => "\\\"",
        '\\' => "\\\\",
        '\x07' => "\\a",
        '\x08' => "\\b",
        '\x0c' => "\\f",
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        '\x0b' => "\\v",
        _ => "",
    };
    if !escape.is_empty() {
        out.extend_from_slice(escape.as_bytes());
        return;
    }
    let code = u32::from(char);
    let printed = match char {
        ' '..='~' => char.to_string(),
        '\0'..='\x7f' => format!("\\x{code:02x}"),
        _ if is_printable(char) => char.to_string(),
        '\u{80}'..='\u{ffff}' => format!("\\u{code:04x}"),
        _ => format!("\\U{code:08x}"),
    };
    out.extend_from_slice(printed.as_bytes());
}

/// Whether a character outside ASCII shows as itself.
fn is_printable(char: char) -> bool {
    let mut probe = String::from("a");
    probe.push(char);
    format!("{probe:?}").len() == probe.len() + 2
}

/// A value as sprig makes strings of it: texts as they are, objects by their `Error` or `String` method,
/// anything else as `%v`.
pub(super) fn string_of(value: &Value) -> Str {
    match value {
        Value::String(text) | Value::Bytes(text) => text.clone(),
        Value::Object(object) => object.text().unwrap_or_else(|| display(value)),
        _ => display(value),
    }
}
