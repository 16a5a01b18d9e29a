//! Plain YAML and JSON files of a folder.

use windlass_go::glob::Gobwas;
use windlass_model::{
    Diagnostic, DiagnosticKind, DirectoryOptions, EntryKind, Manifest, Origin, Tree, TreeError,
};

use crate::manifests::parse_file;
use crate::{RecordingTree, RenderError, joined, shown};

/// All manifest files of one source together: Argo CD's `reposerver.max.combined.directory.manifests.size`.
const MANIFESTS_BYTES: u64 = 10 * 1024 * 1024;

/// Folders deeper than this are no manifests but a trap.
const FOLDER_DEPTH: usize = 64;

/// A file with this text anywhere is left out, as Argo CD does.
const SKIP_MARK: &[u8] = b"+argocd:skip-file-rendering";

pub(crate) fn render(
    tree: &RecordingTree<'_>,
    path: &str,
    options: &DirectoryOptions,
) -> Result<(Vec<Manifest>, Vec<Diagnostic>), RenderError> {
    let include = pattern("include", &options.include)?;
    let exclude = pattern("exclude", &options.exclude)?;
    let wanted = |relative: &str| {
        exclude.as_ref().is_none_or(|glob| !glob.is_match(relative))
            && include.as_ref().is_none_or(|glob| glob.is_match(relative))
    };

    let mut manifests = Vec::new();
    let mut diagnostics = Vec::new();
    let mut bytes = 0;
    for relative in files(tree, path, options.recurse, &mut diagnostics)? {
        let extension = relative.rsplit_once('.').map_or("", |(_, extension)| extension);
        let known = matches!(extension, "yaml" | "yml" | "json" | "jsonnet");
        if !(known || options.any_extension) || !wanted(&relative) {
            continue;
        }
        let file = joined(path, &relative);
        let origin = Origin { file: file.as_str().into(), line: 0 };
        if extension == "jsonnet" {
            let message = "is Jsonnet, which this version cannot render yet";
            // What it declares is not known, so nothing may be taken for undeclared.
            diagnostics.push(Diagnostic::new(DiagnosticKind::Render, message).at(origin));
            continue;
        }
        let content = match tree.read(&file, MANIFESTS_BYTES) {
            Ok(Some(content)) => content,
            Ok(None) => continue,
            Err(error @ TreeError::Store { .. }) => return Err(error.into()),
            Err(error) => {
                let mut message = error.to_string();
                if matches!(error, TreeError::TooLarge { .. }) {
                    message.push_str(" for all manifests of a source (limit MANIFESTS_BYTES)");
                }
                diagnostics.push(Diagnostic::new(DiagnosticKind::Render, message).at(origin));
                continue;
            }
        };
        if memchr::memmem::find(&content, SKIP_MARK).is_some() {
            continue;
        }
        bytes += content.len() as u64;
        if bytes > MANIFESTS_BYTES {
            return Err(RenderError::TooLarge { path: shown(path), limit: MANIFESTS_BYTES });
        }
        parse_file(&file, &content, &mut manifests, &mut diagnostics);
    }
    Ok((manifests, diagnostics))
}

fn pattern(field: &'static str, text: &windlass_kube::Str) -> Result<Option<Gobwas>, RenderError> {
    if text.is_empty() {
        return Ok(None);
    }
    // Without separators: `*` also matches slashes, as Argo CD has it.
    let compiled = Gobwas::compile(text, &[]);
    let problem = |error: &dyn std::error::Error| error.to_string();
    compiled.map(Some).map_err(|error| RenderError::Pattern {
        field,
        pattern: text.clone(),
        problem: problem(&error),
    })
}

/// The files of a folder, relative to it, in the order Go's `filepath.Walk` visits them.
fn files(
    tree: &RecordingTree<'_>,
    path: &str,
    recurse: bool,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<Vec<String>, RenderError> {
    let mut found = Vec::new();
    // The stack holds what is still to be visited, the next on top.
    let mut to_visit: Vec<(String, EntryKind, usize)> = Vec::new();
    push_members(tree, path, "", 1, &mut to_visit, diagnostics)?;
    while let Some((relative, kind, depth)) = to_visit.pop() {
        match kind {
            EntryKind::File => found.push(relative),
            // Go's `filepath.Walk`, by which Argo CD finds files, goes into no folder that a link leads to.
            EntryKind::Directory if recurse && tree.is_link(&joined(path, &relative))? => {}
            EntryKind::Directory if recurse && depth < FOLDER_DEPTH => {
                push_members(tree, path, &relative, depth + 1, &mut to_visit, diagnostics)?;
            }
            EntryKind::Directory if recurse => {
                let message = format!("is {FOLDER_DEPTH} folders deep (limit FOLDER_DEPTH) and was not read");
                let origin = Origin { file: joined(path, &relative).into(), line: 0 };
                diagnostics.push(Diagnostic::new(DiagnosticKind::Render, message).at(origin));
            }
            EntryKind::Directory | EntryKind::Submodule => {}
        }
    }
    Ok(found)
}

fn push_members(
    tree: &RecordingTree<'_>,
    path: &str,
    relative: &str,
    depth: usize,
    to_visit: &mut Vec<(String, EntryKind, usize)>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<(), RenderError> {
    let folder = if relative.is_empty() { path.to_string() } else { joined(path, relative) };
    let members = match tree.list(&folder) {
        Ok(members) => members.unwrap_or_default(),
        Err(error @ TreeError::Store { .. }) => return Err(error.into()),
        Err(error) => {
            let origin = Origin { file: folder.into(), line: 0 };
            diagnostics.push(Diagnostic::new(DiagnosticKind::Render, error.to_string()).at(origin));
            return Ok(());
        }
    };
    for (name, entry) in members.into_iter().rev() {
        to_visit.push((joined(relative, &name), entry.kind, depth));
    }
    Ok(())
}
