//! What a render may know beside the tree it renders.

use std::collections::BTreeMap;
use std::sync::Arc;

use gotemplate::World;
use windlass_helm::{ChartSource, NoCharts};
use windlass_kube::Str;
use windlass_kustomize::remote::Remote;
use windlass_model::{Digest, Tree};

use crate::build_options::KustomizeBuildOptions;
use crate::charts::ChartFetcher;

/// What a render may know beside the tree it renders. Plain files need none of it.
pub struct Context<'a> {
    /// The name of what is rendered: that of a release where no other is declared.
    pub name: Str,
    /// The namespace it goes to.
    pub namespace: Str,
    /// The cluster it goes to.
    pub cluster: ClusterFacts,
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
}

/// What fetches things that sources name by an address.
#[derive(Clone, Copy, Default)]
pub struct Fetchers<'a> {
    /// Repositories and files that kustomizations name.
    pub bases: Option<&'a dyn Remote>,
    /// Charts that kustomizations name.
    pub charts: Option<&'a dyn ChartFetcher>,
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
            references: BTreeMap::new(),
            kustomize: KustomizeBuildOptions::default(),
            fetchers: Fetchers::default(),
            charts: &NoCharts,
            world,
        }
    }

    /// The digest of all that a chart or a kustomization could have made of this context; trees and
    /// charts are not part of it: which chart a version is does not change.
    pub(crate) fn digest(&self) -> Digest {
        let mut text = format!("{}\n{}\n{}", self.name, self.namespace, self.cluster.version);
        for api_version in &*self.cluster.api_versions {
            text.push('\n');
            text.push_str(api_version);
        }
        let has = |is: bool| if is { 'y' } else { 'n' };
        let fetchers = [has(self.fetchers.bases.is_some()), has(self.fetchers.charts.is_some())];
        text.push_str(&format!("\n{:?}\n{fetchers:?}", self.kustomize));
        Digest::of_bytes(text.as_bytes())
    }
}
