//! When a Unit may be synced.

use std::time::Duration;

use windlass_go::cron::Schedule;
use windlass_kube::Str;

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
