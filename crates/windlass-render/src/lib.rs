//! Renders a Tree into objects, and remembers by what was read.
//!
//! A renderer reads only through a [`RecordingTree`], so the result is a function of its parameters and of the
//! [`ReadSet`]: files that were read, folders that were listed, and paths that were looked for and absent. While
//! those are as they were, a newer Tree gives the same result, and [`RenderCache`] answers without rendering.
//!
//! ```
//! use windlass_model::{MemoryTree, Renderer};
//! use windlass_render::render;
//!
//! let tree = MemoryTree::new([(
//!     "deploy/a.yaml",
//!     "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
//! )]);
//! let rendered = render(&tree, "deploy", &Renderer::Detect)?;
//! assert_eq!(rendered.manifests[0].object.name(), "a");
//! # Ok::<(), windlass_render::RenderError>(())
//! ```

mod cache;
mod directory;
mod manifests;
mod recording;

use std::sync::Arc;

pub use cache::RenderCache;
pub use recording::{ReadSet, RecordingTree};
use windlass_kube::Str;
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
    /// The folder needs a renderer that is not built in yet.
    #[error("{path} is a {what}, which this version cannot render yet")]
    NotYet {
        /// The folder as declared.
        path: Str,
        /// `Helm chart` or `kustomization`.
        what: &'static str,
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

/// Renders the folder `path` of `tree`.
///
/// # Errors
///
/// [`RenderError`] when nothing can be rendered. A file that cannot be parsed is a diagnostic, not an error.
pub fn render(tree: &dyn Tree, path: &str, renderer: &Renderer) -> Result<Rendered, RenderError> {
    let recording = RecordingTree::new(tree);
    let path = path.trim_matches('/');
    match recording.entry(path)? {
        None => return Err(RenderError::NoSuchPath { path: shown(path) }),
        Some(entry) if entry.kind != EntryKind::Directory => {
            return Err(RenderError::NotAFolder { path: shown(path) });
        }
        Some(_) => {}
    }
    let options = match renderer {
        Renderer::Directory(options) => options.clone(),
        Renderer::Detect => {
            if let Some(what) = detect(&recording, path)? {
                return Err(RenderError::NotYet { path: shown(path), what });
            }
            DirectoryOptions::default()
        }
    };
    let (manifests, diagnostics) = directory::render(&recording, path, &options)?;
    Ok(Rendered { manifests, diagnostics, source_type: SourceType::Directory, reads: recording.into_reads() })
}

/// What Argo CD 3.6 would take the folder for, if not for plain files: `util/app/discovery`.
///
/// It takes any file whose name ends with `Chart.yaml` for a chart's, and where a folder is both, the name that is
/// last in the order of bytes decides.
fn detect(tree: &RecordingTree<'_>, path: &str) -> Result<Option<&'static str>, TreeError> {
    let mut found = None;
    for (name, entry) in tree.list(path)?.unwrap_or_default() {
        match name.as_str() {
            _ if entry.kind != EntryKind::File => {}
            name if name.ends_with("Chart.yaml") => found = Some("Helm chart"),
            "kustomization.yaml" | "kustomization.yml" | "Kustomization" => found = Some("kustomization"),
            _ => {}
        }
    }
    Ok(found)
}

fn joined(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.into() } else { format!("{folder}/{name}") }
}

fn shown(path: &str) -> Str {
    if path.is_empty() { "the root of the repository".into() } else { path.into() }
}

/// A render that several Units may share.
pub type SharedRender = Arc<Rendered>;
