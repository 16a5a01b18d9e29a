//! `windlass app delete`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, ValueEnum};
use windlass_kube::{Object, Value, value};

use super::follow::{limit, timeout};
use super::wait::until_gone;
use crate::output;
use crate::session::Session;

/// The finalizer that makes deletion take the objects along; dependents go before their owners.
pub(super) const FINALIZER: &str = "resources-finalizer.argocd.argoproj.io";
/// The same, with dependents deleted afterwards.
const BACKGROUND_FINALIZER: &str = "resources-finalizer.argocd.argoproj.io/background";

/// What happens to the objects of a deleted Application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Cascade {
    /// They are deleted, dependents first.
    Foreground,
    /// They are deleted, dependents afterwards.
    Background,
    /// They stay.
    Orphan,
}

/// Options of `windlass app delete`.
#[derive(Debug, Clone, Args)]
pub(super) struct DeleteOptions {
    /// The Applications: NAME, or NAMESPACE/NAME.
    #[arg(required = true)]
    names: Vec<String>,
    /// What happens to its objects.
    #[arg(long, value_enum, default_value_t = Cascade::Foreground, value_name = "HOW")]
    cascade: Cascade,
    /// Do not ask.
    #[arg(short, long)]
    yes: bool,
    /// Wait until it is gone.
    #[arg(long)]
    wait: bool,
    /// How long to wait: seconds, or a time such as 5m; 0 is without end.
    #[arg(long, value_parser = timeout, default_value = "0", hide_default_value = true, value_name = "TIME")]
    timeout: Duration,
}

pub(super) async fn run(session: &Session, options: &DeleteOptions) -> Result<ExitCode> {
    for name in &options.names {
        let application = session.get(name).await?;
        if !options.yes && !confirmed(&application, options.cascade)? {
            output::note("Nothing was deleted.");
            return Ok(ExitCode::FAILURE);
        }
        let application =
            session.update(name, |application| Ok(finalizer_patch(application, options.cascade))).await?;
        session
            .delete(&application)
            .await
            .map_err(|error| session.explained(error, &format!("Application {name}")))?;
        if options.wait {
            until_gone(session, name, limit(options.timeout)).await?;
            output::note(&format!("Application {name} deleted."));
        } else if options.cascade == Cascade::Orphan {
            output::note(&format!("Application {name} deleted; its objects stay."));
        } else {
            output::note(&format!("Application {name} is being deleted, after its objects."));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The patch that gives it the finalizers that `cascade` needs; `None` when it has them.
fn finalizer_patch(application: &Object, cascade: Cascade) -> Option<Value> {
    let wanted = match cascade {
        Cascade::Foreground => Some(FINALIZER),
        Cascade::Background => Some(BACKGROUND_FINALIZER),
        Cascade::Orphan => None,
    };
    let metadata = application.at(&["metadata"]).cloned().unwrap_or_default();
    let before = metadata.items_at(&["finalizers"]);
    let is_other = |it: &&Value| it.as_str().is_none_or(|it| !it.starts_with(FINALIZER));
    let mut after: Vec<Value> = before.iter().filter(is_other).cloned().collect();
    after.extend(wanted.map(Value::from));
    let is_same = before.len() == after.len() && after.iter().all(|finalizer| before.contains(finalizer));
    (!is_same).then(|| value!({"metadata": {"finalizers": (after)}}))
}

fn confirmed(application: &Object, cascade: Cascade) -> Result<bool> {
    let n_objects = application.items_at(&["status", "resources"]).len();
    let with = match cascade {
        Cascade::Orphan => "; its objects stay".to_owned(),
        Cascade::Foreground | Cascade::Background => format!(" and its {n_objects} objects"),
    };
    let name = format!("{}/{}", application.namespace(), application.name());
    output::confirmed(&format!("Delete Application {name}{with}?"), "say --yes to delete without a question")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finalizers_follow_the_cascade() {
        let application = |finalizers: &str| {
            let text = format!(
                "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: a, finalizers: {finalizers}}}\n"
            );
            Object::try_new(windlass_yaml::load(&text).unwrap()).unwrap()
        };
        let plain = "resources-finalizer.argocd.argoproj.io";
        for (before, cascade, after) in [
            ("[]", Cascade::Foreground, Some(vec![plain])),
            ("[resources-finalizer.argocd.argoproj.io]", Cascade::Foreground, None),
            (
                "[other, resources-finalizer.argocd.argoproj.io/background]",
                Cascade::Foreground,
                Some(vec!["other", plain]),
            ),
            ("[]", Cascade::Background, Some(vec!["resources-finalizer.argocd.argoproj.io/background"])),
            ("[resources-finalizer.argocd.argoproj.io]", Cascade::Orphan, Some(vec![])),
            ("[other]", Cascade::Orphan, None),
        ] {
            let patch = finalizer_patch(&application(before), cascade);
            let found = patch.as_ref().map(|patch| {
                let list = patch.items_at(&["metadata", "finalizers"]);
                list.iter().filter_map(Value::as_str).collect::<Vec<_>>()
            });
            assert_eq!(found, after, "{before} {cascade:?}");
        }
    }
}
