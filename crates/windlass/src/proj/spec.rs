//! `windlass proj create` and `set`: flags to a spec.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use windlass_kube::{Object, Value, value};

use super::change_spec;
use super::entries::{account_entry, kind_entry};
use crate::output::{self, Advised};
use crate::session::{Kind, MANAGER, Session, explained};

/// What a project says, by flags. All but the texts may be given several times.
#[derive(Debug, Clone, Default, Args)]
struct SpecFlags {
    /// What it is for.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// A repository that is allowed; with ! before it, denied.
    #[arg(short, long = "src", value_name = "URL")]
    sources: Vec<String>,
    /// A destination that is allowed: address of the cluster and namespace.
    #[arg(short, long = "dest", value_name = "SERVER,NAMESPACE")]
    destinations: Vec<String>,
    /// A ServiceAccount that writes what goes to a destination.
    #[arg(long = "dest-service-accounts", value_name = "SERVER,NAMESPACE,ACCOUNT")]
    accounts: Vec<String>,
    /// A kind without namespace that is allowed: KIND, GROUP/KIND or GROUP/KIND/NAME.
    #[arg(long = "allow-cluster-resource", value_name = "KIND")]
    cluster_allowed: Vec<String>,
    /// A kind without namespace that is denied.
    #[arg(long = "deny-cluster-resource", value_name = "KIND")]
    cluster_denied: Vec<String>,
    /// A namespaced kind that is allowed: KIND or GROUP/KIND. All are when there is none.
    #[arg(long = "allow-namespaced-resource", value_name = "KIND")]
    namespaced_allowed: Vec<String>,
    /// A namespaced kind that is denied.
    #[arg(long = "deny-namespaced-resource", value_name = "KIND")]
    namespaced_denied: Vec<String>,
    /// A namespace whose Applications may be in the project, beside those of the control plane's own.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    source_namespaces: Vec<String>,
    /// An OpenPGP key by which commits must be signed.
    #[arg(long, value_delimiter = ',', value_name = "IDS")]
    signature_keys: Vec<String>,
    /// Look for objects in the destinations that no Application declares.
    #[arg(long)]
    orphaned_resources: bool,
    /// Warn of such objects.
    #[arg(long, value_name = "true|false")]
    orphaned_resources_warn: Option<bool>,
}

#[derive(Debug, Clone, Args)]
pub(super) struct CreateOptions {
    /// Its name; with --file, that of the file by default.
    #[arg(required_unless_present = "file")]
    project: Option<String>,
    /// A file with the project, - for standard input; flags change what it says.
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    spec: SpecFlags,
    /// If it exists, make it say this instead.
    #[arg(long)]
    upsert: bool,
}

#[derive(Debug, Clone, Args)]
pub(super) struct SetOptions {
    /// The project.
    project: String,
    #[command(flatten)]
    spec: SpecFlags,
}

pub(super) async fn set(session: &Session, options: &SetOptions) -> Result<ExitCode> {
    change_spec(session, &options.project, "changed", |spec| options.spec.apply(spec)).await
}

pub(super) async fn create(session: &Session, options: &CreateOptions) -> Result<ExitCode> {
    let kind = Kind::project();
    let mut project = match &options.file {
        Some(path) => crate::app::object_in_file(path, "AppProject")?,
        None => Value::object(),
    };
    project.set_at(&["apiVersion"], format!("{}/{}", windlass_argo::GROUP, windlass_argo::VERSION));
    project.set_at(&["kind"], "AppProject");
    if let Some(name) = &options.project {
        project.set_at(&["metadata", "name"], name.as_str());
    }
    project.set_at(&["metadata", "namespace"], session.namespace.as_str());
    let mut spec = project.remove_at(&["spec"]).unwrap_or_else(Value::object);
    options.spec.apply(&mut spec)?;
    project.set_at(&["spec"], spec.clone());
    let project = Object::try_new(project)?;
    let name = project.name();
    match session.client.create(&kind.resource, &project, MANAGER).await {
        Ok(_) => {
            output::note(&format!("Project {name} created."));
            return Ok(ExitCode::SUCCESS);
        }
        Err(error) if error.is_conflict() => {}
        Err(error) => return Err(explained(&kind, error, &format!("AppProject {name}"))),
    }
    let live = session.get_of(&kind, name).await?;
    let before = live.at(&["spec"]).cloned().unwrap_or_else(Value::object);
    if before == spec {
        output::note(&format!("Project {name} is there already, and says the same."));
        return Ok(ExitCode::SUCCESS);
    }
    if !options.upsert {
        return Err(Advised::error(
            format!("project {name} exists and says something else"),
            "--upsert makes it say this; `windlass proj set` changes single fields",
        ));
    }
    change_spec(session, name, "changed", |live| {
        live.clone_from(&spec);
        Ok(())
    })
    .await
}

impl SpecFlags {
    /// Writes what the flags say into a spec; each list is replaced.
    fn apply(&self, spec: &mut Value) -> Result<()> {
        if let Some(text) = &self.description {
            spec.set_at(&["description"], text.as_str());
        }
        let mut list = |field: &str, texts: &[String], entry: &dyn Fn(&str) -> Result<Value>| -> Result<()> {
            if !texts.is_empty() {
                let entries: Result<Vec<Value>> = texts.iter().map(|text| entry(text)).collect();
                spec.set_at(&[field], entries?);
            }
            Ok(())
        };
        let plain = |text: &str| Ok(Value::from(text));
        list("sourceRepos", &self.sources, &plain)?;
        list("sourceNamespaces", &self.source_namespaces, &plain)?;
        list("signatureKeys", &self.signature_keys, &|key| Ok(value!({"keyID": (key)})))?;
        list("destinations", &self.destinations, &destination)?;
        list("destinationServiceAccounts", &self.accounts, &account)?;
        list("clusterResourceWhitelist", &self.cluster_allowed, &cluster_kind)?;
        list("clusterResourceBlacklist", &self.cluster_denied, &cluster_kind)?;
        list("namespaceResourceWhitelist", &self.namespaced_allowed, &namespaced_kind)?;
        list("namespaceResourceBlacklist", &self.namespaced_denied, &namespaced_kind)?;
        if self.orphaned_resources || self.orphaned_resources_warn.is_some() {
            let mut settings = spec.at(&["orphanedResources"]).cloned().unwrap_or_else(Value::object);
            if let Some(warns) = self.orphaned_resources_warn {
                settings.set_at(&["warn"], warns);
            }
            spec.set_at(&["orphanedResources"], settings);
        }
        Ok(())
    }
}

fn destination(text: &str) -> Result<Value> {
    match text.split(',').collect::<Vec<_>>()[..] {
        [server, namespace] => Ok(value!({"server": (server), "namespace": (namespace)})),
        _ => bail!("--dest {text:?}: write SERVER,NAMESPACE"),
    }
}

fn account(text: &str) -> Result<Value> {
    match text.split(',').collect::<Vec<_>>()[..] {
        [server, namespace, account] => Ok(account_entry(server, namespace, account)),
        _ => bail!("--dest-service-accounts {text:?}: write SERVER,NAMESPACE,ACCOUNT"),
    }
}

fn cluster_kind(text: &str) -> Result<Value> {
    match text.split('/').collect::<Vec<_>>()[..] {
        [group, kind, name] => Ok(kind_entry(group, kind, name)),
        _ => namespaced_kind(text),
    }
}

fn namespaced_kind(text: &str) -> Result<Value> {
    match text.split('/').collect::<Vec<_>>()[..] {
        [kind] => Ok(kind_entry("", kind, "")),
        [group, kind] => Ok(kind_entry(group, kind, "")),
        _ => bail!("{text:?} is no kind: write KIND or GROUP/KIND"),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        spec: SpecFlags,
    }

    /// What `argocd proj set` 3.6 makes of the same flags.
    #[test]
    fn flags_become_a_spec() {
        for (before, line, after) in [
            ("{}", "", "{}"),
            ("{sourceRepos: [a]}", "--src b --src c", r#"{"sourceRepos":["b","c"]}"#),
            ("{}", "--dest s,n", r#"{"destinations":[{"namespace":"n","server":"s"}]}"#),
            (
                "{}",
                "--allow-cluster-resource ClusterRole --allow-cluster-resource /Namespace/team-*",
                r#"{"clusterResourceWhitelist":[{"group":"","kind":"ClusterRole"},{"group":"","kind":"Namespace","name":"team-*"}]}"#,
            ),
            (
                "{}",
                "--deny-namespaced-resource batch/Job",
                r#"{"namespaceResourceBlacklist":[{"group":"batch","kind":"Job"}]}"#,
            ),
            ("{}", "--orphaned-resources", r#"{"orphanedResources":{}}"#),
            ("{}", "--orphaned-resources-warn false", r#"{"orphanedResources":{"warn":false}}"#),
            ("{}", "--source-namespaces a,b", r#"{"sourceNamespaces":["a","b"]}"#),
        ] {
            let mut spec = windlass_yaml::load(before).unwrap();
            let words = std::iter::once("set").chain(line.split_whitespace());
            Line::try_parse_from(words).unwrap().spec.apply(&mut spec).unwrap();
            assert_eq!(serde_json::to_string(&spec).unwrap(), after, "{line}");
        }
        for line in ["--dest s", "--allow-namespaced-resource a/b/c", "--dest-service-accounts a,b"] {
            let words = std::iter::once("set").chain(line.split_whitespace());
            let flags = Line::try_parse_from(words).unwrap().spec;
            assert!(flags.apply(&mut Value::object()).is_err(), "{line}");
        }
    }
}
