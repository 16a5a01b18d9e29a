//! Hooks: their names, their deletion, and what is left to do when a sync fails or is ended.

use std::collections::BTreeSet;
use std::sync::Arc;

use windlass_kube::ObjectRef;
use windlass_model::{
    Action, DesiredHook, Generation, HealthStatus, LiveRecord, Phase, Plan, Propagation, Reason, Step, Time,
    Unit, Wave, tracking,
};

use crate::kind_rank;
use crate::{HookInput, Marks};

/// How many characters of a revision stand in a generated name: as Argo CD 3.6 has it (`sync_context.go`).
const REVISION_LETTERS: usize = 7;

/// The name of a hook that has only `generateName`: the same for one attempt of a sync, another for each.
///
/// `<generateName><7 letters of the revision>-<phase>-<seconds since 1970>`, as Argo CD 3.6 makes it.
#[must_use]
pub fn hook_name(generate_name: &str, revision: &str, phase: Phase, started: Time) -> String {
    let short = short(revision);
    format!("{generate_name}{}", format!("{short}-{}-{}", phase.as_str(), started.unix()).to_lowercase())
}

fn short(revision: &str) -> &str {
    match revision.char_indices().nth(REVISION_LETTERS) {
        Some((end, _)) => &revision[..end],
        None => revision,
    }
}

/// What is done after a sync failed when `n_begun` of its waves had begun: hooks whose policy says so are deleted,
/// and those for failures run. Empty where there is nothing to do.
#[must_use]
pub fn failure_plan(plan: &Plan, n_begun: usize, generation: Generation) -> Plan {
    let begun = plan.waves.iter().take(n_begun).flat_map(|wave| &wave.steps);
    let mut ended: Vec<&Step> =
        begun.filter(|step| step.hook().is_some_and(|role| role.delete.failed)).collect();
    ended.sort_by(|a, b| a.key.cmp(&b.key));
    ended.dedup_by(|a, b| a.key == b.key);
    let mut waves = Vec::new();
    if !ended.is_empty() {
        let steps = ended.into_iter().map(|step| deletion(step, Reason::HookEnded)).collect();
        waves.push(Wave { phase: Phase::SyncFail, number: i32::MIN, steps, ..Wave::default() });
    }
    waves.extend(plan.on_failure.iter().cloned());
    waves.extend(cleanup(&plan.on_failure));
    follow_up(plan, generation, waves)
}

/// What ends the hooks of a plan that still run; the last wave waits until they are gone.
#[must_use]
pub fn termination_plan(plan: &Plan, running: &[ObjectRef], generation: Generation) -> Plan {
    let mut steps: Vec<Step> = plan
        .waves
        .iter()
        .chain(&plan.on_failure)
        .flat_map(|wave| &wave.steps)
        .filter(|step| step.hook().is_some() && running.contains(&step.key))
        .map(|step| deletion(step, Reason::HookEnded))
        .collect();
    steps.sort_by(|a, b| a.key.cmp(&b.key));
    steps.dedup_by(|a, b| a.key == b.key);
    let gone = steps.iter().map(|step| step.key.clone()).collect();
    let waves =
        vec![Wave { steps, ..Wave::default() }, Wave { number: 1, after_gone: gone, ..Wave::default() }];
    follow_up(plan, generation, waves)
}

fn follow_up(plan: &Plan, generation: Generation, waves: Vec<Wave>) -> Plan {
    Plan {
        unit: plan.unit.clone(),
        generation,
        field_manager: plan.field_manager.clone(),
        former_managers: plan.former_managers.clone(),
        waves,
        on_failure: Vec::new(),
        verify_first: false,
    }
}

/// What one look at the hooks of a Unit's deletion asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum DeletionStage {
    /// These are to be created; others may come after them.
    Run(Plan),
    /// These have not ended.
    Waiting(Vec<ObjectRef>),
    /// These failed, and are to be deleted, so that they can be tried again.
    Failed(Plan),
    /// All of them succeeded. The plan deletes those that need not stay; it may be empty.
    Done(Plan),
}

/// How far the hooks are that run before or after a Unit's objects are deleted: wave by wave, each until it has
/// succeeded.
///
/// Unlike Argo CD, which deletes them only where a policy says so, those that succeeded do not stay behind, unless
/// they are to be deleted after a failure only.
#[must_use]
pub fn deletion_stage(
    unit: &Unit,
    generation: Generation,
    phase: Phase,
    input: &HookInput<'_>,
    propagation: Propagation,
) -> DeletionStage {
    let mut steps = hook_steps(unit, input, &[phase]);
    steps.sort_by(|(_, a_wave, a), (_, b_wave, b)| (a_wave, a.order, &a.key).cmp(&(b_wave, b.order, &b.key)));
    let made = |number: i32, steps: Vec<Step>| Plan {
        unit: unit.id.clone(),
        generation,
        field_manager: unit.ownership.field_manager.clone(),
        former_managers: unit.ownership.former_managers.clone(),
        waves: if steps.is_empty() { vec![] } else { vec![Wave { phase, number, steps, ..Wave::default() }] },
        on_failure: Vec::new(),
        verify_first: false,
    };
    let delete = |step: &Step| Step {
        action: Action::DeleteHook { propagation },
        ..deletion(step, Reason::HookEnded)
    };
    let live = |step: &Step| input.live.iter().find(|live| live.key == step.key);
    let mut last = 0;
    for wave in steps.chunk_by(|(_, a, _), (_, b, _)| a == b) {
        last = wave[0].1;
        let (mut absent, mut waiting, mut failed) = (Vec::new(), Vec::new(), Vec::new());
        for (_, _, step) in wave {
            let health = live(step).map(|live| live.health.as_ref().map(|health| health.status));
            match health {
                None => absent.push(step.clone()),
                Some(None | Some(HealthStatus::Healthy)) => {}
                Some(Some(HealthStatus::Degraded)) => failed.push(delete(step)),
                Some(Some(_)) => waiting.push(step.key.clone()),
            }
        }
        if !failed.is_empty() {
            return DeletionStage::Failed(made(last, failed));
        }
        if !absent.is_empty() {
            return DeletionStage::Run(made(last, absent));
        }
        if !waiting.is_empty() {
            return DeletionStage::Waiting(waiting);
        }
    }
    let ended = steps.iter().map(|(_, _, step)| step).filter(|step| {
        live(step).is_some_and(|live| !live.terminating)
            && step.hook().is_some_and(|role| role.delete.succeeded || !role.delete.failed)
    });
    DeletionStage::Done(made(last.saturating_add(1), ended.map(delete).collect()))
}

/// The names that the hooks of a phase have.
#[must_use]
pub fn hook_keys(unit: &Unit, input: &HookInput<'_>, phase: Phase) -> Vec<ObjectRef> {
    hook_steps(unit, input, &[phase]).into_iter().map(|(_, _, step)| step.key).collect()
}

/// The steps that run the hooks of `phases`, each with its phase and wave.
pub(crate) fn hook_steps(unit: &Unit, input: &HookInput<'_>, phases: &[Phase]) -> Vec<(Phase, i32, Step)> {
    let mut steps = Vec::new();
    for hook in input.hooks {
        for phase in hook.phases.iter().filter(|phase| phases.contains(phase)) {
            steps.push((*phase, hook.desired.wave, hook_step(unit, input, hook, *phase)));
        }
    }
    steps
}

fn hook_step(unit: &Unit, input: &HookInput<'_>, hook: &DesiredHook, phase: Phase) -> Step {
    let mut key = hook.desired.key.clone();
    let mut object = hook.desired.object.clone();
    let attempt = ["metadata", "annotations", Marks::ARGO.hook_attempt];
    Arc::make_mut(&mut object).set_at(&attempt, input.attempt());
    if key.name.is_empty() {
        let generate_name = object.str_at(&["metadata", "generateName"]);
        let name = hook_name(generate_name, input.revision, phase, input.started);
        let named = Arc::make_mut(&mut object);
        named.set_at(&["metadata", "name"], name.as_str());
        tracking::stamp(named, &unit.ownership, &unit.target.namespace);
        key.name = name.into();
    }
    Step {
        // The namespace step has 0; every kind comes after it.
        order: kind_rank(&key.kind) + 1,
        key,
        gvk: hook.desired.gvk.clone(),
        action: Action::RunHook { object, digest: hook.desired.digest, role: hook.role, goes_on: false },
        reason: Reason::Hook(phase),
        origin: Some(hook.desired.origin.clone()),
    }
}

/// Puts, before each wave that creates a hook anew, one that deletes the hook of an earlier sync or phase; and lets
/// every wave wait for the hooks before it.
pub(crate) fn with_hook_gates(
    waves: Vec<Wave>,
    input: &HookInput<'_>,
    propagation: Propagation,
) -> Vec<Wave> {
    let mut gated = Vec::with_capacity(waves.len());
    let mut run: BTreeSet<ObjectRef> = BTreeSet::new();
    for mut wave in waves {
        wave.after_hooks = run.iter().cloned().collect();
        for step in wave.steps.iter_mut().filter(|step| !run.contains(&step.key) && input.goes_on(step)) {
            if let Action::RunHook { goes_on, .. } = &mut step.action {
                *goes_on = true;
                step.reason = Reason::HookGoesOn(wave.phase);
            }
        }
        let replaced: Vec<&Step> = wave
            .steps
            .iter()
            .filter(|step| step.hook().is_some_and(|role| role.delete.before_creation))
            .filter(|step| run.contains(&step.key) || input.is_left_over(step))
            .collect();
        if !replaced.is_empty() {
            let steps = replaced
                .iter()
                .map(|step| Step {
                    action: Action::DeleteHook { propagation },
                    ..deletion(step, Reason::HookReplaced)
                })
                .collect();
            let gone = replaced.iter().map(|step| step.key.clone()).collect();
            gated.push(Wave { steps, ..Wave { steps: Vec::new(), ..wave.clone() } });
            wave.after_gone = gone;
        }
        run.extend(wave.steps.iter().filter(|step| step.hook().is_some()).map(|step| step.key.clone()));
        gated.push(wave);
    }
    gated
}

/// The last wave of a plan with hooks: it waits for all of them, and deletes those whose policy says so.
pub(crate) fn cleanup(waves: &[Wave]) -> Option<Wave> {
    let last = waves.last()?;
    let hooks: Vec<&Step> =
        waves.iter().flat_map(|wave| &wave.steps).filter(|step| step.hook().is_some()).collect();
    if hooks.is_empty() {
        return None;
    }
    let after_hooks: BTreeSet<ObjectRef> = hooks.iter().map(|step| step.key.clone()).collect();
    let mut ended: Vec<&Step> =
        hooks.into_iter().filter(|step| step.hook().is_some_and(|role| role.delete.succeeded)).collect();
    ended.sort_by(|a, b| a.key.cmp(&b.key));
    ended.dedup_by(|a, b| a.key == b.key);
    Some(Wave {
        phase: last.phase,
        number: last.number.saturating_add(1),
        after_hooks: after_hooks.into_iter().collect(),
        steps: ended.into_iter().map(|step| deletion(step, Reason::HookEnded)).collect(),
        ..Wave::default()
    })
}

fn deletion(step: &Step, reason: Reason) -> Step {
    Step {
        key: step.key.clone(),
        gvk: step.gvk.clone(),
        action: Action::DeleteHook { propagation: Propagation::default() },
        reason,
        origin: step.origin.clone(),
        order: 0,
    }
}

impl HookInput<'_> {
    /// Whether an earlier sync left an object in the place of a hook that is to be created.
    fn is_left_over(&self, step: &Step) -> bool {
        self.live(step).is_some() && !self.goes_on(step)
    }

    /// Names this attempt of a sync, on the hooks that it makes. A process that takes over reads when the sync began from
    /// the Application's status, so that it finds the same name, whatever the clocks say.
    fn attempt(&self) -> String {
        format!("{}-{}", short(self.revision), self.started.unix())
    }

    /// Whether a hook is there that this very sync has begun, before it was cut short: then that one goes on. The
    /// revision is the same, so the hook is declared as it was. It is not applied once more: whoever suspended or
    /// released it meanwhile would be overruled.
    ///
    /// One that does not say which attempt made it was not made by us, or by an older version of ours: then the API
    /// server's clock has to tell.
    fn goes_on(&self, step: &Step) -> bool {
        self.resumed
            && step.hook().is_some()
            && self.live(step).is_some_and(|live| {
                let made_since = || live.begun.parse::<Time>().is_ok_and(|created| created >= self.started);
                !live.terminating && (live.begun == self.attempt() || made_since())
            })
    }

    fn live(&self, step: &Step) -> Option<&LiveRecord> {
        self.live.iter().find(|live| live.key == step.key).copied()
    }
}
