//! Dynamic objects and the names of things: kinds, groups, references.

use std::fmt;
use std::str::FromStr;

use crate::{Map, Str, Value};

/// A group, version and kind, such as `apps/v1 Deployment`. The core group is empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Gvk {
    /// The API group; empty for core.
    pub group: Str,
    /// The version, such as `v1`.
    pub version: Str,
    /// The kind, such as `Deployment`.
    pub kind: Str,
}

/// A group and kind, whatever the version.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupKind {
    /// The API group; empty for core.
    pub group: Str,
    /// The kind, such as `Deployment`.
    pub kind: Str,
}

/// One object of a cluster, named independently of the version it is read at.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectRef {
    /// The API group; empty for core.
    pub group: Str,
    /// The kind, such as `Deployment`.
    pub kind: Str,
    /// The namespace; empty for a cluster-scoped object.
    pub namespace: Str,
    /// The name.
    pub name: Str,
}

impl Gvk {
    /// Names a kind.
    #[must_use]
    pub fn new(group: impl Into<Str>, version: impl Into<Str>, kind: impl Into<Str>) -> Self {
        Self { group: group.into(), version: version.into(), kind: kind.into() }
    }

    /// Splits an `apiVersion` such as `apps/v1` or `v1`.
    #[must_use]
    pub fn from_api_version(api_version: &str, kind: impl Into<Str>) -> Self {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        Self::new(group, version, kind)
    }

    /// The `apiVersion` as objects write it.
    #[must_use]
    pub fn api_version(&self) -> Str {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version).into()
        }
    }

    /// Without the version.
    #[must_use]
    pub fn group_kind(&self) -> GroupKind {
        GroupKind { group: self.group.clone(), kind: self.kind.clone() }
    }
}

/// Prints `apps/v1 Deployment`.
impl fmt::Display for Gvk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.api_version(), self.kind)
    }
}

impl GroupKind {
    /// Names a kind.
    #[must_use]
    pub fn new(group: impl Into<Str>, kind: impl Into<Str>) -> Self {
        Self { group: group.into(), kind: kind.into() }
    }
}

/// Prints `Deployment.apps`, or `Pod` for the core group.
impl fmt::Display for GroupKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.group.is_empty() {
            f.write_str(&self.kind)
        } else {
            write!(f, "{}.{}", self.kind, self.group)
        }
    }
}

impl ObjectRef {
    /// Names an object; an empty namespace means cluster-scoped.
    #[must_use]
    pub fn new(
        group: impl Into<Str>,
        kind: impl Into<Str>,
        namespace: impl Into<Str>,
        name: impl Into<Str>,
    ) -> Self {
        Self { group: group.into(), kind: kind.into(), namespace: namespace.into(), name: name.into() }
    }

    /// Its kind.
    #[must_use]
    pub fn group_kind(&self) -> GroupKind {
        GroupKind::new(self.group.clone(), self.kind.clone())
    }
}

/// Prints `Deployment.apps web/shop`: kind, then namespace and name as `kubectl` users read them.
impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.group_kind())?;
        if !self.namespace.is_empty() {
            write!(f, "{}/", self.namespace)?;
        }
        f.write_str(&self.name)
    }
}

/// A Kubernetes object of any kind: a JSON object with `apiVersion`, `kind` and `metadata`.
///
/// A clone shares everything with its origin until one of them is written to.
#[derive(Clone, PartialEq)]
pub struct Object(Map);

/// Why a value is not a Kubernetes object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAnObject {
    /// The value is a scalar or a list.
    #[error("a Kubernetes object must be a mapping, this is a {0}")]
    NotAMapping(&'static str),
    /// `apiVersion` or `kind` is absent, empty or not a string.
    #[error("{0} is not set")]
    Missing(&'static str),
    /// `metadata` is there but is no mapping.
    #[error("metadata must be a mapping")]
    Metadata,
}

impl Object {
    /// Takes a value that has `apiVersion` and `kind`; `metadata`, if there, must be a mapping.
    ///
    /// # Errors
    ///
    /// [`NotAnObject`] says what is missing.
    pub fn try_new(value: Value) -> Result<Self, NotAnObject> {
        let Value::Object(map) = value else { return Err(NotAnObject::NotAMapping(value.type_name())) };
        for key in ["apiVersion", "kind"] {
            if map.get(key).and_then(Value::as_str).is_none_or(str::is_empty) {
                return Err(NotAnObject::Missing(key));
            }
        }
        if map.get("metadata").is_some_and(|metadata| !matches!(metadata, Value::Object(_) | Value::Null)) {
            return Err(NotAnObject::Metadata);
        }
        Ok(Self(map))
    }

    /// Its members.
    #[must_use]
    pub fn as_map(&self) -> &Map {
        &self.0
    }

    /// As a value; shares its content.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::Object(self.0.clone())
    }

    /// As a value.
    #[must_use]
    pub fn into_value(self) -> Value {
        Value::Object(self.0)
    }

    /// The member under `path`.
    #[must_use]
    pub fn at(&self, path: &[&str]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        self.0.get(first)?.at(rest)
    }

    /// The string under `path`, empty when absent.
    #[must_use]
    pub fn str_at(&self, path: &[&str]) -> &str {
        self.at(path).and_then(Value::as_str).unwrap_or_default()
    }

    /// The items of an array below the object; none when it is absent or of another type.
    #[must_use]
    pub fn items_at(&self, path: &[&str]) -> &[Value] {
        self.at(path).and_then(Value::as_array).map_or(&[], |items| items)
    }

    /// Sets the member under `path`, making objects on the way.
    pub fn set_at(&mut self, path: &[&str], value: impl Into<Value>) {
        if let Some((first, rest)) = path.split_first() {
            self.0.entry(first).set_at(rest, value);
        }
    }

    /// Removes and returns the member under `path`.
    pub fn remove_at(&mut self, path: &[&str]) -> Option<Value> {
        match path {
            [] => None,
            [only] => self.0.remove(only),
            [first, rest @ ..] => self.0.get_mut(first)?.remove_at(rest),
        }
    }

    /// `apiVersion`.
    #[must_use]
    pub fn api_version(&self) -> &str {
        self.str_at(&["apiVersion"])
    }

    /// `kind`.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.str_at(&["kind"])
    }

    /// Its group, version and kind.
    #[must_use]
    pub fn gvk(&self) -> Gvk {
        Gvk::from_api_version(self.api_version(), self.kind())
    }

    /// `metadata.name`, empty when absent (as with `generateName`).
    #[must_use]
    pub fn name(&self) -> &str {
        self.str_at(&["metadata", "name"])
    }

    /// `metadata.namespace`, empty when absent.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.str_at(&["metadata", "namespace"])
    }

    /// `metadata.uid`, empty when absent.
    #[must_use]
    pub fn uid(&self) -> &str {
        self.str_at(&["metadata", "uid"])
    }

    /// `metadata.resourceVersion`, empty when absent.
    #[must_use]
    pub fn resource_version(&self) -> &str {
        self.str_at(&["metadata", "resourceVersion"])
    }

    /// `metadata.generation`, 0 when absent.
    #[must_use]
    pub fn generation(&self) -> i64 {
        self.at(&["metadata", "generation"]).and_then(Value::as_int).unwrap_or(0)
    }

    /// The annotation `key`.
    #[must_use]
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.at(&["metadata", "annotations", key])?.as_str()
    }

    /// The label `key`.
    #[must_use]
    pub fn label(&self, key: &str) -> Option<&str> {
        self.at(&["metadata", "labels", key])?.as_str()
    }

    /// Whether `metadata.deletionTimestamp` is set.
    #[must_use]
    pub fn is_terminating(&self) -> bool {
        self.at(&["metadata", "deletionTimestamp"]).is_some_and(|at| !at.is_null())
    }

    /// What names this object in a cluster.
    #[must_use]
    pub fn object_ref(&self) -> ObjectRef {
        let gvk = self.gvk();
        ObjectRef::new(gvk.group, gvk.kind, self.namespace(), self.name())
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_value(), f)
    }
}

impl TryFrom<Value> for Object {
    type Error = NotAnObject;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        Self::try_new(value)
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        object.into_value()
    }
}

/// Reads `Deployment.apps`.
impl FromStr for GroupKind {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (kind, group) = text.split_once('.').unwrap_or((text, ""));
        Ok(Self::new(group, kind))
    }
}
