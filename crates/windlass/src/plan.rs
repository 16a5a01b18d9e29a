//! `windlass plan`: what a sync would do, from files alone.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use windlass_engine::{OfflineInput, OfflinePlan, SystemWorld, plan_offline, renderer_of};
use windlass_kube::{Object, ObjectRef, Value, value};
use windlass_model::{Action, Plan, Renderer, Step, Time, Wave};
use windlass_source::FolderTree;
use windlass_yaml::LoadOptions;

use crate::output;

/// Options of `windlass plan`.
#[derive(Debug, Clone, Args)]
pub(crate) struct PlanOptions {
    /// The folder that declares what should be.
    #[arg(long, value_name = "DIR")]
    desired: PathBuf,
    /// A file with the objects that are live; none are when absent.
    #[arg(long, value_name = "FILE")]
    live: Option<PathBuf>,
    /// A file with the Application, whose policy, destination and tool count, and whose `operation` is planned.
    #[arg(long, value_name = "FILE")]
    app: Option<PathBuf>,
    /// A file with its AppProject; everything is permitted when absent.
    #[arg(long, value_name = "FILE")]
    project: Option<PathBuf>,
    /// The revision that names of hooks are made from.
    #[arg(long, default_value = "0000000", value_name = "REVISION")]
    revision: String,
    /// When the sync begins (RFC 3339); now when absent.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// `json` for programs.
    #[arg(short, long, value_name = "FORMAT", value_parser = ["text", "json"], default_value = "text")]
    output: String,
    #[command(flatten)]
    jsonnet: crate::cli::JsonnetOptions,
    #[command(flatten)]
    plugins: crate::cli::PluginOptions,
}

/// Prints the plan; the exit code is 1 when something could not be rendered or prepared.
pub(crate) fn run(options: &PlanOptions) -> Result<ExitCode> {
    let application = options.app.as_deref().map(|path| one_object(path, "Application")).transpose()?;
    let project = options.project.as_deref().map(|path| one_object(path, "AppProject")).transpose()?;
    let live = options.live.as_deref().map(objects).transpose()?.unwrap_or_default();
    let now = match &options.at {
        Some(text) => text.parse().with_context(|| format!("{text} is no time"))?,
        None => {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            Time::from_unix(i64::try_from(since.as_secs()).unwrap_or(0))
        }
    };
    let tree = FolderTree::open(&options.desired)
        .with_context(|| format!("the folder {} cannot be read", options.desired.display()))?;
    let mut world = SystemWorld::new();
    let mut context = windlass_render::Context::empty(&mut world);
    let jsonnet = options.jsonnet.engine();
    context.services.jsonnet = Some(&jsonnet);
    let plugins = options.plugins.registry(|finding| output::note(&format!("warning: {finding}")))?;
    context.services.plugins = plugins.as_ref().map(|plugins| plugins as &dyn windlass_render::Plugins);
    let mut renderer = Renderer::Detect;
    if let Some(application) = &application {
        context.name = application.name().into();
        context.namespace = application.str_at(&["spec", "destination", "namespace"]).into();
        renderer = renderer_of(application);
    }
    let rendered = windlass_render::render(&tree, "", &renderer, &mut context)
        .with_context(|| format!("{} cannot be rendered", options.desired.display()))?;
    let mut made = plan_offline(&OfflineInput {
        application: application.as_ref(),
        project: project.as_ref(),
        manifests: &rendered.manifests,
        live: &live,
        revision: &options.revision,
        now,
    });
    made.diagnostics.extend(rendered.diagnostics);
    let failed = made.diagnostics.iter().any(|diagnostic| diagnostic.kind.is_error());
    if options.output == "json" {
        output::print(&format!("{}\n", serde_json::to_string_pretty(&as_json(&made))?))?;
    } else {
        for diagnostic in &made.diagnostics {
            let word = if diagnostic.kind.is_error() { "error" } else { "warning" };
            output::note(&format!("{word}: {diagnostic}"));
        }
        output::print(&as_text(&made))?;
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn objects(path: &Path) -> Result<Vec<Object>> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("{shown} cannot be read"))?;
    let mut found = Vec::new();
    for document in windlass_yaml::load_manifest(&text, &LoadOptions::default()) {
        let document = document.with_context(|| format!("{shown} cannot be parsed"))?;
        let value = document.value;
        let items = value.items_at(&["items"]);
        let is_list = value.str_at(&["kind"]).is_some_and(|kind| kind.ends_with("List"));
        let values = if is_list { items.to_vec() } else { vec![value.clone()] };
        for value in values.into_iter().filter(|value| !value.is_null()) {
            let object = Object::try_new(value).with_context(|| format!("{shown} holds something else"))?;
            found.push(object);
        }
    }
    Ok(found)
}

fn one_object(path: &Path, kind: &str) -> Result<Object> {
    match objects(path)?.into_iter().find(|object| object.kind() == kind) {
        Some(object) => Ok(object),
        None => bail!("{} holds no {kind}", path.display()),
    }
}

fn as_text(made: &OfflinePlan) -> String {
    let mut text = String::new();
    if let Some(window) = &made.blocked_by {
        let _ = writeln!(text, "blocked by sync window {window}");
    }
    text.push_str(&waves_text(&made.plan.waves));
    if !made.plan.on_failure.is_empty() {
        let _ = writeln!(text, "if that fails:");
        text.push_str(&waves_text(&made.plan.on_failure));
    }
    if made.plan.is_empty() {
        let _ = writeln!(text, "nothing to do");
    }
    let n_in_sync = made.in_sync.len();
    if n_in_sync > 0 {
        let _ = writeln!(text, "{n_in_sync} object{} in sync", if n_in_sync == 1 { "" } else { "s" });
    }
    text
}

fn waves_text(waves: &[Wave]) -> String {
    let mut text = String::new();
    for wave in waves {
        let mut after = Vec::new();
        for (word, keys) in
            [("healthy", &wave.after_healthy), ("ended", &wave.after_hooks), ("gone", &wave.after_gone)]
        {
            if !keys.is_empty() {
                let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
                after.push(format!("{} {word}", keys.join(", ")));
            }
        }
        if wave.after_approval {
            after.push("approval".into());
        }
        let after = if after.is_empty() { String::new() } else { format!(", after: {}", after.join("; ")) };
        if wave.steps.is_empty() {
            // Nothing comes here; the sync only ends when what it names is over.
            let _ = writeln!(text, "Done{after}");
            continue;
        }
        let _ = writeln!(text, "{} wave {}{after}", wave.phase.as_str(), wave.number);
        for step in &wave.steps {
            let origin = step.origin.as_ref().map_or(String::new(), |origin| format!(" ({origin})"));
            let _ = writeln!(text, "  {} {}: {}{origin}", action(step), step.key, step.reason);
        }
    }
    text
}

fn action(step: &Step) -> &'static str {
    match &step.action {
        Action::Apply { mode, .. } if mode.replace => "replace",
        Action::Apply { .. } => "apply",
        Action::RunHook { goes_on: true, .. } => "await",
        Action::RunHook { .. } => "run",
        Action::DeleteHook { .. } | Action::Delete { .. } => "delete",
        Action::EnsureNamespace { .. } => "ensure",
        Action::Skip => "skip",
    }
}

fn as_json(made: &OfflinePlan) -> Value {
    let names = |keys: &[ObjectRef]| -> Vec<Value> {
        keys.iter().map(|key| Value::from(key.to_string().as_str())).collect()
    };
    let wave = |wave: &Wave| {
        let steps: Vec<Value> = wave
            .steps
            .iter()
            .map(|step| {
                let mut shown = value!({
                    "action": (action(step)),
                    "group": (step.key.group.clone()),
                    "version": (step.gvk.version.clone()),
                    "kind": (step.key.kind.clone()),
                    "namespace": (step.key.namespace.clone()),
                    "name": (step.key.name.clone()),
                    "hook": (step.hook().is_some()),
                    "reason": (step.reason.to_string()),
                });
                if let Some(origin) = &step.origin {
                    shown.set_at(&["origin"], origin.to_string());
                }
                shown
            })
            .collect();
        value!({
            "phase": (wave.phase.as_str()),
            "wave": (i64::from(wave.number)),
            "afterHealthy": (names(&wave.after_healthy)),
            "afterHooks": (names(&wave.after_hooks)),
            "afterGone": (names(&wave.after_gone)),
            "afterApproval": (wave.after_approval),
            "steps": (steps),
        })
    };
    let waves = |plan: &[Wave]| -> Vec<Value> { plan.iter().map(wave).collect() };
    let Plan { waves: all, on_failure, verify_first, .. } = &made.plan;
    let diagnostics: Vec<Value> =
        made.diagnostics.iter().map(|diagnostic| Value::from(diagnostic.to_string().as_str())).collect();
    let mut shown = value!({
        "waves": (waves(all)),
        "onFailure": (waves(on_failure)),
        "verifiedFirst": (*verify_first),
        "inSync": (names(&made.in_sync)),
        "diagnostics": (diagnostics),
    });
    if let Some(window) = &made.blocked_by {
        shown.set_at(&["blockedBy"], window.as_str());
    }
    shown
}

#[cfg(test)]
mod tests {
    use windlass_model::{Manifest, Origin};

    use super::*;

    fn manifest(text: &str, line: u32) -> Manifest {
        let object = Object::try_new(windlass_yaml::load(text).unwrap()).unwrap();
        Manifest { object, origin: Origin { file: "a.yaml".into(), line } }
    }

    #[test]
    fn a_plan_reads_as_its_steps() {
        let manifests = [
            manifest("{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {a: '1'}}", 1),
            manifest("{apiVersion: v1, kind: ConfigMap, metadata: {name: same}, data: {a: '1'}}", 2),
            manifest(
                "{apiVersion: batch/v1, kind: Job, metadata: {generateName: migrate-, \
                 annotations: {argocd.argoproj.io/hook: PreSync}}}",
                3,
            ),
        ];
        let same = "{apiVersion: v1, kind: ConfigMap, metadata: {name: same, namespace: default, annotations: \
                    {argocd.argoproj.io/tracking-id: 'plan:/ConfigMap:default/same'}}, data: {a: '1', b: '2'}}";
        let old = same.replace("same", "old");
        let live =
            [same, old.as_str()].map(|text| Object::try_new(windlass_yaml::load(text).unwrap()).unwrap());
        let made = plan_offline(&OfflineInput {
            application: None,
            project: None,
            manifests: &manifests,
            live: &live,
            revision: "0123456789",
            now: Time::from_unix(1_700_000_000),
        });
        assert_eq!(
            as_text(&made),
            "PreSync wave 0\n  \
               run Job.batch default/migrate-0123456-presync-1700000000: a PreSync hook (a.yaml:3)\n\
             Sync wave 0, after: Job.batch default/migrate-0123456-presync-1700000000 ended\n  \
               apply ConfigMap default/settings: declared, and not in the cluster (a.yaml:1)\n\
             Sync wave 1, after: ConfigMap default/settings healthy; \
             Job.batch default/migrate-0123456-presync-1700000000 ended\n  \
               delete ConfigMap default/old: no longer declared\n\
             Done, after: Job.batch default/migrate-0123456-presync-1700000000 ended\n\
             1 object in sync\n"
        );
        assert_eq!(as_json(&made).at(&["waves"]).and_then(Value::as_array).map(|waves| waves.len()), Some(4));
    }
}
