//! Go's double-quoted strings, as `%q` and `strconv.Quote` print them in error messages.

use std::fmt::Write as _;

use crate::fmt::is_print;

/// Prints `text` between double quotes, escaped as Go's `%q` escapes it.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for char in text.chars() {
        match char {
            '"' | '\\' => quoted.extend(['\\', char]),
            '\x07' => quoted.push_str(r"\a"),
            '\x08' => quoted.push_str(r"\b"),
            '\x0c' => quoted.push_str(r"\f"),
            '\n' => quoted.push_str(r"\n"),
            '\r' => quoted.push_str(r"\r"),
            '\t' => quoted.push_str(r"\t"),
            '\x0b' => quoted.push_str(r"\v"),
            ' '..='~' => quoted.push(char),
            '\0'..='\x7f' => append(&mut quoted, format_args!(r"\x{:02x}", u32::from(char))),
            _ if is_print(char) => quoted.push(char),
            '\u{80}'..='\u{ffff}' => append(&mut quoted, format_args!(r"\u{:04x}", u32::from(char))),
            _ => append(&mut quoted, format_args!(r"\U{:08x}", u32::from(char))),
        }
    }
    quoted.push('"');
    quoted
}

fn append(to: &mut String, arguments: std::fmt::Arguments<'_>) {
    to.write_fmt(arguments).expect("writing to a String cannot fail");
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn escapes_like_go() {
        // Printed by Go 1.26: fmt.Printf("%q", …).
        assert_eq!(quote("a\"b\\\n\x07\x7f é\u{200b}\u{1f600}"), r#""a\"b\\\n\a\x7f é\u200b😀""#);
    }
}
