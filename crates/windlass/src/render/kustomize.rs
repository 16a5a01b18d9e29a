//! `windlass render kustomize`: what `kustomize build` prints, without kustomize.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use clap::{Args, ValueEnum};
use windlass_engine::SystemWorld;
use windlass_kube::Str;
use windlass_kustomize::helm::Helm;
use windlass_kustomize::remote::Remote;
use windlass_kustomize::{Options, Reorder, Services, build, build_address};
use windlass_model::{Digest, Entry, EntryKind, Tree, TreeError};
use windlass_render::{ChartFetcher, KustomizeCharts};

use super::fetch::Fetcher;
use super::helm::Behaviour;
use crate::output;

/// Options of `windlass render kustomize`.
#[derive(Debug, Clone, Args)]
pub(crate) struct KustomizeOptions {
    /// The folder with the kustomization, or its address with --allow-remote. Bases may lie anywhere on this machine.
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Whether files outside of a kustomization's folder may be read.
    #[arg(long, value_enum, default_value_t = LoadRestrictor::RootOnly, value_name = "WORD")]
    load_restrictor: LoadRestrictor,
    /// The order of the output where the kustomization does not say one.
    #[arg(long, value_enum, default_value_t = Order::Legacy, value_name = "WORD")]
    reorder: Order,
    /// Put the label app.kubernetes.io/managed-by onto every object.
    #[arg(long)]
    enable_managedby_label: bool,
    /// Fetch what is named by an address: repositories, files and charts.
    #[arg(long)]
    allow_remote: bool,
    /// Render charts.
    #[arg(long)]
    enable_helm: bool,
    /// Whose behaviour is wanted of charts.
    #[arg(long, value_enum, default_value_t = Behaviour::Four, value_name = "VERSION")]
    helm: Behaviour,
    /// An API that charts see beside the known ones: `monitoring.coreos.com/v1`.
    #[arg(long, value_name = "VERSION")]
    helm_api_versions: Vec<String>,
    /// The version of Kubernetes that charts see.
    #[arg(long, default_value = "", hide_default_value = true, value_name = "VERSION")]
    helm_kube_version: String,
    /// Write the output to a file.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Where files may lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LoadRestrictor {
    /// In or below the kustomization's folder.
    #[value(name = "LoadRestrictionsRootOnly")]
    RootOnly,
    /// Anywhere.
    #[value(name = "LoadRestrictionsNone")]
    None,
}

/// The order of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Order {
    /// Namespaces, definitions and the like first, webhooks last.
    Legacy,
    /// As the resources were gathered.
    None,
}

/// Builds and prints; the exit code is 1 when the kustomization could not be built.
pub(crate) fn run(options: &KustomizeOptions) -> Result<ExitCode> {
    let build_options = Options {
        load_from_anywhere: options.load_restrictor == LoadRestrictor::None,
        reorder: if options.reorder == Order::None { Reorder::None } else { Reorder::Legacy },
        managed_by_label: options.enable_managedby_label,
        helm_api_versions: options.helm_api_versions.clone(),
        helm_kube_version: options.helm_kube_version.clone(),
        ..Options::default()
    };
    let fetcher = Fetcher::default();
    let mut world = SystemWorld::without_deadline();
    let charts = KustomizeCharts::new(
        options.helm.version(),
        options.allow_remote.then_some(&fetcher as &dyn ChartFetcher),
        &mut world,
    );
    let services = Services {
        remote: options.allow_remote.then_some(&fetcher as &dyn Remote),
        helm: options.enable_helm.then_some(&charts as &dyn Helm),
        ..Services::default()
    };
    let address = options.dir.to_str().filter(|text| !options.dir.exists() && is_address(text));
    let built = match address {
        Some(address) => build_address(address, &build_options, services, &[]),
        None => {
            let dir = std::fs::canonicalize(&options.dir)
                .with_context(|| format!("the folder {} cannot be read", options.dir.display()))?;
            let folder = dir.to_str().context("the folder's name is not Unicode")?.trim_start_matches('/');
            build(&Disk, folder, &build_options, services, &[])
        }
    };
    let built = built.map_err(|error| anyhow!("{error}"))?;
    built.warnings.iter().for_each(|warning| output::note(warning));
    let text = built.resources.to_yaml().map_err(|error| anyhow!("{error}"))?;
    match &options.output {
        Some(file) => {
            std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
        }
        None => output::print(&text)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn is_address(text: &str) -> bool {
    windlass_kustomize::remote::parse(text).is_some()
}

/// This machine's files as a Tree. Builds ask what is there and what it says, never for digests.
struct Disk;

impl Disk {
    fn place(path: &str) -> PathBuf {
        Path::new("/").join(path)
    }

    fn failed(path: &str, error: std::io::Error) -> TreeError {
        TreeError::Store { path: path.into(), source: error.into() }
    }
}

impl Tree for Disk {
    fn entry(&self, path: &str) -> Result<Option<Entry>, TreeError> {
        let Ok(metadata) = std::fs::metadata(Self::place(path)) else { return Ok(None) };
        let kind = if metadata.is_dir() { EntryKind::Directory } else { EntryKind::File };
        Ok(Some(Entry { kind, digest: Digest::of_bytes(path.as_bytes()) }))
    }

    fn list(&self, path: &str) -> Result<Option<Vec<(Str, Entry)>>, TreeError> {
        let Ok(members) = std::fs::read_dir(Self::place(path)) else { return Ok(None) };
        let mut listed = Vec::new();
        for member in members {
            let name = member.map_err(|error| Self::failed(path, error))?.file_name();
            if let Some(name) = name.to_str()
                && let Some(entry) = self.entry(&format!("{path}/{name}"))?
            {
                listed.push((Str::from(name), entry));
            }
        }
        listed.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(Some(listed))
    }

    fn read(&self, path: &str, limit: u64) -> Result<Option<Arc<[u8]>>, TreeError> {
        let place = Self::place(path);
        let Ok(metadata) = std::fs::metadata(&place) else { return Ok(None) };
        if !metadata.is_file() {
            return Ok(None);
        }
        if metadata.len() > limit {
            return Err(TreeError::TooLarge { path: path.into(), size: metadata.len(), limit });
        }
        std::fs::read(&place).map(|bytes| Some(bytes.into())).map_err(|error| Self::failed(path, error))
    }
}
