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
use super::{defaults_definition, internal, names, open_api, rules_definition, structural};
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
        versions: spec.items_at(&["versions"]).iter().map(|version| text(version, &["name"])).collect(),
        conversion: None,
        embeds: !preserves && super::embedded::is_anywhere(&schema),
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
    let mut causes = names::check(definition, old);
    if let Some(old) = old {
        causes.extend(names::changed(definition, old));
    }
    let group = definition.str_at(&["spec", "group"]).unwrap_or_default();
    let plural = definition.str_at(&["spec", "names", "plural"]).unwrap_or_default();
    let name = definition.str_at(&["metadata", "name"]).unwrap_or_default();
    if old.is_none() {
        for message in windlass_kube::validation::dns1123_subdomain(name) {
            causes.push(Cause::invalid("metadata.name", &Value::from(name), &message));
        }
        if name != format!("{plural}.{group}") {
            let detail = "must be spec.names.plural+\".\"+spec.group";
            causes.push(Cause::invalid("metadata.name", &Value::from(name), detail));
        }
    }
    causes.extend(crate::validation::conversion(definition));
    let versions = definition.items_at(&["spec", "versions"]);
    // What all versions share is spoken of as one.
    let shared = internal::is_shared(versions, "schema");
    for (idx, version) in versions.iter().enumerate() {
        let field = format!("spec.versions[{idx}].schema.openAPIV3Schema");
        match version.at(&["schema", "openAPIV3Schema"]) {
            None => causes.push(Cause::required(field, "")),
            Some(_) if shared && idx > 0 => {}
            Some(schema) => {
                let path = if shared { "spec.validation.openAPIV3Schema" } else { &field };
                let of = if shared { versions } else { &versions[idx..=idx] };
                let has_status = of.iter().any(|version| version.at(&["subresources", "status"]).is_some());
                check_schema(schema, path, has_status, &mut causes);
            }
        }
    }
    causes
}

fn check_schema(schema: &Value, path: &str, has_status: bool, causes: &mut Vec<Cause>) {
    let before = causes.len();
    open_api::check_root(schema, path, has_status, causes);
    let unreadable = structural::unreadable(schema);
    let so_far = causes.len();
    if unreadable.is_none() {
        structural::check(schema, path, causes);
        if causes.len() == so_far {
            defaults_definition::check_defaults(schema, path, causes);
        }
    }
    let is_structural = unreadable.is_none() && causes.len() == so_far;
    let so_far = causes.len();
    open_api::check(schema, path, causes);
    let faults: Vec<String> = causes[so_far..].iter().map(|cause| cause.field.clone()).collect();
    rules_definition::check(schema, path, is_structural, &faults, causes);
    if let (true, Some(why)) = (causes.len() == before, unreadable) {
        causes.push(Cause::invalid(path, &Value::from(""), &why));
    }
    if let (true, Err(error)) = (causes.len() == before, Node::compile(schema)) {
        causes.push(Cause::invalid(path, &Value::from(""), &error.to_string()));
    }
}

/// The condition of this type.
pub(crate) fn condition<'a>(definition: &'a Value, kind: &str) -> Option<&'a Value> {
    let conditions = definition.items_at(&["status", "conditions"]);
    conditions.iter().find(|condition| condition.str_at(&["type"]) == Some(kind))
}

/// Whether a condition of this type holds.
pub(crate) fn is_true(definition: &Value, kind: &str) -> bool {
    condition(definition, kind).is_some_and(|condition| condition.str_at(&["status"]) == Some("True"))
}

/// Notes that objects may be stored at the version that the definition stores now.
pub(crate) fn store(definition: &mut Value) {
    let mut stored: Vec<Value> = definition.items_at(&["status", "storedVersions"]).to_vec();
    let versions = definition.items_at(&["spec", "versions"]);
    if let Some(version) = versions.iter().find(|version| version.bool_at(&["storage"]) == Some(true)) {
        let name = version.get("name").cloned().unwrap_or_default();
        if !stored.contains(&name) {
            stored.push(name);
        }
    }
    let stored = if stored.is_empty() { Value::Null } else { Value::from(stored) };
    definition.set_at(&["status", "storedVersions"], stored);
}

/// Sets a condition, with the time at which its status last changed.
pub(crate) fn set_condition(definition: &mut Value, kind: &str, status: &str, reason: &str, message: &str) {
    let mut conditions = definition.items_at(&["status", "conditions"]).to_vec();
    let mut made = value!({"type": kind, "status": status, "reason": reason, "message": message});
    let have = conditions.iter_mut().find(|condition| condition.str_at(&["type"]) == Some(kind));
    let since = have.as_ref().filter(|have| have.str_at(&["status"]) == Some(status));
    let since = since.and_then(|have| have.get("lastTransitionTime")).cloned();
    made.set_at(&["lastTransitionTime"], since.unwrap_or_else(|| time::now().into()));
    match have {
        Some(have) => *have = made,
        None => conditions.push(made),
    }
    definition.set_at(&["status", "conditions"], conditions);
}

/// Takes the names that nobody else of the group has, and says whether they are all. Gives nothing where the
/// definition says so already.
pub(crate) fn accept_names(definition: &Value, others: &[Value]) -> Option<Value> {
    let wanted = definition.at(&["spec", "names"]).cloned().unwrap_or_default();
    let accepted = definition.at(&["status", "acceptedNames"]).cloned().unwrap_or_default();
    if wanted == accepted {
        return None;
    }
    let of_others = |keys: &[&str]| -> Vec<Value> {
        let names = others.iter().filter_map(|other| other.at(&["status", "acceptedNames"]));
        names
            .flat_map(|names| keys.iter().filter_map(|key| names.get(key)))
            .flat_map(|name| match name {
                Value::Array(names) => names.iter().cloned().collect(),
                name => vec![name.clone()],
            })
            .collect()
    };
    let (resources, kinds) =
        (of_others(&["plural", "singular", "shortNames"]), of_others(&["kind", "listKind"]));
    let mut now = accepted.clone();
    let mut conflict: Option<(&str, String)> = None;
    let in_use = |name: &Value| format!("{:?} is already in use", name.as_str().unwrap_or_default());
    for (key, reason) in [
        ("plural", "PluralConflict"),
        ("singular", "SingularConflict"),
        ("shortNames", "ShortNamesConflict"),
        ("kind", "KindConflict"),
        ("listKind", "ListKindConflict"),
    ] {
        let taken = if key.ends_with("ind") { &kinds } else { &resources };
        let (want, have) = (wanted.get(key), accepted.get(key));
        if want == have {
            continue;
        }
        let clashes: Vec<String> = match want {
            Some(Value::Array(names)) => names
                .iter()
                .filter(|name| !accepted.items_at(&[key]).contains(name) && taken.contains(name))
                .map(in_use)
                .collect(),
            Some(name) if taken.contains(name) => vec![in_use(name)],
            _ => Vec::new(),
        };
        match clashes.as_slice() {
            [] => match want {
                Some(want) => now.set_at(&[key], want.clone()),
                None => {
                    now.remove_at(&[key]);
                }
            },
            [one] => conflict = Some((reason, one.clone())),
            several => conflict = Some((reason, format!("[{}]", several.join(", ")))),
        }
    }
    match wanted.get("categories") {
        Some(categories) => now.set_at(&["categories"], categories.clone()),
        None => {
            now.remove_at(&["categories"]);
        }
    }
    let mut changed = definition.clone();
    changed.set_at(&["status", "acceptedNames"], now);
    let is_free = conflict.is_none();
    let (status, reason, message) = match &conflict {
        None => ("True", "NoConflicts", "no conflicts found"),
        Some((reason, message)) => ("False", *reason, message.as_str()),
    };
    set_condition(&mut changed, "NamesAccepted", status, reason, message);
    if !is_true(definition, "Established") {
        if is_free {
            let why = "the initial names have been accepted";
            set_condition(&mut changed, "Established", "False", "Installing", why);
        } else if condition(definition, "Established").is_none() {
            set_condition(&mut changed, "Established", "False", "NotAccepted", "not all names are accepted");
        }
    }
    (changed != *definition).then_some(changed)
}

/// Says that objects of a definition can be written now; nothing where it has been said or may not be.
pub(crate) fn establish(definition: &Value) -> Option<Value> {
    if !is_true(definition, "NamesAccepted") || is_true(definition, "Established") {
        return None;
    }
    let mut changed = definition.clone();
    let bundle = definition.str_at(&["spec", "conversion", "webhook", "clientConfig", "caBundle"]);
    if bundle.is_some_and(|bundle| !is_bundle(bundle)) {
        let why = "The conversion webhook CABundle is invalid";
        set_condition(&mut changed, "Established", "False", "InvalidCABundle", why);
    } else {
        let why = "the initial names have been accepted";
        set_condition(&mut changed, "Established", "True", "InitialNamesAccepted", why);
    }
    (changed != *definition).then_some(changed)
}

/// Whether certificates can be read from what is in base64.
fn is_bundle(base64: &str) -> bool {
    let Ok(pem) = STANDARD.decode(base64) else { return false };
    pem.is_empty() || String::from_utf8_lossy(&pem).contains("-----BEGIN CERTIFICATE-----")
}
