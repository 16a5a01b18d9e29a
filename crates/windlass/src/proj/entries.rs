//! `windlass proj add-…`, `remove-…`, `allow-…` and `deny-…`: one entry of one list.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};
use windlass_kube::{Value, value};

use super::change_spec;
use crate::session::Session;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Allow a repository; with ! before it, deny it.
    #[command(after_help = "\
EXAMPLES
  windlass proj add-source payments 'https://git.example.org/payments/*'
  windlass proj add-source payments '!https://git.example.org/payments/old.git'")]
    AddSource(Entry),
    /// Take a repository away.
    RemoveSource(Entry),
    /// Allow a destination: a cluster and a namespace.
    #[command(after_help = "\
EXAMPLES
  windlass proj add-destination payments https://kubernetes.default.svc 'payments-*'
  windlass proj add-destination payments production payments --name
  windlass proj add-destination payments '*' '!kube-system'")]
    AddDestination(Destination),
    /// Take a destination away.
    RemoveDestination(Destination),
    /// Let what goes to a destination be written by a ServiceAccount.
    AddDestinationServiceAccount(Account),
    /// No longer let what goes to a destination be written by a ServiceAccount.
    RemoveDestinationServiceAccount(Account),
    /// Let Applications of another namespace be in the project.
    AddSourceNamespace(Entry),
    /// No longer let Applications of another namespace be in the project.
    RemoveSourceNamespace(Entry),
    /// Ask for commits that are signed by a key.
    AddSignatureKey(Entry),
    /// No longer ask for commits that are signed by a key.
    RemoveSignatureKey(Entry),
    /// Leave a kind out when orphaned objects are looked for.
    AddOrphanedIgnore(NamedKind),
    /// Look at a kind again when orphaned objects are looked for.
    RemoveOrphanedIgnore(NamedKind),
    /// Allow a kind without namespace: put it on the list of those allowed, or with --list deny take it off the other.
    AllowClusterResource(Rule),
    /// Deny a kind without namespace: take it off the list of those allowed, or with --list deny put it on the other.
    DenyClusterResource(Rule),
    /// Allow a namespaced kind: take it off the list of those denied, or with --list allow put it on the other.
    AllowNamespaceResource(NamespacedRule),
    /// Deny a namespaced kind: put it on the list of those denied, or with --list allow take it off the other.
    DenyNamespaceResource(NamespacedRule),
}

/// A project and an entry of one of its lists.
#[derive(Debug, Clone, Args)]
pub(super) struct Entry {
    /// The project.
    project: String,
    /// What is added or taken away; globs as everywhere in projects.
    entry: String,
}

#[derive(Debug, Clone, Args)]
pub(super) struct Destination {
    /// The project.
    project: String,
    /// The cluster's address, or with --name its name.
    cluster: String,
    /// The namespace.
    #[arg(id = "destination_namespace", value_name = "NAMESPACE")]
    namespace: String,
    /// The cluster is given by its name.
    #[arg(long)]
    name: bool,
}

#[derive(Debug, Clone, Args)]
pub(super) struct Account {
    /// The project.
    project: String,
    /// The cluster's address.
    server: String,
    /// The namespace.
    #[arg(id = "destination_namespace", value_name = "NAMESPACE")]
    namespace: String,
    /// The ServiceAccount: NAME in that namespace, or NAMESPACE:NAME.
    account: String,
}

#[derive(Debug, Clone, Args)]
pub(super) struct NamedKind {
    /// The project.
    project: String,
    /// The kind's group; empty for the core group.
    group: String,
    /// The kind.
    kind: String,
    /// Only objects of this name.
    #[arg(long, default_value = "", hide_default_value = true, value_name = "NAME")]
    name: String,
}

#[derive(Debug, Clone, Args)]
pub(super) struct Rule {
    /// The project.
    project: String,
    /// The kind's group; empty for the core group.
    group: String,
    /// The kind.
    kind: String,
    /// Only objects of this name.
    #[arg(default_value = "", hide_default_value = true)]
    name: String,
    /// Which list is changed.
    #[arg(short, long, value_enum, default_value_t = List::Allow, value_name = "LIST")]
    list: List,
}

#[derive(Debug, Clone, Args)]
pub(super) struct NamespacedRule {
    /// The project.
    project: String,
    /// The kind's group; empty for the core group.
    group: String,
    /// The kind.
    kind: String,
    /// Which list is changed.
    #[arg(short, long, value_enum, default_value_t = List::Deny, value_name = "LIST")]
    list: List,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum List {
    /// The kinds that are allowed.
    #[value(alias = "white")]
    Allow,
    /// The kinds that are denied.
    #[value(alias = "black")]
    Deny,
}

/// One entry of one list, and whether it is to be there.
struct Edit<'a> {
    project: &'a str,
    path: &'static [&'static str],
    entry: Value,
    adds: bool,
    /// The entry, for people.
    shown: String,
}

impl Edit<'_> {
    /// Changes the list in `spec`.
    fn apply(&self, spec: &mut Value) {
        let mut list = spec.items_at(self.path).to_vec();
        if !self.adds {
            list.retain(|other| *other != self.entry);
        } else if !list.contains(&self.entry) {
            list.push(self.entry.clone());
        }
        if list.len() != spec.items_at(self.path).len() {
            spec.set_at(self.path, list);
        }
    }
}

fn edit(verb: &Verb) -> Edit<'_> {
    match verb {
        Verb::AddSource(it) => text(it, &["sourceRepos"], true),
        Verb::RemoveSource(it) => text(it, &["sourceRepos"], false),
        Verb::AddSourceNamespace(it) => text(it, &["sourceNamespaces"], true),
        Verb::RemoveSourceNamespace(it) => text(it, &["sourceNamespaces"], false),
        Verb::AddSignatureKey(it) => signature_key(it, true),
        Verb::RemoveSignatureKey(it) => signature_key(it, false),
        Verb::AddDestination(it) => destination(it, true),
        Verb::RemoveDestination(it) => destination(it, false),
        Verb::AddDestinationServiceAccount(it) => account(it, true),
        Verb::RemoveDestinationServiceAccount(it) => account(it, false),
        Verb::AddOrphanedIgnore(it) => orphaned(it, true),
        Verb::RemoveOrphanedIgnore(it) => orphaned(it, false),
        Verb::AllowClusterResource(it) => cluster_rule(it, true),
        Verb::DenyClusterResource(it) => cluster_rule(it, false),
        Verb::AllowNamespaceResource(it) => namespaced_rule(it, true),
        Verb::DenyNamespaceResource(it) => namespaced_rule(it, false),
    }
}

fn text<'a>(Entry { project, entry }: &'a Entry, path: &'static [&'static str], adds: bool) -> Edit<'a> {
    Edit { project, path, entry: entry.as_str().into(), adds, shown: entry.clone() }
}

fn signature_key(Entry { project, entry }: &Entry, adds: bool) -> Edit<'_> {
    let key = value!({"keyID": (entry.as_str())});
    Edit { project, path: &["signatureKeys"], entry: key, adds, shown: format!("key {entry}") }
}

fn destination(Destination { project, cluster, namespace, name }: &Destination, adds: bool) -> Edit<'_> {
    let field = if *name { "name" } else { "server" };
    let mut entry = value!({"namespace": (namespace.as_str())});
    entry.set_at(&[field], cluster.as_str());
    Edit { project, path: &["destinations"], entry, adds, shown: format!("{cluster}, {namespace}") }
}

fn account(Account { project, server, namespace, account }: &Account, adds: bool) -> Edit<'_> {
    let entry = account_entry(server, namespace, account);
    let shown = format!("{server}, {namespace} as {account}");
    Edit { project, path: &["destinationServiceAccounts"], entry, adds, shown }
}

fn orphaned(NamedKind { project, group, kind, name }: &NamedKind, adds: bool) -> Edit<'_> {
    of_kind(project, &["orphanedResources", "ignore"], [group, kind, name], adds)
}

fn cluster_rule(Rule { project, group, kind, name, list }: &Rule, allows: bool) -> Edit<'_> {
    let path: &[&str] = match list {
        List::Allow => &["clusterResourceWhitelist"],
        List::Deny => &["clusterResourceBlacklist"],
    };
    of_kind(project, path, [group, kind, name], allows == (*list == List::Allow))
}

fn namespaced_rule(NamespacedRule { project, group, kind, list }: &NamespacedRule, allows: bool) -> Edit<'_> {
    let path: &[&str] = match list {
        List::Allow => &["namespaceResourceWhitelist"],
        List::Deny => &["namespaceResourceBlacklist"],
    };
    of_kind(project, path, [group, kind, ""], allows == (*list == List::Allow))
}

/// An entry that names a kind, or objects of it.
fn of_kind<'a>(
    project: &'a str,
    path: &'static [&'static str],
    [group, kind, name]: [&str; 3],
    adds: bool,
) -> Edit<'a> {
    Edit { project, path, entry: kind_entry(group, kind, name), adds, shown: kind_text(group, kind, name) }
}

/// What a list of kinds says of one: all of its objects, or with a name those of that name.
pub(super) fn kind_entry(group: &str, kind: &str, name: &str) -> Value {
    let mut entry = value!({"group": (group), "kind": (kind)});
    if !name.is_empty() {
        entry.set_at(&["name"], name);
    }
    entry
}

/// What a list of ServiceAccounts says of one.
pub(super) fn account_entry(server: &str, namespace: &str, account: &str) -> Value {
    value!({"server": (server), "namespace": (namespace), "defaultServiceAccount": (account)})
}

/// `GROUP/KIND/NAME`, with only what is there.
pub(super) fn kind_text(group: &str, kind: &str, name: &str) -> String {
    let group = if group.is_empty() { String::new() } else { format!("{group}/") };
    let name = if name.is_empty() { String::new() } else { format!("/{name}") };
    format!("{group}{kind}{name}")
}

pub(super) async fn run(session: &Session, verb: &Verb) -> Result<ExitCode> {
    let edit = edit(verb);
    let list = edit.path.join(".");
    let done = if edit.adds { "is on" } else { "is no longer on" };
    let done = format!("{} {done} spec.{list}", edit.shown);
    change_spec(session, edit.project, &done, |spec| {
        edit.apply(spec);
        Ok(())
    })
    .await
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(subcommand)]
        verb: Verb,
    }

    fn applied(before: &str, line: &str) -> String {
        let mut spec = windlass_yaml::load(before).unwrap();
        let words = std::iter::once("proj").chain(line.split_whitespace());
        let Line { verb } = Line::try_parse_from(words).unwrap();
        edit(&verb).apply(&mut spec);
        serde_json::to_string(&spec).unwrap()
    }

    /// What `argocd proj` 3.6 makes of the same words.
    #[test]
    fn words_become_entries() {
        for (before, line, after) in [
            ("{}", "add-source p u", r#"{"sourceRepos":["u"]}"#),
            ("{sourceRepos: [u]}", "add-source p u", r#"{"sourceRepos":["u"]}"#),
            ("{sourceRepos: [u, v]}", "remove-source p u", r#"{"sourceRepos":["v"]}"#),
            ("{}", "remove-source p u", "{}"),
            ("{}", "add-destination p s n", r#"{"destinations":[{"namespace":"n","server":"s"}]}"#),
            ("{}", "add-destination p c n --name", r#"{"destinations":[{"name":"c","namespace":"n"}]}"#),
            (
                "{}",
                "allow-cluster-resource p rbac.authorization.k8s.io ClusterRole",
                r#"{"clusterResourceWhitelist":[{"group":"rbac.authorization.k8s.io","kind":"ClusterRole"}]}"#,
            ),
            (
                "{clusterResourceWhitelist: [{group: a, kind: B, name: c-*}]}",
                "deny-cluster-resource p a B c-*",
                r#"{"clusterResourceWhitelist":[]}"#,
            ),
            (
                "{}",
                "deny-cluster-resource p a B --list deny",
                r#"{"clusterResourceBlacklist":[{"group":"a","kind":"B"}]}"#,
            ),
            (
                "{}",
                "deny-namespace-resource p batch Job",
                r#"{"namespaceResourceBlacklist":[{"group":"batch","kind":"Job"}]}"#,
            ),
            (
                "{namespaceResourceBlacklist: [{group: batch, kind: Job}]}",
                "allow-namespace-resource p batch Job",
                r#"{"namespaceResourceBlacklist":[]}"#,
            ),
            (
                "{}",
                "allow-namespace-resource p batch Job --list allow",
                r#"{"namespaceResourceWhitelist":[{"group":"batch","kind":"Job"}]}"#,
            ),
            (
                "{}",
                "add-orphaned-ignore p apps Deployment --name x",
                r#"{"orphanedResources":{"ignore":[{"group":"apps","kind":"Deployment","name":"x"}]}}"#,
            ),
            (
                "{}",
                "add-destination-service-account p s n sa",
                r#"{"destinationServiceAccounts":[{"defaultServiceAccount":"sa","namespace":"n","server":"s"}]}"#,
            ),
            ("{}", "add-signature-key p ABCD", r#"{"signatureKeys":[{"keyID":"ABCD"}]}"#),
        ] {
            assert_eq!(applied(before, line), after, "{line}");
        }
    }
}
