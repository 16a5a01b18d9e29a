//! `windlass cluster`: the clusters that Applications go to, as Secrets of the control plane.

mod add;
mod show;

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use windlass_cluster::{CLUSTER_SECRET, ClusterSecret, SECRET_TYPE};
use windlass_kube::Object;

use crate::output::{Advised, ColorOption};
use crate::session::{Connection, Kind, Session};

/// Options of `windlass cluster`.
#[derive(Debug, Args)]
pub(crate) struct ClusterOptions {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    color: ColorOption,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the clusters, and ask each how it is.
    #[command(visible_alias = "ls")]
    List(show::ListOptions),
    /// Show one cluster, by name or address.
    Get(show::GetOptions),
    /// Register a cluster: a context of your kubeconfig.
    #[command(after_help = "\
EXAMPLES
  windlass cluster add production
  windlass cluster add production --name prod-eu --label region=eu --namespaces shop,shop-jobs
  windlass cluster add eks --aws-cluster-name shop --aws-role-arn arn:aws:iam::123456789012:role/deploy

Makes the ServiceAccount argocd-manager there with all rights (or those of the namespaces that are given), and stores \
its token in a Secret of the control plane, in the form that Argo CD uses too.")]
    Add(Box<add::AddOptions>),
    /// Change what is said of a cluster.
    #[command(after_help = "\
EXAMPLES
  windlass cluster set prod-eu --label region=eu
  windlass cluster set prod-eu --namespaces '*'")]
    Set(add::SetOptions),
    /// Forget a cluster. What was deployed there stays.
    #[command(visible_alias = "remove")]
    Rm(show::RemoveOptions),
}

/// Runs a verb.
pub(crate) async fn run(options: ClusterOptions) -> Result<ExitCode> {
    let ClusterOptions { connection, color, verb } = options;
    let session = Session::connect(&connection, color.paint()).await?;
    match verb {
        Verb::List(options) => show::list(&session, &options).await,
        Verb::Get(options) => show::get(&session, &options).await,
        Verb::Add(options) => add::add(&session, &options).await,
        Verb::Set(options) => add::set(&session, &options).await,
        Verb::Rm(options) => show::remove(&session, &options).await,
    }
}

/// A registered cluster: its Secret, and what that says.
struct Registered {
    secret: Object,
    read: Result<ClusterSecret, String>,
}

impl Registered {
    fn name(&self) -> &str {
        self.read.as_ref().map_or_else(|_| self.secret.name(), |read| read.name.as_str())
    }

    fn server(&self) -> &str {
        self.read.as_ref().map_or("", |read| read.server.as_str())
    }
}

/// The registered clusters, by name. The one that holds the control plane is among them when it has a Secret.
async fn registered(session: &Session) -> Result<Vec<Registered>> {
    let selector = format!("{SECRET_TYPE}={CLUSTER_SECRET}");
    let secrets = session.list_of(&Kind::secret(), &session.namespace, &selector).await?;
    let read = |secret: Object| ClusterSecret::of(&secret).map(|read| Registered { secret, read });
    let mut clusters: Vec<Registered> = secrets.into_iter().filter_map(read).collect();
    clusters.sort_by(|a, b| a.name().cmp(b.name()));
    Ok(clusters)
}

/// The one that is meant by its name or address.
async fn find(session: &Session, named: &str) -> Result<Registered> {
    let clusters = registered(session).await?;
    let names: Vec<String> = clusters.iter().map(|cluster| cluster.name().to_owned()).collect();
    let server = named.trim_end_matches('/');
    let is_meant = |it: &Registered| it.name() == named || it.server().trim_end_matches('/') == server;
    let mut meant: Vec<Registered> = clusters.into_iter().filter(is_meant).collect();
    match meant.len() {
        0 => {
            let advice = match names[..] {
                [] => "none is registered; `windlass cluster add CONTEXT` registers one".to_owned(),
                _ => format!("those there are: {}", names.join(", ")),
            };
            Err(Advised::error(format!("there is no cluster {named}"), advice))
        }
        1 => Ok(meant.remove(0)),
        n => bail!("{n} clusters are called {named}; name the one that is meant by its address"),
    }
}
