//! `windlass admin`: the control plane as a whole, as files.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use windlass_cluster::SECRET_TYPE;
use windlass_kube::{Object, Str, Value};

use crate::output::{self, ColorOption};
use crate::session::{Connection, Kind, MANAGER, Session, explained};

/// Options of `windlass admin`.
#[derive(Debug, Args)]
pub(crate) struct AdminOptions {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    color: ColorOption,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Write everything that the control plane is told: settings, Secrets, projects, Applications, ApplicationSets.
    #[command(after_help = "\
EXAMPLES
  windlass admin export --out backup.yaml
  windlass admin export | age -r age1... > backup.yaml.age

The file holds the credentials of repositories and clusters. `argocd admin import` reads it too.")]
    Export(ExportOptions),
    /// Read what `export` (or `argocd admin export`) wrote.
    #[command(after_help = "\
EXAMPLES
  windlass admin import backup.yaml --dry-run
  argocd admin export --namespace argocd | windlass admin import -
  windlass admin import backup.yaml --prune

Exit code: 0 when everything is as the file says, 1 when something could not be written.")]
    Import(ImportOptions),
}

#[derive(Debug, Clone, Args)]
struct ExportOptions {
    /// The file to write; - is standard output.
    #[arg(short, long, default_value = "-", value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    namespaces: Namespaces,
}

#[derive(Debug, Clone, Args)]
struct ImportOptions {
    /// The file to read; - is standard input.
    file: PathBuf,
    /// Only say what would be done.
    #[arg(long)]
    dry_run: bool,
    /// Delete what the file does not have. The objects of Applications that go stay in their clusters.
    #[arg(long)]
    prune: bool,
    /// Name what stays as it is, too.
    #[arg(short, long)]
    verbose: bool,
    /// End the operations that run.
    #[arg(long)]
    stop_operation: bool,
    /// Keep the tracking marks of what is live.
    #[arg(long)]
    ignore_tracking: bool,
    /// Leave alone what has this label, written NAME=VALUE.
    #[arg(long, value_name = "NAME=VALUE", value_parser = crate::app::pair)]
    skip_resources_with_label: Option<(String, String)>,
    /// Do not ask before something is deleted.
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    namespaces: Namespaces,
}

#[derive(Debug, Clone, Args)]
struct Namespaces {
    /// Other namespaces whose Applications count, with globs. Default: those of argocd-cmd-params-cm.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    application_namespaces: Vec<String>,
}

/// Runs a verb.
pub(crate) async fn run(options: AdminOptions) -> Result<ExitCode> {
    let AdminOptions { connection, color, verb } = options;
    let session = Session::connect(&connection, color.paint()).await?;
    match verb {
        Verb::Export(options) => export(&session, &options).await,
        Verb::Import(options) => import(&session, &options).await,
    }
}

/// The ConfigMaps of the control plane: those of Argo CD 3.6, and the signing keys.
const CONFIG_MAPS: [&str; 5] =
    ["argocd-cm", "argocd-rbac-cm", "argocd-ssh-known-hosts-cm", "argocd-tls-certs-cm", "argocd-gpg-keys-cm"];
/// The Secret of the control plane itself.
const OWN_SECRET: &str = "argocd-secret";
/// What Argo CD writes beside its Secrets' data.
const MANAGED_BY: &str = "managed-by";
const MANAGED_BY_ARGO: &str = "argocd.argoproj.io";
/// What `kubectl apply` remembers; it says nothing about what is wanted.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Kind, namespace and name.
type Key = (String, String, String);

fn key(object: &Object) -> Key {
    (object.kind().to_owned(), object.namespace().to_owned(), object.name().to_owned())
}

fn is_own_secret(secret: &Object) -> bool {
    secret.name() == OWN_SECRET
        || secret.label(SECRET_TYPE).is_some()
        || secret.annotation(MANAGED_BY) == Some(MANAGED_BY_ARGO)
}

/// Everything the control plane is told, in the order in which it is written.
async fn told(session: &Session, namespaces: &Namespaces) -> Result<Vec<(Kind, Object)>> {
    let maps = Kind::config_map();
    let admitted = match &namespaces.application_namespaces[..] {
        [] => session.admitted_namespaces().await?,
        given => given.iter().map(Str::from).collect(),
    };
    let mut found = Vec::new();
    for name in CONFIG_MAPS {
        found.extend(session.find_of(&maps, name).await?.map(|map| (Kind::config_map(), map)));
    }
    let secrets = session.list_of(&Kind::secret(), &session.namespace, "").await?;
    found.extend(secrets.into_iter().filter(is_own_secret).map(|secret| (Kind::secret(), secret)));
    let projects = session.list_of(&Kind::project(), &session.namespace, "").await?;
    found.extend(projects.into_iter().map(|project| (Kind::project(), project)));
    for kind in [Kind::application, Kind::application_set] {
        let objects = match session.list_of(&kind(), "", "").await {
            // Not everybody has them installed.
            Err(_) if kind().resource.gvk.kind == "ApplicationSet" => Vec::new(),
            listed => listed?,
        };
        let own = objects.into_iter().filter(|object| session.is_own(object, &admitted));
        found.extend(own.map(|object| (kind(), object)));
    }
    Ok(found)
}

/// What of an object goes into the file: Argo CD 3.6 writes the same members.
fn exported(object: &Object, own_namespace: &str) -> Value {
    let mut value = Value::from(object.clone());
    value.remove_at(&["metadata"]);
    for field in ["name", "labels", "annotations", "finalizers"] {
        if let Some(member) = object.at(&["metadata", field]) {
            value.set_at(&["metadata", field], member.clone());
        }
    }
    if object.namespace() != own_namespace {
        value.set_at(&["metadata", "namespace"], object.namespace());
    }
    value
}

async fn export(session: &Session, options: &ExportOptions) -> Result<ExitCode> {
    let objects = told(session, &options.namespaces).await?;
    let documents = output::documents(objects.iter().map(|(_, object)| exported(object, &session.namespace)));
    if options.out.as_os_str() == "-" {
        output::print(&documents)?;
    } else {
        write_private(&options.out, &documents)
            .with_context(|| format!("{} cannot be written", options.out.display()))?;
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, object) in &objects {
            *counts.entry(object.kind()).or_default() += 1;
        }
        let counts: Vec<String> = counts.iter().map(|(kind, n)| output::count(*n, kind)).collect();
        output::note(&format!("{}: {}.", options.out.display(), counts.join(", ")));
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes a file that nobody else may read.
fn write_private(path: &std::path::Path, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    const OWNER_ONLY: u32 = 0o600;
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(OWNER_ONLY).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

async fn import(session: &Session, options: &ImportOptions) -> Result<ExitCode> {
    let name = options.file.display();
    let text = if options.file.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin()).context("standard input cannot be read")?
    } else {
        std::fs::read_to_string(&options.file).with_context(|| format!("{name} cannot be read"))?
    };
    let mut wanted = Vec::new();
    for document in windlass_yaml::documents(&text, &windlass_yaml::LoadOptions::default()) {
        let document = document.map_err(|error| {
            let snippet = error.snippet(&text);
            anyhow::Error::new(error).context(format!("{name} cannot be parsed\n{snippet}"))
        })?;
        if document.value.is_null() {
            continue;
        }
        let line = document.line;
        let mut object = Object::try_new(document.value)
            .with_context(|| format!("{name}, line {line}: this is no Kubernetes object"))?;
        if object.namespace().is_empty() {
            object.set_at(&["metadata", "namespace"], session.namespace.as_str());
        }
        let kind = kind_of(&object).with_context(|| {
            let (kind, of) = (object.kind(), object.name());
            format!("{name}, line {line}: {kind} {of} is nothing of a control plane's")
        })?;
        wanted.push((kind, object));
    }
    let mut live: BTreeMap<Key, (Kind, Object)> =
        told(session, &options.namespaces).await?.into_iter().map(|it| (key(&it.1), it)).collect();
    let is_skipped = |object: &Object| {
        options
            .skip_resources_with_label
            .as_ref()
            .is_some_and(|(name, value)| object.label(name) == Some(value))
    };
    let mut import = Import { session, options, n_done: 0, n_failed: 0 };
    for (kind, object) in wanted {
        let live = live.remove(&key(&object));
        if !is_skipped(&object) {
            import.write(&kind, &object, live.map(|(_, object)| object)).await;
        }
    }
    for (kind, object) in live.into_values().filter(|(_, object)| !is_skipped(object)) {
        import.prune(&kind, &object).await?;
    }
    let Import { n_done, n_failed, .. } = import;
    let would = if options.dry_run { " (dry run)" } else { "" };
    output::note(&format!("{n_done} changed, {n_failed} failed{would}."));
    Ok(if n_failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn kind_of(object: &Object) -> Option<Kind> {
    let gvk = object.gvk();
    [Kind::config_map(), Kind::secret(), Kind::project(), Kind::application(), Kind::application_set()]
        .into_iter()
        .find(|kind| kind.resource.gvk.group_kind() == gvk.group_kind())
}

/// An import under way.
struct Import<'a> {
    session: &'a Session,
    options: &'a ImportOptions,
    n_done: usize,
    n_failed: usize,
}

impl Import<'_> {
    /// Makes one object as the file says.
    async fn write(&mut self, kind: &Kind, wanted: &Object, live: Option<Object>) {
        let client = &self.session.client;
        let Some(live) = live else {
            let written = if self.options.dry_run {
                Ok(())
            } else {
                client.create(&kind.resource, wanted, MANAGER).await.map(drop)
            };
            return self.tell(
                wanted,
                "created",
                written.map_err(|error| explained(kind, error, &line(wanted))),
            );
        };
        let updated = updated(wanted, &live, self.options);
        if updated == live {
            if self.options.verbose {
                output::note(&format!("{} unchanged", line(wanted)));
            }
            return;
        }
        let written = if self.options.dry_run {
            Ok(())
        } else {
            client.replace(&kind.resource, &updated, MANAGER).await.map(drop)
        };
        self.tell(wanted, "updated", written.map_err(|error| explained(kind, error, &line(wanted))));
    }

    /// Deletes what the file does not have, where that is asked for.
    async fn prune(&mut self, kind: &Kind, live: &Object) -> Result<()> {
        let name = line(live);
        // Argo CD never deletes settings either.
        if !self.options.prune || live.kind() == "ConfigMap" {
            output::note(&format!("{name} is not in the file; it stays"));
            return Ok(());
        }
        if self.options.dry_run {
            self.tell(live, "deleted", Ok(()));
            return Ok(());
        }
        if !self.options.yes
            && !output::confirmed(&format!("Delete {name}?"), "say --yes to delete without a question")?
        {
            output::note(&format!("{name} stays"));
            return Ok(());
        }
        // The objects of an Application stay: they may belong to an Application elsewhere by now.
        let place = format!("{}/{}", live.namespace(), live.name());
        let unbound = self
            .session
            .update_of(kind, &place, |object| {
                let has = !object.items_at(&["metadata", "finalizers"]).is_empty();
                Ok((has && object.kind() == "Application")
                    .then(|| windlass_kube::value!({"metadata": {"finalizers": null}})))
            })
            .await;
        let deleted = match unbound {
            Ok(object) => {
                let deleted = self.session.delete_of(kind, &object).await;
                deleted.map_err(|error| explained(kind, error, &name))
            }
            Err(error) => Err(error),
        };
        self.tell(live, "deleted", deleted);
        Ok(())
    }

    fn tell(&mut self, object: &Object, done: &str, result: Result<()>) {
        let would = if self.options.dry_run { " (dry run)" } else { "" };
        match result {
            Ok(()) => {
                self.n_done += 1;
                output::note(&format!("{} {done}{would}", line(object)));
            }
            Err(error) => {
                self.n_failed += 1;
                output::report(&error.context(format!("{} is not {done}", line(object))));
            }
        }
    }
}

fn line(object: &Object) -> String {
    format!("{} {}/{}", object.kind(), object.namespace(), object.name())
}

/// What is live, with what the file says instead: labels, annotations, finalizers, and the part that people write.
fn updated(wanted: &Object, live: &Object, options: &ImportOptions) -> Object {
    let mut updated = live.clone();
    let set = |updated: &mut Object, path: &[&str], member: Option<&Value>| match member {
        Some(member) => updated.set_at(path, member.clone()),
        None => {
            updated.remove_at(path);
        }
    };
    for field in ["labels", "annotations", "finalizers"] {
        set(&mut updated, &["metadata", field], wanted.at(&["metadata", field]));
    }
    // What kubectl remembers of the live object goes with the live object.
    set(
        &mut updated,
        &["metadata", "annotations", LAST_APPLIED],
        live.at(&["metadata", "annotations", LAST_APPLIED]),
    );
    if options.ignore_tracking {
        for (field, mark) in
            [("annotations", "argocd.argoproj.io/tracking-id"), ("labels", "app.kubernetes.io/instance")]
        {
            if let (Some(mine), true) =
                (live.at(&["metadata", field, mark]), wanted.at(&["metadata", field, mark]).is_some())
            {
                updated.set_at(&["metadata", field, mark], mine.clone());
            }
        }
    }
    let written = if matches!(live.kind(), "Secret" | "ConfigMap") { "data" } else { "spec" };
    set(&mut updated, &[written], wanted.at(&[written]));
    if options.stop_operation {
        updated.remove_at(&["operation"]);
    }
    updated
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> Object {
        Object::try_new(windlass_yaml::load(text).unwrap()).unwrap()
    }

    fn options() -> ImportOptions {
        ImportOptions {
            file: "-".into(),
            dry_run: false,
            prune: false,
            verbose: false,
            stop_operation: false,
            ignore_tracking: false,
            skip_resources_with_label: None,
            yes: false,
            namespaces: Namespaces { application_namespaces: Vec::new() },
        }
    }

    #[test]
    fn only_what_people_write_is_exported() {
        let live = object(
            "apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: a, namespace: team, uid: x, resourceVersion: '3', labels: {l: v}, finalizers: [f]}
spec: {project: p}
status: {sync: {status: Synced}}
",
        );
        assert_eq!(
            windlass_yaml::to_yaml(&exported(&live, "team")),
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata:\n  finalizers:\n  - f\n  labels:\n    l: v\n  \
             name: a\nspec:\n  project: p\nstatus:\n  sync:\n    status: Synced\n"
        );
        assert_eq!(exported(&live, "argocd").str_at(&["metadata", "namespace"]), Some("team"));
    }

    #[test]
    fn an_import_replaces_the_part_that_people_write() {
        let live = object(
            "apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: a, uid: x, labels: {old: v}, annotations: {argocd.argoproj.io/tracking-id: live}}
spec: {project: p}
status: {sync: {status: Synced}}
operation: {sync: {}}
",
        );
        let wanted = object(
            "apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: a, labels: {new: v}, annotations: {argocd.argoproj.io/tracking-id: file}}
spec: {project: q}
status: {sync: {status: OutOfSync}}
",
        );
        let after = updated(&wanted, &live, &options());
        assert_eq!(after.str_at(&["spec", "project"]), "q");
        assert_eq!(after.str_at(&["status", "sync", "status"]), "Synced");
        assert_eq!((after.label("old"), after.label("new")), (None, Some("v")));
        assert_eq!(after.annotation("argocd.argoproj.io/tracking-id"), Some("file"));
        assert!(after.at(&["operation"]).is_some());
        assert_eq!(updated(&live, &live, &options()), live);

        let after = updated(
            &wanted,
            &live,
            &ImportOptions { ignore_tracking: true, stop_operation: true, ..options() },
        );
        assert_eq!(after.annotation("argocd.argoproj.io/tracking-id"), Some("live"));
        assert!(after.at(&["operation"]).is_none());
    }
}
