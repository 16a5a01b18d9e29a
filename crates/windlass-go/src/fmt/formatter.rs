//! One verb: its flags, and how scalars print under them.

use super::float::append_float;
use super::quote::{append_quote, append_quote_rune, can_backquote, is_print};
use super::rune::{append_rune, decode_rune, rune_count};

const LOWER: &[u8; 17] = b"0123456789abcdefx";
const UPPER: &[u8; 17] = b"0123456789ABCDEFX";

/// The flags, width and precision of one verb.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "they are Go's flags, each independent of the others")]
pub struct Flags {
    /// `-`: pad on the right.
    pub minus: bool,
    /// `+`: always a sign; only ASCII in `%+q`.
    pub plus: bool,
    /// `#`: the alternate form.
    pub sharp: bool,
    /// A space: leave room for a sign, or between bytes in hexadecimal.
    pub space: bool,
    /// `0`: pad with zeros.
    pub zero: bool,
    /// `%+v`: name the fields of structs.
    pub plus_v: bool,
    /// `%#v`: Go syntax.
    pub sharp_v: bool,
    /// The width, if given.
    pub width: Option<usize>,
    /// The precision, if given.
    pub precision: Option<usize>,
}

/// Appends scalars to a buffer as Go's `fmt` prints them.
///
/// Each method takes the verb and answers whether the verb fits; if not, nothing was written, and the caller
/// prints Go's complaint (`%!d(string=hi)`).
#[derive(Debug)]
pub struct Formatter<'a> {
    /// Where to print to.
    pub to: &'a mut Vec<u8>,
    /// The flags of the verb at hand.
    pub flags: Flags,
}

impl<'a> Formatter<'a> {
    /// A formatter without flags.
    pub fn new(to: &'a mut Vec<u8>) -> Self {
        Self { to, flags: Flags::default() }
    }

    /// Appends as it is.
    pub fn write(&mut self, text: &str) {
        self.to.extend_from_slice(text.as_bytes());
    }

    fn write_padding(&mut self, count: usize) {
        let byte = if self.flags.zero && !self.flags.minus { b'0' } else { b' ' };
        self.to.extend(std::iter::repeat_n(byte, count));
    }

    /// Appends `text` padded to the width.
    pub fn pad(&mut self, text: &[u8]) {
        let Some(width) = self.flags.width.filter(|width| *width > 0) else {
            self.to.extend_from_slice(text);
            return;
        };
        let padding = width.saturating_sub(rune_count(text));
        if self.flags.minus {
            self.to.extend_from_slice(text);
            self.write_padding(padding);
        } else {
            self.write_padding(padding);
            self.to.extend_from_slice(text);
        }
    }

    fn pad_without_zeros(&mut self, text: &[u8]) {
        let zero = std::mem::take(&mut self.flags.zero);
        self.pad(text);
        self.flags.zero = zero;
    }

    /// A boolean.
    #[must_use]
    pub fn boolean(&mut self, value: bool, verb: char) -> bool {
        if !matches!(verb, 't' | 'v') {
            return false;
        }
        self.pad(if value { b"true" } else { b"false" });
        true
    }

    /// A signed integer.
    #[must_use]
    pub fn signed(&mut self, value: i64, verb: char) -> bool {
        self.integer(value.cast_unsigned(), true, verb)
    }

    /// An unsigned integer.
    #[must_use]
    pub fn unsigned(&mut self, value: u64, verb: char) -> bool {
        self.integer(value, false, verb)
    }

    fn integer(&mut self, value: u64, is_signed: bool, verb: char) -> bool {
        match verb {
            'v' if self.flags.sharp_v && !is_signed => self.hexadecimal(value, true),
            'v' | 'd' => self.digits(value, 10, is_signed, verb, LOWER),
            'b' => self.digits(value, 2, is_signed, verb, LOWER),
            'o' | 'O' => self.digits(value, 8, is_signed, verb, LOWER),
            'x' => self.digits(value, 16, is_signed, verb, LOWER),
            'X' => self.digits(value, 16, is_signed, verb, UPPER),
            'c' => {
                let mut text = Vec::with_capacity(4);
                append_rune(&mut text, character(value));
                self.pad(&text);
            }
            'q' => {
                let mut text = Vec::new();
                append_quote_rune(&mut text, character(value), self.flags.plus);
                self.pad(&text);
            }
            'U' => self.unicode(value),
            _ => return false,
        }
        true
    }

    /// An unsigned integer in hexadecimal, as pointers and bytes in Go syntax print.
    pub fn hexadecimal(&mut self, value: u64, leading_0x: bool) {
        let sharp = std::mem::replace(&mut self.flags.sharp, leading_0x);
        self.digits(value, 16, false, 'v', LOWER);
        self.flags.sharp = sharp;
    }

    /// A byte among others, in decimal.
    pub fn decimal_byte(&mut self, byte: u8, verb: char) {
        self.digits(u64::from(byte), 10, false, verb, LOWER);
    }

    fn digits(&mut self, value: u64, base: u64, is_signed: bool, verb: char, names: &[u8; 17]) {
        let negative = is_signed && value.cast_signed() < 0;
        let mut rest = if negative { value.wrapping_neg() } else { value };
        let flags = self.flags;
        if base == 10 && flags == Flags::default() {
            // The common case.
            if negative {
                self.to.push(b'-');
            }
            return append_decimal(self.to, rest);
        }
        let mut minimum = 0;
        if let Some(precision) = flags.precision {
            minimum = precision;
            if precision == 0 && rest == 0 {
                let zero = std::mem::take(&mut self.flags.zero);
                self.write_padding(flags.width.unwrap_or(0));
                self.flags.zero = zero;
                return;
            }
        } else if flags.zero && !flags.minus && flags.width.is_some() {
            minimum = flags.width.unwrap_or(0);
            if negative || flags.plus || flags.space {
                minimum = minimum.saturating_sub(1);
            }
        }
        let mut text = Vec::with_capacity(minimum + 24);
        loop {
            text.push(names[usize::try_from(rest % base).expect("below 16")]);
            rest /= base;
            if rest == 0 {
                break;
            }
        }
        let zeros = minimum.saturating_sub(text.len());
        text.extend(std::iter::repeat_n(b'0', zeros));
        if flags.sharp {
            match base {
                2 => text.extend_from_slice(b"b0"),
                8 if text.last() != Some(&b'0') => text.push(b'0'),
                16 => text.extend_from_slice(&[names[16], b'0']),
                _ => {}
            }
        }
        if verb == 'O' {
            text.extend_from_slice(b"o0");
        }
        if negative {
            text.push(b'-');
        } else if flags.plus {
            text.push(b'+');
        } else if flags.space {
            text.push(b' ');
        }
        text.reverse();
        self.pad_without_zeros(&text);
    }

    fn unicode(&mut self, value: u64) {
        let digits = self.flags.precision.filter(|precision| *precision > 4).unwrap_or(4);
        let number = format!("{value:X}");
        let mut text = b"U+".to_vec();
        text.extend(std::iter::repeat_n(b'0', digits.saturating_sub(number.len())));
        text.extend_from_slice(number.as_bytes());
        let shown = u32::try_from(value).ok().and_then(char::from_u32).filter(|char| is_print(*char));
        if let (true, Some(char)) = (self.flags.sharp, shown) {
            text.extend_from_slice(b" '");
            append_rune(&mut text, char);
            text.push(b'\'');
        }
        self.pad_without_zeros(&text);
    }

    /// A float; `bits` is 32 for a `float32`.
    #[must_use]
    pub fn float(&mut self, value: f64, bits: u32, verb: char) -> bool {
        match verb {
            'v' => self.float_as(value, bits, b'g', None, true),
            'b' | 'g' | 'G' | 'x' | 'X' => {
                let format = u8::try_from(verb).expect("one of these letters");
                self.float_as(value, bits, format, None, false);
            }
            'f' | 'F' => self.float_as(value, bits, b'f', Some(6), false),
            'e' | 'E' => self.float_as(value, bits, u8::try_from(verb).expect("e or E"), Some(6), false),
            _ => return false,
        }
        true
    }

    fn float_as(&mut self, value: f64, bits: u32, format: u8, precision: Option<usize>, is_v: bool) {
        let flags = self.flags;
        let precision = flags.precision.or(precision);
        if is_v && flags == Flags::default() {
            return append_float(self.to, value, format, precision, bits);
        }
        let mut number = vec![b'+'];
        append_float(&mut number, value, format, precision, bits);
        if matches!(number[1], b'-' | b'+') {
            number.remove(0);
        }
        if flags.space && number[0] == b'+' && !flags.plus {
            number[0] = b' ';
        }
        if matches!(number[1], b'I' | b'N') {
            let from = usize::from(number[1] == b'N' && !flags.space && !flags.plus);
            let zero = std::mem::take(&mut self.flags.zero);
            self.pad(&number[from..]);
            self.flags.zero = zero;
            return;
        }
        if flags.sharp && format != b'b' {
            keep_point(&mut number, format, precision);
        }
        if flags.plus || number[0] != b'+' {
            let width = flags.width.unwrap_or(0);
            if flags.zero && !flags.minus && width > number.len() {
                self.to.push(number[0]);
                self.write_padding(width - number.len());
                self.to.extend_from_slice(&number[1..]);
                return;
            }
            self.pad(&number);
            return;
        }
        self.pad(&number[1..]);
    }

    /// A complex number.
    #[must_use]
    pub fn complex(&mut self, real: f64, imaginary: f64, verb: char) -> bool {
        if !matches!(verb, 'v' | 'b' | 'g' | 'G' | 'x' | 'X' | 'f' | 'F' | 'e' | 'E') {
            return false;
        }
        let plus = self.flags.plus;
        self.to.push(b'(');
        let _ = self.float(real, 64, verb);
        self.flags.plus = true;
        let _ = self.float(imaginary, 64, verb);
        self.write("i)");
        self.flags.plus = plus;
        true
    }

    /// A string.
    #[must_use]
    pub fn string(&mut self, text: &[u8], verb: char) -> bool {
        match verb {
            'v' if self.flags.sharp_v => self.quoted(text),
            'v' | 's' => self.pad(truncated(text, self.flags.precision)),
            'x' => self.bytes_as_hexadecimal(text, LOWER),
            'X' => self.bytes_as_hexadecimal(text, UPPER),
            'q' => self.quoted(text),
            _ => return false,
        }
        true
    }

    fn quoted(&mut self, text: &[u8]) {
        let text = truncated(text, self.flags.precision);
        let mut quoted = Vec::with_capacity(text.len() + 2);
        if self.flags.sharp && can_backquote(text) {
            quoted.push(b'`');
            quoted.extend_from_slice(text);
            quoted.push(b'`');
        } else {
            append_quote(&mut quoted, text, self.flags.plus);
        }
        self.pad(&quoted);
    }

    fn bytes_as_hexadecimal(&mut self, bytes: &[u8], names: &[u8; 17]) {
        let flags = self.flags;
        let bytes = &bytes[..flags.precision.unwrap_or(bytes.len()).min(bytes.len())];
        if bytes.is_empty() {
            return self.write_padding(flags.width.unwrap_or(0));
        }
        let mut length = 2 * bytes.len();
        if flags.space {
            length = if flags.sharp { length * 2 } else { length } + bytes.len() - 1;
        } else if flags.sharp {
            length += 2;
        }
        let padding = flags.width.unwrap_or(0).saturating_sub(length);
        if !flags.minus {
            self.write_padding(padding);
        }
        for (index, byte) in bytes.iter().enumerate() {
            if flags.space && index > 0 {
                self.to.push(b' ');
            }
            if flags.sharp && (index == 0 || flags.space) {
                self.to.extend_from_slice(&[b'0', names[16]]);
            }
            self.to.extend_from_slice(&[names[usize::from(byte >> 4)], names[usize::from(byte & 15)]]);
        }
        if flags.minus {
            self.write_padding(padding);
        }
    }
}

/// Appends an integer in decimal.
fn append_decimal(to: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + u8::try_from(value % 10).expect("one digit");
        value /= 10;
        if value == 0 {
            break;
        }
    }
    to.extend_from_slice(&digits[start..]);
}

fn character(value: u64) -> char {
    u32::try_from(value).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// At most `precision` characters of `text`.
fn truncated(text: &[u8], precision: Option<usize>) -> &[u8] {
    let Some(precision) = precision else { return text };
    let mut end = 0;
    for _ in 0..precision {
        if end >= text.len() {
            break;
        }
        end += decode_rune(&text[end..]).1;
    }
    &text[..end]
}

/// The `#` flag of floats: a decimal point in any case, and trailing zeros in `%g`.
fn keep_point(number: &mut Vec<u8>, format: u8, precision: Option<usize>) {
    let mut digits = match format {
        b'g' | b'G' | b'x' => precision.map_or(6, |precision| i64::try_from(precision).unwrap_or(i64::MAX)),
        _ => 0,
    };
    let is_hexadecimal = matches!(format, b'x' | b'X');
    let is_exponent = |byte: &u8| match byte {
        b'p' | b'P' => true,
        b'e' | b'E' => !is_hexadecimal,
        _ => false,
    };
    let end = number.iter().position(is_exponent).unwrap_or(number.len());
    let tail = number.split_off(end);
    let mut has_point = false;
    let mut saw_nonzero = false;
    for byte in &number[1..] {
        if *byte == b'.' {
            has_point = true;
            continue;
        }
        saw_nonzero |= *byte != b'0';
        if saw_nonzero {
            digits -= 1;
        }
    }
    if !has_point {
        if number.len() == 2 && number[1] == b'0' {
            digits -= 1;
        }
        number.push(b'.');
    }
    for _ in 0..digits {
        number.push(b'0');
    }
    number.extend_from_slice(&tail);
}
