//! Recent changes of one resource, for those who follow it.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::packed::Packer;
use super::{Revision, Stored};

/// How many changes of one resource a watch can go back. Past this, a watcher that lost its connection
/// lists again; kube-apiserver's watch cache holds between 100 and 100 thousand.
const RING_EVENTS: usize = 8192;

/// How many bytes of superseded objects the ring of one resource may hold.
const RING_BYTES: usize = 8 << 20;

/// For how many changes back objects are kept parsed and unpacked: whoever follows is about that far behind.
const RECENT_EVENTS: usize = 256;

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// It is new.
    Added,
    /// It changed.
    Modified,
    /// It is gone; the event shows its last state.
    Deleted,
}

impl EventKind {
    /// As watch events write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Modified => "MODIFIED",
            Self::Deleted => "DELETED",
        }
    }
}

/// One committed change.
#[derive(Debug)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// The object after the change; of a deletion its last state, at the revision of the deletion.
    pub object: Arc<Stored>,
    /// The object before the change.
    pub previous: Option<Arc<Stored>>,
    /// Kept while the change is recent.
    line: Mutex<Option<Bytes>>,
    /// The event in another form, once somebody has asked, and while the change is recent.
    frame: Mutex<Frame>,
}

/// What is kept of an event's other form.
#[derive(Debug, Default)]
enum Frame {
    #[default]
    NotAsked,
    Kept(Bytes),
    Settled,
}

impl Event {
    /// `line` is what [`watch_line`] makes of it.
    pub(super) fn new(
        kind: EventKind,
        object: Arc<Stored>,
        previous: Option<Arc<Stored>>,
        line: Bytes,
    ) -> Self {
        Self { kind, object, previous, line: Mutex::new(Some(line)), frame: Mutex::default() }
    }

    /// A change that is not recent.
    pub(crate) fn settled(kind: EventKind, object: Arc<Stored>, previous: Option<Arc<Stored>>) -> Self {
        Self { kind, object, previous, line: Mutex::new(None), frame: Mutex::new(Frame::Settled) }
    }

    /// The revision of the change.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.object.revision()
    }

    /// The event as a watch sends it in JSON, made once for all who keep up.
    #[must_use]
    pub fn line(&self) -> Bytes {
        let kept = self.line.lock().expect("no panic under this lock").clone();
        kept.unwrap_or_else(|| watch_line(self.kind.as_str(), &self.object.json()))
    }

    /// The event in the other form in which watches send it, which `write` makes; made once for all who keep up.
    pub(crate) fn frame(&self, write: impl FnOnce() -> Bytes) -> Bytes {
        let mut frame = self.frame.lock().expect("no panic under this lock");
        match &*frame {
            Frame::Kept(kept) => return kept.clone(),
            Frame::Settled => drop(frame),
            Frame::NotAsked => {
                let written = write();
                *frame = Frame::Kept(written.clone());
                return written;
            }
        }
        write()
    }

    /// Takes less memory from now on.
    fn settle(&self, packer: &mut Packer) {
        self.object.pack(packer);
        *self.line.lock().expect("no panic under this lock") = None;
        *self.frame.lock().expect("no panic under this lock") = Frame::Settled;
    }
}

/// A watch event of `kind` around an object's JSON.
#[must_use]
pub fn watch_line(kind: &str, json: &[u8]) -> Bytes {
    watch_line_of(kind, &[json]).0
}

/// As [`watch_line`], around JSON that comes in parts; and where in the line it stands.
pub(super) fn watch_line_of(kind: &str, json: &[&[u8]]) -> (Bytes, Range<usize>) {
    let before: [&[u8]; 3] = [b"{\"type\":\"", kind.as_bytes(), b"\",\"object\":"];
    let after = b"}\n";
    let length = |parts: &[&[u8]]| parts.iter().map(|part| part.len()).sum::<usize>();
    let begin = length(&before);
    let end = begin + length(json);
    let mut line = Vec::with_capacity(end + after.len());
    before.iter().chain(json).for_each(|part| line.extend_from_slice(part));
    line.extend_from_slice(after);
    (line.into(), begin..end)
}

/// The retained changes, oldest first.
#[derive(Default)]
pub(super) struct Ring {
    events: VecDeque<Arc<Event>>,
    n_bytes: usize,
    packer: Packer,
    /// Changes up to here are no longer known.
    compacted: Revision,
    /// Whether that changed since somebody asked.
    moved: bool,
    /// Versions that nobody can ask for any more, and nobody was told of yet.
    garbage: Vec<Revision>,
}

impl Ring {
    pub(super) fn push(&mut self, event: Arc<Event>) {
        self.n_bytes += event.object.json_len();
        self.events.push_back(event);
        if let Some(idx) = self.events.len().checked_sub(RECENT_EVENTS + 1) {
            self.events[idx].settle(&mut self.packer);
        }
        while self.events.len() > RING_EVENTS || (self.n_bytes > RING_BYTES && self.events.len() > 1) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(event) = self.events.pop_front() {
            event.settle(&mut self.packer);
            self.n_bytes -= event.object.json_len();
            self.compacted = event.revision();
            self.moved = true;
            self.garbage.extend(event.previous.as_ref().map(|previous| previous.revision()));
            if event.kind == EventKind::Deleted {
                self.garbage.push(event.revision());
            }
        }
    }

    /// The versions that became useless since the last call.
    pub(super) fn take_garbage(&mut self) -> Vec<Revision> {
        std::mem::take(&mut self.garbage)
    }

    /// Whether changes ceased to be known since the last call.
    pub(super) fn moved(&mut self) -> bool {
        std::mem::take(&mut self.moved)
    }

    /// Packs an object that is not recent.
    pub(super) fn pack(&mut self, object: &Stored) {
        object.pack(&mut self.packer);
    }

    pub(super) fn compact(&mut self, revision: Revision) {
        while self.events.front().is_some_and(|event| event.revision() <= revision) {
            self.drop_oldest();
        }
        self.moved |= revision > self.compacted;
        self.compacted = self.compacted.max(revision);
    }

    pub(super) fn compacted(&self) -> Revision {
        self.compacted
    }

    /// All changes that are remembered.
    pub(super) fn events(&self) -> impl Iterator<Item = &Arc<Event>> {
        self.events.iter()
    }

    /// The last change that is remembered.
    pub(super) fn last(&self) -> Option<Revision> {
        self.events.back().map(|event| event.revision())
    }

    /// The changes after `revision`; `None` if some of them are no longer known.
    pub(super) fn since(&self, revision: Revision) -> Option<impl Iterator<Item = &Arc<Event>>> {
        if revision < self.compacted {
            return None;
        }
        let first = self.events.partition_point(|event| event.revision() <= revision);
        Some(self.events.range(first..))
    }
}
