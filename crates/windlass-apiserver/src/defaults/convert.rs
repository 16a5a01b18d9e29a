//! Kinds that are served at two versions, or in two groups, and stored as one.

use windlass_kube::{Gvk, Map, Value, value};

/// The annotations in which version 1 of an autoscaler keeps what only version 2 has.
const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
const BEHAVIOR: &str = "autoscaling.alpha.kubernetes.io/behavior";

/// Rewrites an object as another version of its kind; where nothing but `apiVersion` differs, only that.
///
/// Known: HorizontalPodAutoscaler v1 and v2, Event of the core group and of `events.k8s.io`. What version 1
/// of an autoscaler has no fields for goes through annotations, by Kubernetes' names but in version 2's form.
pub fn convert(from: &Gvk, to: &Gvk, object: &mut Value) {
    if from == to {
        return;
    }
    match (
        from.kind.as_str(),
        from.group.as_str(),
        from.version.as_str(),
        to.group.as_str(),
        to.version.as_str(),
    ) {
        ("HorizontalPodAutoscaler", _, "v1", _, "v2") => autoscaler_to_v2(object),
        ("HorizontalPodAutoscaler", _, "v2", _, "v1") => autoscaler_to_v1(object),
        ("Event", "", _, "events.k8s.io", _) => rename(object, false),
        ("Event", "events.k8s.io", _, "", _) => rename(object, true),
        _ => {}
    }
    object.set_at(&["apiVersion"], to.api_version());
    object.set_at(&["kind"], to.kind.clone());
    // What one version leaves out, another prints; what was converted is of the right types.
    let _ = super::normalize(to, object);
}

/// Addresses that are there as one and as a list: the one is the first of the list, and wins where they differ, as in
/// Kubernetes' conversion of pods and nodes. Whoever follows pods reads the list; some kubelets write the one.
pub(super) fn pair_addresses(gvk: &Gvk, object: &mut Value) {
    let (of, one, list) = match (gvk.group.as_str(), gvk.kind.as_str()) {
        ("", "Pod") => ("status", "podIP", "podIPs"),
        ("", "Node") => ("spec", "podCIDR", "podCIDRs"),
        _ => return,
    };
    let first_of = |object: &Value| {
        let first = object.items_at(&[of, list]).first()?;
        let text = if of == "status" { first.str_at(&["ip"]) } else { first.as_str() };
        text.map(str::to_owned)
    };
    let (single, first) = (object.str_at(&[of, one]).unwrap_or_default().to_owned(), first_of(object));
    if single.is_empty() {
        if let Some(first) = first {
            object.set_at(&[of, one], first);
        }
    } else if first.as_ref() != Some(&single) {
        let item = if of == "status" { value!({"ip": single}) } else { single.into() };
        object.set_at(&[of, list], vec![item]);
    }
}

/// Fields of a core Event and their names in `events.k8s.io`.
const EVENT_FIELDS: [(&str, &str); 7] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("reportingComponent", "reportingController"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
];

fn rename(object: &mut Value, to_core: bool) {
    let members = object.object_mut();
    for (core, event) in EVENT_FIELDS {
        let (from, to) = if to_core { (event, core) } else { (core, event) };
        if let Some(value) = members.remove(from) {
            members.insert(to, value);
        }
    }
}

fn autoscaler_to_v1(object: &mut Value) {
    let mut others: Vec<Value> = Vec::new();
    if let Some(Value::Array(metrics)) = object.remove_at(&["spec", "metrics"]) {
        for metric in metrics {
            let target = ["resource", "target", "averageUtilization"];
            let is_cpu = metric.str_at(&["resource", "name"]) == Some("cpu");
            match metric.int_at(&target) {
                Some(percent) if is_cpu => {
                    object.set_at(&["spec", "targetCPUUtilizationPercentage"], percent);
                }
                _ => others.push(metric),
            }
        }
    }
    if !others.is_empty() {
        annotate(object, METRICS, &others.into());
    }
    if let Some(behavior) = object.remove_at(&["spec", "behavior"]) {
        annotate(object, BEHAVIOR, &behavior);
    }
    let status = super::made(object, "status").object_mut();
    if let Some(Value::Array(metrics)) = status.remove("currentMetrics") {
        let cpu = metrics.iter().find(|metric| metric.str_at(&["resource", "name"]) == Some("cpu"));
        if let Some(percent) =
            cpu.and_then(|metric| metric.int_at(&["resource", "current", "averageUtilization"]))
        {
            status.insert("currentCPUUtilizationPercentage", percent);
        }
    }
    status.remove("conditions");
}

fn annotate(object: &mut Value, key: &str, value: &Value) {
    object.set_at(&["metadata", "annotations", key], format!("{value:?}"));
}

fn autoscaler_to_v2(object: &mut Value) {
    let mut metrics: Vec<Value> = Vec::new();
    if let Some(percent) =
        object.remove_at(&["spec", "targetCPUUtilizationPercentage"]).and_then(|p| p.as_int())
    {
        metrics.push(value!({
            "type": "Resource",
            "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": percent}}
        }));
    }
    if let Some(Value::Array(others)) = take_annotation(object, METRICS) {
        metrics.extend(others);
    }
    if !metrics.is_empty() {
        object.set_at(&["spec", "metrics"], metrics);
    }
    if let Some(behavior) = take_annotation(object, BEHAVIOR) {
        object.set_at(&["spec", "behavior"], behavior);
    }
    let status = super::made(object, "status").object_mut();
    if let Some(percent) =
        status.remove("currentCPUUtilizationPercentage").and_then(|percent| percent.as_int())
    {
        status.insert(
            "currentMetrics",
            value!([{"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": percent}}}]),
        );
    }
}

fn take_annotation(object: &mut Value, key: &str) -> Option<Value> {
    let annotations = object.as_object_mut()?.get_mut("metadata")?.as_object_mut()?.get_mut("annotations")?;
    let text = annotations.as_object_mut()?.remove(key)?;
    if annotations.as_object().is_some_and(Map::is_empty) {
        object.remove_at(&["metadata", "annotations"]);
    }
    serde_json::from_str(text.as_str()?).ok()
}
