//! How one object is applied: server-side, or as it asks for itself.

use windlass_kube::{Gvk, Object};
use windlass_model::{ApplyMode, Plan, Propagation, Step, Strict};

use crate::{CallError, CallErrorKind, Target, owners};

/// How an object got to where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    ServerSide,
    /// By a three-way merge.
    Merged,
    Replaced,
    /// Deleted and created anew.
    Recreated,
}

/// What applying `object` would give, without effect.
///
/// # Errors
///
/// [`CallError`] when it would be refused.
pub async fn predict(
    target: &impl Target,
    gvk: &Gvk,
    object: &Object,
    manager: &str,
    mode: ApplyMode,
) -> Result<Object, CallError> {
    if mode.replace {
        return target.replace(gvk, object, manager, true).await;
    }
    match target.apply(gvk, object, manager, true).await {
        Err(error) if needs_merge(error.kind, mode) => target.merge(gvk, object, manager, true).await,
        other => other,
    }
}

/// Applies `object` in its mode.
pub(crate) async fn carry_out(
    plan: &Plan,
    step: &Step,
    object: &Object,
    mode: ApplyMode,
    target: &impl Target,
) -> Result<(Object, Way), CallError> {
    let manager = &plan.field_manager;
    let result = if mode.replace {
        target.replace(&step.gvk, object, manager, false).await.map(|live| (live, Way::Replaced))
    } else {
        match owners::apply(plan, step, object, target).await {
            Err(error) if needs_merge(error.kind, mode) => {
                let merged = target.merge(&step.gvk, object, manager, false).await;
                merged.map(|live| (live, Way::Merged))
            }
            other => other.map(|live| (live, Way::ServerSide)),
        }
    };
    let result = match result {
        Ok((live, way)) if mode.strict == Strict::Revert => {
            target.remove_added(&step.gvk, live, manager).await.map(|live| (live, way))
        }
        other => other,
    };
    match result {
        Err(error) if mode.force && error.kind == CallErrorKind::Refused && may_be_recreated(step) => {
            recreate(plan, step, object, target).await
        }
        other => other,
    }
}

/// Deletes what is there and applies anew, as `kubectl apply --force` does.
async fn recreate(
    plan: &Plan,
    step: &Step,
    object: &Object,
    target: &impl Target,
) -> Result<(Object, Way), CallError> {
    target.delete(&step.gvk, &step.key, None, Propagation::Background, false).await?;
    let live = owners::apply(plan, step, object, target).await?;
    if live.is_terminating() {
        // It is created when it is gone: nobody waits here for that.
        let message = format!("{} is being deleted, to be created anew", step.key);
        return Err(CallError::new(CallErrorKind::Transient, message));
    }
    Ok((live, Way::Recreated))
}

/// Whether server-side apply cannot take an object that a three-way merge can.
fn needs_merge(kind: CallErrorKind, mode: ApplyMode) -> bool {
    kind == CallErrorKind::Duplicate || (mode.lenient && kind == CallErrorKind::UnknownField)
}

/// Deleting one of these deletes what is inside, too.
fn may_be_recreated(step: &Step) -> bool {
    !matches!(step.key.kind.as_str(), "CustomResourceDefinition" | "Namespace")
}
