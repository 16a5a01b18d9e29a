//! `windlass proj list`, `get` and `delete`.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use windlass_argo::types::{AppProject, ProjectSpec};
use windlass_argo::{Project, project_name};
use windlass_kube::{Object, Value};

use super::entries::kind_text;
use crate::output::{self, Advised, Format, FormatOption, Paint, Table, Tone};
use crate::session::{Kind, Session, age_of, explained, now};

#[derive(Debug, Clone, Args)]
pub(super) struct ListOptions {
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Debug, Clone, Args)]
pub(super) struct GetOptions {
    /// The project.
    project: String,
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Debug, Clone, Args)]
pub(super) struct DeleteOptions {
    /// The projects.
    #[arg(required = true)]
    projects: Vec<String>,
}

/// Whether an Application is in a project: it names it, from the namespace of the control plane or one that the project
/// admits. Other control planes on the same cluster have projects of the same names.
fn is_in(project: &Object) -> impl Fn(&Object) -> bool {
    let rules = Project::parse(project);
    move |application| {
        let namespace = application.namespace();
        project_name(application) == project.name()
            && (namespace == project.namespace() || rules.permits_namespace(namespace))
    }
}

/// How many Applications are in a project.
fn count_in(project: &Object, applications: &[Object]) -> usize {
    let is_in = is_in(project);
    applications.iter().filter(|application| is_in(application)).count()
}

/// How many entries of a list a table shows before it counts the rest.
const SHOWN: usize = 2;

pub(super) async fn list(session: &Session, options: &ListOptions) -> Result<ExitCode> {
    let mut projects = session.list_of(&Kind::project(), &session.namespace, "").await?;
    projects.sort_by(|a, b| a.name().cmp(b.name()));
    let value = || output::list_of(projects.iter().cloned().map(Value::from));
    let text = match options.format.output.for_programs(value, projects.iter().map(Object::name)) {
        Some(text) => text,
        None if projects.is_empty() => {
            output::note(&format!(
                "There are no projects in namespace {}; Applications are in the built-in project default, which allows all.",
                session.namespace
            ));
            return Ok(ExitCode::SUCCESS);
        }
        None => {
            let applications = session.list("", "").await?;
            table(&projects, &applications, options.format.output == Format::Wide).print(session.paint)
        }
    };
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn table(projects: &[Object], applications: &[Object], is_wide: bool) -> Table {
    let mut table = Table::new([
        "NAME",
        "APPS",
        "DESTINATIONS",
        "SOURCES",
        "CLUSTER-KINDS",
        "WINDOWS",
        "ROLES",
        "AGE",
        "DESCRIPTION",
    ]);
    let shown = if is_wide { usize::MAX } else { SHOWN };
    for project in projects {
        let (AppProject { spec, .. }, _) = AppProject::read(project);
        let n_applications = count_in(project, applications);
        table.row([
            project.name().to_owned(),
            n_applications.to_string(),
            some(&destinations(&spec), shown),
            some(&texts(&spec.source_repos), shown),
            some(&allowed_cluster_kinds(&spec), shown),
            spec.sync_windows.len().to_string(),
            project.items_at(&["spec", "roles"]).len().to_string(),
            age_of(project.str_at(&["metadata", "creationTimestamp"])),
            spec.description.0.to_string(),
        ]);
    }
    table
}

/// The first entries, and how many more there are.
fn some(entries: &[String], shown: usize) -> String {
    match entries.len() {
        0 => "none".into(),
        n if n <= shown => entries.join(" "),
        n => format!("{} +{}", entries[..shown].join(" "), n - shown),
    }
}

fn texts(list: &[windlass_kube::Str]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

fn destinations(spec: &ProjectSpec) -> Vec<String> {
    let shown = |it: &windlass_argo::types::Destination| {
        let cluster = if it.server.is_empty() { &it.name } else { &it.server };
        let cluster = if *cluster == windlass_argo::IN_CLUSTER_SERVER { "here" } else { cluster };
        format!("{cluster},{}", it.namespace)
    };
    spec.destinations.iter().map(shown).collect()
}

fn allowed_cluster_kinds(spec: &ProjectSpec) -> Vec<String> {
    spec.cluster_resource_whitelist.iter().map(|it| kind_text(&it.group, &it.kind, &it.name)).collect()
}

pub(super) async fn get(session: &Session, options: &GetOptions) -> Result<ExitCode> {
    let project = session.get_of(&Kind::project(), &options.project).await?;
    let text = match options.format.output.for_programs(|| project.to_value(), [project.name()]) {
        Some(text) => text,
        None => {
            let mut applications = session.list("", "").await?;
            applications.retain(is_in(&project));
            page(&project, &applications, session.paint)
        }
    };
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// What a project says, for people.
fn page(project: &Object, applications: &[Object], paint: Paint) -> String {
    let (AppProject { spec, .. }, problems) = AppProject::read(project);
    let mut text = format!("{} {}\n", paint.tone(Tone::Strong, "Project"), project.name());
    if !spec.description.0.is_empty() {
        let _ = writeln!(text, "{}", spec.description.0);
    }
    let mut section = |heading: &str, entries: &[String], none: &str| {
        let _ = writeln!(text, "{}", paint.tone(Tone::Strong, heading));
        for entry in entries {
            let _ = writeln!(text, "  {entry}");
        }
        if entries.is_empty() && !none.is_empty() {
            let _ = writeln!(text, "  {}", paint.tone(Tone::Dim, none));
        }
    };
    section("Sources", &texts(&spec.source_repos), "none: no Application of it can be deployed");
    section("Destinations", &destinations(&spec), "none: no Application of it can be deployed");
    section("Kinds without namespace that are allowed", &allowed_cluster_kinds(&spec), "none");
    let denied: Vec<String> =
        spec.cluster_resource_blacklist.iter().map(|it| kind_text(&it.group, &it.kind, &it.name)).collect();
    if !denied.is_empty() {
        section("Kinds without namespace that are denied", &denied, "");
    }
    if let Some(kinds) = &spec.namespace_resource_whitelist {
        let kinds: Vec<String> = kinds.iter().map(|it| kind_text(&it.group, &it.kind, "")).collect();
        section("Namespaced kinds that are allowed", &kinds, "none");
    }
    let denied: Vec<String> =
        spec.namespace_resource_blacklist.iter().map(|it| kind_text(&it.group, &it.kind, "")).collect();
    if !denied.is_empty() {
        section("Namespaced kinds that are denied", &denied, "");
    }
    if !spec.source_namespaces.is_empty() {
        section("Namespaces of Applications", &texts(&spec.source_namespaces), "");
    }
    let accounts: Vec<String> = spec
        .destination_service_accounts
        .iter()
        .map(|it| format!("{},{} as {}", it.server, it.namespace, it.default_service_account))
        .collect();
    if !accounts.is_empty() {
        section("ServiceAccounts that write", &accounts, "");
    }
    let said: Vec<String> = applications
        .iter()
        .map(|it| {
            let status = |path: &[&str]| match it.str_at(path) {
                "" => "Unknown".to_owned(),
                said => said.to_owned(),
            };
            let sync = status(&["status", "sync", "status"]);
            let health = status(&["status", "health", "status"]);
            let name = format!("{}/{}", it.namespace(), it.name());
            format!(
                "{name}  {}  {}",
                paint.tone(output::tone_of(&sync), &sync),
                paint.tone(output::tone_of(&health), &health)
            )
        })
        .collect();
    section("Applications", &said, "none");
    let problems: Vec<String> = problems.iter().map(|problem| problem.path.to_string()).collect();
    if !problems.is_empty() {
        section("Fields that are not understood", &problems, "");
    }
    for (heading, table) in
        [("Sync windows", super::windows::table(project, now())), ("Roles", super::roles::table(project))]
    {
        if !table.is_empty() {
            let _ = write!(text, "{}\n{}", paint.tone(Tone::Strong, heading), table.print(paint));
        }
    }
    text
}

pub(super) async fn delete(session: &Session, options: &DeleteOptions) -> Result<ExitCode> {
    let kind = Kind::project();
    let applications = session.list("", "").await?;
    for name in &options.projects {
        let project = session.get_of(&kind, name).await?;
        let n_applications = count_in(&project, &applications);
        if n_applications > 0 {
            return Err(Advised::error(
                format!("project {name} has {}", output::count(n_applications, "Application")),
                format!(
                    "`windlass app list --all-namespaces --project {name}` shows them; without it they could not be deployed"
                ),
            ));
        }
        let deleted = session.delete_of(&kind, &project).await;
        deleted.map_err(|error| explained(&kind, error, &format!("AppProject {name}")))?;
        output::note(&format!("Project {name} deleted."));
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> Object {
        Object::try_new(windlass_yaml::load(text).unwrap()).unwrap()
    }

    fn payments() -> Object {
        object(
            "apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata: {name: payments, namespace: argocd}
spec:
  description: Team Payments
  sourceRepos: [a, b, c]
  destinations: [{server: 'https://kubernetes.default.svc', namespace: pay}, {name: prod, namespace: '*'}]
  clusterResourceWhitelist: [{group: '', kind: Namespace, name: pay-*}]
  syncWindows: [{kind: deny, schedule: '0 9 * * *', duration: 1h, applications: ['*']}]
  roles: [{name: ci, policies: [x]}]
",
        )
    }

    fn application() -> Object {
        object(
            "apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: web, namespace: argocd}
spec: {project: payments}
status: {sync: {status: Synced}}
",
        )
    }

    #[test]
    fn a_row_says_what_is_allowed() {
        let text = table(&[payments()], &[application()], false).print(Paint(false));
        let row: Vec<&str> =
            text.lines().nth(1).unwrap().split("   ").map(str::trim).filter(|it| !it.is_empty()).collect();
        assert_eq!(
            row,
            ["payments", "1", "here,pay prod,*", "a b +1", "Namespace/pay-*", "1", "1", "Team Payments"]
        );
    }

    #[test]
    fn a_page_says_who_is_in_it() {
        let text = page(&payments(), &[application()], Paint(false));
        for said in
            ["Project payments", "Team Payments", "  here,pay", "  argocd/web  Synced  Unknown", "deny", "ci"]
        {
            assert!(text.contains(said), "{said} in\n{text}");
        }
    }
}
