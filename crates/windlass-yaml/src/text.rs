//! Which texts YAML allows: encodings, characters, size.

use std::borrow::Cow;

use crate::error::{Position, YamlError, YamlErrorKind};
use crate::limits::Limits;

/// The text in `bytes`: UTF-8, or UTF-16 that begins with a byte order mark.
///
/// # Errors
/// Bytes that are not such text.
pub fn decode_text(bytes: &[u8]) -> Result<Cow<'_, str>, YamlError> {
    match bytes {
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes).map(Cow::Owned),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes).map(Cow::Owned),
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Cow::Borrowed(text)),
            Err(error) => {
                let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
                let problem = match (bytes[error.valid_up_to()], error.error_len()) {
                    (0x80..=0xBF | 0xF8.., _) => "invalid leading UTF-8 octet",
                    (_, None) => "incomplete UTF-8 octet sequence",
                    (0xC0 | 0xC1, _) => "invalid length of a UTF-8 sequence",
                    _ => "invalid trailing UTF-8 octet",
                };
                Err(YamlError::new(YamlErrorKind::Encoding, problem, end_of(&before)))
            }
        },
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, YamlError> {
    let (pairs, []) = bytes.as_chunks::<2>() else {
        return Err(YamlError::new(
            YamlErrorKind::Encoding,
            "incomplete UTF-16 character",
            Position::default(),
        ));
    };
    let mut text = String::with_capacity(bytes.len());
    for character in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        match character {
            Ok(character) => text.push(character),
            Err(error) => {
                let low = error.unpaired_surrogate() & 0xFC00 == 0xDC00;
                let problem =
                    if low { "unexpected low surrogate area" } else { "expected low surrogate area" };
                return Err(YamlError::new(YamlErrorKind::Encoding, problem, end_of(&text)));
            }
        }
    }
    Ok(text)
}

/// Refuses a text that is too long or has characters that YAML does not allow.
pub(crate) fn check(text: &str, limits: &Limits) -> Result<(), YamlError> {
    if text.len() > limits.input {
        let problem = format!("text of {} bytes exceeds the limit input of {}", text.len(), limits.input);
        return Err(YamlError::new(YamlErrorKind::Limit, problem, Position { line: 1, column: 1 }));
    }
    match first_forbidden(text) {
        Some(at) => {
            let position = end_of(&text[..at]);
            Err(YamlError::new(YamlErrorKind::Encoding, "control characters are not allowed", position))
        }
        None => Ok(()),
    }
}

fn first_forbidden(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut from = 0;
    // Almost all text is printable ASCII: look closer only where it is not.
    while let Some(ahead) = bytes[from..].iter().position(|byte| !matches!(byte, 0x20..=0x7E | b'\n')) {
        let at = from + ahead;
        let character = text[at..].chars().next()?;
        let allowed = matches!(character, '\t' | '\r' | '\u{85}')
            || matches!(character, '\u{A0}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..);
        if !allowed {
            return Some(at);
        }
        from = at + character.len_utf8();
    }
    None
}

/// The position after `text`.
pub(crate) fn end_of(text: &str) -> Position {
    let line_start = text.rfind('\n').map_or(0, |idx| idx + 1);
    Position {
        line: text.bytes().filter(|byte| *byte == b'\n').count() + 1,
        column: text[line_start..].chars().count() + 1,
    }
}
