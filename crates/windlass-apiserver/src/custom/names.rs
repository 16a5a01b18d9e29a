//! Names in definitions of custom resources, what of a definition never changes, and the forms of what it says of a
//! version beside its schema.
//!
//! Words: `k8s.io/apiextensions-apiserver` v0.36.3, package `apis/apiextensions/validation`.

use windlass_kube::{Str, Value, validation};

use super::internal;
use crate::status::Cause;

/// Who approves of kinds in groups of the Kubernetes project.
const APPROVAL: &str = "api-approved.kubernetes.io";

/// The types that a column may have.
const COLUMN_TYPES: [&str; 5] = ["boolean", "date", "integer", "number", "string"];

/// The formats that a column may have.
const COLUMN_FORMATS: [&str; 8] =
    ["byte", "date", "date-time", "double", "float", "int32", "int64", "password"];

/// How many fields objects of a version may be selected by.
const MAX_SELECTABLE_FIELDS: usize = 8;

/// How long what is said of a deprecated version may be.
const MAX_DEPRECATION_WARNING: usize = 256;

/// What is wrong with a definition's names, scope and versions.
pub(super) fn check(definition: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut causes = Vec::new();
    let text = |path: &[&str]| definition.str_at(path).unwrap_or_default();
    group(text(&["spec", "group"]), &mut causes);
    match text(&["spec", "scope"]) {
        "" => causes.push(Cause::required("spec.scope", "")),
        "Cluster" | "Namespaced" => {}
        scope => causes.push(Cause {
            reason: "FieldValueNotSupported",
            message: format!("Unsupported value: {scope:?}: supported values: \"Cluster\", \"Namespaced\""),
            field: "spec.scope".into(),
        }),
    }
    for name in ["plural", "singular", "kind", "listKind"] {
        if text(&["spec", "names", name]).is_empty() {
            causes.push(Cause::required(format!("spec.names.{name}"), ""));
        }
    }
    if let Some(names) = definition.at(&["spec", "names"]) {
        check_names(names, "spec.names", &mut causes);
    }
    if let Some(names) = definition.at(&["status", "acceptedNames"]) {
        check_names(names, "status.acceptedNames", &mut causes);
    }
    versions(definition, &mut causes);
    approval(definition, old, &mut causes);
    let preserved = |definition: &Value| definition.bool_at(&["spec", "preserveUnknownFields"]) == Some(true);
    if preserved(definition) && !old.is_some_and(preserved) {
        let why = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead";
        causes.push(Cause::invalid("spec.preserveUnknownFields", &Value::Bool(true), why));
    }
    causes
}

fn group(group: &str, causes: &mut Vec<Cause>) {
    if group.is_empty() {
        causes.push(Cause::required("spec.group", ""));
        return;
    }
    let messages = validation::dns1123_subdomain(group);
    if !messages.is_empty() {
        causes.push(Cause::invalid("spec.group", &Value::from(group), &messages.join(",")));
    } else if !group.contains('.') {
        let why = "should be a domain with at least one dot";
        causes.push(Cause::invalid("spec.group", &Value::from(group), why));
    }
}

/// The names that are asked for, or accepted.
fn check_names(names: &Value, path: &str, causes: &mut Vec<Cause>) {
    let mut label = |field: String, name: &str, mixed: bool| {
        let messages = validation::dns1035_label(&if mixed { name.to_lowercase() } else { name.to_owned() });
        if !messages.is_empty() {
            let lead = if mixed { "may have mixed case, but should otherwise match: " } else { "" };
            let why = format!("{lead}{}", messages.join(","));
            causes.push(Cause::invalid(field, &Value::from(name), &why));
        }
    };
    for (key, mixed) in [("plural", false), ("singular", false), ("kind", true), ("listKind", true)] {
        if let Some(name) = names.str_at(&[key]).filter(|name| !name.is_empty()) {
            label(format!("{path}.{key}"), name, mixed);
        }
    }
    for key in ["shortNames", "categories"] {
        for (idx, name) in names.items_at(&[key]).iter().enumerate() {
            label(format!("{path}.{key}[{idx}]"), name.as_str().unwrap_or_default(), false);
        }
    }
    let kind = names.str_at(&["kind"]).unwrap_or_default();
    if !kind.is_empty() && names.str_at(&["listKind"]) == Some(kind) {
        let why = "kind and listKind may not be the same";
        causes.push(Cause::invalid(format!("{path}.listKind"), &Value::from(kind), why));
    }
}

fn versions(definition: &Value, causes: &mut Vec<Cause>) {
    let versions = definition.items_at(&["spec", "versions"]);
    let mut seen: Vec<&str> = Vec::new();
    for (idx, version) in versions.iter().enumerate() {
        let name = version.str_at(&["name"]).unwrap_or_default();
        let messages = validation::dns1035_label(name);
        if !messages.is_empty() {
            let why = messages.join(",");
            causes.push(Cause::invalid(format!("spec.versions[{idx}].name"), &Value::from(name), &why));
            if idx == 0 && !name.is_empty() {
                causes.push(Cause::invalid("spec.version", &Value::from(name), &why));
            }
        }
        seen.push(name);
        deprecation(version, idx, causes);
    }
    let mut wrong = |why: &str| {
        causes.push(Cause {
            reason: "FieldValueInvalid",
            message: format!("Invalid value: {}: {why}", internal::versions(versions)),
            field: "spec.versions".into(),
        });
    };
    if (1..seen.len()).any(|idx| seen[..idx].contains(&seen[idx])) {
        wrong("must contain unique version names");
    }
    let stores = |version: &&Value| version.bool_at(&["storage"]) == Some(true);
    if versions.iter().filter(stores).count() != 1 {
        wrong("must have exactly one version marked as storage version");
    }
    stored_versions(definition, versions, causes);
    for (member, at_root) in [
        ("subresources", "spec.subresources"),
        ("additionalPrinterColumns", "spec.additionalPrinterColumns"),
        ("selectableFields", "spec.selectableFields"),
    ] {
        let shared = internal::is_shared(versions, member);
        for (idx, version) in versions.iter().enumerate().take(if shared { 1 } else { usize::MAX }) {
            let path = if shared { at_root.to_owned() } else { format!("spec.versions[{idx}].{member}") };
            match member {
                "subresources" => scale(version, &path, causes),
                "additionalPrinterColumns" => columns(version, &path, causes),
                _ => selectable(version, &path, causes),
            }
        }
    }
}

fn stored_versions(definition: &Value, versions: &[Value], causes: &mut Vec<Cause>) {
    const FIELD: &str = "status.storedVersions";
    let stored = definition.items_at(&["status", "storedVersions"]);
    if stored.is_empty() {
        let shown = definition.at(&["status", "storedVersions"]).cloned().unwrap_or_default();
        causes.push(Cause::invalid(FIELD, &shown, "must have at least one stored version"));
        return;
    }
    for version in versions.iter().filter(|version| version.bool_at(&["storage"]) == Some(true)) {
        let name = version.get("name").cloned().unwrap_or_default();
        if !stored.contains(&name) {
            let why = format!("must have the storage version {}", name.as_str().unwrap_or_default());
            causes.push(Cause::invalid(FIELD, &Value::from(stored.to_vec()), &why));
        }
    }
    for (idx, stored) in stored.iter().enumerate() {
        let name = stored.as_str().unwrap_or_default();
        if versions.iter().any(|version| version.str_at(&["name"]) == Some(name)) {
            continue;
        }
        let why = format!(
            "missing from spec.versions; {name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in {name} and removes {name} from status.storedVersions"
        );
        causes.push(Cause::invalid(format!("{FIELD}[{idx}]"), stored, &why));
    }
}

fn deprecation(version: &Value, idx: usize, causes: &mut Vec<Cause>) {
    let Some(warning) = version.str_at(&["deprecationWarning"]) else { return };
    let mut wrong = |why: &str| {
        let field = format!("spec.versions[{idx}].deprecationWarning");
        causes.push(Cause::invalid(field, &Value::from(warning), why));
    };
    if version.bool_at(&["deprecated"]) != Some(true) {
        wrong("can only be set for deprecated versions");
        return;
    }
    if warning.len() > MAX_DEPRECATION_WARNING {
        wrong("must be <= 256 characters long");
    }
    if warning.is_empty() {
        wrong("must not be an empty string");
    }
    // Of spaces Go prints but one.
    let prints = |char: char| !char.is_control() && (char == ' ' || !char.is_whitespace());
    if let Some((at, _)) = warning.char_indices().find(|(_, char)| !prints(*char)) {
        let why = format!(
            "must only contain printable UTF-8 characters; non-printable character found at index {at}"
        );
        wrong(&why);
    }
}

/// A path of plain names, which begins with a dot.
fn is_simple(path: &str) -> bool {
    path.starts_with('.')
}

fn scale(version: &Value, path: &str, causes: &mut Vec<Cause>) {
    let Some(scale) = version.at(&["subresources", "scale"]).filter(|scale| !scale.is_null()) else { return };
    let mut check = |key: &str, under: &[&str], why: &str| {
        let field = format!("{path}.scale.{key}");
        let value = scale.str_at(&[key]).unwrap_or_default();
        if value.is_empty() {
            if key != "labelSelectorPath" {
                causes.push(Cause::required(field, ""));
            }
        } else if !is_simple(value) {
            let why = "must be a simple json path starting with .";
            causes.push(Cause::invalid(field, &Value::from(value), why));
        } else if !under.iter().any(|under| value.starts_with(under)) {
            causes.push(Cause::invalid(field, &Value::from(value), why));
        }
    };
    check("specReplicasPath", &[".spec."], "should be a json path under .spec");
    check("statusReplicasPath", &[".status."], "should be a json path under .status");
    check(
        "labelSelectorPath",
        &[".spec.", ".status."],
        "should be a json path under either .spec or .status",
    );
}

fn columns(version: &Value, path: &str, causes: &mut Vec<Cause>) {
    for (idx, column) in version.items_at(&["additionalPrinterColumns"]).iter().enumerate() {
        let text = |key: &str| column.str_at(&[key]).unwrap_or_default();
        let path = format!("{path}[{idx}]");
        if text("name").is_empty() {
            causes.push(Cause::required(format!("{path}.name"), ""));
        }
        let one_of = |of: &[&str]| format!("must be one of {}", of.join(","));
        match text("type") {
            "" => causes.push(Cause::required(format!("{path}.type"), &one_of(&COLUMN_TYPES))),
            kind if !COLUMN_TYPES.contains(&kind) => {
                let why = one_of(&COLUMN_TYPES);
                causes.push(Cause::invalid(format!("{path}.type"), &Value::from(kind), &why));
            }
            _ => {}
        }
        let format = text("format");
        if !format.is_empty() && !COLUMN_FORMATS.contains(&format) {
            let why = one_of(&COLUMN_FORMATS);
            causes.push(Cause::invalid(format!("{path}.format"), &Value::from(format), &why));
        }
        match text("jsonPath") {
            "" => causes.push(Cause::required(format!("{path}.JSONPath"), "")),
            at if !is_simple(at) => {
                let why = "must be a simple json path starting with .";
                causes.push(Cause::invalid(format!("{path}.JSONPath"), &Value::from(at), why));
            }
            _ => {}
        }
    }
}

fn selectable(version: &Value, path: &str, causes: &mut Vec<Cause>) {
    let fields = version.items_at(&["selectableFields"]);
    let Some(schema) = version.at(&["schema", "openAPIV3Schema"]).filter(|_| !fields.is_empty()) else {
        return;
    };
    let mut seen: Vec<Vec<Str>> = Vec::new();
    for (idx, field) in fields.iter().enumerate() {
        let given = field.str_at(&["jsonPath"]).unwrap_or_default();
        let field = format!("{path}[{idx}].jsonPath");
        let shown = Value::from(given);
        if given.is_empty() {
            causes.push(Cause::required(field, ""));
            continue;
        }
        let (steps, found) = match field_at(schema, given) {
            Ok(found) => found,
            Err(why) => {
                causes.push(Cause::invalid(field, &shown, &format!("is an invalid path: {why}")));
                continue;
            }
        };
        if steps.first().is_some_and(|root| root == "metadata") {
            causes.push(Cause::invalid(field.clone(), &shown, "must not point to fields in metadata"));
        }
        let kind = found.and_then(|found| found.str_at(&["type"])).unwrap_or_default();
        if !matches!(kind, "string" | "boolean" | "integer") {
            let why = "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.";
            causes.push(Cause::invalid(field.clone(), &shown, why));
        }
        if seen.contains(&steps) {
            causes.push(Cause {
                reason: "FieldValueDuplicate",
                message: format!("Duplicate value: {given:?}"),
                field,
            });
        } else {
            seen.push(steps);
        }
    }
    if seen.len() > MAX_SELECTABLE_FIELDS {
        causes.push(Cause {
            reason: "FieldValueTooMany",
            message: format!("Too many: {}: must have at most {MAX_SELECTABLE_FIELDS} items", seen.len()),
            field: path.to_owned(),
        });
    }
}

/// The steps of a path without brackets, and the schema of what it leads to.
fn field_at<'s>(schema: &'s Value, path: &str) -> Result<(Vec<Str>, Option<&'s Value>), String> {
    const NO_FIELD: &str = "does not refer to a valid field";
    let mut here = Some(schema);
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if rest.starts_with('[') {
            return Err("array notation is not allowed".into());
        }
        let Some(named) = rest.strip_prefix('.') else {
            let end = rest.find(['.', '[', ']']).unwrap_or(rest.len()).max(1);
            return Err(format!("expected [ or . but got: {}", &rest[..end]));
        };
        if named.is_empty() {
            return Err("unexpected end of JSON path".into());
        }
        let end = named.find(['.', '[', ']']).unwrap_or(named.len()).max(1);
        let (name, after) = named.split_at(end);
        let properties = here.and_then(|here| here.get("properties")).filter(|it| it.as_object().is_some());
        let additional = here.and_then(|here| here.get("additionalProperties"));
        here = match (properties, additional) {
            (Some(properties), _) => Some(properties.get(name).ok_or(NO_FIELD)?),
            (None, Some(values)) => Some(values).filter(|values| values.as_object().is_some()),
            (None, None) => return Err(NO_FIELD.into()),
        };
        steps.push(name.into());
        rest = after;
    }
    Ok((steps, here))
}

/// Kinds in the groups of Kubernetes are approved of by its reviewers.
fn approval(definition: &Value, old: Option<&Value>, causes: &mut Vec<Cause>) {
    let group = definition.str_at(&["spec", "group"]).unwrap_or_default();
    let protected = ["k8s.io", "kubernetes.io"]
        .iter()
        .any(|domain| group.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')));
    if !protected {
        return;
    }
    let said = |definition: &Value| {
        definition.str_at(&["metadata", "annotations", APPROVAL]).unwrap_or_default().to_owned()
    };
    let state = |said: &str| match said {
        "" => 0,
        said if said.starts_with("unapproved") => 1,
        said if said.split_once("://").is_some_and(|(scheme, host)| {
            !scheme.is_empty() && !host.is_empty() && !host.starts_with('/')
        }) =>
        {
            2
        }
        _ => 3,
    };
    let (now, before) = (state(&said(definition)), old.map(|old| state(&said(old))));
    if before == Some(now) {
        return;
    }
    let field = format!("metadata.annotations[{APPROVAL}]");
    let lead = format!("protected groups must have approval annotation {APPROVAL:?}");
    let see = "see https://github.com/kubernetes/enhancements/pull/1111";
    match now {
        0 => causes.push(Cause::required(field, &format!("{lead}, {see}"))),
        3 => {
            let why = format!("{lead} with either a URL or a reason starting with \"unapproved\", {see}");
            causes.push(Cause::invalid(field, &Value::from(said(definition)), &why));
        }
        _ => {}
    }
}

/// What of a definition may not change: its group and plural, and once it is established its scope and kind.
pub(super) fn changed(definition: &Value, old: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let mut fixed: Vec<&[&str]> = vec![&["spec", "group"], &["spec", "names", "plural"]];
    if super::definition::is_true(old, "Established") {
        fixed.extend([&["spec", "scope"][..], &["spec", "names", "kind"]]);
    }
    for path in fixed {
        let (after, before) = (definition.at(path), old.at(path));
        if after != before {
            let shown = after.cloned().unwrap_or_default();
            causes.push(Cause::invalid(path.join("."), &shown, "field is immutable"));
        }
    }
    causes
}
