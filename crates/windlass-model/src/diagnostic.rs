//! What is to be said to people about a Unit, beside its state.

use std::fmt;

use windlass_kube::{ObjectRef, Str};

use crate::Origin;

/// Which kind of trouble a diagnostic reports. A dialect maps it to its own condition type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DiagnosticKind {
    /// The declared object asks for something impossible or forbidden.
    InvalidSpec,
    /// A field is set that is not acted on yet.
    Unsupported,
    /// A source could not be resolved, fetched or read.
    Source,
    /// A file could not be rendered or parsed.
    Render,
    /// What is declared could not be compared with what is live.
    Compare,
    /// A sync failed; it is tried again.
    Sync,
    /// Deleting failed; it is tried again.
    Delete,
    /// The same object is declared twice in one Unit.
    RepeatedObject,
    /// An object is tracked by another Unit.
    SharedObject,
    /// An object's kind is excluded by settings.
    ExcludedObject,
    /// Objects in the target namespace belong to no Unit.
    Orphaned,
    /// Others added fields beneath what is declared.
    Added,
    /// Somebody else keeps changing fields back that the Unit declares.
    Contested,
}

impl DiagnosticKind {
    /// Whether the Unit's state cannot be trusted while this stands.
    #[must_use]
    pub fn is_error(self) -> bool {
        !matches!(
            self,
            Self::Unsupported
                | Self::RepeatedObject
                | Self::SharedObject
                | Self::ExcludedObject
                | Self::Orphaned
                | Self::Added
                | Self::Contested
        )
    }
}

/// One thing that a person should know, with where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Diagnostic {
    /// Which kind of trouble.
    pub kind: DiagnosticKind,
    /// What happened, on what, and what to do: a sentence for a person, never with a secret in it.
    pub message: Str,
    /// The object it is about, if it is about one.
    pub object: Option<ObjectRef>,
    /// Where in a source it comes from.
    pub origin: Option<Origin>,
}

impl Diagnostic {
    /// A diagnostic about the Unit as a whole.
    #[must_use]
    pub fn new(kind: DiagnosticKind, message: impl Into<Str>) -> Self {
        Self { kind, message: message.into(), object: None, origin: None }
    }

    /// Says which object it is about.
    #[must_use]
    pub fn about(mut self, object: ObjectRef) -> Self {
        self.object = Some(object);
        self
    }

    /// Says where it comes from.
    #[must_use]
    pub fn at(mut self, origin: Origin) -> Self {
        self.origin = Some(origin);
        self
    }
}

/// Prints `file:line: object: message`, with the parts that are known.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = &self.origin {
            write!(f, "{origin}: ")?;
        }
        if let Some(object) = &self.object {
            write!(f, "{object}: ")?;
        }
        f.write_str(&self.message)
    }
}
