//! Go's runes: decoding, the classes of the `unicode` package, and its one-to-one case mappings.

use std::sync::LazyLock;

use regex::Regex;

/// Decodes bytes as a Go loop over a string does: with the number of bytes of each, and U+FFFD for each byte
/// that is not UTF-8.
pub(super) fn decode(bytes: &[u8]) -> Vec<(char, usize)> {
    let mut runes = Vec::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        runes.extend(chunk.valid().chars().map(|char| (char, char.len_utf8())));
        runes.extend(chunk.invalid().iter().map(|_| (char::REPLACEMENT_CHARACTER, 1)));
    }
    runes
}

/// `unicode.IsSpace`.
pub(super) fn is_space(char: char) -> bool {
    char.is_whitespace()
}

/// A category of characters, asked of the tables of the `regex` crate.
struct Class(LazyLock<Regex>);

macro_rules! class {
    ($name:literal) => {
        Class(LazyLock::new(|| Regex::new(concat!(r"\A\p{", $name, r"}")).expect("a fixed pattern compiles")))
    };
}

impl Class {
    fn has(&self, char: char) -> bool {
        self.0.is_match(char.encode_utf8(&mut [0; 4]))
    }
}

static LETTER: Class = class!("L");
static NUMBER: Class = class!("N");
static DECIMAL: Class = class!("Nd");
static PUNCTUATION: Class = class!("P");
static UPPER: Class = class!("Lu");
static LOWER: Class = class!("Ll");
static TITLE: Class = class!("Lt");

/// `unicode.IsLetter`.
pub(super) fn is_letter(char: char) -> bool {
    if char.is_ascii() { char.is_ascii_alphabetic() } else { LETTER.has(char) }
}

/// `unicode.IsNumber`.
pub(super) fn is_number(char: char) -> bool {
    if char.is_ascii() { char.is_ascii_digit() } else { NUMBER.has(char) }
}

/// `unicode.IsDigit`.
pub(super) fn is_digit(char: char) -> bool {
    if char.is_ascii() { char.is_ascii_digit() } else { DECIMAL.has(char) }
}

/// `unicode.IsPunct`.
pub(super) fn is_punctuation(char: char) -> bool {
    PUNCTUATION.has(char)
}

/// `unicode.IsUpper`.
pub(super) fn is_upper(char: char) -> bool {
    if char.is_ascii() { char.is_ascii_uppercase() } else { UPPER.has(char) }
}

/// `unicode.IsLower`.
pub(super) fn is_lower(char: char) -> bool {
    if char.is_ascii() { char.is_ascii_lowercase() } else { LOWER.has(char) }
}

/// `unicode.IsTitle`.
pub(super) fn is_title(char: char) -> bool {
    !char.is_ascii() && TITLE.has(char)
}

/// `unicode.ToUpper`: one character for one.
pub(super) fn to_upper(char: char) -> char {
    if char.is_ascii() {
        return char.to_ascii_uppercase();
    }
    if is_new(char) {
        return char;
    }
    let mut mapped = char.to_uppercase();
    match (mapped.next(), mapped.next()) {
        // Letters whose capital is new.
        (Some('\u{a7dc}' | '\u{a7cb}'), None) => char,
        (Some(upper), None) => upper,
        _ => match char {
            // The Greek letters with an iota below: these have a capital of their own besides the two letters.
            '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => shifted(char, 8),
            '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => shifted(char, 9),
            _ => char,
        },
    }
}

/// `unicode.ToLower`: one character for one.
pub(super) fn to_lower(char: char) -> char {
    if char.is_ascii() {
        return char.to_ascii_lowercase();
    }
    if is_new(char) {
        return char;
    }
    let mut mapped = char.to_lowercase();
    match (mapped.next(), mapped.next()) {
        (Some(lower), None) => lower,
        _ if char == '\u{130}' => 'i',
        _ => char,
    }
}

/// `unicode.ToTitle`: one character for one.
pub(super) fn to_title(char: char) -> char {
    match char {
        '\u{1c4}'..='\u{1c6}' => '\u{1c5}',
        '\u{1c7}'..='\u{1c9}' => '\u{1c8}',
        '\u{1ca}'..='\u{1cc}' => '\u{1cb}',
        '\u{1f1}'..='\u{1f3}' => '\u{1f2}',
        // Georgian has capitals, but titles are not written with them.
        '\u{10d0}'..='\u{10fa}' | '\u{10fd}'..='\u{10ff}' => char,
        _ => to_upper(char),
    }
}

/// Whether a letter with another case is newer than Unicode 15, of which Go's tables are.
fn is_new(char: char) -> bool {
    matches!(
        char,
        '\u{1c89}'..='\u{1c8a}'
            | '\u{a7cb}'..='\u{a7cf}'
            | '\u{a7d2}'..='\u{a7d5}'
            | '\u{a7da}'..='\u{a7dc}'
            | '\u{10d50}'..='\u{10d85}'
            | '\u{16ea0}'..='\u{16ed3}'
    )
}

fn shifted(char: char, by: u32) -> char {
    char::from_u32(u32::from(char) + by).unwrap_or(char)
}
