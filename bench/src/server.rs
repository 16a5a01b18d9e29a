//! The two API servers that everything is measured on.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use windlass_testing::{Cluster, PrivateCluster, eventually};

use crate::arguments::Arguments;
use crate::client::{Api, Call};
use crate::figures::Report;
use crate::windlass::{Mode, WEBHOOK_SECRET, Windlass, version};
use crate::workload::{CONTROL_PLANE, FLOOR, TARGET, applications};

/// One of the API servers, with what is needed to measure on it.
pub(crate) enum Server {
    /// In `windlass up`; a new one for every process.
    Embedded {
        /// Whether its state is in memory only.
        in_memory: bool,
    },
    /// kube-apiserver, which outlives the processes that work on it.
    Real(Box<PrivateCluster>),
}

/// What `windlass` keeps, and where it lies.
pub(crate) struct Place {
    pub(crate) binary: PathBuf,
    pub(crate) folder: PathBuf,
}

impl Place {
    /// A place below `folder` for the binary that was asked for, which the report names.
    pub(crate) fn new(arguments: &Arguments, report: &mut Report, folder: &Path) -> Result<Self> {
        let binary = arguments.binary()?;
        report.versions.push(format!("{} ({})", version(&binary), binary.display()));
        let place = Self { binary, folder: folder.join("windlass") };
        std::fs::create_dir_all(&place.folder)?;
        Ok(place)
    }

    /// A folder for one more process.
    fn next(&self, what: &str) -> PathBuf {
        let n_before = std::fs::read_dir(&self.folder).map_or(0, Iterator::count);
        self.folder.join(format!("{n_before}-{what}"))
    }
}

impl Server {
    /// Starts kube-apiserver and what belongs to it, without limits on requests in flight.
    pub(crate) async fn real() -> Result<Self> {
        let cluster = Cluster::builder().unthrottled().start().await?;
        let api = Api::from_kubeconfig(cluster.kubeconfig())?;
        for definition in windlass_argo::crds() {
            let definition: Value = serde_json::to_value(definition.as_map())?;
            let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
            api.once(&Call::create(path, &definition)).await?;
        }
        let ready = || async { api.once(&Call::get(&applications("default"))).await.map(drop) };
        eventually(std::time::Duration::from_secs(30), ready).await.context("the kinds are not served")?;
        prepare(&api).await?;
        let project = json!({
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "AppProject",
            "metadata": {"name": "default", "namespace": CONTROL_PLANE},
            "spec": {
                "sourceRepos": ["*"],
                "destinations": [{"server": "*", "namespace": "*"}],
                "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
            },
        });
        let projects = format!("/apis/argoproj.io/v1alpha1/namespaces/{CONTROL_PLANE}/appprojects");
        api.once(&Call::create(&projects, &project)).await?;
        Ok(Self::Real(Box::new(cluster)))
    }

    /// What it is called in the table.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Embedded { in_memory: true } => "embedded, in memory",
            Self::Embedded { in_memory: false } => "embedded, on disk",
            Self::Real(_) => "kube-apiserver and etcd",
        }
    }

    /// A process that syncs nothing yet, the API, and how long it took until that answered.
    pub(crate) async fn engine(&self, place: &Place) -> Result<(Windlass, Api, std::time::Duration)> {
        let folder = place.next("engine");
        match self {
            Self::Embedded { in_memory } => {
                let mode = Mode::Up { in_memory: *in_memory };
                let (windlass, api, cold) = embedded(&place.binary, &mode, &folder).await?;
                windlass.engine_ready().await?;
                Ok((windlass, api, cold))
            }
            Self::Real(cluster) => {
                let mode = Mode::Controller(cluster.kubeconfig());
                let windlass = Windlass::start(&place.binary, &mode, &folder)?;
                windlass.engine_ready().await?;
                let cold = windlass.started.elapsed();
                Ok((windlass, Api::from_kubeconfig(cluster.kubeconfig())?, cold))
            }
        }
    }

    /// The API alone, for the floor; and the process that has to live as long.
    pub(crate) async fn bare(&self, place: &Place) -> Result<(Option<Windlass>, Api)> {
        match self {
            Self::Embedded { in_memory } => {
                let mode = Mode::ApiOnly { in_memory: *in_memory };
                let (windlass, api, _) = embedded(&place.binary, &mode, &place.next("api")).await?;
                Ok((Some(windlass), api))
            }
            Self::Real(cluster) => Ok((None, Api::from_kubeconfig(cluster.kubeconfig())?)),
        }
    }
}

async fn embedded(
    binary: &Path,
    mode: &Mode<'_>,
    folder: &Path,
) -> Result<(Windlass, Api, std::time::Duration)> {
    let mut windlass = Windlass::start(binary, mode, folder)?;
    let cold = windlass.api_ready().await?;
    let api = Api::from_kubeconfig(&windlass.kubeconfig)?;
    prepare(&api).await?;
    Ok((windlass, api, cold))
}

/// Makes the namespaces and the secret that webhooks are checked with.
async fn prepare(api: &Api) -> Result<()> {
    for name in [CONTROL_PLANE, TARGET, FLOOR] {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        api.once(&Call::apply(&format!("/api/v1/namespaces/{name}"), &namespace)).await?;
    }
    let secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "argocd-secret", "namespace": CONTROL_PLANE},
        "stringData": {"webhook.generic.secret": WEBHOOK_SECRET},
    });
    api.once(&Call::create(&format!("/api/v1/namespaces/{CONTROL_PLANE}/secrets"), &secret)).await?;
    Ok(())
}
