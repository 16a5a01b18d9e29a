//! `windlass app history`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use windlass_kube::Value;

use crate::output::{self, Format, FormatOption, Table};
use crate::session::Session;
use crate::session::{age_of, revisions, short, sources};

/// Options of `windlass app history`.
#[derive(Debug, Clone, Args)]
pub(super) struct HistoryOptions {
    /// The Application: NAME, or NAMESPACE/NAME.
    name: String,
    #[command(flatten)]
    format: FormatOption,
}

pub(super) async fn run(session: &Session, options: &HistoryOptions) -> Result<ExitCode> {
    let application = session.get(&options.name).await?;
    let history =
        application.at(&["status", "history"]).cloned().unwrap_or_else(|| Vec::<Value>::new().into());
    let ids = history.items_at(&[]).iter().filter_map(|entry| entry.int_at(&["id"]));
    let text = match options.format.output.for_programs(|| history.clone(), ids) {
        Some(text) => text,
        None => {
            let table = table(&history, options.format.output == Format::Wide);
            if table.is_empty() {
                output::note("Nothing was deployed yet.");
                return Ok(ExitCode::SUCCESS);
            }
            table.print(session.paint)
        }
    };
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// Newest last, as the numbers count.
fn table(history: &Value, wide: bool) -> Table {
    let mut headings = vec!["ID", "DEPLOYED", "AGE", "REVISION", "BY"];
    if wide {
        headings.extend(["REPO", "PATH", "TARGET"]);
    }
    let mut table = Table::with_headings(&headings);
    for entry in history.items_at(&[]) {
        let deployed = entry.str_at(&["deployedAt"]).unwrap_or_default();
        let by = match entry.str_at(&["initiatedBy", "username"]) {
            Some(user) if !user.is_empty() => user,
            _ if entry.bool_at(&["initiatedBy", "automated"]) == Some(true) => "policy",
            _ => "-",
        };
        let shown: Vec<&str> = revisions(entry)
            .into_iter()
            .map(|revision| if wide { revision } else { short(revision) })
            .collect();
        let mut cells = vec![
            entry.int_at(&["id"]).unwrap_or_default().to_string(),
            deployed.to_owned(),
            age_of(deployed),
            shown.join(","),
            by.to_owned(),
        ];
        if wide {
            for field in ["repoURL", "path", "targetRevision"] {
                let said: Vec<&str> =
                    sources(entry).iter().map(|source| source.str_at(&[field]).unwrap_or("-")).collect();
                cells.push(said.join(","));
            }
        }
        table.row(cells);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Paint;

    #[test]
    fn deployments_are_listed_with_who_asked() {
        let history = windlass_yaml::load(
            "- {id: 0, revision: 8d3c1f0aa1b2c3d4e5f60718293a4b5c6d7e8f90, initiatedBy: {automated: true}}\n\
             - {id: 1, revision: v1, initiatedBy: {username: ada}}\n",
        )
        .unwrap();
        assert_eq!(
            table(&history, false).print(Paint(false)),
            "ID   DEPLOYED   AGE   REVISION   BY\n\
             0                     8d3c1f0    policy\n\
             1                     v1         ada\n"
        );
    }
}
