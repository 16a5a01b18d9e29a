//! The objects of one resource, and how they are read and followed.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

use tokio::sync::watch;
use windlass_kube::Str;

use super::pieces::{Piece, Pieces, piece_of};
use super::ring::Ring;
use super::{Event, EventKind, Key, Revision, Stored};

/// The history asked for is no longer known: the reader has to list again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("revision {asked} has been compacted, the oldest known is {oldest}")]
pub struct Compacted {
    /// What was asked for.
    pub asked: Revision,
    /// What is still known.
    pub oldest: Revision,
}

/// The objects of one resource.
pub struct Table {
    state: RwLock<State>,
    published: Arc<AtomicU64>,
    wake: watch::Sender<Revision>,
    pieces: Mutex<Pieces>,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<Key, Arc<Stored>>,
    ring: Ring,
    /// The last change of this resource.
    last: Revision,
}

/// Objects as they were at one revision.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The revision.
    pub revision: Revision,
    /// The objects, in the order of their keys.
    pub objects: Vec<Arc<Stored>>,
}

impl Table {
    /// A table of which nothing is known up to the revision `floor`.
    pub(super) fn new(published: Arc<AtomicU64>, floor: Revision) -> Self {
        let revision = published.load(Ordering::Acquire);
        let mut state = State { last: revision, ..State::default() };
        state.ring.compact(floor);
        let wake = watch::Sender::new(revision);
        Self { state: RwLock::new(state), published, wake, pieces: Mutex::default() }
    }

    pub(super) fn pieces(&self) -> MutexGuard<'_, Pieces> {
        self.pieces.lock().expect("no panic under this lock")
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, State> {
        self.state.read().expect("no panic under this lock")
    }

    /// One object.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<Arc<Stored>> {
        self.read().objects.get(key).cloned()
    }

    /// How many objects there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.read().objects.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The revision up to which the table is known to be current.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.read().last.max(self.published.load(Ordering::Acquire))
    }

    /// The objects of a namespace (all when `None`), now.
    #[must_use]
    pub fn list(&self, namespace: Option<&str>) -> Snapshot {
        let state = self.read();
        let objects = state.range(namespace, None).map(|(_, object)| object.clone()).collect();
        Snapshot { revision: state.last.max(self.published.load(Ordering::Acquire)), objects }
    }

    /// The objects of a namespace (all when `None`) after the key `after`, as they were at `revision`.
    ///
    /// # Errors
    ///
    /// [`Compacted`] when changes since then are no longer known.
    pub fn list_at(
        &self,
        namespace: Option<&str>,
        after: Option<&Key>,
        revision: Revision,
    ) -> Result<Snapshot, Compacted> {
        let state = self.read();
        let wanted = |key: &Key| {
            namespace.is_none_or(|namespace| key.namespace == namespace)
                && after.is_none_or(|after| key > after)
        };
        // The first change after the revision tells what was there before.
        let mut before: HashMap<&Key, Option<&Arc<Stored>>> = HashMap::new();
        let compacted = Compacted { asked: revision, oldest: state.ring.compacted() };
        for event in state.ring.since(revision).ok_or(compacted)? {
            if wanted(event.object.key()) {
                before.entry(event.object.key()).or_insert(event.previous.as_ref());
            }
        }
        let mut objects: Vec<Arc<Stored>> = state
            .range(namespace, after)
            .filter(|(key, _)| !before.contains_key(key))
            .map(|(_, object)| object.clone())
            .collect();
        if !before.is_empty() {
            objects.extend(before.into_values().flatten().cloned());
            objects.sort_by(|a, b| a.key().cmp(b.key()));
        }
        Ok(Snapshot { revision, objects })
    }

    /// Follows changes after `revision`.
    ///
    /// # Errors
    ///
    /// [`Compacted`] when changes since then are no longer known.
    pub fn subscribe(self: &Arc<Self>, revision: Revision) -> Result<Subscription, Compacted> {
        let wake = self.wake.subscribe();
        let oldest = self.read().ring.compacted();
        if revision < oldest {
            return Err(Compacted { asked: revision, oldest });
        }
        Ok(Subscription { table: self.clone(), seen: revision, wake })
    }

    /// Forgets the changes up to `revision`; watches from before then end.
    pub fn compact(&self, revision: Revision) {
        self.state.write().expect("no panic under this lock").ring.compact(revision);
        self.wake.send_modify(|_| {});
    }

    /// Hands every version that is remembered to `each`, in no order; and says up to where changes are no longer known.
    pub(super) fn versions(&self, each: &mut dyn FnMut(EventKind, &Arc<Stored>)) -> Revision {
        let state = self.read();
        let horizon = state.ring.compacted();
        // What changes were made to is older than all of them, or one of them.
        for previous in state.ring.events().filter_map(|event| event.previous.as_ref()) {
            if previous.revision() <= horizon {
                each(EventKind::Added, previous);
            }
        }
        for object in state.objects.values().filter(|object| object.revision() <= horizon) {
            each(EventKind::Added, object);
        }
        for event in state.ring.events() {
            each(event.kind, &event.object);
        }
        horizon
    }

    /// Takes a version that was stored, in the order of the revisions; and says which versions nobody needs.
    pub(super) fn load(&self, kind: EventKind, stored: Stored) -> Vec<Revision> {
        let mut state = self.state.write().expect("no panic under this lock");
        state.ring.pack(&stored);
        let revision = stored.revision();
        let key = stored.key().clone();
        let object = Arc::new(stored);
        let previous = match kind {
            EventKind::Deleted => state.objects.remove(&key),
            EventKind::Added | EventKind::Modified => state.objects.insert(key, object.clone()),
        };
        if revision > state.ring.compacted() {
            state.ring.push(Arc::new(Event::settled(kind, object, previous)));
            return state.ring.take_garbage();
        }
        let tombstone = (kind == EventKind::Deleted).then_some(revision);
        previous.map(|previous| previous.revision()).into_iter().chain(tombstone).collect()
    }

    /// Everything has been loaded, up to this revision. Says up to where changes are not known, if that has moved.
    pub(super) fn loaded(&self, revision: Revision) -> Option<Revision> {
        let mut state = self.state.write().expect("no panic under this lock");
        state.last = revision;
        let horizon = state.ring.moved().then(|| state.ring.compacted());
        drop(state);
        self.wake.send_replace(revision);
        horizon
    }

    /// Makes changes visible, in the order of their revisions; and says which versions nobody can ask for any
    /// more, and up to where changes are no longer known if that has moved.
    pub(super) fn publish(
        &self,
        events: impl IntoIterator<Item = Arc<Event>>,
    ) -> (Vec<Revision>, Option<Revision>) {
        let mut last = 0;
        let forgotten = {
            let mut state = self.state.write().expect("no panic under this lock");
            for event in events {
                last = event.revision();
                let key = event.object.key().clone();
                match event.kind {
                    EventKind::Deleted => state.objects.remove(&key),
                    EventKind::Added | EventKind::Modified => state.objects.insert(key, event.object.clone()),
                };
                state.ring.push(event);
            }
            state.last = state.last.max(last);
            let garbage = state.ring.take_garbage();
            let horizon = state.ring.moved().then(|| state.ring.compacted());
            (garbage, horizon)
        };
        self.wake.send_replace(last);
        forgotten
    }
}

impl State {
    fn range(
        &self,
        namespace: Option<&str>,
        after: Option<&Key>,
    ) -> impl Iterator<Item = (&Key, &Arc<Stored>)> {
        let start = match (after, namespace) {
            (Some(after), _) => Bound::Excluded(after.clone()),
            (None, Some(namespace)) => Bound::Included(Key::new(namespace, "")),
            (None, None) => Bound::Unbounded,
        };
        let namespace: Option<Str> = namespace.map(Str::new);
        self.objects.range((start, Bound::Unbounded)).take_while(move |(key, _)| {
            namespace.as_ref().is_none_or(|namespace| key.namespace == *namespace)
        })
    }
}

/// A reader that follows the changes of one resource.
pub struct Subscription {
    table: Arc<Table>,
    seen: Revision,
    wake: watch::Receiver<Revision>,
}

impl Subscription {
    /// The changes since the last call, at least one; waits for it.
    ///
    /// Cancelling loses nothing.
    ///
    /// # Errors
    ///
    /// [`Compacted`] when the reader was so slow that changes it has not seen are gone.
    pub async fn next(&mut self) -> Result<Vec<Arc<Event>>, Compacted> {
        loop {
            self.wake.borrow_and_update();
            let events = self.ready()?;
            if !events.is_empty() {
                return Ok(events);
            }
            if self.wake.changed().await.is_err() {
                // The table lives as long as this subscription, so its sender does.
                std::future::pending::<()>().await;
            }
        }
    }

    /// The changes since the last call as bytes in a form that is named, which `write` makes of each, or nothing; waits
    /// for one at least. What is made is shared with others who ask for the same form.
    ///
    /// Cancelling loses nothing.
    ///
    /// # Errors
    ///
    /// [`Compacted`] when the reader was so slow that changes it has not seen are gone.
    pub(crate) async fn next_piece(
        &mut self,
        form: &Str,
        mut write: impl FnMut(&Arc<Event>) -> Option<bytes::Bytes>,
    ) -> Result<Piece, Compacted> {
        loop {
            self.wake.borrow_and_update();
            while let Some(piece) = self.piece(form, &mut write)? {
                if !piece.bytes.is_empty() {
                    return Ok(piece);
                }
            }
            if self.wake.changed().await.is_err() {
                // The table lives as long as this subscription, so its sender does.
                std::future::pending::<()>().await;
            }
        }
    }

    /// As [`next_piece`](Self::next_piece), without waiting; it may be empty where no change was of interest.
    pub(super) fn piece(
        &mut self,
        form: &Str,
        write: impl FnMut(&Arc<Event>) -> Option<bytes::Bytes>,
    ) -> Result<Option<Piece>, Compacted> {
        let table = self.table.clone();
        // Who comes meanwhile waits, and need not make it again.
        let mut pieces = table.pieces();
        let state = table.read();
        let compacted = Compacted { asked: self.seen, oldest: state.ring.compacted() };
        let events = state.ring.since(self.seen).ok_or(compacted)?;
        let Some(last) = state.ring.last().filter(|last| *last > self.seen) else { return Ok(None) };
        let piece = match pieces.get(self.seen, form, last) {
            Some(piece) => piece,
            None => {
                let Some(piece) = piece_of(events, write) else { return Ok(None) };
                pieces.keep(self.seen, form.clone(), &piece);
                piece
            }
        };
        self.seen = piece.to;
        Ok(Some(piece))
    }

    /// How many follow this resource, this one included.
    #[must_use]
    pub fn n_followers(&self) -> usize {
        self.table.wake.receiver_count()
    }

    /// The changes since the last call, without waiting.
    ///
    /// # Errors
    ///
    /// [`Compacted`] when changes that were not seen are gone.
    pub fn ready(&mut self) -> Result<Vec<Arc<Event>>, Compacted> {
        let state = self.table.read();
        let compacted = Compacted { asked: self.seen, oldest: state.ring.compacted() };
        let events: Vec<_> = state.ring.since(self.seen).ok_or(compacted)?.cloned().collect();
        drop(state);
        if let Some(last) = events.last() {
            self.seen = last.revision();
        }
        Ok(events)
    }

    /// A revision up to which everything of this resource has been seen; moves on when other resources
    /// change, which is what bookmarks tell.
    #[must_use]
    pub fn progress(&mut self) -> Revision {
        let state = self.table.read();
        let published = self.table.published.load(Ordering::Acquire).max(state.last);
        let behind = state.ring.since(self.seen).is_none_or(|mut events| events.next().is_some());
        drop(state);
        if !behind {
            self.seen = self.seen.max(published);
        }
        self.seen
    }
}
