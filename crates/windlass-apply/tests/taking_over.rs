//! What was applied client-side before, on a target that merges as a server does.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};

use windlass_apply::{CallError, CallErrorKind, StepResult, Target, run_wave, verify};
use windlass_kube::fields::managed_fields;
use windlass_kube::merge::{Request, apply, update};
use windlass_kube::schema::ObjectType;
use windlass_kube::{Gvk, Object, ObjectRef, Value, value};
use windlass_model::{
    Action, ApplyMode, Digest, Generation, OutcomeStatus, Plan, Propagation, Reason, Step, UnitId, Wave,
};

const OURS: &str = "argocd-controller";
const KUBECTL: &str = "kubectl-client-side-apply";

/// One object and its server. Calls are noted by their verbs, dry runs with a `?`.
#[derive(Default)]
struct Server {
    live: Mutex<Option<Object>>,
    version: Mutex<u64>,
    calls: Mutex<Vec<&'static str>>,
    /// So many writes of ownership find that somebody else has written in between.
    races: Mutex<usize>,
}

fn request<'a>(manager: &'a str, object_type: &'a ObjectType) -> Request<'a> {
    Request { manager, object_type, subresource: "", now: "2026-01-01T00:00:00Z", ignored: None }
}

impl Server {
    fn store(&self, mut object: Object) -> Object {
        let mut version = self.version.lock().unwrap();
        *version += 1;
        object.set_at(&["metadata", "resourceVersion"], version.to_string());
        *self.live.lock().unwrap() = Some(object.clone());
        object
    }

    /// Somebody writes the whole object, as client-side apply does in effect.
    fn written_by(&self, manager: &str, object: &Object) {
        let live = self.live.lock().unwrap().clone();
        let object = update(live.as_ref(), object, &request(manager, &ObjectType::deduced()));
        self.store(object);
    }

    fn live(&self) -> Object {
        self.live.lock().unwrap().clone().unwrap()
    }

    fn managers(&self) -> Vec<String> {
        let live = self.live();
        managed_fields(&live).map(|entry| format!("{} {}", entry.manager, entry.operation.unwrap())).collect()
    }

    fn calls(&self) -> String {
        std::mem::take(&mut *self.calls.lock().unwrap()).join(" ")
    }
}

impl Target for Server {
    async fn apply(&self, _: &Gvk, object: &Object, manager: &str, dry: bool) -> Result<Object, CallError> {
        self.calls.lock().unwrap().push(if dry { "apply?" } else { "apply" });
        let live = self.live.lock().unwrap().clone();
        let applied = apply(live.as_ref(), object, &request(manager, &ObjectType::deduced()), true).unwrap();
        Ok(if dry { applied.object } else { self.store(applied.object) })
    }

    async fn replace(&self, _: &Gvk, _: &Object, _: &str, _: bool) -> Result<Object, CallError> {
        unreachable!("nothing asks for it")
    }

    async fn merge(&self, _: &Gvk, _: &Object, _: &str, _: bool) -> Result<Object, CallError> {
        unreachable!("nothing asks for it")
    }

    async fn set_owners(&self, _: &Gvk, live: &Object, managed_fields: &Value) -> Result<(), CallError> {
        self.calls.lock().unwrap().push("owners");
        {
            let mut races = self.races.lock().unwrap();
            if *races > 0 {
                *races -= 1;
                let unchanged = self.live();
                self.store(unchanged);
            }
        }
        let mut current = self.live();
        if current.resource_version() != live.resource_version() {
            return Err(CallError::new(CallErrorKind::Conflict, "the object has been modified"));
        }
        current.set_at(&["metadata", "managedFields"], managed_fields.clone());
        self.store(current);
        Ok(())
    }

    async fn remove_added(&self, _gvk: &Gvk, live: Object, _manager: &str) -> Result<Object, CallError> {
        Ok(live)
    }

    async fn delete(
        &self,
        _: &Gvk,
        _: &ObjectRef,
        _: Option<&str>,
        _: Propagation,
        _: bool,
    ) -> Result<bool, CallError> {
        unreachable!("nothing is deleted here")
    }
}

fn object(data: &Value) -> Object {
    let mut object = value!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}});
    for (key, value) in data.as_object().unwrap().iter() {
        object.set_at(&[key.as_str()], value.clone());
    }
    Object::try_new(object).unwrap()
}

fn plan(object: &Object, ensure: bool) -> Plan {
    let shared = Arc::new(object.clone());
    let action = match ensure {
        true => Action::EnsureNamespace { object: shared },
        false => Action::Apply {
            object: shared,
            digest: Digest::of_value(&object.to_value()),
            mode: ApplyMode::default(),
        },
    };
    let step = Step {
        key: object.object_ref(),
        gvk: object.gvk(),
        action,
        reason: Reason::Adopt,
        origin: None,
        order: 0,
    };
    let wave = Wave { steps: vec![step], ..Wave::default() };
    Plan {
        unit: UnitId(ObjectRef::new("argoproj.io", "Application", "argocd", "web")),
        generation: Generation(1),
        field_manager: OURS.into(),
        former_managers: [KUBECTL.into(), OURS.into()].into(),
        waves: vec![wave],
        on_failure: Vec::new(),
        verify_first: false,
    }
}

async fn sync(server: &Server, object: &Object) -> StepResult {
    let plan = plan(object, false);
    run_wave(&plan, &plan.waves[0], server).await.remove(0)
}

#[tokio::test]
async fn fields_applied_client_side_go_when_they_are_not_declared() {
    for former in [KUBECTL, OURS] {
        let server = Server::default();
        server.written_by(former, &object(&value!({"data": {"kept": "1", "dropped": "1"}})));
        let mut live = server.live();
        live.set_at(&["data", "theirs"], "1");
        server.written_by("somebody", &live);

        let declared = object(&value!({"data": {"kept": "2"}}));
        let done = sync(&server, &declared).await;
        assert_eq!(done.outcome.status, OutcomeStatus::Synced, "{former}");
        assert_eq!(done.live.as_ref(), Some(&server.live()), "the receipt is about the last answer");
        assert_eq!(server.calls(), "apply owners apply");
        assert_eq!(server.live().at(&["data"]), Some(&value!({"kept": "2", "theirs": "1"})));
        assert_eq!(server.managers(), ["argocd-controller Apply", "somebody Update"]);

        // Once is enough.
        sync(&server, &object(&value!({"data": {"kept": "3"}}))).await;
        assert_eq!(server.calls(), "apply");
    }
}

#[tokio::test]
async fn both_former_managers_are_taken_over_at_once() {
    let server = Server::default();
    server.written_by(KUBECTL, &object(&value!({"data": {"a": "1"}})));
    server.written_by(OURS, &object(&value!({"data": {"a": "1", "b": "1"}})));
    sync(&server, &object(&value!({"data": {"c": "1"}}))).await;
    assert_eq!(server.calls(), "apply owners apply");
    assert_eq!(server.live().at(&["data"]), Some(&value!({"c": "1"})));
}

#[tokio::test]
async fn nothing_is_taken_from_managers_that_are_not_named() {
    let server = Server::default();
    server.written_by("helm", &object(&value!({"data": {"a": "1"}})));
    sync(&server, &object(&value!({"data": {"b": "1"}}))).await;
    assert_eq!(server.calls(), "apply");
    assert_eq!(server.live().at(&["data"]), Some(&value!({"a": "1", "b": "1"})));
}

#[tokio::test]
async fn client_side_apply_may_be_used_again() {
    let server = Server::default();
    let declared = object(&value!({"data": {"a": "1"}}));
    server.written_by(KUBECTL, &declared);
    sync(&server, &declared).await;
    server.calls();
    let mut live = server.live();
    live.set_at(&["data"], value!({"a": "2", "b": "1"}));
    server.written_by(KUBECTL, &live);
    assert_eq!(server.managers(), ["argocd-controller Apply", "kubectl-client-side-apply Update"]);
    sync(&server, &declared).await;
    assert_eq!(server.calls(), "apply owners apply");
    assert_eq!(server.live().at(&["data"]), Some(&value!({"a": "1"})));
}

#[tokio::test]
async fn who_writes_in_between_is_met_again_and_not_for_ever() {
    let declared = object(&value!({"data": {"a": "1"}}));
    for (races, calls, status) in [
        (1, "apply owners apply owners apply", OutcomeStatus::Synced),
        (99, "apply owners apply owners apply owners apply owners apply owners apply", OutcomeStatus::Failed),
    ] {
        let server = Server::default();
        server.written_by(KUBECTL, &object(&value!({"data": {"b": "1"}})));
        *server.races.lock().unwrap() = races;
        let done = sync(&server, &declared).await;
        assert_eq!((server.calls().as_str(), done.outcome.status), (calls, status));
        let conflict = (status == OutcomeStatus::Failed).then_some(CallErrorKind::Conflict);
        assert_eq!(done.failure, conflict);
    }
}

#[tokio::test]
async fn a_status_stays_whoever_wrote_it() {
    let server = Server::default();
    server.written_by(KUBECTL, &object(&value!({"spec": {"a": 1}, "status": {"phase": "Running"}})));
    sync(&server, &object(&value!({"spec": {"b": 1}}))).await;
    let live = server.live();
    assert_eq!(live.at(&["spec"]), Some(&value!({"b": 1})));
    assert_eq!(live.at(&["status"]), Some(&value!({"phase": "Running"})));
}

#[tokio::test]
async fn a_namespace_that_is_only_ensured_keeps_what_others_applied() {
    let server = Server::default();
    server.written_by(KUBECTL, &object(&value!({"data": {"theirs": "1"}})));
    let plan = plan(&object(&value!({"data": {"ours": "1"}})), true);
    run_wave(&plan, &plan.waves[0], &server).await;
    assert_eq!(server.calls(), "apply");
    assert_eq!(server.live().at(&["data"]), Some(&value!({"ours": "1", "theirs": "1"})));
}

#[tokio::test]
async fn a_dry_run_moves_nothing() {
    let server = Server::default();
    server.written_by(KUBECTL, &object(&value!({"data": {"a": "1"}})));
    let before = server.live();
    assert!(verify(&plan(&object(&value!({"data": {"b": "1"}})), false), &server).await.is_empty());
    assert_eq!((server.calls().as_str(), server.live()), ("apply?", before));
}
