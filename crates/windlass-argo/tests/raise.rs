//! Reports in, statuses out.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::PathBuf;

use windlass_argo::{Lowered, Settings, Taken, patch, previous, raise, status_patch, types};
use windlass_kube::{GroupKind, Gvk, Object, ObjectRef, Str, Value, merge_patch, value};
use windlass_model::{
    Deployment, Diagnostic, DiagnosticKind, Health, HealthStatus, Initiator, ObjectOutcome, ObjectReport,
    OperationPhase, OperationReport, Origin, OutcomeStatus, Phase, Report, SourceType, SyncRequest,
    SyncState, SyncStatus, Time, Waiting,
};

const SINGLE: &str = "
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: shop, namespace: argocd}
spec:
  project: default
  source: {repoURL: 'https://example.org/shop.git', path: deploy, targetRevision: main, directory: {}}
  destination: {server: 'https://kubernetes.default.svc', namespace: shop}
  syncPolicy: {automated: {prune: true}, syncOptions: [CreateNamespace=true]}
";

const MULTIPLE: &str = "
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: shop, namespace: argocd}
spec:
  project: default
  sources:
  - {repoURL: 'https://example.org/a.git', path: a}
  - {repoURL: 'https://example.org/b.git', path: b, directory: {recurse: true}}
  destination: {name: in-cluster, namespace: shop}
  ignoreDifferences: [{group: apps, kind: Deployment, jsonPointers: [/spec/replicas]}]
";

fn time(seconds: i64) -> Time {
    Time::from_unix(1_767_225_600 + seconds)
}

fn application(yaml: &str) -> Object {
    support::objects(yaml).remove(0)
}

fn lowered(application: &Object) -> Lowered {
    support::lowered(std::slice::from_ref(application), &Settings::default(), &[]).1
}

fn object(kind: &str, name: &str) -> (ObjectRef, Gvk) {
    let group = if kind == "Deployment" { "apps" } else { "" };
    (ObjectRef::new(group, kind, "shop", name), Gvk::new(group, "v1", kind))
}

fn report(seconds: i64) -> Report {
    let (config, config_gvk) = object("ConfigMap", "settings");
    let (web, web_gvk) = object("Deployment", "web");
    Report {
        sync: SyncState { status: SyncStatus::Synced, revisions: vec!["aaaa".into()] },
        health: HealthStatus::Healthy.into(),
        objects: vec![
            ObjectReport {
                key: config,
                gvk: config_gvk,
                status: SyncStatus::Synced,
                health: None,
                hook: false,
                requires_pruning: false,
                requires_confirmation: false,
                wave: 0,
                reason: Str::default(),
            },
            ObjectReport {
                key: web,
                gvk: web_gvk,
                status: SyncStatus::Synced,
                health: Some(HealthStatus::Healthy.into()),
                hook: false,
                requires_pruning: false,
                requires_confirmation: false,
                wave: 1,
                reason: Str::default(),
            },
        ],
        operation: None,
        deployment: None,
        diagnostics: Vec::new(),
        waiting: None,
        depends_on: Vec::new(),
        images: vec!["shop:1".into()],
        source_types: vec![SourceType::Directory],
        observed: time(seconds),
    }
}

fn operation(phase: OperationPhase, status: OutcomeStatus) -> OperationReport {
    let (web, web_gvk) = object("Deployment", "web");
    OperationReport {
        request: SyncRequest {
            prune: true,
            initiator: Initiator { username: Str::default(), automated: true },
            ..SyncRequest::default()
        },
        phase,
        message: "successfully synced (all tasks run)".into(),
        started: time(1),
        finished: phase.is_final().then(|| time(2)),
        retries: 0,
        revisions: vec!["aaaa".into()],
        objects: vec![ObjectOutcome {
            key: web,
            gvk: web_gvk,
            status,
            message: "deployment.apps/web created".into(),
            phase: Phase::Sync,
            hook: None,
            images: ["shop:1".into()].into(),
        }],
    }
}

fn deployment(seconds: i64) -> Deployment {
    Deployment {
        revisions: vec![format!("rev{seconds}").into()],
        started: time(seconds),
        deployed: time(seconds + 1),
        initiator: Initiator { username: "ada".into(), automated: false },
    }
}

/// Raises one report after another, each onto the object as the patch before left it.
fn raise_all(yaml: &str, reports: &[Report]) -> Object {
    let mut application = application(yaml);
    for report in reports {
        let status = raise(&application, report, &lowered(&application));
        let shape = value!({"apiVersion": "a/v1", "kind": "A", "status": (status.clone())});
        let (read, problems) = types::Application::read(&Object::try_new(shape).unwrap());
        assert_eq!(problems, [], "the schema knows every field");
        assert_eq!(read.status.to_value(), status, "what is written can be read");
        if let Some(patch) = patch(&application, &status, Taken::default()) {
            application = Object::try_new(merge_patch::apply(&application.to_value(), &patch)).unwrap();
            let patched = application.at(&["status"]).unwrap();
            assert_eq!(patched, &status, "the patch gives what was raised");
        }
    }
    application
}

fn check(name: &str, application: &Object) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/raise").join(name);
    support::check(&path, "yaml", &windlass_yaml::to_yaml(application.at(&["status"]).unwrap()));
}

#[test]
fn a_deployment() {
    let reports = [Report {
        operation: Some(operation(OperationPhase::Succeeded, OutcomeStatus::Synced)),
        deployment: Some(deployment(1)),
        ..report(3)
    }];
    check("deployed", &raise_all(SINGLE, &reports));
}

#[test]
fn several_sources() {
    let revisions: Vec<Str> = vec!["aaaa".into(), "bbbb".into()];
    let reports = [Report {
        sync: SyncState { status: SyncStatus::OutOfSync, revisions: revisions.clone() },
        operation: Some(OperationReport {
            revisions: revisions.clone(),
            ..operation(OperationPhase::Running, OutcomeStatus::Synced)
        }),
        deployment: Some(Deployment { revisions, ..deployment(1) }),
        source_types: vec![SourceType::Directory, SourceType::Directory],
        waiting: Some(Waiting::Healthy(vec![object("Deployment", "web").0])),
        ..report(3)
    }];
    check("several-sources", &raise_all(MULTIPLE, &reports));
}

#[test]
fn trouble_of_every_kind() {
    let origin = Origin { file: "deploy/web.yaml".into(), line: 3 };
    let mut troubled = report(5);
    troubled.sync.status = SyncStatus::OutOfSync;
    troubled.health = Health::new(HealthStatus::Degraded, "Caused by apps/Deployment:shop/web");
    troubled.objects[1].status = SyncStatus::OutOfSync;
    troubled.objects[1].health = Some(Health::new(HealthStatus::Degraded, "exceeded its progress deadline"));
    troubled.objects[1].reason = "spec.replicas is 2, declared 3".into();
    troubled.objects[0].requires_pruning = true;
    troubled.operation = Some(OperationReport {
        message: "one or more objects failed to apply".into(),
        retries: 2,
        ..operation(OperationPhase::Running, OutcomeStatus::Failed)
    });
    troubled.waiting = Some(Waiting::Backoff { seconds: 20, failures: 3 });
    let kinds = [
        DiagnosticKind::InvalidSpec,
        DiagnosticKind::Unsupported,
        DiagnosticKind::Source,
        DiagnosticKind::Compare,
        DiagnosticKind::Sync,
        DiagnosticKind::Delete,
        DiagnosticKind::RepeatedObject,
        DiagnosticKind::SharedObject,
        DiagnosticKind::ExcludedObject,
        DiagnosticKind::Orphaned,
        DiagnosticKind::Added,
        DiagnosticKind::Contested,
    ];
    troubled.diagnostics =
        kinds.into_iter().map(|kind| Diagnostic::new(kind, format!("{kind:?} happened"))).collect();
    troubled
        .diagnostics
        .push(Diagnostic::new(DiagnosticKind::Render, "mapping values are not allowed").at(origin));
    check("troubled", &raise_all(SINGLE, &[report(3), troubled]));
}

#[test]
fn what_does_not_change_is_not_written() {
    let first = Report {
        operation: Some(operation(OperationPhase::Succeeded, OutcomeStatus::Synced)),
        deployment: Some(deployment(1)),
        diagnostics: vec![Diagnostic::new(DiagnosticKind::Source, "unreachable")],
        ..report(3)
    };
    let application = raise_all(SINGLE, std::slice::from_ref(&first));
    let later = Report { observed: time(300), ..first };
    let status = raise(&application, &later, &lowered(&application));
    assert_eq!(patch(&application, &status, Taken { operation: true, refresh: true }), None);

    // After a restart the operation is not known any more; the status still tells.
    let restarted = Report { operation: None, deployment: None, ..later };
    let status = raise(&application, &restarted, &lowered(&application));
    assert_eq!(patch(&application, &status, Taken::default()), None);
    let same_again = raise(&application, &restarted, &lowered(&application));
    assert_eq!(status, same_again);

    // A change is written as itself, with the time at which it was seen.
    let changed = Report { health: HealthStatus::Progressing.into(), ..restarted };
    let status = raise(&application, &changed, &lowered(&application));
    assert_eq!(
        patch(&application, &status, Taken::default()).unwrap(),
        value!({"status": {
            "health": {"status": "Progressing", "lastTransitionTime": "2026-01-01T00:05:00Z"},
            "reconciledAt": "2026-01-01T00:05:00Z"
        }})
    );
}

#[test]
fn a_backoff_that_is_rounded_differently_is_not_news() {
    let waiting = |observed: i64, seconds: u64| Report {
        operation: Some(operation(OperationPhase::Running, OutcomeStatus::Failed)),
        waiting: Some(Waiting::Backoff { seconds, failures: 1 }),
        ..report(observed)
    };
    let application = raise_all(SINGLE, &[waiting(10, 20)]);
    let message =
        |application: &Object| application.str_at(&["status", "operationState", "message"]).to_owned();
    assert!(
        message(&application).ends_with("trying again at 2026-01-01T00:00:30Z"),
        "{}",
        message(&application)
    );
    let status = raise(&application, &waiting(13, 18), &lowered(&application));
    assert_eq!(status_patch(application.at(&["status"]).unwrap(), &status), None);
    let status = raise(&application, &waiting(31, 40), &lowered(&application));
    assert!(status.str_at(&["operationState", "message"]).unwrap().ends_with("00:01:11Z"));
}

#[test]
fn history_counts_on_and_forgets_the_oldest() {
    let deploy = |seconds: i64| Report { deployment: Some(deployment(seconds)), ..report(seconds + 2) };
    let short = SINGLE.replace("project: default", "project: default\n  revisionHistoryLimit: 2");
    let reports: Vec<Report> = [10, 20, 20, 30, 40].into_iter().map(deploy).collect();
    let application = raise_all(&short, &reports);
    let read = previous(&application);
    let ids: Vec<i64> = read.history.iter().map(|entry| entry.id).collect();
    assert_eq!(ids, [2, 3], "the one that was raised twice counts once");
    assert_eq!(read.last_deployed, ["rev40"]);
    assert_eq!(read.history[1].deployment, deployment(40));

    let none = SINGLE.replace("project: default", "project: default\n  revisionHistoryLimit: 0");
    assert!(previous(&raise_all(&none, &reports)).history.is_empty());
}

#[test]
fn a_request_on_the_object_is_kept_in_the_operation_state_and_removed_when_taken() {
    let asked = "operation:\n  initiatedBy: {username: ada}\n  info: [{name: why, value: release}]\n  sync: {prune: true, \
                 resources: [{kind: ConfigMap, name: settings}]}\n";
    let mut application = application(&format!("{SINGLE}{asked}"));
    application
        .set_at(&["metadata", "annotations"], value!({"argocd.argoproj.io/refresh": "normal", "keep": "me"}));
    let lowered = lowered(&application);
    let running = OperationReport {
        request: lowered.request.clone().unwrap(),
        ..operation(OperationPhase::Succeeded, OutcomeStatus::Synced)
    };
    let done = Report { operation: Some(running.clone()), ..report(3) };
    let status = raise(&application, &done, &lowered);
    let kept = status.at(&["operationState", "operation"]).unwrap();
    assert_eq!(kept.str_at(&["initiatedBy", "username"]), Some("ada"));
    assert_eq!(kept.items_at(&["info"]).len(), 1);

    let patch = patch(&application, &status, Taken { operation: true, refresh: true }).unwrap();
    assert_eq!(patch.get("operation"), Some(&Value::Null));
    assert_eq!(patch.get("metadata"), Some(&value!({"annotations": {"argocd.argoproj.io/refresh": null}})));
    let patched = Object::try_new(merge_patch::apply(&application.to_value(), &patch)).unwrap();
    assert_eq!(patched.annotation("keep"), Some("me"));

    // The request is still told in full when the same operation is raised again.
    let lowered_again = support::lowered(std::slice::from_ref(&patched), &Settings::default(), &[]).1;
    let again = raise(&patched, &done, &lowered_again);
    assert_eq!(status_patch(&status, &again), None);
    let read = previous(&patched).operation.unwrap();
    assert_eq!(
        (read.request, read.phase, read.started, read.finished),
        (running.request, OperationPhase::Succeeded, running.started, running.finished)
    );
}

#[test]
fn a_refused_request_ends_with_its_reason() {
    let application =
        application(&format!("{SINGLE}operation: {{sync: {{source: {{path: b}}, manifests: ['{{}}']}}}}\n"));
    let lowered = lowered(&application);
    let status = raise(&application, &report(3), &lowered);
    assert_eq!(status.str_at(&["operationState", "phase"]), Some("Error"));
    assert_eq!(status.str_at(&["operationState", "message"]), lowered.refused.as_deref());
    // What it brings along may be larger than a status can be.
    assert_eq!(
        status.at(&["operationState", "operation", "sync"]),
        Some(&value!({"source": {"repoURL": "", "path": "b"}}))
    );
    let patch = patch(&application, &status, Taken { operation: true, refresh: false }).unwrap();
    assert_eq!(patch.get("operation"), Some(&Value::Null));
}

#[test]
fn a_request_to_terminate_is_not_overwritten() {
    let running =
        Report { operation: Some(operation(OperationPhase::Running, OutcomeStatus::Synced)), ..report(3) };
    let mut application = raise_all(SINGLE, std::slice::from_ref(&running));
    application.set_at(&["status", "operationState", "phase"], "Terminating");
    assert!(lowered(&application).terminate);
    let status = raise(&application, &running, &lowered(&application));
    assert_eq!(status.str_at(&["operationState", "phase"]), Some("Terminating"));
    let ended =
        Report { operation: Some(operation(OperationPhase::Failed, OutcomeStatus::Failed)), ..report(9) };
    let status = raise(&application, &ended, &lowered(&application));
    assert_eq!(status.str_at(&["operationState", "phase"]), Some("Failed"));
}

#[test]
fn objects_stay_listed_while_nothing_can_be_said_of_them() {
    let unknown = Report {
        sync: SyncState { status: SyncStatus::Unknown, revisions: Vec::new() },
        objects: Vec::new(),
        ..report(9)
    };
    let known = raise_all(SINGLE, &[report(3)]);
    let application = raise_all(SINGLE, &[report(3), unknown]);
    assert_eq!(previous(&application).sync, SyncStatus::Unknown);
    assert_eq!(previous(&application).objects, previous(&known).objects);
    assert!(!previous(&known).objects.is_empty());
}

#[test]
fn a_huge_unit_has_a_small_status() {
    let mut huge = report(3);
    let plain = huge.objects[1].clone();
    huge.objects = (0..5_000)
        .map(|idx| {
            let mut object = plain.clone();
            object.key.name = format!("web-with-a-rather-long-name-{idx}").into();
            if idx % 1_000 == 999 {
                object.health = Some(Health::new(HealthStatus::Degraded, "broken"));
            }
            if idx % 1_000 == 500 {
                object.status = SyncStatus::OutOfSync;
                object.reason = "x".repeat(5_000).into();
            }
            object
        })
        .collect();
    let mut syncing = operation(OperationPhase::Failed, OutcomeStatus::Synced);
    let outcome = syncing.objects[0].clone();
    syncing.objects = vec![outcome; 5_000];
    syncing.objects[4_000].status = OutcomeStatus::Failed;
    huge.operation = Some(syncing);
    huge.diagnostics = (0..100)
        .map(|idx| Diagnostic::new(DiagnosticKind::Render, format!("{idx} {}", "long ".repeat(1_000))))
        .collect();
    huge.images = (0..500).map(|idx| format!("registry.example.org/image:{idx}").into()).collect();

    let application = raise_all(SINGLE, std::slice::from_ref(&huge));
    let status = application.at(&["status"]).unwrap();
    let size = windlass_yaml::json::to_string(status).len();
    assert!((60_000..=100_000).contains(&size), "{size}");
    let listed = status.items_at(&["resources"]);
    let unwell = |resource: &&Value| resource.str_at(&["health", "status"]) == Some("Degraded");
    let drifted = |resource: &&Value| resource.str_at(&["status"]) == Some("OutOfSync");
    assert_eq!((listed.iter().filter(unwell).count(), listed.iter().filter(drifted).count()), (5, 5));
    let results = status.items_at(&["operationState", "syncResult", "resources"]);
    assert!(results.iter().any(|result| result.str_at(&["status"]) == Some("SyncFailed")));
    assert_eq!(
        status.at(&["windlass", "objects"]).unwrap(),
        &value!({
            "total": 5000, "kinds": {"Deployment.apps": 5000},
            "sync": {"OutOfSync": 5, "Synced": 4995}, "health": {"Degraded": 5, "Healthy": 4995}
        })
    );
    assert_eq!(previous(&application).kinds, [GroupKind::new("apps", "Deployment")]);
    let told = status.items_at(&["conditions"]).iter().any(|condition| {
        condition.str_at(&["message"]).unwrap().starts_with("the status is kept under 100000 bytes")
    });
    assert!(told);

    let later = Report { observed: time(500), ..huge };
    let status = raise(&application, &later, &lowered(&application));
    assert_eq!(patch(&application, &status, Taken::default()), None, "it is stable all the same");
}

#[test]
fn a_status_of_argo_cd_is_taken_over() {
    // As Argo CD 3 writes it: health kept elsewhere, and with fields that are not ours.
    let mut application = application(SINGLE);
    application.set_at(
        &["status"],
        value!({
            "controllerNamespace": "argocd",
            "health": {"lastTransitionTime": "2025-01-01T00:00:00Z", "status": "Healthy"},
            "history": [{
                "deployStartedAt": "2025-01-01T00:00:00Z", "deployedAt": "2025-01-01T00:00:01Z", "id": 41,
                "initiatedBy": {"automated": true}, "revision": "old", "source": {"repoURL": "u", "path": "p"}
            }],
            "operationState": {
                "operation": {"initiatedBy": {"automated": true}, "retry": {"limit": 5}, "sync": {"revision": "old"}},
                "phase": "Succeeded", "startedAt": "2025-01-01T00:00:00Z", "finishedAt": "2025-01-01T00:00:01Z",
                "syncResult": {"revision": "old", "source": {"repoURL": "u"}}, "message": "successfully synced (all tasks run)"
            },
            "reconciledAt": "2025-01-01T00:00:02Z",
            "resourceHealthSource": "appTree",
            "resources": [{"kind": "ConfigMap", "name": "settings", "namespace": "shop", "status": "Synced", "version": "v1"}],
            "sourceHydrator": (Value::object()),
            "sourceType": "Directory",
            "summary": (Value::object()),
            "sync": {"comparedTo": {"destination": {"namespace": "shop"}, "source": {"repoURL": "u"}}, "revision": "old", "status": "Synced"}
        }),
    );
    let before = previous(&application);
    assert_eq!(before.last_deployed, ["old"]);
    assert_eq!(before.revisions, ["old"]);
    assert_eq!(before.health, Some(HealthStatus::Healthy));
    assert_eq!(before.objects, [object("ConfigMap", "settings").0]);
    let operation = before.operation.unwrap();
    assert_eq!((operation.phase, operation.revisions), (OperationPhase::Succeeded, vec![Str::from("old")]));

    let status =
        raise(&application, &Report { deployment: Some(deployment(1)), ..report(3) }, &lowered(&application));
    let patch = patch(&application, &status, Taken::default()).unwrap();
    assert_eq!(patch.at(&["status", "resourceHealthSource"]), Some(&Value::Null));
    assert_eq!(patch.at(&["status", "operationState"]), None, "the last operation stays as it was told");
    assert_eq!(patch.at(&["status", "health"]), None, "Healthy since Argo CD said so");
    let ids: Vec<_> =
        status.items_at(&["history"]).iter().map(|entry| entry.int_at(&["id"]).unwrap()).collect();
    assert_eq!(ids, [41, 42]);
}
