//! From an Application to a Unit.

use std::sync::Arc;
use std::time::Duration;

use windlass_kube::Object;
use windlass_model::{
    Automation, Backoff, ClusterRef, NamespacePolicy, Ownership, Permissions, Propagation, Retry, SyncPolicy,
    SyncRequest, TargetSpec, Unit, UnitId,
};

use crate::{Cluster, Deletion, Project, ProjectProblem, Settings};

/// How thorough a refresh somebody asked for by annotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// Sources are resolved anew.
    Normal,
    /// Nothing that was kept is trusted either.
    Hard,
}

/// An Application in the words of the model.
#[derive(Clone, Debug)]
pub struct Lowered {
    /// What is kept in sync.
    pub unit: Unit,
    /// The sync that its `operation` field asks for.
    pub request: Option<SyncRequest>,
    /// Whether somebody asked to end the running operation.
    pub terminate: bool,
    /// The refresh that its annotation asks for.
    pub refresh: Option<Refresh>,
    /// Whether it is to be left alone altogether: annotation `skip-reconcile`.
    pub paused: bool,
    /// Whether it is being deleted, and how.
    pub deletion: Deletion,
    /// What it may deploy.
    pub permissions: Arc<Permissions>,
}

/// Lowers an Application.
///
/// Two Applications that mean the same give equal Units apart from their ids and tracking names. What is wrong,
/// and every field that is set and not acted on, is in the Unit's diagnostics.
#[must_use]
pub fn lower(
    application: &Object,
    project: Result<&Project, ProjectProblem>,
    settings: &Settings,
    known_clusters: &[Cluster],
) -> Lowered {
    let _ = known_clusters;
    Lowered {
        unit: Unit {
            id: UnitId(application.object_ref()),
            sources: Vec::new(),
            target: TargetSpec { cluster: ClusterRef::Local, namespace: "".into() },
            ownership: Ownership {
                field_manager: "argocd-controller".into(),
                instance: settings.instance(application.namespace(), application.name()),
                tracking: settings.tracking(),
                installation: Some(settings.installation()),
            },
            policy: SyncPolicy {
                automation: Automation::Manual,
                retry: Retry {
                    limit: Some(0),
                    backoff: Backoff {
                        initial: Duration::from_secs(5),
                        factor: 2.0,
                        max: Duration::from_secs(180),
                    },
                },
                namespace: NamespacePolicy::default(),
                never_prune: false,
                prune_propagation: Propagation::default(),
                prune_last: false,
                skip_dry_run_on_missing_kind: false,
                history_limit: 10,
            },
            diagnostics: Vec::new(),
        },
        request: None,
        terminate: false,
        refresh: None,
        paused: false,
        deletion: Deletion::None,
        permissions: project.map(|project| project.permissions.clone()).unwrap_or_default(),
    }
}
