//! Tracking marks: how an object says which Unit it belongs to.

use std::fmt;
use std::str::FromStr;

use windlass_kube::{Object, Str};

use crate::{Ownership, Tracking};

/// The API server refuses a label value of more bytes.
const LABEL_VALUE_LIMIT: usize = 63;

/// A tracking mark as its annotation spells it: `<instance>:<group>/<kind>:<namespace>/<name>`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TrackingId {
    /// The name of the Unit.
    pub instance: Str,
    /// The API group; empty for core.
    pub group: Str,
    /// The kind.
    pub kind: Str,
    /// The namespace; for a cluster-scoped object whatever namespace its Unit deploys to.
    pub namespace: Str,
    /// The name.
    pub name: Str,
}

/// The text is no tracking id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a tracking id is written <instance>:<group>/<kind>:<namespace>/<name>, this is {0:?}")]
pub struct NotATrackingId(pub Str);

impl TrackingId {
    /// The id that `object` gets as a part of `instance`; `default_namespace` stands in where it names none.
    #[must_use]
    pub fn of(object: &Object, instance: &str, default_namespace: &str) -> Self {
        let gvk = object.gvk();
        let namespace = if object.namespace().is_empty() { default_namespace } else { object.namespace() };
        Self {
            instance: instance.into(),
            group: gvk.group,
            kind: gvk.kind,
            namespace: namespace.into(),
            name: object.name().into(),
        }
    }

    /// Whether the id names `object` itself: one that was copied along with other annotations does not.
    ///
    /// The namespace of a cluster-scoped object does not count.
    #[must_use]
    pub fn names(&self, object: &Object) -> bool {
        let gvk = object.gvk();
        self.group == gvk.group
            && self.kind == gvk.kind
            && self.name == object.name()
            && (object.namespace().is_empty() || self.namespace == object.namespace())
    }
}

/// Prints the annotation's text.
impl fmt::Display for TrackingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { instance, group, kind, namespace, name } = self;
        write!(f, "{instance}:{group}/{kind}:{namespace}/{name}")
    }
}

/// Reads an annotation's text: exactly two colons count (the third part keeps any further ones), and each of
/// the last two parts has exactly one slash.
impl FromStr for TrackingId {
    type Err = NotATrackingId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        fn pair(text: &str) -> Option<(&str, &str)> {
            text.split_once('/').filter(|(_, rest)| !rest.contains('/'))
        }
        let mut parts = text.splitn(3, ':');
        let (instance, kind, name) = (parts.next(), parts.next(), parts.next());
        let (Some(instance), Some((group, kind)), Some((namespace, name))) =
            (instance, kind.and_then(pair), name.and_then(pair))
        else {
            return Err(NotATrackingId(text.into()));
        };
        Ok(Self {
            instance: instance.into(),
            group: group.into(),
            kind: kind.into(),
            namespace: namespace.into(),
            name: name.into(),
        })
    }
}

/// Which of several control planes on one cluster an object belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Installation {
    /// The annotation's key.
    pub key: Str,
    /// The id; empty where there is one control plane only, and then the annotation is removed.
    pub id: Str,
}

/// Marks `object` as part of the Unit that `ownership` describes.
///
/// `default_namespace` goes into the mark of an object that names no namespace. CustomResourceDefinitions are
/// to be left out by the caller where the dialect does so.
pub fn stamp(object: &mut Object, ownership: &Ownership, default_namespace: &str) {
    let annotation = match &ownership.tracking {
        Tracking::Label { key } => {
            object.set_at(&["metadata", "labels", key], ownership.instance.clone());
            None
        }
        Tracking::Annotation { key } => Some(key),
        Tracking::AnnotationAndLabel { annotation, label } => {
            object.set_at(&["metadata", "labels", label], label_value(&ownership.instance));
            Some(annotation)
        }
    };
    let Some(key) = annotation else { return };
    if let Some(Installation { key, id }) = &ownership.installation {
        if id.is_empty() {
            object.remove_at(&["metadata", "annotations", key]);
        } else {
            object.set_at(&["metadata", "annotations", key], id.clone());
        }
    }
    let id = TrackingId::of(object, &ownership.instance, default_namespace);
    object.set_at(&["metadata", "annotations", key], id.to_string());
}

/// The instance that the mark of `object` names, if the mark is its own.
///
/// Outside label tracking an id counts only when it names the object that carries it, so that copies which
/// inherited the annotation belong to nobody, and only when it is of this `installation`. A label is believed.
#[must_use]
pub fn instance_of(object: &Object, tracking: &Tracking, installation: Option<&Installation>) -> Option<Str> {
    let key = match tracking {
        Tracking::Label { key } => return object.label(key).filter(|label| !label.is_empty()).map(Str::from),
        Tracking::Annotation { key } | Tracking::AnnotationAndLabel { annotation: key, .. } => key,
    };
    if installation.is_some_and(|own| !own.id.is_empty() && object.annotation(&own.key) != Some(&own.id)) {
        return None;
    }
    let id: TrackingId = object.annotation(key)?.parse().ok()?;
    id.names(object).then_some(id.instance)
}

/// The instance as a label value: cut to 63 bytes, and then to the last letter or digit.
///
/// An instance without a letter or digit gives an empty value, which is a valid label.
#[must_use]
pub fn label_value(instance: &str) -> Str {
    if instance.len() <= LABEL_VALUE_LIMIT {
        return instance.into();
    }
    let mut end = LABEL_VALUE_LIMIT;
    while !instance.is_char_boundary(end) {
        end -= 1;
    }
    instance[..end].trim_end_matches(|last: char| !last.is_ascii_alphanumeric()).into()
}

#[cfg(test)]
mod tests {
    use windlass_kube::value;

    use super::*;

    // How marks are spelt is held to Argo CD's own answers in `windlass-argo/tests/oracle.rs`.

    fn object(namespace: &str, annotation: &str) -> Object {
        let object = value!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": namespace, "annotations": {"mark": annotation}}
        });
        Object::try_new(object).unwrap()
    }

    #[test]
    fn a_copied_mark_belongs_to_nobody() {
        let tracking = Tracking::Annotation { key: "mark".into() };
        let instance = |object: &Object| instance_of(object, &tracking, None);
        assert_eq!(instance(&object("shop", "a:apps/Deployment:shop/web")), Some("a".into()));
        assert_eq!(instance(&object("shop", "a:apps/ReplicaSet:shop/web")), None);
        assert_eq!(instance(&object("shop", "a:apps/Deployment:other/web")), None);
        assert_eq!(
            instance(&object("", "a:apps/Deployment:wherever/web")),
            Some("a".into()),
            "no namespace to compare"
        );
    }

    #[test]
    fn a_label_is_cut_to_what_the_api_takes() {
        let long = format!("{}-._x", "a".repeat(61));
        assert_eq!(label_value(&long), "a".repeat(61));
        assert_eq!(label_value("short-"), "short-");
        assert_eq!(label_value(&"-".repeat(70)), "");
    }
}
