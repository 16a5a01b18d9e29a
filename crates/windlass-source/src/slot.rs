//! The place of one repository in the store: its object database, and what is known to be complete in it.

use std::collections::{HashMap, VecDeque};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use gix::ObjectId;
use sha2::{Digest as _, Sha256};

use crate::consolidated::write_one_pack;
use crate::error::{Message, SourceError, is_disk_full};
use crate::objects::{Ambiguous, Objects};
use crate::partial::Filled;
use crate::read_caches::ReadCaches;
use crate::revision::CommitId;
use crate::session::{Content, FetchInto, Session};
use crate::store::Limits;
use crate::url::RepositoryUrl;

/// Packs a database may have before they are made one: each fetch adds one, and every lookup may have to try them all.
const MAX_PACKS: usize = 48;

/// A database that has grown to so many times the size that it had when its packs were made one for the first time is
/// fetched anew instead, which leaves out what no commit needs any more.
const MAX_GROWTH: u64 = 2;

/// The file that says how large a database was then, in bytes.
const FIRST_SIZE: &str = "first-size";

/// Commits named to a server as present. The newest few are what its next commit will resemble.
const MAX_HAVES: usize = 16;

/// The file that says that a repository is large.
const PARTIAL: &str = "partial";

/// Short ids remembered as not being there.
const MAX_ABSENT: usize = 64;

/// Commits remembered as complete.
const MAX_REMEMBERED: usize = 256;

/// One repository on disk, shared by everyone who reaches it.
pub(crate) struct Slot {
    folder: PathBuf,
    local: bool,
    caches: Arc<ReadCaches>,
    current: Mutex<Current>,
    /// Held while a pack is fetched and installed.
    fetching: Mutex<()>,
    /// Whether files are fetched only when they are read.
    partial: AtomicBool,
    /// Held while files are fetched that were read.
    filled: Mutex<Filled>,
    /// Databases of their own that were begun.
    n_temporary: AtomicU64,
}

#[derive(Default)]
struct Current {
    objects: Option<Arc<Objects>>,
    commits: VecDeque<CommitId>,
    generation: u64,
    /// Short ids that history does not hold, with the digest of the tips it was looked for below.
    absent: HashMap<String, [u8; 32]>,
}

impl Slot {
    pub(crate) fn new(folder: PathBuf, local: bool, caches: Arc<ReadCaches>) -> Self {
        Self {
            partial: AtomicBool::new(!local && folder.join(PARTIAL).exists()),
            filled: Mutex::default(),
            folder,
            local,
            caches,
            current: Mutex::default(),
            fetching: Mutex::default(),
            n_temporary: AtomicU64::new(0),
        }
    }

    /// Where files that Git LFS keeps are kept; `None` for repositories of others.
    pub(crate) fn lfs_folder(&self) -> Option<PathBuf> {
        (!self.local).then(|| self.folder.join("lfs"))
    }

    /// The object database, opened or created.
    pub(crate) fn objects(&self, repository: &RepositoryUrl) -> Result<Arc<Objects>, SourceError> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(objects) = &current.objects {
            if !objects.is_damaged() {
                return Ok(objects.clone());
            }
            tracing::warn!(%repository, "the fetched objects are damaged and are fetched again");
            self.give_up(&mut current);
        }
        let objects = if self.local {
            Arc::new(Objects::open_foreign(&self.folder, &self.caches).map_err(|error| {
                tracing::debug!(error = %crate::transport::flatten(&error), "cannot open a local repository");
                SourceError::RepositoryNotFound { repository: repository.to_string() }
            })?)
        } else {
            match self.reopen(&mut current) {
                Some(objects) => objects,
                None => self.begin_generation(&mut current, repository)?,
            }
        };
        current.objects = Some(objects.clone());
        Ok(objects)
    }

    /// Opens what an earlier process left, and removes what it left unfinished.
    fn reopen(&self, current: &mut Current) -> Option<Arc<Objects>> {
        let name = fs::read_to_string(self.folder.join("current")).ok()?;
        let name = name.trim();
        let generation: u64 = name.strip_prefix("objects-")?.parse().ok()?;
        current.generation = generation;
        for entry in fs::read_dir(&self.folder).ok()?.flatten() {
            let other = entry.file_name().to_string_lossy().into_owned();
            if other != name && (other.starts_with("objects-") || other.ends_with(".tmp")) {
                let _ = fs::remove_dir_all(entry.path());
                let _ = fs::remove_file(entry.path());
            }
        }
        let path = self.folder.join(name);
        let objects = Objects::open_own(&path, &self.caches)
            .inspect_err(|error| {
                tracing::warn!(error = %crate::transport::flatten(error), "a repository on disk is damaged and is fetched again");
            })
            .ok()?;
        objects.sweep_leftovers().ok()?;
        let remembered = fs::read_to_string(path.join("complete")).unwrap_or_default();
        current.commits = remembered
            .lines()
            .filter_map(|line| line.parse().ok())
            .filter(|commit| objects.contains(*commit))
            .collect();
        Some(Arc::new(objects))
    }

    /// Creates an empty database next to the present one and makes it the present one.
    fn begin_generation(
        &self,
        current: &mut Current,
        repository: &RepositoryUrl,
    ) -> Result<Arc<Objects>, SourceError> {
        current.generation += 1;
        let name = format!("objects-{}", current.generation);
        let path = self.folder.join(&name);
        let fail = |action: &'static str, path: &Path, error: io::Error| {
            if is_disk_full(&error) {
                SourceError::DiskFull { repository: repository.to_string(), folder: self.folder.clone() }
            } else {
                SourceError::store(action, path, error)
            }
        };
        let _ = fs::remove_dir_all(&path);
        Objects::create(&path).map_err(|error| fail("create the repository", &path, error))?;
        let objects = Objects::open_own(&path, &self.caches).map_err(|error| SourceError::Store {
            action: "open the repository",
            path: path.clone(),
            source: Message::cause(crate::transport::flatten(&error)),
        })?;
        let url_path = self.folder.join("url");
        write_atomically(&url_path, format!("{repository}\n").as_bytes())
            .map_err(|error| fail("write", &url_path, error))?;
        let current_path = self.folder.join("current");
        write_atomically(&current_path, format!("{name}\n").as_bytes())
            .map_err(|error| fail("write", &current_path, error))?;
        current.commits.clear();
        Ok(Arc::new(objects))
    }

    /// Opens a local repository anew: it may have been replaced by another one at the same path.
    pub(crate) fn reopen_local(&self) {
        if self.local {
            self.current.lock().unwrap_or_else(PoisonError::into_inner).objects = None;
        }
    }

    /// Gives up the present database; the next fetch starts an empty one. Trees that are open stay readable.
    pub(crate) fn discard(&self) {
        if self.local {
            return self.reopen_local();
        }
        self.give_up(&mut self.current.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn give_up(&self, current: &mut Current) {
        let given_up = current.objects.take();
        if self.local {
            return;
        }
        if let Some(objects) = given_up {
            objects.supersede();
        }
        current.commits.clear();
        let _ = fs::remove_file(self.folder.join("current"));
    }

    /// Fetches the commits of `wants` that are not there. Returns the database that has them.
    pub(crate) fn fetch(
        &self,
        session: &mut Session,
        wants: &[CommitId],
        repository: &RepositoryUrl,
        limits: &Limits,
        interrupt: &AtomicBool,
    ) -> Result<Arc<Objects>, SourceError> {
        let _fetching = self.fetching.lock().unwrap_or_else(PoisonError::into_inner);
        let objects = self.objects(repository)?;
        let missing: Vec<_> = wants.iter().copied().filter(|want| !objects.contains(*want)).collect();
        if missing.is_empty() {
            return Ok(objects);
        }
        let objects = if objects.count_packs() < MAX_PACKS {
            objects
        } else {
            match self.consolidate(&objects) {
                Ok(Some(objects)) => objects,
                Ok(None) => return self.fetch_anew(session, wants, repository, limits, interrupt),
                Err(error) => {
                    tracing::warn!(%repository, %error, "packs cannot be made one, and the repository is fetched anew");
                    return self.fetch_anew(session, wants, repository, limits, interrupt);
                }
            }
        };
        let haves: Vec<CommitId> = {
            let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
            current.commits.iter().take(MAX_HAVES).copied().collect()
        };
        self.fetch_into(&objects, session, &missing, &haves, repository, limits, interrupt)?;
        self.remember(&objects, &missing);
        Ok(objects)
    }

    /// Puts a database with one pack of the same objects in the place of the present one; `None` when that has grown by
    /// too much.
    ///
    /// Nothing is changed in the present one: who reads it goes on reading it, and until the new one is there whole the file
    /// `current` names the old one. The lock of `fetching` is held by the caller.
    fn consolidate(&self, present: &Arc<Objects>) -> io::Result<Option<Arc<Objects>>> {
        let size = present.pack_bytes();
        let first_size = fs::read_to_string(present.path().join(FIRST_SIZE))
            .ok()
            .and_then(|text| text.trim().parse().ok());
        if first_size.is_some_and(|first: u64| size > first.saturating_mul(MAX_GROWTH)) {
            return Ok(None);
        }
        let generation = self.current.lock().unwrap_or_else(PoisonError::into_inner).generation + 1;
        let name = format!("objects-{generation}");
        let path = self.folder.join(&name);
        let _ = fs::remove_dir_all(&path);
        let attempt = || -> io::Result<Arc<Objects>> {
            Objects::create(&path)?;
            write_one_pack(&present.pack_folder(), &path.join("objects").join("pack"))?;
            for note in ["shallow", "complete"] {
                match fs::read(present.path().join(note)) {
                    Ok(text) => write_atomically(&path.join(note), &text)?,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
            write_atomically(&path.join(FIRST_SIZE), first_size.unwrap_or(size).to_string().as_bytes())?;
            let objects = Objects::open_own(&path, &self.caches)
                .map_err(|error| io::Error::other(crate::transport::flatten(&error)))?;
            write_atomically(&self.folder.join("current"), format!("{name}\n").as_bytes())?;
            Ok(Arc::new(objects))
        };
        let objects = attempt().inspect_err(|_| {
            let _ = fs::remove_dir_all(&path);
        })?;
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.generation = generation;
        if let Some(old) = current.objects.replace(objects.clone()) {
            old.supersede();
        }
        tracing::debug!(folder = %objects.path().display(), bytes = size, "packs were made one");
        Ok(Some(objects))
    }

    /// Fetches into a new database and puts it in the place of the present one.
    fn fetch_anew(
        &self,
        session: &mut Session,
        wants: &[CommitId],
        repository: &RepositoryUrl,
        limits: &Limits,
        interrupt: &AtomicBool,
    ) -> Result<Arc<Objects>, SourceError> {
        let generation = self.current.lock().unwrap_or_else(PoisonError::into_inner).generation + 1;
        let name = format!("objects-{generation}");
        let path = self.folder.join(&name);
        let _ = fs::remove_dir_all(&path);
        let attempt = || -> Result<Arc<Objects>, SourceError> {
            Objects::create(&path)
                .map_err(|error| SourceError::store("create the repository", &path, error))?;
            let objects = Objects::open_own(&path, &self.caches).map_err(|error| SourceError::Store {
                action: "open the repository",
                path: path.clone(),
                source: Message::cause(crate::transport::flatten(&error)),
            })?;
            let objects = Arc::new(objects);
            self.fetch_into(&objects, session, wants, &[], repository, limits, interrupt)?;
            let current_path = self.folder.join("current");
            write_atomically(&current_path, format!("{name}\n").as_bytes())
                .map_err(|error| SourceError::store("write", &current_path, error))?;
            Ok(objects)
        };
        let mut attempt = attempt;
        match attempt() {
            Ok(objects) => {
                let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
                current.generation = generation;
                current.commits.clear();
                if let Some(old) = current.objects.replace(objects.clone()) {
                    old.supersede();
                }
                drop(current);
                self.remember(&objects, wants);
                Ok(objects)
            }
            Err(error) => {
                let _ = fs::remove_dir_all(&path);
                Err(error)
            }
        }
    }

    /// Whether files are fetched only when they are read.
    pub(crate) fn is_partial(&self) -> bool {
        self.partial.load(Ordering::Relaxed)
    }

    /// Whether a fetch was given up because the repository is larger than what is fetched as a whole. From now on it is
    /// partial, also after a restart.
    pub(crate) fn was_too_large<T>(&self, fetched: &Result<T, SourceError>, limits: &Limits) -> bool {
        let Err(SourceError::TooLarge { limit, .. }) = fetched else { return false };
        if *limit >= limits.pack_bytes || self.is_partial() {
            return false;
        }
        self.partial.store(true, Ordering::Relaxed);
        if let Err(error) = write_atomically(&self.folder.join(PARTIAL), b"") {
            tracing::debug!(%error, "cannot note that a repository is large");
        }
        true
    }

    /// Calls `fetch` with what `wanted` names; one at a time.
    pub(crate) fn bring(
        &self,
        objects: &Objects,
        wanted: impl FnOnce(&mut Filled) -> Result<Vec<ObjectId>, SourceError>,
        fetch: impl Fn(&[ObjectId]) -> Result<(), SourceError>,
    ) -> Result<(), SourceError> {
        let mut filled = self.filled.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = wanted(&mut filled)?;
        if wanted.is_empty() {
            return Ok(());
        }
        tracing::debug!(folder = %objects.path().display(), files = wanted.len(), "fetching files that are read");
        fetch(&wanted)
    }

    /// Fetches files.
    pub(crate) fn fetch_files(
        &self,
        objects: &Objects,
        session: &mut Session,
        files: &[ObjectId],
        limits: &Limits,
        interrupt: &AtomicBool,
    ) -> Result<(), SourceError> {
        let _fetching = self.fetching.lock().unwrap_or_else(PoisonError::into_inner);
        let files: Vec<CommitId> = files.iter().copied().filter_map(CommitId::from_git).collect();
        let into = FetchInto {
            git_dir: objects.path(),
            objects: objects.fresh_handle(),
            haves: &[],
            limit: limits.pack_bytes,
            interrupt,
        };
        session.fetch(&files, Content::Named, &into)
    }

    #[expect(clippy::too_many_arguments, reason = "two callers, and each argument comes from another place")]
    fn fetch_into(
        &self,
        objects: &Objects,
        session: &mut Session,
        wants: &[CommitId],
        haves: &[CommitId],
        repository: &RepositoryUrl,
        limits: &Limits,
        interrupt: &AtomicBool,
    ) -> Result<(), SourceError> {
        let can_filter = session.can_filter();
        let is_partial = self.is_partial();
        // What is there already is not fetched for nothing, however large it is.
        let is_measured = can_filter && !is_partial && haves.is_empty();
        session.fetch(
            wants,
            if is_partial && can_filter { Content::Folders } else { Content::Files },
            &FetchInto {
                git_dir: objects.path(),
                objects: objects.fresh_handle(),
                // A server that leaves nothing out would send files as differences to others that are not here.
                haves: if is_partial && !can_filter { &[] } else { haves },
                limit: if is_measured {
                    limits.whole_bytes.min(limits.pack_bytes)
                } else {
                    limits.pack_bytes
                },
                interrupt,
            },
        )?;
        match wants.iter().find(|want| !objects.contains(**want)) {
            None => Ok(()),
            Some(commit) => Err(SourceError::Protocol {
                repository: repository.to_string(),
                source: Message::cause(format!("it sent a pack without the commit {commit}")),
            }),
        }
    }

    /// Finds the commit that a short id stands for in the history of `tips`; `None` when the server cannot send
    /// history alone.
    ///
    /// The commits are fetched without files, looked at, and thrown away: the one found is then fetched like any
    /// other, and recognised by its short id from then on.
    pub(crate) fn find_in_history(
        &self,
        session: &mut Session,
        tips: &[CommitId],
        prefix: &str,
        limits: &Limits,
        interrupt: &AtomicBool,
    ) -> Result<Option<Result<CommitId, Ambiguous>>, SourceError> {
        if !session.can_filter() || tips.is_empty() {
            return Ok(None);
        }
        let mut hasher = Sha256::new();
        tips.iter().for_each(|tip| hasher.update(tip.to_string()));
        let below: [u8; 32] = hasher.finalize().into();
        if self.current.lock().unwrap_or_else(PoisonError::into_inner).absent.get(prefix) == Some(&below) {
            return Ok(None);
        }
        let _fetching = self.fetching.lock().unwrap_or_else(PoisonError::into_inner);
        let history = self.fetch_into_temporary(session, tips, Content::History, limits, interrupt)?;
        let found = history.find_short(prefix).transpose();
        if found.is_none() {
            // A mistyped id would otherwise cost a whole history at every poll.
            let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
            if current.absent.len() >= MAX_ABSENT {
                current.absent.clear();
            }
            current.absent.insert(prefix.to_string(), below);
        }
        Ok(found)
    }

    /// Fetches into a database of its own, which goes with the value that is returned.
    pub(crate) fn fetch_apart(
        &self,
        session: &mut Session,
        wants: &[CommitId],
        content: Content,
        limits: &Limits,
        interrupt: &AtomicBool,
    ) -> Result<Objects, SourceError> {
        let _fetching = self.fetching.lock().unwrap_or_else(PoisonError::into_inner);
        self.fetch_into_temporary(session, wants, content, limits, interrupt)
    }

    /// The lock of `fetching` is held by the caller.
    fn fetch_into_temporary(
        &self,
        session: &mut Session,
        wants: &[CommitId],
        content: Content,
        limits: &Limits,
        interrupt: &AtomicBool,
    ) -> Result<Objects, SourceError> {
        // One that is still read keeps its folder.
        let n_temporary = self.n_temporary.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.join(format!("history-{n_temporary}.tmp"));
        let _ = fs::remove_dir_all(&path);
        Objects::create(&path).map_err(|error| SourceError::store("create the repository", &path, error))?;
        let objects = Objects::open_own(&path, &self.caches).map_err(|error| SourceError::Store {
            action: "open the repository",
            path: path.clone(),
            source: Message::cause(crate::transport::flatten(&error)),
        })?;
        // Gone when it is dropped, whatever happens.
        objects.supersede();
        session.fetch(
            wants,
            content,
            &FetchInto {
                git_dir: objects.path(),
                objects: objects.fresh_handle(),
                haves: &[],
                limit: limits.pack_bytes,
                interrupt,
            },
        )?;
        Ok(objects)
    }

    /// Notes that commits are complete, newest first. Losing the note costs a larger pack, nothing else.
    fn remember(&self, objects: &Objects, commits: &[CommitId]) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        for commit in commits {
            current.commits.push_front(*commit);
        }
        current.commits.truncate(MAX_REMEMBERED);
        let text: String = current.commits.iter().map(|commit| format!("{commit}\n")).collect();
        if let Err(error) = write_atomically(&objects.path().join("complete"), text.as_bytes()) {
            tracing::debug!(%error, "cannot note the fetched commits");
        }
    }
}

/// Writes a file so that it is there whole or not at all, whenever the process or the machine stops.
fn write_atomically(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    let mut file = File::create(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&temporary, path)?;
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}
