//! One seed's world: what happens in it, and what must hold afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::BodyExt as _;
use tempfile::TempDir;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::watch;
use tower::ServiceExt as _;
use windlass_apiserver::{ApiService, Server};
use windlass_cluster::{ApplyOptions, ClusterClient, DeleteOptions, Resource};
use windlass_engine::{Engine, EngineConfig, Metrics, PushSender, push_channel};
use windlass_kube::{Object, Value, value};
use windlass_source::webhook::{Provider, Push};
use windlass_testing::{
    AnsweredWrite, ApiFault, ApiFaults, BrokenOff, FaultRule, FaultyBody, Repository, Seeded, Traffic,
    eventually,
};

/// How long a world may take to become as it should when nothing goes wrong any more: a busy machine, and pauses that
/// have grown before.
const PATIENCE: Duration = Duration::from_secs(90);

/// A call that is not answered is given up after this, so that a black hole does not take a minute.
const CALL: Duration = Duration::from_millis(700);

/// Objects of a Unit, in two waves.
const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// What a commit declares: for each Unit, the number of the commit that last changed each of its objects.
type Declared = [BTreeMap<&'static str, u64>; 2];

pub(crate) struct World {
    seed: u64,
    random: Seeded,
    /// Without faults.
    client: ClusterClient,
    service: ApiService,
    faults: ApiFaults,
    engine: Option<(Runtime, PushSender)>,
    repository: Repository,
    folder: TempDir,
    control: String,
    target: String,
    /// Whether Units have a hook.
    hooks: bool,
    /// Every commit, oldest first: its id, what it declares, and how many writes were answered before it.
    commits: Vec<(String, Declared, usize)>,
    said: Vec<String>,
}

/// The way from the engine to the API, with faults on it.
#[derive(Clone)]
struct BadNetwork {
    service: ApiService,
    faults: ApiFaults,
    /// What the server has begun it ends, whatever becomes of its client.
    server: Handle,
}

impl tower::Service<Request<kube::client::Body>> for BadNetwork {
    type Response = Response<FaultyBody>;
    type Error = BrokenOff;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, BrokenOff>> + Send>>;

    fn poll_ready(
        &mut self,
        _context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), BrokenOff>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<kube::client::Body>) -> Self::Future {
        let Self { service, faults, server } = self.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.map_err(|_| BrokenOff)?.to_bytes();
            let forward = |request: Request<Bytes>| async move {
                let request = request.map(http_body_util::Full::new);
                let answered = server.spawn(service.oneshot(request)).await;
                answered.map_err(|_| BrokenOff)?.map_err(|never| match never {})
            };
            faults.pass(Request::from_parts(head, body), forward).await
        })
    }
}

fn resource(kind: &str) -> Resource {
    match kind {
        "Application" => Resource::new("argoproj.io", "v1alpha1", kind, "applications", true),
        "AppProject" => Resource::new("argoproj.io", "v1alpha1", kind, "appprojects", true),
        "ConfigMap" => Resource::new("", "v1", kind, "configmaps", true),
        "Namespace" => Resource::new("", "v1", kind, "namespaces", false),
        _ => panic!("{kind} is not used here"),
    }
}

impl World {
    pub(crate) async fn new(seed: u64, server: &Server) -> Self {
        let folder = TempDir::with_prefix("windlass-bad-day-").unwrap();
        let repository = Repository::init(folder.path().join("repository")).unwrap();
        let service = server.service();
        let mut random = Seeded::new(seed);
        let mut world = Self {
            seed,
            client: ClusterClient::new(kube::Client::new(service.clone(), "default")),
            service,
            faults: ApiFaults::new(random.number()),
            engine: None,
            repository,
            folder,
            control: format!("control-{seed}"),
            target: format!("target-{seed}"),
            hooks: random.chance(0.3),
            random,
            commits: Vec::new(),
            said: Vec::new(),
        };
        for name in [world.control.clone(), world.target.clone()] {
            world.apply("Namespace", value!({"metadata": {"name": (name)}})).await;
        }
        let project = value!({
            "metadata": {"name": "default", "namespace": (world.control.as_str())},
            "spec": {
                "sourceRepos": ["*"], "destinations": [{"server": "*", "namespace": "*"}],
                "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
            },
        });
        world.apply("AppProject", project).await;
        let foreign = value!({
            "metadata": {"name": "foreign", "namespace": (world.target.as_str())}, "data": {"value": "foreign"},
        });
        world.apply("ConfigMap", foreign).await;
        world.commit();
        for unit in 0..2 {
            world.declare(unit).await;
        }
        world
    }

    async fn apply(&self, kind: &str, mut object: Value) {
        let resource = resource(kind);
        object.set_at(&["apiVersion"], resource.gvk.api_version());
        object.set_at(&["kind"], kind);
        let object = Object::try_new(object).unwrap();
        self.client.apply(&resource, &object, &ApplyOptions::new("test")).await.unwrap();
    }

    fn app(&self, unit: usize) -> String {
        format!("day-{}-{unit}", self.seed)
    }

    async fn declare(&self, unit: usize) {
        let name = self.app(unit);
        let application = value!({
            "metadata": {
                "name": (name), "namespace": (self.control.as_str()),
                "finalizers": ["resources-finalizer.argocd.argoproj.io"],
            },
            "spec": {
                "project": "default",
                "source": {
                    "repoURL": (self.repository.file_url()), "path": (format!("unit-{unit}")),
                    "targetRevision": "main",
                },
                "destination": {
                    "server": "https://kubernetes.default.svc", "namespace": (self.target.as_str()),
                },
                "syncPolicy": {
                    "automated": {"prune": true, "selfHeal": true, "allowEmpty": true},
                    "retry": {"limit": 3, "backoff": {"duration": "100ms", "factor": 2, "maxDuration": "500ms"}},
                },
            },
        });
        self.apply("Application", application).await;
    }

    /// Changes what is declared at random.
    fn commit(&mut self) {
        let number = u64::try_from(self.commits.len()).unwrap() + 1;
        let mut declared = self.commits.last().map(|commit| commit.1.clone()).unwrap_or_default();
        let mut changes = BTreeSet::new();
        let n_changes = if self.commits.is_empty() { 12 } else { 1 + self.random.below(5) };
        for _ in 0..n_changes {
            let unit = usize::try_from(self.random.below(2)).unwrap();
            let name = NAMES[usize::try_from(self.random.below(6)).unwrap()];
            if declared[unit].contains_key(name) && self.random.chance(0.3) {
                declared[unit].remove(name);
            } else {
                declared[unit].insert(name, number);
            }
            changes.insert((unit, name));
        }
        let mut commit = self.repository.commit("main");
        for (unit, name) in changes {
            let file = format!("unit-{unit}/{name}.yaml");
            let before = self.commits.last().is_some_and(|commit| commit.1[unit].contains_key(name));
            match declared[unit].get(name) {
                Some(value) => {
                    let wave = NAMES.iter().position(|other| *other == name).unwrap() / 3;
                    let text = format!(
                        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}-{unit}\n  annotations:\n    \
                         argocd.argoproj.io/sync-wave: \"{wave}\"\ndata:\n  value: \"{value}\"\n"
                    );
                    commit = commit.file(file, text);
                }
                None if before => commit = commit.delete(file),
                None => {}
            }
        }
        if self.commits.is_empty() {
            for unit in 0..2 {
                // A folder that is there whatever is declared in it.
                commit = commit.file(format!("unit-{unit}/README.md"), "what is declared");
                if self.hooks {
                    let text = format!(
                        "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: before-{unit}\n  annotations:\n    \
                         argocd.argoproj.io/hook: PreSync\nspec:\n  template:\n    spec:\n      restartPolicy: Never\n      \
                         containers:\n        - name: a\n          image: a\n"
                    );
                    commit = commit.file(format!("unit-{unit}/hook.yaml"), text);
                }
            }
        }
        let id = commit.file("number", number.to_string()).submit().unwrap();
        self.said.push(format!("commit {number} {id}: {declared:?}"));
        self.commits.push((id.to_string(), declared, self.faults.writes().len()));
    }

    fn start(&mut self) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .thread_name(format!("engine-{}", self.seed))
            .build()
            .unwrap();
        let network = BadNetwork {
            service: self.service.clone(),
            faults: self.faults.clone(),
            server: Handle::current(),
        };
        let config = EngineConfig {
            control_plane_namespace: self.control.as_str().into(),
            watch_namespace: self.control.as_str().into(),
            poll_interval: Duration::from_millis(500),
            poll_jitter: Duration::ZERO,
            concurrent_renders: 1,
            allow_local_repositories: true,
            ..EngineConfig::default()
        };
        let data = self.folder.path().join("data");
        let (pushes, mut received) = push_channel();
        let guard = runtime.enter();
        let client = ClusterClient::new(kube::Client::new(network, "default")).answering_within(CALL);
        drop(guard);
        runtime.spawn(async move {
            let engine = Engine::new(config, client, &data, Metrics::default()).unwrap();
            let (ready, _readiness) = watch::channel(false);
            engine.run(&mut received, &ready, None).await;
        });
        self.engine = Some((runtime, pushes));
        self.said.push("start".into());
    }

    /// As `kill -9` does: nothing is ended in good order.
    fn kill(&mut self) {
        if let Some((runtime, _)) = self.engine.take() {
            runtime.shutdown_background();
            self.said.push("kill".into());
        }
    }

    fn push(&self) {
        if let Some((_, pushes)) = &self.engine {
            // When too many wait, or the engine just starts, polling brings the news.
            let _ = pushes.send(Push {
                provider: Provider::Generic,
                repositories: vec![self.repository.file_url()],
                reference: "refs/heads/main".into(),
                before: None,
                after: None,
                changed_files: None,
                is_default_branch: None,
            });
        }
    }

    /// Lets something else go wrong from now on.
    fn change_weather(&mut self) {
        self.faults.heal();
        if self.random.chance(0.3) {
            self.faults.drop_watches();
        }
        let random = &mut self.random;
        let mut rules = Vec::new();
        for _ in 0..random.below(4) {
            let milliseconds = Duration::from_millis(random.below(80));
            let share = [0.1, 0.3, 0.6][usize::try_from(random.below(3)).unwrap()];
            rules.push(match random.below(12) {
                0 => FaultRule::new(Traffic::All, ApiFault::Latency(milliseconds)).chance(share),
                1 => FaultRule::new(Traffic::Writes, ApiFault::Status(500)).chance(share),
                2 => FaultRule::new(Traffic::All, ApiFault::Status(503)).chance(0.2),
                3 => FaultRule::new(Traffic::All, ApiFault::Busy(0)).chance(share),
                4 => FaultRule::new(Traffic::Writes, ApiFault::Conflict),
                5 => FaultRule::new(Traffic::Writes, ApiFault::Conflict).chance(share),
                6 => FaultRule::new(Traffic::All, ApiFault::Disconnect).chance(0.2),
                7 => FaultRule::new(Traffic::Writes, ApiFault::LostAnswer).chance(share),
                8 => {
                    let n_bytes = usize::try_from(random.below(600)).unwrap();
                    FaultRule::new(Traffic::Reads, ApiFault::CutAfter(n_bytes)).chance(0.2)
                }
                9 => {
                    let n_bytes = usize::try_from(random.below(5000)).unwrap();
                    FaultRule::new(Traffic::Watches, ApiFault::CutAfter(n_bytes))
                }
                10 => FaultRule::new(Traffic::Writes, ApiFault::BlackHole).chance(share),
                _ => FaultRule::new(Traffic::All, ApiFault::BlackHole).chance(0.1),
            });
        }
        self.said.push(format!("weather {rules:?}"));
        for rule in rules {
            self.faults.add(rule);
        }
    }

    /// Somebody else changes or deletes what is live.
    async fn drift(&mut self) {
        let unit = self.random.below(2);
        let name = format!("{}-{unit}", NAMES[usize::try_from(self.random.below(6)).unwrap()]);
        let resource = resource("ConfigMap");
        if self.random.chance(0.5) {
            self.said.push(format!("drift {name}"));
            let patch = value!({"data": {"value": "drifted", "more": "of it"}});
            let _ = self.client.merge_patch(&resource, &self.target, &name, &patch, "somebody").await;
        } else {
            self.said.push(format!("delete {name}"));
            self.client.delete(&resource, &self.target, &name, &DeleteOptions::default()).await.unwrap();
        }
    }

    /// Everything that happens, and everything that must hold.
    pub(crate) async fn live_through(&mut self) -> Result<(), String> {
        self.start();
        for _ in 0..4 + self.random.below(8) {
            match self.random.below(8) {
                0..=2 => {
                    self.commit();
                    self.push();
                }
                3 => self.drift().await,
                4 | 5 => self.change_weather(),
                _ if self.engine.is_some() => self.kill(),
                _ => self.start(),
            }
            // The moments are random, and nothing is expected of them.
            tokio::time::sleep(Duration::from_millis(self.random.below(250))).await;
        }
        self.faults.heal();
        if self.engine.is_none() {
            self.start();
        }
        self.push();
        self.said.push("heal".into());
        let converged = eventually(PATIENCE, || self.is_converged()).await;
        converged.map_err(|overdue| format!("does not converge: {overdue}"))?;
        self.check_writes()?;
        if self.random.chance(0.4) {
            self.delete_all().await?;
        }
        Ok(())
    }

    /// Deletes the Units in bad weather; in the end nothing of them is left, and all of the rest is.
    async fn delete_all(&mut self) -> Result<(), String> {
        self.change_weather();
        for unit in 0..2 {
            let (application, name) = (resource("Application"), self.app(unit));
            self.client.delete(&application, &self.control, &name, &DeleteOptions::default()).await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(self.random.below(300))).await;
        if self.random.chance(0.5) {
            self.kill();
            self.start();
        }
        self.faults.heal();
        self.said.push("deleted, heal".into());
        let gone = || async {
            let left = self.client.list(&resource("Application"), &self.control, "").await.unwrap();
            let left = left.iter().map(|app| app.name().to_owned()).collect::<Vec<_>>();
            if !left.is_empty() {
                return Err(format!("{left:?} are still there"));
            }
            match self.live().await {
                live if live.is_empty() => Ok(()),
                live => Err(format!("{live:?} are left")),
            }
        };
        eventually(PATIENCE, gone).await.map_err(|overdue| format!("is not deleted: {overdue}"))
    }

    /// The values of all live ConfigMaps that are not the foreign one.
    async fn live(&self) -> BTreeMap<String, String> {
        let all = self.client.list(&resource("ConfigMap"), &self.target, "").await.unwrap();
        let mut live: BTreeMap<String, String> = all
            .iter()
            .filter(|object| object.name() != "kube-root-ca.crt")
            .map(|object| (object.name().to_owned(), object.str_at(&["data", "value"]).to_owned()))
            .collect();
        assert_eq!(live.remove("foreign").as_deref(), Some("foreign"), "what belongs to nobody is lost");
        live
    }

    async fn is_converged(&self) -> Result<(), String> {
        let (_, head, _) = self.commits.last().unwrap();
        let wanted: BTreeMap<String, String> = (0..2)
            .flat_map(|unit| {
                head[unit].iter().map(move |(name, value)| (format!("{name}-{unit}"), value.to_string()))
            })
            .collect();
        let live = self.live().await;
        if live != wanted {
            return Err(format!("live is {live:?}, declared is {wanted:?}; {}", self.statuses().await));
        }
        for (unit, declared) in head.iter().enumerate() {
            let app = self.client.get(&resource("Application"), &self.control, &self.app(unit)).await;
            let app = app.map_err(|error| error.to_string())?;
            let of =
                |id: &str| self.commits.iter().find(|commit| commit.0 == id).map(|commit| &commit.1[unit]);
            let text = |path: &[&str]| app.str_at(path).to_owned();
            // What never declared anything was never synced.
            let history = app.at(&["status", "history"]).and_then(Value::as_array);
            let is_empty = declared.is_empty() && history.is_none();
            let problem = if text(&["status", "sync", "status"]) != "Synced" {
                "is not Synced"
            } else if text(&["status", "health", "status"]) != "Healthy" {
                "is not Healthy"
            } else if !is_empty && text(&["status", "operationState", "phase"]) != "Succeeded" {
                "has no operation that succeeded"
            } else if of(&text(&["status", "sync", "revision"])) != Some(declared) {
                "is synced to another revision"
            } else if !is_empty
                && history.and_then(|history| history.last()?.str_at(&["revision"])).and_then(of)
                    != Some(declared)
            {
                "has a history that ends with something else"
            } else if app
                .at(&["status", "conditions"])
                .and_then(Value::as_array)
                .is_some_and(|all| !all.is_empty())
            {
                "has conditions"
            } else {
                continue;
            };
            return Err(format!(
                "{} {problem}: {}",
                self.app(unit),
                app.at(&["status"]).map_or_else(String::new, |it| serde_json::to_string(it).unwrap())
            ));
        }
        Ok(())
    }

    async fn statuses(&self) -> String {
        let mut said = String::new();
        for unit in 0..2 {
            let app = self.client.get(&resource("Application"), &self.control, &self.app(unit)).await;
            let status =
                app.map(|app| app.at(&["status"]).map(|status| serde_json::to_string(status).unwrap()));
            let _ = write!(said, "{unit}: {status:?} ");
        }
        said
    }

    /// What the server was asked to write, in its own order.
    fn check_writes(&self) -> Result<(), String> {
        let writes = self.faults.writes();
        let config_maps = format!("/api/v1/namespaces/{}/configmaps/", self.target);
        let mut applied: BTreeMap<&str, Vec<(u64, u64)>> = BTreeMap::new();
        for (idx, write) in writes.iter().enumerate() {
            let (path, query) = write.path.split_once('?').unwrap_or((&write.path, ""));
            let Some(name) = path.strip_prefix(&config_maps) else { continue };
            if !write.status.is_success() || query.contains("dryRun") {
                continue;
            }
            if write.method == Method::DELETE {
                if !is_dry_run(write) {
                    self.check_delete(name, idx, applied.get(name))?;
                }
                continue;
            }
            let (Some(value), Some(version)) = (
                number(&write.body, &["data", "value"]),
                number(&write.answer, &["metadata", "resourceVersion"]),
            ) else {
                continue;
            };
            applied.entry(name).or_default().push((version, value));
        }
        for (name, mut versions) in applied {
            versions.sort_unstable();
            if let Some(pair) = versions.windows(2).find(|pair| pair[1].1 < pair[0].1) {
                return Err(format!(
                    "{name} was applied as commit {} has it after it was as commit {} has it",
                    pair[1].1, pair[0].1
                ));
            }
        }
        Ok(())
    }

    fn check_delete(&self, object: &str, at: usize, applied: Option<&Vec<(u64, u64)>>) -> Result<(), String> {
        let (name, unit) = object.split_once('-').unwrap();
        let unit: usize = unit.parse().unwrap();
        // As of this commit it was applied last.
        let since = applied.and_then(|all| all.iter().max()).map_or(1, |last| last.1);
        let known = self.commits.iter().enumerate().filter(|(_, commit)| commit.2 <= at);
        let mut since = known.filter(|(idx, _)| u64::try_from(idx + 1).unwrap() >= since);
        if since.any(|(_, commit)| !commit.1[unit].contains_key(name)) {
            return Ok(());
        }
        Err(format!("{object} was deleted though every commit since it was applied declares it"))
    }

    pub(crate) fn n_faults(&self) -> usize {
        self.faults.count()
    }

    /// What happened, for people.
    pub(crate) fn story(&self, problem: &str) -> String {
        let mut story = format!("{problem}\nwhat happened:\n  {}\nwrites:\n", self.said.join("\n  "));
        for write in self.faults.writes().iter().filter(|write| !write.path.contains("events")) {
            let value = number(&write.body, &["data", "value"]);
            let _ = writeln!(story, "  {} {} {:?} {}", write.method, write.path, value, write.status);
        }
        story
    }

    pub(crate) async fn end(&mut self) {
        self.kill();
        for name in [&self.control, &self.target] {
            let _ = self.client.delete(&resource("Namespace"), "", name, &DeleteOptions::default()).await;
        }
        for unit in 0..2 {
            let patch = value!({"metadata": {"finalizers": null}});
            let app = self.app(unit);
            let _ =
                self.client.merge_patch(&resource("Application"), &self.control, &app, &patch, "test").await;
        }
    }
}

fn is_dry_run(write: &AnsweredWrite) -> bool {
    String::from_utf8_lossy(&write.body).contains("dryRun")
}

/// The number in a text field of a JSON object.
fn number(json: &Bytes, path: &[&str]) -> Option<u64> {
    let value: Value = serde_json::from_slice(json).ok()?;
    value.str_at(path)?.parse().ok()
}
