//! What may not change once an object exists.

use windlass_kube::{Gvk, Value};

use super::errors::{Errors, text};
use super::{internal, selectors};

const IMMUTABLE: &str = "field is immutable";
const IMMUTABLE_WHEN_SET: &str = "field is immutable when `immutable` is set";

pub(super) fn check(gvk: &Gvk, new: &Value, old: &Value, errors: &mut Errors) {
    match (gvk.group.as_str(), gvk.kind.as_str()) {
        ("apps", "Deployment") => {
            selector(new, old, errors);
            if new.get("status") != old.get("status") {
                deployment_status(new, errors);
            }
        }
        ("apps", "StatefulSet") => stateful_set(new, old, errors),
        ("apps", "ReplicaSet" | "DaemonSet") => selector(new, old, errors),
        ("batch", "Job") => job(new, old, errors),
        ("", "Pod") => pod(new, old, errors),
        ("", "Service") => service(new, old, errors),
        ("", "ConfigMap") => frozen(new, old, &["data", "binaryData"], errors),
        ("", "Secret") => {
            frozen(new, old, &["data"], errors);
            if text(new, "type") != text(old, "type") {
                errors.invalid("type", text(new, "type"), IMMUTABLE);
            }
        }
        ("", "PersistentVolumeClaim") => claim(new, old, errors),
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding")
            if new.get("roleRef") != old.get("roleRef") =>
        {
            let part = |key: &str| new.str_at(&["roleRef", key]).unwrap_or_default();
            let shown = format!(
                "{{\"APIGroup\":{:?},\"Kind\":{:?},\"Name\":{:?}}}",
                part("apiGroup"),
                part("kind"),
                part("name")
            );
            errors.invalid_shown("roleRef", &shown, "cannot change roleRef");
        }
        ("storage.k8s.io", "StorageClass") => {
            for field in ["parameters", "provisioner", "volumeBindingMode"] {
                if new.get(field) != old.get(field) {
                    errors.invalid(field, new.get(field).cloned().unwrap_or_default(), IMMUTABLE);
                }
            }
            if new.get("reclaimPolicy") != old.get("reclaimPolicy") {
                errors.forbidden("reclaimPolicy", "updates to reclaimPolicy are forbidden.");
            }
        }
        ("scheduling.k8s.io", "PriorityClass") => {
            for field in ["value", "preemptionPolicy"] {
                if new.get(field) != old.get(field) {
                    errors.forbidden(field, "may not be changed in an update.");
                }
            }
        }
        _ => {}
    }
}

fn selector(new: &Value, old: &Value, errors: &mut Errors) {
    let path = ["spec", "selector"];
    if new.at(&path) != old.at(&path) {
        let shown = new.at(&path).map_or("null".to_owned(), selectors::shown);
        errors.invalid_shown("spec.selector", &shown, IMMUTABLE);
    }
}

fn without(object: &Value, fields: &[&str]) -> Value {
    let mut spec = object.get("spec").cloned().unwrap_or_default();
    for field in fields {
        spec.object_mut().remove(field);
    }
    spec
}

fn stateful_set(new: &Value, old: &Value, errors: &mut Errors) {
    let mutable = [
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
    ];
    if without(new, &mutable) != without(old, &mutable) {
        errors.forbidden(
            "spec",
            "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', \
             'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
        );
    }
}

/// Counts in a status are numbers of the same pods.
fn deployment_status(new: &Value, errors: &mut Errors) {
    use super::errors::NOT_NEGATIVE;
    let count = |key: &str| new.int_at(&["status", key]).unwrap_or(0);
    let all = count("replicas");
    for key in ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas"] {
        if count(key) < 0 {
            errors.invalid(&format!("status.{key}"), count(key), NOT_NEGATIVE);
        }
    }
    for key in ["updatedReplicas", "readyReplicas", "availableReplicas"] {
        if count(key) > all {
            errors.invalid(&format!("status.{key}"), count(key), "cannot be greater than status.replicas");
        }
    }
    if count("availableReplicas") > count("readyReplicas") {
        let why = "cannot be greater than readyReplicas";
        errors.invalid("status.availableReplicas", count("availableReplicas"), why);
    }
}

fn job(new: &Value, old: &Value, errors: &mut Errors) {
    let spec = |object: &Value, field: &str| object.at(&["spec", field]).cloned().unwrap_or_default();
    let indexed = text(&spec(new, "completionMode"), "") == "Indexed"
        || spec(old, "completionMode").as_str() == Some("Indexed");
    if spec(new, "completions") != spec(old, "completions") && !indexed {
        errors.invalid("spec.completions", spec(new, "completions"), IMMUTABLE);
    }
    selector(new, old, errors);
    job_template(new, old, errors);
    if spec(new, "completionMode") != spec(old, "completionMode") {
        errors.invalid("spec.completionMode", spec(new, "completionMode"), IMMUTABLE);
    }
    for field in ["podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"] {
        if spec(new, field) != spec(old, field) {
            errors.invalid(&format!("spec.{field}"), spec(new, field), IMMUTABLE);
        }
    }
}

/// A suspended job without pods may still change where they run and what resources they ask for.
fn job_template(new: &Value, old: &Value, errors: &mut Errors) {
    let template = |object: &Value| object.at(&["spec", "template"]).cloned().unwrap_or_default();
    let (after, mut before) = (template(new), template(old));
    let status = |path: &[&str]| old.at(&["status"]).and_then(|status| status.at(path));
    let has_ended = old.items_at(&["status", "conditions"]).iter().any(|condition| {
        condition.str_at(&["type"]) == Some("Suspended") && condition.str_at(&["status"]) == Some("True")
    });
    let is_mutable = old.bool_at(&["spec", "suspend"]) == Some(true)
        && (status(&["startTime"]).is_none() || has_ended)
        && status(&["active"]).and_then(Value::as_int).unwrap_or(0) == 0;
    if !is_mutable {
        if after != before {
            errors.invalid_shown(
                "spec.template",
                &internal::shown("core.PodTemplateSpec", &after),
                IMMUTABLE,
            );
        }
        return;
    }
    let take = |before: &mut Value, path: &[&str]| match after.at(path) {
        Some(value) => before.set_at(path, value.clone()),
        None => {
            before.remove_at(path);
        }
    };
    let affinity = ["spec", "affinity"];
    if after.at(&affinity).is_some() || before.at(&affinity).is_some() {
        take(&mut before, &["spec", "affinity", "nodeAffinity"]);
        let is_bare =
            before.at(&affinity).and_then(Value::as_object).is_some_and(windlass_kube::Map::is_empty);
        if is_bare && after.at(&affinity).is_none() {
            before.remove_at(&affinity);
        }
    }
    for key in ["nodeSelector", "tolerations", "schedulingGates"] {
        take(&mut before, &["spec", key]);
    }
    for list in ["containers", "initContainers"] {
        let path = ["spec", list];
        let (wanted, mut have) = (after.items_at(&path), before.items_at(&path).to_vec());
        if wanted.len() == have.len() {
            for (have, wanted) in have.iter_mut().zip(wanted) {
                if have.get("name") == wanted.get("name") {
                    have.set_at(
                        &["resources"],
                        wanted.get("resources").cloned().unwrap_or_else(Value::object),
                    );
                }
            }
            if !have.is_empty() {
                before.set_at(&path, have);
            }
        }
    }
    if after.get("spec") != before.get("spec") {
        let empty = Value::object();
        let shown = internal::shown("core.PodSpec", after.get("spec").unwrap_or(&empty));
        errors.invalid_shown("spec.template.spec", &shown, IMMUTABLE);
    }
}

fn pod(new: &Value, old: &Value, errors: &mut Errors) {
    let fixed = |object: &Value| {
        let mut spec = without(
            object,
            &[
                "activeDeadlineSeconds",
                "tolerations",
                "terminationGracePeriodSeconds",
                "schedulingGates",
                "ephemeralContainers",
            ],
        );
        for list in ["containers", "initContainers"] {
            let containers: Vec<Value> = spec
                .items_at(&[list])
                .iter()
                .map(|container| {
                    let mut container = container.clone();
                    container.object_mut().remove("image");
                    container
                })
                .collect();
            spec.set_at(&[list], containers);
        }
        spec
    };
    let names = |object: &Value, list: &str| object.items_at(&["spec", list]).len();
    if names(new, "containers") != names(old, "containers") {
        return errors.forbidden("spec.containers", "pod updates may not add or remove containers");
    }
    let deadline = |object: &Value| object.int_at(&["spec", "activeDeadlineSeconds"]);
    match (deadline(new), deadline(old)) {
        (Some(after), Some(before)) if after > before => {
            let why = "must be less than or equal to previous value";
            return errors.invalid("spec.activeDeadlineSeconds", after, why);
        }
        (None, Some(_)) => {
            return errors.invalid(
                "spec.activeDeadlineSeconds",
                Value::Null,
                "must not update from a positive integer to nil value",
            );
        }
        _ => {}
    }
    let (after, mut before) = (fixed(new), fixed(old));
    // A pod is given a node once; the real server does that through the `binding` subresource.
    if before.get("nodeName").is_none()
        && let Some(node) = after.get("nodeName")
    {
        before.set_at(&["nodeName"], node.clone());
    }
    if after != before {
        errors.forbidden(
            "spec",
            "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,\
             `spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),\
             `spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n",
        );
    }
}

fn service(new: &Value, old: &Value, errors: &mut Errors) {
    let kind = |service: &Value| service.str_at(&["spec", "type"]).unwrap_or_default() != "ExternalName";
    let (after, before) = (new.items_at(&["spec", "clusterIPs"]), old.items_at(&["spec", "clusterIPs"]));
    if kind(new) && kind(old) && !before.is_empty() && after.first() != before.first() {
        errors.invalid("spec.clusterIPs[0]", after.to_vec(), "may not change once set");
    }
}

fn frozen(new: &Value, old: &Value, fields: &[&str], errors: &mut Errors) {
    if old.bool_at(&["immutable"]) != Some(true) {
        return;
    }
    if new.bool_at(&["immutable"]) != Some(true) {
        errors.forbidden("immutable", IMMUTABLE_WHEN_SET);
    }
    for field in fields {
        if new.get(field) != old.get(field) {
            errors.forbidden(field, IMMUTABLE_WHEN_SET);
        }
    }
}

fn claim(new: &Value, old: &Value, errors: &mut Errors) {
    let bound = old.str_at(&["status", "phase"]) == Some("Bound");
    let fixed = |object: &Value| {
        let mut spec = without(object, &["volumeAttributesClassName"]);
        if bound {
            spec.remove_at(&["resources", "requests"]);
        }
        spec
    };
    let (mut after, mut before) = (fixed(new), fixed(old));
    // Binding gives a claim its volume, and a class where it had none.
    for field in ["volumeName", "storageClassName"] {
        if before.get(field).is_none() {
            after.object_mut().remove(field);
            before.object_mut().remove(field);
        }
    }
    if after != before {
        errors.forbidden(
            "spec",
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n",
        );
    }
}
