//! The rules by which a schema is structural, so that pruning and defaulting know every field.
//!
//! Source: "Specifying a structural schema" in the Kubernetes documentation, and the words of
//! kube-apiserver 1.36 (`k8s.io/apiextensions-apiserver` v0.36.3, package `apiserver/schema`).

use windlass_go::re2::Regex;
use windlass_kube::{Map, Value, value};

use crate::status::Cause;

/// What JSON schema's words for combining schemas may not say.
pub(super) const COMBINERS: [&str; 3] = ["allOf", "anyOf", "oneOf"];

/// What a schema may say elsewhere, but not in a definition: the word, its name in errors, and whether an empty value
/// counts as unset.
const UNSUPPORTED: [(&str, &str); 7] = [
    ("id", "id"),
    ("$schema", "schema"),
    ("$ref", "$ref"),
    ("patternProperties", "patternProperties"),
    ("dependencies", "dependencies"),
    ("additionalItems", "additionalItems"),
    ("definitions", "definitions"),
];

/// Where in the schema a part of it stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Root,
    Item,
    Field,
}

/// Adds what is wrong with the schema at `path`, the root of a version.
pub(super) fn check(schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    node(schema, path, Level::Root, causes);
    complete(schema, schema, path, path, causes);
}

/// Why a schema cannot be read as a structural one at all, which other rules say better.
pub(super) fn unreadable(schema: &Value) -> Option<String> {
    let is_set = |key: &str| match schema.get(key) {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Object(map)) => !map.is_empty(),
        Some(_) => true,
    };
    if let Some((_, name)) = UNSUPPORTED.iter().find(|(key, _)| is_set(key)) {
        return Some(format!("OpenAPIV3Schema '{name}' is not supported"));
    }
    if schema.bool_at(&["x-kubernetes-preserve-unknown-fields"]) == Some(false) {
        let why = "internal error: 'x-kubernetes-preserve-unknown-fields' must be true or undefined";
        return Some(why.to_owned());
    }
    if schema.get("items").is_some_and(|items| items.as_array().is_some()) {
        return Some("OpenAPIV3Schema 'items' must be a schema, but is an array".to_owned());
    }
    parts(schema).into_iter().find_map(unreadable)
}

/// The schemas that stand directly in a schema.
pub(super) fn parts(schema: &Value) -> Vec<&Value> {
    let mut parts: Vec<&Value> = Vec::new();
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        parts.extend(properties.values());
    }
    parts.extend(
        ["items", "additionalProperties", "not"]
            .iter()
            .filter_map(|key| schema.get(key))
            .filter(|part| part.as_object().is_some()),
    );
    for combiner in COMBINERS {
        parts.extend(schema.items_at(&[combiner]));
    }
    parts
}

fn flag(schema: &Value, key: &str) -> bool {
    schema.bool_at(&[key]) == Some(true)
}

fn members(schema: &Value) -> impl Iterator<Item = (&windlass_kube::Str, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::iter)
}

fn schema_at<'a>(schema: &'a Value, key: &str) -> Option<&'a Value> {
    schema.get(key).filter(|part| part.as_object().is_some())
}

fn node(schema: &Value, path: &str, level: Level, causes: &mut Vec<Cause>) {
    let kind = schema.str_at(&["type"]).unwrap_or_default();
    if kind == "array" && schema_at(schema, "items").is_none() {
        causes.push(Cause::required(format!("{path}.items"), "must be specified"));
    }
    if let Some(items) = schema_at(schema, "items") {
        node(items, &format!("{path}.items"), Level::Item, causes);
    }
    for (name, property) in members(schema) {
        node(property, &format!("{path}.properties[{name}]"), Level::Field, causes);
    }
    let additional = schema.get("additionalProperties").filter(|it| !it.is_null());
    if additional.is_some() && level == Level::Root {
        let why = "must not be used at the root";
        causes.push(Cause::forbidden(format!("{path}.additionalProperties"), why));
    }
    if let Some(additional) = schema_at(schema, "additionalProperties") {
        node(additional, &format!("{path}.additionalProperties"), Level::Field, causes);
    }
    let (int_or_string, preserves, embedded) = (
        flag(schema, "x-kubernetes-int-or-string"),
        flag(schema, "x-kubernetes-preserve-unknown-fields"),
        flag(schema, "x-kubernetes-embedded-resource"),
    );
    for (key, is_set) in
        [("x-kubernetes-preserve-unknown-fields", preserves), ("x-kubernetes-embedded-resource", embedded)]
    {
        if int_or_string && is_set {
            let why = "must be false if x-kubernetes-int-or-string is true";
            causes.push(Cause::invalid(format!("{path}.{key}"), &Value::Bool(true), why));
        }
    }
    let first_of_all = schema.items_at(&["allOf"]).first();
    let skips_any = is_int_or_string(schema.get("anyOf"));
    let skips_first = is_int_or_string(first_of_all.and_then(|first| first.get("anyOf")));
    validations(schema, path, (skips_any, skips_first), causes);
    types(kind, schema, path, level, causes);
    if embedded && additional.is_some() {
        let why = "must not be used if x-kubernetes-embedded-resource is set";
        causes.push(Cause::forbidden(format!("{path}.additionalProperties"), why));
    }
    if level == Level::Root || embedded {
        for name in ["kind", "apiVersion"] {
            let property = schema.at(&["properties", name]);
            let found = property.map(|property| property.str_at(&["type"]).unwrap_or_default());
            if let Some(found) = found.filter(|found| *found != "string") {
                let field = format!("{path}.properties[{name}].type");
                causes.push(Cause::invalid(field, &Value::from(found), "must be string"));
            }
        }
    }
    metadata(schema, path, level, embedded, causes);
    if embedded && !preserves && members(schema).next().is_none() {
        let why = "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields";
        causes.push(Cause::required(format!("{path}.properties"), why));
    }
}

fn types(kind: &str, schema: &Value, path: &str, level: Level, causes: &mut Vec<Cause>) {
    let field = format!("{path}.type");
    let embedded = flag(schema, "x-kubernetes-embedded-resource");
    let is_anything =
        flag(schema, "x-kubernetes-int-or-string") || flag(schema, "x-kubernetes-preserve-unknown-fields");
    if embedded && kind != "object" {
        let why = "must be object if x-kubernetes-embedded-resource is true";
        causes.push(match kind {
            "" => Cause::required(field.clone(), why),
            _ => Cause::invalid(field.clone(), &Value::from(kind), why),
        });
    } else if kind.is_empty() && !is_anything {
        let why = match level {
            Level::Root => "must not be empty at the root",
            Level::Item => "must not be empty for specified array items",
            Level::Field => "must not be empty for specified object fields",
        };
        causes.push(Cause::required(field.clone(), why));
    }
    if level == Level::Root && !kind.is_empty() && kind != "object" {
        causes.push(Cause::invalid(field, &Value::from(kind), "must be object at the root"));
    }
}

fn metadata(schema: &Value, path: &str, level: Level, embedded: bool, causes: &mut Vec<Cause>) {
    let Some(metadata) = schema.at(&["properties", "metadata"]) else { return };
    let path = format!("{path}.properties[metadata]");
    let kind = metadata.str_at(&["type"]).unwrap_or_default();
    if (level == Level::Root || embedded) && kind != "object" {
        causes.push(Cause::invalid(format!("{path}.type"), &Value::from(kind), "must be object"));
    }
    if level != Level::Root {
        return;
    }
    let names_only = members(metadata).all(|(name, _)| matches!(name.as_str(), "name" | "generateName"));
    let is_unset = |value: &Value| match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        _ => false,
    };
    let more =
        metadata.as_object().into_iter().flat_map(Map::iter).any(|(key, value)| {
            !matches!(key.as_str(), "type" | "default" | "properties") && !is_unset(value)
        });
    if !names_only || more {
        let why = "must not specify anything other than name and generateName, but metadata is implicitly specified";
        causes.push(Cause::forbidden(path, why));
    }
}

/// The one shape of types below a combiner that is let pass: an integer or a string.
fn is_int_or_string(any_of: Option<&Value>) -> bool {
    any_of.is_some_and(|any_of| *any_of == value!([{"type": "integer"}, {"type": "string"}]))
}

/// What a schema says of values, and what the schemas that it combines say.
fn validations(schema: &Value, path: &str, (skips_any, skips_first): (bool, bool), causes: &mut Vec<Cause>) {
    for combiner in COMBINERS {
        for (idx, part) in schema.items_at(&[combiner]).iter().enumerate() {
            if combiner == "anyOf" && skips_any {
                continue;
            }
            let skips = combiner == "allOf" && skips_first && idx == 0;
            nested(part, &format!("{path}.{combiner}[{idx}]"), skips, causes);
        }
    }
    if let Some(part) = schema_at(schema, "not") {
        nested(part, &format!("{path}.not"), false, causes);
    }
    let pattern = schema.str_at(&["pattern"]).unwrap_or_default();
    if let (false, Err(error)) = (pattern.is_empty(), Regex::parse(pattern)) {
        let why = format!("must be a valid regular expression, but isn't: {error}");
        causes.push(Cause::invalid(format!("{path}.pattern"), &Value::from(pattern), &why));
    }
}

/// Inside `allOf` and its siblings nothing may say what a field is, only what it may hold.
fn nested(part: &Value, path: &str, skips_any: bool, causes: &mut Vec<Cause>) {
    validations(part, path, (skips_any, false), causes);
    if let Some(items) = schema_at(part, "items") {
        nested(items, &format!("{path}.items"), false, causes);
    }
    for (name, property) in members(part) {
        nested(property, &format!("{path}.properties[{name}]"), false, causes);
    }
    let empty = "must be empty to be structural";
    let undefined = "must be undefined to be structural";
    let off = "must be false to be structural";
    for (key, why) in [
        ("type", empty),
        ("additionalProperties", undefined),
        ("default", undefined),
        ("title", empty),
        ("description", empty),
        ("nullable", off),
        ("x-kubernetes-preserve-unknown-fields", off),
        ("x-kubernetes-embedded-resource", off),
        ("x-kubernetes-int-or-string", off),
        ("x-kubernetes-list-map-keys", empty),
        ("x-kubernetes-list-type", undefined),
        ("x-kubernetes-map-type", undefined),
        ("x-kubernetes-validations", empty),
    ] {
        let is_set = match part.get(key) {
            None | Some(Value::Null | Value::Bool(false)) => false,
            Some(Value::String(text)) => !text.is_empty() || why == undefined,
            Some(Value::Array(items)) => !items.is_empty(),
            Some(_) => true,
        };
        if is_set {
            causes.push(Cause::forbidden(format!("{path}.{key}"), why));
        }
    }
    if part.at(&["properties", "metadata"]).is_some() {
        let why = "must not be specified in a nested context";
        causes.push(Cause::forbidden(format!("{path}.properties[metadata]"), why));
    }
}

/// Everything that combined schemas speak of must be there without them, too.
fn complete(stated: &Value, schema: &Value, path: &str, stated_path: &str, causes: &mut Vec<Cause>) {
    let mut combined: Vec<(&Value, String)> = Vec::new();
    if let Some(part) = schema_at(stated, "not") {
        combined.push((part, format!("{stated_path}.not")));
    }
    for combiner in COMBINERS {
        let parts = stated.items_at(&[combiner]).iter().enumerate();
        combined.extend(parts.map(|(idx, part)| (part, format!("{stated_path}.{combiner}[{idx}]"))));
    }
    for (part, part_path) in combined {
        complete_nested(part, Some(schema), path, &part_path, causes);
    }
}

fn complete_nested(
    part: &Value,
    schema: Option<&Value>,
    path: &str,
    part_path: &str,
    causes: &mut Vec<Cause>,
) {
    let Some(schema) = schema else {
        let why = format!("because it is defined in {part_path}");
        causes.push(Cause::required(path, &why));
        return;
    };
    complete(part, schema, path, part_path, causes);
    if let Some(items) = schema_at(part, "items") {
        let below = schema_at(schema, "items");
        complete_nested(items, below, &format!("{path}.items"), &format!("{part_path}.items"), causes);
    }
    for (name, property) in members(part) {
        let step = format!(".properties[{name}]");
        let below = schema.at(&["properties", name]);
        complete_nested(property, below, &format!("{path}{step}"), &format!("{part_path}{step}"), causes);
    }
    if let Some(additional) = schema_at(part, "additionalProperties") {
        let below = schema_at(schema, "additionalProperties");
        let step = ".additionalProperties";
        complete_nested(additional, below, &format!("{path}{step}"), &format!("{part_path}{step}"), causes);
    }
}
