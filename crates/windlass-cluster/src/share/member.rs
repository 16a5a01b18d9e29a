//! What one replica knows of the others and has said itself; no calls.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use windlass_kube::{Object, Str, Value, value};

use super::{REPLICA_LABEL, Shards, ShareOptions};

/// Among whom work is shared: identities, sorted.
pub(super) type View = Arc<[Str]>;

/// The annotation of a Lease that says among whom its holder shares the work.
const VIEW: &str = "windlass.dev/replicas";

/// The annotation of a Lease that says what its holder has heard of.
const MESSAGES: &str = "windlass.dev/messages";

/// So many messages stay on a Lease. Whoever misses one finds out by itself, later.
const N_MESSAGES: usize = 8;

/// A message that is larger is not passed on.
const MESSAGE_BYTES: usize = 4096;

/// A Lease that was not renewed for so many times the duration is deleted: its holder is gone.
const FORGOTTEN_AFTER: u32 = 10;

/// One of the others.
struct Other {
    /// The name and the uid of its Lease.
    lease: (Str, Str),
    /// The version of its Lease.
    version: Str,
    /// When that was seen first: its clock is not ours.
    since: Instant,
    view: View,
    /// The number of its last message that was passed on.
    heard: i64,
}

pub(super) struct Member {
    own: Str,
    duration: Duration,
    others: BTreeMap<Str, Other>,
    /// What our Lease says, if it says anything that we know of.
    published: Option<View>,
    /// When the last request began that has renewed it.
    renewed: Option<Instant>,
    /// What it will say when all that the new view gives away is at rest, and with which assignment that was asked for.
    narrowing: Option<(View, u64)>,
    /// The number of the last assignment.
    number: u64,
    messages: Vec<(i64, Value)>,
    /// Whether there are messages that our Lease does not say yet.
    unsaid: bool,
}

/// What is to be done about our Lease.
#[derive(Debug, PartialEq)]
pub(super) enum Next {
    /// It says what it should.
    Rest,
    /// Less is to be acted on, before it may say the new view.
    Narrow,
    /// It may say the new view.
    Publish,
}

impl Member {
    pub(super) fn new(own: Str, duration: Duration) -> Self {
        Self {
            own,
            duration,
            others: BTreeMap::new(),
            published: None,
            renewed: None,
            narrowing: None,
            number: 0,
            messages: Vec::new(),
            unsaid: false,
        }
    }

    /// Takes in all Leases of the others; answers their messages that are new.
    pub(super) fn see(&mut self, leases: &[Object], now: Instant) -> Vec<Value> {
        let mut messages = Vec::new();
        let mut before = std::mem::take(&mut self.others);
        for lease in leases {
            let Some(identity) = holder(lease) else { continue };
            let version = Str::from(lease.resource_version());
            let said = read_messages(lease);
            let newest = said.last().map_or(0, |(number, _)| *number);
            let known = before.remove(identity);
            if let Some(known) = &known {
                // Whoever starts again counts from the beginning.
                let heard = if newest < known.heard { 0 } else { known.heard };
                messages.extend(said.into_iter().filter(|(number, _)| *number > heard).map(|(_, body)| body));
            }
            let since = known.filter(|known| known.version == version).map_or(now, |known| known.since);
            let other = Other {
                lease: (lease.name().into(), lease.uid().into()),
                version,
                since,
                view: read_view(lease),
                heard: newest,
            };
            self.others.insert(identity.into(), other);
        }
        messages
    }

    /// Whether a Lease says something else than it did when all were read last.
    pub(super) fn is_news(&self, lease: &Object) -> bool {
        let Some(identity) = holder(lease).filter(|identity| *identity != self.own) else { return false };
        let newest = read_messages(lease).last().map_or(0, |(number, _)| *number);
        self.others.get(identity).is_none_or(|known| known.view != read_view(lease) || known.heard != newest)
    }

    /// Who is at work, as far as is known: us, and who was heard of.
    pub(super) fn live(&self, now: Instant) -> View {
        let heard_of = self.others.iter().filter(|(_, other)| self.is_live(other, now));
        let mut view: Vec<Str> = heard_of.map(|(name, _)| name.clone()).chain([self.own.clone()]).collect();
        view.sort();
        view.into()
    }

    fn is_live(&self, other: &Other, now: Instant) -> bool {
        now.duration_since(other.since) < self.duration
    }

    /// The names and uids of Leases whose holders are long gone.
    pub(super) fn forgotten(&self, now: Instant) -> Vec<(Str, Str)> {
        let is_forgotten = |other: &&Other| now.duration_since(other.since) > self.duration * FORGOTTEN_AFTER;
        self.others.values().filter(is_forgotten).map(|other| other.lease.clone()).collect()
    }

    /// What is to be done for the work to be shared among `target`.
    pub(super) fn next(&mut self, target: &View, settled: u64) -> Next {
        match &self.published {
            // Nothing is acted on yet, so that nothing has to end.
            None => Next::Publish,
            Some(view) if view == target => {
                self.narrowing = None;
                Next::Rest
            }
            Some(_) => match &self.narrowing {
                Some((narrowed, number)) if narrowed == target && settled >= *number && *number > 0 => {
                    Next::Publish
                }
                Some((narrowed, _)) if narrowed == target => Next::Narrow,
                _ => {
                    self.narrowing = Some((target.clone(), 0));
                    Next::Narrow
                }
            },
        }
    }

    /// What may be acted on now.
    pub(super) fn shards(&self, now: Instant) -> Shards {
        let Some(published) = &self.published else { return Shards::none() };
        let mut views = vec![published.clone()];
        views.extend(self.narrowing.iter().map(|(view, _)| view.clone()));
        let others = self.others.iter().filter(|(_, other)| self.is_live(other, now));
        let others = others.map(|(name, other)| (name.clone(), other.view.clone())).collect();
        Shards::shared(self.own.clone(), views, others)
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Notes which assignment is the current one: what it does not have is to come to rest.
    pub(super) fn assigned(&mut self, number: u64) {
        self.number = self.number.max(number);
        if let Some((_, asked)) = &mut self.narrowing
            && *asked == 0
        {
            *asked = number;
        }
    }

    pub(super) fn is_published(&self) -> bool {
        self.published.is_some()
    }

    /// The view that our Lease says.
    pub(super) fn published(&self) -> View {
        self.published.clone().unwrap_or_else(|| Arc::new([]))
    }

    /// Nothing that our Lease says counts any more.
    pub(super) fn forget_published(&mut self) {
        self.published = None;
        self.renewed = None;
        self.narrowing = None;
    }

    /// Notes that our Lease was renewed by a request that began at `started`.
    pub(super) fn renewed(&mut self, started: Instant, view: Option<View>) {
        self.renewed = Some(started);
        self.unsaid = false;
        if let Some(view) = view {
            self.published = Some(view);
            self.narrowing = None;
        }
    }

    /// How long may still be acted without a renewal: two thirds of the duration, a margin for clocks that do not run
    /// alike. None when nothing is acted on.
    pub(super) fn left(&self, now: Instant) -> Option<Duration> {
        let renewed = self.renewed?;
        Some((renewed + self.duration * 2 / 3).saturating_duration_since(now))
    }

    /// Whether our Lease is to be written although its view stays.
    pub(super) fn is_due(&self, now: Instant, renew: Duration) -> bool {
        // A little sooner than asked for, so that a wake-up just before does not put it off by a whole pause.
        let since = self.renewed.map(|renewed| now.duration_since(renewed));
        self.unsaid || since.is_none_or(|since| since >= renew * 4 / 5)
    }

    /// Passes a message on with the next write.
    pub(super) fn say(&mut self, message: Value) {
        let size = format!("{message:?}").len();
        if size > MESSAGE_BYTES {
            tracing::warn!(
                size,
                MESSAGE_BYTES,
                "a message is too large to be passed on to the other replicas"
            );
            return;
        }
        let number = self.messages.last().map_or(0, |(number, _)| *number) + 1;
        self.messages.push((number, message));
        let n_old = self.messages.len().saturating_sub(N_MESSAGES);
        self.messages.drain(..n_old);
        self.unsaid = true;
    }

    /// Our Lease as it is to be written.
    pub(super) fn lease(&self, current: Option<&Object>, options: &ShareOptions, view: &[Str]) -> Object {
        let mut lease = match current {
            Some(lease) => lease.clone(),
            None => new_lease(options),
        };
        let names: Vec<&str> = view.iter().map(Str::as_str).collect();
        lease.set_at(&["metadata", "annotations", VIEW], names.join(","));
        if !self.messages.is_empty() {
            let said =
                self.messages.iter().map(|(number, body)| value!([(*number), (body.clone())])).collect();
            let said: Vec<Value> = said;
            lease.set_at(&["metadata", "annotations", MESSAGES], format!("{:?}", Value::from(said)));
        }
        let now = micro_time();
        if current.is_none() {
            lease.set_at(&["spec", "acquireTime"], now.clone());
        }
        lease.set_at(&["spec", "renewTime"], now);
        lease
    }
}

fn new_lease(options: &ShareOptions) -> Object {
    let mut lease = value!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"});
    lease.set_at(&["metadata", "name"], options.lease_name());
    lease.set_at(&["metadata", "namespace"], options.namespace.clone());
    lease.set_at(&["metadata", "labels", REPLICA_LABEL], options.group.clone());
    lease.set_at(&["spec", "holderIdentity"], options.identity.clone());
    lease.set_at(
        &["spec", "leaseDurationSeconds"],
        i64::try_from(options.duration.as_secs()).unwrap_or(i64::MAX),
    );
    Object::try_new(lease).expect("it has apiVersion and kind")
}

/// Whose Lease it is.
pub(super) fn holder(lease: &Object) -> Option<&str> {
    Some(lease.str_at(&["spec", "holderIdentity"])).filter(|identity| !identity.is_empty())
}

fn read_view(lease: &Object) -> View {
    let text = lease.annotation(VIEW).unwrap_or_default();
    text.split(',').filter(|name| !name.is_empty()).map(Str::from).collect()
}

/// Numbers and messages, oldest first.
fn read_messages(lease: &Object) -> Vec<(i64, Value)> {
    let text = lease.annotation(MESSAGES).unwrap_or_default();
    let Ok(Value::Array(said)) = serde_json::from_str::<Value>(text) else { return Vec::new() };
    let read = |entry: Value| -> Option<(i64, Value)> {
        let Value::Array(entry) = entry else { return None };
        let mut entry = entry.into_vec();
        let body = (entry.len() == 2).then(|| entry.pop()).flatten()?;
        Some((entry.first()?.as_int()?, body))
    };
    said.into_vec().into_iter().filter_map(read).collect()
}

/// Now, as `metav1.MicroTime` is written.
fn micro_time() -> String {
    let now = k8s_openapi::jiff::Timestamp::now();
    now.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}
