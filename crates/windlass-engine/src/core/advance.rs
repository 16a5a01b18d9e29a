//! One look at a Unit: name the state it is in, then choose one action.

use std::time::Duration;

use tokio::time::Instant;
use windlass_argo::{Deletion, Refresh};
use windlass_kube::{GroupKind, Str};
use windlass_model::{ClusterRef, Diagnostic, DiagnosticKind, Strict, UnitId, Waiting};
use windlass_plan::{Comparison, compare};

use super::Core;
use crate::clusters::{ClusterKey, ClusterState};
use crate::desired_objects::DesiredObject;
use crate::extent::Extent;
use crate::fetching::Fetched;
use crate::live::Known;
use crate::own_health::OwnChecks;
use crate::signatures::identities;
use crate::unit_state::{Activity, UnitState, live_state};

/// What comparing the Unit with its target gave.
#[derive(Default)]
pub(super) struct Compared {
    /// One per declared object, in the same order.
    pub(super) states: Vec<Comparison>,
    /// Why each is out of sync, in words; empty where it is not.
    pub(super) reasons: Vec<Str>,
    /// Whether another Unit, which declares it too, has the object: it keeps it until it lets go or a person asks.
    pub(super) claimed: Vec<bool>,
    /// What there is to say about that.
    pub(super) diagnostics: Vec<Diagnostic>,
    /// Live objects of the Unit that are not declared.
    pub(super) extra: Vec<windlass_model::LiveRecord>,
}

/// A kind that a cluster did not serve is asked for again after this: its definition may have come, and what a
/// server says that it serves lags behind its definitions.
const UNKNOWN_KIND_RETRY: Duration = Duration::from_secs(2);

/// After as many tries without news the pause is [`UNKNOWN_KIND_LONG_RETRY`].
const UNKNOWN_KIND_TRIES: u32 = 5;

/// A kind that does not come is asked for this seldom; the watch of definitions finds it at once in any case.
const UNKNOWN_KIND_LONG_RETRY: Duration = Duration::from_secs(30);

/// The kinds whose live state a Unit depends on: those it declares or had.
fn kinds_of(unit: &UnitState) -> Vec<GroupKind> {
    let declared = unit.rendered.iter().flat_map(|rendered| &rendered.objects);
    let mut kinds: Vec<GroupKind> = declared.map(|object| object.key.group_kind()).collect();
    let hooks = unit.rendered.iter().flat_map(|rendered| &rendered.hook_marks);
    kinds.extend(hooks.map(|hook| hook.key.group_kind()));
    kinds.extend(unit.previous.kinds.iter().cloned());
    kinds.extend(unit.previous.objects.iter().map(windlass_kube::ObjectRef::group_kind));
    if unit.lowered.unit.policy.namespace.create {
        kinds.push(GroupKind::new("", "Namespace"));
    }
    kinds.sort();
    kinds.dedup();
    kinds
}

/// What went wrong, for a message of one line.
pub(super) fn in_one_line<'a>(problems: impl Iterator<Item = &'a Diagnostic>) -> String {
    problems.map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl Core {
    /// Brings a Unit one step further, as far as can be without waiting.
    pub(super) fn advance(&mut self, unit: &mut UnitState) {
        if unit.lowered.paused {
            return;
        }
        if unit.is_busy() {
            unit.again = true;
            return;
        }
        unit.again = false;
        self.take_refresh(unit);
        self.release_hooks(unit);
        if unit.lowered.deletion != Deletion::None {
            self.advance_deletion(unit);
            return;
        }
        let fatal = unit.lowered.unit.diagnostics.iter().any(|diagnostic| diagnostic.kind.is_error());
        if fatal || !unit.source_problems.is_empty() {
            unit.waiting = None;
            self.report_unknown(unit);
            return;
        }
        let Some(cluster) = self.target_cluster(unit) else { return };
        let Some(resolved) = self.resolved_sources(unit) else { return };
        if !self.is_rendered(unit, &cluster, &resolved) {
            if !self.is_reached(unit) {
                unit.waiting = Some(Waiting::Source);
                return;
            }
            self.prepare(unit, &cluster, resolved);
            return;
        }
        if !self.is_within_extent(unit, &cluster) {
            return;
        }
        self.keep_hook_finalizers(unit);
        self.follow_orphans(unit, &cluster);
        if !self.watches_ready(unit, &cluster) {
            self.report_unwatched(unit, &cluster);
            return;
        }
        // The source is there, rendered, and all that it needs can be seen: only what a sync or a deletion met still holds.
        unit.trouble.retain(|trouble| matches!(trouble.kind, DiagnosticKind::Sync | DiagnosticKind::Delete));
        self.observe_hooks(unit, &cluster);
        let compared = self.compare(unit, &cluster);
        self.follow_policy(unit, &cluster, &compared);
    }

    /// Whether all that a Unit declares lies in the part of its cluster that is looked at; reports what does not.
    fn is_within_extent(&mut self, unit: &mut UnitState, cluster: &ClusterKey) -> bool {
        let (Some(state), Some(rendered)) = (self.clusters.get(cluster), &unit.rendered) else { return true };
        let refused = rendered.objects.iter().filter_map(|object| state.extent.refusal(&object.key));
        let refused: Vec<Diagnostic> =
            refused.map(|problem| Diagnostic::new(DiagnosticKind::Compare, problem)).collect();
        if refused.is_empty() {
            return true;
        }
        if unit.operation.is_some() || unit.pending_request() {
            self.fail_request(unit, &in_one_line(refused.iter()));
        }
        unit.trouble = refused;
        self.report_unknown(unit);
        false
    }

    /// Says which kinds keep a Unit waiting because the cluster does not let them be watched.
    fn report_unwatched(&mut self, unit: &mut UnitState, cluster: &ClusterKey) {
        let Some(state) = self.clusters.get(cluster) else { return };
        let problems = kinds_of(unit).into_iter().filter_map(|kind| {
            let problem = state.watch_problem(&kind)?;
            let message = format!("objects of kind {kind} cannot be watched: {problem}");
            Some(Diagnostic::new(DiagnosticKind::Compare, message))
        });
        let problems: Vec<Diagnostic> = problems.collect();
        if !problems.is_empty() {
            unit.trouble = problems;
            self.report_unknown(unit);
        }
    }

    fn take_refresh(&mut self, unit: &mut UnitState) {
        let Some(refresh) = unit.lowered.refresh else { return };
        if std::mem::replace(&mut unit.refresh_taken, true) {
            return;
        }
        self.refreshing.insert(unit.id.clone());
        let mut repositories: Vec<&Str> = unit.followed().map(|key| &key.repository).collect();
        repositories.sort();
        repositories.dedup();
        unit.refreshes =
            repositories.into_iter().map(|name| (name.clone(), self.hub.refresh(name))).collect();
        unit.reset_backoff();
        unit.verdicts.clear();
        if refresh == Refresh::Hard {
            unit.rendered = None;
            unit.render_anew = true;
        }
        // Whoever asks is shown the newest revision, whether it changed anything or not.
        if let Some(rendered) = &mut unit.rendered {
            rendered.shown.clone_from(&rendered.revisions);
        }
    }

    /// Whether the sources of a Unit are as new as the refresh that was taken up.
    pub(super) fn is_refreshed(&self, unit: &UnitState) -> bool {
        unit.refreshes.iter().all(|(repository, ticket)| {
            let mut followed = unit.followed().filter(|key| key.repository == *repository);
            followed.all(|key| self.sources.get(key).is_some_and(|state| state.answered >= *ticket))
        })
    }

    /// Which cluster a Unit goes to.
    pub(super) fn cluster_key(&self, unit: &UnitState) -> Option<ClusterKey> {
        match &unit.lowered.unit.target.cluster {
            ClusterRef::Local => Some(Str::new_static(windlass_argo::IN_CLUSTER_SERVER)),
            ClusterRef::Server(server) => Some(server.clone()),
            ClusterRef::Name(name) => self
                .cluster_secrets
                .values()
                .find(|secret| secret.name == *name)
                .map(|secret| secret.server.clone()),
        }
    }

    /// The cluster a Unit goes to, once it is known what that serves; reports why not, if it cannot be used.
    pub(super) fn target_cluster(&mut self, unit: &mut UnitState) -> Option<ClusterKey> {
        let Some(key) = self.cluster_key(unit) else {
            let message = "the destination cluster is not registered; add a cluster Secret for it";
            unit.trouble = vec![Diagnostic::new(DiagnosticKind::InvalidSpec, message)];
            self.report_unknown(unit);
            return None;
        };
        if !self.clusters.contains_key(&key) {
            let client = if key == windlass_argo::IN_CLUSTER_SERVER {
                Ok(self.home.clone())
            } else {
                match self.cluster_secrets.get(&key) {
                    Some(secret) => secret.connect(self.config.cluster_logins),
                    None => Err(format!("{key} is not registered; add a cluster Secret for it")),
                }
            };
            match client {
                Ok(client) => {
                    let lens = crate::arrival::Lens {
                        field_manager: unit.lowered.unit.ownership.field_manager.clone(),
                        tracking: self.settings.tracking(),
                        installation: Some(self.settings.installation()),
                        status: self.settings.comparing.status,
                        marks: windlass_plan::Marks::ARGO,
                        checks: crate::arrival::checks(&self.settings.customizations),
                        own_checks: OwnChecks::default(),
                    };
                    let permits = if key == windlass_argo::IN_CLUSTER_SERVER {
                        self.home_permits.clone()
                    } else {
                        self.new_permits()
                    };
                    let extent = Extent::of(self.cluster_secrets.get(&key));
                    let state = ClusterState::new(key.clone(), client, permits, extent, lens);
                    self.clusters.insert(key.clone(), state);
                    self.discover(&key);
                }
                Err(problem) => {
                    unit.trouble = vec![Diagnostic::new(DiagnosticKind::InvalidSpec, problem)];
                    self.report_unknown(unit);
                    return None;
                }
            }
        }
        let state = self.clusters.get_mut(&key)?;
        let instance = &unit.lowered.unit.ownership.instance;
        state.check_health_by(instance, unit.health_checks.as_ref(), &self.events, &self.metrics);
        if state.discovery_version == 0 {
            if let Some(problem) = &state.problem {
                let message = format!("the destination cluster cannot be reached: {problem}");
                unit.trouble = vec![Diagnostic::new(DiagnosticKind::Compare, message)];
                self.report_unknown(unit);
            }
            return None;
        }
        Some(key)
    }

    /// The newest revisions of all sources; reports why not, if one was never had.
    pub(super) fn resolved_sources(&mut self, unit: &mut UnitState) -> Option<Vec<Fetched>> {
        let mut resolved = Vec::with_capacity(unit.sources.len());
        let mut trouble = Vec::new();
        for key in &unit.sources {
            let state = self.sources.get(key);
            match state.and_then(|state| state.latest.as_ref()) {
                Some(latest) => resolved.push(latest.clone()),
                None => match state.and_then(|state| state.problem.as_ref()) {
                    Some(problem) => {
                        trouble.push(Diagnostic::new(DiagnosticKind::Source, problem.clone()));
                    }
                    None => unit.waiting = Some(Waiting::Source),
                },
            }
        }
        if resolved.len() == unit.sources.len() {
            return Some(resolved);
        }
        if !trouble.is_empty() {
            let why = in_one_line(trouble.iter());
            unit.trouble = trouble;
            unit.waiting = None;
            if unit.operation.is_some() || unit.pending_request() {
                self.fail_request(unit, &format!("the source could not be resolved: {why}"));
            }
            self.report_unknown(unit);
        }
        None
    }

    /// Whether what was rendered is what the sources declare now.
    pub(super) fn is_rendered(
        &self,
        unit: &mut UnitState,
        cluster: &ClusterKey,
        resolved: &[Fetched],
    ) -> bool {
        let discovery = self.clusters.get(cluster).map_or(0, |state| state.discovery_version);
        let asked = unit.lowered_digest;
        let Some(rendered) = &unit.rendered else { return false };
        rendered.asked == asked
            && rendered.discovery == discovery
            && rendered.names.is_none_or(|version| version == self.names_version)
            && rendered.reached.iter().eq(&self.reached_identities(unit))
            && rendered.identities.iter().eq(&identities(
                unit,
                resolved,
                self.credentials.signers(),
                self.plugins_version,
            ))
    }

    /// Watches every kind that the Unit declares or had; answers whether all of their states are known.
    pub(super) fn watches_ready(&mut self, unit: &UnitState, cluster: &ClusterKey) -> bool {
        let Some(state) = self.clusters.get_mut(cluster) else { return false };
        let mut ready = true;
        let mut unknown = false;
        for kind in &kinds_of(unit) {
            unknown |= state.target.discovery.preferred(&kind.group, &kind.kind).is_none();
            ready &= state.ensure_watch(kind, &self.events, &self.metrics);
        }
        // Definitions tell early of kinds that are new; who must not see them asks for unknown kinds now and then.
        let definitions = GroupKind::new("apiextensions.k8s.io", "CustomResourceDefinition");
        ready &= state.ensure_watch(&definitions, &self.events, &self.metrics)
            || state.watch_problem(&definitions).is_some();
        if unknown {
            let pause = if state.discoveries_without_news < UNKNOWN_KIND_TRIES {
                UNKNOWN_KIND_RETRY
            } else {
                UNKNOWN_KIND_LONG_RETRY
            };
            if state.last_discovery.is_none_or(|at| at.elapsed() >= pause) {
                self.discover(cluster);
            }
            self.wake_at(Instant::now() + pause, &unit.id);
        }
        ready
    }

    /// Compares what is declared with what is live, without a call.
    pub(super) fn compare(&self, unit: &UnitState, cluster: &ClusterKey) -> Compared {
        let mut compared = Compared::default();
        let (Some(state), Some(rendered)) = (self.clusters.get(cluster), &unit.rendered) else {
            return compared;
        };
        for object in &rendered.objects {
            let known = state.live.get(&object.key);
            let mut comparison = match &known {
                Known::Record(live) => compare(object.digest, Some(live), object.receipt.as_ref()),
                Known::Other => Comparison::Unowned,
                Known::Absent => Comparison::Missing,
            };
            let mut reason = Str::default();
            if comparison == Comparison::InSync
                && unit.strictness(object) != Strict::Off
                && matches!(&known, Known::Record(live) if live.added.is_some())
            {
                comparison = Comparison::Added;
            }
            if comparison != Comparison::InSync
                && let Known::Record(live) = &known
                && let Some(verdict) = unit.verdicts.get(&object.key)
                && verdict.desired == object.digest
                && verdict.live == live_state(live, unit.strictness(object))
            {
                if !verdict.added.is_empty() {
                    let told = Diagnostic::new(DiagnosticKind::Added, verdict.added.clone());
                    compared.diagnostics.push(told.about(object.key.clone()));
                }
                if verdict.difference.is_empty() {
                    comparison = Comparison::InSync;
                } else {
                    reason = verdict.difference.clone();
                }
            }
            let claimant = match &known {
                Known::Record(live) => self.claimant(unit, state, live),
                Known::Other | Known::Absent => None,
            };
            if let Some(claimant) = &claimant {
                let message = format!(
                    "is declared by {claimant} too, which has it; it is left alone until only one of them declares it"
                );
                compared
                    .diagnostics
                    .push(Diagnostic::new(DiagnosticKind::SharedObject, message).about(object.key.clone()));
                comparison = Comparison::Unowned;
                reason = format!("belongs to {claimant}").into();
            }
            compared.claimed.push(claimant.is_some());
            if reason.is_empty() && comparison != Comparison::InSync {
                reason = reason_of(comparison);
            }
            compared.states.push(comparison);
            compared.reasons.push(reason);
        }
        let declared: std::collections::HashSet<_> =
            rendered.objects.iter().map(|object| &object.key).chain(&rendered.skipped).collect();
        compared.extra = state
            .live
            .of_instance(&unit.lowered.unit.ownership.instance)
            // What has an owner was made by a controller that copied the mark; its owner decides over it.
            // Hooks come and go by rules of their own.
            .filter(|live| !declared.contains(&live.key) && live.owners.is_empty() && !live.hook)
            .cloned()
            .collect();
        compared
    }

    /// The other Unit that has a live object and declares it too.
    fn claimant(
        &self,
        unit: &UnitState,
        state: &ClusterState,
        live: &windlass_model::LiveRecord,
    ) -> Option<UnitId> {
        let instance =
            live.instance.as_ref().filter(|instance| **instance != unit.lowered.unit.ownership.instance)?;
        let other = self.unit_of_instance(instance)?;
        let declares = if self.is_elsewhere(&other) {
            self.declares_elsewhere(&other, &live.key)
        } else {
            state.wanted.units(&live.key).iter().any(|unit| **unit == other)
        };
        declares.then_some(other)
    }

    /// What is done after a step ended: the Unit is looked at again at once.
    pub(super) fn again(&mut self, id: &UnitId) {
        self.dirty.insert(id.clone());
    }

    /// Ends a step of a Unit; the step's number or plan was the one that is current.
    pub(super) fn idle(&mut self, unit: &mut UnitState) {
        unit.activity = Activity::Idle;
        self.dirty.insert(unit.id.clone());
    }

    /// A new number for a job.
    pub(super) fn ticket(&mut self) -> u64 {
        self.tickets += 1;
        self.tickets
    }
}

impl UnitState {
    /// What is done about fields that others add to an object.
    pub(super) fn strictness(&self, object: &DesiredObject) -> Strict {
        object.strict.unwrap_or(self.lowered.unit.policy.apply.strict)
    }

    /// Whether the object asks for an operation that was not carried out yet.
    pub(super) fn pending_request(&self) -> bool {
        self.lowered.request.is_some() && !self.request_is_done()
    }
}

fn reason_of(comparison: Comparison) -> Str {
    Str::new_static(match comparison {
        Comparison::InSync => "",
        Comparison::Missing => "declared, and not in the cluster",
        Comparison::Changed => "what is declared has changed since it was applied",
        Comparison::Drifted => "fields that were applied have been changed in the cluster",
        Comparison::Unowned => "in the cluster, and not yet applied by this Application",
        Comparison::Added => "others added fields that are not declared",
        Comparison::Unverified => "fields read differently from what is declared",
    })
}
