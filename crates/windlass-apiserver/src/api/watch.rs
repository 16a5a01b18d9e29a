//! Following objects as they change.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use windlass_kube::{Object, Str, value};

use super::read::{is_presentable, json_of, presented, presented_json};
use super::selection::Selection;
use super::{Api, WatchOptions};
use crate::protobuf;
use crate::resource::Resource;
use crate::status::Status;
use crate::store::{Event, EventKind, Piece, Revision, Stored, Subscription, watch_line};

/// What a watch tells.
#[derive(Clone, Debug)]
pub enum WatchEvent {
    /// An object is new, or now matches.
    Added(Object),
    /// An object changed.
    Modified(Object),
    /// An object is gone, or matches no longer; this is its last state.
    Deleted(Object),
    /// Everything up to this revision has been told; `initial` ends the initial events.
    Bookmark {
        /// The revision.
        revision: Revision,
        /// Whether this ends the events for objects that were there before.
        initial: bool,
    },
}

/// A stream of [`WatchEvent`]s; ends only with an error.
pub struct Watch {
    resource: Arc<Resource>,
    selection: Selection,
    subscription: Subscription,
    ready: VecDeque<Told>,
    /// What has to be converted before it is ready, where a webhook does that.
    unconverted: Option<Unconverted>,
    /// The name of what it tells, where all who follow the same namespace at the same version are told the same.
    form: Option<Str>,
}

/// What a webhook has to convert first.
struct Unconverted {
    api: Api,
    /// Objects that were there, and the bookmark after them.
    initial: Option<(Vec<Arc<Stored>>, Option<Told>)>,
    events: Vec<Arc<Event>>,
}

/// An event that is about to be told.
pub(crate) enum Told {
    /// An object that was there when the watch began.
    Initial(Arc<Stored>),
    /// A change, as what kind the watcher sees it, and whether the state before is what it sees.
    Change(Arc<Event>, EventKind, bool),
    /// Everything up to here has been told.
    Bookmark { revision: Revision, initial: bool },
}

/// What is told next: an event, or bytes that others are told, too.
pub(crate) enum Next {
    Told(Told),
    Piece(Piece),
}

impl Watch {
    /// The next event. Cancelling loses nothing.
    ///
    /// # Errors
    ///
    /// `Expired` when the reader was too slow; list again.
    pub async fn next(&mut self) -> Result<WatchEvent, Status> {
        let told = self.told().await?;
        Ok(self.event(&told))
    }

    /// How many follow that resource, this one included.
    pub(crate) fn n_followers(&self) -> usize {
        self.subscription.n_followers()
    }

    /// The next event; or the next changes as one piece of bytes which all who follow the same share, as lines or as
    /// frames of protobuf, for a watch that [`shares`](Self::shares). Cancelling loses nothing.
    ///
    /// # Errors
    ///
    /// `Expired` when the reader was too slow; list again.
    pub(crate) async fn next_of(&mut self, shared_as_protobuf: Option<bool>) -> Result<Next, Status> {
        match shared_as_protobuf {
            Some(is_protobuf) => self.shared_piece(is_protobuf).await.map(Next::Piece),
            None => self.told().await.map(Next::Told),
        }
    }

    async fn shared_piece(&mut self, is_protobuf: bool) -> Result<Piece, Status> {
        let Self { resource, selection, subscription, form, .. } = self;
        let form = form.clone().unwrap_or_default();
        let form = if is_protobuf { Str::from(format!("{form} protobuf")) } else { form };
        let write = |event: &Arc<Event>| {
            // Nothing is selected by but the namespace, which no object changes.
            let is_meant =
                selection.namespace().is_none_or(|namespace| event.object.key().namespace == namespace);
            is_meant.then(|| {
                if is_protobuf { changed_frame(resource, event) } else { changed_line(resource, event) }
            })
        };
        subscription.next_piece(&form, write).await.map_err(|_| too_slow())
    }

    /// Whether what comes next can be told in pieces that others share.
    pub(crate) fn shares(&self) -> bool {
        self.form.is_some() && self.ready.is_empty()
    }

    /// The resource that is followed.
    pub(crate) fn resource(&self) -> &Arc<Resource> {
        &self.resource
    }

    /// The next event, not yet read or printed.
    pub(crate) async fn told(&mut self) -> Result<Told, Status> {
        loop {
            if let Some(told) = self.ready.pop_front() {
                return Ok(told);
            }
            if self.unconverted.is_some() {
                self.convert_next().await?;
                continue;
            }
            let events = self.subscription.next().await.map_err(|_| too_slow())?;
            self.see(events);
        }
    }

    /// Converts what comes next. What was received stays until it is, so that cancelling loses nothing.
    async fn convert_next(&mut self) -> Result<(), Status> {
        let Some(unconverted) = &mut self.unconverted else { return Ok(()) };
        if let Some((objects, bookmark)) = &mut unconverted.initial {
            let objects = unconverted.api.at_version(&self.resource, objects.clone()).await?;
            let bookmark = bookmark.take();
            unconverted.initial = None;
            let matching = objects.into_iter().filter(|stored| self.selection.matches(stored));
            self.ready.extend(matching.map(Told::Initial).chain(bookmark));
            return Ok(());
        }
        if unconverted.events.is_empty() {
            unconverted.events =
                self.subscription.next().await.map_err(|_| too_slow())?.into_iter().collect();
        }
        let all = unconverted.api.events_at_version(&self.resource, &unconverted.events).await;
        let events = match all {
            Ok(events) => events,
            // Those before the one that fails are told.
            Err(_) if unconverted.events.len() > 1 => {
                unconverted.api.events_at_version(&self.resource, &unconverted.events[..1]).await?
            }
            Err(status) => return Err(status),
        };
        unconverted.events.drain(..events.len());
        self.see(events);
        Ok(())
    }

    fn see(&mut self, events: impl IntoIterator<Item = Arc<Event>>) {
        for event in events {
            if let Some(told) = self.seen(event) {
                self.ready.push_back(told);
            }
        }
    }

    /// The next event if there is one now.
    pub(crate) fn told_now(&mut self) -> Option<Told> {
        self.ready.pop_front()
    }

    /// A revision up to which everything has been told.
    pub(crate) fn progress(&mut self) -> Option<Revision> {
        let is_waiting = self
            .unconverted
            .as_ref()
            .is_some_and(|unconverted| unconverted.initial.is_some() || !unconverted.events.is_empty());
        (self.ready.is_empty() && !is_waiting).then(|| self.subscription.progress())
    }

    /// How this watcher sees a change: an object may begin or cease to match.
    fn seen(&self, event: Arc<Event>) -> Option<Told> {
        let now = event.kind != EventKind::Deleted && self.selection.matches(&event.object);
        let before = event.previous.as_ref().is_some_and(|previous| self.selection.matches(previous));
        let (kind, previous) = match (before, now) {
            (false, false) => return None,
            (false, true) => (EventKind::Added, false),
            (true, true) => (EventKind::Modified, false),
            (true, false) => (EventKind::Deleted, event.kind != EventKind::Deleted),
        };
        Some(Told::Change(event, kind, previous))
    }

    fn event(&self, told: &Told) -> WatchEvent {
        match told {
            Told::Initial(stored) => WatchEvent::Added(presented(&self.resource, stored)),
            Told::Bookmark { revision, initial } => {
                WatchEvent::Bookmark { revision: *revision, initial: *initial }
            }
            Told::Change(event, kind, _) => {
                let object =
                    self.told_object(told).unwrap_or_else(|| presented(&self.resource, &event.object));
                match kind {
                    EventKind::Added => WatchEvent::Added(object),
                    EventKind::Modified => WatchEvent::Modified(object),
                    EventKind::Deleted => WatchEvent::Deleted(object),
                }
            }
        }
    }

    /// The object an event shows; `None` for a bookmark.
    pub(crate) fn told_object(&self, told: &Told) -> Option<Object> {
        match told {
            Told::Initial(stored) => Some(presented(&self.resource, stored)),
            Told::Change(event, _, false) => Some(presented(&self.resource, &event.object)),
            Told::Change(event, _, true) => {
                let mut object = presented(&self.resource, event.previous.as_ref().unwrap_or(&event.object));
                object.set_at(&["metadata", "resourceVersion"], event.revision().to_string());
                Some(object)
            }
            Told::Bookmark { .. } => None,
        }
    }

    /// The event as a line of JSON.
    pub(crate) fn line(&self, told: &Told) -> Bytes {
        match told {
            Told::Initial(stored) => watch_line("ADDED", &presented_json(&self.resource, stored)),
            Told::Change(event, kind, false) if *kind == event.kind => changed_line(&self.resource, event),
            Told::Change(event, kind, false) => {
                watch_line(kind.as_str(), &presented_json(&self.resource, &event.object))
            }
            Told::Change(_, kind, true) => {
                let object = self.told_object(told);
                watch_line(kind.as_str(), &object.map_or_else(Bytes::new, |object| json_of(&object)))
            }
            Told::Bookmark { revision, initial } => {
                watch_line("BOOKMARK", &json_of(&bookmark(&self.resource, *revision, *initial)))
            }
        }
    }

    /// The event as a frame of protobuf; only for built-in kinds.
    pub(crate) fn frame(&self, told: &Told) -> Bytes {
        match told {
            Told::Bookmark { revision, initial } => {
                frame_of("BOOKMARK", bookmark(&self.resource, *revision, *initial))
            }
            Told::Change(event, kind, false) if *kind == event.kind => changed_frame(&self.resource, event),
            Told::Change(_, kind, _) => {
                self.told_object(told).map_or_else(Bytes::new, |object| frame_of(kind.as_str(), object))
            }
            Told::Initial(stored) => frame_of("ADDED", presented(&self.resource, stored)),
        }
    }
}

/// A change as everybody sees it who sees the object before and after it, as a line of JSON.
fn changed_line(resource: &Resource, event: &Event) -> Bytes {
    if is_presentable(resource, &event.object.json()) {
        event.line()
    } else {
        watch_line(event.kind.as_str(), &presented_json(resource, &event.object))
    }
}

/// The same as a frame of protobuf; only for built-in kinds.
fn changed_frame(resource: &Resource, event: &Event) -> Bytes {
    let frame = || frame_of(event.kind.as_str(), presented(resource, &event.object));
    if is_presentable(resource, &event.object.json()) { event.frame(frame) } else { frame() }
}

fn frame_of(kind: &str, object: Object) -> Bytes {
    protobuf::encode(&object.into_value())
        .map_or_else(|_| Bytes::new(), |written| protobuf::frame(kind, &written))
}

/// The object that a bookmark carries.
pub(crate) fn bookmark(resource: &Resource, revision: Revision, initial: bool) -> Object {
    let api_version = resource.gvr.group_version();
    let kind = resource.kind.clone();
    let revision = revision.to_string();
    let mut object =
        value!({"apiVersion": api_version, "kind": kind, "metadata": {"resourceVersion": revision}});
    if initial {
        object.set_at(&["metadata", "annotations", "k8s.io/initial-events-end"], "true");
    }
    Object::try_new(object).expect("kind and apiVersion are set")
}

fn too_slow() -> Status {
    Status::expired("too old resource version: the watch did not keep up with the changes")
}

impl Api {
    pub(crate) fn watch_on(
        &self,
        resource: Arc<Resource>,
        namespace: Option<&str>,
        options: &WatchOptions,
    ) -> Result<Watch, Status> {
        let selection =
            Selection::parse(&resource, namespace, &options.label_selector, &options.field_selector)?;
        let table = self.shared.store.table(&resource.storage);
        self.check_not_ahead(options.resource_version)?;
        let from = options.resource_version.filter(|revision| *revision > 0 && !options.send_initial_events);
        let mut ready = VecDeque::new();
        let mut unconverted = resource.conversion().map(|_| Unconverted {
            api: self.clone(),
            initial: None,
            events: Vec::new(),
        });
        let subscription = match from {
            Some(revision) => table.subscribe(revision).map_err(|compacted| {
                Status::expired(format!(
                    "too old resource version: {} ({})",
                    compacted.asked, compacted.oldest
                ))
            })?,
            None => {
                let snapshot = table.list(selection.namespace());
                let bookmark = (options.send_initial_events && options.bookmarks)
                    .then_some(Told::Bookmark { revision: snapshot.revision, initial: true });
                if let Some(unconverted) = &mut unconverted {
                    unconverted.initial = Some((snapshot.objects, bookmark));
                } else {
                    let matching = snapshot.objects.into_iter().filter(|stored| selection.matches(stored));
                    ready.extend(matching.map(Told::Initial).chain(bookmark));
                }
                table.subscribe(snapshot.revision).map_err(|_| too_slow())?
            }
        };
        let is_shared = selection.is_everything() && unconverted.is_none();
        let form = is_shared.then(|| {
            Str::from(format!(
                "{} {}",
                resource.gvr.group_version(),
                selection.namespace().unwrap_or_default()
            ))
        });
        Ok(Watch { resource, selection, subscription, ready, unconverted, form })
    }
}
