//! ConfigMaps, Secrets, access rules and the cluster's small kinds.

use std::collections::BTreeSet;

use windlass_kube::{Map, Str, Value, validation};

use super::errors::{Errors, NOT_NEGATIVE, config_key, has, text};
use crate::defaults::quantity::Quantity;

/// How much data a ConfigMap or a Secret may hold.
const MAX_DATA: usize = 1024 * 1024;

pub(super) fn config_map(object: &Value, errors: &mut Errors) {
    let list = |key: &str| object.get(key).and_then(Value::as_object).cloned().unwrap_or_default();
    let (texts, bytes) = (list("data"), list("binaryData"));
    for (key, _) in texts.iter() {
        errors.invalid_each(&format!("data[{key}]"), key, config_key(key));
        if bytes.contains_key(key) {
            errors.invalid(&format!("data[{key}]"), key.clone(), "duplicate of key present in binaryData");
        }
    }
    for (key, _) in bytes.iter() {
        errors.invalid_each(&format!("binaryData[{key}]"), key, config_key(key));
    }
    let size: usize =
        texts.values().map(|text| text.as_str().map_or(0, str::len)).sum::<usize>() + decoded(&bytes);
    if size > MAX_DATA {
        errors.too_long("", "may not be more than 1048576 bytes");
    }
}

/// About how many bytes base64 stands for.
fn decoded(data: &Map) -> usize {
    data.values().map(|text| text.as_str().map_or(0, |text| text.trim_end_matches('=').len() * 3 / 4)).sum()
}

pub(super) fn secret(object: &Value, errors: &mut Errors) {
    let empty = Map::new();
    let data = object.get("data").and_then(Value::as_object).unwrap_or(&empty);
    for (key, _) in data.iter() {
        errors.invalid_each(&format!("data[{key}]"), key, config_key(key));
    }
    if decoded(data) > MAX_DATA {
        errors.too_long("data", "may not be more than 1048576 bytes");
    }
    let missing = |keys: &[&str], errors: &mut Errors| {
        for key in keys {
            if !data.contains_key(key) {
                errors.required(&format!("data[{key}]"), "");
            }
        }
    };
    match text(object, "type") {
        "kubernetes.io/tls" => missing(&["tls.crt", "tls.key"], errors),
        "kubernetes.io/ssh-auth" => missing(&["ssh-privatekey"], errors),
        "kubernetes.io/basic-auth" if !data.contains_key("username") && !data.contains_key("password") => {
            missing(&["username", "password"], errors);
        }
        "kubernetes.io/dockerconfigjson" => json_data(data, ".dockerconfigjson", errors),
        "kubernetes.io/dockercfg" => json_data(data, ".dockercfg", errors),
        "kubernetes.io/service-account-token" => {
            let key = "kubernetes.io/service-account.name";
            if object.str_at(&["metadata", "annotations", key]).unwrap_or_default().is_empty() {
                errors.required(&format!("metadata.annotations[{key}]"), "");
            }
        }
        _ => {}
    }
}

fn json_data(data: &Map, key: &str, errors: &mut Errors) {
    use base64::Engine;
    let field = format!("data[{key}]");
    let Some(encoded) = data.get(key).and_then(Value::as_str) else {
        errors.required(&field, "");
        return;
    };
    let bytes = base64::engine::general_purpose::STANDARD.decode(encoded).unwrap_or_default();
    let parsed: Result<Value, _> = serde_json::from_slice(&bytes);
    if !matches!(parsed, Ok(Value::Object(_))) {
        errors.invalid(&field, "<secret contents redacted>", "the value is not a JSON object");
    }
}

pub(super) fn quota(object: &Value, errors: &mut Errors) {
    for (name, quantity) in
        object.at(&["spec", "hard"]).and_then(Value::as_object).into_iter().flat_map(|h| h.iter())
    {
        let parsed = quantity.as_str().and_then(Quantity::parse);
        if parsed.is_some_and(|parsed| parsed.nanos() < 0) {
            errors.invalid(&format!("spec.hard[{name}]"), quantity.clone(), NOT_NEGATIVE);
        }
    }
}

pub(super) fn limit_range(object: &Value, errors: &mut Errors) {
    let mut types: Vec<&str> = Vec::new();
    for (limit, idx) in object.items_at(&["spec", "limits"]).iter().zip(0..) {
        let field = format!("spec.limits[{idx}]");
        let of = limit.str_at(&["type"]).unwrap_or_default();
        if types.contains(&of) {
            errors.duplicate(&format!("{field}.type"), of);
        }
        types.push(of);
        let list = |name: &str| limit.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
        let (max, min) = (list("max"), list("min"));
        let (mut defaults, mut requests) = (list("default"), list("defaultRequest"));
        if of == "Pod" {
            for (name, list) in [("default", &mut defaults), ("defaultRequest", &mut requests)] {
                if !list.is_empty() {
                    errors.forbidden(&format!("{field}.{name}"), "may not be specified when `type` is 'Pod'");
                    *list = Map::new();
                }
            }
        }
        if of == "PersistentVolumeClaim" && !min.contains_key("storage") && !max.contains_key("storage") {
            let why = "either minimum or maximum storage value is required, but neither was provided";
            errors.required(&format!("{field}.limits"), why);
        }
        let all = [&max, &min, &defaults, &requests];
        let names: BTreeSet<&Str> = all.iter().flat_map(|list| list.keys()).collect();
        for name in names {
            let amount = |list: &Map| list.get(name).and_then(Value::as_str).map(str::to_owned);
            let [max, min, default, request] = all.map(amount);
            // Which of two is at fault, the lesser and the greater with their words, and what is shown.
            for (at, (low, low_word), (high, high_word), shows_low) in [
                ("min", (&min, "min value"), (&max, "max value"), true),
                ("defaultRequest", (&min, "min value"), (&request, "default request value"), false),
                ("defaultRequest", (&request, "default request value"), (&max, "max value"), true),
                (
                    "defaultRequest",
                    (&request, "default request value"),
                    (&default, "default limit value"),
                    true,
                ),
                ("default", (&min, "min value"), (&default, "default value"), true),
                ("default", (&default, "default value"), (&max, "max value"), false),
            ] {
                let (Some(low), Some(high)) = (low, high) else { continue };
                let nanos = |text: &str| Quantity::parse(text).map(Quantity::nanos);
                if nanos(low) > nanos(high) {
                    let shown = if shows_low { low.as_str() } else { high.as_str() };
                    let why = format!("{low_word} {low} is greater than {high_word} {high}");
                    errors.invalid(&format!("{field}.{at}[{name}]"), shown, &why);
                }
            }
        }
    }
}

pub(super) fn role(object: &Value, namespaced: bool, errors: &mut Errors) {
    for (rule, idx) in object.items_at(&["rules"]).iter().zip(0..) {
        let field = format!("rules[{idx}]");
        let list = |key: &str| rule.items_at(&[key]);
        if list("verbs").is_empty() {
            errors.required(&format!("{field}.verbs"), "verbs must contain at least one value");
        }
        if !list("nonResourceURLs").is_empty() {
            let urls = rule.get("nonResourceURLs").cloned().unwrap_or_default();
            let field = format!("{field}.nonResourceURLs");
            if namespaced {
                errors.invalid(&field, urls, "namespaced rules cannot apply to non-resource URLs");
            } else if !list("apiGroups").is_empty() || !list("resources").is_empty() {
                errors.invalid(
                    &field,
                    urls,
                    "rules cannot apply to both regular resources and non-resource URLs",
                );
            }
            continue;
        }
        if list("apiGroups").is_empty() {
            errors
                .required(&format!("{field}.apiGroups"), "resource rules must supply at least one api group");
        }
        if list("resources").is_empty() {
            errors
                .required(&format!("{field}.resources"), "resource rules must supply at least one resource");
        }
    }
}

pub(super) fn role_binding(object: &Value, kinds: &[&str], errors: &mut Errors) {
    const GROUP: &str = "rbac.authorization.k8s.io";
    let empty = Value::object();
    let role = object.get("roleRef").unwrap_or(&empty);
    errors.one_of("roleRef.apiGroup", text(role, "apiGroup"), &[GROUP]);
    errors.one_of("roleRef.kind", text(role, "kind"), kinds);
    if text(role, "name").is_empty() {
        errors.required("roleRef.name", "");
    } else {
        errors.invalid_each(
            "roleRef.name",
            text(role, "name"),
            validation::path_segment_name(text(role, "name")),
        );
    }
    for (subject, idx) in object.items_at(&["subjects"]).iter().zip(0..) {
        let field = format!("subjects[{idx}]");
        let name = text(subject, "name");
        if name.is_empty() {
            errors.required(&format!("{field}.name"), "");
        }
        let kind = text(subject, "kind");
        match kind {
            "ServiceAccount" => {
                if !name.is_empty() {
                    errors.invalid_each(&format!("{field}.name"), name, validation::dns1123_subdomain(name));
                }
                let group = text(subject, "apiGroup");
                if !group.is_empty() {
                    errors.not_supported(&format!("{field}.apiGroup"), group, &[""]);
                }
                if text(subject, "namespace").is_empty()
                    && object.str_at(&["kind"]) == Some("ClusterRoleBinding")
                {
                    errors.required(&format!("{field}.namespace"), "");
                }
            }
            "User" | "Group" => {
                errors.one_of(&format!("{field}.apiGroup"), text(subject, "apiGroup"), &[GROUP]);
            }
            other => {
                errors.not_supported(&format!("{field}.kind"), other, &["ServiceAccount", "User", "Group"]);
            }
        }
    }
}

pub(super) fn priority_class(object: &Value, errors: &mut Errors) {
    let name = object.str_at(&["metadata", "name"]).unwrap_or_default();
    let known = ["system-node-critical", "system-cluster-critical"].contains(&name);
    if name.starts_with("system-") && !known {
        let detail = format!(
            "priority class names with 'system-' prefix are reserved for system use only. error: {name} is not a known system priority class"
        );
        errors.forbidden("metadata.name", &detail);
    }
    if !known && object.int_at(&["value"]).unwrap_or(0) > 1_000_000_000 {
        errors.forbidden("value", "maximum allowed value of a user defined priority is 1000000000");
    }
}

pub(super) fn lease(object: &Value, errors: &mut Errors) {
    let empty = Value::object();
    let spec = object.get("spec").unwrap_or(&empty);
    if let Some(seconds) = spec.int_at(&["leaseDurationSeconds"]).filter(|seconds| *seconds <= 0) {
        errors.invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0");
    }
    if has(spec, "leaseTransitions") {
        errors.not_negative(spec, "leaseTransitions", "spec");
    }
}
