//! The embedded control plane with the engine beside it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use windlass_apiserver::audit::Audit;
use windlass_apiserver::{Config, Data, Server};
use windlass_cluster::{ApplyOptions, ClusterClient, Resource};
use windlass_kube::{Gvk, Object, Value};

use crate::cli::UpOptions;
use crate::serving;

/// An embedded control plane that is ready for Applications.
pub(crate) struct ControlPlane {
    /// The API server.
    pub(crate) server: Server,
    /// A client of it that needs no socket.
    pub(crate) client: ClusterClient,
}

impl ControlPlane {
    /// Starts the API server, and makes sure of the control plane's own namespace, kinds and project.
    pub(crate) async fn start(
        data: Data,
        listen: SocketAddr,
        simulate_workloads: bool,
        namespace: &str,
        audit: Option<Audit>,
    ) -> Result<Self> {
        let objects = bootstrap(namespace);
        let config =
            Config { data, listen, simulate_workloads, audit, first: objects.clone(), ..Config::default() };
        let server = Server::start(config).await.with_context(|| {
            format!("the embedded API server could not start on {listen} (choose another address with --api-listen)")
        })?;
        let client = ClusterClient::new(kube::Client::new(server.service(), namespace));
        // A new store has them already; one of an earlier version gets what is new.
        for object in objects {
            let resource = bootstrap_resource(&object.gvk())
                .with_context(|| format!("{} is no kind that is set up at the start", object.gvk()))?;
            client
                .apply(&resource, &object, &ApplyOptions::new("windlass"))
                .await
                .with_context(|| format!("{} could not be set up", object.object_ref()))?;
        }
        Ok(Self { server, client })
    }

    /// Writes an administrator's kubeconfig that only its owner can read.
    pub(crate) fn write_kubeconfig(&self, path: &Path) -> Result<()> {
        use std::io::Write as _;
        use std::os::unix::fs::OpenOptionsExt as _;
        let text = self.server.kubeconfig()?;
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        // Written beside and renamed, so that nobody ever reads half of it.
        let beside = path.with_extension("new");
        let write = || -> std::io::Result<()> {
            let mut file = std::fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&beside)?;
            file.write_all(text.as_bytes())?;
            std::fs::rename(&beside, path)
        };
        write().with_context(|| format!("the kubeconfig {} could not be written", path.display()))
    }
}

/// The objects that the control plane needs before it can take Applications.
fn bootstrap(namespace: &str) -> Vec<Object> {
    let mut own = Value::object();
    own.set_at(&["apiVersion"], "v1");
    own.set_at(&["kind"], "Namespace");
    own.set_at(&["metadata", "name"], namespace);
    let mut objects: Vec<Value> = vec![own];
    objects.extend(windlass_argo::crds().into_iter().map(Value::from));
    objects.push(default_project(namespace));
    objects.into_iter().filter_map(|value| Object::try_new(value).ok()).collect()
}

/// The project that allows everything, as Argo CD creates it.
pub(crate) fn default_project(namespace: &str) -> Value {
    let mut project = Value::object();
    project.set_at(&["apiVersion"], format!("{}/{}", windlass_argo::GROUP, windlass_argo::VERSION));
    project.set_at(&["kind"], "AppProject");
    project.set_at(&["metadata", "name"], "default");
    project.set_at(&["metadata", "namespace"], namespace);
    project.set_at(&["spec", "sourceRepos"], vec![Value::from("*")]);
    let anywhere: Value =
        [("server", "*"), ("namespace", "*")].into_iter().collect::<windlass_kube::Map>().into();
    project.set_at(&["spec", "destinations"], vec![anywhere]);
    let any_kind: Value = [("group", "*"), ("kind", "*")].into_iter().collect::<windlass_kube::Map>().into();
    project.set_at(&["spec", "clusterResourceWhitelist"], vec![any_kind]);
    project
}

fn bootstrap_resource(gvk: &Gvk) -> Option<Resource> {
    Some(match gvk.kind.as_str() {
        "Namespace" => Resource::new("", "v1", "Namespace", "namespaces", false),
        "CustomResourceDefinition" => Resource::new(
            "apiextensions.k8s.io",
            "v1",
            "CustomResourceDefinition",
            "customresourcedefinitions",
            false,
        ),
        "AppProject" => {
            Resource::new(windlass_argo::GROUP, windlass_argo::VERSION, "AppProject", "appprojects", true)
        }
        _ => return None,
    })
}

pub(crate) async fn run(options: UpOptions) -> Result<()> {
    let begun = std::time::Instant::now();
    let data_dir = options.data_dir.clone().unwrap_or_else(serving::default_data_dir);
    let scratch = options.in_memory.then(Scratch::new).transpose()?;
    let data = match &scratch {
        Some(_) => Data::Memory,
        None => Data::Dir(data_dir.join("api")),
    };
    let plane = ControlPlane::start(
        data,
        options.api_listen,
        options.simulate_workloads,
        &options.engine.namespace,
        options.audit.open()?,
    )
    .await?;
    let files = scratch.as_ref().map_or(data_dir, |scratch| scratch.path.clone());
    let kubeconfig = options.kubeconfig_out.clone().unwrap_or_else(|| files.join("kubeconfig"));
    plane.write_kubeconfig(&kubeconfig)?;
    tracing::info!(
        url = %plane.server.url(),
        kubeconfig = %kubeconfig.display(),
        milliseconds = begun.elapsed().as_millis(),
        "control plane ready"
    );
    if options.simulate_workloads {
        tracing::warn!("workloads are simulated: Pods look as if they ran, and nothing runs");
    }
    if options.no_engine {
        serving::stopped().await;
    } else {
        serving::run(&options.engine, plane.client.clone(), &files, false, serving::stopped()).await?;
    }
    plane.server.shutdown().await;
    Ok(())
}

/// A folder that is gone when this is dropped. What a killed process left behind goes when the next one starts.
pub(crate) struct Scratch {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Locked for as long as the folder is in use; the system unlocks it when the process ends, however it ends.
    _lock: std::fs::File,
}

impl Scratch {
    const PREFIX: &str = "windlass-scratch-";
    const LOCK: &str = "in-use.lock";
    /// A folder gets its lock file a moment after it is made.
    const MADE_WITHIN: std::time::Duration = std::time::Duration::from_secs(60);

    /// Makes an empty folder that only we can read.
    pub(crate) fn new() -> Result<Self> {
        Self::new_in(&std::env::temp_dir())
    }

    fn new_in(parent: &Path) -> Result<Self> {
        use std::os::unix::fs::DirBuilderExt as _;
        Self::sweep(parent);
        let unique = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let path = parent.join(format!("{}{}-{:x}", Self::PREFIX, std::process::id(), unique.as_nanos()));
        let make = || {
            std::fs::DirBuilder::new().mode(0o700).create(&path)?;
            let lock = std::fs::File::create(path.join(Self::LOCK))?;
            lock.try_lock()?;
            std::io::Result::Ok(lock)
        };
        let lock =
            make().with_context(|| format!("the temporary folder {} could not be made", path.display()))?;
        Ok(Self { path, _lock: lock })
    }

    /// Removes the folders of processes that ended without doing so.
    fn sweep(parent: &Path) {
        for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
            if !entry.file_name().to_string_lossy().starts_with(Self::PREFIX) {
                continue;
            }
            let modified = entry.metadata().and_then(|metadata| metadata.modified()).ok();
            let is_left = match std::fs::File::open(entry.path().join(Self::LOCK)) {
                Ok(lock) => lock.try_lock().is_ok(),
                // One that is being made, or one that a fetch wrote into while it was removed.
                Err(_) => {
                    modified.and_then(|at| at.elapsed().ok()).is_some_and(|age| age > Self::MADE_WITHIN)
                }
            };
            if is_left {
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nothing can be done about what cannot be removed here.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_nobody_uses_is_swept_and_one_in_use_stays() {
        let parent = tempfile::tempdir().unwrap();
        let folders = || std::fs::read_dir(parent.path()).unwrap().count();
        let in_use = Scratch::new_in(parent.path()).unwrap();
        let left = Scratch::new_in(parent.path()).unwrap();
        assert_eq!(folders(), 2);
        // As a kill leaves it: the folder is there, the lock is not held.
        let kept = left.path.clone();
        let copy = parent.path().join(format!("{}0-0", Scratch::PREFIX));
        std::fs::create_dir(&copy).unwrap();
        std::fs::write(copy.join(Scratch::LOCK), "").unwrap();
        drop(left);
        assert!(!kept.exists());
        // As a fetch leaves it that still wrote: without a lock, for a while; and one that is just being made.
        let written = parent.path().join(format!("{}1-1", Scratch::PREFIX));
        let made = parent.path().join(format!("{}2-2", Scratch::PREFIX));
        std::fs::create_dir_all(written.join("git")).unwrap();
        std::fs::create_dir(&made).unwrap();
        let long_ago = std::time::SystemTime::now() - 2 * Scratch::MADE_WITHIN;
        std::fs::File::open(&written).unwrap().set_modified(long_ago).unwrap();
        let next = Scratch::new_in(parent.path()).unwrap();
        assert!(!copy.exists() && in_use.path.exists() && next.path.exists());
        assert!(!written.exists() && made.exists());
        std::fs::remove_dir(&made).unwrap();
        drop((in_use, next));
        assert_eq!(folders(), 0);
    }
}
