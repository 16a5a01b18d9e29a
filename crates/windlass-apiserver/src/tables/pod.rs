//! The row of a Pod: readiness, the one word that sums up its state, restarts.

use std::time::SystemTime;

use windlass_kube::{Value, value};

use super::Row;
use super::duration::{human_duration, seconds_of, seconds_of_now, since};
use super::rows::text_or;

/// What the containers of a pod add up to.
struct Summary {
    reason: String,
    ready: i64,
    restarts: i64,
    last_restart: Option<i64>,
}

pub(super) fn row(pod: &Value, now: SystemTime) -> Row {
    let summary = summary(pod);
    let total = pod.items_at(&["spec", "containers"]).len()
        + pod.items_at(&["spec", "initContainers"]).iter().filter(|container| is_sidecar(container)).count();
    let mut restarts = summary.restarts.to_string();
    if let Some(last) = summary.last_restart.filter(|_| summary.restarts != 0) {
        restarts = format!("{restarts} ({} ago)", human_duration(seconds_of_now(now).saturating_sub(last)));
    }
    let phase = pod.str_at(&["status", "phase"]).unwrap_or_default();
    let ended = |reason: &str, message: &str| {
        Some(value!([{"type": "Completed", "status": "True", "reason": reason, "message": message}]))
    };
    let conditions = match phase {
        "Succeeded" => ended("Succeeded", "The pod has completed successfully."),
        "Failed" => ended("Failed", "The pod failed."),
        _ => None,
    };
    let address =
        pod.items_at(&["status", "podIPs"]).first().and_then(|ip| ip.str_at(&["ip"])).unwrap_or("<none>");
    let cells = vec![
        text_or(pod, &["metadata", "name"], ""),
        format!("{}/{total}", summary.ready).into(),
        summary.reason.into(),
        restarts.into(),
        since(pod.at(&["metadata", "creationTimestamp"]), now).into(),
        address.into(),
        text_or(pod, &["spec", "nodeName"], "<none>"),
        text_or(pod, &["status", "nominatedNodeName"], "<none>"),
        readiness_gates(pod).into(),
    ];
    Row { cells, conditions }
}

fn summary(pod: &Value) -> Summary {
    let status =
        |path: &[&str]| pod.at(&["status"]).and_then(|status| status.str_at(path)).unwrap_or_default();
    let phase = status(&["phase"]);
    let mut reason = status(&["reason"]).to_owned();
    if reason.is_empty() {
        reason = phase.to_owned();
    }
    let conditions = pod.items_at(&["status", "conditions"]);
    let has = |kind: &str, field: &str, wanted: &str| {
        conditions.iter().any(|c| c.str_at(&["type"]) == Some(kind) && c.str_at(&[field]) == Some(wanted))
    };
    if has("PodScheduled", "reason", "SchedulingGated") {
        reason = "SchedulingGated".into();
    }
    let mut summary = Summary { reason, ready: 0, restarts: 0, last_restart: None };
    let mut sidecars = Summary { reason: String::new(), ready: 0, restarts: 0, last_restart: None };
    let initializing = init_containers(pod, &mut summary, &mut sidecars);
    if !initializing || has("Initialized", "status", "True") {
        summary.restarts = sidecars.restarts;
        summary.last_restart = sidecars.last_restart;
        containers(pod, &mut summary, has("Ready", "status", "True"));
    }
    if pod.at(&["metadata", "deletionTimestamp"]).is_some() {
        if status(&["reason"]) == "NodeLost" {
            summary.reason = "Unknown".into();
        } else if !matches!(phase, "Succeeded" | "Failed") {
            summary.reason = "Terminating".into();
        }
    }
    summary
}

/// Sums up init containers; whether the pod is still initializing.
fn init_containers(pod: &Value, summary: &mut Summary, sidecars: &mut Summary) -> bool {
    let specs = pod.items_at(&["spec", "initContainers"]);
    for (idx, status) in pod.items_at(&["status", "initContainerStatuses"]).iter().enumerate() {
        let name = status.str_at(&["name"]);
        let sidecar = specs.iter().any(|spec| spec.str_at(&["name"]) == name && is_sidecar(spec));
        count_restarts(status, summary);
        if sidecar {
            count_restarts(status, sidecars);
        }
        let terminated = status.at(&["state", "terminated"]);
        let waiting = status.str_at(&["state", "waiting", "reason"]).unwrap_or_default();
        if terminated.is_some_and(|terminated| terminated.int_at(&["exitCode"]) == Some(0)) {
            continue;
        }
        if sidecar && status.bool_at(&["started"]) == Some(true) {
            summary.ready += i64::from(status.bool_at(&["ready"]) == Some(true));
            continue;
        }
        summary.reason = match terminated {
            Some(terminated) => format!("Init:{}", ending(terminated)),
            None if !waiting.is_empty() && waiting != "PodInitializing" => format!("Init:{waiting}"),
            None => format!("Init:{idx}/{}", specs.len()),
        };
        return true;
    }
    false
}

fn containers(pod: &Value, summary: &mut Summary, pod_ready: bool) {
    let mut running = false;
    let mut error = String::new();
    for status in pod.items_at(&["status", "containerStatuses"]).iter().rev() {
        count_restarts(status, summary);
        let waiting = status.str_at(&["state", "waiting", "reason"]).unwrap_or_default();
        if !waiting.is_empty() {
            summary.reason = waiting.to_owned();
        } else if let Some(terminated) = status.at(&["state", "terminated"]) {
            summary.reason = ending(terminated);
            if terminated.int_at(&["exitCode"]).unwrap_or(0) != 0 {
                error.clone_from(&summary.reason);
            }
        } else if status.bool_at(&["ready"]) == Some(true) && status.at(&["state", "running"]).is_some() {
            running = true;
            summary.ready += 1;
        }
    }
    if summary.reason == "Completed" {
        if running && pod_ready {
            summary.reason = "Running".into();
        } else if !error.is_empty() {
            summary.reason = error;
        } else if running {
            summary.reason = "NotReady".into();
        }
    }
}

/// Why a container ended: its reason, else its signal, else its exit code.
fn ending(terminated: &Value) -> String {
    let reason = terminated.str_at(&["reason"]).unwrap_or_default();
    let signal = terminated.int_at(&["signal"]).unwrap_or(0);
    if !reason.is_empty() {
        reason.to_owned()
    } else if signal != 0 {
        format!("Signal:{signal}")
    } else {
        format!("ExitCode:{}", terminated.int_at(&["exitCode"]).unwrap_or(0))
    }
}

fn count_restarts(status: &Value, summary: &mut Summary) {
    summary.restarts = summary.restarts.saturating_add(status.int_at(&["restartCount"]).unwrap_or(0));
    let last = seconds_of(status.at(&["lastState", "terminated", "finishedAt"]));
    summary.last_restart = summary.last_restart.max(last);
}

fn is_sidecar(container: &Value) -> bool {
    container.str_at(&["restartPolicy"]) == Some("Always")
}

fn readiness_gates(pod: &Value) -> String {
    let gates = pod.items_at(&["spec", "readinessGates"]);
    if gates.is_empty() {
        return "<none>".into();
    }
    let conditions = pod.items_at(&["status", "conditions"]);
    let open = gates.iter().filter(|gate| {
        let kind = gate.str_at(&["conditionType"]);
        let condition = conditions.iter().find(|condition| condition.str_at(&["type"]) == kind);
        condition.and_then(|condition| condition.str_at(&["status"])) == Some("True")
    });
    format!("{}/{}", open.count(), gates.len())
}
