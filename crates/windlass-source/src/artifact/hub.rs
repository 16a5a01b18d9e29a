//! The artifacts on disk and everything they come from.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::error::ArtifactError;
use super::limits::ArtifactLimits;
use super::tarball::Tarball;
use super::target::{ArtifactKind, ArtifactOptions, ArtifactRevision, ArtifactSnapshot, ArtifactTarget};
use super::tree_store::{SharedPacks, TreeStore};
use super::url::{ArtifactScheme, ArtifactUrl, check_web};
use super::web::{Web, protocol, refused, wrong};
use crate::bucket::{BucketObjects, BucketPart, Buckets, Service};
use crate::credentials::Access;
use crate::error::SourceError;
use crate::flight::{Flight, Freshness};
use crate::github_app::GitHubTokens;
use crate::helm_repository::HelmRepository;
use crate::oci::OciRepository;
use crate::policy::Policy;
use crate::store::Permits;
use crate::store_lock;
use crate::transport::http::Clients;

/// Charts, OCI artifacts and archives, fetched once and kept unpacked.
///
/// Everything in its folder can be fetched again, so it may be deleted whenever no process uses it. It holds no
/// credentials.
///
/// # Guarantees
///
/// A process killed at any moment leaves a store that opens and works. What is on disk is checked when it is read,
/// bounded by [`ArtifactLimits::stored_bytes`], and removed least recently used first; a Tree that is open stays
/// readable.
pub struct ArtifactStore {
    shared: Arc<Shared>,
    /// By place; one for each way in.
    repositories: Mutex<HashMap<String, Vec<Arc<ArtifactRepository>>>>,
    /// Held while the store is open.
    _lock: File,
}

/// What all repositories of a store have in common.
pub(crate) struct Shared {
    pub(crate) web: Web,
    pub(crate) trees: TreeStore,
    pub(crate) indexes: PathBuf,
}

/// Where artifacts come from, asked one batch at a time.
pub(crate) trait Origin: Send + Sync {
    /// Learns what there is now; called once before a batch.
    fn refresh(&self) -> Result<(), SourceError>;

    /// What a target stands for now, as far as can be told without fetching it.
    fn resolve(&self, target: &ArtifactTarget) -> Result<ArtifactRevision, SourceError>;

    /// What a target stands for now, and its files.
    fn update(&self, target: &ArtifactTarget) -> Result<ArtifactSnapshot, SourceError>;
}

impl ArtifactStore {
    /// Opens the store in `root`, creating the folder if it is missing.
    ///
    /// # Errors
    ///
    /// [`SourceError::StoreInUse`] when another process has it open, [`SourceError::Store`] when the folder cannot be
    /// used.
    pub fn open(
        root: impl Into<PathBuf>,
        policy: Policy,
        limits: ArtifactLimits,
    ) -> Result<Self, SourceError> {
        let root = root.into();
        let indexes = root.join("indexes");
        fs::create_dir_all(&indexes)
            .map_err(|error| SourceError::store("create the folder", &indexes, error))?;
        let lock = store_lock::lock(&root)?;
        let packs = root.join("packs");
        let trees = TreeStore::open(packs.clone(), limits.stored_bytes)
            .map_err(|error| SourceError::store("open", packs, error))?;
        let web = Web {
            clients: Clients::default(),
            io: Arc::default(),
            policy: Arc::new(policy),
            limits,
            permits: Permits::new(limits.conversations),
            github: GitHubTokens::default(),
        };
        Ok(Self {
            shared: Arc::new(Shared { web, trees, indexes }),
            repositories: Mutex::default(),
            _lock: lock,
        })
    }

    /// What is published at `url`, reached with `access`. Equal arguments give the same repository.
    ///
    /// Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`SourceError::Refused`] when policy forbids the address, [`SourceError::Protocol`] when the address is none
    /// of the kind.
    pub fn repository(
        &self,
        url: &ArtifactUrl,
        kind: ArtifactKind,
        access: &Access,
        options: &ArtifactOptions,
    ) -> Result<Arc<ArtifactRepository>, SourceError> {
        let shown = url.to_string();
        check_web(&self.shared.web.policy, url.web()).map_err(|source| refused(&shown, source))?;
        if (url.scheme() == ArtifactScheme::Oci) != (kind == ArtifactKind::Oci) {
            return Err(protocol(&shown, "a registry has an address that begins with oci://, others do not"));
        }
        if kind != ArtifactKind::Oci && !access.verifications.asked_of(url, "").is_empty() {
            return Err(wrong(&shown, "anything", ArtifactError::NotVerifiable));
        }
        let mut repositories = self.repositories.lock().unwrap_or_else(PoisonError::into_inner);
        let same_place = repositories.entry(url.normalised()).or_default();
        let is_same = |known: &&Arc<ArtifactRepository>| {
            known.url == *url && known.kind == kind && known.access == *access && known.options == *options
        };
        if let Some(known) = same_place.iter().find(is_same) {
            return Ok(known.clone());
        }
        let origin: Box<dyn Origin> = match kind {
            ArtifactKind::HelmRepository => Box::new(HelmRepository::new(
                url.clone(),
                access.clone(),
                options.clone(),
                self.shared.clone(),
            )),
            ArtifactKind::Oci => Box::new(OciRepository::new(
                url.clone(),
                access.clone(),
                options.clone(),
                self.shared.clone(),
            )),
            ArtifactKind::Archive => Box::new(Tarball::new(url.clone(), access.clone(), self.shared.clone())),
            ArtifactKind::Buckets => self.buckets(Service::S3, url, access),
            ArtifactKind::GoogleBuckets => self.buckets(Service::Google, url, access),
            ArtifactKind::AzureContainers => self.buckets(Service::Azure, url, access),
        };
        let repository = Arc::new(ArtifactRepository {
            url: url.clone(),
            kind,
            access: access.clone(),
            options: options.clone(),
            shared: self.shared.clone(),
            origin,
            updates: Flight::default(),
            listings: Flight::default(),
        });
        same_place.push(repository.clone());
        Ok(repository)
    }

    fn buckets(&self, service: Service, url: &ArtifactUrl, access: &Access) -> Box<dyn Origin> {
        Box::new(Buckets::new(service, url.clone(), access.clone(), self.shared.clone()))
    }

    /// Single objects of the bucket of `part`, read and written, at the server at `url`.
    ///
    /// Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`SourceError::Refused`] when policy forbids the address.
    pub fn bucket_objects(
        &self,
        url: &ArtifactUrl,
        access: &Access,
        part: BucketPart,
    ) -> Result<BucketObjects, SourceError> {
        check_web(&self.shared.web.policy, url.web()).map_err(|source| refused(&url.to_string(), source))?;
        Ok(BucketObjects::new(
            Buckets::new(Service::S3, url.clone(), access.clone(), self.shared.clone()),
            part,
        ))
    }

    /// Looks for artifacts that are not here in `packs`, and puts there what is fetched, from now on. The first call counts.
    pub fn share_packs(&self, packs: Arc<dyn SharedPacks>) {
        self.shared.trees.share(packs);
    }

    /// Forgets every repository that nobody else holds. What was fetched stays until its room is needed.
    pub fn forget_unused(&self) {
        let mut repositories = self.repositories.lock().unwrap_or_else(PoisonError::into_inner);
        repositories.retain(|_, same_place| {
            same_place.retain(|repository| Arc::strong_count(repository) > 1);
            !same_place.is_empty()
        });
    }

    /// Ends every request that is on its way with [`SourceError::Cancelled`]; later ones fail at once.
    pub fn interrupt(&self) {
        self.shared.web.io.interrupt();
    }

    pub(super) fn trees(&self) -> &TreeStore {
        &self.shared.trees
    }

    pub(super) fn limits(&self) -> &ArtifactLimits {
        &self.shared.web.limits
    }

    pub(super) fn web(&self) -> &Web {
        &self.shared.web
    }

    /// The rules that addresses are checked against.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.shared.web.policy
    }
}

/// A Helm repository, a registry's repository or an archive, reached with one set of credentials.
///
/// Methods block on the network and the disk: call them from a blocking thread, or use the `_async` forms. However
/// many threads ask at once, at most one batch of requests is on its way and one more is prepared for those who need
/// news.
pub struct ArtifactRepository {
    url: ArtifactUrl,
    kind: ArtifactKind,
    access: Access,
    options: ArtifactOptions,
    shared: Arc<Shared>,
    origin: Box<dyn Origin>,
    updates: Flight<ArtifactTarget, Result<ArtifactSnapshot, SourceError>>,
    listings: Flight<ArtifactTarget, Result<ArtifactRevision, SourceError>>,
}

impl ArtifactRepository {
    /// The repository's address.
    #[must_use]
    pub fn url(&self) -> &ArtifactUrl {
        &self.url
    }

    /// What is published there.
    #[must_use]
    pub fn kind(&self) -> ArtifactKind {
        self.kind
    }

    /// Finds out what each target stands for now, and makes its files available.
    ///
    /// An index is asked for once for all of them, and sent only when it has changed; an archive that is on disk is
    /// not sent again. A target that fails does not fail the others.
    pub fn update(
        &self,
        targets: &BTreeSet<ArtifactTarget>,
        freshness: Freshness,
    ) -> BTreeMap<ArtifactTarget, Result<ArtifactSnapshot, SourceError>> {
        let answers = self.updates.ask(targets, freshness, |all| self.run(all, |it| self.origin.update(it)));
        self.complete(targets, answers)
    }

    /// As [`update`](Self::update), for one target.
    ///
    /// # Errors
    ///
    /// [`SourceError`] says what is wrong with the repository or the target.
    pub fn update_one(
        &self,
        target: &ArtifactTarget,
        freshness: Freshness,
    ) -> Result<ArtifactSnapshot, SourceError> {
        let targets = BTreeSet::from([target.clone()]);
        self.update(&targets, freshness).remove(target).unwrap_or_else(|| Err(self.unanswered()))
    }

    /// Finds out what each target stands for now, and fetches only what nothing else tells the digest of.
    pub fn resolve(
        &self,
        targets: &BTreeSet<ArtifactTarget>,
        freshness: Freshness,
    ) -> BTreeMap<ArtifactTarget, Result<ArtifactRevision, SourceError>> {
        let answers =
            self.listings.ask(targets, freshness, |all| self.run(all, |it| self.origin.resolve(it)));
        self.complete(targets, answers)
    }

    /// As [`update`](Self::update), on Tokio's blocking threads.
    ///
    /// # Cancel safety
    ///
    /// A dropped future loses the answer; the transfer itself goes on and what it fetched is kept.
    pub async fn update_async(
        self: &Arc<Self>,
        targets: BTreeSet<ArtifactTarget>,
        freshness: Freshness,
    ) -> BTreeMap<ArtifactTarget, Result<ArtifactSnapshot, SourceError>> {
        let (repository, wanted) = (self.clone(), targets.clone());
        let job = tokio::task::spawn_blocking(move || repository.update(&wanted, freshness));
        self.complete(&targets, job.await.unwrap_or_default())
    }

    /// As [`resolve`](Self::resolve), on Tokio's blocking threads.
    ///
    /// # Cancel safety
    ///
    /// A dropped future loses the answer and nothing else.
    pub async fn resolve_async(
        self: &Arc<Self>,
        targets: BTreeSet<ArtifactTarget>,
        freshness: Freshness,
    ) -> BTreeMap<ArtifactTarget, Result<ArtifactRevision, SourceError>> {
        let (repository, wanted) = (self.clone(), targets.clone());
        let job = tokio::task::spawn_blocking(move || repository.resolve(&wanted, freshness));
        self.complete(&targets, job.await.unwrap_or_default())
    }

    fn run<T>(
        &self,
        targets: &BTreeSet<ArtifactTarget>,
        answer: impl Fn(&ArtifactTarget) -> Result<T, SourceError>,
    ) -> BTreeMap<ArtifactTarget, Result<T, SourceError>> {
        let _permit = self.shared.web.permits.acquire();
        match self.origin.refresh() {
            Ok(()) => targets.iter().map(|target| (target.clone(), answer(target))).collect(),
            Err(error) => targets.iter().map(|target| (target.clone(), Err(error.clone()))).collect(),
        }
    }

    fn complete<T>(
        &self,
        targets: &BTreeSet<ArtifactTarget>,
        mut answers: BTreeMap<ArtifactTarget, Result<T, SourceError>>,
    ) -> BTreeMap<ArtifactTarget, Result<T, SourceError>> {
        for target in targets {
            answers.entry(target.clone()).or_insert_with(|| Err(self.unanswered()));
        }
        answers
    }

    fn unanswered(&self) -> SourceError {
        SourceError::Cancelled { repository: self.url.to_string() }
    }
}

impl fmt::Debug for ArtifactRepository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ArtifactRepository({})", self.url)
    }
}
