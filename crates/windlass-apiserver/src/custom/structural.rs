//! The rules by which a schema is structural, so that pruning and defaulting know every field.
//!
//! Source: "Specifying a structural schema" in the Kubernetes documentation, and the words of
//! kube-apiserver 1.36.

use windlass_kube::{Map, Value};

use crate::status::Cause;

/// What JSON schema's words for combining schemas may not say.
const COMBINERS: [&str; 3] = ["allOf", "anyOf", "oneOf"];

/// What a type may be.
const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];

/// Adds what is wrong with the schema at `path`, the root of a version.
pub(super) fn check(schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    let kind = schema.str_at(&["type"]).unwrap_or_default();
    if kind.is_empty() {
        causes.push(Cause::required(format!("{path}.type"), "must not be empty at the root"));
    } else if kind != "object" {
        causes.push(Cause::invalid(format!("{path}.type"), &Value::from(kind), "must be object at the root"));
    }
    let metadata = schema.at(&["properties", "metadata"]).and_then(Value::as_object);
    if let Some(metadata) = metadata {
        let properties = metadata.get("properties").and_then(Value::as_object);
        let more = properties
            .is_some_and(|map| map.keys().any(|key| !matches!(key.as_str(), "name" | "generateName")));
        if more {
            let why = "must not specify anything other than name and generateName, but metadata is implicitly specified";
            causes.push(Cause::forbidden(format!("{path}.properties[metadata]"), why));
        }
    }
    node(schema, path, true, causes);
}

fn node(schema: &Value, path: &str, is_root: bool, causes: &mut Vec<Cause>) {
    let flag = |key: &str| schema.bool_at(&[key]) == Some(true);
    let kind = schema.str_at(&["type"]).unwrap_or_default();
    if kind.is_empty()
        && !is_root
        && !flag("x-kubernetes-int-or-string")
        && !flag("x-kubernetes-preserve-unknown-fields")
    {
        causes.push(Cause::required(format!("{path}.type"), "must not be empty for specified object fields"));
    }
    if !kind.is_empty() && !TYPES.contains(&kind) {
        let supported = TYPES.map(|name| format!("{name:?}")).join(", ");
        causes.push(Cause {
            reason: "FieldValueNotSupported",
            message: format!("Unsupported value: {kind:?}: supported values: {supported}"),
            field: format!("{path}.type"),
        });
    }
    if flag("uniqueItems") {
        let why = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
        causes.push(Cause::forbidden(format!("{path}.uniqueItems"), why));
    }
    if schema.get("$ref").is_some() {
        causes.push(Cause::forbidden(format!("{path}.$ref"), "$ref is not supported"));
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    let additional = schema.get("additionalProperties");
    if properties.is_some_and(|map| !map.is_empty()) && additional.is_some() {
        let why = "additionalProperties and properties are mutual exclusive";
        causes.push(Cause::forbidden(format!("{path}.additionalProperties"), why));
    }
    if kind == "array" && schema.get("items").is_none() {
        causes.push(Cause::required(format!("{path}.items"), "must be specified"));
    }
    lists(schema, path, causes);
    for combiner in COMBINERS {
        for (idx, part) in schema.items_at(&[combiner]).iter().enumerate() {
            inside_combiner(schema, part, &format!("{path}.{combiner}[{idx}]"), causes);
        }
    }
    if let Some(part) = schema.get("not") {
        inside_combiner(schema, part, &format!("{path}.not"), causes);
    }
    for (name, property) in properties.into_iter().flat_map(Map::iter) {
        if !(is_root && name == "metadata") {
            node(property, &format!("{path}.properties[{name}]"), false, causes);
        }
    }
    if let Some(items) = schema.get("items").filter(|items| items.as_object().is_some()) {
        node(items, &format!("{path}.items"), false, causes);
    }
    if let Some(additional) = additional.filter(|additional| additional.as_object().is_some()) {
        node(additional, &format!("{path}.additionalProperties"), false, causes);
    }
}

/// What is said of how a list merges must fit the list.
fn lists(schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    let items = schema.get("items");
    match schema.str_at(&["x-kubernetes-list-type"]) {
        Some("map") if schema.items_at(&["x-kubernetes-list-map-keys"]).is_empty() => {
            let why = "must not be empty if x-kubernetes-list-type is map";
            causes.push(Cause::required(format!("{path}.x-kubernetes-list-map-keys"), why));
        }
        Some("set") => {
            let is_object = items.and_then(|items| items.str_at(&["type"])) == Some("object");
            let atomic = items.and_then(|items| items.str_at(&["x-kubernetes-map-type"])) == Some("atomic");
            if is_object && !atomic {
                let why = "must be atomic as item of a list with x-kubernetes-list-type=set";
                let field = format!("{path}.items.x-kubernetes-map-type");
                causes.push(Cause::invalid(field, &Value::Null, why));
            }
        }
        _ => {}
    }
}

/// Inside `allOf` and its siblings nothing may say what a field is, only what it may hold.
fn inside_combiner(around: &Value, part: &Value, path: &str, causes: &mut Vec<Cause>) {
    // The one shape that the original lets pass: an integer or a string.
    let int_or_string = around.bool_at(&["x-kubernetes-int-or-string"]) == Some(true);
    for key in ["type", "description", "title", "default", "additionalProperties", "nullable"] {
        let set = part.get(key).is_some_and(|value| !matches!(value, Value::Bool(false)));
        if set && !(key == "type" && int_or_string) {
            causes.push(Cause::forbidden(format!("{path}.{key}"), "must be empty to be structural"));
        }
    }
    for (name, property) in part.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::iter)
    {
        inside_combiner(around, property, &format!("{path}.properties[{name}]"), causes);
    }
}
