//! Pods.

use windlass_kube::{Object, Value};
use windlass_model::Health;

use super::{degraded, healthy, progressing, unknown};
use crate::condition::{condition, items};

/// Makes a pod that may end be assessed as one that should not; without effect on hooks.
const IGNORE_RESTART_POLICY: &str = "argocd.argoproj.io/ignore-restart-policy";

pub(super) fn pod(object: &Object) -> Health {
    let message = object.str_at(&["status", "message"]);
    let containers = items(object, &["status", "containerStatuses"]);
    let policy = object.str_at(&["spec", "restartPolicy"]);
    // A pod that may end is not failed by a container that cannot start: as a hook it would fail its operation,
    // and then run after all.
    let runs_forever =
        policy == "Always" || (object.annotation(IGNORE_RESTART_POLICY) == Some("true") && !is_hook(object));
    if runs_forever {
        let failing: Vec<&str> = containers
            .iter()
            .filter(|container| container.str_at(&["state", "waiting", "reason"]).is_some_and(is_failure))
            .map(|container| container.str_at(&["state", "waiting", "message"]).unwrap_or_default())
            .collect();
        if !failing.is_empty() {
            return degraded(failing.join(", "));
        }
    }
    match object.str_at(&["status", "phase"]) {
        "Pending" => progressing(message),
        "Succeeded" => healthy(message),
        "Failed" if !message.is_empty() => degraded(message),
        "Failed" => {
            let all = items(object, &["status", "initContainerStatuses"]).iter().chain(containers);
            degraded(all.filter_map(failure_message).next().unwrap_or_default())
        }
        "Running" if runs_forever => {
            if condition(object, "Ready").is_some_and(|ready| ready.is_true()) {
                healthy(message)
            } else if containers.iter().any(has_terminated_before) {
                degraded(message)
            } else {
                progressing(message)
            }
        }
        "Running" if matches!(policy, "OnFailure" | "Never") => progressing(message),
        _ => unknown(message),
    }
}

/// Whether the reason why a container waits means that it failed to start.
fn is_failure(reason: &str) -> bool {
    reason.starts_with("Err") || reason.ends_with("Error") || reason.ends_with("BackOff")
}

fn has_terminated_before(container: &Value) -> bool {
    container.at(&["lastState", "terminated"]).is_some_and(|terminated| !terminated.is_null())
}

/// Why a container ended badly, if it did.
fn failure_message(container: &Value) -> Option<String> {
    let terminated = container.at(&["state", "terminated"])?;
    if let Some(message) = terminated.str_at(&["message"]).filter(|message| !message.is_empty()) {
        return Some(message.to_owned());
    }
    if terminated.str_at(&["reason"]) == Some("OOMKilled") {
        return Some("OOMKilled".to_owned());
    }
    let exit_code = terminated.int_at(&["exitCode"]).filter(|code| *code != 0)?;
    let name = container.str_at(&["name"]).unwrap_or_default();
    Some(format!("container {name:?} failed with exit code {exit_code}"))
}

/// Whether the object is a hook of Argo CD or Helm, by its annotations.
pub(crate) fn is_hook(object: &Object) -> bool {
    let names = |key| {
        let names = object.annotation(key).unwrap_or_default().split(',').map(str::trim);
        names.filter(|name| !name.is_empty()).collect::<Vec<_>>()
    };
    let helm = object.annotation("helm.sh/hook");
    if object.annotation("argocd.argoproj.io/hook").is_none() {
        // Helm 2 marked custom resource definitions so, which makes them no hooks.
        return helm.is_some_and(|value| value != "crd-install");
    }
    let mut known: Vec<&str> = names("argocd.argoproj.io/hook");
    known.retain(|name| matches!(*name, "PreSync" | "Sync" | "PostSync" | "SyncFail" | "Skip"));
    known.sort_unstable();
    known.dedup();
    known != ["Skip"]
}
