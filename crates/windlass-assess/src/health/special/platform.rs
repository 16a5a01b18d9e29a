//! Platforms: Cluster API, KubeVirt, OpenShift, Open Cluster Management, Karmada, GKE.

use windlass_kube::{Object, Value};
use windlass_model::Health;

use super::{
    Degraded, Fields, Healthy, Progressing, Suspended, Unknown, conditions, generation_differs, is, say,
};

pub(super) fn machine_pool(object: &Object) -> Option<Health> {
    let mut told = Health::new(Progressing, "");
    let mut message = String::new();
    if let Some(phase) = object.maybe_text("status.phase") {
        message = format!("MachinePool is {phase}");
        told.status = match phase {
            "Running" | "Scaling" => Healthy,
            "Failed" | "Unknown" => Degraded,
            _ => Progressing,
        };
    }
    let missing: Vec<String> = conditions(object)
        .iter()
        .filter(|it| it.has("type") && it.text("status") == "False")
        .map(|it| match it.maybe_text("reason") {
            Some(reason) => format!("Not {} ({reason})", it.text("type")),
            None => format!("Not {}", it.text("type")),
        })
        .collect();
    if !missing.is_empty() {
        message = format!("{message}: {}", missing.join(", "));
    }
    told.message = message.into();
    Some(told)
}

pub(super) fn aws_control_plane(object: &Object) -> Option<Health> {
    const PROVISIONING: &str = "Provisioning...";
    if !object.has("status") {
        return say(Progressing, PROVISIONING);
    }
    if generation_differs(object, object.number("status.observedGeneration")) {
        return say(Progressing, "Waiting for the control plane spec to be reconciled");
    }
    let failure = object.text("status.failureMessage");
    if !failure.is_empty() {
        return say(Degraded, failure);
    }
    if !object.has("status.conditions") {
        return say(Progressing, PROVISIONING);
    }
    let all = conditions(object);
    if all.iter().any(|it| is(it, "EKSControlPlaneUpdating", "True")) {
        return say(Progressing, "EKS control plane is updating");
    }
    let mut errors = String::new();
    for condition in all {
        if is(condition, "Ready", "True") {
            return say(Healthy, "Control plane is ready");
        }
        if condition.text("status") == "False" && condition.text("severity") == "Error" {
            errors.push_str(&format!("{} ", condition.text("message")));
        }
    }
    if !errors.is_empty() {
        return say(Degraded, errors);
    }
    if object.find("status.ready").and_then(Value::as_bool) == Some(false) {
        return say(Progressing, "Control plane is not ready (.status.ready is false)");
    }
    say(Progressing, "Control plane is not ready")
}

pub(super) fn virtual_machine(object: &Object) -> Option<Health> {
    let created = object.is_true("status.created");
    let stopped = object.find("spec.running").and_then(Value::as_bool) == Some(false)
        || object.text("spec.runStrategy") == "Halted";
    if stopped && !created {
        return say(Healthy, "Stopped as declared");
    }
    let mut told = Health::new(Progressing, "No status available");
    for condition in conditions(object) {
        if is(condition, "Paused", "True") {
            return say(Suspended, "Paused");
        }
        if condition.text("type") == "Ready" {
            if condition.text("status") == "True" {
                told = Health::new(Healthy, "Running");
            } else if created {
                told.message = "Starting".into();
            } else {
                told = Health::new(Suspended, "Stopped");
            }
        }
    }
    if let Some(status) = object.maybe_text("status.printableStatus") {
        told.message = status.into();
    }
    Some(told)
}

pub(super) fn virtual_machine_instance(object: &Object) -> Option<Health> {
    let mut told = Health::new(Progressing, "No status available");
    if let Some(phase) = object.maybe_text("status.phase") {
        told.message = phase.into();
        match phase {
            "Failed" => return say(Degraded, phase),
            "Pending" | "Scheduling" | "Scheduled" => return Some(told),
            "Succeeded" => return say(Suspended, phase),
            "Unknown" => return say(Unknown, phase),
            _ => {}
        }
    }
    for condition in conditions(object) {
        if condition.text("type") == "Ready" {
            told = if condition.text("status") == "True" {
                Health::new(Healthy, "Running")
            } else {
                Health::new(Degraded, condition.text("message"))
            };
        } else if is(condition, "Paused", "True") {
            return say(Suspended, condition.text("message"));
        }
    }
    Some(told)
}

pub(super) fn managed_certificate(object: &Object) -> Option<Health> {
    if object.list("status.domainStatus").iter().any(|it| it.text("status") == "FailedNotVisible") {
        return say(Degraded, "At least one certificate has failed to be provisioned");
    }
    if object.text("status.certificateStatus") == "Active" {
        return say(Healthy, "All certificates are active");
    }
    say(Progressing, "At least one certificate is still being provisioned")
}

pub(super) fn storage_cluster(object: &Object) -> Option<Health> {
    let last = |of: &str| conditions(object).iter().rev().find(|it| is(it, of, "True"));
    let states = [("Degraded", Degraded), ("Progressing", Progressing), ("Available", Healthy)];
    let found = states.iter().find_map(|(of, status)| Some((last(of)?, *status)));
    match found {
        Some((condition, status)) => say(status, condition.text("message")),
        None => say(Unknown, "StorageCluster is in an unknown state."),
    }
}

pub(super) fn subscription(object: &Object) -> Option<Health> {
    if !object.has("status.conditions") {
        return say(Progressing, "An install plan for a subscription is pending installation");
    }
    let all = conditions(object);
    let asks = |it: &&Value| is(it, "InstallPlanPending", "True") && it.text("reason") == "RequiresApproval";
    let is_approval_pending = object.text("spec.installPlanApproval") == "Manual"
        && all.iter().any(|it| asks(&it))
        && object.has("status.installedCSV");
    let (mut n_bad, mut n_pending, mut message) = (0, 0, String::new());
    for (idx, condition) in all.iter().enumerate() {
        let (of, status) = (condition.text("type"), condition.text("status"));
        if is_approval_pending && of == "InstallPlanPending" {
            continue;
        }
        message.push_str(&format!("{}: {of} | {status}\n", idx + 1));
        match of {
            "InstallPlanPending" if status == "True" => n_pending += 1,
            "InstallPlanMissing" if condition.text("reason") != "ReferencedInstallPlanNotFound" => n_bad += 1,
            "CatalogSourcesUnhealthy" | "InstallPlanFailed" | "ResolutionFailed" if status == "True" => {
                n_bad += 1;
            }
            _ => {}
        }
    }
    match object.maybe_text("status.state") {
        None => {
            n_pending += 1;
            message.push_str(".status.state not yet known\n");
        }
        Some(state) => {
            let note = match state {
                "UpgradePending" if is_approval_pending => {
                    " (manual InstallPlan approval pending; treated as healthy)"
                }
                "" | "UpgradeAvailable" | "UpgradePending" => {
                    n_pending += 1;
                    ""
                }
                "UpgradeFailed" => {
                    n_bad += 1;
                    ""
                }
                _ => "",
            };
            message.push_str(&format!(".status.state is '{state}'{note}\n"));
        }
    }
    match (n_bad, n_pending) {
        (0, 0) => say(Healthy, message),
        (0, _) => say(Progressing, message),
        _ => say(Degraded, message),
    }
}

pub(super) fn configuration_policy(object: &Object) -> Option<Health> {
    if !object.has("status.compliant") {
        return say(Progressing, "Waiting for the status to be reported");
    }
    if object.number("status.lastEvaluatedGeneration") != object.number("metadata.generation") {
        return say(Progressing, "Waiting for the status to be updated");
    }
    if !object.has("status.compliancyDetails") {
        return say(Progressing, "Waiting for compliance");
    }
    let details = object.list("status.compliancyDetails").iter();
    let told = details
        .flat_map(|it| it.list("conditions"))
        .filter_map(|it| Some(format!("{} - {}", it.maybe_text("type")?, it.maybe_text("message")?)));
    let message = told.collect::<Vec<_>>().join("; ");
    say(compliance(object), message)
}

fn compliance(object: &Object) -> windlass_model::HealthStatus {
    if object.text("status.compliant") == "Compliant" { Healthy } else { Degraded }
}

pub(super) fn governed_policy(object: &Object) -> Option<Health> {
    if object.is_true("spec.disabled") {
        return say(Healthy, "Policy is disabled");
    }
    if !object.has("status.compliant") {
        let placed = !object.has("status.status") && !object.list("status.placement").is_empty();
        return if placed {
            say(Healthy, "No clusters match this policy")
        } else {
            say(Progressing, "Waiting for the status to be reported")
        };
    }
    let failing = |list: &str, name: &str| {
        let failing = object.list(list).iter().filter(|it| it.text("compliant") != "Compliant");
        failing.map(|it| it.text(name).to_owned()).collect::<Vec<_>>().join(", ")
    };
    let message = if object.has("status.status") {
        match failing("status.status", "clustername") {
            none if none.is_empty() => "All clusters are compliant".to_owned(),
            names => format!("NonCompliant clusters: {names}"),
        }
    } else if object.has("status.details") {
        match failing("status.details", "templateMeta.name") {
            none if none.is_empty() => "All templates are compliant".to_owned(),
            names => format!("NonCompliant templates: {names}"),
        }
    } else {
        String::new()
    };
    say(compliance(object), message)
}

pub(super) fn route(object: &Object) -> Option<Health> {
    const WAITING: &str = "Route is still getting admitted";
    if !object.has("status.ingress") {
        return say(Progressing, WAITING);
    }
    let rules = object.list("status.ingress");
    let count = |status: &str| {
        rules.iter().flat_map(|rule| rule.list("conditions")).filter(|it| is(it, "Admitted", status)).count()
    };
    if count("True") == rules.len() {
        say(Healthy, "Route is healthy")
    } else if count("False") > 0 {
        say(Degraded, "Route is degraded")
    } else {
        say(Progressing, WAITING)
    }
}

pub(super) fn cluster_resource_binding(object: &Object) -> Option<Health> {
    binding(object, true)
}

pub(super) fn resource_binding(object: &Object) -> Option<Health> {
    binding(object, false)
}

fn binding(object: &Object, needs_clusters: bool) -> Option<Health> {
    let clusters = object.find("spec.clusters").map(|value| value.items_at(&[]).len());
    let told = object.list("status.aggregatedStatus");
    let is_short = match clusters {
        None => needs_clusters,
        Some(n) => n == 0 || n != told.len(),
    };
    let reports = object.has("status.aggregatedStatus") && (needs_clusters || !told.is_empty());
    if !object.has("status") || is_short || !reports {
        return say(Progressing, "Current resource status is insufficient");
    }
    let is_bad = |it: &Value| match it.text("health") {
        "Unhealthy" => true,
        "Unknown" => !it.is_true("applied"),
        _ => false,
    };
    if told.iter().any(is_bad) {
        return say(Degraded, "Current resource status is unhealthy");
    }
    say(Healthy, "")
}
