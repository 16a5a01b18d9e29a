//! The Unit, and every value that passes between the stages.
//!
//! Data flows one way, and each arrow is a type of this crate:
//!
//! ```text
//!  Unit ──> source ──> render ──> plan ──> apply ──> assess ──> Report
//!           Revision    Manifest   Plan     Outcome   Health
//!           + Tree      + ReadSet
//! ```
//!
//! Nothing here says Application or Kustomization: a dialect lowers its objects to [`Unit`]s and raises
//! [`Report`]s back to their status. Nothing here talks to a network, reads a clock or a file, or spawns a task.

mod archive;
mod bucket;
mod comparing;
mod desired;
mod diagnostic;
mod digest;
mod expressions;
mod health;
mod live;
mod orphans;
mod outcome;
mod permissions;
mod plan;
mod renderer;
mod report;
mod time;
pub mod tracking;
mod tree;
mod unit;
mod window;

pub use archive::archive_url;
pub use bucket::{BucketAddress, BucketAddressError, BucketService};
pub use comparing::{Comparing, CountedStatus, IgnoreRule, KnownType, SystemComparing};
pub use desired::{Desired, DesiredHook, Manifest, Origin};
pub use diagnostic::{Diagnostic, DiagnosticKind};
pub use digest::Digest;
pub use expressions::HealthExpressions;
pub use health::{Health, HealthStatus};
pub use live::{LiveRecord, Receipt};
pub use orphans::{IgnoredOrphans, OrphanRules};
pub use outcome::{ObjectOutcome, OperationPhase, OutcomeStatus};
pub use permissions::{DestinationRule, KindRule, Permissions, Permitted};
pub use plan::{
    Action, ApplyMode, Generation, HookDeletion, HookRole, NotAStrictness, Phase, Plan, Propagation, Reason,
    Step, Strict, Waiting, Wave,
};
pub use renderer::{
    DirectoryOptions, HelmOptions, HelmParameter, JsonnetOptions, JsonnetVariable, KustomizeOptions,
    KustomizePatch, KustomizeTarget, PluginOptions, PluginParameter, Renderer,
};
pub use report::{
    Dependency, Deployment, ObjectReport, OperationReport, Report, SourceType, SyncState, SyncStatus,
};
pub use time::Time;
pub use tracking::{Installation, TrackingId};
pub use tree::{Entry, EntryKind, MemoryTree, Tree, TreeError, changed_paths};
pub use unit::{
    Automation, Backoff, ClusterRef, HookPolicy, Identity, Initiator, NamespacePolicy, Ownership, Retry,
    Selection, SignatureRule, SourceKind, SourceSpec, SyncPolicy, SyncRequest, TargetSpec, Tracking, Unit,
    UnitId,
};
pub use window::SyncWindow;
