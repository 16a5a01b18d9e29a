//! Which version of a chart is meant: Helm's rules (v4.3, `IndexFile.Get` and `GetTagMatchingVersionOrConstraint`).

use windlass_go::semver::{Constraint, Version};
use windlass_yaml::Value;

use crate::artifact::{ArtifactError, ContentDigest};

/// One version of a chart, as its index has it.
#[derive(Clone, Debug)]
pub(crate) struct ChartVersion {
    pub(crate) version: String,
    parsed: Version,
    /// The first address; Helm uses no other.
    pub(crate) url: Option<String>,
    /// As written.
    pub(crate) digest: Option<String>,
    pub(crate) created: String,
}

impl ChartVersion {
    /// Reads an entry; `None` for one that Helm would leave out.
    pub(super) fn read(entry: &Value) -> Option<Self> {
        let text = |key: &str| entry.str_at(&[key]).filter(|text| !text.is_empty());
        let name = text("name")?;
        if name.contains('/') || matches!(name, "." | "..") {
            return None;
        }
        if !matches!(text("type"), None | Some("application" | "library")) {
            return None;
        }
        let version = text("version")?;
        let parsed = Version::parse(version).ok()?;
        let url = entry.items_at(&["urls"]).first().and_then(Value::as_str);
        Some(Self {
            version: version.to_string(),
            parsed,
            url: url.filter(|url| !url.is_empty()).map(str::to_string),
            digest: text("digest").map(str::to_string),
            created: text("created").unwrap_or_default().to_string(),
        })
    }

    /// The digest, where it is one that can be checked.
    pub(crate) fn digest(&self) -> Option<ContentDigest> {
        self.digest.as_deref()?.parse().ok()
    }
}

/// Newest first; equal ones in the index's order.
pub(super) fn sorted(mut versions: Vec<ChartVersion>) -> Vec<ChartVersion> {
    versions.sort_by(|one, other| other.parsed.cmp(&one.parsed));
    versions
}

/// The version that `wanted` stands for: the one of exactly this name, or else the newest that it admits as a range;
/// the newest release for an empty text.
pub(super) fn choose<'a>(
    versions: &'a [ChartVersion],
    wanted: &str,
) -> Result<&'a ChartVersion, ArtifactError> {
    let constraint = parse_range(wanted)?;
    let exact = versions.iter().find(|version| !wanted.is_empty() && version.version == wanted);
    exact
        .or_else(|| versions.iter().find(|version| constraint.matches(&version.parsed)))
        .ok_or_else(|| no_match(wanted, versions.len()))
}

/// The tag that `wanted` stands for among those of a registry's repository, as Helm chooses it: tags that are no
/// strict versions do not count, and `_` in a tag is the version's `+`.
///
/// A text that is a version is its own tag, whether or not there is one.
pub(crate) fn choose_tag(
    tags: impl FnOnce() -> Result<Vec<String>, crate::error::SourceError>,
    wanted: &str,
) -> Result<Result<String, ArtifactError>, crate::error::SourceError> {
    if !wanted.is_empty() && Version::parse(wanted).is_ok() {
        return Ok(Ok(wanted.to_string()));
    }
    let constraint = match parse_range(wanted) {
        Ok(constraint) => constraint,
        Err(error) => return Ok(Err(error)),
    };
    let mut versions: Vec<Version> =
        tags()?.iter().filter_map(|tag| Version::parse_strict(&tag.replace('_', "+")).ok()).collect();
    versions.sort_by(|one, other| other.cmp(one));
    let found = versions.iter().find(|version| constraint.matches(version)).map(Version::to_string);
    Ok(found.ok_or_else(|| no_match(wanted, versions.len())))
}

pub(crate) fn parse_range(wanted: &str) -> Result<Constraint, ArtifactError> {
    let range = if wanted.is_empty() { "*" } else { wanted };
    Constraint::parse(range)
        .map_err(|error| ArtifactError::InvalidRange { range: wanted.to_string(), reason: error.to_string() })
}

pub(crate) fn no_match(wanted: &str, versions: usize) -> ArtifactError {
    let range = if wanted.is_empty() { "*" } else { wanted };
    ArtifactError::NoMatchingVersion { range: range.to_string(), versions }
}
