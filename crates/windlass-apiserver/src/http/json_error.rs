//! What is wrong with JSON, in the words of Go's `encoding/json` (1.26).

/// How deep JSON may nest: serde_json's own limit.
const MAX_DEPTH: usize = 128;

/// Says what `error`, which reading `bytes` gave, would be in Go.
pub(crate) fn in_go(bytes: &[u8], error: &serde_json::Error) -> String {
    if error.is_eof() {
        return "unexpected end of JSON input".to_owned();
    }
    // The kind of error is not told otherwise. Go allows 10,000 levels.
    if error.to_string().starts_with("recursion limit exceeded") {
        return format!("exceeded max depth of {MAX_DEPTH}");
    }
    let Some((at, letter)) = offender(bytes, error) else { return error.to_string() };
    let shown = match letter {
        '\'' => "'\\''".to_owned(),
        '"' => "'\"'".to_owned(),
        other if other.is_control() && !other.is_ascii() => format!("'\\u{:04x}'", u32::from(other)),
        other if other.is_control() => format!("'\\x{:02x}'", u32::from(other)),
        other => format!("'{other}'"),
    };
    format!("invalid character {shown} {}", context(bytes, at))
}

/// The byte at which reading ended, and its letter.
fn offender(bytes: &[u8], error: &serde_json::Error) -> Option<(usize, char)> {
    let line_start = match error.line() {
        0 | 1 => 0,
        line => bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(line - 2)?.0 + 1,
    };
    let at = line_start + error.column().saturating_sub(1);
    Some((at, char::from(*bytes.get(at)?)))
}

/// What Go was looking for there.
fn context(bytes: &[u8], at: usize) -> &'static str {
    for (word, wanted) in [("true", "true"), ("false", "false"), ("null", "null")] {
        for n_read in 1..word.len() {
            let begun = at.checked_sub(n_read).and_then(|start| bytes.get(start..at));
            if begun == Some(&word.as_bytes()[..n_read]) && !before_is_word(bytes, at - n_read) {
                return literal(wanted, n_read);
            }
        }
    }
    let before = bytes[..at].iter().rev().find(|byte| !byte.is_ascii_whitespace());
    match before {
        None | Some(b'[' | b':') => "looking for beginning of value",
        Some(b'{') => "looking for beginning of object key string",
        Some(b',') => "looking for beginning of value",
        Some(b'"') if is_after_key(bytes, at) => "after object key",
        Some(_) => "after top-level value",
    }
}

fn before_is_word(bytes: &[u8], start: usize) -> bool {
    start.checked_sub(1).and_then(|before| bytes.get(before)).is_some_and(u8::is_ascii_alphanumeric)
}

fn literal(word: &str, n_read: usize) -> &'static str {
    match (word, n_read) {
        ("true", 1) => "in literal true (expecting 'r')",
        ("true", 2) => "in literal true (expecting 'u')",
        ("true", _) => "in literal true (expecting 'e')",
        ("false", 1) => "in literal false (expecting 'a')",
        ("false", 2) => "in literal false (expecting 'l')",
        ("false", 3) => "in literal false (expecting 's')",
        ("false", _) => "in literal false (expecting 'e')",
        ("null", 1) => "in literal null (expecting 'u')",
        _ => "in literal null (expecting 'l')",
    }
}

/// Whether the string that ends before `at` is a member's name.
fn is_after_key(bytes: &[u8], at: usize) -> bool {
    let mut quotes =
        bytes[..at].iter().enumerate().rev().filter(|(_, byte)| **byte == b'"').map(|(idx, _)| idx);
    let (Some(_), Some(opening)) = (quotes.next(), quotes.next()) else { return false };
    let before = bytes[..opening].iter().rev().find(|byte| !byte.is_ascii_whitespace());
    matches!(before, Some(b'{' | b','))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_it_as_go_does() {
        for (text, expected) in [
            ("", "unexpected end of JSON input"),
            ("{", "unexpected end of JSON input"),
            ("nonsense", "invalid character 'o' in literal null (expecting 'u')"),
            ("x", "invalid character 'x' looking for beginning of value"),
            ("{x", "invalid character 'x' looking for beginning of object key string"),
            ("{\"a\" 1}", "invalid character '1' after object key"),
        ] {
            let error = serde_json::from_str::<windlass_kube::Value>(text).unwrap_err();
            assert_eq!(in_go(text.as_bytes(), &error), expected, "{text}");
        }
    }
}
