//! The canonical text of a resource quantity, as `resource.Quantity` prints what it has read.

/// One nano: the smallest part a quantity keeps.
const NANOS: i128 = 1_000_000_000;
/// Binary quantities are capped at the largest 64-bit integer, as in Go.
const BINARY_CAP: i128 = i64::MAX as i128 * NANOS;
/// Others at what is held here; Go has no limit, and nobody has that much of anything.
const CAP: i128 = i128::MAX / 4;
/// How many digits surely fit 64 bits: Go keeps the text of shorter numbers.
const SHORT: usize = 18;

/// How a quantity was written; it is printed the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Decimal,
    Binary,
    Exponent,
}

/// A parsed quantity, to a billionth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantity {
    nanos: i128,
    format: Format,
}

impl Quantity {
    /// Reads a quantity such as `100m`, `1.5Gi` or `1e3`; `None` when it is not one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, unsigned) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
        let (digits, suffix) = unsigned.split_at(end);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        // No digits at all are zero, as in Go: `Mi` is a quantity.
        if unsigned.is_empty() || fraction.contains('.') {
            return None;
        }
        let (format, power_of_ten, power_of_two) = scale(suffix)?;
        // Value = digits x 10^(power - fraction digits) x 2^power; one rounding, upwards, at the end.
        let mut mantissa: i128 = 0;
        let mut exponent = power_of_ten;
        for digit in whole.bytes() {
            mantissa = mantissa.saturating_mul(10).saturating_add(i128::from(digit - b'0')).min(CAP);
        }
        for digit in fraction.bytes().take(18) {
            mantissa = mantissa.saturating_mul(10).saturating_add(i128::from(digit - b'0')).min(CAP);
            exponent -= 1;
        }
        exponent += 9;
        let mut nanos = mantissa;
        for _ in 0..power_of_two {
            nanos = nanos.saturating_mul(2);
        }
        while exponent > 0 {
            nanos = nanos.saturating_mul(10);
            exponent -= 1;
        }
        let mut divisor: i128 = 1;
        while exponent < 0 {
            divisor = divisor.saturating_mul(10);
            exponent += 1;
        }
        nanos = nanos.div_euclid(divisor) + i128::from(nanos.rem_euclid(divisor) != 0);
        nanos = nanos.min(if format == Format::Binary { BINARY_CAP } else { CAP });
        Some(Self { nanos: if negative { -nanos } else { nanos }, format })
    }

    /// The text that Go prints for a quantity it has read: the text itself where that is in canonical form
    /// or looks so at a glance, else the canonical form.
    #[must_use]
    pub fn printed(text: &str) -> Option<String> {
        let parsed = Self::parse(text)?;
        if reads_as_canonical(text, parsed.format) { Some(text.to_owned()) } else { Some(parsed.to_string()) }
    }

    /// Rounded up to thousandths, as the amounts in resource lists are.
    #[must_use]
    pub fn round_up_to_milli(self) -> Self {
        const MILLI: i128 = NANOS / 1000;
        let up = |nanos: i128| nanos.div_euclid(MILLI) + i128::from(nanos.rem_euclid(MILLI) != 0);
        let nanos = if self.nanos < 0 { -up(-self.nanos) } else { up(self.nanos) };
        Self { nanos: nanos * MILLI, ..self }
    }

    /// The value in billionths; what comparisons use.
    #[must_use]
    pub fn nanos(self) -> i128 {
        self.nanos
    }

    /// Whether the value is zero.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.nanos == 0
    }

    /// Whether the value is a whole number.
    #[must_use]
    pub fn is_integer(self) -> bool {
        self.nanos % NANOS == 0
    }

    /// The sum of two quantities, printed as the first is.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let format = if self.nanos == 0 { other.format } else { self.format };
        Self { nanos: (self.nanos + other.nanos).clamp(-CAP, CAP), format }
    }
}

/// The canonical text: no fraction, the largest suffix that loses nothing.
impl std::fmt::Display for Quantity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
        const DECIMAL: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
        if self.nanos == 0 {
            return f.write_str("0");
        }
        // Below 1024 there is no binary suffix to use, and no fraction has one.
        let small = self.nanos.abs() < 1024 * NANOS;
        if self.format == Format::Binary && !small && self.is_integer() {
            let mut value = self.nanos / NANOS;
            let mut suffix = 0;
            while value % 1024 == 0 && suffix + 1 < BINARY.len() {
                value /= 1024;
                suffix += 1;
            }
            return write!(f, "{value}{}", BINARY[suffix]);
        }
        let mut value = self.nanos;
        let mut suffix: usize = 0;
        while value % 1000 == 0 && suffix + 1 < DECIMAL.len() {
            value /= 1000;
            suffix += 1;
        }
        if self.format == Format::Exponent && suffix != 3 {
            return write!(f, "{value}e{}", (suffix as i64 - 3) * 3);
        }
        write!(f, "{value}{}", DECIMAL[suffix])
    }
}

/// Whether Go keeps the text of a number, by the same shortcut.
fn reads_as_canonical(text: &str, format: Format) -> bool {
    let unsigned = text.trim_start_matches(['+', '-']);
    let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
    let (digits, suffix) = unsigned.split_at(end);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let Some((_, power_of_ten, power_of_two)) = scale(suffix) else { return false };
    if format == Format::Binary {
        let room = 15 - i64::try_from(whole.len()).unwrap_or(15) - i64::from(power_of_two * 3 / 10) - 1;
        return fraction.is_empty() && room >= 0 && whole.parse::<u64>().is_ok_and(|value| value & 7 != 0);
    }
    let shifted = format!("{whole}{fraction}");
    let exponent = power_of_ten - i32::try_from(fraction.len()).unwrap_or(i32::MAX / 2);
    shifted.len() <= SHORT
        && exponent >= -9
        && exponent % 3 == 0
        && !shifted.ends_with("000")
        && !shifted.starts_with('0')
}

fn scale(suffix: &str) -> Option<(Format, i32, u32)> {
    Some(match suffix {
        "" => (Format::Decimal, 0, 0),
        "n" => (Format::Decimal, -9, 0),
        "u" => (Format::Decimal, -6, 0),
        "m" => (Format::Decimal, -3, 0),
        "k" => (Format::Decimal, 3, 0),
        "M" => (Format::Decimal, 6, 0),
        "G" => (Format::Decimal, 9, 0),
        "T" => (Format::Decimal, 12, 0),
        "P" => (Format::Decimal, 15, 0),
        "E" => (Format::Decimal, 18, 0),
        "Ki" => (Format::Binary, 0, 10),
        "Mi" => (Format::Binary, 0, 20),
        "Gi" => (Format::Binary, 0, 30),
        "Ti" => (Format::Binary, 0, 40),
        "Pi" => (Format::Binary, 0, 50),
        "Ei" => (Format::Binary, 0, 60),
        _ => {
            let exponent = suffix.strip_prefix(['e', 'E'])?;
            (Format::Exponent, exponent.parse().ok().filter(|e: &i32| e.abs() < 100)?, 0)
        }
    })
}
