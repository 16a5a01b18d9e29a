//! Reading files below a kustomization's folder, and finding the folders of others.
//!
//! Paths are absolute and clean, as kustomize's errors show them: the Tree's root is at
//! [`Options::shown_root`](crate::Options).

use std::rc::Rc;
use std::sync::Arc;

use windlass_model::{Entry, EntryKind, Tree, TreeError};

use crate::error::{Error, ErrorKind, Result};
use crate::remote::{self, Remote, RepositoryAddress};

/// How large one file may be: etcd refuses objects of 1.5 MiB, and charts and CRD bundles stay far below.
pub const MAX_FILE: u64 = 64 * 1024 * 1024;

/// How many kustomizations may lie on each other; the recursion is as deep. The deepest public one we know has
/// nine.
pub const MAX_LEVELS: usize = 100;

/// Where files come from.
#[derive(Clone)]
pub(crate) enum TreeRef<'a> {
    /// The Tree of the build.
    Own(&'a dyn Tree),
    /// The Tree of a remote repository.
    Remote(Arc<dyn Tree>),
}

impl TreeRef<'_> {
    fn tree(&self) -> &dyn Tree {
        match self {
            Self::Own(tree) => *tree,
            Self::Remote(tree) => tree.as_ref(),
        }
    }
}

/// A folder with a kustomization, and how it was come to.
pub(crate) struct Loader<'a> {
    tree: TreeRef<'a>,
    /// Where the Tree's root is shown.
    shown_root: Rc<str>,
    /// The folder.
    root: String,
    /// Whether files must lie in or below the folder.
    restricted: bool,
    referrer: Option<Rc<Loader<'a>>>,
    /// The repository, if the folder was reached through its address.
    repository: Option<RepositoryAddress>,
    remote: Option<&'a dyn Remote>,
    level: usize,
}

impl<'a> Loader<'a> {
    pub(crate) fn top(
        tree: &'a dyn Tree,
        shown_root: &str,
        folder: &str,
        restricted: bool,
        remote: Option<&'a dyn Remote>,
    ) -> Result<Rc<Self>> {
        let loader = Self {
            tree: TreeRef::Own(tree),
            root: join(if shown_root.is_empty() { "/" } else { shown_root }, folder),
            shown_root: shown_root.trim_end_matches('/').into(),
            restricted,
            referrer: None,
            repository: None,
            remote,
            level: 1,
        };
        let root = loader.confirm_folder(&loader.root)?;
        Ok(Rc::new(Self { root, ..loader }))
    }

    /// The folder that an address names.
    pub(crate) fn at_address(address: RepositoryAddress, remote: &'a dyn Remote) -> Result<Rc<Self>> {
        Self::in_repository(address, Some(remote), None, 1)
    }

    fn in_repository(
        address: RepositoryAddress,
        remote: Option<&'a dyn Remote>,
        referrer: Option<Rc<Self>>,
        level: usize,
    ) -> Result<Rc<Self>> {
        let Some(fetching) = remote else { return Err(remote::refused(&address.raw)) };
        let tree = fetching.repository(&address)?;
        let shown_root: Rc<str> = clean(&format!("/{}", address.repository)).into();
        let root = join(&shown_root, &address.folder);
        if !is_in(&root, &shown_root) {
            let message = format!("\"{root}\" refers to directory outside of repo \"{shown_root}\"");
            return Err(Error::invalid(message));
        }
        let loader = Loader {
            tree: TreeRef::Remote(tree),
            shown_root,
            root: root.clone(),
            restricted: true,
            referrer,
            repository: Some(address),
            remote,
            level,
        };
        loader.confirm_folder(&root)?;
        Ok(Rc::new(loader))
    }

    /// The folder, absolute.
    pub(crate) fn root(&self) -> &str {
        &self.root
    }

    /// The Tree that the folder lies in.
    pub(crate) fn own_tree(&self) -> &dyn Tree {
        self.tree.tree()
    }

    /// The Tree that the folder lies in, and an absolute path in it, if it is inside.
    pub(crate) fn in_own_tree<'p>(&self, absolute: &'p str) -> Option<(&dyn Tree, &'p str)> {
        self.in_tree(absolute).map(|path| (self.own_tree(), path))
    }

    /// Whether a file may be read at an absolute path.
    pub(crate) fn check_place(&self, absolute: &str) -> Result<()> {
        let folder = absolute.rsplit_once('/').map_or("/", |(folder, _)| folder);
        if !self.restricted || is_in(folder, &self.root) {
            return Ok(());
        }
        let message = format!("security; file '{absolute}' is not in or below '{}'", self.root);
        Err(Error::invalid(message))
    }

    /// The path in the Tree of an absolute path.
    fn in_tree<'p>(&self, absolute: &'p str) -> Option<&'p str> {
        let below = absolute.strip_prefix(&*self.shown_root)?;
        if below.is_empty() { Some("") } else { below.strip_prefix('/') }
    }

    fn entry(&self, absolute: &str) -> Result<Option<Entry>> {
        let Some(path) = self.in_tree(absolute) else { return Ok(None) };
        self.tree.tree().entry(path).map_err(|error| tree_error(&error))
    }

    fn is_folder(&self, absolute: &str) -> Result<bool> {
        if self.in_tree(absolute) == Some("") {
            return Ok(true);
        }
        Ok(self.entry(absolute)?.is_some_and(|entry| entry.kind == EntryKind::Directory))
    }

    /// What `lstat` says of the first part of a path that is not there.
    fn missing(&self, absolute: &str) -> Result<Error> {
        let mut shown = String::new();
        for part in absolute.split('/').filter(|part| !part.is_empty()) {
            let above = shown.clone();
            shown.push('/');
            shown.push_str(part);
            let inside = self.in_tree(&shown).is_some_and(|path| !path.is_empty());
            let outside = !inside && !self.shown_root.starts_with(shown.as_str());
            if outside || (inside && self.entry(&shown)?.is_none()) {
                let above_is_file =
                    self.in_tree(&above).is_some_and(|path| !path.is_empty()) && !self.is_folder(&above)?;
                let problem = if above_is_file { "not a directory" } else { "no such file or directory" };
                return Ok(Error::new(ErrorKind::NotFound, format!("lstat {shown}: {problem}")));
            }
        }
        Ok(Error::new(ErrorKind::NotFound, format!("lstat {absolute}: no such file or directory")))
    }

    fn confirm_folder(&self, absolute: &str) -> Result<String> {
        if self.is_folder(absolute)? {
            return Ok(absolute.to_owned());
        }
        if self.entry(absolute)?.is_some() {
            let message = format!("must build at directory: '{absolute}': file is not directory");
            return Err(Error::new(ErrorKind::NotFound, message));
        }
        let missing = self.missing(absolute)?;
        Err(missing.reworded(|words| {
            format!("must build at directory: not a valid directory: evalsymlink failure on '{absolute}' : {words}")
        }))
    }

    /// The folder or repository that a kustomization here names.
    pub(crate) fn descend(self: &Rc<Self>, path: &str) -> Result<Rc<Self>> {
        if path.is_empty() {
            return Err(Error::invalid("new root cannot be empty"));
        }
        if self.level >= MAX_LEVELS {
            let message =
                format!("kustomizations lie on each other deeper than the limit MAX_LEVELS of {MAX_LEVELS}");
            return Err(Error::limit(message));
        }
        if let Some(address) = remote::parse(path) {
            return self.clone_repository(address);
        }
        if path.starts_with('/') {
            return Err(Error::invalid(format!("new root '{path}' cannot be absolute")));
        }
        let root = self.confirm_folder(&join(&self.root, path))?;
        if let Some(repository) = self.containing_repository()
            && !is_in(&root, &self.shown_root)
        {
            let message = format!(
                "security; bases in kustomizations found in cloned git repos must be within the repo, but base '{root}' is outside '{}'",
                repository.repository
            );
            return Err(Error::invalid(message));
        }
        self.refuse_cycle(&root)?;
        Ok(Rc::new(Loader {
            tree: self.tree.clone(),
            shown_root: Rc::clone(&self.shown_root),
            root,
            restricted: self.restricted,
            referrer: Some(Rc::clone(self)),
            repository: None,
            remote: self.remote,
            level: self.level + 1,
        }))
    }

    fn containing_repository(&self) -> Option<&RepositoryAddress> {
        let mut loader = self;
        loop {
            match (&loader.repository, &loader.referrer) {
                (Some(repository), _) => return Some(repository),
                (None, Some(referrer)) => loader = referrer,
                (None, None) => return None,
            }
        }
    }

    fn refuse_cycle(&self, candidate: &str) -> Result<()> {
        let mut loader = Some(self);
        while let Some(visited) = loader {
            if is_in(&visited.root, candidate) {
                return Err(Error::invalid(format!(
                    "cycle detected: candidate root '{candidate}' contains visited root '{}'",
                    visited.root
                )));
            }
            loader = visited.referrer.as_deref();
        }
        Ok(())
    }

    fn clone_repository(self: &Rc<Self>, address: RepositoryAddress) -> Result<Rc<Self>> {
        let mut loader = Some(&**self);
        while let Some(visited) = loader {
            if let Some(repository) = &visited.repository
                && repository.raw.starts_with(&address.raw)
            {
                return Err(Error::invalid(format!(
                    "cycle detected: URI '{}' referenced by previous URI '{}'",
                    address.raw, repository.raw
                )));
            }
            loader = visited.referrer.as_deref();
        }
        Self::in_repository(address, self.remote, Some(Rc::clone(self)), self.level + 1)
    }

    /// The bytes of a file, or of what an address answers.
    pub(crate) fn load(&self, path: &str) -> Result<Arc<[u8]>> {
        if remote::is_file(path) {
            let Some(remote) = self.remote else { return Err(remote::refused(path)) };
            let is_refused = |error: &Error| error.kind() == ErrorKind::Http;
            return match remote.file(path) {
                Err(error) if is_refused(&error) && remote::parse(path).is_some() => {
                    Err(Error::new(ErrorKind::Remote, "URL is a git repository"))
                }
                answer => answer,
            };
        }
        let absolute = if path.starts_with('/') { clean(path) } else { join(&self.root, path) };
        let folder = absolute.rsplit_once('/').map_or("/", |(folder, _)| folder);
        let is_allowed = !self.restricted || is_in(folder, &self.root);
        // What looks like a file is read at once. What does not is looked at first: to have read a folder
        // would mean to depend on all that is in it.
        let name = absolute.rsplit('/').next().unwrap_or_default();
        if is_allowed
            && (name.contains('.') || !self.is_folder(&absolute)?)
            && let Some(in_tree) = self.in_tree(&absolute)
            && let Some(bytes) =
                self.tree.tree().read(in_tree, MAX_FILE).map_err(|error| tree_error(&error))?
        {
            return Ok(bytes);
        }
        let is_folder = self.is_folder(&absolute)?;
        if !self.restricted {
            let problem = if is_folder {
                format!("read {absolute}: is a directory")
            } else {
                format!("open {absolute}: no such file or directory")
            };
            return Err(Error::new(ErrorKind::NotFound, problem));
        }
        if is_folder {
            return Err(Error::new(ErrorKind::NotFound, format!("'{absolute}' must resolve to a file")));
        }
        if is_allowed || self.entry(&absolute)?.is_none() {
            let missing = self.missing(&absolute)?;
            return Err(missing.reworded(|words| format!("evalsymlink failure on '{absolute}' : {words}")));
        }
        let message = format!("security; file '{absolute}' is not in or below '{}'", self.root);
        Err(Error::invalid(message))
    }
}

fn tree_error(error: &TreeError) -> Error {
    let kind = match error {
        TreeError::TooLarge { .. } => ErrorKind::Limit,
        _ => ErrorKind::NotFound,
    };
    let mut message = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(source) = cause {
        message = format!("{message}: {source}");
        cause = source.source();
    }
    Error::new(kind, message)
}

/// Whether a folder is another one or lies below it.
fn is_in(folder: &str, above: &str) -> bool {
    above == "/"
        || above.is_empty()
        || folder == above
        || folder.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'))
}

/// Go's `filepath.Join` of an absolute folder and a path.
pub(crate) fn join(folder: &str, path: &str) -> String {
    clean(&format!("{folder}/{path}"))
}

/// Go's `filepath.Clean`.
pub(crate) fn clean(path: &str) -> String {
    let absolute = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if absolute => {}
            _ => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (absolute, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned_as_go_cleans_them() {
        for (path, expected) in [
            ("/a/../../b", "/b"),
            ("a/./b//c/..", "a/b"),
            ("", "."),
            ("../x", "../x"),
            ("a/../..", ".."),
            ("/", "/"),
        ] {
            assert_eq!(clean(path), expected, "{path}");
        }
    }

    #[test]
    fn a_folder_is_in_itself_and_in_those_above() {
        assert!(is_in("/a/b", "/a") && is_in("/a", "/a") && is_in("/a", "/"));
        assert!(!is_in("/ab", "/a") && !is_in("/a", "/a/b"));
    }
}
