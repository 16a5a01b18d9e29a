//! Helm repositories over HTTP: an index, and the charts that it names.

mod index;
pub(crate) mod versions;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, ETAG, LAST_MODIFIED};
use reqwest::{StatusCode, Url};

use self::index::Index;
use self::versions::ChartVersion;
use crate::archive::ArchiveRoot;
use crate::artifact::download::Expected;
use crate::artifact::hub::{Origin, Shared};
use crate::artifact::tarball::Seen;
use crate::artifact::web::{Question, authorization, decompress, protocol, wrong};
use crate::artifact::{
    ArtifactError, ArtifactOptions, ArtifactRevision, ArtifactSnapshot, ArtifactTarget, ArtifactTree,
    ArtifactUrl, ContentDigest,
};
use crate::credentials::{Access, Authentication};
use crate::error::SourceError;
use crate::identity::Purpose;
use crate::oci::OciRepository;

/// A Helm repository, reached with one set of credentials.
pub(crate) struct HelmRepository {
    url: ArtifactUrl,
    shown: String,
    access: Access,
    options: ArtifactOptions,
    shared: Arc<Shared>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    index: Option<(Seen, Arc<Index>)>,
    /// Whether the server could not be reached, and the index is that of an earlier time.
    stale: Option<SourceError>,
}

impl HelmRepository {
    pub(crate) fn new(
        url: ArtifactUrl,
        access: Access,
        options: ArtifactOptions,
        shared: Arc<Shared>,
    ) -> Self {
        let shown = url.to_string();
        Self { url, shown, access, options, shared, state: Mutex::default() }
    }

    /// A reference of the index as an address: relative ones lie below the repository, and keep its query.
    fn address_of(&self, reference: &str) -> Option<Url> {
        if let Ok(absolute) = Url::parse(reference) {
            return Some(absolute);
        }
        let mut base = self.url.web().clone();
        let folder = format!("{}/", base.path().trim_end_matches('/'));
        base.set_path(&folder);
        let mut address = base.join(reference).ok()?;
        address.set_query(self.url.web().query());
        Some(address)
    }

    /// Asks for the index, unless it is the one that is known.
    fn fetch_index(&self) -> Result<(Seen, Arc<Index>), SourceError> {
        let shown = self.shown.as_str();
        let address = self.address_of("index.yaml").ok_or_else(|| protocol(shown, "it has no address"))?;
        let mut question = Question::get(shown, &self.access, address).with_header(ACCEPT_ENCODING, "gzip");
        question.authorization = authorization(&self.shared.web, &self.url, &self.access, Purpose::Other)?;
        let anonymous = question.authorization.is_none();
        let known = self.lock().index.clone();
        let known = match known {
            Some(known) => Some(known),
            None => Index::stored(&self.shared.indexes, &self.url.identity()),
        };
        if let Some((seen, _)) = &known {
            question = seen.condition(question);
        }
        let reply = match self.shared.web.ask(question) {
            Ok(reply) => reply,
            Err(error) => {
                // What an earlier process has stored may still answer for exact versions.
                if let (SourceError::Unreachable { .. } | SourceError::Silent { .. }, Some(_)) =
                    (&error, &known)
                {
                    self.lock().index = known;
                }
                return Err(error);
            }
        };
        match (reply.status(), known) {
            (StatusCode::NOT_MODIFIED, Some(known)) => return Ok(known),
            (StatusCode::OK, _) => {}
            (status, known) => {
                if status.is_server_error() {
                    self.lock().index = known;
                }
                return Err(reply.failure(anonymous, None));
            }
        }
        let header = |name| reply.header(name).map(str::to_string);
        let (etag, last_modified) = (header(ETAG), header(LAST_MODIFIED));
        let is_gzip = header(CONTENT_ENCODING).is_some_and(|it| it.eq_ignore_ascii_case("gzip"));
        let is_page = header(CONTENT_TYPE).is_some_and(|it| it.starts_with("text/html"));
        let limit = self.shared.web.limits.index_bytes;
        let mut bytes = reply.bytes("the index", "index_bytes", limit)?;
        if is_gzip {
            let plain = decompress(&bytes, limit).map_err(|error| {
                protocol(shown, &format!("the index is not compressed as announced: {error}"))
            })?;
            let too_large = || {
                let what = "the index".to_string();
                wrong(shown, "the index", ArtifactError::TooLarge { what, limit_name: "index_bytes", limit })
            };
            bytes = plain.ok_or_else(too_large)?;
        }
        let seen = Seen { etag, last_modified, digest: ContentDigest::of(&bytes) };
        let index =
            Index::read(&self.shared.indexes, &self.url.identity(), &seen, bytes).map_err(|error| {
                if is_page {
                    protocol(shown, "it sent a web page instead of an index")
                } else {
                    error.into_source_error(shown)
                }
            })?;
        Ok((seen, Arc::new(index)))
    }

    /// The version of a chart that is wanted, by Helm's rules.
    fn find(&self, target: &ArtifactTarget) -> Result<(String, ChartVersion), SourceError> {
        let ArtifactTarget::Chart { name, version } = target else {
            return Err(protocol(&self.shown, "it is a Helm repository and has charts only"));
        };
        let (index, stale) = {
            let state = self.lock();
            (state.index.as_ref().map(|(_, index)| index.clone()), state.stale.clone())
        };
        let index = index.ok_or_else(|| protocol(&self.shown, "it has no index"))?;
        let fail = |error: ArtifactError| wrong(&self.shown, &target.shown(), error);
        let versions = index
            .versions_of(name)
            .map_err(|error| error.into_source_error(&self.shown))?
            .ok_or_else(|| fail(ArtifactError::ChartNotFound { chart: name.clone() }))?;
        let found = versions::choose(&versions, version).map_err(fail)?;
        match stale {
            // Which version is the newest cannot be known now; an exact one stays what it was.
            Some(error) if found.version != *version => Err(error),
            _ => Ok((name.clone(), found.clone())),
        }
    }

    /// What a Tree of the chart is kept under.
    fn identity(&self, name: &str, chart: &ChartVersion) -> String {
        match chart.digest() {
            // With the repository: who only knows the digest of another's chart must not be given it.
            Some(digest) => format!("chart {} {digest}", self.url.identity()),
            None => {
                let url = chart.url.as_deref().unwrap_or_default();
                format!("chart {} {name} {} {url} {}", self.url.identity(), chart.version, chart.created)
            }
        }
    }

    fn fetch_chart(
        &self,
        target: &ArtifactTarget,
        name: &str,
        chart: &ChartVersion,
    ) -> Result<ArtifactTree, SourceError> {
        let identity = self.identity(name, chart);
        if let Some(tree) = self.shared.trees.get(&identity) {
            return Ok(tree);
        }
        if let Some(error) = self.lock().stale.clone() {
            return Err(error);
        }
        let shown = self.shown.as_str();
        let artifact = target.shown();
        let missing = || ArtifactError::NotFound { what: format!("download address of {artifact}") };
        let reference = chart.url.as_deref().ok_or_else(|| wrong(shown, &artifact, missing()))?;
        let address = self.address_of(reference).ok_or_else(|| wrong(shown, &artifact, missing()))?;
        let is_own_host = address.origin() == self.url.web().origin();
        let may_have_credentials = is_own_host || self.options.pass_credentials;
        if address.scheme() == "oci" {
            return self.fetch_from_registry(&address, may_have_credentials).map(|snapshot| snapshot.tree);
        }
        if let Some(digest) = &chart.digest
            && chart.digest().is_none()
        {
            let (what, digest) = (artifact.clone(), digest.clone());
            return Err(wrong(shown, &artifact, ArtifactError::UnknownDigest { what, digest }));
        }
        let mut question = Question::get(shown, &self.access, address);
        if may_have_credentials {
            question.authorization =
                authorization(&self.shared.web, &self.url, &self.access, Purpose::Other)?;
        }
        let anonymous = question.authorization.is_none();
        let reply = self.shared.web.ask(question)?;
        if reply.status() != StatusCode::OK {
            return Err(reply.failure(anonymous, Some(&artifact)));
        }
        let expected = Expected {
            repository: shown,
            artifact: &artifact,
            digest: chart.digest(),
            root: ArchiveRoot::OnlyFolder,
        };
        self.shared.download(reply, &expected, |_| identity)
    }

    /// A chart that the index keeps in a registry: `oci://host/path:tag`.
    fn fetch_from_registry(
        &self,
        address: &Url,
        may_have_credentials: bool,
    ) -> Result<ArtifactSnapshot, SourceError> {
        let bad = || protocol(&self.shown, "its index names a chart in a registry without a tag");
        let text = address.as_str();
        let (place, tag) = text.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).ok_or_else(bad)?;
        let url = ArtifactUrl::parse(place).map_err(|_| bad())?;
        let mut access = self.access.clone();
        if !may_have_credentials {
            access.authentication = Authentication::Anonymous;
        }
        let registry = OciRepository::new(url, access, self.options.clone(), self.shared.clone());
        registry.update(&ArtifactTarget::Chart { name: String::new(), version: tag.to_string() })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Origin for HelmRepository {
    /// An index that cannot be had now does not fail the charts whose exact version was fetched before.
    fn refresh(&self) -> Result<(), SourceError> {
        let fetched = self.fetch_index();
        let mut state = self.lock();
        match fetched {
            Ok(index) => {
                state.index = Some(index);
                state.stale = None;
                Ok(())
            }
            Err(error) => {
                let is_passing =
                    matches!(error, SourceError::Unreachable { .. } | SourceError::Silent { .. });
                if is_passing && state.index.is_some() {
                    state.stale = Some(error);
                    return Ok(());
                }
                state.stale = Some(error.clone());
                Err(error)
            }
        }
    }

    fn resolve(&self, target: &ArtifactTarget) -> Result<ArtifactRevision, SourceError> {
        let (name, chart) = self.find(target)?;
        let digest = match chart.digest() {
            Some(digest) => digest,
            None => self.fetch_chart(target, &name, &chart)?.source(),
        };
        Ok(ArtifactRevision { version: Some(chart.version), digest })
    }

    fn update(&self, target: &ArtifactTarget) -> Result<ArtifactSnapshot, SourceError> {
        let (name, chart) = self.find(target)?;
        let tree = self.fetch_chart(target, &name, &chart)?;
        let revision = ArtifactRevision { version: Some(chart.version), digest: tree.source() };
        Ok(ArtifactSnapshot { revision, tree, annotations: BTreeMap::new(), signers: Vec::new() })
    }
}
