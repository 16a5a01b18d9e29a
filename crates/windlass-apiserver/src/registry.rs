//! Which resources are served: the built-in ones, and those that definitions add.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, RwLock};

use windlass_kube::{Gvk, Str, Value};

use crate::recorded;
use crate::resource::{Gvr, Resource, Subresource};

/// The resources that are served now.
pub(crate) struct Registry {
    current: RwLock<Arc<Resources>>,
    /// Counts changes, so that what is derived from the resources knows when it is out of date.
    edition: AtomicU64,
}

/// A set of resources, immutable.
#[derive(Clone, Default)]
pub(crate) struct Resources {
    by_gvr: HashMap<Gvr, Arc<Resource>>,
    by_gvk: HashMap<Gvk, Arc<Resource>>,
    /// In the order of discovery.
    ordered: Vec<Arc<Resource>>,
}

impl Registry {
    pub(crate) fn new() -> Self {
        Self { current: RwLock::new(built_in().clone()), edition: AtomicU64::new(0) }
    }

    /// The resources now.
    pub(crate) fn current(&self) -> Arc<Resources> {
        self.current.read().expect("no panic under this lock").clone()
    }

    pub(crate) fn get(&self, gvr: &Gvr) -> Option<Arc<Resource>> {
        self.current.read().expect("no panic under this lock").by_gvr.get(gvr).cloned()
    }

    pub(crate) fn by_kind(&self, gvk: &Gvk) -> Option<Arc<Resource>> {
        self.current.read().expect("no panic under this lock").by_gvk.get(gvk).cloned()
    }

    /// How often the resources have changed.
    pub(crate) fn edition(&self) -> u64 {
        self.edition.load(Ordering::Acquire)
    }

    /// Replaces the custom resources called `plural.group` at all versions; none removes them.
    pub(crate) fn replace(&self, group: &str, plural: &str, versions: Vec<Resource>) {
        let mut current = self.current.write().expect("no panic under this lock");
        let kept = current.ordered.iter().filter(|resource| {
            resource.gvr.group != group || resource.gvr.resource != plural || resource.custom.is_none()
        });
        let mut ordered: Vec<Arc<Resource>> = kept.cloned().collect();
        ordered.extend(versions.into_iter().map(Arc::new));
        *current = Arc::new(Resources::new(ordered));
        self.edition.fetch_add(1, Ordering::AcqRel);
    }
}

impl Resources {
    fn new(ordered: Vec<Arc<Resource>>) -> Self {
        let mut resources = Self::default();
        for resource in &ordered {
            resources.by_gvr.insert(resource.gvr.clone(), resource.clone());
            resources.by_gvk.insert(resource.gvk(), resource.clone());
        }
        Self { ordered, ..resources }
    }

    /// All of them, in the order of discovery; custom ones last.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.ordered.iter()
    }

    /// Whether some resource is of this group and version.
    pub(crate) fn has_group_version(&self, group: &str, version: &str) -> bool {
        self.ordered.iter().any(|resource| resource.gvr.group == group && resource.gvr.version == version)
    }
}

/// The built-in resources, read from the recorded discovery once.
fn built_in() -> &'static Arc<Resources> {
    static BUILT_IN: OnceLock<Arc<Resources>> = OnceLock::new();
    BUILT_IN.get_or_init(|| {
        let mut ordered = Vec::new();
        let hashes = recorded::document("storage-version-hashes").unwrap_or_default();
        for name in ["discovery/api", "discovery/apis"] {
            let document = recorded::document(name).unwrap_or_default();
            for group in document.items_at(&["items"]) {
                let group_name = group.str_at(&["metadata", "name"]).unwrap_or_default();
                for version in group.items_at(&["versions"]) {
                    let version_name = version.str_at(&["version"]).unwrap_or_default();
                    for resource in version.items_at(&["resources"]) {
                        ordered.push(Arc::new(read_resource(group_name, version_name, resource, &hashes)));
                    }
                }
            }
        }
        Arc::new(Resources::new(ordered))
    })
}

fn texts(value: &Value, key: &str) -> Vec<Str> {
    value.items_at(&[key]).iter().filter_map(Value::as_str).map(Str::new).collect()
}

fn read_resource(group: &str, version: &str, resource: &Value, hashes: &Value) -> Resource {
    let text = |key: &str| resource.str_at(&[key]).unwrap_or_default();
    let plural = text("resource");
    let kind = resource.str_at(&["responseKind", "kind"]).unwrap_or_default();
    let (storage, storage_gvk) = storage(group, version, plural, kind);
    Resource {
        gvr: Gvr::new(group, version, plural),
        kind: kind.into(),
        singular: text("singularResource").into(),
        short_names: texts(resource, "shortNames"),
        categories: texts(resource, "categories"),
        namespaced: text("scope") == "Namespaced",
        verbs: texts(resource, "verbs"),
        subresources: resource.items_at(&["subresources"]).iter().map(read_subresource).collect(),
        storage_version_hash: hashes
            .str_at(&[&format!("{group}/{version}/{plural}")])
            .unwrap_or_default()
            .into(),
        storage,
        storage_gvk,
        custom: None,
    }
}

fn read_subresource(subresource: &Value) -> Subresource {
    let kind = |key: &str| subresource.str_at(&["responseKind", key]).unwrap_or_default();
    Subresource {
        name: subresource.str_at(&["subresource"]).unwrap_or_default().into(),
        kind: Gvk::new(kind("group"), kind("version"), kind("kind")),
        verbs: texts(subresource, "verbs"),
    }
}

/// Where a built-in resource is stored, and as what. Kubernetes 1.36 serves two kinds in more than one form:
/// events, which two groups share, and horizontal pod autoscalers.
fn storage(group: &str, version: &str, plural: &str, kind: &str) -> (Str, Gvk) {
    match (group, plural) {
        ("events.k8s.io", "events") => ("/events".into(), Gvk::new("", "v1", "Event")),
        ("autoscaling", "horizontalpodautoscalers") => {
            ("autoscaling/horizontalpodautoscalers".into(), Gvk::new(group, "v2", kind))
        }
        _ => (format!("{group}/{plural}").into(), Gvk::new(group, version, kind)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_built_in_resources() {
        let registry = Registry::new();
        let deployments = registry.get(&Gvr::new("apps", "v1", "deployments")).unwrap();
        assert_eq!((deployments.kind.as_str(), deployments.namespaced), ("Deployment", true));
        assert_eq!(deployments.short_names, ["deploy"]);
        assert_eq!(deployments.categories, ["all"]);
        assert!(deployments.has_verb("deletecollection"));
        assert_eq!(deployments.subresource("scale").unwrap().kind, Gvk::new("autoscaling", "v1", "Scale"));
        assert!(registry.by_kind(&Gvk::new("", "v1", "Namespace")).is_some_and(|found| !found.namespaced));
        assert!(!deployments.storage_version_hash.is_empty());
    }
}
