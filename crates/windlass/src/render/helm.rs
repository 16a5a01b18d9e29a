//! `windlass render helm`: what `helm template` prints, without Helm.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, bail};
use clap::{Args, ValueEnum};
use gotemplate::Str;
use windlass_engine::SystemWorld;
use windlass_helm::provenance::{self, Keyring};
use windlass_helm::{
    Capabilities, ChartFiles, ChartRequest, ChartSource, CompiledChart, Dependencies, DependencyMode,
    HelmVersion, KubeVersion, LoadOptions, Loaded, Overrides, PrintOptions, Release, RenderError,
    RenderRequest, complete, load_archive, load_folder, name_of_template,
};
use windlass_source::FolderTree;

use super::chart_access::AccessOptions;
use super::charts::{UserCharts, common_root};
use crate::output;

/// Options of `windlass render helm`.
#[derive(Debug, Clone, Args)]
pub(crate) struct HelmOptions {
    /// The name of the release, and the chart: a folder, a packaged chart, its `https://` address, `oci://…`, `name/chart`
    /// of a repository that Helm knows, or with --repo a name in that. One argument alone is the chart.
    #[arg(required = true, num_args = 1..=2, value_names = ["RELEASE", "CHART"])]
    arguments: Vec<String>,
    /// A file of values; later ones win. `-` is stdin.
    #[arg(short = 'f', long, value_delimiter = ',', value_name = "FILE")]
    values: Vec<String>,
    /// Set values: `a.b=1,c[0]=x`.
    #[arg(long, value_name = "VALUES")]
    set: Vec<String>,
    /// Set values that are strings, whatever they look like.
    #[arg(long, value_name = "VALUES")]
    set_string: Vec<String>,
    /// Set values that are JSON: `a={"b":1}`, or one object.
    #[arg(long, value_name = "VALUES")]
    set_json: Vec<String>,
    /// Set values to the content of files: `a=path`.
    #[arg(long, value_name = "VALUES")]
    set_file: Vec<String>,
    /// Set one value to all that follows `=`.
    #[arg(long, value_name = "VALUE")]
    set_literal: Vec<String>,
    /// The namespace of the release.
    #[arg(short, long, default_value = "default", value_name = "NAME")]
    namespace: String,
    /// A template of the release's name, with the functions that charts have.
    #[arg(long, value_name = "TEMPLATE")]
    name_template: Option<String>,
    /// Print the files of `crds/` too.
    #[arg(long)]
    include_crds: bool,
    /// The version of Kubernetes to render for.
    #[arg(long, value_name = "VERSION")]
    kube_version: Option<String>,
    /// APIs that the cluster has beside the known ones: `monitoring.coreos.com/v1`.
    #[arg(short, long, value_delimiter = ',', value_name = "VERSION")]
    api_versions: Vec<String>,
    /// Leave out tests.
    #[arg(long)]
    skip_tests: bool,
    /// Leave out hooks, tests too.
    #[arg(long)]
    no_hooks: bool,
    /// Print only these templates: `templates/service.yaml`, or a glob.
    #[arg(short, long, value_name = "TEMPLATE")]
    show_only: Vec<String>,
    /// Render as for an upgrade of a release that is there.
    #[arg(long)]
    is_upgrade: bool,
    /// Fetch the newest dependencies that the chart allows when some are not in its `charts/`.
    #[arg(long)]
    dependency_update: bool,
    /// Fetch the dependencies that the chart's lock says when some are not in its `charts/`, as Argo CD does.
    #[arg(long, conflicts_with = "dependency_update")]
    dependency_build: bool,
    /// Give a repository the name by which the chart calls it: `@NAME`.
    #[arg(long, value_name = "NAME=ADDRESS", value_parser = named_repository)]
    repository: Vec<(String, String)>,
    /// The repository that the chart is in, which is then named as it is there.
    #[arg(long, value_name = "ADDRESS")]
    repo: Option<String>,
    /// The version of a chart that is fetched, or a range of them.
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// Take versions before a release, too, where --version names none.
    #[arg(long)]
    devel: bool,
    #[command(flatten)]
    access: AccessOptions,
    /// Refuse a packaged chart whose provenance file is not signed by a key of the keyring.
    #[arg(long, requires = "keyring")]
    verify: bool,
    /// The keys for --verify, as `gpg --export` writes them.
    #[arg(long, value_name = "FILE")]
    keyring: Option<PathBuf>,
    /// Use values even if the chart's schema forbids them.
    #[arg(long)]
    skip_schema_validation: bool,
    /// Whose behaviour is wanted.
    #[arg(long, value_enum, default_value_t = Behaviour::Four, value_name = "VERSION")]
    helm: Behaviour,
}

/// A major version of Helm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Behaviour {
    /// Helm 3.
    #[value(name = "3")]
    Three,
    /// Helm 4.
    #[value(name = "4")]
    Four,
}

impl Behaviour {
    /// The version whose rules hold.
    pub(crate) fn version(self) -> HelmVersion {
        match self {
            Self::Three => HelmVersion::V3,
            Self::Four => HelmVersion::V4,
        }
    }
}

/// Renders and prints.
pub(crate) fn run(options: &HelmOptions) -> Result<ExitCode> {
    let helm = options.helm.version();
    let mut capabilities = Capabilities::default_of(helm);
    if let Some(version) = &options.kube_version {
        capabilities.kube_version = KubeVersion::parse(version, helm)
            .map_err(|error| anyhow!("invalid kube version '{version}': {error}"))?;
    }
    capabilities.api_versions.extend(options.api_versions.iter().cloned());
    let (name, path) = name_and_chart(options)?;
    let values = overrides(options)?.merge(helm, |path| match read(path) {
        Ok(bytes) => Ok(Str::from(bytes)),
        Err(error) => Err(format!("open {path}: {error}")),
    })?;
    let Loaded { chart, warnings, .. } = load(Path::new(&path), options, &LoadOptions::of(helm))?;
    for warning in &warnings {
        output::note(&warning.to_string());
    }
    let release =
        Release { name, namespace: options.namespace.clone(), revision: 1, is_upgrade: options.is_upgrade };
    let request = RenderRequest {
        capabilities,
        skip_schema_validation: options.skip_schema_validation,
        ..RenderRequest::new(release, values, helm)
    };
    let rendered = CompiledChart::new(chart, helm)
        .render(&request, &mut SystemWorld::without_deadline())
        .map_err(|error| {
            let is_manifest = matches!(error, RenderError::Manifest(_));
            let error = anyhow!(error);
            if is_manifest { error.context("a template prints something that is no manifest") } else { error }
        })?;
    for warning in &rendered.warnings {
        output::note(&warning.to_string());
    }
    let print = PrintOptions {
        include_crds: options.include_crds,
        no_hooks: options.no_hooks,
        skip_tests: options.skip_tests,
        show_only: &options.show_only,
    };
    output::print(&rendered.print(&print, helm)?)?;
    Ok(ExitCode::SUCCESS)
}

/// What `helm template` calls a release that nobody named.
const DEFAULT_NAME: &str = "release-name";

fn name_and_chart(options: &HelmOptions) -> Result<(String, String)> {
    match (options.arguments.as_slice(), &options.name_template) {
        ([_, _], Some(_)) => bail!("cannot set --name-template and also specify a name"),
        ([name, chart], None) => Ok((name.clone(), chart.clone())),
        ([chart], Some(template)) => {
            let name = name_of_template(template, &mut SystemWorld::without_deadline())?;
            Ok((name, chart.clone()))
        }
        ([chart], None) => Ok((DEFAULT_NAME.to_owned(), chart.clone())),
        _ => bail!("name a chart, and before it a release"),
    }
}

fn overrides(options: &HelmOptions) -> Result<Overrides> {
    let mut files = Vec::with_capacity(options.values.len());
    for file in &options.values {
        let bytes = read(file).with_context(|| format!("the values file {file} cannot be read"))?;
        files.push((file.clone(), bytes));
    }
    Ok(Overrides {
        files,
        set_json: options.set_json.clone(),
        set: options.set.clone(),
        set_string: options.set_string.clone(),
        set_file: options.set_file.clone(),
        set_literal: options.set_literal.clone(),
    })
}

fn read(path: &str) -> std::io::Result<Vec<u8>> {
    if path.trim() == "-" {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut std::io::stdin(), &mut bytes)?;
        return Ok(bytes);
    }
    std::fs::read(path)
}

fn load(path: &Path, options: &HelmOptions, rules: &LoadOptions) -> Result<Loaded> {
    let unreadable = || format!("the chart {} cannot be read", path.display());
    if !path.exists()
        && let Some(loaded) = fetched(&path.to_string_lossy(), options, rules)?
    {
        return Ok(loaded);
    }
    if !path.is_dir() {
        let bytes = std::fs::read(path).with_context(unreadable)?;
        if let Some(keyring) = options.keyring.as_deref().filter(|_| options.verify) {
            verified(path, &bytes, keyring)?;
        }
        return Ok(load_archive(&bytes, rules)?);
    }
    if options.verify {
        bail!("{} is a folder; only a packaged chart can be verified", path.display());
    }
    // Links may lead anywhere in the repository that the chart is part of.
    let path = path.canonicalize().with_context(unreadable)?;
    let root = repository(&path);
    let tree = FolderTree::open(&root).with_context(unreadable)?;
    let loaded = load_folder(&tree, &below(&root, &path), rules)?;
    let mode = match (options.dependency_update, options.dependency_build) {
        (true, _) => DependencyMode::Update,
        (_, true) => DependencyMode::Build,
        _ => return Ok(loaded),
    };
    let declared = loaded.chart.metadata.dependencies.iter().flatten();
    let root = common_root(&root, &path, declared.map(|dependency| dependency.repository.as_str()));
    let tree = FolderTree::open(&root).with_context(unreadable)?;
    let source = UserCharts::new(options.repository.clone(), options.access.read()?);
    Ok(complete(loaded, &tree, &below(&root, &path), Dependencies { source: &source, mode }, rules)?)
}

/// A chart that does not lie here, if `name` may be one.
fn fetched(name: &str, options: &HelmOptions, rules: &LoadOptions) -> Result<Option<Loaded>> {
    // What is meant to be a path is one, as with Helm.
    if name.starts_with(['/', '.']) {
        return Ok(None);
    }
    let source = UserCharts::new(options.repository.clone(), options.access.read()?);
    let version = match (&options.version, options.devel) {
        (Some(version), _) => version.as_str(),
        (None, true) => ">0.0.0-0",
        (None, false) => "",
    };
    let (repository, chart) = match (&options.repo, name.rsplit_once('/')) {
        (None, Some((repository, chart))) if name.starts_with("oci://") => (repository.to_owned(), chart),
        (None, _) if name.starts_with("https://") || name.starts_with("http://") => {
            refuse_to_verify(name, options)?;
            let bytes =
                source.archive(name).map_err(|error| anyhow!(error)).with_context(|| unfetched(name))?;
            return Ok(Some(load_archive(&bytes, rules)?));
        }
        (Some(repository), _) => (repository.clone(), name),
        (None, Some((repository, chart))) => match source.address_of(repository) {
            Some(address) => (address, chart),
            None => return Ok(None),
        },
        (None, None) => return Ok(None),
    };
    refuse_to_verify(name, options)?;
    let request = ChartRequest { repository: &repository, name: chart, version };
    let files = source.chart(&request).map_err(|error| anyhow!(error)).with_context(|| unfetched(name))?;
    Ok(Some(match files {
        ChartFiles::Tree(tree) => load_folder(tree.as_ref(), "", rules)?,
        ChartFiles::Archive(bytes) => load_archive(&bytes, rules)?,
    }))
}

fn unfetched(name: &str) -> String {
    format!("the chart {name} cannot be fetched")
}

fn refuse_to_verify(name: &str, options: &HelmOptions) -> Result<()> {
    if options.verify {
        bail!("{name} is fetched; only a packaged chart that lies here can be verified");
    }
    Ok(())
}

/// Refuses a packaged chart that is not what a key of the ring has signed.
fn verified(path: &Path, bytes: &[u8], keyring: &Path) -> Result<()> {
    let ring = std::fs::read(keyring)
        .with_context(|| format!("the keyring {} cannot be read", keyring.display()))?;
    let ring = Keyring::parse(&ring).with_context(|| format!("{} is no keyring", keyring.display()))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let file = path.with_file_name(format!("{name}.prov"));
    let signed = std::fs::read(&file)
        .with_context(|| format!("the provenance file {} cannot be read", file.display()))?;
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs();
    let verified = provenance::verify(bytes, &name, &signed, &ring, now)
        .with_context(|| format!("the chart {} cannot be verified", path.display()))?;
    for signer in &verified.signers {
        output::note(&format!("Signed by: {signer}"));
    }
    output::note(&format!("Using Key With Fingerprint: {}", verified.fingerprint));
    output::note(&format!("Chart Hash Verified: {}", verified.digest));
    Ok(())
}

fn below(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(Path::new("")).to_string_lossy().into_owned()
}

fn named_repository(text: &str) -> Result<(String, String), String> {
    let (name, address) = text.split_once('=').ok_or("a name, `=` and an address")?;
    Ok((name.to_owned(), address.to_owned()))
}

/// The nearest folder with a `.git`, or the folder itself.
fn repository(path: &Path) -> PathBuf {
    path.ancestors().find(|folder| folder.join(".git").exists()).unwrap_or(path).to_owned()
}
