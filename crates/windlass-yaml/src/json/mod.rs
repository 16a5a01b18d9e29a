//! JSON as Kubernetes' Go programs read and write it.

mod parse;
mod write;

pub use parse::{JsonError, JsonErrorKind, JsonOptions, Stream, parse, parse_with};
pub use write::{JsonStyle, to_string, to_string_unescaped, to_vec, write};
