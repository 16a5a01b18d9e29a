//! The Unit: one thing kept in sync, as every dialect lowers it.

use std::fmt;
use std::time::Duration;

use windlass_kube::{GroupKind, ObjectRef, Str};

use crate::{ApplyMode, Comparing, Diagnostic, HealthExpressions, Renderer, SyncWindow};

/// Names a Unit by the object that declares it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UnitId(pub ObjectRef);

/// Prints `namespace/name`.
impl fmt::Display for UnitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.0.namespace, self.0.name)
    }
}

/// One thing kept in sync: where it comes from, where it goes, and by which rules.
#[derive(Clone, Debug, PartialEq)]
pub struct Unit {
    /// The object that declares it.
    pub id: UnitId,
    /// Where it comes from; later sources win over earlier ones.
    pub sources: Vec<SourceSpec>,
    /// Where it goes.
    pub target: TargetSpec,
    /// How its objects are marked and under which name its fields are owned.
    pub ownership: Ownership,
    /// When and how it is synced.
    pub policy: SyncPolicy,
    /// What does not count when it is compared.
    pub comparing: Comparing,
    /// The Units that must be as declared and healthy before this one is synced.
    pub depends_on: Box<[UnitId]>,
    /// What it says itself of the health of its objects.
    pub health_checks: Box<[HealthExpressions]>,
    /// When it may be synced; always when there is none.
    pub windows: Vec<SyncWindow>,
    /// What lowering found to say: a Unit with an error among these is not acted on.
    pub diagnostics: Vec<Diagnostic>,
}

/// One source of a Unit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SourceSpec {
    /// The repository's URL as declared.
    pub repository: Str,
    /// What the repository is.
    pub kind: SourceKind,
    /// What is followed: a branch, tag, commit, version range, `HEAD`; empty means `HEAD`. Of a chart a version or a
    /// range, of an artifact a tag, a digest or a range.
    pub revision: Str,
    /// Only tags with this prefix count when a version range is resolved.
    pub tag_prefix: Str,
    /// The folder inside the repository, without leading or trailing slashes; empty is the root.
    pub path: Str,
    /// The name by which value files of other sources refer to this one; empty means none.
    pub reference: Str,
    /// How it is turned into objects.
    pub renderer: Renderer,
    /// What of it must be signed, and by whom; nothing when there is none. Of Git repositories alone.
    pub signatures: Option<Box<SignatureRule>>,
}

/// What of a Git repository must be signed, and by whom.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SignatureRule {
    /// Whether every commit before it must be, too, down to those that say that they seal what is before.
    pub history: bool,
    /// The ids of the keys: 16 hexadecimal digits in capitals.
    pub keys: Box<[Str]>,
}

impl SourceSpec {
    /// Whether nothing is rendered from it: it is only there for others to refer to.
    #[must_use]
    pub fn is_only_referred_to(&self) -> bool {
        !self.reference.is_empty()
            && self.path.is_empty()
            && matches!(self.kind, SourceKind::Git | SourceKind::Bucket | SourceKind::Archive)
    }
}

/// What a source's repository is, and what of it is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum SourceKind {
    /// A Git repository.
    #[default]
    Git,
    /// A repository of Helm charts. The root of its files is the chart.
    Chart {
        /// The chart's name; of a registry the path below the address.
        name: Str,
        /// Whether the repository is a registry, and no address with an `index.yaml`.
        registry: bool,
        /// Whether credentials also go to other hosts that the index names.
        pass_credentials: bool,
    },
    /// An artifact of a registry.
    Artifact,
    /// A bucket, or a folder of one, that a [`BucketAddress`](crate::BucketAddress) names. It has no revisions to choose from.
    Bucket,
    /// A tar archive at an address, as [`archive_url`](crate::archive_url) tells it. Its revision is its digest, or nothing for whatever is
    /// there now.
    Archive,
}

/// Where a Unit's objects go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TargetSpec {
    /// Which cluster.
    pub cluster: ClusterRef,
    /// The name it is registered under, by which permissions may name it; may be empty.
    pub name: Str,
    /// The namespace for namespaced objects that name none; may be empty.
    pub namespace: Str,
    /// As whom objects are written.
    pub identity: Identity,
}

/// As whom a Unit's objects are written and deleted, and read right before. Watches are the engine's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Identity {
    /// The engine itself, with all that it may do.
    #[default]
    Engine,
    /// A user of the cluster whom the engine impersonates, such as `system:serviceaccount:NAMESPACE:NAME`.
    User(Str),
    /// There has to be somebody else than the engine, and nobody is named: nothing may be written.
    Nobody,
}

/// Names a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ClusterRef {
    /// The cluster that holds the declaring objects.
    Local,
    /// The API server at this URL.
    Server(Str),
    /// The cluster registered under this name.
    Name(Str),
}

/// How objects are marked as the Unit's own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ownership {
    /// The field manager of server-side apply.
    pub field_manager: Str,
    /// Managers that applied client-side what this Unit declares now. What they own becomes the Unit's when it is
    /// applied, so that it goes when it is no longer declared.
    pub former_managers: Box<[Str]>,
    /// The name of the Unit in tracking marks.
    pub instance: Str,
    /// Where the mark is written.
    pub tracking: Tracking,
    /// Which control plane owns the objects, for dialects that mark it.
    pub installation: Option<crate::Installation>,
}

/// Where a tracking mark is written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Tracking {
    /// An annotation `<instance>:<group>/<kind>:<namespace>/<name>`.
    Annotation {
        /// The annotation's key.
        key: Str,
    },
    /// A label whose value is the instance.
    Label {
        /// The label's key.
        key: Str,
    },
    /// Both: the annotation decides, the label is for people and other tools.
    AnnotationAndLabel {
        /// The annotation's key.
        annotation: Str,
        /// The label's key.
        label: Str,
    },
}

/// When and how a Unit is synced.
#[derive(Clone, Debug, PartialEq)]
pub struct SyncPolicy {
    /// Whether it syncs by itself.
    pub automation: Automation,
    /// Back-off between failed attempts.
    pub retry: Retry,
    /// What is done about the target namespace.
    pub namespace: NamespacePolicy,
    /// Whether nothing at all is pruned.
    pub never_prune: bool,
    /// Whether objects are pruned only when a person approves, where they say nothing else.
    pub confirm_prune: bool,
    /// How objects are applied, where they say nothing else.
    pub apply: ApplyMode,
    /// Whether a sync fails when another Unit has one of its objects.
    pub fail_on_shared_object: bool,
    /// Whether fields that do not count when objects are compared keep their live value when they are applied, too.
    pub respect_ignored: bool,
    /// What happens to the dependents of pruned objects.
    pub prune_propagation: crate::Propagation,
    /// How many deployments the history keeps.
    pub history_limit: usize,
    /// When hooks run.
    pub hooks: HookPolicy,
}

/// When the hooks of a Unit run, where they say nothing else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HookPolicy {
    /// Whether those of Helm run on the events that they name, and not with every sync.
    pub by_event: bool,
    /// Whether they run when drift is undone, too.
    pub when_healing: bool,
}

/// Whether a Unit syncs by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Automation {
    /// Somebody asks for each sync.
    Manual,
    /// A new revision is applied as soon as it is there.
    Automatic {
        /// Whether objects that are no longer declared are deleted.
        prune: bool,
        /// Whether drift is undone.
        self_heal: bool,
        /// Whether a source without any object may prune everything.
        allow_empty: bool,
    },
}

/// How failed attempts are repeated: without end, ever slower, at once when an input changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    /// After how many failures an operation that somebody asked for is given up; `None` is never.
    pub limit: Option<u32>,
    /// The pauses between attempts.
    pub backoff: Backoff,
}

/// Growing pauses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// The first pause.
    pub initial: Duration,
    /// Each pause is this many times the one before.
    pub factor: f64,
    /// No pause is longer.
    pub max: Duration,
}

impl Backoff {
    /// The pause after `failures` failures in a row; zero failures give the first pause.
    #[must_use]
    pub fn pause(&self, failures: u32) -> Duration {
        let exponent = i32::try_from(failures.saturating_sub(1)).unwrap_or(i32::MAX);
        let seconds = self.initial.as_secs_f64() * self.factor.max(1.0).powi(exponent);
        Duration::try_from_secs_f64(seconds).unwrap_or(self.max).min(self.max)
    }
}

/// What is done about the target namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamespacePolicy {
    /// Whether it is created when absent.
    pub create: bool,
    /// Labels it gets.
    pub labels: Vec<(Str, Str)>,
    /// Annotations it gets.
    pub annotations: Vec<(Str, Str)>,
}

/// Who asked for a sync.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Initiator {
    /// The user's name; empty when nobody did.
    pub username: Str,
    /// Whether the policy asked.
    pub automated: bool,
}

/// A sync that was asked for: by a person through the declaring object, or by the policy.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct SyncRequest {
    /// Revisions to use instead of the declared ones, one per source; empty means the declared ones.
    pub revisions: Vec<Str>,
    /// Manifests to use instead of what the sources declare, each a text of JSON or YAML; empty means the sources.
    pub manifests: std::sync::Arc<[Str]>,
    /// Whether objects that are no longer declared are deleted.
    pub prune: bool,
    /// Whether nothing is changed.
    pub dry_run: bool,
    /// Only these objects; empty means all.
    pub selection: Vec<Selection>,
    /// Whether no hook is run.
    pub skip_hooks: bool,
    /// The policy for this request, where it differs from the Unit's.
    pub policy: Option<Box<SyncPolicy>>,
    /// Who asked.
    pub initiator: Initiator,
    /// Back-off for this request, where it differs from the policy's.
    pub retry: Option<Retry>,
}

impl SyncRequest {
    /// What a policy of automated sync asks for.
    #[must_use]
    pub fn automated(prune: bool) -> Self {
        let initiator = Initiator { username: Str::default(), automated: true };
        Self { prune, initiator, ..Self::default() }
    }
}

/// Names objects to be synced.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Selection {
    /// The kind.
    pub kind: GroupKind,
    /// The namespace; empty matches any.
    pub namespace: Str,
    /// The name.
    pub name: Str,
}

impl Selection {
    /// Whether `object` is meant.
    #[must_use]
    pub fn matches(&self, object: &ObjectRef) -> bool {
        self.kind.group == object.group
            && self.kind.kind == object.kind
            && self.name == object.name
            && (self.namespace.is_empty() || self.namespace == object.namespace)
    }
}
