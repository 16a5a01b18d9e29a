//! Semantic versions, as the library `blang/semver` reads them.

use super::{no_overload, quoted};
use crate::evaluate::{Evaluated, Fault};
use crate::value::Value;
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// A semantic version.
#[derive(Clone, Debug)]
pub struct Semver {
    numbers: [u64; 3],
    before: Vec<Part>,
    build: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Number(u64),
    Text(String),
}

impl Semver {
    /// The order of two versions; what they were built from does not count.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Ordering {
        let by_numbers = self.numbers.cmp(&other.numbers);
        by_numbers.then_with(|| match (self.before.is_empty(), other.before.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => self.before.cmp(&other.before),
        })
    }

    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("Version string empty".to_owned());
        }
        let parts: Vec<&str> = text.splitn(3, '.').collect();
        let [major, minor, rest] = parts.as_slice() else {
            return Err("No Major.Minor.Patch elements found".to_owned());
        };
        let number = |text: &str, what: &str| {
            if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
                if text.is_empty() && what != "Patch" {
                    return Err("strconv.ParseUint: parsing \"\": invalid syntax".to_owned());
                }
                return Err(format!(
                    "Invalid character(s) found in {} number {}",
                    what.to_lowercase(),
                    quoted(text)
                ));
            }
            if text.len() > 1 && text.starts_with('0') {
                return Err(format!("{what} number must not contain leading zeroes {}", quoted(text)));
            }
            text.parse::<u64>()
                .map_err(|_| format!("strconv.ParseUint: parsing {}: value out of range", quoted(text)))
        };
        let major = number(major, "Major")?;
        let minor = number(minor, "Minor")?;
        let (rest, build) = match rest.split_once('+') {
            Some((rest, build)) => (rest, build.split('.').map(str::to_owned).collect()),
            None => (*rest, Vec::new()),
        };
        let (patch, before) = match rest.split_once('-') {
            Some((patch, before)) => (patch, before.split('.').collect()),
            None => (rest, Vec::new()),
        };
        let patch = number(patch, "Patch")?;
        let is_word = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let mut parts = Vec::new();
        for part in before {
            if part.is_empty() {
                return Err("Prerelease is empty".to_owned());
            }
            if part.bytes().all(|byte| byte.is_ascii_digit()) {
                if part.len() > 1 && part.starts_with('0') {
                    return Err(format!(
                        "Numeric PreRelease version must not contain leading zeroes {}",
                        quoted(part)
                    ));
                }
                parts.push(Part::Number(part.parse().map_err(|_| {
                    format!("strconv.ParseUint: parsing {}: value out of range", quoted(part))
                })?));
            } else if is_word(part) {
                parts.push(Part::Text(part.to_owned()));
            } else {
                return Err(format!("Invalid character(s) found in prerelease {}", quoted(part)));
            }
        }
        for part in &build {
            let part: &String = part;
            if part.is_empty() {
                return Err("Build meta data is empty".to_owned());
            }
            if !is_word(part) {
                return Err(format!("Invalid character(s) found in build meta data {}", quoted(part)));
            }
        }
        Ok(Self { numbers: [major, minor, patch], before: parts, build })
    }

    /// Reads a version that may begin with `v`, lack numbers, or have zeroes before them.
    fn parse_normalized(text: &str) -> Result<Self, String> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let mut parts: Vec<String> = text.splitn(3, '.').map(str::to_owned).collect();
        for part in &mut parts {
            if part.len() > 1 {
                let trimmed = part.trim_start_matches('0');
                *part = if trimmed.starts_with(|char: char| char.is_ascii_digit()) {
                    trimmed.to_owned()
                } else {
                    format!("0{trimmed}")
                };
            }
        }
        if parts.len() < 3 {
            if parts.last().is_some_and(|last| last.contains(['+', '-'])) {
                return Err("short version cannot contain PreRelease/Build meta data".to_owned());
            }
            parts.resize(3, "0".to_owned());
        }
        Self::parse(&parts.join("."))
    }
}

impl fmt::Display for Semver {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}.{}", self.numbers[0], self.numbers[1], self.numbers[2])?;
        for (idx, part) in self.before.iter().enumerate() {
            out.write_str(if idx == 0 { "-" } else { "." })?;
            match part {
                Part::Number(number) => write!(out, "{number}")?,
                Part::Text(text) => out.write_str(text)?,
            }
        }
        for (idx, part) in self.build.iter().enumerate() {
            write!(out, "{}{part}", if idx == 0 { "+" } else { "." })?;
        }
        Ok(())
    }
}

pub(super) fn parse_call(function: &str, arguments: &[Value]) -> Evaluated {
    let (text, normalize) = match arguments {
        [Value::String(text)] => (text, false),
        [Value::String(text), Value::Bool(normalize)] => (text, *normalize),
        _ => return Err(no_overload(function, arguments)),
    };
    let parsed = if normalize { Semver::parse_normalized(text) } else { Semver::parse(text) };
    match (function, parsed) {
        ("isSemver", parsed) => Ok(Value::Bool(parsed.is_ok())),
        (_, Ok(version)) => Ok(Value::Semver(Arc::new(version))),
        (_, Err(message)) => Err(Fault::new(message)),
    }
}

pub(super) fn call(function: &str, version: &Arc<Semver>, rest: &[Value]) -> Evaluated {
    let number = |idx: usize| Ok(Value::Int(version.numbers[idx].cast_signed()));
    match (function, rest) {
        ("major", []) => number(0),
        ("minor", []) => number(1),
        ("patch", []) => number(2),
        ("isGreaterThan", [Value::Semver(other)]) => Ok(Value::Bool(version.compare(other).is_gt())),
        ("isLessThan", [Value::Semver(other)]) => Ok(Value::Bool(version.compare(other).is_lt())),
        ("compareTo", [Value::Semver(other)]) => Ok(Value::Int(version.compare(other) as i64)),
        _ => {
            let mut all = vec![Value::Semver(Arc::clone(version))];
            all.extend_from_slice(rest);
            Err(no_overload(function, &all))
        }
    }
}
