//! What is wrong with the defaults that a definition states.

use windlass_kube::{Map, Value};

use super::schema::{MAX_DEPTH, Node};
use super::{check, embedded, rewrite, rules};
use crate::status::Cause;

/// Adds what is wrong with the defaults of a structural schema at `path`.
pub(super) fn check_defaults(schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    node(schema, path, 0, false, causes);
}

fn node(schema: &Value, path: &str, depth: usize, in_metadata: bool, causes: &mut Vec<Cause>) {
    if depth > MAX_DEPTH {
        return;
    }
    let embedded = schema.bool_at(&["x-kubernetes-embedded-resource"]) == Some(true);
    let in_metadata = in_metadata && !embedded;
    if let Some(default) = schema.get("default").filter(|default| !default.is_null()) {
        one(schema, default, &format!("{path}.default"), in_metadata, causes);
    }
    // Below `additionalProperties` nothing has a default that could be looked at by itself.
    if let Some(items) = schema.get("items").filter(|items| items.as_object().is_some()) {
        node(items, &format!("{path}.items"), depth + 1, in_metadata, causes);
    }
    for (name, property) in
        schema.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::iter)
    {
        let of_every_object = matches!(name.as_str(), "metadata" | "kind" | "apiVersion");
        let in_metadata = in_metadata || ((embedded || depth == 0) && of_every_object);
        node(property, &format!("{path}.properties[{name}]"), depth + 1, in_metadata, causes);
    }
}

fn one(schema: &Value, default: &Value, path: &str, in_metadata: bool, causes: &mut Vec<Cause>) {
    let Ok(compiled) = Node::compile(schema) else { return };
    if !in_metadata {
        let mut pruned = default.clone();
        rewrite::prune_value(&compiled, &mut pruned);
        if pruned != *default {
            causes.push(Cause::invalid(path, default, "must not have unknown fields"));
        }
    }
    let mut found = Vec::new();
    check::check(&compiled, default, &mut found);
    if compiled.embedded && !in_metadata {
        embedded::check(&compiled, default, "", &mut found);
    }
    if found.is_empty()
        && let Some(rules) = rules::RuleNode::compile(schema)
    {
        let mut broken = rules::Found::default();
        rules::check(&rules, default, None, &mut broken);
        found.extend(broken.causes);
    }
    causes.extend(found.into_iter().map(|mut cause| {
        cause.field = match cause.field.as_str() {
            "" | "<nil>" => path.to_owned(),
            field => format!("{path}.{field}"),
        };
        cause
    }));
}
