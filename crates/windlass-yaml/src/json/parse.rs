//! Bytes to [`Value`], with Go's verdicts and words.

use crate::error::Position;
use crate::limits::MAX_DEPTH;
use crate::value::{Array, Map, Str, Value};

/// The class of a [`JsonError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonErrorKind {
    /// The text is not JSON.
    Syntax,
    /// The text ends too early.
    UnexpectedEnd,
    /// A number does not fit a 64-bit float.
    Number,
    /// A key stands twice in an object; strict reading only.
    Duplicate,
    /// A limit was reached; the message names it.
    Limit,
}

/// Why a JSON text was refused. `Display` prints what Go's decoder prints.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct JsonError {
    kind: JsonErrorKind,
    message: String,
    offset: usize,
    position: Position,
}

impl JsonError {
    /// The class of the error.
    #[must_use]
    pub fn kind(&self) -> JsonErrorKind {
        self.kind
    }

    /// The byte at which the error was found.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Where the error was found; the column counts bytes' characters.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }
}

/// How JSON is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonOptions {
    /// Whether a key that stands twice in an object is an error; otherwise the last wins.
    pub strict: bool,
    /// How deep values may nest. The parser itself keeps its own stack; the limit protects whoever walks the
    /// value.
    pub depth: usize,
}

impl Default for JsonOptions {
    fn default() -> Self {
        Self { strict: false, depth: MAX_DEPTH }
    }
}

/// Parses one JSON value; blanks may surround it.
///
/// Numbers without fraction and exponent that fit `i64` are [`Value::Int`], all others [`Value::Float`]. Bytes
/// and escapes that are not Unicode become U+FFFD, as in Go.
///
/// # Errors
/// Text that is not JSON, values nested deeper than [`MAX_DEPTH`].
pub fn parse(text: &[u8]) -> Result<Value, JsonError> {
    parse_with(text, &JsonOptions::default())
}

/// Parses one JSON value as `options` say.
///
/// # Errors
/// As [`parse`]; duplicate keys if the options are strict.
pub fn parse_with(text: &[u8], options: &JsonOptions) -> Result<Value, JsonError> {
    let mut parser = Parser::new(text, 0, *options);
    let value = parser.value()?;
    parser.skip_blanks();
    match (parser.byte(), parser.deferred.take()) {
        (None, None) => Ok(value),
        (None, Some(error)) => Err(error),
        (Some(_), _) => Err(parser.invalid("after top-level value")),
    }
}

/// Values one after the other, as Go's `json.Decoder` reads them from a stream.
#[derive(Clone, Debug)]
pub struct Stream<'a> {
    text: &'a [u8],
    at: usize,
    options: JsonOptions,
    failed: bool,
}

impl<'a> Stream<'a> {
    /// A stream over `text`.
    #[must_use]
    pub fn new(text: &'a [u8], options: JsonOptions) -> Self {
        Self { text, at: 0, options, failed: false }
    }

    /// The byte after the last value that was read.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.at
    }
}

/// Ends after the first error.
impl Iterator for Stream<'_> {
    type Item = Result<Value, JsonError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut parser = Parser::new(self.text, self.at, self.options);
        parser.skip_blanks();
        if self.failed || parser.byte().is_none() {
            return None;
        }
        let result = match (parser.value(), parser.deferred.take()) {
            (Ok(_), Some(error)) => Err(error),
            (result, _) => result,
        };
        match &result {
            Ok(_) => self.at = parser.at,
            Err(_) => self.failed = true,
        }
        Some(result)
    }
}

enum Frame {
    Array(Vec<Value>),
    Object(Vec<(Str, Value)>, Str),
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    options: JsonOptions,
    stack: Vec<Frame>,
    scratch: Vec<u8>,
    /// The first error that Go would only meet after it had checked the whole text's syntax.
    deferred: Option<JsonError>,
}

impl<'a> Parser<'a> {
    fn new(text: &'a [u8], at: usize, options: JsonOptions) -> Self {
        Self { text, at, options, stack: Vec::new(), scratch: Vec::new(), deferred: None }
    }

    #[inline]
    fn byte(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    #[inline]
    fn skip_blanks(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    #[cold]
    fn error(&self, kind: JsonErrorKind, message: impl Into<String>) -> JsonError {
        let before = String::from_utf8_lossy(&self.text[..self.at.min(self.text.len())]);
        JsonError { kind, message: message.into(), offset: self.at, position: crate::text::end_of(&before) }
    }

    #[cold]
    fn invalid(&self, context: &str) -> JsonError {
        // Inside a token Go takes the end of the text for a blank.
        let in_token = context.contains("numeric literal")
            || ["in literal", "in string escape", "in \\u"].iter().any(|start| context.starts_with(start));
        let byte = match self.byte() {
            Some(byte) => byte,
            None if in_token => b' ',
            None => return self.error(JsonErrorKind::UnexpectedEnd, "unexpected end of JSON input"),
        };
        let shown = match byte {
            b'\'' => r"'\''".to_owned(),
            b'"' => "'\"'".to_owned(),
            // Go takes the byte for a rune.
            byte => {
                let quoted = crate::gosyntax::quote(&char::from(byte).to_string());
                format!("'{}'", &quoted[1..quoted.len() - 1])
            }
        };
        self.error(JsonErrorKind::Syntax, format!("invalid character {shown} {context}"))
    }

    fn value(&mut self) -> Result<Value, JsonError> {
        loop {
            self.skip_blanks();
            let value = match self.byte() {
                Some(b'{') => {
                    self.open()?;
                    match self.byte() {
                        Some(b'}') => {
                            self.at += 1;
                            Value::Object(Map::new())
                        }
                        _ => {
                            let key = self.key()?;
                            self.stack.push(Frame::Object(Vec::new(), key));
                            continue;
                        }
                    }
                }
                Some(b'[') => {
                    self.open()?;
                    match self.byte() {
                        Some(b']') => {
                            self.at += 1;
                            Value::Array(Array::new())
                        }
                        _ => {
                            self.stack.push(Frame::Array(Vec::new()));
                            continue;
                        }
                    }
                }
                Some(b'"') => Value::String(self.string()?),
                Some(b'-' | b'0'..=b'9') => self.number()?,
                Some(b't') => self.literal("true", Value::Bool(true))?,
                Some(b'f') => self.literal("false", Value::Bool(false))?,
                Some(b'n') => self.literal("null", Value::Null)?,
                _ => return Err(self.invalid("looking for beginning of value")),
            };
            if let Some(value) = self.give(value)? {
                return Ok(value);
            }
        }
    }

    /// Moves past a bracket and the blanks after it.
    fn open(&mut self) -> Result<(), JsonError> {
        if self.stack.len() >= self.options.depth {
            let message = format!("values nest deeper than the limit depth of {}", self.options.depth);
            return Err(self.error(JsonErrorKind::Limit, message));
        }
        self.at += 1;
        self.skip_blanks();
        Ok(())
    }

    /// A key and the colon after it.
    fn key(&mut self) -> Result<Str, JsonError> {
        self.skip_blanks();
        if self.byte() != Some(b'"') {
            return Err(self.invalid("looking for beginning of object key string"));
        }
        let key = self.string()?;
        self.skip_blanks();
        if self.byte() != Some(b':') {
            return Err(self.invalid("after object key"));
        }
        self.at += 1;
        Ok(key)
    }

    /// Hands a value to the innermost container, closing those that end; returns the outermost value.
    fn give(&mut self, mut value: Value) -> Result<Option<Value>, JsonError> {
        loop {
            let Some(frame) = self.stack.last_mut() else { return Ok(Some(value)) };
            match frame {
                Frame::Array(items) => items.push(value),
                Frame::Object(members, key) => members.push((std::mem::take(key), value)),
            }
            let object = matches!(frame, Frame::Object(..));
            self.skip_blanks();
            match self.byte() {
                Some(b',') => {
                    self.at += 1;
                    if object {
                        let next = self.key()?;
                        if let Some(Frame::Object(_, key)) = self.stack.last_mut() {
                            *key = next;
                        }
                    }
                    return Ok(None);
                }
                Some(b'}') if object => {}
                Some(b']') if !object => {}
                _ if object => return Err(self.invalid("after object key:value pair")),
                _ => return Err(self.invalid("after array element")),
            }
            self.at += 1;
            value = match self.stack.pop().expect("the frame was just looked at") {
                Frame::Array(items) => Value::Array(items.into()),
                Frame::Object(members, _) => Value::Object(self.object(members)),
            };
        }
    }

    fn object(&mut self, members: Vec<(Str, Value)>) -> Map {
        let count = members.len();
        if !self.options.strict {
            return members.into_iter().collect();
        }
        let names: Vec<Str> = members.iter().map(|(name, _)| name.clone()).collect();
        let map: Map = members.into_iter().collect();
        if map.len() != count {
            let mut seen = std::collections::HashSet::new();
            let twice = names.iter().find(|name| !seen.insert(name.as_str()));
            let path: String = self
                .stack
                .iter()
                .map(|frame| match frame {
                    Frame::Array(items) => format!("[{}].", items.len()),
                    Frame::Object(_, key) => format!("{key}."),
                })
                .collect::<String>()
                .replace(".[", "[");
            let name = twice.map_or("", |name| name.as_str());
            self.defer(JsonErrorKind::Duplicate, format!("duplicate field \"{path}{name}\""));
        }
        map
    }

    fn defer(&mut self, kind: JsonErrorKind, message: String) {
        if self.deferred.is_none() {
            self.deferred = Some(self.error(kind, message));
        }
    }

    fn literal(&mut self, word: &str, value: Value) -> Result<Value, JsonError> {
        for expected in word.bytes() {
            if self.byte() != Some(expected) {
                let context = format!("in literal {word} (expecting '{}')", char::from(expected));
                return Err(self.invalid(&context));
            }
            self.at += 1;
        }
        Ok(value)
    }

    fn number(&mut self) -> Result<Value, JsonError> {
        let from = self.at;
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        match self.byte() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.skip_digits(),
            _ => return Err(self.invalid("in numeric literal")),
        }
        let mut integral = true;
        if self.byte() == Some(b'.') {
            integral = false;
            self.at += 1;
            if !matches!(self.byte(), Some(b'0'..=b'9')) {
                return Err(self.invalid("after decimal point in numeric literal"));
            }
            self.skip_digits();
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            integral = false;
            self.at += 1;
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if !matches!(self.byte(), Some(b'0'..=b'9')) {
                return Err(self.invalid("in exponent of numeric literal"));
            }
            self.skip_digits();
        }
        let text = std::str::from_utf8(&self.text[from..self.at]).expect("a number is ASCII");
        if integral && let Ok(int) = text.parse() {
            return Ok(Value::Int(int));
        }
        match text.parse::<f64>() {
            Ok(float) if float.is_finite() => Ok(Value::Float(float)),
            _ => {
                let message = format!("json: cannot unmarshal number {text} into Go value of type float64");
                self.defer(JsonErrorKind::Number, message);
                Ok(Value::Null)
            }
        }
    }

    fn skip_digits(&mut self) {
        while matches!(self.byte(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
    }

    fn string(&mut self) -> Result<Str, JsonError> {
        self.at += 1;
        let from = self.at;
        loop {
            match self.byte() {
                Some(b'"') => {
                    let bytes = &self.text[from..self.at];
                    self.at += 1;
                    return Ok(match std::str::from_utf8(bytes) {
                        Ok(text) => Str::new(text),
                        Err(_) => Str::from(go_lossy(bytes)),
                    });
                }
                Some(b'\\') => break,
                Some(0..=0x1F) | None => return Err(self.invalid("in string literal")),
                Some(_) => self.at += 1,
            }
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        scratch.extend_from_slice(&self.text[from..self.at]);
        loop {
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    let text = match std::str::from_utf8(&scratch) {
                        Ok(text) => Str::new(text),
                        Err(_) => Str::from(go_lossy(&scratch)),
                    };
                    self.scratch = scratch;
                    return Ok(text);
                }
                Some(b'\\') => {
                    self.at += 1;
                    self.escape(&mut scratch)?;
                }
                Some(0..=0x1F) | None => return Err(self.invalid("in string literal")),
                Some(byte) => {
                    scratch.push(byte);
                    self.at += 1;
                }
            }
        }
    }

    /// An escape after its backslash.
    fn escape(&mut self, into: &mut Vec<u8>) -> Result<(), JsonError> {
        let plain = match self.byte() {
            Some(byte @ (b'"' | b'\\' | b'/')) => byte,
            Some(b'b') => 0x08,
            Some(b'f') => 0x0C,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode_escape(into);
            }
            _ => return Err(self.invalid("in string escape code")),
        };
        into.push(plain);
        self.at += 1;
        Ok(())
    }

    fn unicode_escape(&mut self, into: &mut Vec<u8>) -> Result<(), JsonError> {
        let first = self.hex4()?;
        let mut code = first;
        if (0xD800..0xDC00).contains(&first) && self.text[self.at..].starts_with(b"\\u") {
            let back = self.at;
            self.at += 2;
            let second = self.hex4()?;
            if (0xDC00..0xE000).contains(&second) {
                code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
            } else {
                self.at = back;
            }
        }
        let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
        into.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }

    fn hex4(&mut self) -> Result<u32, JsonError> {
        let mut code = 0;
        for _ in 0..4 {
            let Some(digit) = self.byte().and_then(|byte| char::from(byte).to_digit(16)) else {
                return Err(self.invalid("in \\u hexadecimal character escape"));
            };
            code = code << 4 | digit;
            self.at += 1;
        }
        Ok(code)
    }
}

/// The text of `bytes` with one replacement character for each byte that is not UTF-8, as Go counts them.
fn go_lossy(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 8);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text
}
