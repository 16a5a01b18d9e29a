//! Validation by a structural schema, in the words of kube-apiserver 1.36.3.

use windlass_kube::{Map, Str, Value};

use super::format;
use super::rewrite::is_keyed;
use super::schema::{Kind, ListKind, Node, Rules};
use crate::status::Cause;

/// Adds everything that is wrong with `value`.
pub(super) fn check(node: &Node, value: &Value, causes: &mut Vec<Cause>) {
    check_value(node, value, "", causes);
}

fn invalid(field: &str, value: &Value, detail: &str) -> Cause {
    Cause::invalid(field, value, detail)
}

/// What has no field of its own in the server's answers.
fn nowhere(detail: &str) -> Cause {
    invalid("<nil>", &Value::from(""), detail)
}

fn wrong_type(field: &str, value: &Value, wanted: &str) -> Cause {
    let found = match value {
        Value::Float(_) => "number",
        other => other.type_name(),
    };
    let message = format!("Invalid value: {found:?}: {field} in body must be of type {wanted}: {found:?}");
    Cause { reason: "FieldValueTypeInvalid", message, field: field.into() }
}

fn check_value(node: &Node, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    if value.is_null() && node.nullable {
        return;
    }
    let of_type = check_type(node, value, path, causes);
    check_rules(&node.rules, value, path, of_type, causes);
    match value {
        Value::Object(map) if of_type => check_members(node, map, path, causes),
        Value::Array(items) if of_type => {
            if let Some(item_node) = &node.items {
                for (idx, item) in items.iter().enumerate() {
                    check_value(item_node, item, &format!("{path}[{idx}]"), causes);
                }
            }
        }
        _ => {}
    }
}

fn check_type(node: &Node, value: &Value, path: &str, causes: &mut Vec<Cause>) -> bool {
    if node.int_or_string {
        let fits = matches!(value, Value::Int(_) | Value::String(_));
        if !fits {
            causes.push(wrong_type(path, value, "integer,string"));
        }
        return fits;
    }
    let Some(kind) = node.kind else { return true };
    let fits = match (kind, value) {
        (Kind::Object, Value::Object(_))
        | (Kind::Array, Value::Array(_))
        | (Kind::String, Value::String(_))
        | (Kind::Boolean, Value::Bool(_))
        | (Kind::Integer, Value::Int(_))
        | (Kind::Number, Value::Int(_) | Value::Float(_)) => true,
        (Kind::Integer, Value::Float(float)) => float.fract() == 0.0,
        _ => false,
    };
    if !fits {
        causes.push(wrong_type(path, value, kind.word()));
        if matches!((kind, value), (Kind::Integer, Value::Float(_))) {
            causes
                .push(nowhere(&format!("Checked value must be of type integer (default format) in {path}")));
        }
    }
    fits
}

fn check_members(node: &Node, map: &Map, path: &str, causes: &mut Vec<Cause>) {
    for (key, value) in map.iter() {
        let of_every_resource =
            (path.is_empty() || node.embedded) && matches!(key.as_str(), "apiVersion" | "kind" | "metadata");
        if let Some(member) = node.member(key).filter(|_| !of_every_resource) {
            check_value(member, value, &step(path, key), causes);
        }
    }
}

fn step(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn check_rules(rules: &Rules, value: &Value, path: &str, of_type: bool, causes: &mut Vec<Cause>) {
    if !rules.allowed.is_empty() && !rules.allowed.contains(value) {
        causes.push(not_supported(&rules.allowed, value, path));
    }
    match value {
        Value::String(text) if of_type => check_text(rules, value, text, path, causes),
        Value::Int(_) | Value::Float(_) if of_type => check_number(rules, value, path, causes),
        Value::Array(items) if of_type => {
            let n_items = items.len();
            if let Some(most) = rules.max_items.filter(|most| n_items > *most) {
                causes.push(too_many(path, n_items, most));
            }
            if let Some(least) = rules.min_items.filter(|least| n_items < *least) {
                let detail = format!("{path} in body should have at least {least} items");
                causes.push(invalid(path, &Value::Int(i64::try_from(n_items).unwrap_or(i64::MAX)), &detail));
            }
            if rules.unique_items && items.iter().enumerate().any(|(idx, item)| items[..idx].contains(item)) {
                causes.push(invalid(path, value, &format!("{path} in body shouldn't contain duplicates")));
            }
        }
        Value::Object(map) => {
            let n_members = map.len();
            if let Some(most) = rules.max_properties.filter(|most| n_members > *most) {
                causes.push(too_many(path, n_members, most));
            }
            if let Some(least) = rules.min_properties.filter(|least| n_members < *least) {
                let detail = format!("{path} in body should have at least {least} properties");
                causes.push(invalid(
                    path,
                    &Value::Int(i64::try_from(n_members).unwrap_or(i64::MAX)),
                    &detail,
                ));
            }
            for required in &rules.required {
                if !map.contains_key(required) {
                    causes.push(Cause::required(step(path, required), ""));
                }
            }
        }
        _ => {}
    }
    check_combinations(rules, value, path, causes);
}

fn too_many(path: &str, n_items: usize, most: usize) -> Cause {
    let items = if most == 1 { "item" } else { "items" };
    Cause {
        reason: "FieldValueTooMany",
        message: format!("Too many: {n_items}: must have at most {most} {items}"),
        field: path.into(),
    }
}

fn not_supported(allowed: &[Value], value: &Value, path: &str) -> Cause {
    let supported: Vec<String> = allowed
        .iter()
        .map(|value| match value {
            Value::String(text) => format!("{text:?}"),
            other => format!("{:?}", format!("{other:?}")),
        })
        .collect();
    Cause {
        reason: "FieldValueNotSupported",
        message: format!("Unsupported value: {value:?}: supported values: {}", supported.join(", ")),
        field: path.into(),
    }
}

fn check_text(rules: &Rules, value: &Value, text: &Str, path: &str, causes: &mut Vec<Cause>) {
    // kube-openapi counts characters; it stops at the first of these rules that is broken.
    let n_chars = text.chars().count();
    if let Some(most) = rules.max_length.filter(|most| n_chars > *most) {
        let bytes = if most == 1 { "byte" } else { "bytes" };
        causes.push(Cause {
            reason: "FieldValueTooLong",
            message: format!("Too long: may not be more than {most} {bytes}"),
            field: path.into(),
        });
    } else if let Some(least) = rules.min_length.filter(|least| n_chars < *least) {
        causes.push(invalid(path, value, &format!("{path} in body should be at least {least} chars long")));
    } else if let Some(pattern) = rules.pattern.as_ref().filter(|pattern| !pattern.is_match(text)) {
        causes.push(invalid(path, value, &format!("{path} in body should match '{}'", pattern.as_str())));
    }
    if !format::holds(&rules.format, text) {
        let message =
            format!("Invalid value: {text:?}: {path} in body must be of type {}: {text:?}", rules.format);
        causes.push(Cause { reason: "FieldValueTypeInvalid", message, field: path.into() });
    }
}

fn check_number(rules: &Rules, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    let number = value.as_float().unwrap_or(0.0);
    if rules.format == "int32" && !(-2_147_483_648.0..=2_147_483_647.0).contains(&number) {
        causes.push(nowhere(&format!("Checked value must be of type integer with format int32 in {path}")));
        return;
    }
    if let Some(factor) = rules.multiple_of {
        // The quotient, not the factor: the server asks that of zero too.
        if number == 0.0 {
            causes.push(invalid(
                path,
                value,
                &format!("factor MultipleOf declared for {path} must be positive: 0"),
            ));
        } else if ((number / factor) - (number / factor).round()).abs() > f64::EPSILON {
            let factor = Value::Float(factor);
            causes.push(invalid(path, value, &format!("{path} in body should be a multiple of {factor:?}")));
        }
    }
    if let Some(most) = rules.maximum {
        let broken = if rules.exclusive_maximum { number >= most } else { number > most };
        if broken {
            let than = if rules.exclusive_maximum { "less than" } else { "less than or equal to" };
            let most = Value::Float(most);
            causes.push(invalid(path, value, &format!("{path} in body should be {than} {most:?}")));
        }
    }
    if let Some(least) = rules.minimum {
        let broken = if rules.exclusive_minimum { number <= least } else { number < least };
        if broken {
            let than = if rules.exclusive_minimum { "greater than" } else { "greater than or equal to" };
            let least = Value::Float(least);
            causes.push(invalid(path, value, &format!("{path} in body should be {than} {least:?}")));
        }
    }
}

fn faults(node: &Node, value: &Value, path: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    check_value(node, value, path, &mut causes);
    causes
}

fn check_combinations(rules: &Rules, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    if !rules.any_of.is_empty() {
        let tried: Vec<_> = rules.any_of.iter().map(|node| faults(node, value, path)).collect();
        if tried.iter().all(|faults| !faults.is_empty()) {
            causes.push(nowhere(&format!("{path:?} must validate at least one schema (anyOf)")));
            causes.extend(best_match(tried));
        }
    }
    if !rules.one_of.is_empty() {
        let tried: Vec<_> = rules.one_of.iter().map(|node| faults(node, value, path)).collect();
        let n_valid = tried.iter().filter(|faults| faults.is_empty()).count();
        if n_valid != 1 {
            let found = if n_valid == 0 {
                "Found none valid".into()
            } else {
                format!("Found {n_valid} valid alternatives")
            };
            causes.push(nowhere(&format!("{path:?} must validate one and only one schema (oneOf). {found}")));
            if n_valid == 0 {
                causes.extend(best_match(tried));
            }
        }
    }
    if !rules.all_of.is_empty() {
        let tried: Vec<_> = rules.all_of.iter().map(|node| faults(node, value, path)).collect();
        let n_valid = tried.iter().filter(|faults| faults.is_empty()).count();
        if n_valid < tried.len() {
            let none = if n_valid == 0 { ". None validated" } else { "" };
            causes.extend(tried.into_iter().flatten());
            causes.push(nowhere(&format!("{path:?} must validate all the schemas (allOf){none}")));
        }
    }
    if rules.not.as_ref().is_some_and(|not| faults(not, value, path).is_empty()) {
        causes.push(nowhere(&format!("{path:?} must not validate the schema (not)")));
    }
}

/// The faults of the alternative that came closest: the first with the fewest.
fn best_match(tried: Vec<Vec<Cause>>) -> Vec<Cause> {
    tried.into_iter().min_by_key(Vec::len).unwrap_or_default()
}

/// Lists that are sets or maps must not name one item twice.
pub(super) fn check_lists(node: &Node, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map.iter() {
                if let (Some(member), Value::Object(_) | Value::Array(_)) = (node.member(key), value) {
                    let is_property = node.properties.iter().any(|(have, _)| have == key);
                    let path = if is_property { step(path, key) } else { format!("{path}[{key}]") };
                    check_lists(member, value, &path, causes);
                }
            }
        }
        Value::Array(items) => {
            if is_keyed(node) {
                check_keys(node, items, path, causes);
            }
            if let Some(item_node) = &node.items {
                for (idx, item) in items.iter().enumerate() {
                    check_lists(item_node, item, &format!("{path}[{idx}]"), causes);
                }
            }
        }
        _ => {}
    }
}

fn check_keys(node: &Node, items: &[Value], path: &str, causes: &mut Vec<Cause>) {
    let mut seen: Vec<Value> = Vec::new();
    for (idx, item) in items.iter().enumerate() {
        let field = format!("{path}[{idx}]");
        let key = match (&node.list, item) {
            (ListKind::Map(keys), Value::Object(map)) => {
                let key: Map =
                    keys.iter().filter_map(|key| Some((key.clone(), map.get(key)?.clone()))).collect();
                Value::Object(key)
            }
            (ListKind::Map(_), _) => {
                causes.push(invalid(&field, item, "must be an object for an array of list-type map"));
                continue;
            }
            _ => item.clone(),
        };
        if seen.contains(&key) {
            causes.push(Cause {
                reason: "FieldValueDuplicate",
                message: format!("Duplicate value: {key:?}"),
                field,
            });
        } else {
            seen.push(key);
        }
    }
}
