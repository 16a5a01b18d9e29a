//! What the engine knows of one Unit between two looks at it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use windlass_argo::{DeletionHooks, Lowered, Previous, PreviousOperation};
use windlass_assess::cel::CelChecks;
use windlass_diff::{RuleProblem, Rules};
use windlass_kube::{Object, ObjectRef, Str, Value};
use windlass_model::{
    Action, Deployment, Desired, DesiredHook, Diagnostic, Digest, Generation, LiveRecord, OperationPhase,
    OperationReport, Phase, Plan, SourceType, Step, Strict, SyncRequest, Time, UnitId, Waiting,
};

use crate::core::orphans::OrphanWatch;
use crate::desired_objects::{DesiredObject, DesiredObjects};
use crate::healed::Healed;
use crate::outcomes::Outcomes;
use crate::packed::Packed;
use crate::reach::Address;
use crate::source_hub::{RefreshTicket, SourceKey};

/// One Unit, with what was found out about it.
pub(crate) struct UnitState {
    /// Which one.
    pub(crate) id: UnitId,
    /// The same, for those who hold it many times.
    pub(crate) shared_id: Arc<UnitId>,
    /// The declaring object: read when it is needed, small when it is not.
    declared: Packed,
    /// The newest version of it that was seen or written; 0 when versions are no numbers.
    version: u64,
    /// `metadata.uid` of it.
    pub(crate) uid: Str,
    /// The digest of all of it that can ask for something: not the status, not versions.
    pub(crate) asked: Digest,
    /// What it means; set by [`UnitState::set_lowered`].
    pub(crate) lowered: Arc<Lowered>,
    /// What does not count when it is compared; `None` when everything does.
    pub(crate) rules: Option<Arc<Rules>>,
    /// What it says of the health of its own objects.
    pub(crate) health_checks: Option<Arc<CelChecks>>,
    /// The digest of the parts of that which rendering and preparing depend on.
    pub(crate) lowered_digest: Digest,
    /// What its status said when the engine first saw it.
    pub(crate) previous: Box<Previous>,
    /// Its sources, in order.
    pub(crate) sources: Vec<SourceKey>,
    /// The folder in each of them, in the same order.
    pub(crate) source_paths: Vec<Str>,
    /// Files outside of those folders that were read: symbolic links lead there.
    pub(crate) extra_reads: Vec<(SourceKey, Str)>,
    /// What its sources name by addresses, as far as is known.
    pub(crate) reached: Vec<Reached>,
    /// What is wrong with the sources as named.
    pub(crate) source_problems: Vec<Diagnostic>,
    /// What its sources declare, once rendered.
    pub(crate) rendered: Option<RenderedUnit>,
    /// What it is doing.
    pub(crate) activity: Activity,
    /// Whether something happened while it was busy.
    pub(crate) again: bool,
    /// Counts plans.
    pub(crate) generation: Generation,
    /// The operation that runs, if one does.
    pub(crate) operation: Option<Box<OperationRun>>,
    /// The last operation that ended in this process, until it is in the status.
    pub(crate) ended: Option<Box<OperationReport>>,
    /// A deployment that is not in the history yet.
    pub(crate) deployed: Option<Deployment>,
    /// The revisions of the newest deployment in this process.
    pub(crate) last_deployed: Option<Vec<Str>>,
    /// Whether the process before this one may have left a sync unfinished; told apart at the first comparison.
    pub(crate) unfinished: Option<Box<Unfinished>>,
    /// Whether the process before this one left an operation running, which the next one of the same revisions is.
    pub(crate) resumable: bool,
    /// Which hooks the finalizers say that it has for its deletion, as far as was looked.
    pub(crate) deletion_hooks: DeletionHooks,
    /// The phase of its deletion whose hooks have succeeded and were deleted.
    pub(crate) hooks_cleaned: Option<Phase>,
    /// How often what is being deleted was asked for once more, and when it is the next time.
    pub(crate) recheck: Option<(u32, Instant)>,
    /// A plan that waits while its sources are prepared anew.
    pub(crate) held: Option<(Arc<Run>, usize)>,
    /// The digest of the desired set that was last synced with success.
    pub(crate) synced: Option<Digest>,
    /// Failures in a row.
    pub(crate) failures: u32,
    /// Not before this moment is a failed sync tried again.
    pub(crate) retry_at: Option<Instant>,
    /// What was brought back lately, and how often in a row.
    pub(crate) healed: Healed,
    /// Objects whose drift comes back as often as it is undone, with what differed when that was noticed.
    pub(crate) contested: BTreeMap<ObjectRef, Str>,
    /// What the last attempt ran into.
    pub(crate) trouble: Vec<Diagnostic>,
    /// What it waits for.
    pub(crate) waiting: Option<Waiting>,
    /// Whether it was in sync and healthy when it was last told about.
    pub(crate) as_declared: bool,
    /// Not before this moment is looked again at objects that could not be looked at.
    pub(crate) check_at: Option<Instant>,
    /// How many times in a row some object could not be looked at.
    pub(crate) failed_checks: u32,
    /// Where orphans are looked for on its behalf.
    pub(crate) orphan_watch: Option<Box<OrphanWatch>>,
    /// Hooks whose finalizer is being taken off, by uid, and since when.
    pub(crate) released: Vec<(Str, Instant)>,
    /// A sync that somebody asked for and that is held up before it has begun, and since when.
    pub(crate) held_request: Option<Box<(SyncRequest, Time)>>,
    /// What dry runs found out.
    pub(crate) verdicts: HashMap<ObjectRef, Verdict>,
    /// The digest of the `operation` that was carried out and may still be seen in stale states.
    pub(crate) done_request: Option<Digest>,
    /// Whether the refresh that the object asks for was taken up.
    pub(crate) refresh_taken: bool,
    /// Whether somebody has asked to render it past what is kept, which was not done yet.
    pub(crate) render_anew: bool,
    /// What that refresh asked of which repositories.
    pub(crate) refreshes: Vec<(Str, RefreshTicket)>,
    /// What a status write that is under way tells: the object before it, and what is told again if it fails.
    pub(crate) told: Option<Box<Told>>,
    /// A status write that is under way.
    pub(crate) writing: bool,
    /// Whether the state changed since that write began.
    pub(crate) unwritten: bool,
    /// Whether a status write failed that the server may have carried out all the same: what the object says is not
    /// known for sure then.
    pub(crate) unsure: bool,
    /// Whether another Unit declares it.
    pub(crate) is_child: bool,
}

/// Something that a source names by an address, followed as a source is.
pub(crate) struct Reached {
    /// As it is named.
    pub(crate) address: Address,
    /// As it is followed.
    pub(crate) key: SourceKey,
}

/// What the process before this one may have been doing when it ended.
#[derive(Debug, Clone)]
pub(crate) enum Unfinished {
    /// Its status says that a sync was running.
    Announced(Box<PreviousOperation>),
    /// Its status says that a sync of the policy's failed. It may have gone well since, or have been well: an answer
    /// that was lost is a failure, too.
    Failed(Box<PreviousOperation>),
    /// It may have applied a plan that needs no announcement, and ended before it could say so. Such a plan shows in
    /// objects that were applied after the last operation finished.
    AppliedAfter(Option<Time>),
}

impl Unfinished {
    fn of(previous: &Previous) -> Self {
        match &previous.operation {
            Some(operation) if operation.finished.is_none() => Self::Announced(Box::new(operation.clone())),
            Some(operation)
                if operation.request.initiator.automated
                    && matches!(operation.phase, OperationPhase::Failed | OperationPhase::Error) =>
            {
                Self::Failed(Box::new(operation.clone()))
            }
            Some(operation) => Self::AppliedAfter(operation.finished),
            None => Self::AppliedAfter(None),
        }
    }
}

/// What a status write that is under way tells, to be told again if it fails.
pub(crate) struct Told {
    /// The declaring object before it.
    pub(crate) before: Packed,
    /// The end of an operation.
    pub(crate) ended: Option<Box<OperationReport>>,
    /// A deployment for the history.
    pub(crate) deployed: Option<Deployment>,
    /// The version of a state that was taken in since.
    pub(crate) met: Option<u64>,
}

/// What a Unit is doing right now.
pub(crate) enum Activity {
    /// Nothing: it is looked at when something happens.
    Idle,
    /// Its sources are being rendered, for the request with this number.
    Preparing(u64),
    /// Dry runs find out whether live objects are as declared.
    Checking(u64),
    /// The whole plan is being tried without effect.
    Verifying(Arc<Run>),
    /// A wave of the plan is being carried out.
    Applying(Arc<Run>, usize),
    /// The plan waits until this wave may start.
    Gated(Arc<Run>, usize),
}

/// A plan that is being carried out.
pub(crate) struct Run {
    /// The plan.
    pub(crate) plan: Plan,
    /// The digest of the desired set it was made for.
    pub(crate) desired: Digest,
    /// What for.
    pub(crate) kind: RunKind,
}

/// What a plan is carried out for.
pub(crate) enum RunKind {
    /// To sync.
    Sync,
    /// To delete the Unit.
    Deletion,
    /// To finish a sync that failed with this message.
    Failure {
        /// Why it failed.
        message: Str,
    },
    /// To end hooks that are not wanted any more.
    Cancel,
}

/// What the sources of a Unit declare.
pub(crate) struct RenderedUnit {
    /// The revisions it was rendered from, one per source.
    pub(crate) revisions: Vec<Str>,
    /// What tells their contents from others, in the same order.
    pub(crate) identities: Vec<Str>,
    /// The revisions that are shown: those that the status says already, if nothing that is read changed since.
    pub(crate) shown: Vec<Str>,
    /// The digest of what was asked for at the time.
    pub(crate) asked: Digest,
    /// The version of the cluster's discovery it was made with.
    pub(crate) discovery: u64,
    /// What each source turned out to be.
    pub(crate) source_types: Vec<SourceType>,
    /// What there is to say about it.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// Its objects, without their bodies.
    pub(crate) objects: DesiredObjects,
    /// Its hooks, without their bodies.
    pub(crate) hook_marks: Vec<HookMark>,
    /// Objects that ask to be left alone.
    pub(crate) skipped: Vec<ObjectRef>,
    /// The digest of all of them.
    pub(crate) digest: Digest,
    /// The objects with their bodies, while they are needed.
    pub(crate) bodies: Option<Vec<Desired>>,
    /// The hooks with their bodies, while those of the objects are held.
    pub(crate) hooks: Vec<DesiredHook>,
    /// Whether nothing could be rendered at all: live objects must not be taken for undeclared.
    pub(crate) failed: bool,
    /// What it named by addresses, by its identity, in the order of [`UnitState::reached`].
    pub(crate) reached: Vec<Str>,
    /// The version of the names of repositories it was made with, if it depends on them.
    pub(crate) names: Option<u64>,
}

/// A declared hook, without its body.
#[derive(Debug, Clone)]
pub(crate) struct HookMark {
    /// What names it; the name is empty where it has only `generateName`.
    pub(crate) key: ObjectRef,
    /// The start of its names, where it has no name.
    generate_name: Str,
    digest: Digest,
    phases: Box<[Phase]>,
}

impl HookMark {
    pub(crate) fn of(hook: &DesiredHook) -> Self {
        let desired = &hook.desired;
        Self {
            key: desired.key.clone(),
            generate_name: desired.object.str_at(&["metadata", "generateName"]).into(),
            digest: desired.digest,
            phases: hook.phases.clone(),
        }
    }

    /// What of it a sync depends on.
    pub(crate) fn asked(&self) -> Digest {
        let phases: Vec<&str> = self.phases.iter().map(|phase| phase.as_str()).collect();
        let text = format!("{} {} {}", self.key, self.generate_name, phases.join(","));
        Digest::combine([Digest::of_bytes(text.as_bytes()), self.digest])
    }

    /// Whether it runs in a phase.
    pub(crate) fn runs_in(&self, phase: Phase) -> bool {
        self.phases.contains(&phase)
    }

    /// Whether a step of a plan runs this hook as it is declared.
    pub(crate) fn declares(&self, step: &Step) -> bool {
        let Action::RunHook { digest, .. } = &step.action else { return false };
        *digest == self.digest
            && self.key.group_kind() == step.key.group_kind()
            && self.key.namespace == step.key.namespace
            && (self.key.name.is_empty() || self.key.name == step.key.name)
    }
}

/// What a dry run found out about one object, and for which states that holds.
#[derive(Debug, Clone)]
pub(crate) struct Verdict {
    /// For this declared state.
    pub(crate) desired: Digest,
    /// For this live state: [`live_state`].
    pub(crate) live: Str,
    /// Empty when applying would change nothing, else what it would change, in words.
    pub(crate) difference: Str,
    /// What others added and is told only, in words; empty when there is nothing to tell.
    pub(crate) added: Str,
}

/// What of a live object a verdict depends on: our fields where we own some, and what others added where that counts;
/// else every version of it.
pub(crate) fn live_state(live: &LiveRecord, strict: Strict) -> Str {
    match (live.owned, live.added.filter(|_| strict != Strict::Off)) {
        (Some(owned), Some(added)) => format!("{owned} {added} {strict:?}").into(),
        (Some(owned), None) => owned.to_string().into(),
        (None, _) => live.resource_version.clone(),
    }
}

/// An operation under way.
pub(crate) struct OperationRun {
    /// What was asked for.
    pub(crate) request: SyncRequest,
    /// The digest of the `operation` field, if that asked for it.
    pub(crate) asked: Option<Digest>,
    /// When it began.
    pub(crate) started: Time,
    /// When it began, for measuring.
    pub(crate) clock: Instant,
    /// How many attempts came before.
    pub(crate) retries: u32,
    /// When this attempt began: names of hooks depend on it.
    pub(crate) attempt: Time,
    /// Whether the last attempt failed.
    pub(crate) failed: bool,
    /// The digest of the desired set whose last attempt failed by calls alone that may go well next time: what hooks it
    /// began go on then.
    pub(crate) cut_short: Option<Digest>,
    /// Whether it brings single objects back that somebody changed.
    pub(crate) heals: bool,
    /// What it leaves as somebody changed it, because that was brought back too often lately.
    pub(crate) resting: HashSet<ObjectRef>,
    /// What happened so far.
    pub(crate) objects: Outcomes,
    /// The revisions it applies.
    pub(crate) revisions: Vec<Str>,
}

/// Whether an object is one that a Unit applied, by the mark that it then has.
fn is_child(object: &Object) -> bool {
    object.annotation(windlass_argo::TRACKING_ANNOTATION).is_some()
        || object.label("app.kubernetes.io/instance").is_some()
}

impl UnitState {
    pub(crate) fn new(object: &Object, mut lowered: Lowered, previous: Previous) -> Self {
        let rules = rules_of(&mut lowered);
        let health_checks = health_checks_of(&mut lowered);
        Self {
            rules,
            health_checks,
            id: lowered.unit.id.clone(),
            shared_id: Arc::new(lowered.unit.id.clone()),
            declared: Packed::new(object),
            version: object.resource_version().parse().unwrap_or(0),
            uid: object.uid().into(),
            asked: asked_digest(object),
            unfinished: Some(Box::new(Unfinished::of(&previous))),
            resumable: previous.operation.as_ref().is_some_and(|operation| operation.finished.is_none()),
            is_child: is_child(object),
            deletion_hooks: DeletionHooks::of(object),
            hooks_cleaned: None,
            recheck: None,
            held: None,
            lowered_digest: lowered_digest(&lowered),
            lowered: Arc::new(lowered),
            previous: Box::new(previous),
            sources: Vec::new(),
            source_paths: Vec::new(),
            extra_reads: Vec::new(),
            reached: Vec::new(),
            source_problems: Vec::new(),
            rendered: None,
            activity: Activity::Idle,
            again: false,
            generation: Generation::default(),
            operation: None,
            ended: None,
            deployed: None,
            last_deployed: None,
            synced: None,
            failures: 0,
            retry_at: None,
            healed: Healed::default(),
            contested: BTreeMap::new(),
            trouble: Vec::new(),
            waiting: None,
            as_declared: false,
            check_at: None,
            failed_checks: 0,
            orphan_watch: None,
            released: Vec::new(),
            held_request: None,
            verdicts: HashMap::new(),
            done_request: None,
            refresh_taken: false,
            render_anew: false,
            refreshes: Vec::new(),
            told: None,
            writing: false,
            unwritten: false,
            unsure: false,
        }
    }

    /// The declaring object.
    pub(crate) fn declared(&self) -> Object {
        self.declared.object()
    }

    /// Takes in a newer state of the declaring object.
    pub(crate) fn set_declared(&mut self, object: &Object) {
        if let Some(told) = &mut self.told {
            // Whatever becomes of the write that is under way, this is what it met or made.
            told.before = Packed::new(object);
            told.met = object.resource_version().parse().ok();
        }
        self.declared = Packed::new(object);
        self.is_child = is_child(object);
        self.deletion_hooks = DeletionHooks::of(object);
        self.uid = object.uid().into();
    }

    /// Takes in the state that the declaring object will have, and answers the one it had.
    pub(crate) fn replace_declared(&mut self, object: &Object) -> Packed {
        std::mem::replace(&mut self.declared, Packed::new(object))
    }

    /// Takes back a state that did not come.
    pub(crate) fn restore_declared(&mut self, before: Packed) {
        self.declared = before;
    }

    /// Notes that the object had a version.
    pub(crate) fn seen_version(&mut self, version: &str) {
        self.version = self.version.max(version.parse().unwrap_or(0));
    }

    /// The newest version that was seen or written, if versions are numbers.
    pub(crate) fn newest_version(&self) -> Option<u64> {
        (self.version > 0).then_some(self.version)
    }

    /// Whether this version of the object was seen or written; of versions that are no numbers it cannot be told.
    pub(crate) fn has_seen(&self, version: &str) -> bool {
        version.parse().map_or(true, |version: u64| version <= self.version)
    }

    /// Takes the next state of the object for the newest, whatever its version.
    pub(crate) fn forget_version(&mut self) {
        self.version = 0;
    }

    /// Whether `object` is an earlier state than one that was seen or written: an answer can overtake the watch.
    pub(crate) fn is_overtaken(&self, object: &Object) -> bool {
        object.uid() == self.uid
            && object.resource_version().parse().is_ok_and(|version: u64| version < self.version)
    }

    /// Takes in what the object means now.
    pub(crate) fn set_lowered(&mut self, mut lowered: Lowered) {
        if self.lowered.unit.comparing != lowered.unit.comparing {
            self.verdicts.clear();
        }
        self.rules = rules_of(&mut lowered);
        let is_same = self.lowered.unit.health_checks == lowered.unit.health_checks;
        let health_checks = health_checks_of(&mut lowered);
        if !is_same {
            self.health_checks = health_checks;
        }
        self.lowered_digest = lowered_digest(&lowered);
        self.lowered = Arc::new(lowered);
    }

    /// All that is followed for it.
    pub(crate) fn followed(&self) -> impl Iterator<Item = &SourceKey> {
        self.sources.iter().chain(self.reached.iter().map(|reached| &reached.key))
    }

    /// Whether something is under way that will call back.
    pub(crate) fn is_busy(&self) -> bool {
        !matches!(self.activity, Activity::Idle | Activity::Gated(..))
    }

    /// Forgets failures: an input changed, so the next attempt may come at once.
    pub(crate) fn reset_backoff(&mut self) {
        self.failures = 0;
        self.retry_at = None;
    }

    /// The pause after the failures so far.
    pub(crate) fn pause(&self) -> Duration {
        self.lowered.unit.policy.retry.backoff.pause(self.failures)
    }
}

impl RenderedUnit {
    /// The names of everything that is declared, as far as it has one.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &ObjectRef> + Clone {
        Self::watched_keys(&self.objects, &self.hook_marks)
    }

    /// The same of parts.
    pub(crate) fn watched_keys<'a>(
        objects: &'a [DesiredObject],
        hooks: &'a [HookMark],
    ) -> impl Iterator<Item = &'a ObjectRef> + Clone {
        let hooks = hooks.iter().map(|hook| &hook.key).filter(|key| !key.name.is_empty());
        objects.iter().map(|object| &object.key).chain(hooks)
    }
}

/// Makes the rules of a Unit ready; what is wrong with them is told with everything else about it.
fn rules_of(lowered: &mut Lowered) -> Option<Arc<Rules>> {
    let (rules, problems) = Rules::compile(&lowered.unit.comparing);
    lowered.unit.diagnostics.extend(problems.iter().map(told));
    (!rules.is_empty()).then(|| Arc::new(rules))
}

/// Makes the checks of health that a Unit brings along ready. A Unit with one that cannot be read is not acted on, as
/// in Flux.
fn health_checks_of(lowered: &mut Lowered) -> Option<Arc<CelChecks>> {
    let said = &lowered.unit.health_checks;
    if said.is_empty() {
        return None;
    }
    match CelChecks::of(said) {
        Ok(checks) => Some(Arc::new(checks)),
        Err(error) => {
            let message = format!("a health check in CEL: {}", windlass_source::chain(&error));
            let problem = Diagnostic::new(windlass_model::DiagnosticKind::InvalidSpec, message);
            lowered.unit.diagnostics.push(problem);
            None
        }
    }
}

pub(crate) fn told(problem: &RuleProblem) -> Diagnostic {
    let message = format!("ignoreDifferences: {}; what it names counts", windlass_source::chain(problem));
    Diagnostic::new(windlass_model::DiagnosticKind::Unsupported, message)
}

/// The digest of the lowered Unit's parts that rendering and preparing depend on.
fn lowered_digest(lowered: &Lowered) -> Digest {
    use std::fmt::Write as _;
    let unit = &lowered.unit;
    let mut text = String::new();
    let _ = write!(
        text,
        "{:?}{:?}{:?}{:?}{:?}{:?}",
        lowered.request.as_ref().map(|request| &request.manifests),
        unit.sources,
        unit.target,
        unit.ownership,
        lowered.kustomize_build_options,
        Arc::as_ptr(&lowered.permissions)
    );
    Digest::of_bytes(text.as_bytes())
}

/// The digest of everything in a declaring object that can ask for something.
pub(crate) fn asked_digest(object: &Object) -> Digest {
    let mut asked = Value::object();
    for path in [
        &["spec"][..],
        &["operation"],
        &["metadata", "annotations"],
        &["metadata", "labels"],
        &["metadata", "finalizers"],
        &["metadata", "deletionTimestamp"],
        &["metadata", "uid"],
    ] {
        if let Some(value) = object.at(path) {
            asked.set_at(path, value.clone());
        }
    }
    // A person ends an operation through the status.
    if object.str_at(&["status", "operationState", "phase"]) == OperationPhase::Terminating.as_str() {
        asked.set_at(&["terminate"], true);
    }
    Digest::of_value(&asked)
}

/// The digest of the `operation` field.
pub(crate) fn operation_digest(object: &Object) -> Option<Digest> {
    object.at(&["operation"]).filter(|operation| !operation.is_null()).map(Digest::of_value)
}
