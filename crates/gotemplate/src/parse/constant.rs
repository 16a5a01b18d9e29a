//! Constants: numbers, characters and strings, as `strconv` reads them.

use windlass_go::fmt::{append_rune, decode_rune, quote};

use super::lex::Kind;
use crate::tree::Constant;
use crate::value::Str;

/// What `strconv` says to a string or character that it cannot read.
const INVALID_SYNTAX: &str = "invalid syntax";

/// The number or character that `text` stands for.
pub(super) fn constant(text: &[u8], kind: Kind) -> Result<Constant, String> {
    let mut constant = Constant { text: Str::from_bytes(text), ..Constant::default() };
    if kind == Kind::CharConstant {
        let (code, rest) = character(&text[1..], b'\'').ok_or(INVALID_SYNTAX)?;
        if rest != b"'" {
            return Err(format!("malformed character constant: {}", constant.text));
        }
        constant.int = Some(i64::from(code.code()));
        constant.uint = Some(u64::from(code.code()));
        constant.float = Some(f64::from(code.code()));
        return Ok(constant);
    }
    if kind == Kind::Complex {
        let (real, imaginary) = complex(text).ok_or("syntax error scanning complex number")?;
        set_complex(&mut constant, real, imaginary);
        return Ok(constant);
    }
    if let Some(number) = text.strip_suffix(b"i")
        && let Some(imaginary) = float(number)
    {
        set_complex(&mut constant, 0.0, imaginary);
        return Ok(constant);
    }
    constant.uint = unsigned(text);
    constant.int = signed(text);
    if constant.int == Some(0) {
        constant.uint = Some(0);
    }
    #[expect(clippy::cast_precision_loss, reason = "what Go's conversion does")]
    if let Some(int) = constant.int {
        constant.float = Some(int as f64);
    } else if let Some(uint) = constant.uint {
        constant.float = Some(uint as f64);
    } else if let Some(float) = float(text) {
        if !text.iter().any(|byte| b".eEpP".contains(byte)) {
            return Err(format!("integer overflow: {}", quote(text)));
        }
        constant.float = Some(float);
        constant.int = integral(float);
        constant.uint = integral_unsigned(float);
    }
    if constant.float.is_none() {
        return Err(format!("illegal number syntax: {}", quote(text)));
    }
    Ok(constant)
}

fn set_complex(constant: &mut Constant, real: f64, imaginary: f64) {
    constant.complex = Some((real, imaginary));
    if imaginary == 0.0 {
        constant.float = Some(real);
        constant.int = integral(real);
        constant.uint = integral_unsigned(real);
    }
}

const TWO_TO_63: f64 = (1_u64 << 63) as f64;

#[expect(clippy::cast_possible_truncation, reason = "the range was checked")]
fn integral(float: f64) -> Option<i64> {
    (float.fract() == 0.0 && (-TWO_TO_63..TWO_TO_63).contains(&float)).then_some(float as i64)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was checked")]
fn integral_unsigned(float: f64) -> Option<u64> {
    (float.fract() == 0.0 && (0.0..2.0 * TWO_TO_63).contains(&float)).then_some(float as u64)
}

/// `strconv.ParseUint(text, 0, 64)`.
fn unsigned(text: &[u8]) -> Option<u64> {
    if !underscores_are_good(text) {
        return None;
    }
    let (radix, digits) = match text {
        [b'0', b'x' | b'X', digits @ ..] => (16, digits),
        [b'0', b'b' | b'B', digits @ ..] => (2, digits),
        [b'0', b'o' | b'O', digits @ ..] => (8, digits),
        [b'0', digits @ ..] if !digits.is_empty() => (8, digits),
        _ => (10, text),
    };
    let digits = digits.iter().copied().filter(|byte| *byte != b'_').collect::<Vec<_>>();
    if !digits.first()?.is_ascii_alphanumeric() {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(&digits).ok()?, radix).ok()
}

/// `strconv.ParseInt(text, 0, 64)`.
fn signed(text: &[u8]) -> Option<i64> {
    match text {
        [b'-', digits @ ..] => 0_i64.checked_sub_unsigned(unsigned(digits)?),
        [b'+', digits @ ..] => i64::try_from(unsigned(digits)?).ok(),
        _ => i64::try_from(unsigned(text)?).ok(),
    }
}

/// `strconv.ParseFloat(text, 64)`; what overflows is no float.
fn float(text: &[u8]) -> Option<f64> {
    if !underscores_are_good(text) {
        return None;
    }
    let text = text.iter().copied().filter(|byte| *byte != b'_').collect::<Vec<_>>();
    let (sign, digits) = match text.as_slice() {
        [b'-', digits @ ..] => (-1.0, digits),
        [b'+', digits @ ..] => (1.0, digits),
        digits => (1.0, digits),
    };
    let float = match digits {
        [b'0', b'x' | b'X', digits @ ..] => hexadecimal(digits)?,
        _ if digits.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')) => {
            std::str::from_utf8(digits).ok()?.parse::<f64>().ok()?
        }
        _ => return None,
    };
    float.is_finite().then_some(sign * float)
}

/// The digits of a hexadecimal float, which must have an exponent.
fn hexadecimal(text: &[u8]) -> Option<f64> {
    let split = text.iter().position(|byte| matches!(byte, b'p' | b'P'))?;
    let (digits, exponent) = (&text[..split], &text[split + 1..]);
    let exponent = std::str::from_utf8(exponent).ok()?;
    let mut exponent = exponent.strip_prefix('+').unwrap_or(exponent).parse::<i64>().ok()?;
    let mut mantissa: u64 = 0;
    let mut sticky = false;
    let mut after_point = false;
    let mut any = false;
    for byte in digits {
        if *byte == b'.' {
            if after_point {
                return None;
            }
            after_point = true;
            continue;
        }
        let digit = u64::from(char::from(*byte).to_digit(16)?);
        any = true;
        if mantissa >> 60 == 0 {
            mantissa = mantissa << 4 | digit;
            exponent -= if after_point { 4 } else { 0 };
        } else {
            sticky |= digit != 0;
            exponent += if after_point { 0 } else { 4 };
        }
    }
    if !any {
        return None;
    }
    // Sixty bits hold more than a float does; the rest matters to rounding only.
    #[expect(clippy::cast_precision_loss, reason = "this is the rounding")]
    let mantissa = (mantissa | u64::from(sticky)) as f64;
    let exponent = i32::try_from(exponent.clamp(-5_000, 5_000)).expect("clamped");
    Some(mantissa * 2_f64.powi(exponent / 2) * 2_f64.powi(exponent - exponent / 2))
}

/// Whether each underscore stands between digits, or between a base's prefix and a digit.
fn underscores_are_good(text: &[u8]) -> bool {
    if !text.contains(&b'_') {
        return true;
    }
    let text = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
    let (mut previous, rest, is_hexadecimal) = match text {
        [b'0', letter @ (b'x' | b'X' | b'b' | b'B' | b'o' | b'O'), rest @ ..] => {
            (b'0', rest, matches!(letter, b'x' | b'X'))
        }
        _ => (b'^', text, false),
    };
    for byte in rest {
        let is_digit = byte.is_ascii_digit() || is_hexadecimal && byte.is_ascii_hexdigit();
        if is_digit {
            previous = b'0';
        } else if *byte == b'_' {
            if previous != b'0' {
                return false;
            }
            previous = b'_';
        } else {
            if previous == b'_' {
                return false;
            }
            previous = b'!';
        }
    }
    previous != b'_'
}

/// `1+2i`.
fn complex(text: &[u8]) -> Option<(f64, f64)> {
    let text = text.strip_suffix(b"i")?;
    let is_split = |index: &usize| {
        matches!(text[*index], b'+' | b'-') && !matches!(text[*index - 1], b'e' | b'E' | b'p' | b'P')
    };
    let split = (1..text.len()).rev().find(is_split)?;
    Some((float(&text[..split])?, float(&text[split..])?))
}

/// What is between the quotes of a string constant.
pub(super) fn unquote(quoted: &[u8]) -> Result<Vec<u8>, String> {
    let inner = &quoted[1..quoted.len() - 1];
    if quoted[0] == b'`' {
        return Ok(inner.iter().copied().filter(|byte| *byte != b'\r').collect());
    }
    let mut text = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while !rest.is_empty() {
        let (code, after) = character(rest, b'"').ok_or(INVALID_SYNTAX)?;
        match code {
            Code::Byte(byte) => text.push(byte),
            Code::Char(char) => append_rune(&mut text, char),
        }
        rest = after;
    }
    Ok(text)
}

/// A byte, written as one, or a character.
enum Code {
    Byte(u8),
    Char(char),
}

impl Code {
    fn code(&self) -> u32 {
        match self {
            Self::Byte(byte) => u32::from(*byte),
            Self::Char(char) => u32::from(*char),
        }
    }
}

/// The first character, escaped or not, of what is between quotes, and what follows it.
fn character(text: &[u8], quote: u8) -> Option<(Code, &[u8])> {
    let first = *text.first()?;
    if first == quote || first == b'\n' {
        return None;
    }
    if first != b'\\' {
        let (char, width) = decode_rune(text);
        return Some((Code::Char(char), &text[width..]));
    }
    let escape = *text.get(1)?;
    let rest = &text[2..];
    let byte = match escape {
        b'a' => 0x07,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0b,
        b'\\' => b'\\',
        b'\'' | b'"' if escape == quote => quote,
        b'x' => return Some((Code::Byte(u8::try_from(hex(rest, 2)?).ok()?), &rest[2..])),
        b'u' => return Some((Code::Char(char::from_u32(hex(rest, 4)?)?), &rest[4..])),
        b'U' => return Some((Code::Char(char::from_u32(hex(rest, 8)?)?), &rest[8..])),
        b'0'..=b'7' => {
            let digits = std::str::from_utf8(text.get(1..4)?).ok()?;
            return Some((Code::Byte(u8::from_str_radix(digits, 8).ok()?), &rest[2..]));
        }
        _ => return None,
    };
    Some((Code::Byte(byte), rest))
}

fn hex(text: &[u8], digits: usize) -> Option<u32> {
    let digits = text.get(..digits)?;
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}
