//! Names, labels, annotations, finalizers and owners of every object.

use windlass_kube::{Gvk, Map, Value, validation};

use super::errors::{Errors, text};

pub(super) fn check(gvk: &Gvk, object: &Value, errors: &mut Errors) {
    let Some(metadata) = object.get("metadata") else { return };
    let (name, base) = (text(metadata, "name"), text(metadata, "generateName"));
    if !base.is_empty() {
        // What is appended may make a good name of what ends in a hyphen or dot.
        let as_prefix = match base.strip_suffix('-') {
            Some(start) => format!("{start}a"),
            None => base.to_owned(),
        };
        let messages = name_rule(gvk, &as_prefix);
        errors.invalid_each("metadata.generateName", base, messages);
    }
    if !name.is_empty() {
        errors.invalid_each("metadata.name", name, name_rule(gvk, name));
    }
    labels_and_annotations(metadata, "metadata", errors);
    for (finalizer, idx) in metadata.items_at(&["finalizers"]).iter().zip(0..) {
        let finalizer = finalizer.as_str().unwrap_or_default();
        let field = format!("metadata.finalizers[{idx}]");
        errors.invalid_each("metadata.finalizers", finalizer, validation::label_key(finalizer));
        // Definitions are not among the kinds of which this is asked.
        let standard = gvk.group == "apiextensions.k8s.io"
            || ["orphan", "foregroundDeletion", "kubernetes"].contains(&finalizer);
        if !standard && !finalizer.contains('/') {
            errors.invalid(
                &field,
                finalizer,
                "name is neither a standard finalizer name nor is it fully qualified",
            );
        }
    }
    owners(metadata, errors);
}

fn name_rule(gvk: &Gvk, name: &str) -> Vec<String> {
    match (gvk.group.as_str(), gvk.kind.as_str()) {
        ("", "Namespace") | ("", "Service") => validation::dns1123_label(name),
        ("rbac.authorization.k8s.io", _) => validation::path_segment_name(name),
        // Names of definitions and API services follow from their content.
        ("apiextensions.k8s.io" | "apiregistration.k8s.io", _) => Vec::new(),
        ("certificates.k8s.io", _) | ("events.k8s.io", _) | ("", "Event") => {
            validation::dns1123_subdomain(name)
        }
        _ => validation::dns1123_subdomain(name),
    }
}

/// Labels and annotations of an object or a template at `path`.
pub(super) fn labels_and_annotations(metadata: &Value, path: &str, errors: &mut Errors) {
    if let Some(labels) = metadata.get("labels").and_then(Value::as_object) {
        check_labels(labels, &format!("{path}.labels"), errors);
    }
    if let Some(annotations) = metadata.get("annotations").and_then(Value::as_object) {
        let field = format!("{path}.annotations");
        for (key, _) in annotations.iter() {
            errors.invalid_each(&field, key, validation::label_key(&key.to_lowercase()));
        }
        let size: usize =
            annotations.iter().map(|(key, text)| key.len() + text.as_str().map_or(0, str::len)).sum();
        if size > validation::TOTAL_ANNOTATIONS_MAX_SIZE {
            let limit = validation::TOTAL_ANNOTATIONS_MAX_SIZE;
            errors.too_long(&field, &format!("may not be more than {limit} bytes"));
        }
    }
}

/// Labels, or anything else that is made of keys and values of labels.
pub(super) fn check_labels(labels: &Map, field: &str, errors: &mut Errors) {
    for (key, value) in labels.iter() {
        let value = value.as_str().unwrap_or_default();
        errors.invalid_each(field, key, validation::label_key(key));
        errors.invalid_each(field, value, validation::label_value(value));
    }
}

fn owners(metadata: &Value, errors: &mut Errors) {
    const FIELD: &str = "metadata.ownerReferences";
    let references = metadata.items_at(&["ownerReferences"]);
    let mut controller: Option<&Value> = None;
    for reference in references {
        for key in ["apiVersion", "kind", "name", "uid"] {
            let value = text(reference, key);
            if value.is_empty() && key == "apiVersion" {
                errors.invalid(&format!("{FIELD}.{key}"), value, "version must not be empty");
            } else if value.is_empty() {
                errors.invalid(&format!("{FIELD}.{key}"), value, "must not be empty");
            }
        }
        if text(reference, "kind") == "Event" && text(reference, "apiVersion") == "v1" {
            errors.invalid(FIELD, reference.clone(), "/v1, Kind=Event is disallowed from being an owner");
        }
        if reference.bool_at(&["controller"]) != Some(true) {
            continue;
        }
        let of = |reference: &Value| format!("{}/{}", text(reference, "kind"), text(reference, "name"));
        match controller {
            Some(first) => {
                let detail = format!(
                    "Only one reference can have Controller set to true. Found \"true\" in references for {} and {}",
                    of(first),
                    of(reference)
                );
                errors.invalid_shown(FIELD, &shown_owners(references), &detail);
            }
            None => controller = Some(reference),
        }
    }
}

/// Owner references in the order of Go's struct.
fn shown_owners(references: &[Value]) -> String {
    let shown = |reference: &Value| {
        let members = ["apiVersion", "kind", "name", "uid", "controller", "blockOwnerDeletion"];
        let set = members.iter().filter_map(|key| Some(format!("{key:?}:{:?}", reference.get(key)?)));
        format!("{{{}}}", set.collect::<Vec<_>>().join(","))
    };
    format!("[{}]", references.iter().map(shown).collect::<Vec<_>>().join(","))
}
