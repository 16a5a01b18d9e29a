//! Kubernetes Events on the declaring objects, at a bounded rate.

use std::time::Duration;

use tokio::sync::mpsc;
use windlass_cluster::{ClusterClient, Resource};
use windlass_kube::{Object, Str, Value};
use windlass_model::{Time, UnitId};

use crate::metrics::Metrics;

/// Something that people may want to read beside the status.
#[derive(Debug, Clone)]
pub(crate) struct Notice {
    /// About which Unit.
    pub(crate) unit: UnitId,
    /// The uid of its declaring object.
    pub(crate) uid: Str,
    /// Whether something went wrong.
    pub(crate) warning: bool,
    /// A stable CamelCase word.
    pub(crate) reason: &'static str,
    /// A sentence.
    pub(crate) message: String,
    /// When it happened.
    pub(crate) at: Time,
}

/// Notices that wait to be written; more than this are dropped and counted.
const BACKLOG: usize = 256;

/// Hands notices to the writer without ever waiting.
#[derive(Clone)]
pub(crate) struct Recorder {
    notices: mpsc::Sender<Notice>,
    metrics: Metrics,
}

impl Recorder {
    /// Starts a writer of at most `per_second` Events; it ends when all recorders are dropped.
    pub(crate) fn start(client: ClusterClient, per_second: u32, metrics: Metrics) -> Self {
        let (notices, received) = mpsc::channel(BACKLOG);
        tokio::spawn(write_events(client, per_second, received));
        Self { notices, metrics }
    }

    /// Records a notice, or drops and counts it when too many wait.
    pub(crate) fn record(&self, notice: Notice) {
        if self.notices.try_send(notice).is_err() {
            self.metrics.events_dropped.inc();
        }
    }
}

async fn write_events(client: ClusterClient, per_second: u32, mut notices: mpsc::Receiver<Notice>) {
    let events = Resource::new("", "v1", "Event", "events", true);
    let pause = Duration::from_secs(1) / per_second.max(1);
    let mut count: u64 = 0;
    while let Some(notice) = notices.recv().await {
        count += 1;
        let event = event_object(&notice, count);
        if let Err(error) = client.create(&events, &event, "windlass").await {
            tracing::debug!(unit = %notice.unit, %error, "event could not be written");
        }
        tokio::time::sleep(pause).await;
    }
}

fn event_object(notice: &Notice, count: u64) -> Object {
    let object = &notice.unit.0;
    let mut event = Value::object();
    event.set_at(&["apiVersion"], "v1");
    event.set_at(&["kind"], "Event");
    // Unique within this process and, with the time, across restarts.
    let name = format!("{}.{:x}{count:04x}", object.name, notice.at.unix());
    event.set_at(&["metadata", "name"], name);
    event.set_at(&["metadata", "namespace"], object.namespace.clone());
    event.set_at(&["involvedObject", "apiVersion"], format!("{}/v1alpha1", object.group));
    event.set_at(&["involvedObject", "kind"], object.kind.clone());
    event.set_at(&["involvedObject", "namespace"], object.namespace.clone());
    event.set_at(&["involvedObject", "name"], object.name.clone());
    event.set_at(&["involvedObject", "uid"], notice.uid.clone());
    event.set_at(&["reason"], notice.reason);
    /// The API server refuses longer messages.
    const LONGEST_MESSAGE: usize = 1024;
    let message: String = notice.message.chars().take(LONGEST_MESSAGE).collect();
    event.set_at(&["message"], message);
    event.set_at(&["type"], if notice.warning { "Warning" } else { "Normal" });
    event.set_at(&["source", "component"], "windlass");
    event.set_at(&["reportingComponent"], "windlass");
    event.set_at(&["reportingInstance"], "windlass");
    event.set_at(&["firstTimestamp"], notice.at.to_string());
    event.set_at(&["lastTimestamp"], notice.at.to_string());
    event.set_at(&["count"], 1);
    Object::try_new(event).expect("it has apiVersion and kind")
}
