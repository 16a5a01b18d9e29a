//! Patterns of `mattn/go-zglob` 0.0.6, with their quirks, as Argo CD uses them on Linux.

use std::fmt::Write as _;

use windlass_go::re2::{Regex, RegexError};

/// What a pattern asks for. Paths are from the root on.
pub(crate) enum ZGlob {
    /// Exactly this path: it has neither `*` nor `{`, so that `?` and `[` stand for themselves.
    Path(String),
    /// What matches below a folder.
    Below { root: String, pattern: Regex },
}

impl ZGlob {
    /// Reads a pattern that has no dots in it.
    pub(crate) fn compile(pattern: &str) -> Result<Self, RegexError> {
        let parts: Vec<&str> = pattern.split('/').collect();
        let Some(first) = parts.iter().position(|part| part.contains(['*', '{'])) else {
            return Ok(Self::Path(pattern.to_owned()));
        };
        let root = parts[..first].join("/");
        let pattern = Regex::parse(&format!("^{}$", expression(pattern)))?;
        Ok(Self::Below { root, pattern })
    }
}

/// The regular expression that the library makes of a pattern.
fn expression(pattern: &str) -> String {
    let text: Vec<char> = pattern.chars().collect();
    let mut out = String::new();
    let mut at = 0;
    while at < text.len() {
        let character = text[at];
        let next = text.get(at + 1).copied();
        match character {
            '\\' if at + 2 < text.len() => {
                at += 1;
                coded(&mut out, text[at]);
            }
            '*' if next == Some('*') && text.get(at + 2) == Some(&'/') => {
                out.push_str("(.*/)?");
                at += 2;
            }
            '*' => out.push_str("[^/]*"),
            '[' => {
                // One that does not end takes what follows, and then what follows again.
                let (inside, end) = until(&text, at + 1, ']');
                if let Some(end) = end {
                    at = end;
                }
                // One with nothing in it is nothing.
                if !inside.is_empty() {
                    let _ = write!(out, "[{}]", inside.iter().collect::<String>());
                }
            }
            '{' => {
                let (inside, end) = until(&text, at + 1, '}');
                let mut alternatives = String::new();
                for character in inside {
                    match character {
                        ',' => alternatives.push('|'),
                        character => plain(&mut alternatives, *character),
                    }
                }
                if let Some(end) = end {
                    at = end;
                }
                if alternatives.is_empty() {
                    plain(&mut out, text[at]);
                } else {
                    let _ = write!(out, "({alternatives})");
                }
            }
            '!' if next == Some('(') => {
                let (inside, end) = until(&text, at + 2, ')');
                at = end.unwrap_or(at + 1);
                if inside.is_empty() {
                    plain(&mut out, text[at]);
                }
                for character in inside {
                    let _ = write!(out, "[^\\x{:02X}/]*", u32::from(*character));
                }
            }
            character => plain(&mut out, character),
        }
        at += 1;
    }
    if out.ends_with('/') {
        out.push_str("[^/]*");
    }
    out
}

/// What stands from `from` on before `end`, and where that stands; all the rest when it does not.
fn until(text: &[char], from: usize, end: char) -> (&[char], Option<usize>) {
    let rest = &text[from.min(text.len())..];
    match rest.iter().position(|character| *character == end) {
        Some(length) => (&rest[..length], Some(from + length)),
        None => (rest, None),
    }
}

fn plain(out: &mut String, character: char) {
    if character == '/' || character.is_ascii_alphanumeric() || u32::from(character) > 255 {
        out.push(character);
    } else {
        coded(out, character);
    }
}

fn coded(out: &mut String, character: char) {
    let _ = write!(out, "[\\x{:02X}]", u32::from(character));
}
