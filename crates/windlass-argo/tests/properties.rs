//! What holds of any Application and any Report.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use proptest::prelude::*;
use windlass_argo::{Settings, Taken, patch, previous, raise, status_patch};
use windlass_kube::{Gvk, Object, ObjectRef, Str, Value, merge_patch, value};
use windlass_model::{
    Deployment, Diagnostic, DiagnosticKind, Health, HealthStatus, Initiator, ObjectOutcome, ObjectReport,
    OperationPhase, OperationReport, OutcomeStatus, Phase, Report, SourceType, SyncRequest, SyncState,
    SyncStatus, Time, TrackingId, Waiting,
};

fn text() -> impl Strategy<Value = Str> {
    "[a-z0-9ä:/-]{0,12}".prop_map(Str::from)
}

fn time() -> impl Strategy<Value = Time> {
    (0..2_000_000_000_i64).prop_map(Time::from_unix)
}

fn health() -> impl Strategy<Value = Health> {
    let status =
        prop::sample::select(vec![HealthStatus::Healthy, HealthStatus::Degraded, HealthStatus::Missing]);
    (status, text()).prop_map(|(status, message)| Health { status, message })
}

fn object() -> impl Strategy<Value = (ObjectRef, Gvk)> {
    (prop::sample::select(vec!["", "apps", "argoproj.io"]), text(), text(), text()).prop_map(
        |(group, kind, namespace, name)| {
            (ObjectRef::new(group, kind.clone(), namespace, name), Gvk::new(group, "v1", kind))
        },
    )
}

fn sync() -> impl Strategy<Value = SyncStatus> {
    prop::sample::select(vec![SyncStatus::Synced, SyncStatus::OutOfSync, SyncStatus::Unknown])
}

fn object_report() -> impl Strategy<Value = ObjectReport> {
    (object(), sync(), prop::option::of(health()), any::<bool>(), any::<i32>(), text()).prop_map(
        |((key, gvk), status, health, requires_pruning, wave, reason)| ObjectReport {
            key,
            gvk,
            status,
            health,
            hook: false,
            requires_pruning,
            requires_confirmation: false,
            wave,
            reason,
        },
    )
}

fn initiator() -> impl Strategy<Value = Initiator> {
    (text(), any::<bool>()).prop_map(|(username, automated)| Initiator { username, automated })
}

fn operation() -> impl Strategy<Value = OperationReport> {
    let phase = prop::sample::select(vec![
        OperationPhase::Running,
        OperationPhase::Terminating,
        OperationPhase::Failed,
        OperationPhase::Succeeded,
    ]);
    let outcome =
        prop::sample::select(vec![OutcomeStatus::Synced, OutcomeStatus::Failed, OutcomeStatus::Pruned]);
    let outcome = (object(), outcome, text()).prop_map(|((key, gvk), status, message)| ObjectOutcome {
        key,
        gvk,
        status,
        message,
        phase: Phase::Sync,
        hook: None,
        images: Box::default(),
    });
    let request = (prop::collection::vec(text(), 0..2), any::<bool>(), any::<bool>(), initiator()).prop_map(
        |(revisions, prune, dry_run, initiator)| SyncRequest {
            revisions: revisions.into_iter().filter(|revision| !revision.is_empty()).collect(),
            prune,
            dry_run,
            initiator,
            ..SyncRequest::default()
        },
    );
    (request, phase, text(), time(), prop::option::of(time()), 0..5_u32, prop::collection::vec(outcome, 0..4))
        .prop_map(|(request, phase, message, started, finished, retries, objects)| OperationReport {
            request,
            phase,
            message,
            started,
            finished,
            retries,
            revisions: vec!["aaaa".into()],
            objects,
        })
}

fn report() -> impl Strategy<Value = Report> {
    let kinds =
        [DiagnosticKind::Source, DiagnosticKind::Unsupported, DiagnosticKind::Sync, DiagnosticKind::Render];
    let diagnostic = (prop::sample::select(kinds.to_vec()), text())
        .prop_map(|(kind, message)| Diagnostic::new(kind, message));
    let deployment = (time(), time(), initiator()).prop_map(|(started, deployed, initiator)| Deployment {
        revisions: vec!["aaaa".into()],
        started,
        deployed,
        initiator,
    });
    let waiting = prop_oneof![
        Just(Waiting::Source),
        Just(Waiting::Manual),
        (0..300_u64, 1..9_u32).prop_map(|(seconds, failures)| Waiting::Backoff { seconds, failures }),
    ];
    let judged =
        (sync(), health(), prop::collection::vec(object_report(), 0..5), prop::option::of(operation()));
    let told =
        (prop::option::of(deployment), prop::collection::vec(diagnostic, 0..4), prop::option::of(waiting));
    (judged, told, prop::collection::vec(text(), 0..3), time()).prop_map(
        |((status, health, objects, operation), (deployment, diagnostics, waiting), images, observed)| {
            Report {
                sync: SyncState { status, revisions: vec!["aaaa".into()] },
                health,
                objects,
                operation,
                deployment,
                diagnostics,
                waiting,
                depends_on: Vec::new(),
                images,
                source_types: vec![SourceType::Directory],
                observed,
            }
        },
    )
}

fn application(history: i64) -> Object {
    let application = value!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "shop", "namespace": "argocd"},
        "spec": {
            "project": "default",
            "source": {"repoURL": "https://example.org/a.git", "path": "a", "helm": {"version": "v3"}},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": "shop"},
            "revisionHistoryLimit": history
        }
    });
    Object::try_new(application).unwrap()
}

fn lowered(application: &Object) -> windlass_argo::Lowered {
    support::lowered(std::slice::from_ref(application), &Settings::default(), &[]).1
}

fn patched(application: &Object, patch: Option<&Value>) -> Object {
    let value = application.to_value();
    Object::try_new(patch.map_or(value.clone(), |patch| merge_patch::apply(&value, patch))).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Raising does not change what an Application means, and raising the same again writes nothing.
    #[test]
    fn raising_is_stable(reports in prop::collection::vec(report(), 1..4), history in 0..4_i64, later in 1..900_i64) {
        let mut application = application(history);
        let meant = lowered(&application);
        for report in &reports {
            let status = raise(&application, report, &lowered(&application));
            let write = patch(&application, &status, Taken::default());
            application = patched(&application, write.as_ref());
            // A request to terminate is in the status, so it may be read back; all else stays as it was.
            let now = lowered(&application);
            prop_assert_eq!(&now.unit, &meant.unit);
            prop_assert_eq!(&now.request, &meant.request);
            if write.is_some() {
                prop_assert_eq!(application.at(&["status"]).unwrap(), &status);
            }
            let again = Report { observed: Time::from_unix(report.observed.unix() + later), ..report.clone() };
            // A back-off counts from when it is reported.
            if !matches!(again.waiting, Some(Waiting::Backoff { .. })) {
                let status = raise(&application, &again, &lowered(&application));
                prop_assert_eq!(patch(&application, &status, Taken::default()), None);
            }
        }
    }

    /// After a restart the status tells what the engine had told it.
    #[test]
    fn what_was_raised_is_read_back(report in report()) {
        let application = application(10);
        let status = raise(&application, &report, &lowered(&application));
        let application = patched(&application, Some(&value!({"status": status})));
        let read = previous(&application);
        prop_assert_eq!(read.sync, report.sync.status);
        prop_assert_eq!(read.health, Some(report.health.status));
        prop_assert_eq!(&read.revisions, &report.sync.revisions);
        prop_assert_eq!(read.reconciled, Some(report.observed));
        let objects: Vec<ObjectRef> = report.objects.iter().map(|object| object.key.clone()).collect();
        prop_assert_eq!(read.objects, objects);
        let deployments: Vec<Deployment> = read.history.into_iter().map(|entry| entry.deployment).collect();
        prop_assert_eq!(deployments, Vec::from_iter(report.deployment));
        match (read.operation, report.operation) {
            (Some(read), Some(told)) => {
                prop_assert_eq!(read.phase, told.phase);
                prop_assert_eq!((read.started, read.finished), (told.started, told.finished));
                prop_assert_eq!(read.retries, told.retries);
                prop_assert_eq!(read.revisions, told.revisions);
                prop_assert_eq!(read.request.initiator, told.request.initiator);
                prop_assert_eq!(read.request.prune, told.request.prune);
            }
            (read, told) => prop_assert_eq!(read.is_some(), told.is_some()),
        }
    }

    /// The patch between any two statuses gives the second.
    #[test]
    fn a_patch_gives_what_was_raised(one in report(), other in report()) {
        let application = application(10);
        let raised = |report: &Report| raise(&application, report, &lowered(&application));
        let (from, to) = (raised(&one), raised(&other));
        match status_patch(&from, &to) {
            Some(patch) => prop_assert_eq!(merge_patch::apply(&from, &patch), to),
            None => {
                let mut same = from.clone();
                same.set_at(&["reconciledAt"], to.get("reconciledAt").cloned().unwrap());
                prop_assert_eq!(same, to);
            }
        }
    }

    /// A tracking id that is written is read as what it was; any other text is refused or read without loss.
    #[test]
    fn tracking_ids_are_read_as_written(
        instance in "[a-z_.-]{1,9}", group in "[a-z.]{0,9}", kind in "[A-Z][a-z]{0,9}", namespace in "[a-z-]{0,9}",
        name in "[a-z.:-]{0,9}", noise in "[a-z:/]{0,20}",
    ) {
        let id = TrackingId {
            instance: instance.into(),
            group: group.into(),
            kind: kind.into(),
            namespace: namespace.into(),
            name: name.into(),
        };
        prop_assert_eq!(id.to_string().parse::<TrackingId>(), Ok(id));
        if let Ok(read) = noise.parse::<TrackingId>() {
            prop_assert_eq!(read.to_string(), noise);
        }
    }

    /// Nothing that somebody writes into an Application makes lowering panic or go quiet about a wrong type.
    #[test]
    fn any_application_is_lowered(spec in json(), operation in json(), status in json()) {
        let mut application = application(1);
        for (key, value) in [("spec", spec), ("operation", operation), ("status", status)] {
            application.set_at(&[key], value);
        }
        let lowered = lowered(&application);
        let _ = previous(&application);
        let report = Report {
            sync: SyncState::default(),
            health: Health::default(),
            objects: Vec::new(),
            operation: None,
            deployment: None,
            diagnostics: Vec::new(),
            waiting: None,
            depends_on: Vec::new(),
            images: Vec::new(),
            source_types: Vec::new(),
            observed: Time::from_unix(0),
        };
        let status = raise(&application, &report, &lowered);
        let _ = patch(&application, &status, Taken { operation: true, refresh: true });
    }
}

/// Values with the names of fields at random places.
fn json() -> impl Strategy<Value = Value> {
    let names = [
        "source",
        "sources",
        "destination",
        "path",
        "repoURL",
        "server",
        "name",
        "syncPolicy",
        "automated",
        "retry",
        "backoff",
        "duration",
        "factor",
        "syncOptions",
        "helm",
        "directory",
        "sync",
        "resources",
        "revisions",
        "history",
        "operationState",
        "operation",
        "phase",
        "startedAt",
        "conditions",
        "health",
        "status",
        "targetRevision",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text().prop_map(Value::from),
        Just(Value::from("2026-01-01T00:00:00Z")),
        Just(Value::from("-5")),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(names.to_vec()), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}
