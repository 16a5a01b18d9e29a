//! Where a plan is carried out.

use std::future::Future;

use windlass_kube::{Gvk, Object, ObjectRef, Str, Value};
use windlass_model::Propagation;

/// What a plan acts on: a cluster today.
pub trait Target: Send + Sync {
    /// Applies an object as `manager`, taking over contested fields, and returns it as it is then.
    ///
    /// With `dry_run` nothing changes, and the answer is what would be.
    fn apply(
        &self,
        gvk: &Gvk,
        object: &Object,
        manager: &str,
        dry_run: bool,
    ) -> impl Future<Output = Result<Object, CallError>> + Send;

    /// Puts an object in the place of what is there, or creates it, and returns it as it is then.
    fn replace(
        &self,
        gvk: &Gvk,
        object: &Object,
        manager: &str,
        dry_run: bool,
    ) -> impl Future<Output = Result<Object, CallError>> + Send;

    /// Applies an object by a three-way merge with what was applied last, as `kubectl apply` does client-side; fields
    /// that its kind does not know are dropped. Returns it as it is then.
    fn merge(
        &self,
        gvk: &Gvk,
        object: &Object,
        manager: &str,
        dry_run: bool,
    ) -> impl Future<Output = Result<Object, CallError>> + Send;

    /// Replaces the `managedFields` of an object that reads as `live`; a conflict when it has changed since.
    fn set_owners(
        &self,
        gvk: &Gvk,
        live: &Object,
        managed_fields: &Value,
    ) -> impl Future<Output = Result<(), CallError>> + Send;

    /// Takes away what others added to an object that reads as `live`, beneath what `manager` applied; returns it as it
    /// is then. A conflict when it has changed since.
    fn remove_added(
        &self,
        gvk: &Gvk,
        live: Object,
        manager: &str,
    ) -> impl Future<Output = Result<Object, CallError>> + Send;

    /// Deletes an object, if it still has this uid where one is named. Answers whether it was there; an absent object is
    /// no error.
    fn delete(
        &self,
        gvk: &Gvk,
        key: &ObjectRef,
        uid: Option<&str>,
        propagation: Propagation,
        dry_run: bool,
    ) -> impl Future<Output = Result<bool, CallError>> + Send;
}

/// A target's refusal or failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CallError {
    /// What whoever drives the plan can make of it.
    pub kind: CallErrorKind,
    /// The target's sentence, without a secret.
    pub message: Str,
}

/// What can be made of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallErrorKind {
    /// The object is invalid or forbidden: the same call fails again.
    Refused,
    /// A list of the object names the same item twice, which server-side apply cannot take.
    Duplicate,
    /// The object has a field that its kind does not have.
    UnknownField,
    /// The target does not know the kind.
    UnknownKind,
    /// The namespace is not there.
    NamespaceMissing,
    /// Another object has taken the place, or somebody wrote in between.
    Conflict,
    /// The target cannot be reached or is overloaded: the same call may succeed later.
    Transient,
}

impl CallError {
    /// A failure with the target's sentence.
    #[must_use]
    pub fn new(kind: CallErrorKind, message: impl Into<Str>) -> Self {
        Self { kind, message: message.into() }
    }
}
