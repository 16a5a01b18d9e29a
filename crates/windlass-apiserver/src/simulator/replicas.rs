//! ReplicaSets and ReplicationControllers: as many pods as asked for.

use std::time::{Duration, SystemTime};

use futures_util::future::try_join_all;
use windlass_kube::{Object, Value};

use super::Simulator;
use super::status::{MOST_PODS, counts, is_true, replicas};
use super::template::PodName;
use crate::controllers::change::{items, set_status};
use crate::resource::Gvr;
use crate::status::Status;
use crate::store::Key;
use crate::time;

/// How many pods are made or deleted at once, so that their writes share commits.
const BATCH: usize = 32;

/// Whether a pod counts as a replica.
pub(super) fn is_active(pod: &Object) -> bool {
    !pod.is_terminating() && !matches!(pod.str_at(&["status", "phase"]), "Succeeded" | "Failed")
}

/// How long until a pod has been ready for `seconds`; zero when it has, `None` while it is not ready.
pub(super) fn available_in(pod: &Object, seconds: u64) -> Option<Duration> {
    if !is_true(pod, "Ready") {
        return None;
    }
    if seconds == 0 {
        return Some(Duration::ZERO);
    }
    let ready =
        items(pod, &["status", "conditions"]).iter().find(|c| c.str_at(&["type"]) == Some("Ready"))?;
    let since = time::parse(ready.str_at(&["lastTransitionTime"])?)?;
    let age = SystemTime::now().duration_since(since).unwrap_or_default();
    Some(Duration::from_secs(seconds).saturating_sub(age))
}

/// How many pods are ready and available, and when the next becomes available.
pub(super) struct Readiness {
    pub(super) ready: usize,
    pub(super) available: usize,
    pub(super) again: Option<Duration>,
}

pub(super) fn readiness<'a>(pods: impl Iterator<Item = &'a Object>, seconds: u64) -> Readiness {
    let mut readiness = Readiness { ready: 0, available: 0, again: None };
    for pod in pods {
        let Some(wait) = available_in(pod, seconds) else { continue };
        readiness.ready += 1;
        if wait.is_zero() {
            readiness.available += 1;
        } else {
            readiness.again = Some(readiness.again.map_or(wait, |again: Duration| again.min(wait)));
        }
    }
    readiness
}

impl Simulator {
    pub(super) async fn replica_set(&self, key: &Key) -> Result<Option<Duration>, Status> {
        self.scale(&Gvr::new("apps", "v1", "replicasets"), key).await
    }

    pub(super) async fn replication_controller(&self, key: &Key) -> Result<Option<Duration>, Status> {
        self.scale(&Gvr::new("", "v1", "replicationcontrollers"), key).await
    }

    async fn scale(&self, gvr: &Gvr, key: &Key) -> Result<Option<Duration>, Status> {
        let Some(owner) = self.read(gvr, key) else { return Ok(None) };
        let mut pods: Vec<Object> = self.children(&owner, "/pods").into_iter().filter(is_active).collect();
        let wanted = replicas(&owner, &["spec", "replicas"], 1).min(MOST_PODS);
        let Some(template) = owner.at(&["spec", "template"]).cloned() else { return Ok(None) };
        if !owner.is_terminating() {
            if pods.len() < wanted {
                let prefix = format!("{}-", owner.name());
                let missing = wanted - pods.len();
                for batch in (0..missing).collect::<Vec<_>>().chunks(BATCH) {
                    let make = batch
                        .iter()
                        .map(|_| self.make_pod(&owner, &template, PodName::Generated(&prefix), |_| {}));
                    try_join_all(make).await?;
                }
                pods = self.children(&owner, "/pods").into_iter().filter(is_active).collect();
            } else if pods.len() > wanted {
                // Those that are not ready go first, then the youngest.
                pods.sort_by(|a, b| {
                    let age = |pod: &Object| pod.str_at(&["metadata", "creationTimestamp"]).to_owned();
                    is_true(b, "Ready").cmp(&is_true(a, "Ready")).then_with(|| age(a).cmp(&age(b)))
                });
                let excess = pods.split_off(wanted);
                let gvr = Gvr::new("", "v1", "pods");
                for batch in excess.chunks(BATCH) {
                    try_join_all(batch.iter().map(|pod| self.delete(&gvr, pod))).await?;
                }
            }
        }
        let minimum = u64::try_from(replicas(&owner, &["spec", "minReadySeconds"], 0)).unwrap_or(0);
        let readiness = readiness(pods.iter(), minimum);
        let mut status = counts(&[
            ("fullyLabeledReplicas", pods.len()),
            ("readyReplicas", readiness.ready),
            ("availableReplicas", readiness.available),
        ]);
        status.insert("replicas", Value::Int(i64::try_from(pods.len()).unwrap_or(i64::MAX)));
        status.insert("observedGeneration", owner.generation());
        if owner.kind() == "ReplicaSet" {
            status.insert("terminatingReplicas", 0_i64);
        }
        set_status(&self.api, gvr, &owner, &status.into()).await?;
        Ok(readiness.again)
    }
}
