//! Applies an object, and takes over what was applied client-side before.

use windlass_kube::fields::Operation;
use windlass_kube::merge::take_over;
use windlass_kube::{Object, Str, Value};
use windlass_model::{Plan, Step};

use crate::{CallError, CallErrorKind, Target};

/// How often ownership is moved while others write in between; then the whole step is tried again later.
const ATTEMPTS: usize = 5;

/// Applies `object`. Where one of the plan's former managers owns fields of it, those become the plan's manager's,
/// and applying once more removes what is no longer declared: otherwise they would stay for ever, since their owner
/// never applies again.
///
/// It is the answer to applying that says whether that is needed, so it costs nothing where it is not.
pub(crate) async fn apply(
    plan: &Plan,
    step: &Step,
    object: &Object,
    target: &impl Target,
) -> Result<Object, CallError> {
    let mut live = target.apply(&step.gvk, object, &plan.field_manager, false).await?;
    for _ in 0..ATTEMPTS {
        let Some(owners) = owners_after(&live, &plan.former_managers, &plan.field_manager) else {
            return Ok(live);
        };
        match target.set_owners(&step.gvk, &live, &owners).await {
            Ok(()) => {}
            // Somebody wrote in between; applying once more says what it is like now.
            Err(error) if error.kind == CallErrorKind::Conflict => {}
            Err(error) => return Err(error),
        }
        live = target.apply(&step.gvk, object, &plan.field_manager, false).await?;
    }
    if owners_after(&live, &plan.former_managers, &plan.field_manager).is_none() {
        return Ok(live);
    }
    let message =
        format!("fields that were applied client-side could not be taken over in {ATTEMPTS} attempts");
    Err(CallError::new(CallErrorKind::Conflict, message))
}

/// The `managedFields` with which `manager` owns what `former` ones own; `None` when they own nothing.
fn owners_after(live: &Object, former: &[Str], manager: &str) -> Option<Value> {
    let mut moved: Option<Object> = None;
    for updater in former {
        let Some(owners) = take_over(moved.as_ref().unwrap_or(live), updater, manager, "") else { continue };
        let mut value = moved.as_ref().unwrap_or(live).to_value();
        value.set_at(&["metadata", "managedFields"], owners);
        moved = Object::try_new(value).ok();
    }
    let mut owners = moved?.at(&["metadata", "managedFields"])?.clone();
    leave_status_out(&mut owners, manager);
    Some(owners)
}

/// Takes `status` out of what `manager` applied: a kind without the subresource reports there what applying must
/// not remove, and an owner of it may be a person who applied what they had read.
fn leave_status_out(owners: &mut Value, manager: &str) {
    let Value::Array(entries) = owners else { return };
    for entry in entries.as_mut() {
        let is_ours = entry.str_at(&["manager"]) == Some(manager)
            && entry.str_at(&["operation"]) == Some(Operation::Apply.as_str())
            && entry.str_at(&["subresource"]).unwrap_or_default().is_empty();
        if is_ours {
            entry.remove_at(&["fieldsV1", "f:status"]);
        }
    }
}
