//! What was deployed, oldest first.

use windlass_kube::Str;
use windlass_model::{Deployment, Initiator, Report};

use super::{declared_sources, revision_fields};
use crate::types::{ApplicationSpec, OperationInitiator, RevisionHistory, Source, Timestamp};

/// The history with the report's deployment added, cut to `limit` from the front.
///
/// A deployment that is already the newest entry is not added again, so the same report may be raised twice.
pub(super) fn history(
    spec: &ApplicationSpec,
    previous: &[RevisionHistory],
    report: &Report,
    limit: usize,
) -> Box<[RevisionHistory]> {
    let mut history = previous.to_vec();
    if let Some(deployment) = &report.deployment {
        let new = entry(spec, deployment, history.last().map_or(0, |last| last.id + 1));
        let known = history.last().is_some_and(|last| {
            last.deploy_started_at == new.deploy_started_at
                && last.revision == new.revision
                && last.revisions == new.revisions
        });
        if !known {
            history.push(new);
        }
    }
    history.drain(..history.len().saturating_sub(limit));
    history.into()
}

fn entry(spec: &ApplicationSpec, deployment: &Deployment, id: i64) -> RevisionHistory {
    let multiple = spec.has_multiple_sources();
    let sources = declared_sources(spec);
    let (revision, revisions): (Str, Box<[Str]>) = revision_fields(multiple, &deployment.revisions);
    RevisionHistory {
        revision,
        deployed_at: Timestamp(Some(deployment.deployed)),
        id,
        source: if multiple { Source::default() } else { sources.first().cloned().unwrap_or_default() },
        deploy_started_at: Timestamp(Some(deployment.started)),
        sources: if multiple { sources } else { Box::default() },
        revisions,
        initiated_by: initiated_by(&deployment.initiator),
    }
}

pub(super) fn initiated_by(initiator: &Initiator) -> OperationInitiator {
    OperationInitiator { username: initiator.username.clone(), automated: initiator.automated }
}
