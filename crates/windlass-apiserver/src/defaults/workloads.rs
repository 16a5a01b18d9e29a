//! Defaults of the kinds that own pods.

use windlass_kube::{Value, value};

use super::pod::template;
use super::{child, default, each, is_unset, made};

pub(super) fn deployment(object: &mut Value) {
    let spec = made(object, "spec");
    default(spec, "replicas", 1_i64);
    default(spec, "revisionHistoryLimit", 10_i64);
    default(spec, "progressDeadlineSeconds", 600_i64);
    let strategy = made(spec, "strategy");
    default(strategy, "type", "RollingUpdate");
    if strategy.str_at(&["type"]) == Some("RollingUpdate") {
        let rolling = made(strategy, "rollingUpdate");
        default(rolling, "maxUnavailable", "25%");
        default(rolling, "maxSurge", "25%");
    }
    template(made(spec, "template"));
}

pub(super) fn replica_set(object: &mut Value) {
    let spec = made(object, "spec");
    default(spec, "replicas", 1_i64);
    template(made(spec, "template"));
}

pub(super) fn replication_controller(object: &mut Value) {
    let labels = object.at(&["spec", "template", "metadata", "labels"]).cloned();
    if let Some(labels) = labels.filter(|labels| labels.as_object().is_some_and(|labels| !labels.is_empty()))
    {
        default(made(object, "spec"), "selector", labels.clone());
        default(made(object, "metadata"), "labels", labels);
    }
    let spec = made(object, "spec");
    default(spec, "replicas", 1_i64);
    if let Some(pod) = child(spec, "template") {
        template(pod);
    }
}

pub(super) fn stateful_set(object: &mut Value) {
    let spec = made(object, "spec");
    default(spec, "podManagementPolicy", "OrderedReady");
    let strategy = made(spec, "updateStrategy");
    if is_unset(strategy.get("type")) {
        strategy.set_at(&["type"], "RollingUpdate");
        made(strategy, "rollingUpdate");
    }
    if strategy.str_at(&["type"]) == Some("RollingUpdate")
        && let Some(rolling) = child(strategy, "rollingUpdate")
    {
        default(rolling, "partition", 0_i64);
    }
    let retention = made(spec, "persistentVolumeClaimRetentionPolicy");
    default(retention, "whenDeleted", "Retain");
    default(retention, "whenScaled", "Retain");
    default(spec, "replicas", 1_i64);
    default(spec, "revisionHistoryLimit", 10_i64);
    each(spec, "volumeClaimTemplates", |claim| {
        super::services::claim(claim);
        // Claims of a template are claims of version v1, whatever was written.
        default(claim, "apiVersion", "v1");
        default(claim, "kind", "PersistentVolumeClaim");
    });
    template(made(spec, "template"));
}

pub(super) fn daemon_set(object: &mut Value) {
    let spec = made(object, "spec");
    default(spec, "revisionHistoryLimit", 10_i64);
    let strategy = made(spec, "updateStrategy");
    default(strategy, "type", "RollingUpdate");
    if strategy.str_at(&["type"]) == Some("RollingUpdate") {
        let rolling = made(strategy, "rollingUpdate");
        default(rolling, "maxUnavailable", 1_i64);
        default(rolling, "maxSurge", 0_i64);
    }
    template(made(spec, "template"));
}

pub(super) fn job(object: &mut Value) {
    let labels = object.at(&["spec", "template", "metadata", "labels"]).cloned();
    if let Some(labels) = labels.filter(|labels| labels.as_object().is_some_and(|labels| !labels.is_empty()))
    {
        default(made(object, "metadata"), "labels", labels);
    }
    let spec = made(object, "spec");
    if is_unset(spec.get("completions")) && is_unset(spec.get("parallelism")) {
        spec.set_at(&["completions"], 1_i64);
    }
    default(spec, "parallelism", 1_i64);
    let limit = if is_unset(spec.get("backoffLimitPerIndex")) { 6 } else { i64::from(i32::MAX) };
    default(spec, "backoffLimit", limit);
    default(spec, "completionMode", "NonIndexed");
    default(spec, "suspend", false);
    default(spec, "manualSelector", false);
    let replacement = if is_unset(spec.get("podFailurePolicy")) { "TerminatingOrFailed" } else { "Failed" };
    default(spec, "podReplacementPolicy", replacement);
    job_spec(spec);
}

pub(super) fn cron_job(object: &mut Value) {
    let spec = made(object, "spec");
    default(spec, "concurrencyPolicy", "Allow");
    default(spec, "suspend", false);
    default(spec, "successfulJobsHistoryLimit", 3_i64);
    default(spec, "failedJobsHistoryLimit", 1_i64);
    job_spec(made(made(spec, "jobTemplate"), "spec"));
}

fn job_spec(spec: &mut Value) {
    if let Some(policy) = child(spec, "podFailurePolicy") {
        each(policy, "rules", |rule| {
            each(rule, "onPodConditions", |condition| default(condition, "status", "True"));
        });
    }
    template(made(spec, "template"));
}

pub(super) fn autoscaler_v1(object: &mut Value) {
    let spec = made(object, "spec");
    default(spec, "minReplicas", 1_i64);
    // Version 2 measures CPU at 80 % when nothing is said; version 1 shows that.
    default(spec, "targetCPUUtilizationPercentage", 80_i64);
}

pub(super) fn autoscaler_v2(object: &mut Value) {
    let spec = made(object, "spec");
    default(spec, "minReplicas", 1_i64);
    if spec.items_at(&["metrics"]).is_empty() {
        spec.set_at(
            &["metrics"],
            value!([{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}]),
        );
    }
    let Some(behavior) = child(spec, "behavior") else { return };
    let up = made(behavior, "scaleUp");
    default(up, "stabilizationWindowSeconds", 0_i64);
    default(up, "selectPolicy", "Max");
    default(
        up,
        "policies",
        value!([{"type": "Pods", "value": 4, "periodSeconds": 15}, {"type": "Percent", "value": 100, "periodSeconds": 15}]),
    );
    let down = made(behavior, "scaleDown");
    default(down, "selectPolicy", "Max");
    default(down, "policies", value!([{"type": "Percent", "value": 100, "periodSeconds": 15}]));
}
