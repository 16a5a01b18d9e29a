//! Starting the programs of a cluster, with the arguments that make them work together on loopback.

use super::{ApiClient, Cluster, clusters_directory};
use crate::{
    Authority, Error, Identity, Process, ProcessBuilder, Result, eventually, free_port, keeper::Keeper, tool,
    tools,
};
use serde_json::{Value, json};
use std::{
    fs::Permissions,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, SystemTime},
};

/// A cluster is ready in about five seconds; this bounds a machine that is very busy.
const READY_WITHIN: Duration = Duration::from_secs(120);

/// Controllers that need a cloud or a network, which there is none of.
const CONTROLLERS: &str =
    "*,-node-ipam-controller,-node-route-controller,-service-lb-controller,-cloud-node-lifecycle-controller";

/// `ServiceAccount` would refuse pods before the controller has made their account. With
/// `TaintNodesByCondition` the nodes of kwok stay tainted, and pods pending.
const DISABLED_ADMISSION: &str = "ServiceAccount,TaintNodesByCondition";

/// Somebody else may take a port between finding and using it; not three times in a row.
const PORT_ATTEMPTS: usize = 3;

/// What Go programs say then.
const PORT_IS_TAKEN: &str = "address already in use";

/// What a caller may choose.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) unthrottled: bool,
    pub(super) durable: bool,
    pub(super) n_nodes: usize,
    pub(super) apiserver_args: Vec<String>,
    pub(super) controllers: String,
    pub(super) disabled_admission: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            unthrottled: false,
            durable: false,
            n_nodes: 1,
            apiserver_args: Vec::new(),
            controllers: CONTROLLERS.to_owned(),
            disabled_admission: DISABLED_ADMISSION.to_owned(),
        }
    }
}

/// The files of a cluster, all in one directory that is removed with it; but for the logs.
#[derive(Clone, Debug)]
pub(super) struct Files {
    pub(super) directory: PathBuf,
    pub(super) logs: PathBuf,
}

impl Files {
    /// Makes the directories of a new cluster.
    pub(super) fn create() -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // A process id may come again, and what it left behind with it; the time does not.
        let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |age| age.as_secs());
        let id = format!("{seconds}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let directory = clusters_directory()?.join(&id);
        let logs = tools::logs_directory()?.join(format!("cluster-{id}"));
        tools::create_directory(&directory)?;
        tools::create_directory(&logs)?;
        let private = Permissions::from_mode(0o700);
        std::fs::set_permissions(&directory, private)
            .map_err(Error::io("protect the keys of the cluster"))?;
        Ok(Self { directory, logs })
    }

    pub(super) fn kubeconfig(&self) -> PathBuf {
        self.directory.join("kubeconfig")
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Result<PathBuf> {
        let path = self.directory.join(name);
        tools::write(&path, content)?;
        Ok(path)
    }
}

/// The running programs.
#[derive(Debug)]
pub(super) struct ControlPlane {
    settings: Settings,
    files: Files,
    group: i32,
    port: u16,
    etcd_url: String,
    api: ApiClient,
    apiserver: Process,
    etcd: Process,
    /// The controller manager, and with nodes the scheduler and kwok.
    controllers: Vec<Process>,
    /// Ends the programs and removes the files, after the fields above are dropped.
    keeper: Option<Keeper>,
}

impl ControlPlane {
    /// Starts a cluster that ends with the value, or with this process.
    pub(super) async fn start_private(settings: Settings) -> Result<Self> {
        let files = Files::create()?;
        let keeper = Keeper::until_dropped(Some(&files.directory))?;
        let mut plane = Self::start(settings, files, keeper.group()).await?;
        plane.keeper = Some(keeper);
        Ok(plane)
    }

    /// Starts the programs in a process group, and waits until the nodes are ready.
    pub(super) async fn start(settings: Settings, files: Files, group: i32) -> Result<Self> {
        let mut attempt = 1;
        loop {
            match Self::try_start(settings.clone(), files.clone(), group).await {
                Err(error) if attempt < PORT_ATTEMPTS && error.to_string().contains(PORT_IS_TAKEN) => {
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    async fn try_start(settings: Settings, files: Files, group: i32) -> Result<Self> {
        let port = free_port()?;
        let etcd_url = format!("http://127.0.0.1:{}", free_port()?);
        let token = random_token()?;
        let authority = Authority::new("windlass-testing")?;
        let names = ["127.0.0.1", "localhost", "kubernetes.default.svc", "kubernetes"];
        let Identity { certificate_pem, key_pem } = authority.server(&names)?;
        files.write("ca.crt", authority.certificate_pem())?;
        files.write("server.crt", certificate_pem)?;
        files.write("server.key", key_pem)?;
        let service_accounts = Authority::new("service-accounts")?;
        files.write("service-accounts.key", service_accounts.key_pem())?;
        // Of a private key in PKCS #8, kube-apiserver does not take the public half.
        files.write("service-accounts.pub", service_accounts.public_key_pem())?;
        files.write("tokens.csv", format!("{token},admin,admin,\"system:masters\"\n"))?;
        let api = ApiClient::new(port, authority.certificate_pem(), &token)?;
        files.write("kubeconfig", kubeconfig(&api, None))?;
        files.write(
            "cluster.json",
            json!({"port": port, "token": token, "logs": files.logs, "authority": authority.certificate_pem()})
                .to_string(),
        )?;

        let etcd = start_etcd(&settings, &files, group, &etcd_url)?;
        let apiserver = start_apiserver(&settings, &files, group, port, &etcd_url)?;
        let controllers = Vec::new();
        let mut plane =
            Self { settings, files, group, port, etcd_url, api, apiserver, etcd, controllers, keeper: None };
        plane.wait_for_apiserver().await?;
        plane.start_controllers()?;
        plane.make_nodes().await?;
        Ok(plane)
    }

    /// Access to the cluster.
    pub(super) fn cluster(&self) -> Cluster {
        Cluster { api: self.api.clone(), kubeconfig: self.files.kubeconfig(), logs: self.files.logs.clone() }
    }

    /// Lets the programs run on, until their process group ends.
    pub(super) fn release(self) -> Cluster {
        let cluster = self.cluster();
        self.apiserver.release();
        self.etcd.release();
        self.controllers.into_iter().for_each(Process::release);
        cluster
    }

    pub(super) fn kill_apiserver(&mut self) {
        self.apiserver.kill();
    }

    pub(super) async fn start_apiserver(&mut self) -> Result<()> {
        self.apiserver = start_apiserver(&self.settings, &self.files, self.group, self.port, &self.etcd_url)?;
        self.wait_for_apiserver().await?;
        // A program that was only starting when the API server went ends with it; a kubelet would start it again.
        if self.controllers.iter_mut().any(|process| process.exited().is_some()) {
            self.controllers.clear();
            self.start_controllers()?;
        }
        Ok(())
    }

    async fn wait_for_apiserver(&mut self) -> Result<()> {
        let mut died = None;
        let ready = eventually(READY_WITHIN, || {
            let dead = [&mut self.apiserver, &mut self.etcd].into_iter().find_map(|process| {
                let status = process.exited()?;
                Some(format!("{} ended ({status}): {}", process.name(), process.log_tail()))
            });
            let api = self.api.clone();
            if died.is_none() {
                died = dead;
            }
            let died = died.clone();
            async move {
                if let Some(died) = died {
                    return Ok(Err(died));
                }
                // The administrator's rights come from a group, so this also waits for no RBAC bootstrap.
                api.get("/readyz").await?;
                api.get("/api/v1/namespaces/default").await.map(|_| Ok(()))
            }
        });
        let last = match ready.await as Result<_, crate::Overdue> {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(died)) => died,
            Err(overdue) => overdue.to_string(),
        };
        Err(self.not_ready("the API server", last))
    }

    fn start_controllers(&mut self) -> Result<()> {
        let kubeconfig = flag("--kubeconfig=", self.files.kubeconfig());
        let manager = self.program("kube-controller-manager")?.arg(&kubeconfig).args([
            flag("--service-account-private-key-file=", self.files.directory.join("service-accounts.key")),
            flag("--root-ca-file=", self.files.directory.join("ca.crt")),
            format!("--controllers={}", self.settings.controllers),
            "--leader-elect=false".to_owned(),
            "--secure-port=0".to_owned(),
            // The default of 20 calls a second makes a busy test run wait.
            "--kube-api-qps=500".to_owned(),
            "--kube-api-burst=1000".to_owned(),
            // Nodes of kwok tell of themselves more seldom than every 50 seconds. One that counted as lost would have
            // its pods marked as not ready, and kwok makes a pod ready only once.
            "--node-monitor-grace-period=24h".to_owned(),
        ]);
        if self.settings.n_nodes == 0 {
            self.controllers.push(manager.start()?);
            return Ok(());
        }
        let scheduler = self.program("kube-scheduler")?.arg(&kubeconfig).args([
            "--leader-elect=false",
            "--secure-port=0",
            "--kube-api-qps=500",
            "--kube-api-burst=1000",
        ]);
        let kwok = self.program("kwok")?.arg(&kubeconfig).arg("--manage-all-nodes=true");
        for builder in [manager, scheduler, kwok] {
            self.controllers.push(builder.start()?);
        }
        Ok(())
    }

    async fn make_nodes(&mut self) -> Result<()> {
        for node_idx in 0..self.settings.n_nodes {
            self.api.create("/api/v1/nodes", &node(node_idx)).await?;
        }
        let ready = eventually(READY_WITHIN, || async {
            let nodes = self.api.get("/api/v1/nodes").await.map_err(|error| error.to_string())?;
            let unready = nodes["items"].as_array().into_iter().flatten().find(|node| !is_ready(node));
            unready.map_or(Ok(()), |node| Err(format!("node is not ready: {}", node["status"]["conditions"])))
        });
        let ready = ready.await;
        ready.map_err(|overdue| self.not_ready("the nodes", overdue.to_string()))
    }

    fn program(&self, name: &str) -> Result<ProcessBuilder> {
        program(name, &self.files, self.group)
    }

    fn not_ready(&self, what: &str, last: String) -> Error {
        let logs = self.files.logs.clone();
        Error::NotReady { what: what.to_owned(), waited: READY_WITHIN, last, logs }
    }
}

fn start_etcd(settings: &Settings, files: &Files, group: i32, url: &str) -> Result<Process> {
    let mut etcd = program("etcd", files, group)?.args([
        flag("--data-dir=", files.directory.join("etcd")),
        format!("--listen-client-urls={url}"),
        format!("--advertise-client-urls={url}"),
        "--listen-peer-urls=http://127.0.0.1:0".to_owned(),
        "--log-level=warn".to_owned(),
        // A benchmark with large objects passes the default of 2 GB.
        "--quota-backend-bytes=8589934592".to_owned(),
    ]);
    if !settings.durable {
        etcd = etcd.arg("--unsafe-no-fsync");
    }
    etcd.start()
}

fn start_apiserver(
    settings: &Settings,
    files: &Files,
    group: i32,
    port: u16,
    etcd_url: &str,
) -> Result<Process> {
    let file = |name: &str| files.directory.join(name);
    let mut apiserver = program("kube-apiserver", files, group)?.args([
        format!("--etcd-servers={etcd_url}"),
        format!("--secure-port={port}"),
        "--bind-address=127.0.0.1".to_owned(),
        // The address of the service `kubernetes` must not be a loopback one, and nobody asks for it.
        "--endpoint-reconciler-type=none".to_owned(),
        "--service-cluster-ip-range=10.0.0.0/16".to_owned(),
        flag("--tls-cert-file=", file("server.crt")),
        flag("--tls-private-key-file=", file("server.key")),
        flag("--cert-dir=", file("certificates")),
        flag("--token-auth-file=", file("tokens.csv")),
        "--authorization-mode=RBAC".to_owned(),
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local".to_owned(),
        flag("--service-account-key-file=", file("service-accounts.pub")),
        flag("--service-account-signing-key-file=", file("service-accounts.key")),
        format!("--disable-admission-plugins={}", settings.disabled_admission),
        "--allow-privileged=true".to_owned(),
        "--profiling=false".to_owned(),
    ]);
    if settings.unthrottled {
        apiserver = apiserver.args([
            "--enable-priority-and-fairness=false",
            "--max-requests-inflight=10000",
            "--max-mutating-requests-inflight=10000",
        ]);
    }
    apiserver.args(&settings.apiserver_args).start()
}

fn program(name: &str, files: &Files, group: i32) -> Result<ProcessBuilder> {
    let log = files.logs.join(format!("{name}.log"));
    // kwok would read a configuration from the home directory, and others cache there.
    Ok(Process::builder(tool(name)?).name(name).log(log).group(group).env("HOME", &files.directory))
}

fn flag(name: &str, value: impl AsRef<Path>) -> String {
    format!("{name}{}", value.as_ref().display())
}

/// The text of a kubeconfig, in JSON, which is YAML.
pub(super) fn kubeconfig(api: &ApiClient, acting_as: Option<(&str, &[&str])>) -> String {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let authority = BASE64_STANDARD.encode(api.authority_pem());
    let mut user = json!({"token": api.token()});
    if let Some((name, groups)) = acting_as {
        user["as"] = json!(name);
        user["as-groups"] = json!(groups);
    }
    let text = serde_json::to_string_pretty(&json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {"server": api.url(), "certificate-authority-data": authority}}],
        "users": [{"name": "admin", "user": user}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
        "current-context": "test",
    }));
    text.expect("a tree of strings is always valid JSON")
}

/// A node with room for everything.
fn node(node_idx: usize) -> Value {
    let name = format!("node-{node_idx}");
    let room = json!({"cpu": "10000", "memory": "100Ti", "ephemeral-storage": "100Ti", "pods": "1000000"});
    json!({
        "metadata": {
            "name": name,
            "annotations": {"kwok.x-k8s.io/node": "fake"},
            "labels": {
                "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
            },
        },
        "status": {"capacity": room, "allocatable": room},
    })
}

fn is_ready(node: &Value) -> bool {
    let conditions = node["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|it| it["type"] == "Ready" && it["status"] == "True")
}

/// A secret that nobody guesses, from the operating system.
fn random_token() -> Result<String> {
    use std::{fmt::Write, io::Read};
    let mut bytes = [0; 16];
    let source = "/dev/urandom";
    let read = std::fs::File::open(source).and_then(|mut file| file.read_exact(&mut bytes));
    read.map_err(Error::io(format!("read {source}")))?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    }))
}
