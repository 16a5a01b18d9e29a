//! Go's `path.Match`: one level of a path, no alternatives.

/// The pattern is malformed: an open class, an empty class, or a backslash at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("syntax error in pattern")]
pub struct BadPattern;

/// Whether `name` as a whole matches `pattern`, as Go's `path.Match` has it.
///
/// `*` and `?` do not match `/`; a negated class such as `[^a]` does. On Unix this is `filepath.Match` too.
///
/// A quirk is kept: each star takes as little as lets the text up to the next star match, and is not revisited,
/// so `*[^x]*` does not match `a/b` although `a`, `/`, `b` would fit.
///
/// # Errors
///
/// [`BadPattern`], whatever the name.
///
/// ```
/// use windlass_go::glob::path_match;
/// assert_eq!(path_match("*.y[a]ml", "values.yaml"), Ok(true));
/// assert_eq!(path_match("*", "charts/values.yaml"), Ok(false));
/// assert!(path_match("[", "x").is_err());
/// ```
pub fn path_match(pattern: &str, name: &str) -> Result<bool, BadPattern> {
    let chunks = parse(pattern)?;
    let mut name = name.as_bytes();
    for (idx, chunk) in chunks.iter().enumerate() {
        let is_last = idx + 1 == chunks.len();
        if chunk.after_star && chunk.steps.is_empty() {
            return Ok(!name.contains(&b'/'));
        }
        let reach = if chunk.after_star {
            name.iter().position(|byte| *byte == b'/').unwrap_or(name.len())
        } else {
            0
        };
        let rest = (0..=reach)
            .filter_map(|skipped| match_here(&chunk.steps, &name[skipped..]))
            .find(|rest| !is_last || rest.is_empty());
        match rest {
            Some(rest) => name = rest,
            None => return Ok(false),
        }
    }
    Ok(name.is_empty())
}

/// What stands between two stars.
struct Chunk {
    after_star: bool,
    steps: Vec<Step>,
}

enum Step {
    Byte(u8),
    AnyButSlash,
    Class { is_negated: bool, ranges: Vec<(char, char)> },
}

fn parse(pattern: &str) -> Result<Vec<Chunk>, BadPattern> {
    let mut chunks: Vec<Chunk> = Vec::new();
    let mut rest = pattern;
    while !rest.is_empty() {
        let after_stars = rest.trim_start_matches('*');
        let after_star = after_stars.len() < rest.len();
        rest = after_stars;
        let mut steps = Vec::new();
        while let Some(&first) = rest.as_bytes().first() {
            match first {
                b'*' => break,
                b'[' => {
                    let (class, after) = parse_class(&rest[1..])?;
                    steps.push(class);
                    rest = after;
                    continue;
                }
                b'?' => steps.push(Step::AnyButSlash),
                b'\\' => {
                    rest = &rest[1..];
                    let escaped = rest.chars().next().ok_or(BadPattern)?;
                    steps.extend(escaped.encode_utf8(&mut [0; 4]).bytes().map(Step::Byte));
                    rest = &rest[escaped.len_utf8()..];
                    continue;
                }
                _ => {
                    let char = rest.chars().next().ok_or(BadPattern)?;
                    steps.extend(char.encode_utf8(&mut [0; 4]).bytes().map(Step::Byte));
                    rest = &rest[char.len_utf8()..];
                    continue;
                }
            }
            rest = &rest[1..];
        }
        chunks.push(Chunk { after_star, steps });
    }
    Ok(chunks)
}

/// Reads a class whose `[` is gone; `]` may not come first, not even escaped by being first.
fn parse_class(text: &str) -> Result<(Step, &str), BadPattern> {
    let (is_negated, mut rest) = text.strip_prefix('^').map_or((false, text), |rest| (true, rest));
    let mut ranges = Vec::new();
    loop {
        if !ranges.is_empty()
            && let Some(after) = rest.strip_prefix(']')
        {
            return Ok((Step::Class { is_negated, ranges }, after));
        }
        let (low, after) = parse_class_char(rest)?;
        let (high, after) = match after.strip_prefix('-') {
            Some(after) => parse_class_char(after)?,
            None => (low, after),
        };
        ranges.push((low, high));
        rest = after;
    }
}

/// Reads one character of a class; something must follow it.
fn parse_class_char(text: &str) -> Result<(char, &str), BadPattern> {
    if text.starts_with(['-', ']']) {
        return Err(BadPattern);
    }
    let text = text.strip_prefix('\\').unwrap_or(text);
    let char = text.chars().next().ok_or(BadPattern)?;
    let rest = &text[char.len_utf8()..];
    if rest.is_empty() { Err(BadPattern) } else { Ok((char, rest)) }
}

/// Matches the steps at the start of `name`; returns what is left of it.
fn match_here<'a>(steps: &[Step], mut name: &'a [u8]) -> Option<&'a [u8]> {
    for step in steps {
        let first = *name.first()?;
        let width = match step {
            Step::Byte(byte) if *byte == first => 1,
            Step::AnyButSlash if first != b'/' => first_char(name).1,
            Step::Class { is_negated, ranges } => {
                let (char, width) = first_char(name);
                if ranges.iter().any(|(low, high)| (*low..=*high).contains(&char)) == *is_negated {
                    return None;
                }
                width
            }
            Step::Byte(_) | Step::AnyButSlash => return None,
        };
        name = &name[width..];
    }
    Some(name)
}

/// The first character of bytes that may start inside one, as Go decodes them.
fn first_char(bytes: &[u8]) -> (char, usize) {
    let end = bytes.len().min(4);
    let valid = match std::str::from_utf8(&bytes[..end]) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
    };
    valid.chars().next().map_or((char::REPLACEMENT_CHARACTER, 1), |char| (char, char.len_utf8()))
}
