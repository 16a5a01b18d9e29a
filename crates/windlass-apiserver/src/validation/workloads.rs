//! Kinds that own pods, and those that watch over them.

use windlass_kube::{Value, validation};

use super::errors::{Errors, NOT_NEGATIVE, has, text};
use super::{pods, selectors, storage};

fn spec(object: &Value) -> Value {
    object.get("spec").cloned().unwrap_or_else(Value::object)
}

/// The template of something whose pods run for ever.
fn lasting_template(spec: &Value, owner: &str, errors: &mut Errors) {
    pods::template(spec, "spec.template", errors);
    let policy = spec.str_at(&["template", "spec", "restartPolicy"]).unwrap_or_default();
    if policy != "Always" && matches!(policy, "OnFailure" | "Never") {
        errors.not_supported("spec.template.spec.restartPolicy", policy, &["Always"]);
    }
    if has(spec.at(&["template", "spec"]).unwrap_or(&Value::Null), "activeDeadlineSeconds") {
        let detail = format!("activeDeadlineSeconds in {owner} is not Supported");
        errors.forbidden("spec.template.spec.activeDeadlineSeconds", &detail);
    }
}

pub(super) fn deployment(object: &Value, errors: &mut Errors) {
    let spec = spec(object);
    errors.not_negative(&spec, "replicas", "spec");
    selectors::of_workload(
        &spec,
        "spec.template",
        "spec",
        Some("empty selector is invalid for deployment"),
        errors,
    );
    lasting_template(&spec, "ReplicaSet", errors);
    strategy(&spec, errors);
    errors.not_negative(&spec, "minReadySeconds", "spec");
    errors.not_negative(&spec, "revisionHistoryLimit", "spec");
    if let Some(deadline) = spec.int_at(&["progressDeadlineSeconds"]) {
        errors.not_negative(&spec, "progressDeadlineSeconds", "spec");
        if deadline <= spec.int_at(&["minReadySeconds"]).unwrap_or(0) {
            errors.invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds");
        }
    }
}

fn strategy(spec: &Value, errors: &mut Errors) {
    let Some(strategy) = spec.get("strategy") else { return };
    match text(strategy, "type") {
        "Recreate" if has(strategy, "rollingUpdate") => {
            let detail = "may not be specified when strategy `type` is 'Recreate'";
            errors.forbidden("spec.strategy.rollingUpdate", detail);
        }
        "Recreate" => {}
        "RollingUpdate" => {
            let path = "spec.strategy.rollingUpdate";
            let rolling = strategy.get("rollingUpdate").cloned().unwrap_or_default();
            for (key, limited) in [("maxUnavailable", true), ("maxSurge", false)] {
                share(rolling.get(key), &format!("{path}.{key}"), limited, errors);
            }
            let zero = |key: &str| matches!(rolling.get(key), Some(Value::Int(0)));
            let zero = |key: &str| zero(key) || text(&rolling, key) == "0%";
            if zero("maxUnavailable") && zero("maxSurge") {
                let value = rolling.get("maxUnavailable").cloned().unwrap_or_default();
                errors.invalid(&format!("{path}.maxUnavailable"), value, "may not be 0 when `maxSurge` is 0");
            }
        }
        other => {
            let shown = format!("{{\"Type\":{other:?},\"RollingUpdate\":null}}");
            errors.not_supported_shown("spec.strategy", &shown, &["Recreate", "RollingUpdate"]);
        }
    }
}

/// A number or a share; `limited` to all of it.
fn share(value: Option<&Value>, path: &str, limited: bool, errors: &mut Errors) {
    match value {
        Some(Value::Int(number)) if *number < 0 => errors.invalid(path, *number, NOT_NEGATIVE),
        Some(Value::String(share)) => {
            let digits = share.strip_suffix('%').filter(|digits| !digits.is_empty());
            match digits.and_then(|digits| digits.parse::<u64>().ok()) {
                None => errors.invalid(
                    path,
                    share.clone(),
                    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or \
                     '93%', regex used for validation is '[0-9]+%')",
                ),
                Some(percent) if limited && percent > 100 => {
                    errors.invalid(path, share.clone(), "must not be greater than 100%");
                }
                Some(_) => {}
            }
        }
        _ => {}
    }
}

pub(super) fn replica_set(object: &Value, errors: &mut Errors) {
    let spec = spec(object);
    errors.not_negative(&spec, "replicas", "spec");
    errors.not_negative(&spec, "minReadySeconds", "spec");
    selectors::of_workload(
        &spec,
        "spec.template",
        "spec",
        Some("empty selector is invalid for replicaset"),
        errors,
    );
    lasting_template(&spec, "ReplicaSet", errors);
}

pub(super) fn replication_controller(object: &Value, errors: &mut Errors) {
    let spec = spec(object);
    errors.not_negative(&spec, "replicas", "spec");
    errors.not_negative(&spec, "minReadySeconds", "spec");
    if spec.get("selector").and_then(Value::as_object).is_none_or(windlass_kube::Map::is_empty) {
        errors.required("spec.selector", "");
    }
    if !has(&spec, "template") {
        errors.required("spec.template", "");
        return;
    }
    lasting_template(&spec, "ReplicationController", errors);
}

pub(super) fn stateful_set(object: &Value, errors: &mut Errors) {
    let spec = spec(object);
    let policy = text(&spec, "podManagementPolicy");
    if !matches!(policy, "OrderedReady" | "Parallel") {
        errors.invalid("spec.podManagementPolicy", policy, "must be 'OrderedReady' or 'Parallel'");
    }
    let strategy = spec.at(&["updateStrategy", "type"]).and_then(Value::as_str).unwrap_or_default();
    if !matches!(strategy, "RollingUpdate" | "OnDelete") {
        let shown = format!("{{\"Type\":{strategy:?},\"RollingUpdate\":null}}");
        errors.invalid_shown("spec.updateStrategy", &shown, "must be 'RollingUpdate' or 'OnDelete'");
    }
    if let Some(rolling) = spec.at(&["updateStrategy", "rollingUpdate"]).filter(|_| strategy == "OnDelete") {
        let number = |key: &str| rolling.get(key).map_or("null".to_owned(), |number| format!("{number:?}"));
        let partition = rolling.int_at(&["partition"]).unwrap_or(0);
        let shown = format!("{{\"Partition\":{partition},\"MaxUnavailable\":{}}}", number("maxUnavailable"));
        let field = "spec.updateStrategy.rollingUpdate";
        errors.invalid_shown(field, &shown, "only allowed for updateStrategy 'RollingUpdate'");
    }
    errors.not_negative(&spec, "replicas", "spec");
    errors.not_negative(&spec, "minReadySeconds", "spec");
    selectors::of_workload(
        &spec,
        "spec.template",
        "spec",
        Some("empty selector is invalid for statefulset"),
        errors,
    );
    // Volumes of claims are mounted by the names of their templates.
    let mut with_claims = spec.clone();
    let mut volumes = spec.items_at(&["template", "spec", "volumes"]).to_vec();
    for claim in spec.items_at(&["volumeClaimTemplates"]) {
        let name = claim.str_at(&["metadata", "name"]).unwrap_or_default();
        volumes.retain(|volume| text(volume, "name") != name);
        volumes
            .push(windlass_kube::value!({"name": name, "persistentVolumeClaim": {"claimName": "template"}}));
    }
    if !volumes.is_empty() {
        with_claims.set_at(&["template", "spec", "volumes"], volumes);
    }
    lasting_template(&with_claims, "StatefulSet", errors);
    for (claim, idx) in spec.items_at(&["volumeClaimTemplates"]).iter().zip(0..) {
        storage::claim(claim, &format!("spec.volumeClaimTemplates[{idx}]"), errors);
    }
}

pub(super) fn daemon_set(object: &Value, errors: &mut Errors) {
    let spec = spec(object);
    selectors::of_workload(
        &spec,
        "spec.template",
        "spec",
        Some("empty selector is invalid for daemonset"),
        errors,
    );
    lasting_template(&spec, "DaemonSet", errors);
    errors.not_negative(&spec, "minReadySeconds", "spec");
    errors.not_negative(&spec, "revisionHistoryLimit", "spec");
    let strategy = spec.at(&["updateStrategy", "type"]).and_then(Value::as_str).unwrap_or_default();
    if !matches!(strategy, "RollingUpdate" | "OnDelete") {
        let shown = format!("{{\"Type\":{strategy:?},\"RollingUpdate\":null}}");
        errors.not_supported_shown("spec.updateStrategy", &shown, &["RollingUpdate", "OnDelete"]);
    }
}

fn job_spec(spec: &Value, path: &str, errors: &mut Errors) {
    for key in
        ["parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished"]
    {
        errors.not_negative(spec, key, path);
    }
    pods::template(spec, &format!("{path}.template"), errors);
    let policy = spec.str_at(&["template", "spec", "restartPolicy"]).unwrap_or_default();
    let field = format!("{path}.template.spec.restartPolicy");
    if policy == "Always" || policy.is_empty() {
        errors.required(&field, "valid values: \"OnFailure\", \"Never\"");
    }
}

pub(super) fn job(object: &Value, errors: &mut Errors) {
    let spec = spec(object);
    let manual = spec.bool_at(&["manualSelector"]) == Some(true);
    let uid = object.str_at(&["metadata", "uid"]).unwrap_or_default();
    if let Some(selector) = spec.get("selector").filter(|_| !manual) {
        let key = "batch.kubernetes.io/controller-uid";
        let legacy = selector.str_at(&["matchLabels", "controller-uid"]) == Some(uid);
        let generated = selector.str_at(&["matchLabels", key]) == Some(uid) || legacy;
        let labels =
            selector.get("matchLabels").and_then(Value::as_object).map_or(0, windlass_kube::Map::len);
        if !generated || labels != 1 {
            errors.invalid_shown(
                "spec.selector",
                &selectors::shown(selector),
                "`selector` not auto-generated",
            );
        }
    }
    selectors::of_workload(&spec, "spec.template", "spec", None, errors);
    job_spec(&spec, "spec", errors);
}

pub(super) fn cron_job(object: &Value, errors: &mut Errors) {
    // The name of a job adds eleven characters to it.
    let name = object.str_at(&["metadata", "name"]).unwrap_or_default();
    if name.len() > 52 {
        errors.invalid("metadata.name", name, "must be no more than 52 characters");
    }
    let spec = spec(object);
    let schedule = text(&spec, "schedule");
    if schedule.is_empty() {
        errors.required("spec.schedule", "");
    } else if !schedule.starts_with('@') {
        let fields: Vec<&str> = schedule.split_whitespace().collect();
        if fields.len() != 5 && !schedule.contains("TZ=") {
            let detail = format!("expected exactly 5 fields, found {}: [{}]", fields.len(), fields.join(" "));
            errors.invalid("spec.schedule", schedule, &detail);
        }
    }
    if let Some(zone) = spec.str_at(&["timeZone"]) {
        if zone.is_empty() {
            errors.invalid("spec.timeZone", zone, "timeZone must be nil or non-empty string");
        } else if jiff::tz::TimeZone::get(zone).is_err() {
            errors.invalid("spec.timeZone", zone, &format!("unknown time zone {zone}"));
        }
    }
    errors.one_of(
        "spec.concurrencyPolicy",
        text(&spec, "concurrencyPolicy"),
        &["Allow", "Forbid", "Replace"],
    );
    for key in ["startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"] {
        errors.not_negative(&spec, key, "spec");
    }
    let empty = Value::object();
    job_spec(spec.at(&["jobTemplate", "spec"]).unwrap_or(&empty), "spec.jobTemplate.spec", errors);
}

pub(super) fn autoscaler(object: &Value, errors: &mut Errors) {
    let spec = spec(object);
    let (minimum, maximum) = (spec.int_at(&["minReplicas"]), spec.int_at(&["maxReplicas"]).unwrap_or(0));
    if let Some(minimum) = minimum.filter(|minimum| *minimum < 1) {
        errors.invalid("spec.minReplicas", minimum, "must be greater than or equal to 1");
    }
    if maximum < 1 {
        errors.required("spec.maxReplicas", "must be set and greater than 0");
    }
    if minimum.is_some_and(|minimum| maximum < minimum) {
        errors.invalid("spec.maxReplicas", maximum, "must be greater than or equal to `minReplicas`");
    }
    let empty = Value::object();
    let target = spec.get("scaleTargetRef").unwrap_or(&empty);
    for key in ["kind", "name"] {
        let field = format!("spec.scaleTargetRef.{key}");
        if text(target, key).is_empty() {
            errors.required(&field, "");
        } else {
            errors.invalid_each(&field, text(target, key), validation::path_segment_name(text(target, key)));
        }
    }
    if text(target, "apiVersion").is_empty() {
        errors.invalid("spec.scaleTargetRef.apiVersion", "", "apiVersion must specify API group");
    }
}

pub(super) fn disruption_budget(object: &Value, errors: &mut Errors) {
    let spec = spec(object);
    let bound = |key: &str| spec.get(key).filter(|bound| !bound.is_null());
    if let (Some(minimum), Some(maximum)) = (bound("minAvailable"), bound("maxUnavailable")) {
        let selector = spec.get("selector").map_or("null".to_owned(), selectors::shown);
        let shown = format!(
            "{{\"MinAvailable\":{minimum:?},\"Selector\":{selector},\"MaxUnavailable\":{maximum:?},\"UnhealthyPodEvictionPolicy\":null}}"
        );
        errors.invalid_shown("spec", &shown, "minAvailable and maxUnavailable cannot be both set");
    }
    for key in ["minAvailable", "maxUnavailable"] {
        share(bound(key), &format!("spec.{key}"), true, errors);
    }
    if let Some(selector) = spec.get("selector") {
        selectors::check(selector, "spec.selector", errors);
    }
}
