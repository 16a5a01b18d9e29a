//! Reading a CustomResourceDefinition: the resources it serves, its own names and conditions.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use windlass_kube::schema::ObjectType;
use windlass_kube::{Gvk, Object, Str, Value, value};

use super::conversion::Conversion;
use super::schema::Node;
use super::{Column, CustomVersion, ScalePaths};
use super::{names, rules_definition, structural};
use crate::resource::{Gvr, Resource, Subresource};
use crate::status::Cause;
use crate::time;

/// Keeps a definition until its objects are gone.
pub(crate) const CLEANUP_FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";

fn texts(value: &Value, path: &[&str]) -> Vec<Str> {
    value.items_at(path).iter().filter_map(Value::as_str).map(Str::new).collect()
}

fn text(value: &Value, path: &[&str]) -> Str {
    value.str_at(path).unwrap_or_default().into()
}

/// The resources a definition serves, one a version; none while its names are not accepted.
pub(crate) fn resources(definition: &Object) -> Vec<Resource> {
    let definition = definition.to_value();
    let spec = definition.get("spec").cloned().unwrap_or_default();
    let versions = spec.items_at(&["versions"]);
    let group = text(&spec, &["group"]);
    let kind = text(&spec, &["names", "kind"]);
    let storage_version = versions
        .iter()
        .find(|version| version.bool_at(&["storage"]) == Some(true))
        .map(|version| text(version, &["name"]))
        .unwrap_or_default();
    let storage_gvk = Gvk::new(group, storage_version, kind);
    let conversion = Conversion::of_definition(&spec).map(Arc::new);
    versions
        .iter()
        .filter(|version| version.bool_at(&["served"]) == Some(true))
        .filter_map(|version| resource(&spec, version, &storage_gvk, conversion.as_ref()))
        .collect()
}

/// What clients compare to see that a storage version has changed: `discovery.StorageVersionHash`.
fn storage_version_hash(gvk: &Gvk) -> Str {
    let digest = Sha256::digest(format!("{}/{}/{}", gvk.group, gvk.version, gvk.kind));
    STANDARD.encode(&digest[..8]).into()
}

fn resource(
    spec: &Value,
    version: &Value,
    storage_gvk: &Gvk,
    conversion: Option<&Arc<Conversion>>,
) -> Option<Resource> {
    let gvk = Gvk::new(storage_gvk.group.clone(), text(version, &["name"]), storage_gvk.kind.clone());
    let plural = text(spec, &["names", "plural"]);
    let mut custom = custom_version(spec, version, &gvk)?;
    custom.conversion = conversion.cloned();
    let mut subresources = Vec::new();
    let verbs = |verbs: &[&str]| verbs.iter().map(Str::new).collect::<Vec<_>>();
    if custom.has_status {
        let kind = Gvk::new("", "", gvk.kind.clone());
        subresources.push(Subresource {
            name: "status".into(),
            kind,
            verbs: verbs(&["get", "patch", "update"]),
        });
    }
    if custom.scale.is_some() {
        let kind = Gvk::new("autoscaling", "v1", "Scale");
        subresources.push(Subresource {
            name: "scale".into(),
            kind,
            verbs: verbs(&["get", "patch", "update"]),
        });
    }
    Some(Resource {
        gvr: Gvr::new(gvk.group.clone(), gvk.version.clone(), plural.clone()),
        kind: gvk.kind.clone(),
        singular: text(spec, &["names", "singular"]),
        short_names: texts(spec, &["names", "shortNames"]),
        categories: texts(spec, &["names", "categories"]),
        namespaced: custom.namespaced,
        verbs: verbs(&["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"]),
        subresources,
        storage_version_hash: storage_version_hash(storage_gvk),
        storage: format!("{}/{plural}", gvk.group).into(),
        storage_gvk: storage_gvk.clone(),
        custom: Some(Arc::new(custom)),
    })
}

fn custom_version(spec: &Value, version: &Value, gvk: &Gvk) -> Option<CustomVersion> {
    let open_api = version.at(&["schema", "openAPIV3Schema"]).cloned().unwrap_or_else(Value::object);
    let schema = Node::compile(&open_api)
        .inspect_err(|error| tracing::warn!(%error, kind = %gvk, "a definition's schema cannot be used"))
        .ok()?;
    let preserves = spec.bool_at(&["preserveUnknownFields"]) == Some(true);
    let object_type = ObjectType::from_crd(&open_api, preserves).unwrap_or_else(|_| ObjectType::deduced());
    let scale = version.at(&["subresources", "scale"]).map(|scale| ScalePaths {
        spec_replicas: path(scale, "specReplicasPath"),
        status_replicas: path(scale, "statusReplicasPath"),
        label_selector: path(scale, "labelSelectorPath"),
    });
    let mut columns: Vec<Column> = version
        .items_at(&["additionalPrinterColumns"])
        .iter()
        .map(|column| Column {
            name: text(column, &["name"]),
            kind: text(column, &["type"]),
            format: text(column, &["format"]),
            description: text(column, &["description"]),
            priority: column.int_at(&["priority"]).unwrap_or(0),
            json_path: text(column, &["jsonPath"]),
        })
        .collect();
    if columns.is_empty() {
        columns.push(Column {
            name: "Age".into(),
            kind: "date".into(),
            format: Str::default(),
            description: "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata".into(),
            priority: 0,
            json_path: ".metadata.creationTimestamp".into(),
        });
    }
    Some(CustomVersion {
        namespaced: spec.str_at(&["scope"]) == Some("Namespaced"),
        conversion: None,
        schema: (!preserves).then_some(schema),
        rules: super::rules::RuleNode::compile(&open_api),
        open_api,
        object_type,
        deprecation: (version.bool_at(&["deprecated"]) == Some(true)).then(|| {
            let said = version.str_at(&["deprecationWarning"]).map(str::to_owned);
            said.unwrap_or_else(|| format!("{} {} is deprecated", gvk.api_version(), gvk.kind))
        }),
        has_status: version.at(&["subresources", "status"]).is_some(),
        scale,
        columns,
        selectable_fields: version
            .items_at(&["selectableFields"])
            .iter()
            .map(|field| text(field, &["jsonPath"]))
            .collect(),
    })
}

fn path(scale: &Value, key: &str) -> Vec<Str> {
    let path = scale.str_at(&[key]).unwrap_or_default();
    path.split('.').filter(|step| !step.is_empty()).map(Str::new).collect()
}

/// Checks what a definition's schemas need to be usable.
pub(crate) fn validate_definition(definition: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut causes = names::check(definition);
    if let Some(old) = old {
        causes.extend(names::changed(definition, old));
    }
    let group = definition.str_at(&["spec", "group"]).unwrap_or_default();
    let plural = definition.str_at(&["spec", "names", "plural"]).unwrap_or_default();
    let name = definition.str_at(&["metadata", "name"]).unwrap_or_default();
    if name != format!("{plural}.{group}") {
        let detail = "must be spec.names.plural+\".\"+spec.group";
        causes.push(Cause::invalid("metadata.name", &Value::from(name), detail));
    }
    causes.extend(crate::validation::conversion(definition));
    let versions = definition.items_at(&["spec", "versions"]);
    let n_stored = versions.iter().filter(|version| version.bool_at(&["storage"]) == Some(true)).count();
    if n_stored != 1 {
        causes.push(Cause::invalid(
            "spec.versions",
            &Value::from(versions.to_vec()),
            "must have exactly one version marked as storage version",
        ));
    }
    for (idx, version) in versions.iter().enumerate() {
        let field = format!("spec.versions[{idx}].schema.openAPIV3Schema");
        match version.at(&["schema", "openAPIV3Schema"]) {
            None => causes.push(Cause::required(field, "")),
            Some(schema) => {
                // A schema that all versions share is spoken of as one.
                let shared = versions.iter().all(|other| other.get("schema") == version.get("schema"));
                let path = if shared { "spec.validation.openAPIV3Schema" } else { &field };
                if idx == 0 || !shared {
                    let before = causes.len();
                    structural::check(schema, path, &mut causes);
                    rules_definition::check(schema, path, causes.len() == before, &mut causes);
                }
                if let Err(error) = Node::compile(schema) {
                    causes.push(Cause::invalid(field, &Value::from(""), &error.to_string()));
                }
            }
        }
    }
    causes
}

/// Sets what the API server's own controllers set on a definition: accepted names, conditions, the versions
/// that may be stored. A cluster takes a moment for it; here a definition is established as
/// soon as it is there.
pub(crate) fn complete(definition: &mut Value, old: Option<&Value>) {
    let names = definition.at(&["spec", "names"]).cloned().unwrap_or_else(Value::object);
    let mut completed = names;
    let kind = completed.str_at(&["kind"]).unwrap_or_default().to_owned();
    if completed.str_at(&["listKind"]).is_none_or(str::is_empty) {
        completed.set_at(&["listKind"], format!("{kind}List"));
    }
    if completed.str_at(&["singular"]).is_none_or(str::is_empty) {
        completed.set_at(&["singular"], kind.to_lowercase());
    }
    definition.set_at(&["spec", "names"], completed.clone());
    definition.set_at(&["status", "acceptedNames"], completed);
    // A status that is written by itself may take versions away that nothing is stored at any more.
    let mut stored: Vec<Value> = definition.items_at(&["status", "storedVersions"]).to_vec();
    for version in definition.items_at(&["spec", "versions"]) {
        if version.bool_at(&["storage"]) == Some(true) {
            let name = version.get("name").cloned().unwrap_or_default();
            if !stored.contains(&name) {
                stored.push(name);
            }
        }
    }
    definition.set_at(&["status", "storedVersions"], stored);
    let before = old.map_or(&[][..], |old| old.items_at(&["status", "conditions"])).to_vec();
    let mut conditions = before;
    let now = time::now();
    for (kind, reason, message) in [
        ("NamesAccepted", "NoConflicts", "no conflicts found"),
        ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
    ] {
        if !conditions.iter().any(|condition| condition.str_at(&["type"]) == Some(kind)) {
            let now = now.clone();
            conditions.push(value!({
                "lastTransitionTime": now, "message": message, "reason": reason, "status": "True", "type": kind
            }));
        }
    }
    definition.set_at(&["status", "conditions"], conditions);
}
