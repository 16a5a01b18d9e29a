//! Renders and fetched files that replicas share through a bucket, which is trusted with nothing.
//!
//! What is put there is sealed (AES-256-GCM) under a key that the replicas have and the bucket has not, together with its name.
//! So who can read the bucket learns how large records are, and who can write to it can make records disappear, or bring back an
//! older one of the same name. Neither makes an object be applied that was not rendered from what is declared: a record
//! counts only while everything that it says to have read is as it is, and fetched files
//! are looked for by what their source says they are now.

use std::collections::HashSet;
use std::error::Error;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{hmac, rand};
use windlass_model::Digest;
use windlass_render::RenderStore;

use crate::RecordStore;

/// Shortest secret: what a password generator gives for 192 bits.
pub const SECRET_BYTES: usize = 32;

/// How long a list of what is in the bucket is believed about what is not in it.
const LIST_AGE: Duration = Duration::from_secs(60);

/// A bucket that has failed is left alone for this long.
const PAUSE: Duration = Duration::from_secs(30);

/// How much may wait to be put there, in pieces and in bytes; the rest is put there by whoever makes it next.
const WAITING: usize = 1024;
const WAITING_BYTES: usize = 64 << 20;

/// What is larger than this is not put there: it takes longer to fetch than to make.
const OBJECT_BYTES: usize = 16 << 20;

/// Objects by name, of a server elsewhere.
pub trait Bucket: Send + Sync {
    /// The names of all objects.
    ///
    /// # Errors
    ///
    /// When the server cannot be asked.
    fn names(&self) -> Result<Vec<String>, Box<dyn Error + Send + Sync>>;

    /// The content of an object, of no more than `limit` bytes; `None` when there is none.
    ///
    /// # Errors
    ///
    /// When the server cannot be asked, or the content is longer.
    fn get(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, Box<dyn Error + Send + Sync>>;

    /// Puts an object in the place of what has its name.
    ///
    /// # Errors
    ///
    /// When the server does not take it.
    fn put(&self, name: &str, content: Vec<u8>) -> Result<(), Box<dyn Error + Send + Sync>>;
}

/// A secret is too short to be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secret that what is shared is sealed with has fewer than 32 bytes (limit SECRET_BYTES)")]
pub struct ShortSecret;

/// Content by key that replicas share through a bucket.
///
/// What is saved is put there by a thread of its own, so that nobody waits for it; what cannot be put there is left out.
/// While the bucket cannot be reached nothing is found.
#[derive(Clone)]
pub struct SharedBlobs {
    far: Arc<Far>,
    waiting: SyncSender<(Digest, Vec<u8>)>,
    /// The bytes of what waits.
    n_waiting: Arc<AtomicUsize>,
}

impl SharedBlobs {
    /// Shares through `bucket`. Replicas with the same secret share; others see each other's content as none.
    ///
    /// # Errors
    ///
    /// [`ShortSecret`], or when no thread can be started.
    pub fn new(bucket: Arc<dyn Bucket>, secret: &[u8]) -> io::Result<Self> {
        let seal = Seal::new(secret).map_err(io::Error::other)?;
        let far = Arc::new(Far { bucket, seal, known: Mutex::default() });
        let (waiting, received) = sync_channel::<(Digest, Vec<u8>)>(WAITING);
        let n_waiting = Arc::new(AtomicUsize::new(0));
        let (writer, left) = (far.clone(), n_waiting.clone());
        // It ends with the last sender.
        std::thread::Builder::new().name("store-bucket".into()).spawn(move || {
            for (key, content) in received {
                writer.put(key, &content);
                left.fetch_sub(content.len(), Ordering::Relaxed);
            }
        })?;
        Ok(Self { far, waiting, n_waiting })
    }

    /// What a replica saved under `key`; asks the bucket, and waits for the answer.
    #[must_use]
    pub fn load(&self, key: Digest) -> Option<Vec<u8>> {
        self.far.get(key)
    }

    /// Has `content` put there, unless it is larger than 16 MiB or too much waits already: then it stays here alone.
    pub fn save(&self, key: Digest, content: &[u8]) {
        let n_bytes = content.len();
        if n_bytes > OBJECT_BYTES {
            return;
        }
        let n_waiting = self.n_waiting.fetch_add(n_bytes, Ordering::Relaxed) + n_bytes;
        if n_waiting > WAITING_BYTES || self.waiting.try_send((key, content.to_vec())).is_err() {
            self.n_waiting.fetch_sub(n_bytes, Ordering::Relaxed);
        }
    }
}

/// Records of this machine, and behind them those of a bucket.
///
/// What is not here is looked for there. While the bucket cannot be reached everything works as without it.
pub struct SharedStore {
    local: RecordStore,
    far: SharedBlobs,
}

/// The bucket, and what is known of it.
struct Far {
    bucket: Arc<dyn Bucket>,
    seal: Seal,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    names: HashSet<String>,
    listed: Option<Instant>,
    failed: Option<Instant>,
}

impl SharedStore {
    /// Shares what `local` keeps through `far`.
    #[must_use]
    pub fn new(local: RecordStore, far: SharedBlobs) -> Self {
        Self { local, far }
    }
}

impl RenderStore for SharedStore {
    fn load(&self, key: Digest) -> Vec<Vec<u8>> {
        let mut records = self.local.load(key);
        if records.is_empty()
            && let Some(record) = self.far.load(key)
        {
            self.local.save(key, 0, &record);
            records.push(record);
        }
        records
    }

    fn save(&self, key: Digest, slot: u8, record: &[u8]) {
        self.local.save(key, slot, record);
        self.far.save(key, record);
    }
}

impl Far {
    fn get(&self, key: Digest) -> Option<Vec<u8>> {
        let name = self.seal.name(key);
        if !self.is_there(&name) {
            return None;
        }
        let limit = (OBJECT_BYTES + OBJECT_BYTES / 8) as u64;
        let found = self.bucket.get(&name, limit);
        let sealed = found.map_err(|error| self.note("read", error.as_ref())).ok()?;
        if sealed.is_none() {
            self.lock().names.remove(&name);
        }
        let record = self.seal.open(&name, sealed?);
        if record.is_none() {
            tracing::warn!(name, "an object in the bucket is not what was put there, or of another secret");
            self.lock().names.remove(&name);
        }
        record
    }

    /// Whether the bucket has an object, as far as is known; asks for a list when that is too long ago.
    fn is_there(&self, name: &str) -> bool {
        // One lists, the others wait for it.
        let mut known = self.lock();
        if known.names.contains(name) {
            return known.failed.is_none_or(|at| at.elapsed() > PAUSE);
        }
        let is_fresh = known.listed.is_some_and(|at| at.elapsed() < LIST_AGE);
        if is_fresh || known.failed.is_some_and(|at| at.elapsed() < PAUSE) {
            return false;
        }
        match self.bucket.names() {
            Ok(names) => {
                *known =
                    Known { names: names.into_iter().collect(), listed: Some(Instant::now()), failed: None };
            }
            Err(error) => {
                drop(known);
                self.note("listed", error.as_ref());
                return false;
            }
        }
        known.names.contains(name)
    }

    fn put(&self, key: Digest, record: &[u8]) {
        if self.lock().failed.is_some_and(|at| at.elapsed() < PAUSE) {
            return;
        }
        let name = self.seal.name(key);
        let Some(sealed) = self.seal.close(&name, record) else { return };
        match self.bucket.put(&name, sealed) {
            Ok(()) => {
                self.lock().names.insert(name);
            }
            Err(error) => self.note("written to", error.as_ref()),
        }
    }

    fn note(&self, action: &str, error: &(dyn Error + Send + Sync)) {
        let before = self.lock().failed.replace(Instant::now());
        if before.is_none_or(|at| at.elapsed() > PAUSE) {
            tracing::warn!(%error, "the bucket of the store cannot be {action}");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What names and seals records.
struct Seal {
    names: hmac::Key,
    content: LessSafeKey,
}

impl Seal {
    fn new(secret: &[u8]) -> Result<Self, ShortSecret> {
        if secret.len() < SECRET_BYTES {
            return Err(ShortSecret);
        }
        // One secret, two keys that say nothing of each other (RFC 5869 with one block each).
        let whole = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let part = |label: &[u8]| hmac::sign(&whole, label);
        let content = UnboundKey::new(&AES_256_GCM, part(b"windlass records 1: content").as_ref())
            .expect("a digest of SHA-256 is as long as a key of AES-256");
        let names = hmac::Key::new(hmac::HMAC_SHA256, part(b"windlass records 1: names").as_ref());
        Ok(Self { names, content: LessSafeKey::new(content) })
    }

    /// What a record is called: the key is made of addresses and paths, which the bucket is not to learn either.
    fn name(&self, key: Digest) -> String {
        let tag = hmac::sign(&self.names, key.to_string().as_bytes());
        tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn close(&self, name: &str, record: &[u8]) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).ok()?;
        let mut content = lz4_flex::compress_prepend_size(record);
        let tag = self.content.seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(name.as_bytes()),
            &mut content,
        );
        Some([&nonce[..], &content, tag.ok()?.as_ref()].concat())
    }

    fn open(&self, name: &str, mut sealed: Vec<u8>) -> Option<Vec<u8>> {
        let (nonce, content) = sealed.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let content = self.content.open_in_place(nonce, Aad::from(name.as_bytes()), content).ok()?;
        // It is ours, so its size is what it was.
        lz4_flex::decompress_size_prepended(content).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_under_its_name_and_secret_alone() {
        let seal = |secret: &[u8]| Seal::new(secret).unwrap();
        let (ours, theirs) = (seal(&[1; SECRET_BYTES]), seal(&[2; SECRET_BYTES]));
        let key = Digest::of_bytes(b"key");
        let name = ours.name(key);
        assert_ne!(name, theirs.name(key));
        let record = b"password: hunter2, password: hunter2";
        let sealed = ours.close(&name, record).unwrap();
        assert!(!sealed.windows(7).any(|bytes| bytes == b"hunter2"));
        assert_ne!(ours.close(&name, record).unwrap(), sealed, "the same content is not to be recognised");
        assert_eq!(ours.open(&name, sealed.clone()).unwrap(), record);
        assert!(ours.open(&ours.name(Digest::of_bytes(b"other")), sealed.clone()).is_none());
        assert!(theirs.open(&name, sealed.clone()).is_none());
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[at] ^= 1;
            assert!(ours.open(&name, damaged).is_none(), "byte {at}");
            assert!(ours.open(&name, sealed[..at].to_vec()).is_none(), "cut at {at}");
        }
        assert_eq!(Seal::new(&[1; SECRET_BYTES - 1]).err(), Some(ShortSecret));
    }
}
