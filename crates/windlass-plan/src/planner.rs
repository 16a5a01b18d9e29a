//! Orders the steps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use windlass_kube::{GroupKind, Object, ObjectRef};
use windlass_model::{
    Action, ApplyMode, Desired, DesiredHook, Generation, LiveRecord, Phase, Plan, Propagation, Reason,
    Selection, Step, Time, Unit, Wave,
};

use crate::hooks::{cleanup, hook_steps, with_hook_gates};
use crate::{Comparison, Marks, kind_rank};

/// Everything that a plan depends on.
#[derive(Debug)]
pub struct PlanInput<'a> {
    /// Whose plan it is.
    pub unit: &'a Unit,
    /// Which plan of that Unit.
    pub generation: Generation,
    /// What is declared, each with what comparing it said.
    pub desired: &'a [(Desired, Comparison)],
    /// Live objects of the Unit that are not declared.
    pub extra: &'a [&'a LiveRecord],
    /// Whether those are deleted.
    pub prune: bool,
    /// Only these objects; empty means all.
    pub selection: &'a [Selection],
    /// The target namespace, when the policy manages it and it is not as it should be.
    pub namespace: Option<Arc<Object>>,
    /// The hooks that the sync runs.
    pub hooks: HookInput<'a>,
}

/// The hooks of a sync, and what their names and their deletion depend on.
#[derive(Debug, Clone, Copy)]
pub struct HookInput<'a> {
    /// The declared hooks; empty for a sync that runs none.
    pub hooks: &'a [DesiredHook],
    /// What is live under their names.
    pub live: &'a [&'a LiveRecord],
    /// The revision that is synced.
    pub revision: &'a str,
    /// When the attempt began.
    pub started: Time,
    /// Whether it was cut short, by the end of a process or by calls that failed: hooks that were created since then go
    /// on.
    pub resumed: bool,
}

impl HookInput<'_> {
    /// No hooks.
    pub const NONE: HookInput<'static> =
        HookInput { hooks: &[], live: &[], revision: "", started: Time::EPOCH, resumed: false };
}

/// Plans the way from what is live to what is declared.
///
/// Phases go in their order, and waves by their number. Inside a wave the kinds others depend on come first. Objects
/// whose kind is defined by a CustomResourceDefinition of the same plan wait in a wave of their own until the
/// definition is established. What is no longer declared goes after everything that was applied, in the reverse
/// order, when that is healthy; hooks for what comes after the sync run last.
#[must_use]
pub fn plan(input: &PlanInput<'_>) -> Plan {
    let selected =
        |key: &ObjectRef| input.selection.is_empty() || input.selection.iter().any(|one| one.matches(key));
    let mut steps: Vec<(Phase, i32, Step)> = input
        .desired
        .iter()
        .filter(|(desired, comparison)| comparison.needs_apply() && selected(&desired.key))
        .map(|(desired, comparison)| {
            (Phase::Sync, desired.wave, apply_step(desired, *comparison, input.unit))
        })
        .collect();
    steps.extend(hook_steps(input.unit, &input.hooks, &[Phase::PreSync, Phase::Sync, Phase::PostSync]));

    let mut waves = apply_waves(steps, input.desired);
    if let Some(namespace) = &input.namespace {
        let step = namespace_step(namespace);
        match waves.first_mut() {
            Some(first) => first.steps.insert(0, step),
            None => waves.push(Wave { steps: vec![step], ..Wave::default() }),
        }
    }
    let applied: Vec<ObjectRef> = waves
        .iter()
        .flat_map(|wave| &wave.steps)
        .filter(|step| step.hook().is_none())
        .map(|step| step.key.clone())
        .collect();

    let mut extra: Vec<&LiveRecord> =
        input.extra.iter().copied().filter(|live| selected(&live.key)).collect();
    extra.sort_by(|a, b| prune_order(a).cmp(&prune_order(b)));
    let policy = &input.unit.policy;
    let kept = |live: &LiveRecord| live.keep_on_prune || (policy.never_prune && live.confirm_prune.is_none());
    let (pruned, skipped): (Vec<_>, Vec<_>) = extra.into_iter().partition(|live| input.prune && !kept(live));
    let (confirmed, pruned): (Vec<_>, Vec<_>) =
        pruned.into_iter().partition(|live| live.confirm_prune.unwrap_or(policy.confirm_prune));
    // Prunes belong to the phase of the objects: what comes after it finds them gone.
    let mut at = waves.partition_point(|wave| wave.phase <= Phase::Sync);
    let propagation = policy.prune_propagation;
    let deletes = !pruned.is_empty() || !confirmed.is_empty();
    for (gone, after_approval) in [(pruned, false), (confirmed, true)] {
        if gone.is_empty() {
            continue;
        }
        let number = waves[..at]
            .last()
            .filter(|wave| wave.phase == Phase::Sync)
            .map_or(0, |wave| wave.number.saturating_add(1));
        let steps = gone.iter().map(|live| delete_step(live, propagation, Reason::NotDeclared)).collect();
        let after_healthy = applied.clone();
        waves.insert(at, Wave { number, after_healthy, after_approval, steps, ..Wave::default() });
        at += 1;
    }
    if !skipped.is_empty() {
        let steps = skipped.iter().map(|live| skip_step(live));
        match waves.iter_mut().rfind(|wave| wave.phase == Phase::Sync) {
            Some(last) => last.steps.extend(steps),
            None => waves.insert(at, Wave { steps: steps.collect(), ..Wave::default() }),
        }
    }
    waves = with_hook_gates(waves, &input.hooks, propagation);
    waves.extend(cleanup(&waves));
    let on_failure = apply_waves(hook_steps(input.unit, &input.hooks, &[Phase::SyncFail]), &[]);
    Plan {
        unit: input.unit.id.clone(),
        generation: input.generation,
        field_manager: input.unit.ownership.field_manager.clone(),
        former_managers: input.unit.ownership.former_managers.clone(),
        verify_first: waves.len() > 1 || deletes,
        waves,
        on_failure: with_hook_gates(on_failure, &input.hooks, propagation),
    }
}

/// Plans the deletion of everything that a Unit has in its target, in the reverse order of applying.
#[must_use]
pub fn plan_deletion(
    unit: &Unit,
    generation: Generation,
    live: &[&LiveRecord],
    propagation: Propagation,
) -> Plan {
    let mut live: Vec<&LiveRecord> = live.iter().copied().filter(|live| !live.keep_on_delete).collect();
    live.sort_by(|a, b| prune_order(a).cmp(&prune_order(b)));
    let steps: Vec<Step> = live
        .into_iter()
        .filter(|live| !live.terminating)
        .map(|live| delete_step(live, propagation, Reason::UnitDeleted))
        .collect();
    let waves = if steps.is_empty() { vec![] } else { vec![Wave { steps, ..Wave::default() }] };
    Plan {
        unit: unit.id.clone(),
        generation,
        field_manager: unit.ownership.field_manager.clone(),
        former_managers: unit.ownership.former_managers.clone(),
        waves,
        on_failure: Vec::new(),
        verify_first: false,
    }
}

/// Steps of one wave, and the definitions that they wait for.
type Group = (Vec<Step>, BTreeSet<ObjectRef>);

fn apply_waves(mut steps: Vec<(Phase, i32, Step)>, desired: &[(Desired, Comparison)]) -> Vec<Wave> {
    bubble_up(&mut steps);
    let definitions: BTreeMap<GroupKind, ObjectRef> =
        steps.iter().filter_map(|(_, _, step)| Some((step.defined_kind()?, step.key.clone()))).collect();
    // Sub-waves keep a wave's number: 0 for what stands alone, 1 for what waits for a definition of this plan.
    let mut by_wave: BTreeMap<(Phase, i32, u8), Group> = BTreeMap::new();
    for (phase, wave, step) in steps {
        let definition = definitions.get(&step.key.group_kind());
        let (steps, waits_for) = by_wave.entry((phase, wave, u8::from(definition.is_some()))).or_default();
        waits_for.extend(definition.cloned());
        steps.push(step);
    }
    by_wave
        .into_iter()
        .map(|((phase, number, _), (mut steps, waits_for))| {
            steps.sort_by(|a, b| a.order.cmp(&b.order).then_with(|| a.key.cmp(&b.key)));
            let earlier = desired.iter().filter(|(desired, _)| (Phase::Sync, desired.wave) < (phase, number));
            let mut after_healthy: BTreeSet<ObjectRef> =
                earlier.map(|(desired, _)| desired.key.clone()).collect();
            after_healthy.extend(waits_for);
            let after_healthy = after_healthy.into_iter().collect();
            Wave { phase, number, after_healthy, steps, ..Wave::default() }
        })
        .collect()
}

/// Moves a CustomResourceDefinition to the wave of the first object of its kind, and a Namespace to the wave of the
/// first object in it, where their own waves are later: as Argo CD 3 does (`sync_tasks.go`). A hook moves nowhere.
fn bubble_up(steps: &mut [(Phase, i32, Step)]) {
    let mut first_of_kind: BTreeMap<GroupKind, (Phase, i32)> = BTreeMap::new();
    let mut first_in_namespace: BTreeMap<windlass_kube::Str, (Phase, i32)> = BTreeMap::new();
    for (phase, wave, step) in steps.iter() {
        let here = (*phase, *wave);
        let of_kind = first_of_kind.entry(step.key.group_kind()).or_insert(here);
        *of_kind = (*of_kind).min(here);
        if !step.key.namespace.is_empty() {
            let inside = first_in_namespace.entry(step.key.namespace.clone()).or_insert(here);
            *inside = (*inside).min(here);
        }
    }
    for (phase, wave, step) in steps.iter_mut().filter(|(_, _, step)| step.hook().is_none()) {
        let dependent = if step.key.kind == "Namespace" && step.key.group.is_empty() {
            first_in_namespace.get(&step.key.name)
        } else {
            step.defined_kind().and_then(|kind| first_of_kind.get(&kind))
        };
        if let Some(first) = dependent {
            (*phase, *wave) = (*phase, *wave).min(*first);
        }
    }
}

fn apply_step(desired: &Desired, comparison: Comparison, unit: &Unit) -> Step {
    let reason = match comparison {
        Comparison::Missing => Reason::Missing,
        Comparison::Changed => Reason::Changed,
        Comparison::Unowned => Reason::Adopt,
        Comparison::Drifted => {
            Reason::Differs("fields that this Unit owns were changed by somebody else".into())
        }
        Comparison::Unverified => Reason::Differs("fields that this Unit owns read differently".into()),
        Comparison::Added => Reason::Added,
        Comparison::InSync => Reason::Requested,
    };
    Step {
        key: desired.key.clone(),
        gvk: desired.gvk.clone(),
        action: Action::Apply {
            object: desired.object.clone(),
            digest: desired.digest,
            mode: apply_mode(&desired.object, unit),
        },
        reason,
        origin: Some(desired.origin.clone()),
        // The namespace step has 0; every kind comes after it.
        order: kind_rank(&desired.key.kind) + 1,
    }
}

/// How an object is applied: what it asks for itself, or its Unit for all of them.
#[must_use]
pub fn apply_mode(object: &Object, unit: &Unit) -> ApplyMode {
    let options = Marks::ARGO.options_of(object);
    let (own, all) = (options.apply, unit.policy.apply);
    ApplyMode {
        replace: own.replace || all.replace,
        force: own.force || all.force,
        lenient: own.lenient || all.lenient,
        kind_may_be_missing: own.kind_may_be_missing || all.kind_may_be_missing,
        strict: options.strict.unwrap_or(all.strict),
    }
}

fn namespace_step(namespace: &Arc<Object>) -> Step {
    Step {
        key: namespace.object_ref(),
        gvk: namespace.gvk(),
        action: Action::EnsureNamespace { object: namespace.clone() },
        reason: Reason::Namespace,
        origin: None,
        order: 0,
    }
}

fn delete_step(live: &LiveRecord, propagation: Propagation, reason: Reason) -> Step {
    Step {
        key: live.key.clone(),
        gvk: live.gvk.clone(),
        action: Action::Delete { uid: live.uid.clone(), propagation },
        reason,
        origin: None,
        order: u16::MAX - kind_rank(&live.key.kind),
    }
}

fn skip_step(live: &LiveRecord) -> Step {
    Step {
        key: live.key.clone(),
        gvk: live.gvk.clone(),
        action: Action::Skip,
        reason: if live.keep_on_prune { Reason::Kept } else { Reason::PruneOff },
        origin: None,
        order: u16::MAX,
    }
}

fn prune_order(live: &LiveRecord) -> (u16, &ObjectRef) {
    (u16::MAX - kind_rank(&live.key.kind), &live.key)
}
