//! The Gateway API, and those that report in its way: one status for each parent or ancestor.

use windlass_kube::{Object, Value};
use windlass_model::Health;

use super::{Degraded, Fields, Healthy, Progressing, conditions, generation_differs, is, say};

/// What of one holder of conditions keeps it from being healthy.
fn trouble(conditions: &[Value], what: &str, prefix: &str) -> Option<Health> {
    for of in ["ResolvedRefs", "Accepted"] {
        if let Some(failed) = conditions.iter().find(|it| is(it, of, "False")) {
            let message = failed.maybe_text("message");
            let message = message.map_or_else(|| format!("Failed condition: {of}"), str::to_owned);
            return say(Degraded, format!("{prefix}{message}"));
        }
    }
    let waiting =
        conditions.iter().find(|it| it.text("type") == "Programmed" && it.text("status") != "True")?;
    let message = waiting
        .maybe_text("message")
        .map_or_else(|| format!("{what} is still being programmed"), str::to_owned);
    say(Progressing, format!("{prefix}{message}"))
}

/// Whether a holder of conditions has seen the newest spec.
fn is_observed(object: &Object, holder: &Value) -> bool {
    if !object.has("metadata.generation") {
        return true;
    }
    let conditions = holder.list("conditions");
    !conditions.is_empty()
        && !conditions.iter().any(|it| generation_differs(object, it.number("observedGeneration")))
}

pub(super) fn route(object: &Object) -> Option<Health> {
    let parents = object.list("status.parents");
    let reported = |parent: &&Value| parent.has("conditions") && is_observed(object, parent);
    for parent in parents.iter().filter(reported) {
        let prefix = format!("Parent {}: ", parent.text("parentRef.name"));
        if let Some(trouble) = trouble(parent.list("conditions"), "Route", &prefix) {
            return Some(trouble);
        }
    }
    if parents.iter().filter(reported).any(|parent| !parent.list("conditions").is_empty()) {
        return say(Healthy, format!("{} is healthy", object.kind()));
    }
    say(Progressing, format!("Waiting for {} status", object.kind()))
}

pub(super) fn tls_route(object: &Object) -> Option<Health> {
    let (mut is_healthy, mut progress, mut waiting) = (false, None, None);
    for parent in object.list("status.parents") {
        let all = parent.list("conditions");
        if all.is_empty() || !is_observed(object, parent) {
            continue;
        }
        let name = parent.text("parentRef.name");
        let find = |of: &str| all.iter().find(|it| it.text("type") == of);
        for of in ["ResolvedRefs", "Accepted"] {
            if let Some(failed) = find(of).filter(|it| it.text("status") == "False") {
                let message = Some(failed.text("message")).filter(|text| !text.is_empty());
                let message = message.map_or_else(|| format!("Failed condition: {of}"), str::to_owned);
                return say(Degraded, format!("Parent {name}: {message}"));
            }
        }
        let holds = |of: &str| find(of).is_some_and(|it| it.text("status") == "True");
        if let Some(programmed) = find("Programmed").filter(|it| it.text("status") != "True") {
            let message = programmed.maybe_text("message").unwrap_or("Route is still being programmed");
            progress.get_or_insert_with(|| format!("Parent {name}: {message}"));
        } else if holds("Accepted") && holds("ResolvedRefs") {
            is_healthy = true;
        } else {
            waiting.get_or_insert_with(|| format!("Parent {name}: Waiting for TLSRoute conditions"));
        }
    }
    match (progress, is_healthy, waiting) {
        (Some(progress), ..) => say(Progressing, progress),
        (None, true, _) => say(Healthy, "TLSRoute is healthy"),
        (None, false, Some(waiting)) => say(Progressing, waiting),
        _ => say(Progressing, "Waiting for TLSRoute status"),
    }
}

pub(super) fn gateway(object: &Object) -> Option<Health> {
    if let Some(trouble) = trouble(conditions(object), "Gateway", "") {
        return Some(trouble);
    }
    let listeners = object.list("status.listeners");
    for listener in listeners {
        if let Some(trouble) = trouble(listener.list("conditions"), "Listener", "Listener: ") {
            return Some(trouble);
        }
    }
    if object.has("status.conditions") || !listeners.is_empty() {
        return say(Healthy, "Gateway is healthy");
    }
    say(Progressing, "Waiting for Gateway status")
}

pub(super) fn listener_set(object: &Object) -> Option<Health> {
    const WAITING: &str = "Waiting for ListenerSet status";
    let all = conditions(object);
    if all.iter().any(|it| generation_differs(object, it.number("observedGeneration"))) {
        return say(Progressing, WAITING);
    }
    let mut progress = None;
    for condition in all {
        let message =
            |otherwise: &'static str| condition.maybe_text("message").unwrap_or(otherwise).to_owned();
        if is(condition, "Accepted", "False") {
            return say(Degraded, message(""));
        }
        if condition.text("type") == "Programmed" && condition.text("status") != "True" {
            progress = Some(message("ListenerSet is still being programmed"));
        }
    }
    if let Some(progress) = progress {
        return say(Progressing, progress);
    }
    for listener in object.list("status.listeners") {
        let mut progress = None;
        for condition in listener.list("conditions") {
            let message = |otherwise: &'static str| {
                format!("Listener: {}", condition.maybe_text("message").unwrap_or(otherwise))
            };
            if is(condition, "ResolvedRefs", "False") || is(condition, "Accepted", "False") {
                return say(Degraded, message(""));
            }
            if is(condition, "Conflicted", "True") {
                return say(Degraded, message("Listener is conflicted"));
            }
            if condition.text("type") == "Programmed" && condition.text("status") != "True" {
                progress = Some(message("Listener is still being programmed"));
            }
        }
        if let Some(progress) = progress {
            return say(Progressing, progress);
        }
    }
    if object.list("status.listeners").is_empty() {
        return say(Progressing, WAITING);
    }
    say(Healthy, "ListenerSet is healthy")
}

pub(super) fn envoy_policy(object: &Object) -> Option<Health> {
    let ancestors = object.list("status.ancestors");
    let reported = |ancestor: &&Value| ancestor.has("conditions") && is_observed(object, ancestor);
    for ancestor in ancestors.iter().filter(reported) {
        if let Some(refused) = ancestor.list("conditions").iter().find(|it| is(it, "Accepted", "False")) {
            return say(Degraded, refused.text("message"));
        }
    }
    if ancestors.iter().filter(reported).any(|ancestor| !ancestor.list("conditions").is_empty()) {
        return say(Healthy, format!("{} is healthy", object.kind()));
    }
    say(Progressing, format!("Waiting for {} status", object.kind()))
}

pub(super) fn backend_tls_policy(object: &Object) -> Option<Health> {
    ancestors(object, false)
}

pub(super) fn airlock(object: &Object) -> Option<Health> {
    if !object.kind().ends_with("Policy") {
        return say(Healthy, format!("{} is healthy", object.kind()));
    }
    ancestors(object, true)
}

/// Policies that are attached to something. `strictly`, every ancestor must have accepted the newest spec.
fn ancestors(object: &Object, strictly: bool) -> Option<Health> {
    let kind = object.kind();
    let ancestors = object.list("status.ancestors");
    let name = |ancestor: &Value| ancestor.text("ancestorRef.name").to_owned();
    for ancestor in ancestors {
        let late = |it: &Value| {
            let observed = it.number("observedGeneration");
            object.has("metadata.generation")
                && (generation_differs(object, observed) || (strictly && observed.is_none()))
        };
        if ancestor.list("conditions").iter().any(late) {
            return say(
                Progressing,
                format!("Waiting for Ancestor {} to update {kind} status", name(ancestor)),
            );
        }
    }
    let mut is_healthy = false;
    for ancestor in ancestors {
        let mut accepted = false;
        for condition in ancestor.list("conditions") {
            let of = condition.text("type");
            if matches!(of, "Accepted" | "ResolvedRefs") && condition.text("status") != "True" {
                return say(Degraded, format!("Ancestor {}: {}", name(ancestor), condition.text("message")));
            }
            accepted |= of == "Accepted";
        }
        is_healthy |= accepted;
        if strictly && !accepted {
            return say(Degraded, format!("Ancestor {}: {kind} is not accepted", name(ancestor)));
        }
    }
    if is_healthy {
        return say(Healthy, format!("{kind} is healthy"));
    }
    say(Progressing, format!("Waiting for {kind} status"))
}
