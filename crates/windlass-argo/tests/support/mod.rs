//! Reads test inputs, and compares results with recorded texts.

#![allow(dead_code, clippy::unwrap_used, reason = "each test program uses a part, and fails by panicking")]

use std::fs;
use std::path::PathBuf;

use windlass_argo::{Cluster, Lowered, Project, ProjectProblem, Settings, lower, project_name};
use windlass_kube::Object;

/// The objects of a YAML text.
pub(crate) fn objects(yaml: &str) -> Vec<Object> {
    let documents = windlass_yaml::load_all(yaml, &windlass_yaml::LoadOptions::default())
        .unwrap_or_else(|error| panic!("{error}\n{yaml}"));
    documents.into_iter().map(|document| Object::try_new(document.value).unwrap()).collect()
}

/// Lowers the Application among `objects` under the AppProject among them, or the built-in one.
pub(crate) fn lowered(objects: &[Object], settings: &Settings, clusters: &[Cluster]) -> (Object, Lowered) {
    let application = objects.iter().find(|object| object.kind() == "Application").unwrap();
    let wanted = project_name(application);
    let declared = objects.iter().find(|object| object.kind() == "AppProject" && object.name() == wanted);
    let project = match declared {
        Some(project) => Ok(Project::parse(project)),
        None if wanted == "default" => Ok(Project::built_in()),
        None => Err(ProjectProblem::NotFound(wanted.into())),
    };
    let lowered = lower(application, project.as_ref().map_err(Clone::clone), settings, clusters);
    (application.clone(), lowered)
}

/// The inputs of `tests/data/<folder>`, by name.
pub(crate) fn inputs(folder: &str) -> Vec<(PathBuf, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(folder);
    let mut inputs: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| (path.clone(), fs::read_to_string(path).unwrap()))
        .collect();
    inputs.sort();
    assert!(!inputs.is_empty());
    inputs
}

/// Compares `text` with the file that stands beside `input` with another extension; `UPDATE=1` writes it instead.
pub(crate) fn check(input: &std::path::Path, extension: &str, text: &str) {
    let file = input.with_extension(extension);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&file, text).unwrap();
        return;
    }
    let expected = fs::read_to_string(&file).unwrap_or_default();
    assert!(expected == text, "{} differs from what came out:\n{text}", file.display());
}
