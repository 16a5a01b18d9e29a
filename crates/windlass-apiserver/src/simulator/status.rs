//! Conditions and counts as Kubernetes' controllers write them.

use windlass_kube::{Map, Object, Value, value};

use crate::controllers::change::items;
use crate::time;

/// What a condition says.
pub(super) struct Condition<'a> {
    pub(super) kind: &'a str,
    pub(super) status: bool,
    pub(super) reason: &'a str,
    pub(super) message: &'a str,
}

/// Sets a condition in a list; its transition time moves only with its status.
pub(super) fn set_condition(conditions: &mut Vec<Value>, condition: &Condition<'_>) {
    let status = if condition.status { "True" } else { "False" };
    let mut new = value!({"type": (condition.kind), "status": status});
    for (key, text) in [("reason", condition.reason), ("message", condition.message)] {
        if !text.is_empty() {
            new.set_at(&[key], text);
        }
    }
    let old = conditions.iter().position(|have| have.str_at(&["type"]) == Some(condition.kind));
    let since = old
        .map(|idx| &conditions[idx])
        .filter(|have| have.str_at(&["status"]) == Some(status))
        .and_then(|have| have.get("lastTransitionTime").cloned());
    new.set_at(&["lastTransitionTime"], since.unwrap_or_else(|| time::now().into()));
    match old {
        Some(idx) => conditions[idx] = new,
        None => conditions.push(new),
    }
}

/// The conditions an object has.
pub(super) fn conditions(object: &Object) -> Vec<Value> {
    items(object, &["status", "conditions"]).to_vec()
}

/// Whether a condition is `True`.
pub(super) fn is_true(object: &Object, kind: &str) -> bool {
    items(object, &["status", "conditions"])
        .iter()
        .any(|c| c.str_at(&["type"]) == Some(kind) && c.str_at(&["status"]) == Some("True"))
}

/// Counts as members; zero is left out, as Go leaves it out.
pub(super) fn counts(counts: &[(&str, usize)]) -> Map {
    counts
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| (*name, Value::Int(i64::try_from(*count).unwrap_or(i64::MAX))))
        .collect()
}

/// How many pods one workload gets at most: enough for any demo, and a slip of the finger fills no memory.
pub(super) const MOST_PODS: usize = 5000;

/// A number of replicas under `path`; anything else is `otherwise`.
pub(super) fn replicas(object: &Object, path: &[&str], otherwise: usize) -> usize {
    let number =
        object.at(path).and_then(Value::as_int).unwrap_or_else(|| i64::try_from(otherwise).unwrap_or(0));
    usize::try_from(number).unwrap_or(0)
}
