//! Pods as Go prints kube-apiserver's internal types, which is how errors show them.
//!
//! The table (`internal.txt`) is printed from `k8s.io/kubernetes` v1.36.3 by `tools/oracle-apiserver-internal`.

use std::collections::HashMap;
use std::sync::OnceLock;

use windlass_kube::{Map, Value};

/// How Go writes a value.
enum Type {
    Text,
    Flag,
    Number,
    /// In a way of its own: quantities, times, numbers or names.
    Own(&'static str),
    Pointer(Box<Type>),
    List(Box<Type>),
    Dict(Box<Type>),
    Struct(&'static str),
}

struct Field {
    /// What the internal type calls it.
    shown: &'static str,
    omits_empty: bool,
    /// What clients call it; `-` for what they have somewhere else.
    key: &'static str,
    ty: Type,
}

type Structs = HashMap<&'static str, Vec<Field>>;

fn structs() -> &'static Structs {
    static STRUCTS: OnceLock<Structs> = OnceLock::new();
    STRUCTS.get_or_init(|| {
        let mut structs = Structs::new();
        let mut current = "";
        for line in include_str!("internal.txt").lines() {
            if let Some(name) = line.strip_prefix("struct ") {
                current = name;
                structs.insert(name, Vec::new());
                continue;
            }
            let mut words = line.split_whitespace();
            if let (Some(shown), Some(key), Some(ty)) = (words.next(), words.next(), words.next()) {
                structs.entry(current).or_default().push(Field {
                    shown: shown.trim_end_matches('?'),
                    omits_empty: shown.ends_with('?'),
                    key,
                    ty: parse(ty),
                });
            }
        }
        structs
    })
}

fn parse(text: &'static str) -> Type {
    if let Some(inner) = text.strip_prefix('*') {
        return Type::Pointer(Box::new(parse(inner)));
    }
    if let Some(inner) = text.strip_prefix("[]") {
        return Type::List(Box::new(parse(inner)));
    }
    if let Some(inner) = text.strip_prefix("{}") {
        return Type::Dict(Box::new(parse(inner)));
    }
    if let Some(name) = text.strip_prefix('@') {
        return Type::Struct(name);
    }
    match text.strip_prefix("own:") {
        Some(name) => Type::Own(name),
        None => match text {
            "string" => Type::Text,
            "bool" => Type::Flag,
            _ => Type::Number,
        },
    }
}

/// An object of the internal type of this name, such as `core.PodSpec`.
pub(super) fn shown(name: &str, value: &Value) -> String {
    let mut out = String::new();
    structure(name, value, None, &mut out);
    out
}

/// `around` is the spec of the pod, which has what the internal security context has.
fn structure(name: &str, value: &Value, around: Option<&Value>, out: &mut String) {
    let around = if name == "core.PodSpec" { Some(value) } else { around };
    out.push('{');
    let mut is_first = true;
    for field in structs().get(name).into_iter().flatten() {
        let member = match (field.key, around) {
            ("-", Some(spec)) if name == "core.PodSecurityContext" => spec.get(&in_spec(field.shown)),
            // What every object says of itself stands in metadata to clients.
            ("spec", _) => value.get("spec"),
            (key, _) if name.ends_with("Template") || name.ends_with("TemplateSpec") => {
                value.at(&["metadata", key])
            }
            (key, _) => value.get(key),
        };
        let member = member.filter(|member| !member.is_null());
        if field.omits_empty && member.is_none_or(is_empty) {
            continue;
        }
        if !is_first {
            out.push(',');
        }
        is_first = false;
        out.push('"');
        out.push_str(field.shown);
        out.push_str("\":");
        written(&field.ty, member, around, out);
    }
    out.push('}');
}

/// `HostPID` is `hostPID` to clients.
fn in_spec(shown: &str) -> String {
    let mut chars = shown.chars();
    let first = chars.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(chars).collect()
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => Map::is_empty(members),
        Value::Int(number) => *number == 0,
        Value::Bool(flag) => !flag,
        Value::Float(_) => false,
    }
}

fn written(ty: &Type, value: Option<&Value>, around: Option<&Value>, out: &mut String) {
    match (ty, value) {
        (Type::Pointer(inner), Some(value)) => written(inner, Some(value), around, out),
        (Type::List(inner), Some(Value::Array(items))) => {
            out.push('[');
            for (idx, item) in items.iter().enumerate() {
                if idx > 0 {
                    out.push(',');
                }
                written(inner, Some(item), around, out);
            }
            out.push(']');
        }
        (Type::Dict(inner), Some(Value::Object(members))) => {
            out.push('{');
            for (idx, (key, member)) in members.iter().enumerate() {
                if idx > 0 {
                    out.push(',');
                }
                out.push_str(&json(&Value::String(key.clone())));
                out.push(':');
                written(inner, Some(member), around, out);
            }
            out.push('}');
        }
        (Type::Struct(name), value) => {
            structure(name, value.unwrap_or(&Value::object()), around, out);
        }
        (_, Some(value)) => out.push_str(&json(value)),
        (Type::Text, None) => out.push_str("\"\""),
        (Type::Flag, None) => out.push_str("false"),
        (Type::Number | Type::Own("intstr.IntOrString"), None) => out.push('0'),
        (Type::Own("resource.Quantity"), None) => out.push_str("\"0\""),
        (Type::Own(_) | Type::Pointer(_) | Type::List(_) | Type::Dict(_), None) => out.push_str("null"),
    }
}

/// A value as Go's `encoding/json` writes it.
fn json(value: &Value) -> String {
    windlass_yaml::json::to_string(value)
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_kube::value;

    #[test]
    fn what_clients_say_of_the_pod_is_in_its_security_context() {
        let shown = shown("core.PodSpec", &value!({"hostPID": true, "shareProcessNamespace": true}));
        let wanted = r#""SecurityContext":null"#;
        assert!(shown.contains(wanted), "{shown}");
        let shown =
            super::shown("core.PodSpec", &value!({"hostPID": true, "securityContext": {"fsGroup": 1}}));
        let wanted = r#""SecurityContext":{"HostNetwork":false,"HostPID":true,"HostIPC":false,"#;
        assert!(shown.contains(wanted), "{shown}");
    }
}
