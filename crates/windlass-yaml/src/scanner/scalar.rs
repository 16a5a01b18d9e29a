//! Scalars: plain, quoted and block.

use std::borrow::Cow;

use super::{Mark, ScalarStyle, Scanner, SyntaxError, Token, TokenKind};

/// Line breaks between two lines of a scalar that are being folded.
#[derive(Default)]
struct Fold {
    leading: String,
    trailing: String,
}

impl Fold {
    fn is_open(&self) -> bool {
        !self.leading.is_empty()
    }

    fn read_line(&mut self, scanner: &mut Scanner<'_>) {
        let into = if self.leading.is_empty() { &mut self.leading } else { &mut self.trailing };
        scanner.read_line(into);
    }

    /// Appends what the breaks fold to: one break a space, more of them all but the first.
    fn close(&mut self, into: &mut String) {
        if self.leading.starts_with('\n') {
            if self.trailing.is_empty() {
                into.push(' ');
            }
        } else {
            into.push_str(&self.leading);
        }
        into.push_str(&self.trailing);
        self.leading.clear();
        self.trailing.clear();
    }
}

impl<'a> Scanner<'a> {
    pub(super) fn scan_plain(&mut self) -> Result<Token<'a>, Box<SyntaxError>> {
        let start = self.at;
        let mut end = self.at;
        let indent = self.indent + 1;
        let mut folded: Option<String> = None;
        let mut run = start.offset;
        let mut fold = Fold::default();
        loop {
            if self.at_document_indicator() || self.byte(0) == b'#' {
                break;
            }
            if !self.is_blank_or_end(0) && !self.ends_plain() {
                if fold.is_open() {
                    let text = folded.get_or_insert_default();
                    text.push_str(&self.text[run as usize..end.offset as usize]);
                    fold.close(text);
                    run = self.at.offset;
                }
                self.skip_plain_word();
                end = self.at;
            }
            if !(self.is_blank(0) || self.is_break(0)) {
                break;
            }
            loop {
                if self.is_blank(0) {
                    if fold.is_open() && i64::from(self.at.column) < indent && self.byte(0) == b'\t' {
                        return Err(self.error(start, "found a tab character that violates indentation"));
                    }
                    self.skip();
                } else if self.is_break(0) {
                    fold.read_line(self);
                } else {
                    break;
                }
            }
            if self.flow_level == 0 && i64::from(self.at.column) < indent {
                break;
            }
        }
        if fold.is_open() {
            self.key_allowed = true;
        }
        let rest = &self.text[run as usize..end.offset as usize];
        let value = match folded {
            Some(mut text) => {
                text.push_str(rest);
                Cow::Owned(text)
            }
            None => Cow::Borrowed(rest),
        };
        Ok(Token { kind: TokenKind::Scalar { value, style: ScalarStyle::Plain }, start, end })
    }

    fn ends_plain(&self) -> bool {
        match self.byte(0) {
            b':' => self.is_blank_or_end(1),
            b',' | b'?' | b'[' | b']' | b'{' | b'}' => self.flow_level > 0,
            _ => false,
        }
    }

    /// Moves over the characters of a plain scalar up to a blank, a break or an indicator that ends it.
    fn skip_plain_word(&mut self) {
        let flow = self.flow_level > 0;
        let rest = &self.bytes[self.at.offset as usize..];
        let mut length = 0;
        let mut characters = 0;
        while let Some(&byte) = rest.get(length) {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => break,
                b':' if matches!(rest.get(length + 1), None | Some(b' ' | b'\t' | b'\r' | b'\n')) => break,
                // A colon before one of the three breaks beyond ASCII.
                b':' if matches!(rest.get(length + 1), Some(0xC2 | 0xE2)) && self.is_break(length + 1) => {
                    break;
                }
                b',' | b'?' | b'[' | b']' | b'{' | b'}' if flow => break,
                0xC2 | 0xE2 if self.is_break(length) => break,
                0x80..=0xBF => length += 1,
                _ => {
                    length += 1;
                    characters += 1;
                }
            }
        }
        self.newlines = 0;
        self.at.offset += u32::try_from(length).expect("the input limit is below 4 GiB");
        self.at.index += characters;
        self.at.column += characters;
    }

    pub(super) fn scan_quoted(&mut self, single: bool) -> Result<Token<'a>, Box<SyntaxError>> {
        let start = self.at;
        let style = if single { ScalarStyle::SingleQuoted } else { ScalarStyle::DoubleQuoted };
        self.skip();
        if let Some(value) = self.skip_simple_quoted(single) {
            let kind = TokenKind::Scalar { value: Cow::Borrowed(value), style };
            return Ok(Token { kind, start, end: self.at });
        }
        let quote = if single { b'\'' } else { b'"' };
        let mut text = String::new();
        let mut fold = Fold::default();
        loop {
            if self.at_document_indicator() {
                return Err(self.error(start, "found unexpected document indicator"));
            }
            if self.at_end() {
                return Err(self.error(start, "found unexpected end of stream"));
            }
            let mut leading_blanks = false;
            while !self.is_blank_or_end(0) {
                let byte = self.byte(0);
                if single && byte == b'\'' && self.byte(1) == b'\'' {
                    text.push('\'');
                    self.skip();
                    self.skip();
                } else if byte == quote {
                    break;
                } else if !single && byte == b'\\' && self.is_break(1) {
                    self.skip();
                    self.skip_line();
                    leading_blanks = true;
                    break;
                } else if !single && byte == b'\\' {
                    self.scan_escape(start, &mut text)?;
                } else {
                    let from = self.at.offset;
                    self.skip();
                    text.push_str(self.since(from));
                }
            }
            if self.byte(0) == quote {
                break;
            }
            let blanks_from = self.at.offset;
            let mut blanks_to = blanks_from;
            loop {
                if self.is_blank(0) {
                    self.skip();
                    if !leading_blanks {
                        blanks_to = self.at.offset;
                    }
                } else if self.is_break(0) {
                    if leading_blanks && !fold.is_open() {
                        // After an escaped break the next one counts as a second.
                        self.read_line(&mut fold.trailing);
                    } else {
                        fold.read_line(self);
                    }
                    leading_blanks = true;
                } else {
                    break;
                }
            }
            if !leading_blanks {
                text.push_str(&self.text[blanks_from as usize..blanks_to as usize]);
            } else if fold.is_open() {
                fold.close(&mut text);
            } else {
                text.push_str(&fold.trailing);
                fold.trailing.clear();
            }
        }
        self.skip();
        Ok(Token { kind: TokenKind::Scalar { value: Cow::Owned(text), style }, start, end: self.at })
    }

    /// A quoted scalar on one line without escapes: the text of the common case.
    fn skip_simple_quoted(&mut self, single: bool) -> Option<&'a str> {
        let from = self.at.offset as usize;
        let rest = &self.bytes[from..];
        let mut characters = 0;
        for (length, &byte) in rest.iter().enumerate() {
            match byte {
                b'\'' if single => {
                    if rest.get(length + 1) == Some(&b'\'') {
                        return None;
                    }
                }
                b'"' if !single => {}
                b'\\' if !single => return None,
                b'\r' | b'\n' => return None,
                0xC2 if rest.get(length + 1) == Some(&0x85) => return None,
                0xE2 if rest.get(length + 1) == Some(&0x80) => return None,
                0x80..=0xBF => continue,
                _ => {
                    characters += 1;
                    continue;
                }
            }
            self.newlines = 0;
            self.at.offset += u32::try_from(length + 1).expect("the input limit is below 4 GiB");
            self.at.index += characters + 1;
            self.at.column += characters + 1;
            return Some(&self.text[from..from + length]);
        }
        None
    }

    fn scan_escape(&mut self, start: Mark, into: &mut String) -> Result<(), Box<SyntaxError>> {
        let (plain, digits) = match self.byte(1) {
            b'0' => ("\0", 0),
            b'a' => ("\x07", 0),
            b'b' => ("\x08", 0),
            b't' | b'\t' => ("\t", 0),
            b'n' => ("\n", 0),
            b'v' => ("\x0B", 0),
            b'f' => ("\x0C", 0),
            b'r' => ("\r", 0),
            b'e' => ("\x1B", 0),
            b' ' => (" ", 0),
            b'"' => ("\"", 0),
            b'\'' => ("'", 0),
            b'\\' => ("\\", 0),
            b'N' => ("\u{85}", 0),
            b'_' => ("\u{A0}", 0),
            b'L' => ("\u{2028}", 0),
            b'P' => ("\u{2029}", 0),
            b'x' => ("", 2),
            b'u' => ("", 4),
            b'U' => ("", 8),
            _ => return Err(self.error(start, "found unknown escape character")),
        };
        into.push_str(plain);
        self.skip();
        self.skip();
        if digits == 0 {
            return Ok(());
        }
        let mut code: u64 = 0;
        for ahead in 0..digits {
            let Some(digit) = char::from(self.byte(ahead)).to_digit(16) else {
                return Err(self.error(start, "did not find expected hexdecimal number"));
            };
            code = code << 4 | u64::from(digit);
        }
        let Some(character) = u32::try_from(code).ok().and_then(char::from_u32) else {
            return Err(self.error(start, "found invalid Unicode character escape code"));
        };
        into.push(character);
        (0..digits).for_each(|_| self.skip());
        Ok(())
    }

    pub(super) fn scan_block_scalar(&mut self, literal: bool) -> Result<Token<'a>, Box<SyntaxError>> {
        let start = self.at;
        self.skip();
        let (chomping, increment) = self.scan_block_header(start)?;
        while self.is_blank(0) {
            self.skip();
        }
        if self.byte(0) == b'#' {
            if self.comments.is_some() {
                self.scan_line_comment(start);
            }
            self.skip_comment();
        }
        if !self.is_break_or_end(0) {
            return Err(self.error(start, "did not find expected comment or line break"));
        }
        self.skip_line();

        let mut end = self.at;
        let mut indent = if increment > 0 { self.indent.max(0) + increment } else { 0 };
        let mut text = String::new();
        let mut leading_break = String::new();
        let mut trailing_breaks = String::new();
        self.scan_block_breaks(&mut indent, &mut trailing_breaks, start, &mut end)?;
        let mut leading_blank = false;
        while i64::from(self.at.column) == indent && !self.at_end() {
            let blank = self.is_blank(0);
            if !literal && !leading_blank && !blank && leading_break.starts_with('\n') {
                if trailing_breaks.is_empty() {
                    text.push(' ');
                }
            } else {
                text.push_str(&leading_break);
            }
            leading_break.clear();
            text.push_str(&trailing_breaks);
            trailing_breaks.clear();
            leading_blank = blank;
            let from = self.at.offset;
            self.skip_to_break();
            text.push_str(self.since(from));
            if self.is_break(0) {
                self.read_line(&mut leading_break);
            }
            self.scan_block_breaks(&mut indent, &mut trailing_breaks, start, &mut end)?;
        }
        if chomping != Chomping::Strip {
            text.push_str(&leading_break);
        }
        if chomping == Chomping::Keep {
            text.push_str(&trailing_breaks);
        }
        let style = if literal { ScalarStyle::Literal } else { ScalarStyle::Folded };
        Ok(Token { kind: TokenKind::Scalar { value: Cow::Owned(text), style }, start, end })
    }

    /// Moves to the end of the line, counting characters.
    fn skip_to_break(&mut self) {
        let rest = &self.bytes[self.at.offset as usize..];
        let mut length = 0;
        let mut characters = 0;
        while let Some(&byte) = rest.get(length) {
            match byte {
                b'\r' | b'\n' => break,
                0xC2 | 0xE2 if self.is_break(length) => break,
                0x80..=0xBF => length += 1,
                _ => {
                    length += 1;
                    characters += 1;
                }
            }
        }
        if rest[..length].iter().any(|byte| !matches!(byte, b' ' | b'\t')) {
            self.newlines = 0;
        }
        self.at.offset += u32::try_from(length).expect("the input limit is below 4 GiB");
        self.at.index += characters;
        self.at.column += characters;
    }

    fn scan_block_header(&mut self, start: Mark) -> Result<(Chomping, i64), Box<SyntaxError>> {
        let mut chomping = Chomping::Clip;
        let mut increment = 0;
        for _ in 0..2 {
            match self.byte(0) {
                sign @ (b'+' | b'-') if chomping == Chomping::Clip => {
                    chomping = if sign == b'+' { Chomping::Keep } else { Chomping::Strip };
                    self.skip();
                }
                digit @ b'0'..=b'9' if increment == 0 => {
                    if digit == b'0' {
                        return Err(self.error(start, "found an indentation indicator equal to 0"));
                    }
                    increment = i64::from(digit - b'0');
                    self.skip();
                }
                _ => break,
            }
        }
        Ok((chomping, increment))
    }

    /// Reads indentation and empty lines; finds the scalar's indentation where none was given.
    fn scan_block_breaks(
        &mut self,
        indent: &mut i64,
        breaks: &mut String,
        start: Mark,
        end: &mut Mark,
    ) -> Result<(), Box<SyntaxError>> {
        *end = self.at;
        let mut deepest = 0;
        loop {
            while (*indent == 0 || i64::from(self.at.column) < *indent) && self.byte(0) == b' ' {
                self.skip();
            }
            let column = i64::from(self.at.column);
            deepest = deepest.max(column);
            if (*indent == 0 || column < *indent) && self.byte(0) == b'\t' {
                let problem = "found a tab character where an indentation space is expected";
                return Err(self.error(start, problem));
            }
            if !self.is_break(0) {
                break;
            }
            self.read_line(breaks);
            *end = self.at;
        }
        if *indent == 0 {
            *indent = deepest.max(self.indent + 1).max(1);
        }
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Chomping {
    Clip,
    Strip,
    Keep,
}
