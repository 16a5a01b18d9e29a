//! `windlass health`: what the engine would say of the health of objects, without any server.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Args;
use windlass_argo::Customizations;
use windlass_assess::Check as _;
use windlass_assess::cel::CelChecks;
use windlass_assess::lua::{Clock, Script};
use windlass_kube::{Object, Str, Value, value};
use windlass_model::{Health, HealthStatus};
use windlass_yaml::LoadOptions;

use crate::output::{self, ColorOption, Format, FormatOption, Table};

/// Options of `windlass health`.
#[derive(Debug, Clone, Args)]
pub(crate) struct HealthOptions {
    /// Files of objects, YAML or JSON, as a cluster has them: with their status. `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// A check of one's own in Lua, as `resource.customizations.health.*` of Argo CD; it is asked before the built-in
    /// one.
    #[arg(long, value_name = "FILE")]
    lua: Option<PathBuf>,
    /// Checks of one's own in CEL: a file with the list `healthCheckExprs` of Flux, or an object that has one in its
    /// spec. They are asked after those in Lua, before the built-in ones.
    #[arg(long, value_name = "FILE")]
    cel: Option<PathBuf>,
    /// The settings of a control plane: a file with the ConfigMap argocd-cm, whose checks are asked first.
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    #[command(flatten)]
    format: FormatOption,
}

/// Exit codes: 0 when no object is worse than Healthy or Suspended, 1 when one is on its way or missing, 2 when one is
/// Degraded or Unknown.
pub(crate) fn run(options: &HealthOptions) -> Result<ExitCode> {
    let clock: Clock = Arc::new(now);
    let script = options.lua.as_deref().map(read_text).transpose()?;
    let script = script.map(|text| Script::new(&text, clock));
    let checks = match &options.settings {
        Some(path) => windlass_engine::checks(&settings(path)?),
        None => windlass_assess::Checks::new(),
    };
    let expressions = options.cel.as_deref().map(expressions).transpose()?;
    let mut found: Vec<(Object, Option<Health>)> = Vec::new();
    for object in read_objects(&options.files)? {
        let own = match &script {
            Some(script) => {
                let told = script.health(&object);
                told.with_context(|| format!("the health of {} cannot be told", object.object_ref()))?
            }
            None => None,
        };
        let own = own.or_else(|| expressions.as_ref()?.assess(&object));
        let health = own.or_else(|| checks.health(&object));
        found.push((object, health));
    }
    let text = match options.format.output {
        Format::Json => {
            output::json(&output::list_of(found.iter().map(|(object, health)| entry(object, health))))
        }
        Format::Yaml => output::documents(found.iter().map(|(object, health)| entry(object, health))),
        Format::Name => found
            .iter()
            .map(|(object, health)| format!("{} {}\n", object.object_ref(), word(health.as_ref())))
            .collect(),
        Format::Table | Format::Wide => table(&found),
    };
    output::print(&text)?;
    let worst = found.iter().filter_map(|(_, health)| Some(health.as_ref()?.status)).max();
    Ok(match worst {
        None | Some(HealthStatus::Healthy | HealthStatus::Suspended) => ExitCode::SUCCESS,
        Some(HealthStatus::Progressing | HealthStatus::Missing) => ExitCode::from(1),
        Some(HealthStatus::Degraded | HealthStatus::Unknown) => ExitCode::from(2),
    })
}

/// Checks in CEL in a file.
fn expressions(path: &Path) -> Result<CelChecks> {
    let value = windlass_yaml::load(&read_text(path)?)
        .with_context(|| format!("{} cannot be read", path.display()))?;
    CelChecks::read(&value).with_context(|| format!("{} holds no checks in CEL", path.display()))
}

/// The objects in files, lists taken apart.
pub(crate) fn read_objects(files: &[PathBuf]) -> Result<Vec<Object>> {
    let mut found = Vec::new();
    for path in files {
        let text = read_text(path)?;
        for document in windlass_yaml::load_manifest(&text, &LoadOptions::default()) {
            let value = document.with_context(|| format!("{} cannot be read", path.display()))?.value;
            if value.is_null() {
                continue;
            }
            let items: Vec<Value> = match value.get("items") {
                Some(Value::Array(items))
                    if value.str_at(&["kind"]).is_some_and(|kind| kind.ends_with("List")) =>
                {
                    items.iter().cloned().collect()
                }
                _ => vec![value],
            };
            for item in items {
                let object = Object::try_new(item);
                found
                    .push(object.with_context(|| {
                        format!("{} holds something else than an object", path.display())
                    })?);
            }
        }
    }
    Ok(found)
}

/// A file's text, or what comes in for `-`.
fn read_text(path: &Path) -> Result<String> {
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("standard input cannot be read")?;
        return Ok(text);
    }
    std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// The ConfigMap argocd-cm in a file.
pub(crate) fn settings(path: &Path) -> Result<Customizations> {
    let maps = read_objects(&[path.to_path_buf()])?;
    let map = maps.iter().find(|object| object.kind() == "ConfigMap");
    let read =
        Customizations::read(Some(map.with_context(|| format!("{} holds no ConfigMap", path.display()))?));
    for problem in &read.problems {
        output::note(&format!("warning: {problem}"));
    }
    Ok(read)
}

fn word(health: Option<&Health>) -> &'static str {
    health.map_or("-", |health| health.status.as_str())
}

fn entry(object: &Object, health: &Option<Health>) -> Value {
    let key = object.object_ref();
    let mut entry = value!({
        "group": (key.group), "kind": (key.kind), "namespace": (key.namespace), "name": (key.name)
    });
    if let Some(health) = health {
        entry.set_at(&["health", "status"], health.status.as_str());
        if !health.message.is_empty() {
            entry.set_at(&["health", "message"], health.message.clone());
        }
    }
    entry
}

fn table(found: &[(Object, Option<Health>)]) -> String {
    let mut table = Table::new(["KIND", "NAMESPACE", "NAME", "HEALTH", "MESSAGE"]);
    for (object, health) in found {
        let key = object.object_ref();
        let message = health.as_ref().map(|health| health.message.replace('\n', " ")).unwrap_or_default();
        let cells: [Str; 5] = [
            key.group_kind().to_string().into(),
            key.namespace,
            key.name,
            word(health.as_ref()).into(),
            message.into(),
        ];
        table.row(cells.iter().map(|cell| cell.to_string()));
    }
    table.print(ColorOption::default().paint())
}
