//! Plans carried out on a scripted target.

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use windlass_apply::{CallError, CallErrorKind, Target, run_wave, verify};
use windlass_kube::{Gvk, Object, ObjectRef, Str, Value, value};
use windlass_model::{
    Action, ApplyMode, Digest, Generation, HookRole, OperationPhase, Origin, OutcomeStatus, Plan,
    Propagation, Reason, Step, UnitId, Wave,
};

/// A target in memory: answers every call after a few turns of the scheduler, as the script says, and notes it.
///
/// A call is noted as `verb name`, with `?` behind a dry run. The script is by name; what it does not name succeeds.
#[derive(Default)]
struct ScriptedTarget {
    script: HashMap<&'static str, CallErrorKind>,
    calls: Mutex<Vec<String>>,
    running: AtomicUsize,
    most_running: AtomicUsize,
}

impl ScriptedTarget {
    fn new(script: impl IntoIterator<Item = (&'static str, CallErrorKind)>) -> Self {
        Self { script: script.into_iter().collect(), ..Self::default() }
    }

    fn calls(&self) -> Vec<String> {
        self.calls.lock().expect("no call panics").clone()
    }

    async fn call(&self, verb: &str, name: &str, dry_run: bool) -> Result<(), CallError> {
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_running.fetch_max(running, Ordering::SeqCst);
        // Later names answer sooner, so that the order of results is no accident.
        for _ in 0..8usize.saturating_sub(name.len()) {
            tokio::task::yield_now().await;
        }
        // Far longer than all others together take.
        for _ in 0..if name == "slow" { 1000 } else { 0 } {
            tokio::task::yield_now().await;
        }
        self.running.fetch_sub(1, Ordering::SeqCst);
        self.calls
            .lock()
            .expect("no call panics")
            .push(format!("{verb} {name}{}", if dry_run { "?" } else { "" }));
        match self.script.get(name) {
            Some(kind) => Err(CallError::new(*kind, format!("{name} says no"))),
            None => Ok(()),
        }
    }
}

impl Target for ScriptedTarget {
    async fn apply(
        &self,
        _gvk: &Gvk,
        object: &Object,
        manager: &str,
        dry_run: bool,
    ) -> Result<Object, CallError> {
        assert_eq!(manager, "tester");
        self.call("apply", object.name(), dry_run).await?;
        Ok(object.clone())
    }

    async fn replace(&self, _: &Gvk, object: &Object, _: &str, dry_run: bool) -> Result<Object, CallError> {
        self.call("replace", object.name(), dry_run).await?;
        Ok(object.clone())
    }

    async fn merge(&self, _: &Gvk, object: &Object, _: &str, dry_run: bool) -> Result<Object, CallError> {
        self.calls.lock().expect("no call panics").push(format!(
            "merge {}{}",
            object.name(),
            if dry_run { "?" } else { "" }
        ));
        Ok(object.clone())
    }

    async fn set_owners(&self, _: &Gvk, live: &Object, _: &Value) -> Result<(), CallError> {
        self.call("owners", live.name(), false).await
    }

    async fn remove_added(&self, _gvk: &Gvk, live: Object, _manager: &str) -> Result<Object, CallError> {
        Ok(live)
    }

    async fn delete(
        &self,
        _gvk: &Gvk,
        key: &ObjectRef,
        uid: Option<&str>,
        _propagation: Propagation,
        dry_run: bool,
    ) -> Result<bool, CallError> {
        assert!(uid.is_none_or(|uid| uid == "u1"));
        self.call("delete", &key.name, dry_run).await.map(|()| key.name != "ghost")
    }
}

fn object(api_version: &str, kind: &str, namespace: &str, name: &str) -> Object {
    let mut object = value!({"apiVersion": (api_version), "kind": (kind)});
    object.set_at(&["metadata", "name"], name);
    if !namespace.is_empty() {
        object.set_at(&["metadata", "namespace"], namespace);
    }
    Object::try_new(object).expect("it has apiVersion and kind")
}

fn step(object: &Object, order: u16, action: Action) -> Step {
    Step {
        key: object.object_ref(),
        gvk: object.gvk(),
        action,
        reason: Reason::Missing,
        origin: Some(Origin { file: "app/a.yaml".into(), line: 7 }),
        order,
    }
}

fn apply(object: &Object, order: u16) -> Step {
    let digest = Digest::of_value(&object.to_value());
    step(
        object,
        order,
        Action::Apply { object: Arc::new(object.clone()), digest, mode: ApplyMode::default() },
    )
}

fn config_map(name: &str, order: u16) -> Step {
    apply(&object("v1", "ConfigMap", "web", name), order)
}

fn delete(name: &str, order: u16) -> Step {
    let action = Action::Delete { uid: "u1".into(), propagation: Propagation::Foreground };
    Step { origin: None, ..step(&object("v1", "ConfigMap", "web", name), order, action) }
}

fn plan(waves: Vec<Vec<Step>>) -> Plan {
    let waves = waves.into_iter().enumerate().map(|(number, steps)| Wave {
        number: i32::try_from(number).expect("few waves"),
        steps,
        ..Wave::default()
    });
    Plan {
        unit: UnitId(ObjectRef::new("argoproj.io", "Application", "argocd", "web")),
        generation: Generation(1),
        field_manager: "tester".into(),
        former_managers: Box::default(),
        waves: waves.collect(),
        on_failure: Vec::new(),
        verify_first: true,
    }
}

#[tokio::test]
async fn ranks_run_in_order_and_results_stand_in_the_order_of_the_plan() {
    let target = ScriptedTarget::default();
    let steps = ["a", "bb", "ccc"].map(|name| config_map(name, 1));
    let steps = [config_map("first", 0)].into_iter().chain(steps).chain([config_map("last", 2)]);
    let plan = plan(vec![steps.collect()]);
    let results = run_wave(&plan, &plan.waves[0], &target).await;
    let calls = target.calls();
    assert_eq!((calls[0].as_str(), calls[4].as_str()), ("apply first", "apply last"));
    // Inside the rank the quicker call was answered first.
    assert_eq!(calls[1..4], ["apply ccc", "apply bb", "apply a"]);
    let names: Vec<&str> = results.iter().map(|result| result.key().name.as_str()).collect();
    assert_eq!(names, ["first", "a", "bb", "ccc", "last"]);
    assert_eq!(target.most_running.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_large_rank_does_not_crowd_out_others() {
    let target = ScriptedTarget::default();
    let steps: Vec<Step> = (0..100).map(|n| config_map(&format!("c{n}"), 0)).collect();
    let plan = plan(vec![steps]);
    assert_eq!(run_wave(&plan, &plan.waves[0], &target).await.len(), 100);
    assert_eq!(target.most_running.load(Ordering::SeqCst), 8);
    assert_eq!(verify(&plan, &target).await.len(), 0);
    assert_eq!(target.most_running.load(Ordering::SeqCst), 8);
}

#[tokio::test]
async fn a_slow_call_does_not_hold_up_the_rest_of_its_rank() {
    let target = ScriptedTarget::default();
    let others = (0..50).map(|n| config_map(&format!("other-{n}"), 0));
    let plan = plan(vec![[config_map("slow", 0)].into_iter().chain(others).collect()]);
    let results = run_wave(&plan, &plan.waves[0], &target).await;
    assert_eq!(target.calls().last().map(String::as_str), Some("apply slow"));
    assert_eq!(results[0].key().name, "slow");
}

#[tokio::test]
async fn a_failed_step_stops_no_other_and_says_where_it_is_declared() {
    let target = ScriptedTarget::new([("bad", CallErrorKind::Refused), ("gone", CallErrorKind::Transient)]);
    let plan = plan(vec![vec![
        config_map("bad", 0),
        config_map("good", 0),
        delete("gone", 1),
        config_map("late", 2),
    ]]);
    let results = run_wave(&plan, &plan.waves[0], &target).await;
    let seen: Vec<(&str, OutcomeStatus, &str, Option<CallErrorKind>)> = results
        .iter()
        .map(|result| {
            (
                result.key().name.as_str(),
                result.outcome.status,
                result.outcome.message.as_str(),
                result.failure,
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("bad", OutcomeStatus::Failed, "app/a.yaml:7: bad says no", Some(CallErrorKind::Refused)),
            ("good", OutcomeStatus::Synced, "configmap/good serverside-applied", None),
            ("gone", OutcomeStatus::Failed, "gone says no", Some(CallErrorKind::Transient)),
            ("late", OutcomeStatus::Synced, "configmap/late serverside-applied", None),
        ]
    );
    // A receipt needs what was applied and what is live; a failure has neither.
    assert!(results[0].applied.is_none() && results[0].live.is_none());
    assert!(results[1].applied.is_some() && results[1].live.is_some());
}

#[tokio::test]
async fn an_object_that_was_replaced_counts_as_pruned_and_a_kept_one_as_skipped() {
    let target = ScriptedTarget::new([("replaced", CallErrorKind::Conflict)]);
    let kept = Step { reason: Reason::Kept, ..step(&object("v1", "Secret", "web", "kept"), 0, Action::Skip) };
    let plan = plan(vec![vec![delete("old", 0), delete("replaced", 0), kept]]);
    let results = run_wave(&plan, &plan.waves[0], &target).await;
    let seen: Vec<(OutcomeStatus, &str)> =
        results.iter().map(|result| (result.outcome.status, result.outcome.message.as_str())).collect();
    assert_eq!(
        seen,
        [
            (OutcomeStatus::Pruned, "pruned"),
            (OutcomeStatus::Pruned, "pruned"),
            (OutcomeStatus::PruneSkipped, "ignored: no longer declared, and marked to be kept"),
        ]
    );
    assert_eq!(target.calls().len(), 2, "what is skipped is not touched");
}

#[tokio::test]
async fn images_are_those_of_the_pods() {
    let mut deployment = object("apps/v1", "Deployment", "web", "web").into_value();
    deployment.set_at(
        &["spec", "template", "spec"],
        value!({"initContainers": [{"image": "i:1"}], "containers": [{"image": "a:1"}, {"name": "none"}]}),
    );
    let plan = plan(vec![vec![apply(&Object::try_new(deployment).unwrap(), 0)]]);
    let results = run_wave(&plan, &plan.waves[0], &ScriptedTarget::default()).await;
    assert_eq!(results[0].outcome.images.as_ref(), ["i:1", "a:1"].map(Str::from));
    assert_eq!(results[0].outcome.message, "deployment.apps/web serverside-applied");
}

#[tokio::test]
async fn verifying_tries_everything_without_effect() {
    let skipped = step(&object("v1", "Secret", "web", "skipped"), 0, Action::Skip);
    let namespace = object("v1", "Namespace", "", "web");
    let ensure = step(&namespace, 0, Action::EnsureNamespace { object: Arc::new(namespace.clone()) });
    let plan = plan(vec![vec![ensure, config_map("a", 1), skipped], vec![delete("b", 0)]]);
    let target = ScriptedTarget::default();
    assert!(verify(&plan, &target).await.is_empty());
    let mut calls = target.calls();
    calls.sort();
    assert_eq!(calls, ["apply a?", "apply web?", "delete b?"]);
}

#[tokio::test]
async fn verifying_excuses_only_what_the_plan_itself_will_bring() {
    let namespace = || apply(&object("v1", "Namespace", "", "web"), 0);
    let definition = || {
        let mut crd = object("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "things.example.com")
            .into_value();
        crd.set_at(&["spec"], value!({"group": "example.com", "names": {"kind": "Thing"}}));
        apply(&Object::try_new(crd).unwrap(), 0)
    };
    let thing = || apply(&object("example.com/v1", "Thing", "web", "x"), 1);
    let elsewhere = || apply(&object("v1", "ConfigMap", "other", "x"), 1);
    use CallErrorKind::{Conflict, NamespaceMissing, Refused, Transient, UnknownKind};
    for (steps, kind, refused) in [
        (vec![config_map("x", 1)], NamespaceMissing, true),
        (vec![namespace(), config_map("x", 1)], NamespaceMissing, false),
        (vec![namespace(), elsewhere()], NamespaceMissing, true),
        (vec![thing()], UnknownKind, true),
        (vec![definition(), thing()], UnknownKind, false),
        (vec![definition(), config_map("x", 1)], UnknownKind, true),
        // Being brought by the plan excuses nothing else.
        (vec![namespace(), definition(), thing()], Refused, true),
        (vec![namespace(), config_map("x", 1)], Transient, true),
        (vec![config_map("x", 1)], Conflict, true),
        // It was replaced since: carrying it out will notice.
        (vec![delete("x", 1)], Conflict, false),
        (vec![delete("x", 1)], Refused, true),
    ] {
        let plan = plan(vec![steps]);
        let refusals = verify(&plan, &ScriptedTarget::new([("x", kind)])).await;
        assert_eq!(refusals.len(), usize::from(refused), "{kind:?} {plan:#?}");
        assert!(refusals.iter().all(|refusal| refusal.kind == kind && refusal.outcome.key.name == "x"));
    }
}

#[tokio::test]
async fn a_dropped_wave_leaves_what_was_sent_and_starts_nothing_more() {
    let target = ScriptedTarget::default();
    let plan = plan(vec![vec![config_map("longname", 0), config_map("a", 1), config_map("longnam2", 2)]]);
    {
        let wave = run_wave(&plan, &plan.waves[0], &target);
        tokio::pin!(wave);
        // One turn: the first rank answers at once, the second is under way.
        let turn = std::future::poll_fn(|context| std::task::Poll::Ready(wave.as_mut().poll(context)));
        assert!(turn.await.is_pending());
    }
    assert_eq!(target.calls(), ["apply longname"]);
    // The same plan can be carried out again.
    assert_eq!(run_wave(&plan, &plan.waves[0], &target).await.len(), 3);
}

/// A step with a mode of its own.
fn with_mode(name: &str, mode: ApplyMode) -> Step {
    let mut step = config_map(name, 1);
    if let Action::Apply { mode: usual, .. } = &mut step.action {
        *usual = mode;
    }
    step
}

/// What is called, and what comes out, when one step is tried and carried out.
async fn in_mode(mode: ApplyMode, script: Option<CallErrorKind>) -> (Vec<String>, String) {
    let target = ScriptedTarget::new(script.map(|kind| ("a", kind)));
    let plan = plan(vec![vec![with_mode("a", mode)]]);
    let refusals = verify(&plan, &target).await;
    let results = run_wave(&plan, &plan.waves[0], &target).await;
    let said = format!("{} refused, {}", refusals.len(), results[0].outcome.message);
    (target.calls(), said)
}

#[tokio::test]
async fn an_object_is_applied_as_it_asks_for() {
    let usual = ApplyMode::default();
    let lenient = ApplyMode { lenient: true, ..usual };
    let replace = ApplyMode { replace: true, ..usual };
    let force = ApplyMode { force: true, ..usual };
    let missing = ApplyMode { kind_may_be_missing: true, ..usual };
    let merged =
        "0 refused, configmap/a configured by a three-way merge, because server-side apply cannot take it";
    let cases = [
        (usual, None, "apply a?, apply a", "0 refused, configmap/a serverside-applied"),
        (usual, Some(CallErrorKind::Duplicate), "apply a?, merge a?, apply a, merge a", merged),
        (usual, Some(CallErrorKind::UnknownField), "apply a?, apply a", "1 refused, app/a.yaml:7: a says no"),
        (lenient, Some(CallErrorKind::UnknownField), "apply a?, merge a?, apply a, merge a", merged),
        (replace, None, "replace a?, replace a", "0 refused, configmap/a replaced"),
        (
            force,
            Some(CallErrorKind::Refused),
            "apply a?, apply a, delete a",
            "0 refused, app/a.yaml:7: a says no",
        ),
        (
            missing,
            Some(CallErrorKind::UnknownKind),
            "apply a?, apply a",
            "0 refused, app/a.yaml:7: a says no",
        ),
    ];
    for (mode, script, calls, said) in cases {
        let (called, outcome) = in_mode(mode, script).await;
        assert_eq!((called.join(", ").as_str(), outcome.as_str()), (calls, said), "{mode:?} {script:?}");
    }
}

#[tokio::test]
async fn a_hook_that_runs_already_is_left_as_it_is() {
    let target = ScriptedTarget::new([("old", CallErrorKind::Conflict)]);
    let hook = |name: &str, goes_on| {
        let job = object("batch/v1", "Job", "web", name);
        let digest = Digest::of_value(&job.to_value());
        let role = HookRole::default();
        step(&job, 1, Action::RunHook { object: Arc::new(job.clone()), digest, role, goes_on })
    };
    let plan = plan(vec![vec![hook("new", false), hook("old", true)]]);
    assert!(verify(&plan, &target).await.is_empty());
    let results = run_wave(&plan, &plan.waves[0], &target).await;
    assert_eq!(target.calls(), ["apply new?", "apply new"]);
    let running = |result: &windlass_apply::StepResult| result.outcome.hook == Some(OperationPhase::Running);
    assert!(results.iter().all(running), "{results:?}");
}

#[tokio::test]
async fn only_an_answer_tells_what_a_deletion_met() {
    let target =
        ScriptedTarget::new([("fought", CallErrorKind::Conflict), ("far", CallErrorKind::Transient)]);
    let steps = ["there", "ghost", "fought", "far"].map(|name| delete(name, 1));
    let plan = plan(vec![steps.into()]);
    let results = run_wave(&plan, &plan.waves[0], &target).await;
    let met: Vec<Option<bool>> =
        results.iter().map(|result| result.deletion.as_ref().map(|met| met.was_there)).collect();
    // A conflict is no proof that the object is gone.
    assert_eq!(met, [Some(true), Some(false), None, None]);
    assert!(results.iter().filter_map(|result| result.deletion.as_ref()).all(|met| met.uid == "u1"));
}
