//! Progressive delivery: Argo Rollouts and Flagger.

use windlass_kube::{Object, Value};
use windlass_model::{Health, HealthStatus};

use super::{Degraded, Fields, Healthy, Progressing, Suspended, Unknown, conditions, say};

/// A number, or a text that is one.
fn numeric(value: Option<&Value>) -> Option<f64> {
    let value = value?;
    value.as_float().or_else(|| value.as_str()?.trim().parse().ok())
}

fn is_observed(object: &Object) -> bool {
    if !object.has("status") {
        return false;
    }
    let generation = object.number("metadata.generation").unwrap_or(0.0);
    // What is no number or ahead of the object is of an older controller, which wrote a hash.
    numeric(object.find("status.observedGeneration")).is_none_or(|observed| observed >= generation)
}

fn is_workload_observed(object: &Object) -> bool {
    if !object.has("spec.workloadRef") || !object.has("metadata.annotations") {
        return true;
    }
    let wanted = object.annotation("rollout.argoproj.io/workload-generation");
    let wanted = wanted.and_then(|text| text.trim().parse::<f64>().ok());
    wanted == numeric(object.find("status.workloadObservedGeneration"))
}

pub(super) fn rollout(object: &Object) -> Option<Health> {
    if !is_observed(object) || !is_workload_observed(object) {
        return say(Progressing, "Waiting for rollout spec update to be observed");
    }
    if let Some(phase) = object.maybe_text("status.phase") {
        let status = match phase {
            "Paused" | "Suspended" => Suspended,
            "Healthy" => Healthy,
            "Progressing" => Progressing,
            "Degraded" => Degraded,
            "Missing" => HealthStatus::Missing,
            _ => Unknown,
        };
        return say(status, object.text("status.message"));
    }
    for condition in conditions(object) {
        let is_bad = match condition.text("type") {
            "InvalidSpec" => true,
            "Progressing" => {
                matches!(condition.text("reason"), "RolloutAborted" | "ProgressDeadlineExceeded")
            }
            _ => false,
        };
        if is_bad {
            return say(Degraded, condition.text("message"));
        }
    }
    if !object.list("status.pauseConditions").is_empty() || object.is_true("spec.paused") {
        return say(Suspended, "Rollout is paused");
    }
    let Some(current) = object.maybe_text("status.currentPodHash") else {
        return say(Progressing, "Waiting for rollout to finish: status has not been reconciled.");
    };
    let count = |path: &str, default: f64| object.number(path).unwrap_or(default);
    let updated = count("status.updatedReplicas", 0.0);
    if updated < count("spec.replicas", 1.0) {
        return say(Progressing, "Waiting for roll out to finish: More replicas need to be updated");
    }
    if count("status.availableReplicas", 0.0) < updated {
        let message = "Waiting for roll out to finish: updated replicas are still becoming available";
        return say(Progressing, message);
    }
    let stable =
        object.maybe_text("status.stableRS").unwrap_or_else(|| object.text("status.canary.stableRS"));
    if object.has("spec.strategy.blueGreen") {
        if object.text("status.blueGreen.activeSelector") != current {
            return say(Progressing, "active service cutover pending");
        }
        if !stable.is_empty() && stable != current {
            return say(Progressing, "waiting for analysis to complete");
        }
    } else if object.has("spec.strategy.canary") {
        if count("status.replicas", 0.0) > updated {
            return say(Progressing, "Waiting for roll out to finish: old replicas are pending termination");
        }
        if stable.is_empty() || stable != current {
            return say(Progressing, "Waiting for rollout to finish steps");
        }
    }
    say(Healthy, "")
}

pub(super) fn canary(object: &Object) -> Option<Health> {
    /// What Argo CD puts between the parts of the message.
    const BETWEEN: &str = " --- ";
    if !object.has("status") {
        return say(Unknown, "No status");
    }
    let weight = object.find("status.canaryWeight");
    let mut parts = Vec::new();
    if numeric(weight).is_some_and(|weight| weight > 0.0) {
        let weight = weight.map(crate::health::table::printed).unwrap_or_default();
        parts.push(format!("Canary Weight: {weight} %"));
    }
    for condition in conditions(object) {
        parts.push(condition.text("message").to_owned());
    }
    let phase = object.text("status.phase");
    let status = match phase {
        "Failed" => Degraded,
        "Progressing" | "Finalising" | "Promoting" => Progressing,
        "Succeeded" | "Initialized" => Healthy,
        _ => Unknown,
    };
    say(status, format!("{phase}{BETWEEN}{}", parts.join(BETWEEN)))
}
