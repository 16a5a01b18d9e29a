//! `windlass app list`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use windlass_kube::{Object, Value};

use crate::output::{self, Format, FormatOption, Table};
use crate::session::Session;
use crate::session::{age_of, revisions, short, sources};

/// Options of `windlass app list`.
#[derive(Debug, Clone, Args)]
pub(super) struct ListOptions {
    #[command(flatten)]
    format: FormatOption,
    /// Applications of all namespaces.
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Only those of this project.
    #[arg(short, long, value_name = "NAME")]
    project: Option<String>,
    /// Only those with these labels.
    #[arg(short = 'l', long, default_value = "", hide_default_value = true, value_name = "LABELS")]
    selector: String,
    /// Only those whose source is this repository.
    #[arg(short, long, value_name = "URL")]
    repo: Option<String>,
}

pub(super) async fn run(session: &Session, options: &ListOptions) -> Result<ExitCode> {
    let namespace = if options.all_namespaces { "" } else { &session.namespace };
    let mut applications = session.list(namespace, &options.selector).await?;
    applications.retain(|application| {
        let spec = application.at(&["spec"]).cloned().unwrap_or_default();
        options.project.as_deref().is_none_or(|project| application.str_at(&["spec", "project"]) == project)
            && options.repo.as_deref().is_none_or(|repo| {
                sources(&spec).iter().any(|source| source.str_at(&["repoURL"]) == Some(repo))
            })
    });
    applications.sort_by(|a, b| (a.namespace(), a.name()).cmp(&(b.namespace(), b.name())));
    let value = || output::list_of(applications.iter().cloned().map(Value::from));
    let names = applications.iter().map(|it| format!("{}/{}", it.namespace(), it.name()));
    let text = match options.format.output.for_programs(value, names) {
        Some(text) => text,
        None => {
            let wide = options.format.output == Format::Wide;
            let table = table(&applications, options.all_namespaces, wide);
            if table.is_empty() {
                let place = if namespace.is_empty() {
                    "any namespace".into()
                } else {
                    format!("namespace {namespace}")
                };
                output::note(&format!("There are no such Applications in {place}."));
                return Ok(ExitCode::SUCCESS);
            }
            table.print(session.paint)
        }
    };
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn table(applications: &[Object], with_namespace: bool, wide: bool) -> Table {
    let mut headings = vec!["NAME", "PROJECT", "SYNC", "HEALTH", "REVISION", "NAMESPACE", "AGE"];
    if wide {
        headings = vec![
            "NAME",
            "PROJECT",
            "SYNC",
            "HEALTH",
            "REVISION",
            "SERVER",
            "NAMESPACE",
            "POLICY",
            "CONDITIONS",
            "REPO",
            "PATH",
            "TARGET",
            "AGE",
        ];
    }
    let mut table = Table::with_headings(&headings);
    for application in applications {
        let text = |path: &[&str]| application.str_at(path).to_owned();
        let or_unknown = |path: &[&str]| match application.str_at(path) {
            "" => "Unknown".to_owned(),
            said => said.to_owned(),
        };
        let sync = application.at(&["status", "sync"]).cloned().unwrap_or_default();
        let revision = revisions(&sync).iter().map(|revision| short(revision)).collect::<Vec<_>>().join(",");
        let name = if with_namespace {
            format!("{}/{}", application.namespace(), application.name())
        } else {
            application.name().to_owned()
        };
        let mut cells = vec![
            name,
            text(&["spec", "project"]),
            or_unknown(&["status", "sync", "status"]),
            or_unknown(&["status", "health", "status"]),
            revision,
        ];
        if wide {
            cells.push(server(application));
        }
        cells.push(text(&["spec", "destination", "namespace"]));
        if wide {
            cells.push(policy(application));
            let conditions = application.at(&["status"]).map(conditions).unwrap_or_default();
            cells.push(if conditions.is_empty() { "-".into() } else { conditions });
            let spec = application.at(&["spec"]).cloned().unwrap_or_default();
            for field in ["repoURL", "path", "targetRevision"] {
                let said: Vec<&str> =
                    sources(&spec).iter().map(|source| source.str_at(&[field]).unwrap_or("-")).collect();
                cells.push(said.join(","));
            }
        }
        cells.push(age_of(application.str_at(&["metadata", "creationTimestamp"])));
        table.row(cells);
    }
    table
}

/// Where it goes: the server's address, or the cluster's name.
pub(super) fn server(application: &Object) -> String {
    let server = application.str_at(&["spec", "destination", "server"]);
    if server.is_empty() {
        application.str_at(&["spec", "destination", "name"]).to_owned()
    } else {
        server.to_owned()
    }
}

/// The sync policy in Argo CD's short words: `Manual`, `Auto`, `Auto-Prune`.
pub(super) fn policy(application: &Object) -> String {
    let Some(automated) = application.at(&["spec", "syncPolicy", "automated"]).filter(|it| !it.is_null())
    else {
        return "Manual".into();
    };
    if automated.bool_at(&["enabled"]) == Some(false) {
        return "Manual".into();
    }
    if automated.bool_at(&["prune"]) == Some(true) { "Auto-Prune".into() } else { "Auto".into() }
}

fn conditions(status: &Value) -> String {
    let mut kinds: Vec<&str> =
        status.items_at(&["conditions"]).iter().filter_map(|condition| condition.str_at(&["type"])).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Paint;

    fn guestbook() -> Object {
        let text = "
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: guestbook, namespace: argocd}
spec:
  project: default
  source: {repoURL: https://example.org/shop.git, path: deploy, targetRevision: main}
  destination: {server: 'https://kubernetes.default.svc', namespace: shop}
  syncPolicy: {automated: {prune: true}}
status:
  sync: {status: Synced, revision: 8d3c1f0aa1b2c3d4e5f60718293a4b5c6d7e8f90}
  health: {status: Healthy}
  conditions: [{type: SyncError, message: x}, {type: SyncError, message: y}]
";
        Object::try_new(windlass_yaml::load(text).unwrap()).unwrap()
    }

    #[test]
    fn a_row_says_where_and_how() {
        let table = table(&[guestbook()], true, false);
        assert_eq!(
            table.print(Paint(false)),
            "NAME               PROJECT   SYNC     HEALTH    REVISION   NAMESPACE   AGE\n\
             argocd/guestbook   default   Synced   Healthy   8d3c1f0    shop\n"
        );
    }

    #[test]
    fn wide_rows_say_from_where_too() {
        let text = table(&[guestbook()], false, true).print(Paint(false));
        let row: Vec<&str> = text.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(
            row[5..],
            [
                "https://kubernetes.default.svc",
                "shop",
                "Auto-Prune",
                "SyncError",
                "https://example.org/shop.git",
                "deploy",
                "main"
            ]
        );
    }

    #[test]
    fn automation_that_is_switched_off_is_manual() {
        let mut application = guestbook();
        assert_eq!(policy(&application), "Auto-Prune");
        application.set_at(&["spec", "syncPolicy", "automated", "enabled"], false);
        assert_eq!(policy(&application), "Manual");
    }
}
