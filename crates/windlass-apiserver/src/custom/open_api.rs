//! What a definition's schema may say, beside what makes it structural.
//!
//! Words: `k8s.io/apiextensions-apiserver` v0.36.3, package `apis/apiextensions/validation`.

use windlass_kube::{Map, Value};

use super::schema::MAX_DEPTH;
use super::structural::COMBINERS;
use crate::status::Cause;

/// What a type may be.
const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];

/// What may be said at the root where status is a subresource, by the names that Go has for it.
const AT_ROOT: [&str; 22] = [
    "Description",
    "Type",
    "Format",
    "Title",
    "Maximum",
    "ExclusiveMaximum",
    "Minimum",
    "ExclusiveMinimum",
    "MaxLength",
    "MinLength",
    "Pattern",
    "MaxItems",
    "MinItems",
    "UniqueItems",
    "MultipleOf",
    "Required",
    "Items",
    "Properties",
    "ExternalDocs",
    "Example",
    "XPreserveUnknownFields",
    "XValidations",
];

/// What is so of all that stands in a part of the schema.
#[derive(Clone, Copy, Default)]
struct Place<'a> {
    /// Why no default may be given here.
    no_default: Option<&'a str>,
    in_metadata: bool,
    depth: usize,
}

/// Adds what is wrong with the schema at `path`, the root of a version.
pub(super) fn check(schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    node(schema, path, true, Place::default(), causes);
}

/// What the root of a schema may not say where status is a subresource of its own, and what it never may.
pub(super) fn check_root(schema: &Value, path: &str, has_status: bool, causes: &mut Vec<Cause>) {
    let kind = schema.str_at(&["type"]).unwrap_or_default();
    let unexpected = schema.as_object().into_iter().flat_map(Map::iter).any(|(key, value)| {
        !value.is_null() && *value != Value::Bool(false) && !AT_ROOT.contains(&go_name(key).as_str())
    });
    if has_status && !kind.is_empty() && kind != "object" {
        let why = "only \"object\" is allowed as the type at the root of the schema if the status subresource is enabled";
        causes.push(Cause::invalid(format!("{path}.type"), &Value::from(kind), why));
    } else if has_status && unexpected {
        let why = format!(
            "only [{}] fields are allowed at the root of the schema if the status subresource is enabled",
            AT_ROOT.join(" ")
        );
        causes.push(Cause {
            reason: "FieldValueInvalid",
            message: format!("Invalid value: {}: {why}", super::internal::schema(schema)),
            field: path.to_owned(),
        });
    }
    if schema.bool_at(&["nullable"]) == Some(true) {
        causes.push(Cause::forbidden(format!("{path}.nullable"), "nullable cannot be true at the root"));
    }
}

/// What Go calls a word of the schema.
fn go_name(key: &str) -> String {
    let mut name = String::new();
    let words = key.strip_prefix("x-kubernetes-").map_or(key, |rest| {
        name.push('X');
        rest
    });
    for word in words.trim_start_matches('$').split('-') {
        let mut chars = word.chars();
        name.extend(chars.next().map(|first| first.to_ascii_uppercase()));
        name.push_str(chars.as_str());
    }
    name
}

fn not_supported(field: String, text: &str, supported: &[&str]) -> Cause {
    let supported: Vec<String> = supported.iter().map(|text| format!("{text:?}")).collect();
    Cause {
        reason: "FieldValueNotSupported",
        message: format!("Unsupported value: {text:?}: supported values: {}", supported.join(", ")),
        field,
    }
}

fn node(schema: &Value, path: &str, is_root: bool, place: Place<'_>, causes: &mut Vec<Cause>) {
    if place.depth > MAX_DEPTH {
        return;
    }
    let place = Place { depth: place.depth + 1, ..place };
    words(schema, path, place, causes);
    if schema.bool_at(&["uniqueItems"]) == Some(true) {
        let why = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
        causes.push(Cause::forbidden(format!("{path}.uniqueItems"), why));
    }
    let properties = schema.get("properties").and_then(Value::as_object).filter(|map| !map.is_empty());
    let additional = schema.get("additionalProperties").filter(|it| !it.is_null());
    if properties.is_some() && additional.is_some_and(|it| *it != Value::Bool(true)) {
        let why = "additionalProperties and properties are mutual exclusive";
        causes.push(Cause::forbidden(format!("{path}.additionalProperties"), why));
    }
    if let Some(additional) = additional.filter(|it| it.as_object().is_some()) {
        let inside = "inside additionalProperties applying to object metadata";
        let no_default = if place.in_metadata { Some(inside) } else { place.no_default };
        let below = Place { no_default, ..place };
        node(additional, &format!("{path}.additionalProperties"), false, below, causes);
    }
    let embedded = schema.bool_at(&["x-kubernetes-embedded-resource"]) == Some(true);
    for (name, property) in properties.into_iter().flat_map(Map::iter) {
        let of_every_object = matches!(name.as_str(), "metadata" | "kind" | "apiVersion");
        let top_level = format!("in top-level {name}");
        let mut below = place;
        if (is_root || embedded) && of_every_object {
            below.in_metadata = true;
            if is_root {
                below.no_default = Some(&top_level);
            }
        }
        node(property, &format!("{path}.properties[{name}]"), false, below, causes);
    }
    if let Some(not) = schema.get("not").filter(|it| it.as_object().is_some()) {
        node(not, &format!("{path}.not"), false, place, causes);
    }
    for combiner in COMBINERS {
        for (idx, part) in schema.items_at(&[combiner]).iter().enumerate() {
            node(part, &format!("{path}.{combiner}[{idx}]"), false, place, causes);
        }
    }
    if let Some(items) = schema.get("items").filter(|it| it.as_object().is_some()) {
        node(items, &format!("{path}.items"), false, place, causes);
    }
    extensions(schema, path, causes);
}

/// Single words that are not allowed.
fn words(schema: &Value, path: &str, place: Place<'_>, causes: &mut Vec<Cause>) {
    let kind = schema.str_at(&["type"]).unwrap_or_default();
    if !kind.is_empty() && !TYPES.contains(&kind) {
        causes.push(not_supported(format!("{path}.type"), kind, &TYPES));
    }
    if let (Some(_), Some(why)) = (schema.get("default").filter(|it| !it.is_null()), place.no_default) {
        causes.push(Cause::forbidden(format!("{path}.default"), &format!("must not be set {why}")));
    }
    for key in ["id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref"] {
        let is_set = match schema.get(key) {
            None | Some(Value::Null) => false,
            Some(Value::String(text)) => key != "id" || !text.is_empty(),
            Some(Value::Object(map)) => {
                !matches!(key, "patternProperties" | "definitions") || !map.is_empty()
            }
            Some(_) => true,
        };
        if is_set {
            causes.push(Cause::forbidden(format!("{path}.{key}"), &format!("{key} is not supported")));
        }
    }
    if kind == "null" {
        let why = "type cannot be set to null, use nullable as an alternative";
        causes.push(Cause::forbidden(format!("{path}.type"), why));
    }
    if schema.get("items").is_some_and(|items| items.as_array().is_some_and(|items| !items.is_empty())) {
        let why = "items must be a schema object and not an array";
        causes.push(Cause::forbidden(format!("{path}.items"), why));
    }
    if place.in_metadata && schema.bool_at(&["x-kubernetes-embedded-resource"]) == Some(true) {
        let why = "must not be used inside of resource meta";
        causes.push(Cause::forbidden(format!("{path}.x-kubernetes-embedded-resource"), why));
    }
}

/// The words of Kubernetes' own: how lists and maps merge.
fn extensions(schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    if schema.bool_at(&["x-kubernetes-preserve-unknown-fields"]) == Some(false) {
        let field = format!("{path}.x-kubernetes-preserve-unknown-fields");
        causes.push(Cause::invalid(field, &Value::Bool(false), "must be true or undefined"));
    }
    let kind = schema.str_at(&["type"]).unwrap_or_default();
    let of_type = |wanted: &str, word: &str| {
        let why = format!("must be {wanted} if {word} is specified");
        match kind {
            "" => Cause::required(format!("{path}.type"), &why),
            _ => Cause::invalid(format!("{path}.type"), &Value::from(kind), &why),
        }
    };
    if let Some(map_type) = schema.str_at(&["x-kubernetes-map-type"]) {
        if kind != "object" {
            causes.push(of_type("object", "x-kubernetes-map-type"));
        }
        if !matches!(map_type, "atomic" | "granular") {
            let field = format!("{path}.x-kubernetes-map-type");
            causes.push(not_supported(field, map_type, &["atomic", "granular"]));
        }
    }
    let items = schema.get("items").filter(|it| it.as_object().is_some());
    let list_type = schema.str_at(&["x-kubernetes-list-type"]);
    if list_type.is_some() && kind != "array" {
        causes.push(of_type("array", "x-kubernetes-list-type"));
    } else if let (Some("set"), Some(items)) = (list_type, items) {
        set_items(items, path, causes);
    }
    let field = format!("{path}.x-kubernetes-list-type");
    if let Some(list_type) = list_type.filter(|it| !matches!(*it, "atomic" | "set" | "map")) {
        causes.push(not_supported(field.clone(), list_type, &["atomic", "set", "map"]));
    }
    let keys = schema.items_at(&["x-kubernetes-list-map-keys"]);
    if !keys.is_empty() && list_type != Some("map") {
        let why = "must be map if x-kubernetes-list-map-keys is non-empty";
        causes.push(match list_type {
            None => Cause::required(field, why),
            Some(list_type) => Cause::invalid(field, &Value::from(list_type), why),
        });
    }
    if list_type == Some("map") {
        list_map(schema, items, path, causes);
    }
    if let (Some(list_type @ ("set" | "map")), Some(items)) = (list_type, items) {
        keys_of_items(schema, items, list_type, path, causes);
    }
}

fn set_items(items: &Value, path: &str, causes: &mut Vec<Cause>) {
    let why = "must be atomic as item of a list with x-kubernetes-list-type=set";
    let list_type = items.str_at(&["x-kubernetes-list-type"]);
    let shown = list_type.map_or(Value::Null, Value::from);
    match items.str_at(&["type"]) {
        Some("array") if list_type.is_some_and(|it| it != "atomic") => {
            let field = format!("{path}.items.x-kubernetes-list-type");
            causes.push(Cause::invalid(field, &shown, why));
        }
        Some("object") if items.str_at(&["x-kubernetes-map-type"]) != Some("atomic") => {
            let field = format!("{path}.items.x-kubernetes-map-type");
            causes.push(Cause::invalid(field, &shown, why));
        }
        _ => {}
    }
}

fn list_map(schema: &Value, items: Option<&Value>, path: &str, causes: &mut Vec<Cause>) {
    let keys = schema.items_at(&["x-kubernetes-list-map-keys"]);
    let keys_path = format!("{path}.x-kubernetes-list-map-keys");
    if keys.is_empty() {
        let why = "must not be empty if x-kubernetes-list-type is map";
        causes.push(Cause::required(keys_path.clone(), why));
    }
    let Some(items) = items else {
        let why = "must have a schema if x-kubernetes-list-type is map";
        causes.push(Cause::required(format!("{path}.items"), why));
        return;
    };
    let kind = items.str_at(&["type"]).unwrap_or_default();
    if kind != "object" {
        let why = "must be object if parent array's x-kubernetes-list-type is map";
        causes.push(Cause::invalid(format!("{path}.items.type"), &Value::from(kind), why));
        return;
    }
    let shown = Value::from(keys.to_vec());
    for (idx, key) in keys.iter().enumerate() {
        let name = key.as_str().unwrap_or_default();
        match items.at(&["properties", name]).map(|property| property.str_at(&["type"])) {
            Some(Some("array" | "object")) => {
                let field = format!("{path}.items.properties[{name}].type");
                let why = "must be a scalar type if parent array's x-kubernetes-list-type is map";
                causes.push(Cause::invalid(field, &Value::from(kind), why));
            }
            Some(_) => {}
            None => {
                let why = "entries must all be names of item properties";
                causes.push(Cause::invalid(keys_path.clone(), &shown, why));
            }
        }
        if keys[..idx].contains(key) {
            let why = "must not contain duplicate entries";
            causes.push(Cause::invalid(keys_path.clone(), &shown, why));
        }
    }
}

/// Items that are told apart by what they hold must be there, and so must what tells them apart.
fn keys_of_items(schema: &Value, items: &Value, list_type: &str, path: &str, causes: &mut Vec<Cause>) {
    if items.bool_at(&["nullable"]) == Some(true) {
        let why = format!("cannot be nullable when x-kubernetes-list-type is {list_type}");
        causes.push(Cause::forbidden(format!("{path}.items.nullable"), &why));
    }
    if list_type != "map" {
        return;
    }
    let required = items.items_at(&["required"]);
    for key in schema.items_at(&["x-kubernetes-list-map-keys"]) {
        let name = key.as_str().unwrap_or_default();
        let Some(property) = items.at(&["properties", name]) else { continue };
        let field = format!("{path}.items.properties[{name}]");
        if !required.contains(key) && property.get("default").is_none_or(Value::is_null) {
            let why = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property";
            causes.push(Cause::required(format!("{field}.default"), why));
        }
        if property.bool_at(&["nullable"]) == Some(true) {
            let why = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable";
            causes.push(Cause::forbidden(format!("{field}.nullable"), why));
        }
    }
}
