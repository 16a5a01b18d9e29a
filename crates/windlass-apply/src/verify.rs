//! Tries a whole plan without effect.

use futures_util::stream::{self, StreamExt};
use windlass_kube::GroupKind;
use windlass_model::{Action, ObjectOutcome, OperationPhase, OutcomeStatus, Plan, Step, Wave};

use crate::{CallErrorKind, Target, predict};

/// How many dry runs are under way at once.
const CONCURRENT_CHECKS: usize = 8;

/// A step that the target would refuse.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// For people and the status.
    pub outcome: ObjectOutcome,
    /// What can be made of it.
    pub kind: CallErrorKind,
}

/// Tries every step without effect; answers the refused ones, none when the plan can start.
///
/// A step whose namespace or whose kind only this plan brings cannot be tried; it is left out.
///
/// # Cancel safety
///
/// Nothing has an effect, so nothing is lost.
pub async fn verify(plan: &Plan, target: &impl Target) -> Vec<Refusal> {
    let kinds: Vec<GroupKind> = plan.steps().filter_map(Step::defined_kind).collect();
    let checks = plan.waves.iter().flat_map(|wave| wave.steps.iter().map(move |step| (wave, step)));
    let kinds = &kinds;
    let checks: Vec<_> = checks.map(|(wave, step)| check(plan, wave, step, kinds, target)).collect();
    let refusals: Vec<Option<Refusal>> = stream::iter(checks).buffered(CONCURRENT_CHECKS).collect().await;
    refusals.into_iter().flatten().collect()
}

async fn check(
    plan: &Plan,
    wave: &Wave,
    step: &Step,
    kinds: &[GroupKind],
    target: &impl Target,
) -> Option<Refusal> {
    let error = match &step.action {
        Action::Apply { object, mode, .. } => {
            let refused = predict(target, &step.gvk, object, &plan.field_manager, *mode).await.err()?;
            // What is refused now is deleted and created anew then; a kind that comes later is no mistake.
            let expected = (mode.force && refused.kind == CallErrorKind::Refused)
                || (mode.kind_may_be_missing && refused.kind == CallErrorKind::UnknownKind);
            if expected {
                return None;
            }
            refused
        }
        Action::EnsureNamespace { object } => {
            target.apply(&step.gvk, object, &plan.field_manager, true).await.err()?
        }
        // What is about to be deleted says nothing about how its successor will fare.
        Action::RunHook { .. } if wave.after_gone.contains(&step.key) => return None,
        Action::RunHook { goes_on: true, .. } => return None,
        Action::RunHook { object, .. } => {
            target.apply(&step.gvk, object, &plan.field_manager, true).await.err()?
        }
        Action::Delete { uid, propagation } => {
            target.delete(&step.gvk, &step.key, Some(uid), *propagation, true).await.err()?
        }
        Action::DeleteHook { .. } | Action::Skip => return None,
    };
    let brought_here = match error.kind {
        CallErrorKind::NamespaceMissing => plan.steps().any(|other| {
            other.key.kind == "Namespace"
                && other.key.group.is_empty()
                && other.key.name == step.key.namespace
        }),
        CallErrorKind::UnknownKind => kinds.contains(&step.key.group_kind()),
        // It was replaced since the plan was made; carrying it out will notice.
        CallErrorKind::Conflict => matches!(step.action, Action::Delete { .. }),
        CallErrorKind::Refused
        | CallErrorKind::Duplicate
        | CallErrorKind::UnknownField
        | CallErrorKind::Transient => false,
    };
    if brought_here {
        return None;
    }
    let message = match &step.origin {
        Some(origin) => format!("{origin}: {error}"),
        None => error.to_string(),
    };
    let outcome = ObjectOutcome {
        key: step.key.clone(),
        gvk: step.gvk.clone(),
        status: OutcomeStatus::Failed,
        message: message.into(),
        phase: wave.phase,
        hook: step.hook().map(|_| OperationPhase::Failed),
        images: Box::default(),
    };
    Some(Refusal { outcome, kind: error.kind })
}
