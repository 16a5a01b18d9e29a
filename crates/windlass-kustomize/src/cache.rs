//! What files say, kept for other builds that read the same bytes: many overlays lie on one base.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::Result;
use crate::kustomization::{Kustomization, Loaded};
use crate::node::Node;
use crate::reader;

/// What nodes take in memory for each byte of text, by measure.
const NODE_BYTES: usize = 24;

/// Files that were read, by their bytes. Builds on many threads may share one.
///
/// What a build gives does not depend on it: it holds nothing but what parsing the same bytes again would give. The
/// files themselves are asked of the Tree each time, so that whoever records reads sees them.
pub struct Cache {
    objects: Kept<Vec<Node>>,
    kustomizations: Kept<Loaded>,
}

impl Cache {
    /// A cache that keeps about `capacity` bytes; what was not used for longest goes first.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { objects: Kept::new(capacity - capacity / 8), kustomizations: Kept::new(capacity / 8) }
    }

    /// [`reader::objects`] of a file.
    pub(crate) fn objects(&self, bytes: &Arc<[u8]>) -> Result<Vec<Node>> {
        if let Some(kept) = self.objects.get(bytes) {
            return Ok(kept.as_ref().clone());
        }
        let objects = reader::objects(bytes)?;
        self.objects.keep(bytes, Arc::new(objects.clone()));
        Ok(objects)
    }

    /// [`Kustomization::load`] of a file.
    pub(crate) fn kustomization(&self, bytes: &Arc<[u8]>, text: &str, root: &str) -> Result<Loaded> {
        if let Some(kept) = self.kustomizations.get(bytes) {
            return Ok(kept.as_ref().clone());
        }
        let loaded = Kustomization::load(text, root)?;
        self.kustomizations.keep(bytes, Arc::new(loaded.clone()));
        Ok(loaded)
    }
}

struct Kept<T> {
    state: Mutex<State<Arc<[u8]>, Arc<T>>>,
    capacity: usize,
}

struct State<K, V> {
    /// With when it was last used, and its bytes.
    entries: HashMap<K, (V, u64, usize)>,
    clock: u64,
    bytes: usize,
}

impl<T> Kept<T> {
    fn new(capacity: usize) -> Self {
        let state = State { entries: HashMap::new(), clock: 0, bytes: 0 };
        Self { state: Mutex::new(state), capacity }
    }

    fn get(&self, key: &Arc<[u8]>) -> Option<Arc<T>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.clock += 1;
        let now = state.clock;
        let (value, used, _) = state.entries.get_mut(key)?;
        *used = now;
        Some(Arc::clone(value))
    }

    fn keep(&self, key: &Arc<[u8]>, value: Arc<T>) {
        let bytes = key.len() * NODE_BYTES + 256;
        if bytes > self.capacity / 2 {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.clock += 1;
        let now = state.clock;
        if state.entries.insert(Arc::clone(key), (value, now, bytes)).is_none() {
            state.bytes += bytes;
        }
        if state.bytes > self.capacity {
            state.shrink(self.capacity - self.capacity / 4);
        }
    }
}

impl<K: Clone + Eq + Hash, V> State<K, V> {
    /// Drops what was not used for longest, down to `bytes`: many at once, so that this is seldom.
    fn shrink(&mut self, bytes: usize) {
        let mut by_use: Vec<(u64, K)> =
            self.entries.iter().map(|(key, (_, used, _))| (*used, key.clone())).collect();
        by_use.sort_unstable_by_key(|(used, _)| *used);
        for (_, key) in by_use {
            if self.bytes <= bytes {
                return;
            }
            if let Some((_, _, size)) = self.entries.remove(&key) {
                self.bytes -= size;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> Arc<[u8]> {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n").into_bytes().into()
    }

    #[test]
    fn the_same_bytes_are_parsed_once_and_memory_is_bounded() {
        let cache = Cache::new(64 * 1024);
        let first = cache.objects(&file("a")).unwrap();
        assert_eq!(cache.objects(&file("a")).unwrap(), first);
        assert_eq!(cache.objects.state.lock().unwrap().entries.len(), 1);
        for number in 0..1000 {
            cache.objects(&file(&number.to_string())).unwrap();
            assert!(cache.objects.state.lock().unwrap().bytes <= 64 * 1024);
        }
        let kept = cache.objects.state.lock().unwrap().entries.len();
        assert!(kept > 5 && kept < 100, "{kept}");
    }

    #[test]
    fn errors_are_not_kept() {
        let cache = Cache::new(64 * 1024);
        let broken: Arc<[u8]> = b"a: [".as_slice().into();
        assert!(cache.objects(&broken).is_err());
        assert!(cache.objects.state.lock().unwrap().entries.is_empty());
    }
}
