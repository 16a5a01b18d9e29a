//! Workloads that are not Kubernetes' own.

use windlass_kube::{Object, Value};
use windlass_model::Health;

use super::{Degraded, Fields, Healthy, Progressing, Suspended, Unknown, conditions, is, say};

const STARTING: &str = "Waiting for initialization";

fn is_observed(object: &Object) -> bool {
    object.has("status") && object.number("metadata.generation") == object.number("status.observedGeneration")
}

pub(super) fn kruise_daemon_set(object: &Object) -> Option<Health> {
    if !is_observed(object) {
        return say(Progressing, STARTING);
    }
    let count = |field: &str| object.number(&format!("status.{field}"));
    let Some(updated) = count("updatedNumberScheduled")
        .filter(|_| !object.is_true("spec.updateStrategy.rollingUpdate.paused"))
    else {
        return say(Suspended, "Daemonset is paused");
    };
    let wanted = count("desiredNumberScheduled").unwrap_or(0.0);
    let partition = object.number("spec.updateStrategy.rollingUpdate.partition").filter(|it| *it != 0.0);
    if let Some(partition) = partition
        && object.generation() > 1
    {
        return if updated > wanted - partition {
            say(Suspended, "Daemonset needs manual intervention")
        } else {
            say(Progressing, STARTING)
        };
    }
    if updated == wanted && count("numberAvailable") == Some(wanted) {
        return say(Healthy, "All Daemonset workloads are ready and updated");
    }
    if updated == wanted && count("numberUnavailable") == Some(wanted) {
        return say(Degraded, "Some pods are not ready or available");
    }
    say(Progressing, STARTING)
}

pub(super) fn kruise_stateful_set(object: &Object) -> Option<Health> {
    if !is_observed(object) {
        return say(Progressing, STARTING);
    }
    let rolling = "spec.updateStrategy.rollingUpdate";
    if object.is_true(&format!("{rolling}.paused")) || !object.has("status.updatedAvailableReplicas") {
        return say(Suspended, "Statefulset is paused");
    }
    let count = |field: &str| object.number(&format!("status.{field}")).unwrap_or(0.0);
    let partition = object.number(&format!("{rolling}.partition"));
    if partition != Some(0.0) && object.generation() > 1 {
        return if count("updatedReplicas") > count("replicas") - partition.unwrap_or(0.0) {
            say(Suspended, "Statefulset needs manual intervention")
        } else {
            say(Progressing, STARTING)
        };
    }
    if object.number("status.updatedAvailableReplicas") == object.number("status.replicas") {
        return say(Healthy, "All Statefulset workloads are ready and updated");
    }
    say(Degraded, "Some replicas are not ready or available")
}

pub(super) fn deployment_config(object: &Object) -> Option<Health> {
    const WAITING: &str = "replication controller is waiting for pods to run";
    if !object.has("status.conditions") || !object.has("status.replicas") {
        return say(Progressing, WAITING);
    }
    let good = |it: &&Value| {
        is(it, "Available", "True")
            || (is(it, "Progressing", "True") && it.text("reason") == "NewReplicationControllerAvailable")
    };
    let n_good = conditions(object).iter().filter(good).count();
    if n_good == 2 || object.number("status.replicas") == Some(0.0) {
        return say(Healthy, "replication controller successfully rolled out");
    }
    if n_good == 1 {
        return say(Progressing, WAITING);
    }
    say(Degraded, "Deployment config is degraded")
}

pub(super) fn spin_app(object: &Object) -> Option<Health> {
    if !object.has("status") {
        return say(Progressing, "Waiting for status to be available");
    }
    let (mut available, mut progress) = (None, None);
    for condition in conditions(object) {
        let message = |otherwise: &str| condition.maybe_text("message").unwrap_or(otherwise).to_owned();
        let (of, status) = (condition.text("type"), condition.text("status"));
        match (of, status) {
            ("Progressing", "False") => {
                let said = condition.text("message").to_lowercase();
                if condition.text("reason") == "ProgressDeadlineExceeded"
                    || said.contains("timeout")
                    || said.contains("failed")
                {
                    return say(Degraded, message("Application deployment has failed"));
                }
            }
            ("Progressing", "True") => progress = Some(message("Application progress status")),
            ("Available", "True") => available = Some(Ok(())),
            ("Available", _) => available = Some(Err(message("Application is not available"))),
            _ => {}
        }
    }
    match available {
        Some(Ok(())) => {}
        Some(Err(message)) => return say(Degraded, message),
        None => return say(Degraded, ""),
    }
    let ready = object.number("status.readyReplicas").unwrap_or(0.0);
    let wanted = object.number("spec.replicas").unwrap_or(1.0);
    if ready < wanted {
        return say(Progressing, format!("Waiting for replicas to be ready ({ready}/{wanted})"));
    }
    if let Some(progress) = progress {
        return say(Progressing, progress);
    }
    say(Healthy, format!("Application is healthy with {ready}/{wanted} replicas ready"))
}

pub(super) fn game_server(object: &Object) -> Option<Health> {
    const WAITING: &str = "Waiting for GameServer to be ready";
    if !object.has("status") {
        return say(Unknown, WAITING);
    }
    let state = |field: &str| object.maybe_text(&format!("status.{field}"));
    let (current, wanted) = (state("currentState"), state("desiredState"));
    if current != wanted {
        let name = |state: Option<&str>| state.unwrap_or("Unknown").to_owned();
        return say(Progressing, format!("State change: {} → {}", name(current), name(wanted)));
    }
    let unready = |it: &&Value| it.text("type") == "KruisePodReady" && it.text("status") != "True";
    if let Some(condition) = object.list("status.podStatus.conditions").iter().find(unready) {
        return say(Degraded, format!("Pod is not ready: {}", condition.text("type")));
    }
    if current == Some("Ready") { say(Healthy, "GameServer is Ready") } else { say(Unknown, WAITING) }
}

pub(super) fn game_server_set(object: &Object) -> Option<Health> {
    const WAITING: &str = "Waiting for GameServerSet initialization";
    if !is_observed(object) {
        return say(Progressing, WAITING);
    }
    let rolling = "spec.updateStrategy.rollingUpdate";
    if object.is_true(&format!("{rolling}.paused")) {
        return say(Suspended, "GameServerSet is paused");
    }
    let count = |field: &str| object.number(&format!("status.{field}")).unwrap_or(0.0);
    let replicas = count("replicas");
    let partition = object.number(&format!("{rolling}.partition")).unwrap_or(0.0);
    if partition != 0.0 && count("updatedReplicas") >= replicas - partition {
        return say(Suspended, format!("Partition={partition}, waiting for manual intervention"));
    }
    if count("updatedReadyReplicas") == replicas {
        return say(Healthy, "All GameServerSet replicas are updated and ready");
    }
    let ready = count("readyReplicas");
    if ready < replicas {
        return say(Progressing, format!("ReadyReplicas {ready}/{replicas}, still progressing"));
    }
    say(Progressing, WAITING)
}

pub(super) fn scaled(object: &Object) -> Option<Health> {
    let is_job = object.kind() == "ScaledJob";
    let (mut healthy, mut degraded, mut suspended, mut message) = (false, false, false, "");
    for condition in conditions(object) {
        let told = match (condition.text("type"), condition.text("status")) {
            ("Ready", "False") => &mut degraded,
            ("Ready", "True") => &mut healthy,
            ("Ready", "Unknown") if is_job => &mut degraded,
            ("Paused", "True") => &mut suspended,
            ("Fallback", "True") if !is_job => &mut degraded,
            _ => continue,
        };
        *told = true;
        message = condition.text("message");
    }
    match (degraded, healthy, suspended) {
        (true, ..) => say(Degraded, message),
        (_, true, false) => say(Healthy, message),
        (_, true, true) => say(Suspended, message),
        _ if is_job => say(Progressing, "Waiting for ScaledJob"),
        _ => say(Progressing, "Creating HorizontalPodAutoscaler Object"),
    }
}

pub(super) fn collector(object: &Object) -> Option<Health> {
    if !object.has("status") {
        return say(Progressing, "Waiting for OpenTelemetry Collector status");
    }
    let Some(told) = object.find("status.scale.statusReplicas") else {
        return if object.text("spec.mode") == "sidecar" {
            say(Healthy, "Collector is running in sidecar mode")
        } else {
            say(Progressing, "Scale status not available")
        };
    };
    let text = crate::health::table::printed(told);
    let Some((ready, total)) = fraction(&text) else {
        return say(Progressing, format!("Unable to parse replica status: {text}"));
    };
    if ready == 0 {
        return if object.text("spec.mode") == "daemonset" && total == 0 {
            say(Healthy, "DaemonSet has no eligible nodes (0/0)")
        } else {
            say(Degraded, "No replicas are ready")
        };
    }
    if ready == total {
        return say(Healthy, "All replicas are ready");
    }
    say(Progressing, "Replicas are starting up")
}

/// The first `n/m` in a text.
fn fraction(text: &str) -> Option<(u64, u64)> {
    let is_digit = |c: char| c.is_ascii_digit();
    text.match_indices('/').find_map(|(at, _)| {
        let before = &text[..at];
        let start = before.rfind(|c| !is_digit(c)).map_or(0, |at| at + 1);
        let after = &text[at + 1..];
        let end = after.find(|c| !is_digit(c)).unwrap_or(after.len());
        Some((before[start..].parse().ok()?, after[..end].parse().ok()?))
    })
}

pub(super) fn spark(object: &Object) -> Option<Health> {
    const WAITING: &str = "Waiting for Executor pods";
    let error = object.text("status.applicationState.errorMessage");
    match object.maybe_text("status.applicationState.state") {
        Some("") => say(Progressing, "SparkApplication was added, enqueuing it for submission"),
        Some("RUNNING") if runs_as_wanted(object) => say(Healthy, "SparkApplication is Running"),
        Some("SUBMITTED") => say(Progressing, "SparkApplication was submitted successfully"),
        Some("COMPLETED") => say(Healthy, "SparkApplication was Completed"),
        Some("FAILED" | "SUBMISSION_FAILED" | "FAILING") => say(Degraded, error),
        Some("PENDING_RERUN") => say(Progressing, "SparkApplication is Pending Rerun"),
        Some("INVALIDATING") => {
            say(windlass_model::HealthStatus::Missing, "SparkApplication is in InvalidatingState")
        }
        Some("SUCCEEDING") => say(
            Progressing,
            "The driver pod has been completed successfully. The executor pods terminate and are cleaned up.\n                                \
             Under this circumstances, we assume the executor pod are completed.",
        ),
        Some("UNKNOWN") => say(
            Progressing,
            "SparkApplication is in UnknownState because either driver pod or one or all executor pods in unknown state  ",
        ),
        _ => say(Progressing, WAITING),
    }
}

/// Whether as many executors run as the spec asks for.
fn runs_as_wanted(object: &Object) -> bool {
    let Some(executors) = object.find("status.executorState") else { return false };
    let running = executors
        .as_object()
        .map_or(0, |states| states.values().filter(|state| state.as_str() == Some("RUNNING")).count());
    #[expect(clippy::cast_precision_loss, reason = "no application has 2^53 executors")]
    let running = running as f64;
    if let Some(wanted) = object.number("spec.executor.instances")
        && wanted == running
    {
        return true;
    }
    if let Some((least, most)) = executor_range(object) {
        return least <= running && running <= most;
    }
    !object.has("spec.dynamicAllocation") && !object.has("spec.executor.instances") && running >= 1.0
}

/// How many executors dynamic allocation may use.
fn executor_range(object: &Object) -> Option<(f64, f64)> {
    if object.is_true("spec.dynamicAllocation.enabled") {
        let bound = |field: &str| object.number(&format!("spec.dynamicAllocation.{field}"));
        return Some((bound("minExecutors").unwrap_or(0.0), bound("maxExecutors").unwrap_or(f64::INFINITY)));
    }
    let settings = object.find("spec.sparkConf")?;
    ["spark.streaming.dynamicAllocation", "spark.dynamicAllocation"].iter().find_map(|prefix| {
        let setting = |name: &str| settings.get(&format!("{prefix}.{name}")).and_then(Value::as_str);
        (setting("enabled") == Some("true")).then(|| {
            let bound = |name: &str| setting(name).and_then(|text| text.trim().parse::<f64>().ok());
            (bound("minExecutors").unwrap_or(0.0), bound("maxExecutors").unwrap_or(f64::INFINITY))
        })
    })
}
