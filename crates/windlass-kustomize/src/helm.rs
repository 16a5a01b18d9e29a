//! Charts in kustomizations: what is asked of Helm, and what becomes of its answer.

use smol_str::SmolStr;
use windlass_model::Tree;
use windlass_yaml::Value;

use crate::build::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::kustomization::{HelmChart, HelmGlobals};
use crate::loader::{Loader, join};
use crate::reader;
use crate::res_map::ResMap;
use crate::resource::Resource;

/// Renders charts. A build without one refuses `helmCharts`, as `kustomize build` does without
/// `--enable-helm`.
pub trait Helm: Send + Sync {
    /// The text that `helm template` prints.
    ///
    /// # Errors
    /// The chart is not there or cannot be rendered.
    fn template(&self, request: &HelmRequest, files: &ChartFiles<'_>) -> Result<String>;
}

/// A chart to be rendered, with everything that kustomize passes to Helm.
#[derive(Clone, Debug, Default)]
pub struct HelmRequest {
    /// The chart's name.
    pub name: SmolStr,
    /// Its version; empty for the newest, or for the one that lies there.
    pub version: SmolStr,
    /// Its repository; empty if it must lie in the folder of charts.
    pub repository: SmolStr,
    /// The release's name; empty to have one made up.
    pub release_name: SmolStr,
    /// The release's namespace.
    pub namespace: SmolStr,
    /// A template for the release's name.
    pub name_template: SmolStr,
    /// The files of values besides, by their paths from the kustomization's folder.
    pub additional_values_files: Vec<SmolStr>,
    /// The values that go over the chart's own, as `valuesMerge` has them; `None` where `values_file` is it.
    pub values_inline: Option<Value>,
    /// How inline values and the values' file go together: `merge`, `override` or `replace`.
    pub values_merge: SmolStr,
    /// The file of values, absolute.
    pub values_file: String,
    /// Where the chart lies or would be put, absolute.
    pub chart_folder: String,
    /// Whether the chart's CRDs are rendered.
    pub include_crds: bool,
    /// Whether hooks are left out.
    pub skip_hooks: bool,
    /// Whether tests are left out.
    pub skip_tests: bool,
    /// Whether versions before a release count.
    pub devel: bool,
    /// API versions that the cluster is taken to have.
    pub api_versions: Vec<SmolStr>,
    /// The cluster's version.
    pub kube_version: SmolStr,
}

/// The files around a chart.
pub struct ChartFiles<'a> {
    /// The Tree that the kustomization lies in.
    pub tree: &'a dyn Tree,
    /// The kustomization's folder in it.
    pub folder: &'a str,
    /// The chart's folder in it, if it is inside.
    pub chart: Option<&'a str>,
    /// Reads a file as the kustomization would.
    pub load: &'a dyn Fn(&str) -> Result<std::sync::Arc<[u8]>>,
}

const MERGES: [&str; 3] = ["merge", "override", "replace"];

pub(crate) fn request(
    globals: &HelmGlobals,
    chart: &HelmChart,
    loader: &Loader<'_>,
    context: &Context<'_>,
) -> Result<HelmRequest> {
    if context.helm.is_none() {
        return Err(Error::new(ErrorKind::Refused, "must specify --enable-helm"));
    }
    if chart.name.is_empty() {
        return Err(Error::invalid("chart name cannot be empty"));
    }
    let home = if globals.chart_home.is_empty() { "charts" } else { globals.chart_home.as_str() };
    let home = if home.starts_with('/') { home.to_owned() } else { join(loader.root(), home) };
    let home = if chart.version.is_empty() || chart.repo.is_empty() {
        home
    } else {
        join(&home, &format!("{}-{}", chart.name, chart.version))
    };
    let chart_folder = join(&home, &chart.name);
    let values_file = if chart.values_file.is_empty() {
        join(&chart_folder, "values.yaml")
    } else {
        chart.values_file.to_string()
    };
    for file in &chart.additional_values_files {
        loader.load(file).map_err(|error| error.wrap("could not load additionalValuesFile"))?;
    }
    let values_merge = match chart.values_merge.as_str() {
        "" => "override".into(),
        merge if MERGES.contains(&merge) => merge.into(),
        _ => return Err(Error::invalid("valuesMerge must be one of [merge override replace]")),
    };
    let options = &context.options;
    Ok(HelmRequest {
        name: chart.name.clone(),
        version: chart.version.clone(),
        repository: chart.repo.clone(),
        release_name: chart.release_name.clone(),
        namespace: chart.namespace.clone(),
        name_template: chart.name_template.clone(),
        additional_values_files: chart.additional_values_files.clone(),
        values_inline: chart
            .values_inline
            .clone()
            .filter(|values| values.as_object().is_some_and(|map| !map.is_empty())),
        values_merge,
        values_file,
        chart_folder,
        include_crds: chart.include_crds,
        skip_hooks: chart.skip_hooks,
        skip_tests: chart.skip_tests,
        devel: chart.devel,
        // What the kustomization says wins: it is read after the options.
        api_versions: match chart.api_versions.is_empty() {
            true => options.helm_api_versions.iter().map(SmolStr::from).collect(),
            false => chart.api_versions.clone(),
        },
        kube_version: match chart.kube_version.is_empty() {
            true => options.helm_kube_version.as_str().into(),
            false => chart.kube_version.clone(),
        },
    })
}

pub(crate) fn render(request: &HelmRequest, loader: &Loader<'_>, context: &Context<'_>) -> Result<ResMap> {
    let Some(helm) = context.helm else {
        return Err(Error::new(ErrorKind::Refused, "must specify --enable-helm"));
    };
    let (tree, folder) = loader.tree_and_path();
    let files = ChartFiles {
        tree,
        folder,
        chart: loader.path_in_tree(&request.chart_folder),
        load: &|path| loader.load(path),
    };
    let text = helm.template(request, &files)?;
    let objects = reader::objects(text.as_bytes())?;
    let resources = objects.into_iter().map(|node| {
        let mut resource = Resource::new(node);
        resource.memory.helm_generated = true;
        resource.touch_annotations();
        resource
    });
    ResMap::from_resources(resources, &context.schema())
}
