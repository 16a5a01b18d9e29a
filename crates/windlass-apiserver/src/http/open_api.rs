//! The OpenAPI documents: what was recorded, and what definitions add.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use windlass_kube::{Map, Str, Value, value};

use super::answer;
use super::answer::json_bytes;
use super::body::Body;
use super::discovery::tag_of;
use crate::recorded;
use crate::registry::Registry;
use crate::resource::Resource;
use crate::status::Status;

/// The document of version 2.
pub(super) fn version_2(registry: &Registry, accept: &str) -> Result<Response<Body>, Status> {
    let takes_json = accept.is_empty()
        || accept.split(',').any(|range| {
            let media_type = range.split(';').next().unwrap_or_default().trim();
            matches!(media_type, "application/json" | "*/*" | "application/*")
        });
    if !takes_json {
        return Err(Status::not_acceptable(&["application/json"]));
    }
    let resources = registry.current();
    let custom: Vec<_> = resources.iter().filter(|resource| resource.custom.is_some()).collect();
    let bytes = recorded::bytes("openapi/v2").unwrap_or_default();
    if custom.is_empty() {
        return Ok(answer::json(200, bytes));
    }
    let mut document: Value = serde_json::from_slice(&bytes).map_err(Status::internal)?;
    for resource in custom {
        for (name, schema) in schemas(resource) {
            let schema = with_references(schema, "#/components/schemas/", "#/definitions/");
            document.set_at(&["definitions", &name], schema);
        }
    }
    Ok(answer::value(200, &document))
}

/// The documents of version 3 that were asked for, compressed: making one takes milliseconds, and `kubectl`
/// asks for one at each apply.
#[derive(Default)]
pub(super) struct Documents {
    compressed: Mutex<HashMap<String, (String, Bytes)>>,
}

impl Documents {
    /// The index of version 3, or one of its documents.
    pub(super) fn answer(
        &self,
        registry: &Registry,
        rest: &[&str],
        parts: &http::request::Parts,
    ) -> Result<Response<Body>, Status> {
        if rest.is_empty() {
            return Ok(answer::value(200, &index(registry)));
        }
        let path = rest.join("/");
        let tag = document_tag(registry, &path).ok_or_else(Status::no_such_resource)?;
        let quoted = format!("\"{tag}\"");
        let header_text = |name: header::HeaderName| {
            parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
        };
        let mut response = if header_text(header::IF_NONE_MATCH) == quoted {
            answer::json(304, Bytes::new())
        } else if header_text(header::ACCEPT_ENCODING).contains("gzip") {
            answer::gzipped(200, self.compressed(registry, &path, &tag)?)
        } else {
            let document = document(registry, &path).ok_or_else(Status::no_such_resource)?;
            answer::value(200, &document)
        };
        if let Ok(tag) = HeaderValue::from_str(&quoted) {
            response.headers_mut().insert(header::ETAG, tag);
        }
        Ok(response)
    }

    fn compressed(&self, registry: &Registry, path: &str, tag: &str) -> Result<Bytes, Status> {
        let compressed = self.compressed.lock().expect("no panic under this lock");
        if let Some((_, bytes)) = compressed.get(path).filter(|(have, _)| have == tag) {
            return Ok(bytes.clone());
        }
        drop(compressed);
        let document = document(registry, path).ok_or_else(Status::no_such_resource)?;
        let bytes = answer::gzip(&json_bytes(&document)).map_err(Status::internal)?;
        let mut compressed = self.compressed.lock().expect("no panic under this lock");
        compressed.insert(path.to_owned(), (tag.to_owned(), bytes.clone()));
        Ok(bytes)
    }
}

/// What identifies the content of a document, without making it; `None` if there is no such document.
fn document_tag(registry: &Registry, path: &str) -> Option<String> {
    let mut content = String::new();
    for resource in custom_of(registry, path) {
        let schema = resource.custom.as_ref().map(|custom| custom.open_api.clone());
        content.push_str(&format!(
            "{} {} {schema:?} {:?}\n",
            resource.gvr, resource.kind, resource.subresources
        ));
    }
    if content.is_empty() && !recorded::has(&format!("paths/{path}")) {
        return None;
    }
    content.push_str(path);
    content.push_str(recorded::KUBERNETES_VERSION);
    Some(tag_of(content.as_bytes()))
}

fn custom_of(registry: &Registry, path: &str) -> Vec<Arc<Resource>> {
    registry
        .current()
        .iter()
        .filter(|resource| {
            resource.custom.is_some() && format!("apis/{}", resource.gvr.group_version()) == path
        })
        .cloned()
        .collect()
}

/// The group versions that definitions serve, as paths.
fn custom_paths(registry: &Registry) -> BTreeSet<String> {
    let resources = registry.current();
    let custom = resources.iter().filter(|resource| resource.custom.is_some());
    custom.map(|resource| format!("apis/{}", resource.gvr.group_version())).collect()
}

fn index(registry: &Registry) -> Value {
    let mut paths = Map::new();
    for path in recorded::names("paths/") {
        let address =
            format!("/openapi/v3/{path}?hash={}", recorded::KUBERNETES_VERSION.trim_start_matches('v'));
        paths.insert(path, value!({"serverRelativeURL": address}));
    }
    // The hash makes a client that keeps documents ask again when the definitions have changed.
    for path in custom_paths(registry) {
        let tag = document_tag(registry, &path).unwrap_or_default();
        let address = format!("/openapi/v3/{path}?hash={tag}");
        paths.insert(path, value!({"serverRelativeURL": address}));
    }
    value!({"paths": paths})
}

fn document(registry: &Registry, path: &str) -> Option<Value> {
    let custom = custom_of(registry, path);
    let recorded_paths = recorded::document(&format!("paths/{path}"));
    if recorded_paths.is_none() && custom.is_empty() {
        return None;
    }
    let descriptions = recorded::document("descriptions")?;
    let mut document = recorded_paths.unwrap_or_else(|| {
        value!({
            "openapi": "3.0.0", "info": {"title": "Kubernetes", "version": (recorded::KUBERNETES_VERSION)},
            "paths": (Map::new()), "components": (Map::new())
        })
    });
    let mut schemas_here = Map::new();
    for resource in &custom {
        let paths = paths(resource)?;
        for (path, item) in paths.as_object()?.iter() {
            document.set_at(&["paths", path], item.clone());
        }
        for (name, schema) in schemas(resource) {
            schemas_here.insert(name, schema);
        }
    }
    let mut wanted = BTreeSet::new();
    references(&document, &mut wanted);
    for schema in schemas_here.values() {
        references(schema, &mut wanted);
    }
    let mut queue: Vec<Str> = wanted.into_iter().collect();
    while let Some(name) = queue.pop() {
        if schemas_here.contains_key(&name) {
            continue;
        }
        let Some(schema) = descriptions.get(&name) else { continue };
        let mut more = BTreeSet::new();
        references(schema, &mut more);
        queue.extend(more);
        schemas_here.insert(name, schema.clone());
    }
    document.set_at(&["components", "schemas"], schemas_here);
    Some(document)
}

/// The schemas a value refers to.
fn references(value: &Value, found: &mut BTreeSet<Str>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map.iter() {
                match value {
                    Value::String(text) if key == "$ref" => {
                        found.insert(text.rsplit('/').next().unwrap_or_default().into());
                    }
                    other => references(other, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

fn with_references(value: Value, from: &str, to: &str) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.into_iter()
                .map(|(key, value)| match &value {
                    Value::String(text) if key == "$ref" => {
                        let text = text.replacen(from, to, 1);
                        (key, Value::from(text))
                    }
                    _ => (key, with_references(value, from, to)),
                })
                .collect(),
        ),
        Value::Array(items) => {
            Value::from(items.into_iter().map(|item| with_references(item, from, to)).collect::<Vec<_>>())
        }
        other => other,
    }
}

/// `com.example.v1.Widget`: the group turned round, then version and kind.
fn schema_name(resource: &Resource) -> String {
    let mut labels: Vec<&str> = resource.gvr.group.split('.').collect();
    labels.reverse();
    format!("{}.{}.{}", labels.join("."), resource.gvr.version, resource.kind)
}

/// The schemas of a custom resource and of its list.
fn schemas(resource: &Resource) -> Vec<(String, Value)> {
    let Some(custom) = &resource.custom else { return Vec::new() };
    let name = schema_name(resource);
    let gvk = resource.gvk();
    let kind_of =
        |kind: &str| value!([{"group": (gvk.group.clone()), "kind": kind, "version": (gvk.version.clone())}]);
    let mut schema = custom.open_api.clone();
    let of_every_object = [
        ("apiVersion", "io.k8s.api.core.v1.ConfigMap", "apiVersion"),
        ("kind", "io.k8s.api.core.v1.ConfigMap", "kind"),
    ];
    for (member, from, property) in of_every_object {
        let recorded = recorded::schemas().at(&[from, "properties", property]).cloned().unwrap_or_default();
        if schema.at(&["properties", member, "description"]).is_none() {
            schema.set_at(&["properties", member], recorded);
        }
    }
    schema.set_at(
        &["properties", "metadata"],
        value!({
            "description": "Standard object's metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata",
            "allOf": [{"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}]
        }),
    );
    schema.set_at(&["x-kubernetes-group-version-kind"], kind_of(&gvk.kind));
    let list_kind = format!("{}List", gvk.kind);
    let reference = format!("#/components/schemas/{name}");
    let list = value!({
        "description": (format!("{list_kind} is a list of {}", gvk.kind)), "type": "object", "required": ["items"],
        "properties": {
            "apiVersion": {"type": "string"}, "kind": {"type": "string"},
            "metadata": {"allOf": [{"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta"}]},
            "items": {"type": "array", "items": {"allOf": [{"$ref": reference}]}}
        },
        "x-kubernetes-group-version-kind": (kind_of(&list_kind))
    });
    vec![(name.clone(), schema), (format!("{name}List"), list)]
}

/// The paths of a custom resource: those of a built-in one of the same shape, renamed.
fn paths(resource: &Resource) -> Option<Value> {
    let (document, plural, kind, prefix, schema) = if resource.namespaced {
        ("apis/apps/v1", "deployments", "Deployment", "/apis/apps/v1/", "io.k8s.api.apps.v1.Deployment")
    } else {
        (
            "apis/scheduling.k8s.io/v1",
            "priorityclasses",
            "PriorityClass",
            "/apis/scheduling.k8s.io/v1/",
            "io.k8s.api.scheduling.v1.PriorityClass",
        )
    };
    let recorded = recorded::document(&format!("paths/{document}"))?;
    let (from_group, from_version) = document.strip_prefix("apis/")?.split_once('/')?;
    let renaming = Renaming {
        plural: (plural, &resource.gvr.resource),
        kind: (kind, &resource.kind),
        prefix: (prefix, &format!("/apis/{}/", resource.gvr.group_version())),
        schema: (schema, &schema_name(resource)),
        group: (from_group, &resource.gvr.group),
        version: (from_version, &resource.gvr.version),
    };
    let mut paths = Map::new();
    for (path, item) in recorded.get("paths")?.as_object()?.iter() {
        let Some(rest) = path.strip_prefix(prefix) else { continue };
        if !rest.split('/').any(|segment| segment == plural) || rest.starts_with("watch/") {
            continue;
        }
        let last = rest.rsplit('/').next().unwrap_or_default();
        if matches!(last, "status" | "scale") && resource.subresource(last).is_none() {
            continue;
        }
        paths.insert(renaming.text(path), renaming.value(item));
    }
    Some(paths.into())
}

struct Renaming<'a> {
    plural: (&'a str, &'a str),
    kind: (&'a str, &'a str),
    prefix: (&'a str, &'a str),
    schema: (&'a str, &'a str),
    group: (&'a str, &'a str),
    version: (&'a str, &'a str),
}

impl Renaming<'_> {
    fn text(&self, text: &str) -> String {
        text.replace(self.prefix.0, self.prefix.1)
            .replace(self.schema.0, self.schema.1)
            .replace(self.plural.0, self.plural.1)
            .replace(self.kind.0, self.kind.1)
    }

    fn value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.text(text).into(),
            Value::Array(items) => Value::from(items.iter().map(|item| self.value(item)).collect::<Vec<_>>()),
            Value::Object(map) => Value::Object(
                map.iter()
                    // Nothing merges strategically without Go types; kubectl looks for it here.
                    .filter(|(key, _)| *key != "application/strategic-merge-patch+json")
                    .map(|(key, value)| {
                        let renamed = match (key.as_str(), value) {
                            ("x-kubernetes-group-version-kind", Value::Object(gvk)) => self.gvk(gvk),
                            _ => self.value(value),
                        };
                        (key.clone(), renamed)
                    })
                    .collect(),
            ),
            other => other.clone(),
        }
    }

    fn gvk(&self, gvk: &Map) -> Value {
        let text = |key: &str| gvk.get(key).and_then(Value::as_str).unwrap_or_default();
        if text("group") != self.group.0 {
            return Value::Object(gvk.clone());
        }
        let kind = text("kind").replace(self.kind.0, self.kind.1);
        let (group, version) =
            (self.group.1, if text("version") == self.version.0 { self.version.1 } else { text("version") });
        value!({"group": group, "version": version, "kind": kind})
    }
}
