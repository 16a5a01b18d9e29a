//! Field selectors: `metadata.name=web,status.phase!=Running`.

use std::fmt;
use std::str::FromStr;

use super::ParseSelectorError;
use crate::Str;

/// Requirements on fields, all of which must hold; with none, everything matches.
///
/// Which fields a kind offers is the server's business; an absent field counts as the empty string.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSelector {
    requirements: Vec<FieldRequirement>,
}

/// What is asked of one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldRequirement {
    /// The field, such as `metadata.name`.
    pub field: Str,
    /// The value it must have, or must not have.
    pub value: Str,
    /// Whether it must have it.
    pub equals: bool,
}

impl FieldSelector {
    /// Matches everything.
    #[must_use]
    pub fn everything() -> Self {
        Self::default()
    }

    /// The requirements, sorted as written.
    #[must_use]
    pub fn requirements(&self) -> &[FieldRequirement] {
        &self.requirements
    }

    /// Whether it restricts nothing.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.requirements.is_empty()
    }

    /// Whether the fields match that `get` looks up; `None` is the empty string.
    #[must_use]
    pub fn matches_with<'a>(&self, get: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.requirements.iter().all(|requirement| {
            (get(&requirement.field).unwrap_or_default() == requirement.value) == requirement.equals
        })
    }

    /// The value that `field` must have, if one is asked for.
    #[must_use]
    pub fn exact(&self, field: &str) -> Option<&str> {
        let mut found = self.requirements.iter().filter(|requirement| requirement.equals);
        found.find(|requirement| requirement.field == field).map(|requirement| requirement.value.as_str())
    }
}

impl fmt::Display for FieldSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (idx, requirement) in self.requirements.iter().enumerate() {
            let comma = if idx == 0 { "" } else { "," };
            let operator = if requirement.equals { "=" } else { "!=" };
            write!(f, "{comma}{}{operator}{}", requirement.field, escape(&requirement.value))?;
        }
        Ok(())
    }
}

impl FromStr for FieldSelector {
    type Err = ParseSelectorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut terms = split_terms(text);
        terms.sort_unstable();
        let mut requirements = Vec::new();
        for term in terms.into_iter().filter(|term| !term.is_empty()) {
            let Some((field, equals, value)) = split_term(term) else {
                let message = format!("invalid selector: '{text}'; can't understand '{term}'");
                return Err(ParseSelectorError(message));
            };
            let value = unescape(value)?;
            // A term with neither field nor value restricts nothing.
            if !(field.is_empty() && value.is_empty()) {
                requirements.push(FieldRequirement { field: field.into(), value, equals });
            }
        }
        Ok(Self { requirements })
    }
}

/// Splits at commas that no backslash precedes.
fn split_terms(text: &str) -> Vec<&str> {
    let mut escaped = false;
    text.split(|c| {
        let splits = c == ',' && !escaped;
        escaped = c == '\\' && !escaped;
        splits
    })
    .collect()
}

fn split_term(term: &str) -> Option<(&str, bool, &str)> {
    let operator_at = term.char_indices().find_map(|(idx, _)| {
        let rest = &term[idx..];
        let operators = [("!=", false), ("==", true), ("=", true)];
        operators.iter().find(|(operator, _)| rest.starts_with(operator)).map(|found| (idx, *found))
    });
    let (idx, (operator, equals)) = operator_at?;
    Some((&term[..idx], equals, &term[idx + operator.len()..]))
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace(',', "\\,").replace('=', "\\=")
}

fn unescape(value: &str) -> Result<Str, ParseSelectorError> {
    let refuse = |what: String| Err(ParseSelectorError(format!("invalid field selector: {what}")));
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(c @ ('\\' | ',' | '=')) => out.push(c),
                Some(c) => return refuse(format!("invalid escape sequence: \\{c}")),
                None => return refuse("invalid escape sequence: \\".into()),
            },
            // The original prints the character's number.
            ',' | '=' => return refuse(format!("unescaped character in value: {}", u32::from(c))),
            c => out.push(c),
        }
    }
    Ok(out.into())
}
