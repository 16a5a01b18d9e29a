//! The loop every controller runs in: changes become keys, keys are worked off, failures come back later.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::fmt::Debug;
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::follow::{Change, Told};
use crate::status::Status;

/// How many keys one controller works on at once: enough for their writes to share commits.
const CONCURRENCY: usize = 16;

/// The wait after the first failure of a key; it doubles with each one that follows.
const FIRST_RETRY: Duration = Duration::from_millis(20);

/// The longest wait after a failure.
const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// What turns changes into keys and brings a key to where it should be.
pub(crate) trait Controller: Send + Sync + 'static {
    /// What names a piece of work.
    type Key: Clone + Eq + Ord + Hash + Debug + Send + 'static;

    /// For logs.
    const NAME: &'static str;

    /// What a change calls for; must be quick, and is called in order.
    fn observe(&self, change: &Change) -> Vec<Self::Key>;

    /// Looks at the whole state of a key and does what is needed. `Some` asks for another look later.
    ///
    /// Never runs twice at once for the same key.
    fn reconcile(&self, key: Self::Key) -> impl Future<Output = Result<Option<Duration>, Status>> + Send;
}

/// Runs a controller until its feed ends.
pub(crate) async fn run<C: Controller>(controller: Arc<C>, mut feed: UnboundedReceiver<Told>) {
    let mut queue: Queue<C::Key> = Queue::default();
    let mut running: JoinSet<Result<Option<Duration>, Status>> = JoinSet::new();
    let mut keys: HashMap<tokio::task::Id, C::Key> = HashMap::new();
    // Nothing is decided before everything that exists is known.
    let mut synced = false;
    loop {
        while synced && running.len() < CONCURRENCY {
            let Some(key) = queue.begin() else { break };
            let controller = controller.clone();
            let named = key.clone();
            let task = running.spawn(async move { controller.reconcile(key).await });
            keys.insert(task.id(), named);
        }
        let wake = queue.next_later();
        tokio::select! {
            told = feed.recv() => {
                let mut told = told;
                loop {
                    match told {
                        None => return,
                        Some(Told::Synced) => synced = true,
                        Some(Told::Changed(change)) => {
                            for key in controller.observe(&change) {
                                queue.add(key);
                            }
                        }
                    }
                    match feed.try_recv() {
                        Ok(next) => told = Some(next),
                        Err(_) => break,
                    }
                }
            }
            Some(finished) = running.join_next_with_id() => {
                let (id, outcome) = match finished {
                    Ok((id, outcome)) => (id, outcome),
                    // A bug in one reconciliation must not stop the others, nor lose the key.
                    Err(error) => (error.id(), Err(Status::internal(error))),
                };
                let Some(key) = keys.remove(&id) else { continue };
                match outcome {
                    Ok(again) => queue.done(key, again),
                    Err(status) => {
                        let wait = queue.failed(key.clone());
                        if status.reason != "Conflict" {
                            tracing::debug!(
                                controller = C::NAME, key = ?key, error = %status, retry_after = ?wait,
                                "reconciling failed"
                            );
                        }
                    }
                }
            },
            () = tokio::time::sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {
                queue.release_due(Instant::now());
            }
        }
    }
}

/// Keys to be worked on, each at most once at a time.
struct Queue<K> {
    ready: VecDeque<K>,
    waiting: HashSet<K>,
    running: HashSet<K>,
    later: BTreeMap<Instant, Vec<K>>,
    /// When each key that waits is due; one that was put off or forward has older entries in `later`.
    due: HashMap<K, Instant>,
    failures: HashMap<K, u32>,
}

impl<K> Default for Queue<K> {
    fn default() -> Self {
        Self {
            ready: VecDeque::new(),
            waiting: HashSet::new(),
            running: HashSet::new(),
            later: BTreeMap::new(),
            due: HashMap::new(),
            failures: HashMap::new(),
        }
    }
}

impl<K: Clone + Eq + Hash> Queue<K> {
    fn add(&mut self, key: K) {
        if self.waiting.insert(key.clone()) && !self.running.contains(&key) {
            self.ready.push_back(key);
        }
    }

    fn begin(&mut self) -> Option<K> {
        let key = self.ready.pop_front()?;
        self.waiting.remove(&key);
        self.running.insert(key.clone());
        Some(key)
    }

    fn done(&mut self, key: K, again: Option<Duration>) {
        self.failures.remove(&key);
        self.end(&key);
        if let Some(at) = again.and_then(|again| Instant::now().checked_add(again)) {
            self.schedule(key, at);
        }
    }

    fn failed(&mut self, key: K) -> Duration {
        let failures = self.failures.entry(key.clone()).or_insert(0);
        let wait = FIRST_RETRY.saturating_mul(1 << (*failures).min(12)).min(LONGEST_RETRY);
        *failures += 1;
        self.end(&key);
        self.schedule(key, Instant::now() + wait);
        wait
    }

    /// A key waits for one moment only, the earliest.
    fn schedule(&mut self, key: K, at: Instant) {
        if self.due.get(&key).is_none_or(|due| at < *due) {
            self.due.insert(key.clone(), at);
            self.later.entry(at).or_default().push(key);
        }
    }

    /// Work that came in meanwhile is ready now.
    fn end(&mut self, key: &K) {
        self.running.remove(key);
        if self.waiting.contains(key) {
            self.ready.push_back(key.clone());
        }
    }

    fn next_later(&self) -> Option<Instant> {
        self.later.keys().next().copied()
    }

    fn release_due(&mut self, now: Instant) {
        while let Some(entry) = self.later.first_entry().filter(|entry| *entry.key() <= now) {
            let at = *entry.key();
            for key in entry.remove() {
                if self.due.get(&key) == Some(&at) {
                    self.due.remove(&key);
                    self.add(key);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_worked_on_once_at_a_time() {
        let mut queue = Queue::default();
        queue.add("a");
        queue.add("a");
        assert_eq!(queue.begin(), Some("a"));
        assert_eq!(queue.begin(), None);
        queue.add("a");
        assert_eq!(queue.begin(), None, "it is being worked on");
        queue.done("a", None);
        assert_eq!(queue.begin(), Some("a"), "what came in meanwhile is not lost");
        queue.done("a", None);
        assert_eq!(queue.begin(), None);
    }

    #[test]
    fn a_key_waits_for_the_earliest_moment_only() {
        let mut queue = Queue::default();
        for seconds in [60, 30, 90] {
            queue.add("a");
            queue.begin();
            queue.done("a", Some(Duration::from_secs(seconds)));
        }
        queue.release_due(Instant::now() + Duration::from_secs(45));
        assert_eq!(queue.begin(), Some("a"));
        queue.done("a", None);
        queue.release_due(Instant::now() + Duration::from_secs(120));
        assert_eq!(queue.begin(), None, "the later moments are forgotten");
    }

    #[test]
    fn failures_wait_longer_each_time_until_one_succeeds() {
        let mut queue = Queue::default();
        let mut waits = Vec::new();
        for _ in 0..3 {
            queue.add("a");
            queue.begin();
            waits.push(queue.failed("a"));
        }
        assert_eq!(waits, [FIRST_RETRY, FIRST_RETRY * 2, FIRST_RETRY * 4]);
        queue.release_due(Instant::now() + LONGEST_RETRY);
        assert_eq!(queue.begin(), Some("a"));
        queue.done("a", None);
        queue.add("a");
        queue.begin();
        assert_eq!(queue.failed("a"), FIRST_RETRY);
    }
}
