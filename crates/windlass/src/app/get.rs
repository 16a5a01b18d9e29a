//! `windlass app get`, `resources` and `refresh`.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use windlass_kube::{Object, Value, value};

use super::follow::{Look, timeout, until};
use super::list::server;
use super::orphans;
use crate::cli::LoginOptions;
use crate::output::{self, Advised, Format, FormatOption, Paint, Table, Tone, tone_of};
use crate::session::Session;
use crate::session::{age_of, revisions, short, sources};

/// Options of `windlass app get`.
#[derive(Debug, Clone, Args)]
pub(super) struct GetOptions {
    /// The Application: NAME, or NAMESPACE/NAME.
    name: String,
    #[command(flatten)]
    format: FormatOption,
    /// Look at Git and the cluster first.
    #[arg(long)]
    refresh: bool,
    /// Look at Git and the cluster first, and forget what was rendered before.
    #[arg(long)]
    hard_refresh: bool,
}

/// Options of `windlass app resources`.
#[derive(Debug, Clone, Args)]
pub(super) struct ResourcesOptions {
    /// The Application: NAME, or NAMESPACE/NAME.
    name: String,
    #[command(flatten)]
    format: FormatOption,
    /// List what lies in its namespace and belongs to no Application, as its project asks for.
    #[arg(long)]
    orphaned: bool,
    #[command(flatten)]
    logins: LoginOptions,
}

/// Options of `windlass app refresh`.
#[derive(Debug, Clone, Args)]
pub(super) struct RefreshOptions {
    /// The Application: NAME, or NAMESPACE/NAME.
    name: String,
    /// Forget what was rendered before.
    #[arg(long)]
    hard: bool,
    /// Do not wait until it is done.
    #[arg(long = "async")]
    no_wait: bool,
    /// How long to wait: seconds, or a time such as 2m.
    #[arg(long, value_parser = timeout, default_value = "1m", value_name = "TIME")]
    timeout: Duration,
}

pub(super) async fn run(session: &Session, options: &GetOptions) -> Result<ExitCode> {
    if options.refresh || options.hard_refresh {
        request_refresh(session, &options.name, options.hard_refresh).await?;
        wait_for_refresh(session, &options.name, REFRESH_TIME).await?;
    }
    let application = session.get(&options.name).await?;
    let name = format!("{}/{}", application.namespace(), application.name());
    let text = match options.format.output.for_programs(|| application.to_value(), [name]) {
        Some(text) => text,
        None => {
            let mut text = header(&application, session.paint);
            let table = objects(&application, options.format.output == Format::Wide);
            if !table.is_empty() {
                text.push('\n');
                text.push_str(&table.print(session.paint));
            }
            text
        }
    };
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn resources(session: &Session, options: &ResourcesOptions) -> Result<ExitCode> {
    let application = session.get(&options.name).await?;
    if options.orphaned {
        return orphans::show(session, &application, options.format.output, options.logins.allowed()).await;
    }
    let listed =
        application.at(&["status", "resources"]).cloned().unwrap_or_else(|| Vec::<Value>::new().into());
    let names = listed.items_at(&[]).iter().map(object_name);
    let text = match options.format.output.for_programs(|| listed.clone(), names) {
        Some(text) => text,
        None => {
            let table = objects(&application, options.format.output == Format::Wide);
            if table.is_empty() {
                output::note("It has no objects yet; `windlass app get` says why.");
                return Ok(ExitCode::SUCCESS);
            }
            table.print(session.paint)
        }
    };
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// How long `get --refresh` waits for the answer.
const REFRESH_TIME: Duration = Duration::from_secs(60);

pub(super) async fn refresh(session: &Session, options: &RefreshOptions) -> Result<ExitCode> {
    request_refresh(session, &options.name, options.hard).await?;
    if !options.no_wait {
        wait_for_refresh(session, &options.name, options.timeout).await?;
        let application = session.get(&options.name).await?;
        output::print(&format!("{}\n", summary(&application)))?;
    }
    Ok(ExitCode::SUCCESS)
}

const REFRESH: &str = "argocd.argoproj.io/refresh";

async fn request_refresh(session: &Session, name: &str, hard: bool) -> Result<()> {
    let kind = if hard { "hard" } else { "normal" };
    let patch = value!({"metadata": {"annotations": {(REFRESH): kind}}});
    let patched = session.patch(name, &patch).await;
    patched.map_err(|error| session.explained(error, &format!("Application {name}")))?;
    Ok(())
}

async fn wait_for_refresh(session: &Session, name: &str, time: Duration) -> Result<()> {
    let looked = until(session, name, Some(time), |object| match object {
        Some(object) if object.annotation(REFRESH).is_some() => {
            Look::Pending("waiting until Git and the cluster are looked at".into())
        }
        _ => Look::Done(()),
    });
    looked.await?.ok_or_else(|| {
        Advised::error(
            format!("nothing looked at Application {name} within {}", output::age(time)),
            "is the engine running? `windlass up` or `windlass controller` is it",
        )
    })
}

/// One line on how it is.
pub(super) fn summary(application: &Object) -> String {
    let or_unknown = |path: &[&str]| match application.str_at(path) {
        "" => "Unknown".to_owned(),
        said => said.to_owned(),
    };
    let sync = application.at(&["status", "sync"]).cloned().unwrap_or_default();
    let revision = revisions(&sync).iter().map(|revision| short(revision)).collect::<Vec<_>>().join(",");
    let at = if revision.is_empty() { String::new() } else { format!(" to {revision}") };
    format!(
        "{}: {}{at}, {}",
        application.name(),
        or_unknown(&["status", "sync", "status"]),
        or_unknown(&["status", "health", "status"])
    )
}

/// Everything that is said about an Application as a whole.
fn header(application: &Object, paint: Paint) -> String {
    let mut text = String::new();
    let mut line = |name: &str, said: &str| {
        if !said.is_empty() {
            let name = paint.tone(Tone::Strong, &format!("{name}:"));
            // The padding is counted without what colours add.
            let pad = WIDTH.saturating_sub(name.chars().count() - if paint.0 { COLOUR } else { 0 });
            let _ = writeln!(text, "{name}{}{said}", " ".repeat(pad));
        }
    };
    let spec = application.at(&["spec"]).cloned().unwrap_or_default();
    let status = application.at(&["status"]).cloned().unwrap_or_default();
    let said = |value: &Value, path: &[&str]| value.str_at(path).unwrap_or_default().to_owned();
    line("Name", &format!("{}/{}", application.namespace(), application.name()));
    line("Project", &said(&spec, &["project"]));
    line("Server", &server(application));
    line("Namespace", &said(&spec, &["destination", "namespace"]));
    for url in status.items_at(&["summary", "externalURLs"]).iter().filter_map(Value::as_str) {
        line("URL", url);
    }
    for source in sources(&spec) {
        line("Repo", &said(source, &["repoURL"]));
        let target = said(source, &["targetRevision"]);
        line("Target", if target.is_empty() { "HEAD" } else { &target });
        line("Path", &said(source, &["path"]));
        line("Chart", &said(source, &["chart"]));
    }
    line("Sync Policy", &policy(&spec));
    let options: Vec<&str> =
        spec.items_at(&["syncPolicy", "syncOptions"]).iter().filter_map(Value::as_str).collect();
    line("Sync Options", &options.join(", "));
    line("Sync Status", &sync_status(&spec, &status, paint));
    let health = said(&status, &["health", "status"]);
    let health = if health.is_empty() { "Unknown".to_owned() } else { health };
    line(
        "Health Status",
        &with_message(&paint.tone(tone_of(&health), &health), &said(&status, &["health", "message"])),
    );
    let operation = status.at(&["operationState"]).cloned().unwrap_or_default();
    let phase = said(&operation, &["phase"]);
    if !phase.is_empty() {
        let since = match operation.str_at(&["finishedAt"]) {
            Some(finished) => format!("{} ago", age_of(finished)),
            None => format!("for {}", age_of(&said(&operation, &["startedAt"]))),
        };
        let phase = format!("{} {since}", paint.tone(tone_of(&phase), &phase));
        line("Operation", &with_message(&phase, &said(&operation, &["message"])));
    }
    let depends_on: Vec<String> =
        super::graph::dependencies_of(application).into_iter().map(|(name, _)| name).collect();
    line("Depends On", &depends_on.join(", "));
    if application.is_terminating() {
        let since = age_of(application.str_at(&["metadata", "deletionTimestamp"]));
        line("Deleted", &format!("{since} ago; it goes when its objects are gone"));
    }
    let waiting = said(&status, &["windlass", "waiting"]);
    line("Waiting For", waiting.strip_prefix("waiting for ").unwrap_or(&waiting));
    if status.as_object().is_none_or(windlass_kube::Map::is_empty) {
        line(
            "Waiting For",
            "the engine, which has not looked at it yet (`windlass up` or `windlass controller` is it)",
        );
    }
    let conditions = status.items_at(&["conditions"]);
    if !conditions.is_empty() {
        let mut table = Table::new(["CONDITION", "MESSAGE", "SINCE"]);
        for condition in conditions {
            let since = age_of(&said(condition, &["lastTransitionTime"]));
            table.row([said(condition, &["type"]), said(condition, &["message"]), since]);
        }
        text.push('\n');
        text.push_str(&table.print(paint));
    }
    text
}

/// Where the answers of the header begin.
const WIDTH: usize = 16;
/// The characters that a bold word has more than a plain one.
const COLOUR: usize = 8;

fn with_message(word: &str, message: &str) -> String {
    if message.is_empty() { word.to_owned() } else { format!("{word} ({message})") }
}

fn policy(spec: &Value) -> String {
    let Some(automated) = spec.at(&["syncPolicy", "automated"]).filter(|it| !it.is_null()) else {
        return "Manual".into();
    };
    if automated.bool_at(&["enabled"]) == Some(false) {
        return "Manual (automation is disabled)".into();
    }
    let words: Vec<&str> = [("prune", "Prune"), ("selfHeal", "SelfHeal"), ("allowEmpty", "AllowEmpty")]
        .into_iter()
        .filter(|(field, _)| automated.bool_at(&[field]) == Some(true))
        .map(|(_, word)| word)
        .collect();
    with_message("Automated", &words.join(", "))
}

fn sync_status(spec: &Value, status: &Value, paint: Paint) -> String {
    let word = status.str_at(&["sync", "status"]).unwrap_or("Unknown");
    let mut text = paint.tone(tone_of(word), word);
    let targets: Vec<&str> = sources(spec)
        .iter()
        .map(|source| {
            source.str_at(&["targetRevision"]).filter(|target| !target.is_empty()).unwrap_or("HEAD")
        })
        .collect();
    let joining = if word == "OutOfSync" { "from" } else { "to" };
    let _ = write!(text, " {joining} {}", targets.join(", "));
    let sync = status.at(&["sync"]).cloned().unwrap_or_default();
    let at: Vec<&str> = revisions(&sync).into_iter().map(short).collect();
    with_message(&text, &at.join(", "))
}

/// An Application's objects, those of its status.
fn objects(application: &Object, wide: bool) -> Table {
    let status = application.at(&["status"]).cloned().unwrap_or_default();
    let mut headings = vec!["GROUP", "KIND", "NAMESPACE", "NAME", "STATUS", "HEALTH", "MESSAGE"];
    if wide {
        headings.insert(1, "VERSION");
        headings.push("WAVE");
    }
    let mut table = Table::with_headings(&headings);
    for resource in status.items_at(&["resources"]) {
        let text = |path: &[&str]| resource.str_at(path).unwrap_or_default().to_owned();
        let mut message = text(&["health", "message"]);
        // What a hook left behind is not declared with the rest, and is not pruned with it either.
        if resource.bool_at(&["hook"]) == Some(true) {
            message = joined("a hook", &message);
        } else if resource.bool_at(&["requiresPruning"]) == Some(true) {
            message = joined("no longer declared, to be pruned", &message);
        }
        message = joined(&reason(&status, resource), &message);
        message = joined(&failure(&status, resource), &message);
        let mut cells = vec![text(&["group"])];
        if wide {
            cells.push(text(&["version"]));
        }
        cells.extend([text(&["kind"]), text(&["namespace"]), text(&["name"]), text(&["status"])]);
        cells.extend([text(&["health", "status"]), message]);
        if wide {
            cells.push(resource.int_at(&["syncWave"]).unwrap_or(0).to_string());
        }
        table.row(cells);
    }
    table
}

fn joined(first: &str, second: &str) -> String {
    match (first, second) {
        ("", text) | (text, "") => text.to_owned(),
        (first, second) => format!("{first}; {second}"),
    }
}

/// Why an object is out of sync, if the status says so.
fn reason(status: &Value, resource: &Value) -> String {
    let name = display_name(resource);
    let reasons = status.items_at(&["windlass", "outOfSync"]);
    let found = reasons.iter().find(|reason| reason.str_at(&["object"]) == Some(name.as_str()));
    found.and_then(|reason| reason.str_at(&["reason"])).unwrap_or_default().to_owned()
}

/// What went wrong with an object in the last operation.
fn failure(status: &Value, resource: &Value) -> String {
    let same = |result: &&Value| {
        ["group", "kind", "namespace", "name"].iter().all(|field| {
            result.str_at(&[field]).unwrap_or_default() == resource.str_at(&[field]).unwrap_or_default()
        })
    };
    let results = status.items_at(&["operationState", "syncResult", "resources"]);
    let found = results.iter().find(same).filter(|result| result.str_at(&["status"]) == Some("SyncFailed"));
    found.and_then(|result| result.str_at(&["message"])).unwrap_or_default().to_owned()
}

/// An object of a status as `windlass_kube::ObjectRef` prints it.
fn display_name(resource: &Value) -> String {
    let text = |field: &str| resource.str_at(&[field]).unwrap_or_default();
    windlass_kube::ObjectRef::new(text("group"), text("kind"), text("namespace"), text("name")).to_string()
}

/// An object of a status as `kubectl` takes it: `deployment.apps/web`.
pub(super) fn object_name(resource: &Value) -> String {
    let text = |field: &str| resource.str_at(&[field]).unwrap_or_default();
    let kind = windlass_kube::GroupKind::new(text("group"), text("kind")).to_string().to_lowercase();
    format!("{kind}/{}", text("name"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn application() -> Object {
        let text = "
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: guestbook, namespace: argocd}
spec:
  project: default
  source: {repoURL: https://example.org/shop.git, path: deploy}
  destination: {name: in-cluster, namespace: shop}
  syncPolicy: {automated: {prune: true, selfHeal: true}, syncOptions: [CreateNamespace=true]}
status:
  sync: {status: OutOfSync, revision: 8d3c1f0aa1b2c3d4e5f60718293a4b5c6d7e8f90}
  health: {status: Progressing, message: 'Caused by Deployment:shop/web'}
  windlass:
    waiting: waiting for healthy state of Deployment.apps shop/web
    outOfSync: [{object: Deployment.apps shop/web, reason: 'spec.replicas: 3 declared, 2 live'}]
  resources:
  - {group: apps, version: v1, kind: Deployment, namespace: shop, name: web, status: OutOfSync,
     health: {status: Progressing, message: waiting for rollout}}
  - {version: v1, kind: Service, namespace: shop, name: web, status: Synced, health: {status: Healthy}}
";
        Object::try_new(windlass_yaml::load(text).unwrap()).unwrap()
    }

    #[test]
    fn the_header_says_what_is_waited_for() {
        let expected = "\
Name:           argocd/guestbook
Project:        default
Server:         in-cluster
Namespace:      shop
Repo:           https://example.org/shop.git
Target:         HEAD
Path:           deploy
Sync Policy:    Automated (Prune, SelfHeal)
Sync Options:   CreateNamespace=true
Sync Status:    OutOfSync from HEAD (8d3c1f0)
Health Status:  Progressing (Caused by Deployment:shop/web)
Waiting For:    healthy state of Deployment.apps shop/web
";
        assert_eq!(header(&application(), Paint(false)), expected);
    }

    #[test]
    fn colours_do_not_move_the_answers() {
        let coloured = header(&application(), Paint(true));
        assert!(coloured.starts_with("\x1b[1mName:\x1b[0m           argocd/guestbook\n"), "{coloured}");
    }

    #[test]
    fn objects_say_why_they_are_out_of_sync() {
        let expected = "\
GROUP   KIND         NAMESPACE   NAME   STATUS      HEALTH        MESSAGE
apps    Deployment   shop        web    OutOfSync   Progressing   spec.replicas: 3 declared, 2 live; waiting for rollout
        Service      shop        web    Synced      Healthy
";
        assert_eq!(objects(&application(), false).print(Paint(false)), expected);
    }

    #[test]
    fn names_are_those_of_kubectl() {
        let listed = application().at(&["status", "resources"]).cloned().unwrap();
        let names: Vec<String> = listed.items_at(&[]).iter().map(object_name).collect();
        assert_eq!(names, ["deployment.apps/web", "service/web"]);
    }

    #[test]
    fn one_line_says_how_it_is() {
        assert_eq!(summary(&application()), "guestbook: OutOfSync to 8d3c1f0, Progressing");
    }
}
