//! Amounts of resources: `100m`, `1.5Gi`, `12e6`.
//!
//! Facts: `k8s.io/apimachinery` v0.36.3, package `api/resource`.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use crate::{Str, Value};

/// How many significant digits a quantity may have: what 128 bits hold. Kubernetes has no such limit.
pub const MAX_DIGITS: usize = 38;

/// How a quantity is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// `12M`: powers of 1000.
    DecimalSi,
    /// `12Mi`: powers of 1024.
    BinarySi,
    /// `12e6`.
    DecimalExponent,
}

/// An amount: exact from 10⁻⁹ upwards, what is smaller is rounded away from zero.
///
/// Quantities of the same amount are equal, however they are written.
#[derive(Clone, Debug)]
pub struct Quantity {
    /// The amount is `unscaled · 10^exponent`.
    unscaled: i128,
    exponent: i32,
    format: Format,
    /// The text it was read from, where that counts as canonical.
    text: Option<Str>,
    /// Held as a big number by the original, which rounds some values differently then.
    is_big: bool,
}

/// Why a text is no quantity, in the server's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseQuantityError {
    /// It does not look like one.
    #[error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")]
    Format,
    /// Its number has no digits, or more than [`MAX_DIGITS`].
    #[error("unable to parse numeric part of quantity")]
    Number,
    /// Its suffix is none of those known.
    #[error("unable to parse quantity's suffix")]
    Suffix,
}

/// The smallest power of ten kept: nano.
const NANO: i32 = -9;
/// How many decimal digits the original's fast path takes.
const FAST_DIGITS: usize = 18;

impl Quantity {
    /// A whole number.
    #[must_use]
    pub fn new(value: i64, format: Format) -> Self {
        Self { unscaled: value.into(), exponent: 0, format, text: None, is_big: false }
    }

    /// A number of thousandths.
    #[must_use]
    pub fn from_milli(value: i64, format: Format) -> Self {
        Self { exponent: -3, ..Self::new(value, format) }
    }

    /// Reads a quantity from an object: a string, or a number.
    ///
    /// # Errors
    ///
    /// [`ParseQuantityError`].
    pub fn from_value(value: &Value) -> Result<Self, ParseQuantityError> {
        match value {
            Value::String(text) => text.trim().parse(),
            Value::Int(int) => int.to_string().parse(),
            Value::Float(float) => float.to_string().parse(),
            _ => Err(ParseQuantityError::Format),
        }
    }

    /// How it is printed.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// Whether it is zero.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.unscaled == 0
    }

    /// -1, 0 or 1.
    #[must_use]
    pub fn signum(&self) -> i32 {
        match self.unscaled {
            0 => 0,
            1.. => 1,
            _ => -1,
        }
    }

    /// As a whole number, rounded up; 0 when it is too large, as the original has it.
    #[must_use]
    pub fn value(&self) -> i64 {
        self.scaled_value(0)
    }

    /// In thousandths, rounded up; 0 when it is too large, as the original has it.
    #[must_use]
    pub fn milli_value(&self) -> i64 {
        self.scaled_value(-3)
    }

    /// As a float.
    #[must_use]
    pub fn as_float(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a float is asked for")]
        let base = self.unscaled as f64;
        base * 10_f64.powi(self.exponent)
    }

    #[expect(clippy::cast_possible_truncation, reason = "the original keeps the low 64 bits")]
    fn scaled_value(&self, scale: i32) -> i64 {
        if !self.is_big {
            if self.exponent >= scale {
                let scaled = checked_power(self.exponent - scale).and_then(|p| self.unscaled.checked_mul(p));
                return scaled.and_then(|scaled| i64::try_from(scaled).ok()).unwrap_or(0);
            }
            return i64::try_from(divide_away(self.unscaled, scale - self.exponent).0).unwrap_or(0);
        }
        let Some(nanos) = checked_power(self.exponent - NANO).and_then(|p| self.unscaled.checked_mul(p))
        else {
            return 0;
        };
        let Some(divisor) = checked_power(scale - NANO) else { return 0 };
        if nanos < i128::from(i64::MAX) {
            let (low, divisor) = (nanos as i64, divisor as i64);
            return low / divisor + i64::from(low % divisor != 0);
        }
        (nanos.div_euclid(divisor) as i64).wrapping_add(i64::from(nanos.rem_euclid(divisor) != 0))
    }

    /// The sum, in this quantity's format unless this is zero; `None` when it has more than [`MAX_DIGITS`].
    #[must_use]
    pub fn checked_add(&self, other: &Self) -> Option<Self> {
        let format = if self.is_zero() { other.format } else { self.format };
        let exponent = match (self.unscaled, other.unscaled) {
            (_, 0) => self.exponent,
            (0, _) => other.exponent,
            _ => self.exponent.min(other.exponent),
        };
        let at = |quantity: &Self| {
            if quantity.is_zero() {
                return Some(0);
            }
            quantity.unscaled.checked_mul(checked_power(quantity.exponent - exponent)?)
        };
        let unscaled = at(self)?.checked_add(at(other)?)?;
        Some(Self { unscaled, exponent, format, text: None, is_big: self.is_big || other.is_big })
    }

    /// The difference, as [`Quantity::checked_add`].
    #[must_use]
    pub fn checked_sub(&self, other: &Self) -> Option<Self> {
        self.checked_add(&Self { unscaled: -other.unscaled, ..other.clone() })
    }

    /// The exponent's decimal suffix; empty for one that has none, as the original prints it.
    fn decimal_suffix(exponent: i32) -> &'static str {
        match exponent {
            -9 => "n",
            -6 => "u",
            -3 => "m",
            3 => "k",
            6 => "M",
            9 => "G",
            12 => "T",
            15 => "P",
            18 => "E",
            _ => "",
        }
    }

    /// The amount in units of 1024ⁿ with the largest n that leaves no fraction, if it is a whole number of at
    /// least 1024.
    fn binary(&self) -> Option<(i128, usize)> {
        let mut whole = if self.exponent >= 0 {
            self.unscaled.checked_mul(checked_power(self.exponent)?)?
        } else {
            let (whole, is_exact) = divide_away(self.unscaled, -self.exponent);
            if !is_exact {
                return None;
            }
            whole
        };
        if whole.abs() < 1024 {
            return None;
        }
        let mut n = 0;
        while whole.abs() >= 1024 && whole % 1024 == 0 {
            whole /= 1024;
            n += 1;
        }
        Some((whole, n))
    }
}

/// Prints the canonical form.
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(text) = &self.text {
            return f.write_str(text);
        }
        if self.is_zero() {
            return f.write_str("0");
        }
        if self.format == Format::BinarySi
            && let Some((number, n)) = self.binary()
        {
            let suffix = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"].get(n).unwrap_or(&"");
            return write!(f, "{number}{suffix}");
        }
        let (mut number, mut exponent) = (self.unscaled, self.exponent);
        while number % 10 == 0 {
            number /= 10;
            exponent += 1;
        }
        let surplus = exponent.rem_euclid(3);
        exponent -= surplus;
        // The zeros that make the exponent a multiple of three need no arithmetic.
        let zeros = &"00"[..usize::try_from(surplus).unwrap_or(0)];
        if self.format == Format::DecimalExponent {
            if exponent == 0 { write!(f, "{number}{zeros}") } else { write!(f, "{number}{zeros}e{exponent}") }
        } else {
            write!(f, "{number}{zeros}{}", Self::decimal_suffix(exponent))
        }
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_sign = self.signum().cmp(&other.signum());
        if by_sign.is_ne() || self.is_zero() {
            return by_sign;
        }
        let order = |quantity: &Self| {
            i64::from(quantity.unscaled.unsigned_abs().ilog10()) + i64::from(quantity.exponent)
        };
        let mut by_size = order(self).cmp(&order(other));
        if by_size.is_eq() {
            // Of equal order, the exponents differ by no more than there are digits.
            let (a, b) = (self.unscaled.unsigned_abs(), other.unscaled.unsigned_abs());
            let at = |number: u128, by: i32| {
                u32::try_from(by).ok().and_then(|by| number.checked_mul(10_u128.checked_pow(by)?))
            };
            let (a, b) = match self.exponent - other.exponent {
                by @ 0.. => (at(a, by).unwrap_or(u128::MAX), b),
                by => (a, at(b, -by).unwrap_or(u128::MAX)),
            };
            by_size = a.cmp(&b);
        }
        if self.unscaled < 0 { by_size.reverse() } else { by_size }
    }
}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Quantity {}

fn checked_power(exponent: i32) -> Option<i128> {
    10_i128.checked_pow(u32::try_from(exponent).ok()?)
}

/// Divides by a power of ten, rounding away from zero; and whether nothing was lost.
fn divide_away(number: i128, places: i32) -> (i128, bool) {
    let Some(divisor) = checked_power(places) else {
        return (number.signum(), number == 0);
    };
    let (quotient, remainder) = (number / divisor, number % divisor);
    if remainder == 0 { (quotient, true) } else { (quotient + number.signum(), false) }
}

/// The parts of a text: its digits before and after the point, and its suffix.
struct Parts<'a> {
    is_negative: bool,
    whole: &'a str,
    fraction: &'a str,
    suffix: &'a str,
    /// Whether there is a digit at all.
    has_digits: bool,
}

fn split(text: &str) -> Result<Parts<'_>, ParseQuantityError> {
    let is_negative = text.starts_with('-');
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let significant = unsigned.trim_start_matches('0');
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let (whole, rest) = significant.split_at(digits(significant));
    let (fraction, suffix) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(digits(rest)),
        None => ("", rest),
    };
    let letters = suffix.trim_start_matches(|c| "eEinumkKMGTP".contains(c));
    let letters = letters.strip_prefix(['+', '-']).unwrap_or(letters);
    if !letters.bytes().all(|b| b.is_ascii_digit()) {
        return Err(ParseQuantityError::Format);
    }
    let has_digits = significant.len() < unsigned.len() || !whole.is_empty() || !fraction.is_empty();
    let whole = if whole.is_empty() { "0" } else { whole };
    Ok(Parts { is_negative, whole, fraction, suffix, has_digits })
}

/// What a suffix multiplies by: a power of ten, or of two.
enum Scale {
    Ten(i32),
    Two(u32),
}

fn scale(suffix: &str) -> Option<(Scale, Format)> {
    let decimal = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
    let binary = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    if let Some(idx) = decimal.iter().position(|have| *have == suffix) {
        return Some((Scale::Ten(i32::try_from(idx).ok()? * 3 - 9), Format::DecimalSi));
    }
    if let Some(idx) = binary.iter().position(|have| *have == suffix) {
        return Some((Scale::Two(u32::try_from(idx + 1).ok()? * 10), Format::BinarySi));
    }
    let exponent: i64 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, reason = "the original keeps the low 32 bits")]
    Some((Scale::Ten(exponent as i32), Format::DecimalExponent))
}

impl FromStr for Quantity {
    type Err = ParseQuantityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(ParseQuantityError::Format);
        }
        if text == "0" {
            return Ok(Self { text: Some(Str::new_static("0")), ..Self::new(0, Format::DecimalSi) });
        }
        let parts = split(text)?;
        let (scale, mut format) = scale(parts.suffix).ok_or(ParseQuantityError::Suffix)?;
        let n_digits = parts.whole.len() + parts.fraction.len();
        let places = i32::try_from(parts.fraction.len()).map_err(|_| ParseQuantityError::Number)?;
        let all: String = [parts.whole, parts.fraction].concat();
        let digits: i128 = all.parse().map_err(|_| ParseQuantityError::Number)?;
        if all.trim_start_matches('0').len() > MAX_DIGITS {
            return Err(ParseQuantityError::Number);
        }
        let sign = if parts.is_negative { -1 } else { 1 };
        let fits_fast = match scale {
            Scale::Ten(exponent) => n_digits <= FAST_DIGITS && exponent.saturating_sub(places) >= NANO,
            Scale::Two(exponent) => {
                parts.fraction.is_empty() && parts.whole.len() + (exponent as usize * 3 / 10) < 15
            }
        };
        let (mut unscaled, mut exponent) = match scale {
            Scale::Ten(exponent) => (digits, exponent.saturating_sub(places)),
            // More than 128 bits is far more than the cap below.
            Scale::Two(exponent) => (digits.checked_mul(1 << exponent).unwrap_or(i128::MAX), -places),
        };
        if fits_fast {
            let is_canonical = match scale {
                Scale::Ten(_) => exponent % 3 == 0 && !all.ends_with("000") && !all.starts_with('0'),
                Scale::Two(_) => digits & 7 != 0,
            };
            let text = is_canonical.then(|| Str::new(text));
            return Ok(Self { unscaled: sign * unscaled, exponent, format, text, is_big: false });
        }
        if !parts.has_digits {
            return Err(ParseQuantityError::Number);
        }
        if exponent < NANO && unscaled != 0 {
            unscaled = divide_away(unscaled, NANO.saturating_sub(exponent)).0;
            exponent = NANO;
        }
        if format == Format::BinarySi {
            let max = Self::new(i64::MAX, format);
            let one = Self::new(1, format);
            let amount = Self { unscaled, exponent, ..one.clone() };
            if amount > max {
                (unscaled, exponent) = (max.unscaled, 0);
            } else if amount < one && unscaled != 0 {
                format = Format::DecimalSi;
            }
        }
        Ok(Self { unscaled: sign * unscaled, exponent, format, text: None, is_big: true })
    }
}
