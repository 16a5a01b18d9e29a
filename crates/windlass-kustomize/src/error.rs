//! What can go wrong in a build, in kustomize's words.

use std::fmt;

/// The class of an [`Error`], for callers that treat some differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Something in the kustomization or its resources is wrong.
    Invalid,
    /// A text is not YAML; a path with such a text is a file, never a folder.
    MalformedYaml,
    /// A file or folder does not exist.
    NotFound,
    /// A remote resource could not be fetched, or remote resources are off.
    Remote,
    /// A download failed: kustomize does not try the path as a folder then.
    Http,
    /// Something that this build does not run: exec and container plugins, functions.
    Refused,
    /// A limit was reached; the message names it.
    Limit,
}

/// Why a build failed.
///
/// `Display` prints the whole chain on one line, as `kustomize build` does behind `Error: `: its users search
/// for these words. So there is no `source`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

impl Error {
    /// An error of a class.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// Something in the kustomization or its resources is wrong.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// A limit was reached; the message must name it.
    pub fn limit(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Limit, message)
    }

    /// The class of the error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The words.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The same error below what was being done: `prefix: message`.
    #[must_use]
    pub fn wrap(self, prefix: impl fmt::Display) -> Self {
        Self { kind: self.kind, message: format!("{prefix}: {}", self.message) }
    }

    /// The same error in other words.
    #[must_use]
    pub fn reworded(self, words: impl FnOnce(&str) -> String) -> Self {
        Self { kind: self.kind, message: words(&self.message) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// What most functions here return.
pub type Result<T, E = Error> = std::result::Result<T, E>;
