//! Who has signed what is deployed: a tag, a commit, and those before it.

use std::collections::{BinaryHeap, HashMap, HashSet};

use gix::ObjectId;
use sha2::{Digest as _, Sha256};
use windlass_signature::git::{Finding, Keys, SignedObject};
use windlass_signature::openpgp::Keyring;
use windlass_signature::ssh;

use crate::revision::Revision;

/// A history that is looked at has no more commits: of Linux it has more, and takes a minute.
pub(crate) const HISTORY_COMMITS: usize = 500_000;

/// In the message of a signed commit this says that whatever is before it was looked at, as with Argo CD.
const SEAL: &[u8] = b"argocd-gpg-seal:";

/// How far signatures are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignatureScope {
    /// The annotated tag, or else the commit.
    Head,
    /// The commit, whatever it was found by (Flux's `HEAD`).
    Commit,
    /// The annotated tag alone (Flux's `Tag`). A revision that was not found by one counts as unsigned.
    Tag,
    /// The annotated tag and the commit (Flux's `TagAndHEAD`).
    TagAndCommit,
    /// The annotated tag, the commit, and every one before it down to the seals: signed commits whose message says
    /// `Argocd-gpg-seal:`.
    History,
}

/// What its signature says of a tag or a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedRevision {
    /// The name of the tag, or the id of the commit.
    pub name: String,
    /// Who says to have made it: `Name <address>`.
    pub author: String,
    /// What was found.
    pub finding: Finding,
}

/// Keys whose signatures are believed. Equal when they were read from equal texts.
#[derive(Clone, Debug, Default)]
pub struct TrustedKeys {
    keys: Keys,
    id: [u8; 32],
}

impl PartialEq for TrustedKeys {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for TrustedKeys {}

impl TrustedKeys {
    /// Reads OpenPGP keys as GnuPG exports them, and lists of SSH keys. Texts that hold none add none.
    #[must_use]
    pub fn read<'a>(
        openpgp: impl IntoIterator<Item = &'a str>,
        ssh: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let mut trusted = Self::default();
        let mut hasher = Sha256::new();
        let mut note = |kind: &str, text: &str| hasher.update(format!("{kind} {}\n{text}", text.len()));
        for text in openpgp {
            note("openpgp", text);
            if let Ok(keyring) = Keyring::parse(text.as_bytes()) {
                trusted.keys.openpgp.extend(keyring);
            }
        }
        for text in ssh {
            note("ssh", text);
            if let Ok(keys) = ssh::Keys::parse(text) {
                trusted.keys.ssh.extend(keys);
            }
        }
        trusted.id = hasher.finalize().into();
        trusted
    }

    /// What tells these keys from others.
    #[must_use]
    pub fn id(&self) -> String {
        self.id.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// What signatures say of a revision, the newest commit first; `None` when its history is too long.
pub(crate) fn look_at(
    repository: &gix::Repository,
    revision: &Revision,
    scope: SignatureScope,
    keys: &TrustedKeys,
    now: u64,
) -> gix::Result<Option<Vec<SignedRevision>>> {
    let mut found = Vec::new();
    let needs_tag = matches!(scope, SignatureScope::Tag | SignatureScope::TagAndCommit);
    if revision.tag_object.is_none() && needs_tag {
        let name = revision.tag.clone().unwrap_or_else(|| revision.commit.to_string());
        found.push(SignedRevision { name, author: String::new(), finding: Finding::Unsigned });
    }
    if let Some(tag) = revision.tag_object.filter(|_| scope != SignatureScope::Commit) {
        let raw = repository.find_object(tag.to_git())?.detach().data;
        let author = header(&raw, b"tagger ");
        let name = revision.tag.clone().unwrap_or_else(|| tag.to_string());
        found.push(SignedRevision {
            name,
            author,
            finding: SignedObject::of_tag(&raw).check(&keys.keys, now),
        });
        if scope == SignatureScope::Head {
            return Ok(Some(found));
        }
    }
    if scope == SignatureScope::Tag {
        return Ok(Some(found));
    }
    let Some(commits) = commits_in_scope(repository, revision.commit.to_git(), scope, keys, now)? else {
        return Ok(None);
    };
    for commit in commits {
        let raw = repository.find_object(commit)?.detach().data;
        let finding = SignedObject::of_commit(&raw).check(&keys.keys, now);
        found.push(SignedRevision { name: commit.to_string(), author: header(&raw, b"author "), finding });
    }
    Ok(Some(found))
}

/// The commits that must be signed, the newest first: those that no seal is after, and these seals.
fn commits_in_scope(
    repository: &gix::Repository,
    head: ObjectId,
    scope: SignatureScope,
    keys: &TrustedKeys,
    now: u64,
) -> gix::Result<Option<Vec<ObjectId>>> {
    let mut parents: HashMap<ObjectId, Vec<ObjectId>> = HashMap::new();
    let mut seals = HashSet::new();
    let mut in_order = Vec::new();
    let mut next = BinaryHeap::from([(i64::MAX, head)]);
    let mut seen = HashSet::from([head]);
    while let Some((_, commit)) = next.pop() {
        if in_order.len() >= HISTORY_COMMITS {
            return Ok(None);
        }
        in_order.push(commit);
        if scope != SignatureScope::History {
            return Ok(Some(in_order));
        }
        let found = repository.find_commit(commit)?;
        let is_seal = contains_ignoring_case(found.message_raw()?.as_ref(), SEAL)
            && matches!(SignedObject::of_commit(&found.data).check(&keys.keys, now), Finding::Good { .. });
        let of_commit: Vec<ObjectId> = found.parent_ids().map(gix::Id::detach).collect();
        if is_seal {
            seals.insert(commit);
            if commit == head {
                return Ok(Some(in_order));
            }
        }
        for parent in &of_commit {
            if seen.insert(*parent) {
                let at = repository.find_commit(*parent)?.time()?.seconds;
                next.push((at, *parent));
            }
        }
        parents.insert(commit, of_commit);
    }
    // What is before a seal was looked at by who made it, by whatever way it is reached.
    let mut sealed = HashSet::new();
    let mut left: Vec<ObjectId> = seals.iter().flat_map(|seal| &parents[seal]).copied().collect();
    while let Some(commit) = left.pop() {
        if sealed.insert(commit) {
            left.extend(parents.get(&commit).into_iter().flatten());
        }
    }
    in_order.retain(|commit| !sealed.contains(commit));
    Ok(Some(in_order))
}

fn contains_ignoring_case(text: &[u8], wanted: &[u8]) -> bool {
    text.windows(wanted.len()).any(|part| part.eq_ignore_ascii_case(wanted))
}

/// Who a header names, without the time.
fn header(raw: &[u8], name: &[u8]) -> String {
    let line = raw.split(|byte| *byte == b'\n').take_while(|line| !line.is_empty());
    let person = line.filter_map(|line| line.strip_prefix(name)).next().unwrap_or_default();
    let person = String::from_utf8_lossy(person);
    person.rsplit_once('>').map_or(person.to_string(), |(name, _)| format!("{name}>"))
}
