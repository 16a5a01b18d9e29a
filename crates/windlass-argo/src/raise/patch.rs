//! The smallest write that says what is new.

use windlass_kube::{Map, Object, Value, merge_patch};

use crate::lower::REFRESH_ANNOTATIONS;

/// Which requests on the object were taken and are to be removed from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Taken {
    /// The `operation` field. Argo CD's clients read its presence as an operation in progress, so take it when the
    /// operation has ended.
    pub operation: bool,
    /// The refresh annotation.
    pub refresh: bool,
}

/// The smallest merge patch from one status to another; `None` when they say the same, whatever their
/// `reconciledAt`.
#[must_use]
pub fn status_patch(previous: &Value, next: &Value) -> Option<Value> {
    let patch = merge_patch::diff(previous, next);
    let says = |member: (&windlass_kube::Str, &Value)| member.0 != "reconciledAt";
    let new = match &patch {
        Value::Object(members) => members.iter().any(says),
        _ => true,
    };
    new.then_some(patch)
}

/// The smallest merge patch on the whole Application that gives it the status `next` and removes what was taken.
/// `None` when there is nothing to write.
#[must_use]
pub fn patch(application: &Object, next: &Value, taken: Taken) -> Option<Value> {
    let mut patch = Map::new();
    let previous = application.at(&["status"]).cloned().unwrap_or_else(Value::object);
    if let Some(status) = status_patch(&previous, next) {
        patch.insert("status", status);
    }
    if taken.operation && application.at(&["operation"]).is_some_and(|operation| !operation.is_null()) {
        patch.insert("operation", Value::Null);
    }
    let taken_annotations: Map = REFRESH_ANNOTATIONS
        .into_iter()
        .filter(|key| taken.refresh && application.annotation(key).is_some())
        .map(|key| (key, Value::Null))
        .collect();
    if !taken_annotations.is_empty() {
        patch.entry("metadata").set_at(&["annotations"], taken_annotations);
    }
    if patch.is_empty() { None } else { Some(patch.into()) }
}
