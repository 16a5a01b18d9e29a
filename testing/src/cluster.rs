//! A real Kubernetes cluster on loopback: etcd, kube-apiserver, kube-controller-manager,
//! kube-scheduler and kwok.
//!
//! ```no_run
//! # async fn example() -> Result<(), windlass_testing::Error> {
//! use windlass_testing::Cluster;
//!
//! let cluster = Cluster::shared().await?;
//! let namespace = cluster.namespace("webhooks").await?;
//! let path = format!("/api/v1/namespaces/{namespace}/configmaps");
//! let object = serde_json::json!({"metadata": {"name": "a"}, "data": {"k": "v"}});
//! cluster.api().create(&path, &object).await?;
//! println!("{}", cluster.kubectl(&["get", "configmap", "-n", namespace.name()])?);
//! # Ok(())
//! # }
//! ```

mod api;
mod control_plane;
mod namespace;
mod shared;

pub use api::{ApiClient, ApiError};
pub use namespace::Namespace;

use crate::{Kubectl, Result, background, tools};
use control_plane::{ControlPlane, Settings};
use std::{
    ops::Deref,
    path::{Path, PathBuf},
};
use tokio::sync::{Mutex, OnceCell};

/// Access to a cluster, as an administrator.
///
/// Nodes are ready and pods run, as kwok makes them: no container is ever started. Deployments become
/// ready within seconds. The service-account admission plugin is off, so pods need no service account.
#[derive(Debug)]
pub struct Cluster {
    api: ApiClient,
    kubeconfig: PathBuf,
    logs: PathBuf,
}

impl Cluster {
    /// The cluster that all tests share, started when nobody has yet.
    ///
    /// It is shared between processes too: by every test of this workspace that runs at the same time, and
    /// by all test programs of one `cargo test`. It ends when the last of them has ended. Tests keep apart
    /// by [`namespace`](Cluster::namespace), and by names of their own for what has no namespace.
    ///
    /// # Errors
    /// When the programs are not there, or the cluster does not come up.
    pub async fn shared() -> Result<&'static Self> {
        static SHARED: OnceCell<(Cluster, shared::Membership)> = OnceCell::const_new();
        let attach = || async {
            // On the background runtime, because the one of this test may end first.
            let attached = background::runtime().spawn(shared::attach());
            attached.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
        };
        SHARED.get_or_try_init(attach).await.map(|(cluster, _)| cluster)
    }

    /// Prepares a cluster of one's own.
    pub fn builder() -> ClusterBuilder {
        ClusterBuilder::default()
    }

    /// Makes a namespace whose name begins with `prefix` and is used by nobody else.
    ///
    /// It is deleted, with what is in it, when the guard is dropped.
    ///
    /// # Errors
    /// When the API refuses.
    pub async fn namespace(&self, prefix: &str) -> Result<Namespace> {
        Namespace::create(&self.api, prefix).await
    }

    /// A client of the cluster's API.
    pub fn api(&self) -> &ApiClient {
        &self.api
    }

    /// The address of the API, `https://127.0.0.1:…`.
    pub fn url(&self) -> String {
        self.api.url()
    }

    /// The bearer token of the administrator.
    pub fn token(&self) -> &str {
        self.api.token()
    }

    /// The certificate of the authority that signed the API's, as PEM.
    pub fn authority_pem(&self) -> &str {
        self.api.authority_pem()
    }

    /// A kubeconfig file for the administrator.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The text of a kubeconfig with which the administrator acts as somebody else.
    pub fn kubeconfig_as(&self, user: &str, groups: &[&str]) -> String {
        control_plane::kubeconfig(&self.api, Some((user, groups)))
    }

    /// The directory of the programs' logs. It stays when the cluster has ended.
    pub fn logs(&self) -> &Path {
        &self.logs
    }

    /// Runs kubectl against the cluster, and returns what it printed. Blocks the thread.
    ///
    /// # Errors
    /// When kubectl is not there, or fails; the error holds what it complained of.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        Kubectl::new(&self.kubeconfig).run(arguments)
    }
}

/// How to start a cluster of one's own.
#[derive(Clone, Debug, Default)]
#[must_use = "a cluster is started by start()"]
pub struct ClusterBuilder {
    settings: Settings,
}

impl ClusterBuilder {
    /// Takes away the API server's limits on requests in flight, as benchmarks need it.
    pub fn unthrottled(mut self) -> Self {
        self.settings.unthrottled = true;
        self
    }

    /// Makes etcd write durably, which the tests otherwise do without.
    pub fn durable(mut self) -> Self {
        self.settings.durable = true;
        self
    }

    /// Runs only these controllers, written as for kube-controller-manager's `--controllers`.
    pub fn controllers(mut self, controllers: impl Into<String>) -> Self {
        self.settings.controllers = controllers.into();
        self
    }

    /// Leaves out these admission plugins only, separated by commas.
    pub fn without_admission(mut self, plugins: impl Into<String>) -> Self {
        self.settings.disabled_admission = plugins.into();
        self
    }

    /// Makes this many nodes instead of one. With none, no scheduler and no kwok run either.
    pub fn nodes(mut self, n_nodes: usize) -> Self {
        self.settings.n_nodes = n_nodes;
        self
    }

    /// Adds an argument to the command line of kube-apiserver.
    pub fn apiserver_arg(mut self, argument: impl Into<String>) -> Self {
        self.settings.apiserver_args.push(argument.into());
        self
    }

    /// Starts the cluster, and waits until its nodes are ready.
    ///
    /// # Errors
    /// When the programs are not there, or the cluster does not come up.
    pub async fn start(self) -> Result<PrivateCluster> {
        let started = background::runtime().spawn(async move {
            let plane = ControlPlane::start_private(self.settings).await?;
            Ok(PrivateCluster { cluster: plane.cluster(), plane: Mutex::new(plane) })
        });
        started.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }
}

/// A cluster that nobody else uses, and to which bad things may happen. It ends when it is dropped.
#[derive(Debug)]
pub struct PrivateCluster {
    cluster: Cluster,
    plane: Mutex<ControlPlane>,
}

impl PrivateCluster {
    /// Kills the API server at once. Its port answers nothing until it is started again.
    pub async fn kill_apiserver(&self) {
        self.plane.lock().await.kill_apiserver();
    }

    /// Starts the API server again, on the same port, and waits until it is ready.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start_apiserver(&self) -> Result<()> {
        self.plane.lock().await.start_apiserver().await
    }

    /// Kills the API server and starts it again, on the same port.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn restart_apiserver(&self) -> Result<()> {
        self.kill_apiserver().await;
        self.start_apiserver().await
    }
}

impl Deref for PrivateCluster {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}

/// The directory that clusters of this workspace keep their files in.
fn clusters_directory() -> Result<PathBuf> {
    let directory = tools::testing_directory()?.join("clusters");
    tools::create_directory(&directory)?;
    Ok(directory)
}
