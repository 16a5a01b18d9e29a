//! Submodules: the commits of other repositories that a commit names, read as one Tree with it.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gix::ObjectId;
use windlass_kube::Str;
use windlass_model::{Digest, Entry, EntryKind, Tree, TreeError};

use crate::credentials::Access;
use crate::error::{Message, SourceError};
use crate::flight::Freshness;
use crate::lfs::{self, LfsClient};
use crate::links::{self, Nodes};
use crate::members::RawKind;
use crate::policy::Refused;
use crate::repository::{Repository, Snapshot};
use crate::revision::TargetRevision;
use crate::store::RepositoryStore;
use crate::tree::GitTree;
use crate::url::{RepositoryUrl, Scheme};

/// How deep submodules of submodules are followed. Git has no limit; a circle has no end.
const MAX_DEPTH: usize = 8;

/// Most submodules of one commit, those of submodules included.
const MAX_SUBMODULES: usize = 256;

/// Longest `.gitmodules` read; 256 entries take some 40 kB.
const MAX_MODULES_BYTES: u64 = 1 << 20;

/// Says what the submodule at an address is reached with, given what would be used without further ado.
pub type AccessTo<'a> = &'a dyn Fn(&RepositoryUrl, Access) -> Access;

/// The files of a commit and of its submodules.
///
/// A submodule is a folder, and symbolic links lead from one repository into the other as they do in a checkout. What
/// `.gitmodules` does not name stays an [`EntryKind::Submodule`], as Git leaves it empty.
#[derive(Clone)]
pub struct CompositeTree {
    parts: Arc<Vec<GitTree>>,
    /// What fetches the files of a part that Git LFS keeps, where they are wanted. The commit's own are its reader's
    /// affair.
    lfs: Arc<Vec<Option<Arc<LfsClient>>>>,
    /// Whether one of those could not be had.
    lfs_failed: Arc<AtomicBool>,
    /// By the part and the path in it.
    mounts: Arc<HashMap<(usize, String), usize>>,
}

/// A place in one of the parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    part: usize,
    id: ObjectId,
    /// The path within the part, of folders only.
    path: String,
}

impl RepositoryStore {
    /// Fetches the submodules of a snapshot, theirs included, and joins their files to its own.
    ///
    /// A submodule is reached with what `access_to` answers for its address. That is told what the repository that
    /// names it is reached with where both are on one host, and anonymous access elsewhere. A relative address is
    /// relative to that repository's. Where `repository` is reached with [`Access::lfs`], files of submodules that Git LFS
    /// keeps are read as what they are, each from the server of its own repository, with what that is reached with. Those of
    /// the commit itself are left to [`Repository::with_lfs`]. Only a local repository may have local submodules.
    ///
    /// # Errors
    ///
    /// [`SourceError`] of the first submodule that cannot be fetched, named by its own repository.
    pub fn with_submodules(
        &self,
        repository: &Repository,
        snapshot: &Snapshot,
        access_to: AccessTo<'_>,
        freshness: Freshness,
    ) -> Result<CompositeTree, SourceError> {
        let mut collection = Collection {
            store: self,
            access_to,
            freshness,
            with_lfs: repository.access().lfs,
            parts: Vec::new(),
            lfs: Vec::new(),
            mounts: HashMap::new(),
        };
        let part = collection.add(snapshot.tree.clone(), None);
        collection.visit(part, repository, 0)?;
        Ok(CompositeTree {
            parts: Arc::new(collection.parts),
            lfs: Arc::new(collection.lfs),
            lfs_failed: Arc::default(),
            mounts: Arc::new(collection.mounts),
        })
    }
}

struct Collection<'a> {
    store: &'a RepositoryStore,
    access_to: AccessTo<'a>,
    freshness: Freshness,
    with_lfs: bool,
    parts: Vec<GitTree>,
    lfs: Vec<Option<Arc<LfsClient>>>,
    mounts: HashMap<(usize, String), usize>,
}

impl Collection<'_> {
    fn add(&mut self, tree: GitTree, lfs: Option<Arc<LfsClient>>) -> usize {
        self.parts.push(tree);
        self.lfs.push(lfs);
        self.parts.len() - 1
    }

    /// Recursion ends at [`MAX_DEPTH`].
    fn visit(&mut self, part: usize, repository: &Repository, depth: usize) -> Result<(), SourceError> {
        let shown = repository.url().to_string();
        let protocol =
            |text: String| SourceError::Protocol { repository: shown.clone(), source: Message::cause(text) };
        let tree = self.parts[part].clone();
        let unreadable = |error: TreeError| protocol(format!(".gitmodules: {error}"));
        let Some(modules) = tree.read(".gitmodules", MAX_MODULES_BYTES).map_err(unreadable)? else {
            return Ok(());
        };
        for (path, address) in declared(&modules).map_err(protocol)? {
            let Some(found) = links::find(&tree, &path).map_err(unreadable)? else { continue };
            if found.kind != RawKind::Submodule {
                continue;
            }
            if depth >= MAX_DEPTH {
                return Err(protocol(format!("its submodules nest deeper than the limit of {MAX_DEPTH}")));
            }
            if self.parts.len() > MAX_SUBMODULES {
                return Err(protocol(format!("it has more submodules than the limit of {MAX_SUBMODULES}")));
            }
            let url = resolve(repository.url(), &address).ok_or_else(|| {
                protocol(format!("the address of its submodule {path} cannot be understood"))
            })?;
            if url.scheme() == Scheme::Local && repository.url().scheme() != Scheme::Local {
                let source = Refused::Scheme { scheme: Scheme::Local };
                return Err(SourceError::Refused { repository: url.to_string(), source });
            }
            let access = self.access_for(&url, repository);
            let other = self.store.repository(&url, &access)?;
            let commit = TargetRevision::parse(&found.id.to_string(), "");
            let snapshot = other.update_one(&commit, self.freshness)?;
            let lfs = if self.with_lfs { other.lfs_client(&snapshot.tree) } else { None };
            let mounted = self.add(snapshot.tree, lfs);
            self.mounts.insert((part, path), mounted);
            self.visit(mounted, &other, depth + 1)?;
        }
        Ok(())
    }

    fn access_for(&self, url: &RepositoryUrl, parent: &Repository) -> Access {
        let own = parent.url();
        let is_same_host = (url.scheme(), url.host(), url.port()) == (own.scheme(), own.host(), own.port());
        let inherited = if is_same_host {
            parent.access().clone()
        } else {
            Access { timeouts: parent.access().timeouts, ..Access::default() }
        };
        (self.access_to)(url, inherited)
    }
}

/// Path and address of each submodule that `.gitmodules` names.
fn declared(text: &[u8]) -> Result<BTreeMap<String, String>, String> {
    let text = String::from_utf8_lossy(text);
    let file = gix::config::File::from_str(&text).map_err(|_| ".gitmodules cannot be read".to_string())?;
    let mut found = BTreeMap::new();
    for section in file.sections_by_name("submodule").into_iter().flatten() {
        let value = |name: &str| section.value(name).map(|value| value.to_string());
        if let (Some(path), Some(address)) = (value("path"), value("url")) {
            found.insert(path.trim_matches('/').to_string(), address);
        }
    }
    Ok(found)
}

/// The address of a submodule: `./` and `../` lead on from the repository that names it, as in Git
/// (`relative_url` in `remote.c`).
fn resolve(parent: &RepositoryUrl, address: &str) -> Option<RepositoryUrl> {
    if !address.starts_with("./") && !address.starts_with("../") {
        return address.parse().ok();
    }
    let mut base = parent.with_credentials().trim_end_matches('/').to_string();
    let mut rest = address;
    let mut separator = '/';
    loop {
        if let Some(below) = rest.strip_prefix("../") {
            rest = below;
            // Of `user@host:path` the last part ends at the colon.
            let at = base.rfind(['/', ':'])?;
            separator = char::from(base.as_bytes()[at]);
            base.truncate(at);
            if base.ends_with('/') || base.is_empty() {
                return None;
            }
        } else if let Some(here) = rest.strip_prefix("./") {
            rest = here;
        } else {
            break;
        }
    }
    format!("{base}{separator}{}", rest.trim_end_matches('/')).parse().ok()
}

impl CompositeTree {
    /// Whether the commit has submodules.
    #[must_use]
    pub fn has_submodules(&self) -> bool {
        !self.mounts.is_empty()
    }

    /// Whether a submodule of the commit itself stands at `path`.
    #[must_use]
    pub fn is_submodule(&self, path: &str) -> bool {
        self.mounts.contains_key(&(0, path.to_string()))
    }

    /// Whether reading has found damage in one of the databases, or what Git LFS keeps of a submodule could not be had.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        self.lfs_failed.load(Ordering::Relaxed) || self.parts.iter().any(GitTree::is_damaged)
    }

    /// The files of the commit itself, without its submodules.
    #[must_use]
    pub fn own(&self) -> &GitTree {
        &self.parts[0]
    }

    fn entry_of(&self, kind: RawKind, place: &Place) -> Entry {
        let kind = match kind {
            RawKind::File | RawKind::Link => EntryKind::File,
            RawKind::Directory => EntryKind::Directory,
            RawKind::Submodule => EntryKind::Submodule,
        };
        let entry = Entry { kind, digest: Digest::from_foreign(place.id.as_bytes()) };
        if self.lfs[place.part].is_some() { lfs::with_content(entry) } else { entry }
    }
}

impl fmt::Debug for CompositeTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CompositeTree({} with {} submodules)", self.parts[0].commit(), self.mounts.len())
    }
}

impl Nodes for CompositeTree {
    type Id = Place;

    fn root(&self) -> Place {
        Place { part: 0, id: self.parts[0].root(), path: String::new() }
    }

    fn member(&self, folder: &Place, name: &str) -> Result<Option<(RawKind, Place)>, TreeError> {
        let part = folder.part;
        let Some((kind, id)) = self.parts[part].member(&folder.id, name)? else { return Ok(None) };
        let path = if folder.path.is_empty() { name.to_string() } else { format!("{}/{name}", folder.path) };
        if kind == RawKind::Submodule
            && let Some(mounted) = self.mounts.get(&(part, path.clone()))
        {
            let root = Place { part: *mounted, id: self.parts[*mounted].root(), path: String::new() };
            return Ok(Some((RawKind::Directory, root)));
        }
        Ok(Some((kind, Place { part, id, path })))
    }

    fn link_target(&self, place: &Place) -> Result<String, TreeError> {
        self.parts[place.part].link_target(&place.id)
    }
}

impl Tree for CompositeTree {
    fn entry(&self, path: &str) -> Result<Option<Entry>, TreeError> {
        Ok(links::find(self, path)?.map(|found| self.entry_of(found.kind, &found.id)))
    }

    fn list(&self, path: &str) -> Result<Option<Vec<(Str, Entry)>>, TreeError> {
        let Some(folder) = links::find(self, path)? else { return Ok(None) };
        if folder.kind != RawKind::Directory {
            return Ok(None);
        }
        let names = self.parts[folder.id.part].names(folder.id.id)?;
        let mut listed = Vec::with_capacity(names.len());
        for name in names {
            let full = if path.is_empty() { name.to_string() } else { format!("{path}/{name}") };
            let resolved = match self.member(&folder.id, &name)? {
                Some((RawKind::Link, _)) => {
                    links::find(self, &full)?.map(|found| self.entry_of(found.kind, &found.id))
                }
                Some((kind, place)) => Some(self.entry_of(kind, &place)),
                None => None,
            };
            if let Some(entry) = resolved {
                listed.push((name, entry));
            }
        }
        listed.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(Some(listed))
    }

    fn is_link(&self, path: &str) -> Result<bool, TreeError> {
        links::is_link(self, path)
    }

    fn read(&self, path: &str, limit: u64) -> Result<Option<Arc<[u8]>>, TreeError> {
        let Some(found) = links::find(self, path)? else { return Ok(None) };
        if found.kind != RawKind::File {
            return Ok(None);
        }
        let Place { part, id, .. } = found.id;
        let read = |limit| self.parts[part].read_blob(id, path, limit);
        match &self.lfs[part] {
            Some(client) => lfs::read_through(client, &self.lfs_failed, path, limit, read),
            None => read(limit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_addresses_lead_on_from_their_parent() {
        for (parent, address, expected) in [
            ("https://h/org/app.git", "../lib.git", Some("https://h/org/lib.git")),
            ("https://h/org/app", "../../other/lib", Some("https://h/other/lib")),
            ("https://h/org/app", "./lib", Some("https://h/org/app/lib")),
            ("https://h/org/app", "../../../../x", None),
            ("git@h:org/app.git", "../lib.git", Some("git@h:org/lib.git")),
            ("git@h:app.git", "../lib.git", Some("git@h:lib.git")),
            ("ssh://git@h:2222/org/app", "../lib", Some("ssh://git@h:2222/org/lib")),
            ("/srv/git/app.git", "../lib.git", Some("/srv/git/lib.git")),
            ("https://h/org/app", "https://other/x/y", Some("https://other/x/y")),
            ("https://h/org/app", "lib", None),
            ("https://h/org/app", "ext::sh -c x", None),
        ] {
            let found = resolve(&parent.parse().unwrap(), address).map(|url| url.to_string());
            assert_eq!(found.as_deref(), expected, "{parent} {address}");
        }
        let parent = "https://u:p@h/org/app".parse().unwrap();
        assert_eq!(resolve(&parent, "../x").unwrap().user(), Some("u"));
    }

    #[test]
    fn gitmodules_are_read_as_git_writes_them() {
        let text = "[submodule \"lib\"]\n\tpath = vendor/lib\n\turl = ../lib.git\n\tbranch = main\n\
                    # a comment\n[submodule \"q\"]\n\turl = \"https://h/a b\"\n\tpath = q\n[submodule \"half\"]\n\tpath = x\n";
        let found = declared(text.as_bytes()).unwrap();
        let expected = [("q", "https://h/a b"), ("vendor/lib", "../lib.git")];
        assert_eq!(found, expected.map(|(path, url)| (path.to_string(), url.to_string())).into());
        assert!(declared(b"[submodule").is_err());
    }
}
