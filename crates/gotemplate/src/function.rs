//! Functions that templates can call, and what they can ask of the execution that calls them.
//!
//! # How functions are registered
//!
//! A function has a name, a [`Signature`] and a body. The signature declares the Go types of the parameters,
//! because templates see them: the wrong number or type of arguments is an error in Go's words before the body
//! runs. So a body may take its arguments as declared, and `arguments.len()` as checked. No value and nil for
//! a parameter of type `any` both arrive as [`Value::Nil`]; only a parameter of type `reflect.Value` sees the
//! difference.
//!
//! A family of functions is a static table, registered at once:
//!
//! ```
//! use gotemplate::{Context, Entry, FunctionError, Functions, Signature, Value, types};
//!
//! static FUNCTIONS: &[Entry] = &[
//!     Entry::new("upper", Signature::fixed(&[&types::STRING]), upper),
//!     Entry::new("list", Signature::variadic(&[], &types::ANY), list),
//! ];
//!
//! fn upper(_: &mut Context<'_>, arguments: &[Value]) -> Result<Value, FunctionError> {
//!     let Value::String(text) = &arguments[0] else { return Err("upper: not a string".into()) };
//!     Ok(Value::from(text.lossy().to_uppercase()))
//! }
//!
//! fn list(_: &mut Context<'_>, arguments: &[Value]) -> Result<Value, FunctionError> {
//!     Ok(Value::list(arguments.to_vec()))
//! }
//!
//! let mut functions = Functions::builtin();
//! functions.register(FUNCTIONS);
//! ```
//!
//! A function that carries state of its own is made with [`Function::new`] from a closure and registered with
//! [`Functions::insert`]. What registers later replaces what was there: an engine overrides by registering.
//!
//! State of one execution (Helm's releases, counts of nested includes) belongs to the embedding engine: it is
//! given to [`Context::with_engine`] and comes back from [`Context::engine`].

use std::collections::HashMap;
use std::sync::Arc;

use thiserror::Error;

use crate::builtin;
use crate::error::{ExecError, LimitExceeded};
use crate::value::{Str, Type, Value, types};

pub use crate::context::Context;

/// The body of a function in a static table.
pub type Body = fn(&mut Context<'_>, &[Value]) -> Result<Value, FunctionError>;

/// The body of a function made at run time.
pub type SharedBody = dyn Fn(&mut Context<'_>, &[Value]) -> Result<Value, FunctionError> + Send + Sync;

/// The Go types of a function's parameters.
#[derive(Clone, Copy, Debug)]
pub struct Signature {
    /// The parameters that must be given.
    pub parameters: &'static [&'static Type],
    /// The type of each further argument; `None` if there can be none.
    pub variadic: Option<&'static Type>,
}

impl Signature {
    /// A function of exactly these parameters.
    #[must_use]
    pub const fn fixed(parameters: &'static [&'static Type]) -> Self {
        Self { parameters, variadic: None }
    }

    /// A function of these parameters and any number of further ones of one type.
    #[must_use]
    pub const fn variadic(parameters: &'static [&'static Type], further: &'static Type) -> Self {
        Self { parameters, variadic: Some(further) }
    }

    /// The type of the parameter that the argument `index` is for.
    #[must_use]
    pub fn parameter(&self, index: usize) -> Option<&'static Type> {
        self.parameters.get(index).copied().or(self.variadic)
    }
}

/// One line of a static table of functions.
#[derive(Clone, Copy)]
pub struct Entry {
    /// The name that templates call it by.
    pub name: &'static str,
    /// What it takes.
    pub signature: Signature,
    /// What it does.
    pub body: Body,
}

impl Entry {
    /// A line of a table.
    #[must_use]
    pub const fn new(name: &'static str, signature: Signature, body: Body) -> Self {
        Self { name, signature, body }
    }
}

/// A function that templates can call.
pub struct Function {
    signature: Signature,
    body: AnyBody,
    kind: &'static Type,
}

enum AnyBody {
    Static(Body),
    Shared(Box<SharedBody>),
    Special(Special),
}

/// A function of the language that the executor has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Special {
    /// Its arguments are evaluated one by one, until one is false.
    And,
    /// Its arguments are evaluated one by one, until one is true.
    Or,
    /// Its errors name the argument that it calls.
    Call,
    /// Its indexes must not be seen as an `interface {}`.
    Slice,
}

impl Function {
    /// A function made of a closure.
    pub fn new(
        signature: Signature,
        body: impl Fn(&mut Context<'_>, &[Value]) -> Result<Value, FunctionError> + Send + Sync + 'static,
    ) -> Self {
        Self { signature, body: AnyBody::Shared(Box::new(body)), kind: &types::FUNC }
    }

    /// This function with another type than [`types::FUNC`], for one that templates hold as a value.
    #[must_use]
    pub fn with_type(mut self, kind: &'static Type) -> Self {
        self.kind = kind;
        self
    }

    /// Its type.
    #[must_use]
    pub fn type_of(&self) -> &'static Type {
        self.kind
    }

    pub(crate) fn special(which: Special) -> Self {
        static SIGNATURE: Signature = Signature::variadic(&[&types::REFLECT], &types::REFLECT);
        Self { signature: SIGNATURE, body: AnyBody::Special(which), kind: &types::FUNC }
    }

    pub(crate) fn as_special(&self) -> Option<Special> {
        if let AnyBody::Special(which) = self.body { Some(which) } else { None }
    }

    /// What it takes.
    #[must_use]
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Calls it. The arguments are as its signature says: whoever calls has checked them.
    ///
    /// # Errors
    /// Whatever the function complains of.
    pub fn call(&self, context: &mut Context<'_>, arguments: &[Value]) -> Result<Value, FunctionError> {
        match &self.body {
            AnyBody::Static(body) => body(context, arguments),
            AnyBody::Shared(body) => body(context, arguments),
            AnyBody::Special(Special::Call) => builtin::call(context, "function", arguments),
            AnyBody::Special(Special::Slice) => builtin::slice(context, arguments),
            AnyBody::Special(which) => {
                let stop = |value: &&Value| value.truth() == (*which == Special::Or);
                Ok(arguments.iter().find(stop).or(arguments.last()).cloned().unwrap_or_default())
            }
        }
    }
}

impl From<&Entry> for Function {
    fn from(entry: &Entry) -> Self {
        Self { signature: entry.signature, body: AnyBody::Static(entry.body), kind: &types::FUNC }
    }
}

/// The functions that the templates of a set can call, by name.
#[derive(Clone, Default)]
pub struct Functions(HashMap<Str, Arc<Function>>);

impl Functions {
    /// No functions at all, not even those of the language.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// The functions of the language itself: `and`, `eq`, `index`, `printf`…
    #[must_use]
    pub fn builtin() -> Self {
        let mut functions = Self::default();
        builtin::register(&mut functions);
        functions
    }

    /// Adds a table of functions, each instead of one of the same name.
    pub fn register(&mut self, table: &[Entry]) {
        for entry in table {
            self.insert(entry.name, Function::from(entry));
        }
    }

    /// Adds one function instead of one of the same name.
    pub fn insert(&mut self, name: impl Into<Str>, function: Function) {
        self.0.insert(name.into(), Arc::new(function));
    }

    /// Takes a function away.
    pub fn remove(&mut self, name: &str) {
        self.0.remove(name.as_bytes());
    }

    /// The function of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<Function>> {
        self.0.get(name.as_bytes())
    }

    /// All names, in no order.
    pub fn names(&self) -> impl Iterator<Item = &Str> {
        self.0.keys()
    }
}

/// Why a function failed.
#[derive(Debug, Error)]
pub enum FunctionError {
    /// What the function says, in the words its Go original has.
    #[error("{0}")]
    Message(String),
    /// A template that the function executed failed; prints as that error does.
    #[error("{0}")]
    Execution(Box<ExecError>),
    /// A limit of the execution was reached.
    #[error("{0}")]
    Limit(LimitExceeded),
}

impl From<String> for FunctionError {
    fn from(message: String) -> Self {
        Self::Message(message)
    }
}

impl From<&str> for FunctionError {
    fn from(message: &str) -> Self {
        Self::Message(message.to_owned())
    }
}

impl From<ExecError> for FunctionError {
    fn from(error: ExecError) -> Self {
        Self::Execution(Box::new(error))
    }
}

impl From<LimitExceeded> for FunctionError {
    fn from(limit: LimitExceeded) -> Self {
        Self::Limit(limit)
    }
}
