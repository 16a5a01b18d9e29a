//! The one writer: orders writes, makes them durable in groups, publishes them.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, mpsc};

use bytes::Bytes;
use tokio::sync::oneshot;
use windlass_kube::{Object, Str};

use super::image::Image;
use super::object::Encoded;
use super::{
    Backend, BackendError, Batch, Change, Event, EventKind, Expect, Key, Record, Revision, Shared, Stored,
    Table, WriteError,
};

/// How many writes go into one transaction at most. More would only make the first of them wait longer.
const MAX_GROUP: usize = 512;

/// One write, with its object already serialized by whoever asked for it.
pub(super) struct Write {
    resource: Str,
    table: Arc<Table>,
    key: Key,
    expect: Expect,
    delete: bool,
    object: Object,
    encoded: Encoded,
}

impl Write {
    pub(super) fn new(resource: Str, table: Arc<Table>, key: Key, expect: Expect, change: Change) -> Self {
        let (delete, object) = match change {
            Change::Put(object) => (false, object),
            Change::Delete(object) => (true, object),
        };
        let encoded = Encoded::new(&object);
        Self { resource, table, key, expect, delete, object, encoded }
    }
}

type Outcome = Result<Arc<Stored>, WriteError>;

/// What is done between two commits.
type Errand = Box<dyn FnOnce(&mut Sequencer) + Send>;

pub(super) enum Message {
    Write(Box<Write>, oneshot::Sender<Outcome>),
    Between(Errand),
    Close(oneshot::Sender<()>),
}

/// Where writes go.
pub(super) enum Writer {
    /// The caller's own thread does the work: right where the backend takes no time.
    Inline(Mutex<Sequencer>),
    /// A thread that may wait for the disk.
    Thread(mpsc::Sender<Message>),
}

impl Writer {
    pub(super) fn inline(shared: Arc<Shared>, backend: Box<dyn Backend>) -> Self {
        Self::Inline(Mutex::new(Sequencer::new(shared, backend, Forgetting::default())))
    }

    /// `forgetting` is what of the loaded versions nobody needs.
    pub(super) fn thread(
        shared: Arc<Shared>,
        backend: Box<dyn Backend>,
        forgetting: Forgetting,
    ) -> std::io::Result<Self> {
        let (sender, receiver) = mpsc::channel();
        let sequencer = Sequencer::new(shared, backend, forgetting);
        std::thread::Builder::new().name("windlass-store".into()).spawn(move || run(sequencer, &receiver))?;
        Ok(Self::Thread(sender))
    }

    pub(super) async fn write(&self, write: Write) -> Outcome {
        match self {
            Self::Inline(sequencer) => {
                let mut outcomes = sequencer.lock().expect("no panic under this lock").commit(vec![write]);
                outcomes.pop().unwrap_or(Err(WriteError::Closed))
            }
            Self::Thread(sender) => {
                let (reply, outcome) = oneshot::channel();
                sender.send(Message::Write(Box::new(write), reply)).map_err(|_| WriteError::Closed)?;
                outcome.await.unwrap_or(Err(WriteError::Closed))
            }
        }
    }

    /// Does something after everything that was accepted so far, and before everything later. `None` once the store is
    /// closed.
    pub(super) async fn between<T: Send + 'static>(
        &self,
        errand: impl FnOnce(&mut Sequencer) -> T + Send + 'static,
    ) -> Option<T> {
        match self {
            Self::Inline(sequencer) => Some(errand(&mut sequencer.lock().expect("no panic under this lock"))),
            Self::Thread(sender) => {
                let (reply, outcome) = oneshot::channel();
                let errand: Errand = Box::new(move |sequencer| {
                    // Whoever asked may have gone away.
                    let _ = reply.send(errand(sequencer));
                });
                sender.send(Message::Between(errand)).ok()?;
                outcome.await.ok()
            }
        }
    }

    pub(super) async fn close(&self) {
        if let Self::Thread(sender) = self {
            let (reply, closed) = oneshot::channel();
            if sender.send(Message::Close(reply)).is_ok() {
                // An error means that the thread is gone already.
                let _ = closed.await;
            }
        }
    }
}

fn run(mut sequencer: Sequencer, receiver: &mpsc::Receiver<Message>) {
    while let Ok(first) = receiver.recv() {
        let mut closing = None;
        let mut errand = None;
        let mut writes = Vec::new();
        let mut replies = Vec::new();
        let mut next = Some(first);
        while let Some(message) = next.take() {
            match message {
                Message::Write(write, reply) => {
                    writes.push(*write);
                    replies.push(reply);
                }
                Message::Between(then) => {
                    errand = Some(then);
                    break;
                }
                Message::Close(reply) => {
                    closing = Some(reply);
                    break;
                }
            }
            if writes.len() < MAX_GROUP {
                next = receiver.try_recv().ok();
            }
        }
        for (reply, outcome) in replies.into_iter().zip(sequencer.commit(writes)) {
            // Whoever asked may have gone away; the write stands.
            let _ = reply.send(outcome);
        }
        if let Some(errand) = errand {
            errand(&mut sequencer);
        }
        if let Some(reply) = closing {
            drop(sequencer);
            let _ = reply.send(());
            return;
        }
    }
}

/// Gives writes their order and their revisions.
pub(super) struct Sequencer {
    shared: Arc<Shared>,
    backend: Box<dyn Backend>,
    /// To be written with the next commit.
    forgetting: Forgetting,
    durability: Durability,
}

/// When writes become durable.
enum Durability {
    /// Before they are visible.
    AtOnce,
    /// Together, later: these are waiting.
    Later(Vec<Record>),
    /// Never more: what was visible could not be made durable.
    Failed(Arc<BackendError>),
}

/// What nobody can ask for any more, and is still in the backend.
#[derive(Default)]
pub(super) struct Forgetting {
    /// Versions that nobody needs.
    pub(super) versions: Vec<Revision>,
    /// Up to where changes are no longer known.
    pub(super) horizons: HashMap<Str, Revision>,
}

/// A write that passed its expectation, not yet durable.
struct Accepted {
    resource: Str,
    table: Arc<Table>,
    event: Arc<Event>,
}

impl Sequencer {
    fn new(shared: Arc<Shared>, backend: Box<dyn Backend>, forgetting: Forgetting) -> Self {
        Self { shared, backend, forgetting, durability: Durability::AtOnce }
    }

    /// From here on writes are visible at once, and become durable with [`settle`](Self::settle), in one transaction.
    pub(super) fn gather(&mut self) {
        if matches!(self.durability, Durability::AtOnce) {
            self.durability = Durability::Later(Vec::new());
        }
    }

    /// Makes durable what was gathered. If that fails, nothing can be written any more.
    pub(super) fn settle(&mut self) -> Result<(), Arc<BackendError>> {
        match std::mem::replace(&mut self.durability, Durability::AtOnce) {
            Durability::AtOnce => Ok(()),
            Durability::Later(records) if records.is_empty() => Ok(()),
            Durability::Later(records) => self.make_durable(&records).inspect_err(|error| {
                self.durability = Durability::Failed(error.clone());
            }),
            Durability::Failed(error) => {
                self.durability = Durability::Failed(error.clone());
                Err(error)
            }
        }
    }

    fn make_durable(&mut self, records: &[Record]) -> Result<(), Arc<BackendError>> {
        let horizons: Vec<(Str, Revision)> = self
            .forgetting
            .horizons
            .iter()
            .map(|(resource, revision)| (resource.clone(), *revision))
            .collect();
        let batch = Batch { records, forgotten: &self.forgetting.versions, horizons: &horizons };
        if let Err(error) = self.backend.commit(&batch) {
            tracing::error!(%error, n_writes = records.len(), "the store could not make changes durable");
            return Err(Arc::new(error));
        }
        self.forgetting = Forgetting::default();
        Ok(())
    }

    /// Everything as it is now.
    pub(super) fn image(&self) -> Image {
        Image::of(&self.shared)
    }

    fn commit(&mut self, writes: Vec<Write>) -> Vec<Outcome> {
        let mut revision = self.shared.published.load(Ordering::Acquire);
        let mut pending: HashMap<(Str, Key), Option<Arc<Stored>>> = HashMap::new();
        let mut accepted: Vec<Accepted> = Vec::with_capacity(writes.len());
        let mut outcomes: Vec<Outcome> = Vec::with_capacity(writes.len());
        for write in writes {
            let at = (write.resource.clone(), write.key.clone());
            let current = pending.get(&at).cloned().unwrap_or_else(|| write.table.get(&write.key));
            let holds = match write.expect {
                Expect::Absent => current.is_none(),
                Expect::At(expected) => {
                    current.as_ref().is_some_and(|current| current.revision() == expected)
                }
            };
            if !holds {
                outcomes.push(Err(WriteError::Conflict { current }));
                continue;
            }
            revision += 1;
            let kind = match (write.delete, &current) {
                (true, _) => EventKind::Deleted,
                (false, None) => EventKind::Added,
                (false, Some(_)) => EventKind::Modified,
            };
            let (line, json) = write.encoded.at(revision, kind);
            let object = Arc::new(stored(write.key, revision, json, write.object));
            pending.insert(at, (!write.delete).then(|| object.clone()));
            outcomes.push(Ok(object.clone()));
            let event = Arc::new(Event::new(kind, object, current, line));
            accepted.push(Accepted { resource: write.resource, table: write.table, event });
        }
        if accepted.is_empty() {
            return outcomes;
        }
        let records: Vec<Record> = accepted.iter().map(record).collect();
        let durable = match &mut self.durability {
            Durability::AtOnce => self.make_durable(&records),
            Durability::Later(waiting) => {
                waiting.extend(records);
                Ok(())
            }
            Durability::Failed(error) => Err(error.clone()),
        };
        if let Err(error) = durable {
            for outcome in outcomes.iter_mut().filter(|outcome| outcome.is_ok()) {
                *outcome = Err(WriteError::Backend(error.clone()));
            }
            return outcomes;
        }
        self.publish(accepted);
        self.shared.published.store(revision, Ordering::Release);
        outcomes
    }

    /// Publishes table by table; each takes its lock once.
    fn publish(&mut self, accepted: Vec<Accepted>) {
        let mut by_table: Vec<(Str, Arc<Table>, Vec<Arc<Event>>)> = Vec::new();
        for Accepted { resource, table, event } in accepted {
            match by_table.iter_mut().find(|(have, ..)| *have == resource) {
                Some((.., events)) => events.push(event),
                None => by_table.push((resource, table, vec![event])),
            }
        }
        for (resource, table, events) in by_table {
            let (forgotten, horizon) = table.publish(events);
            self.forgetting.versions.extend(forgotten);
            self.forgetting.horizons.extend(horizon.map(|horizon| (resource, horizon)));
        }
    }
}

fn stored(key: Key, revision: Revision, json: Bytes, mut object: Object) -> Stored {
    object.set_at(&["metadata", "resourceVersion"], revision.to_string());
    Stored::new(key, revision, json, object)
}

fn record(accepted: &Accepted) -> Record {
    let object = &accepted.event.object;
    Record {
        resource: accepted.resource.clone(),
        key: object.key().clone(),
        revision: object.revision(),
        kind: accepted.event.kind,
        json: object.json(),
    }
}
