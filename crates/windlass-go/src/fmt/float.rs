//! Floats as `strconv.FormatFloat` prints them.

/// Appends `float` in `format` (`e`, `E`, `f`, `g`, `G`, `b`, `x`, `X`) with `precision` digits, or with as few
/// as name it uniquely; `bits` is 32 for a `float32`.
pub fn append_float(to: &mut Vec<u8>, float: f64, format: u8, precision: Option<usize>, bits: u32) {
    if float.is_nan() {
        to.extend_from_slice(b"NaN");
        return;
    }
    if float.is_infinite() {
        to.extend_from_slice(if float > 0.0 { b"+Inf" } else { b"-Inf" });
        return;
    }
    match format {
        b'b' => return append_binary_exponent(to, float, bits),
        b'x' | b'X' => return append_hexadecimal(to, float, format, precision, bits),
        _ => {}
    }
    if float.is_sign_negative() {
        to.push(b'-');
    }
    let float = float.abs();
    match format {
        b'e' | b'E' => {
            let digits = Digits::of(float, precision.map(|precision| precision + 1), bits);
            digits.append_scientific(to, precision.unwrap_or(digits.digits.len() - 1), format);
        }
        b'f' => match precision {
            Some(precision) => {
                let exact = precision.min(MAX_DIGITS);
                to.extend_from_slice(format!("{float:.exact$}").as_bytes());
                to.extend(std::iter::repeat_n(b'0', precision - exact));
            }
            None => Digits::of(float, None, bits).append_positional(to),
        },
        _ => append_general(to, float, format, precision, bits),
    }
}

/// `float` in `format`, as [`append_float`] appends it.
#[must_use]
pub fn format_float(float: f64, format: u8, precision: Option<usize>, bits: u32) -> String {
    let mut text = Vec::new();
    append_float(&mut text, float, format, precision, bits);
    String::from_utf8(text).expect("digits are ASCII")
}

/// No float has more decimals than this; the rest are zeros. Rust's own formatting stops at 65,535.
const MAX_DIGITS: usize = 1_200;

#[expect(clippy::cast_possible_truncation, reason = "it was a float32 before it was widened")]
fn narrow(float: f64) -> f32 {
    float as f32
}

/// `%g`: scientific for small and large exponents, without trailing zeros.
fn append_general(to: &mut Vec<u8>, float: f64, format: u8, precision: Option<usize>, bits: u32) {
    let shortest = precision.is_none();
    let wanted = precision.map(|precision| precision.max(1));
    let mut digits = Digits::of(float, wanted, bits);
    let mut limit = i64::try_from(wanted.unwrap_or(6)).unwrap_or(i64::MAX);
    // Go's exact conversion drops trailing zeros, so that the digits are those that carry a value.
    while digits.digits.last() == Some(&b'0') && digits.digits.len() > 1 {
        digits.digits.pop();
    }
    let count = if float == 0.0 { 0 } else { i64::try_from(digits.digits.len()).unwrap_or(i64::MAX) };
    let point = i64::from(digits.exponent) + i64::from(float != 0.0);
    if limit > count && count >= point {
        limit = count;
    }
    if shortest {
        limit = 6;
    }
    let exponent = point - 1;
    if exponent < -4 || exponent >= limit {
        digits.append_scientific(to, digits.digits.len() - 1, format + b'e' - b'g');
        return;
    }
    digits.append_positional(to);
}

/// Decimal digits of a float, `d.ddd × 10^exponent`.
struct Digits {
    digits: Vec<u8>,
    exponent: i32,
}

impl Digits {
    fn of(float: f64, wanted: Option<usize>, bits: u32) -> Self {
        let text = match wanted {
            Some(wanted) => format!("{float:.*e}", (wanted - 1).min(MAX_DIGITS)),
            None if bits == 32 => format!("{:e}", narrow(float)),
            None => format!("{float:e}"),
        };
        let (mantissa, exponent) = text.split_once('e').expect("scientific notation has an exponent");
        let mut digits = Self {
            digits: mantissa.bytes().filter(|byte| *byte != b'.').collect(),
            exponent: exponent.parse().expect("an exponent is a number"),
        };
        if wanted.is_none() && digits.digits.len() >= if bits == 32 { 6 } else { 15 } {
            digits.settle_tie(float);
        }
        digits
    }

    /// Where two numbers of as few digits are equally near, Go takes the even one and Rust the larger.
    fn settle_tie(&mut self, float: f64) {
        /// As many further digits as show that nothing follows the five: 53 bits do not reach further.
        const FURTHER: usize = 40;
        let length = self.digits.len();
        let Some(last) = self.digits.last_mut() else { return };
        if *last % 2 == 0 || *last == b'0' {
            return;
        }
        let exact = format!("{float:.*e}", length + FURTHER);
        let exact = exact.bytes().filter(u8::is_ascii_digit).take(length + FURTHER).collect::<Vec<_>>();
        let is_tie = exact[length] == b'5' && exact[length + 1..].iter().all(|digit| *digit == b'0');
        if is_tie && exact[length - 1] == *last - 1 {
            *last -= 1;
        }
    }

    fn append_scientific(&self, to: &mut Vec<u8>, decimals: usize, letter: u8) {
        to.push(self.digits[0]);
        if decimals > 0 {
            to.push(b'.');
            let digits = &self.digits[1..];
            to.extend_from_slice(&digits[..decimals.min(digits.len())]);
            to.extend(std::iter::repeat_n(b'0', decimals.saturating_sub(digits.len())));
        }
        to.push(letter);
        to.push(if self.exponent < 0 { b'-' } else { b'+' });
        to.extend_from_slice(format!("{:02}", self.exponent.unsigned_abs()).as_bytes());
    }

    fn append_positional(&self, to: &mut Vec<u8>) {
        if self.exponent < 0 {
            to.extend_from_slice(b"0.");
            to.extend(std::iter::repeat_n(b'0', self.exponent.unsigned_abs() as usize - 1));
            to.extend_from_slice(&self.digits);
            return;
        }
        let point = self.exponent.unsigned_abs() as usize + 1;
        let whole = point.min(self.digits.len());
        to.extend_from_slice(&self.digits[..whole]);
        to.extend(std::iter::repeat_n(b'0', point - whole));
        if self.digits.len() > point {
            to.push(b'.');
            to.extend_from_slice(&self.digits[point..]);
        }
    }
}

/// The mantissa as an integer and the binary exponent that belongs to it.
fn parts(float: f64, bits: u32) -> (u64, i32, u32) {
    let (raw, mantissa_bits, bias) = if bits == 32 {
        (u64::from(narrow(float).to_bits()), 23, -127)
    } else {
        (float.to_bits(), 52, -1023)
    };
    let exponent_mask = if bits == 32 { 0xff } else { 0x7ff };
    let mantissa = raw & ((1 << mantissa_bits) - 1);
    let exponent = i32::try_from((raw >> mantissa_bits) & exponent_mask).expect("eleven bits");
    if exponent == 0 {
        (mantissa, 1 + bias, mantissa_bits)
    } else {
        (mantissa | 1 << mantissa_bits, exponent + bias, mantissa_bits)
    }
}

fn append_binary_exponent(to: &mut Vec<u8>, float: f64, bits: u32) {
    let (mantissa, exponent, mantissa_bits) = parts(float, bits);
    let exponent = exponent - i32::try_from(mantissa_bits).expect("52 at most");
    let sign = if float.is_sign_negative() { "-" } else { "" };
    to.extend_from_slice(format!("{sign}{mantissa}p{exponent:+}").as_bytes());
}

fn append_hexadecimal(to: &mut Vec<u8>, float: f64, format: u8, precision: Option<usize>, bits: u32) {
    let (mut mantissa, mut exponent, mantissa_bits) = parts(float, bits);
    if mantissa == 0 {
        exponent = 0;
    }
    // Shift the digits, in groups of four bits, below a leading one at bit 60.
    mantissa <<= 60 - mantissa_bits;
    while mantissa != 0 && mantissa & (1 << 60) == 0 {
        mantissa <<= 1;
        exponent -= 1;
    }
    if let Some(precision) = precision.filter(|precision| *precision < 15) {
        let shift = u32::try_from(precision * 4).expect("below 60");
        let extra = (mantissa << shift) & ((1 << 60) - 1);
        mantissa >>= 60 - shift;
        if extra | (mantissa & 1) > 1 << 59 {
            mantissa += 1;
        }
        mantissa <<= 60 - shift;
        if mantissa & (1 << 61) != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let digits: &[u8; 16] = if format == b'X' { b"0123456789ABCDEF" } else { b"0123456789abcdef" };
    if float.is_sign_negative() {
        to.push(b'-');
    }
    to.extend_from_slice(&[b'0', format, b'0' + u8::try_from((mantissa >> 60) & 1).expect("one bit")]);
    mantissa <<= 4;
    match precision {
        None if mantissa != 0 => {
            to.push(b'.');
            while mantissa != 0 {
                to.push(digits[(mantissa >> 60) as usize & 15]);
                mantissa <<= 4;
            }
        }
        Some(precision) if precision > 0 => {
            to.push(b'.');
            for _ in 0..precision {
                to.push(digits[(mantissa >> 60) as usize & 15]);
                mantissa <<= 4;
            }
        }
        _ => {}
    }
    to.push(if format == b'X' { b'P' } else { b'p' });
    to.push(if exponent < 0 { b'-' } else { b'+' });
    to.extend_from_slice(format!("{:02}", exponent.unsigned_abs()).as_bytes());
}
