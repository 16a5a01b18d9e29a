//! Large repositories, of which only those files are fetched that somebody reads.
//!
//! Of such a repository a fetch brings the commit and its folders. A file that is read and not there is asked for,
//! together with the others below its folder: who reads one file of a chart reads them all. When several folders below
//! another one were asked for so, that one is asked for as a whole, so that ten thousand folders beside each other take
//! a handful of requests. The root is never asked for as a whole: that is what this is meant to avoid. But with each of its
//! folders come others that have a file of the same name, as many as were asked for before: ten thousand folders of
//! Applications in it take a dozen requests, and folders that are unlike those that were read are left out.

use std::collections::BTreeSet;
use std::sync::Arc;

use gix::ObjectId;

use crate::error::SourceError;
use crate::members::RawKind;
use crate::objects::Objects;
use crate::repository::Repository;
use crate::revision::CommitId;
use crate::tree::GitTree;

/// Folders below another one that are asked for by themselves; with the next one the other one is asked for as a whole.
const FOLDERS_BY_THEMSELVES: usize = 4;

/// Most files that one request names; the rest is asked for when it is read. A request has 50 bytes for each.
const FILES_AT_ONCE: usize = 50_000;

/// Where files of a commit come from that are not on disk.
#[derive(Clone)]
pub(crate) struct Elsewhere(Arc<Repository>);

/// What was asked for of one commit.
#[derive(Default)]
pub(crate) struct Filled {
    commit: Option<CommitId>,
    folders: BTreeSet<String>,
}

impl Elsewhere {
    pub(crate) fn new(repository: Arc<Repository>) -> Self {
        Self(repository)
    }

    /// Makes the file `id` at `path` of a tree available, and those that are likely to be read next.
    pub(crate) fn bring(&self, tree: &GitTree, id: ObjectId, path: &str) -> Result<(), SourceError> {
        self.0.bring(&tree.objects, |filled| {
            // Somebody else may have asked for it meanwhile.
            if tree.objects.has(id) {
                return Ok(Vec::new());
            }
            let broken = |error: gix::Error| self.0.broken_store("read a folder of", &tree.objects, &error);
            let folder = filled.next(tree.commit(), path);
            let mut wanted = missing(tree, &folder).map_err(broken)?;
            if let Some((top, below)) = path.split_once('/').filter(|(top, _)| *top == folder) {
                filled.bring_alike(tree, top, below, &mut wanted).map_err(broken)?;
            }
            if !wanted.contains(&id) {
                // A link leads elsewhere than its path says.
                wanted.insert(0, id);
            }
            wanted.truncate(FILES_AT_ONCE);
            Ok(wanted)
        })
    }
}

impl Filled {
    /// The folder to ask for when `path` was read and not there.
    fn next(&mut self, commit: CommitId, path: &str) -> String {
        if self.commit != Some(commit) {
            *self = Self { commit: Some(commit), folders: BTreeSet::new() };
        }
        let own = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let above = own.match_indices('/').map(|(at, _)| &own[..at]);
        let whole = above.into_iter().find(|folder| {
            let below = format!("{folder}/");
            self.folders.range(below.clone()..).take_while(|other| other.starts_with(&below)).count()
                >= FOLDERS_BY_THEMSELVES
        });
        let folder = whole.unwrap_or(own).to_owned();
        self.folders.insert(folder.clone());
        folder
    }

    /// Adds what is missing of other folders of the root in which there is a file at `below`, those that follow on `top`
    /// first: of as many as were asked for before.
    fn bring_alike(
        &mut self,
        tree: &GitTree,
        top: &str,
        below: &str,
        wanted: &mut Vec<ObjectId>,
    ) -> gix::Result<()> {
        let mut left =
            self.folders.iter().filter(|folder| !folder.is_empty() && !folder.contains('/')).count();
        if left <= FOLDERS_BY_THEMSELVES {
            return Ok(());
        }
        let root = tree.objects.folder(tree.root_id())?;
        let folders = || root.iter().filter(|member| member.kind == RawKind::Directory);
        let after = folders().skip_while(|member| member.name() != top).skip(1);
        for member in after.chain(folders().take_while(|member| member.name() != top)) {
            if left == 0 || wanted.len() >= FILES_AT_ONCE {
                break;
            }
            let name = member.name();
            if self.folders.contains(&*name) || !has_file(tree, member.id, below)? {
                continue;
            }
            let missing = missing(tree, &name)?;
            if !missing.is_empty() {
                wanted.extend(missing);
                self.folders.insert(name.to_string());
                left -= 1;
            }
        }
        Ok(())
    }
}

/// Whether there is a file at a path below a folder, links not followed.
fn has_file(tree: &GitTree, folder: ObjectId, path: &str) -> gix::Result<bool> {
    let (mut id, mut names) = (folder, path.split('/').peekable());
    while let Some(name) = names.next() {
        let found = tree.objects.folder(id)?.find(name).map(|member| (member.kind, member.id));
        match found {
            Some((RawKind::Directory, found)) if names.peek().is_some() => id = found,
            Some((kind, _)) => return Ok(kind == RawKind::File && names.peek().is_none()),
            None => return Ok(false),
        }
    }
    Ok(false)
}

/// The files below a folder that are not on disk; of the root only those that lie in it.
fn missing(tree: &GitTree, folder: &str) -> gix::Result<Vec<ObjectId>> {
    let Some(id) = folder_at(tree, folder)? else { return Ok(Vec::new()) };
    let mut files = BTreeSet::new();
    let mut to_visit = vec![id];
    while let Some(id) = to_visit.pop() {
        for member in tree.objects.folder(id)?.iter() {
            match member.kind {
                RawKind::File | RawKind::Link => {
                    files.insert(member.id);
                }
                RawKind::Directory if !folder.is_empty() => to_visit.push(member.id),
                RawKind::Directory | RawKind::Submodule => {}
            }
        }
    }
    Ok(tree.objects.lacking(files))
}

/// The folder at a path, links not followed.
fn folder_at(tree: &GitTree, path: &str) -> gix::Result<Option<ObjectId>> {
    let mut id = tree.root_id();
    for name in path.split('/').filter(|name| !name.is_empty()) {
        let found = tree.objects.folder(id)?.find(name).map(|member| (member.kind, member.id));
        match found {
            Some((RawKind::Directory, found)) => id = found,
            _ => return Ok(None),
        }
    }
    Ok(Some(id))
}

impl Repository {
    /// Fetches the files that `wanted` names, unless it names none. One such conversation is under way at a time.
    fn bring(
        &self,
        objects: &Arc<Objects>,
        wanted: impl FnOnce(&mut Filled) -> Result<Vec<ObjectId>, SourceError>,
    ) -> Result<(), SourceError> {
        self.slot.bring(objects, wanted, |files| {
            let _permit = self.shared.permits.acquire();
            let mut session = self.connect()?;
            self.slot.fetch_files(
                objects,
                &mut session,
                files,
                &self.shared.limits,
                self.shared.io.interrupted(),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_beside_each_other_are_soon_asked_for_as_a_whole() {
        let commit: CommitId = "01".repeat(20).parse().unwrap();
        let mut filled = Filled::default();
        let mut next = |path: &str| filled.next(commit, path);
        for number in 0..FOLDERS_BY_THEMSELVES {
            let path = format!("apps/team/app-{number}/values.yaml");
            assert_eq!(next(&path), format!("apps/team/app-{number}"));
        }
        assert_eq!(next("apps/team/app-x/values.yaml"), "apps");
        assert_eq!(next("bases/a/file"), "bases/a");
        for number in 0..10 * FOLDERS_BY_THEMSELVES {
            assert_eq!(next(&format!("{number}/file")), number.to_string(), "the root is never asked for");
        }
        assert_eq!(next("file"), "");
        let later: CommitId = "02".repeat(20).parse().unwrap();
        assert_eq!(filled.next(later, "apps/team/app-x/values.yaml"), "apps/team/app-x");
    }
}
