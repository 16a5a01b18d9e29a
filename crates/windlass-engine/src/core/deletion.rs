//! Lets a deleted Unit go, with or without its objects.

use std::sync::Arc;

use tokio::time::Instant;
use windlass_argo::{Deletion, finalizer_patch};
use windlass_cluster::{ApiError, Resource};
use windlass_model::{Diagnostic, DiagnosticKind, Digest, LiveRecord, UnitId, Waiting};
use windlass_plan::plan_deletion;

use super::declared::APPLICATION_KIND;
use super::{Core, Event};
use crate::unit_state::{Activity, Run, UnitState};

impl Core {
    /// Brings the deletion of a Unit one step further.
    pub(super) fn advance_deletion(&mut self, unit: &mut UnitState) {
        // Whatever was being done is superseded: what waits at a gate is not started any more.
        unit.activity = Activity::Idle;
        let propagation = match unit.lowered.deletion {
            Deletion::None => return,
            Deletion::Unconfirmed => {
                let message = "waits for approval: set the annotation argocd.argoproj.io/deletion-approved";
                unit.trouble = vec![Diagnostic::new(DiagnosticKind::Delete, message)];
                self.report_deleting(unit);
                return;
            }
            Deletion::Orphan => {
                self.release(unit);
                return;
            }
            Deletion::Cascade { propagation } => propagation,
        };
        if self.cluster_key(unit).is_none() {
            // The cluster is gone from the settings, and with it the way to its objects: as Argo CD does.
            self.release(unit);
            return;
        }
        let Some(cluster) = self.target_cluster(unit) else { return };
        if !self.watches_ready(unit, &cluster) {
            return;
        }
        let Some(state) = self.clusters.get(&cluster) else { return };
        let instance = &unit.lowered.unit.ownership.instance;
        let live: Vec<LiveRecord> = state
            .live
            .of_instance(instance)
            .filter(|live| live.owners.is_empty() && !live.keep_on_delete)
            .filter(|live| live.key != unit.id.0)
            .cloned()
            .collect();
        if live.is_empty() {
            self.release(unit);
            return;
        }
        let here: Vec<&LiveRecord> = live.iter().collect();
        unit.generation = unit.generation.next();
        let plan = plan_deletion(&unit.lowered.unit, unit.generation, &here, propagation);
        if plan.is_empty() {
            unit.waiting = Some(Waiting::Gone(live.into_iter().map(|live| live.key).collect()));
            self.report_deleting(unit);
            return;
        }
        if let Some(at) = unit.retry_at
            && Instant::now() < at
        {
            self.wake_at(at, &unit.id);
            return;
        }
        let run = Arc::new(Run { plan, desired: Digest::of_bytes(b"deletion"), deletion: true });
        self.start_wave(unit, &cluster, run, 0);
    }

    /// Takes our finalizers off the declaring object.
    fn release(&mut self, unit: &mut UnitState) {
        let Some(patch) = finalizer_patch(&unit.declared()) else { return };
        if std::mem::replace(&mut unit.writing, true) {
            // When the status that is being written is there.
            unit.unwritten = true;
            return;
        }
        let (client, events, id) = (self.home.clone(), self.events.clone(), unit.id.clone());
        tokio::spawn(async move {
            let resource = application_resource();
            let patched = client
                .merge_patch(&resource, &id.0.namespace, &id.0.name, &patch, windlass_argo::FIELD_MANAGER)
                .await;
            let _ = events.send(Event::Released(id, patched.map(drop))).await;
        });
    }

    pub(super) fn on_released(&mut self, id: &UnitId, result: Result<(), ApiError>) {
        let Some(unit) = self.units.get_mut(id) else { return };
        unit.writing = false;
        match result {
            Err(error) if !error.is_not_found() => {
                let message = format!("the finalizers could not be removed: {error}");
                tracing::warn!(unit = %id, %error, "finalizers could not be removed");
                unit.trouble = vec![Diagnostic::new(DiagnosticKind::Delete, message)];
                unit.failures = unit.failures.saturating_add(1);
                let at = Instant::now() + unit.pause();
                self.wake_at(at, id);
            }
            _ => tracing::info!(unit = %id, "unit deleted"),
        }
    }
}

/// The declaring objects' resource.
pub(super) fn application_resource() -> Resource {
    Resource::new(windlass_argo::GROUP, windlass_argo::VERSION, APPLICATION_KIND, "applications", true)
}
