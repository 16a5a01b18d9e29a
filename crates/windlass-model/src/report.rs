//! The Report: what a dialect raises back to its object's status.

use windlass_kube::{Gvk, ObjectRef, Str};

use crate::{
    Diagnostic, Health, Initiator, ObjectOutcome, OperationPhase, SyncRequest, Time, UnitId, Waiting,
};

/// Whether what is live is what is declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum SyncStatus {
    /// It could not be told.
    #[default]
    Unknown,
    /// It is.
    Synced,
    /// It is not.
    OutOfSync,
}

impl SyncStatus {
    /// The word users know.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "Unknown",
            Self::Synced => "Synced",
            Self::OutOfSync => "OutOfSync",
        }
    }
}

/// The sync status with the revisions it was judged against.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct SyncState {
    /// Whether live is as declared.
    pub status: SyncStatus,
    /// One commit or version per source; empty when none was resolved.
    pub revisions: Vec<Str>,
}

/// What a source turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SourceType {
    /// Plain YAML and JSON files.
    Directory,
    /// A Helm chart.
    Helm,
    /// A kustomization.
    Kustomize,
    /// A plugin made it.
    Plugin,
    /// Nothing is made of it: other sources refer to its files.
    Reference,
}

impl SourceType {
    /// The word users know.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Directory => "Directory",
            Self::Helm => "Helm",
            Self::Kustomize => "Kustomize",
            Self::Plugin => "Plugin",
            Self::Reference => "",
        }
    }
}

/// The state of one object of a Unit.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectReport {
    /// Which object.
    pub key: ObjectRef,
    /// Its kind with version.
    pub gvk: Gvk,
    /// Whether it is as declared.
    pub status: SyncStatus,
    /// Its health; `None` for a kind without a check.
    pub health: Option<Health>,
    /// Whether it is a hook, which has no sync status.
    pub hook: bool,
    /// Whether it is no longer declared and would be pruned.
    pub requires_pruning: bool,
    /// Whether it is deleted only when a person approves.
    pub requires_confirmation: bool,
    /// Its wave, when it says one.
    pub wave: i32,
    /// Why it is out of sync, in words; empty when it is not.
    pub reason: Str,
}

/// How the current or the last operation goes.
#[derive(Clone, Debug, PartialEq)]
pub struct OperationReport {
    /// What was asked for.
    pub request: SyncRequest,
    /// How far it is.
    pub phase: OperationPhase,
    /// In words.
    pub message: Str,
    /// When it began.
    pub started: Time,
    /// When it ended, if it has.
    pub finished: Option<Time>,
    /// How many attempts came before this one.
    pub retries: u32,
    /// The revisions it applied, one per source.
    pub revisions: Vec<Str>,
    /// What happened to each object.
    pub objects: Vec<ObjectOutcome>,
}

/// One entry of a Unit's history: a revision that was deployed.
#[derive(Clone, Debug, PartialEq)]
pub struct Deployment {
    /// The revisions, one per source.
    pub revisions: Vec<Str>,
    /// When its operation began.
    pub started: Time,
    /// When it was there.
    pub deployed: Time,
    /// Who asked for it.
    pub initiator: Initiator,
}

/// A Unit that another one depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// Which one.
    pub unit: UnitId,
    /// Whether it is waited for now.
    pub awaited: bool,
}

/// All that is known about a Unit, to be raised to its object's status.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Whether it is in sync, and with what.
    pub sync: SyncState,
    /// Its health, rolled up.
    pub health: Health,
    /// Every object of it, in the order of kinds and names.
    pub objects: Vec<ObjectReport>,
    /// The operation that runs or ran last in this process; `None` leaves what the status says.
    pub operation: Option<OperationReport>,
    /// A deployment to be added to the history.
    pub deployment: Option<Deployment>,
    /// What people should know.
    pub diagnostics: Vec<Diagnostic>,
    /// What the Unit waits for.
    pub waiting: Option<Waiting>,
    /// What it depends on.
    pub depends_on: Vec<Dependency>,
    /// Container images in use, sorted.
    pub images: Vec<Str>,
    /// What each source turned out to be.
    pub source_types: Vec<SourceType>,
    /// When this was found out.
    pub observed: Time,
}
