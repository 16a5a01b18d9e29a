//! Charts in kustomizations: what is asked of Helm, and what becomes of its answer.

use std::sync::Arc;

use smol_str::SmolStr;
use windlass_model::{EntryKind, Tree};
use windlass_yaml::Value;

use crate::build::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::filters::openapi::Schema;
use crate::filters::strategic_merge::{self, Merged};
use crate::kustomization::{HelmChart, HelmGlobals};
use crate::loader::{Loader, MAX_FILE, join};
use crate::node::{Kind, Node};
use crate::reader;
use crate::res_map::ResMap;
use crate::resource::{Resource, validate_metadata};

/// Renders charts. A build without one refuses `helmCharts`, as `kustomize build` does without
/// `--enable-helm`.
pub trait Helm {
    /// The files of a chart that does not lie beside the kustomization; `Chart.yaml` is at the Tree's root.
    ///
    /// # Errors
    /// The chart cannot be fetched, or nothing is fetched here.
    fn pull(&self, chart: &ChartAddress) -> Result<Arc<dyn Tree>>;

    /// The text that `helm template` prints for the chart in `folder` of `tree`.
    ///
    /// # Errors
    /// The chart cannot be rendered.
    fn template(&self, request: &HelmRequest, tree: &dyn Tree, folder: &str) -> Result<String>;
}

/// Where a chart is published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChartAddress {
    /// The repository: the folder of an `index.yaml`, or a registry's with `oci://`.
    pub repository: SmolStr,
    /// The chart's name.
    pub name: SmolStr,
    /// Its version; empty for the newest.
    pub version: SmolStr,
    /// Whether versions before a release count.
    pub devel: bool,
}

/// What kustomize passes to `helm template` beside the chart.
#[derive(Clone, Debug, Default)]
pub struct HelmRequest {
    /// The chart's name.
    pub name: SmolStr,
    /// The release's name; empty to use the template, or Helm's own default.
    pub release_name: SmolStr,
    /// A template for the release's name; empty for none. It does not go together with a name.
    pub name_template: SmolStr,
    /// The release's namespace; empty for the default one.
    pub namespace: SmolStr,
    /// The files of values with their names; later ones win.
    pub values: Vec<(String, Arc<[u8]>)>,
    /// Whether the chart's CRDs are rendered.
    pub include_crds: bool,
    /// Whether hooks are left out.
    pub skip_hooks: bool,
    /// Whether tests are left out.
    pub skip_tests: bool,
    /// API versions that the cluster is taken to have.
    pub api_versions: Vec<SmolStr>,
    /// The cluster's version.
    pub kube_version: SmolStr,
}

/// A chart as a kustomization asks for it, checked as kustomize checks it before anything is generated.
#[derive(Clone, Debug)]
pub(crate) struct ChartGenerator {
    chart: HelmChart,
    /// Where the chart lies or would be put, absolute.
    folder: String,
    /// The file of values, absolute or relative to the kustomization.
    values_file: String,
    merge: ValuesMerge,
}

/// How inline values and the file of values go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ValuesMerge {
    /// The file wins.
    Merge,
    /// The inline values win.
    Override,
    /// The file is not read.
    Replace,
}

/// A chart's folder: in the Tree of the kustomization, or a fetched one's root.
enum ChartPlace {
    Beside,
    Pulled(Arc<dyn Tree>),
}

impl ChartGenerator {
    pub(crate) fn new(
        globals: &HelmGlobals,
        chart: &HelmChart,
        loader: &Loader<'_>,
        context: &Context<'_>,
    ) -> Result<Self> {
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
        let folder = join(&home, &chart.name);
        let values_file = if chart.values_file.is_empty() {
            join(&folder, "values.yaml")
        } else {
            chart.values_file.to_string()
        };
        for file in &chart.additional_values_files {
            loader.load(file).map_err(|error| error.wrap("could not load additionalValuesFile"))?;
        }
        let merge = match chart.values_merge.as_str() {
            "" | "override" => ValuesMerge::Override,
            "merge" => ValuesMerge::Merge,
            "replace" => ValuesMerge::Replace,
            _ => return Err(Error::invalid("valuesMerge must be one of [merge override replace]")),
        };
        let mut chart = chart.clone();
        let options = &context.options;
        // What the kustomization says wins: kustomize reads it after its options.
        if chart.api_versions.is_empty() {
            chart.api_versions = options.helm_api_versions.iter().map(SmolStr::from).collect();
        }
        if chart.kube_version.is_empty() {
            chart.kube_version = options.helm_kube_version.as_str().into();
        }
        Ok(Self { chart, folder, values_file, merge })
    }

    pub(crate) fn generate(&self, loader: &Loader<'_>, context: &Context<'_>) -> Result<ResMap> {
        let Some(helm) = context.helm else {
            return Err(Error::new(ErrorKind::Refused, "must specify --enable-helm"));
        };
        let chart = &self.chart;
        let place = self.place(loader, helm)?;
        let mut values = vec![self.values(loader, &place, &context.schema())?];
        for file in &chart.additional_values_files {
            values.push((join(loader.root(), file), loader.load(file)?));
        }
        let request = HelmRequest {
            name: chart.name.clone(),
            release_name: chart.release_name.clone(),
            name_template: chart.name_template.clone(),
            namespace: chart.namespace.clone(),
            values,
            include_crds: chart.include_crds,
            skip_hooks: chart.skip_hooks,
            skip_tests: chart.skip_tests,
            api_versions: chart.api_versions.clone(),
            kube_version: chart.kube_version.clone(),
        };
        let text = match &place {
            ChartPlace::Beside => {
                let (tree, folder) = loader.in_own_tree(&self.folder).unwrap_or((loader.own_tree(), ""));
                helm.template(&request, tree, folder)?
            }
            ChartPlace::Pulled(tree) => helm.template(&request, tree.as_ref(), "")?,
        };
        let schema = context.schema();
        let resources = |objects: Vec<Node>| {
            let resources = objects.into_iter().map(|node| {
                let mut resource = Resource::new(node);
                resource.memory.helm_generated = true;
                resource.touch_annotations();
                resource
            });
            ResMap::from_resources(resources, &schema)
        };
        match reader::objects(text.as_bytes()).and_then(resources) {
            Ok(made) => Ok(made),
            Err(problem) => {
                // kustomize reads such a text once more, in other words.
                let nodes = reader::nodes(text.as_bytes())
                    .map_err(|error| error.wrap("error reading helm output"))?;
                if nodes.is_empty() {
                    return Err(problem.wrap("could not parse bytes into resource map"));
                }
                let checked = nodes.iter().try_for_each(validate_metadata).and_then(|()| resources(nodes));
                checked.map_err(|error| error.wrap("could not parse rnode slice into resource map"))
            }
        }
    }

    fn place(&self, loader: &Loader<'_>, helm: &dyn Helm) -> Result<ChartPlace> {
        let found = match loader.in_own_tree(&self.folder) {
            Some((tree, path)) => tree.entry(path).map_err(|error| {
                Error::new(ErrorKind::NotFound, format!("cannot look at '{}': {error}", self.folder))
            })?,
            None => None,
        };
        if found.is_some_and(|entry| entry.kind == EntryKind::Directory) {
            return Ok(ChartPlace::Beside);
        }
        if self.chart.repo.is_empty() {
            let path = if found.is_some() { self.folder.as_str() } else { "" };
            let message = format!("no repo specified for pull, no chart found at '{path}'");
            return Err(Error::new(ErrorKind::NotFound, message));
        }
        let address = ChartAddress {
            repository: self.chart.repo.clone(),
            name: self.chart.name.clone(),
            version: self.chart.version.clone(),
            devel: self.chart.devel,
        };
        helm.pull(&address).map(ChartPlace::Pulled)
    }

    /// The first file of values that Helm is given.
    fn values(
        &self,
        loader: &Loader<'_>,
        place: &ChartPlace,
        schema: &Schema,
    ) -> Result<(String, Arc<[u8]>)> {
        let name = format!("{}-kustomize-values.yaml", self.chart.name);
        let inline = self.chart.values_inline.as_ref();
        let inline = inline.filter(|values| values.as_object().is_some_and(|map| !map.is_empty()));
        let Some(inline) = inline else { return Ok((name, self.load_values(loader, place)?)) };
        let merged = match self.merge {
            ValuesMerge::Replace => inline.clone(),
            merge => {
                let file = self.load_values(loader, place)?;
                let file = reader::first_node(&file)
                    .map_err(|error| error.wrap("could not parse values file into rnode"))?;
                let inline = reader::first_node(windlass_yaml::to_yaml(inline).as_bytes())
                    .map_err(|error| error.wrap("could not parse values inline into rnode"))?;
                let (mut under, over) =
                    if merge == ValuesMerge::Override { (file, inline) } else { (inline, file) };
                let merged = strategic_merge::apply(&mut under, over, schema)
                    .map_err(|error| error.wrap("could not merge values"))?;
                if merged == Merged::Deleted {
                    Value::object()
                } else {
                    if under.kind() != Kind::Mapping {
                        let problem = "could not parse merged values into map: failed to decode ynode";
                        return Err(Error::invalid(problem));
                    }
                    under.to_value()?
                }
            }
        };
        Ok((name, windlass_yaml::to_yaml(&merged).into_bytes().into()))
    }

    /// Reads the file of values as the kustomization would, also out of a chart that was fetched.
    fn load_values(&self, loader: &Loader<'_>, place: &ChartPlace) -> Result<Arc<[u8]>> {
        if let ChartPlace::Pulled(tree) = place {
            let file = &self.values_file;
            let absolute = if file.starts_with('/') { join("/", file) } else { join(loader.root(), file) };
            let below = absolute.strip_prefix(self.folder.as_str()).and_then(|rest| rest.strip_prefix('/'));
            if let Some(below) = below {
                loader.check_place(&absolute)?;
                let read = tree.read(below, MAX_FILE);
                let read = read.map_err(|error| Error::invalid(format!("{absolute}: {error}")))?;
                return read.ok_or_else(|| {
                    let problem = format!(
                        "evalsymlink failure on '{absolute}' : lstat {absolute}: no such file or directory"
                    );
                    Error::new(ErrorKind::NotFound, problem)
                });
            }
        }
        loader.load(&self.values_file)
    }
}
