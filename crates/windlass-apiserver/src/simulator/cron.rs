//! When a CronJob is due.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How many missed times are looked through; Kubernetes gives up after a hundred.
const MISSED: usize = 100;

/// A parsed schedule.
#[derive(Clone, Debug)]
pub(super) struct Schedule(windlass_go::cron::Schedule);

impl Schedule {
    /// Reads a schedule; an empty zone is UTC. `None` for one that cannot be read.
    pub(super) fn parse(text: &str, zone: &str) -> Option<Self> {
        windlass_go::cron::Schedule::parse_with_words(text, zone).ok().map(Self)
    }

    /// The first time after `now`.
    pub(super) fn next_after(&self, now: SystemTime) -> Option<SystemTime> {
        let now = now.duration_since(UNIX_EPOCH).ok()?.as_secs();
        let next = self.0.next_after(i64::try_from(now).ok()?)?;
        UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(next).ok()?))
    }

    /// The latest time after `since` and not after `now`.
    pub(super) fn last_between(&self, since: SystemTime, now: SystemTime) -> Option<SystemTime> {
        let mut found = None;
        let mut from = since;
        for _ in 0..MISSED {
            match self.next_after(from).filter(|next| *next <= now) {
                Some(next) => {
                    found = Some(next);
                    from = next;
                }
                None => return found,
            }
        }
        // Too long ago to count: begin with the latest minutes.
        let recent = now.checked_sub(Duration::from_secs(3600))?;
        if recent > from { self.last_between(recent, now).or(found) } else { found }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SystemTime {
        text.parse::<jiff::Timestamp>().expect("a time").into()
    }

    #[test]
    fn schedules_find_their_next_time() {
        for (schedule, zone, after, next) in [
            ("*/5 * * * *", "", "2026-01-01T00:00:00Z", "2026-01-01T00:05:00Z"),
            ("@daily", "Europe/Berlin", "2026-07-01T00:00:00Z", "2026-07-01T22:00:00Z"),
        ] {
            let schedule = Schedule::parse(schedule, zone).expect("a schedule");
            assert_eq!(schedule.next_after(at(after)), Some(at(next)), "{schedule:?}");
        }
        assert!(Schedule::parse("60 * * * *", "").is_none());
    }

    #[test]
    fn the_latest_missed_time_counts() {
        let schedule = Schedule::parse("0 * * * *", "").expect("a schedule");
        let due = schedule.last_between(at("2026-01-01T00:30:00Z"), at("2026-01-01T03:10:00Z"));
        assert_eq!(due, Some(at("2026-01-01T03:00:00Z")));
        assert_eq!(schedule.last_between(at("2026-01-01T03:00:00Z"), at("2026-01-01T03:10:00Z")), None);
    }
}
