//! From what is known of a Unit to its status, written once per change.

use tokio::time::Instant;
use windlass_argo::{Taken, patch, raise};
use windlass_assess::{Member, MemberState};
use windlass_cluster::ApiError;
use windlass_kube::Str;
use windlass_model::{
    Diagnostic, DiagnosticKind, Health, HealthStatus, LiveRecord, ObjectReport, OperationPhase,
    OperationReport, Report, SyncState, SyncStatus, UnitId,
};
use windlass_plan::Comparison;

use super::advance::Compared;
use super::declared::APPLICATION_KIND;
use super::deletion::application_resource;
use super::{Core, Event};
use crate::clusters::ClusterKey;
use crate::metrics::ResultLabel;
use crate::unit_state::{Activity, Told, UnitState};

/// A status that could not be written is written again after this.
const WRITE_RETRY: std::time::Duration = std::time::Duration::from_secs(1);

impl Core {
    /// Writes what was found out, if it is news.
    pub(super) fn report(&mut self, unit: &mut UnitState, cluster: &ClusterKey, compared: &Compared) {
        self.note_contest(unit, compared);
        let orphaned = self.orphan_diagnostic(unit, cluster);
        let Some(state) = self.clusters.get(cluster) else { return };
        let Some(rendered) = &unit.rendered else { return };
        let mut objects = Vec::with_capacity(rendered.objects.len() + compared.extra.len());
        let mut images: Vec<Str> = Vec::new();
        for (idx, object) in rendered.objects.iter().enumerate() {
            let live = state.live.record(&object.key);
            images.extend(live.into_iter().flat_map(|live| live.images.iter().cloned()));
            let missing = compared.states[idx] == Comparison::Missing;
            objects.push(ObjectReport {
                key: object.key.clone(),
                gvk: object.gvk.clone(),
                status: if compared.states[idx].needs_apply() {
                    SyncStatus::OutOfSync
                } else {
                    SyncStatus::Synced
                },
                health: if missing { Some(HealthStatus::Missing.into()) } else { health_of(live) },
                hook: false,
                requires_pruning: false,
                requires_confirmation: live.is_some_and(|live| needs_confirmation(unit, live)),
                wave: object.wave,
                reason: compared.reasons[idx].clone(),
            });
        }
        for live in &compared.extra {
            images.extend(live.images.iter().cloned());
            objects.push(ObjectReport {
                key: live.key.clone(),
                gvk: live.gvk.clone(),
                status: SyncStatus::OutOfSync,
                health: health_of(Some(live)),
                hook: false,
                requires_pruning: true,
                requires_confirmation: needs_confirmation(unit, live),
                wave: 0,
                reason: Str::new_static("in the cluster, and no longer declared"),
            });
        }
        let out_of_sync = objects[..rendered.objects.len()].iter().any(|it| it.status != SyncStatus::Synced)
            || compared.extra.iter().any(|live| !live.uncounted);
        let hooks = state
            .live
            .of_instance(&unit.lowered.unit.ownership.instance)
            .filter(|live| live.hook && live.owners.is_empty());
        objects.extend(hooks.map(hook_report));
        objects.sort_by(|a, b| a.key.cmp(&b.key));
        images.sort();
        images.dedup();
        let mut diagnostics = unit.lowered.unit.diagnostics.clone();
        diagnostics.extend(rendered.diagnostics.iter().cloned());
        diagnostics.extend(unit.trouble.iter().cloned());
        diagnostics.extend(compared.diagnostics.iter().cloned());
        for key in &unit.sources {
            if let Some(problem) = self.sources.get(key).and_then(|state| state.problem.as_ref()) {
                diagnostics.push(Diagnostic::new(DiagnosticKind::Source, problem.clone()));
            }
        }
        diagnostics.extend(self.dependency_diagnostics(unit));
        diagnostics.extend(orphaned);
        diagnostics.extend(unit.contest_diagnostics());
        for reached in &unit.reached {
            // Where nothing is known of it, the render has failed with the same words.
            let state = self.sources.get(&reached.key).filter(|state| state.latest.is_some());
            if let Some(problem) = state.and_then(|state| state.problem.as_ref()) {
                diagnostics.push(Diagnostic::new(DiagnosticKind::Source, problem.clone()));
            }
        }
        let unclear = rendered.failed
            || rendered.diagnostics.iter().any(|diagnostic| {
                matches!(diagnostic.kind, DiagnosticKind::Render | DiagnosticKind::Compare)
            });
        let status = if unclear {
            SyncStatus::Unknown
        } else if out_of_sync {
            SyncStatus::OutOfSync
        } else {
            SyncStatus::Synced
        };
        let members = objects.iter().filter(|object| !object.hook).map(|object| Member {
            key: &object.key,
            state: match state.live.record(&object.key) {
                Some(live) if live.health_ignored || object.key == unit.id.0 => MemberState::Uncounted,
                Some(live) => MemberState::Live(live.health.as_ref()),
                None if object
                    .health
                    .as_ref()
                    .is_some_and(|health| health.status == HealthStatus::Missing) =>
                {
                    MemberState::Missing
                }
                None => MemberState::Live(None),
            },
            is_unit: object.key.group == windlass_argo::GROUP && object.key.kind == APPLICATION_KIND,
        });
        let health = windlass_assess::roll_up(members);
        unit.as_declared = status == SyncStatus::Synced && health.status == HealthStatus::Healthy;
        let shown = if self.is_awaited_elsewhere(&unit.id, unit.is_child) {
            rendered.revisions.clone()
        } else {
            rendered.shown.clone()
        };
        let report = Report {
            sync: SyncState { status, revisions: shown },
            health,
            objects,
            operation: unit.operation_report(),
            deployment: unit.deployed.clone(),
            diagnostics,
            waiting: unit.waiting.clone(),
            depends_on: unit.dependencies(),
            images,
            source_types: rendered.source_types.clone(),
            observed: self.now,
        };
        self.write(unit, &report);
    }

    /// Writes that nothing can be said about a Unit, and why.
    pub(super) fn report_unknown(&mut self, unit: &mut UnitState) {
        unit.as_declared = false;
        let mut diagnostics = unit.lowered.unit.diagnostics.clone();
        diagnostics.extend(unit.source_problems.iter().cloned());
        diagnostics.extend(unit.trouble.iter().cloned());
        let report = Report {
            sync: SyncState { status: SyncStatus::Unknown, revisions: Vec::new() },
            health: Health::new(HealthStatus::Unknown, ""),
            objects: Vec::new(),
            operation: unit.operation_report(),
            deployment: None,
            diagnostics,
            waiting: unit.waiting.clone(),
            depends_on: unit.dependencies(),
            images: Vec::new(),
            source_types: Vec::new(),
            observed: self.now,
        };
        self.write(unit, &report);
    }

    /// Writes that a Unit is on its way out.
    pub(super) fn report_deleting(&mut self, unit: &mut UnitState) {
        unit.as_declared = false;
        let mut diagnostics = unit.lowered.unit.diagnostics.clone();
        diagnostics.extend(unit.trouble.iter().cloned());
        let Some(cluster) = self.cluster_key(unit) else { return };
        let Some(state) = self.clusters.get(&cluster) else { return };
        let objects: Vec<ObjectReport> = state
            .live
            .of_instance(&unit.lowered.unit.ownership.instance)
            .map(|live| ObjectReport {
                key: live.key.clone(),
                gvk: live.gvk.clone(),
                status: SyncStatus::OutOfSync,
                health: health_of(Some(live)),
                hook: live.hook,
                requires_pruning: true,
                requires_confirmation: needs_confirmation(unit, live),
                wave: 0,
                reason: Str::new_static("its Application is being deleted"),
            })
            .collect();
        let report = Report {
            sync: SyncState { status: SyncStatus::OutOfSync, revisions: unit.previous.revisions.clone() },
            health: Health::new(HealthStatus::Progressing, "being deleted"),
            objects,
            operation: unit.operation_report(),
            deployment: None,
            diagnostics,
            waiting: unit.waiting.clone(),
            depends_on: unit.dependencies(),
            images: Vec::new(),
            source_types: Vec::new(),
            observed: self.now,
        };
        self.write(unit, &report);
    }

    fn write(&mut self, unit: &mut UnitState, report: &Report) {
        if unit.writing {
            unit.unwritten = true;
            return;
        }
        let declared = unit.declared();
        let next = raise(&declared, report, &unit.lowered);
        let taken = Taken {
            operation: unit.lowered.refused.is_some()
                || (unit.done_request.is_some() && unit.request_is_done()),
            refresh: unit.refresh_taken && unit.lowered.refresh.is_some() && self.is_refreshed(unit),
        };
        // What is in the status is not told again, unless the write fails.
        let told = (unit.ended.take(), unit.deployed.take());
        let Some(mut patch) = patch(&declared, &next, taken) else { return };
        if unit.unsure
            && let Some(version) = unit.newest_version()
        {
            // A patch says what is to change of a state that is known: of another one it would make a mixture.
            patch.set_at(&["metadata", "resourceVersion"], version.to_string());
        }
        // Many of these may wait to be sent.
        let patch = serde_json::to_vec(&patch).expect("writing to memory cannot fail");
        unit.writing = true;
        let (client, id) = (self.home.clone(), unit.id.clone());
        // What the server will answer, so that a report made before the answer compares with it.
        let mut expected = declared;
        expected.set_at(&["status"], next);
        let before = unit.replace_declared(&expected);
        unit.told = Some(Box::new(Told { before, ended: told.0, deployed: told.1, met: None }));
        let span = tracing::debug_span!("status_write", unit = %id);
        let writing = async move {
            let resource = application_resource();
            let written = client
                .merge_patch_unread(
                    &resource,
                    &id.0.namespace,
                    &id.0.name,
                    patch,
                    windlass_argo::STATUS_MANAGER,
                )
                .await;
            Event::Written(id, written)
        };
        self.call_beside(&unit.id, self.home_permits.clone(), span, writing);
    }

    pub(super) fn on_written(&mut self, id: &UnitId, result: Result<Str, ApiError>) {
        self.metrics.status_writes.get_or_create(&ResultLabel::of(result.is_ok())).inc();
        let Some(unit) = self.units.get_mut(id) else { return };
        unit.writing = false;
        match result {
            Ok(version) => {
                // What it says is held already, as expected; the watch brings it as it is.
                // Unless a list came meanwhile that is older than the write: then the watch brings what was written, and
                // until it does the object is not known.
                let met = unit.told.take().and_then(|told| told.met);
                unit.unsure =
                    met.zip(version.parse().ok()).is_some_and(|(met, written): (u64, u64)| met < written);
                if !unit.unsure {
                    unit.seen_version(&version);
                }
                if std::mem::take(&mut unit.unwritten) {
                    self.again(id);
                }
            }
            Err(error) if error.is_not_found() => {}
            Err(error) => {
                tracing::warn!(unit = %id, %error, "status could not be written");
                unit.unwritten = false;
                unit.unsure |= !(error.is_refusal() || error.is_conflict());
                if let Some(told) = unit.told.take() {
                    let Told { before, ended, deployed, met: _ } = *told;
                    unit.restore_declared(before);
                    unit.ended = unit.ended.take().or(ended);
                    unit.deployed = unit.deployed.take().or(deployed);
                }
                self.wake_at(Instant::now() + WRITE_RETRY, id);
            }
        }
    }
}

impl UnitState {
    /// How the current or the last operation goes, if there is news of one.
    fn operation_report(&self) -> Option<OperationReport> {
        if let Some(ended) = &self.ended {
            return Some(OperationReport::clone(ended));
        }
        let Some(run) = self.operation.as_ref() else { return self.held_report() };
        if matches!(self.waiting, Some(windlass_model::Waiting::Backoff { .. })) {
            // The status says how the last attempt went and when the next one comes.
            return None;
        }
        let message = match (&self.waiting, &self.activity) {
            (Some(waiting), _) => waiting.to_string(),
            (None, Activity::Verifying(_)) => "trying the plan without effect".into(),
            (None, _) => "applying".into(),
        };
        Some(OperationReport {
            request: run.request.clone(),
            phase: OperationPhase::Running,
            message: message.into(),
            started: run.started,
            finished: None,
            retries: run.retries,
            revisions: run.revisions.clone(),
            objects: run.objects.to_vec(),
        })
    }
}

impl UnitState {
    /// What is said of a sync that somebody asked for and that has not begun, because a window is in the way.
    fn held_report(&self) -> Option<OperationReport> {
        let (request, started) = self.held_request.as_deref().filter(|_| self.pending_request())?;
        let waiting =
            self.waiting.as_ref().filter(|it| matches!(it, windlass_model::Waiting::Window { .. }))?;
        Some(OperationReport {
            request: request.clone(),
            phase: OperationPhase::Running,
            message: waiting.to_string().into(),
            started: *started,
            finished: None,
            retries: 0,
            revisions: Vec::new(),
            objects: Vec::new(),
        })
    }
}

fn hook_report(live: &LiveRecord) -> ObjectReport {
    ObjectReport {
        key: live.key.clone(),
        gvk: live.gvk.clone(),
        // It has none; whoever writes the status leaves it out.
        status: SyncStatus::Synced,
        health: live.health.clone(),
        hook: true,
        requires_pruning: false,
        requires_confirmation: false,
        wave: 0,
        reason: Str::default(),
    }
}

/// Whether a person must approve before an object is deleted.
fn needs_confirmation(unit: &UnitState, live: &LiveRecord) -> bool {
    let policy = &unit.lowered.unit.policy;
    live.confirm_delete || live.confirm_prune.unwrap_or(policy.confirm_prune)
}

fn health_of(live: Option<&LiveRecord>) -> Option<Health> {
    live.and_then(|live| live.health.clone())
}
