//! What differs between two commits, at the cost of what differs.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;

use gix::ObjectId;
use windlass_kube::Str;
use windlass_model::TreeError;

use crate::links::{self, Nodes as _};
use crate::members::{Folder, Member, RawKind};
use crate::tree::GitTree;

/// What stands at a path on one side, links followed.
type Side = Option<(RawKind, ObjectId)>;

impl GitTree {
    /// The files that differ from `older`, sorted: changed, added and removed ones. `None` when they, or the folders
    /// they are in, are more than `limit`.
    ///
    /// Answers what [`windlass_model::changed_paths`] answers, from Git's own bytes: of a folder of ten thousand
    /// members in which one differs, the two listings are compared in place. A symbolic link in a folder that differs
    /// counts as what it leads to.
    ///
    /// # Errors
    ///
    /// [`TreeError::Store`] when a folder cannot be read.
    pub fn changes_since(&self, older: &Self, limit: usize) -> Result<Option<Vec<Str>>, TreeError> {
        let mut search = Search { trees: [older, self], changed: Vec::new(), to_visit: Vec::new() };
        let folder = |tree: &Self| Some((RawKind::Directory, tree.root()));
        search.compare("", [folder(older), folder(self)]);
        let mut n_visited = 0;
        while let Some((path, folders)) = search.to_visit.pop() {
            n_visited += 1;
            search.visit(&path, folders)?;
            if search.changed.len() > limit || n_visited > limit {
                return Ok(None);
            }
        }
        search.changed.sort();
        Ok(Some(search.changed))
    }
}

struct Search<'a> {
    /// Before and after.
    trees: [&'a GitTree; 2],
    changed: Vec<Str>,
    /// Folders that differ, by path and by what they are on either side.
    to_visit: Vec<(String, [Option<ObjectId>; 2])>,
}

impl Search<'_> {
    fn visit(&mut self, path: &str, ids: [Option<ObjectId>; 2]) -> Result<(), TreeError> {
        let [before, after] = [self.folder(0, path, ids[0])?, self.folder(1, path, ids[1])?];
        // Links sort like files whatever they lead to, so they are left out of the merge.
        let links: BTreeSet<&[u8]> = [&before, &after]
            .into_iter()
            .flatten()
            .filter(|folder| folder.has_links())
            .flat_map(|folder| folder.iter())
            .filter(|member| member.kind == RawKind::Link)
            .map(|member| member.bytes)
            .collect();
        let [begun, ended] = match (&before, &after) {
            (Some(before), Some(after)) => before.differing(after),
            (before, after) => {
                [before, after].map(|folder| 0..folder.as_ref().map_or(0, |folder| folder.len()))
            }
        };
        let (mut before, mut after) = (
            before.iter().flat_map(|folder| folder.range(begun.clone())),
            after.iter().flat_map(|folder| folder.range(ended.clone())),
        );
        let mut next = [before.next(), after.next()];
        loop {
            let order = match &next {
                [Some(a), Some(b)] => a.order(b),
                [Some(_), None] => Ordering::Less,
                [None, Some(_)] => Ordering::Greater,
                [None, None] => break,
            };
            let mut sides = [None, None];
            if order.is_le() {
                sides[0] = std::mem::replace(&mut next[0], before.next());
            }
            if order.is_ge() {
                sides[1] = std::mem::replace(&mut next[1], after.next());
            }
            if sides[0] == sides[1] {
                continue;
            }
            let Some(name) = sides.iter().flatten().map(|member| member.bytes).next() else { continue };
            if !links.contains(name) {
                let sides = sides.map(|side| side.map(|member: Member<'_>| (member.kind, member.id)));
                self.compare(&joined(path, name), sides);
            }
        }
        for name in links {
            let path = joined(path, name);
            let sides = [self.resolved(0, &path)?, self.resolved(1, &path)?];
            self.compare(&path, sides);
        }
        Ok(())
    }

    fn compare(&mut self, path: &str, sides: [Side; 2]) {
        if sides[0] == sides[1] {
            return;
        }
        let folders =
            sides.map(|side| side.filter(|(kind, _)| *kind == RawKind::Directory).map(|(_, id)| id));
        if folders.iter().any(Option::is_some) {
            self.to_visit.push((path.to_string(), folders));
        }
        if sides.iter().flatten().any(|(kind, _)| *kind != RawKind::Directory) {
            self.changed.push(path.into());
        }
    }

    fn folder(
        &self,
        side: usize,
        path: &str,
        id: Option<ObjectId>,
    ) -> Result<Option<Arc<Folder>>, TreeError> {
        let Some(id) = id else { return Ok(None) };
        self.trees[side].objects.folder(id).map(Some).map_err(|error| self.trees[side].broken(path, &error))
    }

    /// What a path leads to. A link that leads nowhere is nothing; one that leads out or around is only itself.
    fn resolved(&self, side: usize, path: &str) -> Result<Side, TreeError> {
        let tree = self.trees[side];
        match links::find(tree, path) {
            Ok(found) => Ok(found.map(|found| (found.kind, found.id))),
            Err(error @ TreeError::Store { .. }) => Err(error),
            Err(_) => {
                let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
                let Ok(Some(folder)) = links::find(tree, folder) else { return Ok(None) };
                tree.member(&folder.id, name)
            }
        }
    }
}

fn joined(folder: &str, name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    if folder.is_empty() { name.into_owned() } else { format!("{folder}/{name}") }
}
