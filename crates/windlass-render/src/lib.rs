//! Renders a Tree into objects, and remembers by what was read.
//!
//! A renderer reads only through a [`RecordingTree`], so the result is a function of its parameters and of the
//! [`ReadSet`]: files that were read, folders that were listed, and paths that were looked for and absent. While
//! those are as they were, a newer Tree gives the same result, and [`RenderCache`] answers without rendering.
//!
//! ```
//! use windlass_model::{MemoryTree, Renderer};
//! use windlass_render::{Context, NoWorld, render};
//!
//! let tree = MemoryTree::new([(
//!     "deploy/a.yaml",
//!     "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
//! )]);
//! let rendered = render(&tree, "deploy", &Renderer::Detect, &mut Context::empty(&mut NoWorld::default()))?;
//! assert_eq!(rendered.manifests[0].object.name(), "a");
//! # Ok::<(), windlass_render::RenderError>(())
//! ```

mod build_options;
mod cache;
mod charts;
mod context;
mod directory;
mod environment;
mod helm;
mod kustomize;
mod manifests;
mod recording;

use std::sync::Arc;

pub use build_options::{BuildOptionError, KustomizeBuildOptions};
pub use cache::RenderCache;
pub use charts::{ChartFetcher, KustomizeCharts};
pub use context::{ClusterFacts, Context, Fetchers};
pub use environment::Environment;
pub use gotemplate::{Instant, NoWorld, World};
pub use recording::{ReadSet, RecordingTree};
pub use windlass_helm::{ChartFiles, ChartRequest, ChartSource, ChartSourceError, NoCharts};
use windlass_kube::Str;
pub use windlass_kustomize::helm::ChartAddress;
pub use windlass_kustomize::remote::{Remote, RepositoryAddress};
use windlass_model::{
    Diagnostic, DirectoryOptions, EntryKind, Manifest, Renderer, SourceType, Tree, TreeError,
};

/// What rendering one source gives.
#[derive(Debug, Clone)]
pub struct Rendered {
    /// The objects, in the order of their files.
    pub manifests: Vec<Manifest>,
    /// What could not be rendered, and what is worth knowing; the rest goes on.
    pub diagnostics: Vec<Diagnostic>,
    /// What the source turned out to be.
    pub source_type: SourceType,
    /// What the result depends on.
    pub reads: ReadSet,
    /// What it depends on in the trees of other sources, by their names.
    pub reference_reads: Vec<(Str, ReadSet)>,
    /// Whether something was fetched by an address in the source: another render can give another result.
    pub fetched: bool,
}

/// Why a source gives nothing at all.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The folder is not there.
    #[error("{path}: app path does not exist")]
    NoSuchPath {
        /// The folder as declared.
        path: Str,
    },
    /// The path is a file.
    #[error("{path}: app path is not a directory")]
    NotAFolder {
        /// The path as declared.
        path: Str,
    },
    /// A file changes the source, and that is not acted on yet.
    #[error("{file} overrides fields of the source, which this version does not act on: nothing is deployed")]
    Overrides {
        /// The file.
        file: Str,
    },
    /// A chart cannot be rendered.
    #[error("the chart in {path} cannot be rendered: {problem}")]
    Helm {
        /// The folder as declared.
        path: Str,
        /// Helm's words.
        problem: String,
    },
    /// A kustomization cannot be built.
    #[error("the kustomization in {path} cannot be built: {problem}")]
    Kustomize {
        /// The folder as declared.
        path: Str,
        /// Kustomize's words.
        problem: String,
    },
    /// A pattern cannot be used.
    #[error("{field} pattern {pattern:?} cannot be used: {problem}")]
    Pattern {
        /// `include` or `exclude`.
        field: &'static str,
        /// The pattern as declared.
        pattern: Str,
        /// What is wrong with it.
        problem: String,
    },
    /// The files are too large together.
    #[error(
        "the manifests below {path} are more than {limit} bytes together (limit MANIFESTS_BYTES); split the folder"
    )]
    TooLarge {
        /// The folder as declared.
        path: Str,
        /// The limit in bytes.
        limit: u64,
    },
    /// The Tree failed.
    #[error("cannot read the source")]
    Tree(#[from] TreeError),
}

/// Renders the folder `path` of `tree`. Options must have been [resolved](Environment::resolve) before.
///
/// # Errors
///
/// [`RenderError`] when nothing can be rendered. A file that cannot be parsed is a diagnostic, not an error.
pub fn render(
    tree: &dyn Tree,
    path: &str,
    renderer: &Renderer,
    context: &mut Context<'_>,
) -> Result<Rendered, RenderError> {
    render_sharing(tree, path, renderer, context, None, &helm::cache(0))
}

/// [`render`], with what other kustomizations have read, and charts that are kept compiled.
fn render_sharing(
    tree: &dyn Tree,
    path: &str,
    renderer: &Renderer,
    context: &mut Context<'_>,
    files: Option<&windlass_kustomize::Cache>,
    charts: &windlass_helm::ChartCache,
) -> Result<Rendered, RenderError> {
    let mut fetched = false;
    let recording = RecordingTree::new(tree);
    let path = path.trim_matches('/');
    match recording.entry(path)? {
        None => return Err(RenderError::NoSuchPath { path: shown(path) }),
        Some(entry) if entry.kind != EntryKind::Directory => {
            return Err(RenderError::NotAFolder { path: shown(path) });
        }
        Some(_) => {}
    }
    refuse_overrides(&recording, path, &context.name)?;
    let detected;
    let renderer = match renderer {
        Renderer::Detect => {
            detected = detect(&recording, path)?;
            &detected
        }
        declared => declared,
    };
    let references: helm::References<'_> =
        context.references.iter().map(|(name, tree)| (name.clone(), RecordingTree::new(*tree))).collect();
    let (source_type, (manifests, diagnostics)) = match renderer {
        Renderer::Helm(options) => {
            (SourceType::Helm, helm::render(&recording, path, options, context, &references, charts)?)
        }
        Renderer::Kustomize(options) => {
            let rendered = kustomize::render(&recording, path, options, context, files)?;
            fetched = rendered.fetched;
            (SourceType::Kustomize, (rendered.manifests, rendered.diagnostics))
        }
        Renderer::Directory(options) => {
            (SourceType::Directory, directory::render(&recording, path, options)?)
        }
        Renderer::Detect => {
            (SourceType::Directory, directory::render(&recording, path, &DirectoryOptions::default())?)
        }
    };
    let reference_reads = references
        .into_iter()
        .map(|(name, tree)| (name, tree.into_reads()))
        .filter(|(_, reads)| !reads.is_empty())
        .collect();
    Ok(Rendered {
        manifests,
        diagnostics,
        source_type,
        reads: recording.into_reads(),
        reference_reads,
        fetched,
    })
}

/// What Argo CD 3.6 would take the folder for, if not for plain files: `util/app/discovery`.
///
/// It takes any file whose name ends with `Chart.yaml` for a chart's, and where a folder is both, the name that is
/// last in the order of bytes decides.
fn detect(tree: &RecordingTree<'_>, path: &str) -> Result<Renderer, TreeError> {
    let mut found = Renderer::Directory(DirectoryOptions::default());
    for (name, entry) in tree.list(path)?.unwrap_or_default() {
        match name.as_str() {
            _ if entry.kind != EntryKind::File => {}
            name if name.ends_with("Chart.yaml") => found = Renderer::Helm(Box::default()),
            "kustomization.yaml" | "kustomization.yml" | "Kustomization" => {
                found = Renderer::Kustomize(Box::default());
            }
            _ => {}
        }
    }
    Ok(found)
}

/// Refuses a folder with files that change the source in Argo CD 3.6: without them something else would be deployed.
pub(crate) fn refuse_overrides(tree: &dyn Tree, path: &str, name: &str) -> Result<(), RenderError> {
    let of_name = format!(".argocd-source-{name}.yaml");
    let names = [Some(".argocd-source.yaml"), (!name.is_empty()).then_some(of_name.as_str())];
    for name in names.into_iter().flatten() {
        let file = joined(path, name);
        if tree.entry(&file)?.is_some_and(|entry| entry.kind == EntryKind::File) {
            return Err(RenderError::Overrides { file: file.into() });
        }
    }
    Ok(())
}

fn joined(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.into() } else { format!("{folder}/{name}") }
}

/// The path that `relative` means in `folder`; `None` when it leads out of the tree.
fn resolved(folder: &str, relative: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

fn shown(path: &str) -> Str {
    if path.is_empty() { "the root of the repository".into() } else { path.into() }
}

/// A render that several Units may share.
pub type SharedRender = Arc<Rendered>;
