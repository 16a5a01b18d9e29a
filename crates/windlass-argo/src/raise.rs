//! From a Report to the status of an Application.

use windlass_kube::{Object, Value};
use windlass_model::Report;

use crate::Lowered;

/// Which requests on the object were taken and are to be removed from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Taken {
    /// The `operation` field. Argo CD's clients read its presence as an operation in progress, so take it when the
    /// operation has ended.
    pub operation: bool,
    /// The refresh annotation.
    pub refresh: bool,
}

/// The status of `application` that says what `report` says.
///
/// What did not change keeps its times, so an unchanged Report gives an equal status but for `reconciledAt`.
#[must_use]
pub fn raise(application: &Object, report: &Report, lowered: &Lowered) -> Value {
    let _ = (application, report, lowered);
    Value::object()
}

/// The smallest merge patch from one status to another; `None` when they say the same, whatever their
/// `reconciledAt`.
#[must_use]
pub fn status_patch(previous: &Value, next: &Value) -> Option<Value> {
    let _ = (previous, next);
    None
}

/// The smallest merge patch on the whole Application that gives it the status `next` and removes what was taken.
/// `None` when there is nothing to write.
#[must_use]
pub fn patch(application: &Object, next: &Value, taken: Taken) -> Option<Value> {
    let _ = (application, next, taken);
    None
}
