//! `windlass actions`: what can be done to objects, and what that would write, without any server.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand};
use windlass_argo::Customizations;
use windlass_assess::actions::{Action, Change, UserActions, actions, run_action};
use windlass_kube::{Object, Str, Value, merge_patch, value};

use crate::health::{now, read_objects, settings};
use crate::output::{self, ColorOption, Format, FormatOption, Paint, Table};

/// Options of `windlass actions`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ActionsOptions {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Clone, Subcommand)]
enum Verb {
    /// List the actions of objects.
    #[command(after_help = "\
EXAMPLES
  windlass actions list deployment.yaml
  kubectl get rollout web -o yaml | windlass actions list -")]
    List(ListOptions),
    /// Print what an action would write; nothing is written.
    #[command(after_help = "\
EXAMPLES
  windlass actions run deployment.yaml restart
  windlass actions run deployment.yaml scale --param replicas=3 -o json

What is printed is a merge patch, or the whole object where the action makes one. Exit code: 0 when the action could be \
performed, 1 when not.")]
    Run(RunOptions),
}

#[derive(Debug, Clone, Args)]
struct ListOptions {
    /// Files of objects, YAML or JSON; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The settings of a control plane: a file with the ConfigMap argocd-cm, whose actions count too.
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Debug, Clone, Args)]
struct RunOptions {
    /// A file of one object, YAML or JSON; `-` is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The action's name.
    #[arg(value_name = "ACTION")]
    action: String,
    /// A parameter of the action.
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = parameter)]
    parameters: Vec<(Str, Str)>,
    /// The settings of a control plane: a file with the ConfigMap argocd-cm, whose actions count too.
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    #[command(flatten)]
    format: FormatOption,
}

pub(crate) fn parameter(text: &str) -> Result<(Str, Str), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE, such as replicas=3")?;
    Ok((name.into(), value.into()))
}

pub(crate) fn run(options: &ActionsOptions) -> Result<ExitCode> {
    match &options.verb {
        Verb::List(options) => list(options),
        Verb::Run(options) => perform(options),
    }
}

/// The actions that a user defined for the kind of an object.
pub(crate) fn own_actions(object: &Object, said: &Customizations) -> Result<Option<UserActions>> {
    let gvk = object.gvk();
    let kind = if gvk.group.is_empty() { gvk.kind } else { format!("{}/{}", gvk.group, gvk.kind).into() };
    let exact = said.kinds.get(&kind).filter(|said| !said.actions.is_empty());
    let Some(found) = exact else { return Ok(None) };
    let clock: windlass_assess::lua::Clock = Arc::new(now);
    let read = UserActions::parse(&found.actions, &clock);
    Ok(Some(read.with_context(|| format!("the actions of {kind} cannot be used"))?))
}

/// All actions of an object.
pub(crate) fn actions_of(object: &Object, said: &Customizations) -> Result<Vec<Action>> {
    match own_actions(object, said)? {
        Some(own) => Ok(own.actions(object)?),
        None => Ok(actions(object)),
    }
}

fn customizations(settings_file: Option<&PathBuf>) -> Result<Customizations> {
    settings_file.map_or_else(|| Ok(Customizations::default()), |path| settings(path))
}

fn list(options: &ListOptions) -> Result<ExitCode> {
    let said = customizations(options.settings.as_ref())?;
    let mut found: Vec<(Object, Vec<Action>)> = Vec::new();
    for object in read_objects(&options.files)? {
        let known = actions_of(&object, &said)?;
        found.push((object, known));
    }
    output::print(&listed(&found, options.format.output, ColorOption::default().paint()))?;
    Ok(ExitCode::SUCCESS)
}

/// Actions in the form asked for.
pub(crate) fn listed(found: &[(Object, Vec<Action>)], form: Format, paint: Paint) -> String {
    let all = || found.iter().flat_map(|(object, known)| known.iter().map(move |action| (object, action)));
    match form {
        Format::Json => output::json(&output::list_of(all().map(|(object, action)| entry(object, action)))),
        Format::Yaml => output::documents(all().map(|(object, action)| entry(object, action))),
        Format::Name => all().map(|(_, action)| format!("{}\n", action.name)).collect(),
        Format::Table | Format::Wide => {
            let mut table = Table::new(["OBJECT", "ACTION", "AVAILABLE", "PARAMETERS", "TITLE"]);
            for (object, action) in all() {
                let parameters: Vec<&str> = action.parameters.iter().map(|it| it.name.as_str()).collect();
                table.row([
                    object.object_ref().to_string(),
                    action.name.to_string(),
                    if action.is_disabled { "no" } else { "yes" }.to_owned(),
                    parameters.join(", "),
                    action.title.to_string(),
                ]);
            }
            table.print(paint)
        }
    }
}

fn entry(object: &Object, action: &Action) -> Value {
    let key = object.object_ref();
    let parameters: Vec<Value> = action
        .parameters
        .iter()
        .map(|it| value!({"name": (it.name.clone()), "default": (it.default.clone())}))
        .collect();
    value!({
        "group": (key.group), "kind": (key.kind), "namespace": (key.namespace), "name": (key.name),
        "action": (action.name.clone()), "disabled": (action.is_disabled), "displayName": (action.title.clone()),
        "iconClass": (action.icon.clone()), "params": (parameters)
    })
}

fn perform(options: &RunOptions) -> Result<ExitCode> {
    let objects = read_objects(std::slice::from_ref(&options.file))?;
    ensure!(
        objects.len() == 1,
        "{} holds {} objects; an action is for one",
        options.file.display(),
        objects.len()
    );
    let object = &objects[0];
    let changes = match own_actions(object, &customizations(options.settings.as_ref())?)? {
        Some(own) => own.run(object, &options.action, &options.parameters, now())?,
        None => run_action(object, &options.action, &options.parameters, now())?,
    };
    let written = changes.iter().map(|change| match change {
        Change::Patch(next) => merge_patch::diff(&object.to_value(), &next.to_value()),
        Change::Create(made) => made.to_value(),
    });
    let text = match options.format.output {
        Format::Json => written.map(|value| output::json(&value)).collect(),
        _ => output::documents(written),
    };
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}
