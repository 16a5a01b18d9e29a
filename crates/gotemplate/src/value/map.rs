//! Maps, which are shared and change for everyone who holds them.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::kind::{Type, types};
use super::{Str, Value, reclaim};

/// What a map holds, in the order of its keys.
pub type Entries = BTreeMap<Str, Value>;

/// A Go map with string keys, with its Go type.
///
/// Go's maps are references, and charts rely on it: `set` changes the map for everyone who holds it. So a
/// clone is the same map. [`Map::copy`] makes another one with the same entries.
///
/// Never call back into a template or another map while holding a guard of [`Map::read`] or [`Map::write`]:
/// a map may contain itself.
#[derive(Clone)]
pub struct Map(Arc<Inner>, &'static Type);

struct Inner {
    is_nil: bool,
    entries: RwLock<Entries>,
}

impl Map {
    /// An empty `map[string]any`.
    #[must_use]
    pub fn new() -> Self {
        Self::typed(&types::MAP, Entries::new())
    }

    /// A map of the type `kind`, whose values are of its element type.
    #[must_use]
    pub fn typed(kind: &'static Type, entries: Entries) -> Self {
        Self(Arc::new(Inner { is_nil: false, entries: RwLock::new(entries) }), kind)
    }

    /// The nil map of the type `kind`, which encoders print as `null`.
    #[must_use]
    pub fn nil(kind: &'static Type) -> Self {
        Self(Arc::new(Inner { is_nil: true, entries: RwLock::default() }), kind)
    }

    /// Its type.
    #[must_use]
    pub fn type_of(&self) -> &'static Type {
        self.1
    }

    /// The same map under another type with the same elements: what a conversion between a named map type and the
    /// unnamed one behind it gives in Go.
    #[must_use]
    pub fn converted(&self, kind: &'static Type) -> Self {
        Self(Arc::clone(&self.0), kind)
    }

    /// Whether this is a nil map, which is empty and cannot be written to.
    #[must_use]
    pub fn is_nil(&self) -> bool {
        self.0.is_nil
    }

    /// The value under `key`.
    #[must_use]
    pub fn get(&self, key: &(impl AsRef<[u8]> + ?Sized)) -> Option<Value> {
        self.read().get(key.as_ref()).cloned()
    }

    /// Whether there is a value under `key`.
    #[must_use]
    pub fn contains_key(&self, key: &(impl AsRef<[u8]> + ?Sized)) -> bool {
        self.read().contains_key(key.as_ref())
    }

    /// Puts `value` under `key`, for everyone who holds this map; returns what was there.
    pub fn insert(&self, key: impl Into<Str>, value: Value) -> Option<Value> {
        self.write().insert(key.into(), value)
    }

    /// Takes away what is under `key`, for everyone who holds this map.
    pub fn remove(&self, key: &(impl AsRef<[u8]> + ?Sized)) -> Option<Value> {
        self.write().remove(key.as_ref())
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.read().len()
    }

    /// Whether there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.read().is_empty()
    }

    /// The entries as they are now, in the order of their keys.
    #[must_use]
    pub fn entries(&self) -> Vec<(Str, Value)> {
        self.read().iter().map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    /// The keys as they are now, sorted.
    #[must_use]
    pub fn keys(&self) -> Vec<Str> {
        self.read().keys().cloned().collect()
    }

    /// Another map with the same entries; what they refer to is shared.
    #[must_use]
    pub fn copy(&self) -> Self {
        let entries = self.read().clone();
        Self(Arc::new(Inner { is_nil: self.0.is_nil, entries: RwLock::new(entries) }), self.1)
    }

    /// Whether both are the same map, not only equal ones.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// A number that no other map has while this one lives.
    #[must_use]
    pub fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// Borrows the entries. Short: see the note on the type.
    pub fn read(&self) -> RwLockReadGuard<'_, Entries> {
        self.0.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Borrows the entries to change them. Short: see the note on the type.
    pub fn write(&self) -> RwLockWriteGuard<'_, Entries> {
        self.0.entries.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Map {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let entries = self.entries.get_mut().unwrap_or_else(PoisonError::into_inner);
        if !entries.is_empty() {
            reclaim::values(std::mem::take(entries).into_values().collect());
        }
    }
}

impl<K: Into<Str>> FromIterator<(K, Value)> for Map {
    fn from_iter<I: IntoIterator<Item = (K, Value)>>(entries: I) -> Self {
        let entries = entries.into_iter().map(|(key, value)| (key.into(), value)).collect();
        Self::typed(&types::MAP, entries)
    }
}
