//! Keeps a status small, whatever the size of its Unit.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use windlass_kube::{Map, Str, Value};
use windlass_model::{HealthStatus, Report};

use super::conditions::condition;
use crate::field::Any;
use crate::types::{Condition, ResourceResult, ResourceStatus, RevisionHistory, Status};

/// The most bytes of JSON a status takes: a status of 100 kB is what a watch of 10,000 Units can bear, and etcd
/// refuses an object of 1.5 MB.
pub(super) const LIMIT: usize = 100_000;
/// Room for the condition and the counts that say what was left out.
const MARGIN: usize = 1_000;
/// The most conditions: more are not read, and each may take a kilobyte.
pub(super) const CONDITIONS: usize = 25;
/// The most objects whose reason for being out of sync is told: more are not read.
pub(super) const REASONS: usize = 20;
/// The most objects that an operation's request names.
pub(super) const RESULTS: usize = 100;
/// The most bytes of one message: what is longer is a log, not a message.
const MESSAGE: usize = 1_024;
/// The condition that says that something was left out.
pub(super) const TRUNCATED: &str = "TruncatedStatusWarning";

/// The text, cut to a size that a status can bear.
pub(super) fn shortened(text: &str) -> Str {
    if text.len() <= MESSAGE {
        return text.into();
    }
    let mut end = MESSAGE;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end]).into()
}

/// The status as a value, with lists cut until it fits.
///
/// Room is given first to what there is least of: history and images lose their oldest and last entries only when
/// even those alone are too much; then objects and results are kept in the order of how much they need attention.
pub(super) fn fit(mut status: Status, previous: &[Condition], report: &Report) -> Value {
    let value = status.to_value();
    if size(&value) <= LIMIT {
        return value;
    }
    let resources = std::mem::take(&mut status.resources);
    let result = status.operation_state.as_mut().and_then(|state| state.sync_result.as_mut());
    let results = result.map(|result| std::mem::take(&mut result.resources)).unwrap_or_default();

    let mut room = room_beside(&status);
    while room == 0 && status.history.len() > 1 {
        status.history = status.history[1..].to_vec().into_boxed_slice() as Box<[RevisionHistory]>;
        room = room_beside(&status);
    }
    if room == 0 {
        status.summary.images = Box::default();
        room = room_beside(&status);
    }
    let (n_resources, n_results) = (resources.len(), results.len());
    let kept_resources =
        keep(&resources, room / 3 * 2, |resource| (attention(resource), resource_size(resource)));
    let kept_results = keep(&results, room / 3, |result| (urgency(result), result_size(result)));

    let mut left_out = Vec::new();
    if kept_resources.len() < n_resources {
        left_out.push(format!("{} of {n_resources} objects", n_resources - kept_resources.len()));
        count(&mut status.windlass, &resources);
    }
    if kept_results.len() < n_results {
        left_out.push(format!("{} of {n_results} results", n_results - kept_results.len()));
    }
    if !left_out.is_empty() {
        let message =
            format!("the status is kept under {LIMIT} bytes: {} are left out", left_out.join(" and ")).into();
        let mut conditions = status.conditions.into_vec();
        conditions.push(condition(previous, TRUNCATED, message, report.observed));
        status.conditions = conditions.into();
    }
    status.resources = kept_resources;
    if let Some(result) = status.operation_state.as_mut().and_then(|state| state.sync_result.as_mut()) {
        result.resources = kept_results;
    }
    status.to_value()
}

fn size(value: &Value) -> usize {
    serde_json::to_vec(value).map_or(0, |json| json.len())
}

fn room_beside(status: &Status) -> usize {
    LIMIT.saturating_sub(size(&status.to_value()) + MARGIN)
}

/// The items that need attention most and fit into `room`, in their own order.
fn keep<T: Clone>(items: &[T], room: usize, judge: impl Fn(&T) -> (u8, usize)) -> Box<[T]> {
    let judged: Vec<(u8, usize)> = items.iter().map(judge).collect();
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by_key(|&idx| (Reverse(judged[idx].0), idx));
    let mut left = room;
    let mut kept: Vec<usize> = order
        .into_iter()
        .take_while(|&idx| {
            let fits = judged[idx].1 <= left;
            left = left.saturating_sub(judged[idx].1);
            fits
        })
        .collect();
    kept.sort_unstable();
    kept.into_iter().map(|idx| items[idx].clone()).collect()
}

/// How much an object needs attention: unhealthy before out of sync before the rest.
fn attention(resource: &ResourceStatus) -> u8 {
    let health = resource.health.as_deref().map_or("", |health| health.status.as_str());
    let unhealthy = !health.is_empty() && health != HealthStatus::Healthy.as_str();
    u8::from(unhealthy) * 2 + u8::from(resource.status != "Synced")
}

fn urgency(result: &ResourceResult) -> u8 {
    u8::from(result.status == "SyncFailed")
}

fn resource_size(resource: &ResourceStatus) -> usize {
    // One byte for the comma.
    size(&crate::field::Field::write(resource)) + 1
}

fn result_size(result: &ResourceResult) -> usize {
    size(&crate::field::Field::write(result)) + 1
}

/// Says how many objects there are in which state, since not all are listed.
fn count(own: &mut Any, resources: &[ResourceStatus]) {
    let mut by_sync: BTreeMap<&str, i64> = BTreeMap::new();
    let mut by_health: BTreeMap<&str, i64> = BTreeMap::new();
    let mut by_kind: BTreeMap<String, i64> = BTreeMap::new();
    for resource in resources {
        // All kinds are named: who reads the status after a restart looks for objects of these.
        *by_kind.entry(format!("{}.{}", resource.kind, resource.group)).or_default() += 1;
        *by_sync.entry(&resource.status).or_default() += 1;
        if let Some(health) = resource.health.as_deref() {
            *by_health.entry(&health.status).or_default() += 1;
        }
    }
    let map = |counts: BTreeMap<&str, i64>| Value::from(counts.into_iter().collect::<Map>());
    own.0.set_at(&["objects", "total"], i64::try_from(resources.len()).unwrap_or(i64::MAX));
    let by_kind: Map = by_kind.into_iter().map(|(kind, n_objects)| (kind, Value::from(n_objects))).collect();
    own.0.set_at(&["objects", "kinds"], by_kind);
    own.0.set_at(&["objects", "sync"], map(by_sync));
    own.0.set_at(&["objects", "health"], map(by_health));
}
