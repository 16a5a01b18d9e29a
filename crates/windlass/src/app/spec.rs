//! `windlass app create` and `set`: flags to a spec.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use windlass_kube::{Array, Object, Value, merge_patch, value};

use super::source_flags::{SourceFlags, UnsetFlags};
use crate::output::{self, Advised};
use crate::session::Session;

/// What an Application asks for, by flags.
#[derive(Debug, Clone, Default, Args)]
struct SpecFlags {
    #[command(flatten)]
    source: SourceFlags,
    /// The namespace it is deployed to.
    #[arg(long, value_name = "NAME")]
    dest_namespace: Option<String>,
    /// The cluster it is deployed to, by address; the one that holds the Application by default.
    #[arg(long, value_name = "URL", conflicts_with = "dest_name")]
    dest_server: Option<String>,
    /// The cluster it is deployed to, by name.
    #[arg(long, value_name = "NAME")]
    dest_name: Option<String>,
    /// The project whose rules it is under.
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    /// Whether it syncs by itself.
    #[arg(long, value_enum, value_name = "POLICY")]
    sync_policy: Option<Policy>,
    /// Sync by itself: the same as --sync-policy automated.
    #[arg(long, conflicts_with = "sync_policy")]
    auto_sync: bool,
    /// Delete objects that are no longer declared. Implies --auto-sync.
    #[arg(long)]
    auto_prune: bool,
    /// Undo what others change in the cluster. Implies --auto-sync.
    #[arg(long)]
    self_heal: bool,
    /// Allow pruning everything when the source is empty.
    #[arg(long)]
    allow_empty: bool,
    /// A sync option such as CreateNamespace=true; with ! before it, one is taken away. Repeatable.
    #[arg(long = "sync-option", value_name = "NAME=VALUE")]
    sync_options: Vec<String>,
    /// How many deployments the history keeps.
    #[arg(long, value_name = "N")]
    revision_history_limit: Option<i64>,
}

/// Whether an Application syncs by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Policy {
    /// A new revision is applied as soon as it is there.
    #[value(aliases = ["auto", "automatic"])]
    Automated,
    /// Somebody asks for each sync.
    #[value(aliases = ["none", "off"])]
    Manual,
}

/// Options of `windlass app create`.
#[derive(Debug, Clone, Args)]
pub(super) struct CreateOptions {
    /// Its name: NAME, or NAMESPACE/NAME. With --file, that of the file by default.
    #[arg(required_unless_present = "file")]
    name: Option<String>,
    /// A file with the Application, - for standard input; flags change what it says.
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    spec: SpecFlags,
    /// A label, written NAME=VALUE. Repeatable.
    #[arg(short = 'l', long = "label", value_name = "NAME=VALUE", value_parser = pair)]
    labels: Vec<(String, String)>,
    /// An annotation, written NAME=VALUE. Repeatable.
    #[arg(long = "annotation", value_name = "NAME=VALUE", value_parser = pair)]
    annotations: Vec<(String, String)>,
    /// Let deleting it delete its objects too, whoever deletes it and however.
    #[arg(long)]
    set_finalizer: bool,
    /// If it exists, make it ask for this instead.
    #[arg(long)]
    upsert: bool,
}

/// Options of `windlass app set`.
#[derive(Debug, Clone, Args)]
pub(super) struct SetOptions {
    /// The Application: NAME, or NAMESPACE/NAME.
    name: String,
    #[command(flatten)]
    spec: SpecFlags,
}

/// Options of `windlass app unset`.
#[derive(Debug, Clone, Args)]
pub(super) struct UnsetOptions {
    /// The Application: NAME, or NAMESPACE/NAME.
    name: String,
    #[command(flatten)]
    flags: UnsetFlags,
}

/// Reads `NAME=VALUE`.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.into(), value.into()))
}

pub(super) async fn create(session: &Session, options: &CreateOptions) -> Result<ExitCode> {
    let object = declared(session, options)?;
    let name = format!("{}/{}", object.namespace(), object.name());
    match session.create(&object).await {
        Ok(_) => {
            output::note(&format!("Application {name} created."));
            return Ok(ExitCode::SUCCESS);
        }
        Err(error) if error.is_conflict() => {}
        Err(error) => {
            return Err(session.explained(error, &format!("Application {name}")));
        }
    }
    let mut is_same = false;
    session
        .update(&name, |live| {
            let patch = change(live, &object);
            is_same = patch.is_none();
            if !is_same && !options.upsert {
                return Err(Advised::error(
                    format!("Application {name} exists and asks for something else"),
                    "--upsert makes it ask for this; `windlass app set` changes single fields",
                ));
            }
            Ok(patch)
        })
        .await?;
    let done = if is_same { "is there already, as asked for" } else { "changed" };
    output::note(&format!("Application {name} {done}."));
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn set(session: &Session, options: &SetOptions) -> Result<ExitCode> {
    let done = respecified(session, &options.name, |spec| options.spec.apply(spec)).await?;
    let done = if done { "changed" } else { "asks for that already" };
    output::note(&format!("Application {} {done}.", options.name));
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn unset(session: &Session, options: &UnsetOptions) -> Result<ExitCode> {
    let done = respecified(session, &options.name, |spec| options.flags.apply(spec)).await?;
    let done = if done { "changed" } else { "asks for nothing of that" };
    output::note(&format!("Application {} {done}.", options.name));
    Ok(ExitCode::SUCCESS)
}

/// Changes what an Application asks for; whether that is anything else than before.
async fn respecified(
    session: &Session,
    name: &str,
    change: impl Fn(&mut Value) -> Result<()>,
) -> Result<bool> {
    let mut is_same = false;
    session
        .update(name, |live| {
            let before = live.at(&["spec"]).cloned().unwrap_or_else(Value::object);
            let mut spec = before.clone();
            change(&mut spec)?;
            let patch = merge_patch::diff(&before, &spec);
            is_same = patch.as_object().is_none_or(windlass_kube::Map::is_empty);
            Ok((!is_same).then(|| value!({"spec": (patch)})))
        })
        .await?;
    Ok(!is_same)
}

/// The merge patch that makes `live` ask for what `object` does; labels and annotations are added, never removed.
fn change(live: &Object, object: &Object) -> Option<Value> {
    let mut patch = Value::object();
    let (old, new) = (live.at(&["spec"]), object.at(&["spec"]));
    if old != new {
        let empty = Value::object();
        patch.set_at(&["spec"], merge_patch::diff(old.unwrap_or(&empty), new.unwrap_or(&empty)));
    }
    for field in ["labels", "annotations"] {
        let members = object.at(&["metadata", field]).and_then(Value::as_object);
        for (key, value) in members.into_iter().flat_map(windlass_kube::Map::iter) {
            if live.at(&["metadata", field, key]) != Some(value) {
                patch.set_at(&["metadata", field, key], value.clone());
            }
        }
    }
    patch.as_object().is_some_and(|members| !members.is_empty()).then_some(patch)
}

fn declared(session: &Session, options: &CreateOptions) -> Result<Object> {
    let mut application = match &options.file {
        Some(path) => object_in_file(path, "Application")?,
        None => value!({"spec": {"project": "default"}}),
    };
    application.set_at(&["apiVersion"], format!("{}/{}", windlass_argo::GROUP, windlass_argo::VERSION));
    application.set_at(&["kind"], "Application");
    if let Some(name) = &options.name {
        let (namespace, name) = session.split(name);
        application.set_at(&["metadata", "name"], name);
        application.set_at(&["metadata", "namespace"], namespace);
    }
    if application.str_at(&["metadata", "namespace"]).is_none() {
        application.set_at(&["metadata", "namespace"], session.namespace.as_str());
    }
    for (field, pairs) in [("labels", &options.labels), ("annotations", &options.annotations)] {
        for (name, value) in pairs {
            application.set_at(&["metadata", field, name], value.as_str());
        }
    }
    if options.set_finalizer {
        let finalizers: Array = [Value::from(super::delete::FINALIZER)].into_iter().collect();
        application.set_at(&["metadata", "finalizers"], finalizers);
    }
    let mut spec = application.remove_at(&["spec"]).unwrap_or_else(Value::object);
    options.spec.apply(&mut spec)?;
    if spec.at(&["destination", "server"]).is_none() && spec.at(&["destination", "name"]).is_none() {
        spec.set_at(&["destination", "server"], windlass_argo::IN_CLUSTER_SERVER);
    }
    if crate::session::sources(&spec).is_empty() && spec.at(&["sourceHydrator"]).is_none() {
        return Err(Advised::error(
            "the Application has no source",
            "name one with --repo and --path, or give a file with --file",
        ));
    }
    application.set_at(&["spec"], spec);
    Ok(Object::try_new(application)?)
}

/// Reads the one object of a kind that a file holds; - is standard input.
pub(crate) fn object_in_file(path: &Path, expected: &str) -> Result<Value> {
    let object = value_in_file(path)?;
    if object.str_at(&["kind"]) != Some(expected) {
        let kind = object.str_at(&["kind"]).unwrap_or("no object");
        bail!("{} holds {kind} where one of kind {expected} is expected", path.display());
    }
    Ok(object)
}

/// Reads the one YAML document that a file holds; - is standard input.
pub(super) fn value_in_file(path: &Path) -> Result<Value> {
    let shown = path.display();
    let text = if path.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin()).context("standard input cannot be read")?
    } else {
        std::fs::read_to_string(path).with_context(|| format!("{shown} cannot be read"))?
    };
    windlass_yaml::load(&text).map_err(|error| {
        let snippet = error.snippet(&text);
        anyhow::Error::new(error).context(format!("{shown} cannot be parsed\n{snippet}"))
    })
}

impl SpecFlags {
    /// Writes what the flags say into a spec.
    fn apply(&self, spec: &mut Value) -> Result<()> {
        self.source.apply(spec)?;
        let texts = [
            (&["destination", "namespace"][..], &self.dest_namespace),
            (&["destination", "server"], &self.dest_server),
            (&["destination", "name"], &self.dest_name),
            (&["project"], &self.project),
        ];
        for (path, text) in texts {
            if let Some(text) = text {
                spec.set_at(path, text.as_str());
            }
        }
        // A cluster is named in one way.
        if self.dest_server.is_some() {
            spec.remove_at(&["destination", "name"]);
        }
        if self.dest_name.is_some() {
            spec.remove_at(&["destination", "server"]);
        }
        if let Some(limit) = self.revision_history_limit {
            spec.set_at(&["revisionHistoryLimit"], limit);
        }
        self.apply_policy(spec)
    }

    fn apply_policy(&self, spec: &mut Value) -> Result<()> {
        let details =
            [("prune", self.auto_prune), ("selfHeal", self.self_heal), ("allowEmpty", self.allow_empty)];
        let wants_details = details.iter().any(|(_, wanted)| *wanted);
        if self.sync_policy == Some(Policy::Manual) {
            if wants_details {
                bail!("--sync-policy manual contradicts --auto-prune, --self-heal and --allow-empty");
            }
            spec.remove_at(&["syncPolicy", "automated"]);
        } else if self.sync_policy.is_some() || self.auto_sync || wants_details {
            if spec.at(&["syncPolicy", "automated"]).is_none_or(Value::is_null) {
                spec.set_at(&["syncPolicy", "automated"], Value::object());
            }
            spec.remove_at(&["syncPolicy", "automated", "enabled"]);
            for (field, _) in details.iter().filter(|(_, wanted)| *wanted) {
                spec.set_at(&["syncPolicy", "automated", field], true);
            }
        }
        let mut options: Vec<Value> = spec.items_at(&["syncPolicy", "syncOptions"]).to_vec();
        for option in &self.sync_options {
            let (is_removed, option) =
                option.strip_prefix('!').map_or((false, option.as_str()), |name| (true, name));
            let (name, _) = option.split_once('=').unwrap_or((option, ""));
            let same = |other: &Value| {
                other.as_str().and_then(|it| it.split_once('=')).is_some_and(|it| it.0 == name)
            };
            options.retain(|other| !same(other));
            if !is_removed {
                if !option.contains('=') {
                    bail!("--sync-option {option:?}: write NAME=VALUE, such as CreateNamespace=true");
                }
                options.push(option.into());
            }
        }
        if !self.sync_options.is_empty() {
            spec.set_at(&["syncPolicy", "syncOptions"], options);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        spec: SpecFlags,
    }

    fn applied(before: &str, line: &str) -> Result<String, String> {
        let mut spec = windlass_yaml::load(before).unwrap();
        let words = std::iter::once("set").chain(line.split_whitespace());
        let flags = Line::try_parse_from(words).map_err(|error| error.to_string())?.spec;
        flags.apply(&mut spec).map_err(|error| error.to_string())?;
        Ok(serde_json::to_string(&spec).unwrap())
    }

    #[test]
    fn flags_become_a_spec() {
        for (before, line, after) in [
            ("{}", "", "{}"),
            (
                "{}",
                "--repo u --path p --revision main --dest-namespace n",
                r#"{"destination":{"namespace":"n"},"source":{"path":"p","repoURL":"u","targetRevision":"main"}}"#,
            ),
            (
                "{source: {repoURL: u, path: p}}",
                "--helm-chart web --revision 1.x",
                r#"{"source":{"chart":"web","repoURL":"u","targetRevision":"1.x"}}"#,
            ),
            ("{source: {chart: web}}", "--path p", r#"{"source":{"path":"p"}}"#),
            ("{}", "--auto-sync", r#"{"syncPolicy":{"automated":{}}}"#),
            ("{}", "--sync-policy auto", r#"{"syncPolicy":{"automated":{}}}"#),
            (
                "{syncPolicy: {automated: {enabled: false}}}",
                "--self-heal --auto-prune",
                r#"{"syncPolicy":{"automated":{"prune":true,"selfHeal":true}}}"#,
            ),
            ("{syncPolicy: {automated: {prune: true}}}", "--sync-policy none", r#"{"syncPolicy":{}}"#),
            (
                "{syncPolicy: {syncOptions: [CreateNamespace=false, Prune=false]}}",
                "--sync-option CreateNamespace=true --sync-option !Prune",
                r#"{"syncPolicy":{"syncOptions":["CreateNamespace=true"]}}"#,
            ),
            ("{destination: {server: s}}", "--dest-name c", r#"{"destination":{"name":"c"}}"#),
        ] {
            assert_eq!(applied(before, line).as_deref(), Ok(after), "{line}");
        }
    }

    #[test]
    fn contradictions_are_refused() {
        for (before, line) in [
            ("{}", "--sync-policy manual --auto-prune"),
            ("{}", "--sync-policy manual --auto-sync"),
            ("{}", "--dest-name c --dest-server s"),
            ("{}", "--sync-option CreateNamespace"),
            ("{sources: [{repoURL: u}]}", "--path p"),
        ] {
            assert!(applied(before, line).is_err(), "{line}");
        }
    }

    #[test]
    fn an_upsert_adds_labels_and_replaces_the_spec() {
        let object = |text: &str| {
            let head = "apiVersion: argoproj.io/v1alpha1\nkind: Application\n";
            Object::try_new(windlass_yaml::load(&format!("{head}{text}")).unwrap()).unwrap()
        };
        let live = object("metadata: {labels: {a: x}}\nspec: {project: p, source: {path: q}}\n");
        let asked = object("metadata: {labels: {b: two}}\nspec: {source: {path: r}}\n");
        assert_eq!(
            change(&live, &asked),
            Some(
                value!({"metadata": {"labels": {"b": "two"}}, "spec": {"project": null, "source": {"path": "r"}}})
            )
        );
        assert_eq!(change(&asked, &asked), None);
    }
}
