//! Units that another replica acts on, and how a Unit changes hands.
//!
//! A replica knows the declaring object of every Unit, and holds no other state of those that are not its own. A Unit
//! is given away when its last call has come back; whoever gets it reads the declaring objects once more first, so that it
//! begins with what the one before it has told last. From there it is taken up as after a restart.
//!
//! What another replica's Unit is like is read from its status. Units that others wait for tell every revision that they
//! were looked at with, whether it changed anything for them or not.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::sync::watch;
use windlass_cluster::{ApiError, Assignment, Shards};
use windlass_kube::{Object, ObjectRef, Str, Value};
use windlass_model::{Automation, UnitId};

use super::deletion::application_resource;
use super::{Core, Event};
use crate::fetching::locate;
use crate::packed::Packed;
use crate::source_hub::{SourceKey, key_of};

/// Declaring objects that could not be read are read again after this.
const RETRY: Duration = Duration::from_secs(1);

/// What a replica acts on, and how it says that it has given up the rest.
#[derive(Clone)]
pub struct Sharing {
    /// What is to be acted on; with `None` the engine ends.
    pub assignments: watch::Receiver<Option<Assignment>>,
    /// The number of the newest assignment that is kept to.
    pub settled: watch::Sender<u64>,
}

/// How the work is shared, and what is known of the Units of others.
pub(super) struct Elsewhere {
    shards: Shards,
    /// The number of the newest assignment.
    number: u64,
    /// Whether Units that are ours are still to be read anew.
    gaining: bool,
    settled: Option<watch::Sender<u64>>,
    units: HashMap<UnitId, Stranger>,
    /// How many of those depend on a Unit.
    awaited: HashMap<UnitId, usize>,
    /// Calls that are under way for a Unit.
    under_way: HashMap<UnitId, usize>,
    /// Units that are given away when their calls have come back.
    leaving: HashSet<UnitId>,
    /// What was deleted since Units were last to be read anew.
    gone: HashSet<UnitId>,
    /// How often a Unit came or went.
    n_changes: u64,
}

/// A Unit of another replica.
struct Stranger {
    object: Packed,
    version: u64,
    depends_on: Box<[UnitId]>,
}

impl Elsewhere {
    /// Where nobody else is, all Units are ours.
    pub(super) fn new(settled: Option<watch::Sender<u64>>) -> Self {
        Self {
            shards: if settled.is_some() { Shards::none() } else { Shards::all() },
            number: 0,
            gaining: false,
            settled,
            units: HashMap::new(),
            awaited: HashMap::new(),
            under_way: HashMap::new(),
            leaving: HashSet::new(),
            gone: HashSet::new(),
            n_changes: 0,
        }
    }

    fn has(&self, id: &UnitId) -> bool {
        self.shards.has(&id.0.namespace, &id.0.name)
    }

    fn insert(&mut self, id: UnitId, stranger: Stranger) {
        for dependency in &stranger.depends_on {
            *self.awaited.entry(dependency.clone()).or_default() += 1;
        }
        match self.units.insert(id, stranger) {
            Some(before) => self.uncount(&before),
            None => self.n_changes += 1,
        }
    }

    fn remove(&mut self, id: &UnitId) -> Option<Stranger> {
        let stranger = self.units.remove(id)?;
        self.n_changes += 1;
        self.uncount(&stranger);
        Some(stranger)
    }

    fn uncount(&mut self, stranger: &Stranger) {
        for dependency in &stranger.depends_on {
            if let Some(count) = self.awaited.get_mut(dependency) {
                *count -= 1;
                if *count == 0 {
                    self.awaited.remove(dependency);
                }
            }
        }
    }

    /// Says that the newest assignment is kept to, once it is.
    fn settle(&self) {
        if let Some(settled) = self.settled.as_ref().filter(|_| self.leaving.is_empty()) {
            settled.send_replace(self.number);
        }
    }

    /// The Units of others, by name.
    pub(super) fn ids(&self) -> impl Iterator<Item = &UnitId> {
        self.units.keys()
    }

    /// Changes with [`ids`](Self::ids).
    pub(super) fn version(&self) -> u64 {
        self.n_changes
    }

    /// Whether a Unit is on its way to another replica: nothing is begun there any more.
    pub(super) fn is_leaving(&self, id: &UnitId) -> bool {
        self.leaving.contains(id)
    }

    /// Notes that a call for a Unit begins.
    pub(super) fn call_begins(&mut self, id: &UnitId) {
        *self.under_way.entry(id.clone()).or_default() += 1;
    }

    /// Notes that one has come back.
    fn call_ends(&mut self, id: &UnitId) {
        if let Some(count) = self.under_way.get_mut(id) {
            *count -= 1;
            if *count == 0 {
                self.under_way.remove(id);
            }
        }
    }
}

impl Event {
    /// The Unit for which a call has come back.
    pub(super) fn called_for(&self) -> Option<&UnitId> {
        match self {
            Self::Checked(id, ..)
            | Self::Verified(id, ..)
            | Self::WaveDone(id, ..)
            | Self::Written(id, _)
            | Self::Released(id, _) => Some(id),
            _ => None,
        }
    }
}

impl Core {
    /// Takes up what is to be acted on from now on.
    pub(super) fn on_assigned(&mut self, Assignment { number, shards }: Assignment) {
        tracing::info!(number, replicas = shards.n_replicas(), "the work is shared anew");
        self.elsewhere.shards = shards;
        self.elsewhere.number = number;
        let (ours, lost): (Vec<UnitId>, Vec<UnitId>) =
            self.units.keys().cloned().partition(|id| self.elsewhere.has(id));
        for id in ours {
            if self.elsewhere.leaving.remove(&id) {
                self.dirty.insert(id);
            }
        }
        for id in lost {
            if self.elsewhere.under_way.contains_key(&id) {
                self.elsewhere.leaving.insert(id);
            } else {
                self.depart(&id);
            }
        }
        self.elsewhere.settle();
        if self.elsewhere.units.keys().any(|id| self.elsewhere.has(id)) || !self.listed.applications {
            self.elsewhere.gaining = true;
            self.elsewhere.gone.clear();
            self.read_anew(number, Duration::ZERO);
        }
    }

    fn read_anew(&self, number: u64, pause: Duration) {
        let (client, events) = (self.home.clone(), self.events.clone());
        let namespace = self.config.watch_namespace.clone();
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            let listed = client.list(&application_resource(), &namespace, "").await;
            let _ = events.send(Event::ReadAnew(number, listed)).await;
        });
    }

    /// Takes the Units that are ours now from declaring objects that were read after the one before has let them go.
    pub(super) fn on_read_anew(&mut self, number: u64, listed: Result<Vec<Object>, ApiError>) {
        if number != self.elsewhere.number || !self.elsewhere.gaining {
            return;
        }
        let objects = match listed {
            Ok(objects) => objects,
            Err(error) => {
                tracing::warn!(%error, "the Applications that are this replica's now could not be read");
                self.read_anew(number, RETRY);
                return;
            }
        };
        self.elsewhere.gaining = false;
        let mut n_taken = 0;
        for object in objects {
            let id = UnitId(object.object_ref());
            if !self.elsewhere.has(&id) || self.units.contains_key(&id) || self.elsewhere.gone.contains(&id) {
                continue;
            }
            let seen = self.elsewhere.remove(&id);
            let newer = seen.filter(|seen| seen.version > version_of(&object));
            self.take_application(&id, &newer.map_or(object, |seen| seen.object.object()));
            n_taken += 1;
        }
        // What was made since the list is as the watch brought it.
        let rest: Vec<UnitId> =
            self.elsewhere.units.keys().filter(|id| self.elsewhere.has(id)).cloned().collect();
        for id in rest {
            if let Some(stranger) = self.elsewhere.remove(&id) {
                self.take_application(&id, &stranger.object.object());
                n_taken += 1;
            }
        }
        self.elsewhere.gone.clear();
        tracing::info!(units = n_taken, "taken over");
    }

    /// Whether a Unit is another replica's, or not ours yet: its object is kept then, and nothing else.
    pub(super) fn keep_elsewhere(&mut self, id: &UnitId, object: &Object) -> bool {
        let is_ours = self.elsewhere.has(id) && (!self.elsewhere.gaining || self.units.contains_key(id));
        if is_ours {
            return false;
        }
        self.elsewhere.gone.remove(id);
        let before = self.elsewhere.units.get(id).map(|stranger| stranger.depends_on.clone());
        if before.is_none() {
            self.touch_neighbours(&self.instance_of(id));
        }
        let declares = object.annotation(windlass_argo::DEPENDS_ON_ANNOTATION).is_some();
        let depends_on = if declares { self.lower(object).unit.depends_on } else { Box::default() };
        let is_news = before.unwrap_or_default() != depends_on;
        let stranger = Stranger { object: Packed::new(object), version: version_of(object), depends_on };
        self.elsewhere.insert(id.clone(), stranger);
        if is_news {
            self.dependencies_changed();
        }
        self.wake_waiters(id);
        true
    }

    /// Forgets a Unit of another replica that is gone.
    pub(super) fn forget_elsewhere(&mut self, id: &UnitId) {
        if self.elsewhere.gaining {
            self.elsewhere.gone.insert(id.clone());
        }
        let Some(stranger) = self.elsewhere.remove(id) else { return };
        self.touch_neighbours(&self.instance_of(id));
        if !stranger.depends_on.is_empty() {
            self.dependencies_changed();
        }
    }

    /// The tracking name of a Unit, as [`unit_of_instance`](Self::unit_of_instance) reads it.
    fn instance_of(&self, UnitId(object): &UnitId) -> String {
        if object.namespace == self.config.control_plane_namespace {
            object.name.to_string()
        } else {
            format!("{}_{}", object.namespace, object.name)
        }
    }

    /// Takes note that a call has come back; whether its Unit was given away, so that nobody is to act on the answer.
    pub(super) fn call_ended(&mut self, id: &UnitId) -> bool {
        self.elsewhere.call_ends(id);
        if !self.elsewhere.is_leaving(id) {
            return false;
        }
        if !self.elsewhere.under_way.contains_key(id) {
            self.elsewhere.leaving.remove(id);
            self.depart(id);
            self.elsewhere.settle();
        }
        true
    }

    /// Gives a Unit away.
    fn depart(&mut self, id: &UnitId) {
        if !self.elsewhere.units.contains_key(id)
            && let Some(declared) = self.units.get(id).map(|unit| unit.declared())
        {
            self.forget_unit(id);
            self.keep_elsewhere(id, &declared);
            return;
        }
        self.forget_unit(id);
    }

    /// Whether somebody on another replica waits for a Unit, or may: it tells every revision then.
    pub(super) fn is_awaited_elsewhere(&self, id: &UnitId, is_child: bool) -> bool {
        self.elsewhere.shards.n_replicas() > 1 && (is_child || self.elsewhere.awaited.contains_key(id))
    }

    /// Marks the readers of a source that somebody on another replica waits for.
    pub(super) fn touch_awaited(&mut self, key: &SourceKey) {
        if self.elsewhere.shards.n_replicas() < 2 {
            return;
        }
        let readers =
            self.readers.get(key).into_iter().flat_map(std::collections::BTreeMap::values).flatten();
        let is_awaited = |id: &&std::sync::Arc<UnitId>| {
            self.units.get(id.as_ref()).is_some_and(|unit| self.is_awaited_elsewhere(id, unit.is_child))
        };
        let awaited: Vec<UnitId> = readers.filter(is_awaited).map(|id| UnitId::clone(id)).collect();
        self.dirty.extend(awaited);
    }

    /// What a Unit of another replica depends on.
    pub(super) fn depends_on_elsewhere(&self, id: &UnitId) -> &[UnitId] {
        self.elsewhere.units.get(id).map_or(&[], |stranger| &stranger.depends_on)
    }

    /// Whether a Unit of another replica declares an object, as its status says.
    pub(super) fn declares_elsewhere(&self, id: &UnitId, key: &ObjectRef) -> bool {
        let Some(stranger) = self.elsewhere.units.get(id) else { return false };
        let object = stranger.object.object();
        object.items_at(&["status", "resources"]).iter().any(|resource| {
            let text = |name: &str| resource.str_at(&[name]).unwrap_or_default().to_owned();
            text("name") == key.name
                && text("namespace") == key.namespace
                && text("kind") == key.kind
                && text("group") == key.group
        })
    }

    /// Whether a Unit is another replica's.
    pub(super) fn is_elsewhere(&self, id: &UnitId) -> bool {
        self.elsewhere.units.contains_key(id)
    }

    /// Whether a Unit of another replica that syncs by itself is under way: after a change of its object as of `version`,
    /// too. None when there is no such Unit.
    pub(super) fn is_underway_elsewhere(&self, id: &UnitId, version: Option<&str>) -> Option<bool> {
        let stranger = self.elsewhere.units.get(id)?;
        let is_seen = version
            .and_then(|version| version.parse().ok())
            .is_none_or(|version: u64| version <= stranger.version);
        let object = stranger.object.object();
        if self.lower(&object).unit.policy.automation == Automation::Manual {
            return Some(false);
        }
        Some(!is_seen || !self.is_done_elsewhere(id))
    }

    /// Whether the status of a Unit of another replica says that it is as its sources declare now, healthy, and at rest.
    pub(super) fn is_done_elsewhere(&self, id: &UnitId) -> bool {
        let Some(stranger) = self.elsewhere.units.get(id) else { return false };
        let object = stranger.object.object();
        let says = |path: &[&str], wanted: &str| object.str_at(path) == wanted;
        let is_idle = object.at(&["operation"]).is_none_or(Value::is_null)
            && !says(&["status", "operationState", "phase"], "Running")
            && object.at(&["metadata", "deletionTimestamp"]).is_none();
        let is_as_declared =
            says(&["status", "sync", "status"], "Synced") && says(&["status", "health", "status"], "Healthy");
        if !is_idle || !is_as_declared {
            return false;
        }
        let compared = |name: &str| object.at(&["status", "sync", "comparedTo", name]);
        let declared = |name: &str| object.at(&["spec", name]);
        if ["source", "sources", "destination"].iter().any(|name| compared(name) != declared(name)) {
            return false;
        }
        // What is known here of its sources may be newer than what it was looked at with.
        let lowered = self.lower(&object);
        let mut revisions: Vec<Str> = object
            .items_at(&["status", "sync", "revisions"])
            .iter()
            .filter_map(|revision| revision.as_str().map(Str::from))
            .collect();
        if revisions.is_empty() {
            revisions.push(object.str_at(&["status", "sync", "revision"]).into());
        }
        lowered.unit.sources.iter().zip(&revisions).all(|(spec, revision)| {
            let Ok((place, target)) = locate(spec, &spec.revision) else { return true };
            let key = key_of(&self.credentials, &place, target, Some(&lowered.permissions.project));
            let latest = self.sources.get(&key).and_then(|state| state.latest.as_ref());
            latest.is_none_or(|latest| latest.revision == *revision)
        })
    }
}

fn version_of(object: &Object) -> u64 {
    object.resource_version().parse().unwrap_or(0)
}
