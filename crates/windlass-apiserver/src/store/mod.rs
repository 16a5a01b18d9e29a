//! The revisioned object store: one writer, any number of readers and watchers.
//!
//! Every committed change gets the next revision, as in etcd. The newest state of every object is in
//! memory; a [`Backend`] makes changes durable before anybody sees them, many in one transaction when
//! many are waiting (group commit), one at once when the store is idle. Recent changes stay in a ring per
//! resource, and on disk as long as there, so that a watch may start at any retained revision, after a restart too.

mod image;
mod memory;
mod object;
mod packed;
mod pieces;
mod ring;
mod sqlite;
mod table;
mod writer;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

use windlass_kube::{Object, Str};

pub use image::Carried;
pub use object::{Key, Stored};
pub(crate) use pieces::{PIECE_BYTES, Piece};
pub use ring::{Event, EventKind, watch_line};
pub use table::{Compacted, Snapshot, Subscription, Table};

/// A position in the history of the store. The first change is revision 2: 0 means "any" in the Kubernetes
/// API and 1 is the empty store.
pub type Revision = u64;

/// What must hold of an object for a write to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// The object must not exist.
    Absent,
    /// The object must exist and be at this revision.
    At(Revision),
}

/// What a write does.
#[derive(Clone, Debug)]
pub enum Change {
    /// The object becomes this.
    Put(Object),
    /// The object goes; this is its last state, which the delete event shows.
    Delete(Object),
}

/// Why a write did not happen.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WriteError {
    /// The expectation did not hold.
    #[error("the object is not what the write expected")]
    Conflict {
        /// What is there instead.
        current: Option<Arc<Stored>>,
    },
    /// The backend could not make it durable; nothing has changed.
    #[error("the change could not be made durable: {0}")]
    Backend(Arc<BackendError>),
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
}

/// Why a backend failed.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// The database file could not be used.
    #[error("{attempt} in the store's database failed")]
    Database {
        /// What was attempted.
        attempt: &'static str,
        /// Why it failed.
        #[source]
        source: rusqlite::Error,
    },
    /// The file does not say what was written to it.
    #[error(
        "the store {} is damaged: {what}; nothing was changed in it: restore a backup, or move it away to begin anew",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Another process has the file open.
    #[error("the store {} is in use by another process", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// An object in the file is no object.
    #[error("the stored {resource} {key} is no object")]
    NoObject {
        /// The resource.
        resource: Str,
        /// The object.
        key: Key,
    },
    /// A new store could not be made.
    #[error("making the store {} failed", path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A copy of the store could not be made.
    #[error("copying the store to {} failed", path.display())]
    Copy {
        /// The copy.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The store keeps nothing on disk.
    #[error("the store is in memory only: there is nothing to copy")]
    NothingOnDisk,
    /// The file was written by a later version of the program.
    #[error("the store's database has layout {found}, this program knows up to {known}")]
    Layout {
        /// What the file says.
        found: i64,
        /// What is known.
        known: i64,
    },
    /// The thread that owns the database could not be started.
    #[error("starting the store's writer failed")]
    Thread(#[source] std::io::Error),
    /// What was written together is not durable.
    #[error("what was written together could not be made durable")]
    Together(#[source] Arc<BackendError>),
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
}

/// One change to be made durable.
#[derive(Clone, Debug)]
pub struct Record {
    /// The resource, as `group/resource`.
    pub resource: Str,
    /// The object.
    pub key: Key,
    /// The revision of the change.
    pub revision: Revision,
    /// What happened to the object.
    pub kind: EventKind,
    /// The object's JSON; of a deletion its last state.
    pub json: bytes::Bytes,
}

/// What becomes durable together.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// The changes, in the order of their revisions.
    pub records: &'a [Record],
    /// Revisions that nobody can ask for any more.
    pub forgotten: &'a [Revision],
    /// Of these resources, changes up to these revisions are no longer known.
    pub horizons: &'a [(Str, Revision)],
}

/// What a backend reads back.
#[derive(Clone, Debug)]
pub enum Loaded {
    /// Changes up to here are unknown, whatever the resource. Comes first.
    Floor(Revision),
    /// Of this resource, changes up to here are no longer known. Comes before the versions.
    Horizon(Str, Revision),
    /// A change, in the order of the revisions: the newest of each object, and those that are remembered.
    Version(Record),
}

/// Where changes become durable.
pub trait Backend: Send {
    /// Hands everything to `each` and returns the last revision.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or does not hold what was written to it.
    fn load(&mut self, each: &mut dyn FnMut(Loaded)) -> Result<Revision, BackendError>;

    /// Makes the changes durable, all or none.
    ///
    /// # Errors
    ///
    /// When they are not durable; then none of them may appear after a restart.
    fn commit(&mut self, batch: &Batch<'_>) -> Result<(), BackendError>;
}

/// The store. Clones share it.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    writer: writer::Writer,
    path: Option<PathBuf>,
}

/// What readers and the writer share.
struct Shared {
    tables: RwLock<HashMap<Str, Arc<Table>>>,
    /// Everything up to here is in the tables.
    published: Arc<AtomicU64>,
    /// Changes up to here are unknown, whatever the resource.
    floor: AtomicU64,
}

impl Shared {
    fn new() -> Self {
        let published = Arc::new(AtomicU64::new(1));
        Self { tables: RwLock::default(), published, floor: AtomicU64::new(0) }
    }

    fn table(&self, resource: &str) -> Arc<Table> {
        if let Some(table) = self.tables.read().expect("no panic under this lock").get(resource) {
            return table.clone();
        }
        let mut tables = self.tables.write().expect("no panic under this lock");
        let published = self.published.clone();
        let floor = self.floor.load(Ordering::Acquire);
        tables.entry(resource.into()).or_insert_with(|| Arc::new(Table::new(published, floor))).clone()
    }
}

impl Store {
    /// A store that ends with the process.
    #[must_use]
    pub fn in_memory() -> Self {
        let shared = Arc::new(Shared::new());
        let writer = writer::Writer::inline(shared.clone(), Box::new(memory::Memory));
        Self(Arc::new(Inner { shared, writer, path: None }))
    }

    /// Opens or creates the store in one SQLite file.
    ///
    /// The file belongs to this process until the store is dropped; another process that opens it gets an
    /// error. What was acknowledged is there after a crash at any moment.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened, is locked, damaged or from a later version.
    pub fn open(path: &Path) -> Result<Self, BackendError> {
        Self::with(Box::new(sqlite::Sqlite::open(path)?), Some(path.to_owned()))
    }

    /// A store over a backend of the caller's, which gets a thread of its own.
    ///
    /// # Errors
    ///
    /// When the backend cannot be loaded.
    pub fn with_backend(backend: Box<dyn Backend>) -> Result<Self, BackendError> {
        Self::with(backend, None)
    }

    fn with(mut backend: Box<dyn Backend>, path: Option<PathBuf>) -> Result<Self, BackendError> {
        let shared = Arc::new(Shared::new());
        let mut broken = None;
        let mut garbage = Vec::new();
        let mut last: Option<(Str, Arc<Table>)> = None;
        let mut table = |resource: &Str| match &last {
            Some((same, table)) if same == resource => table.clone(),
            _ => last.insert((resource.clone(), shared.table(resource))).1.clone(),
        };
        let revision = backend.load(&mut |loaded| match loaded {
            Loaded::Floor(revision) => shared.floor.store(revision, Ordering::Release),
            Loaded::Horizon(resource, revision) => table(&resource).compact(revision),
            Loaded::Version(Record { resource, key, revision, kind, json }) => {
                match Stored::from_json(key.clone(), revision, json) {
                    Some(stored) => garbage.extend(table(&resource).load(kind, stored)),
                    None => broken = Some(BackendError::NoObject { resource, key }),
                }
            }
        })?;
        if let Some(broken) = broken {
            return Err(broken);
        }
        shared.published.store(revision.max(1), Ordering::Release);
        // What is forgotten and how far that goes has to become durable together.
        let horizons = shared
            .tables
            .read()
            .expect("no panic under this lock")
            .iter()
            .filter_map(|(resource, table)| Some((resource.clone(), table.loaded(revision)?)))
            .collect();
        let forgetting = writer::Forgetting { versions: garbage, horizons };
        let writer =
            writer::Writer::thread(shared.clone(), backend, forgetting).map_err(BackendError::Thread)?;
        Ok(Self(Arc::new(Inner { shared, writer, path })))
    }

    /// The objects of one resource, named `group/resource` (`/pods` for the core group). It exists as soon
    /// as it is asked for.
    #[must_use]
    pub fn table(&self, resource: &str) -> Arc<Table> {
        self.0.shared.table(resource)
    }

    /// The last revision readers can see.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.0.shared.published.load(Ordering::Acquire)
    }

    /// How many objects there are of each resource that has any.
    #[must_use]
    pub fn counts(&self) -> Vec<(Str, usize)> {
        let tables = self.0.shared.tables.read().expect("no panic under this lock");
        let mut counts: Vec<_> = tables
            .iter()
            .map(|(resource, table)| (resource.clone(), table.len()))
            .filter(|(_, n_objects)| *n_objects > 0)
            .collect();
        counts.sort();
        counts
    }

    /// Changes one object if `expect` holds. When this returns, the change is durable and visible.
    ///
    /// Dropping the future does not undo the write.
    ///
    /// # Errors
    ///
    /// [`WriteError::Conflict`] when the expectation does not hold.
    pub async fn write(
        &self,
        resource: &Str,
        key: Key,
        expect: Expect,
        change: Change,
    ) -> Result<Arc<Stored>, WriteError> {
        let table = self.0.shared.table(resource);
        self.0.writer.write(writer::Write::new(resource.clone(), table, key, expect, change)).await
    }

    /// The file it is kept in.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// Makes a copy of the store in a new or empty file while it is in use: everything up to the revision that is
    /// returned, with its history, and what is carried. Writes go on meanwhile, and are not in it.
    ///
    /// # Errors
    ///
    /// When there is something in the file, it cannot be written, or the store is in memory only.
    pub async fn copy_to(&self, path: &Path, carried: Vec<Carried>) -> Result<Revision, BackendError> {
        if self.0.path.is_none() {
            return Err(BackendError::NothingOnDisk);
        }
        let image = self.image().await?;
        let path = path.to_owned();
        let writing =
            tokio::task::spawn_blocking(move || image.write(&path, &carried).map(|()| image.revision));
        writing.await.unwrap_or(Err(BackendError::Closed))
    }

    async fn image(&self) -> Result<image::Image, BackendError> {
        self.0.writer.between(|sequencer| sequencer.image()).await.ok_or(BackendError::Closed)
    }

    /// Makes everything that `work` writes durable in one transaction, when it has ended. Until then it is visible, and
    /// would be gone after a crash: for the time before anybody is served.
    ///
    /// # Errors
    ///
    /// When it is not durable; then the store takes no more writes.
    pub async fn together<T>(&self, work: impl Future<Output = T>) -> Result<T, BackendError> {
        self.0.writer.between(writer::Sequencer::gather).await.ok_or(BackendError::Closed)?;
        let done = work.await;
        let settled = self.0.writer.between(writer::Sequencer::settle).await.ok_or(BackendError::Closed)?;
        settled.map(|()| done).map_err(BackendError::Together)
    }

    /// Takes out of a copy of a store what it carries, and leaves a store.
    ///
    /// # Errors
    ///
    /// When it cannot be opened, is in use or damaged.
    pub fn take_carried(path: &Path) -> Result<Vec<Carried>, BackendError> {
        sqlite::copy::take_carried(path)
    }

    /// Checks every byte of a store that nobody uses, and returns its last revision and the number of its objects.
    ///
    /// # Errors
    ///
    /// When it cannot be opened, is in use or damaged.
    pub fn verify(path: &Path) -> Result<(Revision, usize), BackendError> {
        if !path.is_file() {
            let source = std::io::Error::from(std::io::ErrorKind::NotFound);
            return Err(BackendError::Copy { path: path.to_owned(), source });
        }
        let mut present = std::collections::HashSet::new();
        let revision = sqlite::Sqlite::open(path)?.load(&mut |loaded| {
            if let Loaded::Version(Record { resource, key, kind, .. }) = loaded {
                match kind {
                    EventKind::Deleted => present.remove(&(resource, key)),
                    EventKind::Added | EventKind::Modified => present.insert((resource, key)),
                };
            }
        })?;
        Ok((revision, present.len()))
    }

    /// Waits until everything accepted so far is durable, and closes the backend. Later writes fail.
    pub async fn close(&self) {
        self.0.writer.close().await;
    }
}

#[cfg(test)]
mod copies;
#[cfg(test)]
mod tests;
