//! Plain YAML and JSON files of a folder, and Jsonnet beside them.

use std::sync::Arc;

use windlass_go::glob::Gobwas;
use windlass_kube::Str;
use windlass_model::{
    Diagnostic, DiagnosticKind, DirectoryOptions, EntryKind, JsonnetOptions, JsonnetVariable, Manifest,
    Origin, SourceType, Tree, TreeError,
};

use crate::jsonnet::{Engine, FILE_BYTES, Files, Program};
use crate::manifests::{parse_evaluated, parse_file};
use crate::{Made, RecordingTree, RenderError, joined, resolved, shown};

/// All manifest files of one source together: Argo CD's `reposerver.max.combined.directory.manifests.size`.
const MANIFESTS_BYTES: u64 = 10 * 1024 * 1024;

/// What is said of a Jsonnet file where nothing evaluates it.
const JSONNET_IS_OFF: &str = "cannot be evaluated: nothing here runs Jsonnet";

/// Folders deeper than this are no manifests but a trap.
const FOLDER_DEPTH: usize = 64;

/// A file with this text anywhere is left out, as Argo CD does.
const SKIP_MARK: &[u8] = b"+argocd:skip-file-rendering";

pub(crate) fn render(
    tree: &RecordingTree<'_>,
    path: &str,
    options: &DirectoryOptions,
    jsonnet: Option<&dyn Engine>,
) -> Result<Made, RenderError> {
    let include = pattern("include", &options.include)?;
    let exclude = pattern("exclude", &options.exclude)?;
    let wanted = |relative: &str| {
        exclude.as_ref().is_none_or(|glob| !glob.is_match(relative))
            && include.as_ref().is_none_or(|glob| glob.is_match(relative))
    };

    let mut manifests = Vec::new();
    let mut diagnostics = Vec::new();
    let mut bytes = 0;
    let mut is_plain = true;
    let mut may_pass = false;
    for relative in files(tree, path, options.recurse, &mut diagnostics)? {
        let extension = relative.rsplit_once('.').map_or("", |(_, extension)| extension);
        let known = matches!(extension, "yaml" | "yml" | "json" | "jsonnet");
        if !(known || options.any_extension) || !wanted(&relative) {
            continue;
        }
        let file = joined(path, &relative);
        let origin = Origin { file: file.as_str().into(), line: 0 };
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
        match jsonnet {
            _ if extension != "jsonnet" => {
                parse_file(&file, &content, &mut manifests, &mut diagnostics);
            }
            Some(jsonnet) => {
                is_plain = false;
                may_pass |=
                    !evaluate(tree, path, &file, options, jsonnet, (&mut manifests, &mut diagnostics));
            }
            None => diagnostics.push(Diagnostic::new(DiagnosticKind::Render, JSONNET_IS_OFF).at(origin)),
        }
    }
    let lookups = Vec::new();
    let source_type = SourceType::Directory;
    Ok(Made {
        source_type,
        manifests,
        diagnostics,
        by_chance: false,
        lookups,
        fetched: false,
        may_pass,
        is_plain,
        plugin: Str::default(),
    })
}

/// Adds the objects that a Jsonnet file evaluates to: one, or a list. False when it may do better at another time.
fn evaluate(
    tree: &RecordingTree<'_>,
    path: &str,
    file: &str,
    options: &DirectoryOptions,
    engine: &dyn Engine,
    (manifests, diagnostics): (&mut Vec<Manifest>, &mut Vec<Diagnostic>),
) -> bool {
    let given = options.jsonnet.as_deref();
    let variables =
        |of: fn(&JsonnetOptions) -> &Vec<JsonnetVariable>| given.map(of).cloned().unwrap_or_default();
    let mut search = vec![path.into()];
    let libraries = given.map(|given| given.libraries.as_slice()).unwrap_or_default();
    // From the root on, however it is written.
    let inside = libraries.iter().map(|library| resolved("", library));
    let Some(libraries) = inside.collect::<Option<Vec<_>>>() else {
        let message = "a folder of directory.jsonnet.libs leads out of the source";
        let origin = Origin { file: file.into(), line: 0 };
        diagnostics.push(Diagnostic::new(DiagnosticKind::Render, message).at(origin));
        return true;
    };
    search.extend(libraries.into_iter().map(Str::from));
    let program = Program {
        file: file.into(),
        external_variables: variables(|given| &given.external_variables),
        top_level_arguments: variables(|given| &given.top_level_arguments),
        search,
    };
    match engine.evaluate(&program, &mut FilesOf(tree)) {
        Ok(json) => {
            parse_evaluated(file, &json, manifests, diagnostics);
            true
        }
        Err(error) => {
            let origin = Origin { file: file.into(), line: error.line_in(file) };
            let message = format!("cannot be evaluated: {error}");
            diagnostics.push(Diagnostic::new(DiagnosticKind::Render, message).at(origin));
            !error.may_pass
        }
    }
}

/// What programs import from a source.
struct FilesOf<'a, 'b>(&'a RecordingTree<'b>);

impl Files for FilesOf<'_, '_> {
    fn read(&mut self, path: &str) -> Result<Option<Arc<[u8]>>, String> {
        self.0.read(path, FILE_BYTES).map_err(|error| error.to_string())
    }
}

fn pattern(field: &'static str, text: &Str) -> Result<Option<Gobwas>, RenderError> {
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
