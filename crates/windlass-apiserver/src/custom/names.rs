//! Names in definitions of custom resources, and what of a definition never changes.

use windlass_kube::{Value, validation};

use crate::status::Cause;

/// What is wrong with a definition's names and scope.
pub(super) fn check(definition: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let text = |path: &[&str]| definition.str_at(path).unwrap_or_default();
    let group = text(&["spec", "group"]);
    if !group.contains('.') {
        causes.push(Cause::invalid(
            "spec.group",
            &Value::from(group),
            "should be a domain with at least one dot",
        ));
    }
    let scope = text(&["spec", "scope"]);
    if !matches!(scope, "Cluster" | "Namespaced") {
        causes.push(Cause {
            reason: "FieldValueNotSupported",
            message: format!("Unsupported value: {scope:?}: supported values: \"Cluster\", \"Namespaced\""),
            field: "spec.scope".into(),
        });
    }
    let kind = text(&["spec", "names", "kind"]);
    let singular = match text(&["spec", "names", "singular"]) {
        "" => kind.to_lowercase(),
        given => given.to_owned(),
    };
    for (field, name) in [("plural", text(&["spec", "names", "plural"])), ("singular", &singular)] {
        for message in validation::dns1035_label(name) {
            causes.push(Cause::invalid(format!("spec.names.{field}"), &Value::from(name), &message));
        }
    }
    for message in validation::dns1035_label(&kind.to_lowercase()) {
        let why = format!("may have mixed case, but should otherwise match: {message}");
        causes.push(Cause::invalid("spec.names.kind", &Value::from(kind), &why));
    }
    for (idx, version) in definition.items_at(&["spec", "versions"]).iter().enumerate() {
        let name = version.str_at(&["name"]).unwrap_or_default();
        for message in validation::dns1035_label(name) {
            causes.push(Cause::invalid(format!("spec.versions[{idx}].name"), &Value::from(name), &message));
            if idx == 0 {
                causes.push(Cause::invalid("spec.version", &Value::from(name), &message));
            }
        }
    }
    if definition.bool_at(&["spec", "preserveUnknownFields"]) == Some(true) {
        let why = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead";
        causes.push(Cause::invalid("spec.preserveUnknownFields", &Value::Bool(true), why));
    }
    causes
}

/// What of a definition may not change: its group, its scope and, once established, its names.
pub(super) fn changed(definition: &Value, old: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    for path in
        [&["spec", "group"][..], &["spec", "scope"], &["spec", "names", "kind"], &["spec", "names", "plural"]]
    {
        let (after, before) = (definition.at(path), old.at(path));
        if after != before {
            let shown = after.cloned().unwrap_or_default();
            causes.push(Cause::invalid(path.join("."), &shown, "field is immutable"));
        }
    }
    let versions = definition.items_at(&["spec", "versions"]);
    for (idx, stored) in old.items_at(&["status", "storedVersions"]).iter().enumerate() {
        let name = stored.as_str().unwrap_or_default();
        if versions.iter().any(|version| version.str_at(&["name"]) == Some(name)) {
            continue;
        }
        let why = format!(
            "missing from spec.versions; {name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in {name} and removes {name} from status.storedVersions"
        );
        causes.push(Cause::invalid(format!("status.storedVersions[{idx}]"), stored, &why));
    }
    causes
}
