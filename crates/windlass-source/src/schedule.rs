//! When to look at each repository again, by the caller's clock.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

/// How often repositories are polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollInterval {
    /// The shortest time between two looks. Zero turns polling off.
    pub interval: Duration,
    /// Up to this much is added, differently each time, so that looks spread.
    pub jitter: Duration,
}

/// Argo CD's defaults: `timeout.reconciliation` 120 s and `timeout.reconciliation.jitter` 60 s.
impl Default for PollInterval {
    fn default() -> Self {
        Self { interval: Duration::from_secs(120), jitter: Duration::from_secs(60) }
    }
}

impl PollInterval {
    /// The time until the look number `round` at `name`. Equal arguments give equal answers.
    #[must_use]
    pub fn delay(&self, name: &str, round: u64) -> Duration {
        let mut hasher = Sha256::new();
        hasher.update(name.as_bytes());
        hasher.update(round.to_le_bytes());
        let hash = hasher.finalize();
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&hash[..4]);
        self.interval + self.jitter.mul_f64(f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX))
    }
}

/// The repositories that are polled, and when each is due.
///
/// Times are durations since any start the caller chooses; they never come from a clock in here.
#[derive(Debug)]
pub struct Polls<K> {
    interval: PollInterval,
    due: BTreeSet<(Duration, K)>,
    watched: HashMap<K, (Duration, u64)>,
}

impl<K: Ord + Hash + Clone + AsRef<str>> Polls<K> {
    /// Polls nothing yet.
    #[must_use]
    pub fn new(interval: PollInterval) -> Self {
        Self { interval, due: BTreeSet::new(), watched: HashMap::new() }
    }

    /// Begins to poll `key`, for the first time after one interval; does nothing when it is polled already.
    pub fn watch(&mut self, key: K, now: Duration) {
        if !self.watched.contains_key(&key) {
            let at = now + self.interval.delay(key.as_ref(), 0);
            self.set(key, at, 0);
        }
    }

    /// Stops polling `key`.
    pub fn unwatch(&mut self, key: &K) {
        if let Some((at, _)) = self.watched.remove(key) {
            self.due.remove(&(at, key.clone()));
        }
    }

    /// Makes `key` due at once, as after a webhook; does nothing when it is not polled.
    pub fn hurry(&mut self, key: &K, now: Duration) {
        if let Some((at, round)) = self.watched.get(key).copied()
            && at > now
        {
            self.set(key.clone(), now, round);
        }
    }

    /// Takes what is due, and schedules the next look at each.
    pub fn take_due(&mut self, now: Duration) -> Vec<K> {
        if self.interval.interval.is_zero() {
            return Vec::new();
        }
        let mut taken = Vec::new();
        while let Some((at, key)) = self.due.first().cloned()
            && at <= now
        {
            let round = self.watched.get(&key).map_or(0, |(_, round)| round + 1);
            let next = now + self.interval.delay(key.as_ref(), round);
            self.set(key.clone(), next, round);
            taken.push(key);
        }
        taken
    }

    /// When the next look is due.
    #[must_use]
    pub fn next_due(&self) -> Option<Duration> {
        if self.interval.interval.is_zero() { None } else { self.due.first().map(|(at, _)| *at) }
    }

    fn set(&mut self, key: K, at: Duration, round: u64) {
        if let Some((before, _)) = self.watched.insert(key.clone(), (at, round)) {
            self.due.remove(&(before, key.clone()));
        }
        self.due.insert((at, key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn looks_spread_over_the_jitter() {
        let interval = PollInterval::default();
        let delays: Vec<_> = (0..1000).map(|round| interval.delay("https://h/x", round)).collect();
        assert!(delays.iter().all(|delay| (seconds(120)..=seconds(180)).contains(delay)));
        let early = delays.iter().filter(|delay| **delay < seconds(150)).count();
        assert!((400..600).contains(&early), "{early} of 1000 in the first half");
        assert_eq!(interval.delay("a", 1), interval.delay("a", 1));
    }

    #[test]
    fn each_repository_is_due_once_an_interval() {
        let mut polls = Polls::new(PollInterval::default());
        for name in ["a", "b", "c"] {
            polls.watch(name, seconds(0));
            polls.watch(name, seconds(50));
        }
        assert_eq!(polls.take_due(seconds(119)), Vec::<&str>::new());
        let mut due = polls.take_due(seconds(180));
        due.sort_unstable();
        assert_eq!(due, ["a", "b", "c"]);
        assert!(polls.next_due().unwrap() >= seconds(300));
        polls.unwatch(&"b");
        polls.hurry(&"c", seconds(181));
        polls.hurry(&"b", seconds(181));
        assert_eq!(polls.take_due(seconds(181)), ["c"]);
        assert_eq!(polls.take_due(seconds(400)).len(), 2);
    }

    #[test]
    fn no_interval_means_no_polling() {
        let mut polls = Polls::new(PollInterval { interval: Duration::ZERO, jitter: seconds(1) });
        polls.watch("a", seconds(0));
        assert_eq!((polls.next_due(), polls.take_due(seconds(1_000_000))), (None, vec![]));
    }
}
