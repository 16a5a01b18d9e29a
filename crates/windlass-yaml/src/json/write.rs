//! [`Value`] to text, byte for byte as Go's `encoding/json` writes it.

use crate::value::Value;

/// How JSON is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonStyle {
    /// Spaces for each level; `None` for one line without blanks.
    pub indent: Option<usize>,
    /// Whether `<`, `>` and `&` are escaped, as Go does unless told otherwise.
    pub escape_html: bool,
}

impl Default for JsonStyle {
    fn default() -> Self {
        Self { indent: None, escape_html: true }
    }
}

/// The value on one line, as `json.Marshal` prints it.
#[must_use]
pub fn to_string(value: &Value) -> String {
    let mut text = String::new();
    write(value, JsonStyle::default(), &mut text);
    text
}

/// The value on one line with `<`, `>` and `&` as they are: `SetEscapeHTML(false)`.
#[must_use]
pub fn to_string_unescaped(value: &Value) -> String {
    let mut text = String::new();
    write(value, JsonStyle { escape_html: false, ..JsonStyle::default() }, &mut text);
    text
}

/// The value with `indent` spaces for each level, as `json.MarshalIndent` prints it.
#[must_use]
pub fn to_string_pretty(value: &Value, indent: usize) -> String {
    let mut text = String::new();
    write(value, JsonStyle { indent: Some(indent), ..JsonStyle::default() }, &mut text);
    text
}

/// The bytes of [`to_string`].
#[must_use]
pub fn to_vec(value: &Value) -> Vec<u8> {
    to_string(value).into_bytes()
}

/// Appends the value in the given style; with an indent it is what `json.MarshalIndent` prints.
pub fn write(value: &Value, style: JsonStyle, into: &mut String) {
    write_at(value, style, 0, into);
}

fn write_at(value: &Value, style: JsonStyle, level: usize, into: &mut String) {
    match value {
        Value::Null => into.push_str("null"),
        Value::Bool(true) => into.push_str("true"),
        Value::Bool(false) => into.push_str("false"),
        Value::Int(int) => write_int(*int, into),
        Value::Float(float) => into.push_str(&crate::float::go_json(*float)),
        Value::String(text) => write_str(text, style.escape_html, into),
        Value::Array(items) if items.is_empty() => into.push_str("[]"),
        Value::Object(map) if map.is_empty() => into.push_str("{}"),
        Value::Array(items) => {
            into.push('[');
            for (idx, item) in items.iter().enumerate() {
                separate(style, level + 1, idx, into);
                write_at(item, style, level + 1, into);
            }
            separate(style, level, 0, into);
            into.push(']');
        }
        Value::Object(map) => {
            into.push('{');
            for (idx, (key, member)) in map.iter().enumerate() {
                separate(style, level + 1, idx, into);
                write_str(key, style.escape_html, into);
                into.push_str(if style.indent.is_some() { ": " } else { ":" });
                write_at(member, style, level + 1, into);
            }
            separate(style, level, 0, into);
            into.push('}');
        }
    }
}

/// What stands before the `idx`th item.
fn separate(style: JsonStyle, level: usize, idx: usize, into: &mut String) {
    if idx > 0 {
        into.push(',');
    }
    if let Some(indent) = style.indent {
        into.push('\n');
        into.extend(std::iter::repeat_n(' ', indent * level));
    }
}

fn write_int(int: i64, into: &mut String) {
    let mut digits = [0_u8; 20];
    let mut from = digits.len();
    let mut left = int.unsigned_abs();
    loop {
        from -= 1;
        digits[from] = b'0' + u8::try_from(left % 10).expect("a digit");
        left /= 10;
        if left == 0 {
            break;
        }
    }
    if int < 0 {
        into.push('-');
    }
    into.extend(digits[from..].iter().map(|digit| char::from(*digit)));
}

/// Appends a string literal.
pub(crate) fn write_str(text: &str, escape_html: bool, into: &mut String) {
    into.push('"');
    let bytes = text.as_bytes();
    let mut from = 0;
    for (idx, &byte) in bytes.iter().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0x08 => "\\b",
            0x0C => "\\f",
            b'<' if escape_html => "\\u003c",
            b'>' if escape_html => "\\u003e",
            b'&' if escape_html => "\\u0026",
            0..=0x1F => "",
            // U+2028 and U+2029 would end a line of JavaScript.
            0xE2 if matches!(bytes.get(idx + 1..idx + 3), Some([0x80, 0xA8])) => "\\u2028",
            0xE2 if matches!(bytes.get(idx + 1..idx + 3), Some([0x80, 0xA9])) => "\\u2029",
            _ => continue,
        };
        into.push_str(&text[from..idx]);
        if escape.is_empty() {
            into.push_str(&format!("\\u{byte:04x}"));
        } else {
            into.push_str(escape);
        }
        from = idx + if byte == 0xE2 { 3 } else { 1 };
    }
    into.push_str(&text[from..]);
    into.push('"');
}
