//! Walking a path through folders and symbolic links without ever leaving the root.

use std::collections::VecDeque;

use windlass_model::TreeError;

use crate::members::RawKind;

/// Symbolic links followed for one path, the limit Linux itself has.
const MAX_LINKS: usize = 40;

/// Something that has folders, files and links, one step at a time.
pub(crate) trait Nodes {
    /// What names a file or folder.
    type Id: Clone;

    /// The root folder.
    fn root(&self) -> Self::Id;

    /// The member `name` of a folder.
    fn member(&self, folder: &Self::Id, name: &str) -> Result<Option<(RawKind, Self::Id)>, TreeError>;

    /// Where a link points, as written.
    fn link_target(&self, id: &Self::Id) -> Result<String, TreeError>;
}

/// What stands at the end of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found<Id> {
    pub(crate) kind: RawKind,
    pub(crate) id: Id,
}

/// Follows `path` from the root. Never answers with a link.
///
/// # Errors
///
/// [`TreeError::Outside`] for a path that leaves the root by itself, [`TreeError::Link`] for one that a link leads
/// out or around.
pub(crate) fn find<N: Nodes>(nodes: &N, path: &str) -> Result<Option<Found<N::Id>>, TreeError> {
    if path.starts_with('/') || path.split('/').any(|part| part == "..") || path.contains('\0') {
        return Err(TreeError::Outside { path: path.into() });
    }
    let mut folders: Vec<(String, N::Id)> = vec![(String::new(), nodes.root())];
    let mut todo: VecDeque<String> = path.split('/').map(str::to_string).collect();
    let mut first_link: Option<String> = None;
    let mut links = 0;
    while let Some(name) = todo.pop_front() {
        match name.as_str() {
            "" | "." => continue,
            ".." => {
                folders.pop();
                if folders.is_empty() {
                    return Err(link_error(first_link, path, "points outside of the repository"));
                }
                continue;
            }
            _ => {}
        }
        let Some((folder_path, folder)) = folders.last() else { return Ok(None) };
        let Some((kind, id)) = nodes.member(folder, &name)? else { return Ok(None) };
        let full = if folder_path.is_empty() { name } else { format!("{folder_path}/{name}") };
        match kind {
            RawKind::Directory => folders.push((full, id)),
            RawKind::File | RawKind::Submodule => {
                return Ok(todo
                    .iter()
                    .all(|rest| rest.is_empty() || rest == ".")
                    .then_some(Found { kind, id }));
            }
            RawKind::Link => {
                first_link.get_or_insert(full);
                links += 1;
                if links > MAX_LINKS {
                    return Err(link_error(first_link, path, "is part of a loop"));
                }
                let target = nodes.link_target(&id)?;
                if target.starts_with('/') {
                    return Err(link_error(first_link, path, "points outside of the repository"));
                }
                for part in target.split('/').rev() {
                    todo.push_front(part.to_string());
                }
            }
        }
    }
    Ok(folders.pop().map(|(_, id)| Found { kind: RawKind::Directory, id }))
}

/// Whether `path` itself is a link; links on the way to it are followed.
///
/// # Errors
///
/// As for [`find`].
pub(crate) fn is_link<N: Nodes>(nodes: &N, path: &str) -> Result<bool, TreeError> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    match find(nodes, folder)? {
        Some(found) if found.kind == RawKind::Directory => {
            Ok(nodes.member(&found.id, name)?.is_some_and(|(kind, _)| kind == RawKind::Link))
        }
        _ => Ok(false),
    }
}

fn link_error(link: Option<String>, path: &str, problem: &'static str) -> TreeError {
    TreeError::Link { path: link.unwrap_or_else(|| path.to_string()).into(), problem }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Paths to what they are; a link holds its target.
    struct Fake(BTreeMap<String, Option<String>>);

    impl Nodes for Fake {
        type Id = String;

        fn root(&self) -> String {
            String::new()
        }

        fn member(&self, folder: &String, name: &str) -> Result<Option<(RawKind, String)>, TreeError> {
            let path = if folder.is_empty() { name.to_string() } else { format!("{folder}/{name}") };
            let below = format!("{path}/");
            Ok(match self.0.get(&path) {
                Some(None) => Some((RawKind::File, path)),
                Some(Some(_)) => Some((RawKind::Link, path)),
                None if self.0.keys().any(|key| key.starts_with(&below)) => Some((RawKind::Directory, path)),
                None => None,
            })
        }

        fn link_target(&self, id: &String) -> Result<String, TreeError> {
            Ok(self.0[id].clone().unwrap())
        }
    }

    fn fake() -> Fake {
        let files = ["a/b/file", "top"].map(|path| (path.to_string(), None));
        let links = [
            ("a/up", "../top"),
            ("a/over", "../../top"),
            ("abs", "/etc/passwd"),
            ("dir", "a/b"),
            ("chain", "dir/../up"),
            ("self", "self"),
            ("ping", "pong"),
            ("pong", "ping"),
            ("dangling", "nowhere"),
            ("a/root", ".."),
        ]
        .map(|(path, target)| (path.to_string(), Some(target.to_string())));
        Fake(files.into_iter().chain(links).collect())
    }

    #[test]
    fn links_are_followed_inside_and_refused_outside() {
        for (path, expected) in [
            ("", "dir "),
            ("a", "dir a"),
            ("a/b/file", "file a/b/file"),
            ("a//b/./file/", "file a/b/file"),
            ("a/b/file/x", "none"),
            ("a/up", "file top"),
            ("dir", "dir a/b"),
            ("dir/file", "file a/b/file"),
            ("chain", "file top"),
            ("a/root/top", "file top"),
            ("a/root/a/root/dir/file", "file a/b/file"),
            ("dangling", "none"),
            ("missing", "none"),
            ("../x", "../x leads outside of the repository"),
            ("/x", "/x leads outside of the repository"),
            ("a/over", "the symbolic link a/over points outside of the repository"),
            ("abs", "the symbolic link abs points outside of the repository"),
            ("self", "the symbolic link self is part of a loop"),
            ("ping/x", "the symbolic link ping is part of a loop"),
        ] {
            let found = match find(&fake(), path) {
                Ok(None) => "none".to_string(),
                Ok(Some(Found { kind: RawKind::Directory, id })) => format!("dir {id}"),
                Ok(Some(found)) => format!("file {}", found.id),
                Err(error) => error.to_string(),
            };
            assert_eq!(found, expected, "{path}");
        }
    }

    #[test]
    fn only_the_last_part_of_a_path_tells_whether_it_is_a_link() {
        for (path, expected) in [
            ("dir", true),
            ("dir/file", false),
            ("a/up", true),
            ("a", false),
            ("dangling", true),
            ("missing", false),
        ] {
            assert_eq!(is_link(&fake(), path).unwrap(), expected, "{path}");
        }
    }

    proptest! {
        #[test]
        fn no_path_and_no_link_leaves_the_root(
            path in "([a-c]|\\.|\\.\\.|l|/){0,8}",
            target in "([a-c]|\\.\\.|l|/){0,8}",
        ) {
            let fake = Fake([("a/b/c".into(), None), ("a/l".into(), Some(target.clone())), ("l".into(), Some(target))].into());
            if let Ok(Some(found)) = find(&fake, &path) {
                prop_assert!(!found.id.contains(".."));
                prop_assert!(found.id.is_empty() || "a/b/c".starts_with(&found.id));
            }
        }
    }
}
