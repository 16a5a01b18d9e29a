//! Errors of parsing and executing, in Go's words.

use thiserror::Error;

use crate::function::FunctionError;

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

/// An execution that failed, with the template, line and column of the action it failed in.
///
/// Prints as Go does: `template: NAME:LINE:COLUMN: executing "NAME" at <ACTION>: MESSAGE`. The message of
/// `ExecErrorKind::Function` contains the function's own error, whose text the callers of Helm match on; it is
/// the `source` as well.
#[derive(Debug, Error)]
#[error("template: {location}: executing {template} at <{action}>: {kind}")]
pub struct ExecError {
    /// `NAME:LINE:COLUMN` of the node.
    pub location: String,
    /// The name of the template that was executing, quoted as Go's `%q` does.
    pub template: String,
    /// The node, printed from the parsed template.
    pub action: String,
    /// What went wrong.
    pub kind: ExecErrorKind,
}

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
