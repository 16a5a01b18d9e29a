//! The operation that runs or ran last.

use windlass_kube::Str;
use windlass_model::{
    ObjectOutcome, OperationPhase, OperationReport, OutcomeStatus, Report, SyncRequest, Time, Waiting,
};

use super::history::initiated_by;
use super::{declared_sources, fit, revision_fields};
use crate::Lowered;
use crate::lower::request_of;
use crate::types::{
    ApplicationSpec, Operation, OperationState, ResourceResult, Status, SyncOperation, SyncOperationResource,
    SyncResult, Timestamp,
};

/// Messages that name a point in time are kept while the new one is at most this far from it: a back-off is
/// reported in whole seconds, and rounding must not look like news.
const SAME_TIME_SECONDS: u64 = 5;

pub(super) fn state(
    spec: &ApplicationSpec,
    previous: &Status,
    asked: Option<&Operation>,
    report: &Report,
    lowered: &Lowered,
) -> Option<Box<OperationState>> {
    if let (Some(why), Some(asked)) = (&lowered.refused, asked) {
        let said = previous
            .operation_state
            .as_deref()
            .filter(|said| said.operation == without_manifests(asked) && said.message == *why);
        let now = said.map_or(Timestamp(Some(report.observed)), |said| said.started_at);
        return Some(Box::new(OperationState {
            operation: without_manifests(asked),
            phase: OperationPhase::Error.as_str().into(),
            message: why.clone(),
            sync_result: None,
            started_at: now,
            finished_at: now,
            retry_count: 0,
        }));
    }
    let previous = previous.operation_state.as_deref();
    let Some(operation) = &report.operation else { return previous.cloned().map(Box::new) };
    let started_at = Timestamp(Some(operation.started));
    let same = previous.filter(|previous| previous.started_at == started_at);
    // Somebody wrote Terminating after the engine last looked: it stands until the operation has ended.
    let terminating = same.is_some_and(|same| same.phase == OperationPhase::Terminating.as_str());
    let phase = match operation.phase {
        OperationPhase::Running if terminating => OperationPhase::Terminating,
        phase => phase,
    };
    let known = asked.into_iter().chain(previous.map(|previous| &previous.operation));
    let is_it = |asked: &&Operation| {
        let request = request_of(asked, spec);
        let local = operation.request.manifests.clone();
        request.is_some_and(|request| {
            request == operation.request || SyncRequest { manifests: local, ..request } == operation.request
        })
    };
    let asked = known.into_iter().find(is_it);
    Some(Box::new(OperationState {
        operation: asked.map_or_else(|| operation_of(spec, operation), without_manifests),
        phase: phase.as_str().into(),
        message: message(operation, report, same.map(|same| same.message.as_str())),
        sync_result: Some(Box::new(result(spec, operation))),
        started_at,
        finished_at: Timestamp(operation.finished),
        retry_count: operation.retries.into(),
    }))
}

/// An operation for the status: manifests that it brings may be larger than a status can be.
fn without_manifests(asked: &Operation) -> Operation {
    let mut asked = asked.clone();
    if let Some(sync) = &mut asked.sync {
        sync.manifests = Box::default();
    }
    asked
}

/// The operation that Argo CD would have written for this request.
fn operation_of(spec: &ApplicationSpec, operation: &OperationReport) -> Operation {
    let request = &operation.request;
    let (revision, revisions) = revision_fields(
        spec.has_multiple_sources(),
        if request.revisions.is_empty() { &operation.revisions } else { &request.revisions },
    );
    let policy = spec.sync_policy.as_deref();
    let resources = request.selection.iter().map(|selection| SyncOperationResource {
        group: selection.kind.group.clone(),
        kind: selection.kind.kind.clone(),
        name: selection.name.clone(),
        namespace: selection.namespace.clone(),
    });
    Operation {
        sync: Some(Box::new(SyncOperation {
            revision,
            revisions,
            prune: request.prune,
            dry_run: request.dry_run,
            resources: resources.take(fit::RESULTS).collect(),
            sync_options: policy.map(|policy| policy.sync_options.clone()).unwrap_or_default(),
            ..SyncOperation::default()
        })),
        initiated_by: initiated_by(&request.initiator),
        info: Box::default(),
        retry: policy.and_then(|policy| policy.retry.as_deref()).cloned().unwrap_or_default(),
    }
}

/// What the operation says, and what it waits for.
fn message(operation: &OperationReport, report: &Report, previous: Option<&str>) -> Str {
    let waiting = report.waiting.as_ref().filter(|_| !operation.phase.is_final());
    let waiting = match waiting {
        None => return fit::shortened(&operation.message),
        Some(Waiting::Backoff { seconds, failures }) => {
            let seconds = i64::try_from(*seconds).unwrap_or(i64::MAX);
            let at = Time::from_unix(report.observed.unix().saturating_add(seconds));
            let text = format!("attempt {failures} failed, trying again at {at}");
            match previous.filter(|previous| previous.ends_with('Z')) {
                Some(previous) => with_kept_time(&operation.message, &text, at, previous),
                None => text,
            }
        }
        Some(waiting) => waiting.to_string(),
    };
    fit::shortened(&join(&operation.message, &waiting))
}

fn join(message: &str, waiting: &str) -> String {
    if message.is_empty() || message == waiting { waiting.into() } else { format!("{message}; {waiting}") }
}

/// `text`, with the time of the previous message when that says the same at nearly the same time.
fn with_kept_time(message: &str, text: &str, at: Time, previous: &str) -> String {
    let kept = previous.rsplit_once(' ').and_then(|(start, time)| {
        let time: Time = time.parse().ok()?;
        let near = at.since(time).max(time.since(at)).as_secs() <= SAME_TIME_SECONDS;
        let text = text.rsplit_once(' ')?.0;
        (near && join(message, text) == start).then(|| format!("{text} {time}"))
    });
    kept.unwrap_or_else(|| text.into())
}

fn result(spec: &ApplicationSpec, operation: &OperationReport) -> SyncResult {
    let multiple = spec.has_multiple_sources();
    let sources = declared_sources(spec);
    let (revision, revisions) = revision_fields(multiple, &operation.revisions);
    let policy = spec.sync_policy.as_deref();
    SyncResult {
        resources: operation.objects.iter().map(|object| resource_result(object, operation)).collect(),
        revision,
        // With several sources this is the first of them, as in Argo CD.
        source: sources.first().cloned().unwrap_or_default(),
        sources: if multiple { sources } else { Box::default() },
        revisions,
        managed_namespace_metadata: policy.and_then(|policy| policy.managed_namespace_metadata.clone()),
    }
}

fn resource_result(object: &ObjectOutcome, operation: &OperationReport) -> ResourceResult {
    let (status, phase) = match object.status {
        OutcomeStatus::Synced if operation.phase.is_final() => ("Synced", OperationPhase::Succeeded),
        OutcomeStatus::Synced => ("Synced", OperationPhase::Running),
        OutcomeStatus::Failed => ("SyncFailed", OperationPhase::Failed),
        OutcomeStatus::Pruned => ("Pruned", OperationPhase::Succeeded),
        OutcomeStatus::PruneSkipped => ("PruneSkipped", OperationPhase::Succeeded),
        OutcomeStatus::HookDeleted => ("", OperationPhase::Succeeded),
    };
    let phase = object.hook.unwrap_or(phase);
    ResourceResult {
        group: object.gvk.group.clone(),
        version: object.gvk.version.clone(),
        kind: object.gvk.kind.clone(),
        namespace: object.key.namespace.clone(),
        name: object.key.name.clone(),
        status: status.into(),
        message: fit::shortened(&object.message),
        hook_type: object.hook.map_or(Str::default(), |_| object.phase.as_str().into()),
        hook_phase: phase.as_str().into(),
        sync_phase: object.phase.as_str().into(),
        images: object.images.clone(),
    }
}
