//! Units that wait for other Units: who is done, who waits for whom, and who waits for itself.
//!
//! A Unit counts as done when it was looked at with everything that is known of its sources, is as they declare, is
//! healthy, and has nothing under way. So one commit that changes two Units that follow the same revision of one
//! repository is never applied in the wrong order: news of a source marks every Unit that it touches for a look in one
//! step, and a Unit that is still to be looked at is not done. Nobody asks again and again: whoever waits is noted
//! under what it waits for, and looked at when that is done.

use std::collections::BTreeMap;

use windlass_kube::ObjectRef;
use windlass_model::{Automation, Dependency, Diagnostic, DiagnosticKind, SyncRequest, UnitId, Waiting};

use super::Core;
use super::declared::APPLICATION_KIND;
use crate::clusters::ClusterKey;
use crate::unit_state::{Activity, UnitState};

impl Core {
    /// Whether what a Unit depends on lets a sync begin; sets what it waits for otherwise.
    ///
    /// Only a whole sync waits: not one that tries, that brings single objects back, or that names its objects.
    pub(super) fn dependencies_are_done(
        &mut self,
        unit: &mut UnitState,
        request: &SyncRequest,
        heals: bool,
    ) -> bool {
        if unit.lowered.unit.depends_on.is_empty()
            || heals
            || request.dry_run
            || !request.selection.is_empty()
        {
            return true;
        }
        let awaited = match self.cycle(unit) {
            Some(cycle) => cycle.get(1).cloned().into_iter().collect(),
            None => self.awaited(unit),
        };
        if awaited.is_empty() {
            return true;
        }
        for dependency in &awaited {
            self.waiters.entry(dependency.clone()).or_default().insert(unit.id.clone());
        }
        unit.waiting = Some(Waiting::Units(awaited));
        false
    }

    /// What a Unit depends on and is not done.
    fn awaited(&self, unit: &UnitState) -> Vec<UnitId> {
        unit.lowered.unit.depends_on.iter().filter(|id| !self.is_done(id)).cloned().collect()
    }

    /// Whether a Unit is as its sources declare now, healthy, and at rest.
    fn is_done(&self, id: &UnitId) -> bool {
        let to_be_looked_at = self.dirty.contains(id) || self.round.contains(id);
        !to_be_looked_at
            && match self.units.get(id) {
                Some(unit) => unit.is_done(),
                None => self.is_done_elsewhere(id),
            }
    }

    /// After a look at a Unit: if it is done, those that wait for it are looked at.
    pub(super) fn wake_waiters(&mut self, id: &UnitId) {
        if self.waiters.contains_key(id) && self.is_done(id) {
            self.dirty.extend(self.waiters.remove(id).into_iter().flatten());
        }
    }

    /// Whether an object of a Unit declares another Unit that syncs by itself and is not done: what comes in a later
    /// wave waits for it.
    pub(super) fn child_is_underway(&self, cluster: &ClusterKey, key: &ObjectRef) -> bool {
        if !declares_unit(cluster, key) {
            return false;
        }
        let id = UnitId(key.clone());
        match self.units.get(&id) {
            None => {
                let live = self.clusters.get(cluster).and_then(|state| state.live.record(key));
                let version = live.map(|live| live.resource_version.as_str());
                // Its watch may not have brought it yet; of other namespaces it may never.
                let unknown = key.namespace == self.config.control_plane_namespace;
                self.is_underway_elsewhere(&id, version).unwrap_or(unknown)
            }
            Some(child) if child.lowered.unit.policy.automation == Automation::Manual => false,
            Some(child) => {
                let live = self.clusters.get(cluster).and_then(|state| state.live.record(key));
                let is_seen = live.is_none_or(|live| child.has_seen(&live.resource_version));
                !is_seen || !self.is_done(&id)
            }
        }
    }

    /// Has a Unit looked at when those of `objects` that declare Units are done.
    pub(super) fn wait_for_children(&mut self, cluster: &ClusterKey, parent: &UnitId, objects: &[ObjectRef]) {
        for key in objects.iter().filter(|key| declares_unit(cluster, key)) {
            self.waiters.entry(UnitId(key.clone())).or_default().insert(parent.clone());
        }
    }

    /// Notes that a Unit's object was seen again without news: somebody may have waited for just that.
    pub(super) fn seen_again(&mut self, id: &UnitId) {
        if self.waiters.contains_key(id) {
            self.dirty.insert(id.clone());
        }
    }

    /// Marks every Unit that depends on another for a look: who depends on whom has changed.
    pub(super) fn dependencies_changed(&mut self) {
        let depending = self.units.iter().filter(|(_, unit)| !unit.lowered.unit.depends_on.is_empty());
        self.dirty.extend(depending.map(|(id, _)| id.clone()));
    }

    /// The shortest way from a Unit over what it depends on back to itself, both ends included.
    fn cycle(&self, unit: &UnitState) -> Option<Vec<UnitId>> {
        let depends_on = |id: &UnitId| match self.units.get(id) {
            Some(other) => other.lowered.unit.depends_on.to_vec(),
            None => self.depends_on_elsewhere(id).to_vec(),
        };
        shortest_cycle(&unit.id, &unit.lowered.unit.depends_on, depends_on)
    }

    /// What there is to say about what a Unit depends on.
    pub(super) fn dependency_diagnostics(&self, unit: &UnitState) -> Option<Diagnostic> {
        if unit.lowered.unit.depends_on.is_empty() {
            return None;
        }
        let cycle = self.cycle(unit)?;
        let names: Vec<String> = cycle.iter().map(ToString::to_string).collect();
        let message = format!(
            "it depends on itself: {}; none of them is synced until one of them stops depending on the next",
            names.join(" → ")
        );
        Some(Diagnostic::new(DiagnosticKind::Sync, message))
    }
}

impl UnitState {
    fn is_done(&self) -> bool {
        self.as_declared
            && matches!(self.activity, Activity::Idle)
            && !self.again
            && self.operation.is_none()
            && !self.lowered.paused
    }

    /// What it depends on, for its status.
    pub(super) fn dependencies(&self) -> Vec<Dependency> {
        let awaited = match &self.waiting {
            Some(Waiting::Units(units)) => units.as_slice(),
            _ => &[],
        };
        let all = self.lowered.unit.depends_on.iter();
        all.map(|unit| Dependency { unit: unit.clone(), awaited: awaited.contains(unit) }).collect()
    }
}

/// Whether an object declares a Unit of this engine.
fn declares_unit(cluster: &ClusterKey, key: &ObjectRef) -> bool {
    key.kind == APPLICATION_KIND
        && key.group == windlass_argo::GROUP
        && cluster == windlass_argo::IN_CLUSTER_SERVER
}

/// The shortest way from `start` over `first` and what `next` answers back to `start`, both ends included.
fn shortest_cycle(
    start: &UnitId,
    first: &[UnitId],
    next: impl Fn(&UnitId) -> Vec<UnitId>,
) -> Option<Vec<UnitId>> {
    // What was reached, with where from.
    let mut reached: BTreeMap<UnitId, UnitId> = BTreeMap::new();
    let mut front: Vec<(UnitId, UnitId)> = first.iter().map(|id| (id.clone(), start.clone())).collect();
    while !front.is_empty() {
        let mut further = Vec::new();
        for (id, from) in front {
            if id == *start {
                let mut way = vec![id];
                let mut at = from;
                while at != *start {
                    way.push(at.clone());
                    at = reached.get(&at)?.clone();
                }
                way.push(start.clone());
                way.reverse();
                return Some(way);
            }
            if reached.contains_key(&id) {
                continue;
            }
            further.extend(next(&id).into_iter().map(|next| (next, id.clone())));
            reached.insert(id, from);
        }
        front = further;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> UnitId {
        UnitId(ObjectRef::new("argoproj.io", "Application", "argocd", name))
    }

    /// `edges` are lines like `a: b c`.
    fn check(edges: &str, start: &str, expected: &str) {
        let next = |from: &UnitId| {
            let line = edges.lines().find_map(|line| line.strip_prefix(&format!("{}: ", from.0.name)));
            line.unwrap_or_default().split_whitespace().map(id).collect::<Vec<_>>()
        };
        let found = shortest_cycle(&id(start), &next(&id(start)), next).unwrap_or_default();
        let names: Vec<&str> = found.iter().map(|id| id.0.name.as_str()).collect();
        assert_eq!(names.join(" "), expected, "from {start} in {edges}");
    }

    #[test]
    fn a_cycle_is_the_shortest_way_back() {
        check("a: b\nb: c", "a", "");
        check("a: a", "a", "a a");
        check("a: b c\nb: d\nc: a\nd: a", "a", "a c a");
        check("a: b\nb: c\nc: d\nd: b", "a", "");
        check("a: b\nb: c\nc: d\nd: b", "b", "b c d b");
        check("a: gone", "a", "");
    }
}
