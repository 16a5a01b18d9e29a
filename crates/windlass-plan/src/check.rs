//! What must hold of any plan, whoever made it.

use std::collections::BTreeSet;

use windlass_kube::ObjectRef;
use windlass_model::{Action, Plan, Unit};

/// A rule that a plan breaks: always a bug of the planner.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// The plan is another Unit's.
    #[error("the plan belongs to another unit")]
    WrongUnit,
    /// An object has two steps.
    #[error("{0} has more than one step")]
    Twice(ObjectRef),
    /// A wave waits for an object that only a later wave touches.
    #[error("a wave waits for {0}, which is applied later")]
    WaitsForLater(ObjectRef),
    /// Steps of a wave are not in the order of their rank.
    #[error("{0} stands before a step that must run earlier")]
    OutOfOrder(ObjectRef),
    /// An object is deleted before others are applied.
    #[error("{0} is deleted before everything is applied")]
    DeletedEarly(ObjectRef),
    /// A delete names no uid, so that it could hit another object of that name.
    #[error("{0} would be deleted whatever its uid")]
    DeleteWithoutUid(ObjectRef),
    /// A wave waits for a hook that is not run before it.
    #[error("a wave waits for hook {0}, which is not run before it")]
    WaitsForUnknownHook(ObjectRef),
    /// A wave does not wait for a hook of an earlier one.
    #[error("a wave does not wait for hook {0}, which runs before it")]
    HookNotAwaited(ObjectRef),
    /// A hook is created where its predecessor may still be.
    #[error("hook {0} is created without waiting for its predecessor to be gone")]
    HookNotGone(ObjectRef),
    /// A phase comes after a later one.
    #[error("phase {0} comes after a later one")]
    PhaseOutOfOrder(&'static str),
    /// A plan with several waves or a delete starts without being verified.
    #[error("the plan has several waves or deletes, and is not verified first")]
    NotVerified,
}

/// Everything that is wrong with a plan; empty for a sound one.
#[must_use]
pub fn check(unit: &Unit, plan: &Plan) -> Vec<Violation> {
    let mut violations = Vec::new();
    if plan.unit != unit.id {
        violations.push(Violation::WrongUnit);
    }
    let mut seen = BTreeSet::new();
    let mut hooks: BTreeSet<&ObjectRef> = BTreeSet::new();
    let mut deleted_hooks: BTreeSet<&ObjectRef> = BTreeSet::new();
    let mut deleting = false;
    for pair in plan.waves.windows(2) {
        if pair[0].phase > pair[1].phase {
            violations.push(Violation::PhaseOutOfOrder(pair[1].phase.as_str()));
        }
    }
    for (idx, wave) in plan.waves.iter().enumerate() {
        let later: BTreeSet<&ObjectRef> =
            plan.waves[idx..].iter().flat_map(|wave| &wave.steps).map(|step| &step.key).collect();
        violations.extend(
            wave.after_healthy
                .iter()
                .filter(|key| later.contains(key))
                .map(|key| Violation::WaitsForLater(key.clone())),
        );
        let awaited: BTreeSet<&ObjectRef> = wave.after_hooks.iter().collect();
        violations
            .extend(awaited.difference(&hooks).map(|key| Violation::WaitsForUnknownHook((*key).clone())));
        violations.extend(hooks.difference(&awaited).map(|key| Violation::HookNotAwaited((*key).clone())));
        for pair in wave.steps.windows(2) {
            if pair[0].order > pair[1].order {
                violations.push(Violation::OutOfOrder(pair[0].key.clone()));
            }
        }
        for step in &wave.steps {
            match &step.action {
                Action::RunHook { .. } => {
                    let replaces = deleted_hooks.remove(&step.key);
                    if replaces && !wave.after_gone.contains(&step.key) {
                        violations.push(Violation::HookNotGone(step.key.clone()));
                    }
                    let again = hooks.contains(&step.key);
                    hooks.insert(&step.key);
                    if !again && !seen.insert(&step.key) {
                        violations.push(Violation::Twice(step.key.clone()));
                    }
                    continue;
                }
                Action::DeleteHook { .. } => {
                    deleted_hooks.insert(&step.key);
                    continue;
                }
                _ => {}
            }
            if !seen.insert(&step.key) {
                violations.push(Violation::Twice(step.key.clone()));
            }
            match &step.action {
                Action::Delete { uid, .. } => {
                    deleting = true;
                    if uid.is_empty() {
                        violations.push(Violation::DeleteWithoutUid(step.key.clone()));
                    }
                }
                Action::Apply { .. } | Action::EnsureNamespace { .. } if deleting => {
                    violations.push(Violation::DeletedEarly(step.key.clone()));
                }
                _ => {}
            }
        }
    }
    let prunes = plan.steps().any(|step| {
        step.reason == windlass_model::Reason::NotDeclared && matches!(step.action, Action::Delete { .. })
    });
    // What follows a plan that failed or was ended runs and deletes its hooks, and nothing else.
    let hooks_only =
        plan.steps().all(|step| matches!(step.action, Action::RunHook { .. } | Action::DeleteHook { .. }));
    if (plan.waves.len() > 1 || prunes) && !hooks_only && !plan.verify_first {
        violations.push(Violation::NotVerified);
    }
    violations
}
