//! The Units that are measured: each an Application of one ConfigMap, all in one repository.

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

/// The name of a Unit, and of its ConfigMap.
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

/// The file of a Unit.
fn manifest(unit_idx: usize, value: &str) -> String {
    let name = name(unit_idx);
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  labels:\n    app: {name}\ndata:\n  value: \"{value}\"\n  \
         config.properties: |\n    color=blue\n    size=large\n    owner={name}\n"
    )
}

/// The Application of a Unit.
pub(crate) fn application(unit_idx: usize, namespace: &str, repository: &str) -> Value {
    let name = name(unit_idx);
    json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "project": "default",
            "source": {"repoURL": repository, "path": format!("units/{name}"), "targetRevision": BRANCH},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": TARGET},
            "syncPolicy": {"automated": {"prune": true, "selfHeal": true}},
        },
    })
}

/// The ConfigMap as Windlass applies it.
pub(crate) fn config_map(unit_idx: usize, namespace: &str, value: &str) -> Value {
    let name = name(unit_idx);
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"app": name},
            "annotations": {"argocd.argoproj.io/tracking-id": format!("{name}:/ConfigMap:{TARGET}/{name}")},
        },
        "data": {"value": value, "config.properties": format!("color=blue\nsize=large\nowner={name}\n")},
    })
}

/// Writes every Unit's file in one commit.
pub(crate) fn commit_all(repository: &Repository, n_units: usize, value: &str) -> Result<CommitId> {
    let files = (0..n_units).map(|idx| (format!("units/{}/configmap.yaml", name(idx)), manifest(idx, value)));
    Ok(repository.commit(BRANCH).files(files).submit()?)
}

/// Writes one Unit's file in one commit.
pub(crate) fn commit_one(repository: &Repository, unit_idx: usize, value: &str) -> Result<CommitId> {
    let path = format!("units/{}/configmap.yaml", name(unit_idx));
    Ok(repository.write(BRANCH, &path, manifest(unit_idx, value))?)
}
