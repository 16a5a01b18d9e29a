//! What happened to each object of a Plan.

use windlass_kube::{Gvk, ObjectRef, Str};

use crate::Phase;

/// How one object came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutcomeStatus {
    /// It is as declared.
    Synced,
    /// It could not be applied; the message says why.
    Failed,
    /// It was deleted because it is no longer declared.
    Pruned,
    /// It is no longer declared, and was left alone.
    PruneSkipped,
    /// It was a hook, and was deleted as its policy asks.
    HookDeleted,
}

/// What happened to one object.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectOutcome {
    /// Which object.
    pub key: ObjectRef,
    /// Its kind with version.
    pub gvk: Gvk,
    /// How it came out.
    pub status: OutcomeStatus,
    /// In words, as `kubectl apply` says it (`configmap/a created`) or as the server refused it.
    pub message: Str,
    /// In which phase.
    pub phase: Phase,
    /// How far it is, if it is a hook.
    pub hook: Option<OperationPhase>,
    /// Container images of the object, for people.
    pub images: Box<[Str]>,
}

/// How far an operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OperationPhase {
    /// It goes on, or waits for something.
    Running,
    /// It was told to stop, and is stopping.
    Terminating,
    /// An object was refused.
    Failed,
    /// It could not be carried out at all.
    Error,
    /// Everything is as declared.
    Succeeded,
}

impl OperationPhase {
    /// The word users know.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "Running",
            Self::Terminating => "Terminating",
            Self::Failed => "Failed",
            Self::Error => "Error",
            Self::Succeeded => "Succeeded",
        }
    }

    /// Whether nothing more will happen.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Failed | Self::Error | Self::Succeeded)
    }
}
