//! What callers say beside the object: who they are and how a request is to be done.

use std::collections::BTreeMap;

use windlass_kube::{Object, Str, Value};

use crate::store::Revision;

/// Who makes a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserInfo {
    /// The user's name.
    pub name: Str,
    /// What tells users of the same name apart.
    pub uid: Str,
    /// The groups the user is in.
    pub groups: Vec<Str>,
    /// What else is known of the user, such as the pod a token is bound to.
    pub extra: BTreeMap<Str, Vec<Str>>,
}

impl UserInfo {
    /// A user who may do everything: a member of `system:masters`.
    #[must_use]
    pub fn admin(name: impl Into<Str>) -> Self {
        let groups = vec!["system:masters".into(), "system:authenticated".into()];
        Self { name: name.into(), groups, ..Self::default() }
    }

    /// Whether the user is in `group`.
    #[must_use]
    pub fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|have| have == group)
    }
}

/// What to do with fields the schema does not know, or that occur twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldValidation {
    /// Drop them silently.
    Ignore,
    /// Drop them and say so in a warning; what a client gets that does not say.
    #[default]
    Warn,
    /// Refuse the request.
    Strict,
}

/// How to create, update, patch or apply.
#[derive(Clone, Debug, Default)]
pub struct WriteOptions {
    /// Do everything but write.
    pub dry_run: bool,
    /// Who owns the fields that are written; the handle's name where empty.
    pub field_manager: Str,
    /// What to do with unknown fields.
    pub field_validation: FieldValidation,
    /// Apply only: take over fields that others own.
    pub force: bool,
    /// Of JSON and merge patches etc.: nothing but a namesake of this subresource (`status`, `scale`) is
    /// written. Empty for the object itself.
    pub subresource: Str,
    /// What to do with unknown fields in the client's own word, for those who admit the write.
    pub said_field_validation: Str,
}

impl WriteOptions {
    /// For the `status` subresource.
    #[must_use]
    pub fn status() -> Self {
        Self { subresource: "status".into(), ..Self::default() }
    }

    /// With these fields' owner.
    #[must_use]
    pub fn manager(mut self, field_manager: impl Into<Str>) -> Self {
        self.field_manager = field_manager.into();
        self
    }
}

/// How an object is to change.
#[derive(Clone, Debug)]
pub enum Patch {
    /// RFC 6902.
    Json(Value),
    /// RFC 7386.
    Merge(Value),
    /// Kubernetes' merge patch that knows lists by their keys.
    Strategic(Value),
    /// Server-side apply.
    Apply(Value),
}

/// What happens to the objects an object owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// They stay and lose their owner.
    Orphan,
    /// They go after it.
    Background,
    /// They go before it.
    Foreground,
}

/// How to delete.
#[derive(Clone, Debug, Default)]
pub struct DeleteOptions {
    /// Do everything but write.
    pub dry_run: bool,
    /// What happens to owned objects; the kind's own rule where `None`.
    pub propagation: Option<Propagation>,
    /// How long pods get to end.
    pub grace_period_seconds: Option<i64>,
    /// Delete only the object of this uid.
    pub uid: Option<Str>,
    /// Delete only the object at this resource version.
    pub resource_version: Option<Str>,
    /// Whether the client asked for the deletion of many objects, of which this is one.
    pub of_many: bool,
    /// Whether those who may refuse have been asked about that from which the deletion follows.
    pub is_admitted: bool,
}

/// Which objects to list.
#[derive(Clone, Debug, Default)]
pub struct ListOptions {
    /// Which labels they carry.
    pub label_selector: Str,
    /// Which fields they have.
    pub field_selector: Str,
    /// How many at most; 0 for all.
    pub limit: usize,
    /// Where the last page ended.
    pub continue_token: Str,
    /// Not older than this, or exactly this: see `exact`.
    pub resource_version: Option<Revision>,
    /// The list is of exactly that resource version.
    pub exact: bool,
}

/// Which changes to follow.
#[derive(Clone, Debug, Default)]
pub struct WatchOptions {
    /// Which labels the objects carry.
    pub label_selector: Str,
    /// Which fields they have.
    pub field_selector: Str,
    /// Changes after this; `None` and 0 begin with an event for every object there is.
    pub resource_version: Option<Revision>,
    /// Whether [`WatchEvent::Bookmark`]s are wanted.
    pub bookmarks: bool,
    /// Begin with an event for every object there is, then a bookmark that says so.
    pub send_initial_events: bool,
}

/// A page of objects.
#[derive(Clone, Debug)]
pub struct ObjectList {
    /// The revision the list is of.
    pub revision: Revision,
    /// The objects, by namespace and name.
    pub items: Vec<Object>,
    /// Where the next page begins; empty on the last.
    pub continue_token: Str,
    /// How many objects are left after this page, where that is known.
    pub remaining: Option<usize>,
}

/// What a write did.
#[derive(Clone, Debug)]
pub struct Written {
    /// The object as it is now, or would be after a dry run.
    pub object: Object,
    /// Its JSON.
    pub json: bytes::Bytes,
    /// Whether it is new.
    pub created: bool,
    /// What the caller should know.
    pub warnings: Vec<String>,
}

/// What a deletion did.
#[derive(Clone, Debug)]
pub enum Deleted {
    /// The object is gone; this was its last state.
    Gone(Object),
    /// Finalizers or a grace period keep it for now.
    Terminating(Object),
}
