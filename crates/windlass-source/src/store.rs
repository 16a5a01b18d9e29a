//! The repositories on disk: one bare object database for each, safe against crashes and full disks.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use crate::artifact::ArtifactLimits;
use crate::artifact::web::Web;
use crate::credentials::Access;
use crate::error::SourceError;
use crate::github_app::GitHubTokens;
use crate::policy::Policy;
use crate::read_caches::ReadCaches;
use crate::repository::Repository;
use crate::slot::Slot;
use crate::store_lock;
use crate::transport::http::Clients;
use crate::transport::runtime::IoRuntime;
use crate::url::{RepositoryUrl, Scheme};

/// Limits on what servers may make us do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of a repository whose files take more than this as they are sent, only those are fetched that are read, where the
    /// server can. The default, 16 MiB, takes less than a second to send, and is more than most repositories of manifests have.
    pub whole_bytes: u64,
    /// Most bytes of one fetch. The default, 4 GiB, is what Git hosts themselves advise against exceeding.
    pub pack_bytes: u64,
    /// Most conversations with servers at once. The default, 16, keeps a busy host's rate limits in peace.
    pub conversations: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { whole_bytes: 16 << 20, pack_bytes: 4 << 30, conversations: 16 }
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
    /// For what is fetched beside Git's own protocol.
    pub(crate) web: Arc<Web>,
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
        let lock = store_lock::lock(&root)?;
        let (policy, io) = (Arc::new(policy), Arc::<IoRuntime>::default());
        let web = Web {
            clients: Clients::default(),
            io: io.clone(),
            policy: policy.clone(),
            limits: ArtifactLimits::default(),
            permits: Permits::new(limits.conversations),
            github: GitHubTokens::default(),
        };
        Ok(Self {
            shared: Arc::new(Shared {
                policy,
                limits,
                caches: Arc::default(),
                clients: Clients::default(),
                io,
                permits: Permits::new(limits.conversations),
                web: Arc::new(web),
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
        let repository = Repository::new(url.clone(), access.clone(), self.slot(url), self.shared.clone());
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

    /// Gives back the memory that readers leave for each other, up to 16 MB for each processor; the folders that were
    /// read, some 5 MB, stay. For when nothing is read for a while.
    pub fn release_readers(&self) {
        self.shared.caches.drop_handles();
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

/// A counted number of places.
pub(crate) struct Permits {
    free: Mutex<usize>,
    changed: Condvar,
}

/// A place, given back when dropped.
pub(crate) struct Permit<'a>(&'a Permits);

impl Permits {
    pub(crate) fn new(count: usize) -> Self {
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
