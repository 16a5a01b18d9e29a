//! Clusters that Applications may name as their destination.

use windlass_kube::Str;
use windlass_model::ClusterRef;

use crate::Settings;
use crate::types::Destination;

/// The server that stands for the cluster which holds the Applications.
pub const IN_CLUSTER_SERVER: &str = "https://kubernetes.default.svc";
/// The name of that cluster.
pub const IN_CLUSTER_NAME: &str = "in-cluster";

/// A registered cluster, as far as lowering needs to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// The URL of its API server.
    pub server: Str,
    /// Its name.
    pub name: Str,
    /// The project it belongs to; empty when it is for all.
    pub project: Str,
}

impl Cluster {
    /// The cluster that holds the Applications, as it is known unless somebody registers it otherwise.
    #[must_use]
    pub fn local() -> Self {
        Self { server: IN_CLUSTER_SERVER.into(), name: IN_CLUSTER_NAME.into(), project: Str::default() }
    }

    /// How the model names it.
    pub(crate) fn reference(&self) -> ClusterRef {
        if self.server == IN_CLUSTER_SERVER {
            ClusterRef::Local
        } else {
            ClusterRef::Server(self.server.clone())
        }
    }
}

/// The cluster that a destination means.
///
/// # Errors
///
/// Why it means none, in the words of Argo CD.
pub(crate) fn resolve(
    destination: &Destination,
    known: &[Cluster],
    settings: &Settings,
) -> Result<Cluster, String> {
    let Destination { server, name, .. } = destination;
    match (server.as_str(), name.as_str()) {
        ("", "") => Err("Destination server missing from app spec".into()),
        ("", name) => by_name(name, known, settings),
        (server, "") => by_server(server.trim_end_matches('/'), known, settings)
            .map_err(|why| format!("error getting cluster by server {server:?}: {why}")),
        (server, name) => {
            Err(format!("application destination can't have both name and server defined: {name} {server}"))
        }
    }
}

fn by_server(server: &str, known: &[Cluster], settings: &Settings) -> Result<Cluster, String> {
    let local = server == IN_CLUSTER_SERVER;
    if local && !settings.in_cluster_enabled {
        return Err(format!("cluster {server:?} is disabled"));
    }
    let registered = known.iter().find(|cluster| cluster.server.trim_end_matches('/') == server);
    match registered {
        Some(cluster) => Ok(Cluster { server: server.into(), ..cluster.clone() }),
        None if local => Ok(Cluster::local()),
        None => Err(format!("cluster {server:?} not found")),
    }
}

fn by_name(name: &str, known: &[Cluster], settings: &Settings) -> Result<Cluster, String> {
    let named: Vec<&Cluster> = known
        .iter()
        .filter(|cluster| cluster.name == name)
        .filter(|cluster| settings.in_cluster_enabled || cluster.server != IN_CLUSTER_SERVER)
        .collect();
    match *named {
        [] if name == IN_CLUSTER_NAME && settings.in_cluster_enabled => {
            by_server(IN_CLUSTER_SERVER, known, settings)
        }
        [] => Err(format!("there are no clusters with this name: {name}")),
        [cluster] => Ok(cluster.clone()),
        _ => {
            let servers: Vec<&str> = named.iter().map(|cluster| cluster.server.as_str()).collect();
            Err(format!("there are {} clusters with the same name: [{}]", named.len(), servers.join(" ")))
        }
    }
}
