//! Numaflow and Numaplane.

use windlass_kube::Object;
use windlass_model::Health;

use super::{Degraded, Fields, Healthy, Progressing, Unknown, conditions, is, say};

pub(super) fn flow(object: &Object) -> Option<Health> {
    let kind = object.kind();
    let phase = object.text("status.phase");
    let waiting = || say(Progressing, format!("Waiting for {kind} status"));
    if !object.has("status")
        || object.number("metadata.generation") != object.number("status.observedGeneration")
    {
        return waiting();
    }
    let failing = conditions(object).iter().rfind(|it| it.text("status") == "False");
    let upgrade_failed =
        kind != "Vertex" && object.label("numaplane.numaproj.io/progressive-result-state") == Some("failed");
    if phase == "Failed" {
        return say(Degraded, object.text("status.message"));
    }
    if upgrade_failed {
        return say(Degraded, "Failed progressive upgrade");
    }
    if let Some(failing) = failing {
        let told = matches!(kind, "InterStepBufferService" | "Vertex");
        return say(Degraded, if told { failing.text("message") } else { "Subresources are unhealthy" });
    }
    match phase {
        "Paused" if kind != "InterStepBufferService" => say(Healthy, format!("{kind} is paused")),
        "Pausing" if kind == "Pipeline" => say(Healthy, "Pipeline is paused"),
        "Running" => say(Healthy, format!("{kind} is healthy")),
        _ => waiting(),
    }
}

pub(super) fn plane(object: &Object) -> Option<Health> {
    let kind = object.kind();
    let is_controller = kind == "NumaflowControllerRollout";
    let (failure, pausing, unknown) = match kind {
        "ISBServiceRollout" => ("ISBSvcFailed", "", "Unknown status"),
        "MonoVertexRollout" => ("MonoVertexFailed", "MonoVertexPausingOrPaused", "Unknown MonoVertex status"),
        "PipelineRollout" => ("PipelineFailed", "PipelinePausingOrPaused", "Unknown Pipeline status"),
        _ => ("", "", "Unknown status"),
    };
    let all = conditions(object);
    let generation = object.number("metadata.generation");
    if !object.has("status") || generation != object.number("status.observedGeneration") {
        return say(Progressing, "Not yet reconciled");
    }
    let upgrade_failed =
        !is_controller && all.iter().any(|it| is(it, "ProgressiveUpgradeSucceeded", "False"));
    let upgrading = !object.text("status.upgradeInProgress").is_empty();
    if (upgrading || object.text("status.phase") == "Pending") && !upgrade_failed {
        return say(Progressing, "Update in progress");
    }
    let child_failing = |it: &&windlass_kube::Value| is(it, "ChildResourcesHealthy", "False");
    if all.iter().filter(child_failing).any(|it| it.text("reason") == "Progressing") {
        return say(Progressing, "Child Progressing");
    }
    if object.text("status.phase") == "Failed" {
        return say(Degraded, object.text("status.message"));
    }
    for condition in all {
        if child_failing(&condition) && (is_controller || condition.text("reason") == failure) {
            return say(Degraded, condition.text("message"));
        }
        if !is_controller && is(condition, "ProgressiveUpgradeSucceeded", "False") {
            return say(Degraded, "Progressive upgrade failed");
        }
    }
    if let Some(paused) = all.iter().find(|it| !pausing.is_empty() && is(it, pausing, "True")) {
        return say(Healthy, paused.text("message"));
    }
    if all.iter().any(|it| is(it, "ChildResourcesHealthy", "True")) {
        return say(Healthy, "Healthy");
    }
    say(Unknown, unknown)
}
