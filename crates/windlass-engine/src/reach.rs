//! What the sources of a Unit name by addresses: bases of kustomizations, charts that charts need.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use windlass_argo::{Lowered, SourceRules};
use windlass_kube::Str;
use windlass_kustomize::remote::{Remote, RepositoryAddress, http_status};
use windlass_kustomize::{Error, ErrorKind};
use windlass_model::Tree;
use windlass_render::{
    Asked, BuildOptionError, ChartAddress, ChartFetcher, ChartFiles, ChartRequest, ChartSource,
    ChartSourceError, Elsewhere, Fetchers, KustomizeBuildOptions,
};
use windlass_source::{
    Access, ArtifactKind, ArtifactOptions, ArtifactScheme, ArtifactTarget, ArtifactUrl, FileAnswer,
    Freshness, RepositoryUrl, TargetRevision, chain,
};

use crate::credentials::Credentials;
use crate::fetching::{Fetched, Files, Place, SourceStores, Target};
use crate::source_hub::{SourceKey, key_of};

/// What the sources of a Unit may name by addresses at most: each is asked for news as a source is.
pub(crate) const MAX_REACHED: usize = 256;

/// Something that a source names by an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Address {
    /// A state of a Git repository.
    Repository {
        /// Where.
        url: String,
        /// A branch, a tag, a commit; empty for the default branch.
        reference: String,
        /// Whether what its submodules have is wanted too.
        submodules: bool,
    },
    /// A file on a web server.
    File(String),
    /// A chart of a Helm repository or a registry.
    Chart {
        /// Where.
        repository: String,
        /// Its name there.
        name: String,
        /// A version, or a range of them of which the newest is meant.
        version: String,
    },
}

/// The places that addresses stand for, and what they are read with.
///
/// As with Argo CD, a project's `sourceRepos` say for which addresses credentials are used; others are asked as
/// anybody could.
#[derive(Clone)]
pub(crate) struct Guide {
    credentials: Arc<Credentials>,
    project: Str,
    permitted: SourceRules,
}

/// Where an address leads.
pub(crate) struct Located {
    pub(crate) key: SourceKey,
    pub(crate) place: Place,
    pub(crate) access: Access,
}

impl Guide {
    /// For what `lowered` names.
    pub(crate) fn new(credentials: &Arc<Credentials>, lowered: &Lowered) -> Self {
        Self {
            credentials: credentials.clone(),
            project: lowered.permissions.project.clone(),
            permitted: lowered.permitted_sources.clone(),
        }
    }

    /// The address of the repository of charts that is called `name`, if the project permits it.
    fn named(&self, name: &str) -> Option<String> {
        let url = self.credentials.named(name, &self.project)?;
        self.permits_charts(url).then(|| url.to_owned())
    }

    /// Whether a repository of charts is permitted. Projects name registries without a scheme, as Applications do.
    fn permits_charts(&self, url: &str) -> bool {
        self.permitted.permit(url.strip_prefix("oci://").unwrap_or(url)) || self.permitted.permit(url)
    }

    /// Where an address leads; why not, if it is none.
    pub(crate) fn locate(&self, address: &Address) -> Result<Located, String> {
        let (place, target, permitted) = match address {
            Address::Repository { url: text, reference, .. } => {
                let url: RepositoryUrl = text.parse().map_err(|error| chain(&error))?;
                // What kustomize hands to `git fetch`: never a range of versions.
                let revision = match reference.as_str() {
                    "" | "HEAD" => TargetRevision::Head,
                    text => match text.parse() {
                        Ok(commit) => TargetRevision::Commit(commit),
                        Err(_) => TargetRevision::Name(text.to_owned()),
                    },
                };
                (Place::Git(url), Target::Git(revision), self.permitted.permit(text))
            }
            Address::File(text) => {
                let url = ArtifactUrl::parse(text).map_err(|error| chain(&error))?;
                (Place::File(url), Target::File, self.permitted.permit(text))
            }
            Address::Chart { repository, name, version } => {
                let url = ArtifactUrl::parse(repository).map_err(|error| chain(&error))?;
                let kind = match url.scheme() {
                    ArtifactScheme::Oci => ArtifactKind::Oci,
                    ArtifactScheme::Https | ArtifactScheme::Http => ArtifactKind::HelmRepository,
                };
                let permitted = self.permits_charts(&url.to_string());
                let target = ArtifactTarget::Chart { name: name.clone(), version: version.clone() };
                let place = Place::Artifacts { url, kind, options: ArtifactOptions::default() };
                (place, Target::Artifact(target), permitted)
            }
        };
        let project = permitted.then_some(self.project.as_str());
        let access = match project {
            Some(project) => self.credentials.for_place(&place, project),
            None => self.credentials.for_anybody(&place),
        };
        Ok(Located { key: key_of(&self.credentials, &place, target, project), place, access })
    }
}

/// Answers what the sources of one Unit name by addresses, to renders of it.
pub struct Reach {
    guide: Guide,
    build_options: Str,
    from: From,
    state: Mutex<State>,
}

/// Who has it.
enum From {
    /// Whoever fetches it now, while the render waits.
    Stores(Arc<SourceStores>, tokio::runtime::Handle),
    /// Somebody who has fetched what was asked for before, and fetches the rest when told.
    Known(BTreeMap<Address, Known>),
}

/// What is known of an address: what is there, or why that cannot be had.
pub(crate) type Known = (SourceKey, Result<Fetched, Str>);

#[derive(Default)]
struct State {
    /// All addresses that were asked for.
    touched: BTreeSet<Address>,
    /// What the present render asked for.
    asked: Asked,
    /// Whether anything was asked for by the name of a repository.
    names: bool,
}

/// Why there is nothing at an address.
#[derive(Debug, thiserror::Error)]
enum Unreached {
    #[error("it is being fetched")]
    Pending,
    #[error("{0}")]
    Failed(String),
}

impl Reach {
    /// Fetches what `lowered` names when it is asked for. That blocks: renders have to run where that is allowed, on
    /// the runtime on which this is called.
    #[must_use]
    pub fn new(stores: &Arc<SourceStores>, credentials: &Arc<Credentials>, lowered: &Lowered) -> Self {
        let from = From::Stores(stores.clone(), tokio::runtime::Handle::current());
        Self::with(from, Guide::new(credentials, lowered), lowered)
    }

    /// Answers from what is known, and notes what is missing.
    pub(crate) fn of_known(known: BTreeMap<Address, Known>, guide: Guide, lowered: &Lowered) -> Self {
        Self::with(From::Known(known), guide, lowered)
    }

    fn with(from: From, guide: Guide, lowered: &Lowered) -> Self {
        let build_options = lowered.kustomize_build_options.clone();
        Self { guide, build_options, from, state: Mutex::default() }
    }

    /// How kustomizations are built.
    ///
    /// # Errors
    ///
    /// [`BuildOptionError`] when the flags of `kustomize.buildOptions` are none.
    pub fn build_options(&self) -> Result<KustomizeBuildOptions, BuildOptionError> {
        KustomizeBuildOptions::parse(&self.build_options)
    }

    /// What kustomizations are given.
    pub(crate) fn fetchers(&self) -> Fetchers<'_> {
        Fetchers { bases: Some(self), charts: Some(self), record: Some(self) }
    }

    /// All that was asked for, sorted.
    pub(crate) fn touched(&self) -> BTreeSet<Address> {
        self.lock().touched.clone()
    }

    /// Whether anything depends on what repositories are called.
    pub(crate) fn asked_for_names(&self) -> bool {
        self.lock().names
    }

    /// What is at `address` by what is known.
    pub(crate) fn known(&self, address: &Address) -> Option<&Known> {
        match &self.from {
            From::Known(known) => known.get(address),
            From::Stores(..) => None,
        }
    }

    fn get(&self, address: Address) -> Result<Fetched, Unreached> {
        let answer = match &self.from {
            From::Known(known) => match known.get(&address) {
                Some((_, Ok(fetched))) => Ok(fetched.clone()),
                Some((_, Err(problem))) => Err(Unreached::Failed(problem.to_string())),
                None => {
                    // What leads nowhere is not waited for.
                    self.guide.locate(&address).map_err(Unreached::Failed)?;
                    Err(Unreached::Pending)
                }
            },
            From::Stores(stores, runtime) => {
                let located = self.guide.locate(&address).map_err(Unreached::Failed)?;
                runtime.block_on(fetch(stores, &self.guide, located))
            }
        };
        let mut state = self.lock();
        match &answer {
            Ok(fetched) => note(&mut state.asked, &address, fetched),
            Err(Unreached::Pending) => state.asked.pending = true,
            Err(Unreached::Failed(_)) => state.asked.failed = true,
        }
        state.touched.insert(address);
        answer
    }

    fn repository_tree(&self, address: &RepositoryAddress) -> Result<Arc<dyn Tree>, Unreached> {
        // What is asked for as a file first is a repository only when the server says that it is no file.
        if let From::Known(known) = &self.from {
            let file = Address::File(address.raw.clone());
            if self.lock().touched.contains(&file) && !known.contains_key(&file) {
                return Err(Unreached::Pending);
            }
        }
        let fetched = self.get(Address::Repository {
            url: address.repository.clone(),
            reference: address.reference.clone(),
            submodules: address.submodules,
        })?;
        fetched
            .files
            .at_address(address.submodules)
            .ok_or_else(|| Unreached::Failed("there are no files".to_owned()))
    }

    /// The address of a repository by its name, which is something that the render depends on.
    fn named(&self, name: &str) -> Option<String> {
        let url = self.guide.named(name);
        let mut state = self.lock();
        state.names = true;
        note_entry(
            &mut state.asked,
            (format!("{NAMED}{name}").into(), url.clone().unwrap_or_default().into()),
        );
        url
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The words by which a cache knows an address.
fn name_of(address: &Address) -> Str {
    format!("{address:?}").into()
}

/// The words by which a cache knows the name of a repository; what is there is its address.
const NAMED: &str = "the repository that is called ";

fn note(asked: &mut Asked, address: &Address, fetched: &Fetched) {
    note_entry(asked, (name_of(address), fetched.identity()));
}

fn note_entry(asked: &mut Asked, entry: (Str, Str)) {
    if let Err(at) = asked.had.binary_search(&entry) {
        asked.had.insert(at, entry);
    }
}

async fn fetch(stores: &Arc<SourceStores>, guide: &Guide, located: Located) -> Result<Fetched, Unreached> {
    let Located { key, place, access } = located;
    let credentials = &key.credentials(&guide.credentials);
    let targets = BTreeSet::from([key.target]);
    let known = std::collections::HashMap::new();
    let answers = stores.update(&place, &access, credentials, targets, Freshness::Shared, &known).await;
    let answer = answers.into_values().next();
    answer
        .ok_or_else(|| Unreached::Failed("nobody answered".to_owned()))?
        .map_err(|error| Unreached::Failed(chain(&error)))
}

impl Elsewhere for Reach {
    fn identity(&self, address: &str) -> Option<Str> {
        if let Some(name) = address.strip_prefix(NAMED) {
            return Some(self.named(name).unwrap_or_default().into());
        }
        let From::Known(known) = &self.from else { return None };
        let (address, known) = known.iter().find(|(known, _)| name_of(known) == address)?;
        let fetched = known.1.as_ref().ok()?;
        let mut state = self.lock();
        note(&mut state.asked, address, fetched);
        state.touched.insert(address.clone());
        Some(fetched.identity())
    }

    fn take_asked(&self) -> Asked {
        std::mem::take(&mut self.lock().asked)
    }
}

impl Remote for Reach {
    fn repository(&self, address: &RepositoryAddress) -> windlass_kustomize::Result<Arc<dyn Tree>> {
        self.repository_tree(address).map_err(|problem| Error::new(ErrorKind::Remote, problem.to_string()))
    }

    fn file(&self, url: &str) -> windlass_kustomize::Result<Arc<[u8]>> {
        let fetched = self.get(Address::File(url.to_owned()));
        let fetched = fetched.map_err(|problem| Error::new(ErrorKind::Remote, problem.to_string()))?;
        match fetched.files {
            Files::Answer(answer, _) => match answer.as_ref() {
                FileAnswer::Found(bytes) => Ok(bytes.as_slice().into()),
                // kustomize goes on with it as a repository where it can be one.
                FileAnswer::Status(status, words) => Err(http_status(*status, words)),
            },
            _ => Err(Error::new(ErrorKind::Remote, "it is no file")),
        }
    }
}

impl ChartSource for Reach {
    fn fetch(&self, request: &ChartRequest<'_>) -> Result<ChartFiles, ChartSourceError> {
        let fetched = self.get(address_of_chart(request))?;
        let tree = fetched.files.at_address(true).ok_or("there are no files")?;
        Ok(ChartFiles::Tree(tree))
    }

    fn address_of(&self, name: &str) -> Option<String> {
        self.named(name)
    }

    fn expect(&self, requests: &[ChartRequest<'_>]) {
        // Whoever is asked for the first is told of all.
        if let From::Known(known) = &self.from {
            for address in requests.iter().map(address_of_chart) {
                if !known.contains_key(&address) {
                    let _ = self.get(address);
                }
            }
        }
    }
}

fn address_of_chart(request: &ChartRequest<'_>) -> Address {
    Address::Chart {
        repository: request.repository.to_owned(),
        name: request.name.to_owned(),
        version: request.version.to_owned(),
    }
}

impl ChartFetcher for Reach {
    fn chart(&self, address: &ChartAddress) -> Result<Arc<dyn Tree>, String> {
        // Helm's `--devel` is this range; a version that is given goes over it.
        let version = match address.version.as_str() {
            "" if address.devel => ">0.0.0-0",
            version => version,
        };
        let repository = address.repository.trim_end_matches('/');
        let request = ChartRequest { name: &address.name, version, repository };
        match self.fetch(&request).map_err(|error| chain(error.as_ref()))? {
            ChartFiles::Tree(tree) => Ok(tree),
            ChartFiles::Archive(_) => Err("the chart did not come as files".to_owned()),
        }
    }
}
