//! Kustomizations that stand in a tree, as Argo CD calls `kustomize build`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use windlass_helm::HelmVersion;
use windlass_kube::Str;
use windlass_kustomize::helm::{ChartAddress, Helm};
use windlass_kustomize::kustomization::{Patch, PatchOptions, Replica, Selector};
use windlass_kustomize::remote::{Remote, RepositoryAddress};
use windlass_kustomize::{Cache, Edit, Error, ErrorKind, Options, Reorder, Services, build};
use windlass_model::{Diagnostic, KustomizeOptions, KustomizePatch, Manifest, Tree, TreeError};

use crate::charts::{ChartFetcher, KustomizeCharts};
use crate::context::{Context, Fetchers};
use crate::manifests::parse_built;
use crate::{RecordingTree, RenderError, resolved, shown};

pub(crate) fn render(
    tree: &RecordingTree<'_>,
    path: &str,
    options: &KustomizeOptions,
    context: &mut Context<'_>,
    files: Option<&Cache>,
) -> Result<Built, RenderError> {
    let failed = |error: Error| RenderError::Kustomize { path: shown(path), problem: error.to_string() };
    let edits = edits(tree, path, options)?;
    let counting = Counting { fetchers: context.fetchers, fetched: AtomicBool::new(false) };
    let build_options = build_options(options, context);
    let fetcher = context.fetchers.charts.map(|_| &counting as &dyn ChartFetcher);
    let enable_helm = context.kustomize.enable_helm;
    let charts = KustomizeCharts::new(HELM, fetcher, &mut *context.world);
    let services = Services {
        remote: counting.fetchers.bases.map(|_| &counting as &dyn Remote),
        helm: enable_helm.then_some(&charts as &dyn Helm),
        cache: files,
    };
    let built = build(tree, path, &build_options, services, &edits).map_err(failed)?;
    let text = built.resources.to_yaml().map_err(failed)?;
    let (mut manifests, mut diagnostics) = (Vec::new(), Vec::new());
    parse_built(path, &text, &mut manifests, &mut diagnostics);
    Ok(Built { manifests, diagnostics, fetched: counting.fetched.into_inner() })
}

/// The flags of the build. Argo CD tells charts of the version and the APIs only where the options or the cluster
/// say some.
fn build_options(options: &KustomizeOptions, context: &Context<'_>) -> Options {
    let flags = &context.kustomize;
    let first = |texts: [&Str; 3]| {
        texts.into_iter().find(|text| !text.is_empty()).map(ToString::to_string).unwrap_or_default()
    };
    let versions = [&*options.api_versions, &flags.helm_api_versions, &*context.cluster.api_versions];
    let versions = versions.into_iter().find(|versions| !versions.is_empty()).unwrap_or_default();
    Options {
        load_from_anywhere: flags.load_from_anywhere,
        reorder: if flags.unordered { Reorder::None } else { Reorder::Legacy },
        managed_by_label: flags.managed_by_label,
        helm_kube_version: first([&options.kube_version, &flags.helm_kube_version, &context.cluster.version]),
        helm_api_versions: versions.iter().map(ToString::to_string).collect(),
        ..Options::default()
    }
}

/// What a kustomization gives.
pub(crate) struct Built {
    pub(crate) manifests: Vec<Manifest>,
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// Whether something was fetched by its address.
    pub(crate) fetched: bool,
}

/// The rules of Argo CD 3.6 are those of Helm 3.
const HELM: HelmVersion = HelmVersion::V3;

/// Fetches, and remembers that something was fetched.
struct Counting<'a> {
    fetchers: Fetchers<'a>,
    fetched: AtomicBool,
}

impl Counting<'_> {
    fn bases(&self) -> windlass_kustomize::Result<&dyn Remote> {
        self.fetched.store(true, Ordering::Relaxed);
        self.fetchers.bases.ok_or_else(|| Error::new(ErrorKind::Remote, "nothing is fetched here"))
    }
}

impl Remote for Counting<'_> {
    fn repository(&self, address: &RepositoryAddress) -> windlass_kustomize::Result<Arc<dyn Tree>> {
        self.bases()?.repository(address)
    }

    fn file(&self, url: &str) -> windlass_kustomize::Result<Arc<[u8]>> {
        self.bases()?.file(url)
    }
}

impl ChartFetcher for Counting<'_> {
    fn chart(&self, address: &ChartAddress) -> Result<Arc<dyn Tree>, String> {
        self.fetched.store(true, Ordering::Relaxed);
        self.fetchers.charts.ok_or("nothing is fetched here")?.chart(address)
    }
}

/// The edits that the options ask for, in the order in which Argo CD 3.6 makes them.
fn edits(tree: &RecordingTree<'_>, path: &str, options: &KustomizeOptions) -> Result<Vec<Edit>, TreeError> {
    let mut edits = Vec::new();
    if !options.name_prefix.is_empty() {
        edits.push(Edit::NamePrefix(options.name_prefix.clone()));
    }
    if !options.name_suffix.is_empty() {
        edits.push(Edit::NameSuffix(options.name_suffix.clone()));
    }
    if !options.images.is_empty() {
        edits.push(Edit::Images(options.images.clone()));
    }
    if !options.replicas.is_empty() {
        let replicas = options.replicas.iter();
        edits.push(Edit::Replicas(
            replicas.map(|(name, count)| Replica { name: name.clone(), count: *count }).collect(),
        ));
    }
    if !options.common_labels.is_empty() {
        edits.push(Edit::Labels {
            labels: pairs(&options.common_labels),
            force: options.force_common_labels,
            without_selector: options.label_without_selector,
            include_templates: options.label_include_templates,
        });
    }
    if !options.common_annotations.is_empty() {
        edits.push(Edit::Annotations {
            annotations: pairs(&options.common_annotations),
            force: options.force_common_annotations,
        });
    }
    if !options.namespace.is_empty() {
        edits.push(Edit::Namespace(options.namespace.clone()));
    }
    if !options.patches.is_empty() {
        edits.push(Edit::Patches(options.patches.iter().map(patch).collect()));
    }
    let mut components = Vec::with_capacity(options.components.len());
    for component in &options.components {
        if !options.ignore_missing_components || is_there(tree, path, component)? {
            components.push(component.clone());
        }
    }
    if !components.is_empty() {
        edits.push(Edit::Components(components));
    }
    Ok(edits)
}

fn pairs(pairs: &[(Str, Str)]) -> BTreeMap<Str, Str> {
    pairs.iter().cloned().collect()
}

fn patch(patch: &KustomizePatch) -> Patch {
    let allows = |name: &str| patch.options.iter().any(|(option, allowed)| option == name && *allowed);
    Patch {
        path: patch.path.clone(),
        patch: patch.patch.clone(),
        target: patch.target.as_ref().map(|target| Selector {
            group: target.group.clone(),
            version: target.version.clone(),
            kind: target.kind.clone(),
            name: target.name.clone(),
            namespace: target.namespace.clone(),
            annotation_selector: target.annotation_selector.clone(),
            label_selector: target.label_selector.clone(),
        }),
        options: (!patch.options.is_empty()).then(|| PatchOptions {
            allow_name_change: allows("allowNameChange"),
            allow_kind_change: allows("allowKindChange"),
        }),
    }
}

/// Whether a component's folder is in the tree; what leads out of it is not.
fn is_there(tree: &RecordingTree<'_>, path: &str, component: &str) -> Result<bool, TreeError> {
    let Some(component) = resolved(path, component) else { return Ok(false) };
    Ok(tree.entry(&component)?.is_some())
}
