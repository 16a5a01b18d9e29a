//! Structured merge: server-side apply, and the tracking of field ownership through all other writes.
//!
//! [`apply`] is what kube-apiserver does with a patch of type `application/apply-patch+yaml`, [`update`] what it
//! does for field ownership on create, update and all other patches. Both work on one version of a kind: entries
//! of other versions are read as if their fields had the same names, but by [`apply_with`] and [`update_with`], which are
//! told of the other [`Versions`]. Defaulting is the caller's, and so is validation beyond the schema.
//!
//! Facts: `structured-merge-diff/v6` v6.3.3 (`typed`, `merge`), `k8s.io/apimachinery` v0.36.3
//! (`util/managedfields`).
//!
//! ```
//! use windlass_kube::merge::{Request, apply};
//! use windlass_kube::schema::ObjectType;
//! use windlass_kube::{Object, value};
//!
//! let config = Object::try_new(value!({
//!     "apiVersion": "example.com/v1", "kind": "Lamp", "metadata": {"name": "desk"}, "spec": {"colour": "red"},
//! }))?;
//! let lamp = ObjectType::deduced();
//! let request = Request { manager: "painter", object_type: &lamp, subresource: "", now: "2026-01-01T00:00:00Z", ignored: None };
//! let applied = apply(None, &config, &request, false)?;
//! assert_eq!(applied.object.str_at(&["spec", "colour"]), "red");
//!
//! let mut other = config.clone();
//! other.set_at(&["spec", "colour"], "blue");
//! let request = Request { manager: "other", ..request };
//! let conflict = apply(Some(&applied.object), &other, &request, false).unwrap_err();
//! assert_eq!(conflict.to_string(), r#"Apply failed with 1 conflict: conflict with "painter": .spec.colour"#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod combine;
mod compare;
mod conflict;
mod last_applied;
mod managers;
mod reconcile;
mod remove;
mod take_over;
mod typed;
mod validate;
mod versions;

use std::sync::LazyLock;

pub use conflict::{Conflict, Conflicts, StatusCause};
pub use last_applied::LAST_APPLIED_ANNOTATION;
pub use managers::{MAX_UPDATE_MANAGERS, keep_times_of_unchanged};
pub use take_over::take_over;
pub use validate::{ValidationError, ValidationErrors};
pub use versions::Versions;

use crate::fields::{FieldSet, Operation, PathElement};
use crate::schema::ObjectType;
use crate::{Object, Value};
use compare::Comparison;
use managers::{Entry, Managed, ManagerId};
use versions::Seen;

/// Who writes, what and when.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The field manager; `unknown` is recorded for an empty one.
    pub manager: &'a str,
    /// The type of the object.
    pub object_type: &'a ObjectType,
    /// The subresource written to, such as `status`; empty for the object itself.
    pub subresource: &'a str,
    /// The time to record, in RFC 3339 with seconds and `Z`.
    pub now: &'a str,
    /// Fields this endpoint resets (such as `status`, where it is a subresource): they are never owned through
    /// it, and never conflict.
    pub ignored: Option<&'a FieldSet>,
}

/// What an apply came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// The merged object, its `managedFields` set.
    pub object: Object,
    /// Whether anything but `managedFields` differs from the live object.
    pub changed: bool,
}

/// Why an apply was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ApplyError {
    /// Other managers own some of the fields, with other values; the server answers 409.
    #[error(transparent)]
    Conflicts(#[from] Conflicts),
    /// The configuration breaks a rule of apply; the server answers 400.
    #[error("{0}")]
    BadRequest(String),
    /// The configuration does not fit the schema; the server answers 500.
    #[error("failed to create typed patch object ({of}): {errors}")]
    Typed {
        /// Namespace, name and kind, as the server prints them.
        of: String,
        /// What does not fit.
        errors: ValidationErrors,
    },
    /// The live object cannot be merged with; the server answers 500.
    #[error("failed to merge config: {0}")]
    Merge(ValidationErrors),
    /// An object cannot be converted to a version at which somebody owns fields; the server answers 500.
    #[error("{0}")]
    Unconverted(String),
    /// `managedFields` of the live object cannot be read; the server answers 500.
    #[error("failed to decode managed fields: {0}")]
    ManagedFields(String),
}

/// Merges an applied configuration into the live object.
///
/// Fields the manager applied before and leaves out now are removed, unless another manager owns them. With
/// `force`, fields in conflict are taken from their owners. Without a live object this creates one. An apply that
/// changes nothing keeps the recorded times, so the caller can compare and skip the write.
///
/// # Errors
///
/// [`ApplyError`], whose messages are kube-apiserver's.
pub fn apply(
    live: Option<&Object>,
    config: &Object,
    request: &Request<'_>,
    force: bool,
) -> Result<Applied, ApplyError> {
    apply_with(live, config, request, force, None)
}

/// As [`apply`], with what is owned at other versions compared at those.
///
/// # Errors
///
/// As of [`apply`].
pub fn apply_with(
    live: Option<&Object>,
    config: &Object,
    request: &Request<'_>,
    force: bool,
    versions: Option<&dyn Versions>,
) -> Result<Applied, ApplyError> {
    if config.at(&["metadata", "managedFields"]).is_some_and(|entries| !entries.is_null()) {
        return Err(ApplyError::BadRequest("metadata.managedFields must be nil".into()));
    }
    let gvk = config.gvk();
    if let Some(live) = live.filter(|live| live.api_version() != config.api_version()) {
        return Err(ApplyError::BadRequest(format!(
            "Incorrect version specified in apply patch. Specified patch version: {}, expected: {}",
            config.api_version(),
            live.api_version()
        )));
    }
    let config_value = config.to_value();
    validate::validate(request.object_type, &config_value, false).map_err(|errors| {
        let (namespace, name) = (config.namespace(), config.name());
        let of = format!("{namespace}/{name}; {}/{}, Kind={}", gvk.group, gvk.version, gvk.kind);
        ApplyError::Typed { of, errors }
    })?;
    let live_value = live.map_or_else(Value::object, Object::to_value);
    let merged =
        combine::combine(request.object_type, &live_value, &config_value).map_err(ApplyError::Merge)?;
    let mut set = typed::field_set(request.object_type, &config_value);
    if let Some(ignored) = request.ignored {
        set = set.recursive_difference(ignored);
    }
    let is_kubectl = request.manager == last_applied::MANAGER;
    if let (Some(live), None, false) = (live, &merged, is_kubectl)
        && managers::owns_just(live, request, config.api_version(), &set.difference(&NEVER_OWNED))
    {
        return Ok(Applied { object: live.clone(), changed: false });
    }
    let managed = match live {
        Some(live) => Managed::decode(live).map_err(ApplyError::ManagedFields)?,
        None => Managed::default(),
    };
    let api_version = config.api_version();
    let seen = Seen { versions, api_version };
    let attempt = Attempt { live, live_value, merged, set, api_version, request, seen };
    let outcome = match attempt.run(managed.clone(), force) {
        Err(ApplyError::Conflicts(conflicts)) if is_kubectl => {
            let allowed =
                live.and_then(|live| last_applied::allowed_conflicts(live, config, request.object_type));
            let Some(allowed) = allowed else { return Err(conflicts.into()) };
            match conflicts.without(&allowed) {
                Some(left) => return Err(left.into()),
                None => attempt.run(managed, true),
            }
        }
        outcome => outcome,
    };
    let (merged, managed) = outcome?;
    let mut changed = merged.is_some();
    let object = match merged {
        Some(merged) => Object::try_new(merged).map_err(|why| ApplyError::BadRequest(why.to_string()))?,
        None => live.cloned().unwrap_or_else(|| config.clone()),
    };
    let mut object = object;
    if is_kubectl {
        changed |= last_applied::refresh(&mut object, config);
    }
    managed.encode(&mut object);
    Ok(Applied { object, changed })
}

/// The fields that applying an object makes its applier own: all it sets, but for those nobody owns.
#[must_use]
pub fn fields_of(object_type: &ObjectType, object: &Object) -> FieldSet {
    typed::field_set(object_type, &object.to_value()).difference(&NEVER_OWNED)
}

/// Checks an object against its type, as [`apply`] does first.
///
/// # Errors
///
/// All that does not fit.
pub fn validate(object_type: &ObjectType, object: &Object) -> Result<(), ValidationErrors> {
    validate::validate(object_type, &object.to_value(), false)
}

/// Records who owns what after a create (`old` is `None`), an update or any patch other than apply.
///
/// `new` is the object to be stored, defaulted. Fields that differ from `old` become the manager's, and are taken
/// from all others. An object whose ownership was never tracked stays untracked; a request may reset tracking by
/// sending an empty `managedFields` list, and then the manager owns only what it changes.
#[must_use]
pub fn update(old: Option<&Object>, new: &Object, request: &Request<'_>) -> Object {
    update_with(old, new, request, None)
}

/// As [`update`], with what is owned at other versions compared at those.
#[must_use]
pub fn update_with(
    old: Option<&Object>,
    new: &Object,
    request: &Request<'_>,
    versions: Option<&dyn Versions>,
) -> Object {
    let mut object = new.clone();
    let decoded = Managed::of_update(old, new, !request.subresource.is_empty());
    managers::strip(&mut object);
    let managed = decoded.unwrap_or_default();
    if managed.is_empty() && old.is_some_and(|old| !old.uid().is_empty()) {
        return object;
    }
    let mut stripped_old = old.cloned();
    if let Some(old) = &mut stripped_old {
        managers::strip(old);
    }
    let old_value = match stripped_old {
        Some(old) => old.into_value(),
        None => empty_object(new, request.object_type),
    };
    let new_value = object.to_value();
    let seen = Seen { versions, api_version: new.api_version() };
    let tracked = track_update(&old_value, &new_value, seen, managed, request.manager, request);
    if let Ok(managed) = tracked {
        managed.encode(&mut object);
    }
    object
}

/// What the server compares a created object with.
fn empty_object(like: &Object, object_type: &ObjectType) -> Value {
    let mut empty = object_type.zero_value();
    empty.set_at(&["apiVersion"], like.api_version());
    empty.set_at(&["kind"], like.kind());
    empty
}

fn track_update(
    old: &Value,
    new: &Value,
    seen: Seen<'_>,
    managed: Managed,
    manager: &str,
    request: &Request<'_>,
) -> Result<Managed, ApplyError> {
    let api_version = seen.api_version;
    let mut managed = reconcile::reconcile(managed, request.object_type, seen);
    let comparison = compare::compare(request.object_type, old, new).map_err(ApplyError::Merge)?;
    let filtered = comparison.without(request.ignored);
    let others = seen.comparisons(&managed, (old, new), &filtered, request)?;
    let id = ManagerId::new(manager, Operation::Update, api_version, request.subresource);
    // The writer's own entry counts among the others here: what it changes is added back to it below.
    for entry in managed.entries_mut() {
        let comparison = others.at(&entry.api_version, &filtered);
        entry.set = entry.set.difference(&comparison.changed()).difference(&comparison.removed);
    }
    managed.drop_empty();
    let mut set = filtered.modified.union(&filtered.added);
    if let Some(ignored) = request.ignored {
        set = set.recursive_difference(ignored);
    }
    let set = set.difference(&NEVER_OWNED);
    if !set.is_empty() {
        let set = managed.get(&id).map_or_else(|| set.clone(), |previous| set.union(&previous.set));
        managed.put(Entry::new(id, api_version, set, Some(request.now)));
    }
    managed.cap_update_managers();
    Ok(managed)
}

struct Attempt<'a> {
    live: Option<&'a Object>,
    /// The live object, an empty one where there is none.
    live_value: Value,
    /// The configuration over the live object; `None` when that is the live object.
    merged: Option<Value>,
    /// What the configuration sets.
    set: FieldSet,
    api_version: &'a str,
    request: &'a Request<'a>,
    seen: Seen<'a>,
}

impl Attempt<'_> {
    /// The merged value, `None` when it is the live one; and who owns what then.
    fn run(&self, mut managed: Managed, force: bool) -> Result<(Option<Value>, Managed), ApplyError> {
        let object_type = self.request.object_type;
        let live = &self.live_value;
        if let (true, Some(object)) = (managed.is_empty(), self.live) {
            let empty = empty_object(object, object_type);
            let mut stripped = object.clone();
            managers::strip(&mut stripped);
            let stripped = stripped.into_value();
            managed = track_update(&empty, &stripped, self.seen, managed, BEFORE_FIRST_APPLY, self.request)?;
        }
        let mut managed = reconcile::reconcile(managed, object_type, self.seen);
        let id = ManagerId::new(self.request.manager, Operation::Apply, "", self.request.subresource);
        let previous = managed.take(&id);
        managed.put(Entry::new(
            id.clone(),
            self.api_version,
            self.set.clone(),
            previous.as_ref().and_then(Entry::time),
        ));
        let mut new = self.merged.clone().unwrap_or_else(|| live.clone());
        if let Some(previous) = previous.filter(|previous| !previous.set.is_empty())
            && let Some(pruned) =
                self.seen.prune(object_type, &new, &managed, (&previous.set, &previous.api_version))?
        {
            new = pruned;
        }
        let comparison = compare::compare(object_type, live, &new).map_err(ApplyError::Merge)?;
        let comparison = comparison.without(self.request.ignored);
        let others = self.seen.comparisons(&managed, (live, &new), &comparison, self.request)?;
        settle_others(&mut managed, &id, &comparison, &others, force)?;
        managed.drop_empty();
        // Not before: what nobody owns is not to be pruned either.
        if let Some(entry) = managed.get_mut(&id) {
            entry.set = entry.set.difference(&NEVER_OWNED);
        }
        managed.drop_empty();
        let changed = self.live.is_none() || new != *live;
        if let (true, Some(entry)) = (changed, managed.get_mut(&id)) {
            entry.set_time(self.request.now);
        }
        Ok((changed.then_some(new), managed))
    }
}

/// Finds conflicts with all managers but `applier`, and takes from them what was removed, or forced.
fn settle_others(
    managed: &mut Managed,
    applier: &ManagerId,
    here: &Comparison,
    others: &versions::Comparisons,
    force: bool,
) -> Result<(), Conflicts> {
    if here.is_same() {
        return Ok(());
    }
    let mut conflicts = Vec::new();
    for entry in managed.entries_mut().filter(|entry| entry.id != *applier) {
        let comparison = others.at(&entry.api_version, here);
        let changed = comparison.changed();
        let in_conflict = entry.set.intersection(&changed);
        if !in_conflict.is_empty() {
            if !force {
                conflicts.push((entry.id.clone(), entry.api_version.clone(), in_conflict));
                continue;
            }
            entry.set = entry.set.difference(&in_conflict);
        }
        entry.set = entry.set.difference(&comparison.removed);
    }
    if conflicts.is_empty() { Ok(()) } else { Err(Conflicts::new(conflicts)) }
}

const BEFORE_FIRST_APPLY: &str = "before-first-apply";

/// Fields that identify an object, or that only the server writes: nobody owns them.
static NEVER_OWNED: LazyLock<FieldSet> = LazyLock::new(|| {
    let of_metadata = [
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "clusterName",
        "generation",
        "managedFields",
        "resourceVersion",
    ];
    let metadata = of_metadata.map(|name| vec![PathElement::field("metadata"), PathElement::field(name)]);
    let roots = ["apiVersion", "kind", "metadata"].map(|name| vec![PathElement::field(name)]);
    metadata.into_iter().chain(roots).collect()
});
