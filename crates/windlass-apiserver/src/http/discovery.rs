//! What the API says it serves, in both forms: one document for all, and one for each group and version.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use windlass_kube::{Map, Str, Value, value};

use super::accept::{Endpoint, Media, negotiate};
use super::answer::{self, json_bytes};
use super::body::Body;
use super::header_text;
use super::verbs::not_acceptable;
use crate::recorded;
use crate::registry::{Registry, Resources};
use crate::resource::{Resource, group_version};
use crate::status::Status;

/// The media type of the document for all groups.
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// The document for all groups, made anew when the resources change.
#[derive(Default)]
pub(super) struct Discovery {
    groups: Mutex<Option<(u64, Arc<Tagged>)>>,
}

/// A document and what identifies its content.
struct Tagged {
    json: Bytes,
    tag: String,
}

impl Tagged {
    fn new(json: Bytes) -> Self {
        let tag = tag_of(&json);
        Self { json, tag }
    }
}

/// Identifies content, as ETag and as the hash in the addresses of documents.
pub(super) fn tag_of(bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    format!("{:016X}", hasher.finish())
}

/// The version this server says it is: Kubernetes' own with a mark of ours.
pub(super) fn version() -> Bytes {
    let mut version = recorded::document("version").unwrap_or_default();
    version.set_at(&["gitVersion"], format!("{}+windlass", recorded::KUBERNETES_VERSION));
    version.set_at(&["gitCommit"], "");
    version.set_at(&["goVersion"], "");
    version.set_at(&["compiler"], "rustc");
    json_bytes(&version)
}

impl Discovery {
    /// The paths there are.
    #[expect(clippy::unused_self, reason = "one of the answers of discovery")]
    pub(super) fn root(&self, registry: &Registry) -> Response<Body> {
        let mut paths: Vec<Str> = ["/api", "/api/v1", "/apis", "/apis/"].into_iter().map(Str::new).collect();
        for (group, versions) in groups(&registry.current()) {
            if !group.is_empty() {
                paths.push(format!("/apis/{group}").into());
                paths.extend(versions.iter().map(|version| Str::from(format!("/apis/{group}/{version}"))));
            }
        }
        paths.extend(
            ["/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version"].map(Str::new),
        );
        let paths: Vec<Value> = paths.into_iter().map(Value::from).collect();
        answer::value(200, &value!({"paths": paths}))
    }

    /// Answers below `/api` and `/apis`.
    pub(super) fn answer(
        &self,
        registry: &Registry,
        words: &[&str],
        parts: &http::request::Parts,
    ) -> Result<Response<Body>, Status> {
        let resources = registry.current();
        match words {
            ["api" | "apis"] if wants_aggregated(parts) => Ok(self.aggregated(registry, words[0], parts)),
            ["api"] => Ok(answer::value(
                200,
                &value!({
                    "kind": "APIVersions", "versions": ["v1"],
                    "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": (host(parts))}]
                }),
            )),
            ["apis"] => {
                let groups: Vec<Value> = groups(&resources)
                    .into_iter()
                    .filter(|(group, _)| !group.is_empty())
                    .map(|(group, versions)| group_value(&group, &versions))
                    .collect();
                Ok(answer::value(
                    200,
                    &value!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}),
                ))
            }
            ["api", version] => resource_list(&resources, "", version),
            ["apis", group] => match groups(&resources).into_iter().find(|(have, _)| have == group) {
                Some((group, versions)) => {
                    let mut value = group_value(&group, &versions);
                    value.set_at(&["kind"], "APIGroup");
                    value.set_at(&["apiVersion"], "v1");
                    Ok(answer::value(200, &value))
                }
                None => Ok(answer::text(404, "404 page not found\n")),
            },
            ["apis", group, version] => resource_list(&resources, group, version),
            _ => Ok(answer::text(404, "404 page not found\n")),
        }
    }

    fn aggregated(&self, registry: &Registry, which: &str, parts: &http::request::Parts) -> Response<Body> {
        let tagged = if which == "api" {
            let document = recorded::bytes("discovery/api").unwrap_or_default();
            Arc::new(Tagged::new(document.into()))
        } else {
            let mut cached = self.groups.lock().expect("no panic under this lock");
            let edition = registry.edition();
            match &*cached {
                Some((of, tagged)) if *of == edition => tagged.clone(),
                _ => {
                    let tagged = Arc::new(Tagged::new(json_bytes(&all_groups(&registry.current()))));
                    *cached = Some((edition, tagged.clone()));
                    tagged
                }
            }
        };
        let quoted = format!("\"{}\"", tagged.tag);
        let known = parts.headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
        let mut response = if known == Some(quoted.as_str()) {
            answer::json(304, Bytes::new())
        } else {
            answer::json(200, tagged.json.clone())
        };
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(AGGREGATED));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public"));
        headers.insert(header::VARY, HeaderValue::from_static("Accept"));
        if let Ok(tag) = HeaderValue::from_str(&quoted) {
            headers.insert(header::ETAG, tag);
        }
        response
    }
}

/// How the client reaches this server.
pub(super) fn host(parts: &http::request::Parts) -> Str {
    let host = parts.headers.get(header::HOST).and_then(|value| value.to_str().ok());
    host.or_else(|| parts.uri.authority().map(http::uri::Authority::as_str)).unwrap_or_default().into()
}

fn wants_aggregated(parts: &http::request::Parts) -> bool {
    negotiate(header_text(parts, header::ACCEPT), Endpoint::Discovery).is_some()
}

/// What the documents are written as.
pub(super) fn media(parts: &http::request::Parts) -> Result<Media, Status> {
    let accept = header_text(parts, header::ACCEPT);
    let is_top = matches!(parts.uri.path().trim_matches('/'), "api" | "apis");
    let aggregated = negotiate(accept, Endpoint::Discovery).filter(|_| is_top);
    match aggregated.or_else(|| negotiate(accept, Endpoint::Plain)) {
        Some(accepted) => Ok(accepted.media),
        None => Err(not_acceptable(accept, &[])),
    }
}

/// The groups in the order they are served, each with its versions, the preferred one first.
fn groups(resources: &Resources) -> Vec<(Str, Vec<Str>)> {
    let mut groups: Vec<(Str, Vec<Str>, bool)> = Vec::new();
    for resource in resources.iter() {
        let (group, version) = (&resource.gvr.group, &resource.gvr.version);
        let custom = resource.custom.is_some();
        match groups.iter_mut().find(|(have, ..)| have == group) {
            Some((_, versions, _)) if versions.contains(version) => {}
            Some((_, versions, _)) => versions.push(version.clone()),
            None => groups.push((group.clone(), vec![version.clone()], custom)),
        }
    }
    for (_, versions, custom) in &mut groups {
        if *custom {
            versions.sort_by_key(|version| version_rank(version));
        }
    }
    groups.into_iter().map(|(group, versions, _)| (group, versions)).collect()
}

/// Where a version stands among others: stable before beta before alpha, newer before older, then the rest
/// by name (`k8s.io/apimachinery/pkg/version`).
fn version_rank(version: &str) -> (u8, std::cmp::Reverse<u64>, std::cmp::Reverse<u64>, Str) {
    let parsed = version.strip_prefix('v').and_then(|rest| {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let major: u64 = rest[..digits].parse().ok()?;
        let (stage, minor) = match &rest[digits..] {
            "" => (0, ""),
            beta if beta.starts_with("beta") => (1, &beta[4..]),
            alpha if alpha.starts_with("alpha") => (2, &alpha[5..]),
            _ => return None,
        };
        let minor: u64 = if stage == 0 { 0 } else { minor.parse().ok()? };
        Some((stage, major, minor))
    });
    match parsed {
        Some((stage, major, minor)) => {
            (stage, std::cmp::Reverse(major), std::cmp::Reverse(minor), Str::default())
        }
        None => (3, std::cmp::Reverse(0), std::cmp::Reverse(0), version.into()),
    }
}

fn group_value(group: &str, versions: &[Str]) -> Value {
    let version_value = |version: &Str| value!({"groupVersion": (group_version(group, version)), "version": (version.clone())});
    let all: Vec<Value> = versions.iter().map(version_value).collect();
    let preferred = versions.first().map_or_else(Value::object, version_value);
    value!({"name": group, "versions": all, "preferredVersion": preferred})
}

fn texts(texts: &[Str]) -> Value {
    Value::from(texts.iter().cloned().map(Value::from).collect::<Vec<_>>())
}

fn resource_list(resources: &Resources, group: &str, version: &str) -> Result<Response<Body>, Status> {
    if !resources.has_group_version(group, version) {
        let known = resources.iter().any(|one| one.gvr.group == group);
        return if known {
            Err(Status::no_such_resource())
        } else {
            Ok(answer::text(404, "404 page not found\n"))
        };
    }
    let mut items: Vec<Value> = Vec::new();
    for resource in resources.iter().filter(|one| one.gvr.group == group && one.gvr.version == version) {
        let mut item = Map::new();
        item.insert("name", resource.gvr.resource.clone());
        item.insert("singularName", resource.singular.clone());
        item.insert("namespaced", resource.namespaced);
        item.insert("kind", resource.kind.clone());
        item.insert("verbs", texts(&resource.verbs));
        if !resource.short_names.is_empty() {
            item.insert("shortNames", texts(&resource.short_names));
        }
        if !resource.categories.is_empty() {
            item.insert("categories", texts(&resource.categories));
        }
        if !resource.storage_version_hash.is_empty() {
            item.insert("storageVersionHash", resource.storage_version_hash.clone());
        }
        items.push(item.into());
        for subresource in &resource.subresources {
            let mut item = Map::new();
            item.insert("name", format!("{}/{}", resource.gvr.resource, subresource.name));
            item.insert("singularName", "");
            item.insert("namespaced", resource.namespaced);
            if !subresource.kind.version.is_empty() {
                item.insert("group", subresource.kind.group.clone());
                item.insert("version", subresource.kind.version.clone());
            }
            item.insert("kind", subresource.kind.kind.clone());
            item.insert("verbs", texts(&subresource.verbs));
            items.push(item.into());
        }
    }
    // The subresources of definitions stay in their order: status, then scale.
    let is_custom = resources.iter().any(|one| one.gvr.group == group && one.custom.is_some());
    let by = |item: &Value| {
        let name = item.str_at(&["name"]).unwrap_or_default().to_owned();
        if is_custom { name.split('/').next().unwrap_or_default().to_owned() } else { name }
    };
    items.sort_by_key(by);
    let mut list = value!({
        "kind": "APIResourceList", "groupVersion": (group_version(group, version)), "resources": items
    });
    if !group.is_empty() {
        list.set_at(&["apiVersion"], "v1");
    }
    Ok(answer::value(200, &list))
}

/// The recorded groups, then those of definitions.
fn all_groups(resources: &Resources) -> Value {
    let mut document = recorded::document("discovery/apis").unwrap_or_default();
    let mut items = document.items_at(&["items"]).to_vec();
    for (group, versions) in groups(resources) {
        let custom = |version: &Str| -> Vec<Value> {
            resources
                .iter()
                .filter(|one| one.custom.is_some() && one.gvr.group == group && one.gvr.version == *version)
                .map(|resource| aggregated_resource(resource))
                .collect()
        };
        let versions: Vec<Value> = versions
            .iter()
            .map(|version| (version, custom(version)))
            .filter(|(_, resources)| !resources.is_empty())
            .map(|(version, resources)| {
                value!({"version": (version.clone()), "resources": resources, "freshness": "Current"})
            })
            .collect();
        if versions.is_empty() {
            continue;
        }
        match items.iter_mut().find(|item| item.str_at(&["metadata", "name"]) == Some(group.as_str())) {
            Some(item) => {
                let mut all = item.items_at(&["versions"]).to_vec();
                all.extend(versions);
                item.set_at(&["versions"], all);
            }
            None => items.push(value!({
                "metadata": {"name": (group.clone()), "creationTimestamp": null}, "versions": versions
            })),
        }
    }
    document.set_at(&["items"], items);
    document
}

fn aggregated_resource(resource: &Resource) -> Value {
    let kind = |gvk: &windlass_kube::Gvk| value!({"group": (gvk.group.clone()), "version": (gvk.version.clone()), "kind": (gvk.kind.clone())});
    let scope = if resource.namespaced { "Namespaced" } else { "Cluster" };
    let mut item = value!({
        "resource": (resource.gvr.resource.clone()), "responseKind": (kind(&resource.gvk())), "scope": scope,
        "singularResource": (resource.singular.clone()), "verbs": (texts(&resource.verbs))
    });
    if !resource.short_names.is_empty() {
        item.set_at(&["shortNames"], texts(&resource.short_names));
    }
    if !resource.categories.is_empty() {
        item.set_at(&["categories"], texts(&resource.categories));
    }
    let subresources: Vec<Value> = resource
        .subresources
        .iter()
        .map(|subresource| {
            let of =
                if subresource.kind.version.is_empty() { resource.gvk() } else { subresource.kind.clone() };
            value!({
                "subresource": (subresource.name.clone()), "responseKind": (kind(&of)),
                "verbs": (texts(&subresource.verbs))
            })
        })
        .collect();
    if !subresources.is_empty() {
        item.set_at(&["subresources"], subresources);
    }
    item
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_versions_as_kubernetes_does() {
        let mut versions = ["v1alpha1", "foo", "v2", "v1beta2", "v10", "v1beta10", "v1"];
        versions.sort_by_key(|version| version_rank(version));
        assert_eq!(versions, ["v10", "v2", "v1", "v1beta10", "v1beta2", "v1alpha1", "foo"]);
    }
}
