//! Helm charts, rendered in process and exactly as Helm renders them.
//!
//! ```
//! use windlass_helm::{CompiledChart, HelmVersion, LoadOptions, PrintOptions, Release, RenderRequest};
//! use windlass_model::MemoryTree;
//!
//! let tree = MemoryTree::new([
//!     ("web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n"),
//!     ("web/values.yaml", "replicas: 2\n"),
//!     ("web/templates/a.yaml", "kind: Deployment\nspec: {replicas: {{ .Values.replicas }}}\n"),
//! ]);
//! let helm = HelmVersion::V4;
//! let loaded = windlass_helm::load_folder(&tree, "web", &LoadOptions::of(helm))?;
//! let chart = CompiledChart::new(loaded.chart, helm);
//! let request = RenderRequest::new(Release::install("prod", "default")?, Default::default(), helm);
//! let rendered = chart.render(&request, &mut gotemplate::NoWorld::default())?;
//! assert_eq!(rendered.manifests[0].kind, "Deployment");
//! print!("{}", rendered.print(&PrintOptions::default(), helm)?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - [`load_folder`], [`load_archive`]: from a Tree or a packaged chart to a [`Chart`].
//! - [`complete`]: the dependencies that a chart declares and does not bring along, from a [`ChartSource`].
//! - [`ChartCache`]: charts that are kept compiled between renders.
//! - [`Overrides`]: what a user gives by files and flags, as one map; [`strvals`] is the language of `--set`.
//! - [`CompiledChart`]: a chart that is rendered again and again, by many threads at once.
//! - [`Rendered`]: manifests, hooks, CRDs, notes, and the [`Record`] of what the render asked of the world.
//!
//! Everything is a function of its arguments: files come from a Tree, the cluster from a [`Lookup`], time and
//! chance from a `gotemplate::World`. Both versions of Helm that people run are here, chosen by [`HelmVersion`].
//! What a hostile chart can cost is bounded by [`LoadLimits`] and `gotemplate::Limits`.

mod cache;
mod capabilities;
pub mod chart;
mod dependencies;
mod engine;
mod limits;
pub mod load;
mod manifest;
mod name_template;
mod post_render;
pub mod provenance;
mod release;
mod render;
mod schema;
pub mod strvals;
mod text;
mod values;
mod version;
mod warning;

pub use cache::{ChartCache, ChartError, KeptChart};
pub use capabilities::{Capabilities, KubeVersion, KubeVersionError};
pub use chart::Chart;
pub use dependencies::{
    ChartFiles, ChartRequest, ChartSource, ChartSourceError, Dependencies, DependencyError, DependencyMode,
    MAX_DEPENDENCIES, NoCharts, complete,
};
pub use engine::{Lookup, LookupRequest, NoCluster, ParseFailure, TemplateError};
pub use limits::LoadLimits;
pub use load::{LoadError, LoadOptions, Loaded, load_archive, load_folder};
pub use manifest::{Hook, HookEvent, Manifest, ManifestError};
pub use name_template::{NameTemplateError, name_of_template};
pub use post_render::{PostRenderError, PostRenderFailure, PostRenderStrategy, PostRenderer, PostRendering};
pub use release::{MAX_RELEASE_NAME, Release, ReleaseNameError, check_name};
pub use render::{
    CompiledChart, Crd, NoSuchTemplate, PrintOptions, Record, RenderError, RenderRequest, Rendered,
};
pub use schema::SchemaError;
pub use values::coalesce::TypeMismatch;
pub use values::{OverrideError, Overrides};
pub use version::HelmVersion;
pub use warning::Warning;
