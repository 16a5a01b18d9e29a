//! Constraints: which versions are wanted.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use regex::Regex;

use super::Version;
use crate::fmt::quote;

/// The longest constraint that is read, in bytes; the limit Masterminds/semver 3.5 sets.
pub const MAX_CONSTRAINT_LEN: usize = 512;

/// The most `||` groups a constraint may have; the limit Masterminds/semver 3.5 sets.
pub const MAX_CONSTRAINT_GROUPS: usize = 32;

/// A set of versions: alternatives, each a list of comparisons that must all hold.
#[derive(Clone, Debug)]
pub struct Constraint {
    groups: Vec<Group>,
}

/// Why a text is no constraint; prints as Masterminds/semver words it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConstraintError {
    /// A group is not a list of comparisons.
    #[error("improper constraint: {}", quote(.0.as_bytes()))]
    Improper(String),
    /// A comparison's version mixes digits and wildcards, or is no version of 64-bit numbers.
    #[error("constraint parser error")]
    Version,
    /// Longer than [`MAX_CONSTRAINT_LEN`].
    #[error("constraint string is too long (max {MAX_CONSTRAINT_LEN} bytes)")]
    TooLong,
    /// More groups than [`MAX_CONSTRAINT_GROUPS`].
    #[error("too many constraint groups (max {MAX_CONSTRAINT_GROUPS})")]
    TooManyGroups,
}

/// Why a version does not satisfy one comparison; prints as Masterminds/semver words it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Reason(String);

#[derive(Clone, Debug)]
struct Group {
    comparisons: Vec<Comparison>,
    /// One comparison names a pre-release, so pre-releases are admitted to the whole group.
    admits_prereleases: bool,
}

#[derive(Clone, Debug)]
struct Comparison {
    operator: Operator,
    /// The operator as written.
    symbol: Box<str>,
    /// The version as written.
    written: Box<str>,
    bound: Version,
    wildcard: Wildcard,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    Tilde,
    Caret,
}

/// The first number that was left out or written as `x`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wildcard {
    None,
    Major,
    Minor,
    Patch,
}

const OPERATOR: &str = r"(?:!=|>=|=>|<=|=<|~>|=|>|<|~|\^)?";
// The library's character class holds a stray `|`, which therefore passes here and fails later.
const VERSION: &str = concat!(
    r"v?[0-9|xX*]+(?:\.[0-9|xX*]+)?(?:\.[0-9|xX*]+)?",
    r"(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?",
    r"(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
);
const SPACE: &str = r"[\t\n\f\r ]";

fn grammar(pattern: &str) -> Regex {
    let pattern = pattern.replace("{op}", OPERATOR).replace("{version}", VERSION).replace("{s}", SPACE);
    Regex::new(&pattern).expect("a fixed pattern compiles")
}

static RANGE: LazyLock<Regex> = LazyLock::new(|| grammar("{s}*({version}){s}+-{s}+({version}){s}*"));
static GROUP: LazyLock<Regex> =
    LazyLock::new(|| grammar("^{s}*{op}{s}*{version}{s}*(?:(?:{s}+|,{s}*){op}{s}*{version}{s}*)*$"));
static COMPARISON: LazyLock<Regex> = LazyLock::new(|| grammar("({op}){s}*({version})"));
static PARTS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^v?([0-9|xX*]+)(\.[0-9|xX*]+)?(\.[0-9|xX*]+)?(-[0-9A-Za-z.-]+)?")
        .expect("a fixed pattern compiles")
});

impl Constraint {
    /// Reads a constraint; the module page has the syntax.
    ///
    /// # Errors
    ///
    /// [`ConstraintError`], worded as in Go.
    pub fn parse(text: &str) -> Result<Self, ConstraintError> {
        if text.len() > MAX_CONSTRAINT_LEN {
            return Err(ConstraintError::TooLong);
        }
        let text = rewrite_ranges(text);
        let written: Vec<&str> = text.split("||").collect();
        if written.len() > MAX_CONSTRAINT_GROUPS {
            return Err(ConstraintError::TooManyGroups);
        }
        let groups = written.into_iter().map(Group::parse).collect::<Result<_, _>>()?;
        Ok(Self { groups })
    }

    /// Whether `version` satisfies this.
    #[must_use]
    pub fn matches(&self, version: &Version) -> bool {
        self.groups.iter().any(|group| group.matches(version))
    }

    /// Like [`matches`](Self::matches), with every reason why not.
    ///
    /// # Errors
    ///
    /// One [`Reason`] for each comparison that does not hold.
    pub fn validate(&self, version: &Version) -> Result<(), Vec<Reason>> {
        let mut reasons = Vec::new();
        let mut said_prerelease = false;
        for group in &self.groups {
            if version.is_prerelease() && !group.admits_prereleases {
                if !std::mem::replace(&mut said_prerelease, true) {
                    reasons.push(Reason::prerelease(version));
                }
                continue;
            }
            let before = reasons.len();
            reasons.extend(group.comparisons.iter().filter_map(|comparison| comparison.check(version).err()));
            if reasons.len() == before {
                return Ok(());
            }
        }
        Err(reasons)
    }
}

/// Turns each `A - B` into `>= A, <= B `.
fn rewrite_ranges(text: &str) -> String {
    let mut rewritten = text.to_owned();
    for range in RANGE.captures_iter(text) {
        // The first place with that text, which need not be where the match was: as the library does it.
        rewritten = rewritten.replacen(&range[0], &format!(">= {}, <= {} ", &range[1], &range[2]), 1);
    }
    rewritten
}

impl Group {
    fn parse(text: &str) -> Result<Self, ConstraintError> {
        if !GROUP.is_match(text) {
            return Err(ConstraintError::Improper(text.to_owned()));
        }
        let comparisons = COMPARISON
            .captures_iter(text)
            .map(|found| Comparison::parse(&found[1], &found[2]))
            .collect::<Result<Vec<_>, _>>()?;
        let admits_prereleases = comparisons.iter().any(|comparison| comparison.bound.is_prerelease());
        Ok(Self { comparisons, admits_prereleases })
    }

    fn matches(&self, version: &Version) -> bool {
        (self.admits_prereleases || !version.is_prerelease())
            && self.comparisons.iter().all(|comparison| comparison.check(version).is_ok())
    }
}

impl Comparison {
    fn parse(symbol: &str, written: &str) -> Result<Self, ConstraintError> {
        let parts = PARTS.captures(written).ok_or(ConstraintError::Version)?;
        let part = |idx| parts.get(idx).map_or("", |part| part.as_str());
        let is_wild = |part: &str| matches!(part, "" | ".x" | ".X" | ".*" | "x" | "X" | "*");
        let (major, minor, patch, prerelease) = (part(1), part(2), part(3), part(4));
        let (wildcard, version) = if is_wild(major) {
            (Wildcard::Major, format!("0.0.0{prerelease}"))
        } else if is_wild(minor) {
            (Wildcard::Minor, format!("{major}.0.0{prerelease}"))
        } else if is_wild(patch) {
            (Wildcard::Patch, format!("{major}{minor}.0{prerelease}"))
        } else {
            (Wildcard::None, written.to_owned())
        };
        let bound = Version::parse(&version).map_err(|_| ConstraintError::Version)?;
        let operator = match symbol {
            "" | "=" => Operator::Equal,
            "!=" => Operator::NotEqual,
            ">" => Operator::Greater,
            "<" => Operator::Less,
            ">=" | "=>" => Operator::GreaterOrEqual,
            "<=" | "=<" => Operator::LessOrEqual,
            "~" | "~>" => Operator::Tilde,
            _ => Operator::Caret,
        };
        Ok(Self { operator, symbol: symbol.into(), written: written.into(), bound, wildcard })
    }

    fn check(&self, version: &Version) -> Result<(), Reason> {
        match self.operator {
            Operator::Equal if self.wildcard == Wildcard::None => {
                self.require(version == &self.bound, version, "is not equal to")
            }
            Operator::Equal | Operator::Tilde => self.check_tilde(version),
            Operator::NotEqual => self.require(!self.is_excluded(version), version, "is equal to"),
            Operator::Greater => self.require(self.is_below(version), version, "is less than or equal to"),
            Operator::Less => self.require(version < &self.bound, version, "is greater than or equal to"),
            Operator::GreaterOrEqual => self.require(version >= &self.bound, version, "is less than"),
            Operator::LessOrEqual => self.require(self.is_at_least(version), version, "is greater than"),
            Operator::Caret => self.check_caret(version),
        }
    }

    fn require(&self, holds: bool, version: &Version, relation: &str) -> Result<(), Reason> {
        if holds { Ok(()) } else { Err(self.reason(version, relation, "")) }
    }

    fn reason(&self, version: &Version, relation: &str, more: &str) -> Reason {
        Reason(format!(
            "{} {relation} {}{more}",
            quote(version.to_string().as_bytes()),
            quote(self.written.as_bytes())
        ))
    }

    /// Whether `!=` refuses the version. A wildcard as the very first number excludes only 0.0.0.
    fn is_excluded(&self, version: &Version) -> bool {
        let same_major = self.bound.major() == version.major();
        let same_minor = self.bound.minor() == version.minor();
        match self.wildcard {
            Wildcard::None | Wildcard::Major => version == &self.bound,
            Wildcard::Minor => same_major,
            Wildcard::Patch => same_major && same_minor && version.prerelease() == self.bound.prerelease(),
        }
    }

    /// Whether the bound is below the version, for `>`: `>1.1` means at least 1.2.
    fn is_below(&self, version: &Version) -> bool {
        match self.wildcard {
            Wildcard::None | Wildcard::Major => version > &self.bound,
            Wildcard::Minor => version.major() > self.bound.major(),
            Wildcard::Patch => (version.major(), version.minor()) > (self.bound.major(), self.bound.minor()),
        }
    }

    /// Whether the bound is not below the version, for `<=`: `<=1.1` admits 1.1.9.
    fn is_at_least(&self, version: &Version) -> bool {
        match self.wildcard {
            Wildcard::None => version <= &self.bound,
            Wildcard::Minor => version.major() <= self.bound.major(),
            Wildcard::Major | Wildcard::Patch => {
                (version.major(), version.minor()) <= (self.bound.major(), self.bound.minor())
            }
        }
    }

    fn check_tilde(&self, version: &Version) -> Result<(), Reason> {
        self.require(version >= &self.bound, version, "is less than")?;
        let is_zero = (self.bound.major(), self.bound.minor(), self.bound.patch()) == (0, 0, 0);
        if is_zero && matches!(self.wildcard, Wildcard::None | Wildcard::Major) {
            return Ok(());
        }
        self.require(version.major() == self.bound.major(), version, "does not have same major version as")?;
        self.require(
            version.minor() == self.bound.minor() || self.wildcard == Wildcard::Minor,
            version,
            "does not have same major and minor version as",
        )
    }

    fn check_caret(&self, version: &Version) -> Result<(), Reason> {
        let same_minor = version.minor() == self.bound.minor();
        self.require(version >= &self.bound, version, "is less than")?;
        self.require(version.major() == self.bound.major(), version, "does not have same major version as")?;
        if self.bound.major() > 0 || self.wildcard == Wildcard::Minor {
            return Ok(());
        }
        if self.bound.minor() > 0 || self.wildcard == Wildcard::Patch {
            if same_minor {
                return Ok(());
            }
            let more = ". Expected minor versions to match when constraint major version is 0";
            return Err(self.reason(version, "does not have same minor version as", more));
        }
        self.require(same_minor, version, "does not have same minor version as")?;
        if version.patch() == self.bound.patch() {
            return Ok(());
        }
        let more = ". Expect version and constraint to equal when major and minor versions are 0";
        Err(self.reason(version, "does not equal", more))
    }
}

impl Reason {
    fn prerelease(version: &Version) -> Self {
        let version = quote(version.to_string().as_bytes());
        Self(format!(
            "{version} is a prerelease version and the constraint is only looking for release versions"
        ))
    }
}

/// Prints the comparisons as they were written, groups joined by ` || `.
impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (group_idx, group) in self.groups.iter().enumerate() {
            if group_idx > 0 {
                f.write_str(" || ")?;
            }
            for (idx, comparison) in group.comparisons.iter().enumerate() {
                let space = if idx > 0 { " " } else { "" };
                write!(f, "{space}{}{}", comparison.symbol, comparison.written)?;
            }
        }
        Ok(())
    }
}

impl FromStr for Constraint {
    type Err = ConstraintError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}
