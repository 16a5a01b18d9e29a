//! The columns shown beside an object.

use std::collections::BTreeSet;

use windlass_kube::{Object, Str, Value};

use crate::condition::{condition, conditions, items};

/// One column: a name and a value, worded as in Argo CD's resource tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// Such as `Status Reason`.
    pub name: Str,
    /// Such as `CrashLoopBackOff`.
    pub value: Str,
}

/// The container images of a pod, or of the pod template of a workload: sorted, each once.
///
/// Any kind that keeps its template where the built-in workloads do (`spec.template`, or
/// `spec.jobTemplate.spec.template`) has images.
#[must_use]
pub fn images(object: &Object) -> Vec<Str> {
    let spec = if object.kind() == "Pod" && object.api_version() == "v1" {
        object.at(&["spec"])
    } else {
        object
            .at(&["spec", "template", "spec"])
            .or_else(|| object.at(&["spec", "jobTemplate", "spec", "template", "spec"]))
    };
    let Some(spec) = spec else { return Vec::new() };
    let containers = ["initContainers", "containers"].into_iter().flat_map(|list| spec.items_at(&[list]));
    let images: BTreeSet<&str> = containers
        .filter_map(|container| container.str_at(&["image"]))
        .filter(|image| !image.is_empty())
        .collect();
    images.into_iter().map(Str::new).collect()
}

/// The columns of an object: the revision of a rollout, and for a pod its state, node, containers and restarts.
#[must_use]
pub fn info(object: &Object) -> Vec<Info> {
    let mut columns = Vec::new();
    if let Some(revision) = revision(object) {
        columns.push(column("Revision", format!("Rev:{revision}")));
    }
    if object.kind() == "Pod" && object.api_version() == "v1" {
        pod_columns(object, &mut columns);
    }
    columns
}

fn column(name: &str, value: impl Into<Str>) -> Info {
    Info { name: Str::new(name), value: value.into() }
}

/// The revision that a Deployment or Rollout marks itself and its ReplicaSets with, or a ControllerRevision has.
fn revision(object: &Object) -> Option<i64> {
    let marked = ["deployment.kubernetes.io/revision", "rollout.argoproj.io/revision"]
        .into_iter()
        .find_map(|annotation| object.annotation(annotation));
    let revision = match marked {
        Some(text) => text.parse().ok(),
        None => object.at(&["revision"]).and_then(Value::as_int),
    };
    revision.filter(|revision| *revision > 0)
}

fn pod_columns(pod: &Object, columns: &mut Vec<Info>) {
    let PodState { reason, ready, total, restarts } = PodState::of(pod);
    if !reason.is_empty() {
        columns.push(column("Status Reason", reason));
    }
    columns.push(column("Node", pod.str_at(&["spec", "nodeName"])));
    columns.push(column("Containers", format!("{ready}/{total}")));
    if restarts > 0 {
        columns.push(column("Restart Count", restarts.to_string()));
    }
}

/// What `kubectl get pods` shows of a pod too.
struct PodState {
    reason: String,
    ready: usize,
    total: usize,
    restarts: i64,
}

impl PodState {
    fn of(pod: &Object) -> Self {
        let init_containers = items(pod, &["spec", "initContainers"]);
        let sidecars = init_containers.iter().filter(|container| is_sidecar(container)).count();
        let mut state = Self {
            reason: first_filled([pod.str_at(&["status", "reason"]), pod.str_at(&["status", "phase"])])
                .to_owned(),
            ready: 0,
            total: items(pod, &["spec", "containers"]).len() + sidecars,
            restarts: 0,
        };
        if conditions(pod).any(|it| it.kind == "PodScheduled" && it.reason == "SchedulingGated") {
            state.reason = "SchedulingGated".to_owned();
        }
        let is_initialized = condition(pod, "Initialized").is_some_and(|initialized| initialized.is_true());
        if !state.read_init_containers(pod, init_containers) || is_initialized {
            state.read_containers(pod);
        }
        if pod.is_terminating() {
            if pod.str_at(&["status", "reason"]) == "NodeLost" {
                state.reason = "Unknown".to_owned();
            } else if !matches!(pod.str_at(&["status", "phase"]), "Succeeded" | "Failed") {
                state.reason = "Terminating".to_owned();
            }
        }
        state
    }

    /// Returns whether one of them is still at work, or failed.
    fn read_init_containers(&mut self, pod: &Object, declared: &[Value]) -> bool {
        for (idx, status) in items(pod, &["status", "initContainerStatuses"]).iter().enumerate() {
            self.restarts += status.int_at(&["restartCount"]).unwrap_or(0);
            let terminated = status.at(&["state", "terminated"]).filter(|terminated| !terminated.is_null());
            if terminated.is_some_and(|terminated| terminated.int_at(&["exitCode"]).unwrap_or(0) == 0) {
                continue;
            }
            let name = status.str_at(&["name"]);
            // Of two with one name the last counts, as in a map.
            let is_sidecar = declared
                .iter()
                .rfind(|container| container.str_at(&["name"]) == name)
                .is_some_and(is_sidecar);
            if is_sidecar && status.bool_at(&["started"]) == Some(true) {
                self.ready += usize::from(status.bool_at(&["ready"]) == Some(true));
                continue;
            }
            let waiting = status.str_at(&["state", "waiting", "reason"]).unwrap_or_default();
            self.reason = match terminated {
                Some(terminated) => format!("Init:{}", end_of(terminated)),
                None if !matches!(waiting, "" | "PodInitializing") => format!("Init:{waiting}"),
                None => format!("Init:{idx}/{}", declared.len()),
            };
            return true;
        }
        false
    }

    fn read_containers(&mut self, pod: &Object) {
        let mut has_running = false;
        // Backwards, so that the first container with something to say has the last word.
        for status in items(pod, &["status", "containerStatuses"]).iter().rev() {
            self.restarts += status.int_at(&["restartCount"]).unwrap_or(0);
            let is_there = |state| status.at(&["state", state]).is_some_and(|state| !state.is_null());
            let waiting = status.str_at(&["state", "waiting", "reason"]).unwrap_or_default();
            if !waiting.is_empty() {
                self.reason = waiting.to_owned();
            } else if is_there("terminated") {
                self.reason = status.at(&["state", "terminated"]).map(end_of).unwrap_or_default();
            } else if status.bool_at(&["ready"]) == Some(true) && is_there("running") {
                has_running = true;
                self.ready += 1;
            }
        }
        if self.reason == "Completed" && has_running {
            self.reason = "Running".to_owned();
        }
    }
}

fn first_filled<const N: usize>(texts: [&str; N]) -> &str {
    texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default()
}

fn is_sidecar(container: &Value) -> bool {
    container.str_at(&["restartPolicy"]) == Some("Always")
}

/// How a container ended: its reason, or the signal or exit code in its place.
fn end_of(terminated: &Value) -> String {
    let number = |field| terminated.int_at(&[field]).unwrap_or(0);
    match (terminated.str_at(&["reason"]).unwrap_or_default(), number("signal")) {
        ("", 0) => format!("ExitCode:{}", number("exitCode")),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}
