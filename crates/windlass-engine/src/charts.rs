//! Charts that charts need, from Helm repositories and registries.

use windlass_render::{ChartFiles, ChartRequest, ChartSource, ChartSourceError};
use windlass_source::{
    Access, ArtifactKind, ArtifactOptions, ArtifactScheme, ArtifactStore, ArtifactTarget, ArtifactUrl,
    Freshness,
};

/// How a repository of charts is reached.
#[derive(Clone, Debug, Default)]
pub struct ChartAccess {
    /// Credentials and certificates.
    pub access: Access,
    /// What else.
    pub options: ArtifactOptions,
}

/// Access by address.
type Accesses<'a> = dyn Fn(&ArtifactUrl) -> ChartAccess + Send + Sync + 'a;

/// Addresses by name.
type Names<'a> = dyn Fn(&str) -> Option<String> + Send + Sync + 'a;

/// An [`ArtifactStore`] as the source of the charts that charts need.
///
/// The addresses are whatever charts declare: the store's policy says which of them are asked. Fetching blocks, as
/// rendering does.
pub struct ArtifactCharts<'a> {
    store: &'a ArtifactStore,
    access: Box<Accesses<'a>>,
    names: Box<Names<'a>>,
}

impl<'a> ArtifactCharts<'a> {
    /// Repositories that let everybody in, and have no names.
    #[must_use]
    pub fn new(store: &'a ArtifactStore) -> Self {
        Self { store, access: Box::new(|_| ChartAccess::default()), names: Box::new(|_| None) }
    }

    /// With credentials by address.
    #[must_use]
    pub fn with_access(mut self, access: impl Fn(&ArtifactUrl) -> ChartAccess + Send + Sync + 'a) -> Self {
        self.access = Box::new(access);
        self
    }

    /// With the names by which charts may call repositories: `@name` and `alias:name`.
    #[must_use]
    pub fn with_names(mut self, names: impl Fn(&str) -> Option<String> + Send + Sync + 'a) -> Self {
        self.names = Box::new(names);
        self
    }
}

impl ChartSource for ArtifactCharts<'_> {
    fn fetch(&self, request: &ChartRequest<'_>) -> Result<ChartFiles, ChartSourceError> {
        let url = ArtifactUrl::parse(request.repository)?;
        let ChartAccess { access, options } = (self.access)(&url);
        let kind = match url.scheme() {
            ArtifactScheme::Oci => ArtifactKind::Oci,
            ArtifactScheme::Https | ArtifactScheme::Http => ArtifactKind::HelmRepository,
        };
        let target =
            ArtifactTarget::Chart { name: request.name.to_owned(), version: request.version.to_owned() };
        let repository = self.store.repository(&url, kind, &access, &options)?;
        // Charts of the same render, and of others at about the same time, share one look at an index.
        let snapshot = repository.update_one(&target, Freshness::Shared)?;
        Ok(ChartFiles::Tree(std::sync::Arc::new(snapshot.tree)))
    }

    fn address_of(&self, name: &str) -> Option<String> {
        (self.names)(name)
    }
}
