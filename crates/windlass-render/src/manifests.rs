//! From the bytes of a file to objects.

use std::borrow::Cow;

use windlass_kube::{Object, Value};
use windlass_model::{Diagnostic, DiagnosticKind, Manifest, Origin};

use crate::joined;

/// Reads the objects of a YAML or JSON file; lists are taken apart, empty documents left out.
///
/// A bad document spoils no other. A YAML file that holds no object and does not look as if it should is left out
/// in silence, as Argo CD 3.6 does with what merely lies beside the manifests (`getObjsFromYAMLOrJSON`): one that
/// cannot be parsed, too. A JSON file that cannot be parsed is an error there, whatever it looks like.
pub(crate) fn parse_file(
    file: &str,
    content: &[u8],
    manifests: &mut Vec<Manifest>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let at = |line: usize| Origin { file: file.into(), line: u32::try_from(line).unwrap_or(0) };
    let Some(text) = decoded(content) else {
        let message = "is neither UTF-8 text nor UTF-16 text with a byte order mark";
        diagnostics.push(Diagnostic::new(DiagnosticKind::Render, message).at(at(0)));
        return;
    };
    let n_before = manifests.len();
    let is_json = file.ends_with(".json");
    let mut bad = Vec::new();
    for document in windlass_yaml::load_manifest(&text, &windlass_yaml::LoadOptions::default()) {
        match document {
            Ok(document) => add(document.value, &at(document.line), manifests, &mut bad),
            Err(error) => {
                let origin = at(error.position().line);
                let message = format!("cannot be parsed: {error}");
                let found = if is_json { &mut *diagnostics } else { &mut bad };
                found.push(Diagnostic::new(DiagnosticKind::Render, message).at(origin));
            }
        }
    }
    if manifests.len() > n_before || is_meant_as_manifest(&text, is_json) {
        diagnostics.append(&mut bad);
    }
}

/// Reads what a chart in the folder `chart` printed: each document says in a comment which template it is from.
pub(crate) fn parse_rendered(
    chart: &str,
    text: &str,
    manifests: &mut Vec<Manifest>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    /// What Helm writes above each document, before the template's path from the chart's name on.
    const SOURCE: &str = "# Source: ";
    let sources: Vec<(usize, &str)> = text
        .lines()
        .enumerate()
        .filter_map(|(idx, line)| {
            let (_, template) = line.strip_prefix(SOURCE)?.split_once('/')?;
            Some((idx + 1, template))
        })
        .collect();
    // The line within a template is not known.
    let at = |line: usize| {
        let n_before = sources.partition_point(|(start, _)| *start <= line.max(1));
        let template = n_before.checked_sub(1).map_or("", |idx| sources[idx].1);
        Origin { file: joined(chart, template).into(), line: 0 }
    };
    parse(text, at, manifests, diagnostics);
}

/// Reads what the Jsonnet program `file` evaluated to: one object, or a list of objects.
pub(crate) fn parse_evaluated(
    file: &str,
    json: &str,
    manifests: &mut Vec<Manifest>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let origin = Origin { file: file.into(), line: 0 };
    match windlass_yaml::json::parse(json.as_bytes()) {
        Ok(Value::Array(objects)) => {
            for object in objects {
                add(object, &origin, manifests, diagnostics);
            }
        }
        Ok(object) => add(object, &origin, manifests, diagnostics),
        Err(error) => {
            let message = format!("evaluates to JSON that cannot be parsed: {error}");
            diagnostics.push(Diagnostic::new(DiagnosticKind::Render, message).at(origin));
        }
    }
}

/// Reads what the kustomization in the folder `path` gave.
pub(crate) fn parse_built(
    path: &str,
    text: &str,
    manifests: &mut Vec<Manifest>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    parse(text, |_| Origin { file: path.into(), line: 0 }, manifests, diagnostics);
}

/// Reads what a plugin printed for the folder `path`. What is wrong is told in words that go on from what printed it.
pub(crate) fn parse_printed(
    path: &str,
    text: &str,
    manifests: &mut Vec<Manifest>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let at = Origin { file: path.into(), line: 0 };
    for document in windlass_yaml::load_manifest(text, &windlass_yaml::LoadOptions::default()) {
        match document {
            Ok(document) => add(document.value, &at, manifests, diagnostics),
            Err(error) => {
                let message = format!("cannot be parsed: {error}");
                diagnostics.push(Diagnostic::new(DiagnosticKind::Render, message));
            }
        }
    }
}

fn parse(
    text: &str,
    at: impl Fn(usize) -> Origin,
    manifests: &mut Vec<Manifest>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    for document in windlass_yaml::load_manifest(text, &windlass_yaml::LoadOptions::default()) {
        match document {
            Ok(document) => add(document.value, &at(document.line), manifests, diagnostics),
            Err(error) => {
                let message = format!("what it renders cannot be parsed: {error}");
                let origin = at(error.position().line);
                diagnostics.push(Diagnostic::new(DiagnosticKind::Render, message).at(origin));
            }
        }
    }
}

/// The text of a file; UTF-16 is known by its byte order mark, as in Argo CD.
fn decoded(content: &[u8]) -> Option<Cow<'_, str>> {
    let units = |bytes: &[u8], unit: fn([u8; 2]) -> u16| -> Option<Cow<'_, str>> {
        let (pairs, rest) = bytes.as_chunks::<2>();
        let units: Vec<u16> = pairs.iter().map(|pair| unit(*pair)).collect();
        rest.is_empty().then(|| String::from_utf16(&units).ok()).flatten().map(Cow::Owned)
    };
    match content {
        [0xEF, 0xBB, 0xBF, text @ ..] => std::str::from_utf8(text).ok().map(Cow::Borrowed),
        [0xFF, 0xFE, text @ ..] => units(text, u16::from_le_bytes),
        [0xFE, 0xFF, text @ ..] => units(text, u16::from_be_bytes),
        text => std::str::from_utf8(text).ok().map(Cow::Borrowed),
    }
}

/// Whether a file that holds no object was meant to: all three keys that every object has stand in it.
fn is_meant_as_manifest(text: &str, is_json: bool) -> bool {
    let keys = if is_json {
        ["\"apiVersion\"", "\"kind\"", "\"metadata\""]
    } else {
        ["apiVersion:", "kind:", "metadata:"]
    };
    keys.iter().all(|key| text.contains(key))
}

fn add(value: Value, origin: &Origin, manifests: &mut Vec<Manifest>, bad: &mut Vec<Diagnostic>) {
    let has = |key: &str| value.get(key).is_some();
    match value.get("items") {
        _ if value.is_null() => return,
        // By its items alone, whatever its kind: `Unstructured.IsList` of apimachinery.
        Some(Value::Array(items)) => {
            for item in items {
                add(item.clone(), origin, manifests, bad);
            }
            return;
        }
        // As `kubectl get -o yaml` once wrote empty lists.
        Some(Value::Null) if !has("spec") && !has("status") => return,
        _ => {}
    }
    match Object::try_new(value) {
        Ok(object) => manifests.push(Manifest { object, origin: origin.clone() }),
        Err(error) => {
            let message = format!("is no Kubernetes object: {error}");
            bad.push(Diagnostic::new(DiagnosticKind::Render, message).at(origin.clone()));
        }
    }
}
