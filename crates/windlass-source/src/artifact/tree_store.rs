//! The packs on disk: bounded in size, the least recently used go first.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};

use super::ContentDigest;
use super::pack::PackWriter;
use super::tree::{ArtifactTree, WeakTree};
use crate::archive::{ArchiveError, ArchiveLimits, ArchiveRoot, unpack};

/// Packs that replicas share: what one has fetched the others need not fetch.
///
/// What comes back is trusted: whoever implements this sees to it that it is what was saved under that key.
pub trait SharedPacks: Send + Sync {
    /// The pack that was saved under `key`, if there is one and it can be had.
    fn load(&self, key: &str) -> Option<Vec<u8>>;

    /// Offers a pack to the others. Nobody waits for it, and it may be declined.
    fn save(&self, key: &str, pack: &[u8]);
}

/// Larger packs are not offered to others: reading one back into memory must not be felt.
const SHARED_BYTES: u64 = 16 << 20;

/// Packs by key, each one file.
///
/// A pack is written beside its place, synced and renamed, so a process killed at any moment leaves whole packs and
/// litter that the next start removes.
pub(crate) struct TreeStore {
    folder: PathBuf,
    limit: u64,
    state: Mutex<State>,
    shared: OnceLock<Arc<dyn SharedPacks>>,
}

#[derive(Default)]
struct State {
    packs: HashMap<String, Held>,
    /// Counts uses; packs of earlier processes have smaller numbers, in the order of their files' times.
    clock: u64,
    n_incoming: u64,
}

struct Held {
    bytes: u64,
    used: u64,
    open: WeakTree,
}

impl TreeStore {
    /// Opens the store in `folder`, which only this process uses; at most `limit` bytes are kept.
    pub(crate) fn open(folder: PathBuf, limit: u64) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        let mut found = Vec::new();
        for file in fs::read_dir(&folder)? {
            let file = file?;
            let name = file.file_name().to_string_lossy().into_owned();
            let metadata = file.metadata()?;
            match name.strip_suffix(".pack") {
                Some(key) => {
                    let changed = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                    found.push((changed, key.to_string(), metadata.len()));
                }
                None => {
                    let _ = fs::remove_file(file.path());
                }
            }
        }
        found.sort();
        let mut state = State::default();
        for (_, key, bytes) in found {
            state.clock += 1;
            let held = Held { bytes, used: state.clock, open: WeakTree::default() };
            state.packs.insert(key, held);
        }
        let store = Self { folder, limit, state: Mutex::new(state), shared: OnceLock::new() };
        store.evict("");
        Ok(store)
    }

    /// A new empty file to receive something into, removed at the next start if it is left.
    pub(crate) fn incoming(&self) -> io::Result<(File, PathBuf)> {
        let n_incoming = {
            let mut state = self.lock();
            state.n_incoming += 1;
            state.n_incoming
        };
        let path = self.folder.join(format!("incoming-{n_incoming}.tmp"));
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&path)?;
        Ok((file, path))
    }

    /// Shares packs from now on; the first call counts.
    pub(crate) fn share(&self, packs: Arc<dyn SharedPacks>) {
        let _ = self.shared.set(packs);
    }

    /// The Tree kept under `identity`, here or by another replica.
    pub(crate) fn get(&self, identity: &str) -> Option<ArtifactTree> {
        self.here(identity).or_else(|| self.take_over(identity))
    }

    /// What another replica has of it.
    fn take_over(&self, identity: &str) -> Option<ArtifactTree> {
        let key = key_of(identity);
        let pack = self.shared.get()?.load(&shared_key(&key))?;
        let (mut file, temporary) = self.incoming().ok()?;
        let _litter = Litter(&temporary);
        // What is no pack does not get its place.
        let written = file.write_all(&pack).and_then(|()| ArtifactTree::open(temporary.clone()));
        let taken = written.and_then(|_| self.settle(&key, &file, &temporary));
        taken.map_err(|error| tracing::warn!(%error, "an artifact of another replica cannot be kept")).ok()
    }

    /// The Tree kept here under `identity`.
    pub(crate) fn here(&self, identity: &str) -> Option<ArtifactTree> {
        let key = key_of(identity);
        let mut state = self.lock();
        state.clock += 1;
        let clock = state.clock;
        let held = state.packs.get_mut(&key)?;
        held.used = clock;
        if let Some(tree) = held.open.upgrade().filter(|tree| !tree.is_damaged()) {
            return Some(tree);
        }
        let path = self.path_of(&key);
        match ArtifactTree::open(path.clone()) {
            Ok(tree) => {
                held.open = tree.downgrade();
                // Remembers over a restart that it was used; nothing depends on it.
                let _ = File::open(&path).and_then(|file| file.set_modified(SystemTime::now()));
                Some(tree)
            }
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!(%error, "a stored artifact is damaged and is fetched again");
                }
                state.packs.remove(&key);
                let _ = fs::remove_file(&path);
                None
            }
        }
    }

    /// Unpacks `archive` and keeps its Tree under `identity`, and offers it to other replicas.
    pub(crate) fn put(
        &self,
        identity: &str,
        archive: impl io::Read,
        source: ContentDigest,
        root: ArchiveRoot,
        limits: &ArchiveLimits,
    ) -> Result<ArtifactTree, ArchiveError> {
        let tree = self.put_here(identity, archive, source, root, limits)?;
        let key = key_of(identity);
        if let Some(shared) = self.shared.get()
            && let path = self.path_of(&key)
            && fs::metadata(&path).is_ok_and(|metadata| metadata.len() <= SHARED_BYTES)
            // It may be gone again: others then fetch it themselves.
            && let Ok(pack) = fs::read(&path)
        {
            shared.save(&shared_key(&key), &pack);
        }
        Ok(tree)
    }

    /// As [`TreeStore::put`], and offers it to nobody.
    pub(crate) fn put_here(
        &self,
        identity: &str,
        archive: impl io::Read,
        source: ContentDigest,
        root: ArchiveRoot,
        limits: &ArchiveLimits,
    ) -> Result<ArtifactTree, ArchiveError> {
        let key = key_of(identity);
        let (file, temporary) = self.incoming().map_err(ArchiveError::Store)?;
        let _litter = Litter(&temporary);
        let mut pack = PackWriter::new(BufWriter::new(file));
        unpack(archive, root, limits, &mut pack)?;
        let (writer, _) = pack.finish(source).map_err(ArchiveError::Store)?;
        let file = writer.into_inner().map_err(|error| ArchiveError::Store(error.into_error()))?;
        self.settle(&key, &file, &temporary).map_err(ArchiveError::Store)
    }

    /// Puts a whole pack that was written to `temporary` in its place.
    fn settle(&self, key: &str, file: &File, temporary: &Path) -> io::Result<ArtifactTree> {
        let path = self.path_of(key);
        file.sync_all()?;
        fs::rename(temporary, &path)?;
        File::open(&self.folder)?.sync_all()?;
        let tree = ArtifactTree::open(path)?;
        let mut state = self.lock();
        state.clock += 1;
        let held = Held { bytes: file.metadata()?.len(), used: state.clock, open: tree.downgrade() };
        state.packs.insert(key.to_string(), held);
        drop(state);
        self.evict(key);
        Ok(tree)
    }

    /// Removes the least recently used packs until the rest fits, but not `newest`. Open Trees stay readable.
    fn evict(&self, newest: &str) {
        let mut state = self.lock();
        let mut total: u64 = state.packs.values().map(|held| held.bytes).sum();
        if total <= self.limit {
            return;
        }
        let mut by_use: Vec<_> = state.packs.iter().map(|(key, held)| (held.used, key.clone())).collect();
        by_use.sort();
        for (_, key) in by_use {
            if total <= self.limit {
                return;
            }
            if key != newest
                && let Some(held) = state.packs.remove(&key)
            {
                total -= held.bytes;
                let _ = fs::remove_file(self.path_of(&key));
            }
        }
    }

    fn path_of(&self, key: &str) -> PathBuf {
        self.folder.join(format!("{key}.pack"))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes a file unless it was renamed.
pub(crate) struct Litter<'a>(pub(crate) &'a Path);

impl Drop for Litter<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.0);
    }
}

/// What a pack is called among replicas: those of another layout are not for this one.
fn shared_key(key: &str) -> String {
    format!("{} {key}", super::pack::MAGIC)
}

fn key_of(identity: &str) -> String {
    Sha256::digest(identity.as_bytes())[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;
    use windlass_model::Tree;

    use super::*;

    /// An archive of one file, `f`, of 1,000 equal bytes.
    fn archive(byte: u8) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(1_000);
        builder.append_data(&mut header, "f", &[byte; 1_000][..]).unwrap();
        builder.into_inner().unwrap()
    }

    fn put(store: &TreeStore, name: &str, byte: u8) -> ArtifactTree {
        let bytes = archive(byte);
        let source = ContentDigest::of(&bytes);
        store.put(name, &bytes[..], source, ArchiveRoot::Top, &ArchiveLimits::default()).unwrap()
    }

    fn first_byte(tree: &ArtifactTree) -> u8 {
        tree.read("f", 2_000).unwrap().unwrap()[0]
    }

    #[test]
    fn what_was_put_is_there_after_a_restart() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("packs");
        let store = TreeStore::open(path.clone(), 1 << 20).unwrap();
        let tree = put(&store, "one", 1);
        let digest = tree.digest();
        drop((store, tree));
        fs::write(path.join("incoming-1.tmp"), "left by a crash").unwrap();
        let store = TreeStore::open(path.clone(), 1 << 20).unwrap();
        let tree = store.get("one").unwrap();
        assert_eq!(
            (first_byte(&tree), tree.digest(), tree.source()),
            (1, digest, ContentDigest::of(&archive(1)))
        );
        assert!(store.get("two").is_none());
        assert_eq!(fs::read_dir(&path).unwrap().count(), 1);
    }

    #[test]
    fn the_least_recently_used_goes_first_and_stays_readable() {
        let folder = TempDir::new().unwrap();
        let store = TreeStore::open(folder.path().to_path_buf(), 3_000).unwrap();
        put(&store, "one", 1);
        let two = put(&store, "two", 2);
        assert!(store.get("one").is_some());
        put(&store, "three", 3);
        assert!(store.get("two").is_none());
        assert!(store.get("one").is_some() && store.get("three").is_some());
        assert_eq!(first_byte(&two), 2);
    }

    /// Packs in memory.
    #[derive(Default)]
    struct Memory(Mutex<HashMap<String, Vec<u8>>>);

    impl SharedPacks for Memory {
        fn load(&self, key: &str) -> Option<Vec<u8>> {
            self.0.lock().unwrap().get(key).cloned()
        }

        fn save(&self, key: &str, pack: &[u8]) {
            self.0.lock().unwrap().insert(key.to_string(), pack.to_vec());
        }
    }

    #[test]
    fn what_one_replica_has_another_takes_over() {
        let packs = Arc::new(Memory::default());
        let folders = [TempDir::new().unwrap(), TempDir::new().unwrap()];
        let [ours, theirs] = folders.each_ref().map(|folder| {
            let store = TreeStore::open(folder.path().to_path_buf(), 1 << 20).unwrap();
            store.share(packs.clone());
            store
        });
        let tree = put(&ours, "one", 1);
        assert!(theirs.here("one").is_none());
        let taken = theirs.get("one").unwrap();
        assert_eq!((first_byte(&taken), taken.digest(), taken.source()), (1, tree.digest(), tree.source()));
        // From now on it is here.
        packs.0.lock().unwrap().clear();
        assert!(theirs.here("one").is_some());
        assert!(theirs.get("two").is_none());
        // What is of this machine is offered to nobody.
        let bytes = archive(2);
        let (source, limits) = (ContentDigest::of(&bytes), ArchiveLimits::default());
        ours.put_here("two", &bytes[..], source, ArchiveRoot::Top, &limits).unwrap();
        assert!(packs.0.lock().unwrap().is_empty());
        // What is no pack is none, and leaves nothing.
        put(&ours, "three", 3);
        packs.0.lock().unwrap().values_mut().for_each(|pack| pack.truncate(900));
        assert!(theirs.get("three").is_none());
        assert_eq!(fs::read_dir(folders[1].path()).unwrap().count(), 1);
    }

    #[test]
    fn damage_on_disk_is_noticed_and_the_pack_dropped() {
        let folder = TempDir::new().unwrap();
        let path = || fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
        // In a file, in the lines, in the footer, and cut.
        for at in [10, 1_010, 1_140, usize::MAX] {
            let store = TreeStore::open(folder.path().to_path_buf(), 1 << 20).unwrap();
            drop(put(&store, "one", 1));
            let mut bytes = fs::read(path()).unwrap();
            match bytes.get_mut(at) {
                Some(byte) => *byte ^= 0x40,
                None => bytes.truncate(900),
            }
            fs::write(path(), bytes).unwrap();
            if let Some(tree) = store.get("one") {
                assert!(tree.read("f", 2_000).is_err(), "{at}");
                assert!(tree.is_damaged());
                drop(tree);
                assert!(store.get("one").is_none(), "{at}");
            }
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{at}");
            assert_eq!(first_byte(&put(&store, "one", 1)), 1);
        }
    }
}
