//! Go's `text/template` language, with the sprig functions.
//!
//! - [`Value`]: what templates compute with.
//! - [`Functions`]: what they can call; the `function` module says how to register more.
//! - [`TemplateSet`]: templates that can call each other: parse, then execute as often as needed.
//! - [`Context`]: one execution, with its [`Limits`] and its [`World`].

mod builtin;
mod context;
mod error;
mod exec;
pub mod format;
pub mod function;
mod parse;
mod set;
pub mod sprig;
mod stack;
mod tree;
pub mod value;

pub use context::{Context, Instant, Limits, NoWorld, World};
pub use error::{ErrorPlace, ExecError, ExecErrorKind, LimitExceeded, ParseError};
pub use function::{Entry, Function, FunctionError, Functions, Signature};
pub use set::{MissingKey, TemplateSet};
pub use tree::Template;
pub use value::{Kind, List, Map, Methods, Number, Numbers, Object, Str, Type, Value, types};
