//! Prints a time by a layout.

use std::fmt;
use std::fmt::Write as _;

use super::layout::{Part, Precision, split};
use super::{Civil, MONTHS, Time, WEEKDAYS};

/// The layout of Go's `time.RFC3339Nano`.
const RFC3339_NANO: &str = "2006-01-02T15:04:05.999999999Z07:00";

impl Time {
    /// Prints the time as the layout shows the reference time `Mon Jan 2 15:04:05 MST 2006`.
    #[must_use]
    pub fn format(&self, layout: &str) -> String {
        let formatted = self.format_bytes(layout.as_bytes());
        String::from_utf8(formatted).unwrap_or_else(|error| {
            // A layout part is ASCII, so a layout that was text stays text.
            String::from_utf8_lossy(error.as_bytes()).into_owned()
        })
    }

    /// Like [`Time::format`], for a layout that need not be UTF-8.
    #[must_use]
    pub fn format_bytes(&self, layout: &[u8]) -> Vec<u8> {
        let civil = self.civil();
        let mut printed = Vec::with_capacity(layout.len() + 10);
        let mut rest = layout;
        loop {
            let next = split(rest);
            printed.extend_from_slice(next.before);
            let Some((part, _)) = next.part else { return printed };
            let mut text = String::new();
            // Writing to a string cannot fail.
            let _ = self.write_part(&mut text, part, &civil);
            printed.extend_from_slice(text.as_bytes());
            rest = next.rest;
        }
    }

    /// Prints the time as `encoding/json` does: RFC 3339 with the nanoseconds there are.
    ///
    /// # Errors
    ///
    /// [`NotRfc3339`] when the year has not four digits, or the offset a day or more.
    pub fn to_rfc3339(&self) -> Result<String, NotRfc3339> {
        if !(0..=9999).contains(&self.civil().year) {
            return Err(NotRfc3339::Year);
        }
        if self.offset().seconds.abs() >= 86_400 {
            return Err(NotRfc3339::Offset);
        }
        Ok(self.format(RFC3339_NANO))
    }

    fn write_part(&self, out: &mut String, part: Part, civil: &Civil) -> fmt::Result {
        let month_name = MONTHS[(civil.month as usize - 1) % 12];
        let weekday_name = WEEKDAYS[civil.weekday as usize % 7];
        let hour12 = if civil.hour.is_multiple_of(12) { 12 } else { civil.hour % 12 };
        match part {
            Part::LongMonth => out.write_str(month_name),
            Part::Month => out.write_str(&month_name[..3]),
            Part::NumMonth => write!(out, "{}", civil.month),
            Part::ZeroMonth => write!(out, "{:02}", civil.month),
            Part::LongWeekday => out.write_str(weekday_name),
            Part::Weekday => out.write_str(&weekday_name[..3]),
            Part::Day => write!(out, "{}", civil.day),
            Part::UnderDay => write!(out, "{:2}", civil.day),
            Part::ZeroDay => write!(out, "{:02}", civil.day),
            Part::UnderYearDay => write!(out, "{:3}", civil.year_day),
            Part::ZeroYearDay => write!(out, "{:03}", civil.year_day),
            Part::Hour => write!(out, "{:02}", civil.hour),
            Part::Hour12 => write!(out, "{hour12}"),
            Part::ZeroHour12 => write!(out, "{hour12:02}"),
            Part::Minute => write!(out, "{}", civil.minute),
            Part::ZeroMinute => write!(out, "{:02}", civil.minute),
            Part::Second => write!(out, "{}", civil.second),
            Part::ZeroSecond => write!(out, "{:02}", civil.second),
            Part::LongYear if civil.year < 0 => write!(out, "-{:04}", civil.year.unsigned_abs()),
            Part::LongYear => write!(out, "{:04}", civil.year),
            Part::Year => write!(out, "{:02}", civil.year.max(0) % 100),
            Part::UpperMeridiem => out.write_str(if civil.hour >= 12 { "PM" } else { "AM" }),
            Part::LowerMeridiem => out.write_str(if civil.hour >= 12 { "pm" } else { "am" }),
            Part::ZoneName => {
                let offset = self.offset();
                match &*offset.abbreviation {
                    "" => write_offset(out, offset.seconds, Precision::Minutes, false),
                    name => out.write_str(name),
                }
            }
            Part::Offset { zulu, precision, colon } => match self.offset().seconds {
                0 if zulu => out.write_char('Z'),
                seconds => write_offset(out, seconds, precision, colon),
            },
            Part::Fraction { digits, separator, trim } => {
                let all = format!("{:09}", self.nanosecond());
                let mut shown = &all[..digits.min(9)];
                if trim {
                    shown = shown.trim_end_matches('0');
                    if shown.is_empty() {
                        return Ok(());
                    }
                }
                write!(out, "{}{shown}", char::from(separator))
            }
        }
    }
}

/// A time that RFC 3339 cannot write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRfc3339 {
    /// The year has more than four digits, or a sign.
    #[error("year outside of range [0,9999]")]
    Year,
    /// The zone is a day or more away from UTC.
    #[error("timezone hour outside of range [0,23]")]
    Offset,
}

fn write_offset(out: &mut String, seconds: i32, precision: Precision, colon: bool) -> fmt::Result {
    // The sign is that of whole minutes, so that -30 seconds print as +00.
    let minutes = seconds / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    let (minutes, seconds) = (minutes.unsigned_abs(), seconds.unsigned_abs());
    let separator = if colon { ":" } else { "" };
    write!(out, "{sign}{:02}", minutes / 60)?;
    if precision != Precision::Hours {
        write!(out, "{separator}{:02}", minutes % 60)?;
    }
    if precision == Precision::Seconds {
        write!(out, "{separator}{:02}", seconds % 60)?;
    }
    Ok(())
}

/// Prints as Go's `Time.String` does.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.format("2006-01-02 15:04:05.999999999 -0700 MST"))
    }
}
