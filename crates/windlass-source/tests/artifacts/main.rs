//! Charts, OCI artifacts and archives, from servers on real sockets, with the real Helm beside us.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod buckets;
mod charts;
mod faults;
mod folders;
mod helm;
mod identities;
mod registry;
mod signatures;
mod tarballs;
mod versions;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use windlass_model::Tree;
use windlass_source::{
    Access, ArtifactKind, ArtifactLimits, ArtifactOptions, ArtifactRepository, ArtifactSnapshot,
    ArtifactStore, ArtifactTarget, Authentication, Freshness, Policy, SourceError, Timeouts, Tls, chain,
};

/// A store in a temporary folder that trusts loopback addresses.
struct Rig {
    store: ArtifactStore,
    folder: TempDir,
}

impl Rig {
    fn new() -> Self {
        Self::with(ArtifactLimits::default())
    }

    fn with(limits: ArtifactLimits) -> Self {
        let folder = TempDir::with_prefix("windlass-artifacts-").unwrap();
        let store = ArtifactStore::open(folder.path().join("store"), Policy::trusting(), limits).unwrap();
        Self { store, folder }
    }

    /// The same folder, opened by the next process.
    fn restarted(self) -> Self {
        let Self { store, folder } = self;
        drop(store);
        let path = folder.path().join("store");
        let store = ArtifactStore::open(path, Policy::trusting(), ArtifactLimits::default()).unwrap();
        Self { store, folder }
    }

    fn charts(&self, url: &str, access: &Access) -> Arc<ArtifactRepository> {
        let options = ArtifactOptions::default();
        self.store.repository(&url.parse().unwrap(), ArtifactKind::HelmRepository, access, &options).unwrap()
    }

    fn registry(&self, url: &str, access: &Access) -> Arc<ArtifactRepository> {
        let access = Access { plain_http: access.tls == Tls::default(), ..access.clone() };
        let options = ArtifactOptions::default();
        self.store.repository(&url.parse().unwrap(), ArtifactKind::Oci, &access, &options).unwrap()
    }

    fn archive(&self, url: &str, access: &Access) -> Arc<ArtifactRepository> {
        let options = ArtifactOptions::default();
        self.store.repository(&url.parse().unwrap(), ArtifactKind::Archive, access, &options).unwrap()
    }
}

/// Ada's password, which may go over http in tests.
fn ada() -> Access {
    Access {
        authentication: Authentication::Basic { username: "ada".into(), password: "s3cret".into() },
        credentials_over_http: true,
        ..Access::default()
    }
}

/// Time limits for tests in which a server is silent.
fn impatient() -> Access {
    Access {
        timeouts: Timeouts { connect: Duration::from_secs(10), silence: Duration::from_millis(400) },
        ..Access::default()
    }
}

fn trusting(authority: &str) -> Access {
    Access { tls: Tls { authorities: Some(authority.to_string()), ..Tls::default() }, ..Access::default() }
}

fn chart(name: &str, version: &str) -> ArtifactTarget {
    ArtifactTarget::Chart { name: name.into(), version: version.into() }
}

fn update(repository: &ArtifactRepository, target: &ArtifactTarget) -> Result<ArtifactSnapshot, SourceError> {
    repository.update_one(target, Freshness::New)
}

/// The whole message of a failed update, with the servers' ports left out.
fn failure(repository: &ArtifactRepository, target: &ArtifactTarget) -> String {
    let text = chain(&update(repository, target).unwrap_err());
    assert!(!text.contains("s3cret"), "{text}");
    let mut shown = String::new();
    for (at, part) in text.split("127.0.0.1:").enumerate() {
        if at > 0 {
            shown.push_str("HOST");
        }
        shown.push_str(if at > 0 { part.trim_start_matches(|c: char| c.is_ascii_digit()) } else { part });
    }
    shown
}

fn version_of(snapshot: &ArtifactSnapshot) -> &str {
    snapshot.revision.version.as_deref().unwrap_or_default()
}

fn text_at(snapshot: &ArtifactSnapshot, path: &str) -> Option<String> {
    let bytes = snapshot.tree.read(path, 1 << 20).unwrap()?;
    Some(String::from_utf8(bytes.to_vec()).unwrap())
}

fn set(targets: &[ArtifactTarget]) -> BTreeSet<ArtifactTarget> {
    targets.iter().cloned().collect()
}

/// A gzipped tar archive of these files.
fn tgz(files: &[(&str, &str)]) -> Vec<u8> {
    let encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    let mut archive = tar::Builder::new(encoder);
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, path, content.as_bytes()).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

/// A packaged chart, small and without Helm's help.
fn packaged(name: &str, version: &str) -> Vec<u8> {
    let chart_file = format!("apiVersion: v2\nname: {name}\nversion: {version}\n");
    tgz(&[
        (&format!("{name}/Chart.yaml"), &chart_file),
        (&format!("{name}/values.yaml"), "replicas: 1\n"),
        (&format!("{name}/templates/note.yaml"), &format!("# {name} {version}\n")),
    ])
}
