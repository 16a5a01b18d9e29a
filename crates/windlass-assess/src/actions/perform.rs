//! What the built-in actions do.

use windlass_kube::{Object, Str, Value, value};

use super::discover::{has_ended, is_of_old_controller, reconciles, syncs_by_itself};
use super::{ActionError, Change};
use crate::condition::items;
use crate::lua::date;

const RFC3339: &str = "%Y-%m-%dT%TZ";

/// Performs an action; `None` when the kind has none of that name.
pub(super) fn perform(
    object: &Object,
    name: &str,
    parameters: &[(Str, Str)],
    now: i64,
) -> Result<Option<Vec<Change>>, ActionError> {
    let gvk = object.gvk();
    let (group, kind) = (gvk.group.as_str(), gvk.kind.as_str());
    let parameter =
        |name: &str| parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let time = || date(RFC3339, now);
    let mut next = object.clone();
    match (group, kind, name) {
        ("apps", "Deployment" | "StatefulSet" | "DaemonSet", "restart") => {
            let restarted =
                ["spec", "template", "metadata", "annotations", "kubectl.kubernetes.io/restartedAt"];
            set(&mut next, &restarted, time());
        }
        ("apps", "Deployment" | "StatefulSet", "scale") => {
            let replicas = number(parameter("replicas").unwrap_or_default())?;
            next.set_at(&["spec", "replicas"], replicas);
        }
        ("apps", "Deployment", "pause") | ("argoproj.io", "Rollout", "pause") => {
            next.set_at(&["spec", "paused"], true);
        }
        ("apps", "Deployment", "resume") => {
            next.remove_at(&["spec", "paused"]);
        }
        ("batch", "CronJob", "create-job") => return Ok(Some(vec![Change::Create(job_of(object, now))])),
        ("batch", "CronJob" | "Job", "suspend") | ("k8s.mariadb.com", "MariaDB", "suspend") => {
            next.set_at(&["spec", "suspend"], true);
        }
        ("batch", "CronJob" | "Job", "resume") | ("k8s.mariadb.com", "MariaDB", "resume") => {
            lower(&mut next, &["spec", "suspend"]);
        }
        ("batch", "Job", "terminate") => terminate(&mut next, &time()),
        ("argoproj.io", "Rollout", _) => return Ok(rollout(next, name, &time())),
        ("argoproj.io", "AnalysisRun", "terminate") => next.set_at(&["spec", "terminate"], true),
        ("argoproj.io", "Application", "toggle-auto-sync") => {
            let on = syncs_by_itself(object);
            set(&mut next, &["spec", "syncPolicy", "automated", "enabled"], !on);
        }
        ("argoproj.io", "CronWorkflow" | "WorkflowTemplate", "create-workflow") => {
            return Ok(Some(vec![Change::Create(workflow_of(object, now))]));
        }
        ("capsule.clastix.io", "GlobalTenantResource" | "TenantResource" | "Tenant", "cordon") => {
            set(&mut next, &["spec", "cordoned"], true);
        }
        ("capsule.clastix.io", "GlobalTenantResource" | "TenantResource" | "Tenant", "uncordon") => {
            lower(&mut next, &["spec", "cordoned"]);
        }
        ("capsule.clastix.io", "GlobalTenantResource" | "TenantResource", "reconcile") => {
            annotate(&mut next, "reconcile.projectcapsule.dev/requestedAt", time());
        }
        ("core.strimzi.io", "StrimziPodSet", "rolling-update") => {
            annotate(&mut next, "strimzi.io/manual-rolling-update", "true");
        }
        ("external-secrets.io", "ExternalSecret", "refresh")
        | ("external-secrets.io", "PushSecret", "push") => {
            annotate(&mut next, "force-sync", time());
        }
        ("keda.sh", "ScaledJob" | "ScaledObject", "pause") => {
            annotate(&mut next, "autoscaling.keda.sh/paused", "true");
        }
        ("keda.sh", "ScaledJob" | "ScaledObject", "resume") => {
            next.remove_at(&["metadata", "annotations", "autoscaling.keda.sh/paused"]);
            if kind == "ScaledObject" {
                next.remove_at(&["metadata", "annotations", "autoscaling.keda.sh/paused-replicas"]);
            }
        }
        ("keda.sh", "ScaledObject", "paused-replicas") => {
            let Some(text) = parameter("replicas") else {
                return Err(ActionError::Parameter("replicas parameter is required".into()));
            };
            let Some(replicas) = number(text).ok().filter(|replicas| *replicas >= 0) else {
                return Err(ActionError::Parameter(format!("invalid number: {text} (must be >= 0)")));
            };
            annotate(&mut next, "autoscaling.keda.sh/paused-replicas", replicas.to_string());
        }
        ("numaflow.numaproj.io" | "numaplane.numaproj.io", ..) => return Ok(numa(next, name)),
        ("postgresql.cnpg.io", "Cluster", _) => {
            return cnpg(next, name, parameter("instance").unwrap_or("any"), &time());
        }
        ("promoter.argoproj.io", "PullRequest", "merge") => next.set_at(&["spec", "state"], "merged"),
        ("psmdb.percona.com", "PerconaServerMongoDB", "pause" | "unpause") => {
            next.set_at(&["spec", "pause"], name == "pause");
        }
        (group, kind, "reconcile") if reconciles(group, kind) => {
            let text = format!("By Argo CD at: {}", date("%Y-%m-%dT%T", now));
            annotate(&mut next, "reconcile.fluxcd.io/requestedAt", text);
        }
        (group, kind, "suspend" | "resume")
            if reconciles(group, kind)
                || (group == "notification.toolkit.fluxcd.io" && matches!(kind, "Alert" | "Provider")) =>
        {
            if name == "suspend" {
                next.set_at(&["spec", "suspend"], true);
            } else {
                lower(&mut next, &["spec", "suspend"]);
            }
        }
        _ => return Ok(None),
    }
    Ok(Some(vec![Change::Patch(next)]))
}

/// Sets a field; what is null or missing on the way becomes an object.
fn set(object: &mut Object, path: &[&str], value: impl Into<Value>) {
    for length in 1..path.len() {
        if object.at(&path[..length]).is_some_and(Value::is_null) {
            object.set_at(&path[..length], Value::object());
        }
    }
    object.set_at(path, value);
}

fn annotate(object: &mut Object, key: &str, value: impl Into<Value>) {
    set(object, &["metadata", "annotations", key], value);
}

/// Turns a flag off that is on.
fn lower(object: &mut Object, path: &[&str]) {
    if object.at(path).and_then(Value::as_bool) == Some(true) {
        object.set_at(path, false);
    }
}

fn number(text: &str) -> Result<i64, ActionError> {
    text.trim().parse().map_err(|_| ActionError::Parameter(format!("invalid number: {text}")))
}

fn terminate(job: &mut Object, time: &str) {
    // One that no controller has seen has no status yet.
    let is_seen = job.at(&["status"]).is_some_and(|status| !status.is_null());
    if has_ended(job) || !is_seen {
        return;
    }
    let mut conditions = items(job, &["status", "conditions"]).to_vec();
    conditions.push(value!({
        "lastTransitionTime": (time),
        "message": "Job was terminated explicitly through Argo CD",
        "reason": "ManuallyTerminated",
        "status": "True",
        "type": "FailureTarget"
    }));
    set(job, &["status", "conditions"], Value::Array(conditions.into()));
}

fn rollout(mut next: Object, name: &str, time: &str) -> Option<Vec<Change>> {
    let steps = items(&next, &["spec", "strategy", "canary", "steps"]).len();
    let steps = i64::try_from(steps).unwrap_or(i64::MAX);
    let paused = !items(&next, &["status", "pauseConditions"]).is_empty();
    let has_status = next.at(&["status"]).is_some_and(|status| !status.is_null());
    match name {
        "restart" => next.set_at(&["spec", "restartAt"], time),
        "abort" => set(&mut next, &["status", "abort"], true),
        "retry" => {
            next.remove_at(&["status", "abort"]);
        }
        "resume" => {
            if paused {
                next.remove_at(&["status", "pauseConditions"]);
            }
            lower(&mut next, &["spec", "paused"]);
        }
        "promote-full" if !has_status => {}
        "promote-full" if is_of_old_controller(&next) => {
            next.remove_at(&["status", "abort"]);
            if steps > 0 {
                next.set_at(&["status", "currentStepIndex"], steps);
            }
        }
        "promote-full" => next.set_at(&["status", "promoteFull"], true),
        "skip-current-step" => {
            let at = next.at(&["status", "currentStepIndex"]).and_then(Value::as_int);
            if let Some(at) = at.filter(|at| *at < steps) {
                if paused {
                    next.remove_at(&["status", "pauseConditions"]);
                }
                next.set_at(&["status", "currentStepIndex"], at + 1);
            }
        }
        _ => return None,
    }
    Some(vec![Change::Patch(next)])
}

fn numa(mut next: Object, name: &str) -> Option<Vec<Change>> {
    let kind = next.kind().to_owned();
    let lifecycle: &[&str] = match kind.as_str() {
        "MonoVertexRollout" => &["spec", "monoVertex", "spec", "lifecycle", "desiredPhase"],
        "PipelineRollout" => &["spec", "pipeline", "spec", "lifecycle", "desiredPhase"],
        _ => &["spec", "lifecycle", "desiredPhase"],
    };
    let is_plane = kind.ends_with("Rollout");
    let is_flow = matches!(kind.as_str(), "MonoVertex" | "Pipeline" | "InterStepBufferService");
    match name {
        "force-promote" if is_flow => {
            set(&mut next, &["metadata", "labels", "numaplane.numaproj.io/force-promote"], "true");
        }
        "delete" if kind == "Pipeline" => {
            annotate(&mut next, "numaplane.numaproj.io/marked-for-deletion", "true");
        }
        "allow-data-loss" | "disallow-data-loss" if kind == "PipelineRollout" => {
            let allowed = if name == "allow-data-loss" { "true" } else { "false" };
            annotate(&mut next, "numaplane.numaproj.io/allow-data-loss", allowed);
        }
        "pause" if kind != "InterStepBufferService" => set(&mut next, lifecycle, "Paused"),
        "unpause-fast" | "unpause-gradual" if kind != "InterStepBufferService" => {
            let fast = name == "unpause-fast";
            set(&mut next, lifecycle, "Running");
            if is_plane {
                set(&mut next, &["spec", "strategy", "pauseResume", "fastResume"], fast);
            } else if kind == "Pipeline" {
                annotate(
                    &mut next,
                    "numaflow.numaproj.io/resume-strategy",
                    if fast { "fast" } else { "slow" },
                );
            } else if !fast {
                next.remove_at(&["spec", "replicas"]);
            }
        }
        _ => return None,
    }
    Some(vec![Change::Patch(next)])
}

fn cnpg(
    mut next: Object,
    name: &str,
    instance: &str,
    time: &str,
) -> Result<Option<Vec<Change>>, ActionError> {
    match name {
        "restart" => annotate(&mut next, "kubectl.kubernetes.io/restartedAt", time),
        "reload" => annotate(&mut next, "cnpg.io/reloadedAt", time),
        "suspend" => annotate(&mut next, "cnpg.io/reconciliationLoop", "disabled"),
        "resume" => {
            next.remove_at(&["metadata", "annotations", "cnpg.io/reconciliationLoop"]);
        }
        "hibernate" => annotate(&mut next, "cnpg.io/hibernation", "on"),
        "rehydrate" => annotate(&mut next, "cnpg.io/hibernation", "off"),
        "promote" => {
            let healthy: Vec<String> = items(&next, &["status", "instancesStatus", "healthy"])
                .iter()
                .filter_map(|name| name.as_str().map(str::to_owned))
                .collect();
            let current = next.str_at(&["status", "currentPrimary"]);
            let selected = if instance == "any" {
                match healthy.iter().position(|name| name == current) {
                    Some(at) => healthy.get((at + 1) % healthy.len()),
                    None => healthy.first(),
                }
            } else {
                let wanted = if instance.trim().parse::<f64>().is_ok() {
                    format!("{}-{instance}", next.name())
                } else {
                    instance.to_owned()
                };
                healthy.iter().find(|name| **name == wanted)
            };
            let Some(selected) = selected.cloned() else {
                let message = format!("Could not find a healthy instance matching the criteria: {instance}");
                return Err(ActionError::Parameter(message));
            };
            next.set_at(&["status", "phaseReason"], format!("Switching over to {selected}"));
            next.set_at(&["status", "targetPrimary"], selected);
            next.set_at(&["status", "targetPrimaryTimestamp"], time);
            next.set_at(&["status", "phase"], "Switchover in progress");
        }
        _ => return Ok(None),
    }
    Ok(Some(vec![Change::Patch(next)]))
}

fn owner(object: &Object) -> Value {
    let mut owner = value!({
        "apiVersion": (object.api_version()),
        "kind": (object.kind()),
        "name": (object.name())
    });
    if !object.uid().is_empty() {
        owner.set_at(&["uid"], object.uid());
    }
    owner
}

/// Without what holds nothing: a copy in Lua leaves that out.
fn filled(value: Option<&Value>) -> Option<Value> {
    match value? {
        Value::Object(map) => {
            let members = map.iter().filter_map(|(key, value)| Some((key.clone(), filled(Some(value))?)));
            let members: windlass_kube::Map = members.collect();
            (!members.is_empty()).then_some(Value::Object(members))
        }
        Value::Array(items) => {
            let items: Vec<Value> = items.iter().filter_map(|item| filled(Some(item))).collect();
            (!items.is_empty()).then(|| Value::Array(items.into()))
        }
        Value::Null => None,
        other => Some(other.clone()),
    }
}

fn job_of(object: &Object, now: i64) -> Object {
    let template = |field: &str| filled(object.at(&["spec", "jobTemplate", field]));
    let mut made = value!({"apiVersion": "batch/v1", "kind": "Job"});
    made.set_at(&["metadata"], template("metadata").unwrap_or_else(Value::object));
    made.set_at(&["metadata", "name"], format!("{}-{}", object.name(), date("%y%m%d%H%M", now)));
    made.set_at(&["metadata", "namespace"], object.namespace());
    made.set_at(&["metadata", "annotations", "cronjob.kubernetes.io/instantiate"], "manual");
    let mut owner = owner(object);
    owner.set_at(&["blockOwnerDeletion"], true);
    owner.set_at(&["controller"], true);
    made.set_at(&["metadata", "ownerReferences"], Value::Array(vec![owner].into()));
    made.set_at(&["spec"], template("spec").unwrap_or_else(Value::object));
    Object::try_new(made).expect("it has a kind and a version")
}

fn workflow_of(object: &Object, now: i64) -> Object {
    let mut made = value!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow"});
    made.set_at(&["metadata", "name"], format!("{}-{}", object.name(), date("%Y%m%d%H%M", now)));
    made.set_at(&["metadata", "namespace"], object.namespace());
    made.set_at(&["metadata", "ownerReferences"], Value::Array(vec![owner(object)].into()));
    if object.kind() == "WorkflowTemplate" {
        let label = "workflows.argoproj.io/workflow-template";
        made.set_at(&["metadata", "labels", label], object.name());
        made.set_at(&["spec", "workflowTemplateRef", "name"], object.name());
    } else {
        for field in ["labels", "annotations"] {
            if let Some(copied) = filled(object.at(&["spec", "workflowMetadata", field])) {
                made.set_at(&["metadata", field], copied);
            }
        }
        made.set_at(&["metadata", "labels", "workflows.argoproj.io/cron-workflow"], object.name());
        let instance = "workflows.argoproj.io/controller-instanceid";
        if let Some(id) = object.label(instance) {
            made.set_at(&["metadata", "labels", instance], id);
        }
        let scheduled = "workflows.argoproj.io/scheduled-time";
        made.set_at(&["metadata", "annotations", scheduled], date(RFC3339, now));
        if let Some(finalizers) = filled(object.at(&["spec", "workflowMetadata", "finalizers"])) {
            made.set_at(&["metadata", "finalizers"], finalizers);
        }
        made.set_at(&["spec"], filled(object.at(&["spec", "workflowSpec"])).unwrap_or_else(Value::object));
    }
    Object::try_new(made).expect("it has a kind and a version")
}
