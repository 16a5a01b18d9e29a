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
use windlass_engine::{OfflineDeletion, OfflineInput, deletion_offline, plan_offline};
use windlass_kube::{Gvk, Object, ObjectRef, Str, Value, merge_patch, value};
use windlass_model::{
    Action, Backoff, Generation, HealthStatus, Manifest, Origin, OutcomeStatus, Phase, Plan, Propagation,
    Time, Wave,
};
use windlass_plan::{DeletionStage, failure_plan, termination_plan};

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
        propagation: Propagation,
        dry_run: bool,
    ) -> Result<bool, CallError> {
        let mut live = self.live.lock().unwrap();
        let Some(uid) = live.get(key).map(|object| object.uid().to_owned()) else { return Ok(false) };
        if dry_run {
            return Ok(true);
        }
        for dependent in live.values_mut().filter(|object| owner_of(object) == Some(&uid)) {
            if propagation == Propagation::Orphan {
                dependent.remove_at(&["metadata", "ownerReferences"]);
            }
        }
        let has_dependents = live.values().any(|object| owner_of(object) == Some(&uid));
        let object = live.get_mut(key).unwrap();
        object.set_at(&["metadata", "deletionTimestamp"], "2026-11-01T09:00:00Z");
        if propagation == Propagation::Foreground && has_dependents {
            object.set_at(&["metadata", "finalizers"], vec![Value::from(FOREGROUND)]);
        }
        collect_garbage(&mut live);
        Ok(true)
    }
}

/// The finalizer of an object that waits for what it owns.
const FOREGROUND: &str = "foregroundDeletion";

/// The finalizer of a script's command `holds`.
const HELD: &str = "example.org/held";

fn owner_of(object: &Object) -> Option<&str> {
    object.at(&["metadata", "ownerReferences"])?.as_array()?.first()?.str_at(&["uid"])
}

/// Takes away what is being deleted and not held; then what it owned; then what waited for that.
fn collect_garbage(live: &mut BTreeMap<ObjectRef, Object>) {
    let stamp =
        |object: &mut Object| object.set_at(&["metadata", "deletionTimestamp"], "2026-11-01T09:00:00Z");
    loop {
        let before = live.clone();
        live.retain(|_, object| {
            let held = object.at(&["metadata", "finalizers"]).and_then(Value::as_array);
            !object.is_terminating() || held.is_some_and(|held| !held.is_empty())
        });
        let uids: Vec<String> = live.values().map(|object| object.uid().to_owned()).collect();
        let waiting: Vec<String> = live
            .values()
            .filter(|object| {
                object.to_value().items_at(&["metadata", "finalizers"]).contains(&FOREGROUND.into())
            })
            .map(|object| object.uid().to_owned())
            .collect();
        let is_lost = |uid: &str| !uids.iter().any(|it| it == uid) || waiting.iter().any(|it| it == uid);
        live.values_mut().filter(|object| owner_of(object).is_some_and(is_lost)).for_each(stamp);
        let owners: Vec<String> = live.values().filter_map(|it| Some(owner_of(it)?.to_owned())).collect();
        for object in live.values_mut().filter(|object| waiting.iter().any(|it| it == object.uid())) {
            if !owners.iter().any(|owner| owner == object.uid()) {
                object.remove_at(&["metadata", "finalizers"]);
            }
        }
        if *live == before {
            return;
        }
    }
}

/// A plan that is being carried out.
struct Run {
    plan: Plan,
    at: usize,
    revision: String,
    /// Why it fails, for a plan of the hooks that run then.
    failing: Option<String>,
    /// What was declared when it was made.
    declared: BTreeMap<ObjectRef, Object>,
    /// Whether it only ends hooks that are not wanted any more.
    cancels: bool,
}

/// A deletion that is under way.
struct Deleting {
    propagation: Option<Propagation>,
    /// The phase whose hooks are through.
    through: Option<Phase>,
    /// When it was asked for.
    at: Time,
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
    deleting: Option<Deleting>,
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
            deleting: None,
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
            ["delete", how] => {
                let propagation = match how {
                    "foreground" => Some(Propagation::Foreground),
                    "background" => Some(Propagation::Background),
                    "orphan" => Some(Propagation::Orphan),
                    // The Application alone goes.
                    "alone" => None,
                    _ => panic!("no such way: {how}"),
                };
                if self.run.take().is_some() {
                    self.say("what was being done is superseded");
                }
                (self.wanted, self.failures, self.retry_at) = (false, 0, None);
                self.deleting = Some(Deleting { propagation, through: None, at: self.now });
            }
            // What is not there before somebody lets it go.
            ["holds", kind, name] => {
                let mut live = self.cluster.live.lock().unwrap();
                live.get_mut(&key(kind, name))
                    .unwrap_or_else(|| panic!("{name} is not live"))
                    .set_at(&["metadata", "finalizers"], vec![Value::from(HELD)]);
            }
            ["lets-go", kind, name] => {
                let mut live = self.cluster.live.lock().unwrap();
                live.get_mut(&key(kind, name))
                    .unwrap_or_else(|| panic!("{name} is not live"))
                    .remove_at(&["metadata", "finalizers"]);
                collect_garbage(&mut live);
            }
            // What a controller makes of an object.
            ["makes", owner_kind, owner, kind, name] => {
                let mut live = self.cluster.live.lock().unwrap();
                let uid = live[&key(owner_kind, owner)].uid().to_owned();
                let mut made = declared(kind, name, &[]);
                made.set_at(&["metadata", "uid"], format!("uid-of-{name}"));
                let reference = value!({"kind": (owner_kind), "name": (owner), "uid": (uid)});
                made.set_at(&["metadata", "ownerReferences"], vec![reference]);
                live.insert(made.object_ref(), made);
            }
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
            if self.deleting.is_some() {
                return self.settle_deletion();
            }
            let is_superseded =
                |run: &Run| run.failing.is_none() && !run.cancels && run.revision != self.revision;
            if self.run.as_ref().is_some_and(is_superseded) {
                let run = self.run.take().unwrap();
                let running = self.running_hooks(&run);
                let is_as_before = |key: &&ObjectRef| run.declared.get(*key) == self.declared.get(*key);
                if !running.is_empty() && running.iter().all(|key| is_as_before(&key)) {
                    // Declared as before: it is let finish, and what comes after it is the newer commit's.
                    self.say(format!("{} waits for {}", self.revision, in_words(&running)));
                    self.run = Some(run);
                    return;
                }
                self.say(format!("{} is superseded by {}", run.revision, self.revision));
                (self.wanted, self.failures, self.retry_at) = (true, 0, None);
                if !running.is_empty() {
                    self.generation += 1;
                    let plan = termination_plan(&run.plan, &running, Generation(self.generation));
                    self.run = Some(Run { plan, at: 0, cancels: true, ..run });
                }
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

    /// What is asked of everything that a plan depends on.
    fn with_input<T>(&self, now: Time, ask: impl FnOnce(&OfflineInput<'_>) -> T) -> T {
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
        ask(&OfflineInput {
            application: Some(&Object::try_new(application).unwrap()),
            project: Some(&self.project),
            manifests: &manifests,
            live: &live,
            revision: &self.revision,
            now,
        })
    }

    /// The hooks that a run has begun and that have not ended.
    fn running_hooks(&self, run: &Run) -> Vec<ObjectRef> {
        let live = self.cluster.live.lock().unwrap();
        let begun = run.plan.waves.iter().take(run.at).flat_map(|wave| &wave.steps);
        let is_running = |key: &&ObjectRef| {
            let found = live.get(key).and_then(health);
            found.is_some_and(|health| {
                matches!(health.status, HealthStatus::Progressing | HealthStatus::Suspended)
            })
        };
        let hooks = begun.filter(|step| step.hook().is_some()).map(|step| &step.key);
        hooks.filter(is_running).cloned().collect()
    }

    /// Goes on with a deletion as far as can be without waiting.
    fn settle_deletion(&mut self) {
        loop {
            let Some(Deleting { propagation, through, at }) = &self.deleting else { return };
            if self.retry_at.is_some_and(|at| at > self.now) {
                return;
            }
            let (propagation, through, at) = (*propagation, *through, *at);
            let next = self.with_input(at, |input| deletion_offline(input, propagation, through));
            match next {
                OfflineDeletion::Hooks(_, DeletionStage::Run(plan)) | OfflineDeletion::Delete(plan) => {
                    self.carry_out(&plan);
                }
                OfflineDeletion::Hooks(_, DeletionStage::Failed(plan)) => {
                    self.failures += 1;
                    let pause = BACKOFF.pause(self.failures).as_secs();
                    self.retry_at = Some(Time::from_unix(self.now.unix() + i64::try_from(pause).unwrap()));
                    self.say(format!("a hook failed, the next attempt is in {pause}s"));
                    self.carry_out(&plan);
                }
                OfflineDeletion::Hooks(phase, DeletionStage::Done(plan)) => {
                    self.carry_out(&plan);
                    self.deleting.as_mut().unwrap().through = Some(phase);
                }
                OfflineDeletion::Hooks(_, DeletionStage::Waiting(keys)) => {
                    return self.say(format!("waits for {}", in_words(&keys)));
                }
                OfflineDeletion::AwaitGone(keys) => {
                    return self.say(format!("waits for {} to be gone", in_words(&keys)));
                }
                OfflineDeletion::Gone => {
                    self.deleting = None;
                    return self.say("the Application is gone");
                }
            }
        }
    }

    /// Carries out all waves of a plan that waits for nothing.
    fn carry_out(&mut self, plan: &Plan) {
        for wave in &plan.waves {
            let results = runtime().block_on(run_wave(plan, wave, &self.cluster));
            let phase = if wave.steps.iter().all(|step| matches!(step.action, Action::Delete { .. })) {
                "deletes"
            } else {
                wave.phase.as_str()
            };
            self.say(phase);
            for result in &results {
                writeln!(self.said, "           {}: {}", result.key(), result.outcome.message).unwrap();
            }
        }
    }

    /// Plans; whether a plan is there to be carried out.
    fn begin(&mut self) -> bool {
        let made = self.with_input(self.now, plan_offline);
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
        let run = Run {
            plan,
            at: 0,
            revision: self.revision.clone(),
            failing: None,
            declared: self.declared.clone(),
            cancels: false,
        };
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
        if run.cancels {
            return None;
        }
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

fn in_words(keys: &[ObjectRef]) -> String {
    keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
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
    assert!(files.len() >= 15, "{} transcripts", files.len());
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
