//! Kinds that keep a number of pods.

use windlass_kube::{Object, Value};
use windlass_model::Health;

use super::{degraded, healthy, progressing, suspended};
use crate::condition::{condition, count, is_behind, number};

pub(super) fn deployment(object: &Object) -> Health {
    if object.at(&["spec", "paused"]).and_then(Value::as_bool) == Some(true) {
        return suspended("Deployment is paused");
    }
    if is_behind(object) {
        return progressing(
            "Waiting for rollout to finish: observed deployment generation less than desired generation",
        );
    }
    if condition(object, "Progressing").is_some_and(|found| found.reason == "ProgressDeadlineExceeded") {
        return degraded(format!("Deployment {:?} exceeded its progress deadline", object.name()));
    }
    let (total, updated, available) =
        (count(object, "replicas"), count(object, "updatedReplicas"), count(object, "availableReplicas"));
    match number(object, &["spec", "replicas"]) {
        Some(wanted) if updated < wanted => progressing(format!(
            "Waiting for rollout to finish: {updated} out of {wanted} new replicas have been updated..."
        )),
        _ if total > updated => progressing(format!(
            "Waiting for rollout to finish: {} old replicas are pending termination...",
            total - updated
        )),
        _ if available < updated => progressing(format!(
            "Waiting for rollout to finish: {available} of {updated} updated replicas are available..."
        )),
        _ => healthy(""),
    }
}

pub(super) fn stateful_set(object: &Object) -> Health {
    if count(object, "observedGeneration") == 0 || is_behind(object) {
        return progressing("Waiting for statefulset spec update to be observed...");
    }
    let wanted = number(object, &["spec", "replicas"]);
    let (ready, updated) = (count(object, "readyReplicas"), count(object, "updatedReplicas"));
    if let Some(wanted) = wanted
        && ready < wanted
    {
        return progressing(format!("Waiting for {} pods to be ready...", wanted - ready));
    }
    let strategy = object.str_at(&["spec", "updateStrategy", "type"]);
    let rolling =
        object.at(&["spec", "updateStrategy", "rollingUpdate"]).filter(|rolling| !rolling.is_null());
    if strategy == "RollingUpdate"
        && let Some(rolling) = rolling
    {
        if let (Some(wanted), Some(partition)) = (wanted, rolling.int_at(&["partition"]))
            && updated < wanted - partition
        {
            return progressing(format!(
                "Waiting for partitioned roll out to finish: {updated} out of {} new pods have been updated...",
                wanted - partition
            ));
        }
        return healthy(format!("partitioned roll out complete: {updated} new pods have been updated..."));
    }
    if strategy == "OnDelete" {
        return healthy(format!("statefulset has {ready} ready pods"));
    }
    let (current_revision, update_revision) =
        (object.str_at(&["status", "currentRevision"]), object.str_at(&["status", "updateRevision"]));
    if update_revision != current_revision {
        return progressing(format!(
            "waiting for statefulset rolling update to complete {updated} pods at revision {update_revision}..."
        ));
    }
    let current = count(object, "currentReplicas");
    healthy(format!("statefulset rolling update complete {current} pods at revision {current_revision}..."))
}

pub(super) fn daemon_set(object: &Object) -> Health {
    if is_behind(object) {
        return progressing(
            "Waiting for rollout to finish: observed daemon set generation less than desired generation",
        );
    }
    let (wanted, updated, available) = (
        count(object, "desiredNumberScheduled"),
        count(object, "updatedNumberScheduled"),
        count(object, "numberAvailable"),
    );
    if object.str_at(&["spec", "updateStrategy", "type"]) == "OnDelete" {
        return healthy(format!("daemon set {updated} out of {wanted} new pods have been updated"));
    }
    let name = object.name();
    if updated < wanted {
        return progressing(format!(
            "Waiting for daemon set {name:?} rollout to finish: {updated} out of {wanted} new pods have been updated..."
        ));
    }
    if available < wanted {
        return progressing(format!(
            "Waiting for daemon set {name:?} rollout to finish: {available} of {wanted} updated pods are available..."
        ));
    }
    healthy("")
}

pub(super) fn replica_set(object: &Object) -> Health {
    if is_behind(object) {
        return progressing(
            "Waiting for rollout to finish: observed replica set generation less than desired generation",
        );
    }
    if let Some(failure) = condition(object, "ReplicaFailure").filter(|failure| failure.is_true()) {
        return degraded(failure.message);
    }
    let available = count(object, "availableReplicas");
    match number(object, &["spec", "replicas"]) {
        Some(wanted) if available < wanted => progressing(format!(
            "Waiting for rollout to finish: {available} out of {wanted} new replicas are available..."
        )),
        _ => healthy(""),
    }
}
