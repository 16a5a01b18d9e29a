//! The store as it was at one revision, taken in a moment and written to a file while the store goes on.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use windlass_kube::Str;

use super::{BackendError, EventKind, Record, Revision, Shared, Stored, sqlite};

/// Everything at one revision, and the changes that are remembered. Nothing is copied: objects do not change.
pub(super) struct Image {
    pub(super) revision: Revision,
    /// Changes up to here are unknown, whatever the resource.
    pub(super) floor: Revision,
    /// Of these resources, changes up to these revisions are no longer known.
    pub(super) horizons: Vec<(Str, Revision)>,
    versions: BTreeMap<Revision, (Str, EventKind, Arc<Stored>)>,
}

impl Image {
    /// Only right between two commits.
    pub(super) fn of(shared: &Shared) -> Self {
        let floor = shared.floor.load(Ordering::Acquire);
        let revision = shared.published.load(Ordering::Acquire);
        let mut horizons = Vec::new();
        let mut versions = BTreeMap::new();
        for (resource, table) in shared.tables.read().expect("no panic under this lock").iter() {
            let horizon = table.versions(&mut |kind, stored| {
                versions.insert(stored.revision(), (resource.clone(), kind, stored.clone()));
            });
            if horizon > floor {
                horizons.push((resource.clone(), horizon));
            }
        }
        Self { revision, floor, horizons, versions }
    }

    /// The versions, in the order of their revisions.
    pub(super) fn records(&self) -> impl Iterator<Item = Record> {
        self.versions.values().map(|(resource, kind, stored)| Record {
            resource: resource.clone(),
            key: stored.key().clone(),
            revision: stored.revision(),
            kind: *kind,
            json: stored.json(),
        })
    }

    /// Writes it to a new or empty file, with what else is to be in there.
    pub(super) fn write(&self, path: &Path, carried: &[Carried]) -> Result<(), BackendError> {
        sqlite::copy::write(path, self, carried)
    }
}

/// A small text that a copy of the store carries beside the objects, such as a key of the server.
#[derive(Clone, PartialEq, Eq)]
pub struct Carried {
    /// What it is called.
    pub name: String,
    /// What it says; not printed.
    pub text: String,
}

impl std::fmt::Debug for Carried {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Carried").field("name", &self.name).finish_non_exhaustive()
    }
}
