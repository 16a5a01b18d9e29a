//! Kinds that do their work and end.

use windlass_kube::{Object, Value};
use windlass_model::Health;

use super::{degraded, healthy, progressing, suspended, unknown};
use crate::condition::{conditions, items};

pub(super) fn job(object: &Object) -> Health {
    let mut message = "";
    let mut failure = None;
    let (mut is_over, mut is_suspended) = (false, false);
    // The status of Complete and Failed is not looked at: a Job gets them when they are true.
    for condition in conditions(object) {
        match condition.kind {
            "Failed" => failure = Some(condition.message),
            "Complete" => (is_over, message) = (true, condition.message),
            "Suspended" => {
                (is_over, message) = (true, condition.message);
                is_suspended |= condition.is_true();
            }
            _ => {}
        }
    }
    match failure {
        Some(failure) => degraded(failure),
        None if !is_over => progressing(message),
        None if is_suspended => suspended(message),
        None => healthy(message),
    }
}

pub(super) fn cron_job(object: &Object) -> Health {
    if object.at(&["spec", "suspend"]).and_then(Value::as_bool) == Some(true) {
        // Not Suspended, in Argo CD too: a suspended CronJob would make its whole application Suspended.
        return healthy("CronJob is Suspended");
    }
    if object.at(&["status"]).is_none_or(Value::is_null) {
        return progressing("Waiting for CronJob");
    }
    let time = |field| Some(object.str_at(&["status", field])).filter(|time| !time.is_empty());
    let Some(scheduled) = time("lastScheduleTime") else {
        return healthy("CronJob has not been scheduled yet");
    };
    let Some(succeeded) = time("lastSuccessfulTime") else {
        return healthy("The CronJob never completed successfully. It may not be healthy");
    };
    if !items(object, &["status", "active"]).is_empty() {
        return healthy("The job is running. Its last execution may not have been successful");
    }
    // Both are RFC 3339 in UTC, which compare as text.
    if succeeded < scheduled {
        return degraded("CronJob has not completed its last execution successfully");
    }
    healthy("CronJob has completed its last execution successfully")
}

/// A workflow of Argo Workflows, of any version.
pub(super) fn workflow(object: &Object) -> Health {
    let message = object.str_at(&["status", "message"]);
    match object.str_at(&["status", "phase"]) {
        "" | "Pending" | "Running" => progressing(message),
        "Succeeded" => healthy(message),
        "Failed" | "Error" => degraded(message),
        _ => unknown(message),
    }
}
