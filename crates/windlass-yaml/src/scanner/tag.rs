//! Anchors, tags and directives.

use std::borrow::Cow;

use super::{Mark, Scanner, SyntaxError, Token, TokenKind};

impl<'a> Scanner<'a> {
    fn is_word(&self, ahead: usize) -> bool {
        matches!(self.byte(ahead), b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'-')
    }

    fn scan_word(&mut self) -> &'a str {
        let from = self.at.offset;
        while self.is_word(0) {
            self.skip();
        }
        self.since(from)
    }

    fn skip_blanks(&mut self) {
        while self.is_blank(0) {
            self.skip();
        }
    }

    pub(super) fn scan_anchor(&mut self, alias: bool) -> Result<Token<'a>, Box<SyntaxError>> {
        let start = self.at;
        self.skip();
        let name = self.scan_word();
        let ended = self.is_blank_or_end(0)
            || matches!(self.byte(0), b'?' | b':' | b',' | b']' | b'}' | b'%' | b'@' | b'`');
        if name.is_empty() || !ended {
            return Err(self.error(start, "did not find expected alphabetic or numeric character"));
        }
        let kind = if alias { TokenKind::Alias(name) } else { TokenKind::Anchor(name) };
        Ok(Token { kind, start, end: self.at })
    }

    pub(super) fn scan_tag(&mut self) -> Result<Token<'a>, Box<SyntaxError>> {
        let start = self.at;
        let handle;
        let suffix;
        if self.byte(1) == b'<' {
            self.skip();
            self.skip();
            handle = "";
            suffix = self.scan_tag_uri("", start)?;
            if self.byte(0) != b'>' {
                return Err(self.error(start, "did not find the expected '>'"));
            }
            self.skip();
        } else {
            let word = self.scan_tag_handle(false, start)?;
            if word.len() > 1 && word.ends_with('!') {
                handle = word;
                suffix = self.scan_tag_uri("", start)?;
            } else {
                // What looked like a handle is the beginning of a local tag; a lone `!` is a tag itself.
                let uri = self.scan_tag_uri(word, start)?;
                (handle, suffix) = if uri.is_empty() { ("", Cow::Borrowed("!")) } else { ("!", uri) };
            }
        }
        if !self.is_blank_or_end(0) {
            return Err(self.error(start, "did not find expected whitespace or line break"));
        }
        Ok(Token { kind: TokenKind::Tag { handle, suffix }, start, end: self.at })
    }

    fn scan_tag_handle(&mut self, directive: bool, start: Mark) -> Result<&'a str, Box<SyntaxError>> {
        if self.byte(0) != b'!' {
            return Err(self.error(start, "did not find expected '!'"));
        }
        let from = self.at.offset;
        self.skip();
        self.scan_word();
        if self.byte(0) == b'!' {
            self.skip();
        } else if directive && self.since(from) != "!" {
            return Err(self.error(start, "did not find expected '!'"));
        }
        Ok(self.since(from))
    }

    /// The rest of a tag after `head`, whose `!` is not part of it.
    fn scan_tag_uri(&mut self, head: &'a str, start: Mark) -> Result<Cow<'a, str>, Box<SyntaxError>> {
        let mut bytes: Vec<u8> = head.bytes().skip(1).collect();
        let mut found = !head.is_empty();
        loop {
            match self.byte(0) {
                b'%' => self.scan_uri_escape(start, &mut bytes)?,
                byte @ (b';' | b'/' | b'?' | b':' | b'@' | b'&' | b'=' | b'+' | b'$' | b',' | b'.' | b'!'
                | b'~' | b'*' | b'\'' | b'(' | b')' | b'[' | b']') => {
                    bytes.push(byte);
                    self.skip();
                }
                byte if self.is_word(0) => {
                    bytes.push(byte);
                    self.skip();
                }
                _ => break,
            }
            found = true;
        }
        if !found {
            return Err(self.error(start, "did not find expected tag URI"));
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Cow::Owned(text)),
            Err(_) => Err(self.error(start, "found an incorrect trailing UTF-8 octet")),
        }
    }

    /// One character written as `%XX` for each of its bytes.
    fn scan_uri_escape(&mut self, start: Mark, into: &mut Vec<u8>) -> Result<(), Box<SyntaxError>> {
        let mut left = 0;
        loop {
            let digits = [self.byte(1), self.byte(2)].map(|byte| char::from(byte).to_digit(16));
            let (b'%', [Some(high), Some(low)]) = (self.byte(0), digits) else {
                return Err(self.error(start, "did not find URI escaped octet"));
            };
            let octet = u8::try_from(high << 4 | low).expect("two hexadecimal digits make a byte");
            if left == 0 {
                left = match octet {
                    0x00..=0x7F => 1,
                    0xC0..=0xDF => 2,
                    0xE0..=0xEF => 3,
                    0xF0..=0xF7 => 4,
                    _ => return Err(self.error(start, "found an incorrect leading UTF-8 octet")),
                };
            } else if octet & 0xC0 != 0x80 {
                return Err(self.error(start, "found an incorrect trailing UTF-8 octet"));
            }
            into.push(octet);
            (0..3).for_each(|_| self.skip());
            left -= 1;
            if left == 0 {
                return Ok(());
            }
        }
    }

    pub(super) fn scan_directive(&mut self) -> Result<Token<'a>, Box<SyntaxError>> {
        let start = self.at;
        self.skip();
        let name = self.scan_word();
        if name.is_empty() {
            return Err(self.error(start, "could not find expected directive name"));
        }
        if !self.is_blank_or_end(0) {
            return Err(self.error(start, "found unexpected non-alphabetical character"));
        }
        let kind = match name {
            "YAML" => {
                self.skip_blanks();
                let major = self.scan_version_number(start)?;
                if self.byte(0) != b'.' {
                    return Err(self.error(start, "did not find expected digit or '.' character"));
                }
                self.skip();
                TokenKind::VersionDirective(major, self.scan_version_number(start)?)
            }
            "TAG" => {
                self.skip_blanks();
                let handle = self.scan_tag_handle(true, start)?;
                if !self.is_blank(0) {
                    return Err(self.error(start, "did not find expected whitespace"));
                }
                self.skip_blanks();
                let prefix = self.scan_tag_uri("", start)?;
                if !self.is_blank_or_end(0) {
                    return Err(self.error(start, "did not find expected whitespace or line break"));
                }
                TokenKind::TagDirective { handle, prefix }
            }
            _ => return Err(self.error(start, "found unknown directive name")),
        };
        let end = self.at;
        self.skip_blanks();
        if self.byte(0) == b'#' {
            self.skip_comment();
        }
        if !self.is_break_or_end(0) {
            return Err(self.error(start, "did not find expected comment or line break"));
        }
        self.skip_line();
        Ok(Token { kind, start, end })
    }

    fn scan_version_number(&mut self, start: Mark) -> Result<u8, Box<SyntaxError>> {
        let from = self.at.offset;
        while self.byte(0).is_ascii_digit() {
            if self.since(from).len() == 2 {
                return Err(self.error(start, "found extremely long version number"));
            }
            self.skip();
        }
        match self.since(from).parse() {
            Ok(number) => Ok(number),
            Err(_) => Err(self.error(start, "did not find expected version number")),
        }
    }
}
