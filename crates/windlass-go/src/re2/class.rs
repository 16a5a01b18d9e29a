//! Character classes: from Go's `[…]` and escapes to the `regex` crate's.

use std::fmt::Write as _;

/// A class under construction, in the `regex` crate's syntax.
#[derive(Debug, Default)]
pub(super) struct Class {
    items: String,
}

/// Matches nothing; a Go pattern can say so by naming only surrogates, which no Rust text holds.
pub(super) const NOTHING: &str = r"[^\x00-\x{10FFFF}]";

impl Class {
    /// Adds the code points from `low` to `high`; surrogates are left out, as they cannot occur.
    pub(super) fn push_range(&mut self, low: u32, high: u32) {
        let low = if (0xd800..0xe000).contains(&low) { 0xe000 } else { low };
        let high = if (0xd800..0xe000).contains(&high) { 0xd7ff } else { high };
        if low == high {
            self.push(format_args!(r"\x{{{low:X}}}"));
        } else if low < high {
            self.push(format_args!(r"\x{{{low:X}}}-\x{{{high:X}}}"));
        }
    }

    /// Adds a class such as `\p{…}` or `[^0-9]`, already in the `regex` crate's syntax.
    pub(super) fn push_class(&mut self, class: &str) {
        self.items.push_str(class);
    }

    fn push(&mut self, arguments: std::fmt::Arguments<'_>) {
        self.items.write_fmt(arguments).expect("writing to a String cannot fail");
    }

    /// The class as a pattern.
    pub(super) fn print(&self, is_negated: bool) -> String {
        match (self.items.is_empty(), is_negated) {
            (true, false) => NOTHING.to_owned(),
            (true, true) => "(?s:.)".to_owned(),
            (false, false) => format!("[{}]", self.items),
            (false, true) => format!("[^{}]", self.items),
        }
    }
}

/// The class of `\d` and its kin, which are ASCII in Go.
pub(super) fn perl_class(letter: u8) -> Option<&'static str> {
    Some(match letter {
        b'd' => "[0-9]",
        b'D' => "[^0-9]",
        b's' => r"[\t\n\f\r\x20]",
        b'S' => r"[^\t\n\f\r\x20]",
        b'w' => "[0-9A-Za-z_]",
        b'W' => "[^0-9A-Za-z_]",
        _ => return None,
    })
}

/// The class of a POSIX name such as `alpha` or `^alpha`.
pub(super) fn posix_class(name: &str) -> Option<String> {
    let (caret, name) = name.strip_prefix('^').map_or(("", name), |name| ("^", name));
    let members = match name {
        "alnum" => "0-9A-Za-z",
        "alpha" => "A-Za-z",
        "ascii" => r"\x00-\x7F",
        "blank" => r"\t\x20",
        "cntrl" => r"\x00-\x1F\x7F",
        "digit" => "0-9",
        "graph" => r"\x21-\x7E",
        "lower" => "a-z",
        "print" => r"\x20-\x7E",
        "punct" => r"\x21-\x2F\x3A-\x40\x5B-\x60\x7B-\x7E",
        "space" => r"\t\n\x0B\f\r\x20",
        "upper" => "A-Z",
        "word" => "0-9A-Za-z_",
        "xdigit" => "0-9A-Fa-f",
        _ => return None,
    };
    Some(format!("[{caret}{members}]"))
}
