//! From the bytes of a file to objects.

use windlass_kube::{Object, Value};
use windlass_model::{Diagnostic, DiagnosticKind, Manifest, Origin};

/// Reads the objects of a YAML or JSON file; `List`s are taken apart, empty documents left out.
///
/// What is no Kubernetes object at all is left out in silence, as Argo CD does with files that merely lie beside
/// the manifests; what looks like one and is not gets a diagnostic. A bad document spoils no other.
pub(crate) fn parse_file(
    file: &str,
    content: &[u8],
    manifests: &mut Vec<Manifest>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let at = |line: usize| Origin { file: file.into(), line: u32::try_from(line).unwrap_or(0) };
    let Ok(text) = std::str::from_utf8(content) else {
        diagnostics.push(Diagnostic::new(DiagnosticKind::Render, "is not UTF-8 text").at(at(0)));
        return;
    };
    for document in windlass_yaml::load_manifest(text, &windlass_yaml::LoadOptions::default()) {
        match document {
            Ok(document) => add(document.value, &at(document.line), manifests, diagnostics),
            Err(error) => {
                let origin = at(error.position().line);
                let message = format!("cannot be parsed: {error}");
                diagnostics.push(Diagnostic::new(DiagnosticKind::Render, message).at(origin));
            }
        }
    }
}

fn add(value: Value, origin: &Origin, manifests: &mut Vec<Manifest>, diagnostics: &mut Vec<Diagnostic>) {
    if value.is_null() {
        return;
    }
    let is_list = value.str_at(&["kind"]).is_some_and(|kind| kind.ends_with("List"))
        && matches!(value.get("items"), Some(Value::Array(_) | Value::Null));
    if is_list {
        for item in value.items_at(&["items"]) {
            add(item.clone(), origin, manifests, diagnostics);
        }
        return;
    }
    let has = |key: &str| value.get(key).is_some();
    let looks_like_one = has("apiVersion") || (has("kind") && has("metadata"));
    match Object::try_new(value) {
        Ok(object) => manifests.push(Manifest { object, origin: origin.clone() }),
        Err(error) if looks_like_one => {
            let message = format!("is no Kubernetes object: {error}");
            diagnostics.push(Diagnostic::new(DiagnosticKind::Render, message).at(origin.clone()));
        }
        Err(_) => {}
    }
}
