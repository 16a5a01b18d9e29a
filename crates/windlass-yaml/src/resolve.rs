//! What a plain scalar means: the resolution of yaml.v2 and yaml.v3.

use crate::timestamp::Timestamp;

/// Whose rules resolve scalars, merges and duplicate keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// `sigs.k8s.io/yaml`, which is yaml.v2: `yes`, `on` and `y` are booleans, a date is a string, of two
    /// equal keys the last wins.
    #[default]
    Sigs,
    /// `gopkg.in/yaml.v3`: only `true` and `false` are booleans, a date becomes RFC 3339, equal keys are an
    /// error.
    V3,
}

/// What a scalar resolved to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Resolved {
    Null,
    Bool(bool),
    Int(i64),
    /// Above `i64::MAX`.
    Uint(u64),
    Float(f64),
    Timestamp(Timestamp),
    /// A string; its text is the scalar's.
    Str,
}

impl Resolved {
    /// The short tag, as error messages say it.
    pub(crate) fn tag(&self) -> &'static str {
        match self {
            Self::Null => "!!null",
            Self::Bool(_) => "!!bool",
            Self::Int(_) | Self::Uint(_) => "!!int",
            Self::Float(_) => "!!float",
            Self::Timestamp(_) => "!!timestamp",
            Self::Str => "!!str",
        }
    }
}

/// What the plain scalar `text` means. `timestamps` is off where an explicit tag rules them out.
pub(crate) fn resolve(text: &str, dialect: Dialect, timestamps: bool) -> Resolved {
    let Some(first) = text.bytes().next() else { return Resolved::Null };
    match first {
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~' | b'.' | b'+' | b'-' => {
            if let Some(found) = named(text, dialect) {
                return found;
            }
            match first {
                b'.' => dotted_float(text),
                b'+' | b'-' => number(text, dialect),
                _ => Resolved::Str,
            }
        }
        b'0'..=b'9' => {
            if timestamps && let Some(timestamp) = Timestamp::parse(text) {
                return Resolved::Timestamp(timestamp);
            }
            number(text, dialect)
        }
        _ => Resolved::Str,
    }
}

fn named(text: &str, dialect: Dialect) -> Option<Resolved> {
    Some(match text {
        "true" | "True" | "TRUE" => Resolved::Bool(true),
        "false" | "False" | "FALSE" => Resolved::Bool(false),
        "~" | "null" | "Null" | "NULL" => Resolved::Null,
        ".nan" | ".NaN" | ".NAN" => Resolved::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Resolved::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Resolved::Float(f64::NEG_INFINITY),
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" if dialect == Dialect::Sigs => {
            Resolved::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" if dialect == Dialect::Sigs => {
            Resolved::Bool(false)
        }
        _ => return None,
    })
}

/// A number that begins with its point. It goes to `strconv.ParseFloat` as it is, which lets an underscore
/// stand between two digits.
fn dotted_float(text: &str) -> Resolved {
    let bytes = text.as_bytes();
    let digit_at = |idx: usize| bytes.get(idx).is_some_and(u8::is_ascii_digit);
    let separated = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'_');
    if !separated.map(|(idx, _)| idx).all(|idx| digit_at(idx - 1) && digit_at(idx + 1)) {
        return Resolved::Str;
    }
    let plain = text.replace('_', "");
    if is_decimal_float(&plain) { finite(&plain) } else { Resolved::Str }
}

/// A decimal number; one too large for a float stays a string, as `strconv.ParseFloat` refuses it.
fn finite(text: &str) -> Resolved {
    match text.parse::<f64>() {
        Ok(float) if float.is_finite() => Resolved::Float(float),
        _ => Resolved::Str,
    }
}

fn number(text: &str, dialect: Dialect) -> Resolved {
    let stripped;
    let plain = if text.contains('_') {
        stripped = text.replace('_', "");
        stripped.as_str()
    } else {
        text
    };
    if let Some(found) = integer(plain) {
        return found;
    }
    if is_decimal_float(plain)
        && let Resolved::Float(float) = finite(plain)
    {
        return Resolved::Float(float);
    }
    // Go's own prefixes were tried above; these readings take a sign after the prefix, too.
    let prefixed = |prefix: &str, radix: u32| -> Option<Resolved> {
        if let Some(digits) = plain.strip_prefix(prefix) {
            let signed = i64::from_str_radix(digits, radix).map(Resolved::Int);
            return signed.or_else(|_| unsigned(digits, radix).ok_or(())).ok();
        }
        let digits = plain.strip_prefix('-')?.strip_prefix(prefix)?;
        i64::from_str_radix(&format!("-{digits}"), radix).ok().map(Resolved::Int)
    };
    let octal = || if dialect == Dialect::V3 { prefixed("0o", 8) } else { None };
    prefixed("0b", 2).or_else(octal).unwrap_or(Resolved::Str)
}

fn unsigned(digits: &str, radix: u32) -> Option<Resolved> {
    // Rust, unlike Go, lets a plus sign through.
    if digits.starts_with('+') {
        return None;
    }
    u64::from_str_radix(digits, radix)
        .ok()
        .map(|value| i64::try_from(value).map_or(Resolved::Uint(value), Resolved::Int))
}

/// An integer as `strconv.ParseInt` and `ParseUint` read it with base 0.
fn integer(text: &str) -> Option<Resolved> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => ("-", &text[1..]),
        b'+' => ("+", &text[1..]),
        _ => ("", text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let value = u64::from_str_radix(digits, radix).ok()?;
    match sign {
        "-" if value == 1 << 63 => Some(Resolved::Int(i64::MIN)),
        "-" => i64::try_from(value).ok().map(|value| Resolved::Int(-value)),
        _ => match i64::try_from(value) {
            Ok(value) => Some(Resolved::Int(value)),
            Err(_) => sign.is_empty().then_some(Resolved::Uint(value)),
        },
    }
}

/// Whether `text` is `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`.
fn is_decimal_float(text: &str) -> bool {
    fn digits(text: &[u8]) -> (usize, &[u8]) {
        let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        (count, &text[count..])
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text).as_bytes();
    let (whole, mut rest) = digits(unsigned);
    if let [b'.', after @ ..] = rest {
        let (fraction, after) = digits(after);
        if whole == 0 && fraction == 0 {
            return false;
        }
        rest = after;
    } else if whole == 0 {
        return false;
    }
    match rest {
        [] => true,
        [b'e' | b'E', exponent @ ..] => {
            let exponent = match exponent {
                [b'-' | b'+', after @ ..] => after,
                _ => exponent,
            };
            matches!(digits(exponent), (1.., []))
        }
        _ => false,
    }
}
