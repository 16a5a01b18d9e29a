//! `windlass proj`: the AppProjects, which say what Applications may deploy, from where and to where.

mod entries;
mod roles;
mod show;
mod spec;
mod windows;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use windlass_kube::{Value, merge_patch, value};

use crate::output::{self, ColorOption};
use crate::session::{Connection, Kind, Session};

/// Options of `windlass proj`.
#[derive(Debug, Args)]
pub(crate) struct ProjectOptions {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    color: ColorOption,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List projects.
    #[command(visible_alias = "ls")]
    List(show::ListOptions),
    /// Show one project: what it allows, who may what in it, and which Applications are in it.
    #[command(after_help = "\
EXAMPLES
  windlass proj get payments
  windlass proj get payments -o yaml")]
    Get(show::GetOptions),
    /// Create a project, from flags or from a file.
    #[command(after_help = "\
EXAMPLES
  windlass proj create payments --description 'Team Payments' \\
      --src 'https://git.example.org/payments/*' --dest 'https://kubernetes.default.svc,payments-*'
  windlass proj create --file payments.yaml --upsert

A new project allows nothing: neither a source nor a destination.")]
    Create(spec::CreateOptions),
    /// Change what a project says; each flag replaces the whole list that it is about.
    #[command(after_help = "\
EXAMPLES
  windlass proj set payments --src 'https://git.example.org/payments/*' --src 'https://charts.example.org'
  windlass proj set payments --allow-cluster-resource /Namespace/payments-*")]
    Set(spec::SetOptions),
    /// Delete projects that no Application is in.
    Delete(show::DeleteOptions),
    /// Add, take away, allow or deny one thing.
    #[command(flatten)]
    Entry(entries::Verb),
    /// The times at which syncs are allowed or denied.
    #[command(subcommand, visible_alias = "window")]
    Windows(windows::Verb),
    /// Roles: who may do what with the project's Applications.
    #[command(subcommand, visible_alias = "roles")]
    Role(roles::Verb),
}

/// Runs a verb.
pub(crate) async fn run(options: ProjectOptions) -> Result<ExitCode> {
    let ProjectOptions { connection, color, verb } = options;
    let session = Session::connect(&connection, color.paint()).await?;
    match verb {
        Verb::List(options) => show::list(&session, &options).await,
        Verb::Get(options) => show::get(&session, &options).await,
        Verb::Create(options) => spec::create(&session, &options).await,
        Verb::Set(options) => spec::set(&session, &options).await,
        Verb::Delete(options) => show::delete(&session, &options).await,
        Verb::Entry(verb) => entries::run(&session, &verb).await,
        Verb::Windows(verb) => windows::run(&session, &verb).await,
        Verb::Role(verb) => roles::run(&session, &verb).await,
    }
}

/// Changes a project's spec, and says `done` when there was something to change.
async fn change_spec(
    session: &Session,
    project: &str,
    done: &str,
    mut change: impl FnMut(&mut Value) -> Result<()>,
) -> Result<ExitCode> {
    let mut is_same = false;
    let changed = |live: &windlass_kube::Object| {
        let before = live.at(&["spec"]).cloned().unwrap_or_else(Value::object);
        let mut spec = before.clone();
        change(&mut spec)?;
        is_same = before == spec;
        Ok((!is_same).then(|| value!({"spec": (merge_patch::diff(&before, &spec))})))
    };
    session.update_of(&Kind::project(), project, changed).await?;
    if is_same {
        output::note(&format!("Project {project} says so already."));
    } else {
        output::note(&format!("Project {project}: {done}."));
    }
    Ok(ExitCode::SUCCESS)
}
