//! What happens to an Application's objects when it is deleted.

use windlass_kube::{Object, Str, Value};
use windlass_model::Propagation;

/// Whether and how an Application is being deleted.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Deletion {
    /// It is not.
    #[default]
    None,
    /// Its objects go first; then [`finalizer_patch`] lets it go.
    Cascade {
        /// What happens to their dependents.
        propagation: Propagation,
    },
    /// It goes and its objects stay.
    Orphan,
}

/// The merge patch that lets a deleted Application go: it takes away the finalizers that are ours to take, under
/// the resourceVersion of `application`. `None` when there is none of them.
#[must_use]
pub fn finalizer_patch(application: &Object) -> Option<Value> {
    let _ = application;
    None
}

/// The finalizers of an object.
pub(crate) fn finalizers(object: &Object) -> impl Iterator<Item = &str> {
    object.at(&["metadata", "finalizers"]).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

#[allow(dead_code, reason = "skeleton")]
fn unused(_: Str) {}
