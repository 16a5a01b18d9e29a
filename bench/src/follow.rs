//! Follows Applications by a watch and says when they are what they should be.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::BytesMut;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::client::{Api, Call, Connection};
use crate::workload;

/// What a watch said about one Application.
struct Change {
    name: String,
    state: State,
    at: Instant,
}

/// The parts of an Application that say whether it is done.
#[derive(Debug, Clone, Default, PartialEq)]
struct State {
    sync: String,
    revision: String,
    phase: String,
    health: String,
}

impl State {
    /// Whether everything that Git says at this revision was applied and is healthy.
    fn is_synced_at(&self, revision: &str) -> bool {
        self.sync == "Synced"
            && self.revision == revision
            && self.phase == "Succeeded"
            && self.health == "Healthy"
    }
}

/// Follows the Applications that Windlass acts on.
pub(crate) struct Follower {
    changes: mpsc::UnboundedReceiver<Change>,
    watching: AbortHandle,
    states: HashMap<String, State>,
    /// How many changes the watch brought: writes, the creation included.
    pub(crate) n_changes: usize,
    timeout: Duration,
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

impl Follower {
    /// Starts to follow.
    pub(crate) async fn start(api: &Api, timeout: Duration) -> Result<Self> {
        let path = workload::applications(workload::CONTROL_PLANE);
        let list = api.once(&Call::get(&path)).await?;
        let version = list["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
        let (sender, changes) = mpsc::unbounded_channel();
        let first = Stream::open(api, &version).await?;
        let api = api.clone();
        let watching = tokio::spawn(async move {
            let (mut stream, mut version) = (first, version);
            // A server may end a watch at any time; what came since the last change is still to be had.
            while stream.pass_on(&mut version, &sender).await {
                let Ok(next) = Stream::open(&api, &version).await else { return };
                stream = next;
            }
        });
        Ok(Self { changes, watching: watching.abort_handle(), states: HashMap::new(), n_changes: 0, timeout })
    }

    /// Waits until all of `names` are synced at `revision`; answers when the watch said so of the last.
    pub(crate) async fn synced(
        &mut self,
        names: impl IntoIterator<Item = String>,
        revision: &str,
    ) -> Result<Instant> {
        let mut missing: std::collections::HashSet<String> = names.into_iter().collect();
        self.take_waiting();
        missing.retain(|name| !self.states.get(name).is_some_and(|state| state.is_synced_at(revision)));
        let deadline = tokio::time::Instant::now() + self.timeout;
        let mut last = Instant::now();
        while !missing.is_empty() {
            match tokio::time::timeout_at(deadline, self.changes.recv()).await {
                Ok(change) => {
                    let change = change.context("the watch of Applications ended")?;
                    last = change.at;
                    if change.state.is_synced_at(revision) {
                        missing.remove(&change.name);
                    }
                    self.take(change);
                }
                Err(_) => {
                    let example = missing.iter().next().cloned().unwrap_or_default();
                    bail!(
                        "{} Applications are not synced at {revision} after {:?}; {example} is {:?}",
                        missing.len(),
                        self.timeout,
                        self.states.get(&example)
                    );
                }
            }
        }
        Ok(last)
    }

    /// Takes in what came until now, and answers how many changes there were since the last time.
    pub(crate) fn changes_since_last(&mut self) -> usize {
        self.take_waiting();
        std::mem::take(&mut self.n_changes)
    }

    fn take_waiting(&mut self) {
        while let Ok(change) = self.changes.try_recv() {
            self.take(change);
        }
    }

    fn take(&mut self, change: Change) {
        self.n_changes += 1;
        self.states.insert(change.name, change.state);
    }
}

/// One watch, as long as the server keeps it.
struct Stream {
    body: Incoming,
    /// Kept, because the connection ends with it.
    _connection: Connection,
}

impl Stream {
    async fn open(api: &Api, version: &str) -> Result<Self> {
        let path = workload::applications(workload::CONTROL_PLANE);
        let query = format!("{path}?watch=true&timeoutSeconds=3600&resourceVersion={version}");
        let mut connection = api.connect().await?;
        let (status, body) = connection.open(&Call::get(&query)).await?;
        if !status.is_success() {
            bail!("the watch of Applications was answered with {status}");
        }
        Ok(Self { body, _connection: connection })
    }

    /// Passes on what comes until the stream ends, and keeps the newest version; `false` when nobody listens any more,
    /// or when the server has forgotten what came since.
    async fn pass_on(&mut self, version: &mut String, sender: &mpsc::UnboundedSender<Change>) -> bool {
        let mut buffer = BytesMut::new();
        while let Some(Ok(frame)) = self.body.frame().await {
            buffer.extend_from_slice(&frame.into_data().unwrap_or_default());
            let at = Instant::now();
            while let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
                let line = buffer.split_to(end + 1);
                let Some((metadata, state)) = read(&line) else { return false };
                *version = metadata.resource_version;
                if sender.send(Change { name: metadata.name, state, at }).is_err() {
                    return false;
                }
            }
        }
        true
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: String,
    resource_version: String,
}

/// What an event says; nothing when it is not of an Application, as an error is.
fn read(line: &[u8]) -> Option<(Metadata, State)> {
    #[derive(Deserialize)]
    struct Event {
        object: Application,
    }
    #[derive(Deserialize)]
    struct Application {
        metadata: Metadata,
        #[serde(default)]
        status: Status,
    }
    #[derive(Deserialize, Default)]
    #[serde(default, rename_all = "camelCase")]
    struct Status {
        sync: Part,
        health: Part,
        operation_state: Part,
    }
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Part {
        status: String,
        revision: String,
        phase: String,
    }
    let Application { metadata, status } = serde_json::from_slice::<Event>(line).ok()?.object;
    let state = State {
        sync: status.sync.status,
        revision: status.sync.revision,
        phase: status.operation_state.phase,
        health: status.health.status,
    };
    Some((metadata, state))
}
