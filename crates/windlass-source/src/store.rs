//! The repositories on disk: one bare object database for each, safe against crashes and full disks.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use crate::credentials::Access;
use crate::error::{Message, SourceError, is_disk_full};
use crate::objects::{Ambiguous, Objects};
use crate::policy::Policy;
use crate::read_caches::ReadCaches;
use crate::repository::Repository;
use crate::revision::CommitId;
use crate::session::{Content, FetchInto, Session};
use crate::transport::http::Clients;
use crate::transport::runtime::IoRuntime;
use crate::url::{RepositoryUrl, Scheme};

/// Packs a database may have before it is replaced: each fetch adds one, and every lookup may have to try them all.
const MAX_PACKS: usize = 48;

/// Commits named to a server as present. The newest few are what its next commit will resemble.
const MAX_HAVES: usize = 16;

/// Commits remembered as complete.
const MAX_REMEMBERED: usize = 256;

/// Limits on what servers may make us do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of one fetch. The default, 4 GiB, is what Git hosts themselves advise against exceeding.
    pub pack_bytes: u64,
    /// Most conversations with servers at once. The default, 16, keeps a busy host's rate limits in peace.
    pub conversations: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { pack_bytes: 4 << 30, conversations: 16 }
    }
}

/// A folder of bare repositories, one for each address.
///
/// Everything in it can be fetched again, so it may be deleted whenever no process uses it. It holds no credentials.
///
/// # Guarantees
///
/// A process killed at any moment leaves a store that opens and works: packs appear whole or not at all, leftovers
/// are removed at the next start, and a database that cannot be opened is fetched again. A full disk fails the fetch
/// that met it and nothing else.
pub struct RepositoryStore {
    shared: Arc<Shared>,
    /// By normalised address; one for each way in.
    repositories: Mutex<HashMap<String, Vec<Arc<Repository>>>>,
    slots: Mutex<HashMap<String, Arc<Slot>>>,
    root: PathBuf,
    /// Held while the store is open.
    _lock: File,
}

/// What all repositories of a store have in common.
pub(crate) struct Shared {
    pub(crate) policy: Arc<Policy>,
    pub(crate) limits: Limits,
    pub(crate) caches: Arc<ReadCaches>,
    pub(crate) clients: Clients,
    pub(crate) io: Arc<IoRuntime>,
    pub(crate) permits: Permits,
}

impl RepositoryStore {
    /// Opens the store in `root`, creating the folder if it is missing.
    ///
    /// # Errors
    ///
    /// [`SourceError::StoreInUse`] when another process has it open, [`SourceError::Store`] when the folder cannot be
    /// used.
    pub fn open(root: impl Into<PathBuf>, policy: Policy, limits: Limits) -> Result<Self, SourceError> {
        let root = root.into();
        fs::create_dir_all(&root).map_err(|error| SourceError::store("create the folder", &root, error))?;
        let lock_path = root.join("lock");
        let lock =
            File::create(&lock_path).map_err(|error| SourceError::store("create", &lock_path, error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(SourceError::StoreInUse { path: root }),
            Err(fs::TryLockError::Error(error)) => return Err(SourceError::store("lock", &lock_path, error)),
        }
        Ok(Self {
            shared: Arc::new(Shared {
                policy: Arc::new(policy),
                limits,
                caches: Arc::default(),
                clients: Clients::default(),
                io: Arc::default(),
                permits: Permits::new(limits.conversations),
            }),
            repositories: Mutex::default(),
            slots: Mutex::default(),
            root,
            _lock: lock,
        })
    }

    /// The repository at `url`, reached with `access`. Equal arguments give the same repository.
    ///
    /// Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`SourceError::Refused`] when policy forbids the address.
    pub fn repository(&self, url: &RepositoryUrl, access: &Access) -> Result<Arc<Repository>, SourceError> {
        self.shared
            .policy
            .check(url)
            .map_err(|source| SourceError::Refused { repository: url.to_string(), source })?;
        let mut repositories = self.repositories.lock().unwrap_or_else(PoisonError::into_inner);
        let same_place = repositories.entry(url.normalised().to_string()).or_default();
        if let Some(known) = same_place.iter().find(|known| known.is_for(url, access)) {
            return Ok(known.clone());
        }
        let repository =
            Arc::new(Repository::new(url.clone(), access.clone(), self.slot(url), self.shared.clone()));
        same_place.push(repository.clone());
        Ok(repository)
    }

    fn slot(&self, url: &RepositoryUrl) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots
            .entry(url.normalised().to_string())
            .or_insert_with(|| {
                let caches = self.shared.caches.clone();
                Arc::new(match (url.scheme(), url.local_path()) {
                    (Scheme::Local, Some(path)) => Slot::new(path, true, caches),
                    _ => Slot::new(self.root.join(folder_name(url)), false, caches),
                })
            })
            .clone()
    }

    /// Forgets and deletes every repository that is not in `keep` and that nobody holds.
    ///
    /// # Errors
    ///
    /// [`SourceError::Store`] when the store cannot be listed; a folder that cannot be removed is left.
    pub fn retain(&self, keep: &HashSet<RepositoryUrl>) -> Result<(), SourceError> {
        let mut repositories = self.repositories.lock().unwrap_or_else(PoisonError::into_inner);
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        repositories.retain(|_, same_place| {
            same_place.retain(|it| keep.contains(it.url()) || Arc::strong_count(it) > 1);
            !same_place.is_empty()
        });
        let mut names: HashSet<String> = keep.iter().map(folder_name).collect();
        names.extend(repositories.values().flatten().map(|repository| folder_name(repository.url())));
        slots.retain(|_, slot| Arc::strong_count(slot) > 1);
        let entries = fs::read_dir(&self.root)
            .map_err(|error| SourceError::store("read the folder", &self.root, error))?;
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name != "lock" && !names.contains(&name) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        Ok(())
    }

    /// Gives back the memory of read caches, some 16 MB for each processor at most. Reading again fills them again.
    pub fn release_caches(&self) {
        self.shared.caches.clear();
    }

    /// Ends every fetch that is on its way with [`SourceError::Cancelled`]; later ones fail at once.
    pub fn interrupt(&self) {
        self.shared.io.interrupt();
    }

    /// The rules that addresses are checked against.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.shared.policy
    }
}

/// The folder of a repository inside the store: a hash, because addresses hold characters that file systems do not
/// like and are longer than names may be.
fn folder_name(url: &RepositoryUrl) -> String {
    Sha256::digest(url.normalised().as_bytes())[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The place of one repository: its object database, and what is known to be complete in it.
pub(crate) struct Slot {
    folder: PathBuf,
    local: bool,
    caches: Arc<ReadCaches>,
    current: Mutex<Current>,
    /// Held while a pack is fetched and installed.
    fetching: Mutex<()>,
}

#[derive(Default)]
struct Current {
    objects: Option<Arc<Objects>>,
    commits: VecDeque<CommitId>,
    generation: u64,
}

impl Slot {
    fn new(folder: PathBuf, local: bool, caches: Arc<ReadCaches>) -> Self {
        Self { folder, local, caches, current: Mutex::default(), fetching: Mutex::default() }
    }

    /// The object database, opened or created.
    pub(crate) fn objects(&self, repository: &RepositoryUrl) -> Result<Arc<Objects>, SourceError> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(objects) = &current.objects {
            return Ok(objects.clone());
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
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(objects) = current.objects.take() {
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
        if objects.count_packs() >= MAX_PACKS {
            return self.fetch_anew(session, wants, repository, limits, interrupt);
        }
        let haves: Vec<CommitId> = {
            let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
            current.commits.iter().take(MAX_HAVES).copied().collect()
        };
        self.fetch_into(&objects, session, &missing, &haves, repository, limits, interrupt)?;
        self.remember(&objects, &missing);
        Ok(objects)
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
        session.fetch(
            wants,
            Content::Files,
            &FetchInto {
                git_dir: objects.path(),
                objects: objects.fresh_handle(),
                haves,
                limit: limits.pack_bytes,
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
        if !session.can_send_history_alone() || tips.is_empty() {
            return Ok(None);
        }
        let _fetching = self.fetching.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.folder.join("history.tmp");
        let _ = fs::remove_dir_all(&path);
        Objects::create(&path).map_err(|error| SourceError::store("create the repository", &path, error))?;
        let history = Objects::open_own(&path, &self.caches).map_err(|error| SourceError::Store {
            action: "open the repository",
            path: path.clone(),
            source: Message::cause(crate::transport::flatten(&error)),
        })?;
        // Gone when this function returns, whatever it returns.
        history.supersede();
        session.fetch(
            tips,
            Content::History,
            &FetchInto {
                git_dir: history.path(),
                objects: history.fresh_handle(),
                haves: &[],
                limit: limits.pack_bytes,
                interrupt,
            },
        )?;
        Ok(history.find_short(prefix).transpose())
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

/// A counted number of places.
pub(crate) struct Permits {
    free: Mutex<usize>,
    changed: Condvar,
}

/// A place, given back when dropped.
pub(crate) struct Permit<'a>(&'a Permits);

impl Permits {
    fn new(count: usize) -> Self {
        Self { free: Mutex::new(count.max(1)), changed: Condvar::new() }
    }

    /// Waits for a place.
    pub(crate) fn acquire(&self) -> Permit<'_> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        while *free == 0 {
            free = self.changed.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
        *free -= 1;
        Permit(self)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.changed.notify_one();
    }
}
