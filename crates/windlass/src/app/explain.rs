//! `windlass app explain`: why an Application is not synced, not healthy or not done, in the words of its plan.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use windlass_kube::{Object, Value};

use super::graph::dependencies_of;
use crate::output;
use crate::session::Session;

/// Options of `windlass app explain`.
#[derive(Debug, Clone, Args)]
pub(super) struct ExplainOptions {
    /// The Application: NAME, or NAMESPACE/NAME.
    name: String,
}

/// Prints the reasons; the exit code is 0 when there is nothing to explain, 1 otherwise.
pub(super) async fn run(session: &Session, options: &ExplainOptions) -> Result<ExitCode> {
    let application = session.get(&options.name).await?;
    let mut awaited = Vec::new();
    for (name, _) in dependencies_of(&application).into_iter().filter(|(_, awaited)| *awaited) {
        let dependency = session.find(&name).await?;
        awaited.push((name, dependency));
    }
    let text = explained(&application, &awaited);
    if text.is_empty() {
        output::print(&format!("{} is synced and healthy, and nothing is to be done\n", options.name))?;
        return Ok(ExitCode::SUCCESS);
    }
    output::print(&text)?;
    Ok(ExitCode::FAILURE)
}

/// What there is to explain, most pressing first; empty for an Application that is as it should be.
///
/// `awaited` are the Applications that it waits for, with their state where they exist.
fn explained(application: &Object, awaited: &[(String, Option<Object>)]) -> String {
    let status = application.at(&["status"]).cloned().unwrap_or_default();
    let mut text = String::new();
    let mut section = |title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            let _ = writeln!(text, "{title}");
            for line in lines {
                let _ = writeln!(text, "  {line}");
            }
        }
    };
    let said = |value: &Value, path: &[&str]| value.str_at(path).unwrap_or_default().to_owned();
    let waiting = said(&status, &["windlass", "waiting"]);
    section("It waits:", if waiting.is_empty() { vec![] } else { vec![waiting.clone()] });
    section(
        "What it depends on:",
        awaited.iter().map(|(name, found)| dependency_line(name, found.as_ref())).collect(),
    );
    let operation = status.at(&["operationState"]).cloned().unwrap_or_default();
    let phase = said(&operation, &["phase"]);
    if !matches!(phase.as_str(), "" | "Succeeded") {
        let message = said(&operation, &["message"]);
        if message != waiting {
            section(&format!("Its last operation is {phase}:"), vec![message]);
        }
        let results = operation.items_at(&["syncResult", "resources"]);
        let bad = results.iter().filter(|result| {
            result.str_at(&["status"]) == Some("SyncFailed")
                || matches!(result.str_at(&["hookPhase"]), Some("Failed" | "Error"))
                || (result.str_at(&["hookPhase"]) == Some("Running") && result.get("hookType").is_some())
        });
        section(
            "What happened:",
            bad.map(|result| object_line(result, &said(result, &["message"]))).collect(),
        );
    }
    let conditions = status.items_at(&["conditions"]).iter();
    section(
        "What it says:",
        conditions
            .map(|condition| format!("{}: {}", said(condition, &["type"]), said(condition, &["message"])))
            .collect(),
    );
    let reasons = status.items_at(&["windlass", "outOfSync"]).iter();
    section(
        "Out of sync:",
        reasons.map(|entry| format!("{}: {}", said(entry, &["object"]), said(entry, &["reason"]))).collect(),
    );
    let resources = status.items_at(&["resources"]).iter();
    section(
        "Not healthy:",
        resources
            .filter(|resource| resource.bool_at(&["hook"]) != Some(true))
            .filter(|resource| !matches!(resource.str_at(&["health", "status"]), None | Some("Healthy")))
            .map(|resource| {
                let health = said(resource, &["health", "status"]);
                let message = said(resource, &["health", "message"]);
                let message = if message.is_empty() { health } else { format!("{health}: {message}") };
                object_line(resource, &message)
            })
            .collect(),
    );
    text
}

/// `namespace/name: how it is`.
fn dependency_line(name: &str, found: Option<&Object>) -> String {
    let Some(application) = found else { return format!("{name}: it does not exist") };
    let said = |path: &[&str]| application.str_at(path);
    let or_unknown = |text: &'static str, path: &[&str]| match application.str_at(path) {
        "" => text.to_owned(),
        said => said.to_owned(),
    };
    let mut line = format!(
        "{name}: {}, {}",
        or_unknown("Unknown", &["status", "sync", "status"]),
        or_unknown("Unknown", &["status", "health", "status"])
    );
    let waiting = said(&["status", "windlass", "waiting"]);
    let message = if waiting.is_empty() { said(&["status", "health", "message"]) } else { waiting };
    if !message.is_empty() {
        let _ = write!(line, " ({message})");
    }
    line
}

/// `Kind.group namespace/name: what is said of it`.
fn object_line(resource: &Value, message: &str) -> String {
    let part = |key: &str| resource.str_at(&[key]).unwrap_or_default();
    let kind = match part("group") {
        "" => part("kind").to_owned(),
        group => format!("{}.{group}", part("kind")),
    };
    let name = match part("namespace") {
        "" => part("name").to_owned(),
        namespace => format!("{namespace}/{}", part("name")),
    };
    let role = match resource.str_at(&["hookType"]) {
        Some(hook) if !hook.is_empty() => format!(" ({hook} hook)"),
        _ => String::new(),
    };
    format!("{kind} {name}{role}: {message}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_listed_most_pressing_first() {
        let text = "
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: shop}
status:
  windlass:
    waiting: waiting for completion of hook Job.batch shop/migrate
    outOfSync: [{object: ConfigMap shop/a, reason: 'declared, and not in the cluster'}]
  operationState:
    phase: Running
    message: waiting for completion of hook Job.batch shop/migrate
    syncResult:
      resources:
      - {group: batch, kind: Job, namespace: shop, name: migrate, hookType: PreSync, hookPhase: Running, message: pods are starting}
      - {kind: ConfigMap, namespace: shop, name: b, status: Synced, hookPhase: Succeeded}
  resources:
  - {group: apps, kind: Deployment, namespace: shop, name: web, health: {status: Degraded, message: no replicas}}
  - {group: batch, kind: Job, namespace: shop, name: migrate, hook: true, health: {status: Progressing}}
";
        let application = Object::try_new(windlass_yaml::load(text).unwrap()).unwrap();
        assert_eq!(
            explained(&application, &[]),
            "It waits:\n  waiting for completion of hook Job.batch shop/migrate\n\
             What happened:\n  Job.batch shop/migrate (PreSync hook): pods are starting\n\
             Out of sync:\n  ConfigMap shop/a: declared, and not in the cluster\n\
             Not healthy:\n  Deployment.apps shop/web: Degraded: no replicas\n"
        );
    }

    #[test]
    fn what_is_waited_for_says_how_it_is() {
        let text = "
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: base}
status: {sync: {status: OutOfSync}, health: {status: Missing}, windlass: {waiting: waiting for a manual sync}}
";
        let base = Object::try_new(windlass_yaml::load(text).unwrap()).unwrap();
        assert_eq!(
            dependency_line("argocd/base", Some(&base)),
            "argocd/base: OutOfSync, Missing (waiting for a manual sync)"
        );
        assert_eq!(dependency_line("argocd/gone", None), "argocd/gone: it does not exist");
    }
}
