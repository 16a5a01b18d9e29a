//! A control plane under test, with Windlass on it and a Git repository beside it.
//!
//! A scenario asks for a [`Plane`] and does not see which server is behind it: the embedded API of a `windlass up`
//! of its own, or the real kube-apiserver with a `windlass controller` that has a namespace of its own there.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{KeyInit as _, Mac as _};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{OnceCell, Semaphore, SemaphorePermit};
use windlass_testing::{
    ApiClient, ApiFaults, Cluster, CommitBuilder, CommitId, FaultProxy, GitServer, Kubectl, Namespace,
    PrivateCluster, Process, Repository, SmallDisk, eventually,
};

/// How long anything may take on a machine that does many other things.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// More scenarios at once would only make each of them slower.
static SCENARIOS: Semaphore = Semaphore::const_new(4);

/// How much of a log is shown when a scenario fails.
const SHOWN_LOG_LINES: usize = 40;

/// Which API server a scenario runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    /// The API that `windlass up` brings.
    Embedded,
    /// kube-apiserver, with `windlass controller`.
    Real,
}

/// How a plane is set up, where it is not the usual way.
pub(crate) struct PlaneBuilder {
    server: Server,
    poll_interval: &'static str,
    durable: bool,
    own_cluster: bool,
    simulated: bool,
    share_work: bool,
    faults: Option<ApiFaults>,
    installed: Option<&'static [&'static str]>,
    git: Option<GitServer>,
    disk: Option<SmallDisk>,
    plugins: &'static [&'static str],
    environment: Vec<(&'static str, String)>,
}

impl PlaneBuilder {
    /// Declares these plugins.
    pub(crate) fn plugins(mut self, plugins: &'static [&'static str]) -> Self {
        self.plugins = plugins;
        self
    }

    /// Sets a variable of Windlass' environment.
    pub(crate) fn variable(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    /// Asks repositories for news so seldom that it does not happen in a test.
    pub(crate) fn never_polls(mut self) -> Self {
        self.poll_interval = "10h";
        self
    }

    /// Keeps the state of the embedded API on disk, so that Windlass can be started again.
    pub(crate) fn durable(mut self) -> Self {
        self.durable = true;
        self
    }

    /// Leaves the health of things to the scenario where nothing but the embedded API's simulator would set it.
    pub(crate) fn without_simulator(mut self) -> Self {
        self.simulated = false;
        self
    }

    /// Takes a real cluster that nobody else uses, so that it can be hurt.
    pub(crate) fn own_cluster(mut self) -> Self {
        self.own_cluster = true;
        self
    }

    /// Shares the work with other replicas. On the embedded server that takes [`faults`](Self::faults).
    pub(crate) fn share_work(mut self) -> Self {
        self.share_work = true;
        self
    }

    /// Leads every call of Windlass to its API through these faults. On the embedded server the engine is a process
    /// of its own then, beside the API.
    pub(crate) fn faults(mut self, faults: &ApiFaults) -> Self {
        self.faults = Some(faults.clone());
        self
    }

    /// Takes a cluster of its own that knows only what `windlass install` with these flags (`TARGET` is the target
    /// namespace) prints, and runs Windlass
    /// with the arguments and the rights that it has there.
    pub(crate) fn installed(mut self, flags: &'static [&'static str]) -> Self {
        self.installed = Some(flags);
        self.own_cluster = true;
        self
    }

    /// Uses this Git server.
    pub(crate) fn git(mut self, git: GitServer) -> Self {
        self.git = Some(git);
        self
    }

    /// Keeps repositories on this disk (real server), or everything (embedded).
    pub(crate) fn disk(mut self, disk: SmallDisk) -> Self {
        self.disk = Some(disk);
        self
    }

    /// Starts Windlass, and waits until its API answers.
    pub(crate) async fn start(self) -> Plane {
        let permit = SCENARIOS.acquire().await.unwrap();
        let folder = TempDir::with_prefix("windlass-e2e-").unwrap();
        let git = self.git.unwrap_or_else(|| GitServer::start().unwrap());
        let repository = git.repository("shop").unwrap();
        let mut arguments: Vec<String> =
            ["--listen", "127.0.0.1:0", "--allow-local-repositories", "--log-format", "json"]
                .map(Into::into)
                .into();
        arguments.extend(["--poll-interval".into(), self.poll_interval.into()]);
        if !self.plugins.is_empty() {
            let plugins = folder.path().join("plugins");
            std::fs::create_dir(&plugins).unwrap();
            for (idx, plugin) in self.plugins.iter().enumerate() {
                std::fs::write(plugins.join(format!("{idx}.yaml")), plugin).unwrap();
            }
            arguments.extend(["--plugins".into(), text(&plugins), "--plugin-seconds".into(), "5".into()]);
        }
        let data_dir = match &self.disk {
            Some(disk) => disk.path().join("data"),
            None => folder.path().join("data"),
        };
        let mut plane = match self.server {
            Server::Embedded => {
                let kubeconfig = folder.path().join("kubeconfig");
                arguments.insert(0, "up".into());
                arguments.extend(["--api-listen", "127.0.0.1:0"].map(Into::into));
                if self.simulated {
                    arguments.push("--simulate-workloads".into());
                }
                arguments.extend(["--kubeconfig-out".into(), text(&kubeconfig)]);
                if self.durable || self.disk.is_some() {
                    arguments.extend(["--data-dir".into(), text(&data_dir)]);
                } else {
                    arguments.push("--in-memory".into());
                }
                if self.faults.is_some() {
                    arguments.push("--no-engine".into());
                }
                let mut windlass =
                    launch(folder.path(), "windlass", &arguments, &self.environment, self.disk.as_ref());
                wait_for_log(&windlass, "control plane ready", "url").await;
                let api = client_of(&kubeconfig);
                let mut embedded = None;
                let proxy = self.faults.map(|faults| FaultProxy::start(&api, faults).unwrap());
                if let Some(proxy) = &proxy {
                    arguments = controller_arguments(proxy, folder.path(), self.poll_interval, "argocd");
                    if self.share_work {
                        arguments.push("--share-work".into());
                    }
                    let engine = launch(folder.path(), "engine", &arguments, &self.environment, None);
                    embedded = Some(std::mem::replace(&mut windlass, engine));
                }
                Plane {
                    api,
                    embedded,
                    _proxy: proxy,
                    namespace: "argocd".into(),
                    target: "shop".into(),
                    app: "shop".into(),
                    server: self.server,
                    kubeconfig,
                    guards: Vec::new(),
                    private: None,
                    repository,
                    git,
                    windlass,
                    arguments,
                    environment: self.environment,
                    n_started: 1,
                    disk: self.disk,
                    folder,
                    _permit: permit,
                }
            }
            Server::Real => {
                let private = match self.own_cluster {
                    true => Some(Cluster::builder().start().await.unwrap()),
                    false => None,
                };
                let cluster: &Cluster = match &private {
                    Some(cluster) => cluster,
                    None => Cluster::shared().await.unwrap(),
                };
                let control = cluster.namespace("e2e-control").await.unwrap();
                let target = cluster.namespace("e2e").await.unwrap();
                if let Some(flags) = self.installed {
                    let kubeconfig = folder.path().join("installed");
                    let flags: Vec<String> =
                        flags.iter().map(|flag| flag.replace("TARGET", target.name())).collect();
                    let installed = install(cluster, control.name(), &flags, &kubeconfig).await;
                    // What is said last counts.
                    arguments.splice(0..0, installed);
                    arguments.extend(["--kubeconfig".into(), text(&kubeconfig)]);
                } else {
                    define_kinds(cluster.api(), private.is_some()).await;
                    arguments.insert(0, "controller".into());
                    arguments.extend(["--kubeconfig".into(), text(cluster.kubeconfig())]);
                    arguments.extend(["--namespace".into(), control.name().into()]);
                    arguments.extend(["--watch-namespace".into(), control.name().into()]);
                }
                arguments.extend(["--data-dir".into(), text(&data_dir)]);
                let proxy = self.faults.map(|faults| FaultProxy::start(cluster.api(), faults).unwrap());
                if let Some(proxy) = &proxy {
                    let (folder, poll) = (folder.path(), self.poll_interval);
                    arguments = controller_arguments(proxy, folder, poll, control.name());
                }
                if self.share_work {
                    arguments.push("--share-work".into());
                }
                let windlass =
                    launch(folder.path(), "windlass", &arguments, &self.environment, self.disk.as_ref());
                Plane {
                    api: cluster.api().clone(),
                    embedded: None,
                    _proxy: proxy,
                    namespace: control.name().into(),
                    target: target.name().into(),
                    // Objects are told apart by the name of their Application, and others share the cluster.
                    app: format!("shop-{}", target.name()),
                    server: self.server,
                    kubeconfig: cluster.kubeconfig().into(),
                    guards: vec![control, target],
                    private,
                    repository,
                    git,
                    windlass,
                    arguments,
                    environment: self.environment,
                    n_started: 1,
                    disk: self.disk,
                    folder,
                    _permit: permit,
                }
            }
        };
        if plane.server == Server::Embedded {
            plane.create_namespace("shop").await;
        }
        plane.n_started = 1;
        plane
    }
}

/// One API server with Windlass, one repository, one namespace to put things.
pub(crate) struct Plane {
    /// A client of the API that shares no code with Windlass.
    pub(crate) api: ApiClient,
    /// The namespace of Applications, projects and Secrets.
    pub(crate) namespace: String,
    /// The namespace that objects go to.
    pub(crate) target: String,
    /// What the scenario's Application is called.
    pub(crate) app: String,
    /// Which server it is.
    pub(crate) server: Server,
    /// The Git server.
    pub(crate) git: GitServer,
    /// The repository `shop` on it.
    pub(crate) repository: Repository,
    /// Windlass.
    pub(crate) windlass: Process,
    /// The disk that it keeps its data on, if that is a special one.
    pub(crate) disk: Option<SmallDisk>,
    /// The cluster, if nobody else uses it.
    pub(crate) private: Option<PrivateCluster>,
    /// The embedded API, if it is not in the same process.
    embedded: Option<Process>,
    /// The way to the API, if that is a bad one.
    _proxy: Option<FaultProxy>,
    kubeconfig: PathBuf,
    guards: Vec<Namespace>,
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
    n_started: usize,
    folder: TempDir,
    _permit: SemaphorePermit<'static>,
}

impl Plane {
    /// A plane as most scenarios need it.
    pub(crate) async fn start(server: Server) -> Self {
        Self::builder(server).start().await
    }

    /// Prepares a plane.
    pub(crate) fn builder(server: Server) -> PlaneBuilder {
        PlaneBuilder {
            server,
            poll_interval: "1s",
            durable: false,
            own_cluster: false,
            simulated: true,
            share_work: false,
            faults: None,
            installed: None,
            git: None,
            disk: None,
            plugins: &[],
            environment: Vec::new(),
        }
    }

    /// Declares a plugin in the file of this number, in the place of what was there.
    pub(crate) fn declare_plugin(&self, number: usize, plugin: &str) {
        std::fs::write(self.folder.path().join("plugins").join(format!("{number}.yaml")), plugin).unwrap();
    }

    /// Overwrites bytes in every pack of Git objects that Windlass has on disk.
    pub(crate) fn damage_packs(&self) {
        let mut folders = vec![self.folder.path().join("data")];
        let mut n_damaged = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
                let path = entry.path();
                if entry.file_type().unwrap().is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "pack") {
                    let mut bytes = std::fs::read(&path).unwrap();
                    let end = bytes.len() - 20;
                    // What is beyond the header and the commit.
                    bytes[end / 3..end].iter_mut().for_each(|byte| *byte ^= 0x55);
                    // In place: the file is mapped.
                    let mut permissions = entry.metadata().unwrap().permissions();
                    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o644);
                    std::fs::set_permissions(&path, permissions).unwrap();
                    std::fs::OpenOptions::new().write(true).open(&path).unwrap().write_all(&bytes).unwrap();
                    n_damaged += 1;
                }
            }
        }
        assert!(n_damaged > 0, "there are no packs to damage");
    }

    /// Starts another Windlass with the same arguments, but for its data directory.
    pub(crate) fn second_controller(&self) -> Process {
        let mut arguments = self.arguments.clone();
        let n_before = std::fs::read_dir(self.folder.path()).unwrap().count();
        let data = self.folder.path().join(format!("data-{n_before}"));
        arguments.extend(["--data-dir".into(), text(&data)]);
        launch(self.folder.path(), &format!("second-{n_before}"), &arguments, &self.environment, None)
    }

    /// Kills Windlass as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.windlass.kill();
    }

    /// Starts Windlass again, which must have ended.
    pub(crate) async fn start_again(&mut self) {
        self.n_started += 1;
        let name = format!("windlass-{}", self.n_started);
        self.windlass =
            launch(self.folder.path(), &name, &self.arguments, &self.environment, self.disk.as_ref());
        if self.server == Server::Embedded && self.embedded.is_none() {
            wait_for_log(&self.windlass, "control plane ready", "url").await;
            self.api = client_of(&self.kubeconfig);
        }
    }

    /// Starts Windlass again, which must have ended, where nothing of what it knew on this machine is left.
    pub(crate) async fn start_elsewhere(&mut self) {
        let data = self.arguments.iter().position(|argument| argument == "--data-dir");
        let elsewhere = text(&self.folder.path().join(format!("data-{}", self.n_started + 1)));
        match data {
            Some(at) => self.arguments[at + 1] = elsewhere,
            None => assert!(self.arguments.iter().any(|argument| argument == "--in-memory")),
        }
        self.start_again().await;
        if self.server == Server::Embedded {
            self.create_namespace("shop").await;
        }
    }

    /// The real kubectl.
    pub(crate) fn kubectl(&self) -> Kubectl {
        Kubectl::new(&self.kubeconfig)
    }

    /// Registers this cluster once more, under its own address, as another cluster; answers that address.
    pub(crate) async fn register_cluster(&self, name: &str) -> String {
        let config = self.kubectl().run(&["config", "view", "--raw", "-o", "json"]).unwrap();
        let config: Value = serde_json::from_str(&config).unwrap();
        let (cluster, user) = (&config["clusters"][0]["cluster"], &config["users"][0]["user"]);
        let server = cluster["server"].as_str().unwrap().to_owned();
        let access = json!({
            "bearerToken": user["token"],
            "tlsClientConfig": {
                "caData": cluster["certificate-authority-data"],
                "certData": user["client-certificate-data"], "keyData": user["client-key-data"],
            }
        });
        let data = json!({"name": name, "server": server, "config": access.to_string()});
        self.create_secret(name, Some("cluster"), data).await;
        server
    }

    /// Runs `windlass`.
    pub(crate) fn windlass(&self, arguments: &[&str]) -> Said {
        run_windlass(self.folder.path(), arguments)
    }

    /// Runs `windlass app` against this control plane.
    pub(crate) fn verb(&self, arguments: &[&str]) -> Said {
        self.command("app", arguments)
    }

    /// Runs `windlass proj` against this control plane.
    pub(crate) fn proj(&self, arguments: &[&str]) -> Said {
        self.command("proj", arguments)
    }

    /// Runs `windlass cluster` against this control plane.
    pub(crate) fn cluster(&self, arguments: &[&str]) -> Said {
        self.command("cluster", arguments)
    }

    /// Runs `windlass admin` against this control plane.
    pub(crate) fn admin(&self, arguments: &[&str]) -> Said {
        self.command("admin", arguments)
    }

    fn command(&self, command: &str, arguments: &[&str]) -> Said {
        let kubeconfig = self.kubeconfig();
        let connection = ["--kubeconfig", &kubeconfig, "--namespace", &self.namespace];
        self.windlass(&[&[command], &connection[..], arguments].concat())
    }

    /// The path of the kubeconfig.
    pub(crate) fn kubeconfig(&self) -> String {
        text(&self.kubeconfig)
    }

    /// A folder that goes with the scenario.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Waits until Windlass' log is as wanted.
    pub(crate) async fn until_log(&self, holds: impl Fn(&str) -> bool) {
        let attempt = || async {
            let log = std::fs::read_to_string(self.windlass.log()).unwrap_or_default();
            if holds(&log) { Ok(()) } else { Err("the log does not say so") }
        };
        eventually(PATIENCE, attempt).await.unwrap();
    }

    /// Changes the object at `path` again and again until Windlass' log is as wanted: for news that may be had later
    /// than the event that tells of them.
    pub(crate) async fn until_log_touching(&self, path: &str, holds: impl Fn(&str) -> bool) {
        let attempt = || async {
            let stamp = format!("{:?}", std::time::Instant::now());
            let change = json!({"metadata": {"annotations": {"example.com/touched": stamp}}});
            self.api.merge(path, &change).await.map_err(|error| error.to_string())?;
            let log = std::fs::read_to_string(self.windlass.log()).unwrap_or_default();
            if holds(&log) { Ok(()) } else { Err("the log does not say so".to_owned()) }
        };
        eventually(PATIENCE, attempt).await.unwrap();
    }

    /// Where the repository is.
    pub(crate) fn url(&self) -> String {
        self.git.url("shop")
    }

    /// Begins a commit on the branch that is deployed.
    pub(crate) fn commit(&self) -> CommitBuilder<'_> {
        self.repository.commit("main")
    }

    /// Makes a namespace, on a real server until the scenario ends.
    pub(crate) async fn create_namespace(&self, name: &str) {
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        self.api.create("/api/v1/namespaces", &object).await.unwrap();
    }

    /// The path of an object in the target namespace, such as `configmaps/settings` or `deployments/web`.
    pub(crate) fn path(&self, object: &str) -> String {
        let group = match object.split('/').next().unwrap_or_default() {
            "deployments" | "statefulsets" | "daemonsets" => "/apis/apps/v1",
            "jobs" => "/apis/batch/v1",
            "roles" => "/apis/rbac.authorization.k8s.io/v1",
            _ => "/api/v1",
        };
        format!("{group}/namespaces/{}/{object}", self.target)
    }

    /// The path of an object of the control plane, such as `applications/shop` or `secrets/repository`.
    pub(crate) fn control_path(&self, object: &str) -> String {
        let group = match object.split('/').next().unwrap_or_default() {
            "applications" | "appprojects" => "/apis/argoproj.io/v1alpha1",
            "leases" => "/apis/coordination.k8s.io/v1",
            _ => "/api/v1",
        };
        format!("{group}/namespaces/{}/{object}", self.namespace)
    }

    /// The path of the Application.
    pub(crate) fn app_path(&self) -> String {
        self.control_path(&format!("applications/{}", self.app))
    }

    /// Creates the scenario's Application, synced by hand unless `changes`, merged over it, say otherwise.
    pub(crate) async fn create_app(&self, changes: Value) {
        self.create_app_named(&self.app.clone(), changes).await;
    }

    /// Creates an Application of another name.
    pub(crate) async fn create_app_named(&self, name: &str, changes: Value) {
        let mut app = json!({
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {
                "project": "default",
                "source": {"repoURL": self.url(), "path": "deploy", "targetRevision": "main"},
                "destination": {"server": "https://kubernetes.default.svc", "namespace": self.target},
            }
        });
        merge(&mut app, changes);
        self.api.create(&self.control_path("applications"), &app).await.unwrap();
    }

    /// Creates the Application, synced by itself, pruned and healed.
    pub(crate) async fn create_automated_app(&self) {
        self.create_app(automated()).await;
    }

    /// Creates an object of the control plane's namespace.
    pub(crate) async fn create_secret(&self, name: &str, label: Option<&str>, data: Value) {
        let mut secret = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": name, "namespace": self.namespace},
            "stringData": data,
        });
        if let Some(label) = label {
            secret["metadata"]["labels"] = json!({"argocd.argoproj.io/secret-type": label});
        }
        self.api.create(&self.control_path("secrets"), &secret).await.unwrap();
    }

    /// Reads what must be there.
    pub(crate) async fn get(&self, path: &str) -> Value {
        self.api.get(path).await.unwrap()
    }

    /// Reads the Application.
    pub(crate) async fn app(&self) -> Value {
        self.get(&self.app_path()).await
    }

    /// Waits until what is at `path` is as wanted; returns it.
    pub(crate) async fn until(&self, path: &str, wanted: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let attempt = || async {
            let object = self.api.get(path).await.map_err(|error| error.to_string())?;
            if holds(&object) { Ok(object) } else { Err(readable(&object)) }
        };
        match eventually(PATIENCE, attempt).await {
            Ok(object) => object,
            Err(overdue) => panic!("expected {wanted}: {overdue}"),
        }
    }

    /// Waits until the Application is as wanted; returns it.
    pub(crate) async fn until_app(&self, wanted: &str, holds: impl Fn(&Value) -> bool) -> Value {
        self.until(&self.app_path(), wanted, holds).await
    }

    /// Waits until the Application is in sync at `commit` and its last operation succeeded.
    pub(crate) async fn until_synced(&self, commit: &CommitId) -> Value {
        let wanted = format!("the Application synced at {commit}");
        self.until_app(&wanted, |app| is_synced(app, commit)).await
    }

    /// Waits until the Application is in sync at `commit` and healthy.
    pub(crate) async fn until_healthy(&self, commit: &CommitId) -> Value {
        let wanted = format!("the Application synced at {commit} and healthy");
        let healthy = |app: &Value| is_synced(app, commit) && app["status"]["health"]["status"] == "Healthy";
        self.until_app(&wanted, healthy).await
    }

    /// Waits until the Application has a condition of this type that says all of this; returns its message.
    pub(crate) async fn until_condition(&self, kind: &str, said: &[&str]) -> String {
        let wanted = format!("a condition {kind} that says {said:?}");
        let app = self.until_app(&wanted, |app| condition(app, kind, said).is_some()).await;
        condition(&app, kind, said).unwrap_or_default()
    }

    /// Waits until the Application has no conditions.
    pub(crate) async fn until_no_conditions(&self) -> Value {
        let none = |app: &Value| app["status"]["conditions"].as_array().is_none_or(Vec::is_empty);
        self.until_app("no conditions", none).await
    }

    /// Waits until something is there.
    pub(crate) async fn until_exists(&self, path: &str) -> Value {
        self.until(path, "it to exist", |_| true).await
    }

    /// Waits until something is gone.
    pub(crate) async fn until_gone(&self, path: &str) {
        let attempt = || async {
            match self.api.get(path).await {
                Err(error) if error.code() == Some(404) => Ok(()),
                Err(error) => Err(error.to_string()),
                Ok(object) => Err(readable(&object)),
            }
        };
        if let Err(overdue) = eventually(PATIENCE, attempt).await {
            panic!("expected {path} to be gone: {overdue}");
        }
    }

    /// Asserts that something is there now.
    pub(crate) async fn assert_exists(&self, path: &str) {
        if let Err(error) = self.api.get(path).await {
            panic!("expected {path} to exist: {error}");
        }
    }

    /// Asserts that something is not there now.
    pub(crate) async fn assert_absent(&self, path: &str) {
        match self.api.get(path).await {
            Err(error) if error.code() == Some(404) => {}
            other => panic!("expected {path} to be absent: {other:?}"),
        }
    }

    /// Changes the Application by a merge patch.
    pub(crate) async fn patch_app(&self, patch: Value) {
        self.api.merge(&self.app_path(), &patch).await.unwrap();
    }

    /// Asks for news, which may also not come by polling. Waits until that was done.
    pub(crate) async fn refresh(&self) {
        self.patch_app(json!({"metadata": {"annotations": {"argocd.argoproj.io/refresh": "normal"}}})).await;
        self.until_app("the refresh to be taken", |app| {
            app["metadata"]["annotations"]["argocd.argoproj.io/refresh"].is_null()
        })
        .await;
    }

    /// Tells Windlass of a push as a generic sender does, signed with `secret`; returns the HTTP status.
    pub(crate) async fn push_webhook(&self, secret: &str) -> u16 {
        let body = json!({"repository": self.url(), "ref": "refs/heads/main"}).to_string();
        let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(body.as_bytes());
        let mut signature = String::new();
        for byte in mac.finalize().into_bytes() {
            let _ = write!(signature, "{byte:02x}");
        }
        let address = self.hub().await;
        let request = format!(
            "POST /api/webhook HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
             X-Signature: sha256={signature}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        status_of(&exchange(address, &request))
    }

    /// How often sources were rendered.
    pub(crate) async fn renders(&self) -> u64 {
        self.metric("windlass_renders_total{result=\"ok\"}").await
    }

    /// How often something was rendered, and not answered from what is kept.
    pub(crate) async fn renders_that_ran(&self) -> u64 {
        self.metric("windlass_render_answers_total{from=\"rendering\"}").await
    }

    /// A counter of Windlass, by its name and labels.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        let address = self.hub().await;
        let request = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        let answer = exchange(address, &request);
        let value = answer.lines().find_map(|line| line.strip_prefix(name));
        value.unwrap_or_else(|| panic!("no {name} in\n{answer}")).trim().parse().unwrap()
    }

    async fn hub(&self) -> SocketAddr {
        let message = "serving metrics, health and webhooks";
        wait_for_log(&self.windlass, message, "address").await.parse().unwrap()
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.windlass.log()).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let last = &lines[lines.len().saturating_sub(SHOWN_LOG_LINES)..];
            eprintln!("--- the end of Windlass' log ({:?})\n{}\n---", self.server, last.join("\n"));
        }
        self.windlass.kill();
        // The namespaces go after the process that would bring their objects back.
        self.guards.clear();
    }
}

/// The policy of an Application that is synced by itself, pruned and healed.
pub(crate) fn automated() -> Value {
    json!({"spec": {"syncPolicy": {"automated": {"prune": true, "selfHeal": true}}}})
}

/// A ConfigMap as a file would have it.
pub(crate) fn config_map(name: &str, value: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  value: \"{value}\"\n")
}

/// A ConfigMap with an annotation.
pub(crate) fn config_map_with(name: &str, value: &str, annotation: &str, text: &str) -> String {
    config_map(name, value).replacen(
        "metadata:\n",
        &format!("metadata:\n  annotations:\n    {annotation}: \"{text}\"\n"),
        1,
    )
}

/// A Deployment as a file would have it.
pub(crate) fn deployment(name: &str, image: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\nspec:\n  replicas: 1\n  selector:\n    \
         matchLabels:\n      app: {name}\n  template:\n    metadata:\n      labels:\n        app: {name}\n    \
         spec:\n      containers:\n        - name: {name}\n          image: {image}\n"
    )
}

/// A Service that is not healthy before [`Plane::open`] gives it an address.
pub(crate) fn balancer(name: &str, wave: i32) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\n  annotations:\n    \
         argocd.argoproj.io/sync-wave: \"{wave}\"\nspec:\n  type: LoadBalancer\n  ports:\n    - port: 80\n"
    )
}

impl Plane {
    /// Gives a Service of type LoadBalancer its address, as a cloud would.
    pub(crate) async fn open(&self, service: &str) {
        let path = format!("{}/status", self.path(&format!("services/{service}")));
        let status = json!({"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}});
        self.api.merge(&path, &status).await.unwrap();
    }
}

/// The message of the first condition of this type that says all of this.
pub(crate) fn condition(app: &Value, kind: &str, said: &[&str]) -> Option<String> {
    let conditions = app["status"]["conditions"].as_array()?;
    let mut messages = conditions
        .iter()
        .filter(|condition| condition["type"] == kind)
        .filter_map(|condition| condition["message"].as_str());
    messages.find(|message| said.iter().all(|part| message.contains(part))).map(str::to_owned)
}

/// Whether the Application is in sync at a commit, and what made it so has ended well.
pub(crate) fn is_synced(app: &Value, commit: &CommitId) -> bool {
    let status = &app["status"];
    status["sync"]["status"] == "Synced"
        && status["sync"]["revision"] == commit.as_str()
        && status["operationState"]["phase"] == "Succeeded"
}

/// The entry of `status.resources` for an object.
pub(crate) fn resource<'a>(app: &'a Value, kind: &str, name: &str) -> &'a Value {
    let resources = app["status"]["resources"].as_array();
    let found = resources.into_iter().flatten().find(|entry| entry["kind"] == kind && entry["name"] == name);
    found.unwrap_or(&Value::Null)
}

/// Merges as a JSON merge patch does.
fn merge(into: &mut Value, changes: Value) {
    match (into, changes) {
        (Value::Object(into), Value::Object(changes)) => {
            for (key, change) in changes {
                if change.is_null() {
                    into.remove(&key);
                } else {
                    merge(into.entry(key).or_insert(Value::Null), change);
                }
            }
        }
        (into, changes) => *into = changes,
    }
}

/// An object without what nobody wants to read in a message.
fn readable(object: &Value) -> String {
    let mut object = object.clone();
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("managedFields");
    }
    object.to_string()
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().into()
}

/// What a command said.
pub(crate) struct Said {
    command: String,
    code: Option<i32>,
    /// On standard output.
    pub(crate) out: String,
    /// On standard error.
    pub(crate) err: String,
}

impl Said {
    /// Asserts how it ended.
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}\n{}", self.command, self.out, self.err);
        self
    }

    /// Asserts that standard output has all of this.
    pub(crate) fn prints(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.out.contains(word), "{}: no {word:?}\n{}\n{}", self.command, self.out, self.err);
        }
        self
    }

    /// Asserts that standard error has all of this.
    pub(crate) fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.err.contains(word), "{}: no {word:?}\n{}\n{}", self.command, self.out, self.err);
        }
        self
    }
}

/// Runs `windlass`, apart from the settings of whoever runs the tests.
fn run_windlass(home: &Path, arguments: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_windlass"));
    command.args(arguments).stdin(Stdio::null()).env("HOME", home).env("TOKIO_WORKER_THREADS", "2");
    command.env_remove("KUBECONFIG").env_remove("XDG_DATA_HOME");
    let output = command.output().unwrap();
    Said {
        command: format!("windlass {}", arguments.join(" ")),
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Installs Windlass as its documentation says, and writes a kubeconfig with the rights of its ServiceAccount.
/// Returns the arguments that its container has.
async fn install(cluster: &Cluster, namespace: &str, flags: &[String], kubeconfig: &Path) -> Vec<String> {
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let home = kubeconfig.parent().unwrap();
    let kubectl = Kubectl::new(cluster.kubeconfig());
    let apply = ["apply", "--server-side", "-f", "-"];
    let printed = run_windlass(home, &["install", "--crds-only"]).exits(0).out;
    kubectl.run_with_input(&apply, printed).unwrap();
    for kind in ["applications", "appprojects", "applicationsets"] {
        let path = format!("/apis/argoproj.io/v1alpha1/{kind}");
        eventually(PATIENCE, || cluster.api().get(&path)).await.unwrap();
    }
    let printed =
        run_windlass(home, &[&["install", "--namespace", namespace][..], &flags].concat()).exits(0).out;
    kubectl.run_with_input(&apply, printed).unwrap();
    let token = kubectl.run(&["create", "token", "windlass", "-n", namespace]).unwrap();
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "installed",
        "clusters": [{"name": "cluster", "cluster": {
            "server": cluster.api().url(),
            "certificate-authority-data": BASE64_STANDARD.encode(cluster.api().authority_pem()),
        }}],
        "users": [{"name": "windlass", "user": {"token": token.trim()}}],
        "contexts": [{"name": "installed", "context": {"cluster": "cluster", "user": "windlass"}}],
    });
    std::fs::write(kubeconfig, config.to_string()).unwrap();
    let path = format!("/apis/apps/v1/namespaces/{namespace}/deployments/windlass");
    let deployment = cluster.api().get(&path).await.unwrap();
    let arguments = &deployment["spec"]["template"]["spec"]["containers"][0]["args"];
    arguments.as_array().unwrap().iter().map(|argument| argument.as_str().unwrap().to_owned()).collect()
}

/// How the engine runs on an API that it reaches through faults.
fn controller_arguments(proxy: &FaultProxy, folder: &Path, poll: &str, namespace: &str) -> Vec<String> {
    let kubeconfig = folder.join("through-faults");
    proxy.write_kubeconfig(&kubeconfig).unwrap();
    let data = text(&folder.join("engine-data"));
    let kubeconfig = text(&kubeconfig);
    [
        "controller",
        "--listen",
        "127.0.0.1:0",
        "--allow-local-repositories",
        "--log-format",
        "json",
        "--poll-interval",
        poll,
        "--kubeconfig",
        &kubeconfig,
        "--namespace",
        namespace,
        "--watch-namespace",
        namespace,
        "--data-dir",
        &data,
    ]
    .map(str::to_owned)
    .into()
}

fn launch(
    folder: &Path,
    name: &str,
    arguments: &[String],
    environment: &[(&'static str, String)],
    disk: Option<&SmallDisk>,
) -> Process {
    let mut builder = Process::builder(env!("CARGO_BIN_EXE_windlass"))
        .name(name)
        .args(arguments)
        .env("TOKIO_WORKER_THREADS", "2")
        .env("WINDLASS_LOG", "info,windlass_engine=debug")
        .log(folder.join(format!("{name}.log")));
    for (variable, value) in environment {
        builder = builder.env(variable, value);
    }
    match disk {
        Some(disk) => builder.on(disk),
        None => builder,
    }
    .start()
    .unwrap()
}

/// Waits until the process has logged this, and returns a field of it.
async fn wait_for_log(process: &Process, message: &str, field: &str) -> String {
    let attempt = || async {
        let log = std::fs::read_to_string(process.log()).unwrap_or_default();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut fields = lines
            .filter(|line| line["message"] == message)
            .filter_map(|line| line[field].as_str().map(str::to_owned));
        fields.next().ok_or(log)
    };
    eventually(PATIENCE, attempt).await.unwrap()
}

/// A client with what the kubeconfig of the embedded API holds.
fn client_of(kubeconfig: &Path) -> ApiClient {
    let config: Value = serde_json::from_slice(&std::fs::read(kubeconfig).unwrap()).unwrap();
    let (cluster, user) = (&config["clusters"][0]["cluster"], &config["users"][0]["user"]);
    let pem =
        |value: &Value| String::from_utf8(BASE64_STANDARD.decode(value.as_str().unwrap()).unwrap()).unwrap();
    let port = cluster["server"].as_str().unwrap().rsplit(':').next().unwrap().parse().unwrap();
    let (certificate, key) = (pem(&user["client-certificate-data"]), pem(&user["client-key-data"]));
    ApiClient::with_certificate(port, &pem(&cluster["certificate-authority-data"]), &certificate, &key)
        .unwrap()
}

/// Makes sure that the cluster serves Applications, once for all scenarios.
async fn define_kinds(api: &ApiClient, private: bool) {
    static SHARED: OnceCell<()> = OnceCell::const_new();
    let define = || async {
        let api = Arc::new(api.clone());
        for definition in windlass_argo::crds() {
            let definition = serde_json::to_value(definition.as_map()).unwrap();
            let name = definition["metadata"]["name"].as_str().unwrap();
            let path = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}");
            api.apply(&path, "e2e", &definition).await.unwrap();
            let served = || async {
                let list = format!("/apis/argoproj.io/v1alpha1/{}", name.split('.').next().unwrap());
                api.get(&list).await
            };
            eventually(PATIENCE, served).await.unwrap();
        }
    };
    if private {
        define().await;
    } else {
        SHARED.get_or_init(define).await;
    }
}

/// One HTTP exchange on a connection of its own.
fn exchange(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

fn status_of(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default()
}
