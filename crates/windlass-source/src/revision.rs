//! What a user asks for in a repository, and which commit that is.

use std::fmt;
use std::str::FromStr;

use windlass_go::semver::{Constraint, Version};

use crate::error::SourceError;
use crate::refs::Reference;
use crate::url::RepositoryUrl;

/// The full id of a commit: 40 hexadecimal digits, lower case.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommitId([u8; 20]);

/// A text that is no full commit id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a commit id has 40 hexadecimal digits")]
pub struct ParseCommitIdError;

impl CommitId {
    /// The id that stands for "no commit" in pushes that create or delete a reference.
    pub const ZERO: Self = Self([0; 20]);

    pub(crate) fn from_git(id: gix::ObjectId) -> Option<Self> {
        id.as_bytes().try_into().ok().map(Self)
    }

    pub(crate) fn to_git(self) -> gix::ObjectId {
        gix::ObjectId::Sha1(self.0)
    }

    /// Whether the id begins with these hexadecimal digits.
    #[must_use]
    pub fn starts_with(&self, prefix: &str) -> bool {
        self.to_string().starts_with(&prefix.to_ascii_lowercase())
    }
}

impl FromStr for CommitId {
    type Err = ParseCommitIdError;

    fn from_str(text: &str) -> Result<Self, ParseCommitIdError> {
        let digits = text.as_bytes();
        if digits.len() != 40 {
            return Err(ParseCommitIdError);
        }
        let mut bytes = [0; 20];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| ParseCommitIdError)?;
            if !pair.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err(ParseCommitIdError);
            }
            *byte = u8::from_str_radix(pair, 16).map_err(|_| ParseCommitIdError)?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What to follow in a repository: Argo CD's `targetRevision`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TargetRevision {
    /// The default branch, wherever it points.
    Head,
    /// One commit, for good.
    Commit(CommitId),
    /// The highest tag that a version range admits.
    Range {
        /// The range, in the syntax of Masterminds/semver.
        range: String,
        /// Only tags with this prefix are looked at, and compared without it.
        tag_prefix: String,
    },
    /// A branch, a tag, a full reference name such as `refs/pull/1/head`, or the first seven or more digits of a
    /// commit id.
    Name(String),
}

/// Fewest digits of a short commit id, as in Argo CD.
pub const MIN_SHORT_COMMIT_DIGITS: usize = 7;

impl TargetRevision {
    /// Reads a revision as Argo CD 3.x does: empty is `HEAD`, a plain version such as `1.2` is a name, and what is
    /// no version but parses as a range is a range.
    #[must_use]
    pub fn parse(text: &str, tag_prefix: &str) -> Self {
        let text = text.trim();
        if text.is_empty() || text == "HEAD" {
            return Self::Head;
        }
        if let Ok(commit) = text.parse() {
            return Self::Commit(commit);
        }
        if Version::parse(text).is_err() && Constraint::parse(text).is_ok() {
            return Self::Range { range: text.to_string(), tag_prefix: tag_prefix.to_string() };
        }
        Self::Name(text.to_string())
    }

    /// The text that names this revision in messages.
    #[must_use]
    pub fn as_text(&self) -> String {
        match self {
            Self::Head => "HEAD".to_string(),
            Self::Commit(commit) => commit.to_string(),
            Self::Range { range, .. } => range.clone(),
            Self::Name(name) => name.clone(),
        }
    }

    /// The short commit id that a name may also be.
    pub(crate) fn as_short_commit(&self) -> Option<&str> {
        match self {
            Self::Name(name)
                if name.len() >= MIN_SHORT_COMMIT_DIGITS
                    && name.len() < 40
                    && name.bytes().all(|digit| digit.is_ascii_hexdigit()) =>
            {
                Some(name)
            }
            _ => None,
        }
    }

    /// What to ask a server for, so that it need not send every reference it has.
    pub(crate) fn reference_prefixes(&self) -> Vec<String> {
        match self {
            Self::Head => vec!["HEAD".into()],
            // A listing is still needed now and then, to see that the repository lets us in.
            Self::Commit(_) => vec!["HEAD".into()],
            Self::Range { range, tag_prefix } => {
                let mut prefixes = vec![format!("refs/tags/{tag_prefix}")];
                prefixes.extend(candidates(range));
                prefixes
            }
            Self::Name(_) if self.as_short_commit().is_some() => {
                vec!["refs/heads/".into(), "refs/tags/".into()]
            }
            Self::Name(name) => candidates(name).into_iter().collect(),
        }
    }

    /// Finds the commit among a server's references.
    ///
    /// A tag wins over a branch of the same name, as in `git rev-parse`. A range that no tag satisfies may still be
    /// the name of a branch, as in Argo CD.
    pub(crate) fn resolve(
        &self,
        references: &[Reference],
        repository: &RepositoryUrl,
    ) -> Result<Resolved, SourceError> {
        match self {
            Self::Commit(commit) => Ok(Resolved::Known(Revision {
                commit: *commit,
                reference: None,
                tag: None,
                tag_object: None,
            })),
            Self::Head => {
                let head = references
                    .iter()
                    .find(|reference| reference.name == "HEAD")
                    .ok_or_else(|| SourceError::EmptyRepository { repository: repository.to_string() })?;
                let reference = head.symbolic_target.clone().unwrap_or_else(|| head.name.clone());
                Ok(Resolved::Known(Revision {
                    commit: head.commit,
                    reference: Some(reference),
                    tag: None,
                    tag_object: None,
                }))
            }
            Self::Range { range, tag_prefix } => {
                let (found, tags) = highest_tag(references, range, tag_prefix);
                if let Some(reference) = found.or_else(|| find_name(references, range)) {
                    return Ok(Resolved::Known(revision_of(reference)));
                }
                Err(SourceError::NoMatchingTag {
                    repository: repository.to_string(),
                    range: range.clone(),
                    tags,
                })
            }
            Self::Name(name) => {
                if let Some(reference) = find_name(references, name) {
                    return Ok(Resolved::Known(revision_of(reference)));
                }
                if let Some(short) = self.as_short_commit() {
                    let mut fitting: Vec<_> = references
                        .iter()
                        .map(|reference| reference.commit)
                        .filter(|commit| commit.starts_with(short))
                        .collect();
                    fitting.sort_unstable();
                    fitting.dedup();
                    return match fitting.as_slice() {
                        [] => Ok(Resolved::Short(short.to_ascii_lowercase())),
                        [commit] => Ok(Resolved::Known(Revision {
                            commit: *commit,
                            reference: None,
                            tag: None,
                            tag_object: None,
                        })),
                        _ => Err(SourceError::AmbiguousCommit {
                            repository: repository.to_string(),
                            prefix: short.to_string(),
                        }),
                    };
                }
                Err(SourceError::ReferenceNotFound {
                    repository: repository.to_string(),
                    reference: name.clone(),
                })
            }
        }
    }
}

impl fmt::Display for TargetRevision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.as_text())
    }
}

/// The commit that a [`TargetRevision`] stood for when the repository was asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Revision {
    /// The commit, of an annotated tag the one it leads to.
    pub commit: CommitId,
    /// The full reference name it was found by, such as `refs/heads/main`; none for commits asked for by id.
    pub reference: Option<String>,
    /// The tag's short name, where it was found by a tag.
    pub tag: Option<String>,
    /// The annotated tag, where it was found by one: an object of its own, which may be signed.
    pub tag_object: Option<CommitId>,
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reference {
            Some(reference) => write!(f, "{reference}@{}", self.commit),
            None => self.commit.fmt(f),
        }
    }
}

/// What the references alone tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Resolved {
    /// The commit.
    Known(Revision),
    /// Only a short id that no reference points to: history has to tell.
    Short(String),
}

/// The full names that a short one may mean, best first.
fn candidates(name: &str) -> [String; 5] {
    [
        name.to_string(),
        format!("refs/tags/{name}"),
        format!("refs/heads/{name}"),
        format!("refs/{name}"),
        format!("refs/remotes/{name}"),
    ]
}

fn find_name<'a>(references: &'a [Reference], name: &str) -> Option<&'a Reference> {
    candidates(name).iter().find_map(|full| references.iter().find(|reference| reference.name == *full))
}

fn revision_of(reference: &Reference) -> Revision {
    Revision {
        commit: reference.commit,
        reference: Some(reference.name.clone()),
        tag: reference.name.strip_prefix("refs/tags/").map(str::to_string),
        tag_object: reference.tag_object,
    }
}

/// The tag with the highest version that the range admits, and how many tags had the prefix.
fn highest_tag<'a>(
    references: &'a [Reference],
    range: &str,
    tag_prefix: &str,
) -> (Option<&'a Reference>, usize) {
    let Ok(constraint) = Constraint::parse(range) else { return (None, 0) };
    let mut tags = 0;
    let mut best: Option<(Version, &Reference)> = None;
    for reference in references {
        let Some(text) =
            reference.name.strip_prefix("refs/tags/").and_then(|tag| tag.strip_prefix(tag_prefix))
        else {
            continue;
        };
        tags += 1;
        let Ok(version) = Version::parse(text) else { continue };
        if constraint.matches(&version) && best.as_ref().is_none_or(|(highest, _)| version > *highest) {
            best = Some((version, reference));
        }
    }
    (best.map(|(_, reference)| reference), tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(name: &str, digit: char) -> Reference {
        Reference { name: name.into(), commit: commit(digit), tag_object: None, symbolic_target: None }
    }

    fn commit(digit: char) -> CommitId {
        digit.to_string().repeat(40).parse().unwrap()
    }

    fn resolve(text: &str, tag_prefix: &str, references: &[Reference]) -> Result<Resolved, SourceError> {
        TargetRevision::parse(text, tag_prefix).resolve(references, &"https://h/x".parse().unwrap())
    }

    #[test]
    fn every_form_of_a_revision_finds_its_commit() {
        let mut head = reference("HEAD", '1');
        head.symbolic_target = Some("refs/heads/main".into());
        let references = [
            head,
            reference("refs/heads/main", '1'),
            reference("refs/heads/release", '2'),
            reference("refs/heads/both", '3'),
            reference("refs/tags/both", '4'),
            reference("refs/tags/v1.2.0", '5'),
            reference("refs/tags/v1.3.0", '6'),
            reference("refs/tags/v1.4.0-rc.1", '7'),
            reference("refs/tags/chart-2.0.0", '8'),
            reference("refs/tags/chart-2.1.0", '9'),
            reference("refs/pull/1/head", 'a'),
        ];
        for (text, prefix, expected) in [
            ("", "", '1'),
            ("HEAD", "", '1'),
            ("main", "", '1'),
            ("refs/heads/release", "", '2'),
            ("heads/release", "", '2'),
            ("both", "", '4'),
            ("v1.2.0", "", '5'),
            ("v1.*", "", '6'),
            (">=1.2.0 <1.3.0", "", '5'),
            (">=1.3.0-0", "", '7'),
            ("*", "chart-", '9'),
            ("2.0.*", "chart-", '8'),
            ("pull/1/head", "", 'a'),
            ("bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", "", 'b'),
            ("5555555", "", '5'),
        ] {
            let Resolved::Known(revision) = resolve(text, prefix, &references).unwrap() else {
                panic!("{text} is known");
            };
            assert_eq!(revision.commit, commit(expected), "{text}");
        }
        assert_eq!(resolve("ccccccc", "", &references).unwrap(), Resolved::Short("ccccccc".into()));
    }

    #[test]
    fn what_is_not_there_is_named_with_its_repository() {
        let references = [reference("refs/tags/v1.0.0", '1')];
        for (text, message) in [
            ("gone", "there is no branch, tag or commit gone in https://h/x"),
            (">=2.0.0", "none of the 1 tags in https://h/x satisfies >=2.0.0"),
            ("", "https://h/x has no commits yet"),
        ] {
            assert_eq!(resolve(text, "", &references).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn servers_are_asked_for_no_more_than_needed() {
        assert_eq!(TargetRevision::Head.reference_prefixes(), ["HEAD"]);
        assert!(
            TargetRevision::parse("main", "").reference_prefixes().contains(&"refs/heads/main".to_string())
        );
        assert!(
            TargetRevision::parse("1.x", "c-").reference_prefixes().contains(&"refs/tags/c-".to_string())
        );
    }
}
