//! From a chart and values to manifests.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use gotemplate::{Limits, Map, World};
use windlass_yaml::Str;

use crate::HelmVersion;
use crate::capabilities::Capabilities;
use crate::chart::Chart;
use crate::engine::{self, Lookup, LookupRequest, NoCluster, ParseFailure, Program, State, TemplateError};
use crate::manifest::{self, Hook, Manifest, ManifestError};
use crate::post_render::{PostRenderError, PostRendering};
use crate::release::{Release, ReleaseNameError, check_name};
use crate::schema::{self, SchemaError};
use crate::values::coalesce::{Coalescing, Nulls, TypeMismatch};
use crate::values::dependencies::{self, Node, is_compatible};
use crate::values::{VALUES_V3, VALUES_V4, deep_copy};
use crate::warning::Warning;

/// A chart that is ready to be rendered again and again, by many threads at once.
///
/// Which of the charts inside take part depends on the values, and with it which templates there are. So
/// templates are parsed when they are first needed, and kept.
pub struct CompiledChart {
    chart: Arc<Chart>,
    helm: HelmVersion,
    programs: Mutex<Vec<(Shape, Arc<Program>)>>,
}

/// The charts that take part: the path of each, and which chart it is.
type Shape = Vec<(String, usize)>;

/// How many sets of charts are kept parsed. A chart with many switches is rendered with few settings of them.
const MAX_PROGRAMS: usize = 8;

/// What a chart is rendered with.
#[derive(Clone)]
pub struct RenderRequest {
    /// What `.Release` says.
    pub release: Release,
    /// What the user gave: see [`Overrides`](crate::Overrides).
    pub values: Map,
    /// What `.Capabilities` says.
    pub capabilities: Capabilities,
    /// Whether values are used even if a schema forbids them.
    pub skip_schema_validation: bool,
    /// What `lookup` finds.
    pub lookup: Arc<dyn Lookup>,
    /// What bounds the templates.
    pub limits: Limits,
    /// What changes the manifests before they are anybody's.
    pub post_rendering: Option<PostRendering>,
}

impl RenderRequest {
    /// A render as `helm template` makes it: without a cluster, with the default capabilities.
    #[must_use]
    pub fn new(release: Release, values: Map, helm: HelmVersion) -> Self {
        Self {
            release,
            values,
            capabilities: Capabilities::default_of(helm),
            skip_schema_validation: false,
            lookup: Arc::new(NoCluster),
            limits: Limits::default(),
            post_rendering: None,
        }
    }
}

/// What rendering a chart gives.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// The manifests, in the order of installation.
    pub manifests: Vec<Manifest>,
    /// The hooks, in the order in which Helm prints them.
    pub hooks: Vec<Hook>,
    /// The files of `crds/`, those of a chart before those of the charts inside it.
    pub crds: Vec<Crd>,
    /// What the chart's own `NOTES.txt` says; empty if it has none.
    pub notes: String,
    /// What Helm would print to its error output.
    pub warnings: Vec<Warning>,
    /// What the result depends on beside the chart and the request.
    pub record: Record,
    /// What a post-renderer made of the manifests by the rules of Helm 3, which does not look into it.
    pub post_rendered: Option<String>,
}

/// A file of `crds/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crd {
    /// Its path, from the outermost chart's name on.
    pub source: String,
    /// Its content.
    pub data: Arc<[u8]>,
}

/// What a render asked of the world.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// What was asked of the cluster.
    pub lookups: BTreeSet<LookupRequest>,
    /// Whether time or chance were asked for: another render can give another result.
    pub asked_world: bool,
    /// How many steps the templates took.
    pub steps: u64,
}

/// Why a chart cannot be rendered. The words are Helm's.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// Only applications can be installed.
    #[error("{0} charts are not installable")]
    NotInstallable(Str),
    /// Charts are declared that are not there.
    #[error("{0}")]
    MissingDependencies(String),
    /// The release has no name, or one that is not allowed.
    #[error("{prefix}{error}")]
    ReleaseName {
        /// What Helm 4 says before.
        prefix: &'static str,
        /// What is wrong.
        error: ReleaseNameError,
    },
    /// A table was needed where something else stands.
    #[error("{prefix}{error}")]
    TypeMismatch {
        /// What Helm 4 says before.
        prefix: &'static str,
        /// What is wrong.
        error: TypeMismatch,
    },
    /// A schema forbids the values.
    #[error("values don't meet the specifications of the schema(s) in the following chart(s):\n{0}")]
    Schema(SchemaError),
    /// The chart is for other versions of Kubernetes.
    #[error("chart requires kubeVersion: {wanted} which is incompatible with Kubernetes {found}")]
    KubeVersion {
        /// The constraint.
        wanted: Str,
        /// The version.
        found: String,
    },
    /// A template does not parse.
    #[error(transparent)]
    Parse(#[from] ParseFailure),
    /// A template fails.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// What a template prints is no YAML.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A post-renderer fails, or makes what is no YAML.
    #[error(transparent)]
    PostRender(#[from] PostRenderError),
}

impl CompiledChart {
    /// Prepares a chart. Nothing is parsed yet.
    #[must_use]
    pub fn new(chart: Arc<Chart>, helm: HelmVersion) -> Self {
        Self { chart, helm, programs: Mutex::default() }
    }

    /// The chart.
    #[must_use]
    pub fn chart(&self) -> &Arc<Chart> {
        &self.chart
    }

    /// Renders the chart.
    ///
    /// Time and chance come from `world`; without them ([`Record::asked_world`]) the result is a function of the
    /// chart, the request and what `lookup` answers.
    ///
    /// # Errors
    /// [`RenderError`].
    pub fn render(&self, request: &RenderRequest, world: &mut dyn World) -> Result<Rendered, RenderError> {
        let helm = self.helm;
        let mut warnings = Vec::new();
        self.check(request, &mut warnings)?;
        let mut root = Node::new(&self.chart);
        dependencies::process(&mut root, &request.values, helm, &mut warnings).map_err(|error| {
            let prefix = match helm {
                HelmVersion::V3 => "",
                HelmVersion::V4 => "chart dependencies processing failed: ",
            };
            RenderError::TypeMismatch { prefix, error }
        })?;
        let values = self.values(&root, request, &mut warnings)?;
        if !request.skip_schema_validation {
            schema::validate(&root, &values).map_err(RenderError::Schema)?;
        }
        let wanted = &self.chart.metadata.kube_version;
        let kube_version = &request.capabilities.kube_version;
        if !wanted.is_empty() && !is_compatible(wanted, &kube_version.normalized) {
            let found = match helm {
                HelmVersion::V3 => kube_version.normalized.clone(),
                HelmVersion::V4 => kube_version.version.clone(),
            };
            return Err(RenderError::KubeVersion { wanted: wanted.clone(), found });
        }
        let program = self.program(&root)?;
        let scopes = engine::scopes(&root, &values, &request.release, &request.capabilities, helm);
        let mut state = State::new(Arc::clone(&request.lookup));
        let execution = program.execute(&scopes, &mut state, request.limits, world, helm)?;
        let record =
            Record { lookups: state.lookups, asked_world: execution.asked_world, steps: execution.steps };
        let mut files = execution.files;
        let notes = take_notes(&mut files, &root.name);
        files.sort_by(|(a, _), (b, _)| a.cmp(b));
        if let Some(post_rendering) = request.post_rendering.as_ref().filter(|_| helm == HelmVersion::V4) {
            files = post_rendering.files(&files)?;
        }
        let (manifests, hooks) = manifest::sort(&files, helm)?;
        let mut crds = Vec::new();
        collect_crds(&root, "", &mut crds);
        let post_rendered = None;
        let mut rendered = Rendered { manifests, hooks, crds, notes, warnings, record, post_rendered };
        if let Some(post_rendering) = request.post_rendering.as_ref().filter(|_| helm == HelmVersion::V3) {
            let printed = rendered.print_manifests(post_rendering.include_crds);
            rendered.post_rendered = Some(post_rendering.text(&printed)?);
        }
        Ok(rendered)
    }

    fn check(&self, request: &RenderRequest, warnings: &mut Vec<Warning>) -> Result<(), RenderError> {
        let metadata = &self.chart.metadata;
        if !matches!(metadata.kind.as_str(), "" | "application") {
            return Err(RenderError::NotInstallable(metadata.kind.clone()));
        }
        if metadata.deprecated {
            warnings.push(match self.helm {
                HelmVersion::V3 => "This chart is deprecated".into(),
                HelmVersion::V4 => "this chart is deprecated".into(),
            });
        }
        let missing = self.chart.missing_dependencies();
        if !missing.is_empty() {
            let names: Vec<_> = missing.iter().map(|dependency| dependency.name.as_str()).collect();
            let (an, mark) = match self.helm {
                HelmVersion::V3 => ("An", '`'),
                HelmVersion::V4 => ("an", '\''),
            };
            return Err(RenderError::MissingDependencies(format!(
                "{an} error occurred while checking for chart dependencies. You may need to run \
                 {mark}helm dependency build{mark} to fetch missing dependencies: found in Chart.yaml, but missing \
                 in charts/ directory: {}",
                names.join(", ")
            )));
        }
        check_name(&request.release.name).map_err(|error| {
            let prefix = match self.helm {
                HelmVersion::V3 => "",
                HelmVersion::V4 => "release name check failed: ",
            };
            RenderError::ReleaseName { prefix, error }
        })
    }

    fn values(
        &self,
        root: &Node<'_>,
        request: &RenderRequest,
        warnings: &mut Vec<Warning>,
    ) -> Result<Map, RenderError> {
        let kind = match self.helm {
            HelmVersion::V3 => &VALUES_V3,
            HelmVersion::V4 => &VALUES_V4,
        };
        let values = Map::typed(kind, deep_copy(&request.values).read().clone());
        Coalescing { helm: self.helm, nulls: Nulls::Delete, warnings }
            .run(root, &values)
            .map_err(|error| RenderError::TypeMismatch { prefix: "", error })?;
        Ok(values)
    }

    /// The parsed templates of the charts that take part.
    fn program(&self, root: &Node<'_>) -> Result<Arc<Program>, ParseFailure> {
        let mut shape = Shape::new();
        describe(root, "", &mut shape);
        let programs = || self.programs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, program)) = programs().iter().find(|(known, _)| *known == shape) {
            return Ok(Arc::clone(program));
        }
        // Two threads may parse the same at once; that is cheaper than to let one wait for the other's chart.
        let program = Arc::new(Program::parse(root, self.helm)?);
        let mut kept = programs();
        if kept.len() >= MAX_PROGRAMS {
            kept.remove(0);
        }
        kept.push((shape, Arc::clone(&program)));
        Ok(program)
    }
}

impl fmt::Debug for CompiledChart {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let metadata = &self.chart.metadata;
        write!(formatter, "CompiledChart({} {})", metadata.name, metadata.version)
    }
}

fn describe(node: &Node<'_>, parent: &str, shape: &mut Shape) {
    let path = engine::full_path(parent, &node.name);
    for child in &node.children {
        describe(child, &path, shape);
    }
    shape.push((path, std::ptr::from_ref(node.chart).addr()));
}

/// Takes the files called `NOTES.txt` away, and returns that of the chart itself.
fn take_notes(files: &mut Vec<(Arc<str>, String)>, chart: &str) -> String {
    let own = format!("{chart}/templates/NOTES.txt");
    let mut notes = String::new();
    files.retain_mut(|(source, text)| {
        if **source == *own {
            notes = std::mem::take(text);
        }
        !source.ends_with("NOTES.txt")
    });
    notes
}

fn collect_crds(node: &Node<'_>, parent: &str, crds: &mut Vec<Crd>) {
    let path = engine::full_path(parent, &node.name);
    crds.extend(node.chart.crds().map(|file| Crd {
        source: crate::text::clean(&format!("{path}/{}", file.name)),
        data: Arc::clone(&file.data),
    }));
    for child in &node.children {
        collect_crds(child, &path, crds);
    }
}

/// What of a render is printed.
#[derive(Clone, Copy, Debug, Default)]
pub struct PrintOptions<'a> {
    /// Whether the files of `crds/` come first.
    pub include_crds: bool,
    /// Whether hooks are left out.
    pub no_hooks: bool,
    /// Whether hooks that are tests are left out.
    pub skip_tests: bool,
    /// The templates to print, as globs of paths below the chart's folder; all if empty.
    pub show_only: &'a [String],
}

/// A template to be shown that is not there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not find template {0} in chart")]
pub struct NoSuchTemplate(pub String);

impl Rendered {
    /// What `helm template` prints.
    ///
    /// # Errors
    /// A template to be shown that is not there.
    pub fn print(&self, options: &PrintOptions<'_>, helm: HelmVersion) -> Result<String, NoSuchTemplate> {
        let text = match &self.post_rendered {
            Some(text) => text.clone(),
            None => self.print_manifests(options.include_crds),
        };
        let trimmed = text.trim_matches(crate::text::is_space);
        let mut text = format!("{trimmed}\n");
        if !options.no_hooks {
            for hook in &self.hooks {
                if options.skip_tests && hook.events.contains(&manifest::HookEvent::Test) {
                    continue;
                }
                let _ = writeln!(text, "---\n# Source: {}\n{}", hook.source, hook.text);
            }
        }
        if options.show_only.is_empty() {
            return Ok(text);
        }
        let documents: Vec<_> = manifest::split(&text, helm)
            .into_iter()
            .filter_map(|text| Some((shown_path(text)?, text)))
            .collect();
        let mut shown = String::new();
        for pattern in options.show_only {
            let matches = |path: &str| windlass_go::glob::path_match(pattern, path).unwrap_or(false);
            let before = shown.len();
            for (_, text) in documents.iter().filter(|(path, _)| matches(path)) {
                let _ = writeln!(shown, "---\n{text}");
            }
            if shown.len() == before {
                return Err(NoSuchTemplate(pattern.clone()));
            }
        }
        Ok(shown)
    }
}

impl Rendered {
    fn print_manifests(&self, include_crds: bool) -> String {
        let mut text = String::new();
        for crd in self.crds.iter().filter(|_| include_crds) {
            let _ = writeln!(text, "---\n# Source: {}\n{}", crd.source, String::from_utf8_lossy(&crd.data));
        }
        for manifest in &self.manifests {
            let _ = writeln!(text, "---\n# Source: {}\n{}", manifest.source, manifest.text);
        }
        text
    }
}

/// The path that the comment above a document names, without the chart's.
fn shown_path(document: &str) -> Option<&str> {
    for (at, mark) in document.match_indices("# Source: ") {
        let rest = &document[at + mark.len()..];
        let slash = rest.find('/')?;
        let path = rest[slash + 1..].split('\n').next().unwrap_or("");
        if slash > 0 && !path.is_empty() {
            return Some(path);
        }
    }
    None
}
