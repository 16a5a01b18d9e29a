//! Clusters that Applications may name as their destination.

use windlass_kube::Str;

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
