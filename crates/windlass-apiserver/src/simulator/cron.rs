//! When a CronJob is due: five fields as robfig/cron v3 reads them, and its `@` words.

use std::time::{Duration, SystemTime};

use jiff::{Timestamp, ToSpan, Zoned, tz::TimeZone};

/// For how many days a next time is looked for: February 29 comes within eight years.
const HORIZON_DAYS: i64 = 8 * 366;

/// How many missed times are looked through; Kubernetes gives up after a hundred.
const MISSED: usize = 100;

/// A parsed schedule.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Days and weekdays are alternatives unless one of them is `*`.
    either_day: bool,
    zone: TimeZone,
}

impl Schedule {
    /// Reads a schedule; an empty zone is UTC. `None` for one that cannot be read.
    pub(super) fn parse(text: &str, zone: &str) -> Option<Self> {
        let text = match text.trim() {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            other => other,
        };
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields.as_slice() else { return None };
        const MONTHS: [&str; 12] =
            ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
        const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
        let any = |field: &str| field.starts_with('*') || field.starts_with('?');
        Some(Self {
            minutes: set(minutes, 0, 59, &[])?,
            hours: set(hours, 0, 23, &[])?,
            days: set(days, 1, 31, &[])?,
            months: set(months, 1, 12, &MONTHS)?,
            weekdays: set(weekdays, 0, 6, &DAYS)?,
            either_day: !any(days) && !any(weekdays),
            zone: if zone.is_empty() { TimeZone::UTC } else { TimeZone::get(zone).ok()? },
        })
    }

    /// The first time after `now`.
    pub(super) fn next_after(&self, now: SystemTime) -> Option<SystemTime> {
        let start = Timestamp::try_from(now).ok()?.to_zoned(self.zone.clone());
        let mut day = start.start_of_day().ok()?;
        for _ in 0..HORIZON_DAYS {
            if self.has_day(&day)
                && let Some(found) = self.times_of(&day).find(|time| *time > start)
            {
                return Some(found.timestamp().into());
            }
            day = day.checked_add(1.day()).ok()?.start_of_day().ok()?;
        }
        None
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

    fn has_day(&self, day: &Zoned) -> bool {
        let has = |set: u64, number: i8| set >> number & 1 == 1;
        let of_month = has(self.days, day.day());
        let of_week = has(self.weekdays, day.weekday().to_sunday_zero_offset());
        has(self.months, day.month())
            && if self.either_day { of_month || of_week } else { of_month && of_week }
    }

    fn times_of<'a>(&'a self, day: &'a Zoned) -> impl Iterator<Item = Zoned> + 'a {
        (0..24_i8).filter(|hour| self.hours >> hour & 1 == 1).flat_map(move |hour| {
            (0..60_i8)
                .filter(|minute| self.minutes >> minute & 1 == 1)
                .filter_map(move |minute| day.with().hour(hour).minute(minute).build().ok())
        })
    }
}

/// The numbers a field names, as bits.
fn set(field: &str, low: u64, high: u64, names: &[&str]) -> Option<u64> {
    let number = |text: &str| {
        let lower = text.to_lowercase();
        let named = names.iter().position(|name| *name == lower).and_then(|idx| u64::try_from(idx).ok());
        named
            .map(|idx| idx + low)
            .or_else(|| text.parse().ok())
            .filter(|number| (low..=high).contains(number))
    };
    let mut bits = 0;
    for part in field.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step.parse::<u64>().ok().filter(|step| *step > 0)?)),
            None => (part, None),
        };
        let (first, last) = match range.split_once('-') {
            _ if matches!(range, "*" | "?") => (low, high),
            Some((first, last)) => (number(first)?, number(last)?),
            None => {
                let first = number(range)?;
                (first, if step.is_some() { high } else { first })
            }
        };
        if first > last {
            return None;
        }
        let mut next = Some(first);
        while let Some(at) = next.filter(|at| *at <= last) {
            bits |= 1 << at;
            next = at.checked_add(step.unwrap_or(1));
        }
    }
    Some(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SystemTime {
        text.parse::<Timestamp>().expect("a time").into()
    }

    #[test]
    fn schedules_find_their_next_time() {
        for (schedule, zone, after, next) in [
            ("*/5 * * * *", "", "2026-01-01T00:00:00Z", "2026-01-01T00:05:00Z"),
            ("0 0 29 2 *", "", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"),
            ("30 4 * * mon-fri", "", "2026-01-02T04:30:00Z", "2026-01-05T04:30:00Z"),
            ("0 12 13 * 5", "", "2026-01-01T00:00:00Z", "2026-01-02T12:00:00Z"),
            ("0/18446744073709551615 * * * *", "", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z"),
            ("@daily", "Europe/Berlin", "2026-07-01T00:00:00Z", "2026-07-01T22:00:00Z"),
        ] {
            let schedule = Schedule::parse(schedule, zone).expect("a schedule");
            assert_eq!(schedule.next_after(at(after)), Some(at(next)), "{schedule:?}");
        }
        for bad in ["* * * *", "60 * * * *", "a * * * *", "5-1 * * * *", "*/0 * * * *"] {
            assert!(Schedule::parse(bad, "").is_none(), "{bad}");
        }
    }

    #[test]
    fn the_latest_missed_time_counts() {
        let schedule = Schedule::parse("0 * * * *", "").expect("a schedule");
        let due = schedule.last_between(at("2026-01-01T00:30:00Z"), at("2026-01-01T03:10:00Z"));
        assert_eq!(due, Some(at("2026-01-01T03:00:00Z")));
        assert_eq!(schedule.last_between(at("2026-01-01T03:00:00Z"), at("2026-01-01T03:10:00Z")), None);
    }
}
