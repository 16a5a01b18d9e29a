//! What a render may know beside the tree it renders.

use std::collections::BTreeMap;
use std::sync::Arc;

use gotemplate::World;
use windlass_helm::{ChartSource, Lookup, LookupRequest, NoCharts};
use windlass_kube::Str;
use windlass_kustomize::remote::Remote;
use windlass_model::{Digest, Renderer, Tree};

use crate::build_options::KustomizeBuildOptions;
use crate::charts::ChartFetcher;
use crate::elsewhere::Elsewhere;
use crate::environment::Environment;

/// What a render may know beside the tree it renders. Plain files need none of it.
pub struct Context<'a> {
    /// The name of what is rendered: that of a release where no other is declared.
    pub name: Str,
    /// The namespace it goes to.
    pub namespace: Str,
    /// The cluster it goes to.
    pub cluster: ClusterFacts,
    /// The build environment, for plugins; the options of other renderers are resolved in it beforehand.
    pub environment: Environment,
    /// The trees of other sources, by the names under which value files may refer to them.
    pub references: BTreeMap<Str, &'a dyn Tree>,
    /// How kustomizations are built.
    pub kustomize: KustomizeBuildOptions,
    /// What fetches things that sources name by an address; what has none is refused.
    pub fetchers: Fetchers<'a>,
    /// Where charts find the charts that they need and do not bring along.
    pub charts: &'a dyn ChartSource,
    /// Time and chance.
    pub world: &'a mut dyn World,
    /// What does the work that cannot be done here.
    pub services: Services<'a>,
}

/// What fetches things that sources name by an address.
#[derive(Clone, Copy, Default)]
pub struct Fetchers<'a> {
    /// Repositories and files that kustomizations name.
    pub bases: Option<&'a dyn Remote>,
    /// Charts that kustomizations name.
    pub charts: Option<&'a dyn ChartFetcher>,
    /// Knows what those, and [`Context::charts`], have fetched; without it no render of such things is kept.
    pub record: Option<&'a dyn Elsewhere>,
}

/// Work that a render asks others for.
#[derive(Clone, Default)]
pub struct Services<'a> {
    /// Runs Jsonnet programs; without it each Jsonnet file is an error.
    pub jsonnet: Option<&'a dyn crate::jsonnet::Engine>,
    /// The plugins that the operator declared; without them, a source that asks for one is an error.
    pub plugins: Option<&'a dyn crate::Plugins>,
    /// What files beside the manifests may change; without it such files are refused.
    pub overrides: Option<&'a dyn crate::Overrides>,
    /// Decrypts files; without it they are taken as they are.
    pub decryption: Option<&'a dyn crate::Decryption>,
    /// What charts may ask of the cluster; without it they find nothing, as with `helm template`.
    pub lookup: Option<Arc<dyn Lookup>>,
}

/// What templates may know of a cluster without asking it.
#[derive(Debug, Clone, Default)]
pub struct ClusterFacts {
    /// The version of Kubernetes, such as `v1.36.3`; empty when nothing is known of the cluster.
    pub version: Str,
    /// The `group/version` and `group/version/Kind` that it serves, sorted.
    pub api_versions: Arc<[Str]>,
}

impl<'a> Context<'a> {
    /// A context in which nothing is known: enough for plain files.
    #[must_use]
    pub fn empty(world: &'a mut dyn World) -> Self {
        Self {
            name: Str::default(),
            namespace: Str::default(),
            cluster: ClusterFacts::default(),
            environment: Environment::default(),
            references: BTreeMap::new(),
            kustomize: KustomizeBuildOptions::default(),
            fetchers: Fetchers::default(),
            charts: &NoCharts,
            world,
            services: Services::default(),
        }
    }

    /// The digest of all that a chart could make of this context where its options leave it to the context; trees and
    /// lookups are not part of it, and neither are charts that it needs: those are known by what was fetched. Nothing else
    /// than charts asks for any of it.
    pub(crate) fn digest(&self, renderer: &Renderer) -> Digest {
        let (mut name, mut namespace, mut version, mut served) = (
            self.name.as_str(),
            self.namespace.as_str(),
            self.cluster.version.as_str(),
            &*self.cluster.api_versions,
        );
        if let Renderer::Helm(options) = renderer {
            let unless = |declared: &Str, text: &mut &str| {
                if !declared.is_empty() {
                    *text = "";
                }
            };
            unless(&options.release_name, &mut name);
            unless(&options.namespace, &mut namespace);
            unless(&options.kube_version, &mut version);
            if !options.api_versions.is_empty() {
                served = &[];
            }
        }
        let mut text = format!("{name}\n{namespace}\n{version}");
        for api_version in served {
            text.push('\n');
            text.push_str(api_version);
        }
        Digest::of_bytes(text.as_bytes())
    }

    /// The digest of all that a kustomization could make of this context.
    pub(crate) fn kustomize_digest(&self) -> Digest {
        let fetchers = (self.fetchers.bases.is_some(), self.fetchers.charts.is_some());
        let mut text = format!("{:?}\n{fetchers:?}", self.kustomize);
        if self.kustomize.enable_helm {
            text.push_str(&format!("\n{}\n{:?}", self.cluster.version, self.cluster.api_versions));
        }
        Digest::of_bytes(text.as_bytes())
    }

    /// The digest of all that plugins could make of this context.
    pub(crate) fn plugin_digest(&self, renderer: &Renderer) -> Option<Digest> {
        let plugins = self.services.plugins?;
        let options = match renderer {
            Renderer::Plugin(options) => Some(&**options),
            Renderer::Detect if plugins.discovers() => None,
            _ => return None,
        };
        Some(Digest::of_bytes(plugins.identity(&self.plugin_input(options)).as_bytes()))
    }

    /// The digest of what the cluster answers.
    pub(crate) fn answer(&self, request: &LookupRequest) -> Digest {
        answer(self.services.lookup.as_deref(), request)
    }
}

/// The digest of an answer, or of its failure.
pub(crate) fn answer(lookup: Option<&dyn Lookup>, request: &LookupRequest) -> Digest {
    match lookup.map(|lookup| lookup.lookup(request)) {
        None => Digest::of_value(&windlass_kube::Value::object()),
        Some(Ok(found)) => Digest::of_value(&found),
        Some(Err(problem)) => Digest::of_bytes(problem.as_bytes()),
    }
}
