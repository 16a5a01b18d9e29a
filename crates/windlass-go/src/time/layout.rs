//! Splits a layout into the parts of the reference time and the text between them.

/// A part of the reference time `Mon Jan 2 15:04:05 MST 2006` in a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    LongMonth,
    Month,
    NumMonth,
    ZeroMonth,
    LongWeekday,
    Weekday,
    Day,
    UnderDay,
    ZeroDay,
    UnderYearDay,
    ZeroYearDay,
    Hour,
    Hour12,
    ZeroHour12,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    LongYear,
    Year,
    UpperMeridiem,
    LowerMeridiem,
    ZoneName,
    /// An offset: whether zero prints as `Z`, how much of it, and with colons or not.
    Offset {
        zulu: bool,
        precision: Precision,
        colon: bool,
    },
    /// A fraction of a second of so many digits, after a point or comma; trailing zeros kept or not.
    Fraction {
        digits: usize,
        separator: u8,
        trim: bool,
    },
}

/// How much of an offset a layout shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Precision {
    Hours,
    Minutes,
    Seconds,
}

/// The fixed spellings, by first byte; where one begins another, the longer stands first.
const SPELLINGS: &[(&str, Part)] = &[
    ("January", Part::LongMonth),
    ("Monday", Part::LongWeekday),
    ("MST", Part::ZoneName),
    ("002", Part::ZeroYearDay),
    ("01", Part::ZeroMonth),
    ("02", Part::ZeroDay),
    ("03", Part::ZeroHour12),
    ("04", Part::ZeroMinute),
    ("05", Part::ZeroSecond),
    ("06", Part::Year),
    ("15", Part::Hour),
    ("1", Part::NumMonth),
    ("2006", Part::LongYear),
    ("2", Part::Day),
    ("__2", Part::UnderYearDay),
    ("3", Part::Hour12),
    ("4", Part::Minute),
    ("5", Part::Second),
    ("PM", Part::UpperMeridiem),
    ("pm", Part::LowerMeridiem),
    ("-070000", offset(false, Precision::Seconds, false)),
    ("-07:00:00", offset(false, Precision::Seconds, true)),
    ("-0700", offset(false, Precision::Minutes, false)),
    ("-07:00", offset(false, Precision::Minutes, true)),
    ("-07", offset(false, Precision::Hours, false)),
    ("Z070000", offset(true, Precision::Seconds, false)),
    ("Z07:00:00", offset(true, Precision::Seconds, true)),
    ("Z0700", offset(true, Precision::Minutes, false)),
    ("Z07:00", offset(true, Precision::Minutes, true)),
    ("Z07", offset(true, Precision::Hours, false)),
];

const fn offset(zulu: bool, precision: Precision, colon: bool) -> Part {
    Part::Offset { zulu, precision, colon }
}

/// The first part of a layout: the text before it, the part with its spelling, and what follows.
pub(super) struct Split<'a> {
    pub(super) before: &'a [u8],
    pub(super) part: Option<(Part, &'a [u8])>,
    pub(super) rest: &'a [u8],
}

/// Finds the first part of the reference time in a layout.
pub(super) fn split(layout: &[u8]) -> Split<'_> {
    for at in 0..layout.len() {
        if let Some((start, length, part)) = part_at(layout, at) {
            let end = start + length;
            let spelling = &layout[start..end];
            return Split { before: &layout[..start], part: Some((part, spelling)), rest: &layout[end..] };
        }
    }
    Split { before: layout, part: None, rest: &[] }
}

/// The part whose spelling begins at a position: where it really starts, its length, and which it is.
fn part_at(layout: &[u8], at: usize) -> Option<(usize, usize, Part)> {
    let here = &layout[at..];
    match here[0] {
        b'.' | b',' => return fraction_at(here).map(|(length, part)| (at, length, part)),
        b'_' if here.starts_with(b"_2006") => return Some((at + 1, 4, Part::LongYear)),
        b'_' if here.starts_with(b"_2") => return Some((at, 2, Part::UnderDay)),
        _ => {}
    }
    if let Some((spelling, part)) =
        SPELLINGS.iter().find(|(spelling, _)| here.starts_with(spelling.as_bytes()))
    {
        return Some((at, spelling.len(), *part));
    }
    // A short name must not be the beginning of another word.
    let is_word_end = !here.get(3).is_some_and(u8::is_ascii_lowercase);
    match here.get(..3) {
        Some(b"Jan") if is_word_end => Some((at, 3, Part::Month)),
        Some(b"Mon") if is_word_end => Some((at, 3, Part::Weekday)),
        _ => None,
    }
}

/// A separator with zeros or nines after it, and then no further digit.
fn fraction_at(here: &[u8]) -> Option<(usize, Part)> {
    let digit = *here.get(1).filter(|digit| matches!(digit, b'0' | b'9'))?;
    let digits = here[1..].iter().take_while(|byte| **byte == digit).count();
    if here.get(1 + digits).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    // Go keeps the number of digits in twelve bits.
    Some((1 + digits, Part::Fraction { digits: digits & 0xfff, separator: here[0], trim: digit == b'9' }))
}
