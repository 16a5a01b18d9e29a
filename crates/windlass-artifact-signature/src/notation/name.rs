//! Names of those who have certificates (RFC 4514).

use std::collections::BTreeMap;

/// A name by its parts: `C`, `ST`, `O`, `CN`, …, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name(BTreeMap<String, String>);

impl Name {
    /// Reads `C=US, ST=WA, O=Acme\, Inc.`.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let mut parts = Vec::new();
        let (mut key, mut value, mut in_value) = (String::new(), String::new(), false);
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' => {
                    let escaped = chars.next().ok_or("it ends with a backslash")?;
                    if !matches!(escaped, ',' | '+' | '"' | '\\' | '<' | '>' | ';' | ' ' | '#' | '=') {
                        return Err("it has an escape that is not supported");
                    }
                    if in_value { &mut value } else { &mut key }.push(escaped);
                }
                '=' if !in_value => in_value = true,
                ',' => {
                    parts.push((std::mem::take(&mut key), std::mem::take(&mut value), in_value));
                    in_value = false;
                }
                '+' | '"' | ';' => return Err("it has a part that is not supported"),
                c => if in_value { &mut value } else { &mut key }.push(c),
            }
        }
        parts.push((key, value, in_value));
        let parts = parts.into_iter().map(|(key, value, is_whole)| {
            let (key, value) = (key.trim().to_uppercase(), value.trim().to_string());
            if !is_whole || key.is_empty() || value.is_empty() {
                return Err("a part of it has no name or no value");
            }
            Ok((if key == "S" { "ST".to_string() } else { key }, value))
        });
        Self::of_parts(parts.collect::<Result<Vec<_>, _>>()?)
    }

    /// A name of these parts, none of which may stand there twice.
    pub(super) fn of_parts(parts: impl IntoIterator<Item = (String, String)>) -> Result<Self, &'static str> {
        let mut name = BTreeMap::new();
        for (key, value) in parts {
            if name.insert(key, value).is_some() {
                return Err("a part of it stands there twice");
            }
        }
        Ok(Self(name))
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// Whether the other name has all parts of this one.
    pub(super) fn is_part_of(&self, whole: &Self) -> bool {
        self.0.iter().all(|(key, value)| whole.0.get(key) == Some(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parts() {
        let whole = Name::parse("CN=web,O=Acme\\, Inc., st=WA,C = US").unwrap();
        for (part, is_part) in [
            ("C=US, ST=WA, O=Acme\\, Inc.", true),
            ("C=US, S=WA", true),
            ("C=US, ST=WA, O=Acme", false),
            ("C=us", false),
            ("OU=x", false),
        ] {
            assert_eq!(Name::parse(part).unwrap().is_part_of(&whole), is_part, "{part}");
        }
        for bad in ["", "C", "C=", "=x", "C=US,C=DE", "C=US+ST=WA", "C=\\zz", "C=\\", "C=US,"] {
            assert!(Name::parse(bad).is_err(), "{bad}");
        }
    }
}
