//! Digest on arrival: from an object's body to the little that is kept of it.

use windlass_diff::added_digest;
use windlass_kube::fields::extract_owned;
use windlass_kube::{Object, Str, Value};
use windlass_model::{CountedStatus, Digest, Installation, LiveRecord, Time, Tracking, tracking};
use windlass_plan::{Marks, Treatment, owned_form};

use crate::own_health::OwnChecks;

/// How objects of a target are read: what marks them as ours, and what they may say about themselves.
#[derive(Debug, Clone)]
pub(crate) struct Lens {
    /// The field manager whose fields count.
    pub(crate) field_manager: Str,
    /// Where tracking marks stand.
    pub(crate) tracking: Tracking,
    /// Which installation's marks count.
    pub(crate) installation: Option<Installation>,
    /// Of which objects a declared status counts.
    pub(crate) status: CountedStatus,
    /// The annotations of the dialect.
    pub(crate) marks: Marks,
    /// The built-in checks of health, and the users' own.
    pub(crate) checks: windlass_assess::Checks,
    /// What Units say of their own objects, which goes before those.
    pub(crate) own_checks: OwnChecks,
}

/// The checks of health that a control plane's settings ask for. What is wrong with one shows on its objects.
#[must_use]
pub fn checks(customizations: &windlass_argo::Customizations) -> windlass_assess::Checks {
    let mut checks = windlass_assess::Checks::new();
    let clock: windlass_assess::lua::Clock = std::sync::Arc::new(crate::rendering::seconds_now);
    for (kind, said) in customizations.kinds.iter().filter(|(_, said)| !said.health.is_empty()) {
        let script = windlass_assess::lua::Script::new(&said.health, clock.clone());
        if kind.contains('*') {
            let Ok(glob) = windlass_go::glob::Gobwas::compile(kind, &[]) else { continue };
            checks.insert_pattern(move |of| glob.is_match(&format!("{}/{}", of.group, of.kind)), script);
        } else {
            let (group, kind) = kind.rsplit_once('/').unwrap_or(("", kind));
            checks.insert(windlass_kube::GroupKind::new(group, kind), script);
        }
    }
    checks
}

impl Lens {
    /// What is kept of `object`.
    pub(crate) fn record(&self, object: &Object) -> LiveRecord {
        let owned = extract_owned(object, &self.field_manager).map(|owned| {
            // What was extracted is no object: give it back the parts that make `owned_form` take it.
            Digest::of_value(&owned_part(owned, self.status.of(&object.gvk().group, object.kind())))
        });
        let options = self.marks.options_of(object);
        let instance = tracking::instance_of(object, &self.tracking, self.installation.as_ref());
        let own_health = || self.own_checks.health(instance.as_ref()?, object);
        let health = self.checks.health_unless(object, own_health);
        let hook = matches!(self.marks.treatment_of(object), Treatment::Hook { .. });
        let begun = || match object.annotation(self.marks.hook_attempt) {
            Some(attempt) => attempt,
            None => object.str_at(&["metadata", "creationTimestamp"]),
        };
        LiveRecord {
            key: object.object_ref(),
            gvk: object.gvk(),
            uid: object.uid().into(),
            resource_version: object.resource_version().into(),
            owners: owner_uids(object),
            instance,
            owned,
            added: added_digest(object, &self.field_manager),
            health,
            health_ignored: windlass_assess::ignores_health(object),
            terminating: object.is_terminating(),
            hook,
            held_as_hook: object.at(&["metadata", "finalizers"]).and_then(Value::as_array).is_some_and(
                |finalizers| finalizers.iter().any(|it| it.as_str() == Some(self.marks.hook_finalizer)),
            ),
            keep_on_prune: options.keep_on_prune,
            confirm_prune: options.confirm_prune,
            keep_on_delete: options.keep_on_delete,
            uncounted: options.uncounted,
            confirm_delete: options.confirm_delete,
            images: windlass_assess::images(object).into(),
            last_writer: self.last_foreign_writer(object),
            applied: self.applied(object),
            begun: if hook { begun().into() } else { Str::default() },
        }
    }

    /// When our field manager last applied it.
    fn applied(&self, object: &Object) -> Option<Time> {
        let entries = object.at(&["metadata", "managedFields"])?.as_array()?;
        let ours = entries.iter().find(|entry| {
            entry.str_at(&["manager"]) == Some(&self.field_manager)
                && entry.str_at(&["operation"]) == Some("Apply")
                && entry.str_at(&["subresource"]).unwrap_or_default().is_empty()
        })?;
        ours.str_at(&["time"])?.parse().ok()
    }

    /// Who of the others wrote last, leaving out the writers of status.
    fn last_foreign_writer(&self, object: &Object) -> Option<Box<(Str, Str)>> {
        let entries = object.at(&["metadata", "managedFields"])?.as_array()?;
        entries
            .iter()
            .filter(|entry| entry.str_at(&["subresource"]).unwrap_or_default().is_empty())
            .filter_map(|entry| Some((entry.str_at(&["manager"])?, entry.str_at(&["time"])?)))
            .filter(|(manager, _)| *manager != self.field_manager)
            .max_by(|(_, a), (_, b)| a.cmp(b))
            .map(|(manager, time)| Box::new((manager.into(), time.into())))
    }
}

/// The owned part of a live object in the form of [`owned_form`].
fn owned_part(owned: Value, status: bool) -> Value {
    let mut shell = owned;
    let map = shell.object_mut();
    map.insert("apiVersion", "v1");
    map.insert("kind", "Owned");
    Object::try_new(shell).map(|object| owned_form(&object, status)).unwrap_or_default()
}

/// The uids of an object's owners.
pub(crate) fn owner_uids(object: &Object) -> Box<[Str]> {
    let owners = object.at(&["metadata", "ownerReferences"]).and_then(Value::as_array);
    owners.into_iter().flatten().filter_map(|owner| owner.str_at(&["uid"])).map(Str::from).collect()
}
