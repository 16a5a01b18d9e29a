//! CEL, the language of validation rules and policies, as kube-apiserver 1.36 speaks it.
//!
//! An [`Environment`] declares variables by type; [`Environment::compile`] checks an expression against it, with
//! cel-go's messages; a [`Program`] evaluates it under a limit of cost, and counts the cost as cel-go does.
//!
//! ```
//! use windlass_cel::{Environment, Type, Value, PER_CALL_LIMIT};
//! let environment = Environment::new().with_variable("replicas", Type::Int);
//! let program = environment.compile("replicas in [1, 3] || replicas % 2 == 1")?;
//! let outcome = program.evaluate(&|name| (name == "replicas").then_some(Value::Int(5)), PER_CALL_LIMIT);
//! assert!(matches!(outcome.value, Ok(Value::Bool(true))));
//!
//! let refused = environment.compile("replicas == 'three'").unwrap_err();
//! assert!(refused.to_string().contains("found no matching overload for '_==_' applied to '(int, string)'"));
//! # Ok::<(), windlass_cel::CompileError>(())
//! ```
//!
//! What is compared with the original, and how, is in `tests/expressions.rs`; what differs is in
//! `docs/differences.md`.

mod check;
mod declaration;
mod environment;
mod estimate;
mod evaluate;
pub mod functions;
mod problem;
mod syntax;
mod types;
mod value;

pub use declaration::{Declaration, ListType, MAX_REQUEST_BYTES, Member, Shape, escape};
pub use environment::{CompileError, Environment, Program};
pub use estimate::Estimate;
pub use evaluate::{Fault, Outcome};
pub use problem::{Problem, Problems};
pub use types::Type;
pub use value::{Foreign, Key, List, Map, Struct, Value};

/// The most that one evaluation may cost: kube-apiserver's limit per call, about a tenth of a second there.
pub const PER_CALL_LIMIT: u64 = 1_000_000;
