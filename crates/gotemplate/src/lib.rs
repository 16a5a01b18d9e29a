//! Go's `text/template` language with the sprig functions, in Rust: what Helm charts are written in.
//!
//! A template prints here, byte for byte, what it prints in Go 1.26, and fails with the same words at the same line
//! and column. Nothing else would do: the output of charts is compared with what is in a cluster, and the texts of
//! errors are what people search for.
//!
//! ```
//! use std::sync::Arc;
//! use gotemplate::{Functions, Limits, NoWorld, Numbers, TemplateSet, Value};
//!
//! let mut functions = Functions::builtin();
//! gotemplate::sprig::register(&mut functions);
//!
//! // Parse once. Templates of one set call each other by name.
//! let mut set = TemplateSet::new(functions);
//! set.parse("labels", "app: {{ .name | quote }}")?;
//! set.parse("pod", "{{ range $i, $port := .ports }}{{ $i }}={{ $port }} {{ end }}{{ template \"labels\" . }}")?;
//! let set = Arc::new(set);
//!
//! // Execute as often as needed, on as many threads.
//! let data = windlass_yaml::load("{name: web, ports: [80, 443]}")?;
//! let data = Value::from_yaml(&data, Numbers::Float64);
//! let output = set.execute("pod", &data, Limits::default(), &mut NoWorld::default())?;
//! assert_eq!(output, b"0=80 1=443 app: \"web\"");
//!
//! let error = set.execute("pod", &Value::from("text"), Limits::default(), &mut NoWorld::default());
//! assert_eq!(
//!     error.unwrap_err().to_string(),
//!     "template: pod:1:22: executing \"pod\" at <.ports>: can't evaluate field ports in type string",
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Values
//!
//! [`Value`] keeps what templates can tell apart in Go: `int`, `int64` and `float64`; nil, a typed nil and no value
//! at all; `[]any` and `[]string`. Maps are references as in Go: `set` changes a map for everyone who holds it, a
//! clone of a [`Map`] is the same map. Strings are bytes ([`Str`]). Structs, pointers and named scalars of the
//! embedding program are an [`Object`] with a [`Type`], whose [`Methods`] templates can call; named maps and slices
//! have a [`Type`] of their own, too.
//!
//! [`Value::from_yaml`] and [`Value::to_yaml`] convert from and to the values of documents; [`Numbers`] says what
//! the numbers become, which templates see.
//!
//! # Functions
//!
//! [`Functions::builtin`] has those of the language, [`sprig::register`] adds sprig's and Helm's. Each has a
//! [`Signature`] of Go types, against which arguments are checked as Go does it by reflection. The [`function`]
//! module says how to register more.
//!
//! A function gets the [`Context`] of the execution: to execute other templates (Helm's `include` is
//! [`Context::execute`]; `tpl` parses into [`TemplateSet::extend`] and calls [`Context::execute_template`]), to
//! reach the embedding engine's state ([`Context::engine`]), to know the time and get chance from the [`World`], and
//! to account for what it does ([`Context::charge`]).
//!
//! # Errors
//!
//! A [`ParseError`] has the line, an [`ExecError`] the place and its kind. Both print as Go does. What printed before
//! the error is lost with [`TemplateSet::execute`] and kept with [`Context::execute_to`].
//!
//! # Limits
//!
//! Hostile templates stop at [`Limits`]: depth, steps, bytes of output, bytes made by functions, and the deadline
//! that [`World::is_over`] tells. Each names itself ([`LimitExceeded`]). Printing and converting stop at
//! [`value::MAX_VALUE_DEPTH`], [`value::MAX_VALUE_NODES`] and [`format::MAX_PRINTED`]: a map may contain itself.
//! Recursion moves to new pieces of stack, so that it ends at a limit and not at the end of the stack, whichever
//! thread it runs on; a text may nest 10,000 parentheses and as many controls. Nothing here panics on any text.
//!
//! A map that contains itself is never freed by itself; whoever executes hostile templates over shared data gives
//! each execution its own.
//!
//! # How it is compared with Go
//!
//! `tools/oracle-template` runs Go's package on a list of cases for each rule of the language and on random templates
//! with random data; what it answered is recorded in `tests/data`, and in development hundreds of thousands more were
//! compared. What differs on purpose, and by nature:
//!
//! - Addresses, which Go prints for functions and for pointers inside other values, are always the same number here;
//!   `%p` of a pointer is an error.
//! - Maps have string keys only, and there are no channels and no functions to `range` over.
//! - A slice has no capacity beyond its length, so the builtin `slice` cannot reach behind the end.
//! - Go recurses over values until its stack overflows and the process dies; here that is an error.
//! - Go has no limits beyond the depth of templates and parentheses.

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
