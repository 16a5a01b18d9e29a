//! Prints values as Go's `fmt` verbs print them, for messages that are the server's.

use std::fmt::{self, Write as _};

use crate::Value;

/// A value as messages of structured merge print it: strings quoted as Go's `%q`, objects as `a=1b=2`.
pub(crate) fn format_value(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(bool) => bool.to_string(),
        Value::Int(int) => int.to_string(),
        Value::Float(float) => format_float(*float),
        Value::String(string) => quote(string),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(format_value).collect();
            format!("[{}]", items.join(","))
        }
        Value::Object(map) => {
            map.iter().map(|(name, value)| format!("{name}={}", format_value(value))).collect()
        }
    }
}

/// A float as Go's `%v` prints it: the shortest digits, an exponent below 1e-4 and from 1e21.
fn format_float(float: f64) -> String {
    let magnitude = float.abs();
    if float != 0.0 && !(1e-4..1e21).contains(&magnitude) {
        let text = format!("{float:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |rest| ('-', rest));
        return format!("{digits}e{sign}{exponent:0>2}");
    }
    format!("{float}")
}

/// A string as Go's `%q` prints it.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            c if c < ' ' || c == '\u{7f}' => {
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            // Go prints letters, marks, numbers, punctuation, symbols and the ASCII space as they are.
            c if c.is_ascii() || !(c.is_control() || c.is_whitespace() || is_invisible(c)) => out.push(c),
            c if u32::from(c) > 0xffff => {
                let _ = write!(out, "\\U{:08x}", u32::from(c));
            }
            c => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
        }
    }
    out.push('"');
    out
}

/// Format, private-use and replacement-of-order characters, which Go does not print.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{e000}'..='\u{f8ff}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{10ffff}')
}

/// Prints a value as Go's `%v` does.
pub(crate) struct GoValue<'a>(pub(crate) &'a Value);

impl fmt::Display for GoValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Null => f.write_str("<nil>"),
            Value::String(string) => f.write_str(string),
            Value::Array(items) => {
                let items: Vec<String> = items.iter().map(|item| GoValue(item).to_string()).collect();
                write!(f, "[{}]", items.join(" "))
            }
            Value::Object(map) => {
                let members: Vec<String> =
                    map.iter().map(|(name, value)| format!("{name}:{}", GoValue(value))).collect();
                write!(f, "map[{}]", members.join(" "))
            }
            scalar => f.write_str(&format_value(scalar)),
        }
    }
}

/// Prints a value as Go's `%#v` does.
pub(crate) struct GoSyntax<'a>(pub(crate) &'a Value);

impl fmt::Display for GoSyntax<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Null => f.write_str("interface {}(nil)"),
            Value::String(string) => f.write_str(&quote(string)),
            Value::Array(items) => {
                let items: Vec<String> = items.iter().map(|item| GoSyntax(item).to_string()).collect();
                write!(f, "[]interface {{}}{{{}}}", items.join(", "))
            }
            Value::Object(map) => {
                let members: Vec<String> =
                    map.iter().map(|(name, value)| format!("{}:{}", quote(name), GoSyntax(value))).collect();
                write!(f, "map[string]interface {{}}{{{}}}", members.join(", "))
            }
            scalar => f.write_str(&format_value(scalar)),
        }
    }
}
