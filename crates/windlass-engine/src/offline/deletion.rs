//! The deletion of an Application from files alone: the next step, or all of them.

use std::collections::BTreeSet;

use windlass_argo::{Deletion, DeletionHooks, finalizer_patch, hook_finalizer_patch};
use windlass_kube::{Object, ObjectRef, Str, Value};
use windlass_model::{
    Action, Diagnostic, Generation, LiveRecord, Phase, Plan, Propagation, Time, Unit, Wave,
};
use windlass_plan::{DeletionStage, HookInput, Prepared, check, deletion_stage, hook_keys, plan_deletion};

use super::{OfflineInput, Read, record_of_file};

/// What one look at the deletion of an Application asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum OfflineDeletion {
    /// The hooks of this phase: how far they are.
    Hooks(Phase, DeletionStage),
    /// These objects are to be deleted.
    Delete(Plan),
    /// These are on their way out.
    AwaitGone(Vec<ObjectRef>),
    /// Nothing is left to do: the Application itself goes.
    Gone,
}

/// Finds out the next step of a deletion without a server: as the engine does when it looks at an Application that is
/// being deleted.
///
/// Without `propagation` the objects stay, and only hooks run. `through` is the phase whose hooks were found
/// [`Done`](DeletionStage::Done) last. `input.now` is when the deletion was asked for.
#[must_use]
pub fn deletion_offline(
    input: &OfflineInput<'_>,
    propagation: Option<Propagation>,
    through: Option<Phase>,
) -> OfflineDeletion {
    let Read { lowered, prepared, live, .. } = Read::of(input);
    let records: Vec<LiveRecord> = live.into_iter().map(|(record, _)| record).collect();
    let asked = Asked { propagation, revision: input.revision, at: input.now };
    asked.next(&lowered.unit, &prepared, &records, through)
}

/// The deletion of an Application from its beginning to its end, as it goes when everything goes well.
#[derive(Debug, Clone)]
pub struct OfflineDeletionPlan {
    /// The waves, in order. Those that delete the Application's objects have the phase [`Phase::Sync`]; the last one has
    /// no steps, and says what the Application itself waits for.
    pub waves: Vec<Wave>,
    /// What happens to the dependents of what goes; `None` where the Application's objects stay.
    pub propagation: Option<Propagation>,
    /// The finalizers by which the Application waits for all of this.
    pub finalizers: Vec<Str>,
    /// Live objects of the Application that stay, each with the reason.
    pub kept: Vec<(ObjectRef, &'static str)>,
    /// What could not be told, and what is worth knowing.
    pub diagnostics: Vec<Diagnostic>,
}

/// Each step runs, awaits or deletes something, so that a deletion of fewer objects and hooks ends by itself.
const MAX_STEPS: usize = 10_000;

/// Plans the deletion of `input.application` without a server, as the engine carries it out from then on: hooks before,
/// the objects, hooks after. What the finalizers of the Application ask for counts, as with `kubectl delete`.
///
/// Hooks are taken to succeed, and objects to go. Without an Application nothing is deleted, because nothing says so.
#[must_use]
pub fn deletion_plan_offline(input: &OfflineInput<'_>) -> OfflineDeletionPlan {
    let mut application = input.application.cloned().unwrap_or_else(super::stand_in_application);
    let asked = application.str_at(&["metadata", "deletionTimestamp"]).parse().unwrap_or(input.now);
    application.set_at(&["metadata", "deletionTimestamp"], asked.to_string());
    let (deletion, approved) = deletion_of(input, &application);
    let must_approve = deletion == Deletion::Unconfirmed;
    if must_approve {
        // What comes after that is what is asked for.
        let approval = asked.to_string();
        application.set_at(&["metadata", "annotations", "argocd.argoproj.io/deletion-approved"], approval);
    }
    let input = OfflineInput { application: Some(&application), ..*input };
    let Read { lowered, prepared, live, lens, mut diagnostics } = Read::of(&input);
    diagnostics.extend(prepared.diagnostics.iter().cloned());
    let unit = &lowered.unit;
    let propagation = match lowered.deletion {
        Deletion::Cascade { propagation } => Some(propagation),
        Deletion::None | Deletion::Unconfirmed | Deletion::Orphan => None,
    };
    let is_approved = must_approve || approved >= Some(asked);
    let mut records: Vec<LiveRecord> = live.into_iter().map(|(record, _)| record).collect();
    let asked = Asked { propagation, revision: input.revision, at: asked };
    let mut waves: Vec<Wave> = Vec::new();
    let (mut through, mut awaited, mut leaving) = (None, BTreeSet::new(), BTreeSet::new());
    for _ in 0..MAX_STEPS {
        let gate = |mut wave: Wave, awaited: &BTreeSet<ObjectRef>, leaving: &mut BTreeSet<ObjectRef>| {
            wave.after_hooks = awaited.iter().cloned().collect();
            wave.after_gone = std::mem::take(leaving).into_iter().collect();
            wave
        };
        match asked.next(unit, &prepared, &records, through) {
            OfflineDeletion::Hooks(_, DeletionStage::Run(plan)) => {
                debug_assert_eq!(check(unit, &plan), vec![]);
                // A kind without a check has ended well as soon as it is there.
                records.extend(plan.steps().filter_map(|step| match &step.action {
                    Action::RunHook { object, .. } => {
                        Some(LiveRecord { health: None, ..record_of_file(&lens, object) })
                    }
                    _ => None,
                }));
                let keys: Vec<ObjectRef> = plan.steps().map(|step| step.key.clone()).collect();
                waves.extend(plan.waves.into_iter().map(|wave| gate(wave, &awaited, &mut leaving)));
                awaited.extend(keys);
            }
            OfflineDeletion::Hooks(_, DeletionStage::Waiting(keys)) => {
                let waiting = records.iter_mut().filter(|live| keys.contains(&live.key));
                waiting.for_each(|live| live.health = None);
                awaited.extend(keys);
            }
            OfflineDeletion::Hooks(_, DeletionStage::Failed(plan)) => {
                records.retain(|live| !plan.steps().any(|step| step.key == live.key));
                leaving.extend(plan.steps().map(|step| step.key.clone()));
                waves.extend(plan.waves.into_iter().map(|wave| gate(wave, &awaited, &mut BTreeSet::new())));
            }
            OfflineDeletion::Hooks(phase, DeletionStage::Done(plan)) => {
                through = Some(phase);
                records.retain(|live| !plan.steps().any(|step| step.key == live.key));
                if !plan.is_empty() {
                    waves.extend(plan.waves.into_iter().map(|wave| gate(wave, &awaited, &mut leaving)));
                    awaited.clear();
                }
            }
            OfflineDeletion::Delete(plan) => {
                debug_assert_eq!(check(unit, &plan), vec![]);
                let confirmed = records.iter().any(|live| {
                    live.confirm_delete && !is_approved && plan.steps().any(|step| step.key == live.key)
                });
                let gone: Vec<ObjectRef> = plan.steps().map(|step| step.key.clone()).collect();
                records.retain(|live| !gone.contains(&live.key));
                waves.extend(
                    plan.waves
                        .into_iter()
                        .map(|wave| Wave { after_approval: confirmed, ..gate(wave, &awaited, &mut leaving) }),
                );
                awaited.clear();
                leaving.extend(gone);
            }
            OfflineDeletion::AwaitGone(keys) => {
                records.retain(|live| !keys.contains(&live.key));
                leaving.extend(keys);
            }
            OfflineDeletion::Gone => break,
        }
    }
    waves.push(Wave {
        after_hooks: awaited.into_iter().collect(),
        after_gone: leaving.into_iter().collect(),
        ..Wave::default()
    });
    if must_approve {
        waves[0].after_approval = true;
    }
    let kept = records.iter().filter(|live| live.instance.as_ref() == Some(&unit.ownership.instance));
    let kept = kept.filter(|live| live.owners.is_empty() && live.key != unit.id.0);
    let kept = kept.map(|live| (live.key.clone(), why_kept(live, propagation))).collect();
    let finalizers = finalizers(&application, &prepared);
    OfflineDeletionPlan { waves, propagation, finalizers, kept, diagnostics }
}

/// How the files say that the Application goes, and when somebody approved last.
fn deletion_of(input: &OfflineInput<'_>, application: &Object) -> (Deletion, Option<Time>) {
    let lowered = Read::of(&OfflineInput { application: Some(application), ..*input }).lowered;
    (lowered.deletion, lowered.approved)
}

fn why_kept(live: &LiveRecord, propagation: Option<Propagation>) -> &'static str {
    if live.hook {
        "a hook that its delete policy leaves"
    } else if live.keep_on_delete {
        "it asks to be kept"
    } else if propagation.is_none() {
        "the Application is deleted without its objects"
    } else {
        "it is not deleted"
    }
}

/// The finalizers that are taken off on the way: those that are there, and those that the engine puts there for hooks.
fn finalizers(application: &Object, prepared: &Prepared) -> Vec<Str> {
    let has = |phase| prepared.hooks.iter().any(|hook| hook.phases.contains(&phase));
    let wanted = DeletionHooks { before: has(Phase::PreDelete), after: has(Phase::PostDelete) };
    let path = ["metadata", "finalizers"];
    let mut application = application.clone();
    if let Some(held) =
        hook_finalizer_patch(&application, wanted).and_then(|mut patch| patch.remove_at(&path))
    {
        application.set_at(&path, held);
    }
    let Some(left) = finalizer_patch(&application) else { return Vec::new() };
    let taken = application.items_at(&path).iter().filter(|it| !left.items_at(&path).contains(it));
    taken.filter_map(Value::as_str).map(Str::from).collect()
}

/// What a deletion depends on beside what is declared and live.
struct Asked<'a> {
    propagation: Option<Propagation>,
    revision: &'a str,
    at: Time,
}

impl Asked<'_> {
    fn next(
        &self,
        unit: &Unit,
        prepared: &Prepared,
        records: &[LiveRecord],
        through: Option<Phase>,
    ) -> OfflineDeletion {
        let records: Vec<&LiveRecord> = records.iter().collect();
        let hooks = HookInput {
            hooks: &prepared.hooks,
            live: &records,
            revision: self.revision,
            started: self.at,
            resumed: true,
        };
        let generation = Generation(1);
        let stage = |phase| deletion_stage(unit, generation, phase, &hooks, unit.policy.prune_propagation);
        let has = |phase| prepared.hooks.iter().any(|hook| hook.phases.contains(&phase));
        if has(Phase::PreDelete) && through.is_none() {
            return OfflineDeletion::Hooks(Phase::PreDelete, stage(Phase::PreDelete));
        }
        let later = hook_keys(unit, &hooks, Phase::PostDelete);
        let left: Vec<&LiveRecord> = records
            .iter()
            .copied()
            .filter(|live| {
                self.propagation.is_some() && live.instance.as_ref() == Some(&unit.ownership.instance)
            })
            .filter(|live| live.owners.is_empty() && !live.keep_on_delete && live.key != unit.id.0)
            .filter(|live| !later.contains(&live.key))
            .collect();
        let plan = plan_deletion(unit, generation, &left, self.propagation.unwrap_or_default());
        if !plan.is_empty() {
            return OfflineDeletion::Delete(plan);
        }
        if !left.is_empty() {
            return OfflineDeletion::AwaitGone(left.into_iter().map(|live| live.key.clone()).collect());
        }
        if has(Phase::PostDelete) && through != Some(Phase::PostDelete) {
            return OfflineDeletion::Hooks(Phase::PostDelete, stage(Phase::PostDelete));
        }
        OfflineDeletion::Gone
    }
}
