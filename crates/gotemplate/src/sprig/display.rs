//! Values as text.

use windlass_go::fmt::append_quote;

use crate::format::print;
use crate::value::{Str, Value};

/// A value as `%v` prints it.
///
/// One that is too deep or too long to print is cut where it became so; whoever prints the result meets the
/// limits of the execution.
pub(super) fn display(value: &Value) -> Str {
    let mut printed = Vec::new();
    // What was printed until the limit stays.
    let _ = print(&mut printed, value);
    printed.into()
}

/// A string as `%q` prints it.
pub(super) fn quoted(text: &Str) -> Vec<u8> {
    let mut quoted = Vec::with_capacity(text.len() + 2);
    append_quote(&mut quoted, text.as_bytes(), false);
    quoted
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

/// A float with the fewest digits that read back as it, with an exponent where that is shorter.
pub(super) fn shortest(float: f64) -> String {
    windlass_go::fmt::format_float(float, b'g', None, 64)
}
