//! Durations as Go's `time` package reads and prints them.
//!
//! A duration is a sign and one or more decimal numbers, each with a unit: `ns`, `us` (or `µs`), `ms`, `s`,
//! `m`, `h`. There are no days. `0` alone needs no unit. Values are whole nanoseconds in 64 bits, so the
//! longest is about 292 years.
//!
//! ```
//! use windlass_go::duration::Duration;
//! let wait = Duration::parse("2h45.5m")?;
//! assert_eq!(wait.to_string(), "2h45m30s");
//! assert_eq!(std::time::Duration::try_from(wait)?.as_secs(), 9930);
//! assert_eq!(Duration::parse("3 d").unwrap_err().to_string(), r#"time: unknown unit " d" in duration "3 d""#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;
use std::str::FromStr;

/// A signed span of time in nanoseconds, Go's `time.Duration`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Duration(i64);

/// Why a text is no Go duration; prints as Go words it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseDurationError {
    /// Not a sequence of numbers with units, or out of range.
    #[error("time: invalid duration {}", quote(.0))]
    Invalid(String),
    /// A number without a unit.
    #[error("time: missing unit in duration {}", quote(.0))]
    MissingUnit(String),
    /// A unit that is none of Go's.
    #[error("time: unknown unit {} in duration {}", quote(.unit), quote(.text))]
    UnknownUnit {
        /// What stands where a unit should.
        unit: String,
        /// The whole text.
        text: String,
    },
}

/// The duration is negative, which [`std::time::Duration`] cannot hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("duration {0} is negative")]
pub struct NegativeDuration(pub Duration);

/// The magnitude of the most negative duration; one more than the most positive.
const LIMIT: u64 = 1 << 63;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

impl Duration {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// Makes a duration of whole nanoseconds.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Makes a duration of whole seconds; beyond the range it stays at the longest duration.
    #[must_use]
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000_000))
    }

    /// Its length in nanoseconds.
    #[must_use]
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Its length in seconds.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "what Go's Duration.Seconds does too")]
    pub fn as_secs_f64(self) -> f64 {
        (self.0 / 1_000_000_000) as f64 + (self.0 % 1_000_000_000) as f64 / 1e9
    }

    /// Reads a duration such as `300ms`, `-1.5h` or `2h45m`, as `time.ParseDuration` does.
    ///
    /// # Errors
    ///
    /// [`ParseDurationError`], worded as in Go, when the text is not of that form or does not fit 64 bits.
    pub fn parse(text: &str) -> Result<Self, ParseDurationError> {
        let invalid = || ParseDurationError::Invalid(text.to_owned());
        let (is_negative, mut rest) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        if rest == "0" {
            return Ok(Self::ZERO);
        }
        if rest.is_empty() {
            return Err(invalid());
        }
        let mut total = 0_u64;
        while !rest.is_empty() {
            let (term, after) = parse_term(text, rest)?;
            total = total.checked_add(term).filter(|total| *total <= LIMIT).ok_or_else(invalid)?;
            rest = after;
        }
        if is_negative {
            return Ok(Self(0_i64.wrapping_sub_unsigned(total)));
        }
        i64::try_from(total).map(Self).map_err(|_| invalid())
    }
}

/// Reads one number with its unit off the front of `rest`; returns nanoseconds and what is left.
fn parse_term<'a>(text: &str, rest: &'a str) -> Result<(u64, &'a str), ParseDurationError> {
    let invalid = || ParseDurationError::Invalid(text.to_owned());
    let digits_end = |from: &str| from.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(from.len());

    let (whole_digits, mut rest) = rest.split_at(digits_end(rest));
    let mut fraction_digits = "";
    if let Some(after_point) = rest.strip_prefix('.') {
        (fraction_digits, rest) = after_point.split_at(digits_end(after_point));
    }
    if whole_digits.is_empty() && fraction_digits.is_empty() {
        return Err(invalid());
    }
    let whole = match whole_digits {
        "" => 0,
        digits => digits.parse::<u64>().ok().filter(|whole| *whole <= LIMIT).ok_or_else(invalid)?,
    };

    let unit_end = rest.bytes().position(|byte| byte == b'.' || byte.is_ascii_digit()).unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(unit_end);
    if unit.is_empty() {
        return Err(ParseDurationError::MissingUnit(text.to_owned()));
    }
    let scale = nanos_per(unit)
        .ok_or_else(|| ParseDurationError::UnknownUnit { unit: unit.to_owned(), text: text.to_owned() })?;
    let mut nanos = whole.checked_mul(scale).filter(|nanos| *nanos <= LIMIT).ok_or_else(invalid)?;
    if !fraction_digits.is_empty() {
        nanos += fraction_nanos(fraction_digits, scale);
        if nanos > LIMIT {
            return Err(invalid());
        }
    }
    Ok((nanos, rest))
}

/// The nanoseconds of a decimal fraction of a unit, rounded as Go rounds them: through a 64-bit float, with
/// digits dropped once the numerator no longer fits 63 bits.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "Go computes it in floats, and the result is below one hour of nanoseconds"
)]
fn fraction_nanos(digits: &str, scale: u64) -> u64 {
    let (mut numerator, mut denominator) = (0_u64, 1_f64);
    for digit in digits.bytes() {
        if numerator > (LIMIT - 1) / 10 {
            break;
        }
        let next = numerator * 10 + u64::from(digit - b'0');
        if next > LIMIT {
            break;
        }
        numerator = next;
        denominator *= 10.0;
    }
    (numerator as f64 * (scale as f64 / denominator)) as u64
}

fn nanos_per(unit: &str) -> Option<u64> {
    Some(match unit {
        "ns" => 1,
        // The micro sign and the Greek letter mu look alike; Go takes both.
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => NANOS_PER_SECOND,
        "m" => 60 * NANOS_PER_SECOND,
        "h" => 3_600 * NANOS_PER_SECOND,
        _ => return None,
    })
}

/// Go's own quoting of a duration in its errors: plain bytes for anything outside printable ASCII.
fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for char in text.chars() {
        match char {
            '"' | '\\' => quoted.extend(['\\', char]),
            ' '..='\x7f' => quoted.push(char),
            _ => quoted.extend(char.encode_utf8(&mut [0; 4]).bytes().map(|byte| format!("\\x{byte:02x}"))),
        }
    }
    quoted.push('"');
    quoted
}

/// Prints as Go does: `1h30m0s`, `1.5s`, `20ms`, `1.001µs`, `0s`.
impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.unsigned_abs();
        if self.0 < 0 {
            f.write_str("-")?;
        }
        match nanos {
            0 => f.write_str("0s"),
            1..1_000 => write!(f, "{nanos}ns"),
            1_000..1_000_000 => write!(f, "{}µs", Decimal { value: nanos, places: 3 }),
            1_000_000..NANOS_PER_SECOND => write!(f, "{}ms", Decimal { value: nanos, places: 6 }),
            _ => {
                let minutes = nanos / NANOS_PER_SECOND / 60;
                if minutes >= 60 {
                    write!(f, "{}h", minutes / 60)?;
                }
                if minutes > 0 {
                    write!(f, "{}m", minutes % 60)?;
                }
                write!(f, "{}s", Decimal { value: nanos % (60 * NANOS_PER_SECOND), places: 9 })
            }
        }
    }
}

/// A fixed-point number printed without trailing zeros.
struct Decimal {
    value: u64,
    places: u32,
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one = 10_u64.pow(self.places);
        write!(f, "{}", self.value / one)?;
        if !self.value.is_multiple_of(one) {
            let fraction = format!("{:0width$}", self.value % one, width = self.places as usize);
            write!(f, ".{}", fraction.trim_end_matches('0'))?;
        }
        Ok(())
    }
}

impl FromStr for Duration {
    type Err = ParseDurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// Fails only for a negative duration.
impl TryFrom<Duration> for std::time::Duration {
    type Error = NegativeDuration;

    fn try_from(duration: Duration) -> Result<Self, Self::Error> {
        u64::try_from(duration.0).map(Self::from_nanos).map_err(|_| NegativeDuration(duration))
    }
}

/// A longer span than Go can hold becomes the longest it can.
impl From<std::time::Duration> for Duration {
    fn from(duration: std::time::Duration) -> Self {
        Self(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
    }
}
