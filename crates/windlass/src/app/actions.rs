//! `windlass app actions`: what can be done to an Application's live objects, and doing it.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use windlass_assess::actions::{Change, run_action};
use windlass_kube::{Object, ObjectRef, Str, merge_patch};

use super::destination::destination;
use super::source;
use crate::actions::{actions_of, listed, own_actions, parameter};
use crate::cli::LoginOptions;
use crate::health::now;
use crate::output::{self, Advised, FormatOption};
use crate::session::MANAGER;
use crate::session::Session;

/// Options of `windlass app actions`.
#[derive(Debug, Clone, Args)]
pub(super) struct ActionsOptions {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Clone, Subcommand)]
enum Verb {
    /// List what can be done to the objects of an Application.
    #[command(after_help = "\
EXAMPLES
  windlass app actions list guestbook
  windlass app actions list guestbook --kind Deployment")]
    List(ListOptions),
    /// Do it.
    #[command(after_help = "\
EXAMPLES
  windlass app actions run guestbook restart --kind Deployment --resource-name web
  windlass app actions run guestbook scale --kind Deployment --resource-name web --param replicas=3
  windlass app actions run guestbook restart --kind Deployment --all

Exit code: 0 when it was done to every object that was meant, 1 otherwise.")]
    Run(RunOptions),
}

#[derive(Debug, Clone, Args)]
struct ListOptions {
    /// The Application: NAME, or NAMESPACE/NAME.
    name: String,
    #[command(flatten)]
    chosen: Chosen,
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Debug, Clone, Args)]
struct RunOptions {
    /// The Application: NAME, or NAMESPACE/NAME.
    name: String,
    /// The action.
    action: String,
    #[command(flatten)]
    chosen: Chosen,
    /// A parameter of the action.
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = parameter)]
    parameters: Vec<(Str, Str)>,
    /// Do it to every object that is meant, however many there are.
    #[arg(long)]
    all: bool,
}

/// Which of an Application's objects are meant.
#[derive(Debug, Clone, Args)]
struct Chosen {
    /// Only objects of this kind.
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Only objects of this API group.
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// Only objects in this namespace.
    #[arg(long, value_name = "NAMESPACE")]
    resource_namespace: Option<String>,
    /// Only the object of this name.
    #[arg(long, value_name = "NAME")]
    resource_name: Option<String>,
    #[command(flatten)]
    logins: LoginOptions,
}

impl Chosen {
    fn means(&self, key: &ObjectRef) -> bool {
        let is = |wanted: &Option<String>, said: &str| wanted.as_deref().is_none_or(|wanted| wanted == said);
        is(&self.kind, &key.kind)
            && is(&self.group, &key.group)
            && is(&self.resource_namespace, &key.namespace)
            && is(&self.resource_name, &key.name)
    }
}

pub(super) async fn run(session: &Session, options: &ActionsOptions) -> Result<ExitCode> {
    match &options.verb {
        Verb::List(options) => list(session, options).await,
        Verb::Run(options) => perform(session, options).await,
    }
}

/// The objects that are meant, and a session with the cluster that they are in.
async fn chosen(session: &Session, name: &str, chosen: &Chosen) -> Result<(Session, Vec<Object>)> {
    let application = session.get(name).await?;
    let there = destination(session, &application, chosen.logins.allowed()).await?;
    let mut objects = super::tree::objects(&there, &application).await?;
    objects.retain(|object| chosen.means(&object.object_ref()));
    if objects.is_empty() {
        bail!("{name} has no such live object");
    }
    Ok((there, objects))
}

async fn list(session: &Session, options: &ListOptions) -> Result<ExitCode> {
    let customizations = source::settings(session).await?.customizations;
    let mut found = Vec::new();
    let (_, objects) = chosen(session, &options.name, &options.chosen).await?;
    for mut object in objects {
        object.remove_at(&["metadata", "managedFields"]);
        let known = actions_of(&object, &customizations)?;
        found.push((object, known));
    }
    output::print(&listed(&found, options.format.output, session.paint))?;
    Ok(ExitCode::SUCCESS)
}

async fn perform(session: &Session, options: &RunOptions) -> Result<ExitCode> {
    let customizations = source::settings(session).await?.customizations;
    let mut meant = Vec::new();
    let (there, objects) = chosen(session, &options.name, &options.chosen).await?;
    for object in objects {
        if actions_of(&object, &customizations)?.iter().any(|action| action.name == options.action) {
            meant.push(object);
        }
    }
    if meant.is_empty() {
        return Err(Advised::error(
            format!("none of these objects has an action {:?}", options.action),
            format!("see `windlass app actions list {}`", options.name),
        ));
    }
    if meant.len() > 1 && !options.all {
        let names: Vec<String> = meant.iter().map(|object| object.object_ref().to_string()).collect();
        return Err(Advised::error(
            format!("{} objects have it: {}", meant.len(), names.join(", ")),
            "name one with --resource-name, or say --all",
        ));
    }
    let discovery = super::tree::discover(&there).await?;
    let mut failed = false;
    for object in meant {
        let key = object.object_ref();
        match act(&there, &discovery, &object, options, &customizations).await {
            Ok(done) => output::note(&format!("{key}: {done}")),
            Err(error) => {
                failed = true;
                output::report(&error.context(format!("{key} stays as it is")));
            }
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Does it to one object, and says what was done.
async fn act(
    session: &Session,
    discovery: &windlass_cluster::Discovery,
    object: &Object,
    options: &RunOptions,
    customizations: &windlass_argo::Customizations,
) -> Result<String> {
    let changes = match own_actions(object, customizations)? {
        Some(own) => own.run(object, &options.action, &options.parameters, now())?,
        None => run_action(object, &options.action, &options.parameters, now())?,
    };
    let mut done = Vec::new();
    for change in changes {
        match change {
            Change::Patch(next) => {
                let mut patch = merge_patch::diff(&object.to_value(), &next.to_value());
                if patch.as_object().is_none_or(windlass_kube::Map::is_empty) {
                    done.push("nothing to change".to_owned());
                    continue;
                }
                // Who wrote in between is not overwritten unread.
                patch.set_at(&["metadata", "resourceVersion"], object.resource_version());
                let Some(resource) = discovery.serving(&object.gvk()) else {
                    bail!("its kind is not served")
                };
                let (namespace, name) = (object.namespace(), object.name());
                let patched = session.client.merge_patch(resource, namespace, name, &patch, MANAGER).await;
                patched.map_err(|error| session.explained(error, &object.object_ref().to_string()))?;
                done.push(format!("{} done", options.action));
            }
            Change::Create(made) => {
                let Some(resource) = discovery.serving(&made.gvk()) else {
                    bail!("the cluster does not serve {}", made.gvk())
                };
                let created = session.client.create(resource, &made, MANAGER).await;
                let created =
                    created.map_err(|error| session.explained(error, &made.object_ref().to_string()))?;
                done.push(format!("created {}", created.object_ref()));
            }
        }
    }
    Ok(done.join(", "))
}
