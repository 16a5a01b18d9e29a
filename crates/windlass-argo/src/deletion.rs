//! What happens to an Application's objects when it is deleted.

use windlass_kube::{Array, Object, Value, value};
use windlass_model::{Propagation, Time};

use crate::types::SyncPolicy;

const RESOURCES: &str = "resources-finalizer.argocd.argoproj.io";
const RESOURCES_FOREGROUND: &str = "resources-finalizer.argocd.argoproj.io/foreground";
const RESOURCES_BACKGROUND: &str = "resources-finalizer.argocd.argoproj.io/background";
/// Argo CD puts these on Applications with hooks of that kind, each also with `/cleanup` behind it.
const PRE_DELETE: &str = "pre-delete-finalizer.argocd.argoproj.io";
const POST_DELETE: &str = "post-delete-finalizer.argocd.argoproj.io";
const CLEANUP: &str = "/cleanup";
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

/// Which hooks an Application waits for when it is deleted, as its finalizers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct DeletionHooks {
    /// Those before its objects are deleted.
    pub before: bool,
    /// Those after.
    pub after: bool,
}

impl DeletionHooks {
    /// What the finalizers of `application` say.
    #[must_use]
    pub fn of(application: &Object) -> Self {
        let has = |hook: &str| finalizers(application).any(|finalizer| finalizer.starts_with(hook));
        Self { before: has(PRE_DELETE), after: has(POST_DELETE) }
    }
}

/// The merge patch that makes the finalizers of `application` say `wanted`, under its resourceVersion. `None` when
/// they do.
#[must_use]
pub fn hook_finalizer_patch(application: &Object, wanted: DeletionHooks) -> Option<Value> {
    if DeletionHooks::of(application) == wanted {
        return None;
    }
    let is_kept = |finalizer: &&str| {
        (wanted.before || !finalizer.starts_with(PRE_DELETE))
            && (wanted.after || !finalizer.starts_with(POST_DELETE))
    };
    let mut next: Vec<String> = finalizers(application).filter(is_kept).map(Into::into).collect();
    let now = DeletionHooks::of(application);
    for (hook, is_new) in
        [(PRE_DELETE, wanted.before && !now.before), (POST_DELETE, wanted.after && !now.after)]
    {
        if is_new {
            next.extend([hook.to_owned(), format!("{hook}{CLEANUP}")]);
        }
    }
    let next: Array = next.iter().map(|finalizer| Value::from(finalizer.as_str())).collect();
    Some(value!({
        "metadata": {"finalizers": next, "resourceVersion": (application.resource_version())}
    }))
}

/// The merge patch that lets a deleted Application go: it takes away the finalizers that are ours to take, under
/// the resourceVersion of `application`. `None` when there is none of them.
///
/// Finalizers for hooks go too: call it when those have run.
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
        || [PRE_DELETE, POST_DELETE].iter().any(|hook| finalizer.starts_with(hook))
}

/// When somebody approved, last.
pub(crate) fn approved(application: &Object) -> Option<Time> {
    application.annotation(APPROVED)?.parse().ok()
}

/// Whether somebody approved after the deletion began.
fn is_approved(application: &Object) -> bool {
    let asked = application.str_at(&["metadata", "deletionTimestamp"]).parse::<Time>().ok();
    approved(application).zip(asked).is_some_and(|(approved, asked)| approved >= asked)
}

fn finalizers(object: &Object) -> impl Iterator<Item = &str> {
    let list = object.at(&["metadata", "finalizers"]).and_then(Value::as_array);
    list.map(Array::as_slice).unwrap_or_default().iter().filter_map(Value::as_str)
}
