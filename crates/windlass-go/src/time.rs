//! Instants, calendar dates and time zones as Go's `time` package has them.
//!
//! A [`Time`] is an instant with nanoseconds and the [`Zone`] it is shown in. Layouts are Go's: the reference
//! time `Mon Jan 2 15:04:05 MST 2006` written the way the result shall look ([`Time::format`],
//! [`Time::parse`]). Zones come from the time zone database compiled into the program, so that the same
//! input gives the same output everywhere; there is no clock here.
//!
//! ```
//! use windlass_go::time::{Time, Zone};
//! let time = Time::from_unix(1_700_000_000, 0).in_zone(Zone::load("Europe/Berlin").expect("known zone"));
//! assert_eq!(time.format("Mon, 02 Jan 2006 15:04:05 MST"), "Tue, 14 Nov 2023 23:13:20 CET");
//! let parsed = Time::parse("2006-01-02 -0700", "2024-02-29 +0100", &Zone::Utc)?;
//! assert_eq!(parsed.to_string(), "2024-02-29 00:00:00 +0100 +0100");
//! # Ok::<(), windlass_go::time::ParseTimeError>(())
//! ```

mod format;
mod layout;
mod parse;
mod zone;

pub use parse::ParseTimeError;
pub use zone::{UnknownZone, Zone};

use crate::duration::Duration;

/// An instant, and the zone it is shown in; Go's `time.Time`.
#[derive(Clone, Debug)]
pub struct Time {
    /// Seconds since 1970-01-01 00:00 UTC.
    seconds: i64,
    /// Always below one second.
    nanos: u32,
    zone: Zone,
}

/// What a calendar and a clock show at an instant in its zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// The year, negative before year 0.
    pub year: i64,
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
    /// 0 to 23.
    pub hour: u32,
    /// 0 to 59.
    pub minute: u32,
    /// 0 to 59.
    pub second: u32,
    /// Sunday is 0.
    pub weekday: u32,
    /// 1 to 366.
    pub year_day: u32,
}

const SECONDS_PER_DAY: i64 = 86_400;

/// Midnight of 1 January of year 1, Go's zero time, in Unix seconds.
const ZERO_SECONDS: i64 = -62_135_596_800;

/// Days from Go's first one, 1 March of the year -292277022400, to 1970-01-01.
const DAYS_BEFORE_1970: u64 = 292_277_022_400 / 400 * 146_097 + 306 + 719_162;

const NANOS_PER_SECOND: i64 = 1_000_000_000;

impl Time {
    /// Go's zero value: midnight of 1 January of year 1, UTC.
    pub const ZERO: Self = Self { seconds: ZERO_SECONDS, nanos: 0, zone: Zone::Utc };

    /// Makes the instant so many seconds and nanoseconds after 1970-01-01 00:00, shown in UTC.
    #[must_use]
    pub fn from_unix(seconds: i64, nanos: u32) -> Self {
        let carried = i64::from(nanos) / NANOS_PER_SECOND;
        Self { seconds: seconds.wrapping_add(carried), nanos: nanos % 1_000_000_000, zone: Zone::Utc }
    }

    /// Makes the instant at which calendar and clock show these values in the zone.
    ///
    /// A time that a zone skips or shows twice is resolved as Go does. `civil.weekday` and `civil.year_day`
    /// are not read.
    #[must_use]
    pub fn from_civil(civil: Civil, nanos: u32, zone: &Zone) -> Self {
        let shown = days_from_civil(civil.year, civil.month, civil.day) * SECONDS_PER_DAY
            + i64::from(civil.hour) * 3_600
            + i64::from(civil.minute) * 60
            + i64::from(civil.second);
        let offset = i64::from(zone.offset_at(shown).seconds);
        let mut seconds = shown;
        if offset != 0 {
            // The offset was looked up as if the time were UTC; if that guess fell beyond a transition,
            // the offset in force at the guessed instant counts.
            seconds = shown - i64::from(zone.offset_at(shown - offset).seconds);
        }
        Self { seconds, nanos, zone: zone.clone() }
    }

    /// The same instant shown in another zone.
    #[must_use]
    pub fn in_zone(mut self, zone: Zone) -> Self {
        self.zone = zone;
        self
    }

    /// The zone it is shown in.
    #[must_use]
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// Seconds since 1970-01-01 00:00 UTC.
    #[must_use]
    pub fn unix(&self) -> i64 {
        self.seconds
    }

    /// Nanoseconds since 1970-01-01 00:00 UTC, wrapping around outside of the years 1678 to 2262.
    #[must_use]
    pub fn unix_nanos(&self) -> i64 {
        self.seconds.wrapping_mul(NANOS_PER_SECOND).wrapping_add(i64::from(self.nanos))
    }

    /// Nanoseconds within the second.
    #[must_use]
    pub fn nanosecond(&self) -> u32 {
        self.nanos
    }

    /// Whether it is Go's zero time.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.seconds == ZERO_SECONDS && self.nanos == 0
    }

    /// The instant so much later, or earlier.
    #[must_use]
    pub fn add(&self, duration: Duration) -> Self {
        let span = duration.as_nanos();
        let mut seconds = self.seconds.wrapping_add(span / NANOS_PER_SECOND);
        let mut nanos = i64::from(self.nanos) + span % NANOS_PER_SECOND;
        if nanos >= NANOS_PER_SECOND {
            seconds = seconds.wrapping_add(1);
            nanos -= NANOS_PER_SECOND;
        } else if nanos < 0 {
            seconds = seconds.wrapping_sub(1);
            nanos += NANOS_PER_SECOND;
        }
        Self { seconds, nanos: u32::try_from(nanos).unwrap_or(0), zone: self.zone.clone() }
    }

    /// The time since another instant; beyond the range of a duration, the longest there is.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Duration {
        let seconds = i128::from(self.seconds) - i128::from(earlier.seconds);
        let nanos =
            seconds * i128::from(NANOS_PER_SECOND) + i128::from(self.nanos) - i128::from(earlier.nanos);
        let clamped = nanos.clamp(i128::from(i64::MIN), i128::from(i64::MAX));
        Duration::from_nanos(i64::try_from(clamped).unwrap_or(i64::MAX))
    }

    /// What calendar and clock show.
    #[must_use]
    pub fn civil(&self) -> Civil {
        let shown = self.seconds.wrapping_add(i64::from(self.offset().seconds));
        // Go counts from a year so early that all later ones are positive; what is before it wraps around.
        let since_first = shown.cast_unsigned().wrapping_add(DAYS_BEFORE_1970 * 86_400);
        let days = (since_first / 86_400).cast_signed() - DAYS_BEFORE_1970.cast_signed();
        let second = u32::try_from(since_first % 86_400).unwrap_or(0);
        let (year, month, day) = civil_from_days(days);
        let year_day = days - days_from_civil(year, 1, 1) + 1;
        Civil {
            year,
            month,
            day,
            hour: second / 3_600,
            minute: second / 60 % 60,
            second: second % 60,
            // 1 January 1970 was a Thursday.
            weekday: u32::try_from((days + 4).rem_euclid(7)).unwrap_or(0),
            year_day: u32::try_from(year_day).unwrap_or(1),
        }
    }

    /// The zone's offset and abbreviation at this instant.
    #[must_use]
    pub fn offset(&self) -> zone::Offset {
        self.zone.offset_at(self.seconds)
    }
}

/// Equal instants are equal, whatever zone they are shown in.
impl PartialEq for Time {
    fn eq(&self, other: &Self) -> bool {
        (self.seconds, self.nanos) == (other.seconds, other.nanos)
    }
}

impl Eq for Time {}

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar.
///
/// Counted in years that begin in March, so that the leap day comes last.
#[must_use]
pub fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = i64::from((month + 9) % 12);
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, u32::try_from(month).unwrap_or(1), u32::try_from(day).unwrap_or(1))
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(month: u32, year: i64) -> u32 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
