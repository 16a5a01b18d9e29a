//! Numbers out of anything, by the rules of spf13/cast 1.7, which sprig's arithmetic uses.
//!
//! What is no number is zero, never an error. Named types (a `time.Duration`) are no numbers to it, but for
//! the month and the weekday of a time.

use crate::value::{Number, Value};

/// `cast.ToInt64`, and `cast.ToInt`, which is the same on 64 bits.
pub(super) fn to_int(value: &Value) -> i64 {
    match value {
        Value::Int(int) | Value::Int64(int) => *int,
        Value::Float(float) => truncated(*float),
        Value::Number(Number::Float32(float)) => truncated(f64::from(*float)),
        Value::Number(_) => match value.as_int() {
            Some(int) => int,
            None => value.as_uint().unwrap_or(0).cast_signed(),
        },
        Value::Bool(bool) => i64::from(*bool),
        Value::String(text) => {
            text.as_str().and_then(|text| parse_int(without_zero_decimals(text), 0).ok()).unwrap_or(0)
        }
        Value::Object(_) if is_calendar_name(value) => value.as_int().unwrap_or(0),
        _ => 0,
    }
}

/// `cast.ToFloat64`.
#[expect(clippy::cast_precision_loss, reason = "what Go's conversion does")]
pub(super) fn to_float(value: &Value) -> f64 {
    match value {
        Value::Int(int) | Value::Int64(int) => *int as f64,
        Value::Float(float) => *float,
        Value::Number(Number::Float32(float)) => f64::from(*float),
        Value::Number(_) => match value.as_int() {
            Some(int) => int as f64,
            None => value.as_uint().unwrap_or(0) as f64,
        },
        Value::Bool(bool) => f64::from(u8::from(*bool)),
        Value::String(text) => {
            text.as_str().and_then(parse_float).filter(|float| float.1).map_or(0.0, |float| float.0)
        }
        Value::Object(_) if is_calendar_name(value) => value.as_int().unwrap_or(0) as f64,
        _ => 0.0,
    }
}

fn is_calendar_name(value: &Value) -> bool {
    matches!(value.type_of().name, "time.Month" | "time.Weekday")
}

/// A float as an integer, the way amd64 converts: what does not fit is the least integer.
pub(super) fn truncated(float: f64) -> i64 {
    // 2^63 is the first float that does not fit.
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&float) {
        #[expect(clippy::cast_possible_truncation, reason = "it was compared with the bounds")]
        let int = float as i64;
        int
    } else {
        i64::MIN
    }
}

/// `12.00` as `12`.
fn without_zero_decimals(text: &str) -> &str {
    let zeros = text.trim_end_matches('0');
    if zeros.len() < text.len() { zeros.strip_suffix('.').unwrap_or(text) } else { text }
}

/// Why a text is no integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IntError {
    /// It is not one at all.
    Syntax,
    /// It does not fit; the bound nearest to it.
    Range(i64),
}

/// `strconv.ParseInt` to 64 bits; base 0 takes prefixes and underscores.
pub(super) fn parse_int(text: &str, base: u32) -> Result<i64, IntError> {
    let (is_negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let (radix, digits) = if base == 0 { prefixed(digits)? } else { (base, digits.as_bytes().to_vec()) };
    if digits.is_empty() {
        return Err(IntError::Syntax);
    }
    let mut magnitude = Some(0_u64);
    for digit in digits {
        let digit = char::from(digit).to_digit(radix).ok_or(IntError::Syntax)?;
        magnitude =
            magnitude.and_then(|value| value.checked_mul(u64::from(radix))?.checked_add(u64::from(digit)));
    }
    let limit = if is_negative { 1 << 63 } else { (1 << 63) - 1 };
    match magnitude {
        Some(magnitude) if magnitude <= limit => {
            Ok(if is_negative { 0_i64.wrapping_sub_unsigned(magnitude) } else { magnitude.cast_signed() })
        }
        _ => Err(IntError::Range(if is_negative { i64::MIN } else { i64::MAX })),
    }
}

/// The base that a prefix means, and the digits without their underscores.
fn prefixed(digits: &str) -> Result<(u32, Vec<u8>), IntError> {
    let lower = digits.get(..2).map(str::to_ascii_lowercase);
    let (radix, rest, has_prefix) = match lower.as_deref() {
        Some("0x") if digits.len() > 2 => (16, &digits[2..], true),
        Some("0b") if digits.len() > 2 => (2, &digits[2..], true),
        Some("0o") if digits.len() > 2 => (8, &digits[2..], true),
        _ if digits.len() > 1 && digits.starts_with('0') => (8, &digits[1..], true),
        _ => (10, digits, false),
    };
    if rest.contains('_') && !underscores_are_fine(rest, has_prefix, radix) {
        return Err(IntError::Syntax);
    }
    Ok((radix, rest.bytes().filter(|byte| *byte != b'_').collect()))
}

/// Whether each underscore stands between digits; a prefix counts as one, and of a hexadecimal number letters
/// do too.
fn underscores_are_fine(digits: &str, has_prefix: bool, radix: u32) -> bool {
    let mut before = if has_prefix { '0' } else { '.' };
    for char in digits.chars() {
        let class = match char {
            '_' => '_',
            _ if char.is_digit(radix.max(10)) => '0',
            _ => '.',
        };
        if class == '_' && before != '0' || class == '.' && before == '_' {
            return false;
        }
        before = class;
    }
    before != '_'
}

/// `strconv.ParseFloat`: the value, and whether it fits; `None` where the text is none.
pub(super) fn parse_float(text: &str) -> Option<(f64, bool)> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let lower = unsigned.to_ascii_lowercase();
    if lower == "nan" && unsigned.len() == text.len() {
        return Some((f64::NAN, true));
    }
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    if lower == "inf" || lower == "infinity" {
        return Some((sign * f64::INFINITY, true));
    }
    if let Some(digits) = lower.strip_prefix("0x") {
        let value = hexadecimal(digits)?;
        return Some((sign * value, value.is_finite()));
    }
    if lower.contains('_') && !underscores_are_fine(&lower, false, 10) {
        return None;
    }
    let lower = lower.replace('_', "");
    let (mantissa, exponent) = lower.split_once('e').unwrap_or((&lower, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let exponent_digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let is_number = !(whole.is_empty() && fraction.is_empty())
        && all_digits(whole)
        && all_digits(fraction)
        && !exponent_digits.is_empty()
        && all_digits(exponent_digits);
    let value: f64 = lower.parse().ok().filter(|_| is_number)?;
    Some((sign * value, value.is_finite()))
}

/// A hexadecimal float after its prefix: `1.8p3`. It must have an exponent.
fn hexadecimal(digits: &str) -> Option<f64> {
    let (mantissa, exponent) = digits.split_once('p')?;
    if digits.contains('_') && !underscores_are_fine(digits, true, 16) {
        return None;
    }
    let (mantissa, exponent) = (mantissa.replace('_', ""), exponent.replace('_', ""));
    let exponent = exponent.as_str();
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((&mantissa, ""));
    let exponent_digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    if whole.is_empty() && fraction.is_empty()
        || exponent_digits.is_empty()
        || !exponent_digits.bytes().all(|byte| byte.is_ascii_digit())
    {
        return None;
    }
    let mut exponent: i64 =
        exponent.parse().unwrap_or(if exponent.starts_with('-') { -100_000 } else { 100_000 });
    exponent = exponent.clamp(-100_000, 100_000);
    // Sixty bits of the mantissa, and one more for whatever is lost below them.
    let (mut bits, mut lost) = (0_u64, false);
    for (position, digit) in whole.chars().chain(fraction.chars()).enumerate() {
        let digit = u64::from(digit.to_digit(16)?);
        if position >= whole.len() {
            exponent -= 4;
        }
        if bits >> 56 == 0 {
            bits = bits << 4 | digit;
        } else {
            lost |= digit != 0;
            exponent += 4;
        }
    }
    Some(rounded(bits | u64::from(lost), exponent))
}

/// The float nearest to `bits` times two to the `exponent`, ties to even.
#[expect(clippy::cast_precision_loss, reason = "at most 53 bits are left")]
fn rounded(bits: u64, exponent: i64) -> f64 {
    if bits == 0 {
        return 0.0;
    }
    let length = 64 - i64::from(bits.leading_zeros());
    // The lowest bit that the result can hold, down to that of the smallest float.
    let lowest = (length + exponent - 53).max(-1074);
    let dropped = lowest - exponent;
    let kept = if dropped <= 0 {
        bits
    } else if dropped > 63 {
        0
    } else {
        let (kept, rest, half) = (bits >> dropped, bits & ((1 << dropped) - 1), 1_u64 << (dropped - 1));
        kept + u64::from(rest > half || rest == half && kept & 1 == 1)
    };
    let scale = if dropped <= 0 { exponent } else { lowest };
    scaled(kept as f64, scale)
}

/// `math.Ldexp`, for results that need no rounding.
pub(super) fn scaled(mut float: f64, exponent: i64) -> f64 {
    let mut exponent = exponent.clamp(-4_000, 4_000);
    while exponent > 1_000 {
        float *= 2_f64.powi(1_000);
        exponent -= 1_000;
    }
    while exponent < -1_000 {
        float *= 2_f64.powi(-1_000);
        exponent += 1_000;
    }
    float * 2_f64.powi(i32::try_from(exponent).unwrap_or(0))
}
