//! Volumes of pods.

use std::collections::HashSet;

use windlass_kube::{Value, validation};

use super::errors::{Errors, config_key, local_path, text};

/// Every source a volume can have.
const SOURCES: [&str; 32] = [
    "emptyDir",
    "hostPath",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "gitRepo",
    "secret",
    "nfs",
    "iscsi",
    "glusterfs",
    "persistentVolumeClaim",
    "rbd",
    "flexVolume",
    "cinder",
    "cephfs",
    "flocker",
    "downwardAPI",
    "fc",
    "azureFile",
    "configMap",
    "vsphereVolume",
    "quobyte",
    "azureDisk",
    "photonPersistentDisk",
    "projected",
    "portworxVolume",
    "scaleIO",
    "storageos",
    "csi",
    "ephemeral",
    "image",
    "local",
    "none",
];

/// Checks the volumes of a pod; returns their names.
pub(super) fn check<'a>(spec: &'a Value, path: &str, errors: &mut Errors) -> HashSet<&'a str> {
    let mut names = HashSet::new();
    for (volume, idx) in spec.items_at(&["volumes"]).iter().zip(0..) {
        let field = format!("{path}.volumes[{idx}]");
        let before = errors.len();
        source(volume, &field, errors);
        let name = text(volume, "name");
        if name.is_empty() {
            errors.required(&format!("{field}.name"), "");
        } else {
            errors.invalid_each(&format!("{field}.name"), name, validation::dns1123_label(name));
        }
        if names.contains(name) {
            errors.duplicate(&format!("{field}.name"), name);
        } else if errors.len() == before {
            names.insert(name);
        }
    }
    names
}

fn source(volume: &Value, path: &str, errors: &mut Errors) {
    let given: Vec<&str> = SOURCES.into_iter().filter(|source| volume.get(source).is_some()).collect();
    for extra in given.iter().skip(1) {
        errors.forbidden(&format!("{path}.{extra}"), "may not specify more than 1 volume type");
    }
    let Some(kind) = given.first() else {
        errors.required(path, "must specify a volume type");
        return;
    };
    let source = &volume.get(kind).cloned().unwrap_or_default();
    let field = format!("{path}.{kind}");
    let required = |key: &str, errors: &mut Errors| {
        if text(source, key).is_empty() {
            errors.required(&format!("{field}.{key}"), "");
        }
    };
    match *kind {
        "secret" => required("secretName", errors),
        "configMap" => required("name", errors),
        "persistentVolumeClaim" => required("claimName", errors),
        "hostPath" => {
            required("path", errors);
            let path = text(source, "path");
            if path.split('/').any(|part| part == "..") {
                errors.invalid(&format!("{field}.path"), path, "must not contain '..'");
            }
            let types = [
                "",
                "DirectoryOrCreate",
                "Directory",
                "FileOrCreate",
                "File",
                "Socket",
                "CharDevice",
                "BlockDevice",
            ];
            let wanted = text(source, "type");
            // kube-apiserver asks no further where there is no path.
            if !path.is_empty() && !types.contains(&wanted) {
                let mut sorted = types;
                sorted.sort_unstable();
                errors.not_supported(&format!("{field}.type"), wanted, &sorted);
            }
        }
        "nfs" => {
            required("server", errors);
            required("path", errors);
            if !text(source, "path").starts_with('/') {
                errors.invalid(&format!("{field}.path"), text(source, "path"), "must be an absolute path");
            }
        }
        "csi" => required("driver", errors),
        "projected" => projected(source, &field, errors),
        _ => {}
    }
    if matches!(*kind, "secret" | "configMap" | "projected" | "downwardAPI") {
        mode(source, "defaultMode", &field, errors);
    }
    if matches!(*kind, "secret" | "configMap") {
        items(source, &field, errors);
    }
}

fn projected(source: &Value, path: &str, errors: &mut Errors) {
    for (projection, idx) in source.items_at(&["sources"]).iter().zip(0..) {
        for kind in ["secret", "configMap"] {
            if let Some(source) = projection.get(kind) {
                let field = format!("{path}.sources[{idx}].{kind}");
                if text(source, "name").is_empty() {
                    errors.required(&format!("{field}.name"), "");
                }
                items(source, &field, errors);
            }
        }
    }
}

fn items(source: &Value, path: &str, errors: &mut Errors) {
    for (item, idx) in source.items_at(&["items"]).iter().zip(0..) {
        let field = format!("{path}.items[{idx}]");
        if text(item, "key").is_empty() {
            errors.required(&format!("{field}.key"), "");
        }
        let target = text(item, "path");
        if target.is_empty() {
            errors.required(&format!("{field}.path"), "");
        } else {
            local_path(errors, &format!("{field}.path"), target);
        }
        mode(item, "mode", &field, errors);
    }
}

fn mode(source: &Value, key: &str, path: &str, errors: &mut Errors) {
    if let Some(mode) = source.int_at(&[key]).filter(|mode| !(0..=0o777).contains(mode)) {
        let detail = "must be a number between 0 and 0777 (octal), both inclusive";
        errors.invalid(&format!("{path}.{key}"), mode, detail);
    }
}

/// Checks where a container mounts volumes.
pub(super) fn mounts(container: &Value, volumes: &HashSet<&str>, path: &str, errors: &mut Errors) {
    let mut seen = HashSet::new();
    for (mount, idx) in container.items_at(&["volumeMounts"]).iter().zip(0..) {
        let field = format!("{path}.volumeMounts[{idx}]");
        let name = text(mount, "name");
        if name.is_empty() {
            errors.required(&format!("{field}.name"), "");
        }
        if !volumes.contains(name) {
            errors.not_found(&format!("{field}.name"), name);
        }
        let target = text(mount, "mountPath");
        if target.is_empty() {
            errors.required(&format!("{field}.mountPath"), "");
        } else if !seen.insert(target) {
            errors.invalid(&format!("{field}.mountPath"), target, "must be unique");
        }
        let sub_path = text(mount, "subPath");
        if !sub_path.is_empty() {
            local_path(errors, &format!("{path}.volumeMounts.subPath"), sub_path);
        }
    }
}

/// The key of a ConfigMap or Secret that a variable takes.
pub(super) fn key_reference(reference: &Value, path: &str, errors: &mut Errors) {
    let name = text(reference, "name");
    errors.invalid_each(&format!("{path}.name"), name, validation::dns1123_subdomain(name));
    let key = text(reference, "key");
    if key.is_empty() {
        errors.required(&format!("{path}.key"), "");
    } else {
        errors.invalid_each(&format!("{path}.key"), key, config_key(key));
    }
}
