//! When a Unit may be synced.

use std::time::Duration;

use windlass_go::cron::Schedule;
use windlass_kube::Str;

use crate::Time;

/// A time span that comes again and again, in which syncs are allowed or denied.
#[derive(Clone, Debug, PartialEq)]
pub struct SyncWindow {
    /// Whether it allows; it denies otherwise.
    pub allows: bool,
    /// When it opens, in its time zone.
    pub schedule: Schedule,
    /// How long it stays open.
    pub duration: Duration,
    /// Whether people may sync all the same.
    pub manual_sync: bool,
    /// Whether a sync that has begun may go on when it is not allowed any more.
    pub overrun: bool,
    /// For people: what it says of itself, or its schedule.
    pub description: Str,
}

impl SyncWindow {
    /// Whether it is open: from the second it opens until its duration is over.
    #[must_use]
    pub fn is_open(&self, now: Time) -> bool {
        self.last_opening(now).is_some_and(|opens| opens <= now.unix())
    }

    /// When it opens or closes next; `None` when it never does again.
    #[must_use]
    pub fn next_change(&self, now: Time) -> Option<Time> {
        let opens = self.schedule.next_after(now.unix());
        let closes = self.last_opening(now).map(|opens| opens.saturating_add(self.seconds()));
        [opens, closes].into_iter().flatten().filter(|at| *at > now.unix()).min().map(Time::from_unix)
    }

    /// The first opening from which it would still be open; it may lie ahead.
    fn last_opening(&self, now: Time) -> Option<i64> {
        self.schedule.next_after(now.unix().saturating_sub(self.seconds()))
    }

    fn seconds(&self) -> i64 {
        i64::try_from(self.duration.as_secs()).unwrap_or(i64::MAX)
    }
}
