//! Orders the steps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use windlass_kube::{GroupKind, Object, ObjectRef};
use windlass_model::{
    Action, Desired, Generation, LiveRecord, Phase, Plan, Propagation, Reason, Selection, Step, Unit, Wave,
};

use crate::{Comparison, kind_rank};

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
}

/// Plans the way from what is live to what is declared.
///
/// Waves go by their number. Inside a wave the kinds others depend on come first. Objects whose kind is defined
/// by a CustomResourceDefinition of the same plan wait in a wave of their own until the definition is established.
/// What is no longer declared goes last, in the reverse order, when everything that was applied is healthy.
#[must_use]
pub fn plan(input: &PlanInput<'_>) -> Plan {
    let selected =
        |key: &ObjectRef| input.selection.is_empty() || input.selection.iter().any(|one| one.matches(key));
    let steps: Vec<(i32, Step)> = input
        .desired
        .iter()
        .filter(|(desired, comparison)| comparison.needs_apply() && selected(&desired.key))
        .map(|(desired, comparison)| (desired.wave, apply_step(desired, *comparison)))
        .collect();

    let mut waves = apply_waves(steps, input.desired);
    if let Some(namespace) = &input.namespace {
        let step = namespace_step(namespace);
        match waves.first_mut() {
            Some(first) => first.steps.insert(0, step),
            None => {
                waves.push(Wave { phase: Phase::Sync, number: 0, after_healthy: vec![], steps: vec![step] });
            }
        }
    }
    let applied: Vec<ObjectRef> =
        waves.iter().flat_map(|wave| &wave.steps).map(|step| step.key.clone()).collect();

    let mut extra: Vec<&LiveRecord> =
        input.extra.iter().copied().filter(|live| selected(&live.key)).collect();
    extra.sort_by(|a, b| prune_order(a).cmp(&prune_order(b)));
    let (pruned, skipped): (Vec<_>, Vec<_>) = extra
        .into_iter()
        .partition(|live| input.prune && !input.unit.policy.never_prune && !live.keep_on_prune);
    if !pruned.is_empty() {
        let number = waves.last().map_or(0, |wave| wave.number.saturating_add(1));
        let propagation = input.unit.policy.prune_propagation;
        let steps = pruned.iter().map(|live| delete_step(live, propagation, Reason::NotDeclared)).collect();
        waves.push(Wave { phase: Phase::Sync, number, after_healthy: applied, steps });
    }
    if !skipped.is_empty() {
        let steps = skipped.iter().map(|live| skip_step(live));
        match waves.last_mut() {
            Some(last) => last.steps.extend(steps),
            None => waves.push(Wave {
                phase: Phase::Sync,
                number: 0,
                after_healthy: vec![],
                steps: steps.collect(),
            }),
        }
    }
    let deletes = !pruned.is_empty();
    Plan {
        unit: input.unit.id.clone(),
        generation: input.generation,
        field_manager: input.unit.ownership.field_manager.clone(),
        former_managers: input.unit.ownership.former_managers.clone(),
        verify_first: waves.len() > 1 || deletes,
        waves,
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
    let waves = if steps.is_empty() {
        vec![]
    } else {
        vec![Wave { phase: Phase::Sync, number: 0, after_healthy: vec![], steps }]
    };
    Plan {
        unit: unit.id.clone(),
        generation,
        field_manager: unit.ownership.field_manager.clone(),
        former_managers: unit.ownership.former_managers.clone(),
        waves,
        verify_first: false,
    }
}

fn apply_waves(mut steps: Vec<(i32, Step)>, desired: &[(Desired, Comparison)]) -> Vec<Wave> {
    bubble_up(&mut steps);
    let definitions: BTreeMap<GroupKind, ObjectRef> =
        steps.iter().filter_map(|(_, step)| Some((step.defined_kind()?, step.key.clone()))).collect();
    // Sub-waves keep a wave's number: 0 for what stands alone, 1 for what waits for a definition of this plan.
    let mut by_wave: BTreeMap<(i32, u8), (Vec<Step>, BTreeSet<ObjectRef>)> = BTreeMap::new();
    for (wave, step) in steps {
        let definition = definitions.get(&step.key.group_kind());
        let (steps, waits_for) = by_wave.entry((wave, u8::from(definition.is_some()))).or_default();
        waits_for.extend(definition.cloned());
        steps.push(step);
    }
    by_wave
        .into_iter()
        .map(|((number, _), (mut steps, waits_for))| {
            steps.sort_by(|a, b| a.order.cmp(&b.order).then_with(|| a.key.cmp(&b.key)));
            let earlier = desired.iter().filter(|(desired, _)| desired.wave < number);
            let mut after_healthy: BTreeSet<ObjectRef> =
                earlier.map(|(desired, _)| desired.key.clone()).collect();
            after_healthy.extend(waits_for);
            Wave { phase: Phase::Sync, number, after_healthy: after_healthy.into_iter().collect(), steps }
        })
        .collect()
}

/// Moves a CustomResourceDefinition to the wave of the first object of its kind, and a Namespace to the wave of the
/// first object in it, where their own waves are later: as Argo CD 3 does (`sync_tasks.go`).
fn bubble_up(steps: &mut [(i32, Step)]) {
    let mut first_of_kind: BTreeMap<GroupKind, i32> = BTreeMap::new();
    let mut first_in_namespace: BTreeMap<windlass_kube::Str, i32> = BTreeMap::new();
    for (wave, step) in steps.iter() {
        let of_kind = first_of_kind.entry(step.key.group_kind()).or_insert(*wave);
        *of_kind = (*of_kind).min(*wave);
        if !step.key.namespace.is_empty() {
            let inside = first_in_namespace.entry(step.key.namespace.clone()).or_insert(*wave);
            *inside = (*inside).min(*wave);
        }
    }
    for (wave, step) in steps.iter_mut() {
        let dependent = if step.key.kind == "Namespace" && step.key.group.is_empty() {
            first_in_namespace.get(&step.key.name)
        } else {
            step.defined_kind().and_then(|kind| first_of_kind.get(&kind))
        };
        if let Some(first) = dependent {
            *wave = (*wave).min(*first);
        }
    }
}

fn apply_step(desired: &Desired, comparison: Comparison) -> Step {
    let reason = match comparison {
        Comparison::Missing => Reason::Missing,
        Comparison::Changed => Reason::Changed,
        Comparison::Unowned => Reason::Adopt,
        Comparison::Drifted => {
            Reason::Differs("fields that this Unit owns were changed by somebody else".into())
        }
        Comparison::Unverified => Reason::Differs("fields that this Unit owns read differently".into()),
        Comparison::InSync => Reason::Requested,
    };
    Step {
        key: desired.key.clone(),
        gvk: desired.gvk.clone(),
        action: Action::Apply { object: desired.object.clone(), digest: desired.digest },
        reason,
        origin: Some(desired.origin.clone()),
        // The namespace step has 0; every kind comes after it.
        order: kind_rank(&desired.key.kind) + 1,
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
