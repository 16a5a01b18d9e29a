//! Records on disk that may be lost at any time: renders that outlive the process.
//!
//! A record is one file, written beside its place and moved there, so another process sees all of it or none. Its
//! checksum is verified on each read; a damaged record is removed and counts as absent. Nothing is synced to the
//! disk: what a crash tears is found by its checksum.
//!
//! ```
//! use windlass_model::Digest;
//! use windlass_store::RecordStore;
//!
//! let folder = tempfile::tempdir()?;
//! let store = RecordStore::open(folder.path(), 1 << 20)?;
//! let key = Digest::of_bytes(b"what it is of");
//! store.put(key, 0, b"a record")?;
//! assert_eq!(store.get(key), [b"a record"]);
//! # Ok::<(), std::io::Error>(())
//! ```

mod shared;

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use windlass_model::Digest;
use windlass_render::RenderStore;

pub use shared::{Bucket, SECRET_BYTES, SharedBlobs, SharedStore, ShortSecret};

/// What a record begins with; another layout is another word.
const MAGIC: &[u8; 8] = b"wlrec01\n";

const CHECKSUM_BYTES: usize = 32;

/// A record is no larger than this, packed or unpacked: larger ones are made anew.
const RECORD_BYTES: usize = 256 * 1024 * 1024;

/// A file that was being written is left behind by a crash if it is older than this.
const ABANDONED_AFTER: Duration = Duration::from_secs(3600);

/// Slots under one key.
const SLOTS: u8 = 4;

/// Records in a folder.
///
/// Several stores, of several processes too, may use one folder; each keeps it within its own bound.
pub struct RecordStore {
    folder: PathBuf,
    capacity: u64,
    /// Bytes in the folder as far as is known here: others write too.
    bytes: Mutex<u64>,
}

/// Numbers what this process writes, so that no two writers use one file.
static WRITTEN: AtomicU64 = AtomicU64::new(0);

impl RecordStore {
    /// A store in `folder` that keeps about `capacity` bytes. The folder is made if it is not there; nobody else may read it.
    ///
    /// # Errors
    ///
    /// When the folder cannot be made or listed.
    pub fn open(folder: &Path, capacity: u64) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        restrict(folder)?;
        let store = Self { folder: folder.to_owned(), capacity, bytes: Mutex::new(0) };
        store.measure()?;
        Ok(store)
    }

    /// The records under a key that are whole.
    #[must_use]
    pub fn get(&self, key: Digest) -> Vec<Vec<u8>> {
        (0..SLOTS).filter_map(|slot| self.read(&self.place(key, slot))).collect()
    }

    /// Keeps a record under a key, in place of another one in the same slot, of which there are 4.
    ///
    /// # Errors
    ///
    /// When it cannot be written; a record that is there stays then.
    pub fn put(&self, key: Digest, slot: u8, record: &[u8]) -> io::Result<()> {
        if record.len() > RECORD_BYTES {
            return Ok(());
        }
        let packed = lz4_flex::compress_prepend_size(record);
        let mut content = Vec::with_capacity(MAGIC.len() + CHECKSUM_BYTES + packed.len());
        content.extend_from_slice(MAGIC);
        content.extend_from_slice(blake3::hash(&packed).as_bytes());
        content.extend_from_slice(&packed);
        let place = self.place(key, slot % SLOTS);
        fs::create_dir_all(place.parent().unwrap_or(&self.folder))?;
        let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
        let beside = self.folder.join(format!("writing-{}-{number}", std::process::id()));
        let moved = fs::write(&beside, &content).and_then(|()| fs::rename(&beside, &place));
        if moved.is_err() {
            let _ = fs::remove_file(&beside);
        }
        moved?;
        let is_over = {
            let mut bytes = self.bytes();
            *bytes += content.len() as u64;
            *bytes > self.capacity
        };
        if is_over { self.measure() } else { Ok(()) }
    }

    fn place(&self, key: Digest, slot: u8) -> PathBuf {
        let name = key.to_string();
        self.folder.join(&name[..2]).join(format!("{}-{slot:x}", &name[2..]))
    }

    fn read(&self, place: &Path) -> Option<Vec<u8>> {
        let file = File::open(place).ok()?;
        let mut content = Vec::new();
        let limit = RECORD_BYTES as u64 + 1024;
        (&file).take(limit).read_to_end(&mut content).ok()?;
        let record = unpacked(&content);
        if record.is_none() {
            let _ = fs::remove_file(place);
        } else {
            // When it was used last decides what goes first; that this fails costs nothing but a render.
            let _ = file.set_modified(SystemTime::now());
        }
        record
    }

    fn bytes(&self) -> std::sync::MutexGuard<'_, u64> {
        self.bytes.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Finds out what is there, removes what was left behind, and what was not used for longest until a tenth of the
    /// capacity is free.
    fn measure(&self) -> io::Result<()> {
        let mut records = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                let members = fs::read_dir(entry.path()).into_iter().flatten().flatten();
                for member in members {
                    // Others may have removed it by now.
                    if let Ok(metadata) = member.metadata() {
                        let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                        records.push((used, metadata.len(), member.path()));
                    }
                }
            } else if entry.file_name().to_string_lossy().starts_with("writing-") {
                let age = metadata.modified().ok().and_then(|at| at.elapsed().ok());
                if age.is_some_and(|age| age > ABANDONED_AFTER) {
                    let _ = fs::remove_file(entry.path());
                }
            }
        }
        let mut total: u64 = records.iter().map(|(_, size, _)| size).sum();
        if total > self.capacity {
            records.sort_unstable();
            let goal = self.capacity - self.capacity / 10;
            for (_, size, path) in &records {
                if total <= goal {
                    break;
                }
                let _ = fs::remove_file(path);
                total -= size;
            }
        }
        *self.bytes() = total;
        Ok(())
    }
}

impl RenderStore for RecordStore {
    fn load(&self, key: Digest) -> Vec<Vec<u8>> {
        self.get(key)
    }

    /// A record that cannot be written is rendered again in the next process.
    fn save(&self, key: Digest, slot: u8, record: &[u8]) {
        let _ = self.put(key, slot, record);
    }
}

/// The record in a file; `None` when any byte of it is wrong.
fn unpacked(content: &[u8]) -> Option<Vec<u8>> {
    let (checksum, packed) = content.strip_prefix(MAGIC)?.split_at_checked(CHECKSUM_BYTES)?;
    if blake3::hash(packed).as_bytes() != checksum {
        return None;
    }
    let size = packed.first_chunk::<4>().map(|size| u32::from_le_bytes(*size) as usize)?;
    if size > RECORD_BYTES {
        return None;
    }
    lz4_flex::decompress_size_prepended(packed).ok()
}

/// Lets nobody else into the folder: renders may hold what charts made up as passwords.
#[cfg(unix)]
fn restrict(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn restrict(_: &Path) -> io::Result<()> {
    Ok(())
}
