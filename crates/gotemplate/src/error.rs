//! Errors of parsing and executing, in Go's words.

use std::fmt;

use thiserror::Error;
use windlass_go::fmt::quote;

use crate::function::FunctionError;
use crate::value::Str;

/// A template that does not parse.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("template: {name}:{line}: {message}")]
pub struct ParseError {
    /// The name the text was parsed under.
    pub name: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub message: String,
}

/// A limit of an execution that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LimitExceeded {
    /// More templates inside each other than `Limits::depth`.
    #[error("exceeded maximum template depth ({0})")]
    Depth(usize),
    /// More work than `Limits::steps`.
    #[error("exceeded the limit of {0} steps")]
    Steps(u64),
    /// More output than `Limits::output`, in bytes.
    #[error("exceeded the limit of {0} bytes of output")]
    Output(usize),
    /// More memory made by functions than `Limits::memory`, in bytes.
    #[error("exceeded the limit of {0} bytes made by functions")]
    Memory(u64),
    /// The caller's deadline passed.
    #[error("exceeded the time limit")]
    Time,
}

/// An execution that failed.
///
/// Prints as Go does: `template: NAME:LINE:COLUMN: executing "NAME" at <ACTION>: MESSAGE`. The message of
/// [`ExecErrorKind::Function`] contains the function's own error, as users of Helm match on the whole text.
#[derive(Debug)]
pub struct ExecError {
    /// Where in a template; `None` if there was no template to execute.
    pub place: Option<Box<ErrorPlace>>,
    /// What went wrong.
    pub kind: ExecErrorKind,
}

/// Where an execution failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorPlace {
    /// The template that was executing.
    pub template: Str,
    /// `NAME:LINE:COLUMN` of the node; the name is that of the text in which the template is defined.
    pub location: String,
    /// The node, printed from the parsed template.
    pub action: String,
}

impl fmt::Display for ExecError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = &self.kind;
        match self.place.as_deref() {
            Some(ErrorPlace { template, location, action }) => {
                let template = quote(template.as_bytes());
                write!(formatter, "template: {location}: executing {template} at <{action}>: {kind}")
            }
            None => write!(formatter, "template: {kind}"),
        }
    }
}

/// No sources: Go prints the whole chain in each message, so a walk over sources would print parts twice.
impl std::error::Error for ExecError {}

/// What went wrong in an execution.
#[derive(Debug, Error)]
pub enum ExecErrorKind {
    /// The language does not allow it.
    #[error("{0}")]
    Language(String),
    /// A function or method returned an error.
    #[error("error calling {name}: {error}")]
    Function {
        /// The function's name.
        name: String,
        /// What it says.
        error: FunctionError,
    },
    /// A limit was reached.
    #[error("{0}")]
    Limit(LimitExceeded),
    /// There is no template of that name.
    #[error("no template {} associated with template {}", quote(name.as_bytes()), quote(set.as_bytes()))]
    NoTemplate {
        /// The name that was asked for.
        name: Str,
        /// The name of the set.
        set: Str,
    },
}

impl ExecError {
    /// The limit that was reached, if that is why, here or in a template executed by a function.
    #[must_use]
    pub fn limit(&self) -> Option<LimitExceeded> {
        match &self.kind {
            ExecErrorKind::Limit(limit) => Some(*limit),
            ExecErrorKind::Function { error: FunctionError::Limit(limit), .. } => Some(*limit),
            ExecErrorKind::Function { error: FunctionError::Execution(error), .. } => error.limit(),
            _ => None,
        }
    }
}
