//! `Sprint`, `Sprintln` and `Sprintf`: which argument belongs to which verb.

use windlass_go::fmt::{Flags, append_rune, decode_rune};

use super::{PrintError, Printer};
use crate::value::{Kind, Value};

/// The largest width, precision or argument number that a format can name.
const MAX_NUMBER: usize = 1_000_000;

/// `fmt.Sprint`: a space between arguments of which neither is a string.
///
/// # Errors
/// If a value is too deep or too long.
pub fn sprint(arguments: &[Value]) -> Result<Vec<u8>, PrintError> {
    sprint_with(arguments, false)
}

/// As [`sprint`], but of pointers what they point to.
pub(crate) fn sprint_indirect(arguments: &[Value]) -> Result<Vec<u8>, PrintError> {
    sprint_with(arguments, true)
}

fn sprint_with(arguments: &[Value], is_indirect: bool) -> Result<Vec<u8>, PrintError> {
    let mut text = Vec::new();
    let mut printer = Printer::new(&mut text);
    printer.is_indirect = is_indirect;
    let mut after_string = true;
    for (index, argument) in arguments.iter().enumerate() {
        let is_string = argument.kind() == Kind::String;
        if index > 0 && !is_string && !after_string {
            printer.write(" ");
        }
        printer.argument(argument, 'v');
        after_string = is_string;
    }
    printer.finish()?;
    Ok(text)
}

/// `fmt.Sprintln`: a space between arguments, and a line break after them.
///
/// # Errors
/// If a value is too deep or too long.
pub fn sprintln(arguments: &[Value]) -> Result<Vec<u8>, PrintError> {
    let mut text = Vec::new();
    let mut printer = Printer::new(&mut text);
    for (index, argument) in arguments.iter().enumerate() {
        if index > 0 {
            printer.write(" ");
        }
        printer.argument(argument, 'v');
    }
    printer.write("\n");
    printer.finish()?;
    Ok(text)
}

/// `fmt.Sprintf`. What is wrong with the format shows in the text, as in Go.
///
/// # Errors
/// If a value is too deep or too long, and for `%p` of a pointer.
pub fn sprintf(format: &[u8], arguments: &[Value]) -> Result<Vec<u8>, PrintError> {
    let mut text = Vec::with_capacity(format.len() + 16);
    let mut run = Run {
        printer: Printer::new(&mut text),
        format,
        position: 0,
        arguments,
        argument: 0,
        is_reordered: false,
        is_good_number: true,
    };
    run.format();
    if !run.is_reordered && run.argument < arguments.len() {
        run.extra();
    }
    run.printer.finish()?;
    Ok(text)
}

struct Run<'p, 'a> {
    printer: Printer<'p>,
    format: &'a [u8],
    position: usize,
    arguments: &'a [Value],
    /// The number of the next argument.
    argument: usize,
    /// Whether the format chose an argument by its number.
    is_reordered: bool,
    is_good_number: bool,
}

impl Run<'_, '_> {
    fn byte(&self) -> Option<u8> {
        self.format.get(self.position).copied()
    }

    fn format(&mut self) {
        while self.position < self.format.len() {
            self.is_good_number = true;
            let rest = &self.format[self.position..];
            let text = memchr::memchr(b'%', rest).unwrap_or(rest.len());
            self.printer.out.to.extend_from_slice(&rest[..text]);
            self.position += text;
            if self.position >= self.format.len() {
                return;
            }
            self.position += 1;
            self.printer.out.flags = Flags::default();
            if self.flags() {
                continue;
            }
            self.width_and_precision();
            let Some(_) = self.byte() else {
                self.printer.write("%!(NOVERB)");
                return;
            };
            let (verb, width) = decode_rune(&self.format[self.position..]);
            self.position += width;
            if verb == '%' {
                self.printer.write("%");
            } else if !self.is_good_number {
                self.complain(verb, "(BADINDEX)");
            } else if self.argument >= self.arguments.len() {
                self.complain(verb, "(MISSING)");
            } else {
                self.verb(verb);
            }
        }
    }

    fn complain(&mut self, verb: char, what: &str) {
        self.printer.write("%!");
        append_rune(self.printer.out.to, verb);
        self.printer.write(what);
    }

    /// Reads the flags; prints at once if a plain verb follows them.
    fn flags(&mut self) -> bool {
        while let Some(byte) = self.byte() {
            let flags = &mut self.printer.out.flags;
            match byte {
                b'#' => flags.sharp = true,
                b'0' => flags.zero = true,
                b'+' => flags.plus = true,
                b'-' => flags.minus = true,
                b' ' => flags.space = true,
                b'a'..=b'z' if self.argument < self.arguments.len() => {
                    self.position += 1;
                    self.verb(char::from(byte));
                    return true;
                }
                _ => return false,
            }
            self.position += 1;
        }
        false
    }

    fn verb(&mut self, verb: char) {
        let flags = &mut self.printer.out.flags;
        if matches!(verb, 'v' | 'w') {
            flags.sharp_v = std::mem::take(&mut flags.sharp);
            flags.plus_v = std::mem::take(&mut flags.plus);
        }
        let argument = &self.arguments[self.argument];
        self.argument += 1;
        self.printer.argument(argument, verb);
    }

    fn width_and_precision(&mut self) {
        let mut after_index = self.argument_number();
        if self.byte() == Some(b'*') {
            self.position += 1;
            match self.integer_argument() {
                Some(width) => {
                    let flags = &mut self.printer.out.flags;
                    flags.width = Some(usize::try_from(width.unsigned_abs()).unwrap_or(MAX_NUMBER));
                    if width < 0 {
                        flags.minus = true;
                        flags.zero = false;
                    }
                }
                None => self.printer.write("%!(BADWIDTH)"),
            }
            after_index = false;
        } else {
            let width = self.number();
            self.printer.out.flags.width = width;
            if after_index && width.is_some() {
                self.is_good_number = false;
            }
        }
        if self.position + 1 < self.format.len() && self.byte() == Some(b'.') {
            self.position += 1;
            if after_index {
                self.is_good_number = false;
            }
            after_index = self.argument_number();
            if self.byte() == Some(b'*') {
                self.position += 1;
                let precision = self.integer_argument().and_then(|precision| usize::try_from(precision).ok());
                self.printer.out.flags.precision = precision;
                if precision.is_none() {
                    self.printer.write("%!(BADPREC)");
                }
                after_index = false;
            } else {
                let precision = self.number();
                self.printer.out.flags.precision = Some(precision.unwrap_or(0));
            }
        }
        if !after_index {
            self.argument_number();
        }
    }

    /// Reads a decimal number; one that is too large ends the format.
    fn number(&mut self) -> Option<usize> {
        let (number, position) = parse_number(self.format, self.position, self.format.len());
        self.position = position;
        number
    }

    /// Takes an argument that is an integer.
    fn integer_argument(&mut self) -> Option<i64> {
        let argument = self.arguments.get(self.argument)?;
        self.argument += 1;
        let integer =
            argument.as_int().or_else(|| argument.as_uint().and_then(|uint| i64::try_from(uint).ok()));
        integer.filter(|integer| integer.unsigned_abs() <= MAX_NUMBER as u64)
    }

    /// Reads `[n]`; says whether it was there.
    fn argument_number(&mut self) -> bool {
        if self.byte() != Some(b'[') {
            return false;
        }
        self.is_reordered = true;
        let rest = &self.format[self.position..];
        let close = if rest.len() < 3 { None } else { memchr::memchr(b']', rest) };
        let Some(close) = close else {
            self.is_good_number = false;
            self.position += 1;
            return false;
        };
        let (number, end) = parse_number(rest, 1, close);
        self.position += close + 1;
        let Some(number) = number.filter(|_| end == close) else {
            self.is_good_number = false;
            return false;
        };
        match number.checked_sub(1) {
            Some(index) if index < self.arguments.len() => self.argument = index,
            _ => self.is_good_number = false,
        }
        true
    }

    /// Complains of the arguments that no verb asked for.
    fn extra(&mut self) {
        self.printer.out.flags = Flags::default();
        self.printer.write("%!(EXTRA ");
        for (index, argument) in self.arguments[self.argument..].iter().enumerate() {
            if index > 0 {
                self.printer.write(", ");
            }
            if matches!(argument, Value::Nil | Value::NoValue) {
                self.printer.write("<nil>");
            } else {
                self.printer.write(argument.type_of().name);
                self.printer.write("=");
                self.printer.argument(argument, 'v');
            }
        }
        self.printer.write(")");
    }
}

fn parse_number(text: &[u8], start: usize, end: usize) -> (Option<usize>, usize) {
    let mut number = None;
    let mut position = start;
    while position < end && text[position].is_ascii_digit() {
        let known = number.unwrap_or(0);
        if known > MAX_NUMBER {
            return (None, end);
        }
        number = Some(known * 10 + usize::from(text[position] - b'0'));
        position += 1;
    }
    (number, position.min(end.max(start)))
}
