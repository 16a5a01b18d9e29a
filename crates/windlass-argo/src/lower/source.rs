//! Where a Unit comes from.

use windlass_kube::Str;
use windlass_model::{DirectoryOptions, Renderer, SourceSpec};

use crate::Project;
use crate::field::Field;
use crate::types::{ApplicationSpec, Directory, Source};

/// The sources of a Unit; whatever cannot be used as declared is refused in words.
pub(super) fn sources(
    spec: &ApplicationSpec,
    project: Option<&Project>,
    refuse: &mut dyn FnMut(String),
) -> Vec<SourceSpec> {
    if let Some(hydrator) = &spec.source_hydrator {
        // Somebody else may hydrate; what is committed is synced.
        let sync = &hydrator.sync_source;
        let repository =
            if sync.repo_url.is_empty() { &hydrator.dry_source.repo_url } else { &sync.repo_url };
        if sync.target_branch.is_empty() {
            refuse("spec.sourceHydrator.syncSource.targetBranch is required".into());
        }
        let source = Source {
            repo_url: repository.clone(),
            path: sync.path.0.clone(),
            target_revision: sync.target_branch.clone(),
            ..Source::default()
        };
        return vec![lower(&source, "spec.sourceHydrator.syncSource", project, refuse)];
    }
    let multiple = spec.has_multiple_sources();
    let declared = spec.sources();
    for source in declared {
        if let Some(missing) = missing(source, multiple) {
            refuse(missing);
            return Vec::new();
        }
    }
    if declared.is_empty() {
        refuse("spec.source.repoURL and either spec.source.path or spec.source.chart are required".into());
    }
    let paths = (0..).map(|idx| if multiple { format!("spec.sources[{idx}]") } else { "spec.source".into() });
    declared.iter().zip(paths).map(|(source, at)| lower(source, &at, project, refuse)).collect()
}

/// What a source lacks, in the words of Argo CD.
fn missing(source: &Source, multiple: bool) -> Option<String> {
    let placed =
        !source.path.is_empty() || !source.chart.is_empty() || (multiple && !source.reference.is_empty());
    if source.repo_url.is_empty() || !placed {
        return Some(if multiple {
            format!(
                "spec.source.repoURL and either source.path, source.chart, or source.ref are required for source {:?}",
                source.write()
            )
        } else {
            "spec.source.repoURL and either spec.source.path or spec.source.chart are required".into()
        });
    }
    (!source.chart.is_empty() && source.target_revision.is_empty())
        .then(|| "spec.source.targetRevision is required if the manifest source is a helm chart".into())
}

fn lower(source: &Source, at: &str, project: Option<&Project>, refuse: &mut dyn FnMut(String)) -> SourceSpec {
    if let Some(project) = project
        && !project.permits_source(&source.repo_url)
    {
        refuse(format!(
            "application repo {} is not permitted in project '{}'",
            shown(&source.repo_url),
            project.name
        ));
    }
    for (set, what) in [
        (!source.chart.is_empty(), "chart needs Helm repositories"),
        (is_set(source.helm.as_deref()), "helm needs the Helm renderer"),
        (is_set(source.kustomize.as_deref()), "kustomize needs the Kustomize renderer"),
        (is_set(source.plugin.as_deref()), "plugin needs config management plugins"),
        (jsonnet_is_set(source.directory.as_deref()), "directory.jsonnet needs the Jsonnet renderer"),
        (source.repo_url.starts_with("oci://"), "repoURL needs OCI registries"),
        (source.path.is_empty() && !source.reference.is_empty(), "ref needs the Helm renderer"),
    ] {
        if set {
            refuse(format!("{at}.{what}, which this version does not have: nothing is deployed"));
        }
    }
    let path = path(&source.path).unwrap_or_else(|why| {
        refuse(why);
        Str::default()
    });
    SourceSpec {
        repository: source.repo_url.clone(),
        revision: source.target_revision.clone(),
        tag_prefix: source.tag_prefix.clone(),
        path,
        renderer: renderer(source.directory.as_deref()),
    }
}

/// An empty block says as little as none.
fn is_set<T: Field>(block: Option<&T>) -> bool {
    block.is_some_and(|block| super::support::is_set(&block.write()))
}

fn jsonnet_is_set(directory: Option<&Directory>) -> bool {
    is_set(directory.and_then(|directory| directory.jsonnet.as_ref()))
}

/// A block that says nothing leaves it open what the folder is, as in Argo CD.
fn renderer(directory: Option<&Directory>) -> Renderer {
    match directory {
        Some(directory) if is_set(Some(directory)) => Renderer::Directory(DirectoryOptions {
            recurse: directory.recurse,
            include: directory.include.clone(),
            exclude: directory.exclude.clone(),
            any_extension: directory.disable_extension_filter,
        }),
        _ => Renderer::Detect,
    }
}

/// A path as the model has it: no dots, no outer slashes, never out of the repository.
fn path(declared: &str) -> Result<Str, String> {
    if declared.starts_with('/') {
        return Err(format!("{declared}: app path is absolute"));
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in declared.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.pop().is_none() => return Err(format!("{declared}: app path outside root")),
            ".." => {}
            name => parts.push(name),
        }
    }
    Ok(parts.join("/").into())
}

/// A repository's URL without the user and password in it.
fn shown(repository: &str) -> String {
    let Some((scheme, rest)) = repository.split_once("://") else { return repository.into() };
    let (host, path) = rest.find('/').map_or((rest, ""), |idx| rest.split_at(idx));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}
