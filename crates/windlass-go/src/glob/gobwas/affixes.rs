//! Patterns of text, star and text, whose two texts may overlap.

use super::parse::{Part, Sequence};

/// What a text must start and end with, one over the other if need be.
#[derive(Clone, Debug)]
pub(super) struct Affixes {
    prefix: Box<str>,
    suffix: Box<str>,
}

impl Affixes {
    pub(super) fn is_match(&self, text: &str) -> bool {
        text.starts_with(&*self.prefix) && text.ends_with(&*self.suffix)
    }
}

/// The pattern's affixes, or those of each alternative if it is made of alternatives alone.
///
/// `any_is_unlimited`: there are no separators, so `*` matches what `**` does.
pub(super) fn find(pattern: &Sequence, any_is_unlimited: bool) -> Vec<Affixes> {
    let [Part::Alternatives(alternatives)] = pattern.as_slice() else {
        return affixes(pattern, any_is_unlimited).into_iter().collect();
    };
    // The original moves what all alternatives have in common out of them, and then takes another way.
    if alternatives.len() > 1 && (all_equal(alternatives, first_text) || all_equal(alternatives, last_text)) {
        return Vec::new();
    }
    alternatives.iter().flat_map(|alternative| find(alternative, any_is_unlimited)).collect()
}

fn affixes(sequence: &Sequence, any_is_unlimited: bool) -> Option<Affixes> {
    let (prefix, suffix) = (first_text(sequence), last_text(sequence));
    let stars = sequence.get(prefix.len()..sequence.len().checked_sub(suffix.len())?)?;
    let is_unlimited =
        |part: &Part| matches!(part, Part::Super) || (any_is_unlimited && matches!(part, Part::Any));
    let is_it =
        !prefix.is_empty() && !suffix.is_empty() && !stars.is_empty() && stars.iter().all(is_unlimited);
    is_it.then(|| Affixes {
        prefix: prefix.into_iter().collect::<String>().into(),
        suffix: suffix.into_iter().rev().collect::<String>().into(),
    })
}

fn first_text(sequence: &Sequence) -> Vec<char> {
    sequence.iter().map_while(char_of).collect()
}

/// The text at the end, backwards.
fn last_text(sequence: &Sequence) -> Vec<char> {
    sequence.iter().rev().map_while(char_of).collect()
}

fn char_of(part: &Part) -> Option<char> {
    if let Part::Char(char) = part { Some(*char) } else { None }
}

fn all_equal(alternatives: &[Sequence], part: impl Fn(&Sequence) -> Vec<char>) -> bool {
    let mut parts = alternatives.iter().map(part);
    let first = parts.next();
    parts.all(|part| Some(&part) == first.as_ref())
}
