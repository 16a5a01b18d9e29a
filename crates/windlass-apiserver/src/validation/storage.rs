//! Claims, volumes and their classes.

use windlass_kube::{Map, Value, validation};

use super::errors::{Errors, join, text};
use crate::defaults::quantity::Quantity;

const MODES: [&str; 4] = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];

fn access_modes(spec: &Value, path: &str, errors: &mut Errors) {
    for mode in spec.items_at(&["accessModes"]).iter().filter_map(Value::as_str) {
        errors.one_of(&format!("{path}.accessModes"), mode, &MODES);
    }
}

fn class_name(spec: &Value, path: &str, errors: &mut Errors) {
    let class = text(spec, "storageClassName");
    if !class.is_empty() {
        errors.invalid_each(&format!("{path}.storageClassName"), class, validation::dns1123_subdomain(class));
    }
    errors.one_of(&format!("{path}.volumeMode"), text(spec, "volumeMode"), &["Block", "Filesystem"]);
}

/// A claim, or a claim's template at `path`.
pub(super) fn claim(object: &Value, path: &str, errors: &mut Errors) {
    let empty = Value::object();
    let spec = object.get("spec").unwrap_or(&empty);
    let path = join(path, "spec");
    if spec.items_at(&["accessModes"]).is_empty() {
        errors.required(&format!("{path}.accessModes"), "at least 1 access mode is required");
    }
    access_modes(spec, &path, errors);
    let field = format!("{path}.resources[storage]");
    match spec.str_at(&["resources", "requests", "storage"]) {
        None => errors.required(&field, ""),
        Some(size) if Quantity::parse(size).is_some_and(|size| size.nanos() <= 0) => {
            errors.invalid(&field, size, "must be greater than zero");
        }
        Some(_) => {}
    }
    class_name(spec, &path, errors);
}

pub(super) fn volume(object: &Value, errors: &mut Errors) {
    let empty = Value::object();
    let spec = object.get("spec").unwrap_or(&empty);
    if spec.items_at(&["accessModes"]).is_empty() {
        errors.required("spec.accessModes", "");
    }
    access_modes(spec, "spec", errors);
    let capacity = spec.get("capacity").and_then(Value::as_object);
    if capacity.is_none_or(Map::is_empty) {
        errors.required("spec.capacity", "");
    }
    if capacity.is_none_or(|capacity| capacity.len() != 1 || !capacity.contains_key("storage")) {
        let shown =
            capacity.map_or("null".to_owned(), |capacity| format!("{:?}", Value::Object(capacity.clone())));
        errors.not_supported_shown("spec.capacity", &shown, &["storage"]);
    }
    let sources = [
        "hostPath",
        "gcePersistentDisk",
        "awsElasticBlockStore",
        "glusterfs",
        "nfs",
        "rbd",
        "quobyte",
        "cephfs",
        "iscsi",
        "cinder",
        "fc",
        "flocker",
        "azureFile",
        "vsphereVolume",
        "photonPersistentDisk",
        "portworxVolume",
        "azureDisk",
        "scaleIO",
        "local",
        "storageos",
        "csi",
        "flexVolume",
    ];
    let given: Vec<&str> = sources.into_iter().filter(|source| spec.get(source).is_some()).collect();
    for extra in given.iter().skip(1) {
        errors.forbidden(&format!("spec.{extra}"), "may not specify more than 1 volume type");
    }
    if given.is_empty() {
        errors.required("spec", "must specify a volume type");
    }
    let policies = ["Delete", "Recycle", "Retain"];
    errors.one_of(
        "spec.persistentVolumeReclaimPolicy",
        text(spec, "persistentVolumeReclaimPolicy"),
        &policies,
    );
    class_name(spec, "spec", errors);
}

pub(super) fn class(object: &Value, errors: &mut Errors) {
    let provisioner = text(object, "provisioner");
    if provisioner.is_empty() {
        errors.required("provisioner", "");
    } else {
        errors.invalid_each("provisioner", provisioner, validation::label_key(&provisioner.to_lowercase()));
    }
    errors.one_of("reclaimPolicy", text(object, "reclaimPolicy"), &["Delete", "Retain"]);
    let modes = ["Immediate", "WaitForFirstConsumer"];
    errors.one_of("volumeBindingMode", text(object, "volumeBindingMode"), &modes);
}
