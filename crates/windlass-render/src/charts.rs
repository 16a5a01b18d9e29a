//! Charts in kustomizations: `helmCharts` rendered as Helm renders them, in process.

use std::cell::RefCell;
use std::sync::Arc;

use gotemplate::World;
use windlass_helm::{
    Capabilities, CompiledChart, HelmVersion, KubeVersion, LoadOptions, Overrides, PrintOptions, Release,
    RenderRequest,
};
use windlass_kustomize::helm::{ChartAddress, Helm, HelmRequest};
use windlass_kustomize::{Error, ErrorKind};
use windlass_model::Tree;

use crate::helm::text_of;

/// Fetches charts that do not lie beside the kustomization that names them.
pub trait ChartFetcher: Send + Sync {
    /// The files of a chart; `Chart.yaml` is at the Tree's root.
    ///
    /// # Errors
    ///
    /// What is wrong, in one line and without secrets.
    fn chart(&self, address: &ChartAddress) -> Result<Arc<dyn Tree>, String>;
}

/// Renders the charts of kustomizations.
pub struct KustomizeCharts<'a> {
    helm: HelmVersion,
    fetcher: Option<&'a dyn ChartFetcher>,
    world: RefCell<&'a mut dyn World>,
}

impl<'a> KustomizeCharts<'a> {
    /// Renders by the rules of a version of Helm; without a `fetcher`, charts must lie beside the kustomization.
    pub fn new(helm: HelmVersion, fetcher: Option<&'a dyn ChartFetcher>, world: &'a mut dyn World) -> Self {
        Self { helm, fetcher, world: RefCell::new(world) }
    }

    fn print(&self, request: &HelmRequest, tree: &dyn Tree, folder: &str) -> Result<String, String> {
        let helm = self.helm;
        let name = self.release_name(request)?;
        let mut capabilities = Capabilities::default_of(helm);
        if !request.kube_version.is_empty() {
            let version = &request.kube_version;
            capabilities.kube_version = KubeVersion::parse(version, helm)
                .map_err(|error| format!("invalid kube version '{version}': {error}"))?;
        }
        capabilities.api_versions.extend(request.api_versions.iter().map(ToString::to_string));
        let files = request.values.iter().map(|(name, bytes)| (name.clone(), bytes.to_vec())).collect();
        let values = Overrides { files, ..Overrides::default() }
            .merge(helm, |path| Err(format!("open {path}: no such file or directory")))
            .map_err(|error| text_of(&error))?;
        let loaded = windlass_helm::load_folder(tree, folder, &LoadOptions::of(helm))
            .map_err(|error| text_of(&error))?;
        let namespace = if request.namespace.is_empty() { "default" } else { request.namespace.as_str() };
        let release = Release { name, namespace: namespace.to_owned(), revision: 1, is_upgrade: false };
        let rendering = RenderRequest { capabilities, ..RenderRequest::new(release, values, helm) };
        let rendered = CompiledChart::new(loaded.chart, helm)
            .render(&rendering, *self.world.borrow_mut())
            .map_err(|error| text_of(&error))?;
        let printing = PrintOptions {
            include_crds: request.include_crds,
            no_hooks: request.skip_hooks,
            skip_tests: request.skip_tests,
            ..PrintOptions::default()
        };
        rendered.print(&printing, helm).map_err(|error| text_of(&error))
    }

    fn release_name(&self, request: &HelmRequest) -> Result<String, String> {
        /// What `helm template` calls a release that nobody named, whether a name is to be made up or not.
        const UNNAMED: &str = "release-name";
        match (request.release_name.as_str(), request.name_template.as_str()) {
            ("", "") => Ok(UNNAMED.to_owned()),
            (name, "") => Ok(name.to_owned()),
            ("", template) => windlass_helm::name_of_template(template, *self.world.borrow_mut())
                .map_err(|error| text_of(&error)),
            _ => Err("cannot set --name-template and also specify a name".to_owned()),
        }
    }
}

impl Helm for KustomizeCharts<'_> {
    fn pull(&self, chart: &ChartAddress) -> windlass_kustomize::Result<Arc<dyn Tree>> {
        let Some(fetcher) = self.fetcher else {
            let ChartAddress { repository, name, .. } = chart;
            let message = format!(
                "the chart {name} of {repository} does not lie beside the kustomization, and none are fetched here"
            );
            return Err(Error::new(ErrorKind::Remote, message));
        };
        fetcher.chart(chart).map_err(|problem| {
            Error::new(ErrorKind::Remote, format!("the chart {} cannot be fetched: {problem}", chart.name))
        })
    }

    fn template(
        &self,
        request: &HelmRequest,
        tree: &dyn Tree,
        folder: &str,
    ) -> windlass_kustomize::Result<String> {
        self.print(request, tree, folder).map_err(|problem| {
            Error::invalid(format!("the chart {} cannot be rendered: {problem}", request.name))
        })
    }
}
