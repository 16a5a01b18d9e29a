//! From a Report to the status of an Application.

mod conditions;
mod fit;
mod history;
mod operation;
mod patch;

use windlass_kube::{Map, Object, Str, Value, value};
use windlass_model::{Health, ObjectReport, Report, SyncStatus, Waiting};

pub use patch::{Taken, patch, status_patch};

use crate::Lowered;
use crate::field::{Any, Field};
use crate::types::{
    Application, ApplicationSpec, ComparedTo, Directory, HealthFields, Operation, ResourceStatus, Source,
    Status, Summary, SyncStatusFields, Timestamp,
};

/// The status of `application` that says what `report` says.
///
/// What did not change keeps its times, so an unchanged Report gives an equal status but for `reconciledAt`. The
/// status stays under 100 kB: where a Unit has more objects than fit, those that need attention are listed, the
/// others are counted, and a condition says so.
///
/// What Argo CD has no field for stands under `status.windlass`: `waiting` in words, `dependsOn` with the Applications
/// that must be done first and which of them are waited for, `outOfSync` with the reason per object, `objects` with counts where the list is cut.
#[must_use]
pub fn raise(application: &Object, report: &Report, lowered: &Lowered) -> Value {
    let (Application { spec, status: previous, operation }, _) = Application::read(application);
    let spec = if lowered.overriding {
        spec.with_sources(&lowered.sources, operation.as_deref().is_some_and(Operation::has_list_of_sources))
    } else {
        spec
    };
    let is_known = report.sync.status != SyncStatus::Unknown || !report.objects.is_empty();
    let resources: Box<[ResourceStatus]> = if is_known {
        report.objects.iter().map(resource).collect()
    } else {
        // They are still there, and who comes next looks for them by this list.
        previous.resources.clone()
    };
    let status = Status {
        summary: Summary {
            external_urls: Box::default(),
            images: report.images.clone().into(),
            is_app_of_apps: report.objects.iter().any(is_application),
        },
        resources,
        sync: sync(&spec, report),
        health: health(&report.health, &previous.health, report),
        history: history::history(&spec, &previous.history, report, lowered.unit.policy.history_limit),
        conditions: conditions::conditions(&previous.conditions, report, &lowered.unit.diagnostics),
        reconciled_at: Timestamp(Some(report.observed)),
        operation_state: operation::state(&spec, &previous, operation.as_deref(), report, lowered),
        source_type: match report.source_types.first() {
            Some(kind) if !spec.has_multiple_sources() => Str::new_static(kind.as_str()),
            _ => Str::default(),
        },
        source_types: if spec.has_multiple_sources() {
            report.source_types.iter().map(|kind| Str::new_static(kind.as_str())).collect()
        } else {
            Box::default()
        },
        controller_namespace: lowered.controller_namespace.clone(),
        // Not ours: whoever hydrates writes it.
        source_hydrator: previous.source_hydrator,
        windlass: Any(own(report)),
        observed_at: Timestamp::default(),
        resource_health_source: Str::default(),
    };
    fit::fit(status, &previous.conditions, report)
}

fn resource(object: &ObjectReport) -> ResourceStatus {
    ResourceStatus {
        group: object.key.group.clone(),
        version: object.gvk.version.clone(),
        kind: object.key.kind.clone(),
        namespace: object.key.namespace.clone(),
        name: object.key.name.clone(),
        status: if object.hook { Str::default() } else { Str::new_static(object.status.as_str()) },
        health: object.health.as_ref().map(|health| {
            Box::new(HealthFields {
                status: Str::new_static(health.status.as_str()),
                message: health.message.clone(),
                last_transition_time: Timestamp::default(),
            })
        }),
        hook: object.hook,
        // As Argo CD writes it, which never prunes a hook all the same.
        requires_pruning: object.requires_pruning || object.hook,
        sync_wave: object.wave.into(),
        requires_deletion_confirmation: object.requires_confirmation,
    }
}

fn is_application(object: &ObjectReport) -> bool {
    object.key.group == crate::GROUP && object.key.kind == "Application"
}

fn sync(spec: &ApplicationSpec, report: &Report) -> SyncStatusFields {
    let multiple = spec.has_multiple_sources();
    let (revision, revisions) = revision_fields(multiple, &report.sync.revisions);
    let declared = declared_sources(spec);
    SyncStatusFields {
        status: Str::new_static(report.sync.status.as_str()),
        compared_to: ComparedTo {
            source: if multiple { Source::default() } else { declared.first().cloned().unwrap_or_default() },
            destination: spec.destination.clone(),
            sources: if multiple { declared } else { Box::default() },
            ignore_differences: spec.ignore_differences.clone(),
        },
        revision,
        revisions,
    }
}

/// One revision goes to `revision`, those of several sources to `revisions`.
fn revision_fields(multiple: bool, revisions: &[Str]) -> (Str, Box<[Str]>) {
    if multiple {
        (Str::default(), revisions.into())
    } else {
        (revisions.first().cloned().unwrap_or_default(), Box::default())
    }
}

/// The sources as Argo CD stores them: without blocks that say nothing.
fn declared_sources(spec: &ApplicationSpec) -> Box<[Source]> {
    fn said<T: Field + Clone>(block: &Option<Box<T>>) -> Option<Box<T>> {
        block.clone().filter(|block| crate::lower::is_set(&block.write()))
    }
    if let Some(hydrator) = &spec.source_hydrator {
        let sync = &hydrator.sync_source;
        let repository =
            if sync.repo_url.is_empty() { &hydrator.dry_source.repo_url } else { &sync.repo_url };
        return [Source {
            repo_url: repository.clone(),
            path: sync.path.0.clone(),
            target_revision: sync.target_branch.clone(),
            ..Source::default()
        }]
        .into();
    }
    let stored = |source: &Source| Source {
        helm: said(&source.helm),
        kustomize: said(&source.kustomize),
        directory: said(&source.directory).map(|directory| {
            let jsonnet = directory.jsonnet.clone().filter(|jsonnet| crate::lower::is_set(&jsonnet.write()));
            Box::new(Directory { jsonnet, ..*directory })
        }),
        ..source.clone()
    };
    spec.sources().iter().map(stored).collect()
}

fn health(health: &Health, previous: &HealthFields, report: &Report) -> HealthFields {
    let status = health.status.as_str();
    let since = previous.last_transition_time.0.filter(|_| previous.status == status);
    HealthFields {
        status: Str::new_static(status),
        message: health.message.clone(),
        last_transition_time: Timestamp(Some(since.unwrap_or(report.observed))),
    }
}

/// What Argo CD has no field for; null when there is nothing.
fn own(report: &Report) -> Value {
    let mut own = Map::new();
    // How long a back-off lasts is in the operation's message, as a point in time that does not change.
    if let Some(waiting) =
        report.waiting.as_ref().filter(|waiting| !matches!(waiting, Waiting::Backoff { .. }))
    {
        own.insert("waiting", waiting.to_string());
    }
    let depends_on: Vec<Value> = report
        .depends_on
        .iter()
        .map(|dependency| {
            let mut entry = Map::new();
            entry.insert("application", dependency.unit.to_string());
            if dependency.awaited {
                entry.insert("waiting", true);
            }
            entry.into()
        })
        .collect();
    if !depends_on.is_empty() {
        own.insert("dependsOn", depends_on);
    }
    let reasons: Vec<Value> = report
        .objects
        .iter()
        .filter(|object| !object.hook && object.status != SyncStatus::Synced && !object.reason.is_empty())
        .take(fit::REASONS)
        .map(
            |object| value!({"object": (object.key.to_string()), "reason": (fit::shortened(&object.reason))}),
        )
        .collect();
    if !reasons.is_empty() {
        own.insert("outOfSync", reasons);
    }
    if own.is_empty() { Value::Null } else { own.into() }
}
