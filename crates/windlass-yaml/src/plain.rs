//! What a plain scalar's text means, without a document around it.

use crate::load::json_number;
use crate::resolve::{Dialect, Resolved, resolve};
use crate::value::{Str, Value};

/// The short tag that the plain scalar `text` resolves to, such as `!!int`.
///
/// ```
/// use windlass_yaml::{Dialect, plain_tag};
/// assert_eq!(plain_tag("on", Dialect::Sigs), "!!bool");
/// assert_eq!(plain_tag("on", Dialect::V3), "!!str");
/// ```
#[must_use]
pub fn plain_tag(text: &str, dialect: Dialect) -> &'static str {
    resolve(text, dialect, true).tag()
}

/// What loading the plain scalar `text` gives. Infinities and NaN, which a load refuses, stay floats; with
/// [`Dialect::V3`] a timestamp becomes RFC 3339.
#[must_use]
pub fn plain_value(text: &str, dialect: Dialect) -> Value {
    match resolve(text, dialect, dialect == Dialect::V3) {
        Resolved::Null => Value::Null,
        Resolved::Bool(bool) => Value::Bool(bool),
        Resolved::Int(int) => Value::Int(int),
        #[expect(clippy::cast_precision_loss, reason = "what a load does, too")]
        Resolved::Uint(uint) => Value::Float(uint as f64),
        Resolved::Float(float) => json_number(float),
        Resolved::Timestamp(timestamp) => Value::String(Str::from(timestamp.to_string())),
        Resolved::Str => Value::String(Str::new(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LoadOptions, load_with};

    #[test]
    fn is_what_a_load_gives() {
        let texts =
            ["", "~", "on", "1", "0x1F", "1.0", "1e3", "2001-01-01", "a", "1_000", "-.5", "0o7", "NO"];
        for dialect in [Dialect::Sigs, Dialect::V3] {
            for text in texts {
                let loaded = load_with(text, &LoadOptions { dialect, ..LoadOptions::default() });
                assert_eq!(plain_value(text, dialect), loaded.unwrap(), "{text:?} {dialect:?}");
            }
        }
    }
}
