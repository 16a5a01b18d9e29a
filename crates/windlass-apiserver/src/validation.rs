//! What the API server refuses, in its words.

use windlass_kube::{Gvk, Value};

use crate::status::Cause;

/// What is wrong with a new object of a built-in kind; empty when nothing is.
#[must_use]
pub fn validate_create(gvk: &Gvk, object: &Value) -> Vec<Cause> {
    let _ = (gvk, object);
    Vec::new()
}

/// What is wrong with a change of an object of a built-in kind; empty when nothing is.
#[must_use]
pub fn validate_update(gvk: &Gvk, new: &Value, old: &Value) -> Vec<Cause> {
    let _ = (gvk, new, old);
    Vec::new()
}
