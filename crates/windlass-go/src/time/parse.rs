//! Reads a time by a layout.

use std::fmt;

use super::layout::{Part, Precision, split};
use super::{Civil, MONTHS, Time, WEEKDAYS, Zone, days_in, is_leap};

/// Why a text is no time of the layout; prints as Go words it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseTimeError {
    layout: Vec<u8>,
    value: Vec<u8>,
    problem: Problem,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Problem {
    /// What stands in the text where the part of the layout should.
    Mismatch {
        part: Vec<u8>,
        found: Vec<u8>,
    },
    Extra(Vec<u8>),
    OutOfRange(&'static str),
    YearDayMismatch(&'static str),
}

impl std::error::Error for ParseTimeError {}

impl fmt::Display for ParseTimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "parsing time {}", Quoted(&self.value))?;
        match &self.problem {
            Problem::Mismatch { part, found } => {
                write!(f, " as {}: cannot parse {} as {}", Quoted(&self.layout), Quoted(found), Quoted(part))
            }
            Problem::Extra(text) => write!(f, ": extra text: {}", Quoted(text)),
            Problem::OutOfRange(what) => write!(f, ": {what} out of range"),
            Problem::YearDayMismatch(what) => write!(f, ": day-of-year does not match {what}"),
        }
    }
}

/// The `time` package's own quoting: every byte outside printable ASCII as hexadecimal.
struct Quoted<'a>(&'a [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for byte in self.0 {
            match byte {
                b'"' | b'\\' => write!(f, "\\{}", char::from(*byte))?,
                b' '..=0x7f => write!(f, "{}", char::from(*byte))?,
                _ => write!(f, "\\x{byte:02x}")?,
            }
        }
        f.write_str("\"")
    }
}

/// What was read so far.
#[derive(Default)]
struct Fields {
    year: i64,
    month: Option<u32>,
    day: Option<u32>,
    year_day: Option<u32>,
    hour: u32,
    minute: u32,
    second: u32,
    nanos: u32,
    /// Whether the text said PM, or AM.
    is_afternoon: Option<bool>,
    is_utc: bool,
    offset: Option<i32>,
    zone_name: Vec<u8>,
}

/// Why one part could not be read.
enum Refusal {
    Mismatch,
    OutOfRange(&'static str),
}

type Read<'a, T> = Result<(T, &'a [u8]), Refusal>;

impl Time {
    /// Reads a time in the form the layout shows; where the text names no zone, in the zone given.
    ///
    /// An offset or an abbreviation that is in force in that zone at that time gives that zone; any other
    /// gives a made-up zone, as Go's `time.ParseInLocation` does.
    ///
    /// # Errors
    ///
    /// [`ParseTimeError`] in Go's words.
    pub fn parse(layout: &str, value: &str, zone: &Zone) -> Result<Self, ParseTimeError> {
        Self::parse_bytes(layout.as_bytes(), value.as_bytes(), zone)
    }

    /// Like [`Time::parse`], for texts that need not be UTF-8.
    ///
    /// # Errors
    ///
    /// As [`Time::parse`].
    pub fn parse_bytes(layout: &[u8], value: &[u8], zone: &Zone) -> Result<Self, ParseTimeError> {
        let error = |problem| ParseTimeError { layout: layout.to_vec(), value: value.to_vec(), problem };
        let mismatch = |part: &[u8], found: &[u8]| {
            error(Problem::Mismatch { part: part.to_vec(), found: found.to_vec() })
        };
        let mut fields = Fields::default();
        let (mut layout_rest, mut rest) = (layout, value);
        loop {
            let next = split(layout_rest);
            rest = skip(rest, next.before).map_err(|found| mismatch(next.before, found))?;
            let Some((part, spelling)) = next.part else { break };
            layout_rest = next.rest;
            rest = fields.read(part, rest, layout_rest).map_err(|refusal| match refusal {
                Refusal::Mismatch => mismatch(spelling, rest),
                Refusal::OutOfRange(what) => error(Problem::OutOfRange(what)),
            })?;
        }
        if !rest.is_empty() {
            return Err(error(Problem::Extra(rest.to_vec())));
        }
        fields.finish(zone).map_err(error)
    }
}

impl Fields {
    /// Reads one part off the front of the text; returns what is left.
    fn read<'a>(&mut self, part: Part, text: &'a [u8], layout_rest: &[u8]) -> Result<&'a [u8], Refusal> {
        let rest = match part {
            Part::Year => {
                let (digits, rest) = take(text, 2)?;
                let year = integer(digits)?;
                self.year = if year >= 69 { year + 1900 } else { year + 2000 };
                rest
            }
            Part::LongYear => {
                let (digits, rest) = take(text, 4)?;
                if !digits[0].is_ascii_digit() {
                    return Err(Refusal::Mismatch);
                }
                self.year = integer(digits)?;
                rest
            }
            Part::Month => set(&mut self.month, name(text, &MONTHS, true))?,
            Part::LongMonth => set(&mut self.month, name(text, &MONTHS, false))?,
            Part::NumMonth | Part::ZeroMonth => {
                let (month, rest) = number(text, part == Part::ZeroMonth)?;
                if !(1..=12).contains(&month) {
                    return Err(Refusal::OutOfRange("month"));
                }
                self.month = Some(month);
                rest
            }
            Part::Weekday => name(text, &WEEKDAYS, true)?.1,
            Part::LongWeekday => name(text, &WEEKDAYS, false)?.1,
            Part::Day | Part::UnderDay | Part::ZeroDay => {
                let text =
                    if part == Part::UnderDay { text.strip_prefix(b" ").unwrap_or(text) } else { text };
                set(&mut self.day, number(text, part == Part::ZeroDay))?
            }
            Part::UnderYearDay | Part::ZeroYearDay => {
                let mut text = text;
                if part == Part::UnderYearDay {
                    text = text.strip_prefix(b" ").unwrap_or(text);
                    text = text.strip_prefix(b" ").unwrap_or(text);
                }
                set(&mut self.year_day, long_number(text, part == Part::ZeroYearDay))?
            }
            Part::Hour => bounded(&mut self.hour, number(text, false), 23, "hour")?,
            Part::Hour12 => bounded(&mut self.hour, number(text, false), 12, "hour")?,
            Part::ZeroHour12 => bounded(&mut self.hour, number(text, true), 12, "hour")?,
            Part::Minute => bounded(&mut self.minute, number(text, false), 59, "minute")?,
            Part::ZeroMinute => bounded(&mut self.minute, number(text, true), 59, "minute")?,
            Part::Second | Part::ZeroSecond => {
                let read = number(text, part == Part::ZeroSecond);
                let rest = bounded(&mut self.second, read, 59, "second")?;
                let next_is_fraction = matches!(split(layout_rest).part, Some((Part::Fraction { .. }, _)));
                let digits = fraction_digits(rest);
                // A fraction may follow seconds even where the layout has none.
                if digits == 0 || next_is_fraction {
                    return Ok(rest);
                }
                self.nanos = nanoseconds(&rest[..=digits])?;
                &rest[1 + digits..]
            }
            Part::UpperMeridiem => self.read_meridiem(text, b"AM", b"PM")?,
            Part::LowerMeridiem => self.read_meridiem(text, b"am", b"pm")?,
            Part::Offset { zulu, precision, colon } => {
                if zulu && let Some(rest) = text.strip_prefix(b"Z") {
                    self.is_utc = true;
                    return Ok(rest);
                }
                let (offset, rest) = read_offset(text, precision, colon)?;
                self.offset = Some(offset);
                rest
            }
            Part::ZoneName => {
                if let Some(rest) = text.strip_prefix(b"UTC") {
                    self.is_utc = true;
                    return Ok(rest);
                }
                let length = zone_name_length(text).ok_or(Refusal::Mismatch)?;
                self.zone_name = text[..length].to_vec();
                &text[length..]
            }
            Part::Fraction { digits, trim: false, .. } => {
                let (fraction, rest) = take(text, 1 + digits)?;
                self.nanos = nanoseconds(fraction)?;
                rest
            }
            Part::Fraction { .. } => {
                let digits = fraction_digits(text);
                if digits == 0 {
                    return Ok(text);
                }
                self.nanos = nanoseconds(&text[..=digits])?;
                &text[1 + digits..]
            }
        };
        Ok(rest)
    }

    fn read_meridiem<'a>(&mut self, text: &'a [u8], am: &[u8], pm: &[u8]) -> Result<&'a [u8], Refusal> {
        let (word, rest) = take(text, 2)?;
        self.is_afternoon = Some(match word {
            // Once PM was read it stays, even if AM follows.
            _ if word == am => self.is_afternoon == Some(true),
            _ if word == pm => true,
            _ => return Err(Refusal::Mismatch),
        });
        Ok(rest)
    }

    fn finish(mut self, zone: &Zone) -> Result<Time, Problem> {
        match self.is_afternoon {
            Some(true) if self.hour < 12 => self.hour += 12,
            Some(false) if self.hour == 12 => self.hour = 0,
            _ => {}
        }
        let (month, day) = self.month_and_day()?;
        if day < 1 || day > days_in(month, self.year) {
            return Err(Problem::OutOfRange("day"));
        }
        let civil = Civil {
            year: self.year,
            month,
            day,
            hour: self.hour,
            minute: self.minute,
            second: self.second,
            weekday: 0,
            year_day: 0,
        };
        if self.is_utc {
            return Ok(Time::from_civil(civil, self.nanos, &Zone::Utc));
        }
        let mut time = Time::from_civil(civil, self.nanos, &Zone::Utc);
        let zone_name = String::from_utf8_lossy(&self.zone_name).into_owned();
        if let Some(offset) = self.offset {
            time.seconds -= i64::from(offset);
            let in_force = zone.offset_at(time.seconds);
            let same =
                in_force.seconds == offset && (zone_name.is_empty() || *in_force.abbreviation == *zone_name);
            let made_up = Zone::Fixed { name: zone_name.into(), offset };
            return Ok(time.in_zone(if same { zone.clone() } else { made_up }));
        }
        if !zone_name.is_empty() {
            if let Some(offset) = zone.offset_named(&zone_name, time.seconds) {
                time.seconds -= i64::from(offset);
                return Ok(time.in_zone(zone.clone()));
            }
            // Go cannot know what the abbreviation means and takes it for UTC; only GMT+3 says it itself,
            // which shifts what is shown but not the instant.
            let hours =
                zone_name.strip_prefix("GMT").and_then(|hours| hours.parse::<i32>().ok()).unwrap_or(0);
            return Ok(time.in_zone(Zone::Fixed { name: zone_name.into(), offset: hours * 3_600 }));
        }
        Ok(Time::from_civil(civil, self.nanos, zone))
    }

    /// Month and day as read, or by the day of the year, which must not disagree with them.
    fn month_and_day(&self) -> Result<(u32, u32), Problem> {
        let Some(year_day) = self.year_day else {
            return Ok((self.month.unwrap_or(1), self.day.unwrap_or(1)));
        };
        let days = if is_leap(self.year) { 366 } else { 365 };
        if !(1..=days).contains(&year_day) {
            return Err(Problem::OutOfRange("day-of-year"));
        }
        let (mut month, mut day) = (1, year_day);
        while day > days_in(month, self.year) {
            day -= days_in(month, self.year);
            month += 1;
        }
        if self.month.is_some_and(|read| read != month) {
            return Err(Problem::YearDayMismatch("month"));
        }
        if self.day.is_some_and(|read| read != day) {
            return Err(Problem::YearDayMismatch("day"));
        }
        Ok((month, day))
    }
}

/// Takes the text of a layout off the front; spaces match any number of spaces. Fails with what is left.
fn skip<'a>(mut text: &'a [u8], mut prefix: &[u8]) -> Result<&'a [u8], &'a [u8]> {
    while let Some(first) = prefix.first() {
        if *first == b' ' {
            if text.first().is_some_and(|byte| *byte != b' ') {
                return Err(text);
            }
            prefix = without_spaces(prefix);
            text = without_spaces(text);
            continue;
        }
        if text.first() != Some(first) {
            return Err(text);
        }
        prefix = &prefix[1..];
        text = &text[1..];
    }
    Ok(text)
}

fn without_spaces(text: &[u8]) -> &[u8] {
    let spaces = text.iter().take_while(|byte| **byte == b' ').count();
    &text[spaces..]
}

fn take(text: &[u8], length: usize) -> Read<'_, &[u8]> {
    text.split_at_checked(length).ok_or(Refusal::Mismatch)
}

/// Digits with an optional sign, as Go's `atoi` of the package reads them.
fn integer(text: &[u8]) -> Result<i64, Refusal> {
    let (is_negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let mut value = 0_i64;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return Err(Refusal::Mismatch);
        }
        value = value * 10 + i64::from(digit - b'0');
    }
    Ok(if is_negative { -value } else { value })
}

/// One or two digits; exactly two if fixed.
fn number(text: &[u8], fixed: bool) -> Read<'_, u32> {
    match text {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9', rest @ ..] => {
            Ok((u32::from(tens - b'0') * 10 + u32::from(ones - b'0'), rest))
        }
        [ones @ b'0'..=b'9', rest @ ..] if !fixed => Ok((u32::from(ones - b'0'), rest)),
        _ => Err(Refusal::Mismatch),
    }
}

/// One to three digits; exactly three if fixed.
fn long_number(text: &[u8], fixed: bool) -> Read<'_, u32> {
    let digits = text.iter().take(3).take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 || fixed && digits != 3 {
        return Err(Refusal::Mismatch);
    }
    let value = text[..digits].iter().fold(0, |value, digit| value * 10 + u32::from(digit - b'0'));
    Ok((value, &text[digits..]))
}

/// The position, from 1, of the name that the text begins with, in any case; short names have three letters.
fn name<'a>(text: &'a [u8], names: &[&str], short: bool) -> Read<'a, u32> {
    for (position, name) in (1_u32..).zip(names) {
        let name = if short { &name[..3] } else { name };
        if let Some((start, rest)) = text.split_at_checked(name.len())
            && start.eq_ignore_ascii_case(name.as_bytes())
        {
            return Ok((position, rest));
        }
    }
    Err(Refusal::Mismatch)
}

fn set<'a>(field: &mut Option<u32>, read: Read<'a, u32>) -> Result<&'a [u8], Refusal> {
    let (value, rest) = read?;
    *field = Some(value);
    Ok(rest)
}

fn bounded<'a>(
    field: &mut u32,
    read: Read<'a, u32>,
    most: u32,
    what: &'static str,
) -> Result<&'a [u8], Refusal> {
    let (value, rest) = read?;
    if value > most {
        return Err(Refusal::OutOfRange(what));
    }
    *field = value;
    Ok(rest)
}

/// How many digits follow a point or comma at the front.
fn fraction_digits(text: &[u8]) -> usize {
    match text {
        [b'.' | b',', digits @ ..] => digits.iter().take_while(|byte| byte.is_ascii_digit()).count(),
        _ => 0,
    }
}

/// A separator and digits, of which nine count.
fn nanoseconds(fraction: &[u8]) -> Result<u32, Refusal> {
    let [b'.' | b',', digits @ ..] = fraction else { return Err(Refusal::Mismatch) };
    let digits = &digits[..digits.len().min(9)];
    let mut value = integer(digits)?;
    if value < 0 {
        return Err(Refusal::OutOfRange("fractional second"));
    }
    for _ in digits.len()..9 {
        value *= 10;
    }
    u32::try_from(value).map_err(|_| Refusal::Mismatch)
}

/// A sign, hours, and what else the precision asks for; in seconds.
fn read_offset(text: &[u8], precision: Precision, colon: bool) -> Read<'_, i32> {
    let groups = match precision {
        Precision::Hours => 1,
        Precision::Minutes => 2,
        Precision::Seconds => 3,
    };
    let stride = if colon { 3 } else { 2 };
    let length = 1 + 2 + (groups - 1) * stride;
    let (spelled, rest) = take(text, length)?;
    let mut values = [0_u32; 3];
    for (group, value) in values.iter_mut().enumerate().take(groups) {
        let start = 1 + group * stride;
        if colon && group > 0 && spelled[start - 1] != b':' {
            return Err(Refusal::Mismatch);
        }
        match number(&spelled[start..start + 2], true) {
            Ok((read, _)) => *value = read,
            Err(refusal) => return Err(refusal),
        }
    }
    // People do write offsets of 24 hours, 60 minutes or 60 seconds; Go lets them.
    for (value, most, what) in [
        (values[0], 24, "time zone offset hour"),
        (values[1], 60, "time zone offset minute"),
        (values[2], 60, "time zone offset second"),
    ] {
        if value > most {
            return Err(Refusal::OutOfRange(what));
        }
    }
    let seconds =
        i32::try_from((values[0] * 60 + values[1]) * 60 + values[2]).map_err(|_| Refusal::Mismatch)?;
    match spelled[0] {
        b'+' => Ok((seconds, rest)),
        b'-' => Ok((-seconds, rest)),
        _ => Err(Refusal::Mismatch),
    }
}

/// How much of the text looks like the abbreviation of a zone.
fn zone_name_length(text: &[u8]) -> Option<usize> {
    if text.len() < 3 {
        return None;
    }
    if text.starts_with(b"ChST") || text.starts_with(b"MeST") {
        return Some(4);
    }
    if let Some(after) = text.strip_prefix(b"GMT") {
        return Some(3 + signed_hours_length(after));
    }
    if matches!(text[0], b'+' | b'-') {
        return Some(signed_hours_length(text)).filter(|length| *length > 0);
    }
    let upper = text.iter().take(6).take_while(|byte| byte.is_ascii_uppercase()).count();
    match upper {
        5 if text[4] == b'T' => Some(5),
        4 if text[3] == b'T' || text.starts_with(b"WITA") => Some(4),
        3 => Some(3),
        _ => None,
    }
}

/// The length of a sign and a number of hours up to 23 at the front, or 0.
fn signed_hours_length(text: &[u8]) -> usize {
    let [b'+' | b'-', after @ ..] = text else { return 0 };
    let digits = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let hours = after[..digits]
        .iter()
        .try_fold(0_u64, |value, digit| value.checked_mul(10)?.checked_add(u64::from(digit - b'0')));
    if digits == 0 || hours.is_none_or(|hours| hours > 23) { 0 } else { 1 + digits }
}
