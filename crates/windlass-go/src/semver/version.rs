//! One version: parsing, ordering, printing.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use crate::fmt::quote;

/// The longest version that is read, in bytes; the limit Masterminds/semver 3.5 sets.
pub const MAX_VERSION_LEN: usize = 256;

/// A semantic version that remembers how it was written.
///
/// Ordering and equality follow the semantic versioning rules: build metadata does not count, so two versions
/// may be equal and print differently.
#[derive(Clone, Debug)]
pub struct Version {
    major: u64,
    minor: u64,
    patch: u64,
    prerelease: Box<str>,
    metadata: Box<str>,
    original: Box<str>,
}

/// Why a text is no version; the chain of sources prints as Masterminds/semver words it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// Not of the form of a version.
    #[error("invalid semantic version")]
    Invalid,
    /// Nothing was given.
    #[error("version string empty")]
    Empty,
    /// A number has characters that are no digits.
    #[error("invalid characters in version")]
    InvalidCharacters,
    /// A number or a numeric pre-release part has a leading zero.
    #[error("version segment starts with 0")]
    SegmentStartsZero,
    /// The build metadata has an empty part or a character it may not have.
    #[error("invalid metadata string")]
    InvalidMetadata,
    /// The pre-release has an empty part or a character it may not have.
    #[error("invalid prerelease string")]
    InvalidPrerelease,
    /// Longer than [`MAX_VERSION_LEN`].
    #[error("version string is too long (max {MAX_VERSION_LEN} bytes)")]
    TooLong,
    /// A number is no number of 64 bits, found while reading forgivingly.
    #[error("error parsing version segment")]
    Segment(#[source] SegmentError),
    /// A number is no number of 64 bits, found while reading strictly.
    #[error(transparent)]
    StrictSegment(SegmentError),
}

/// A part of a version that is no unsigned number of 64 bits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("strconv.ParseUint: parsing {}: {}", quote(.segment.as_bytes()), if .segment.is_empty() { "invalid syntax" } else { "value out of range" })]
pub struct SegmentError {
    /// The part.
    pub segment: String,
}

impl Version {
    /// Reads a version forgivingly: a leading `v`, absent minor and patch, and leading zeros are fine.
    ///
    /// # Errors
    ///
    /// [`VersionError`] when the text has another form, or a number does not fit 64 bits.
    pub fn parse(text: &str) -> Result<Self, VersionError> {
        if text.len() > MAX_VERSION_LEN {
            return Err(VersionError::TooLong);
        }
        let rest = text.strip_prefix('v').unwrap_or(text);
        let (major, mut rest) = split_digits(rest).ok_or(VersionError::Invalid)?;
        let mut numbers = [major, "", ""];
        for number in &mut numbers[1..] {
            let Some((digits, after)) = rest.strip_prefix('.').and_then(split_digits) else { break };
            (*number, rest) = (digits, after);
        }
        let (prerelease, rest) = split_identifiers(rest, '-')?;
        let (metadata, rest) = split_identifiers(rest, '+')?;
        if !rest.is_empty() {
            return Err(VersionError::Invalid);
        }
        let [major, minor, patch] = numbers.map(|digits| match digits {
            "" => Ok(0),
            digits => parse_segment(digits).map_err(VersionError::Segment),
        });
        let version = Self {
            major: major?,
            minor: minor?,
            patch: patch?,
            prerelease: prerelease.into(),
            metadata: metadata.into(),
            original: text.into(),
        };
        if !prerelease.is_empty() {
            check_prerelease(prerelease)?;
        }
        Ok(version)
    }

    /// Reads a version as the specification has it: three numbers without leading zeros, no `v`.
    ///
    /// # Errors
    ///
    /// [`VersionError`] says which rule is broken.
    pub fn parse_strict(text: &str) -> Result<Self, VersionError> {
        if text.is_empty() {
            return Err(VersionError::Empty);
        }
        if text.len() > MAX_VERSION_LEN {
            return Err(VersionError::TooLong);
        }
        let mut parts = text.splitn(3, '.');
        let (Some(major), Some(minor), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(VersionError::Invalid);
        };
        let (rest, metadata) = rest.split_once('+').map_or((rest, None), |(rest, it)| (rest, Some(it)));
        if let Some(metadata) = metadata {
            check_metadata(metadata)?;
        }
        let (patch, prerelease) = rest.split_once('-').map_or((rest, None), |(rest, it)| (rest, Some(it)));
        if let Some(prerelease) = prerelease {
            check_prerelease(prerelease)?;
        }
        for number in [major, minor, patch] {
            if !number.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(VersionError::InvalidCharacters);
            }
            if number.len() > 1 && number.starts_with('0') {
                return Err(VersionError::SegmentStartsZero);
            }
        }
        let parse = |number| parse_segment(number).map_err(VersionError::StrictSegment);
        Ok(Self {
            major: parse(major)?,
            minor: parse(minor)?,
            patch: parse(patch)?,
            prerelease: prerelease.unwrap_or_default().into(),
            metadata: metadata.unwrap_or_default().into(),
            original: text.into(),
        })
    }

    /// The first number.
    #[must_use]
    pub fn major(&self) -> u64 {
        self.major
    }

    /// The second number, 0 when it was left out.
    #[must_use]
    pub fn minor(&self) -> u64 {
        self.minor
    }

    /// The third number, 0 when it was left out.
    #[must_use]
    pub fn patch(&self) -> u64 {
        self.patch
    }

    /// What stands after the `-`, empty for a release.
    #[must_use]
    pub fn prerelease(&self) -> &str {
        &self.prerelease
    }

    /// Whether this is a pre-release.
    #[must_use]
    pub fn is_prerelease(&self) -> bool {
        !self.prerelease.is_empty()
    }

    /// What stands after the `+`, empty when there is none.
    #[must_use]
    pub fn metadata(&self) -> &str {
        &self.metadata
    }

    /// The text it was read from.
    #[must_use]
    pub fn original(&self) -> &str {
        &self.original
    }
}

fn split_digits(text: &str) -> Option<(&str, &str)> {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// Splits `-a.b` or `+a.b` off the front; parts are of letters, digits and hyphens, none empty.
fn split_identifiers(text: &str, marker: char) -> Result<(&str, &str), VersionError> {
    let Some(text) = text.strip_prefix(marker) else { return Ok(("", text)) };
    let end = text.bytes().position(|byte| !is_identifier_byte(byte) && byte != b'.').unwrap_or(text.len());
    let (identifiers, rest) = text.split_at(end);
    if identifiers.split('.').any(str::is_empty) {
        return Err(VersionError::Invalid);
    }
    Ok((identifiers, rest))
}

fn is_identifier_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-'
}

fn parse_segment(digits: &str) -> Result<u64, SegmentError> {
    digits.parse().map_err(|_| SegmentError { segment: digits.to_owned() })
}

fn check_prerelease(prerelease: &str) -> Result<(), VersionError> {
    for part in prerelease.split('.') {
        if part.is_empty() {
            return Err(VersionError::InvalidPrerelease);
        }
        if part.bytes().all(|byte| byte.is_ascii_digit()) {
            if part.len() > 1 && part.starts_with('0') {
                return Err(VersionError::SegmentStartsZero);
            }
        } else if !part.bytes().all(is_identifier_byte) {
            return Err(VersionError::InvalidPrerelease);
        }
    }
    Ok(())
}

fn check_metadata(metadata: &str) -> Result<(), VersionError> {
    let is_fine = |part: &str| !part.is_empty() && part.bytes().all(is_identifier_byte);
    if metadata.split('.').all(is_fine) { Ok(()) } else { Err(VersionError::InvalidMetadata) }
}

/// Prints three numbers, pre-release and metadata, without a leading `v`.
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        if !self.prerelease.is_empty() {
            write!(f, "-{}", self.prerelease)?;
        }
        if !self.metadata.is_empty() {
            write!(f, "+{}", self.metadata)?;
        }
        Ok(())
    }
}

/// Reads forgivingly, as [`Version::parse`].
impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let numbers = |version: &Self| (version.major, version.minor, version.patch);
        numbers(self).cmp(&numbers(other)).then_with(|| match (self.is_prerelease(), other.is_prerelease()) {
            (false, false) => Ordering::Equal,
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (true, true) => compare_prereleases(&self.prerelease, &other.prerelease),
        })
    }
}

/// Part by part: numbers by value and before words, words by bytes, a missing part before any.
fn compare_prereleases(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        let by_part = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            // A number beyond 64 bits counts as a word.
            (Some(a), Some(b)) => match (a.parse::<u64>(), b.parse::<u64>()) {
                (Ok(a), Ok(b)) => a.cmp(&b),
                (Ok(_), Err(_)) => Ordering::Less,
                (Err(_), Ok(_)) => Ordering::Greater,
                (Err(_), Err(_)) => a.cmp(b),
            },
        };
        if by_part.is_ne() {
            return by_part;
        }
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Version {}
