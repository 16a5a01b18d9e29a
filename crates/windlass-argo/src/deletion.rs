//! What happens to an Application's objects when it is deleted.

use windlass_kube::{Array, Object, Value, value};
use windlass_model::{Propagation, Time};

use crate::types::SyncPolicy;

const RESOURCES: &str = "resources-finalizer.argocd.argoproj.io";
const RESOURCES_FOREGROUND: &str = "resources-finalizer.argocd.argoproj.io/foreground";
const RESOURCES_BACKGROUND: &str = "resources-finalizer.argocd.argoproj.io/background";
/// Argo CD puts these on Applications with hooks of that kind; more text may follow.
const HOOKS: [&str; 2] =
    ["pre-delete-finalizer.argocd.argoproj.io", "post-delete-finalizer.argocd.argoproj.io"];
const APPROVED: &str = "argocd.argoproj.io/deletion-approved";

/// Whether and how an Application is being deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Deletion {
    /// It is not.
    #[default]
    None,
    /// Its objects go first; then [`finalizer_patch`] lets it go.
    Cascade {
        /// What happens to their dependents.
        propagation: Propagation,
    },
    /// It waits until somebody approves by the annotation `argocd.argoproj.io/deletion-approved`.
    Unconfirmed,
    /// It goes and its objects stay; [`finalizer_patch`] lets it go if anything of ours holds it.
    Orphan,
}

impl Deletion {
    pub(crate) fn of(application: &Object, policy: Option<&SyncPolicy>) -> Self {
        if !application.is_terminating() {
            return Self::None;
        }
        let Some(propagation) = finalizers(application).find_map(|finalizer| match finalizer {
            RESOURCES | RESOURCES_FOREGROUND => Some(Propagation::Foreground),
            RESOURCES_BACKGROUND => Some(Propagation::Background),
            _ => None,
        }) else {
            return Self::Orphan;
        };
        let options = policy.into_iter().flat_map(|policy| &policy.sync_options);
        match options.filter_map(|option| option.strip_prefix("Delete=")).next() {
            Some("false") => Self::Orphan,
            Some("confirm") if !is_approved(application) => Self::Unconfirmed,
            _ => Self::Cascade { propagation },
        }
    }
}

/// The merge patch that lets a deleted Application go: it takes away the finalizers that are ours to take, under
/// the resourceVersion of `application`. `None` when there is none of them.
///
/// Finalizers for hooks go too: hooks on deletion are not run.
#[must_use]
pub fn finalizer_patch(application: &Object) -> Option<Value> {
    let kept: Array =
        finalizers(application).filter(|finalizer| !is_ours(finalizer)).map(Value::from).collect();
    if kept.len() == finalizers(application).count() {
        return None;
    }
    Some(value!({
        "metadata": {"finalizers": kept, "resourceVersion": (application.resource_version())}
    }))
}

fn is_ours(finalizer: &str) -> bool {
    matches!(finalizer, RESOURCES | RESOURCES_FOREGROUND | RESOURCES_BACKGROUND)
        || HOOKS.iter().any(|hook| finalizer.starts_with(hook))
}

/// Whether somebody approved after the deletion began.
fn is_approved(application: &Object) -> bool {
    let time = |text: &str| text.parse::<Time>().ok();
    let approved = application.annotation(APPROVED).and_then(time);
    let asked = time(application.str_at(&["metadata", "deletionTimestamp"]));
    approved.zip(asked).is_some_and(|(approved, asked)| approved >= asked)
}

fn finalizers(object: &Object) -> impl Iterator<Item = &str> {
    let list = object.at(&["metadata", "finalizers"]).and_then(Value::as_array);
    list.map(Array::as_slice).unwrap_or_default().iter().filter_map(Value::as_str)
}
