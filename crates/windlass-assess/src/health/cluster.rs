//! Storage, and kinds that extend the API.

use windlass_kube::Object;
use windlass_model::Health;

use super::{degraded, healthy, progressing, unknown};
use crate::condition::{condition, conditions, items};

pub(super) fn persistent_volume_claim(object: &Object) -> Health {
    match object.str_at(&["status", "phase"]) {
        "Lost" => degraded(""),
        "Pending" => progressing(""),
        "Bound" => healthy(""),
        _ => unknown(""),
    }
}

pub(super) fn api_service(object: &Object) -> Health {
    let Some(available) = condition(object, "Available") else {
        return progressing("Waiting to be processed");
    };
    let message = format!("{}: {}", available.reason, available.message);
    if available.is_true() { healthy(message) } else { progressing(message) }
}

pub(super) fn custom_resource_definition(object: &Object) -> Health {
    if object.is_terminating() {
        return progressing("CRD is terminating");
    }
    if items(object, &["status", "conditions"]).is_empty() {
        return progressing("Status conditions not found");
    }
    let mut is_established = false;
    for condition in conditions(object) {
        let message = condition.message;
        match (condition.kind, condition.status, condition.reason) {
            ("Terminating", "True", _) => return progressing(format!("CRD is terminating: {message}")),
            ("NamesAccepted", "False", _) => {
                return degraded(format!("CRD names have not been accepted: {message}"));
            }
            ("NonStructuralSchema", "True", _) => {
                return degraded(format!("Schema violations found: {message}"));
            }
            ("Established", "True", _) => is_established = true,
            ("Established", _, "InvalidCABundle") => {
                return degraded(format!("CRD is not established: {message}"));
            }
            ("Established", _, "Installing") => return progressing("CRD is being installed"),
            _ => {}
        }
    }
    if is_established { healthy("CRD is healthy") } else { progressing("CRD is not established") }
}
