//! Which objects were brought back to what is declared, how often in a row, and when that may be done again.
//!
//! Whoever changes one object back again and again is met ever more slowly; whoever changes many, once each, is not.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;
use windlass_kube::ObjectRef;

/// Drift of an object is undone at once this often; whoever changes it back more often is met ever more slowly.
const FREE_HEALS: u32 = 3;

/// Argo CD's figures: 2 s, three times as long each time, at most 300 s.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// After a minute without drift a change is a new story, or after longer where the pauses are.
const QUIET: Duration = Duration::from_secs(60);

/// What was brought back lately.
#[derive(Debug, Default)]
pub(crate) struct Healed(BTreeMap<ObjectRef, Times>);

#[derive(Debug, Clone, Copy)]
struct Times {
    count: u32,
    last: Instant,
}

impl Times {
    fn pause(self) -> Duration {
        match self.count.checked_sub(FREE_HEALS) {
            None => Duration::ZERO,
            Some(more) => FIRST_PAUSE.saturating_mul(3u32.saturating_pow(more)).min(LONGEST_PAUSE),
        }
    }

    fn quiet_at(self) -> Instant {
        self.last + QUIET.max(self.pause() * 2)
    }
}

impl Healed {
    /// Notes that an object is brought back now.
    pub(crate) fn note(&mut self, key: &ObjectRef, now: Instant) {
        let times = self.0.entry(key.clone()).or_insert(Times { count: 0, last: now });
        times.count = times.count.saturating_add(1);
        times.last = now;
    }

    /// Forgets those that have stayed as they are for long enough.
    pub(crate) fn forget_quiet(&mut self, now: Instant) {
        self.0.retain(|_, times| times.quiet_at() > now);
    }

    /// Until when an object stays as somebody left it, if it does.
    pub(crate) fn rests_until(&self, key: &ObjectRef, now: Instant) -> Option<Instant> {
        let times = self.0.get(key)?;
        let until = times.last + times.pause();
        (until > now).then_some(until)
    }

    /// How often in a row an object was brought back.
    pub(crate) fn count(&self, key: &ObjectRef) -> u32 {
        self.0.get(key).map_or(0, |times| times.count)
    }

    /// Whether an object comes back as often as it is undone.
    pub(crate) fn is_contested(&self, key: &ObjectRef) -> bool {
        self.count(key) >= FREE_HEALS
    }

    /// When an object will have been left alone for long enough.
    pub(crate) fn quiet_at(&self, key: &ObjectRef) -> Option<Instant> {
        self.0.get(key).map(|times| times.quiet_at())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_for_each_object_by_itself_and_end_with_quiet() {
        let (one, other) =
            (ObjectRef::new("", "ConfigMap", "web", "one"), ObjectRef::new("", "ConfigMap", "web", "other"));
        let begun = Instant::now();
        let mut now = begun;
        let mut healed = Healed::default();
        let mut pauses = Vec::new();
        for _ in 0..9 {
            healed.note(&one, now);
            let until = healed.rests_until(&one, now).unwrap_or(now);
            pauses.push((until - now).as_secs());
            now = until;
        }
        assert_eq!(pauses, [0, 0, 2, 6, 18, 54, 162, 300, 300]);
        assert!(
            healed.is_contested(&one) && healed.rests_until(&one, now - Duration::from_secs(1)).is_some()
        );
        healed.note(&other, now);
        assert_eq!((healed.rests_until(&other, now), healed.is_contested(&other)), (None, false));
        healed.forget_quiet(now + Duration::from_secs(61));
        assert_eq!((healed.count(&one), healed.count(&other)), (9, 0));
        healed.forget_quiet(now + Duration::from_secs(301));
        assert_eq!(healed.count(&one), 0);
    }
}
