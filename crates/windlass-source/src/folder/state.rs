//! A folder at a glance: what is where, how large, and since when.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use windlass_kube::Str;

/// A file that changed within this time may have changed once more without its time and size telling: clocks of file
/// systems tick slowly.
const TIMES_TELL_AFTER: Duration = Duration::from_secs(2);

/// Names, sizes and times of change of all that is below a folder, without the content. `.git` is left out, and links are not
/// followed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FolderState {
    /// Device and number of the folder itself: another folder may have taken its place.
    identity: (u64, u64),
    files: BTreeMap<Str, Stamp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    size: u64,
    changed: Option<SystemTime>,
    /// Of the file itself, which is another one after an editor has written it beside and renamed it.
    number: u64,
    mode: u32,
    /// Where a link points.
    target: Str,
}

/// A file that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FolderChange {
    /// It was not there.
    Added(Str),
    /// It may have other content.
    Changed(Str),
    /// It is not there any more.
    Removed(Str),
}

impl fmt::Display for FolderChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added(path) => write!(f, "+{path}"),
            Self::Changed(path) => write!(f, "~{path}"),
            Self::Removed(path) => write!(f, "-{path}"),
        }
    }
}

impl FolderState {
    /// Looks at a folder.
    ///
    /// # Errors
    ///
    /// When it, or a folder below it, cannot be read. What goes away meanwhile is not there.
    pub fn of(folder: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(folder)?;
        let mut state = Self { identity: (metadata.dev(), metadata.ino()), files: BTreeMap::new() };
        state.add(folder, "")?;
        Ok(state)
    }

    /// Deep as folders nest, which the longest path that the system takes bounds.
    fn add(&mut self, folder: &Path, prefix: &str) -> io::Result<()> {
        for member in fs::read_dir(folder)? {
            let member = member?;
            let Some(name) = member.file_name().to_str().map(str::to_owned) else { continue };
            if name == ".git" {
                continue;
            }
            let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
            let gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
            let metadata = match member.metadata() {
                Ok(metadata) => metadata,
                Err(error) if gone(&error) => continue,
                Err(error) => return Err(error),
            };
            if metadata.is_dir() {
                match self.add(&member.path(), &path) {
                    Err(error) if !gone(&error) => return Err(error),
                    _ => continue,
                }
            }
            let target = match metadata.is_symlink() {
                true => fs::read_link(member.path()).unwrap_or_default().to_string_lossy().into_owned(),
                false => String::new(),
            };
            let stamp = Stamp {
                size: metadata.len(),
                changed: metadata.modified().ok(),
                number: metadata.ino(),
                mode: metadata.mode(),
                target: target.into(),
            };
            self.files.insert(path.into(), stamp);
        }
        Ok(())
    }

    /// What is not as it was in `before`, by path.
    #[must_use]
    pub fn changes_since(&self, before: &Self) -> Vec<FolderChange> {
        let added_or_changed = self.files.iter().filter_map(|(path, stamp)| match before.files.get(path) {
            None => Some(FolderChange::Added(path.clone())),
            Some(known) if known != stamp => Some(FolderChange::Changed(path.clone())),
            Some(_) => None,
        });
        let removed = before.files.keys().filter(|path| !self.files.contains_key(*path));
        added_or_changed.chain(removed.cloned().map(FolderChange::Removed)).collect()
    }

    /// Whether it is the same folder, not another one in its place.
    pub(super) fn is_of_same_folder(&self, other: &Self) -> bool {
        self.identity == other.identity
    }

    /// Whether something changed so lately that equal times do not say that nothing has changed since.
    pub(super) fn may_have_changed_unseen(&self) -> bool {
        let newest = self.files.values().filter_map(|stamp| stamp.changed).max();
        // A time to come is as good as now.
        newest.is_some_and(|at| at.elapsed().map_or(true, |age| age < TIMES_TELL_AFTER))
    }
}
