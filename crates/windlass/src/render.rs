//! `windlass render`: a local folder as the engine would render it, without any server.

mod application;
mod chart_access;
mod charts;
mod fetch;
mod flux;
mod helm;
mod kustomize;
mod place;
mod place_access;
mod verify;
mod watch;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use windlass_argo::types::Source;
use windlass_engine::SystemWorld;
use windlass_kube::Value;
use windlass_model::{Diagnostic, DirectoryOptions, Renderer};
use windlass_render::{Overrides, ReadKind, RenderCache, Rendered, Services, SharedRender};
use windlass_yaml::{LoadOptions, Position};

use crate::app::{Programs, SourceOptions, in_form};
use crate::output::{self, Format};
use fetch::Fetcher;
use place::{Found, Place};
use place_access::PlaceAccess;
use verify::VerifyOptions;

/// Options of `windlass render`.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct RenderOptions {
    #[command(subcommand)]
    tool: Option<Tool>,
    /// The folder to render, which may refer to what is beside it in its Git repository, or the root that --path begins at:
    /// a path, or an address of a Git repository
    /// (`https://host/org/repo//folder?ref=v1`), an OCI artifact (`oci://host/name:tag//folder`), a tar archive, a bucket
    /// (`s3://bucket/prefix`, with the usual AWS_ variables, `gs://bucket/prefix` with GOOGLE_APPLICATION_CREDENTIALS,
    /// `az://account/container/prefix` with AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN), or with --chart a Helm repository.
    #[arg(required_unless_present = "app", value_name = "DIR|URL")]
    place: Option<String>,
    /// Render this chart of the Helm repository at the address.
    #[arg(long, value_name = "NAME", requires = "place")]
    chart: Option<String>,
    /// The version of the chart, or a range of versions; the newest by default.
    #[arg(long, default_value = "", hide_default_value = true, value_name = "VERSION", requires = "chart")]
    version: String,
    /// Print what was read, and so what a new render depends on, instead of the objects.
    #[arg(long, conflicts_with = "app")]
    explain: bool,
    /// Go on, and render again whenever something in the folder changes that was read. Says on stderr what changed, whether it
    /// was rendered again, and which objects are others now; prints the answer again when it is another one.
    #[arg(short, long, conflicts_with_all = ["app", "parameters_of", "chart"])]
    watch: bool,
    /// Print the parameters that this plugin announces for the folder, instead of the objects.
    #[arg(long, value_name = "PLUGIN", conflicts_with_all = ["app", "explain"])]
    parameters_of: Option<String>,
    /// Render what the Application or Flux's Kustomization in this file says, fetched from where it says; - is standard
    /// input. The file may also hold what it depends on: its project, its source, Secrets and ConfigMaps. DIR|URL stands
    /// for a Kustomization's source.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["path", "recurse", "include", "exclude"])]
    app: Option<PathBuf>,
    #[command(flatten)]
    sources: SourceOptions,
    #[command(flatten)]
    verify: VerifyOptions,
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
    /// The form of the answer; tree shows which file each object is from.
    #[arg(short, long, value_enum, default_value_t = Form::Yaml, value_name = "FORM")]
    output: Form,
    #[command(flatten)]
    access: PlaceAccess,
}

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// YAML documents.
    Yaml,
    /// JSON: the object, or a List.
    Json,
    /// Names only, one a line.
    Name,
    /// The objects below the files that they are from.
    Tree,
}

impl Form {
    fn plain(self) -> Format {
        match self {
            Self::Json => Format::Json,
            Self::Name | Self::Tree => Format::Name,
            Self::Yaml => Format::Yaml,
        }
    }
}

/// What a folder says about itself, over what the flags say.
struct Flags<'a> {
    name: &'a str,
    directory: Value,
}

impl Overrides for Flags<'_> {
    fn name(&self) -> &str {
        self.name
    }

    fn renderer(&self, changes: &[Value]) -> Result<Renderer, String> {
        let all: Vec<Value> = std::iter::once(&self.directory).chain(changes).cloned().collect();
        windlass_argo::overridden(&Source::default(), &all)
    }
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
        let place = options.place.as_deref();
        return application::run(file, place, &options.sources, options.output.plain()).await;
    }
    let text = options.place.as_deref().unwrap_or(".");
    let path = options.path.trim_start_matches("./").trim_matches('/');
    let path = if path == "." { "" } else { path };
    let mut place =
        Place::parse(text, options.chart.as_deref().map(|name| (name, options.version.as_str())))?;
    if options.path.is_empty() {
        place = place.with_what_is_beside();
    }
    let verifications = options.verify.read()?;
    if !verifications.is_empty() && !place.is_published() {
        bail!("{text} has no signature that could be checked: only artifacts of registries have");
    }
    let fetcher = Fetcher::new(verifications, options.access.plain_http);
    let access = match place {
        Place::Folder { .. } => place_access::KnownAccess::default(),
        _ => options.access.read()?,
    };
    let found = tokio::task::block_in_place(|| place.open(&fetcher, &access))
        .with_context(|| format!("{text} cannot be rendered"))?;
    let directory = DirectoryOptions {
        recurse: options.recurse,
        include: options.include.as_str().into(),
        exclude: options.exclude.as_str().into(),
        any_extension: false,
        jsonnet: None,
    };
    let mut directory_value = Value::object();
    if directory != DirectoryOptions::default() {
        directory_value.set_at(&["directory", "recurse"], options.recurse);
        directory_value.set_at(&["directory", "include"], options.include.as_str());
        directory_value.set_at(&["directory", "exclude"], options.exclude.as_str());
    }
    let renderer = if directory == DirectoryOptions::default() {
        Renderer::Detect
    } else {
        Renderer::Directory(directory)
    };
    let path = match (found.folder.as_str(), path) {
        ("", path) => path.to_owned(),
        (folder, "") => folder.to_owned(),
        (folder, path) => format!("{folder}/{path}"),
    };
    let programs = options.sources.programs()?;
    if let Some(plugin) = &options.parameters_of {
        let announced = tokio::task::block_in_place(|| programs.announced(plugin, &*found.tree, &path))?;
        output::print(&announced_in_form(announced, options.output)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let root = match &place {
        Place::Folder { root, .. } => root.as_path(),
        _ => Path::new(""),
    };
    let drawing = Drawing {
        options,
        text,
        root,
        found: &found,
        path: &path,
        renderer: &renderer,
        flags: Flags { name: &options.name, directory: directory_value },
        programs: &programs,
    };
    if options.watch {
        let Place::Folder { .. } = &place else {
            bail!("{text} cannot be watched: only a folder of this machine can");
        };
        return watch::run(&drawing).await;
    }
    let rendered = drawing.render(None)?;
    let failed = drawing.tell(&rendered);
    drawing.print(&rendered)?;
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What is rendered, and how it is shown.
struct Drawing<'a> {
    options: &'a RenderOptions,
    /// What the user calls it.
    text: &'a str,
    /// What files that are named in errors are below, where they can be shown.
    root: &'a Path,
    found: &'a Found,
    path: &'a str,
    renderer: &'a Renderer,
    flags: Flags<'a>,
    programs: &'a Programs,
}

impl Drawing<'_> {
    /// Renders, if nothing in the cache still holds.
    fn render(&self, cache: Option<&RenderCache>) -> Result<SharedRender> {
        let mut world = SystemWorld::new();
        let charts = charts::UserCharts::default();
        let tools = self.programs.tools();
        let mut context = windlass_render::Context {
            name: self.options.name.as_str().into(),
            namespace: self.options.namespace.as_str().into(),
            charts: &charts,
            services: Services {
                jsonnet: tools.jsonnet,
                plugins: tools.plugins,
                overrides: Some(&self.flags),
                ..Services::default()
            },
            ..windlass_render::Context::empty(&mut world)
        };
        let (tree, path, renderer) = (&*self.found.tree, self.path, self.renderer);
        let render = || match cache {
            Some(cache) => cache.render(self.text, tree, path, renderer, &mut context),
            None => windlass_render::render(tree, path, renderer, &mut context).map(SharedRender::new),
        };
        tokio::task::block_in_place(render).with_context(|| match self.path {
            "" => format!("{} cannot be rendered", self.text),
            path => format!("{path} of {} cannot be rendered", self.text),
        })
    }

    /// Tells what is wrong; whether something could not be rendered.
    fn tell(&self, rendered: &Rendered) -> bool {
        let mut failed = false;
        for diagnostic in &rendered.diagnostics {
            failed |= diagnostic.kind.is_error();
            output::note(&shown(diagnostic, self.root));
        }
        failed
    }

    fn print(&self, rendered: &Rendered) -> Result<()> {
        if self.options.explain {
            return output::print(&explained(rendered, &self.found.revision));
        }
        if self.options.output == Form::Tree {
            return output::print(&by_file(rendered));
        }
        let objects: Vec<_> = rendered.manifests.iter().map(|manifest| manifest.object.clone()).collect();
        if objects.is_empty() && rendered.diagnostics.is_empty() {
            output::note("There are no objects here; --recurse reads folders below too.");
        }
        output::print(&in_form(objects, self.options.output.plain()))
    }
}

/// Parameters that a plugin announces: their names where names are asked for, else all that is said of them.
fn announced_in_form(announced: Vec<Value>, form: Form) -> Result<String> {
    let names = announced.iter().filter_map(|one| one.str_at(&["name"])).map(|name| format!("{name}\n"));
    match form {
        Form::Name | Form::Tree => Ok(names.collect()),
        Form::Json => Ok(format!("{}\n", windlass_yaml::json::to_string_pretty(&Value::from(announced), 2))),
        Form::Yaml => Ok(windlass_yaml::to_yaml(&Value::from(announced))),
    }
}

/// What was read, a line each, with what of it makes the folder be rendered again.
fn explained(rendered: &Rendered, revision: &str) -> String {
    let mut text = format!("rendered as {:?}", rendered.source_type);
    if !rendered.plugin.is_empty() {
        text.push_str(&format!(" by the plugin {}", rendered.plugin));
    }
    if !revision.is_empty() {
        text.push_str(&format!(" from {revision}"));
    }
    text.push_str("; again when one of these changes:\n");
    let mut row = |what: &str, path: &str, when: &str| {
        let path = if path.is_empty() { "." } else { path };
        text.push_str(&format!("  {what:<8} {path}  {when}\n"));
    };
    let trees = rendered.reference_reads.iter().map(|(name, reads)| (format!("${name}/"), reads));
    for (prefix, reads) in std::iter::once((String::new(), &rendered.reads)).chain(trees) {
        for (path, kind) in reads.kinds() {
            let path = format!("{prefix}{path}");
            match kind {
                ReadKind::File => row("file", &path, "its content"),
                ReadKind::Listing => row("folder", &path, "the names in it"),
                ReadKind::Subtree => row("folder", &path, "anything in it or below it"),
                ReadKind::Absent => row("absent", &path, "it appears"),
            }
        }
    }
    for (request, _) in &rendered.lookups {
        row("lookup", &format!("{request:?}"), "the cluster's answer");
    }
    if rendered.by_chance {
        text.push_str("time or chance had a say: what they made is kept until one of these changes\n");
    }
    text
}

/// The objects below the files that they are from.
fn by_file(rendered: &Rendered) -> String {
    let mut files: Vec<(&str, Vec<String>)> = Vec::new();
    for manifest in &rendered.manifests {
        let file = manifest.origin.file.as_str();
        let object = &manifest.object;
        let namespace = match object.namespace() {
            "" => String::new(),
            namespace => format!("{namespace}/"),
        };
        let name = match (object.name(), object.str_at(&["metadata", "generateName"])) {
            ("", "") => "(no name)".into(),
            ("", beginning) => format!("{beginning}…"),
            (name, _) => name.to_owned(),
        };
        let line = format!("{} {namespace}{name}", object.gvk().group_kind());
        match files.iter_mut().find(|(known, _)| *known == file) {
            Some((_, lines)) => lines.push(line),
            None => files.push((file, vec![line])),
        }
    }
    let mut text = String::new();
    for (file, lines) in files {
        text.push_str(if file.is_empty() { "(made as a whole)" } else { file });
        text.push('\n');
        for (idx, line) in lines.iter().enumerate() {
            let branch = if idx + 1 == lines.len() { "└── " } else { "├── " };
            text.push_str(&format!("{branch}{line}\n"));
        }
    }
    text
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
