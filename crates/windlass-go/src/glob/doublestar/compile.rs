//! From the text of a doublestar pattern to patterns without alternatives.

use super::{Alternative, DoublestarError, MAX_ALTERNATIVES, Part};

/// A character of a pattern, or the place where alternatives began.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Piece {
    Char(char),
    Brace,
}

pub(super) fn compile(pattern: &str) -> Result<Vec<Alternative>, DoublestarError> {
    validate(pattern)?;
    let mut unfolded = Vec::new();
    let mut folded: Vec<(Vec<Piece>, Vec<char>)> = vec![(Vec::new(), pattern.chars().collect())];
    // Depth first, so that the alternatives come out in the order they are written.
    while let Some((mut done, rest)) = folded.pop() {
        let Some(open) = find_brace(&rest) else {
            done.extend(rest.into_iter().map(Piece::Char));
            unfolded.push(tokenize(&done)?);
            continue;
        };
        let (choices, close) = split_alternatives(&rest, open + 1)?;
        done.extend(rest[..open].iter().copied().map(Piece::Char));
        done.push(Piece::Brace);
        if unfolded.len() + folded.len() + choices.len() > MAX_ALTERNATIVES {
            return Err(DoublestarError::TooManyAlternatives);
        }
        for choice in choices.into_iter().rev() {
            folded.push((done.clone(), [choice, &rest[close + 1..]].concat()));
        }
    }
    Ok(unfolded)
}

/// The rules of the original's `ValidatePattern`.
fn validate(pattern: &str) -> Result<(), DoublestarError> {
    let mut depth = 0_usize;
    let mut chars = pattern.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => {
                chars.next().ok_or(DoublestarError::BadPattern)?;
            }
            '[' => {
                let mut next = chars.next();
                if matches!(next, Some('^' | '!')) {
                    next = chars.next();
                }
                if next == Some(']') {
                    return Err(DoublestarError::BadPattern);
                }
                while next != Some(']') {
                    if next.ok_or(DoublestarError::BadPattern)? == '\\' {
                        chars.next();
                    }
                    next = chars.next();
                }
            }
            '{' => depth += 1,
            '}' => depth = depth.checked_sub(1).ok_or(DoublestarError::BadPattern)?,
            _ => {}
        }
    }
    if depth == 0 { Ok(()) } else { Err(DoublestarError::BadPattern) }
}

/// Where the class that opens at `open` closes; the end of the text if it does not.
fn class_end(text: &[char], open: usize) -> usize {
    let mut idx = open + 1;
    while idx < text.len() && text[idx] != ']' {
        idx += if text[idx] == '\\' { 2 } else { 1 };
    }
    idx.min(text.len())
}

/// The first `{` that opens alternatives.
fn find_brace(text: &[char]) -> Option<usize> {
    let mut idx = 0;
    while idx < text.len() {
        match text[idx] {
            '{' => return Some(idx),
            '\\' => idx += 2,
            '[' => idx = class_end(text, idx) + 1,
            _ => idx += 1,
        }
    }
    None
}

/// The alternatives that start at `from`, and where their `}` is.
fn split_alternatives(text: &[char], from: usize) -> Result<(Vec<&[char]>, usize), DoublestarError> {
    let (mut choices, mut start, mut depth, mut idx) = (Vec::new(), from, 0_usize, from);
    while idx < text.len() {
        match text[idx] {
            '\\' => idx += 1,
            '[' => idx = class_end(text, idx),
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            '}' => {
                choices.push(&text[start..idx]);
                return Ok((choices, idx));
            }
            ',' if depth == 0 => {
                choices.push(&text[start..idx]);
                start = idx + 1;
            }
            _ => {}
        }
        idx += 1;
    }
    Err(DoublestarError::BadPattern)
}

fn tokenize(pieces: &[Piece]) -> Result<Alternative, DoublestarError> {
    let (mut parts, mut braces, mut idx) = (Vec::new(), Vec::new(), 0);
    while idx < pieces.len() {
        let char = match pieces[idx] {
            Piece::Brace => {
                braces.push(parts.len());
                idx += 1;
                continue;
            }
            Piece::Char(char) => char,
        };
        idx += 1;
        // Two stars that a brace stood between never met in the original.
        let next = |idx: usize| match pieces.get(idx) {
            Some(Piece::Char(char)) => Some(*char),
            _ => None,
        };
        parts.push(match char {
            '*' if next(idx) == Some('*') => {
                idx += 1;
                let starts_segment = matches!(
                    parts.last(),
                    None | Some(Part::Char('/') | Part::EscapedSlash | Part::Directories)
                );
                if starts_segment && idx == pieces.len() {
                    Part::Everything
                } else if starts_segment && next(idx) == Some('/') {
                    idx += 1;
                    Part::Directories
                } else {
                    Part::Star { is_double: true }
                }
            }
            '*' => Part::Star { is_double: false },
            '?' => Part::Single,
            '[' => {
                let text: Vec<char> = pieces[idx..]
                    .iter()
                    .map_while(|piece| match piece {
                        Piece::Char(char) => Some(*char),
                        Piece::Brace => None,
                    })
                    .collect();
                let (class, len) = parse_class(&text).ok_or(DoublestarError::BadPattern)?;
                idx += len;
                class
            }
            '\\' => {
                let escaped = next(idx).ok_or(DoublestarError::BadPattern)?;
                idx += 1;
                if escaped == '/' { Part::EscapedSlash } else { Part::Char(escaped) }
            }
            _ => Part::Char(char),
        });
    }
    Ok(Alternative { parts, braces })
}

/// Reads a class whose `[` is gone; returns it and its length with the `]`.
fn parse_class(text: &[char]) -> Option<(Part, usize)> {
    let is_negated = matches!(text.first()?, '!' | '^');
    let mut idx = usize::from(is_negated);
    let mut ranges: Vec<(char, char)> = Vec::new();
    // The character that a following hyphen makes a range from.
    let mut low = None;
    while *text.get(idx)? != ']' {
        let mut char = text[idx];
        idx += 1;
        if char == '-'
            && let Some(from) = low
            && *text.get(idx)? != ']'
        {
            if text[idx] == '\\' {
                idx += 1;
            }
            ranges.push((from, *text.get(idx)?));
            idx += 1;
            low = None;
            continue;
        }
        if char == '\\' {
            char = *text.get(idx)?;
            idx += 1;
        }
        ranges.push((char, char));
        low = Some(char);
    }
    (!ranges.is_empty()).then_some((Part::Class { is_negated, ranges }, idx + 1))
}
