//! Whether a Unit is synced now, and how a plan is carried through.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::time::Instant;
use windlass_apply::{CallErrorKind, Refusal, StepResult, run_wave, verify};
use windlass_argo::{Previous, PreviousOperation};
use windlass_kube::{Object, ObjectRef, Str, Value};
use windlass_model::{
    Automation, Deployment, Desired, DesiredHook, Diagnostic, DiagnosticKind, Generation, HealthStatus,
    LiveRecord, OperationPhase, OperationReport, OutcomeStatus, Receipt, SyncPolicy, SyncRequest, SyncStatus,
    Time, UnitId, Waiting, Wave,
};
use windlass_plan::{
    Comparison, HelmEvent, HookInput, Marks, Occasion, PlanInput, WindowVerdict, on_occasion, owned_form,
    plan, window_verdict,
};

use super::advance::{Compared, in_one_line};
use super::jobs::wants_check;
use super::{Core, Event};
use crate::clusters::ClusterKey;
use crate::live::Known;
use crate::metrics::{PhaseLabel, ResultLabel};
use crate::outcomes::Outcomes;
use crate::recorder::Notice;
use crate::unit_state::{
    Activity, OperationRun, Run, RunKind, Unfinished, UnitState, live_state, operation_digest,
};

/// How long a server takes to list a kind after its definition is established: a fraction of a second.
const KIND_LAG: std::time::Duration = std::time::Duration::from_millis(200);

/// What a gate in front of a wave says.
enum Gate {
    Open,
    /// These are not there yet.
    Waiting(Vec<ObjectRef>),
    /// These hooks have not ended yet.
    Running(Vec<ObjectRef>),
    /// These are to go, and are still there.
    Leaving(Vec<ObjectRef>),
    /// Nobody has approved yet that these go.
    Unapproved(Vec<ObjectRef>),
    /// This one will not get there by itself.
    Broken(ObjectRef, Str),
    /// A hook failed.
    HookFailed,
}

impl Core {
    /// Decides what to do about what was found, and does it.
    pub(super) fn follow_policy(&mut self, unit: &mut UnitState, cluster: &ClusterKey, compared: &Compared) {
        if let Activity::Gated(run, wave) = &unit.activity {
            let (run, wave) = (run.clone(), *wave);
            let current = unit.rendered.as_ref().map(|rendered| rendered.digest);
            let wanted = current == Some(run.desired) && !unit.terminating() && !unit.asked_meanwhile();
            let is_outdated = wanted && self.has_lost(unit, cluster, &run, wave, compared);
            if (wanted && !is_outdated) || matches!(run.kind, RunKind::Cancel) {
                self.pass_gate(unit, cluster, &run, wave, compared);
                return;
            }
            if is_outdated {
                // Its hooks go on, and those that have ended are not run anew.
                unit.operation.iter_mut().for_each(|operation| operation.cut_short = Some(run.desired));
            } else if self.leave_plan(unit, cluster, &run, compared) {
                return;
            }
            // A newer state, or a person, supersedes what was being done; the next plan starts from what is live now.
            unit.activity = Activity::Idle;
            tracing::debug!(unit = %unit.id, "plan superseded");
        }
        if unit.terminating() {
            self.end_held_request(unit, "Operation terminated");
            self.end_operation(unit, OperationPhase::Failed, "Operation terminated");
            self.report(unit, cluster, compared);
            return;
        }
        // Where differences may not count, what is to be synced is only known once it was looked at.
        let looks_first = unit.rules.is_some() || compared.states.contains(&Comparison::Added);
        if looks_first && self.check_unclear(unit, cluster, compared, true) {
            return;
        }
        let Some(request) = self.wanted_sync(unit, cluster, compared) else {
            if self.check_unclear(unit, cluster, compared, false) {
                return;
            }
            self.report(unit, cluster, compared);
            self.drop_bodies(unit);
            return;
        };
        if unit.rendered.as_ref().is_some_and(|rendered| rendered.bodies.is_none()) {
            // What is to be applied was dropped while nothing was to be done; it comes back from the cache.
            let resolved = unit
                .sources
                .iter()
                .filter_map(|key| self.sources.get(key)?.latest.clone())
                .collect::<Vec<_>>();
            if resolved.len() == unit.sources.len() {
                self.prepare(unit, cluster, resolved);
            }
            return;
        }
        self.start_sync(unit, cluster, request, compared);
    }

    /// Whether a plan waits for the health of an object that somebody has deleted since it was made: only another plan
    /// brings it back.
    fn has_lost(
        &self,
        unit: &UnitState,
        cluster: &ClusterKey,
        run: &Run,
        wave: usize,
        compared: &Compared,
    ) -> bool {
        let (Some(rendered), Some(operation)) = (&unit.rendered, &unit.operation) else { return false };
        let selection = &operation.request.selection;
        // What the next plan would not apply either is waited for: somebody else brings it, or nobody.
        let is_applied = |key: &ObjectRef| {
            (selection.is_empty() || selection.iter().any(|one| one.matches(key)))
                && !operation.resting.contains(key)
        };
        let states = compared.states.iter().zip(&compared.claimed);
        let mut lost = rendered
            .objects
            .iter()
            .zip(states)
            .filter(|(object, (state, claimed))| {
                **state == Comparison::Missing && !**claimed && is_applied(&object.key)
            })
            .map(|(object, _)| &object.key)
            .peekable();
        // What is waited for is worked out only where something is missing.
        if !matches!(run.kind, RunKind::Sync) || lost.peek().is_none() {
            return false;
        }
        let Gate::Waiting(awaited) = self.gate(unit, cluster, &run.plan.waves[wave]) else { return false };
        lost.any(|key| awaited.contains(key))
    }

    /// The sync that is to be done now, if any. Sets what the Unit waits for otherwise.
    fn wanted_sync(
        &mut self,
        unit: &mut UnitState,
        cluster: &ClusterKey,
        compared: &Compared,
    ) -> Option<SyncRequest> {
        unit.waiting = None;
        let rendered = unit.rendered.as_ref()?;
        let digest = rendered.digest;
        let failed = rendered.failed;
        let namespace_needed = self.namespace_to_ensure(unit, cluster).is_some();
        let out_of_sync = namespace_needed
            || compared
                .states
                .iter()
                .zip(&compared.claimed)
                .any(|(state, claimed)| state.needs_apply() && !claimed);
        if unit.asked_meanwhile() {
            // A person does not wait for the policy's attempts, which may never succeed.
            unit.operation = None;
        }
        if !unit.pending_request() {
            self.end_held_request(unit, "nobody asked for it any more before it could begin");
        }
        if unit.pending_request() && unit.operation.is_none() {
            unit.reset_backoff();
            if failed {
                let diagnostics = unit.rendered.iter().flat_map(|rendered| &rendered.diagnostics);
                let errors = diagnostics.filter(|diagnostic| diagnostic.kind.is_error());
                let why = in_one_line(errors);
                self.fail_request(unit, &format!("the source could not be rendered: {why}"));
                return None;
            }
            unit.unfinished = None;
            let request = unit.lowered.request.clone()?;
            return self.may_begin(unit, &request, false).then_some(request);
        }
        if failed {
            return None;
        }
        let retrying = unit.operation.as_ref().map(|run| run.request.clone());
        let unfinished = unit.unfinished.take();
        let request = match (retrying, unit.lowered.unit.policy.automation) {
            (Some(request), _) => request,
            (None, Automation::Manual) => {
                if let Some(Unfinished::Announced(operation)) = unfinished.as_deref() {
                    unit.ended = Some(Box::new(interrupted(operation, self.now)));
                }
                if out_of_sync || compared.extra.iter().any(|live| !live.uncounted) {
                    unit.waiting = Some(Waiting::Manual);
                }
                return None;
            }
            (None, Automation::Automatic { prune, self_heal, allow_empty }) => {
                let prunable = prune
                    && compared
                        .extra
                        .iter()
                        .any(|live| !live.keep_on_prune && !live.terminating && !live.uncounted);
                if !out_of_sync && !prunable {
                    if unit.failures == 0 {
                        unit.synced = Some(digest);
                    }
                    // What was applied before a crash is a deployment, too: it is ended as one.
                    let unfinished = unfinished?;
                    let told = !matches!(*unfinished, Unfinished::AppliedAfter(_));
                    return self.was_interrupted(unit, cluster, &unfinished).then(|| SyncRequest {
                        // A sync with hooks is told of: this one had none to run.
                        skip_hooks: !told,
                        ..SyncRequest::automated(prune)
                    });
                }
                if unit.synced == Some(digest) && !self_heal && !unit.retrying() {
                    return None;
                }
                if unit.synced == Some(digest) && !unit.retrying() && !self.may_heal(unit, compared) {
                    return None;
                }
                if prune && !allow_empty && compared.states.is_empty() && !compared.extra.is_empty() {
                    let message = "the source declares nothing, and a sync would delete everything; set \
                                   syncPolicy.automated.allowEmpty to allow that";
                    unit.trouble = vec![Diagnostic::new(DiagnosticKind::Sync, message)];
                    return None;
                }
                SyncRequest::automated(prune)
            }
        };
        let heals = unit.synced == Some(digest) && request.initiator.automated;
        if !self.may_begin(unit, &request, heals) {
            return None;
        }
        if let Some(at) = unit.retry_at
            && Instant::now() < at
        {
            let seconds = at.duration_since(Instant::now()).as_secs().max(1);
            unit.waiting = Some(Waiting::Backoff { seconds, failures: unit.failures });
            return None;
        }
        Some(request)
    }

    /// Ends a sync that was held up before it began, where nobody asks for it any more.
    fn end_held_request(&self, unit: &mut UnitState, message: &'static str) {
        if let Some((request, started)) = unit.held_request.take().map(|held| *held)
            && unit.operation.is_none()
            && unit.ended.is_none()
        {
            unit.ended = Some(Box::new(OperationReport {
                request,
                phase: OperationPhase::Failed,
                message: Str::new_static(message),
                started,
                finished: Some(self.now),
                retries: 0,
                revisions: Vec::new(),
                objects: Vec::new(),
            }));
        }
    }

    /// Whether a sync may begin now; sets what the Unit waits for otherwise.
    fn may_begin(&mut self, unit: &mut UnitState, request: &SyncRequest, heals: bool) -> bool {
        self.window_is_open(unit, request) && self.dependencies_are_done(unit, request, heals)
    }

    /// Whether the sync windows let a sync go on now; sets what the Unit waits for otherwise.
    fn window_is_open(&mut self, unit: &mut UnitState, request: &SyncRequest) -> bool {
        let windows = &unit.lowered.unit.windows;
        let started = unit.operation.as_ref().map(|operation| operation.started);
        match window_verdict(windows, !request.initiator.automated, started, self.now) {
            WindowVerdict::Open => true,
            WindowVerdict::Closed { window, until } => {
                if let Some(until) = until {
                    self.wake_at(Instant::now() + until.since(self.now), &unit.id);
                }
                unit.waiting = Some(Waiting::Window { window, until });
                if unit.operation.is_none() && unit.pending_request() {
                    let since = unit.held_request.as_ref().map_or(self.now, |held| held.1);
                    unit.held_request = Some(Box::new((request.clone(), since)));
                }
                false
            }
        }
    }

    /// Whether a sync that has begun may go on.
    fn window_lets_go_on(&mut self, unit: &mut UnitState, run: &Run) -> bool {
        let request = unit.operation.as_ref().map(|operation| operation.request.clone());
        match request.filter(|_| matches!(run.kind, RunKind::Sync)) {
            Some(request) => self.window_is_open(unit, &request),
            None => true,
        }
    }

    /// Whether the process before this one ended in the middle of a sync that is complete by now, or seems so.
    fn was_interrupted(&self, unit: &UnitState, cluster: &ClusterKey, unfinished: &Unfinished) -> bool {
        let (Some(state), Some(rendered)) = (self.clusters.get(cluster), &unit.rendered) else {
            return false;
        };
        let finished = match unfinished {
            Unfinished::Announced(_) => return true,
            Unfinished::Failed(operation) if operation.revisions == rendered.shown => return true,
            Unfinished::Failed(operation) => operation.finished,
            Unfinished::AppliedAfter(finished) => *finished,
        };
        if unit.newest_deployment() == rendered.shown {
            return false;
        }
        // Times are whole seconds: what was applied in the second of the last operation's end is told apart by what
        // the status said of it.
        let untold = !was_told(&unit.previous, &rendered.shown);
        let is_later = |applied: Time| {
            finished.is_none_or(|finished| applied > finished || (untold && applied == finished))
        };
        let mut applied =
            rendered.objects.iter().filter_map(|object| state.live.record(&object.key)?.applied);
        // A deletion leaves no time behind.
        let is_declared =
            |key: &ObjectRef| rendered.objects.get(key).is_some() || rendered.skipped.contains(key);
        applied.any(is_later) || (untold && unit.previous.objects.iter().any(|key| !is_declared(key)))
    }

    /// Whether drift of any object may be undone now. Somebody who keeps changing one back is met ever more slowly there.
    fn may_heal(&mut self, unit: &mut UnitState, compared: &Compared) -> bool {
        let now = Instant::now();
        unit.healed.forget_quiet(now);
        let drifted = drifted(unit, compared);
        let resting: Option<Vec<Instant>> =
            drifted.iter().map(|key| unit.healed.rests_until(key, now)).collect();
        let Some(until) = resting.and_then(|until| until.into_iter().min()) else { return true };
        let failures = drifted.iter().map(|key| unit.healed.count(key)).max().unwrap_or(0);
        unit.waiting = Some(Waiting::Backoff { seconds: (until - now).as_secs().max(1), failures });
        self.wake_at(until, &unit.id);
        false
    }

    /// Starts dry runs where only they can tell whether an object is as declared, of all such objects or of those
    /// `by_rule` alone: where rules say that something does not count. Answers whether it did.
    fn check_unclear(
        &mut self,
        unit: &mut UnitState,
        cluster: &ClusterKey,
        compared: &Compared,
        by_rule: bool,
    ) -> bool {
        let Some(state) = self.clusters.get(cluster) else { return false };
        let Some(rendered) = &unit.rendered else { return false };
        let unclear: Vec<usize> = (0..compared.states.len())
            .filter(|&idx| wants_check(compared.states[idx]) && !compared.claimed[idx])
            .filter(|&idx| {
                !by_rule
                    || compared.states[idx] == Comparison::Added
                    || unit.rules.as_ref().is_some_and(|it| it.concern(&rendered.objects[idx].key))
            })
            .filter(|&idx| {
                let object = &rendered.objects[idx];
                match (unit.verdicts.get(&object.key), state.live.get(&object.key)) {
                    (Some(verdict), Known::Record(live)) => {
                        verdict.desired != object.digest
                            || verdict.live != live_state(live, unit.strictness(object))
                    }
                    _ => true,
                }
            })
            .collect();
        if unclear.is_empty() {
            return false;
        }
        if let Some(at) = unit.check_at
            && Instant::now() < at
        {
            self.wake_at(at, &unit.id);
            // Where differences may not count, nothing is synced that was not looked at.
            return by_rule;
        }
        match &rendered.bodies {
            Some(bodies) => {
                let bodies: Vec<Desired> =
                    unclear.iter().filter_map(|&idx| bodies.get(idx).cloned()).collect();
                self.check(unit, cluster, bodies);
            }
            None => {
                let resolved: Vec<_> =
                    unit.sources.iter().filter_map(|key| self.sources.get(key)?.latest.clone()).collect();
                self.prepare(unit, cluster, resolved);
            }
        }
        true
    }

    fn start_sync(
        &mut self,
        unit: &mut UnitState,
        cluster: &ClusterKey,
        request: SyncRequest,
        compared: &Compared,
    ) {
        let namespace = self.namespace_to_ensure(unit, cluster);
        let drifted = drifted(unit, compared);
        let Some(rendered) = &mut unit.rendered else { return };
        let bodies = rendered.bodies.take().unwrap_or_default();
        let hooks = std::mem::take(&mut rendered.hooks);
        let automated = request.initiator.automated;
        let heals = unit.synced == Some(rendered.digest)
            && automated
            && match &unit.operation {
                Some(operation) => operation.heals,
                None => unit.failures == 0,
            };
        let resting: HashSet<ObjectRef> = match &unit.operation {
            Some(operation) => operation.resting.clone(),
            None if heals => {
                let now = Instant::now();
                let (resting, healed): (HashSet<ObjectRef>, HashSet<ObjectRef>) =
                    drifted.into_iter().partition(|key| unit.healed.rests_until(key, now).is_some());
                healed.iter().for_each(|key| unit.healed.note(key, now));
                resting
            }
            None => HashSet::new(),
        };
        let states = compared.states.iter().zip(&compared.claimed).enumerate();
        let states = states.map(|(idx, (state, claimed))| {
            // Only a person takes an object from another Unit that declares it.
            let left = *claimed && automated;
            if left || (heals && resting.contains(&rendered.objects[idx].key)) {
                Comparison::InSync
            } else {
                *state
            }
        });
        let desired: Vec<(Desired, Comparison)> = bodies.into_iter().zip(states).collect();
        // While a file cannot be read, what it declares is not known, and nothing may be taken for undeclared.
        let complete =
            !rendered.diagnostics.iter().any(|diagnostic| diagnostic.kind == DiagnosticKind::Render);
        let extra = compared.extra.iter().filter(|live| !live.terminating);
        let extra: Vec<&LiveRecord> = extra.filter(|live| !(heals && resting.contains(&live.key))).collect();
        let resumed = std::mem::take(&mut unit.resumable)
            .then_some(unit.previous.operation.as_ref())
            .flatten()
            .filter(|before| before.revisions == rendered.revisions && before.retries == 0)
            .map(|before| before.started);
        let goes_on = unit.operation.as_ref().is_some_and(|operation| {
            operation.revisions == rendered.revisions && operation.cut_short == Some(rendered.digest)
        });
        let attempt = match &unit.operation {
            Some(operation)
                if goes_on || (!operation.failed && operation.revisions == rendered.revisions) =>
            {
                operation.attempt
            }
            Some(_) => self.now,
            None => resumed.unwrap_or(self.now),
        };
        let runs_hooks = request.selection.is_empty() && !request.skip_hooks;
        let policy = request.policy.as_deref().unwrap_or(&unit.lowered.unit.policy).hooks;
        let event = if policy.by_event { helm_event(unit, &request) } else { HelmEvent::Upgrade };
        let occasion = Occasion { event, heals };
        let hooks: Vec<DesiredHook> = hooks
            .iter()
            .filter(|_| runs_hooks)
            .filter_map(|hook| on_occasion(hook, occasion, policy, &Marks::ARGO))
            .collect();
        let live_hooks = self.live_hooks(unit, cluster);
        unit.generation = unit.generation.next();
        let Some(rendered) = &mut unit.rendered else { return };
        let mut planned = std::borrow::Cow::Borrowed(&unit.lowered.unit);
        if let Some(policy) = &request.policy {
            planned.to_mut().policy = SyncPolicy::clone(policy);
        }
        let shared: Vec<String> = compared
            .diagnostics
            .iter()
            .filter(|_| planned.policy.fail_on_shared_object)
            .filter(|diagnostic| diagnostic.kind == DiagnosticKind::SharedObject)
            .map(ToString::to_string)
            .collect();
        let mut made = plan(&PlanInput {
            unit: &planned,
            generation: unit.generation,
            desired: &desired,
            extra: &extra,
            prune: request.prune && complete,
            selection: &request.selection,
            namespace,
            hooks: HookInput {
                hooks: &hooks,
                live: &live_hooks,
                revision: rendered.revisions.first().map_or("", Str::as_str),
                started: attempt,
                resumed: goes_on || resumed.is_some(),
            },
        });
        debug_assert_eq!(windlass_plan::check(&planned, &made), vec![]);
        made.verify_first |= request.dry_run;
        if let Some(first) = made.waves.first_mut()
            && (heals || !request.selection.is_empty())
        {
            // What brings single objects back is no deployment: the health of the others is not its affair.
            first.after_healthy.clear();
        }
        unit.held_request = None;
        let run = Arc::new(Run { plan: made, desired: rendered.digest, kind: RunKind::Sync });
        rendered.shown.clone_from(&rendered.revisions);
        let revisions = rendered.revisions.clone();
        match &mut unit.operation {
            Some(operation) => {
                if operation.failed || operation.revisions != revisions {
                    operation.retries += 1;
                    operation.objects.clear();
                }
                operation.failed = false;
                operation.cut_short = None;
                operation.heals = heals;
                operation.attempt = attempt;
                operation.revisions = revisions;
            }
            None => {
                let asked = unit.pending_request().then(|| operation_digest(&unit.declared())).flatten();
                unit.operation = Some(Box::new(OperationRun {
                    request,
                    asked,
                    started: resumed.unwrap_or(self.now),
                    clock: Instant::now(),
                    retries: 0,
                    attempt,
                    failed: false,
                    cut_short: None,
                    heals,
                    resting,
                    objects: Outcomes::default(),
                    revisions,
                }));
            }
        }
        unit.trouble.clear();
        tracing::debug!(unit = %unit.id, generation = unit.generation.0, steps = run.plan.steps().count(), "plan made");
        let dry_run = unit.operation.as_ref().is_some_and(|operation| operation.request.dry_run);
        if !shared.is_empty() {
            self.fail_attempt(unit, &format!("Shared resource found: {}", shared.join("; ")));
            self.report(unit, cluster, compared);
        } else if run.plan.is_empty() {
            self.end_operation(unit, OperationPhase::Succeeded, "successfully synced (nothing to do)");
            self.again(&unit.id);
        } else if run.plan.verify_first || dry_run {
            self.start_verify(unit, cluster, run);
            if !dry_run {
                // What takes more than one write is announced first, so that a successor can end what was begun.
                self.report(unit, cluster, compared);
            }
        } else {
            self.start_first_wave(unit, cluster, run, compared);
        }
    }

    /// Starts the first wave. What it waits for may be in the cluster and not healthy: this plan begins in the middle
    /// of what another one has begun.
    fn start_first_wave(
        &mut self,
        unit: &mut UnitState,
        cluster: &ClusterKey,
        run: Arc<Run>,
        compared: &Compared,
    ) {
        if run.plan.waves[0].is_ungated() {
            self.start_wave(unit, cluster, run, 0);
        } else {
            unit.activity = Activity::Gated(run.clone(), 0);
            self.pass_gate(unit, cluster, &run, 0, compared);
        }
    }

    fn start_verify(&mut self, unit: &mut UnitState, cluster: &ClusterKey, run: Arc<Run>) {
        let Some(state) = self.clusters.get(cluster) else { return };
        self.metrics.dry_runs.inc_by(run.plan.steps().count() as u64);
        unit.activity = Activity::Verifying(run.clone());
        let target = unit.writing_to(&state.target);
        let (permits, id) = (state.permits.clone(), unit.id.clone());
        let span = tracing::debug_span!("verify", unit = %unit.id, steps = run.plan.steps().count());
        let verifying = async move {
            let refusals = verify(&run.plan, &target).await;
            Event::Verified(id, run.plan.generation, refusals)
        };
        self.call_beside(&unit.id, permits, span, verifying);
    }

    pub(super) fn on_verified(&mut self, id: &UnitId, generation: Generation, refusals: Vec<Refusal>) {
        let Some(mut unit) = self.units.remove(id) else { return };
        if let Activity::Verifying(run) = &unit.activity
            && run.plan.generation == generation
        {
            let run = run.clone();
            let cluster = self.cluster_key(&unit);
            let dry_run = unit.operation.as_ref().is_some_and(|operation| operation.request.dry_run);
            let transient = refusals.iter().any(|refusal| refusal.kind == CallErrorKind::Transient);
            if !refusals.is_empty() {
                let n_refused = refusals.len();
                if let Some(operation) = &mut unit.operation {
                    // Nothing was done yet, so nothing has to be done anew.
                    operation.cut_short = Some(run.desired);
                    operation.objects = refusals.into_iter().map(|refusal| refusal.outcome).collect();
                }
                let message = if transient {
                    "the dry run could not be completed".to_string()
                } else {
                    format!(
                        "one or more objects failed to apply (dry run): {n_refused} refused, nothing was changed"
                    )
                };
                self.fail_attempt(&mut unit, &message);
                self.idle(&mut unit);
            } else if dry_run {
                self.end_operation(&mut unit, OperationPhase::Succeeded, "successfully synced (dry run)");
                self.idle(&mut unit);
            } else if unit.writing {
                // Not before its announcement is written.
                unit.activity = Activity::Gated(run, 0);
                unit.unwritten = true;
            } else if !run.plan.waves[0].is_ungated() {
                unit.activity = Activity::Gated(run, 0);
                self.again(id);
            } else if let Some(cluster) = cluster {
                self.start_wave(&mut unit, &cluster, run, 0);
            }
        }
        self.units.insert(id.clone(), unit);
    }

    pub(super) fn start_wave(
        &mut self,
        unit: &mut UnitState,
        cluster: &ClusterKey,
        run: Arc<Run>,
        wave: usize,
    ) {
        let Some(state) = self.clusters.get(cluster) else { return };
        unit.activity = Activity::Applying(run.clone(), wave);
        unit.waiting = None;
        let target = unit.writing_to(&state.target);
        let (permits, lens, id) = (state.permits.clone(), state.lens.clone(), unit.id.clone());
        let span = tracing::debug_span!("apply_wave", unit = %unit.id, wave, steps = run.plan.waves[wave].steps.len());
        let applying = async move {
            let results = run_wave(&run.plan, &run.plan.waves[wave], &target).await.into_iter();
            let results = results.map(|mut result| {
                let record = result.live.take().map(|live| lens.record(&live));
                (result, record)
            });
            Event::WaveDone(id, run.plan.generation, results.collect())
        };
        self.call_beside(&unit.id, permits, span, applying);
    }

    pub(super) fn on_wave_done(
        &mut self,
        id: &UnitId,
        generation: Generation,
        results: Vec<(StepResult, Option<LiveRecord>)>,
    ) {
        let Some(mut unit) = self.units.remove(id) else { return };
        let cluster = self.cluster_key(&unit);
        let results: Vec<StepResult> = results
            .into_iter()
            .map(|(result, record)| {
                self.metrics.applies.get_or_create(&ResultLabel::of(result.failure.is_none())).inc();
                self.take_result(&mut unit, cluster.as_ref(), &result, record);
                result
            })
            .collect();
        let failed = results.iter().any(|result| result.outcome.status == OutcomeStatus::Failed);
        let no_namespace =
            results.iter().any(|result| result.failure == Some(CallErrorKind::NamespaceMissing));
        let unknown_kind = results.iter().any(|result| result.failure == Some(CallErrorKind::UnknownKind));
        if unknown_kind && let Some(cluster) = &cluster {
            self.discover(cluster);
        }
        if let Activity::Applying(run, wave) = &unit.activity
            && run.plan.generation == generation
        {
            let (run, wave) = (run.clone(), *wave);
            if matches!(run.kind, RunKind::Deletion) {
                let refused = results.iter().find(|result| result.outcome.status == OutcomeStatus::Failed);
                unit.trouble.extend(refused.map(|result| {
                    let message =
                        format!("could not be deleted, or its hook not run: {}", result.outcome.message);
                    Diagnostic::new(DiagnosticKind::Delete, message).about(result.key().clone())
                }));
            }
            let mut failures = results.iter().filter_map(|result| result.failure);
            let is_cut_short =
                failed && failures.all(|it| matches!(it, CallErrorKind::Transient | CallErrorKind::Conflict));
            if let Some(operation) = &mut unit.operation {
                if matches!(run.kind, RunKind::Sync) {
                    operation.cut_short = is_cut_short.then_some(run.desired);
                }
                operation.take_outcomes(results.into_iter().map(|result| result.outcome));
            }
            let failure = failed.then(|| {
                if no_namespace && !unit.lowered.unit.policy.namespace.create {
                    "one or more objects failed to apply (CreateNamespace=true in syncPolicy.syncOptions creates the \
                     namespace)"
                } else {
                    "one or more objects failed to apply"
                }
            });
            self.end_wave(&mut unit, &run, wave, failure);
        }
        self.units.insert(id.clone(), unit);
    }

    /// Goes on after a wave was carried out.
    fn end_wave(&mut self, unit: &mut UnitState, run: &Arc<Run>, wave: usize, failure: Option<&str>) {
        let is_last = wave + 1 == run.plan.waves.len();
        match (&run.kind, failure) {
            (RunKind::Deletion, failure) => {
                if failure.is_some() {
                    unit.failures = unit.failures.saturating_add(1);
                    unit.retry_at = Some(Instant::now() + unit.pause());
                }
                self.idle(unit);
            }
            (RunKind::Sync | RunKind::Failure { .. }, Some(message)) => {
                self.fail_run(unit, run, wave + 1, message);
            }
            (_, None) if !is_last => {
                unit.activity = Activity::Gated(run.clone(), wave + 1);
                self.again(&unit.id);
            }
            (RunKind::Sync, None) => {
                unit.synced = Some(run.desired);
                self.end_operation(unit, OperationPhase::Succeeded, "successfully synced (all tasks run)");
                self.idle(unit);
            }
            (RunKind::Failure { message }, None) => {
                let message = message.clone();
                self.fail_attempt(unit, &message);
                self.idle(unit);
            }
            // What could not be ended is met again by whatever comes next.
            (RunKind::Cancel, _) => self.idle(unit),
        }
    }

    /// What is live under the names of a Unit's hooks, and what else of it is a hook.
    pub(super) fn live_hooks<'a>(&'a self, unit: &UnitState, cluster: &ClusterKey) -> Vec<&'a LiveRecord> {
        let (Some(state), Some(rendered)) = (self.clusters.get(cluster), &unit.rendered) else {
            return Vec::new();
        };
        let named = rendered.hook_marks.iter().filter_map(|mark| state.live.record(&mark.key));
        let marked = state.live.of_instance(&unit.lowered.unit.ownership.instance).filter(|live| live.hook);
        let mut live: Vec<&LiveRecord> = named.chain(marked).collect();
        live.sort_by(|a, b| a.key.cmp(&b.key));
        live.dedup_by(|a, b| a.key == b.key);
        live
    }

    /// Takes in what a step returned: the live state, and the receipt for it.
    fn take_result(
        &mut self,
        unit: &mut UnitState,
        cluster: Option<&ClusterKey>,
        result: &StepResult,
        record: Option<LiveRecord>,
    ) {
        let Some(state) = cluster.and_then(|key| self.clusters.get_mut(key)) else { return };
        if let (Some(deletion), Some(cluster)) = (&result.deletion, cluster) {
            let touched = state.live.deleted(result.key(), &deletion.uid, deletion.was_there);
            self.touch(cluster, touched.key.as_ref(), &touched.instances);
            return;
        }
        let Some(record) = record else { return };
        if let (Some(applied), Some(owned), Some(rendered)) =
            (result.applied, record.owned, unit.rendered.as_mut())
        {
            rendered.objects.set_receipt(result.key(), Receipt { desired: applied, owned });
        }
        state.take(record);
    }

    fn pass_gate(
        &mut self,
        unit: &mut UnitState,
        cluster: &ClusterKey,
        run: &Arc<Run>,
        wave: usize,
        compared: &Compared,
    ) {
        match self.gate(unit, cluster, &run.plan.waves[wave]) {
            Gate::Open if !self.window_lets_go_on(unit, run) => self.report(unit, cluster, compared),
            Gate::Open if run.plan.waves[wave].steps.is_empty() => {
                unit.waiting = None;
                self.end_wave(unit, run, wave, None);
            }
            Gate::Open if self.kinds_served(cluster, run, wave) => {
                self.start_wave(unit, cluster, run.clone(), wave);
            }
            Gate::Open => {
                // A definition of this plan is established, and the server does not list its kind yet.
                self.discover(cluster);
                self.wake_at(Instant::now() + KIND_LAG, &unit.id);
            }
            Gate::Waiting(objects) => {
                self.wait_for_children(cluster, &unit.id, &objects);
                unit.waiting = Some(Waiting::Healthy(objects));
                self.report(unit, cluster, compared);
            }
            Gate::Running(hooks) => {
                unit.waiting = Some(Waiting::Hooks(hooks));
                self.report(unit, cluster, compared);
            }
            Gate::Leaving(objects) => {
                unit.waiting = Some(Waiting::Gone(objects));
                self.report(unit, cluster, compared);
            }
            Gate::Unapproved(objects) => {
                unit.waiting = Some(Waiting::Approval(objects));
                self.report(unit, cluster, compared);
            }
            Gate::Broken(object, message) => {
                let text = if message.is_empty() {
                    format!("{object} is degraded, so what comes after it was not started")
                } else {
                    format!("{object} is degraded ({message}), so what comes after it was not started")
                };
                unit.waiting = None;
                self.fail_run(unit, run, wave, &text);
                self.report(unit, cluster, compared);
            }
            Gate::HookFailed => {
                unit.waiting = None;
                let text = "one or more synchronization tasks completed unsuccessfully";
                self.fail_run(unit, run, wave, text);
                self.report(unit, cluster, compared);
            }
        }
    }

    /// Whether the cluster serves all kinds of a wave, as far as this plan brings their definitions.
    fn kinds_served(&self, cluster: &ClusterKey, run: &Run, wave: usize) -> bool {
        let Some(state) = self.clusters.get(cluster) else { return false };
        let wave = &run.plan.waves[wave];
        let brings_kinds = wave.after_healthy.iter().any(|key| key.kind == "CustomResourceDefinition");
        !brings_kinds
            || wave
                .steps
                .iter()
                .all(|step| state.target.discovery.preferred(&step.key.group, &step.key.kind).is_some())
    }

    fn gate(&self, unit: &UnitState, cluster: &ClusterKey, wave: &Wave) -> Gate {
        let Some(state) = self.clusters.get(cluster) else {
            return Gate::Waiting(wave.after_healthy.clone());
        };
        let is_there = |key: &&ObjectRef| !matches!(state.live.get(key), Known::Absent);
        let leaving: Vec<ObjectRef> = wave.after_gone.iter().filter(is_there).cloned().collect();
        if !leaving.is_empty() {
            return Gate::Leaving(leaving);
        }
        let mut running = Vec::new();
        for key in &wave.after_hooks {
            let hook = unit.operation.as_ref().and_then(|operation| operation.hook_state(key));
            match hook {
                Some((OperationPhase::Failed | OperationPhase::Error, _)) => return Gate::HookFailed,
                Some((OperationPhase::Running, _)) => running.push(key.clone()),
                _ => {}
            }
        }
        if !running.is_empty() {
            return Gate::Running(running);
        }
        let mut waiting = Vec::new();
        for key in &wave.after_healthy {
            // A namespace that was only ensured is not watched as part of the Unit.
            if key.kind == "Namespace" && state.live.record(key).is_none() {
                continue;
            }
            if self.child_is_underway(cluster, key) {
                waiting.push(key.clone());
                continue;
            }
            match state.live.record(key) {
                None => waiting.push(key.clone()),
                Some(live) => match live.health.as_ref().map(|health| (health.status, &health.message)) {
                    None | Some((HealthStatus::Healthy | HealthStatus::Suspended, _)) => {}
                    Some((HealthStatus::Degraded, message)) => {
                        return Gate::Broken(key.clone(), message.clone());
                    }
                    Some(_) => waiting.push(key.clone()),
                },
            }
        }
        if !waiting.is_empty() {
            return Gate::Waiting(waiting);
        }
        let started = unit.operation.as_ref().map(|operation| operation.started);
        if wave.after_approval && unit.lowered.approved < started {
            return Gate::Unapproved(wave.steps.iter().map(|step| step.key.clone()).collect());
        }
        Gate::Open
    }

    /// The namespace that the policy wants and that is not as it should be.
    fn namespace_to_ensure(&self, unit: &UnitState, cluster: &ClusterKey) -> Option<Arc<Object>> {
        let policy = &unit.lowered.unit.policy.namespace;
        let name = &unit.lowered.unit.target.namespace;
        if !policy.create || name.is_empty() {
            return None;
        }
        let key = ObjectRef::new("", "Namespace", "", name.clone());
        // Where namespaces are not looked at, those that are written to have to be there.
        if self.clusters.get(cluster).is_some_and(|state| state.extent.refusal(&key).is_some()) {
            return None;
        }
        if unit.rendered.as_ref().is_some_and(|rendered| rendered.objects.get(&key).is_some()) {
            return None;
        }
        let mut namespace = Value::object();
        namespace.set_at(&["apiVersion"], "v1");
        namespace.set_at(&["kind"], "Namespace");
        namespace.set_at(&["metadata", "name"], name.clone());
        for (field, pairs) in [("labels", &policy.labels), ("annotations", &policy.annotations)] {
            for (key, value) in pairs {
                namespace.set_at(&["metadata", field, key], value.clone());
            }
        }
        let object = Object::try_new(namespace).ok()?;
        let needed = match self.clusters.get(cluster)?.live.get(&key) {
            Known::Absent => true,
            Known::Other => !policy.labels.is_empty() || !policy.annotations.is_empty(),
            Known::Record(live) => {
                (!policy.labels.is_empty() || !policy.annotations.is_empty())
                    && live.owned != Some(windlass_model::Digest::of_value(&owned_form(&object, false)))
            }
        };
        needed.then(|| Arc::new(object))
    }

    /// Notes a failed attempt: it is repeated, ever slower, until an input changes or the request gives up.
    pub(super) fn fail_attempt(&mut self, unit: &mut UnitState, message: &str) {
        unit.failures = unit.failures.saturating_add(1);
        let Some(operation) = &mut unit.operation else { return };
        operation.failed = true;
        let reasons: Vec<String> = operation
            .objects
            .iter()
            .filter(|object| {
                object.status == OutcomeStatus::Failed
                    || matches!(object.hook, Some(OperationPhase::Failed | OperationPhase::Error))
            })
            .map(|object| format!("{}: {}", object.key, object.message))
            .collect();
        let message = if reasons.is_empty() {
            message.to_string()
        } else {
            format!("{message}: {}", reasons.join("; "))
        };
        let automated = operation.request.initiator.automated;
        let retry = operation.request.retry.as_ref().unwrap_or(&unit.lowered.unit.policy.retry);
        // What the policy asked for is never given up; what a person asked for ends when its limit is reached.
        let given_up = !automated && retry.limit.is_some_and(|limit| unit.failures > limit);
        unit.trouble = vec![Diagnostic::new(DiagnosticKind::Sync, message.clone())];
        if given_up {
            let pause = retry.backoff.pause(1);
            self.end_operation(unit, OperationPhase::Failed, &message);
            // The policy's next attempt leaves time to read how the person's ended.
            unit.failures = 1;
            unit.retry_at = Some(Instant::now() + pause);
            self.wake_at(Instant::now() + pause, &unit.id);
            return;
        }
        let pause = retry.backoff.pause(unit.failures);
        unit.retry_at = Some(Instant::now() + pause);
        self.wake_at(Instant::now() + pause, &unit.id);
        if let Some(operation) = unit.operation.take() {
            let end = if message.ends_with(['.', '?', '!']) { "" } else { "." };
            unit.ended = Some(Box::new(OperationReport {
                message: format!("{message}{end} Retrying in {}s.", pause.as_secs()).into(),
                phase: if automated { OperationPhase::Failed } else { OperationPhase::Running },
                started: operation.started,
                finished: Some(self.now),
                retries: operation.retries,
                revisions: operation.revisions.clone(),
                objects: operation.objects.to_vec(),
                request: operation.request.clone(),
            }));
            self.notice(unit, true, "OperationFailed", &message);
            // It goes on as the same operation at the next attempt.
            unit.operation = Some(operation);
        }
    }

    /// Ends what a person asked for before it could begin.
    pub(super) fn fail_request(&mut self, unit: &mut UnitState, message: &str) {
        if unit.operation.is_none() {
            let Some(request) = unit.lowered.request.clone() else { return };
            unit.operation = Some(Box::new(OperationRun {
                request,
                asked: operation_digest(&unit.declared()),
                started: self.now,
                clock: Instant::now(),
                retries: 0,
                attempt: self.now,
                failed: false,
                cut_short: None,
                heals: false,
                resting: HashSet::new(),
                objects: Outcomes::default(),
                revisions: Vec::new(),
            }));
        }
        self.end_operation(unit, OperationPhase::Error, message);
    }

    pub(super) fn end_operation(&mut self, unit: &mut UnitState, phase: OperationPhase, message: &str) {
        let Some(operation) = unit.operation.take() else {
            // Nothing ran here: a request to stop, or one that came before a restart.
            if let Some(digest) = operation_digest(&unit.declared()) {
                unit.done_request = Some(digest);
            }
            return;
        };
        self.metrics.operations.get_or_create(&PhaseLabel { phase: phase.as_str() }).inc();
        self.metrics.operation_seconds.observe(operation.clock.elapsed().as_secs_f64());
        unit.done_request = operation.asked.or(unit.done_request);
        unit.retry_at = None;
        if phase == OperationPhase::Succeeded {
            unit.failures = 0;
            let selective = !operation.request.selection.is_empty() || operation.request.dry_run;
            let known = unit.newest_deployment();
            let is_news = known != operation.revisions || !operation.request.initiator.automated;
            if !selective && is_news && !operation.revisions.is_empty() {
                unit.last_deployed = Some(operation.revisions.clone());
                unit.deployed = Some(Deployment {
                    revisions: operation.revisions.clone(),
                    started: operation.started,
                    deployed: self.now,
                    initiator: operation.request.initiator.clone(),
                });
            }
            let revision = operation.revisions.first().map_or("", |revision| revision.as_str()).to_string();
            self.notice(unit, false, "OperationCompleted", &format!("{message} at {revision}"));
        } else {
            self.notice(unit, true, "OperationFailed", message);
        }
        unit.ended = Some(Box::new(OperationReport {
            request: operation.request,
            phase,
            message: message.into(),
            started: operation.started,
            finished: Some(self.now),
            retries: operation.retries,
            revisions: operation.revisions,
            objects: operation.objects.into_vec(),
        }));
    }

    pub(super) fn notice(&self, unit: &UnitState, warning: bool, reason: &'static str, message: &str) {
        self.recorder.record(Notice {
            unit: unit.id.clone(),
            uid: unit.uid.clone(),
            warning,
            reason,
            message: message.to_string(),
            at: self.now,
        });
    }

    /// Drops the bodies of declared objects: they come back from the render cache when they are needed.
    fn drop_bodies(&mut self, unit: &mut UnitState) {
        if let Some(rendered) = &mut unit.rendered {
            rendered.bodies = None;
            rendered.hooks = Vec::new();
        }
    }
}

impl UnitState {
    /// Whether somebody asked to end the operation that runs, or is held up before it begins.
    pub(super) fn terminating(&self) -> bool {
        self.lowered.terminate && (self.operation.is_some() || self.held_request.is_some())
    }

    /// Whether a person asks for an operation while one runs, or is being retried, that the policy asked for.
    fn asked_meanwhile(&self) -> bool {
        self.pending_request()
            && self.operation.as_ref().is_some_and(|operation| operation.request.initiator.automated)
    }

    /// Whether a failed attempt of the policy is to be repeated.
    fn retrying(&self) -> bool {
        self.failures > 0
    }

    /// The revisions deployed last, as far as is known.
    fn newest_deployment(&self) -> Vec<Str> {
        self.last_deployed.clone().unwrap_or_else(|| self.previous.last_deployed.clone())
    }
}

/// The end of an operation whose process ended before it, and that nobody goes on with.
fn interrupted(operation: &PreviousOperation, now: Time) -> OperationReport {
    OperationReport {
        request: operation.request.clone(),
        phase: OperationPhase::Error,
        message: Str::new_static("interrupted: Windlass was restarted in the middle of it"),
        started: operation.started,
        finished: Some(now),
        retries: operation.retries,
        revisions: operation.revisions.clone(),
        objects: Vec::new(),
    }
}

/// Whether the status said already that these revisions are live. One that saw them and was not in sync with them yet
/// did not: whoever synced them since has not told of it.
fn was_told(previous: &Previous, revisions: &[Str]) -> bool {
    previous.revisions == revisions && previous.sync == SyncStatus::Synced
}

/// What a sync is for Helm: the history of what was deployed decides.
fn helm_event(unit: &UnitState, request: &SyncRequest) -> HelmEvent {
    let before = windlass_argo::previous(&unit.declared());
    if before.last_deployed.is_empty() && unit.last_deployed.is_none() {
        return HelmEvent::Install;
    }
    let newest = unit.last_deployed.as_ref().unwrap_or(&before.last_deployed);
    let is_old = before.history.iter().any(|entry| entry.deployment.revisions == request.revisions);
    if !request.revisions.is_empty() && is_old && *newest != request.revisions {
        HelmEvent::Rollback
    } else {
        HelmEvent::Upgrade
    }
}

/// What is not as declared, or no longer declared.
fn drifted(unit: &UnitState, compared: &Compared) -> Vec<ObjectRef> {
    let objects = unit.rendered.iter().flat_map(|rendered| &rendered.objects);
    let states = compared.states.iter().zip(&compared.claimed);
    let changed = objects.zip(states).filter(|(_, (state, claimed))| state.needs_apply() && !**claimed);
    let extra =
        compared.extra.iter().filter(|live| !live.terminating && !live.uncounted && !live.keep_on_prune);
    changed.map(|(object, _)| object.key.clone()).chain(extra.map(|live| live.key.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_and_not_synced_is_not_told() {
        let revisions = [Str::from("b")];
        let said =
            |revision: &str, sync| Previous { revisions: vec![revision.into()], sync, ..Previous::default() };
        assert!(was_told(&said("b", SyncStatus::Synced), &revisions));
        assert!(!was_told(&said("a", SyncStatus::Synced), &revisions));
        // A process that was killed right after it had synced what the one before had found out of sync.
        assert!(!was_told(&said("b", SyncStatus::OutOfSync), &revisions));
    }
}
