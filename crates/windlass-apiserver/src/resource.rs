//! Names of resources, and what the API knows of each.

use std::fmt;
use std::sync::Arc;

use windlass_kube::{GroupKind, Gvk, Str};

/// A resource, whatever the version: `deployments.apps`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupResource {
    /// The API group; empty for core.
    pub group: Str,
    /// The plural, such as `deployments`.
    pub resource: Str,
}

/// A resource at a version, such as `apps/v1 deployments`: what a URL names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Gvr {
    /// The API group; empty for core.
    pub group: Str,
    /// The version, such as `v1`.
    pub version: Str,
    /// The plural, such as `deployments`.
    pub resource: Str,
}

impl GroupResource {
    /// Names a resource.
    #[must_use]
    pub fn new(group: impl Into<Str>, resource: impl Into<Str>) -> Self {
        Self { group: group.into(), resource: resource.into() }
    }
}

/// Prints `deployments.apps`, or `pods` for the core group.
impl fmt::Display for GroupResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.resource)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        Ok(())
    }
}

impl Gvr {
    /// Names a resource at a version.
    #[must_use]
    pub fn new(group: impl Into<Str>, version: impl Into<Str>, resource: impl Into<Str>) -> Self {
        Self { group: group.into(), version: version.into(), resource: resource.into() }
    }

    /// Without the version.
    #[must_use]
    pub fn group_resource(&self) -> GroupResource {
        GroupResource { group: self.group.clone(), resource: self.resource.clone() }
    }

    /// `apps/v1`, or `v1` for the core group.
    #[must_use]
    pub fn group_version(&self) -> Str {
        group_version(&self.group, &self.version)
    }
}

/// Prints `apps/v1 deployments`.
impl fmt::Display for Gvr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.group_version(), self.resource)
    }
}

/// `apps/v1`, or `v1` for the core group.
pub(crate) fn group_version(group: &str, version: &str) -> Str {
    if group.is_empty() { version.into() } else { format!("{group}/{version}").into() }
}

/// What the API knows of one resource at one version.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Its name.
    pub gvr: Gvr,
    /// The kind of its objects.
    pub kind: Str,
    /// Its name in the singular.
    pub singular: Str,
    /// Its other names, such as `deploy`.
    pub short_names: Vec<Str>,
    /// The sets it belongs to, such as `all`.
    pub categories: Vec<Str>,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// What can be done with it.
    pub verbs: Vec<Str>,
    /// Its subresources.
    pub subresources: Vec<Subresource>,
    /// What tells clients that two resources are stored as one.
    pub storage_version_hash: Str,
    /// Where it is stored, `group/resource`: two groups may share one store, as events do.
    pub storage: Str,
    /// The version it is stored at.
    pub storage_gvk: Gvk,
    /// The definition, where it is a custom resource.
    pub custom: Option<Arc<crate::custom::CustomVersion>>,
}

/// What the API knows of one subresource.
#[derive(Clone, Debug)]
pub struct Subresource {
    /// Its name, such as `status`.
    pub name: Str,
    /// The kind it is read and written as; an empty group and version mean those of the resource.
    pub kind: Gvk,
    /// What can be done with it.
    pub verbs: Vec<Str>,
}

impl Resource {
    /// The kind of its objects.
    #[must_use]
    pub fn gvk(&self) -> Gvk {
        Gvk::new(self.gvr.group.clone(), self.gvr.version.clone(), self.kind.clone())
    }

    /// The kind of its objects, whatever the version.
    #[must_use]
    pub fn group_kind(&self) -> GroupKind {
        GroupKind::new(self.gvr.group.clone(), self.kind.clone())
    }

    /// The resource, whatever the version.
    #[must_use]
    pub fn group_resource(&self) -> GroupResource {
        self.gvr.group_resource()
    }

    /// Whether the verb is offered on the resource itself.
    #[must_use]
    pub fn has_verb(&self, verb: &str) -> bool {
        self.verbs.iter().any(|have| have == verb)
    }

    /// The webhook that converts between its versions, where there is one.
    pub(crate) fn conversion(&self) -> Option<(&crate::custom::CustomVersion, &crate::custom::Conversion)> {
        let custom = self.custom.as_deref()?;
        Some((custom, custom.conversion.as_deref()?))
    }

    /// The kind that a subresource is read and written as.
    #[must_use]
    pub fn kind_of(&self, subresource: &Subresource) -> Gvk {
        let kind = &subresource.kind;
        if kind.group.is_empty() && kind.version.is_empty() {
            return Gvk::new(self.gvr.group.clone(), self.gvr.version.clone(), kind.kind.clone());
        }
        kind.clone()
    }

    /// The subresource `name`.
    #[must_use]
    pub fn subresource(&self, name: &str) -> Option<&Subresource> {
        self.subresources.iter().find(|subresource| subresource.name == name)
    }
}
