//! `windlass render`: a local folder as the engine would render it, without any server.

mod application;
mod chart_access;
mod charts;
mod fetch;
mod helm;
mod kustomize;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use windlass_engine::SystemWorld;
use windlass_model::{Diagnostic, DirectoryOptions, Renderer};
use windlass_render::Services;
use windlass_source::FolderTree;
use windlass_yaml::{LoadOptions, Position};

use crate::app::{SourceOptions, in_form};
use crate::output::{self, FormatOption};

/// Options of `windlass render`.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct RenderOptions {
    #[command(subcommand)]
    tool: Option<Tool>,
    /// The folder: the root of a repository, or the folder to render.
    #[arg(required_unless_present = "app")]
    dir: Option<PathBuf>,
    /// Render what the Application in this file says, fetched from where it says; - is standard input. The file may
    /// also hold what it depends on: its project, and the control plane's Secrets and ConfigMaps.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["dir", "path", "recurse", "include", "exclude"])]
    app: Option<PathBuf>,
    #[command(flatten)]
    sources: SourceOptions,
    /// The folder in it to render, as `spec.source.path` names it. Links may lead anywhere below DIR.
    #[arg(long, default_value = "", hide_default_value = true, value_name = "DIR")]
    path: String,
    /// Read folders below too.
    #[arg(short, long)]
    recurse: bool,
    /// Read only files that match this glob.
    #[arg(long, default_value = "", hide_default_value = true, value_name = "GLOB")]
    include: String,
    /// Leave out files that match this glob.
    #[arg(long, default_value = "", hide_default_value = true, value_name = "GLOB")]
    exclude: String,
    /// The name of the release, where the folder is a Helm chart.
    #[arg(long, default_value = "release-name", value_name = "NAME")]
    name: String,
    /// The namespace of the release, where the folder is a Helm chart.
    #[arg(short, long, default_value = "default", value_name = "NAME")]
    namespace: String,
    #[command(flatten)]
    format: FormatOption,
}

/// A tool whose output is wanted as it prints it.
#[derive(Debug, Clone, Subcommand)]
enum Tool {
    /// Print what `helm template` prints for a chart.
    #[command(after_help = "\
EXAMPLES
  windlass render helm ./chart
  windlass render helm web ./chart -f values.yaml --set image.tag=1.2 -n prod
  windlass render helm web chart-1.2.3.tgz --show-only templates/service.yaml
  windlass render helm web ./chart --dependency-build

Warnings go to stderr. Exit code: 0 when the chart was rendered, 1 when not.")]
    Helm(Box<helm::HelmOptions>),
    /// Print what `kustomize build` prints for a folder.
    #[command(after_help = "\
EXAMPLES
  windlass render kustomize overlays/production
  windlass render kustomize . --load-restrictor LoadRestrictionsNone --reorder none
  windlass render kustomize . --enable-helm
  windlass render kustomize 'https://github.com/org/repo//overlays/production?ref=v1' --allow-remote

Warnings go to stderr. Exit code: 0 when the kustomization was built, 1 when not.")]
    Kustomize(Box<kustomize::KustomizeOptions>),
}

/// Renders and prints; the exit code is 1 when something could not be rendered.
pub(crate) async fn run(options: &RenderOptions) -> Result<ExitCode> {
    match &options.tool {
        // Charts and bases are fetched by functions that block.
        Some(Tool::Helm(options)) => return tokio::task::block_in_place(|| helm::run(options)),
        Some(Tool::Kustomize(options)) => return tokio::task::block_in_place(|| kustomize::run(options)),
        None => {}
    }
    if let Some(file) = &options.app {
        return application::run(file, options.sources, options.format.output).await;
    }
    let dir = options.dir.as_deref().unwrap_or(Path::new("."));
    let tree =
        FolderTree::open(dir).with_context(|| format!("the folder {} cannot be read", dir.display()))?;
    let directory = DirectoryOptions {
        recurse: options.recurse,
        include: options.include.as_str().into(),
        exclude: options.exclude.as_str().into(),
        any_extension: false,
        jsonnet: None,
    };
    let renderer = if directory == DirectoryOptions::default() {
        Renderer::Detect
    } else {
        Renderer::Directory(directory)
    };
    let path = options.path.trim_start_matches("./").trim_matches('/');
    let path = if path == "." { "" } else { path };
    let mut world = SystemWorld::new();
    let name = options.name.as_str().into();
    let namespace = options.namespace.as_str().into();
    let charts = charts::UserCharts::default();
    let jsonnet = options.sources.jsonnet();
    let mut context = windlass_render::Context {
        name,
        namespace,
        charts: &charts,
        services: Services { jsonnet: Some(&jsonnet), ..Services::default() },
        ..windlass_render::Context::empty(&mut world)
    };
    let render = || windlass_render::render(&tree, path, &renderer, &mut context);
    let rendered = tokio::task::block_in_place(render)
        .with_context(|| format!("{} cannot be rendered", dir.join(path).display()))?;
    let mut failed = false;
    for diagnostic in &rendered.diagnostics {
        failed |= diagnostic.kind.is_error();
        output::note(&shown(diagnostic, dir));
    }
    let objects: Vec<_> = rendered.manifests.into_iter().map(|manifest| manifest.object).collect();
    if objects.is_empty() && rendered.diagnostics.is_empty() {
        output::note("There are no objects here; --recurse reads folders below too.");
    }
    output::print(&in_form(objects, options.format.output))?;
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The diagnostic with the line of the file that it is about.
fn shown(diagnostic: &Diagnostic, root: &Path) -> String {
    let word = if diagnostic.kind.is_error() { "error" } else { "warning" };
    let mut text = format!("{word}: {diagnostic}");
    let Some(origin) = diagnostic.origin.as_ref().filter(|origin| origin.line > 0) else { return text };
    if let Ok(content) = std::fs::read_to_string(root.join(origin.file.as_str())) {
        let snippet = windlass_yaml::snippet(&content, position(&content, origin.line as usize));
        for line in snippet.lines() {
            text.push_str("\n  ");
            text.push_str(line);
        }
    }
    text
}

/// The place of the error on this line; its beginning when none is found there.
fn position(content: &str, line: usize) -> Position {
    let errors = windlass_yaml::load_manifest(content, &LoadOptions::default())
        .into_iter()
        .filter_map(Result::err)
        .map(|error| error.position());
    errors.into_iter().find(|position| position.line == line).unwrap_or(Position { line, column: 1 })
}

#[cfg(test)]
mod tests {
    use windlass_model::{DiagnosticKind, Origin};

    use super::*;

    #[test]
    fn diagnostics_show_the_line() {
        let folder = std::env::temp_dir().join(format!("windlass-render-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("a.yaml"), "kind: ConfigMap\ndata: {a: [}\n").unwrap();
        let origin = Origin { file: "a.yaml".into(), line: 2 };
        let diagnostic = Diagnostic::new(DiagnosticKind::Render, "cannot be parsed").at(origin);
        let text = shown(&diagnostic, &folder);
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(text.starts_with("error: a.yaml:2: cannot be parsed\n  2 | data: {a: [}\n"), "{text}");
        assert!(text.ends_with('^'), "{text}");
    }
}
