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

/// A key that was worked on, and how that went.
type Finished<K> = (K, Result<Option<Duration>, Status>);

/// Runs a controller until its feed ends.
pub(crate) async fn run<C: Controller>(controller: Arc<C>, mut feed: UnboundedReceiver<Told>) {
    let mut queue: Queue<C::Key> = Queue::default();
    let mut running: JoinSet<Finished<C::Key>> = JoinSet::new();
    // Nothing is decided before everything that exists is known.
    let mut synced = false;
    loop {
        while synced && running.len() < CONCURRENCY {
            let Some(key) = queue.begin() else { break };
            let controller = controller.clone();
            running.spawn(async move {
                let outcome = controller.reconcile(key.clone()).await;
                (key, outcome)
            });
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
            Some(finished) = running.join_next() => match finished {
                Ok((key, Ok(again))) => queue.done(key, again),
                Ok((key, Err(status))) => {
                    let wait = queue.failed(key.clone());
                    if status.reason != "Conflict" {
                        tracing::debug!(
                            controller = C::NAME, key = ?key, error = %status, retry_after = ?wait,
                            "reconciling failed"
                        );
                    }
                }
                Err(error) if error.is_panic() => {
                    tracing::error!(controller = C::NAME, %error, "reconciling panicked");
                }
                Err(_) => {}
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
    failures: HashMap<K, u32>,
}

impl<K> Default for Queue<K> {
    fn default() -> Self {
        Self {
            ready: VecDeque::new(),
            waiting: HashSet::new(),
            running: HashSet::new(),
            later: BTreeMap::new(),
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
        if let Some(again) = again {
            self.later.entry(Instant::now() + again).or_default().push(key);
        }
    }

    fn failed(&mut self, key: K) -> Duration {
        let failures = self.failures.entry(key.clone()).or_insert(0);
        let wait = FIRST_RETRY.saturating_mul(1 << (*failures).min(12)).min(LONGEST_RETRY);
        *failures += 1;
        self.end(&key);
        self.later.entry(Instant::now() + wait).or_default().push(key);
        wait
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
            for key in entry.remove() {
                self.add(key);
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
