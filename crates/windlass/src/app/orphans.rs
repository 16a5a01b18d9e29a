//! `windlass app resources --orphaned`: what lies in an Application's namespace and belongs to none.

use std::process::ExitCode;

use anyhow::{Context, Result};
use windlass_argo::project_name;
use windlass_cluster::LocalLogins;
use windlass_engine::{OrphanedInput, orphaned};
use windlass_kube::{Object, Value, value};

use super::{get, source};
use crate::output::{self, Format, Table};
use crate::session::{Session, age_of};

/// Lists the orphans around an Application.
pub(super) async fn show(
    session: &Session,
    application: &Object,
    format: Format,
    logins: LocalLogins,
) -> Result<ExitCode> {
    let settings = source::settings(session).await?;
    let (project, secrets) =
        tokio::try_join!(source::project(session, application, &settings), source::secrets(session))?;
    let input = OrphanedInput {
        client: &session.client,
        application,
        project: project.as_ref(),
        secrets: &secrets,
        settings: &settings,
        logins,
    };
    let found = orphaned(&input)
        .await
        .with_context(|| format!("orphans around {} cannot be told", application.name()))?;
    let Some((objects, hidden)) = found else {
        output::note(&format!(
            "project {} does not look for orphaned objects; `windlass proj set {0} --orphaned-resources` makes it",
            project_name(application)
        ));
        return Ok(ExitCode::SUCCESS);
    };
    for line in &hidden {
        output::note(&format!("warning: {line}"));
    }
    let listed: Vec<Value> = objects.iter().map(entry).collect();
    let text = match format {
        Format::Json => output::json(&listed.into()),
        Format::Yaml => windlass_yaml::to_yaml(&listed.into()),
        Format::Name => listed.iter().map(|entry| get::object_name(entry) + "\n").collect(),
        Format::Table | Format::Wide if objects.is_empty() => {
            output::note("Nothing in its namespace is orphaned.");
            return Ok(ExitCode::SUCCESS);
        }
        Format::Table | Format::Wide => table(&objects).print(session.paint),
    };
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn entry(object: &Object) -> Value {
    let gvk = object.gvk();
    value!({
        "group": (gvk.group), "version": (gvk.version), "kind": (gvk.kind),
        "namespace": (object.namespace()), "name": (object.name())
    })
}

fn table(objects: &[Object]) -> Table {
    let mut table = Table::with_headings(&["GROUP", "KIND", "NAMESPACE", "NAME", "HEALTH", "AGE"]);
    for object in objects {
        let gvk = object.gvk();
        let health = windlass_assess::health(object).map(|health| health.status.as_str());
        table.row([
            gvk.group.to_string(),
            gvk.kind.to_string(),
            object.namespace().to_owned(),
            object.name().to_owned(),
            health.unwrap_or_default().to_owned(),
            age_of(object.str_at(&["metadata", "creationTimestamp"])),
        ]);
    }
    table
}
