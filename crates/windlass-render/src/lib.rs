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
mod decryption;
mod directory;
mod elsewhere;
mod environment;
mod failures;
mod helm;
pub mod jsonnet;
mod kustomize;
mod manifests;
mod overrides;
mod plugin;
mod record;
mod recording;
mod substitution;

use std::borrow::Cow;
use std::sync::Arc;

pub use build_options::{BuildOptionError, KustomizeBuildOptions};
pub use cache::{Counts, RenderCache, RenderStore};
pub use charts::{ChartFetcher, KustomizeCharts};
pub use context::{ClusterFacts, Context, Fetchers, Services};
use decryption::DecryptedTree;
pub use decryption::{Decryption, DecryptionError};
pub use elsewhere::{Asked, Elsewhere, Fetched};
pub use environment::Environment;
pub use gotemplate::{Instant, NoWorld, World};
pub use overrides::Overrides;
pub use plugin::{PluginError, PluginInput, PluginSource, Plugins, Printed};
pub use recording::{ReadKind, ReadSet, RecordingTree};
pub use substitution::{Substitution, SubstitutionError, SyntaxError};
pub use windlass_helm::{
    ChartFiles, ChartRequest, ChartSource, ChartSourceError, Lookup, LookupRequest, NoCharts,
};
use windlass_kube::Str;
pub use windlass_kustomize::helm::ChartAddress;
pub use windlass_kustomize::remote::{Remote, RepositoryAddress};
use windlass_model::{
    Diagnostic, Digest, DirectoryOptions, EntryKind, Manifest, Renderer, SourceType, Tree, TreeError,
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
    /// Whether time or chance had a say: another render of the same could give another result.
    pub by_chance: bool,
    /// Whether something of it was decrypted; no cache takes it then.
    pub confidential: bool,
    /// What was asked of the cluster, with digests of the answers.
    pub lookups: Vec<(LookupRequest, Digest)>,
    /// What was fetched by addresses in the source.
    pub fetched: Fetched,
    /// Whether something failed that may do better at another time; no cache takes it.
    pub may_pass: bool,
    /// The plugin that rendered it, with its version where it has one; empty when none did.
    pub plugin: Str,
    /// Whether files were parsed and nothing else was done: no store takes it, as reading it back would save nothing.
    pub is_plain: bool,
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
    /// A file changes the source, and nobody knows how the source was declared.
    #[error("{file} overrides fields of the source, which is not acted on here: nothing is deployed")]
    Overrides {
        /// The file.
        file: Str,
    },
    /// A file that changes the source cannot be used.
    #[error("{file} cannot override fields of the source: {problem}")]
    Override {
        /// The file.
        file: Str,
        /// What is wrong with it.
        problem: String,
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
    /// A plugin gives nothing.
    #[error("{path} cannot be rendered by a plugin: {problem}")]
    Plugin {
        /// The folder as declared.
        path: Str,
        /// What the plugin says, or what is missing.
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
    /// It failed before, nothing that it read has changed since, and it is not tried again yet.
    #[error("{problem}")]
    Again {
        /// What went wrong.
        problem: Str,
        /// How often, by now.
        failures: u32,
    },
    /// Something that the source names by an address is not here, and is being fetched. It is no failure: what is
    /// rendered has to be rendered again once it is here.
    #[error("what {path} names elsewhere is being fetched")]
    Pending {
        /// The folder as declared.
        path: Str,
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
    attempt(tree, path, renderer, context, Overriding::Read, &Shared { files: None, charts: &helm::cache(0) })
        .map_err(|failure| failure.error)
}

/// Whether files beside the manifests still have a say.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overriding {
    Read,
    Done,
}

/// What renders share of what they have read.
pub(crate) struct Shared<'a> {
    pub(crate) files: Option<&'a windlass_kustomize::Cache>,
    pub(crate) charts: &'a windlass_helm::ChartCache,
}

/// A render that gives nothing, with what it had read by then.
pub(crate) struct Failure {
    pub(crate) error: RenderError,
    pub(crate) reads: ReadSet,
    pub(crate) reference_reads: Vec<(Str, ReadSet)>,
    /// Whether the words of the error may quote what was decrypted.
    pub(crate) confidential: bool,
    /// What it had fetched by then.
    pub(crate) fetched: Fetched,
    /// Whether something was not to be had elsewhere: that says nothing of the source.
    pub(crate) unreached: bool,
}

/// What a renderer makes.
pub(crate) struct Made {
    source_type: SourceType,
    manifests: Vec<Manifest>,
    diagnostics: Vec<Diagnostic>,
    by_chance: bool,
    lookups: Vec<(LookupRequest, Digest)>,
    fetched: bool,
    may_pass: bool,
    is_plain: bool,
    plugin: Str,
}

/// Renders, and says what was read in any case.
pub(crate) fn attempt(
    tree: &dyn Tree,
    path: &str,
    renderer: &Renderer,
    context: &mut Context<'_>,
    overriding: Overriding,
    shared: &Shared<'_>,
) -> Result<Rendered, Box<Failure>> {
    let decrypted = context.services.decryption.map(|decryption| DecryptedTree::new(tree, decryption));
    let recording = RecordingTree::new(decrypted.as_ref().map_or(tree, |decrypted| decrypted as &dyn Tree));
    let references: helm::References<'_> =
        context.references.iter().map(|(name, tree)| (name.clone(), RecordingTree::new(*tree))).collect();
    // What a kept render was asked about before counts for that one.
    context.fetchers.record.map(Elsewhere::take_asked);
    let made = make(&recording, &references, path.trim_matches('/'), renderer, context, overriding, shared);
    let confidential = decrypted.as_ref().is_some_and(DecryptedTree::was_used);
    let reads = recording.into_reads();
    let reference_reads = references
        .into_iter()
        .map(|(name, tree)| (name, tree.into_reads()))
        .filter(|(_, reads)| !reads.is_empty())
        .collect();
    let asked = context.fetchers.record.map(Elsewhere::take_asked);
    let (is_pending, is_unreached) =
        asked.as_ref().map_or((false, false), |asked| (asked.pending, asked.pending || asked.failed));
    let fetched = match (asked, &made) {
        (Some(asked), _) if asked.had.is_empty() => Fetched::Nothing,
        (Some(asked), _) => Fetched::Known(asked.had.into()),
        (None, Ok(made)) if made.fetched => Fetched::Unknown,
        (None, _) => Fetched::Nothing,
    };
    let made = if is_pending { Err(RenderError::Pending { path: shown(path) }) } else { made };
    match made {
        Ok(Made {
            source_type,
            manifests,
            diagnostics,
            by_chance,
            lookups,
            fetched: _,
            may_pass,
            is_plain,
            plugin,
        }) => Ok(Rendered {
            manifests,
            diagnostics,
            source_type,
            reads,
            reference_reads,
            by_chance,
            confidential,
            lookups,
            fetched,
            may_pass,
            is_plain,
            plugin,
        }),
        Err(error) => Err(Box::new(Failure {
            error,
            reads,
            reference_reads,
            confidential,
            fetched,
            unreached: is_unreached,
        })),
    }
}

fn make(
    tree: &RecordingTree<'_>,
    references: &helm::References<'_>,
    path: &str,
    renderer: &Renderer,
    context: &mut Context<'_>,
    overriding: Overriding,
    shared: &Shared<'_>,
) -> Result<Made, RenderError> {
    let effective = match overriding {
        Overriding::Read => overrides::effective(tree, path, renderer, context)?,
        Overriding::Done => Cow::Borrowed(renderer),
    };
    match tree.entry(path)? {
        None => return Err(RenderError::NoSuchPath { path: shown(path) }),
        Some(entry) if entry.kind != EntryKind::Directory => {
            return Err(RenderError::NotAFolder { path: shown(path) });
        }
        Some(_) => {}
    }
    let renderer = match &*effective {
        // Argo CD asks its plugins before it looks for charts and kustomizations.
        Renderer::Detect => match plugin::render(tree, path, None, context)? {
            Some(made) => return Ok(made),
            None => Cow::Owned(detect(tree, path)?),
        },
        declared => Cow::Borrowed(declared),
    };
    match &*renderer {
        // What was decrypted is shared with nobody.
        Renderer::Helm(options) if context.services.decryption.is_some() => {
            helm::render(tree, path, options, context, references, &helm::cache(0))
        }
        Renderer::Helm(options) => helm::render(tree, path, options, context, references, shared.charts),
        Renderer::Kustomize(options) => {
            let files = shared.files.filter(|_| context.services.decryption.is_none());
            let built = kustomize::render(tree, path, options, context, files)?;
            Ok(Made {
                source_type: SourceType::Kustomize,
                manifests: built.manifests,
                diagnostics: built.diagnostics,
                by_chance: false,
                lookups: Vec::new(),
                fetched: built.fetched,
                may_pass: false,
                is_plain: false,
                plugin: Str::default(),
            })
        }
        Renderer::Directory(options) => directory::render(tree, path, options, context.services.jsonnet),
        Renderer::Plugin(options) => {
            let made = plugin::render(tree, path, Some(options), context)?;
            made.ok_or_else(|| RenderError::Plugin {
                path: shown(path),
                problem: "no plugin that is declared here takes it".into(),
            })
        }
        Renderer::Detect => unreachable!("detection finds a tool"),
    }
}

/// What Argo CD 3.6 would take the folder for, if not for plain files: `util/app/discovery`.
///
/// It takes any file whose name ends with `Chart.yaml` for a chart's, and where a folder is both, the name that is
/// last in the order of bytes decides.
pub(crate) fn detect(tree: &dyn Tree, path: &str) -> Result<Renderer, TreeError> {
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
