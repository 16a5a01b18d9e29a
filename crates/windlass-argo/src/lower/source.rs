//! Where a Unit comes from.

use std::borrow::Cow;

use windlass_kube::{Str, Value};
use windlass_model::{
    BucketAddress, DirectoryOptions, HelmOptions, HelmParameter, JsonnetOptions, JsonnetVariable,
    KustomizeOptions, KustomizePatch, KustomizeTarget, PluginOptions, PluginParameter, Renderer, SourceKind,
    SourceSpec, archive_url,
};

use crate::Project;
use crate::field::Field;
use crate::types::{ApplicationSpec, Directory, Helm, Kustomize, Plugin, Source};

/// The sources that are synced from, as declared.
pub(super) fn declared(spec: &ApplicationSpec) -> Cow<'_, [Source]> {
    let Some(hydrator) = &spec.source_hydrator else { return spec.sources().into() };
    // Somebody else may hydrate; what is committed is synced.
    let sync = &hydrator.sync_source;
    let repository = if sync.repo_url.is_empty() { &hydrator.dry_source.repo_url } else { &sync.repo_url };
    let source = Source {
        repo_url: repository.clone(),
        path: sync.path.0.clone(),
        target_revision: sync.target_branch.clone(),
        ..Source::default()
    };
    vec![source].into()
}

/// The sources of a Unit; whatever cannot be used as declared is refused in words.
pub(super) fn sources(
    spec: &ApplicationSpec,
    declared: &[Source],
    project: Option<&Project>,
    refuse: &mut dyn FnMut(String),
) -> Vec<SourceSpec> {
    if let Some(hydrator) = &spec.source_hydrator {
        if hydrator.sync_source.target_branch.is_empty() {
            refuse("spec.sourceHydrator.syncSource.targetBranch is required".into());
        }
        let at = "spec.sourceHydrator.syncSource";
        return declared.iter().map(|source| lower(source, at, project, refuse)).collect();
    }
    let multiple = spec.has_multiple_sources();
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
        && !project.permits_source(archive_url(&source.repo_url).unwrap_or(&source.repo_url))
    {
        refuse(format!(
            "application repo {} is not permitted in project '{}'",
            shown(&source.repo_url),
            project.name
        ));
    }
    let address = BucketAddress::is_meant(&source.repo_url).then(|| BucketAddress::parse(&source.repo_url));
    match address {
        // Whoever permits a bucket by its name does not mean one of the same name at a server of somebody else.
        Some(Ok(address)) if address.names_endpoint => {
            let on_the_web = address.on_the_web();
            if let Some(project) = project
                && !project.permits_source(&on_the_web)
            {
                refuse(format!(
                    "application repo {} is not permitted in project '{}'",
                    shown(&on_the_web),
                    project.name
                ));
            }
        }
        Some(Err(problem)) => refuse(format!("{at}: {problem}")),
        _ => {}
    }
    let renderer = renderer(source, at, refuse);
    let kind = kind(source);
    let is_revision = |text: &str| matches!(text, "" | "HEAD") || is_digest(text);
    if kind == SourceKind::Archive && !is_revision(&source.target_revision) {
        refuse(format!(
            "{at}.targetRevision of an archive is its digest, sha256: and 64 digits, or nothing for what is there now"
        ));
    }
    // A chart is rendered as a whole, whatever the path says.
    let path = match &kind {
        SourceKind::Chart { .. } => Ok(Str::default()),
        SourceKind::Git | SourceKind::Artifact | SourceKind::Bucket | SourceKind::Archive => {
            path(&source.path)
        }
    };
    let path = path.unwrap_or_else(|why| {
        refuse(why);
        Str::default()
    });
    let signatures = match project.map(|project| project.signatures(&source.repo_url)) {
        Some(Ok(rule)) if kind == SourceKind::Git => rule.map(Box::new),
        Some(Err(why)) if kind == SourceKind::Git => {
            refuse(why);
            None
        }
        _ => None,
    };
    SourceSpec {
        repository: source.repo_url.clone(),
        kind,
        revision: source.target_revision.clone(),
        tag_prefix: source.tag_prefix.clone(),
        path,
        reference: source.reference.clone(),
        renderer,
        signatures,
    }
}

/// What the repository is, by Argo CD 3.6's rules (`IsOCI`, `IsHelm`, `IsHelmOciRepo`): `oci://` is an artifact, a
/// chart at an address without scheme is in a registry.
///
/// Argo CD leaves the chart's name out of account at `oci://`; there it is the end of the address or leads on from it.
fn kind(source: &Source) -> SourceKind {
    let chart = |registry: bool| SourceKind::Chart {
        name: source.chart.clone(),
        registry,
        pass_credentials: source.helm.as_deref().is_some_and(|helm| helm.pass_credentials),
    };
    if let Some(place) = source.repo_url.strip_prefix("oci://") {
        let place = place.trim_end_matches('/');
        let is_named = place.strip_suffix(source.chart.as_str()).is_some_and(|rest| rest.ends_with('/'));
        return if source.chart.is_empty() || is_named { SourceKind::Artifact } else { chart(true) };
    }
    if source.chart.is_empty() {
        if BucketAddress::is_meant(&source.repo_url) {
            return SourceKind::Bucket;
        }
        if archive_url(&source.repo_url).is_some() {
            return SourceKind::Archive;
        }
        return SourceKind::Git;
    }
    let is_web = ["https://", "http://"].iter().any(|scheme| source.repo_url.starts_with(scheme));
    chart(!is_web)
}

/// Whether a text is a digest of SHA-256.
fn is_digest(text: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.strip_prefix("sha256:").is_some_and(|digits| digits.len() == 64 && digits.bytes().all(is_digit))
}

/// An empty block says as little as none.
fn is_set<T: Field>(block: Option<&T>) -> bool {
    block.is_some_and(|block| super::support::is_set(&block.write()))
}

fn jsonnet_options(directory: &Directory) -> Option<JsonnetOptions> {
    let jsonnet = directory.jsonnet.as_ref().filter(|jsonnet| is_set(Some(*jsonnet)))?;
    let variables = |variables: &[crate::types::JsonnetVariable]| {
        let variables = variables.iter().map(|variable| JsonnetVariable {
            name: variable.name.clone(),
            value: variable.value.clone(),
            is_code: variable.code,
        });
        variables.collect()
    };
    Some(JsonnetOptions {
        external_variables: variables(&jsonnet.ext_vars),
        top_level_arguments: variables(&jsonnet.tlas),
        libraries: jsonnet.libs.to_vec(),
    })
}

/// A block that says nothing leaves it open what the folder is, as in Argo CD.
pub(super) fn renderer(source: &Source, at: &str, refuse: &mut dyn FnMut(String)) -> Renderer {
    let directory = source.directory.as_deref().filter(|directory| is_set(Some(*directory)));
    let helm = source.helm.as_deref().filter(|helm| is_set(Some(*helm)));
    let kustomize = source.kustomize.as_deref().filter(|kustomize| is_set(Some(*kustomize)));
    // An empty block asks for a plugin, whichever takes the folder.
    let plugin = source.plugin.as_deref();
    let named: Vec<&str> = [
        kustomize.map(|_| "Kustomize"),
        helm.map(|_| "Helm"),
        directory.map(|_| "Directory"),
        plugin.map(|_| "Plugin"),
    ]
    .into_iter()
    .flatten()
    .collect();
    if named.len() > 1 {
        refuse(format!("{at}: multiple application sources defined: {}", named.join(",")));
    }
    if let Some(kustomize) = kustomize {
        return Renderer::Kustomize(Box::new(kustomize_options(kustomize, at, refuse)));
    }
    if let Some(helm) = helm {
        return Renderer::Helm(Box::new(helm_options(helm, at, refuse)));
    }
    if let Some(plugin) = plugin {
        return Renderer::Plugin(Box::new(plugin_options(plugin)));
    }
    match directory {
        Some(directory) => Renderer::Directory(DirectoryOptions {
            recurse: directory.recurse,
            include: directory.include.clone(),
            exclude: directory.exclude.clone(),
            any_extension: directory.disable_extension_filter,
            jsonnet: jsonnet_options(directory).map(Box::new),
        }),
        None => Renderer::Detect,
    }
}

fn plugin_options(plugin: &Plugin) -> PluginOptions {
    let entries = |map: &crate::field::Entries<Str>| {
        let mut entries = map.0.to_vec();
        entries.sort();
        entries
    };
    let parameter = |parameter: &crate::types::PluginParameter| PluginParameter {
        name: parameter.name.clone(),
        text: parameter.string.clone(),
        map: parameter.map.as_ref().map(entries),
        list: parameter.array.as_ref().map(|items| items.to_vec()),
    };
    PluginOptions {
        name: plugin.name.clone(),
        environment: plugin.env.iter().map(|entry| (entry.name.clone(), entry.value.clone())).collect(),
        parameters: plugin.parameters.iter().map(parameter).collect(),
    }
}

fn helm_options(helm: &Helm, at: &str, refuse: &mut dyn FnMut(String)) -> HelmOptions {
    if !matches!(helm.version.as_str(), "" | "v3" | "3") {
        refuse(format!("{at}.helm.version {:?} is not known; leave it out, or say v3", helm.version));
    }
    // An object wins over the text, as in Argo CD; JSON is YAML.
    let values = match &helm.values_object.0 {
        Value::Null => helm.values.clone(),
        object => serde_json::to_string(object).unwrap_or_default().into(),
    };
    HelmOptions {
        value_files: helm.value_files.to_vec(),
        ignore_missing_value_files: helm.ignore_missing_value_files,
        values,
        parameters: helm
            .parameters
            .iter()
            .map(|parameter| HelmParameter {
                name: parameter.name.clone(),
                value: parameter.value.clone(),
                force_string: parameter.force_string,
            })
            .collect(),
        file_parameters: helm
            .file_parameters
            .iter()
            .map(|parameter| (parameter.name.clone(), parameter.path.clone()))
            .collect(),
        release_name: helm.release_name.clone(),
        namespace: helm.namespace.clone(),
        kube_version: helm.kube_version.clone(),
        api_versions: helm.api_versions.to_vec(),
        skip_crds: helm.skip_crds,
        skip_tests: helm.skip_tests,
        skip_schema_validation: helm.skip_schema_validation,
    }
}

fn kustomize_options(kustomize: &Kustomize, at: &str, refuse: &mut dyn FnMut(String)) -> KustomizeOptions {
    if !kustomize.version.is_empty() {
        refuse(format!(
            "{at}.kustomize.version needs other versions of Kustomize, and one is built in; leave it out"
        ));
    }
    let mut replicas = Vec::with_capacity(kustomize.replicas.len());
    for replica in &kustomize.replicas {
        let count = match &replica.count.0 {
            Value::String(text) => text.parse().ok(),
            count => count.as_int(),
        };
        match count {
            Some(count) if count >= 0 => replicas.push((replica.name.clone(), count)),
            _ => refuse(format!(
                "{at}.kustomize.replicas: the count of {:?} is no number from 0 on",
                replica.name
            )),
        }
    }
    KustomizeOptions {
        name_prefix: kustomize.name_prefix.clone(),
        name_suffix: kustomize.name_suffix.clone(),
        namespace: kustomize.namespace.clone(),
        images: kustomize.images.to_vec(),
        replicas,
        common_labels: kustomize.common_labels.0.to_vec(),
        force_common_labels: kustomize.force_common_labels,
        label_without_selector: kustomize.label_without_selector,
        label_include_templates: kustomize.label_include_templates,
        common_annotations: kustomize.common_annotations.0.to_vec(),
        force_common_annotations: kustomize.force_common_annotations,
        common_annotations_envsubst: kustomize.common_annotations_envsubst,
        patches: kustomize
            .patches
            .iter()
            .map(|patch| KustomizePatch {
                path: patch.path.clone(),
                patch: patch.patch.clone(),
                target: patch.target.as_deref().map(|target| KustomizeTarget {
                    group: target.group.clone(),
                    version: target.version.clone(),
                    kind: target.kind.clone(),
                    name: target.name.clone(),
                    namespace: target.namespace.clone(),
                    annotation_selector: target.annotation_selector.clone(),
                    label_selector: target.label_selector.clone(),
                }),
                options: patch.options.0.to_vec(),
            })
            .collect(),
        components: kustomize.components.to_vec(),
        ignore_missing_components: kustomize.ignore_missing_components,
        kube_version: kustomize.kube_version.clone(),
        api_versions: kustomize.api_versions.to_vec(),
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
