//! `windlass plan`: what a sync would do, from files alone.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use windlass_engine::{
    OfflineDeletionPlan, OfflineInput, OfflinePlan, SystemWorld, deletion_plan_offline, plan_offline,
    renderer_of,
};
use windlass_kube::{Object, ObjectRef, Value, value};
use windlass_model::{Action, Diagnostic, Plan, Reason, Renderer, Step, Time, Wave};
use windlass_source::FolderTree;
use windlass_yaml::LoadOptions;

use crate::output;
use crate::work_tree::{self, InRepository};

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
    /// Plan the deletion of the Application instead of a sync: its hooks, its objects, and what stays.
    #[arg(long, requires = "app")]
    delete: bool,
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
    // What is beside the folder in its repository can be referred to, as the engine would let it.
    let InRepository { root, path } = work_tree::in_repository(&options.desired)?;
    let tree =
        FolderTree::open(&root).with_context(|| format!("the folder {} cannot be read", root.display()))?;
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
    let rendered = windlass_render::render(&tree, &path, &renderer, &mut context)
        .with_context(|| format!("{} cannot be rendered", options.desired.display()))?;
    let input = OfflineInput {
        application: application.as_ref(),
        project: project.as_ref(),
        manifests: &rendered.manifests,
        live: &live,
        revision: &options.revision,
        now,
    };
    let is_json = options.output == "json";
    let (diagnostics, shown) = if options.delete {
        let mut made = deletion_plan_offline(&input);
        made.diagnostics.extend(rendered.diagnostics);
        let shown = if is_json { in_json(&deletion_as_json(&made))? } else { deletion_as_text(&made) };
        (made.diagnostics, shown)
    } else {
        let mut made = plan_offline(&input);
        made.diagnostics.extend(rendered.diagnostics);
        let shown = if is_json { in_json(&as_json(&made))? } else { as_text(&made) };
        (made.diagnostics, shown)
    };
    for diagnostic in diagnostics.iter().filter(|_| !is_json) {
        let word = if diagnostic.kind.is_error() { "error" } else { "warning" };
        output::note(&format!("{word}: {diagnostic}"));
    }
    output::print(&shown)?;
    let failed = diagnostics.iter().any(|diagnostic| diagnostic.kind.is_error());
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

fn in_json(shown: &Value) -> Result<String> {
    Ok(format!("{}\n", serde_json::to_string_pretty(shown)?))
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

fn deletion_as_text(made: &OfflineDeletionPlan) -> String {
    let mut text = String::new();
    let Some((last, waves)) = made.waves.split_last() else { return text };
    text.push_str(&waves_text(waves));
    let _ = writeln!(text, "The Application goes{}", gates_text(last));
    if let Some(propagation) = made.propagation {
        let _ = writeln!(text, "dependents: {}", propagation.as_str());
    }
    if !made.finalizers.is_empty() {
        let _ = writeln!(text, "finalizers until then: {}", made.finalizers.join(", "));
    }
    for (key, reason) in &made.kept {
        let _ = writeln!(text, "stays: {key}: {reason}");
    }
    text
}

/// The name of a wave's phase. The objects of an Application that is deleted go in none that hooks have.
fn phase_of(wave: &Wave) -> &'static str {
    let deletes = |step: &Step| step.reason == Reason::UnitDeleted;
    if !wave.steps.is_empty() && wave.steps.iter().all(deletes) { "Delete" } else { wave.phase.as_str() }
}

fn waves_text(waves: &[Wave]) -> String {
    let mut text = String::new();
    for wave in waves {
        let after = gates_text(wave);
        if wave.steps.is_empty() {
            // Nothing comes here; the sync only ends when what it names is over.
            let _ = writeln!(text, "Done{after}");
            continue;
        }
        let _ = writeln!(text, "{} wave {}{after}", phase_of(wave), wave.number);
        for step in &wave.steps {
            let origin = step.origin.as_ref().map_or(String::new(), |origin| format!(" ({origin})"));
            let _ = writeln!(text, "  {} {}: {}{origin}", action(step), step.key, step.reason);
        }
    }
    text
}

/// What a wave waits for.
fn gates_text(wave: &Wave) -> String {
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
    if after.is_empty() { String::new() } else { format!(", after: {}", after.join("; ")) }
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
    let Plan { waves, on_failure, verify_first, .. } = &made.plan;
    let mut shown = value!({
        "waves": (waves_json(waves)),
        "onFailure": (waves_json(on_failure)),
        "verifiedFirst": (*verify_first),
        "inSync": (names(&made.in_sync)),
        "diagnostics": (diagnostics_json(&made.diagnostics)),
    });
    if let Some(window) = &made.blocked_by {
        shown.set_at(&["blockedBy"], window.as_str());
    }
    shown
}

fn deletion_as_json(made: &OfflineDeletionPlan) -> Value {
    let kept =
        made.kept.iter().map(|(key, reason)| value!({"object": (key.to_string()), "reason": (*reason)}));
    let kept: Vec<Value> = kept.collect();
    let finalizers: Vec<Value> = made.finalizers.iter().map(|it| Value::from(it.clone())).collect();
    let mut shown = value!({
        "waves": (waves_json(&made.waves)),
        "finalizers": (finalizers),
        "kept": (kept),
        "diagnostics": (diagnostics_json(&made.diagnostics)),
    });
    if let Some(propagation) = made.propagation {
        shown.set_at(&["propagation"], propagation.as_str());
    }
    shown
}

fn names(keys: &[ObjectRef]) -> Vec<Value> {
    keys.iter().map(|key| Value::from(key.to_string().as_str())).collect()
}

fn diagnostics_json(diagnostics: &[Diagnostic]) -> Vec<Value> {
    diagnostics.iter().map(|diagnostic| Value::from(diagnostic.to_string().as_str())).collect()
}

fn waves_json(waves: &[Wave]) -> Vec<Value> {
    let shown = |wave: &Wave| {
        let steps: Vec<Value> = wave.steps.iter().map(step_json).collect();
        value!({
            "phase": (phase_of(wave)),
            "wave": (i64::from(wave.number)),
            "afterHealthy": (names(&wave.after_healthy)),
            "afterHooks": (names(&wave.after_hooks)),
            "afterGone": (names(&wave.after_gone)),
            "afterApproval": (wave.after_approval),
            "steps": (steps),
        })
    };
    waves.iter().map(shown).collect()
}

fn step_json(step: &Step) -> Value {
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
    /// What is declared and live of an Application with hooks around its deletion.
    fn deletion(finalizers: Value, options: &str, live: &[&str]) -> OfflineDeletionPlan {
        let mut application = value!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
            "metadata": {"name": "shop", "namespace": "argocd"},
            "spec": {
                "source": {"repoURL": "https://example.org/repository.git", "path": "."},
                "destination": {"server": "https://kubernetes.default.svc", "namespace": "default"},
                "syncPolicy": {"syncOptions": [(options)]},
            },
        });
        application.set_at(&["metadata", "finalizers"], finalizers);
        let hook = |name: &str, phase: &str, wave: &str| {
            format!(
                "{{apiVersion: batch/v1, kind: Job, metadata: {{name: {name}, annotations: {{\
                 argocd.argoproj.io/hook: {phase}, argocd.argoproj.io/sync-wave: '{wave}'}}}}}}"
            )
        };
        let manifests = [
            manifest(&hook("backup", "PreDelete", "0"), 1),
            manifest(&hook("drain", "PreDelete", "2"), 2),
            manifest(&hook("farewell", "PostDelete", "0"), 3),
            manifest("{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {a: '1'}}", 4),
        ];
        let live: Vec<Object> =
            live.iter().map(|text| Object::try_new(windlass_yaml::load(text).unwrap()).unwrap()).collect();
        deletion_plan_offline(&OfflineInput {
            application: Some(&Object::try_new(application).unwrap()),
            project: None,
            manifests: &manifests,
            live: &live,
            revision: "0123456789",
            now: Time::from_unix(1_700_000_000),
        })
    }

    fn live(kind: &str, name: &str, options: &str) -> String {
        format!(
            "{{apiVersion: v1, kind: {kind}, metadata: {{name: {name}, namespace: default, annotations: {{\
             argocd.argoproj.io/tracking-id: 'shop:/{kind}:default/{name}', \
             argocd.argoproj.io/sync-options: '{options}'}}}}}}"
        )
    }

    #[test]
    fn a_deletion_reads_as_its_steps() {
        let (settings, front) = (live("ConfigMap", "settings", ""), live("Service", "front", ""));
        let kept = live("Secret", "kept", "Delete=false");
        let made = deletion(
            value!(["resources-finalizer.argocd.argoproj.io/background", "example.org/other"]),
            "Prune=true",
            &[&settings, &front, &kept],
        );
        assert_eq!(
            deletion_as_text(&made),
            "PreDelete wave 0\n  \
               run Job.batch default/backup: a PreDelete hook (a.yaml:1)\n\
             PreDelete wave 2, after: Job.batch default/backup ended\n  \
               run Job.batch default/drain: a PreDelete hook (a.yaml:2)\n\
             PreDelete wave 3, after: Job.batch default/backup, Job.batch default/drain ended\n  \
               delete Job.batch default/backup: a hook that has ended (a.yaml:1)\n  \
               delete Job.batch default/drain: a hook that has ended (a.yaml:2)\n\
             Delete wave 0\n  \
               delete Service default/front: its Unit is being deleted\n  \
               delete ConfigMap default/settings: its Unit is being deleted\n\
             PostDelete wave 0, after: ConfigMap default/settings, Service default/front gone\n  \
               run Job.batch default/farewell: a PostDelete hook (a.yaml:3)\n\
             PostDelete wave 1, after: Job.batch default/farewell ended\n  \
               delete Job.batch default/farewell: a hook that has ended (a.yaml:3)\n\
             The Application goes\n\
             dependents: Background\n\
             finalizers until then: resources-finalizer.argocd.argoproj.io/background, \
             pre-delete-finalizer.argocd.argoproj.io, pre-delete-finalizer.argocd.argoproj.io/cleanup, \
             post-delete-finalizer.argocd.argoproj.io, post-delete-finalizer.argocd.argoproj.io/cleanup\n\
             stays: Secret default/kept: it asks to be kept\n"
        );
        let shown = deletion_as_json(&made);
        assert_eq!(shown.items_at(&["waves"]).len(), 7);
        assert_eq!(shown.items_at(&["waves"])[3].str_at(&["phase"]), Some("Delete"));
        assert_eq!(shown.items_at(&["kept"]).len(), 1);
    }

    #[test]
    fn without_its_finalizer_an_application_goes_alone() {
        let settings = live("ConfigMap", "settings", "");
        let shown = deletion_as_text(&deletion(value!([]), "Prune=true", &[&settings]));
        assert!(!shown.contains("\nDelete wave"), "{shown}");
        assert!(
            shown.contains(
                "stays: ConfigMap default/settings: the Application is deleted without its objects"
            ),
            "{shown}"
        );
    }

    #[test]
    fn what_waits_for_approval_says_so() {
        let settings = live("ConfigMap", "settings", "Delete=confirm");
        let finalizer = || value!(["resources-finalizer.argocd.argoproj.io"]);
        let shown = deletion_as_text(&deletion(finalizer(), "Prune=true", &[&settings]));
        assert!(shown.contains("\nDelete wave 0, after: approval\n"), "{shown}");
        let shown = deletion_as_text(&deletion(finalizer(), "Delete=confirm", &[&settings]));
        assert!(shown.starts_with("PreDelete wave 0, after: approval\n"), "{shown}");
        assert!(shown.contains("\nDelete wave 0\n"), "{shown}");
    }
}
