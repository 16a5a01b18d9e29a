//! The Plan: an immutable list of steps, with the reason for each.

use std::fmt;
use std::sync::Arc;

use windlass_kube::{GroupKind, Gvk, Object, ObjectRef, Str};

use crate::{Digest, Origin, Time, UnitId};

/// Counts the plans of one Unit: an older one can never undo a newer one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Generation(pub u64);

impl Generation {
    /// The one after this.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// What should happen to a Unit's target, specific enough to leave no choice to whoever carries it out.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Whose plan it is.
    pub unit: UnitId,
    /// Which plan of that Unit.
    pub generation: Generation,
    /// The field manager that applies.
    pub field_manager: Str,
    /// The managers of updates whose fields `field_manager` takes over when an object is applied.
    pub former_managers: Box<[Str]>,
    /// The waves, first to last. Empty when there is nothing to do.
    pub waves: Vec<Wave>,
    /// What runs when one of `waves` failed, before the attempt is given up.
    pub on_failure: Vec<Wave>,
    /// Whether every step is tried without effect before the first one is carried out.
    pub verify_first: bool,
}

impl Plan {
    /// The steps of all waves, in order, without those of `on_failure`.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.waves.iter().flat_map(|wave| &wave.steps)
    }

    /// The hooks that the plan runs, in order, each with the wave it belongs to.
    pub fn hooks(&self) -> impl Iterator<Item = (&Wave, &Step, &HookRole)> {
        self.waves
            .iter()
            .flat_map(|wave| wave.steps.iter().map(move |step| (wave, step)))
            .filter_map(|(wave, step)| Some((wave, step, step.hook()?)))
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waves.iter().all(|wave| wave.steps.is_empty())
    }
}

/// The part of a sync in which a wave runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Phase {
    /// Before anything else.
    PreSync,
    /// The objects themselves.
    #[default]
    Sync,
    /// After the objects are healthy.
    PostSync,
    /// After a failure.
    SyncFail,
    /// Before the objects are deleted with their Unit.
    PreDelete,
    /// After that.
    PostDelete,
}

impl Phase {
    /// The word users know.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PreSync => "PreSync",
            Self::Sync => "Sync",
            Self::PostSync => "PostSync",
            Self::SyncFail => "SyncFail",
            Self::PreDelete => "PreDelete",
            Self::PostDelete => "PostDelete",
        }
    }
}

/// Steps that run together, and what must hold before they start.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Wave {
    /// The part of the sync.
    pub phase: Phase,
    /// The number within the phase.
    pub number: i32,
    /// The objects of earlier waves that must be healthy before this one starts.
    pub after_healthy: Vec<ObjectRef>,
    /// The hooks of earlier waves that must have succeeded before this one starts.
    pub after_hooks: Vec<ObjectRef>,
    /// The objects that must be gone before this one starts.
    pub after_gone: Vec<ObjectRef>,
    /// Whether a person must approve before this one starts.
    pub after_approval: bool,
    /// The steps, in order; steps of the same `order` may run at once.
    pub steps: Vec<Step>,
}

impl Wave {
    /// Whether it waits for nothing.
    #[must_use]
    pub fn is_ungated(&self) -> bool {
        self.after_healthy.is_empty()
            && self.after_hooks.is_empty()
            && self.after_gone.is_empty()
            && !self.after_approval
    }
}

/// One thing to do to one object, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The object.
    pub key: ObjectRef,
    /// Its kind with the version to use.
    pub gvk: Gvk,
    /// What to do.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// Where it is declared; `None` for what is no longer declared.
    pub origin: Option<Origin>,
    /// Its rank inside the wave: a larger one starts when all smaller ones ended.
    pub order: u16,
}

/// What makes an object a hook: it runs at a moment of a sync and is no part of what is kept in sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct HookRole {
    /// When it is deleted.
    pub delete: HookDeletion,
}

/// When a hook is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct HookDeletion {
    /// Before it is created again.
    pub before_creation: bool,
    /// When the sync it belongs to has succeeded.
    pub succeeded: bool,
    /// When the sync it belongs to has failed.
    pub failed: bool,
}

impl Step {
    /// What the step's object is as a hook, if the step runs one.
    #[must_use]
    pub fn hook(&self) -> Option<&HookRole> {
        match &self.action {
            Action::RunHook { role, .. } => Some(role),
            _ => None,
        }
    }

    /// The kind that the step brings to the cluster, if it applies a CustomResourceDefinition.
    #[must_use]
    pub fn defined_kind(&self) -> Option<GroupKind> {
        let Action::Apply { object, .. } = &self.action else { return None };
        (object.kind() == "CustomResourceDefinition").then(|| {
            GroupKind::new(object.str_at(&["spec", "group"]), object.str_at(&["spec", "names", "kind"]))
        })
    }
}

/// What to do to an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Apply the object server-side, taking over contested fields.
    Apply {
        /// The object to apply.
        object: Arc<Object>,
        /// Its digest, for the receipt.
        digest: Digest,
        /// Where it is not to be applied as usual.
        mode: ApplyMode,
    },
    /// Apply a hook; what comes after it waits until it has ended.
    RunHook {
        /// The object to apply.
        object: Arc<Object>,
        /// The digest of it as declared, without a generated name.
        digest: Digest,
        /// What it is as a hook.
        role: HookRole,
        /// Whether it runs already, for this very sync: then it is left as it is, and only waited for.
        goes_on: bool,
    },
    /// Delete a hook, whichever object of its name there is: this plan made it, or one before.
    DeleteHook {
        /// What happens to its dependents.
        propagation: Propagation,
    },
    /// Create the namespace if it is absent and apply its labels and annotations; it stays untracked.
    EnsureNamespace {
        /// The Namespace object to apply.
        object: Arc<Object>,
    },
    /// Delete the object if it is still the one that was planned on.
    Delete {
        /// The uid it must have.
        uid: Str,
        /// What happens to its dependents.
        propagation: Propagation,
    },
    /// Leave the object alone and say so.
    Skip,
}

/// How an object is applied, where it asks for something else than plain server-side apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct ApplyMode {
    /// It is put in place of what is there, whoever wrote that.
    pub replace: bool,
    /// Where the server refuses the change, it is deleted and created anew.
    pub force: bool,
    /// Fields that its kind does not know are dropped instead of refused.
    pub lenient: bool,
    /// It is not tried beforehand while its kind is not there.
    pub kind_may_be_missing: bool,
    /// What is done about fields that others added beneath those that are declared.
    pub strict: Strict,
}

/// What is done about fields that others added to an object, beneath those that are declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Strict {
    /// Nothing: they are their owners' business.
    #[default]
    Off,
    /// They are told.
    Report,
    /// They make the object differ, and are taken away when it is synced.
    Revert,
}

impl std::str::FromStr for Strict {
    type Err = NotAStrictness;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim() {
            "off" => Ok(Self::Off),
            "report" => Ok(Self::Report),
            "revert" => Ok(Self::Revert),
            other => Err(NotAStrictness(other.into())),
        }
    }
}

/// The text names nothing that can be done about added fields.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be off, report or revert, this is {0:?}")]
pub struct NotAStrictness(pub Str);

/// What happens to the dependents of a deleted object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Propagation {
    /// They go first.
    #[default]
    Foreground,
    /// They go later.
    Background,
    /// They stay.
    Orphan,
}

impl Propagation {
    /// The word of the Kubernetes API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Foreground => "Foreground",
            Self::Background => "Background",
            Self::Orphan => "Orphan",
        }
    }
}

/// Why a step is in the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is declared and not there.
    Missing,
    /// Fields differ from what is declared; the text names them.
    Differs(Str),
    /// What is declared changed since it was last applied.
    Changed,
    /// It is there, but was never applied by us.
    Adopt,
    /// It is not declared any more.
    NotDeclared,
    /// The Unit is being deleted.
    UnitDeleted,
    /// The target namespace is missing or lacks declared labels.
    Namespace,
    /// Others added fields beneath what is declared, and the object is kept strictly.
    Added,
    /// Somebody asked for it by name.
    Requested,
    /// It is a hook of this phase.
    Hook(Phase),
    /// It is a hook of this phase that runs already: the sync was cut short after it had begun it.
    HookGoesOn(Phase),
    /// It is a hook that an earlier sync left, and is about to be created again.
    HookReplaced,
    /// It is a hook that is no longer needed.
    HookEnded,
    /// It asks to be kept.
    Kept,
    /// Pruning is off.
    PruneOff,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("declared, and not in the cluster"),
            Self::Differs(fields) => write!(f, "differs from what is declared: {fields}"),
            Self::Changed => f.write_str("what is declared has changed"),
            Self::Adopt => f.write_str("in the cluster, and not yet applied by this Unit"),
            Self::NotDeclared => f.write_str("no longer declared"),
            Self::UnitDeleted => f.write_str("its Unit is being deleted"),
            Self::Namespace => f.write_str("the target namespace must exist first"),
            Self::Added => f.write_str("others added fields that are not declared"),
            Self::Requested => f.write_str("asked for by name"),
            Self::Hook(phase) => write!(f, "a {} hook", phase.as_str()),
            Self::HookGoesOn(phase) => write!(f, "a {} hook that runs already", phase.as_str()),
            Self::HookReplaced => f.write_str("a hook that is created anew"),
            Self::HookEnded => f.write_str("a hook that has ended"),
            Self::Kept => f.write_str("no longer declared, and marked to be kept"),
            Self::PruneOff => f.write_str("no longer declared, and pruning is off"),
        }
    }
}

/// What a Unit waits for, as data: printed by the command line, the logs and the status alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// Objects of an earlier wave are not healthy yet.
    Healthy(Vec<ObjectRef>),
    /// Hooks have not ended yet.
    Hooks(Vec<ObjectRef>),
    /// Somebody has to approve that these are deleted.
    Approval(Vec<ObjectRef>),
    /// Deleted objects are still there.
    Gone(Vec<ObjectRef>),
    /// A failed attempt is tried again later.
    Backoff {
        /// Seconds until the next attempt.
        seconds: u64,
        /// How many attempts failed in a row.
        failures: u32,
    },
    /// Units that it depends on are not as declared and healthy yet.
    Units(Vec<UnitId>),
    /// Its source is being fetched.
    Source,
    /// No sync window is open.
    Window {
        /// The window in the way, in words.
        window: Str,
        /// When that may change.
        until: Option<Time>,
    },
    /// Somebody has to start the sync.
    Manual,
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, objects: &[T]) -> fmt::Result {
            /// More names than this make a line that nobody reads.
            const SHOWN: usize = 3;
            for (idx, object) in objects.iter().take(SHOWN).enumerate() {
                write!(f, "{}{object}", if idx == 0 { "" } else { ", " })?;
            }
            if objects.len() > SHOWN { write!(f, " and {} more", objects.len() - SHOWN) } else { Ok(()) }
        }
        match self {
            Self::Healthy(objects) => {
                f.write_str("waiting for healthy state of ")?;
                list(f, objects)
            }
            Self::Hooks(objects) => {
                f.write_str("waiting for completion of hook ")?;
                list(f, objects)
            }
            Self::Approval(objects) => {
                f.write_str("waiting for pruning confirmation of ")?;
                list(f, objects)?;
                f.write_str(" (annotation argocd.argoproj.io/deletion-approved with the time)")
            }
            Self::Gone(objects) => {
                f.write_str("waiting for deletion of ")?;
                list(f, objects)
            }
            Self::Units(units) => {
                f.write_str("waiting for ")?;
                list(f, units)?;
                f.write_str(" to be synced and healthy")
            }
            Self::Backoff { seconds, failures } => {
                write!(f, "attempt {failures} failed, trying again in {seconds}s")
            }
            Self::Window { window, until } => {
                write!(f, "blocked by sync window {window}")?;
                until.map_or(Ok(()), |until| write!(f, ", until {until}"))
            }
            Self::Source => f.write_str("waiting for the source"),
            Self::Manual => f.write_str("waiting for a manual sync"),
        }
    }
}
