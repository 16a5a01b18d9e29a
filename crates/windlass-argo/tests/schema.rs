//! The generated schemas against those of Argo CD, field by field.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;

use windlass_argo::crds;
use windlass_kube::Value;

/// What a schema can say beside types, members and descriptions.
const DETAILS: &[&str] = &[
    "anyOf",
    "default",
    "enum",
    "format",
    "maxLength",
    "maximum",
    "minLength",
    "minimum",
    "nullable",
    "pattern",
];

fn list(schema: &Value, path: &str, required: bool, lines: &mut Vec<String>) {
    let shown = if path.is_empty() { "." } else { path };
    let mut line = format!("{shown} {}", schema.str_at(&["type"]).unwrap_or("-"));
    if required {
        line.push_str(" required");
    }
    for (key, value) in schema.as_object().unwrap().iter() {
        if key.starts_with("x-") || DETAILS.contains(&key.as_str()) {
            write!(line, " {key}={value:?}").unwrap();
        }
    }
    lines.push(line);
    let requires = |key: &str| schema.items_at(&["required"]).iter().any(|item| item.as_str() == Some(key));
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        for (key, member) in properties.iter() {
            list(member, &format!("{path}.{key}"), requires(key), lines);
        }
    }
    if let Some(items) = schema.get("items") {
        list(items, &format!("{path}[]"), false, lines);
    }
    if let Some(values) = schema.get("additionalProperties") {
        list(values, &format!("{path}{{}}"), false, lines);
    }
}

fn check(kind: &str, recorded: &str, own: &[&str]) {
    let crds = crds();
    let crd = crds.iter().find(|crd| crd.str_at(&["spec", "names", "kind"]) == kind).unwrap();
    let version = &crd.at(&["spec", "versions"]).unwrap().as_array().unwrap()[0];
    let mut lines = Vec::new();
    list(version.at(&["schema", "openAPIV3Schema"]).unwrap(), "", false, &mut lines);
    let mut generated: Vec<&str> =
        lines.iter().map(String::as_str).filter(|line| !own.contains(line)).collect();
    assert_eq!(lines.len() - generated.len(), own.len(), "our own fields are in the schema");
    let mut recorded: Vec<&str> = recorded.lines().filter(|line| !line.starts_with('#')).collect();
    generated.sort_unstable();
    recorded.sort_unstable();
    let missing: Vec<_> = recorded.iter().filter(|line| generated.binary_search(line).is_err()).collect();
    let extra: Vec<_> = generated.iter().filter(|line| recorded.binary_search(line).is_err()).collect();
    assert!(missing.is_empty() && extra.is_empty(), "missing {missing:#?}\nextra {extra:#?}");
}

#[test]
fn an_application_has_the_fields_of_argo_cd() {
    let own = [".status.windlass object x-kubernetes-preserve-unknown-fields=true"];
    check("Application", include_str!("data/application.fields"), &own);
}

#[test]
fn a_project_has_the_fields_of_argo_cd() {
    check("AppProject", include_str!("data/appproject.fields"), &[]);
}

#[test]
fn applications_have_no_status_subresource() {
    for crd in crds() {
        let version = &crd.at(&["spec", "versions"]).unwrap().as_array().unwrap()[0];
        let expected = crd.str_at(&["spec", "names", "kind"]) == "ApplicationSet";
        assert_eq!(version.at(&["subresources", "status"]).is_some(), expected);
    }
}

#[test]
fn every_field_is_described() {
    fn walk(schema: &Value, path: &str) {
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            for (key, member) in properties.iter() {
                let path = format!("{path}.{key}");
                let description = member.str_at(&["description"]).unwrap_or_default();
                // The API server refuses anything but a type for metadata.
                assert!(description.ends_with('.') != (path == ".metadata"), "{path} says {description:?}");
                walk(member, &path);
            }
        }
        ["items", "additionalProperties"]
            .iter()
            .filter_map(|key| schema.get(key))
            .for_each(|next| walk(next, path));
    }
    for crd in crds() {
        let version = &crd.at(&["spec", "versions"]).unwrap().as_array().unwrap()[0];
        walk(version.at(&["schema", "openAPIV3Schema"]).unwrap(), "");
    }
}
