//! Helm charts that stand in a tree, as Argo CD calls `helm template`.

use std::collections::BTreeMap;

use windlass_go::glob::Doublestar;
use windlass_helm::{
    Capabilities, ChartCache, Dependencies, DependencyMode, HelmVersion, KubeVersion, LoadOptions, Overrides,
    PrintOptions, Release, RenderRequest,
};
use windlass_kube::Str;
use windlass_model::{EntryKind, HelmOptions, HelmParameter, SourceType, Tree, TreeError};

use crate::context::Context;
use crate::environment::reference;
use crate::manifests::parse_rendered;
use crate::{Made, RecordingTree, RenderError, joined, resolved, shown};

/// The rules of Argo CD 3.6 are those of Helm 3.
const HELM: HelmVersion = HelmVersion::V3;

/// A value file is no larger than this: what Helm itself takes from a chart.
const VALUE_FILE_BYTES: u64 = 5 * 1024 * 1024;

/// More folders than this are not searched for one glob of value files.
const GLOB_FOLDERS: usize = 10_000;

/// A cache for charts that are rendered by these rules, with up to so many bytes of their files.
pub(crate) fn cache(capacity: usize) -> ChartCache {
    ChartCache::new(LoadOptions::of(HELM), capacity)
}

/// The trees that value files may come from.
pub(crate) type References<'a> = BTreeMap<Str, RecordingTree<'a>>;

pub(crate) fn render(
    tree: &RecordingTree<'_>,
    path: &str,
    options: &HelmOptions,
    context: &mut Context<'_>,
    references: &References<'_>,
    charts: &ChartCache,
) -> Result<Made, RenderError> {
    let failed = |problem: String| RenderError::Helm { path: shown(path), problem };
    let dependencies = Dependencies { source: context.charts, mode: DependencyMode::Build };
    let kept = charts.load(tree, path, Some(dependencies)).map_err(|error| failed(text_of(&error)))?;
    let values = values(tree, path, options, references)?;
    let name = if options.release_name.is_empty() { &context.name } else { &options.release_name };
    let namespace = if options.namespace.is_empty() { &context.namespace } else { &options.namespace };
    let release = Release::install(name.as_str(), namespace.as_str())
        .map_err(|error| failed(format!("{error} (spec.source.helm.releaseName sets another)")))?;
    let mut request = RenderRequest {
        capabilities: capabilities(options, context).map_err(failed)?,
        skip_schema_validation: options.skip_schema_validation,
        ..RenderRequest::new(release, values, HELM)
    };
    if let Some(lookup) = &context.services.lookup {
        request.lookup = lookup.clone();
    }
    let rendered = kept.chart.render(&request, context.world).map_err(|error| failed(text_of(&error)))?;
    let printing = PrintOptions {
        include_crds: !options.skip_crds,
        skip_tests: options.skip_tests,
        ..PrintOptions::default()
    };
    let text = rendered.print(&printing, HELM).map_err(|error| failed(text_of(&error)))?;
    let (mut manifests, mut diagnostics) = (Vec::new(), Vec::new());
    parse_rendered(path, &text, &mut manifests, &mut diagnostics);
    let asked = rendered.record.lookups.iter();
    let lookups = asked.map(|request| (request.clone(), context.answer(request))).collect();
    let by_chance = rendered.record.asked_world;
    let source_type = SourceType::Helm;
    Ok(Made {
        source_type,
        manifests,
        diagnostics,
        by_chance,
        lookups,
        fetched: false,
        may_pass: false,
        is_plain: false,
        plugin: Str::default(),
    })
}

/// An error with all its causes.
pub(crate) fn text_of(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

fn capabilities(options: &HelmOptions, context: &Context<'_>) -> Result<Capabilities, String> {
    let mut capabilities = Capabilities::default_of(HELM);
    let version =
        if options.kube_version.is_empty() { &context.cluster.version } else { &options.kube_version };
    if !version.is_empty() {
        capabilities.kube_version =
            KubeVersion::parse(version, HELM).map_err(|error| format!("the Kubernetes version: {error}"))?;
    }
    let served =
        if options.api_versions.is_empty() { &*context.cluster.api_versions } else { &options.api_versions };
    capabilities.api_versions.extend(served.iter().map(ToString::to_string));
    Ok(capabilities)
}

/// What files, values and parameters say together.
fn values(
    tree: &RecordingTree<'_>,
    path: &str,
    options: &HelmOptions,
    references: &References<'_>,
) -> Result<gotemplate::Map, RenderError> {
    let failed = |problem: String| RenderError::Helm { path: shown(path), problem };
    let mut overrides = Overrides::default();
    for (tree, file) in value_files(tree, path, options, references)? {
        let content = tree
            .read(&file, VALUE_FILE_BYTES)?
            .ok_or_else(|| failed(format!("the value file {file} is not there")))?;
        overrides.files.push((file, content.to_vec()));
    }
    if !options.values.is_empty() {
        overrides.files.push(("values".into(), options.values.as_bytes().to_vec()));
    }
    for (idx, HelmParameter { name, value, force_string }) in options.parameters.iter().enumerate() {
        // A name that is given twice is one entry of Argo CD's map: the last one counts.
        let is_same = |later: &HelmParameter| later.name == *name && later.force_string == *force_string;
        if options.parameters[idx + 1..].iter().any(is_same) {
            continue;
        }
        let set = format!("{name}={}", escaped(value));
        if *force_string { overrides.set_string.push(set) } else { overrides.set.push(set) }
    }
    let mut contents: BTreeMap<String, gotemplate::Str> = BTreeMap::new();
    for (name, file) in &options.file_parameters {
        let (tree, resolved) = resolve(tree, path, file, references)?;
        let content = tree
            .read(&resolved, VALUE_FILE_BYTES)?
            .ok_or_else(|| failed(format!("the file {resolved} of the parameter {name} is not there")))?;
        let text = String::from_utf8_lossy(&content);
        overrides.set_file.push(format!("{name}={}", escaped(&resolved)));
        contents.insert(resolved, text.as_ref().into());
    }
    overrides
        .merge(HELM, |file| {
            contents.get(file).cloned().ok_or_else(|| format!("open {file}: no such file or directory"))
        })
        .map_err(|error| failed(text_of(&error)))
}

/// A value as Argo CD puts it on Helm's command line: commas are no separators, unless it is a list in braces.
fn escaped(value: &str) -> String {
    if value.starts_with('{') && value.ends_with('}') {
        return value.to_owned();
    }
    let mut text = String::with_capacity(value.len());
    let mut previous = ' ';
    for char in value.chars() {
        if char == ',' && previous != '\\' {
            text.push('\\');
        }
        text.push(char);
        previous = char;
    }
    text
}

/// The value files, in order and each once: globs are replaced by what they match, sorted; a file that is also named
/// by itself keeps its own place.
fn value_files<'t, 'a>(
    tree: &'t RecordingTree<'a>,
    path: &str,
    options: &HelmOptions,
    references: &'t References<'a>,
) -> Result<Vec<(&'t RecordingTree<'a>, String)>, RenderError> {
    let failed = |problem: String| RenderError::Helm { path: shown(path), problem };
    let is_glob = |file: &str| file.contains(['*', '?', '[']);
    let mut resolved = Vec::with_capacity(options.value_files.len());
    for file in &options.value_files {
        resolved.push((file, resolve(tree, path, file, references)?));
    }
    let same = |a: &(&RecordingTree<'_>, String), b: &(&RecordingTree<'_>, String)| {
        std::ptr::eq(a.0, b.0) && a.1 == b.1
    };
    let mut files: Vec<(&RecordingTree<'_>, String)> = Vec::new();
    for (declared, file) in &resolved {
        let found = if is_glob(&file.1) {
            let matches = matching(file.0, &file.1).map_err(|problem| match problem {
                GlobError::Tree(error) => RenderError::Tree(error),
                GlobError::Pattern(problem) => failed(format!("value file pattern {declared:?}: {problem}")),
            })?;
            if matches.is_empty() && !options.ignore_missing_value_files {
                return Err(failed(format!("values file glob {declared:?} matched no files")));
            }
            let matches = matches.into_iter().map(|path| (file.0, path));
            matches.filter(|found| !resolved.iter().any(|(_, named)| same(named, found))).collect()
        } else if options.ignore_missing_value_files && file.0.entry(&file.1)?.is_none() {
            Vec::new()
        } else {
            vec![file.clone()]
        };
        for file in found {
            if !files.iter().any(|known| same(known, &file)) {
                files.push(file);
            }
        }
    }
    Ok(files)
}

/// The tree and the path in it that a declared path means.
fn resolve<'t, 'a>(
    tree: &'t RecordingTree<'a>,
    folder: &str,
    declared: &str,
    references: &'t References<'a>,
) -> Result<(&'t RecordingTree<'a>, String), RenderError> {
    let failed = |problem: &str| RenderError::Helm {
        path: shown(folder),
        problem: format!("the value file {declared:?} {problem}"),
    };
    let referred = reference(declared).and_then(|(name, rest)| Some((references.get(name)?, "", rest)));
    let (tree, folder, path) = referred.unwrap_or((tree, folder, declared));
    if let Some((scheme, _)) = path.split_once("://") {
        return Err(failed(&format!("is a {scheme} address, which this version does not fetch")));
    }
    // After a slash it is meant from the root of the repository on.
    let folder = if path.starts_with('/') { "" } else { folder };
    let path = resolved(folder, path).ok_or_else(|| failed("is outside of the repository"))?;
    Ok((tree, path))
}

enum GlobError {
    Tree(TreeError),
    Pattern(String),
}

impl From<TreeError> for GlobError {
    fn from(error: TreeError) -> Self {
        Self::Tree(error)
    }
}

/// The files that match a glob, sorted.
fn matching(tree: &RecordingTree<'_>, pattern: &str) -> Result<Vec<String>, GlobError> {
    let glob = Doublestar::compile(pattern).map_err(|error| GlobError::Pattern(error.to_string()))?;
    // Nothing above the first folder with a wildcard needs to be searched.
    let fixed = pattern.split('/').take_while(|part| !part.contains(['*', '?', '[', '{', '\\']));
    let root = fixed.collect::<Vec<_>>().join("/");
    let mut folders = vec![root];
    let mut found = Vec::new();
    let mut n_searched = 0;
    while let Some(folder) = folders.pop() {
        n_searched += 1;
        if n_searched > GLOB_FOLDERS {
            let problem = format!("matches below more than {GLOB_FOLDERS} folders (limit GLOB_FOLDERS)");
            return Err(GlobError::Pattern(problem));
        }
        for (name, entry) in tree.list(&folder)?.unwrap_or_default() {
            let path = joined(&folder, &name);
            match entry.kind {
                EntryKind::Directory => folders.push(path),
                EntryKind::File if glob.is_match(&path) => found.push(path),
                EntryKind::File | EntryKind::Submodule => {}
            }
        }
    }
    found.sort();
    Ok(found)
}
