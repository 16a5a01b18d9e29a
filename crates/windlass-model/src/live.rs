//! What is kept of a live object: the digest on arrival.

use windlass_kube::{Gvk, ObjectRef, Str};

use crate::{Digest, Health, Time};

/// All that the live index keeps of an object; its body is dropped on arrival and fetched when a person looks.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveRecord {
    /// What names it.
    pub key: ObjectRef,
    /// Its kind with the version it was read at.
    pub gvk: Gvk,
    /// `metadata.uid`.
    pub uid: Str,
    /// `metadata.resourceVersion`.
    pub resource_version: Str,
    /// The uids of its owners.
    pub owners: Box<[Str]>,
    /// The instance its tracking mark names, if the mark is its own and not an inherited copy.
    pub instance: Option<Str>,
    /// The digest of the part that our field manager owns; `None` when it owns nothing.
    pub owned: Option<Digest>,
    /// The digest of what others added beneath that; `None` when nobody added anything.
    pub added: Option<Digest>,
    /// Its health; `None` for a kind without a check.
    pub health: Option<Health>,
    /// Whether it asks to be left out of the roll-up of health.
    pub health_ignored: bool,
    /// Whether it has a deletion timestamp.
    pub terminating: bool,
    /// Whether it is a hook: no part of what is kept in sync.
    pub hook: bool,
    /// Whether another tool's finalizer keeps it, one for hooks that this tool runs.
    pub held_as_hook: bool,
    /// Whether it asks to be kept when it is no longer declared.
    pub keep_on_prune: bool,
    /// Whether it goes only when a person approves, when it is no longer declared; `None` leaves it to the policy.
    pub confirm_prune: Option<bool>,
    /// Whether it asks to be kept when its Unit is deleted.
    pub keep_on_delete: bool,
    /// Whether it asks not to count when it is no longer declared.
    pub uncounted: bool,
    /// Whether it goes only when a person approves, when its Unit is deleted.
    pub confirm_delete: bool,
    /// Container images, for people.
    pub images: Box<[Str]>,
    /// The manager that wrote last and is not ours, with the time as written: for reasons in words.
    pub last_writer: Option<Box<(Str, Str)>>,
    /// When our field manager last applied it; `None` when it never did, or the time cannot be read.
    pub applied: Option<Time>,
    /// Of a hook, which attempt of a sync made it, as it says itself; where it does not, its
    /// `metadata.creationTimestamp`. Of anything else nothing.
    pub begun: Str,
}

/// Proof that an object was in sync: what was applied, and what our fields read afterwards.
///
/// While both digests stay as they are, the object is in sync and no call is needed to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The digest of the object that was applied.
    pub desired: Digest,
    /// The digest of the live object restricted to our manager's fields, right after.
    pub owned: Digest,
}
