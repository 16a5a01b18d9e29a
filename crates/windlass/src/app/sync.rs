//! `windlass app sync`, `rollback` and `terminate`: the `operation` field, and following what becomes of it.

use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use windlass_kube::{Object, Value, value};

use super::follow::{Look, limit, timeout, until};
use super::local::LocalOptions;
use super::progress::Progress;
use super::source::SourceOptions;
use crate::output::{self, Advised, Table};
use crate::session::Session;
use crate::session::{revisions, short};

/// Options of `windlass app sync`.
#[derive(Debug, Clone, Args)]
pub(super) struct SyncOptions {
    /// The Application: NAME, or NAMESPACE/NAME.
    name: String,
    /// Sync to this revision instead of the declared one; once per source.
    #[arg(long = "revision", value_name = "REVISION")]
    revisions: Vec<String>,
    /// Only this object, as GROUP:KIND:NAME or GROUP:KIND:NAMESPACE/NAME; the core group is empty. Repeatable.
    #[arg(long = "resource", value_name = "GROUP:KIND:NAME")]
    resources: Vec<Selected>,
    #[command(flatten)]
    local: LocalOptions,
    #[command(flatten)]
    source: SourceOptions,
    #[command(flatten)]
    how: How,
}

/// How an operation is carried out and followed.
#[derive(Debug, Clone, Args)]
struct How {
    /// Delete objects that are no longer declared.
    #[arg(long)]
    prune: bool,
    /// Change nothing, only try.
    #[arg(long)]
    dry_run: bool,
    /// Wait until it is healthy too, after the operation.
    #[arg(long, conflicts_with = "no_wait")]
    wait: bool,
    /// Do not wait for the end of the operation.
    #[arg(long = "async")]
    no_wait: bool,
    /// How long to wait: seconds, or a time such as 5m; 0 is without end.
    #[arg(long, value_parser = timeout, default_value = "0", hide_default_value = true, value_name = "TIME")]
    timeout: Duration,
}

/// Options of `windlass app rollback`.
#[derive(Debug, Clone, Args)]
pub(super) struct RollbackOptions {
    /// The Application: NAME, or NAMESPACE/NAME.
    name: String,
    /// The deployment to go back to, as `windlass app history` numbers it. Default: the one before the last.
    id: Option<i64>,
    #[command(flatten)]
    how: How,
}

/// Options of `windlass app terminate`.
#[derive(Debug, Clone, Args)]
pub(super) struct TerminateOptions {
    /// The Application: NAME, or NAMESPACE/NAME.
    name: String,
}

/// An object chosen for a sync.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Selected {
    group: String,
    kind: String,
    namespace: String,
    name: String,
}

impl FromStr for Selected {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split(':').collect();
        let [group, kind, name] = parts[..] else {
            return Err("write GROUP:KIND:NAME, such as apps:Deployment:web or :ConfigMap:settings".into());
        };
        let (namespace, name) = name.split_once('/').unwrap_or(("", name));
        if kind.is_empty() || name.is_empty() {
            return Err("KIND and NAME cannot be empty".into());
        }
        Ok(Self { group: group.into(), kind: kind.into(), namespace: namespace.into(), name: name.into() })
    }
}

pub(super) async fn run(session: &Session, options: &SyncOptions) -> Result<ExitCode> {
    let application = session.get(&options.name).await?;
    if options.local.folder().is_some() && !options.how.dry_run && syncs_by_itself(&application) {
        return Err(Advised::error(
            "the Application syncs by itself and would go back to what its repository declares at once",
            format!("switch that off first: windlass app set {} --sync-policy manual", options.name),
        ));
    }
    let local = options.local.manifests(session, &application, &options.source).await?;
    let local: Option<Vec<Value>> = local
        .map(|manifests| {
            manifests.iter().map(|it| serde_json::to_string(it.object.as_map()).map(Value::from)).collect()
        })
        .transpose()
        .context("what the folder declares cannot be sent")?;
    operate(session, &options.name, &options.how, |application| {
        let mut sync = Value::object();
        if let Some(manifests) = &local {
            anyhow::ensure!(!manifests.is_empty(), "the folder declares nothing");
            sync.set_at(&["manifests"], manifests.clone());
        }
        match &options.revisions[..] {
            [] => {}
            [revision] => sync.set_at(&["revision"], revision.as_str()),
            several => {
                let several: Vec<Value> = several.iter().map(|it| Value::from(it.as_str())).collect();
                sync.set_at(&["revisions"], several);
            }
        }
        if !options.resources.is_empty() {
            let resources: Vec<Value> = options.resources.iter().map(Selected::to_value).collect();
            sync.set_at(&["resources"], resources);
        }
        Ok(operation(application, sync, &options.how))
    })
    .await
}

pub(super) async fn rollback(session: &Session, options: &RollbackOptions) -> Result<ExitCode> {
    operate(session, &options.name, &options.how, |application| {
        if syncs_by_itself(application) {
            return Err(Advised::error(
                "the Application syncs by itself and would go forward again at once",
                format!("switch that off first: windlass app set {} --sync-policy manual", options.name),
            ));
        }
        let sync = rollback_to(application, options.id)?;
        Ok(operation(application, sync, &options.how))
    })
    .await
}

/// Whether an Application is synced without being asked.
fn syncs_by_itself(application: &Object) -> bool {
    let automated = application.at(&["spec", "syncPolicy", "automated"]).filter(|it| !it.is_null());
    automated.is_some_and(|automated| automated.bool_at(&["enabled"]) != Some(false))
}

/// The sync that goes back to a deployment of the history.
fn rollback_to(application: &Object, id: Option<i64>) -> Result<Value> {
    let status = application.at(&["status"]).cloned().unwrap_or_default();
    let history = status.items_at(&["history"]);
    let entry = match id {
        Some(id) => history.iter().find(|entry| entry.int_at(&["id"]) == Some(id)),
        None => history.len().checked_sub(2).and_then(|idx| history.get(idx)),
    };
    let Some(entry) = entry else {
        let problem = match id {
            Some(id) => format!("there is no deployment {id} in its history"),
            None => "there is no deployment before the last one".into(),
        };
        let advice = format!("see `windlass app history {}`", application.name());
        return Err(Advised::error(problem, advice));
    };
    let mut sync = Value::object();
    for field in ["revision", "revisions"] {
        if let Some(said) = entry.at(&[field]) {
            sync.set_at(&[field], said.clone());
        }
    }
    // The sources go along, so that nobody takes the revision of one repository for that of another.
    for field in ["source", "sources"] {
        if let Some(said) = entry.at(&[field]).filter(|said| !said.is_null()) {
            sync.set_at(&[field], said.clone());
        }
    }
    Ok(sync)
}

pub(super) async fn terminate(session: &Session, options: &TerminateOptions) -> Result<ExitCode> {
    session
        .update(&options.name, |application| {
            if application.str_at(&["status", "operationState", "phase"]) != "Running" {
                bail!("no operation is running");
            }
            Ok(Some(value!({"status": {"operationState": {"phase": "Terminating"}}})))
        })
        .await?;
    output::note("The operation ends at its next safe point.");
    Ok(ExitCode::SUCCESS)
}

/// The value of the `operation` field.
fn operation(application: &Object, mut sync: Value, how: &How) -> Value {
    if how.prune {
        sync.set_at(&["prune"], true);
    }
    if how.dry_run {
        sync.set_at(&["dryRun"], true);
    }
    if let Some(options) = application.at(&["spec", "syncPolicy", "syncOptions"]) {
        sync.set_at(&["syncOptions"], options.clone());
    }
    let username = ["USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    let mut operation = value!({"sync": (sync)});
    operation.set_at(&["initiatedBy", "username"], username.unwrap_or_else(|| "windlass-cli".into()));
    if let Some(retry) = application.at(&["spec", "syncPolicy", "retry"]) {
        operation.set_at(&["retry"], retry.clone());
    }
    operation
}

impl Selected {
    fn to_value(&self) -> Value {
        let mut value = value!({"kind": (self.kind.as_str()), "name": (self.name.as_str())});
        for (field, text) in [("group", &self.group), ("namespace", &self.namespace)] {
            if !text.is_empty() {
                value.set_at(&[field], text.as_str());
            }
        }
        value
    }
}

/// Asks for an operation and follows it.
async fn operate(
    session: &Session,
    name: &str,
    how: &How,
    mut ask: impl FnMut(&Object) -> Result<Value>,
) -> Result<ExitCode> {
    let asked = session.update(name, |application| {
        if application.at(&["operation"]).is_some_and(|operation| !operation.is_null()) {
            return Err(Advised::error(
                "another operation is already in progress",
                format!("wait for it with `windlass app wait {name} --operation`, or end it with `windlass app terminate {name}`"),
            ));
        }
        Ok(Some(value!({"operation": (ask(application)?)})))
    });
    asked.await?;
    if how.no_wait {
        output::note(&format!("Asked for; `windlass app wait {name} --operation` follows it."));
        return Ok(ExitCode::SUCCESS);
    }
    let begun = std::time::Instant::now();
    let mut steps = Progress::default();
    let ended = until(session, name, limit(how.timeout), |object| {
        let Some(object) = object else { return Look::Done(None) };
        for line in steps.news(object) {
            output::note(&line);
        }
        if object.at(&["operation"]).is_some_and(|operation| !operation.is_null()) {
            return Look::Pending(progress(object));
        }
        Look::Done(Some(object.clone()))
    });
    let Some(ended) = ended.await? else {
        return Err(Advised::error(
            format!("the operation did not end within {}", output::age(how.timeout)),
            format!(
                "it goes on; see `windlass app get {name}`, or end it with `windlass app terminate {name}`"
            ),
        ));
    };
    let Some(application) = ended else { bail!("the Application was deleted meanwhile") };
    let succeeded = tell(session, &application)?;
    if !succeeded {
        return Ok(ExitCode::FAILURE);
    }
    if how.wait && !how.dry_run {
        let left = limit(how.timeout).map(|timeout| timeout.saturating_sub(begun.elapsed()));
        return super::wait::until_well(session, name, left, super::wait::Wanted::HEALTH).await;
    }
    Ok(ExitCode::SUCCESS)
}

/// How far an operation is.
pub(super) fn progress(application: &Object) -> String {
    let phase = application.str_at(&["status", "operationState", "phase"]);
    let message = application.str_at(&["status", "operationState", "message"]);
    let has_begun = matches!(phase, "Running" | "Terminating");
    match (has_begun, message) {
        (false, _) => "waiting for the engine to begin".into(),
        (true, "") => phase.into(),
        (true, message) => format!("{phase}: {message}"),
    }
}

/// Prints what came of an operation; whether it succeeded.
fn tell(session: &Session, application: &Object) -> Result<bool> {
    let state = application.at(&["status", "operationState"]).cloned().unwrap_or_default();
    let table = results(&state);
    if !table.is_empty() {
        output::print(&table.print(session.paint))?;
    }
    let phase = state.str_at(&["phase"]).unwrap_or("Unknown");
    let message = state.str_at(&["message"]).unwrap_or_default();
    let result = state.at(&["syncResult"]).cloned().unwrap_or_default();
    let at = revisions(&result).iter().map(|revision| short(revision)).collect::<Vec<_>>().join(", ");
    let at = if at.is_empty() { at } else { format!(" at {at}") };
    let colon = if message.is_empty() { "" } else { ": " };
    output::note(&format!("{phase}{at}{colon}{message}"));
    Ok(phase == "Succeeded")
}

fn results(state: &Value) -> Table {
    let mut table = Table::new(["GROUP", "KIND", "NAMESPACE", "NAME", "RESULT", "MESSAGE"]);
    for result in state.items_at(&["syncResult", "resources"]) {
        let fields = ["group", "kind", "namespace", "name", "status", "message"];
        table.row(fields.map(|field| result.str_at(&[field]).unwrap_or_default()));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_chosen_by_group_kind_and_name() {
        let chosen: Selected = "apps:Deployment:shop/web".parse().unwrap();
        assert_eq!(
            chosen.to_value(),
            value!({"group": "apps", "kind": "Deployment", "namespace": "shop", "name": "web"})
        );
        let core: Selected = ":ConfigMap:settings".parse().unwrap();
        assert_eq!(core.to_value(), value!({"kind": "ConfigMap", "name": "settings"}));
        for text in ["web", "apps:Deployment", "apps::web", "apps:Deployment:", "a:b:c:d"] {
            assert!(text.parse::<Selected>().is_err(), "{text}");
        }
    }

    fn deployed() -> Object {
        let text = "
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: guestbook, namespace: argocd}
spec: {syncPolicy: {syncOptions: [CreateNamespace=true]}}
status:
  history:
  - {id: 4, revision: aaa, source: {repoURL: u, path: p}}
  - {id: 5, revision: bbb, source: {repoURL: u, path: p}}
";
        Object::try_new(windlass_yaml::load(text).unwrap()).unwrap()
    }

    #[test]
    fn a_rollback_goes_to_the_deployment_before_the_last() {
        let sync = rollback_to(&deployed(), None).unwrap();
        assert_eq!(sync, value!({"revision": "aaa", "source": {"repoURL": "u", "path": "p"}}));
        assert_eq!(rollback_to(&deployed(), Some(5)).unwrap().str_at(&["revision"]), Some("bbb"));
        let error = rollback_to(&deployed(), Some(9)).unwrap_err();
        assert_eq!(error.to_string(), "there is no deployment 9 in its history");
    }

    #[test]
    fn an_operation_carries_the_options_of_the_policy() {
        let how = How { prune: true, dry_run: false, wait: false, no_wait: false, timeout: Duration::ZERO };
        let operation = operation(&deployed(), Value::object(), &how);
        assert_eq!(
            operation.at(&["sync"]),
            Some(&value!({"prune": true, "syncOptions": ["CreateNamespace=true"]}))
        );
        assert!(operation.str_at(&["initiatedBy", "username"]).is_some());
    }
}
