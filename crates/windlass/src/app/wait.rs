//! `windlass app wait`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use windlass_kube::{Object, Value};

use super::follow::{Look, limit, timeout, until};
use super::get::summary;
use super::sync::progress;
use crate::output::{self, Advised};
use crate::session::Session;
use crate::session::sources;

/// Options of `windlass app wait`.
#[derive(Debug, Clone, Args)]
pub(super) struct WaitOptions {
    /// The Applications: NAME, or NAMESPACE/NAME.
    #[arg(required = true)]
    names: Vec<String>,
    /// Wait until it is Synced.
    #[arg(long)]
    sync: bool,
    /// Wait until it is Healthy.
    #[arg(long)]
    health: bool,
    /// Wait until no operation runs.
    #[arg(long)]
    operation: bool,
    /// Wait until it is gone.
    #[arg(long, conflicts_with_all = ["sync", "health", "operation"])]
    delete: bool,
    /// How long to wait: seconds, or a time such as 5m; 0 is without end.
    #[arg(long, value_parser = timeout, default_value = "0", hide_default_value = true, value_name = "TIME")]
    timeout: Duration,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    sync: bool,
    health: bool,
    operation: bool,
}

impl Wanted {
    /// Health alone.
    pub(super) const HEALTH: Self = Self { sync: false, health: true, operation: false };
    const ALL: Self = Self { sync: true, health: true, operation: true };
}

pub(super) async fn run(session: &Session, options: &WaitOptions) -> Result<ExitCode> {
    let asked = Wanted { sync: options.sync, health: options.health, operation: options.operation };
    let none = Wanted { sync: false, health: false, operation: false };
    let wanted = if asked == none { Wanted::ALL } else { asked };
    let begun = std::time::Instant::now();
    for name in &options.names {
        let left = limit(options.timeout).map(|timeout| timeout.saturating_sub(begun.elapsed()));
        let code = if options.delete {
            until_gone(session, name, left).await?
        } else {
            until_well(session, name, left, wanted).await?
        };
        if code != ExitCode::SUCCESS {
            return Ok(code);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Waits until the Application is gone.
pub(super) async fn until_gone(session: &Session, name: &str, time: Option<Duration>) -> Result<ExitCode> {
    let gone = until(session, name, time, |object| match object {
        None => Look::Done(()),
        Some(object) if !object.is_terminating() => Look::Pending("it is not being deleted".into()),
        Some(object) => match object.str_at(&["status", "windlass", "waiting"]) {
            "" => Look::Pending("its objects are being deleted".into()),
            waiting => Look::Pending(waiting.to_owned()),
        },
    });
    match gone.await? {
        Some(()) => Ok(ExitCode::SUCCESS),
        None => Err(timed_out(name)),
    }
}

/// Waits until the Application is as wanted, and prints how it is then.
pub(super) async fn until_well(
    session: &Session,
    name: &str,
    time: Option<Duration>,
    wanted: Wanted,
) -> Result<ExitCode> {
    let mut existed = false;
    let found = until(session, name, time, |object| match object {
        None => Look::Done(None),
        Some(object) => {
            existed = true;
            match missing(object, wanted) {
                None => Look::Done(Some(object.clone())),
                Some(reason) => Look::Pending(reason),
            }
        }
    });
    match found.await? {
        Some(Some(application)) => {
            output::print(&format!("{}\n", summary(&application)))?;
            Ok(ExitCode::SUCCESS)
        }
        Some(None) if existed => anyhow::bail!("Application {name} was deleted meanwhile"),
        // Says so in the words of every other verb.
        Some(None) => session.get(name).await.map(|_| ExitCode::FAILURE),
        None => Err(timed_out(name)),
    }
}

fn timed_out(name: &str) -> anyhow::Error {
    Advised::error(
        format!("the time was up before Application {name} was there"),
        format!("`windlass app get {name}` says what it waits for"),
    )
}

/// What is still missing, in words; `None` when nothing is.
fn missing(application: &Object, wanted: Wanted) -> Option<String> {
    let sync = application.str_at(&["status", "sync", "status"]);
    let health = application.str_at(&["status", "health", "status"]);
    let operates = application.at(&["operation"]).is_some_and(|operation| !operation.is_null())
        || matches!(application.str_at(&["status", "operationState", "phase"]), "Running" | "Terminating");
    if wanted.operation && operates {
        return Some(progress(application));
    }
    if sync.is_empty() {
        return Some("waiting for the engine to look at it".into());
    }
    if is_stale(application) {
        return Some("waiting for the engine to take in what was changed".into());
    }
    let is_reached = (!wanted.sync || sync == "Synced") && (!wanted.health || health == "Healthy");
    if is_reached {
        return None;
    }
    let mut text = format!("{sync}, {}", if health.is_empty() { "Unknown" } else { health });
    let waiting = application.str_at(&["status", "windlass", "waiting"]);
    let reason =
        if waiting.is_empty() { application.str_at(&["status", "health", "message"]) } else { waiting };
    if !reason.is_empty() {
        text.push_str(&format!("; {reason}"));
    }
    let status = application.at(&["status"]).cloned().unwrap_or_default();
    for condition in status.items_at(&["conditions"]) {
        let kind = condition.str_at(&["type"]).unwrap_or_default();
        if kind.ends_with("Error") {
            text.push_str(&format!("; {kind}: {}", condition.str_at(&["message"]).unwrap_or_default()));
        }
    }
    Some(text)
}

/// Whether the status is of another source or target than is declared now.
fn is_stale(application: &Object) -> bool {
    let empty = Value::default();
    let spec = application.at(&["spec"]).unwrap_or(&empty);
    let compared = application.at(&["status", "sync", "comparedTo"]).unwrap_or(&empty);
    let says = |value: &Value| -> Vec<String> {
        let said = |value: &Value, path: &[&str]| value.str_at(path).unwrap_or_default().to_owned();
        let mut words: Vec<String> = sources(value)
            .into_iter()
            .flat_map(|source| ["repoURL", "path", "targetRevision"].map(|field| said(source, &[field])))
            .collect();
        words.extend(["server", "name", "namespace"].map(|field| said(value, &["destination", field])));
        words
    };
    !compared.is_null() && says(spec) != says(compared)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn application(status: &str) -> Object {
        let text = format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: a}}\n\
             spec: {{source: {{repoURL: u, path: new}}, destination: {{namespace: shop}}}}\nstatus: {status}\n"
        );
        Object::try_new(windlass_yaml::load(&text).unwrap()).unwrap()
    }

    #[test]
    fn what_is_missing_is_said() {
        let compared = "comparedTo: {source: {repoURL: u, path: new}, destination: {namespace: shop}}";
        for (status, expected) in [
            ("{}".to_owned(), Some("waiting for the engine to look at it")),
            (format!("{{sync: {{status: Synced, {compared}}}, health: {{status: Healthy}}}}"), None),
            (
                format!(
                    "{{sync: {{status: Synced, {compared}}}, health: {{status: Progressing, message: m}}}}"
                ),
                Some("Synced, Progressing; m"),
            ),
            (
                format!(
                    "{{sync: {{status: OutOfSync, {compared}}}, conditions: [{{type: SyncError, message: bad}}]}}"
                ),
                Some("OutOfSync, Unknown; SyncError: bad"),
            ),
            (
                "{sync: {status: Synced, comparedTo: {source: {repoURL: u, path: old}, destination: {namespace: shop}}}, health: {status: Healthy}}".to_owned(),
                Some("waiting for the engine to take in what was changed"),
            ),
            (
                format!(
                    "{{sync: {{status: Synced, {compared}}}, health: {{status: Healthy}}, operationState: {{phase: Running, message: one of two}}}}"
                ),
                Some("Running: one of two"),
            ),
        ] {
            assert_eq!(missing(&application(&status), Wanted::ALL).as_deref(), expected, "{status}");
        }
    }
}
