//! Whole syncs on a simulated clock: scripts with their transcripts, in `tests/transcripts`.
//!
//! A line that begins with `>` is a command, what follows is what came of it; `UPDATE=1` writes that anew. Every plan is
//! made by [`plan_offline`], which checks it, and carried out by `windlass-apply` on a cluster that is a map. Health is
//! what the built-in checks say of an object. The driver below only waits for what a wave names.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use windlass_apply::{CallError, CallErrorKind, Target, run_wave, verify};
use windlass_assess::health;
use windlass_engine::{OfflineInput, plan_offline};
use windlass_kube::{Gvk, Object, ObjectRef, Str, Value, merge_patch, value};
use windlass_model::{
    Action, Backoff, Generation, HealthStatus, Manifest, Origin, OutcomeStatus, Plan, Propagation, Time, Wave,
};
use windlass_plan::failure_plan;

/// Argo CD's pauses between attempts.
const BACKOFF: Backoff =
    Backoff { initial: Duration::from_secs(5), factor: 2.0, max: Duration::from_secs(180) };

/// A cluster that takes everything but what it was told to refuse.
#[derive(Default)]
struct Cluster {
    live: Mutex<BTreeMap<ObjectRef, Object>>,
    refused: BTreeMap<ObjectRef, String>,
    n_created: Mutex<usize>,
}

impl Target for Cluster {
    async fn apply(&self, _: &Gvk, object: &Object, _: &str, dry_run: bool) -> Result<Object, CallError> {
        let key = object.object_ref();
        if let Some(why) = self.refused.get(&key) {
            return Err(CallError::new(CallErrorKind::Refused, why.as_str()));
        }
        if dry_run {
            return Ok(object.clone());
        }
        let mut live = self.live.lock().unwrap();
        let mut next = object.clone();
        match live.get(&key) {
            Some(before) => {
                next.set_at(&["metadata", "uid"], before.uid());
                if let Some(status) = before.at(&["status"]) {
                    next.set_at(&["status"], status.clone());
                }
            }
            None => {
                let mut n_created = self.n_created.lock().unwrap();
                *n_created += 1;
                next.set_at(&["metadata", "uid"], format!("uid-{n_created}"));
            }
        }
        live.insert(key, next.clone());
        Ok(next)
    }

    async fn replace(&self, gvk: &Gvk, object: &Object, by: &str, dry: bool) -> Result<Object, CallError> {
        self.apply(gvk, object, by, dry).await
    }

    async fn merge(&self, gvk: &Gvk, object: &Object, by: &str, dry: bool) -> Result<Object, CallError> {
        self.apply(gvk, object, by, dry).await
    }

    async fn set_owners(&self, _: &Gvk, _: &Object, _: &Value) -> Result<(), CallError> {
        Ok(())
    }

    async fn remove_added(&self, _gvk: &Gvk, live: Object, _manager: &str) -> Result<Object, CallError> {
        Ok(live)
    }

    async fn delete(
        &self,
        _: &Gvk,
        key: &ObjectRef,
        _: Option<&str>,
        _: Propagation,
        dry_run: bool,
    ) -> Result<bool, CallError> {
        let mut live = self.live.lock().unwrap();
        Ok(if dry_run { live.contains_key(key) } else { live.remove(key).is_some() })
    }
}

/// A plan that is being carried out.
struct Run {
    plan: Plan,
    at: usize,
    revision: String,
    /// Why it fails, for a plan of the hooks that run then.
    failing: Option<String>,
}

struct World {
    now: Time,
    cluster: Cluster,
    declared: BTreeMap<ObjectRef, Object>,
    project: Object,
    revision: String,
    prune: bool,
    /// Whether somebody has approved what waits for that.
    approved: bool,
    wanted: bool,
    run: Option<Run>,
    failures: u32,
    retry_at: Option<Time>,
    generation: u64,
    said: String,
}

impl World {
    fn new() -> Self {
        let project = value!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": {"name": "default", "namespace": "argocd"},
            "spec": {
                "sourceRepos": ["*"], "destinations": [{"server": "*", "namespace": "*"}],
                "clusterResourceWhitelist": [{"group": "*", "kind": "*"}]
            }
        });
        Self {
            now: "2026-11-02T09:00:00Z".parse().unwrap(),
            cluster: Cluster::default(),
            declared: BTreeMap::new(),
            project: Object::try_new(project).unwrap(),
            revision: String::new(),
            prune: false,
            approved: false,
            wanted: false,
            run: None,
            failures: 0,
            retry_at: None,
            generation: 0,
            said: String::new(),
        }
    }

    fn say(&mut self, text: impl AsRef<str>) {
        let clock = self.now.to_string();
        writeln!(self.said, "{} {}", &clock[11..19], text.as_ref()).unwrap();
    }

    fn command(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["declare", kind, name, ref options @ ..] => {
                let object = declared(kind, name, options);
                self.declared.insert(object.object_ref(), object);
            }
            ["drop", kind, name] => {
                self.declared.remove(&key(kind, name));
            }
            ["commit", revision] => revision.clone_into(&mut self.revision),
            ["sync", ref options @ ..] => {
                self.prune = options.contains(&"prune");
                self.wanted = true;
            }
            ["refuse", kind, name, ..] => {
                let why = line.splitn(4, ' ').nth(3).unwrap_or("it is not allowed");
                self.cluster.refused.insert(key(kind, name), why.to_owned());
            }
            ["accept", kind, name] => {
                self.cluster.refused.remove(&key(kind, name));
            }
            ["becomes", kind, name, state] => self.becomes(&key(kind, name), state),
            ["approve"] => self.approved = true,
            // What somebody else does to the cluster.
            ["drifts", kind, name, value] => {
                let mut live = self.cluster.live.lock().unwrap();
                let object = live.get_mut(&key(kind, name)).unwrap_or_else(|| panic!("{name} is not live"));
                object.set_at(&["data", "value"], value);
            }
            ["vanishes", kind, name] => {
                let gone = self.cluster.live.lock().unwrap().remove(&key(kind, name));
                assert!(gone.is_some(), "{name} is not live");
            }
            ["window", kind, ..] => {
                let rest: Vec<&str> = line.split('"').collect();
                let window = value!({
                    "kind": (kind), "schedule": (rest[1]), "duration": (rest[2].trim()), "applications": ["*"]
                });
                self.project.set_at(&["spec", "syncWindows"], vec![window]);
            }
            ["wait", time] => {
                let time: windlass_go::duration::Duration = time.parse().unwrap();
                let seconds = i64::try_from(Duration::try_from(time).unwrap().as_secs()).unwrap();
                self.now = Time::from_unix(self.now.unix() + seconds);
            }
            ["live"] => {
                let live: Vec<String> =
                    self.cluster.live.lock().unwrap().keys().map(ToString::to_string).collect();
                let live = if live.is_empty() { "nothing".to_owned() } else { live.join(", ") };
                self.say(format!("live: {live}"));
            }
            _ => panic!("no such command: {line}"),
        }
    }

    /// Gives a live object the status that makes its built-in check say so.
    fn becomes(&mut self, key: &ObjectRef, state: &str) {
        let mut live = self.cluster.live.lock().unwrap();
        let object = live.get_mut(key).unwrap_or_else(|| panic!("{key} is not live"));
        let status = match (key.kind.as_str(), state) {
            ("Job", "done") => value!({"conditions": [{"type": "Complete", "status": "True"}]}),
            ("Job", "failed") => {
                value!({"conditions": [{"type": "Failed", "status": "True", "message": "the last pod failed"}]})
            }
            ("Service", "healthy") => value!({"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}),
            ("PersistentVolumeClaim", "healthy") => value!({"phase": "Bound"}),
            ("PersistentVolumeClaim", "lost") => value!({"phase": "Lost"}),
            _ => panic!("{key} cannot become {state}"),
        };
        object.set_at(&["status"], status);
    }

    /// Goes on as far as can be without waiting.
    fn settle(&mut self) {
        loop {
            if self.run.as_ref().is_some_and(|run| run.failing.is_none() && run.revision != self.revision) {
                let run = self.run.take().unwrap();
                self.say(format!("{} is superseded by {}", run.revision, self.revision));
                self.wanted = true;
                self.failures = 0;
                self.retry_at = None;
            }
            match self.run.take() {
                Some(run) => match self.step(run) {
                    Some(run) if self.is_waiting(&run) => {
                        self.run = Some(run);
                        return;
                    }
                    run => self.run = run,
                },
                None if self.wanted && self.retry_at.is_none_or(|at| at <= self.now) => {
                    if !self.begin() {
                        return;
                    }
                }
                None => return,
            }
        }
    }

    /// Plans; whether a plan is there to be carried out.
    fn begin(&mut self) -> bool {
        let application = value!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "shop", "namespace": "argocd"},
            "spec": {
                "project": "default", "source": {"repoURL": "https://example.org/shop.git", "path": "."},
                "destination": {"server": "https://kubernetes.default.svc", "namespace": "shop"},
                "syncPolicy": {"automated": {"prune": (self.prune)}}
            }
        });
        let manifests: Vec<Manifest> = self
            .declared
            .values()
            .map(|object| Manifest {
                object: object.clone(),
                origin: Origin { file: format!("{}.yaml", object.name()).into(), line: 1 },
            })
            .collect();
        let live: Vec<Object> = self.cluster.live.lock().unwrap().values().cloned().collect();
        let made = plan_offline(&OfflineInput {
            application: Some(&Object::try_new(application).unwrap()),
            project: Some(&self.project),
            manifests: &manifests,
            live: &live,
            revision: &self.revision,
            now: self.now,
        });
        let problems: Vec<String> = made.diagnostics.iter().map(ToString::to_string).collect();
        assert_eq!(problems, [""; 0], "the script declares what cannot be");
        if let Some(window) = made.blocked_by {
            self.say(format!("blocked by window {window}"));
            return false;
        }
        self.wanted = false;
        self.generation += 1;
        if made.plan.is_empty() {
            self.say(format!("{}: nothing to do", self.revision));
            self.failures = 0;
            return false;
        }
        self.say(format!("{} is planned in {} waves", self.revision, made.plan.waves.len()));
        let plan = Plan { generation: Generation(self.generation), ..made.plan };
        let run = Run { plan, at: 0, revision: self.revision.clone(), failing: None };
        if run.plan.verify_first {
            let refusals = runtime().block_on(verify(&run.plan, &self.cluster));
            if !refusals.is_empty() {
                for refusal in &refusals {
                    let outcome = &refusal.outcome;
                    writeln!(self.said, "           {}: {}", outcome.key, outcome.message).unwrap();
                }
                self.run = self.fail(run, "the plan would be refused, and nothing was changed".into());
                return true;
            }
        }
        self.run = Some(run);
        true
    }

    /// Carries out the next wave if nothing is in its way; `None` when the run is over.
    fn step(&mut self, mut run: Run) -> Option<Run> {
        let Some(wave) = run.plan.waves.get(run.at).cloned() else {
            return self.end(&run);
        };
        match self.gate(&wave) {
            Gate::Open => {}
            Gate::Waiting(what) => {
                self.say(format!("waits for {what}"));
                return Some(run);
            }
            Gate::Broken(why) => return self.fail(run, why),
        }
        let results = runtime().block_on(run_wave(&run.plan, &wave, &self.cluster));
        self.say(format!("{} wave {}", wave.phase.as_str(), wave.number));
        for result in &results {
            writeln!(self.said, "           {}: {}", result.key(), result.outcome.message).unwrap();
        }
        run.at += 1;
        let failed = results.iter().any(|result| result.outcome.status == OutcomeStatus::Failed);
        if failed { self.fail(run, "one or more objects failed to apply".into()) } else { Some(run) }
    }

    /// What a wave waits for: the words of its plan, and what is live.
    fn gate(&self, wave: &Wave) -> Gate {
        let live = self.cluster.live.lock().unwrap();
        let of =
            |key: &ObjectRef| live.get(key).map(|object| health(object).map(|it| (it.status, it.message)));
        if wave.after_approval && !self.approved {
            return Gate::Waiting("approval".into());
        }
        if let Some(key) = wave.after_gone.iter().find(|key| live.contains_key(key)) {
            return Gate::Waiting(format!("{key} to be gone"));
        }
        for key in wave.after_hooks.iter().chain(&wave.after_healthy) {
            match of(key) {
                None if wave.after_hooks.contains(key) => {}
                None => return Gate::Waiting(format!("{key} to be there")),
                Some(None | Some((HealthStatus::Healthy | HealthStatus::Suspended, _))) => {}
                Some(Some((HealthStatus::Degraded, message))) => {
                    return Gate::Broken(format!("{key} is degraded ({message})"));
                }
                Some(Some(_)) => return Gate::Waiting(key.to_string()),
            }
        }
        Gate::Open
    }

    fn is_waiting(&self, run: &Run) -> bool {
        run.plan.waves.get(run.at).is_some_and(|wave| matches!(self.gate(wave), Gate::Waiting(_)))
            && self.said.lines().last().is_some_and(|line| line.contains("waits for"))
    }

    fn fail(&mut self, run: Run, why: String) -> Option<Run> {
        if run.failing.is_some() {
            return self.end(&run);
        }
        self.generation += 1;
        let plan = failure_plan(&run.plan, run.at, Generation(self.generation));
        self.say(format!("fails: {why}"));
        Some(Run { plan, at: 0, failing: Some(why), ..run })
    }

    fn end(&mut self, run: &Run) -> Option<Run> {
        if run.failing.is_none() {
            self.say(format!("{} is synced", run.revision));
            self.failures = 0;
            return None;
        }
        self.failures += 1;
        let pause = BACKOFF.pause(self.failures).as_secs();
        self.retry_at = Some(Time::from_unix(self.now.unix() + i64::try_from(pause).unwrap()));
        self.wanted = true;
        self.say(format!("attempt {} failed, the next is in {pause}s", self.failures));
        None
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

enum Gate {
    Open,
    Waiting(String),
    Broken(String),
}

fn key(kind: &str, name: &str) -> ObjectRef {
    let group = if kind == "Job" { "batch" } else { "" };
    ObjectRef::new(group, kind, "shop", name)
}

/// `wave=1`, `hook=PreSync`, `delete=HookSucceeded`, `options=Prune=confirm`, `value=2`.
fn declared(kind: &str, name: &str, options: &[&str]) -> Object {
    let (version, body) = match kind {
        "Job" => (
            "batch/v1",
            value!({"spec": {"template": {"spec": {"containers": [{"name": "a", "image": "a"}]}}}}),
        ),
        "Service" => ("v1", value!({"spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}})),
        "PersistentVolumeClaim" => ("v1", value!({"spec": {"accessModes": ["ReadWriteOnce"]}})),
        _ => ("v1", value!({"data": {"value": "1"}})),
    };
    let head =
        value!({"apiVersion": (version), "kind": (kind), "metadata": {"name": (name), "namespace": "shop"}});
    let mut object = Object::try_new(merge_patch::apply(&head, &body)).unwrap();
    for option in options {
        let (option, said) = option.split_once('=').unwrap();
        let annotation = match option {
            "wave" => "argocd.argoproj.io/sync-wave",
            "hook" => "argocd.argoproj.io/hook",
            "delete" => "argocd.argoproj.io/hook-delete-policy",
            "options" => "argocd.argoproj.io/sync-options",
            "value" => {
                object.set_at(&["data", "value"], said);
                continue;
            }
            _ => panic!("no such option: {option}"),
        };
        object.set_at(&["metadata", "annotations", annotation], said);
    }
    object
}

/// The script of a transcript, carried out.
fn transcript(text: &str) -> String {
    let mut world = World::new();
    let mut out = String::new();
    for line in text.lines() {
        if line.starts_with('#') {
            writeln!(out, "{line}").unwrap();
        }
        let Some(command) = line.strip_prefix("> ") else { continue };
        writeln!(out, "{line}").unwrap();
        world.command(command);
        world.settle();
        out.push_str(&std::mem::take(&mut world.said));
    }
    out
}

#[test]
fn syncs_go_as_their_transcripts_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 11, "{} transcripts", files.len());
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let got = transcript(&text);
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&file, got).unwrap();
        } else {
            assert_eq!(got, text, "{}", file.display());
        }
    }
}

#[test]
fn a_plan_never_deletes_what_is_declared() {
    let mut world = World::new();
    for command in [
        "declare ConfigMap a",
        "declare ConfigMap b",
        "commit one",
        "sync prune",
        "drop ConfigMap b",
        "commit two",
    ] {
        world.command(command);
        world.settle();
    }
    world.command("sync prune");
    assert!(world.begin());
    let plan = &world.run.as_ref().unwrap().plan;
    let deleted: Vec<&Str> = plan
        .steps()
        .filter(|step| matches!(step.action, Action::Delete { .. }))
        .map(|step| &step.key.name)
        .collect();
    assert_eq!(deleted, ["b"]);
}
