//! The Units that are measured: each an Application of one or a few ConfigMaps, all in one repository.

use anyhow::Result;
use serde_json::{Value, json};
use windlass_testing::{CommitId, Repository};

/// The namespace of Applications that Windlass acts on.
pub(crate) const CONTROL_PLANE: &str = "argocd";

/// The namespace that the ConfigMaps go to.
pub(crate) const TARGET: &str = "bench";

/// The namespace of the floor: Windlass does not watch Applications there.
pub(crate) const FLOOR: &str = "floor";

/// The branch that is followed.
const BRANCH: &str = "main";

/// How much there is to do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    /// How many Units.
    pub(crate) n_units: usize,
    /// How many ConfigMaps each of them has.
    pub(crate) n_objects: usize,
}

impl Size {
    /// As many Units, of the same size.
    pub(crate) fn units(self, n_units: usize) -> Self {
        Self { n_units, ..self }
    }

    /// Every Unit's number.
    pub(crate) fn unit_indices(self) -> std::ops::Range<usize> {
        0..self.n_units
    }

    /// How many ConfigMaps there are in all.
    pub(crate) fn all_objects(self) -> usize {
        self.n_units * self.n_objects
    }
}

/// The name of a Unit, and of its first ConfigMap.
pub(crate) fn name(unit_idx: usize) -> String {
    format!("unit-{unit_idx:05}")
}

/// The path of the Applications of a namespace.
pub(crate) fn applications(namespace: &str) -> String {
    format!("/apis/argoproj.io/v1alpha1/namespaces/{namespace}/applications")
}

/// The path of the ConfigMaps of a namespace.
pub(crate) fn config_maps(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/configmaps")
}

/// The name of one of a Unit's ConfigMaps.
pub(crate) fn object_name(unit_idx: usize, object_idx: usize) -> String {
    let name = name(unit_idx);
    if object_idx == 0 { name } else { format!("{name}-{object_idx}") }
}

/// The files of a Unit: a path and the content each.
fn files(size: Size, unit_idx: usize, value: &str) -> impl Iterator<Item = (String, String)> {
    let folder = name(unit_idx);
    (0..size.n_objects).map(move |object_idx| {
        let name = object_name(unit_idx, object_idx);
        let content = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  labels:\n    app: {folder}\ndata:\n  value: \"{value}\"\n  \
             config.properties: |\n    color=blue\n    size=large\n    owner={name}\n"
        );
        let file = if object_idx == 0 { "configmap.yaml".to_owned() } else { format!("configmap-{object_idx}.yaml") };
        (format!("units/{folder}/{file}"), content)
    })
}

/// The Application of a Unit.
pub(crate) fn application(unit_idx: usize, namespace: &str, repository: &str) -> Value {
    let name = name(unit_idx);
    automated(&name, namespace, repository, &format!("units/{name}"))
}

/// An automated Application of a folder.
pub(crate) fn automated(name: &str, namespace: &str, repository: &str, folder: &str) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "project": "default",
            "source": {"repoURL": repository, "path": folder, "targetRevision": BRANCH},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": TARGET},
            "syncPolicy": {"automated": {"prune": true, "selfHeal": true}},
        },
    })
}

/// A ConfigMap as Windlass applies it.
pub(crate) fn config_map(unit_idx: usize, object_idx: usize, namespace: &str, value: &str) -> Value {
    let unit = name(unit_idx);
    let name = object_name(unit_idx, object_idx);
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"app": unit},
            "annotations": {"argocd.argoproj.io/tracking-id": format!("{unit}:/ConfigMap:{TARGET}/{name}")},
        },
        "data": {"value": value, "config.properties": format!("color=blue\nsize=large\nowner={name}\n")},
    })
}

/// Writes every file in one commit.
pub(crate) fn commit_all(repository: &Repository, size: Size, value: &str) -> Result<CommitId> {
    let files = size.unit_indices().flat_map(|unit_idx| files(size, unit_idx, value));
    Ok(repository.commit(BRANCH).files(files).submit()?)
}

/// Writes the files of one Unit in one commit.
pub(crate) fn commit_one(
    repository: &Repository,
    size: Size,
    unit_idx: usize,
    value: &str,
) -> Result<CommitId> {
    Ok(repository.commit(BRANCH).files(files(size, unit_idx, value)).submit()?)
}
