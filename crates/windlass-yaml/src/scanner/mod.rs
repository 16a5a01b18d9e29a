//! Text to tokens, by libyaml's rules.
//!
//! YAML 1.1 as libyaml reads it is defined by a scanner that knows of block structure: it keeps a stack of
//! indentation columns, and remembers for each flow level where a simple key may have begun, so that a later
//! `:` can put the key token in front of tokens already queued. Go's decoders are translations of that
//! scanner, and their verdict on a text depends on its details (which columns a quoted scalar's continuation
//! line may have, where tabs are let through, the 1,024 characters of a simple key), so these are kept here
//! one by one. It follows the algorithms of libyaml and go-yaml (MIT and Apache-2.0), read in their sources, and
//! shares no code with them: it works on a borrowed text, copies a scalar only if it must be changed, and finds
//! the key a token may belong to by binary search.

mod comment;
mod fetch;
mod scalar;
mod tag;

use std::borrow::Cow;
use std::collections::VecDeque;

pub(crate) use comment::Comment;

use crate::error::{Position, YamlError, YamlErrorKind};

/// A place in the text: all counts from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Bytes from the start.
    pub(crate) offset: u32,
    /// Characters from the start.
    pub(crate) index: u32,
    pub(crate) line: u32,
    pub(crate) column: u32,
}

impl Mark {
    pub(crate) fn position(self) -> Position {
        Position { line: self.line as usize + 1, column: self.column as usize + 1 }
    }
}

/// How a scalar was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScalarStyle {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    Literal,
    Folded,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TokenKind<'a> {
    StreamStart,
    StreamEnd,
    VersionDirective(u8, u8),
    TagDirective { handle: &'a str, prefix: Cow<'a, str> },
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Alias(&'a str),
    Anchor(&'a str),
    Tag { handle: &'a str, suffix: Cow<'a, str> },
    Scalar { value: Cow<'a, str>, style: ScalarStyle },
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: TokenKind<'a>,
    pub(crate) start: Mark,
    pub(crate) end: Mark,
}

/// Which stage refused a text; it decides the line number Go prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Scanner,
    Parser,
}

/// A text that is not YAML.
#[derive(Clone, Debug)]
pub(crate) struct SyntaxError {
    pub(crate) stage: Stage,
    pub(crate) problem: &'static str,
    /// Where the thing began in which the problem was found; the start of the text when there is none.
    pub(crate) context: Mark,
    pub(crate) at: Mark,
}

impl SyntaxError {
    /// The error as `go.yaml.in/yaml/v2` (or yaml.v3, with `prefer_context`) words it.
    pub(crate) fn into_error(self, prefer_context: bool) -> YamlError {
        // Neither version adds one to a parser's line, yaml.v2 not even to a scanner's context line.
        let shift = u32::from(self.stage == Stage::Scanner);
        let line = if prefer_context {
            [self.context.line, self.at.line].into_iter().find(|line| *line != 0).map(|line| line + shift)
        } else if self.at.line != 0 {
            Some(self.at.line + shift)
        } else {
            Some(self.context.line).filter(|line| *line != 0)
        };
        let text = match line {
            Some(line) => format!("yaml: line {line}: {}", self.problem),
            None => format!("yaml: {}", self.problem),
        };
        YamlError::new(YamlErrorKind::Syntax, self.problem, self.at.position()).with_text(text)
    }
}

/// Where a simple key may have begun on one flow level.
#[derive(Clone, Copy, Debug)]
struct SimpleKey {
    possible: bool,
    required: bool,
    /// Whether the token at its place is held back until the key is decided.
    ///
    /// libyaml's bookkeeping forgets the key when an empty flow collection there ends, so that `[]: a` is not a
    /// mapping in yaml.v2.
    indexed: bool,
    token_number: usize,
    mark: Mark,
}

pub(crate) struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: Mark,
    queue: VecDeque<Token<'a>>,
    /// How many tokens were handed out: the number of the token at the queue's head.
    taken: usize,
    head_ready: bool,
    started: bool,
    ended: bool,
    indent: i64,
    indents: Vec<i64>,
    flow_level: usize,
    key_allowed: bool,
    /// One entry for each flow level. Their token numbers never fall, so they can be searched.
    keys: Vec<SimpleKey>,
    look_ahead: bool,
    /// Line breaks since the last character that was not blank; only kept for comments.
    newlines: u32,
    comments: Option<VecDeque<Comment>>,
}

impl<'a> Scanner<'a> {
    /// A scanner over `text`, which must have passed [`crate::text::check`].
    ///
    /// With `look_ahead` it scans two tokens further before it hands one out, as yaml.v3 does for the sake of
    /// comments; that decides which of two errors comes first.
    pub(crate) fn new(text: &'a str, look_ahead: bool, with_comments: bool) -> Self {
        // A byte order mark counts as no character.
        let offset = if text.starts_with('\u{FEFF}') { 3 } else { 0 };
        Self {
            text,
            bytes: text.as_bytes(),
            at: Mark { offset, ..Mark::default() },
            queue: VecDeque::new(),
            taken: 0,
            head_ready: false,
            started: false,
            ended: false,
            indent: -1,
            indents: Vec::new(),
            flow_level: 0,
            key_allowed: true,
            keys: Vec::new(),
            look_ahead,
            newlines: 0,
            comments: with_comments.then(VecDeque::new),
        }
    }

    /// The next token, left in the queue.
    #[inline]
    pub(crate) fn peek(&mut self) -> Result<&Token<'a>, Box<SyntaxError>> {
        if !self.head_ready {
            self.fill()?;
        }
        Ok(self.queue.front().expect("fill leaves a token in the queue"))
    }

    /// Takes the next token.
    pub(crate) fn next(&mut self) -> Result<Token<'a>, Box<SyntaxError>> {
        self.peek()?;
        self.head_ready = false;
        self.taken += 1;
        let token = self.queue.pop_front().expect("peek leaves a token in the queue");
        self.ended = token.kind == TokenKind::StreamEnd;
        Ok(token)
    }

    pub(crate) fn comments_mut(&mut self) -> Option<&mut VecDeque<Comment>> {
        self.comments.as_mut()
    }

    /// Fetches until the head of the queue can no longer turn out to be a key.
    fn fill(&mut self) -> Result<(), Box<SyntaxError>> {
        let spare = if self.look_ahead { 2 } else { 0 };
        loop {
            if self.queue.len() > spare && !self.head_may_be_key()? {
                break;
            }
            self.fetch()?;
        }
        self.head_ready = true;
        Ok(())
    }

    fn head_may_be_key(&mut self) -> Result<bool, Box<SyntaxError>> {
        let head = self.taken;
        let first = self.keys.partition_point(|key| key.token_number < head);
        let found = self.keys[first..]
            .iter()
            .take_while(|key| key.token_number == head)
            .position(|key| key.possible && key.indexed)
            .map(|idx| first + idx);
        match found {
            Some(idx) => self.key_is_valid(idx),
            None => Ok(false),
        }
    }

    /// A simple key lives on one line and within 1,024 characters.
    fn key_is_valid(&mut self, idx: usize) -> Result<bool, Box<SyntaxError>> {
        let key = self.keys[idx];
        if !key.possible {
            return Ok(false);
        }
        if key.mark.line < self.at.line || key.mark.index + 1024 < self.at.index {
            if key.required {
                return Err(self.error(key.mark, "could not find expected ':'"));
            }
            self.keys[idx].possible = false;
            return Ok(false);
        }
        Ok(true)
    }

    fn error(&self, context: Mark, problem: &'static str) -> Box<SyntaxError> {
        Box::new(SyntaxError { stage: Stage::Scanner, problem, context, at: self.at })
    }

    /// The byte `ahead` of the cursor; 0 past the end, which no accepted text contains.
    #[inline]
    fn byte(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at.offset as usize + ahead).copied().unwrap_or(0)
    }

    #[inline]
    fn break_length(&self, ahead: usize) -> usize {
        match self.byte(ahead) {
            b'\r' if self.byte(ahead + 1) == b'\n' => 2,
            b'\r' | b'\n' => 1,
            0xC2 if self.byte(ahead + 1) == 0x85 => 2,
            0xE2 if self.byte(ahead + 1) == 0x80 && matches!(self.byte(ahead + 2), 0xA8 | 0xA9) => 3,
            _ => 0,
        }
    }

    #[inline]
    fn is_break(&self, ahead: usize) -> bool {
        self.break_length(ahead) != 0
    }

    #[inline]
    fn is_blank(&self, ahead: usize) -> bool {
        matches!(self.byte(ahead), b' ' | b'\t')
    }

    #[inline]
    fn is_break_or_end(&self, ahead: usize) -> bool {
        self.byte(ahead) == 0 || self.is_break(ahead)
    }

    #[inline]
    fn is_blank_or_end(&self, ahead: usize) -> bool {
        self.is_blank(ahead) || self.is_break_or_end(ahead)
    }

    fn at_end(&self) -> bool {
        self.byte(0) == 0
    }

    /// Moves over one character that is not a line break.
    #[inline]
    fn skip(&mut self) {
        let byte = self.byte(0);
        if !matches!(byte, b' ' | b'\t') {
            self.newlines = 0;
        }
        let width = match byte {
            0..=0x7F => 1,
            0x80..=0xDF => 2,
            0xE0..=0xEF => 3,
            _ => 4,
        };
        self.at.offset += width;
        self.at.index += 1;
        self.at.column += 1;
    }

    /// Moves over a line break, if there is one.
    fn skip_line(&mut self) {
        let length = self.break_length(0);
        if length == 0 {
            return;
        }
        // A carriage return with its line feed are two characters.
        self.at.index += if length == 2 && self.byte(0) == b'\r' { 2 } else { 1 };
        self.at.offset += u32::try_from(length).expect("a break has at most three bytes");
        self.at.column = 0;
        self.at.line += 1;
        self.newlines += 1;
    }

    /// Moves over a line break and appends it, normalised, to `into`.
    fn read_line(&mut self, into: &mut String) {
        match self.byte(0) {
            0xE2 => into.push_str(&self.text[self.at.offset as usize..self.at.offset as usize + 3]),
            _ => into.push('\n'),
        }
        self.skip_line();
    }

    /// The text from byte offset `from` to the cursor.
    fn since(&self, from: u32) -> &'a str {
        &self.text[from as usize..self.at.offset as usize]
    }

    /// Whether `---` or `...` stands here at the start of a line.
    fn at_document_indicator(&self) -> bool {
        self.at.column == 0
            && matches!((self.byte(0), self.byte(1), self.byte(2)), (b'-', b'-', b'-') | (b'.', b'.', b'.'))
            && self.is_blank_or_end(3)
    }
}
