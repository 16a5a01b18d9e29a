//! An object database on disk: opened once, read by many threads, replaced as a whole when it has grown untidy.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use gix::ObjectId;

use crate::error::SourceError;
use crate::members::Folder;
use crate::read_caches::{DatabaseId, ReadCaches};
use crate::revision::CommitId;

/// Memory for the bases of deltas, per reading thread. Without it gix keeps 64 of them, and reading a repository of
/// 20,000 files takes five times the work.
const DELTA_BASE_CACHE: &str = "core.deltaBaseCacheLimit=16m";

/// Slots for pack files. A database is replaced long before it has that many.
const PACK_SLOTS: usize = 256;

/// The objects of one repository, open for reading.
///
/// Git's object database is append-only and content-addressed, so readers never see a half-written object and need
/// no lock. Each reading thread borrows a handle with its own caches from what the whole store keeps, so that
/// thousands of idle repositories cost next to nothing.
pub(crate) struct Objects {
    path: PathBuf,
    repository: gix::ThreadSafeRepository,
    id: DatabaseId,
    caches: Arc<ReadCaches>,
    /// Set when a newer database has taken this one's place: the last reader removes the folder.
    superseded: AtomicBool,
    /// Set when something that was fetched could not be read.
    damaged: AtomicBool,
}

impl Objects {
    /// Creates an empty bare repository at `path`.
    pub(crate) fn create(path: &Path) -> io::Result<()> {
        fs::create_dir_all(path.join("objects").join("pack"))?;
        fs::create_dir_all(path.join("refs").join("heads"))?;
        fs::write(path.join("config"), "[core]\n\trepositoryformatversion = 0\n\tbare = true\n")?;
        fs::write(path.join("HEAD"), "ref: refs/heads/main\n")
    }

    /// Opens one of our own bare repositories.
    pub(crate) fn open_own(path: &Path, caches: &Arc<ReadCaches>) -> gix::Result<Self> {
        let options = options().open_path_as_is(true).object_store_slots(
            gix::odb::store::init::Slots::Given(PACK_SLOTS.try_into().unwrap_or(u16::MAX)),
        );
        Self::open(path, options, caches)
    }

    /// Opens someone else's repository, bare or with a work tree.
    pub(crate) fn open_foreign(path: &Path, caches: &Arc<ReadCaches>) -> gix::Result<Self> {
        Self::open(path, options(), caches)
    }

    fn open(path: &Path, options: gix::open::Options, caches: &Arc<ReadCaches>) -> gix::Result<Self> {
        static OPENED: AtomicU64 = AtomicU64::new(0);
        let repository = gix::ThreadSafeRepository::open_opts(path, options)?;
        Ok(Self {
            path: path.to_path_buf(),
            repository,
            id: DatabaseId(OPENED.fetch_add(1, Ordering::Relaxed)),
            caches: caches.clone(),
            superseded: AtomicBool::new(false),
            damaged: AtomicBool::new(false),
        })
    }

    /// The repository's folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A handle of one's own, with fresh caches.
    pub(crate) fn fresh_handle(&self) -> gix::Repository {
        self.repository.to_thread_local()
    }

    /// Lends a handle to `read`.
    pub(crate) fn with<R>(&self, read: impl FnOnce(&gix::Repository) -> R) -> R {
        let handle = self.caches.take_handle(self.id).unwrap_or_else(|| self.fresh_handle());
        let result = read(&handle);
        self.caches.leave_handle(self.id, handle);
        result
    }

    /// Whether a commit is there. A pack is installed whole, so its files are there too, but for those of a partial
    /// repository.
    pub(crate) fn contains(&self, commit: CommitId) -> bool {
        self.with(|repository| repository.has_object(commit.to_git()))
    }

    /// Whether a file is there.
    pub(crate) fn has(&self, id: ObjectId) -> bool {
        self.with(|repository| repository.has_object(id))
    }

    /// Those of many files that are not there.
    pub(crate) fn lacking(&self, ids: impl IntoIterator<Item = ObjectId>) -> Vec<ObjectId> {
        let mut handle = self.fresh_handle();
        // The first look finds every pack; to look for new ones at every file that is not there takes long.
        let mut ids = ids.into_iter().peekable();
        let _ = ids.peek().map(|id| handle.has_object(*id));
        handle.objects.refresh_never();
        ids.filter(|id| !handle.has_object(*id)).collect()
    }

    /// The commits whose ids begin with `prefix`: none, one, or `Err` when they are several.
    pub(crate) fn find_short(&self, prefix: &str) -> Result<Option<CommitId>, Ambiguous> {
        self.with(|repository| match repository.rev_parse_single(format!("{prefix}^{{commit}}").as_str()) {
            Ok(id) => Ok(CommitId::from_git(id.detach())),
            Err(error) if error.iter_errors().any(|part| part.to_string().contains("ambiguous")) => {
                Err(Ambiguous)
            }
            Err(_) => Ok(None),
        })
    }

    /// The members of a folder.
    pub(crate) fn folder(&self, id: ObjectId) -> gix::Result<Arc<Folder>> {
        if let Some(known) = self.caches.folder(id) {
            return Ok(known);
        }
        let folder = self.with(|repository| -> gix::Result<Folder> {
            let hash = repository.object_hash();
            Folder::read(repository.find_tree(id)?.detach().data, hash)
        })?;
        let folder = Arc::new(folder);
        self.caches.remember_folder(id, &folder);
        Ok(folder)
    }

    /// The size of a file, without reading it.
    pub(crate) fn size(&self, id: ObjectId) -> gix::Result<u64> {
        self.with(|repository| Ok(repository.find_header(id)?.size()))
    }

    /// The bytes of a file, checked against its id. `None` when they are others.
    pub(crate) fn blob(&self, id: ObjectId) -> gix::Result<Option<Vec<u8>>> {
        let bytes = self.with(|repository| gix::Result::Ok(repository.find_blob(id)?.take_data()))?;
        let found = gix::objs::compute_hash(id.kind(), gix::objs::Kind::Blob, &bytes);
        Ok(found.is_ok_and(|found| found == id).then_some(bytes))
    }

    /// Where the packs are.
    pub(crate) fn pack_folder(&self) -> PathBuf {
        self.path.join("objects").join("pack")
    }

    /// How many packs there are on disk.
    pub(crate) fn count_packs(&self) -> usize {
        self.packs().count()
    }

    /// How many bytes they have together.
    pub(crate) fn pack_bytes(&self) -> u64 {
        self.packs().map(|entry| entry.metadata().map_or(0, |metadata| metadata.len())).sum()
    }

    fn packs(&self) -> impl Iterator<Item = fs::DirEntry> {
        let entries = fs::read_dir(self.pack_folder()).into_iter().flatten().flatten();
        entries.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "pack"))
    }

    /// Removes what an interrupted fetch left behind. Call it before anything is fetched.
    pub(crate) fn sweep_leftovers(&self) -> Result<(), SourceError> {
        let pack_dir = self.pack_folder();
        let entries = fs::read_dir(&pack_dir)
            .map_err(|error| SourceError::store("read the folder", &pack_dir, error))?;
        for path in entries.flatten().map(|entry| entry.path()) {
            let wanted = match path.extension().and_then(|extension| extension.to_str()) {
                Some("idx") => path.with_extension("pack").exists(),
                Some("pack") => path.with_extension("idx").exists(),
                _ => false,
            };
            if !wanted {
                let _ = fs::remove_file(&path);
            }
        }
        let _ = fs::remove_file(self.path.join("shallow.lock"));
        Ok(())
    }

    /// Whether something that was fetched could not be read.
    pub(crate) fn is_damaged(&self) -> bool {
        self.damaged.load(Ordering::Relaxed)
    }

    /// Notes that something that was fetched could not be read.
    pub(crate) fn set_damaged(&self) {
        self.damaged.store(true, Ordering::Relaxed);
    }

    /// Marks the database as replaced; its folder goes when its last reader does.
    pub(crate) fn supersede(&self) {
        self.superseded.store(true, Ordering::Relaxed);
    }
}

/// Reads no configuration of the user or machine, runs no program, trusts the folder's owner.
fn options() -> gix::open::Options {
    gix::open::Options::isolated().with(gix::sec::Trust::Full).config_overrides([DELTA_BASE_CACHE])
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Objects({})", self.path.display())
    }
}

impl Drop for Objects {
    fn drop(&mut self) {
        self.caches.forget(self.id);
        if self.superseded.load(Ordering::Relaxed) {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// A short id fits several objects.
#[derive(Debug)]
pub(crate) struct Ambiguous;
