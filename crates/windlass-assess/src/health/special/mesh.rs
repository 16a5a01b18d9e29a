//! Service meshes, proxies and serving: Gloo, Contour, Knative, KServe, Kiali, Proclaim.

use windlass_kube::{Object, Value};
use windlass_model::Health;

use super::{Degraded, Fields, Healthy, Progressing, Suspended, Unknown, conditions, is, say};

pub(super) fn solo(object: &Object) -> Option<Health> {
    let tell = |status: &Value| {
        let state = match status.find("state") {
            Some(Value::String(name)) => name.to_string(),
            Some(Value::Int(number)) => number.to_string(),
            _ => String::new(),
        };
        match state.as_str() {
            "Accepted" | "1" => say(Healthy, "The resource has been validated"),
            "Warning" | "3" | "Rejected" | "2" => say(Degraded, status.text("reason")),
            "Pending" | "0" => say(Suspended, "The resource has not yet been validated"),
            _ => None,
        }
    };
    if let Some(Value::Object(statuses)) = object.find("status.statuses")
        && let Some(told) = statuses.values().find_map(&tell)
    {
        return Some(told);
    }
    if let Some(told) = object.list("status.statuses").iter().find_map(&tell) {
        return Some(told);
    }
    let own = object.find("status").filter(|status| status.has("state"));
    own.and_then(tell).or_else(|| say(Progressing, "Update in progress"))
}

pub(super) fn kiali(object: &Object) -> Option<Health> {
    for condition in conditions(object) {
        let message = condition.text("message");
        if is(condition, "Successful", "True") {
            return say(Healthy, message);
        }
        if is(condition, "Failure", "True") {
            return say(Degraded, message);
        }
        if condition.text("type") == "Running" && condition.text("reason") == "Running" {
            return say(Progressing, message);
        }
    }
    say(Progressing, "Waiting for Kiali")
}

pub(super) fn knative_operator(object: &Object) -> Option<Health> {
    let kind = object.kind();
    if !object.has("status.conditions") {
        return say(Progressing, format!("Waiting for {kind}"));
    }
    let is_serving = kind == "KnativeServing";
    let counted: &[&str] = if is_serving {
        &["Ready", "InstallSucceeded", "DependenciesInstalled", "DeploymentsAvailable"]
    } else {
        &["Ready", "InstallSucceeded"]
    };
    let failing: &[&str] = if is_serving { &["Ready", "DeploymentsAvailable"] } else { &["Ready"] };
    let (mut n_true, mut n_false, mut message) = (0, 0, String::new());
    for (idx, condition) in conditions(object).iter().enumerate() {
        let (of, status) = (condition.text("type"), condition.text("status"));
        message.push_str(&format!("{}: {of} | {status}\n", idx + 1));
        match status {
            "True" if counted.contains(&of) => n_true += 1,
            "False" if failing.contains(&of) => n_false += 1,
            "Unknown" => n_false += 1,
            _ => {}
        }
    }
    match (n_false, n_true) {
        (0, n_true) if n_true == counted.len() => say(Healthy, format!("{kind} is healthy.")),
        (0, _) => say(Degraded, message),
        _ => say(Progressing, message),
    }
}

pub(super) fn knative_service(object: &Object) -> Option<Health> {
    if !object.has("status.conditions") {
        return say(Progressing, "Waiting for status update.");
    }
    let (mut n_true, mut n_false, mut n_unknown, mut message) = (0, 0, 0, String::new());
    for condition in conditions(object) {
        let (of, status) = (condition.text("type"), condition.text("status"));
        match status {
            "True" if matches!(of, "ConfigurationsReady" | "RoutesReady" | "Ready") => n_true += 1,
            "False" | "Unknown" => {
                message.push_str(&format!("{of} is {status}"));
                if !condition.text("reason").is_empty() {
                    message.push_str(&format!(", since {}.", condition.text("reason")));
                }
                if !condition.text("message").is_empty() {
                    message.push_str(&format!(" {}", condition.text("message")));
                }
                message.push('\n');
                n_false += u32::from(status == "False");
                n_unknown += u32::from(status == "Unknown");
            }
            _ => {}
        }
    }
    match (n_true, n_false, n_unknown) {
        (3, 0, 0) => say(Healthy, "Knative Service is healthy."),
        (_, 0, _) => say(Progressing, message),
        _ => say(Degraded, message),
    }
}

pub(super) fn inference_service(object: &Object) -> Option<Health> {
    if !object.has("status") {
        return say(Progressing, "Waiting for InferenceService to report status...");
    }
    let (mut is_progressing, mut is_degraded, mut message) = (false, false, String::new());
    if object.has("status.modelStatus") {
        let transition = object.text("status.modelStatus.transitionStatus");
        if transition != "UpToDate" {
            is_progressing = transition == "InProgress";
            is_degraded = !is_progressing;
            message.push_str(&format!("0: transitionStatus | {transition}"));
        }
    }
    if !object.has("status.conditions") {
        return say(Progressing, "Waiting for InferenceService to report status...");
    }
    let (mut n_unknown, mut n_false) = (0, 0);
    for (idx, condition) in conditions(object).iter().enumerate() {
        let (of, status) = (condition.text("type"), condition.text("status"));
        if is(condition, "Stopped", "True") {
            return say(Suspended, "InferenceService is Stopped");
        }
        n_unknown += u32::from(status == "Unknown");
        n_false += u32::from(status == "False" && of != "Stopped");
        if status != "True" && of != "Stopped" {
            message.push_str(&format!(" | {}: {of} | {status}", idx + 1));
            for field in ["reason", "message"] {
                if !condition.text(field).is_empty() {
                    message.push_str(&format!(" | {}", condition.text(field)));
                }
            }
        }
    }
    if !is_progressing && !is_degraded && n_unknown == 0 && n_false == 0 {
        return say(Healthy, "InferenceService is healthy.");
    }
    say(if is_degraded { Degraded } else { Progressing }, message)
}

pub(super) fn service_instance(object: &Object) -> Option<Health> {
    let nothing = Value::object();
    let last =
        |of: &str| conditions(object).iter().rev().find(|it| it.text("type") == of).unwrap_or(&nothing);
    let (adopted, advertised, found) = (last("Adopted"), last("Advertised"), last("Discoverable"));
    if adopted.text("status") == "False" {
        say(Degraded, adopted.text("message"))
    } else if matches!(advertised.text("reason"), "AdvertiseError" | "UnadvertiseError") {
        say(Degraded, advertised.text("message"))
    } else if found.text("reason") == "DiscoveryError" {
        say(Unknown, found.text("message"))
    } else if found.text("status") == "True" {
        say(Healthy, found.text("message"))
    } else {
        say(Progressing, found.text("message"))
    }
}

pub(super) fn http_proxy(object: &Object) -> Option<Health> {
    let description = object.text("status.description");
    let mut told = Health::new(Progressing, "Waiting for status");
    if !object.has("status") {
        return Some(told);
    }
    if !object.has("status.conditions") {
        if object.has("status.currentStatus") {
            told.message = description.into();
        }
        return Some(told);
    }
    for condition in conditions(object) {
        let observed = condition.number("observedGeneration");
        if object.number("metadata.generation") == observed {
            if is(condition, "Valid", "True") {
                return say(Healthy, description);
            }
            if object.has("spec.includes") && condition.text("status") == "False" {
                told = Health::new(Healthy, "HTTPProxy inclusions cannot be health checked");
            } else if is(condition, "Valid", "False") {
                return say(Degraded, description);
            }
        }
    }
    Some(told)
}

pub(super) fn llm_inference_service(object: &Object) -> Option<Health> {
    if !object.has("status.conditions") {
        return say(Progressing, "Waiting for LLMInferenceService to report status...");
    }
    let all = conditions(object);
    let ready = all.iter().rev().find(|it| it.text("type") == "Ready");
    let observed =
        [object.number("status.observedGeneration"), ready.and_then(|it| it.number("observedGeneration"))];
    if observed.into_iter().any(|observed| super::generation_differs(object, observed)) {
        return say(Progressing, "Waiting for LLMInferenceService reconciliation (generation mismatch)");
    }
    if all.iter().any(|it| it.text("reason") == "Stopped") {
        return say(Suspended, "LLMInferenceService is Stopped");
    }
    if ready.is_some_and(|it| it.text("status") == "True") {
        return say(Healthy, "LLMInferenceService is healthy.");
    }
    let told = all.iter().filter(|it| it.text("type") != "Ready" && it.text("status") != "True").map(|it| {
        let mut text = format!("{}: {}", it.text("type"), it.text("status"));
        for field in ["reason", "message"] {
            if !it.text(field).is_empty() {
                text.push_str(&format!(" | {}", it.text(field)));
            }
        }
        text
    });
    let told = told.collect::<Vec<_>>().join("; ");
    let is_failed = ready.is_some_and(|it| it.text("status") == "False");
    let message = match (told.is_empty(), ready.map(|it| it.text("message"))) {
        (false, _) => told,
        (true, Some(message)) if !message.is_empty() => message.to_owned(),
        _ => "Waiting for LLMInferenceService to report status...".to_owned(),
    };
    say(if is_failed { Degraded } else { Progressing }, message)
}
