//! What an existing status remembers, read back after a restart.

use windlass_kube::{GroupKind, Object, ObjectRef, Str, Value};
use windlass_model::{Deployment, HealthStatus, Initiator, OperationPhase, SyncRequest, SyncStatus, Time};

use crate::lower::request_of;
use crate::types::{
    Application, ApplicationSpec, ComparedTo, OperationInitiator, OperationState, RevisionHistory, Source,
};

/// One entry of `status.history`.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryEntry {
    /// Its number, increasing.
    pub id: i64,
    /// What was deployed.
    pub deployment: Deployment,
}

/// `status.operationState`.
#[derive(Clone, Debug, PartialEq)]
pub struct PreviousOperation {
    /// What was asked for.
    pub request: SyncRequest,
    /// How far it got.
    pub phase: OperationPhase,
    /// In words.
    pub message: Str,
    /// When it began.
    pub started: Time,
    /// When it ended, if it has.
    pub finished: Option<Time>,
    /// How many attempts came before the last one.
    pub retries: u32,
    /// The revisions it applied, one per source; empty when it resolved none.
    pub revisions: Vec<Str>,
}

/// What the engine needs to know of the time before it started.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Previous {
    /// The revisions of the newest history entry, one per source; empty when nothing was ever deployed.
    pub last_deployed: Vec<Str>,
    /// Everything that was deployed, oldest first.
    pub history: Vec<HistoryEntry>,
    /// The last operation, if it can be read.
    pub operation: Option<PreviousOperation>,
    /// Whether it was in sync.
    pub sync: SyncStatus,
    /// The revisions it was compared with, one per source.
    pub revisions: Vec<Str>,
    /// Whether it still names the repositories, revisions and folders that it was compared with.
    pub same_sources: bool,
    /// Its health; `None` when it was never told.
    pub health: Option<HealthStatus>,
    /// The objects it had, as far as the status lists them.
    pub objects: Vec<ObjectRef>,
    /// The kinds of all objects it had, where the status does not list all of them.
    pub kinds: Vec<GroupKind>,
    /// When it was last looked at.
    pub reconciled: Option<Time>,
}

/// Reads the status of `application`. What is absent or unreadable is left at its default.
#[must_use]
pub fn previous(application: &Object) -> Previous {
    let (Application { spec, status, .. }, _) = Application::read(application);
    let history: Vec<HistoryEntry> = status.history.iter().filter_map(history_entry).collect();
    let object = |resource: &crate::types::ResourceStatus| {
        ObjectRef::new(
            resource.group.clone(),
            resource.kind.clone(),
            resource.namespace.clone(),
            resource.name.clone(),
        )
    };
    Previous {
        last_deployed: history.last().map(|entry| entry.deployment.revisions.clone()).unwrap_or_default(),
        history,
        operation: status.operation_state.as_deref().and_then(|state| operation(state, &spec)),
        sync: match status.sync.status.as_str() {
            "Synced" => SyncStatus::Synced,
            "OutOfSync" => SyncStatus::OutOfSync,
            _ => SyncStatus::Unknown,
        },
        revisions: revisions(&status.sync.revision, &status.sync.revisions),
        same_sources: same_sources(&spec, &status.sync.compared_to),
        health: health(&status.health.status),
        objects: status.resources.iter().map(object).collect(),
        kinds: kinds(&status.windlass.0),
        reconciled: status.reconciled_at.0,
    }
}

/// The kinds that a list which was cut tells of, as `Deployment.apps` and `Secret.`.
fn kinds(own: &Value) -> Vec<GroupKind> {
    let counted = own.at(&["objects", "kinds"]).and_then(Value::as_object);
    let names = counted.into_iter().flat_map(|kinds| kinds.iter());
    names
        .filter_map(|(name, _)| name.split_once('.'))
        .map(|(kind, group)| GroupKind::new(group, kind))
        .collect()
}

fn same_sources(spec: &ApplicationSpec, compared: &ComparedTo) -> bool {
    let names = |source: &Source| {
        [&source.repo_url, &source.path, &source.chart, &source.target_revision].map(Str::clone)
    };
    let compared = match &*compared.sources {
        [] => std::slice::from_ref(&compared.source),
        sources => sources,
    };
    spec.sources().iter().map(names).eq(compared.iter().map(names))
}

fn history_entry(entry: &RevisionHistory) -> Option<HistoryEntry> {
    let deployed = entry.deployed_at.0?;
    let deployment = Deployment {
        revisions: revisions(&entry.revision, &entry.revisions),
        started: entry.deploy_started_at.0.unwrap_or(deployed),
        deployed,
        initiator: initiator(&entry.initiated_by),
    };
    Some(HistoryEntry { id: entry.id, deployment })
}

fn operation(state: &OperationState, spec: &ApplicationSpec) -> Option<PreviousOperation> {
    let phase = [
        OperationPhase::Running,
        OperationPhase::Terminating,
        OperationPhase::Failed,
        OperationPhase::Error,
        OperationPhase::Succeeded,
    ]
    .into_iter()
    .find(|phase| phase.as_str() == state.phase)?;
    let result = state.sync_result.as_deref();
    Some(PreviousOperation {
        request: request_of(&state.operation, spec).unwrap_or_default(),
        phase,
        message: state.message.clone(),
        started: state.started_at.0?,
        finished: state.finished_at.0,
        retries: u32::try_from(state.retry_count).unwrap_or(0),
        revisions: result.map(|result| revisions(&result.revision, &result.revisions)).unwrap_or_default(),
    })
}

fn revisions(one: &Str, many: &[Str]) -> Vec<Str> {
    match many {
        [] if one.is_empty() => Vec::new(),
        [] => vec![one.clone()],
        many => many.to_vec(),
    }
}

fn initiator(initiator: &OperationInitiator) -> Initiator {
    Initiator { username: initiator.username.clone(), automated: initiator.automated }
}

fn health(text: &str) -> Option<HealthStatus> {
    [
        HealthStatus::Healthy,
        HealthStatus::Suspended,
        HealthStatus::Progressing,
        HealthStatus::Missing,
        HealthStatus::Degraded,
        HealthStatus::Unknown,
    ]
    .into_iter()
    .find(|status| status.as_str() == text)
}
