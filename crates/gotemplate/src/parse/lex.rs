//! Cuts the text of a template into tokens, with the positions and complaints of Go's own.

use std::sync::LazyLock;

use memchr::memmem;
use regex::Regex;
use windlass_go::fmt::{decode_last_rune, decode_rune, is_print, quote};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd)]
pub(super) enum Kind {
    Error,
    Bool,
    Char,
    CharConstant,
    Complex,
    Assign,
    Declare,
    #[default]
    Eof,
    Field,
    Identifier,
    LeftDelimiter,
    LeftParen,
    Number,
    Pipe,
    RawString,
    RightDelimiter,
    RightParen,
    Space,
    String,
    Text,
    Variable,
    // Keywords come last.
    Block,
    Break,
    Continue,
    Dot,
    Define,
    Else,
    End,
    If,
    Nil,
    Range,
    Template,
    With,
}

impl Kind {
    pub(super) fn is_keyword(self) -> bool {
        self >= Self::Block
    }

    fn keyword(word: &[u8]) -> Option<Self> {
        Some(match word {
            b"block" => Self::Block,
            b"break" => Self::Break,
            b"continue" => Self::Continue,
            b"define" => Self::Define,
            b"else" => Self::Else,
            b"end" => Self::End,
            b"if" => Self::If,
            b"nil" => Self::Nil,
            b"range" => Self::Range,
            b"template" => Self::Template,
            b"with" => Self::With,
            _ => return None,
        })
    }
}

/// A token: where it is in the text, and the line it starts on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) line: usize,
}

const LEFT_COMMENT: &[u8] = b"/*";
const RIGHT_COMMENT: &[u8] = b"*/";
/// The marker and the space beside it.
const TRIM_MARKER: usize = 2;

pub(super) struct Lexer<'a> {
    text: &'a [u8],
    left: &'a [u8],
    right: &'a [u8],
    position: usize,
    start: usize,
    at_end: bool,
    paren_depth: i64,
    line: usize,
    start_line: usize,
    inside_action: bool,
    /// Whether `break` and `continue` are keywords, which functions of these names prevent.
    pub(super) break_is_keyword: bool,
    pub(super) continue_is_keyword: bool,
    /// What the token of kind `Error` says.
    pub(super) error: String,
}

/// What to do after a step that found no token yet.
enum Step {
    Found(Token),
    Text,
    LeftDelimiter,
    RightDelimiter,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a [u8], left: &'a [u8], right: &'a [u8]) -> Self {
        Self {
            text,
            left,
            right,
            position: 0,
            start: 0,
            at_end: false,
            paren_depth: 0,
            line: 1,
            start_line: 1,
            inside_action: false,
            break_is_keyword: true,
            continue_is_keyword: true,
            error: String::new(),
        }
    }

    pub(super) fn next_token(&mut self) -> Token {
        let mut step = if self.inside_action { self.inside_action() } else { Step::Text };
        loop {
            step = match step {
                Step::Found(token) => return token,
                Step::Text => self.text(),
                Step::LeftDelimiter => self.left_delimiter(),
                Step::RightDelimiter => self.right_delimiter(),
            };
        }
    }

    fn rest(&self) -> &'a [u8] {
        &self.text[self.position..]
    }

    /// The next character; `None` at the end.
    fn next(&mut self) -> Option<char> {
        if self.position >= self.text.len() {
            self.at_end = true;
            return None;
        }
        let (char, width) = decode_rune(self.rest());
        self.position += width;
        if char == '\n' {
            self.line += 1;
        }
        Some(char)
    }

    fn backup(&mut self) {
        if !self.at_end && self.position > 0 {
            let (char, width) = decode_last_rune(&self.text[..self.position]);
            self.position -= width;
            if char == '\n' {
                self.line -= 1;
            }
        }
    }

    fn peek(&mut self) -> Option<char> {
        let char = self.next();
        self.backup();
        char
    }

    fn token(&mut self, kind: Kind) -> Token {
        let token = Token { kind, start: self.start, end: self.position, line: self.start_line };
        self.start = self.position;
        self.start_line = self.line;
        token
    }

    fn found(&mut self, kind: Kind) -> Step {
        Step::Found(self.token(kind))
    }

    fn count_lines(&mut self) {
        self.line += memchr::memchr_iter(b'\n', &self.text[self.start..self.position]).count();
    }

    fn ignore(&mut self) {
        self.count_lines();
        self.start = self.position;
        self.start_line = self.line;
    }

    fn accept(&mut self, valid: &str) -> bool {
        if self.next().is_some_and(|char| valid.contains(char)) {
            return true;
        }
        self.backup();
        false
    }

    fn accept_run(&mut self, valid: &str) {
        while self.next().is_some_and(|char| valid.contains(char)) {}
        self.backup();
    }

    fn fail(&mut self, message: impl Into<String>) -> Step {
        self.error = message.into();
        let token = Token { kind: Kind::Error, start: self.start, end: self.start, line: self.start_line };
        self.start = 0;
        self.position = 0;
        self.text = &[];
        Step::Found(token)
    }

    fn text(&mut self) -> Step {
        let found = memmem::find(self.rest(), self.left);
        let Some(offset) = found else {
            self.position = self.text.len();
            if self.position > self.start {
                self.count_lines();
                return self.found(Kind::Text);
            }
            return self.found(Kind::Eof);
        };
        if offset > 0 {
            self.position += offset;
            let mut trimmed = 0;
            if has_left_marker(&self.text[self.position + self.left.len()..]) {
                let text = &self.text[self.start..self.position];
                trimmed = text.iter().rev().take_while(|byte| is_space_byte(**byte)).count();
            }
            self.position -= trimmed;
            self.count_lines();
            let token = self.token(Kind::Text);
            self.position += trimmed;
            self.ignore();
            if token.end > token.start {
                return Step::Found(token);
            }
        }
        Step::LeftDelimiter
    }

    /// Whether the right delimiter comes next, and whether it trims.
    fn at_right_delimiter(&self) -> (bool, bool) {
        let rest = self.rest();
        if has_right_marker(rest) && rest[TRIM_MARKER..].starts_with(self.right) {
            (true, true)
        } else {
            (rest.starts_with(self.right), false)
        }
    }

    fn skip_space(&mut self) {
        self.position += self.rest().iter().take_while(|byte| is_space_byte(**byte)).count();
    }

    fn left_delimiter(&mut self) -> Step {
        self.position += self.left.len();
        let after = if has_left_marker(self.rest()) { TRIM_MARKER } else { 0 };
        if self.rest()[after..].starts_with(LEFT_COMMENT) {
            self.position += after;
            self.ignore();
            return self.comment();
        }
        let token = self.token(Kind::LeftDelimiter);
        self.inside_action = true;
        self.position += after;
        self.ignore();
        self.paren_depth = 0;
        Step::Found(token)
    }

    fn comment(&mut self) -> Step {
        self.position += LEFT_COMMENT.len();
        let Some(end) = memmem::find(self.rest(), RIGHT_COMMENT) else {
            return self.fail("unclosed comment");
        };
        self.position += end + RIGHT_COMMENT.len();
        let (closes, trims) = self.at_right_delimiter();
        if !closes {
            return self.fail("comment ends before closing delimiter");
        }
        self.count_lines();
        self.start = self.position;
        self.start_line = self.line;
        if trims {
            self.position += TRIM_MARKER;
        }
        self.position += self.right.len();
        if trims {
            self.skip_space();
        }
        self.ignore();
        Step::Text
    }

    fn right_delimiter(&mut self) -> Step {
        let (_, trims) = self.at_right_delimiter();
        if trims {
            self.position += TRIM_MARKER;
            self.ignore();
        }
        self.position += self.right.len();
        let token = self.token(Kind::RightDelimiter);
        if trims {
            self.skip_space();
            self.ignore();
        }
        self.inside_action = false;
        Step::Found(token)
    }

    fn inside_action(&mut self) -> Step {
        if self.at_right_delimiter().0 {
            if self.paren_depth == 0 {
                return Step::RightDelimiter;
            }
            return self.fail("unclosed left paren");
        }
        let Some(char) = self.next() else { return self.fail("unclosed action") };
        match char {
            ' ' | '\t' | '\r' | '\n' => {
                self.backup();
                self.space()
            }
            '=' => self.found(Kind::Assign),
            ':' if self.next() == Some('=') => self.found(Kind::Declare),
            ':' => self.fail("expected :="),
            '|' => self.found(Kind::Pipe),
            '"' => self.quoted('"', Kind::String, "unterminated quoted string"),
            '`' => self.raw_quoted(),
            '$' if self.at_terminator() => self.found(Kind::Variable),
            '$' => self.field_or_variable(Kind::Variable),
            '\'' => self.quoted('\'', Kind::CharConstant, "unterminated character constant"),
            '.' if self.rest().first().is_some_and(|byte| !byte.is_ascii_digit()) => {
                self.field_or_variable(Kind::Field)
            }
            '.' | '+' | '-' | '0'..='9' => {
                self.backup();
                self.number()
            }
            _ if is_alphanumeric(char) => {
                self.backup();
                self.identifier()
            }
            '(' => {
                self.paren_depth += 1;
                self.found(Kind::LeftParen)
            }
            ')' => {
                self.paren_depth -= 1;
                if self.paren_depth < 0 {
                    return self.fail("unexpected right paren");
                }
                self.found(Kind::RightParen)
            }
            ' '..='~' => self.found(Kind::Char),
            _ => self.fail(format!("unrecognized character in action: {}", described(char))),
        }
    }

    fn space(&mut self) -> Step {
        let mut spaces = 0;
        while self.peek().is_some_and(is_space) {
            self.next();
            spaces += 1;
        }
        // The last space may belong to a trim marker.
        let tail = &self.text[self.position - 1..];
        if has_right_marker(tail) && tail[TRIM_MARKER..].starts_with(self.right) {
            self.backup();
            if spaces == 1 {
                return Step::RightDelimiter;
            }
        }
        self.found(Kind::Space)
    }

    fn identifier(&mut self) -> Step {
        let mut char = self.next();
        while char.is_some_and(is_alphanumeric) {
            char = self.next();
        }
        self.backup();
        if !self.at_terminator() {
            return self.fail(format!("bad character {}", described(char.unwrap_or('\u{fffd}'))));
        }
        let word = &self.text[self.start..self.position];
        let kind = match Kind::keyword(word) {
            Some(Kind::Break) if !self.break_is_keyword => Kind::Identifier,
            Some(Kind::Continue) if !self.continue_is_keyword => Kind::Identifier,
            Some(keyword) => keyword,
            None if matches!(word, b"true" | b"false") => Kind::Bool,
            None => Kind::Identifier,
        };
        self.found(kind)
    }

    fn field_or_variable(&mut self, kind: Kind) -> Step {
        if self.at_terminator() {
            return self.found(if kind == Kind::Variable { kind } else { Kind::Dot });
        }
        let mut char = self.next();
        while char.is_some_and(is_alphanumeric) {
            char = self.next();
        }
        self.backup();
        if !self.at_terminator() {
            return self.fail(format!("bad character {}", described(char.unwrap_or('\u{fffd}'))));
        }
        self.found(kind)
    }

    /// Whether what follows can end an identifier.
    fn at_terminator(&mut self) -> bool {
        match self.peek() {
            None | Some(' ' | '\t' | '\r' | '\n' | '.' | ',' | '|' | ':' | ')' | '(') => true,
            Some(_) => self.rest().starts_with(self.right),
        }
    }

    fn quoted(&mut self, quote: char, kind: Kind, unterminated: &str) -> Step {
        loop {
            match self.next() {
                Some('\\') => {
                    if matches!(self.next(), None | Some('\n')) {
                        return self.fail(unterminated);
                    }
                }
                None | Some('\n') => return self.fail(unterminated),
                Some(char) if char == quote => return self.found(kind),
                Some(_) => {}
            }
        }
    }

    fn raw_quoted(&mut self) -> Step {
        loop {
            match self.next() {
                None => return self.fail("unterminated raw quoted string"),
                Some('`') => return self.found(Kind::RawString),
                Some(_) => {}
            }
        }
    }

    fn number(&mut self) -> Step {
        if !self.scan_number() {
            return self.bad_number();
        }
        if matches!(self.peek(), Some('+' | '-')) {
            if !self.scan_number() || self.text[self.position - 1] != b'i' {
                return self.bad_number();
            }
            return self.found(Kind::Complex);
        }
        self.found(Kind::Number)
    }

    fn bad_number(&mut self) -> Step {
        let text = quote(&self.text[self.start..self.position]);
        self.fail(format!("bad number syntax: {text}"))
    }

    fn scan_number(&mut self) -> bool {
        self.accept("+-");
        let mut digits = "0123456789_";
        if self.accept("0") {
            if self.accept("xX") {
                digits = "0123456789abcdefABCDEF_";
            } else if self.accept("oO") {
                digits = "01234567_";
            } else if self.accept("bB") {
                digits = "01_";
            }
        }
        self.accept_run(digits);
        if self.accept(".") {
            self.accept_run(digits);
        }
        let exponent = match digits.len() {
            11 => "eE",
            23 => "pP",
            _ => "",
        };
        if !exponent.is_empty() && self.accept(exponent) {
            self.accept("+-");
            self.accept_run("0123456789_");
        }
        self.accept("i");
        if self.peek().is_some_and(is_alphanumeric) {
            self.next();
            return false;
        }
        true
    }
}

/// A character as `%#U` prints it.
fn described(char: char) -> String {
    let code = u32::from(char);
    if is_print(char) { format!("U+{code:04X} '{char}'") } else { format!("U+{code:04X}") }
}

fn is_space(char: char) -> bool {
    matches!(char, ' ' | '\t' | '\r' | '\n')
}

fn is_space_byte(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Letters, digits and the underscore, of the Unicode version that Go 1.26 has.
fn is_alphanumeric(char: char) -> bool {
    static OTHERS: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"[\p{L}\p{Nd}&&\p{Age=15.0}]").expect("a class of characters"));
    if char.is_ascii() {
        return char == '_' || char.is_ascii_alphanumeric();
    }
    OTHERS.is_match(char.encode_utf8(&mut [0; 4]))
}

fn has_left_marker(text: &[u8]) -> bool {
    text.len() >= TRIM_MARKER && text[0] == b'-' && is_space_byte(text[1])
}

fn has_right_marker(text: &[u8]) -> bool {
    text.len() >= TRIM_MARKER && is_space_byte(text[0]) && text[1] == b'-'
}
