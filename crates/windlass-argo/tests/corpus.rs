//! Real Applications: nothing in them may be refused wrongly.
//!
//! Reads every YAML file below `WINDLASS_APPLICATIONS`, a folder of files from public repositories, and prints what
//! lowering says of them, counted. Without that variable there is nothing to do.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use windlass_argo::{Project, Settings};
use windlass_kube::Object;
use windlass_model::DiagnosticKind;

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

#[test]
fn real_applications_are_not_refused_wrongly() {
    let Some(folder) = std::env::var_os("WINDLASS_APPLICATIONS") else { return };
    let mut found = Vec::new();
    files(Path::new(&folder), &mut found);
    let mut said: BTreeMap<(DiagnosticKind, String), usize> = BTreeMap::new();
    let (mut applications, mut clean, mut projects) = (0, 0, 0);
    for path in found {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let Ok(documents) = windlass_yaml::load_all(&text, &windlass_yaml::LoadOptions::default()) else {
            continue;
        };
        for object in documents.into_iter().filter_map(|document| Object::try_new(document.value).ok()) {
            let mut object = object;
            if object.gvk().group != windlass_argo::GROUP {
                continue;
            }
            let diagnostics = match object.kind() {
                "Application" => {
                    object.set_at(&["metadata", "namespace"], "argocd");
                    object.set_at(&["spec", "project"], "default");
                    let (_, lowered) = support::lowered(&[object], &Settings::default(), &[]);
                    applications += 1;
                    clean += usize::from(lowered.unit.diagnostics.is_empty());
                    lowered.unit.diagnostics
                }
                "AppProject" => {
                    projects += 1;
                    Project::parse(&object).diagnostics
                }
                _ => continue,
            };
            for diagnostic in diagnostics {
                let said_of = format!("{diagnostic}  ({})", path.file_name().unwrap().to_string_lossy());
                let key = if diagnostic.kind == DiagnosticKind::InvalidSpec {
                    said_of
                } else {
                    diagnostic.to_string()
                };
                *said.entry((diagnostic.kind, key)).or_default() += 1;
            }
        }
    }
    let lines: Vec<String> =
        said.iter().map(|((kind, text), count)| format!("{count:5} {kind:?} {text}")).collect();
    let text = format!(
        "{applications} Applications, {clean} without a word; {projects} AppProjects\n{}\n",
        lines.join("\n")
    );
    std::fs::write(Path::new(&folder).with_extension("txt"), text).unwrap();
    assert!(applications > 0);
}
