//! Hooks of a running sync: how far they are, and what is done when one fails or is not wanted any more.

use std::sync::Arc;

use tokio::time::Instant;
use windlass_kube::ObjectRef;
use windlass_model::{
    HealthStatus, LiveRecord, ObjectOutcome, OperationPhase, OutcomeStatus, UnitId, Waiting,
};
use windlass_plan::{Marks, failure_plan, termination_plan};

use super::Core;
use super::advance::Compared;
use crate::clusters::ClusterKey;
use crate::unit_state::{Activity, OperationRun, Run, RunKind, UnitState};

/// A hook that is still kept by a finalizer is let go again after this.
const RELEASE_RETRY: std::time::Duration = std::time::Duration::from_secs(5);

impl Core {
    /// Notes how far the hooks of a Unit's operation are.
    pub(super) fn observe_hooks(&self, unit: &mut UnitState, cluster: &ClusterKey) {
        let Some(state) = self.clusters.get(cluster) else { return };
        let Some(operation) = &mut unit.operation else { return };
        for key in operation.running_hooks() {
            match state.live.record(&key) {
                Some(live) => operation.note_hook(live),
                None => operation.end_hook(
                    &key,
                    OperationPhase::Error,
                    &format!(
                        "Resource {}/{}/{} is missing, it might have been deleted",
                        key.group, key.kind, key.name
                    ),
                ),
            }
        }
    }

    /// Lets go of hooks that are on their way out and are kept by the finalizer that Argo CD puts on hooks it runs: it
    /// is not there any more to take it off.
    pub(super) fn release_hooks(&mut self, unit: &mut UnitState) {
        let Some(cluster) = self.cluster_key(unit) else { return };
        let Some(state) = self.clusters.get(&cluster) else { return };
        let hooks = self.live_hooks(unit, &cluster);
        let held = hooks.iter().filter(|live| live.hook && live.terminating && live.held_as_hook);
        let held: Vec<LiveRecord> = held.map(|live| LiveRecord::clone(live)).collect();
        unit.released.retain(|(_, at)| at.elapsed() < RELEASE_RETRY);
        let target = unit.writing_to(&state.target);
        for live in held {
            if unit.released.iter().any(|(uid, _)| *uid == live.uid) {
                continue;
            }
            unit.released.push((live.uid.clone(), Instant::now()));
            self.wake_at(Instant::now() + RELEASE_RETRY, &unit.id);
            let target = target.clone();
            tokio::spawn(async move {
                if let Err(error) = target.release_hook(&live, Marks::ARGO.hook_finalizer).await {
                    tracing::warn!(hook = %live.key, %error, "a hook's finalizer could not be taken off");
                }
            });
        }
    }

    /// Notes how a hook fared that is about to be forgotten: it may have ended and been deleted in one moment.
    pub(super) fn observe_removed(&mut self, cluster: &ClusterKey, key: &ObjectRef) {
        let Some(state) = self.clusters.get(cluster) else { return };
        let Some(live) = state.live.record(key).filter(|live| live.hook).cloned() else { return };
        let mut ids: Vec<UnitId> = state.wanted.units(key).iter().map(|unit| UnitId::clone(unit)).collect();
        ids.extend(live.instance.as_ref().and_then(|instance| self.unit_of_instance(instance)));
        for id in ids {
            if let Some(operation) = self.units.get_mut(&id).and_then(|unit| unit.operation.as_mut()) {
                operation.note_hook(&live);
            }
        }
    }

    /// What is done instead of going on with a plan that is not wanted any more. Answers whether it waits for that.
    ///
    /// A hook that runs is let finish, unless it is to be ended: somebody says so, or the newer state declares
    /// it differently or not at all.
    pub(super) fn leave_plan(
        &mut self,
        unit: &mut UnitState,
        cluster: &ClusterKey,
        run: &Run,
        compared: &Compared,
    ) -> bool {
        let running = unit.operation.as_ref().map(|operation| operation.running_hooks()).unwrap_or_default();
        if running.is_empty() {
            return false;
        }
        let terminate = unit.terminating();
        if !terminate && unit.still_declares(run, &running) {
            unit.waiting = Some(Waiting::Hooks(running));
            self.report(unit, cluster, compared);
            return true;
        }
        unit.generation = unit.generation.next();
        let plan = termination_plan(&run.plan, &running, unit.generation);
        if let Some(operation) = &mut unit.operation {
            for key in &running {
                operation.end_hook(key, OperationPhase::Failed, "Terminated");
            }
        }
        tracing::debug!(unit = %unit.id, hooks = running.len(), terminate, "hooks ended");
        let cancel = Run { plan, desired: run.desired, kind: RunKind::Cancel };
        self.start_wave(unit, cluster, Arc::new(cancel), 0);
        true
    }

    /// Gives up a plan of which `n_begun` waves had begun, after its hooks for failures have run.
    pub(super) fn fail_run(&mut self, unit: &mut UnitState, run: &Run, n_begun: usize, message: &str) {
        unit.activity = Activity::Idle;
        match &run.kind {
            RunKind::Sync => {
                unit.generation = unit.generation.next();
                let plan = failure_plan(&run.plan, n_begun, unit.generation);
                if plan.waves.is_empty() {
                    self.fail_attempt(unit, message);
                } else {
                    let kind = RunKind::Failure { message: message.into() };
                    let run = Arc::new(Run { plan, desired: run.desired, kind });
                    unit.activity = Activity::Gated(run, 0);
                }
            }
            RunKind::Failure { message: first } => {
                self.fail_attempt(unit, &format!("{first}; one or more SyncFail hooks failed"));
            }
            RunKind::Deletion | RunKind::Cancel => {}
        }
        self.again(&unit.id);
    }
}

impl UnitState {
    /// Whether all of these hooks are declared as they were when the plan was made.
    fn still_declares(&self, run: &Run, hooks: &[ObjectRef]) -> bool {
        let Some(rendered) = &self.rendered else { return false };
        hooks.iter().all(|key| {
            let planned = run
                .plan
                .waves
                .iter()
                .chain(&run.plan.on_failure)
                .flat_map(|wave| &wave.steps)
                .filter(|step| step.hook().is_some())
                .find(|step| step.key == *key);
            planned.is_some_and(|step| rendered.hook_marks.iter().any(|mark| mark.declares(step)))
        })
    }
}

impl OperationRun {
    /// The hooks that run.
    pub(crate) fn running_hooks(&self) -> Vec<ObjectRef> {
        self.objects
            .iter()
            .filter(|object| object.hook == Some(OperationPhase::Running))
            .map(|object| object.key.clone())
            .collect()
    }

    /// How far the hook of that name is; the latest, where it runs in several phases.
    pub(super) fn hook_state(&self, key: &ObjectRef) -> Option<(OperationPhase, &str)> {
        let latest = self.objects.iter().rev().find(|object| object.key == *key && object.hook.is_some())?;
        Some((latest.hook?, &latest.message))
    }

    /// Takes in the live state of a hook: as Argo CD 3.6 reads its health (`getOperationPhase`).
    pub(super) fn note_hook(&mut self, live: &LiveRecord) {
        let (phase, message) = match &live.health {
            None => (OperationPhase::Succeeded, ""),
            Some(health) => {
                let phase = match health.status {
                    HealthStatus::Healthy => OperationPhase::Succeeded,
                    HealthStatus::Degraded => OperationPhase::Failed,
                    HealthStatus::Unknown | HealthStatus::Missing => OperationPhase::Error,
                    HealthStatus::Progressing | HealthStatus::Suspended => OperationPhase::Running,
                };
                (phase, health.message.as_str())
            }
        };
        self.end_hook(&live.key, phase, message);
    }

    /// Notes the state of a running hook.
    pub(super) fn end_hook(&mut self, key: &ObjectRef, phase: OperationPhase, message: &str) {
        let is_running =
            |object: &ObjectOutcome| object.key == *key && object.hook == Some(OperationPhase::Running);
        self.objects.change(is_running, |object| {
            object.hook = Some(phase);
            if !message.is_empty() {
                object.message = message.into();
            }
        });
    }

    /// Takes in what happened to objects: news of one replaces what was said of it in that phase.
    pub(super) fn take_outcomes(&mut self, outcomes: impl Iterator<Item = ObjectOutcome>) {
        outcomes
            .filter(|outcome| outcome.status != OutcomeStatus::HookDeleted)
            .for_each(|outcome| self.objects.put(outcome));
    }
}
