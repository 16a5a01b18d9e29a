//! The Git source against real servers: `git http-backend` over http and TLS, `sshd`, and local repositories.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod crash;
mod github_app;
mod large;
mod lfs;
mod lfs_remote;
mod local;
mod packs;
mod proxy;
mod remote;
mod signatures;
mod ssh;
mod submodules;
mod trees;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use windlass_source::{
    Access, CommitId, Freshness, Limits, Policy, Repository, RepositoryStore, Snapshot, SourceError,
    TargetRevision, Timeouts, chain,
};

/// A store in a temporary folder that trusts loopback addresses and local paths.
struct Rig {
    store: RepositoryStore,
    folder: TempDir,
}

impl Rig {
    fn new() -> Self {
        Self::with(Policy::trusting(), Limits::default())
    }

    fn with(policy: Policy, limits: Limits) -> Self {
        let folder = TempDir::with_prefix("windlass-source-").unwrap();
        let store = RepositoryStore::open(folder.path().join("store"), policy, limits).unwrap();
        Self { store, folder }
    }

    fn repository(&self, url: &str, access: &Access) -> Arc<Repository> {
        self.store.repository(&url.parse().unwrap(), access).unwrap()
    }

    /// The same folder, opened by the next process.
    fn restarted(self) -> Self {
        let Self { store, folder } = self;
        drop(store);
        let path = folder.path().join("store");
        let store = RepositoryStore::open(path, Policy::trusting(), Limits::default()).unwrap();
        Self { store, folder }
    }

    fn anonymous(&self, url: &str) -> Arc<Repository> {
        self.repository(url, &Access::default())
    }
}

/// Time limits for tests in which a server is silent.
fn impatient() -> Access {
    Access {
        timeouts: Timeouts { connect: Duration::from_secs(10), silence: Duration::from_millis(400) },
        ..Access::default()
    }
}

fn target(text: &str) -> TargetRevision {
    TargetRevision::parse(text, "")
}

fn targets(texts: &[&str]) -> BTreeSet<TargetRevision> {
    texts.iter().map(|text| target(text)).collect()
}

fn update(repository: &Repository, text: &str) -> Result<Snapshot, SourceError> {
    repository.update_one(&target(text), Freshness::New)
}

/// The whole message of a failed update, without what could differ from run to run.
fn failure(repository: &Repository, text: &str) -> String {
    chain(&update(repository, text).unwrap_err())
}

fn text_at(snapshot: &Snapshot, path: &str) -> Option<String> {
    use windlass_model::Tree;
    let bytes = snapshot.tree.read(path, 1 << 20).unwrap()?;
    Some(String::from_utf8(bytes.to_vec()).unwrap())
}

fn commit(id: &windlass_testing::CommitId) -> CommitId {
    id.as_str().parse().unwrap()
}

/// Bytes that do not compress, so that a pack of them is long; the same for the same length.
fn noise(length: u64) -> Vec<u8> {
    let mut state = length | 1;
    let mut next = move || {
        // Xorshift64, Marsaglia 2003.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..length).map(|_| next()).collect()
}
