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
            let schema = for_version_2(schema);
            document.set_at(&["definitions", &name], schema);
        }
        let recorded = document.get("paths").cloned().unwrap_or_default();
        let added = paths(resource, &recorded).unwrap_or_default();
        for (path, item) in added.as_object().into_iter().flat_map(|added| added.iter()) {
            document.set_at(&["paths", path], item.clone());
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
        let recorded = recorded::document(&format!("paths/{}", like(resource).0))?;
        let paths = paths(resource, recorded.get("paths")?)?;
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

/// A schema without what version 2 of OpenAPI cannot say, as kube-apiserver leaves it out.
fn for_version_2(value: Value) -> Value {
    let Value::Object(map) = value else { return value };
    let map: Map = map.into_iter().collect();
    let all = map.get("allOf").and_then(Value::as_array).map_or(&[][..], |all| all.as_slice());
    if let [Value::Object(only)] = all
        && only.get("$ref").is_some()
    {
        // What only refers says it itself.
        let mut plain: Map = map.clone();
        plain.remove("allOf");
        plain.insert("$ref", only.get("$ref").cloned().unwrap_or_default());
        return plain.into();
    }
    let flag = |key: &str| map.get(key) == Some(&Value::Bool(true));
    let is_open = flag("nullable") || flag("x-kubernetes-preserve-unknown-fields");
    let mut nullable = Vec::new();
    let mut out = Map::new();
    for (key, value) in map.iter() {
        match (key.as_str(), value) {
            ("default" | "nullable" | "allOf" | "anyOf" | "oneOf" | "not", _) => {}
            ("items" | "properties", _) if is_open => {}
            ("type", _) if flag("nullable") => {}
            ("type", Value::String(name)) if is_open && matches!(name.as_str(), "object" | "array") => {}
            ("type", Value::String(name)) if name == "array" && map.get("items").is_none() => {}
            ("properties", Value::Object(properties)) => {
                nullable.extend(
                    properties
                        .iter()
                        .filter(|(_, it)| it.bool_at(&["nullable"]) == Some(true))
                        .map(|(name, _)| Value::from(name.clone())),
                );
                let properties: Map = properties
                    .iter()
                    .map(|(name, schema)| (name.clone(), for_version_2(schema.clone())))
                    .collect();
                out.insert(key.clone(), properties);
            }
            ("items" | "additionalProperties", schema) => {
                out.insert(key.clone(), for_version_2(schema.clone()));
            }
            _ => {
                out.insert(key.clone(), value.clone());
            }
        }
    }
    if let Some(required) = out.get("required").and_then(Value::as_array).filter(|_| !nullable.is_empty()) {
        let left: Vec<Value> = required.iter().filter(|name| !nullable.contains(name)).cloned().collect();
        if left.is_empty() {
            out.remove("required");
        } else {
            out.insert("required", left);
        }
    }
    out.into()
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

const CONVENTIONS: &str =
    "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md";

/// What is said of `apiVersion` of every kind.
const API_VERSION: &str = "APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized schemas to the latest internal value, and may reject unrecognized values. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources";

/// What is said of `kind` of every kind.
const KIND: &str = "Kind is a string value representing the REST resource this object represents. Servers may infer this from the endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds";

/// What is said of the metadata of every list.
const LIST_METADATA: &str = "Standard list metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds";

/// A schema that says of numbers or texts that they are either.
fn with_either_type(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let is_either = map.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true));
            let mut map: Map = map.into_iter().map(|(key, value)| (key, with_either_type(value))).collect();
            if is_either && map.get("anyOf").is_none() && map.get("allOf").is_none() {
                map.insert("anyOf", value!([{"type": "integer"}, {"type": "string"}]));
            }
            Value::Object(map)
        }
        Value::Array(items) => Value::from(items.into_iter().map(with_either_type).collect::<Vec<_>>()),
        other => other,
    }
}

/// The schemas of a custom resource and of its list.
fn schemas(resource: &Resource) -> Vec<(String, Value)> {
    let Some(custom) = &resource.custom else { return Vec::new() };
    let name = schema_name(resource);
    let gvk = resource.gvk();
    let kind_of =
        |kind: &str| value!([{"group": (gvk.group.clone()), "kind": kind, "version": (gvk.version.clone())}]);
    let mut schema = with_either_type(custom.open_api.clone());
    for (member, description) in [("apiVersion", API_VERSION), ("kind", KIND)] {
        if schema.at(&["properties", member, "description"]).is_none() {
            schema.set_at(&["properties", member], value!({"type": "string", "description": description}));
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
            "apiVersion": {"type": "string", "description": API_VERSION},
            "kind": {"type": "string", "description": KIND},
            "metadata": {
                "description": LIST_METADATA,
                "allOf": [{"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta"}]
            },
            "items": {
                "description": (format!("List of {}. More info: {CONVENTIONS}", resource.gvr.resource)),
                "type": "array", "items": {"$ref": reference}
            }
        },
        "x-kubernetes-group-version-kind": (kind_of(&list_kind))
    });
    vec![(name.clone(), schema), (format!("{name}List"), list)]
}

/// A built-in resource of the same shape: its document, plural, kind, prefix of paths and schema.
fn like(resource: &Resource) -> (&'static str, &'static str, &'static str, &'static str, &'static str) {
    if resource.namespaced {
        ("apis/apps/v1", "deployments", "Deployment", "/apis/apps/v1/", "io.k8s.api.apps.v1.Deployment")
    } else {
        (
            "apis/scheduling.k8s.io/v1",
            "priorityclasses",
            "PriorityClass",
            "/apis/scheduling.k8s.io/v1/",
            "io.k8s.api.scheduling.v1.PriorityClass",
        )
    }
}

/// The paths of a custom resource: those of a built-in one of the same shape, renamed.
fn paths(resource: &Resource, recorded: &Value) -> Option<Value> {
    let (document, plural, kind, prefix, schema) = like(resource);
    let (from_group, from_version) = document.strip_prefix("apis/")?.split_once('/')?;
    let renaming = Renaming {
        plural: (plural, &resource.gvr.resource),
        kind: (kind, &resource.kind),
        prefix: (prefix, &format!("/apis/{}/", resource.gvr.group_version())),
        schema: (schema, &schema_name(resource)),
        tag: (&tag(from_group, from_version), &tag(&resource.gvr.group, &resource.gvr.version)),
        operation: (
            &operation(from_group, from_version),
            &operation(&resource.gvr.group, &resource.gvr.version),
        ),
        group: (from_group, &resource.gvr.group),
        version: (from_version, &resource.gvr.version),
    };
    // One of custom resources is read at a version.
    let is_version = |parameter: &&Value| {
        parameter.str_at(&["name"]) == Some("resourceVersion")
            || parameter.str_at(&["$ref"]).is_some_and(|it| it.starts_with("#/parameters/resourceVersion-"))
    };
    let version_parameter = recorded.as_object()?.iter().find_map(|(path, item)| {
        let parameters = [&["get", "parameters"][..], &["parameters"]];
        let parameters = parameters.map(|place| item.items_at(place)).concat();
        path.starts_with(prefix).then(|| parameters.iter().find(is_version).cloned()).flatten()
    });
    let mut paths = Map::new();
    for (path, item) in recorded.as_object()?.iter() {
        let Some(rest) = path.strip_prefix(prefix) else { continue };
        if !rest.split('/').any(|segment| segment == plural) || rest.starts_with("watch/") {
            continue;
        }
        let last = rest.rsplit('/').next().unwrap_or_default();
        if matches!(last, "status" | "scale") && resource.subresource(last).is_none() {
            continue;
        }
        let mut item = of_custom(renaming.value(item), resource, last);
        if item.str_at(&["get", "x-kubernetes-action"]) == Some("get")
            && let Some(version) = &version_parameter
        {
            item.set_at(&["get", "parameters"], vec![version.clone()]);
        }
        paths.insert(renaming.text(path), item);
    }
    Some(paths.into())
}

/// `openExampleCom`: a group in one word.
fn group_word(group: &str) -> String {
    // Kubernetes' own domain is left out.
    let group = group.strip_suffix(".k8s.io").unwrap_or(group);
    let mut word = String::new();
    for part in group.split(['.', '-']) {
        let mut letters = part.chars();
        match letters.next() {
            Some(first) if !word.is_empty() => word.extend(first.to_uppercase()),
            first => word.extend(first),
        }
        word.extend(letters);
    }
    word
}

fn tag(group: &str, version: &str) -> String {
    format!("{}_{version}", group_word(group))
}

/// What stands in the names of operations, `OpenExampleComV1`.
fn operation(group: &str, version: &str) -> String {
    let upper = |word: &str| -> String {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
    };
    format!("{}{}", upper(&group_word(group)), upper(version))
}

/// What the operations of custom resources have other than those of built-in ones.
fn of_custom(mut item: Value, resource: &Resource, last: &str) -> Value {
    let list_parameters = item.at(&["get", "parameters"]).cloned();
    let is_list = item.str_at(&["get", "x-kubernetes-action"]) == Some("list");
    if is_list && item.get("delete").is_some() {
        let mut delete = item.get("delete").cloned().unwrap_or_default();
        delete.object_mut().remove("requestBody");
        if let Some(parameters) = list_parameters {
            delete.set_at(&["parameters"], parameters);
        }
        item.set_at(&["delete"], delete);
    }
    if last == "scale" {
        let gvk = value!({
            "group": (resource.gvr.group.clone()), "version": (resource.gvr.version.clone()),
            "kind": (resource.kind.clone())
        });
        let mut answers = item.at(&["patch", "responses"]).cloned().unwrap_or_else(Value::object);
        answers.object_mut().remove("201");
        item.set_at(&["patch", "responses"], answers);
        for verb in ["get", "put", "patch"] {
            item.set_at(&[verb, "x-kubernetes-group-version-kind"], gvk.clone());
        }
    }
    item
}

struct Renaming<'a> {
    tag: (&'a str, &'a str),
    operation: (&'a str, &'a str),
    plural: (&'a str, &'a str),
    kind: (&'a str, &'a str),
    prefix: (&'a str, &'a str),
    schema: (&'a str, &'a str),
    group: (&'a str, &'a str),
    version: (&'a str, &'a str),
}

/// Whether a media type is one that custom resources have no part in.
fn is_foreign(media_type: &str) -> bool {
    media_type == "application/strategic-merge-patch+json"
        || media_type.starts_with("application/vnd.kubernetes.protobuf")
        || media_type.ends_with(";stream=watch")
}

impl Renaming<'_> {
    fn text(&self, text: &str) -> String {
        text.replace(self.prefix.0, self.prefix.1)
            .replace(self.schema.0, self.schema.1)
            .replace(self.plural.0, self.plural.1)
            .replace(self.kind.0, self.kind.1)
            .replace(self.tag.0, self.tag.1)
            .replace(self.operation.0, self.operation.1)
            .replace("list or watch objects of", "list objects of")
            .replace("name of the Scale", &format!("name of the {}", self.kind.1))
    }

    /// The media types that custom resources are written and read in.
    fn media_types(items: &[Value]) -> Vec<Value> {
        let mut kept = Vec::new();
        for item in items {
            match item.as_str() {
                Some("*/*") => kept.extend(["application/json".into(), "application/yaml".into()]),
                Some(text) if is_foreign(text) => {}
                _ => kept.push(item.clone()),
            }
        }
        kept
    }

    fn value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.text(text).into(),
            Value::Array(items) => Value::from(items.iter().map(|item| self.value(item)).collect::<Vec<_>>()),
            Value::Object(map) => Value::Object(
                map.iter()
                    // Nothing merges strategically without Go types; kubectl looks for it here.
                    .filter(|(key, _)| !is_foreign(key))
                    .flat_map(|(key, value)| match key.as_str() {
                        "*/*" => vec![("application/json".into(), value), ("application/yaml".into(), value)],
                        _ => vec![(key.clone(), value)],
                    })
                    .map(|(key, value): (Str, &Value)| {
                        let renamed = match (key.as_str(), value) {
                            ("x-kubernetes-group-version-kind", Value::Object(gvk)) => self.gvk(gvk),
                            ("consumes" | "produces", Value::Array(items)) => Self::media_types(items).into(),
                            _ => self.value(value),
                        };
                        (key, renamed)
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
