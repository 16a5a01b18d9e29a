//! When a schedule is due: five fields as robfig/cron v3.0.1 reads them, daylight saving included.
//!
//! Argo CD's sync windows and Kubernetes' CronJobs are written so. Answers agree with the original
//! (`tests/data/cron.jsonl`, recorded by `tools/oracle-cron`), also in what a time that a zone skips or repeats means:
//! `30 2 * * *` does not happen in the night that has no half past two.
//!
//! ```
//! use windlass_go::cron::Schedule;
//!
//! let schedule = Schedule::parse("0 22 * * 1-5", "Europe/Berlin")?;
//! let friday_noon = 1_767_956_400; // 2026-01-09T11:00:00Z
//! assert_eq!(schedule.next_after(friday_noon), Some(1_767_992_400)); // 2026-01-09T21:00:00Z
//! # Ok::<(), windlass_go::cron::ParseScheduleError>(())
//! ```

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// After as many years without a time, none comes: as in the original.
const YEARS: i16 = 5;

/// In a field's bits: it was `*` or `?`, so that it does not count as an alternative.
const STAR: u64 = 1 << 63;

/// A parsed schedule, in its time zone.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    zone: TimeZone,
}

/// The text is no schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseScheduleError {
    /// It does not have five fields.
    #[error("a schedule has 5 fields, this has {0}")]
    Fields(usize),
    /// A field cannot be read.
    #[error("{0:?} is no field of a schedule")]
    Field(String),
    /// There is no such time zone.
    #[error("there is no time zone {0:?}")]
    Zone(String),
}

impl Schedule {
    /// Reads a schedule of five fields. A zone in front (`TZ=` or `CRON_TZ=`) wins over `zone`; an empty one is UTC.
    ///
    /// # Errors
    ///
    /// [`ParseScheduleError`]; also for the `@` words, which [`parse_with_words`](Self::parse_with_words) reads.
    pub fn parse(text: &str, zone: &str) -> Result<Self, ParseScheduleError> {
        const MONTHS: [&str; 12] =
            ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
        const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
        let (zone, fields) = match text.strip_prefix("TZ=").or_else(|| text.strip_prefix("CRON_TZ=")) {
            Some(rest) => rest.split_once(' ').unwrap_or((rest, "")),
            None => (zone, text),
        };
        let zone = match zone {
            "" | "UTC" => TimeZone::UTC,
            name => TimeZone::get(name).map_err(|_| ParseScheduleError::Zone(name.into()))?,
        };
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields.as_slice() else {
            return Err(ParseScheduleError::Fields(fields.len()));
        };
        Ok(Self {
            minutes: bits(minutes, 0, 59, &[])?,
            hours: bits(hours, 0, 23, &[])?,
            days: bits(days, 1, 31, &[])?,
            months: bits(months, 1, 12, &MONTHS)?,
            weekdays: bits(weekdays, 0, 6, &DAYS)?,
            zone,
        })
    }

    /// The same, with `@yearly`, `@annually`, `@monthly`, `@weekly`, `@daily`, `@midnight` and `@hourly`.
    ///
    /// # Errors
    ///
    /// [`ParseScheduleError`].
    pub fn parse_with_words(text: &str, zone: &str) -> Result<Self, ParseScheduleError> {
        let text = match text.trim() {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            other => other,
        };
        Self::parse(text, zone)
    }

    /// The first time after `unix`, in seconds since 1970. `None` when none comes within five years.
    #[must_use]
    pub fn next_after(&self, unix: i64) -> Option<i64> {
        let mut at = self.at(unix.checked_add(1)?)?;
        let last_year = at.civil.year().checked_add(YEARS)?;
        let mut rounded = false;
        'again: loop {
            if at.civil.year() > last_year {
                return None;
            }
            while !has(self.months, at.civil.month()) {
                if !std::mem::replace(&mut rounded, true) {
                    at = self.date(at.civil.date().first_of_month().into())?;
                }
                at = self.date(at.civil.checked_add(1.month()).ok()?)?;
                if at.civil.month() == 1 {
                    continue 'again;
                }
            }
            while !self.has_day(at.civil) {
                if !std::mem::replace(&mut rounded, true) {
                    at = self.date(at.civil.date().into())?;
                }
                at = self.date(at.civil.checked_add(1.day()).ok()?)?;
                // Where midnight does not exist, the next hour that does is meant.
                let hour = i64::from(at.civil.hour());
                if hour != 0 {
                    let shift = if hour > 12 { 24 - hour } else { -hour };
                    at = self.at(at.unix + shift * 3600)?;
                }
                if at.civil.day() == 1 {
                    continue 'again;
                }
            }
            while !has(self.hours, at.civil.hour()) {
                if !std::mem::replace(&mut rounded, true) {
                    let hour = at.civil.with().minute(0).second(0).subsec_nanosecond(0).build().ok()?;
                    at = self.date(hour)?;
                }
                at = self.at(at.unix + 3600)?;
                if at.civil.hour() == 0 {
                    continue 'again;
                }
            }
            while !has(self.minutes, at.civil.minute()) {
                if !std::mem::replace(&mut rounded, true) {
                    at = self.at(at.unix - at.unix.rem_euclid(60))?;
                }
                at = self.at(at.unix + 60)?;
                if at.civil.minute() == 0 {
                    continue 'again;
                }
            }
            if at.civil.second() != 0 {
                rounded = true;
                at = self.at(at.unix + 60 - at.unix.rem_euclid(60))?;
                continue 'again;
            }
            return Some(at.unix);
        }
    }

    fn has_day(&self, day: DateTime) -> bool {
        let of_month = has(self.days, day.day());
        let of_week = has(self.weekdays, day.weekday().to_sunday_zero_offset());
        if self.days & STAR != 0 || self.weekdays & STAR != 0 {
            of_month && of_week
        } else {
            of_month || of_week
        }
    }

    fn at(&self, unix: i64) -> Option<Moment> {
        let timestamp = Timestamp::from_second(unix).ok()?;
        Some(Moment { unix, civil: self.zone.to_datetime(timestamp) })
    }

    /// The moment that Go's `time.Date` takes for a local time, one that does not exist or exists twice included.
    fn date(&self, civil: DateTime) -> Option<Moment> {
        let offset = |unix: i64| -> Option<i64> {
            let timestamp = Timestamp::from_second(unix).ok()?;
            Some(i64::from(self.zone.to_offset(timestamp).seconds()))
        };
        let naive = TimeZone::UTC.to_timestamp(civil).ok()?.as_second();
        let first = offset(naive)?;
        let unix = if first == 0 { naive } else { naive - offset(naive - first)? };
        self.at(unix)
    }
}

#[derive(Clone, Copy)]
struct Moment {
    unix: i64,
    civil: DateTime,
}

fn has(bits: u64, number: i8) -> bool {
    u32::try_from(number).is_ok_and(|number| bits.checked_shr(number).unwrap_or(0) & 1 == 1)
}

/// The numbers that a field names.
fn bits(field: &str, low: u64, high: u64, names: &[&str]) -> Result<u64, ParseScheduleError> {
    let mut all = 0;
    for part in field.split(',').filter(|part| !part.is_empty()) {
        all |= range(part, low, high, names).ok_or_else(|| ParseScheduleError::Field(part.into()))?;
    }
    Ok(all)
}

fn range(part: &str, low: u64, high: u64, names: &[&str]) -> Option<u64> {
    let number = |text: &str| {
        let lower = text.to_lowercase();
        match names.iter().position(|name| *name == lower) {
            Some(idx) => u64::try_from(idx).ok().map(|idx| idx + low),
            None => text.parse::<i64>().ok().and_then(|number| u64::try_from(number).ok()),
        }
    };
    let mut slashes = part.split('/');
    let (ends, step) = (slashes.next()?, slashes.next());
    let mut hyphens = ends.split('-');
    let (first, last) = (hyphens.next()?, hyphens.next());
    if slashes.next().is_some() || hyphens.next().is_some() {
        return None;
    }
    let is_star = matches!(first, "*" | "?");
    let (start, mut end) = match last {
        _ if is_star => (low, high),
        Some(last) => (number(first)?, number(last)?),
        None => (number(first)?, number(first)?),
    };
    let step = match step {
        Some(step) => {
            if last.is_none() {
                end = high;
            }
            step.parse::<i64>().ok().and_then(|step| u64::try_from(step).ok())?
        }
        None => 1,
    };
    if start < low || end > high || start > end || step == 0 {
        return None;
    }
    let mut set = if is_star && step == 1 { STAR } else { 0 };
    let mut next = Some(start);
    while let Some(at) = next.filter(|at| *at <= end) {
        set |= 1 << at;
        next = at.checked_add(step);
    }
    Some(set)
}
