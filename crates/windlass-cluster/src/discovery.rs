//! What kinds an API server serves, and under which paths.

use std::collections::HashMap;
use std::sync::Arc;

use windlass_kube::{Gvk, Str, Value};

use crate::{ApiError, ClusterClient};

/// A kind as an API server serves it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Resource {
    /// Its group, version and kind.
    pub gvk: Gvk,
    /// Its name in paths, such as `deployments`.
    pub plural: Str,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// Whether it can be listed and watched.
    pub watchable: bool,
    /// Short names and the singular, for people who type.
    pub aliases: Box<[Str]>,
}

impl Resource {
    /// A resource that is known without asking.
    #[must_use]
    pub fn new(group: &str, version: &str, kind: &str, plural: &str, namespaced: bool) -> Self {
        Self {
            gvk: Gvk::new(group, version, kind),
            plural: plural.into(),
            namespaced,
            watchable: true,
            aliases: Box::default(),
        }
    }

    /// The path of its objects in `namespace`, or of all when that is empty.
    #[must_use]
    pub fn path(&self, namespace: &str) -> String {
        let mut path = if self.gvk.group.is_empty() {
            format!("/api/{}", self.gvk.version)
        } else {
            format!("/apis/{}/{}", self.gvk.group, self.gvk.version)
        };
        if self.namespaced && !namespace.is_empty() {
            path.push_str("/namespaces/");
            path.push_str(namespace);
        }
        path.push('/');
        path.push_str(&self.plural);
        path
    }
}

/// All kinds of an API server, as of one moment. A clone shares the table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Discovery(Arc<Table>);

#[derive(Debug, Default, PartialEq)]
struct Table {
    by_gvk: HashMap<Gvk, Resource>,
    /// The versions of each kind, preferred first.
    versions: HashMap<(Str, Str), Vec<Str>>,
    /// What [`Discovery::api_versions`] gives.
    api_versions: Arc<[Str]>,
    /// The version of Kubernetes.
    kubernetes: Str,
}

impl Discovery {
    /// The kind at exactly this version.
    #[must_use]
    pub fn resource(&self, group: &str, version: &str, kind: &str) -> Option<&Resource> {
        self.0.by_gvk.get(&Gvk::new(group, version, kind))
    }

    /// The kind at the version the server prefers.
    #[must_use]
    pub fn preferred(&self, group: &str, kind: &str) -> Option<&Resource> {
        let version = self.0.versions.get(&(group.into(), kind.into()))?.first()?;
        self.resource(group, version, kind)
    }

    /// The kind at exactly this version, or at the preferred one where that version is not served.
    #[must_use]
    pub fn serving(&self, gvk: &Gvk) -> Option<&Resource> {
        self.0.by_gvk.get(gvk).or_else(|| self.preferred(&gvk.group, &gvk.kind))
    }

    /// The kind that a person names by kind, plural, singular or short name, with or without `.group`.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Resource> {
        let lower = name.to_lowercase();
        let (name, group) = lower.split_once('.').map_or((lower.as_str(), None), |(n, g)| (n, Some(g)));
        let mut found: Vec<&Resource> = self
            .all()
            .filter(|resource| group.is_none_or(|group| resource.gvk.group == group))
            .filter(|resource| {
                resource.plural == name
                    || resource.gvk.kind.to_lowercase() == name
                    || resource.aliases.iter().any(|alias| alias == name)
            })
            .collect();
        // Core first, then by group, so that `pods` never means a metric.
        found.sort_by(|a, b| a.gvk.group.cmp(&b.gvk.group));
        found.first().and_then(|first| self.preferred(&first.gvk.group, &first.gvk.kind))
    }

    /// Every kind at every version.
    pub fn all(&self) -> impl Iterator<Item = &Resource> {
        self.0.by_gvk.values()
    }

    /// `group/version` and `group/version/Kind` of everything served, sorted: what Helm calls API versions.
    #[must_use]
    pub fn api_versions(&self) -> &Arc<[Str]> {
        &self.0.api_versions
    }

    /// The version of Kubernetes as the server gives it, such as `v1.36.3`; empty when it does not tell.
    #[must_use]
    pub fn kubernetes(&self) -> &Str {
        &self.0.kubernetes
    }
}

impl FromIterator<Resource> for Discovery {
    fn from_iter<I: IntoIterator<Item = Resource>>(resources: I) -> Self {
        let mut table = Table::default();
        for resource in resources {
            let versions =
                table.versions.entry((resource.gvk.group.clone(), resource.gvk.kind.clone())).or_default();
            if !versions.contains(&resource.gvk.version) {
                versions.push(resource.gvk.version.clone());
            }
            table.by_gvk.insert(resource.gvk.clone(), resource);
        }
        let mut api_versions: Vec<Str> = table
            .by_gvk
            .keys()
            .flat_map(|gvk| {
                let api_version = gvk.api_version();
                [format!("{api_version}/{}", gvk.kind).into(), api_version]
            })
            .collect();
        api_versions.sort();
        api_versions.dedup();
        table.api_versions = api_versions.into();
        Self(Arc::new(table))
    }
}

/// The media type of aggregated discovery: everything in two calls.
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";

impl ClusterClient {
    /// Asks which kinds the server serves, and its version: three calls, by aggregated discovery (Kubernetes 1.27 and
    /// later).
    ///
    /// # Errors
    ///
    /// [`ApiError`] when a call fails or the server is too old to answer in aggregated form.
    pub async fn discover(&self) -> Result<Discovery, ApiError> {
        let mut resources = Vec::new();
        for path in ["/api", "/apis"] {
            let list = self.get_accepting(path, AGGREGATED).await?;
            if list.str_at(&["kind"]) != Some("APIGroupDiscoveryList") {
                return Err(ApiError::Decode {
                    request: format!("GET {path}"),
                    problem: "it is no APIGroupDiscoveryList: Kubernetes 1.27 or later is needed".into(),
                });
            }
            for group in list.items_at(&["items"]) {
                resources.extend(resources_of(group));
            }
        }
        let version = match self.get_path("/version").await {
            Ok(version) => version.str_at(&["gitVersion"]).unwrap_or_default().into(),
            Err(error) if error.is_transient() => return Err(error),
            // Whoever may not ask does without.
            Err(_) => Str::default(),
        };
        let mut discovery: Discovery = resources.into_iter().collect();
        if let Some(table) = Arc::get_mut(&mut discovery.0) {
            table.kubernetes = version;
        }
        Ok(discovery)
    }
}

fn resources_of(group: &Value) -> Vec<Resource> {
    let name = group.str_at(&["metadata", "name"]).unwrap_or_default();
    let mut found = Vec::new();
    for version in group.items_at(&["versions"]) {
        let version_name = version.str_at(&["version"]).unwrap_or_default();
        for resource in version.items_at(&["resources"]) {
            // An item without a kind of its own only carries subresources.
            let Some(kind) = resource.str_at(&["responseKind", "kind"]).filter(|kind| !kind.is_empty())
            else {
                continue;
            };
            let has =
                |verb: &str| resource.items_at(&["verbs"]).iter().any(|have| have.as_str() == Some(verb));
            let singular = resource.at(&["singularResource"]).into_iter();
            let aliases = resource.items_at(&["shortNames"]).iter().chain(singular);
            found.push(Resource {
                gvk: Gvk::new(name, version_name, kind),
                plural: resource.str_at(&["resource"]).unwrap_or_default().into(),
                namespaced: resource.str_at(&["scope"]) == Some("Namespaced"),
                watchable: has("list") && has("watch"),
                aliases: aliases.filter_map(Value::as_str).map(Str::from).collect(),
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use windlass_kube::value;

    use super::*;

    #[test]
    fn aggregated_discovery_is_read() {
        let group = value!({
            "metadata": {"name": "apps"},
            "versions": [{"version": "v1", "resources": [
                {"resource": "deployments", "responseKind": {"group": "", "kind": "Deployment", "version": ""},
                 "scope": "Namespaced", "singularResource": "deployment", "shortNames": ["deploy"],
                 "verbs": ["get", "list", "watch"]}
            ]}]
        });
        let discovery: Discovery = resources_of(&group).into_iter().collect();
        let deployments = discovery.preferred("apps", "Deployment").unwrap();
        assert_eq!(deployments.path("web"), "/apis/apps/v1/namespaces/web/deployments");
        assert!(deployments.watchable && deployments.namespaced);
        assert_eq!(discovery.named("deploy"), Some(deployments));
        assert_eq!(discovery.named("Deployment.apps"), Some(deployments));
        assert_eq!(discovery.named("pods"), None);
        assert_eq!(**discovery.api_versions(), ["apps/v1", "apps/v1/Deployment"].map(Str::from));
        assert_eq!(Resource::new("", "v1", "Node", "nodes", false).path("x"), "/api/v1/nodes");
    }
}
