//! `windlass proj windows`: when syncs are allowed or denied.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};
use windlass_argo::types::AppProject;
use windlass_kube::{Object, Value, value};
use windlass_model::Time;

use super::change_spec;
use crate::output::{self, Advised, FormatOption, Table};
use crate::session::{Kind, Session, now};

/// The list in a project's spec.
const WINDOWS: &[&str] = &["syncWindows"];

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// List a project's windows, and whether each is open.
    #[command(visible_alias = "ls")]
    List(ListOptions),
    /// Add a window.
    #[command(after_help = "\
EXAMPLES
  windlass proj windows add payments --kind allow --schedule '0 22 * * *' --duration 1h --applications '*'
  windlass proj windows add payments --kind deny --schedule '30 9 * * 1-5' --duration 8h \\
      --time-zone Europe/Berlin --namespaces 'prod-*' --manual-sync --description 'office hours'")]
    Add(AddOptions),
    /// Change a window; it is named by its ID in `list`.
    Update(UpdateOptions),
    /// Delete a window; it is named by its ID in `list`.
    Delete(Window),
    /// Let people sync while the window is in the way.
    EnableManualSync(Window),
    /// Forbid people too to sync while the window is in the way.
    DisableManualSync(Window),
    /// Let a sync that has begun go on when the window is in the way.
    EnableSyncOverrun(Window),
    /// End a sync that has begun when the window is in the way.
    DisableSyncOverrun(Window),
}

#[derive(Debug, Clone, Args)]
pub(super) struct ListOptions {
    /// The project.
    project: String,
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Debug, Clone, Args)]
pub(super) struct Window {
    /// The project.
    project: String,
    /// Its number in `windlass proj windows list`.
    id: usize,
}

#[derive(Debug, Clone, Args)]
pub(super) struct AddOptions {
    /// The project.
    project: String,
    /// Whether it allows or denies.
    #[arg(short, long, value_enum, value_name = "KIND")]
    kind: WindowKind,
    #[command(flatten)]
    fields: Fields,
    /// Let people sync all the same.
    #[arg(long)]
    manual_sync: bool,
    /// Let a sync that has begun go on.
    #[arg(long)]
    sync_overrun: bool,
    /// All of the lists must match that are given, not one of them.
    #[arg(long)]
    use_and_operator: bool,
}

#[derive(Debug, Clone, Args)]
pub(super) struct UpdateOptions {
    /// The project.
    project: String,
    /// Its number in `windlass proj windows list`.
    id: usize,
    #[command(flatten)]
    fields: Fields,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum WindowKind {
    /// Syncs are allowed while a window of this kind is open, and at no other time.
    Allow,
    /// Syncs are denied while it is open.
    Deny,
}

/// What a window says; lists take commas, or the flag several times.
#[derive(Debug, Clone, Args)]
struct Fields {
    /// When it opens, as cron says it: minute, hour, day of month, month, day of week.
    #[arg(long, value_name = "CRON")]
    schedule: Option<String>,
    /// How long it stays open, such as 30m or 2h.
    #[arg(long, value_name = "TIME")]
    duration: Option<String>,
    /// The time zone of the schedule, such as Europe/Berlin; UTC when absent.
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// What it is for.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// The Applications it is about, with globs.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    applications: Vec<String>,
    /// The namespaces it is about, with globs.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    namespaces: Vec<String>,
    /// The clusters it is about, by name or address, with globs.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    clusters: Vec<String>,
}

impl Fields {
    /// Writes what the flags say into a window.
    fn apply(&self, window: &mut Value) {
        let texts = [
            ("schedule", &self.schedule),
            ("duration", &self.duration),
            ("timeZone", &self.time_zone),
            ("description", &self.description),
        ];
        for (field, text) in texts {
            if let Some(text) = text {
                window.set_at(&[field], text.as_str());
            }
        }
        let lists = [
            ("applications", &self.applications),
            ("namespaces", &self.namespaces),
            ("clusters", &self.clusters),
        ];
        for (field, list) in lists {
            if !list.is_empty() {
                window.set_at(&[field], list.iter().map(|it| it.as_str().into()).collect::<Vec<Value>>());
            }
        }
    }
}

pub(super) async fn run(session: &Session, verb: &Verb) -> Result<ExitCode> {
    match verb {
        Verb::List(options) => list(session, options).await,
        Verb::Add(options) => {
            let mut window = Value::object();
            let kind = if options.kind == WindowKind::Allow { "allow" } else { "deny" };
            window.set_at(&["kind"], kind);
            options.fields.apply(&mut window);
            let switches = [
                ("manualSync", options.manual_sync),
                ("syncOverrun", options.sync_overrun),
                ("andOperator", options.use_and_operator),
            ];
            for (field, _) in switches.iter().filter(|(_, is_on)| *is_on) {
                window.set_at(&[field], true);
            }
            check(&window)?;
            change_spec(session, &options.project, &format!("{kind} window added"), |spec| {
                let mut windows = spec.items_at(WINDOWS).to_vec();
                windows.push(window.clone());
                spec.set_at(WINDOWS, windows);
                Ok(())
            })
            .await
        }
        Verb::Update(UpdateOptions { project, id, fields }) => {
            change_window(session, project, *id, "changed", |window| {
                fields.apply(window);
                check(window)
            })
            .await
        }
        Verb::Delete(Window { project, id }) => {
            change_spec(session, project, &format!("window {id} deleted"), |spec| {
                let mut windows = spec.items_at(WINDOWS).to_vec();
                check_id(&windows, *id)?;
                windows.remove(*id);
                spec.set_at(WINDOWS, windows);
                Ok(())
            })
            .await
        }
        Verb::EnableManualSync(window) => switch(session, window, "manualSync", true).await,
        Verb::DisableManualSync(window) => switch(session, window, "manualSync", false).await,
        Verb::EnableSyncOverrun(window) => switch(session, window, "syncOverrun", true).await,
        Verb::DisableSyncOverrun(window) => switch(session, window, "syncOverrun", false).await,
    }
}

async fn switch(
    session: &Session,
    Window { project, id }: &Window,
    field: &str,
    is_on: bool,
) -> Result<ExitCode> {
    let done = format!("{field} is {}", if is_on { "on" } else { "off" });
    change_window(session, project, *id, &done, |window| {
        if is_on {
            window.set_at(&[field], true);
        } else {
            window.remove_at(&[field]);
        }
        Ok(())
    })
    .await
}

async fn change_window(
    session: &Session,
    project: &str,
    id: usize,
    done: &str,
    change: impl Fn(&mut Value) -> Result<()>,
) -> Result<ExitCode> {
    change_spec(session, project, &format!("window {id}: {done}"), |spec| {
        let mut windows = spec.items_at(WINDOWS).to_vec();
        check_id(&windows, id)?;
        change(&mut windows[id])?;
        spec.set_at(WINDOWS, windows);
        Ok(())
    })
    .await
}

fn check_id(windows: &[Value], id: usize) -> Result<()> {
    if id < windows.len() {
        return Ok(());
    }
    Err(Advised::error(
        format!("the project has no window {id}"),
        "`windlass proj windows list PROJECT` shows those there are, by ID",
    ))
}

/// Whether the engine could use a window.
fn check(window: &Value) -> Result<()> {
    let object = Object::try_new(value!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": {"name": "new"},
        "spec": {"syncWindows": [(window.clone())]}
    }))?;
    let (project, _) = AppProject::read(&object);
    for window in &project.spec.sync_windows {
        windlass_argo::sync_window(window).map_err(|why| {
            Advised::error(
                format!("the window {why}"),
                "a schedule has five fields, such as '0 22 * * *'; a duration looks like 30m or 2h",
            )
        })?;
        if window.applications.is_empty() && window.namespaces.is_empty() && window.clusters.is_empty() {
            return Err(Advised::error(
                "the window is about nothing",
                "say what it is for with --applications, --namespaces or --clusters; '*' is for all",
            ));
        }
    }
    Ok(())
}

async fn list(session: &Session, options: &ListOptions) -> Result<ExitCode> {
    let project = session.get_of(&Kind::project(), &options.project).await?;
    let windows = project.items_at(&["spec", "syncWindows"]);
    let value = || Value::from(windows.to_vec());
    let text = match options.format.output.for_programs(value, 0..windows.len()) {
        Some(text) => text,
        None => {
            let table = table(&project, now());
            if table.is_empty() {
                output::note(&format!(
                    "Project {} has no windows: syncs are allowed at any time.",
                    options.project
                ));
                return Ok(ExitCode::SUCCESS);
            }
            table.print(session.paint)
        }
    };
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// The windows of a project, and how each is at `now`.
pub(super) fn table(project: &Object, now: Time) -> Table {
    let mut table = Table::new([
        "ID",
        "STATE",
        "UNTIL",
        "KIND",
        "SCHEDULE",
        "DURATION",
        "ZONE",
        "APPLICATIONS",
        "NAMESPACES",
        "CLUSTERS",
        "MANUAL",
        "OVERRUN",
        "MATCH",
        "DESCRIPTION",
    ]);
    let (read, _) = AppProject::read(project);
    for (id, declared) in read.spec.sync_windows.iter().enumerate() {
        let (state, until) = match windlass_argo::sync_window(declared) {
            Ok(window) => {
                let state = if window.is_open(now) { "Open" } else { "Closed" };
                (state, window.next_change(now).map_or_else(|| "-".into(), |time| time.to_string()))
            }
            Err(_) => ("Invalid", "-".into()),
        };
        let list = |list: &[windlass_kube::Str]| match list {
            [] => "-".to_owned(),
            some => some.iter().map(windlass_kube::Str::as_str).collect::<Vec<_>>().join(","),
        };
        let switch = |is_on: bool| if is_on { "yes" } else { "no" }.to_owned();
        let zone = if declared.time_zone.is_empty() { "UTC" } else { &declared.time_zone };
        table.row([
            id.to_string(),
            state.into(),
            until,
            declared.kind.to_string(),
            declared.schedule.to_string(),
            declared.duration.to_string(),
            zone.to_owned(),
            list(&declared.applications),
            list(&declared.namespaces),
            list(&declared.clusters),
            switch(declared.manual_sync),
            switch(declared.sync_overrun),
            if declared.and_operator { "all" } else { "any" }.to_owned(),
            declared.description.to_string(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Paint;

    fn project(windows: &str) -> Object {
        let text = format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {{name: p}}\nspec: {{syncWindows: {windows}}}\n"
        );
        Object::try_new(windlass_yaml::load(&text).unwrap()).unwrap()
    }

    #[test]
    fn a_row_says_whether_it_is_open() {
        let project = project(
            "[{kind: allow, schedule: '0 10 * * *', duration: 1h, applications: ['*']}, \
              {kind: deny, schedule: '0 10 * *', duration: 1h, namespaces: [a, b], manualSync: true}]",
        );
        let at = |time: &str| {
            let text = table(&project, time.parse().unwrap()).print(Paint(false));
            text.lines()
                .skip(1)
                .map(|line| line.split_whitespace().take(3).collect::<Vec<_>>().join(" "))
                .collect::<Vec<_>>()
        };
        assert_eq!(at("2026-05-01T10:30:00Z"), ["0 Open 2026-05-01T11:00:00Z", "1 Invalid -"]);
        assert_eq!(at("2026-05-01T11:00:00Z"), ["0 Closed 2026-05-02T10:00:00Z", "1 Invalid -"]);
    }

    #[test]
    fn windows_that_cannot_be_used_are_refused() {
        let window =
            |text: &str| check(&windlass_yaml::load(text).unwrap()).map_err(|error| error.to_string());
        assert_eq!(window("{kind: allow, schedule: '0 22 * * *', duration: 1h, applications: [a]}"), Ok(()));
        for (text, why) in [
            ("{kind: allow, schedule: '0 22 * * *', duration: 1h}", "is about nothing"),
            ("{kind: allow, schedule: '0 22 * *', duration: 1h, applications: [a]}", "cannot be used"),
            ("{kind: allow, schedule: '0 22 * * *', duration: long, applications: [a]}", "duration \"long\""),
            (
                "{kind: allow, schedule: '0 22 * * *', duration: 1h, timeZone: Here, applications: [a]}",
                "cannot be used",
            ),
        ] {
            let refused = window(text).unwrap_err();
            assert!(refused.contains(why), "{text}: {refused}");
        }
    }
}
