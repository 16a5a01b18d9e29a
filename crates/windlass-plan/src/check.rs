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
    /// Something is deleted though the policy forbids it.
    #[error("{0} would be deleted though the unit never prunes")]
    ForbiddenPrune(ObjectRef),
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
    let mut deleting = false;
    for (idx, wave) in plan.waves.iter().enumerate() {
        let later: BTreeSet<&ObjectRef> =
            plan.waves[idx..].iter().flat_map(|wave| &wave.steps).map(|step| &step.key).collect();
        violations.extend(
            wave.after_healthy
                .iter()
                .filter(|key| later.contains(key))
                .map(|key| Violation::WaitsForLater(key.clone())),
        );
        for pair in wave.steps.windows(2) {
            if pair[0].order > pair[1].order {
                violations.push(Violation::OutOfOrder(pair[0].key.clone()));
            }
        }
        for step in &wave.steps {
            if !seen.insert(&step.key) {
                violations.push(Violation::Twice(step.key.clone()));
            }
            match &step.action {
                Action::Delete { uid, .. } => {
                    deleting = true;
                    if uid.is_empty() {
                        violations.push(Violation::DeleteWithoutUid(step.key.clone()));
                    }
                    let pruning = step.reason == windlass_model::Reason::NotDeclared;
                    if pruning && unit.policy.never_prune {
                        violations.push(Violation::ForbiddenPrune(step.key.clone()));
                    }
                }
                Action::Apply { .. } | Action::EnsureNamespace { .. } if deleting => {
                    violations.push(Violation::DeletedEarly(step.key.clone()));
                }
                Action::Apply { .. } | Action::EnsureNamespace { .. } | Action::Skip => {}
            }
        }
    }
    let prunes = plan.steps().any(|step| {
        step.reason == windlass_model::Reason::NotDeclared && matches!(step.action, Action::Delete { .. })
    });
    if (plan.waves.len() > 1 || prunes) && !plan.verify_first {
        violations.push(Violation::NotVerified);
    }
    violations
}
