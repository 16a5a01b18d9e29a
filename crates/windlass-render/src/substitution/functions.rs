//! What operators do with a value.

use std::borrow::Cow;

/// The value after an operator; one that is not known gives the arguments where the value is empty.
///
/// Lengths and offsets count bytes, as in `fluxcd/pkg/envsubst`; an offset inside of a character means its end.
pub(super) fn call<'a>(operator: &str, value: &'a str, arguments: &'a [String]) -> Cow<'a, str> {
    let first = arguments.first().map(String::as_str);
    match (operator, first) {
        (",", _) => of_first(value, lower).into(),
        (",,", _) => value.chars().map(lower).collect::<String>().into(),
        ("^", _) => of_first(value, upper).into(),
        ("^^", _) => value.chars().map(upper).collect::<String>().into(),
        ("#", None) => value.len().to_string().into(),
        ("#" | "##", Some(pattern)) => {
            let length = matched(value, pattern, operator.len() == 2).unwrap_or(0);
            value[length..].into()
        }
        ("%" | "%%", Some(pattern)) => {
            let (value, pattern) = (reversed(value), reversed(pattern));
            let length = matched(&value, &pattern, operator.len() == 2).unwrap_or(0);
            reversed(&value[length..]).into()
        }
        (":", Some(offset)) => part(value, offset, arguments.get(1).map(String::as_str)).into(),
        ("/" | "//", Some(old)) => {
            let new = arguments.get(1).map_or("", String::as_str);
            if operator == "/" { value.replacen(old, new, 1) } else { value.replace(old, new) }.into()
        }
        ("/#", Some(old)) => match (value.strip_prefix(old), arguments.get(1)) {
            (Some(rest), Some(new)) => format!("{new}{rest}").into(),
            _ => value.into(),
        },
        ("/%", Some(old)) => match (value.strip_suffix(old), arguments.get(1)) {
            (Some(rest), Some(new)) => format!("{rest}{new}").into(),
            _ => value.into(),
        },
        _ if value.is_empty() => arguments.concat().into(),
        _ => value.into(),
    }
}

fn of_first(value: &str, change: fn(char) -> char) -> String {
    let mut chars = value.chars();
    chars.next().map(change).into_iter().chain(chars).collect()
}

/// Go's simple mapping: one character for one.
fn upper(char: char) -> char {
    let mut upper = char.to_uppercase();
    if upper.len() == 1 { upper.next().unwrap_or(char) } else { char }
}

fn lower(char: char) -> char {
    let mut lower = char.to_lowercase();
    match char {
        'İ' => 'i',
        _ if lower.len() == 1 => lower.next().unwrap_or(char),
        _ => char,
    }
}

fn reversed(text: &str) -> String {
    text.chars().rev().collect()
}

/// A part of a value by offset and length; what are no numbers mean all of it.
fn part<'a>(value: &'a str, offset: &str, length: Option<&str>) -> &'a str {
    let size = i64::try_from(value.len()).unwrap_or(i64::MAX);
    let Some(offset) = number(offset) else { return value };
    let start = if offset < 0 { offset.saturating_add(size).max(0) } else { offset };
    let end = match length.map(number) {
        None => size,
        Some(None) => return value,
        Some(Some(length)) if length < 0 => {
            let end = size.saturating_add(length);
            if end < start {
                return "";
            }
            end
        }
        Some(Some(length)) => start.saturating_add(length).min(size),
    };
    if start >= size {
        return "";
    }
    let at = |position: i64| {
        let position = usize::try_from(position).unwrap_or(0).min(value.len());
        (position..=value.len()).find(|at| value.is_char_boundary(*at)).unwrap_or(value.len())
    };
    &value[at(start)..at(end.max(start))]
}

/// A number as Go's `strconv.Atoi` reads it.
fn number(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// How many bytes at the beginning of a value a pattern matches: the least, but at least one, or the most.
fn matched(value: &str, pattern: &str, longest: bool) -> Option<usize> {
    let pattern = Pattern::parse(pattern)?;
    let mut ends = value.char_indices().map(|(at, char)| at + char.len_utf8());
    let mut matches = ends.by_ref().filter(|end| pattern.is_match(&value[..*end]));
    if longest { matches.last() } else { matches.next() }
}

/// A glob without separators.
struct Pattern(Vec<Piece>);

enum Piece {
    Literal(char),
    One,
    Any,
    Class { negated: bool, ranges: Vec<(char, char)> },
}

impl Pattern {
    /// `None` for a pattern that is not well formed: it matches nothing.
    fn parse(text: &str) -> Option<Self> {
        let mut pieces = Vec::new();
        let mut chars = text.chars().peekable();
        while let Some(char) = chars.next() {
            pieces.push(match char {
                '*' => Piece::Any,
                '?' => Piece::One,
                '\\' => Piece::Literal(chars.next()?),
                '[' => {
                    let negated = chars.next_if_eq(&'^').is_some();
                    let mut ranges = Vec::new();
                    while ranges.is_empty() || chars.next_if_eq(&']').is_none() {
                        let low = member(&mut chars)?;
                        let high = if chars.next_if_eq(&'-').is_some() { member(&mut chars)? } else { low };
                        ranges.push((low, high));
                    }
                    Piece::Class { negated, ranges }
                }
                other => Piece::Literal(other),
            });
        }
        Some(Self(pieces))
    }

    fn is_match(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        let (mut piece, mut at) = (0, 0);
        // Where to go on when it does not match: behind the last star, and one character further.
        let mut retry: Option<(usize, usize)> = None;
        while at < text.len() || piece < self.0.len() {
            match self.0.get(piece) {
                Some(Piece::Any) => {
                    retry = Some((piece + 1, at));
                    piece += 1;
                    continue;
                }
                Some(single) if text.get(at).is_some_and(|char| single.takes(*char)) => {
                    piece += 1;
                    at += 1;
                    continue;
                }
                _ => {}
            }
            match retry {
                Some((behind, from)) if from < text.len() => {
                    retry = Some((behind, from + 1));
                    (piece, at) = (behind, from + 1);
                }
                _ => return false,
            }
        }
        true
    }
}

impl Piece {
    fn takes(&self, char: char) -> bool {
        match self {
            Self::Literal(literal) => *literal == char,
            Self::One => true,
            Self::Any => false,
            Self::Class { negated, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&char)) != *negated
            }
        }
    }
}

/// A member of a class, which may be escaped.
fn member(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<char> {
    let member = match chars.next()? {
        '-' | ']' => return None,
        '\\' => chars.next()?,
        other => other,
    };
    // A class that ends here is not closed.
    chars.peek().map(|_| member)
}
