//! JSON as Kubernetes' Go programs read and write it.
//!
//! ```
//! use windlass_yaml::json;
//! let value = json::parse(br#"{"b": 1.0, "a": "<x>", "b": 2}"#)?;
//! assert_eq!(json::to_string(&value), r#"{"a":"\u003cx\u003e","b":2}"#);
//! # Ok::<(), json::JsonError>(())
//! ```

mod parse;
mod write;

pub use parse::{JsonError, JsonErrorKind, JsonOptions, Stream, parse, parse_with};
pub use write::{JsonStyle, to_string, to_string_pretty, to_string_unescaped, to_vec, write};
