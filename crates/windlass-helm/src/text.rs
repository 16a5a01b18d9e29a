//! Go's ways with text that error messages and outputs show.

/// Prints `text` between double quotes, escaped as Go's `%q` escapes it.
pub(crate) fn quote(text: &str) -> String {
    windlass_go::fmt::quote(text.as_bytes())
}

/// Prints a float as `strconv.FormatFloat(f, 'g', -1, 32)` does: what `sigs.k8s.io/yaml` 1.6.0 makes of a number
/// where a string is wanted.
#[expect(clippy::cast_possible_truncation, reason = "the original rounds to 32 bits, too")]
pub(crate) fn float_g(float: f64) -> String {
    let float = float as f32;
    if !float.is_finite() || float == 0.0 {
        return if float.is_nan() { "NaN".into() } else { format!("{float}") };
    }
    let scientific = format!("{float:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    // For the shortest representation Go decides as if it had six digits.
    const DECISION_PRECISION: i32 = 6;
    if !(-4..DECISION_PRECISION).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.abs());
    }
    format!("{float}")
}

/// The base of a slash-separated path, as Go's `path.Base` has it.
pub(crate) fn base(path: &str) -> &str {
    if path.is_empty() {
        return ".";
    }
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() {
        return "/";
    }
    trimmed.rsplit('/').next().unwrap_or(trimmed)
}

/// A slash-separated path without `.`, `..` and empty parts, as Go's `path.Clean` has it.
pub(crate) fn clean(path: &str) -> String {
    if path.is_empty() {
        return ".".into();
    }
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => match parts.last() {
                Some(&last) if last != ".." => {
                    parts.pop();
                }
                _ if rooted => {}
                _ => parts.push(".."),
            },
            _ => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".into(),
        (false, false) => joined,
    }
}

/// What follows the last dot of a path's last part, with the dot, as Go's `path.Ext` has it.
pub(crate) fn extension(path: &str) -> &str {
    let last = path.rsplit('/').next().unwrap_or(path);
    last.rfind('.').map_or("", |dot| &last[dot..])
}

/// Whether Go's `unicode.IsSpace` holds.
pub(crate) fn is_space(char: char) -> bool {
    matches!(char, '\t' | '\n' | '\x0b' | '\x0c' | '\r' | ' ' | '\u{85}' | '\u{a0}')
        || (char > '\u{ff}' && char.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_go() {
        assert_eq!(clean("a/../../b/./c//"), "../b/c");
        assert_eq!(clean("/../a"), "/a");
        assert_eq!(clean("a/.."), ".");
        assert_eq!(base("a/b/"), "b");
        assert_eq!(extension("a.b/c.tar.gz"), ".gz");
        assert_eq!(extension("a.b/c"), "");
    }
}
