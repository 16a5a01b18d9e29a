//! Lets a deleted Unit go, with or without its objects.

use std::sync::Arc;

use tokio::time::Instant;
use windlass_argo::{Deletion, DeletionHooks, finalizer_patch, hook_finalizer_patch};
use windlass_cluster::{ApiError, Resource};
use windlass_kube::ObjectRef;
use windlass_model::{
    Diagnostic, DiagnosticKind, Digest, Identity, LiveRecord, Phase, Time, UnitId, Waiting,
};
use windlass_plan::{DeletionStage, HookInput, deletion_stage, hook_keys, plan_deletion};

use super::advance::in_one_line;
use super::declared::APPLICATION_KIND;
use super::{Core, Event};
use crate::clusters::ClusterKey;
use crate::unit_state::{Activity, Run, RunKind, UnitState};

/// What was let go and does not go is asked for once more after this, and then ever less often: the watch may have
/// missed that it went, and the server answers that it is not there.
const RECHECK: std::time::Duration = std::time::Duration::from_secs(5);

/// The longest pause between two such questions.
const LONGEST_RECHECK: std::time::Duration = std::time::Duration::from_secs(300);

impl Core {
    /// Brings the deletion of a Unit one step further.
    pub(super) fn advance_deletion(&mut self, unit: &mut UnitState) {
        // Whatever was being done is superseded: what waits at a gate is not started any more.
        unit.activity = Activity::Idle;
        let declared = unit.declared();
        let hooks = DeletionHooks::of(&declared);
        let propagation = match unit.lowered.deletion {
            Deletion::None => return,
            Deletion::Unconfirmed => {
                let message = "waits for approval: set the annotation argocd.argoproj.io/deletion-approved";
                unit.trouble = vec![Diagnostic::new(DiagnosticKind::Delete, message)];
                self.report_deleting(unit);
                return;
            }
            Deletion::Orphan if hooks == DeletionHooks::default() => {
                self.release(unit);
                return;
            }
            Deletion::Orphan => None,
            Deletion::Cascade { propagation } => Some(propagation),
        };
        if self.cluster_key(unit).is_none() {
            // The cluster is gone from the settings, and with it the way to its objects: as Argo CD does.
            self.release(unit);
            return;
        }
        let Some(cluster) = self.target_cluster(unit) else { return };
        if unit.lowered.unit.target.identity == Identity::Nobody {
            let errors = unit.lowered.unit.diagnostics.iter().filter(|diagnostic| diagnostic.kind.is_error());
            let message = format!("nothing can be deleted: {}", in_one_line(errors));
            unit.trouble = vec![Diagnostic::new(DiagnosticKind::Delete, message)];
            self.report_deleting(unit);
            return;
        }
        if hooks != DeletionHooks::default() && !self.hooks_known(unit, &cluster) {
            return;
        }
        if propagation.is_some() && !self.kinds_known(unit, &cluster) {
            return;
        }
        if !self.watches_ready(unit, &cluster) {
            return;
        }
        if hooks.before && !self.run_deletion_hooks(unit, &cluster, Phase::PreDelete, hooks) {
            return;
        }
        let later = if hooks.after { self.hook_keys(unit, &cluster) } else { Vec::new() };
        let Some(state) = self.clusters.get(&cluster) else { return };
        let instance = &unit.lowered.unit.ownership.instance;
        let live: Vec<LiveRecord> = state
            .live
            .of_instance(instance)
            .filter(|live| live.owners.is_empty() && !live.keep_on_delete)
            .filter(|live| propagation.is_some() && live.key != unit.id.0 && !later.contains(&live.key))
            .cloned()
            .collect();
        let asked = declared.str_at(&["metadata", "deletionTimestamp"]).parse::<Time>().ok();
        let unapproved: Vec<&LiveRecord> = live
            .iter()
            .filter(|live| live.confirm_delete && !live.terminating && unit.lowered.approved < asked)
            .collect();
        if let Some(first) = unapproved.first() {
            let message = format!(
                "{} object(s) wait for approval, {} first: set the annotation argocd.argoproj.io/deletion-approved",
                unapproved.len(),
                first.key
            );
            unit.trouble = vec![Diagnostic::new(DiagnosticKind::Delete, message)];
            self.report_deleting(unit);
            return;
        }
        if live.is_empty() {
            if hooks.after && !self.run_deletion_hooks(unit, &cluster, Phase::PostDelete, hooks) {
                return;
            }
            self.release(unit);
            return;
        }
        unit.generation = unit.generation.next();
        let propagation = propagation.unwrap_or_default();
        let planned = |unit: &UnitState, live: &[LiveRecord]| {
            let here: Vec<&LiveRecord> = live.iter().collect();
            plan_deletion(&unit.lowered.unit, unit.generation, &here, propagation)
        };
        let mut plan = planned(unit, &live);
        if plan.is_empty() && self.is_time_to_recheck(unit) {
            let again = live.iter().map(|live| LiveRecord { terminating: false, ..live.clone() });
            plan = planned(unit, &again.collect::<Vec<_>>());
        }
        if plan.is_empty() {
            unit.waiting = Some(Waiting::Gone(live.into_iter().map(|live| live.key).collect()));
            self.report_deleting(unit);
            return;
        }
        if let Some(at) = unit.retry_at
            && Instant::now() < at
        {
            self.wake_at(at, &unit.id);
            return;
        }
        let run = Arc::new(Run { plan, desired: Digest::of_bytes(b"deletion"), kind: RunKind::Deletion });
        self.start_wave(unit, &cluster, run, 0);
    }

    /// Whether what is on its way out is to be asked for once more; sees to it that the next look comes.
    fn is_time_to_recheck(&mut self, unit: &mut UnitState) -> bool {
        let now = Instant::now();
        let (n_asked, at) = unit.recheck.unwrap_or((0, now + RECHECK));
        let is_due = at <= now;
        let next = if is_due {
            let n_asked = n_asked + 1;
            let pause = RECHECK.saturating_mul(1 << n_asked.min(10)).min(LONGEST_RECHECK);
            (n_asked, now + pause)
        } else {
            (n_asked, at)
        };
        unit.recheck = Some(next);
        self.wake_at(next.1, &unit.id);
        is_due
    }

    /// Whether it is known which kinds of objects a Unit may have. Where its status names none, somebody may have ended
    /// this process' predecessor between applying and telling: what it declares names them then, if that can be had.
    fn kinds_known(&mut self, unit: &mut UnitState, cluster: &ClusterKey) -> bool {
        if unit.rendered.is_some() || !unit.previous.objects.is_empty() {
            return true;
        }
        match self.resolved_sources(unit) {
            Some(resolved) => {
                self.prepare(unit, cluster, resolved);
                false
            }
            // What cannot be had for a reason is not waited for.
            None => unit.waiting != Some(Waiting::Source),
        }
    }

    /// Whether the hooks of a Unit are known; renders what declares them otherwise.
    fn hooks_known(&mut self, unit: &mut UnitState, cluster: &ClusterKey) -> bool {
        let held = unit.rendered.as_ref().is_some_and(|rendered| rendered.bodies.is_some());
        let Some(resolved) = self.resolved_sources(unit) else {
            if unit.waiting != Some(Waiting::Source) {
                self.report_deleting(unit);
            }
            return false;
        };
        if !held || !self.is_rendered(unit, cluster, &resolved) {
            self.prepare(unit, cluster, resolved);
            return false;
        }
        let Some(rendered) = unit.rendered.as_ref().filter(|rendered| rendered.failed) else { return true };
        let why = in_one_line(rendered.diagnostics.iter().filter(|diagnostic| diagnostic.kind.is_error()));
        let message = format!("its hooks cannot be known, because the source cannot be rendered: {why}");
        unit.trouble = vec![Diagnostic::new(DiagnosticKind::Delete, message)];
        self.report_deleting(unit);
        false
    }

    /// What the hooks of a deletion depend on.
    fn deletion_input<'a>(unit: &'a UnitState, live: &'a [&'a LiveRecord]) -> HookInput<'a> {
        let rendered = unit.rendered.as_ref();
        let asked = unit.declared().str_at(&["metadata", "deletionTimestamp"]).parse();
        HookInput {
            hooks: rendered.map_or(&[], |rendered| &rendered.hooks),
            live,
            revision: rendered
                .and_then(|rendered| rendered.revisions.first())
                .map_or("", windlass_kube::Str::as_str),
            started: asked.unwrap_or(Time::EPOCH),
            resumed: true,
        }
    }

    fn hook_keys(&self, unit: &UnitState, cluster: &ClusterKey) -> Vec<ObjectRef> {
        let live = self.live_hooks(unit, cluster);
        hook_keys(&unit.lowered.unit, &Self::deletion_input(unit, &live), Phase::PostDelete)
    }

    /// Brings the hooks of a deletion one step further; whether they are through.
    fn run_deletion_hooks(
        &mut self,
        unit: &mut UnitState,
        cluster: &ClusterKey,
        phase: Phase,
        finalizers: DeletionHooks,
    ) -> bool {
        if unit.hooks_cleaned != Some(phase) && !self.advance_deletion_hooks(unit, cluster, phase) {
            return false;
        }
        let left = DeletionHooks { before: finalizers.before && phase != Phase::PreDelete, ..finalizers };
        let progress = (phase == Phase::PreDelete).then(|| hook_finalizer_patch(&unit.declared(), left));
        match progress.flatten() {
            Some(patch) => {
                self.patch_finalizers(unit, patch);
                false
            }
            None => true,
        }
    }

    fn advance_deletion_hooks(&mut self, unit: &mut UnitState, cluster: &ClusterKey, phase: Phase) -> bool {
        if let Some(at) = unit.retry_at
            && Instant::now() < at
        {
            self.wake_at(at, &unit.id);
            return false;
        }
        unit.generation = unit.generation.next();
        let stage = {
            let live = self.live_hooks(unit, cluster);
            let input = Self::deletion_input(unit, &live);
            let policy = &unit.lowered.unit.policy;
            deletion_stage(&unit.lowered.unit, unit.generation, phase, &input, policy.prune_propagation)
        };
        let plan = match stage {
            DeletionStage::Waiting(hooks) => {
                unit.waiting = Some(Waiting::Hooks(hooks));
                self.report_deleting(unit);
                return false;
            }
            DeletionStage::Failed(plan) => {
                let names: Vec<String> = plan.steps().map(|step| step.key.to_string()).collect();
                let message = format!("{} hook(s) failed: {}", phase.as_str(), names.join(", "));
                unit.trouble = vec![Diagnostic::new(DiagnosticKind::Delete, message)];
                unit.failures = unit.failures.saturating_add(1);
                unit.retry_at = Some(Instant::now() + unit.pause());
                self.report_deleting(unit);
                plan
            }
            DeletionStage::Run(plan) => plan,
            DeletionStage::Done(plan) => {
                unit.hooks_cleaned = Some(phase);
                if plan.is_empty() {
                    return true;
                }
                plan
            }
        };
        let run = Run { plan, desired: Digest::of_bytes(b"deletion"), kind: RunKind::Deletion };
        self.start_wave(unit, cluster, Arc::new(run), 0);
        false
    }

    /// Sees to it that the finalizers say which hooks a Unit has for its deletion.
    pub(super) fn keep_hook_finalizers(&mut self, unit: &mut UnitState) {
        let Some(rendered) = unit.rendered.as_ref().filter(|rendered| !rendered.failed) else { return };
        let has = |phase: Phase| rendered.hook_marks.iter().any(|mark| mark.runs_in(phase));
        let wanted = DeletionHooks { before: has(Phase::PreDelete), after: has(Phase::PostDelete) };
        if wanted == unit.deletion_hooks {
            return;
        }
        let sent = match hook_finalizer_patch(&unit.declared(), wanted) {
            Some(patch) => self.patch_finalizers(unit, patch),
            None => true,
        };
        if sent {
            unit.deletion_hooks = wanted;
        }
    }

    /// Takes our finalizers off the declaring object.
    fn release(&mut self, unit: &mut UnitState) {
        let Some(patch) = finalizer_patch(&unit.declared()) else { return };
        self.patch_finalizers(unit, patch);
    }

    /// Answers whether the patch is under way; if not, the Unit is looked at again when it can be.
    fn patch_finalizers(&mut self, unit: &mut UnitState, patch: windlass_kube::Value) -> bool {
        if std::mem::replace(&mut unit.writing, true) {
            // When the status that is being written is there.
            unit.unwritten = true;
            return false;
        }
        let (client, id) = (self.home.clone(), unit.id.clone());
        let span = tracing::debug_span!("finalizers", unit = %id);
        let patching = async move {
            let resource = application_resource();
            let patched = client
                .merge_patch(&resource, &id.0.namespace, &id.0.name, &patch, windlass_argo::STATUS_MANAGER)
                .await;
            Event::Released(id, patched.map(drop))
        };
        self.call_beside(&unit.id, self.home_permits.clone(), span, patching);
        true
    }

    pub(super) fn on_released(&mut self, id: &UnitId, result: Result<(), ApiError>) {
        let Some(unit) = self.units.get_mut(id) else { return };
        unit.writing = false;
        let is_again = std::mem::take(&mut unit.unwritten);
        match result {
            Err(error) if !error.is_not_found() => {
                let declared = unit.declared();
                unit.deletion_hooks = DeletionHooks::of(&declared);
                let message = format!("the finalizers could not be changed: {error}");
                tracing::warn!(unit = %id, %error, "finalizers could not be changed");
                if unit.lowered.deletion != Deletion::None {
                    unit.trouble = vec![Diagnostic::new(DiagnosticKind::Delete, message)];
                    unit.failures = unit.failures.saturating_add(1);
                }
                let at = Instant::now() + unit.pause();
                self.wake_at(at, id);
            }
            // The watch may have told of it before the answer was here, and what followed had to wait.
            _ if is_again || unit.lowered.deletion == Deletion::None => self.again(id),
            _ => tracing::info!(unit = %id, "finalizers taken off"),
        }
    }
}

/// The declaring objects' resource.
/// What Applications are to a client.
pub(crate) fn application_resource() -> Resource {
    Resource::new(windlass_argo::GROUP, windlass_argo::VERSION, APPLICATION_KIND, "applications", true)
}
