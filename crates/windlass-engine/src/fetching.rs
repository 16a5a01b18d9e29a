//! Fetches what Units come from: Git repositories with their submodules, charts, artifacts.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use windlass_argo::Lowered;
use windlass_kube::Str;
use windlass_kustomize::MAX_FILE;
use windlass_model::{
    BucketAddress, BucketService, Digest, MemoryTree, SourceKind, SourceSpec, Tree, archive_url,
};
use windlass_source::{
    Access, ArchiveRoot, ArtifactKind, ArtifactLimits, ArtifactOptions, ArtifactRepository, ArtifactRevision,
    ArtifactSnapshot, ArtifactStore, ArtifactTarget, ArtifactTree, ArtifactUrl, BucketObjects, BucketPart,
    CompositeTree, FileAnswer, Freshness, GitTree, LayerSelector, LfsTree, Limits, OciReference,
    ParseUrlError, Policy, Repository, RepositoryStore, RepositoryUrl, Revision, SharedPacks, Snapshot,
    SourceError, TargetRevision,
};

use crate::credentials::Credentials;
use crate::rendering::SourceTree;
use crate::signatures;

/// Everything that was fetched, in one folder.
pub struct SourceStores {
    git: RepositoryStore,
    artifacts: ArtifactStore,
}

impl SourceStores {
    /// Opens the stores below `folder`, creating what is missing.
    ///
    /// # Errors
    ///
    /// [`SourceError`] when the folder cannot be used, or another process uses it.
    pub fn open(folder: &Path, policy: Policy) -> Result<Self, SourceError> {
        Ok(Self {
            git: RepositoryStore::open(folder.join("git"), policy.clone(), Limits::default())?,
            artifacts: ArtifactStore::open(folder.join("artifacts"), policy, ArtifactLimits::default())?,
        })
    }

    /// Gives back memory that reading needed.
    pub(crate) fn release_readers(&self) {
        self.git.release_readers();
    }

    /// Shares artifacts that are fetched with others, from now on.
    pub(crate) fn share_packs(&self, packs: Arc<dyn SharedPacks>) {
        self.artifacts.share_packs(packs);
    }

    /// Single objects of a bucket.
    pub(crate) fn bucket_objects(
        &self,
        url: &ArtifactUrl,
        access: &Access,
        part: BucketPart,
    ) -> Result<BucketObjects, SourceError> {
        self.artifacts.bucket_objects(url, access, part)
    }

    /// The Git repository at a place.
    pub(crate) fn repository(
        &self,
        url: &RepositoryUrl,
        access: &Access,
    ) -> Result<Arc<Repository>, SourceError> {
        self.git.repository(url, access)
    }

    /// The folder at a place that is read as it is: one on this machine that policy allows, and no Git repository.
    pub(crate) fn folder_at(&self, place: &Place) -> Option<PathBuf> {
        let Place::Git(url) = place else { return None };
        let folder = url.local_path()?;
        (self.artifacts.policy().allows_folder(&folder) && !is_repository(&folder)).then_some(folder)
    }

    async fn folder(
        self: &Arc<Self>,
        folder: PathBuf,
        targets: BTreeSet<Target>,
    ) -> BTreeMap<Target, Result<Fetched, SourceError>> {
        let (stores, cancelled) =
            (self.clone(), SourceError::Cancelled { repository: folder.display().to_string() });
        let read = move || stores.artifacts.folder(&folder).map(Fetched::folder);
        let answer = tokio::task::spawn_blocking(read).await.unwrap_or(Err(cancelled));
        targets.into_iter().map(|target| (target, answer.clone())).collect()
    }

    /// Finds out what each target of a place stands for now, and makes its files available.
    ///
    /// One conversation serves all targets. What is `known` already is answered as it is.
    ///
    /// # Cancel safety
    ///
    /// A dropped future loses the answer; the transfer itself goes on and what it fetched is kept.
    pub(crate) async fn update(
        self: &Arc<Self>,
        place: &Place,
        access: &Access,
        credentials: &Arc<Credentials>,
        targets: BTreeSet<Target>,
        freshness: Freshness,
        known: &HashMap<Target, Fetched>,
    ) -> BTreeMap<Target, Result<Fetched, SourceError>> {
        if let Some(folder) = self.folder_at(place) {
            return self.folder(folder, targets).await;
        }
        match place {
            Place::Git(url) => match self.git.repository(url, access) {
                Ok(repository) => {
                    let revisions = targets.iter().filter_map(Target::revision).cloned().collect();
                    let answers = repository.update_async(revisions, freshness).await;
                    let mut fetched = BTreeMap::new();
                    for (revision, answer) in answers {
                        let target = Target::Git(revision);
                        let answer = match answer {
                            Ok(snapshot) => {
                                let known = known.get(&target).filter(|known| known.is_still(&snapshot));
                                match known.cloned() {
                                    Some(known) => Ok(known),
                                    None => self.with_submodules(&repository, snapshot, credentials).await,
                                }
                            }
                            Err(error) => Err(error),
                        };
                        fetched.insert(target, answer);
                    }
                    fetched
                }
                Err(error) => everyone(targets, &error),
            },
            Place::Artifacts { url, kind, options } => {
                let repository = self.artifacts.repository(url, *kind, access, options);
                self.artifacts_of(repository, targets, freshness).await
            }
            Place::Bucket(bucket) => {
                let options = ArtifactOptions::default();
                let repository = self.artifacts.repository(&bucket.server, bucket.kind(), access, &options);
                self.artifacts_of(repository, targets, freshness).await
            }
            Place::File(url) => {
                let (stores, url, access) = (self.clone(), url.clone(), access.clone());
                let cancelled = SourceError::Cancelled { repository: url.to_string() };
                let ask = move || stores.artifacts.file(&url, &access, MAX_FILE);
                let answer = tokio::task::spawn_blocking(ask).await.unwrap_or(Err(cancelled));
                targets.into_iter().map(|target| (target, answer.clone().map(Fetched::answer))).collect()
            }
        }
    }

    async fn artifacts_of(
        &self,
        repository: Result<Arc<ArtifactRepository>, SourceError>,
        targets: BTreeSet<Target>,
        freshness: Freshness,
    ) -> BTreeMap<Target, Result<Fetched, SourceError>> {
        let repository = match repository {
            Ok(repository) => repository,
            Err(error) => return everyone(targets, &error),
        };
        let wanted = targets.iter().filter_map(Target::artifact).cloned().collect();
        let answers = repository.update_async(wanted, freshness).await;
        let fetched = answers.into_iter().map(|(target, answer)| {
            let answer = answer.map(|snapshot| Fetched::artifact(&target, &snapshot.revision, snapshot.tree));
            (Target::Artifact(target), answer)
        });
        fetched.collect()
    }

    async fn with_submodules(
        self: &Arc<Self>,
        repository: &Arc<Repository>,
        snapshot: Snapshot,
        credentials: &Arc<Credentials>,
    ) -> Result<Fetched, SourceError> {
        let (stores, repository, credentials) = (self.clone(), repository.clone(), credentials.clone());
        let cancelled = SourceError::Cancelled { repository: repository.url().to_string() };
        let job = move || {
            let mut files = Files::Git(Arc::new(snapshot.tree.clone()));
            // Most have none, and are read without looking for them at every step.
            if credentials.with_submodules()
                && snapshot.tree.entry(".gitmodules").is_ok_and(|found| found.is_some())
            {
                let access_to = |url: &RepositoryUrl, own: Access| credentials.for_submodule(url, own);
                // A commit does not change: what is on disk of it is as new as can be.
                let tree =
                    stores.git.with_submodules(&repository, &snapshot, &access_to, Freshness::Shared)?;
                if tree.has_submodules() {
                    files = Files::WithSubmodules(Arc::new(tree));
                }
            }
            if repository.access().lfs
                && let Some(lfs) = files.shared().and_then(|tree| repository.with_lfs(tree))
            {
                files = Files::WithLfs(Arc::new(files), lfs);
            }
            Ok(Fetched::git(files, snapshot.revision))
        };
        tokio::task::spawn_blocking(job).await.unwrap_or(Err(cancelled))
    }
}

/// Whether a folder has what Git has in every repository, bare or with files.
fn is_repository(folder: &Path) -> bool {
    folder.join(".git").exists()
        || (folder.join("HEAD").is_file() && folder.join("objects").is_dir() && folder.join("refs").is_dir())
}

fn everyone(
    targets: BTreeSet<Target>,
    error: &SourceError,
) -> BTreeMap<Target, Result<Fetched, SourceError>> {
    targets.into_iter().map(|target| (target, Err(error.clone()))).collect()
}

/// What is asked for news in one conversation.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// A Git repository.
    Git(RepositoryUrl),
    /// Charts or artifacts.
    Artifacts {
        /// Where.
        url: ArtifactUrl,
        /// What is there.
        kind: ArtifactKind,
        /// How it is asked.
        options: ArtifactOptions,
    },
    /// A bucket, or a folder of one.
    Bucket(Box<BucketPlace>),
    /// One file on a web server.
    File(ArtifactUrl),
}

/// A bucket that an address names.
#[derive(Clone, Debug)]
pub(crate) struct BucketPlace {
    address: BucketAddress,
    /// The server.
    server: ArtifactUrl,
    /// The bucket and its folder on the web, which credentials are for.
    pub(crate) url: ArtifactUrl,
}

impl BucketPlace {
    fn parse(text: &str) -> Result<Self, ParseUrlError> {
        let address = BucketAddress::parse(text).map_err(ParseUrlError::Bucket)?;
        let server = ArtifactUrl::parse(&address.endpoint)?;
        let url = ArtifactUrl::parse(&address.on_the_web())?;
        Ok(Self { address, server, url })
    }

    fn kind(&self) -> ArtifactKind {
        match self.address.service {
            BucketService::S3 => ArtifactKind::Buckets,
            BucketService::Google => ArtifactKind::GoogleBuckets,
            BucketService::Azure => ArtifactKind::AzureContainers,
        }
    }

    /// What is followed of it: everything below its folder.
    fn part(&self) -> BucketPart {
        let BucketAddress { name, region, prefix, .. } = &self.address;
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let (name, region) = (name.clone(), region.clone());
        BucketPart { name, region, prefix, is_rooted: true, ..BucketPart::default() }
    }
}

impl Place {
    /// What tells it from other places, for people too.
    pub(crate) fn name(&self) -> Str {
        match self {
            Self::Git(url) => url.normalised().into(),
            Self::Artifacts { url, kind: ArtifactKind::Oci, .. } => url.to_string().into(),
            Self::Artifacts { url, kind: ArtifactKind::Archive, .. } => {
                // Tokens may stand there, which nobody is shown.
                let query = url.query_digest().map(|digest| format!(" with parameters {digest}"));
                format!("the archive {url}{}", query.unwrap_or_default()).into()
            }
            Self::Artifacts { url, options, .. } => {
                let passing = if options.pass_credentials { " with credentials for all hosts" } else { "" };
                format!("charts at {url}{passing}").into()
            }
            Self::Bucket(bucket) => format!("the bucket {}", bucket.url).into(),
            Self::File(url) => format!("the file {url}").into(),
        }
    }

    /// The host.
    pub(crate) fn host(&self) -> &str {
        match self {
            Self::Git(url) => url.host(),
            Self::Artifacts { url, .. } | Self::File(url) => url.host(),
            Self::Bucket(bucket) => bucket.server.host(),
        }
    }
}

/// Which state of a place is followed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Target {
    /// Of a Git repository.
    Git(TargetRevision),
    /// A chart or an artifact.
    Artifact(ArtifactTarget),
    /// What a file says.
    File,
}

impl Target {
    fn revision(&self) -> Option<&TargetRevision> {
        match self {
            Self::Git(revision) => Some(revision),
            Self::Artifact(_) | Self::File => None,
        }
    }

    fn artifact(&self) -> Option<&ArtifactTarget> {
        match self {
            Self::Artifact(artifact) => Some(artifact),
            Self::Git(_) | Self::File => None,
        }
    }

    /// The revision as declared, after the name of a chart.
    pub(crate) fn as_text(&self) -> String {
        match self {
            Self::Git(revision) => revision.as_text(),
            Self::Artifact(ArtifactTarget::Chart { name, version }) => format!("{name} {version}"),
            Self::Artifact(ArtifactTarget::Oci { reference: OciReference::Revision(text), .. }) => {
                text.clone()
            }
            Self::Artifact(ArtifactTarget::Archive { digest: Some(digest), .. }) => digest.to_string(),
            Self::Artifact(_) | Self::File => String::new(),
        }
    }

    /// The chart's name, where it is one of several charts at a place.
    pub(crate) fn chart(&self) -> Option<&str> {
        match self {
            Self::Artifact(ArtifactTarget::Chart { name, .. }) => Some(name),
            Self::Artifact(_) | Self::Git(_) | Self::File => None,
        }
    }
}

/// Where a source is and what of it is meant, at `revision` instead of the declared one.
///
/// # Errors
///
/// [`ParseUrlError`] when the address is none.
pub(crate) fn locate(spec: &SourceSpec, revision: &str) -> Result<(Place, Target), ParseUrlError> {
    match &spec.kind {
        SourceKind::Git => {
            let url = RepositoryUrl::parse(&spec.repository)?;
            Ok((Place::Git(url), Target::Git(TargetRevision::parse(revision, &spec.tag_prefix))))
        }
        SourceKind::Chart { name, registry, pass_credentials } => {
            let (url, kind) = if *registry {
                (ArtifactUrl::parse_registry(&spec.repository)?, ArtifactKind::Oci)
            } else {
                (ArtifactUrl::parse(&spec.repository)?, ArtifactKind::HelmRepository)
            };
            let options =
                ArtifactOptions { pass_credentials: *pass_credentials, ..ArtifactOptions::default() };
            let target = ArtifactTarget::Chart { name: name.to_string(), version: revision.to_string() };
            Ok((Place::Artifacts { url, kind, options }, Target::Artifact(target)))
        }
        SourceKind::Bucket => {
            let bucket = BucketPlace::parse(&spec.repository)?;
            let target = ArtifactTarget::Bucket(bucket.part());
            Ok((Place::Bucket(Box::new(bucket)), Target::Artifact(target)))
        }
        SourceKind::Archive => {
            let url = ArtifactUrl::parse(archive_url(&spec.repository).unwrap_or(&spec.repository))?;
            let options = ArtifactOptions::default();
            // What is no digest was refused before.
            let target = ArtifactTarget::Archive { root: ArchiveRoot::Top, digest: revision.parse().ok() };
            Ok((Place::Artifacts { url, kind: ArtifactKind::Archive, options }, Target::Artifact(target)))
        }
        SourceKind::Artifact => {
            let url = ArtifactUrl::parse(&spec.repository)?;
            let options = ArtifactOptions::default();
            let reference = OciReference::Revision(revision.to_string());
            let target = ArtifactTarget::Oci { reference, layer: LayerSelector::Only };
            Ok((Place::Artifacts { url, kind: ArtifactKind::Oci, options }, Target::Artifact(target)))
        }
    }
}

/// A revision with its files.
#[derive(Clone)]
pub(crate) struct Fetched {
    /// As it is shown: a commit, a chart's version, an artifact's digest.
    pub(crate) revision: Str,
    /// What tells its content from every other.
    content: Str,
    /// How often its repository was fetched again because what was on disk was damaged.
    pub(crate) n_repairs: u32,
    /// Its files.
    pub(crate) files: Files,
    /// The commit and the tag that it was found by, where it is of a Git repository.
    pub(crate) git: Option<Revision>,
}

impl Fetched {
    fn git(files: Files, git: Revision) -> Self {
        let commit: Str = files.commit().map(|commit| commit.to_string()).unwrap_or_default().into();
        // A Secret may say that files are kept by LFS after they were read as what they are without it.
        let content = match &files {
            Files::WithLfs(..) => format!("{commit} with LFS").into(),
            _ => commit.clone(),
        };
        Self { revision: commit, content, n_repairs: 0, files, git: Some(git) }
    }

    /// What tells it from what was rendered before: other content, or the same read anew after damage.
    pub(crate) fn identity(&self) -> Str {
        match self.n_repairs {
            0 => self.content.clone(),
            n_repairs => format!("{} {n_repairs}", self.content).into(),
        }
    }

    /// Charts are shown by their version and artifacts by their digest, as Argo CD 3.6 has it.
    fn artifact(target: &ArtifactTarget, revision: &ArtifactRevision, tree: ArtifactTree) -> Self {
        let version = match target {
            ArtifactTarget::Chart { .. } => revision.version.clone(),
            ArtifactTarget::Oci { .. } | ArtifactTarget::Archive { .. } | ArtifactTarget::Bucket(_) => None,
        };
        Self {
            revision: version.unwrap_or_else(|| revision.digest.to_string()).into(),
            content: revision.to_string().into(),
            n_repairs: 0,
            files: Files::Artifact(tree),
            git: None,
        }
    }

    /// A folder is known by the digest of its files.
    fn folder(snapshot: ArtifactSnapshot) -> Self {
        let revision: Str = snapshot.revision.to_string().into();
        let files = Files::Artifact(snapshot.tree);
        Self { revision: revision.clone(), content: revision, n_repairs: 0, files, git: None }
    }

    /// A file is known by the digest of what it says; one that is not there by the server's words.
    fn answer(answer: FileAnswer) -> Self {
        let content: Str = match &answer {
            FileAnswer::Found(bytes) => Digest::of_bytes(bytes).to_string().into(),
            FileAnswer::Status(status, words) => format!("{status} {words}").into(),
        };
        let files = Files::Answer(Arc::new(answer), MemoryTree::default());
        Self { revision: content.clone(), content, n_repairs: 0, files, git: None }
    }

    fn is_still(&self, snapshot: &Snapshot) -> bool {
        self.git.as_ref() == Some(&snapshot.revision) && !self.files.is_damaged()
    }
}

/// The files of a source.
#[derive(Clone)]
pub(crate) enum Files {
    /// Of a commit.
    Git(Arc<GitTree>),
    /// Of a commit and the submodules in it.
    WithSubmodules(Arc<CompositeTree>),
    /// Of a commit, and what Git LFS keeps of it.
    WithLfs(Arc<Files>, LfsTree),
    /// Of a chart or an artifact.
    Artifact(ArtifactTree),
    /// One file, which has no name: no Tree has it.
    Answer(Arc<FileAnswer>, MemoryTree),
}

impl Files {
    fn shared(&self) -> Option<Arc<dyn Tree>> {
        match self {
            Self::Git(tree) => Some(tree.clone()),
            Self::WithSubmodules(tree) => Some(tree.clone()),
            Self::WithLfs(..) | Self::Artifact(_) | Self::Answer(..) => None,
        }
    }

    /// The files of something that is named by an address, with those of its submodules where they are wanted.
    pub(crate) fn at_address(&self, submodules: bool) -> Option<Arc<dyn Tree>> {
        match self {
            Self::WithSubmodules(tree) if !submodules => Some(Arc::new(tree.own().clone())),
            Self::Git(_) | Self::WithSubmodules(_) => self.shared(),
            Self::WithLfs(_, tree) => Some(Arc::new(tree.clone())),
            Self::Artifact(tree) => Some(Arc::new(tree.clone())),
            Self::Answer(..) => None,
        }
    }

    /// The files as a Tree.
    pub(crate) fn tree(&self) -> &dyn Tree {
        match self {
            Self::Git(tree) => tree.as_ref(),
            Self::WithSubmodules(tree) => tree.as_ref(),
            Self::WithLfs(_, tree) => tree,
            Self::Artifact(tree) => tree,
            Self::Answer(_, tree) => tree,
        }
    }

    /// Whether something could not be read that may be there the next time: what is on disk is not what was fetched, or
    /// what Git LFS keeps could not be had.
    pub(crate) fn is_damaged(&self) -> bool {
        match self {
            Self::Git(tree) => tree.is_damaged(),
            Self::WithSubmodules(tree) => tree.is_damaged(),
            Self::WithLfs(files, tree) => files.is_damaged() || tree.has_failed(),
            Self::Artifact(tree) => tree.is_damaged(),
            Self::Answer(..) => false,
        }
    }

    fn own(&self) -> Option<&GitTree> {
        match self {
            Self::Git(tree) => Some(tree),
            Self::WithSubmodules(tree) => Some(tree.own()),
            Self::WithLfs(files, _) => files.own(),
            Self::Artifact(_) | Self::Answer(..) => None,
        }
    }

    fn is_submodule(&self, path: &str) -> bool {
        match self {
            Self::WithSubmodules(tree) => tree.is_submodule(path),
            Self::WithLfs(files, _) => files.is_submodule(path),
            Self::Git(_) | Self::Artifact(_) | Self::Answer(..) => false,
        }
    }

    fn commit(&self) -> Option<windlass_source::CommitId> {
        self.own().map(GitTree::commit)
    }

    /// The files that differ from `older`; `None` when everything may, or more than `limit` do.
    pub(crate) fn changes_since(&self, older: &Self, limit: usize) -> Option<Vec<Str>> {
        let changed = self.own()?.changes_since(older.own()?, limit).ok().flatten()?;
        // What differs below a submodule is not looked at one by one.
        let in_submodule = changed.iter().any(|path| self.is_submodule(path) || older.is_submodule(path));
        (!in_submodule).then_some(changed)
    }
}

/// One fetched source of a Unit.
pub struct FetchedSource(Fetched);

impl FetchedSource {
    /// As it is shown: a commit, a chart's version, an artifact's digest.
    #[must_use]
    pub fn revision(&self) -> &str {
        &self.0.revision
    }

    /// What rendering takes.
    #[must_use]
    pub fn tree(&self) -> SourceTree<'_> {
        SourceTree { commit: &self.0.revision, tree: self.0.files.tree() }
    }
}

/// Why a source could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The address is none.
    #[error("the repoURL of source {} cannot be used", .source_idx + 1)]
    Url {
        /// Which source, from 0 on.
        source_idx: usize,
        /// What is wrong with it.
        #[source]
        problem: ParseUrlError,
    },
    /// The source cannot be had.
    #[error("the source could not be read")]
    Source(#[from] SourceError),
    /// A commit or a tag is not signed as the project says.
    #[error("{}", .problems.join("; "))]
    Unsigned {
        /// What is wrong, in Argo CD's words.
        problems: Vec<String>,
    },
}

/// Fetches every source of a Unit, as new as it is now, in the order in which they are declared. What is not signed as
/// the Unit's project and the control plane say is refused, as it would be when it is deployed.
///
/// # Errors
///
/// [`FetchError`] of the first that cannot be had.
pub async fn fetch_sources(
    stores: &Arc<SourceStores>,
    credentials: &Arc<Credentials>,
    lowered: &Lowered,
) -> Result<Vec<FetchedSource>, FetchError> {
    let mut fetched = Vec::with_capacity(lowered.unit.sources.len());
    for (source_idx, spec) in lowered.unit.sources.iter().enumerate() {
        let (place, target) =
            locate(spec, &spec.revision).map_err(|problem| FetchError::Url { source_idx, problem })?;
        let access = credentials.for_place(&place, &lowered.permissions.project);
        let targets = BTreeSet::from([target]);
        let known = HashMap::new();
        let mut answers = stores.update(&place, &access, credentials, targets, Freshness::New, &known).await;
        let cancelled = || Err(SourceError::Cancelled { repository: place.name().to_string() });
        let source = answers.pop_first().map_or_else(cancelled, |(_, answer)| answer)?;
        if let (Some(rule), Place::Git(url), Some(revision)) = (&spec.signatures, &place, &source.git) {
            let repository = stores.repository(url, &access)?;
            let (rule, revision, credentials) = (rule.clone(), revision.clone(), credentials.clone());
            let check = move || signatures::check(&repository, &revision, &rule, credentials.signers());
            let cancelled = || Err(SourceError::Cancelled { repository: url.to_string() });
            let problems = tokio::task::spawn_blocking(check).await.unwrap_or_else(|_| cancelled())?;
            if !problems.is_empty() {
                let problems = problems.iter().map(ToString::to_string).collect();
                return Err(FetchError::Unsigned { problems });
            }
        }
        if spec.signatures.is_some() && source.git.is_none() {
            return Err(FetchError::Unsigned { problems: vec![signatures::UNSIGNABLE.into()] });
        }
        fetched.push(FetchedSource(source));
    }
    Ok(fetched)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_found_by_what_they_are() {
        let chart = |name: &str, registry| SourceKind::Chart {
            name: name.into(),
            registry,
            pass_credentials: name == "passed",
        };
        for (repository, kind, name, chart, text) in [
            ("https://h/Org/App.git", SourceKind::Git, "https://h/org/app", None, "1.x"),
            ("https://h/charts/", chart("web", false), "charts at https://h/charts", Some("web"), "1.x"),
            (
                "https://h",
                chart("passed", false),
                "charts at https://h with credentials for all hosts",
                Some("passed"),
                "1.x",
            ),
            ("r:5000/charts", chart("web", true), "oci://r:5000/charts", Some("web"), "1.x"),
            ("r.io", chart("org/web", true), "oci://r.io", Some("org/web"), "1.x"),
            ("oci://r/app", SourceKind::Artifact, "oci://r/app", None, "1.x"),
            ("https://h/App.tgz", SourceKind::Archive, "the archive https://h/App.tgz", None, ""),
            ("archive+https://h/App", SourceKind::Archive, "the archive https://h/App", None, ""),
            ("gs://a/b/", SourceKind::Bucket, "the bucket https://storage.googleapis.com/a/b", None, ""),
        ] {
            let spec = SourceSpec {
                repository: repository.into(),
                kind,
                revision: "1.x".into(),
                tag_prefix: Str::default(),
                path: Str::default(),
                reference: Str::default(),
                renderer: windlass_model::Renderer::Detect,
                signatures: None,
            };
            let (place, target) = locate(&spec, &spec.revision).unwrap();
            assert_eq!((place.name().as_str(), target.chart()), (name, chart));
            assert!(target.as_text().ends_with(text));
        }
    }
}
