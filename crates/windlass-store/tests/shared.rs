//! Records that replicas share through a bucket.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use windlass_model::Digest;
use windlass_render::RenderStore;
use windlass_store::{Bucket, RecordStore, SECRET_BYTES, SharedBlobs, SharedStore};

/// A bucket in memory that counts what it is asked.
#[derive(Default)]
struct Memory {
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
    changed: Condvar,
    lists: AtomicUsize,
    gets: AtomicUsize,
    is_down: AtomicBool,
}

impl Memory {
    /// Waits until so many objects are there.
    fn wait_for(&self, n_objects: usize) {
        let objects = self.objects.lock().unwrap();
        drop(self.changed.wait_while(objects, |objects| objects.len() < n_objects).unwrap());
    }

    fn asked(&self) -> (usize, usize) {
        (self.lists.load(Ordering::Relaxed), self.gets.load(Ordering::Relaxed))
    }

    fn up(&self) -> Result<(), Box<dyn Error + Send + Sync>> {
        if self.is_down.load(Ordering::Relaxed) { Err("it is down".into()) } else { Ok(()) }
    }
}

impl Bucket for Memory {
    fn names(&self) -> Result<Vec<String>, Box<dyn Error + Send + Sync>> {
        self.lists.fetch_add(1, Ordering::Relaxed);
        self.up()?;
        Ok(self.objects.lock().unwrap().keys().cloned().collect())
    }

    fn get(&self, name: &str, _: u64) -> Result<Option<Vec<u8>>, Box<dyn Error + Send + Sync>> {
        self.gets.fetch_add(1, Ordering::Relaxed);
        self.up()?;
        Ok(self.objects.lock().unwrap().get(name).cloned())
    }

    fn put(&self, name: &str, content: Vec<u8>) -> Result<(), Box<dyn Error + Send + Sync>> {
        self.up()?;
        self.objects.lock().unwrap().insert(name.to_owned(), content);
        self.changed.notify_all();
        Ok(())
    }
}

const SECRET: [u8; SECRET_BYTES] = [7; SECRET_BYTES];

fn blobs(bucket: &Arc<Memory>) -> SharedBlobs {
    SharedBlobs::new(bucket.clone(), &SECRET).unwrap()
}

fn replica(bucket: &Arc<Memory>, secret: &[u8]) -> (SharedStore, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let local = RecordStore::open(folder.path(), 1 << 20).unwrap();
    (SharedStore::new(local, SharedBlobs::new(bucket.clone(), secret).unwrap()), folder)
}

fn key(name: &str) -> Digest {
    Digest::of_bytes(name.as_bytes())
}

#[test]
fn what_one_replica_makes_another_has() {
    let bucket = Arc::new(Memory::default());
    let (first, _one) = replica(&bucket, &SECRET);
    first.save(key("a"), 0, b"password: hunter2");
    assert_eq!(first.load(key("a")), [b"password: hunter2"]);
    bucket.wait_for(1);
    assert_eq!(bucket.asked(), (0, 0), "what is here is not asked for");

    let (second, _two) = replica(&bucket, &SECRET);
    assert_eq!(second.load(key("a")), [b"password: hunter2"]);
    assert_eq!(second.load(key("a")), [b"password: hunter2"]);
    assert!(second.load(key("b")).is_empty() && second.load(key("c")).is_empty());
    assert_eq!(bucket.asked(), (1, 1), "one list, and one object, which is kept");

    // The bucket itself learns neither the content nor what it is of.
    let objects = bucket.objects.lock().unwrap();
    let (name, content) = objects.first_key_value().unwrap();
    assert!(!content.windows(7).any(|bytes| bytes == b"hunter2"));
    assert_ne!(*name, key("a").to_string());
}

#[test]
fn what_somebody_else_wrote_is_no_record() {
    let bucket = Arc::new(Memory::default());
    let (first, _one) = replica(&bucket, &SECRET);
    first.save(key("a"), 0, b"a record");
    first.save(key("b"), 0, b"another");
    bucket.wait_for(2);
    // With another secret it is not even found.
    let (stranger, _two) = replica(&bucket, &[8; SECRET_BYTES]);
    assert!(stranger.load(key("a")).is_empty());
    // Under another name, and changed.
    {
        let mut objects = bucket.objects.lock().unwrap();
        let names: Vec<String> = objects.keys().cloned().collect();
        let moved = objects[&names[0]].clone();
        objects.insert(names[1].clone(), moved);
        objects.get_mut(&names[0]).unwrap()[20] ^= 1;
    }
    let (second, _three) = replica(&bucket, &SECRET);
    assert!(second.load(key("a")).is_empty() && second.load(key("b")).is_empty());
    // It is made anew, and put in its place.
    second.save(key("a"), 0, b"a record");
    assert_eq!(second.load(key("a")), [b"a record"]);
}

#[test]
fn without_the_bucket_everything_works_as_without_it() {
    let bucket = Arc::new(Memory::default());
    bucket.is_down.store(true, Ordering::Relaxed);
    let (store, _folder) = replica(&bucket, &SECRET);
    for _ in 0..3 {
        assert!(store.load(key("a")).is_empty());
    }
    assert_eq!(bucket.asked().0, 1, "it is left alone for a while");
    store.save(key("a"), 0, b"a record");
    assert_eq!(store.load(key("a")), [b"a record"]);
    assert!(SharedBlobs::new(bucket, b"short").is_err());
}

#[test]
fn what_is_large_stays_here_and_what_waits_is_bounded() {
    let bucket = Arc::new(Memory::default());
    let (ours, theirs) = (blobs(&bucket), blobs(&bucket));
    ours.save(key("large"), &vec![7; (16 << 20) + 1]);
    // Holds up the writing thread, so that the next ones wait; 64 MiB may.
    let held = bucket.objects.lock().unwrap();
    for idx in 0..6 {
        ours.save(key(&format!("{idx}")), &vec![idx; 16 << 20]);
    }
    drop(held);
    bucket.wait_for(4);
    ours.save(key("last"), b"content");
    bucket.wait_for(5);
    assert_eq!(theirs.load(key("last")).unwrap(), b"content");
    assert_eq!(theirs.load(key("3")).unwrap(), vec![3; 16 << 20]);
    for absent in ["large", "4", "5"] {
        assert!(theirs.load(key(absent)).is_none(), "{absent}");
    }
}
