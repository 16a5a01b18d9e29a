//! From the text of a gobwas pattern to a sequence of parts.

use super::{GobwasError, MAX_NESTING};

/// Parts that match one after the other.
pub(super) type Sequence = Vec<Part>;

#[derive(Debug)]
pub(super) enum Part {
    Char(char),
    /// `?`
    Single,
    /// `*`
    Any,
    /// `**`
    Super,
    Set {
        is_negated: bool,
        chars: Vec<char>,
    },
    Range {
        is_negated: bool,
        low: char,
        high: char,
    },
    Alternatives(Vec<Sequence>),
}

pub(super) fn parse(pattern: &str) -> Result<Sequence, GobwasError> {
    if pattern.contains(char::REPLACEMENT_CHARACTER) {
        return Err(GobwasError::ReplacementCharacter);
    }
    // NUL is the original's mark for the end of the text.
    let mut chars = pattern.split('\0').next().unwrap_or_default().chars().peekable();
    // The innermost open sequence is last; each outer one waits with the alternatives it is collecting.
    let mut sequence = Sequence::new();
    let mut open: Vec<(Sequence, Vec<Sequence>)> = Vec::new();
    while let Some(char) = chars.next() {
        match char {
            '*' => match chars.next_if_eq(&'*') {
                Some(_) => sequence.push(Part::Super),
                None => sequence.push(Part::Any),
            },
            '?' => sequence.push(Part::Single),
            '[' => sequence.push(parse_class(&mut chars)?),
            '\\' => sequence.extend(chars.next().map(Part::Char)),
            '{' => {
                if open.len() == MAX_NESTING {
                    return Err(GobwasError::TooDeep);
                }
                open.push((std::mem::take(&mut sequence), Vec::new()));
            }
            ',' if !open.is_empty() => {
                let alternative = std::mem::take(&mut sequence);
                open.last_mut().expect("just looked").1.push(alternative);
            }
            '}' if !open.is_empty() => close(&mut open, &mut sequence),
            _ => sequence.push(Part::Char(char)),
        }
    }
    while !open.is_empty() {
        close(&mut open, &mut sequence);
    }
    Ok(sequence)
}

fn close(open: &mut Vec<(Sequence, Vec<Sequence>)>, sequence: &mut Sequence) {
    if let Some((outer, mut alternatives)) = open.pop() {
        alternatives.push(std::mem::replace(sequence, outer));
        sequence.push(Part::Alternatives(alternatives));
    }
}

/// Reads a class whose `[` is gone.
fn parse_class(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Part, GobwasError> {
    let is_negated = chars.next_if_eq(&'!').is_some();
    let first = chars.next().ok_or(GobwasError::UnexpectedEnd)?;
    if chars.next_if_eq(&'-').is_some() {
        // A range takes its ends as they stand; even `]` and `\` have no meaning here.
        let (low, high) = (first, chars.next().ok_or(GobwasError::UnexpectedEnd)?);
        return match chars.next() {
            None => Err(GobwasError::UnexpectedEnd),
            Some(']') if high < low => Err(GobwasError::RangeOrder { low, high }),
            Some(']') => Ok(Part::Range { is_negated, low, high }),
            Some(_) => Err(GobwasError::ExpectedClose),
        };
    }
    let mut members = Vec::new();
    let mut next = Some(first);
    loop {
        match next.ok_or(GobwasError::UnexpectedEnd)? {
            ']' => break,
            '\\' => members.push(chars.next().ok_or(GobwasError::UnexpectedEnd)?),
            member => members.push(member),
        }
        next = chars.next();
    }
    if members.is_empty() {
        Err(GobwasError::EmptyRange)
    } else {
        Ok(Part::Set { is_negated, chars: members })
    }
}
