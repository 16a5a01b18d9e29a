//! The characters of a document: what stands where, and what the original says if it does not.

use windlass_go::time::{Time, Zone};

use crate::value::{Str, Value};

use super::super::cast::{IntError, parse_float, parse_int};
use super::super::dates::time_value;
use super::super::display::quoted;
use super::super::regex::FIRST_STAND_IN;
use super::super::runes::is_letter;

/// What is wrong, and on which line.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) line: usize,
    pub(super) message: String,
}

/// Reads a document character by character.
pub(super) struct Lexer<'a> {
    rest: &'a str,
    line: usize,
    ends_with_newline: bool,
    /// Whether private characters stand for bytes that are none.
    has_stand_ins: bool,
    /// Whether a character was asked for where none was left.
    is_over: bool,
}

fn is_blank(char: char) -> bool {
    char == '\t' || char == ' '
}

fn is_newline(char: char) -> bool {
    char == '\n' || char == '\r'
}

fn is_bare_key(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '-' || char == '_'
}

/// A character as `%q` prints it; the end of the text is a zero.
fn rune(char: Option<char>) -> String {
    match char {
        None | Some('\0') => r"'\x00'".to_owned(),
        Some('\'') => r"'\''".to_owned(),
        Some('"') => "'\"'".to_owned(),
        Some(char) => {
            let text = quoted(&Str::from(char.to_string()));
            let text = String::from_utf8_lossy(&text).into_owned();
            format!("'{}'", text.trim_matches('"'))
        }
    }
}

fn string(text: &str) -> String {
    String::from_utf8_lossy(&quoted(&text.into())).into_owned()
}

fn rune_or_end(char: Option<char>) -> String {
    char.map_or_else(|| "end of file".to_owned(), |char| format!("'{char}'"))
}

type Read<T> = Result<T, Problem>;

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str, has_stand_ins: bool) -> Self {
        Self { rest: text, line: 1, ends_with_newline: text.ends_with('\n'), has_stand_ins, is_over: false }
    }

    /// The line of the next character.
    pub(super) fn line(&self) -> usize {
        self.line
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    pub(super) fn fail<T>(&self, message: impl Into<String>) -> Read<T> {
        // What is missing at the end is missing on the last line, not on an empty one after it.
        let line = self.line - usize::from(self.is_over && self.ends_with_newline);
        Err(Problem { line, message: message.into() })
    }

    /// An error at the end of the line before, where what is missing should be.
    pub(super) fn fail_at_line_end<T>(&self, message: impl Into<String>) -> Read<T> {
        Err(Problem { line: self.line.saturating_sub(1).max(1), message: message.into() })
    }

    /// The next character; the ones that no document may have are errors.
    pub(super) fn next_char(&mut self) -> Read<Option<char>> {
        let Some(char) = self.peek() else {
            self.is_over = true;
            return Ok(None);
        };
        let rest = &self.rest[char.len_utf8()..];
        let is_lone_return = char == '\r' && !rest.starts_with('\n');
        if matches!(char, '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\x7f') || is_lone_return {
            let code = u32::from(char);
            return self.fail(format!("TOML files cannot contain control characters: '0x{code:02x}'"));
        }
        if self.has_stand_ins && char >= FIRST_STAND_IN {
            return self.fail(format!("invalid UTF-8 byte: 0x{:02x}", u32::from(char) & 0xff));
        }
        self.rest = rest;
        if char == '\n' {
            self.line += 1;
        }
        Ok(Some(char))
    }

    /// Steps over a character if it is the next one.
    pub(super) fn accept(&mut self, wanted: char) -> Read<bool> {
        if self.peek() == Some(wanted) { self.next_char().map(|_| true) } else { Ok(false) }
    }

    pub(super) fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches(is_blank);
    }

    fn skip_comment(&mut self) -> Read<()> {
        while self.peek().is_some_and(|char| !is_newline(char)) {
            self.next_char()?;
        }
        Ok(())
    }

    /// Skips space, lines and comments.
    fn skip_lines(&mut self) -> Read<()> {
        while let Some(char) = self.peek() {
            match char {
                '#' => self.skip_comment()?,
                char if is_blank(char) || is_newline(char) => _ = self.next_char()?,
                _ => break,
            }
        }
        Ok(())
    }

    /// Goes to the next key or table; `false` at the end.
    pub(super) fn skip_to_item(&mut self) -> Read<bool> {
        self.skip_lines()?;
        // Whatever may not stand anywhere is found before it is taken for a key.
        let before = (self.rest, self.line);
        let next = self.next_char()?;
        (self.rest, self.line) = before;
        Ok(next.is_some())
    }

    /// After an item nothing but a comment may follow on its line.
    pub(super) fn end_of_item(&mut self) -> Read<()> {
        self.skip_blanks();
        match self.next_char()? {
            Some('#') => self.skip_comment(),
            None => Ok(()),
            Some(char) if is_newline(char) => Ok(()),
            char => {
                let char = rune(char);
                self.fail(format!(
                    "expected a top-level item to end with a newline, comment, or EOF, but got {char} instead"
                ))
            }
        }
    }

    pub(super) fn table_name_part(&mut self) -> Read<(Str, usize)> {
        self.skip_blanks();
        match self.peek() {
            Some(']') | None => self.fail("unexpected end of table name (table names cannot be empty)"),
            Some('.') => self.fail("unexpected table separator (table names cannot be empty)"),
            _ => self.name(),
        }
    }

    /// Whether another part of a table's name follows.
    pub(super) fn table_name_goes_on(&mut self) -> Read<bool> {
        self.skip_blanks();
        match self.next_char()? {
            Some('.') => Ok(true),
            Some(']') => Ok(false),
            char => {
                let char = rune(char);
                self.fail(format!("expected '.' or ']' to end table name, but got {char} instead"))
            }
        }
    }

    pub(super) fn second_bracket(&mut self) -> Read<()> {
        match self.next_char()? {
            Some(']') => Ok(()),
            char => {
                let char = rune(char);
                self.fail(format!("expected end of table array name delimiter ']', but got {char} instead"))
            }
        }
    }

    pub(super) fn check_key_start(&mut self) -> Read<()> {
        self.skip_blanks();
        match self.peek() {
            Some('=') | None => self.fail("unexpected '=': key name appears blank"),
            Some('.') => self.fail("unexpected '.': keys cannot start with a '.'"),
            _ => Ok(()),
        }
    }

    pub(super) fn key_part(&mut self) -> Read<(Str, usize)> {
        self.skip_blanks();
        match self.peek() {
            Some('=') | None => self.fail("unexpected '='"),
            Some('.') => self.fail("unexpected '.'"),
            _ => self.name(),
        }
    }

    /// Whether another part of a key follows; otherwise its equals sign did.
    pub(super) fn key_goes_on(&mut self) -> Read<bool> {
        self.skip_blanks();
        match self.next_char()? {
            Some('.') => Ok(true),
            Some('=') => Ok(false),
            None => self.fail("unexpected EOF; expected key separator '='"),
            char => {
                let message = format!("expected '.' or '=', but got {} instead", rune(char));
                if char == Some('\n') { self.fail_at_line_end(message) } else { self.fail(message) }
            }
        }
    }

    /// A part of a name, bare or quoted, and the line it is on.
    fn name(&mut self) -> Read<(Str, usize)> {
        let line = self.line;
        let name = match self.peek() {
            Some('"') => {
                self.next_char()?;
                self.basic_string()?
            }
            Some('\'') => {
                self.next_char()?;
                self.literal_string()?
            }
            _ => {
                let end = self.rest.find(|char| !is_bare_key(char)).unwrap_or(self.rest.len());
                let (name, rest) = self.rest.split_at(end);
                self.rest = rest;
                name.into()
            }
        };
        Ok((name, line))
    }

    /// Whether another item of an array follows its bracket or comma.
    pub(super) fn array_goes_on(&mut self) -> Read<bool> {
        self.skip_lines()?;
        match self.peek() {
            Some(',') => self.fail("unexpected comma"),
            Some(']') => self.next_char().map(|_| false),
            _ => Ok(true),
        }
    }

    /// Whether a comma follows an item; otherwise the bracket did.
    pub(super) fn array_separator(&mut self) -> Read<bool> {
        self.skip_lines()?;
        match self.next_char()? {
            Some(',') => Ok(true),
            Some(']') => Ok(false),
            char => {
                let char = rune_or_end(char);
                self.fail(format!("expected a comma (',') or array terminator (']'), but got {char}"))
            }
        }
    }

    /// Whether another key of an inline table follows its brace or comma.
    pub(super) fn inline_table_goes_on(&mut self) -> Read<bool> {
        self.skip_lines()?;
        match self.peek() {
            Some(',') => self.fail("unexpected comma"),
            Some('}') => self.next_char().map(|_| false),
            _ => Ok(true),
        }
    }

    /// Whether a comma follows a value; otherwise the brace did.
    pub(super) fn inline_table_separator(&mut self) -> Read<bool> {
        self.skip_lines()?;
        match self.next_char()? {
            Some(',') => Ok(true),
            Some('}') => Ok(false),
            char => {
                let char = rune_or_end(char);
                self.fail(format!(
                    "expected a comma or an inline table terminator '}}', but got {char} instead"
                ))
            }
        }
    }

    /// A string, number, boolean or time.
    pub(super) fn scalar(&mut self) -> Read<Value> {
        let start = (self.rest, self.line);
        if let Some(char) = self.peek()
            && char.is_ascii_digit()
        {
            return self.number_or_time();
        }
        match self.next_char()? {
            Some(quote @ ('"' | '\'')) => {
                let marks: &str = if quote == '"' { "\"\"" } else { "''" };
                if let Some(rest) = self.rest.strip_prefix(marks) {
                    self.rest = rest;
                    return if quote == '"' { self.long_string() } else { self.long_literal() };
                }
                let text = if quote == '"' { self.basic_string()? } else { self.literal_string()? };
                Ok(text.into())
            }
            Some('.') => self.fail("floats must start with a digit, not '.'"),
            Some('-' | '+') => self.signed_number(start.0),
            Some(char) if is_letter(char) => {
                let taken = if matches!(char, 'i' | 'n') { special_float_start(start.0) } else { Ok(0) };
                let taken = match taken {
                    Ok(taken) => taken,
                    Err(length) => {
                        self.rest = &start.0[length..];
                        return self.float(self.since(start.0));
                    }
                };
                (self.rest, self.line) = (&start.0[taken..], start.1);
                let end = self.rest.find(|char| !is_letter(char)).unwrap_or(self.rest.len());
                let (word, rest) = self.rest.split_at(end);
                self.rest = rest;
                match word {
                    "true" => Ok(true.into()),
                    "false" => Ok(false.into()),
                    word => self.fail(format!("expected value but found {} instead", string(word))),
                }
            }
            None => self.fail("unexpected EOF; expected value"),
            char => {
                let message = format!("expected value but found {} instead", rune(char));
                if char == Some('\n') { self.fail_at_line_end(message) } else { self.fail(message) }
            }
        }
    }

    /// What was read since.
    fn since(&self, start: &'a str) -> &'a str {
        &start[..start.len() - self.rest.len()]
    }

    fn signed_number(&mut self, start: &'a str) -> Read<Value> {
        let first = self.next_char()?;
        match first {
            Some(letter @ ('i' | 'n')) => {
                for wanted in if letter == 'i' { ['n', 'f'] } else { ['a', 'n'] } {
                    if !self.accept(wanted)? {
                        return self.fail(format!("invalid float: '{}'", self.since(start)));
                    }
                }
                return self.float(self.since(start));
            }
            Some('0') if matches!(self.peek(), Some('b' | 'o' | 'x')) => {
                let base = self.peek().map(String::from).unwrap_or_default();
                let read = self.since(start);
                return self.fail(format!("cannot use sign with non-decimal numbers: '{read}{base}'"));
            }
            Some('.') => return self.fail("floats must start with a digit, not '.'"),
            Some(digit) if digit.is_ascii_digit() => {}
            char => return self.fail(format!("expected a digit but got {}", rune(char))),
        }
        self.decimal(start)
    }

    /// Steps over characters of a class.
    fn skip(&mut self, is_in: impl Fn(char) -> bool) {
        self.rest = self.rest.trim_start_matches(is_in);
    }

    /// The rest of a decimal number: an integer, or a float from its point or exponent on.
    fn decimal(&mut self, start: &'a str) -> Read<Value> {
        self.skip(|char| char.is_ascii_digit() || char == '_');
        if matches!(self.peek(), Some('.' | 'e' | 'E')) {
            self.skip(|char| char.is_ascii_digit() || matches!(char, '_' | '.' | '-' | '+' | 'e' | 'E'));
            return self.float(self.since(start));
        }
        self.integer(self.since(start))
    }

    fn number_or_time(&mut self) -> Read<Value> {
        let start = self.rest;
        self.skip(|char| char.is_ascii_digit());
        if self.since(start) == "0"
            && let Some(base @ ('b' | 'o' | 'x')) = self.peek()
        {
            return self.based_integer(start, base);
        }
        // A zero alone begins no time.
        if matches!(self.peek(), Some('-' | ':')) && self.since(start) != "0" {
            self.skip(|char| char.is_ascii_digit() || "-:Tt .Zz+".contains(char));
            return self.time(self.since(start).trim());
        }
        self.decimal(start)
    }

    fn based_integer(&mut self, start: &'a str, base: char) -> Read<Value> {
        self.rest = &self.rest[1..];
        let (radix, kind) = match base {
            'b' => (2, "a binary"),
            'o' => (8, "an octal"),
            _ => (16, "a hexadecimal"),
        };
        if !self.peek().is_some_and(|char| char.is_digit(radix)) {
            let found = self.peek().unwrap_or('\0');
            return self.fail(format!("not {kind} number: '{}{found}'", self.since(start)));
        }
        self.skip(|char| char.is_digit(radix) || char == '_');
        self.integer(self.since(start))
    }

    fn integer(&self, text: &str) -> Read<Value> {
        let shown = string(text);
        if !underscores_are_fine(text) {
            return self.fail(format!("Invalid integer {shown}: underscores must be surrounded by digits"));
        }
        if has_leading_zero(text) {
            return self.fail(format!("Invalid integer {shown}: cannot have leading zeroes"));
        }
        match parse_int(text, 0) {
            Ok(int) => Ok(Value::Int64(int)),
            Err(IntError::Range(_)) => self.fail(format!("{text} is out of range for int64")),
            Err(IntError::Syntax) => self.fail(format!("Expected integer value, but got '{text}'.")),
        }
    }

    fn float(&self, text: &str) -> Read<Value> {
        let shown = string(text);
        let parts: Vec<&str> = text.split(['.', 'e', 'E']).filter(|part| !part.is_empty()).collect();
        let is_special = matches!(text.trim_start_matches(['+', '-']), "inf" | "nan");
        if !is_special && !parts.iter().all(|part| underscores_are_fine(part)) {
            return self.fail(format!("Invalid float {shown}: underscores must be surrounded by digits"));
        }
        if parts.first().is_some_and(|first| has_leading_zero(first)) {
            return self.fail(format!("Invalid float {shown}: cannot have leading zeroes"));
        }
        let is_followed = |point: usize| text[point + 1..].starts_with(|char: char| char.is_ascii_digit());
        if !text.match_indices('.').all(|(point, _)| is_followed(point)) {
            return self.fail(format!("Invalid float {shown}: '.' must be followed by one or more digits"));
        }
        match text {
            "nan" | "+nan" => return Ok(f64::NAN.into()),
            "-nan" => return Ok((-f64::NAN).into()),
            _ => {}
        }
        match parse_float(&text.replace('_', "")) {
            Some((float, true)) => Ok(float.into()),
            Some((float, false)) if is_special => Ok(float.into()),
            Some(_) => self.fail(format!("{text} is out of range for float64")),
            None => self.fail(format!("Invalid float value: {shown}")),
        }
    }

    /// A time in one of the forms of the standard, with or without a date and a zone.
    fn time(&self, text: &str) -> Read<Value> {
        const FORMS: [(&str, &str); 7] = [
            ("2006-01-02T15:04:05.999999999Z07:00", ""),
            ("2006-01-02T15:04:05.999999999", "datetime-local"),
            ("2006-01-02", "date-local"),
            ("15:04:05.999999999", "time-local"),
            ("2006-01-02T15:04Z07:00", ""),
            ("2006-01-02T15:04", "datetime-local"),
            ("15:04", "time-local"),
        ];
        let written: String = text
            .chars()
            .map(|char| match char {
                'z' => 'Z',
                't' | ' ' => 'T',
                char => char,
            })
            .collect();
        for (layout, zone) in FORMS {
            let zone = match zone {
                "" => Zone::Utc,
                zone => Zone::Fixed { name: zone.into(), offset: 0 },
            };
            if let Ok(time) = Time::parse(layout, &written, &zone) {
                if is_missing_zero(&written, layout) {
                    break;
                }
                return Ok(time_value(time));
            }
        }
        self.fail(format!("invalid datetime: {}", string(&written)))
    }
}

/// Looks for `inf` or `nan`; fails with the length of one that is there. Otherwise says how much the original
/// has taken before it reads a word: it does not go back over what only began like one.
fn special_float_start(text: &str) -> Result<usize, usize> {
    let bytes = text.as_bytes();
    let mut at = 1;
    for [first, second] in [[b'n', b'f'], [b'a', b'n']] {
        if bytes.get(at) == Some(&first) {
            at += 1;
            if bytes.get(at) == Some(&second) {
                return Err(at + 1);
            }
        }
    }
    Ok(at - 1)
}

/// Whether each underscore stands between characters that numbers have.
fn underscores_are_fine(text: &str) -> bool {
    let mut after_digit = false;
    for char in text.chars() {
        if char == '_' && !after_digit {
            return false;
        }
        after_digit = char.is_ascii_hexdigit();
    }
    after_digit
}

fn has_leading_zero(text: &str) -> bool {
    match text.as_bytes() {
        [b'0', b'b' | b'o' | b'x', ..] => false,
        [b'0', _, ..] => true,
        [b'+' | b'-', b'0', _, ..] => true,
        _ => false,
    }
}

/// Whether the separators stand elsewhere than in the layout, as when a zero is missing.
fn is_missing_zero(text: &str, layout: &str) -> bool {
    let fixed = layout.bytes().take_while(|byte| !matches!(byte, b'.' | b'Z'));
    let mut pairs = fixed.zip(text.bytes().map(Some).chain(std::iter::repeat(None)));
    pairs.any(|(wanted, found)| !wanted.is_ascii_digit() && found != Some(wanted))
}
