//! Quoted strings and characters, as `strconv` writes them.

use std::sync::LazyLock;

use regex::Regex;

use super::rune::{append_rune, decode_rune};

/// Appends `text` between double quotes; with `ascii_only`, as `%+q` does.
pub fn append_quote(to: &mut Vec<u8>, text: &[u8], ascii_only: bool) {
    to.push(b'"');
    let mut rest = text;
    while !rest.is_empty() {
        let (char, width) = decode_rune(rest);
        if width == 1 && char == char::REPLACEMENT_CHARACTER {
            hex(to, 'x', 2, u32::from(rest[0]));
        } else {
            append_escaped(to, char, '"', ascii_only);
        }
        rest = &rest[width..];
    }
    to.push(b'"');
}

/// `text` between double quotes, as `%q` prints it.
#[must_use]
pub fn quote(text: &[u8]) -> String {
    let mut quoted = Vec::with_capacity(text.len() + 2);
    append_quote(&mut quoted, text, false);
    String::from_utf8(quoted).expect("what is not UTF-8 was escaped")
}

/// Appends a character between single quotes; with `ascii_only`, as `%+q` does.
pub fn append_quote_rune(to: &mut Vec<u8>, char: char, ascii_only: bool) {
    to.push(b'\'');
    append_escaped(to, char, '\'', ascii_only);
    to.push(b'\'');
}

fn append_escaped(to: &mut Vec<u8>, char: char, quote: char, ascii_only: bool) {
    if char == quote || char == '\\' {
        to.push(b'\\');
        append_rune(to, char);
        return;
    }
    if (char.is_ascii() || !ascii_only) && is_print(char) {
        append_rune(to, char);
        return;
    }
    let short = match char {
        '\x07' => b'a',
        '\x08' => b'b',
        '\x0c' => b'f',
        '\n' => b'n',
        '\r' => b'r',
        '\t' => b't',
        '\x0b' => b'v',
        _ => {
            return match u32::from(char) {
                code @ (..0x20 | 0x7f) => hex(to, 'x', 2, code),
                code @ ..0x1_0000 => hex(to, 'u', 4, code),
                code => hex(to, 'U', 8, code),
            };
        }
    };
    to.extend([b'\\', short]);
}

fn hex(to: &mut Vec<u8>, letter: char, digits: usize, code: u32) {
    to.extend_from_slice(format!("\\{letter}{code:0digits$x}").as_bytes());
}

/// Whether `text` can stand between back quotes unchanged, on one line.
#[must_use]
pub fn can_backquote(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    text.chars().all(|char| match char {
        '\u{feff}' | '`' | '\u{7f}' => false,
        '\t' => true,
        _ => char >= ' ',
    })
}

/// Whether a character shows as itself: a letter, mark, number, punctuation, symbol, or the ASCII space.
///
/// Characters are those of Unicode 15.0, which Go 1.26 has; later ones do not show.
#[must_use]
pub fn is_print(char: char) -> bool {
    if char.is_ascii() {
        return (' '..='~').contains(&char);
    }
    static PRINTABLE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"[\p{L}\p{M}\p{N}\p{P}\p{S}&&\p{Age=15.0}]").expect("a class of characters")
    });
    PRINTABLE.is_match(char.encode_utf8(&mut [0; 4]))
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn escapes_like_go() {
        // Printed by Go 1.26: fmt.Printf("%q", …).
        assert_eq!(quote("a\"b\\\n\x07\x7f é\u{200b}\u{1f600}".as_bytes()), r#""a\"b\\\n\a\x7f é\u200b😀""#);
    }
}
