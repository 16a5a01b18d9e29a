//! Kinds that steer the number of pods.

use windlass_kube::{Object, Value};
use windlass_model::Health;

use super::{degraded, healthy, progressing, unknown};
use crate::condition::conditions;

/// Where version 1 of the kind keeps the conditions that its status has no field for.
const CONDITIONS_ANNOTATION: &str = "autoscaling.alpha.kubernetes.io/conditions";

/// What a condition of an autoscaler says, wherever it was kept.
struct Scaling {
    kind: String,
    status: String,
    reason: String,
    message: String,
}

pub(super) fn horizontal_pod_autoscaler(object: &Object) -> Health {
    let conditions = if object.api_version() == "autoscaling/v1" {
        match annotated_conditions(object) {
            Ok(conditions) => conditions,
            Err(error) => {
                return unknown(format!("failed to convert conditions annotation to typed: {error}"));
            }
        }
    } else {
        let own = conditions(object).map(|condition| Scaling {
            kind: condition.kind.to_owned(),
            status: condition.status.to_owned(),
            reason: condition.reason.to_owned(),
            message: condition.message.to_owned(),
        });
        own.collect()
    };
    if let Some(failed) = conditions.iter().find(|condition| condition.is_failure()) {
        return degraded(failed.message.as_str());
    }
    let is_fine = |condition: &&Scaling| {
        matches!(condition.kind.as_str(), "AbleToScale" | "ScalingLimited") && condition.status == "True"
    };
    match conditions.iter().find(is_fine) {
        Some(fine) => healthy(fine.message.as_str()),
        None => progressing("Waiting to Autoscale"),
    }
}

impl Scaling {
    fn is_failure(&self) -> bool {
        match self.kind.as_str() {
            "AbleToScale" => matches!(self.reason.as_str(), "FailedGetScale" | "FailedUpdateScale"),
            "ScalingActive" => matches!(
                self.reason.as_str(),
                "FailedGetResourceMetric"
                    | "FailedGetObjectMetric"
                    | "FailedGetPodsMetric"
                    | "FailedGetExternalMetric"
                    | "FailedComputeMetricsReplicas"
                    | "InvalidSelector"
            ),
            _ => false,
        }
    }
}

fn annotated_conditions(object: &Object) -> Result<Vec<Scaling>, serde_json::Error> {
    let Some(text) = object.annotation(CONDITIONS_ANNOTATION) else { return Ok(Vec::new()) };
    let listed: Value = serde_json::from_str(text)?;
    let read = |condition: &Value| {
        // Go matches the names of JSON fields in any case.
        let text = |wanted: &str| {
            let mut members = condition.as_object().into_iter().flat_map(|members| members.iter());
            let found = members.rfind(|(key, _)| key.eq_ignore_ascii_case(wanted));
            found.and_then(|(_, value)| value.as_str()).unwrap_or_default().to_owned()
        };
        Scaling {
            kind: text("type"),
            status: text("status"),
            reason: text("reason"),
            message: text("message"),
        }
    };
    Ok(listed.items_at(&[]).iter().map(read).collect())
}

pub(super) fn pod_disruption_budget(object: &Object) -> Health {
    // A budget that is exhausted does what it is for.
    let is_failure = |status: &str, reason: &str| status == "False" && reason != "InsufficientPods";
    let mut last = None;
    for condition in conditions(object) {
        let message = format!("PodDisruptionBudget has {}", condition.reason);
        if is_failure(condition.status, condition.reason) {
            return degraded(message);
        }
        last = Some(message);
    }
    last.map_or_else(|| progressing("Waiting for status"), healthy)
}
