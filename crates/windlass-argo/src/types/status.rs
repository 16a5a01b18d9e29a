//! How an Application is.

use windlass_kube::{Str, Value};

use crate::field::{Any, Field, Reader, Timestamp, object, text};
use crate::types::{
    Destination, IgnoreDifference, ManagedNamespaceMetadata, Operation, OperationInitiator, Source,
    SourceHydrator,
};

object! {
    /// How an Application is.
    Status {
        /// Its objects.
        resources "resources": Box<[ResourceStatus]>,
        /// Whether it is as declared.
        sync "sync": SyncStatusFields,
        /// Its health, rolled up.
        health "health": HealthFields,
        /// What was deployed, oldest first.
        history "history": Box<[RevisionHistory]>,
        /// What people should know.
        conditions "conditions": Box<[Condition]>,
        /// When it was last compared.
        reconciled_at "reconciledAt": Timestamp,
        /// The operation that runs or ran last.
        operation_state "operationState": Option<Box<OperationState>>,
        /// Not used any more.
        observed_at "observedAt": Timestamp,
        /// What the source turned out to be.
        source_type "sourceType": Str,
        /// Facts for lists.
        summary "summary": Summary,
        /// Where the health of single objects is kept; here when absent.
        resource_health_source "resourceHealthSource": Str,
        /// What each source turned out to be.
        source_types "sourceTypes": Box<[Str]>,
        /// The namespace of the controller that looks after it.
        controller_namespace "controllerNamespace": Str,
        /// How hydration goes.
        source_hydrator "sourceHydrator": HydratorStatus,
        /// What Windlass has to say beyond the fields of Argo CD.
        windlass "windlass": Any,
    }

    /// Whether an Application is as declared.
    SyncStatusFields {
        /// Synced, OutOfSync or Unknown.
        status "status": Str [required],
        /// What it was compared with.
        compared_to "comparedTo": ComparedTo,
        /// The revision.
        revision "revision": Str,
        /// The revisions, one per source.
        revisions "revisions": Box<[Str]>,
    }

    /// What an Application was compared with.
    ComparedTo {
        /// The source.
        source "source": Source,
        /// The destination.
        destination "destination": Destination [required],
        /// The sources, if there are several.
        sources "sources": Box<[Source]>,
        /// Differences that did not count.
        ignore_differences "ignoreDifferences": Box<[IgnoreDifference]>,
    }

    /// A state of health.
    HealthFields {
        /// Healthy, Suspended, Progressing, Missing, Degraded or Unknown.
        status "status": Str,
        /// Why.
        message "message": Str,
        /// Since when.
        last_transition_time "lastTransitionTime": Timestamp,
    }

    /// One object of an Application.
    ResourceStatus {
        /// Its group.
        group "group": Str,
        /// Its version.
        version "version": Str,
        /// Its kind.
        kind "kind": Str,
        /// Its namespace.
        namespace "namespace": Str,
        /// Its name.
        name "name": Str,
        /// Whether it is as declared.
        status "status": Str,
        /// Its health.
        health "health": Option<Box<HealthFields>>,
        /// Whether it is a hook.
        hook "hook": bool,
        /// Whether it is no longer declared.
        requires_pruning "requiresPruning": bool,
        /// Its wave.
        sync_wave "syncWave": i64,
        /// Whether deleting it must be confirmed.
        requires_deletion_confirmation "requiresDeletionConfirmation": bool,
    }

    /// One deployment.
    RevisionHistory {
        /// The revision.
        revision "revision": Str,
        /// When it was there.
        deployed_at "deployedAt": Timestamp [required],
        /// Its number, increasing.
        id "id": i64 [required],
        /// The source.
        source "source": Source,
        /// When its operation began.
        deploy_started_at "deployStartedAt": Timestamp,
        /// The sources, if there are several.
        sources "sources": Box<[Source]>,
        /// The revisions, one per source.
        revisions "revisions": Box<[Str]>,
        /// Who asked for it.
        initiated_by "initiatedBy": OperationInitiator,
    }

    /// One thing people should know.
    Condition {
        /// Its type; one that ends in Error is an error.
        kind "type": Str [required],
        /// In words.
        message "message": Str [required],
        /// Since when.
        last_transition_time "lastTransitionTime": Timestamp,
    }

    /// How an operation goes.
    OperationState {
        /// What was asked for.
        operation "operation": Operation [required],
        /// Running, Terminating, Failed, Error or Succeeded.
        phase "phase": Str [required],
        /// In words.
        message "message": Str,
        /// What a sync did.
        sync_result "syncResult": Option<Box<SyncResult>>,
        /// When it began.
        started_at "startedAt": Timestamp [required],
        /// When it ended.
        finished_at "finishedAt": Timestamp,
        /// How many attempts came before the last one.
        retry_count "retryCount": i64,
    }

    /// What a sync did.
    SyncResult {
        /// Per object.
        resources "resources": Box<[ResourceResult]>,
        /// The revision.
        revision "revision": Str [required],
        /// The source.
        source "source": Source,
        /// The sources, if there are several.
        sources "sources": Box<[Source]>,
        /// The revisions, one per source.
        revisions "revisions": Box<[Str]>,
        /// What the namespace got.
        managed_namespace_metadata "managedNamespaceMetadata": Option<Box<ManagedNamespaceMetadata>>,
    }

    /// What a sync did to one object.
    ResourceResult {
        /// Its group.
        group "group": Str [required],
        /// Its version.
        version "version": Str [required],
        /// Its kind.
        kind "kind": Str [required],
        /// Its namespace.
        namespace "namespace": Str [required],
        /// Its name.
        name "name": Str [required],
        /// Synced, SyncFailed, Pruned or PruneSkipped.
        status "status": Str,
        /// In words.
        message "message": Str,
        /// Which kind of hook it is.
        hook_type "hookType": Str,
        /// How far a hook, or the object's health, is.
        hook_phase "hookPhase": Str,
        /// PreSync, Sync, PostSync or SyncFail.
        sync_phase "syncPhase": Str,
        /// Its container images.
        images "images": Box<[Str]>,
    }

    /// Facts for lists.
    Summary {
        /// Where it can be reached.
        external_urls "externalURLs": Box<[Str]>,
        /// Its container images.
        images "images": Box<[Str]>,
        /// Whether it contains Applications.
        is_app_of_apps "isAppOfApps": bool,
    }

    /// How hydration goes.
    HydratorStatus {
        /// The last one that worked.
        last_successful_operation "lastSuccessfulOperation": Option<Box<SuccessfulHydration>>,
        /// The newest one.
        current_operation "currentOperation": Option<Box<Hydration>>,
        /// The dry revision that was looked at last.
        last_compared_dry_revision "lastComparedDryRevision": Str,
    }

    /// A hydration.
    Hydration {
        /// When it began.
        started_at "startedAt": Timestamp [always],
        /// When it ended.
        finished_at "finishedAt": Timestamp,
        /// How far it is.
        phase "phase": HydrationPhase [required],
        /// In words.
        message "message": Str [required],
        /// The dry commit.
        dry_sha "drySHA": Str,
        /// The commit with the rendered files.
        hydrated_sha "hydratedSHA": Str,
        /// What was asked for.
        source_hydrator "sourceHydrator": SourceHydrator,
    }

    /// A hydration that worked.
    SuccessfulHydration {
        /// The dry commit.
        dry_sha "drySHA": Str,
        /// The commit with the rendered files.
        hydrated_sha "hydratedSHA": Str,
        /// What was asked for.
        source_hydrator "sourceHydrator": SourceHydrator,
    }
}

text! {
    /// How far a hydration is.
    HydrationPhase {"type": "string", "enum": ["Hydrating", "Failed", "Hydrated"]}
}

impl Status {
    /// Reads a status; what is unknown or unreadable is left out.
    #[must_use]
    pub fn from_value(value: &Value) -> Self {
        Field::read(value, &mut Reader::default())
    }

    /// As it stands in an object.
    #[must_use]
    pub fn to_value(&self) -> Value {
        self.write()
    }
}
