//! What kustomizations name by an address, fetched for one build: repositories, files and charts.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Result;
use windlass_kustomize::remote::{Remote, RepositoryAddress, http_status};
use windlass_kustomize::{Error, ErrorKind, MAX_FILE};
use windlass_model::Tree;
use windlass_render::{ChartAddress, ChartFetcher};
use windlass_source::{
    Access, ArtifactKind, ArtifactLimits, ArtifactOptions, ArtifactScheme, ArtifactSnapshot, ArtifactStore,
    ArtifactTarget, ArtifactUrl, Authentication, FileAnswer, Freshness, KnownHosts, Limits, Policy,
    RepositoryStore, RepositoryUrl, Scheme, Secret, TargetRevision, Timeouts, Verifications, chain,
};

use crate::output;
use crate::up::Scratch;

/// Fetches into a folder that goes away with it. Nothing is opened before the first address.
#[derive(Default)]
pub(crate) struct Fetcher {
    stores: OnceLock<Result<Stores, String>>,
    /// Whose signatures artifacts must have.
    verifications: Verifications,
    /// Whether registries are asked over plain HTTP.
    plain_http: bool,
}

struct Stores {
    repositories: RepositoryStore,
    artifacts: ArtifactStore,
    _folder: Scratch,
}

impl Stores {
    fn open() -> Result<Self> {
        let folder = Scratch::new()?;
        // The user's own machine: what it reaches, the user may reach.
        let policy = Policy::trusting();
        Ok(Self {
            repositories: RepositoryStore::open(folder.path.join("git"), policy.clone(), Limits::default())?,
            artifacts: ArtifactStore::open(folder.path.join("artifacts"), policy, ArtifactLimits::default())?,
            _folder: folder,
        })
    }
}

impl Fetcher {
    /// One that takes only artifacts that are signed as is asked for.
    pub(crate) fn new(verifications: Verifications, plain_http: bool) -> Self {
        Self { stores: OnceLock::new(), verifications, plain_http }
    }

    /// As `access`, with what is asked of everything.
    fn asking(&self, access: &Access) -> Access {
        let plain_http = access.plain_http || self.plain_http;
        Access { verifications: self.verifications.clone(), plain_http, ..access.clone() }
    }

    fn stores(&self) -> Result<&Stores, String> {
        let stores = self.stores.get_or_init(|| Stores::open().map_err(|error| format!("{error:#}")));
        stores.as_ref().map_err(Clone::clone)
    }

    /// A state of a repository, and the commit.
    pub(crate) fn clone_repository(
        &self,
        address: &RepositoryAddress,
    ) -> Result<(Arc<dyn Tree>, String), String> {
        self.clone_with(address, |_, access| access)
    }

    /// The same, reached with what `access_to` makes of what is known of the user.
    pub(crate) fn clone_with(
        &self,
        address: &RepositoryAddress,
        access_to: impl Fn(&RepositoryUrl, Access) -> Access,
    ) -> Result<(Arc<dyn Tree>, String), String> {
        let url: RepositoryUrl = address.repository.parse().map_err(|error| chain(&error))?;
        // What kustomize hands to `git fetch`: never a range of versions.
        let target = match address.reference.as_str() {
            "" | "HEAD" => TargetRevision::Head,
            text => match text.parse() {
                Ok(commit) => TargetRevision::Commit(commit),
                Err(_) => TargetRevision::Name(text.to_owned()),
            },
        };
        self.clone_at(&url, &target, address.timeout, address.submodules, access_to)
    }

    /// A revision of a repository, reached with what `access_to` makes of what is known of the user.
    pub(crate) fn clone_at(
        &self,
        url: &RepositoryUrl,
        target: &TargetRevision,
        timeout: Duration,
        submodules: bool,
        access_to: impl Fn(&RepositoryUrl, Access) -> Access,
    ) -> Result<(Arc<dyn Tree>, String), String> {
        let connect = Timeouts::default().connect.min(timeout);
        let access = Access {
            timeouts: Timeouts { connect, silence: timeout },
            ..if url.scheme() == Scheme::Ssh { own_ssh_access() } else { Access::default() }
        };
        let access = access_to(url, access);
        let stores = self.stores()?;
        let repository = stores.repositories.repository(url, &access).map_err(|error| chain(&error))?;
        let snapshot = repository.update_one(target, Freshness::Shared).map_err(|error| chain(&error))?;
        let revision = snapshot.revision.to_string();
        if !submodules {
            return Ok((Arc::new(snapshot.tree), revision));
        }
        let access_to = |_: &RepositoryUrl, own: Access| own;
        let tree = stores.repositories.with_submodules(&repository, &snapshot, &access_to, Freshness::Shared);
        Ok((Arc::new(tree.map_err(|error| chain(&error))?), revision))
    }

    /// What is published at an address.
    pub(crate) fn artifact(
        &self,
        url: &ArtifactUrl,
        kind: ArtifactKind,
        access: &Access,
        target: &ArtifactTarget,
    ) -> Result<ArtifactSnapshot> {
        let stores = self.stores().map_err(|problem| anyhow::anyhow!("{problem}"))?;
        let access = self.asking(access);
        let repository = stores.artifacts.repository(url, kind, &access, &ArtifactOptions::default())?;
        let snapshot = repository.update_one(target, Freshness::Shared)?;
        for signer in &snapshot.signers {
            output::note(&format!("Signed by: {signer}"));
        }
        Ok(snapshot)
    }

    fn answer(&self, url: &str) -> Result<FileAnswer, String> {
        let url = ArtifactUrl::parse(url).map_err(|error| chain(&error))?;
        self.stores()?.artifacts.file(&url, &Access::default(), MAX_FILE).map_err(|error| chain(&error))
    }

    fn pull(&self, address: &ChartAddress) -> Result<Arc<dyn Tree>, String> {
        let url =
            ArtifactUrl::parse(address.repository.trim_end_matches('/')).map_err(|error| chain(&error))?;
        let kind = match url.scheme() {
            ArtifactScheme::Oci => ArtifactKind::Oci,
            _ => ArtifactKind::HelmRepository,
        };
        // Helm's `--devel` is this range; a version that is given goes over it.
        let version = match address.version.as_str() {
            "" if address.devel => ">0.0.0-0",
            version => version,
        };
        let target = ArtifactTarget::Chart { name: address.name.to_string(), version: version.to_owned() };
        let stores = self.stores()?;
        let access = self.asking(&Access::default());
        let repository = stores.artifacts.repository(&url, kind, &access, &ArtifactOptions::default());
        let snapshot = repository
            .and_then(|repository| repository.update_one(&target, Freshness::Shared))
            .map_err(|error| chain(&error))?;
        Ok(Arc::new(snapshot.tree))
    }
}

/// The first of the user's keys, and the hosts that the user's ssh knows.
fn own_ssh_access() -> Access {
    const KEYS: [&str; 3] = ["id_ed25519", "id_ecdsa", "id_rsa"];
    let Some(home) = std::env::var_os("HOME") else { return Access::default() };
    let folder = PathBuf::from(home).join(".ssh");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
    let mut access = Access::default();
    if let Some(key) = KEYS.iter().find_map(|name| read(name)) {
        access.authentication = Authentication::SshKey { private_key: Secret::new(key), passphrase: None };
    }
    if let Some(known) = read("known_hosts") {
        access.known_hosts = KnownHosts::Strict(known);
    }
    access
}

impl Remote for Fetcher {
    fn repository(&self, address: &RepositoryAddress) -> windlass_kustomize::Result<Arc<dyn Tree>> {
        let fetched = self.clone_repository(address);
        fetched.map(|(tree, _)| tree).map_err(|problem| Error::new(ErrorKind::Remote, problem))
    }

    fn file(&self, url: &str) -> windlass_kustomize::Result<Arc<[u8]>> {
        match self.answer(url).map_err(|problem| Error::new(ErrorKind::Remote, problem))? {
            FileAnswer::Found(bytes) => Ok(bytes.into()),
            FileAnswer::Status(status, words) => Err(http_status(status, words)),
        }
    }
}

impl ChartFetcher for Fetcher {
    fn chart(&self, address: &ChartAddress) -> Result<Arc<dyn Tree>, String> {
        self.pull(address)
    }
}
