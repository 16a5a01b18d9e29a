//! Orphans: who looks for them, where, and what is said of them.
//!
//! Where no project asks for them, kinds that nobody declares are not watched, and nothing is kept of objects that
//! belong to nobody. Where one does, all kinds are watched, and of each object in the namespaces of its Applications a
//! name, its owners and its Unit are kept.

use std::sync::{Arc, Weak};

use windlass_argo::Lowered;
use windlass_assess::{Resident, orphans};
use windlass_kube::{GroupKind, ObjectRef, Str};
use windlass_model::{Diagnostic, DiagnosticKind, Digest, UnitId};

use super::Core;
use crate::clusters::ClusterKey;
use crate::unit_state::UnitState;

impl Core {
    /// Sees to it that the orphans around a Unit are known if its project asks for them, and are not looked for on its
    /// behalf if it does not.
    pub(super) fn follow_orphans(&mut self, unit: &mut UnitState, cluster: &ClusterKey) {
        let namespace = &unit.lowered.unit.target.namespace;
        let wanted = unit.lowered.orphans.is_some() && !namespace.is_empty();
        let Some(version) = self.clusters.get(cluster).map(|state| state.discovery_version) else { return };
        let place =
            wanted.then(|| OrphanPlace { cluster: cluster.clone(), namespace: namespace.clone(), version });
        if unit.orphan_watch.as_ref().map(|watch| &watch.place) == place.as_ref() {
            return;
        }
        self.unfollow_orphans(unit);
        unit.orphan_watch = place.map(|place| Box::new(OrphanWatch { place, found: None }));
        if !wanted {
            return;
        }
        // All namespaces at once: each news of one makes the cluster be listed again.
        let others = self.units.values().filter(|other| other.lowered.orphans.is_some());
        let others = others.filter(|other| self.cluster_key(other).as_ref() == Some(cluster));
        let mut namespaces: Vec<Str> =
            others.map(|other| other.lowered.unit.target.namespace.clone()).collect();
        namespaces.push(unit.lowered.unit.target.namespace.clone());
        let Some(state) = self.clusters.get_mut(cluster) else { return };
        let watchers = state.orphan_watchers.entry(unit.lowered.unit.target.namespace.clone()).or_default();
        watchers.insert(unit.shared_id.clone());
        let mut is_new = false;
        for namespace in namespaces.iter().filter(|namespace| !namespace.is_empty()) {
            is_new |= state.live.keep_residents(namespace);
        }
        if is_new {
            state.list_again(&self.events, &self.metrics);
        }
        let kinds = state.target.discovery.all().filter(|resource| resource.namespaced && resource.watchable);
        let mut kinds: Vec<GroupKind> = kinds.map(|resource| resource.gvk.group_kind()).collect();
        kinds.sort();
        kinds.dedup();
        for kind in kinds.iter().filter(|kind| self.settings.kinds.looks_at(&kind.group, &kind.kind, cluster))
        {
            state.ensure_watch(kind, &self.events, &self.metrics);
        }
    }

    /// Does not look for orphans on behalf of a Unit any more.
    pub(super) fn unfollow_orphans(&mut self, unit: &mut UnitState) {
        let Some(place) = unit.orphan_watch.take().map(|watch| watch.place) else { return };
        let Some(state) = self.clusters.get_mut(&place.cluster) else { return };
        if let Some(watchers) = state.orphan_watchers.get_mut(&place.namespace) {
            watchers.remove(&unit.id);
            if watchers.is_empty() {
                state.orphan_watchers.remove(&place.namespace);
            }
        }
    }

    /// Marks those who look for orphans for a look, where objects came or went that belong to no Unit.
    pub(super) fn hear_of_residents(&mut self) {
        let mut touched: Vec<UnitId> = Vec::new();
        let news = self.clusters.values_mut().map(|state| (state.key.clone(), state.live.resident_news()));
        for (cluster, news) in news.filter(|(_, news)| !news.is_empty()).collect::<Vec<_>>() {
            let Some(state) = self.clusters.get(&cluster) else { continue };
            for (namespace, instance) in news {
                if instance.is_none_or(|instance| self.unit_of_instance(&instance).is_none()) {
                    let watchers = state.orphan_watchers.get(&namespace).into_iter().flatten();
                    touched.extend(watchers.map(|id| UnitId::clone(id)));
                }
            }
        }
        self.dirty.extend(touched);
    }

    /// A Unit came or went: its objects are orphans no more, or from now on.
    pub(super) fn touch_neighbours(&mut self, instance: &str) {
        self.n_neighbour_changes += 1;
        let mut touched: Vec<UnitId> = Vec::new();
        for state in self.clusters.values().filter(|state| !state.orphan_watchers.is_empty()) {
            let mut namespaces: Vec<&Str> =
                state.live.of_instance(instance).map(|live| &live.key.namespace).collect();
            namespaces.dedup();
            for namespace in namespaces {
                let watchers = state.orphan_watchers.get(namespace).into_iter().flatten();
                touched.extend(watchers.map(|id| UnitId::clone(id)));
            }
        }
        self.dirty.extend(touched);
    }

    /// What is said of the orphans around a Unit, in the words of Argo CD 3.6.
    pub(super) fn orphan_diagnostic(&self, unit: &mut UnitState, cluster: &ClusterKey) -> Option<Diagnostic> {
        unit.lowered.orphans.as_deref().filter(|rules| rules.warn)?;
        let live = &self.clusters.get(cluster)?.live;
        let seen = SeenAt {
            residents: live.residents_version(&unit.lowered.unit.target.namespace),
            units: (self.n_neighbour_changes, self.elsewhere.version()),
            declared: unit.rendered.as_ref()?.digest,
            lowered: Arc::downgrade(&unit.lowered),
        };
        let known = unit.orphan_watch.as_deref().and_then(|watch| watch.found.as_ref());
        let n_found = match known.filter(|(at, _)| *at == seen) {
            // Nothing that counts has changed since: no walk over the namespace.
            Some((_, n_found)) => *n_found,
            None => self.count_orphans(unit, cluster)?,
        };
        if let Some(watch) = &mut unit.orphan_watch {
            watch.found = Some((seen, n_found));
        }
        (n_found > 0).then(|| {
            let message = format!("Application has {n_found} orphaned resources");
            Diagnostic::new(DiagnosticKind::Orphaned, message)
        })
    }

    /// Walks over all objects of a Unit's namespace.
    fn count_orphans(&self, unit: &UnitState, cluster: &ClusterKey) -> Option<usize> {
        let rules = unit.lowered.orphans.as_deref()?;
        let (state, rendered) = (self.clusters.get(cluster)?, unit.rendered.as_ref()?);
        let declared: std::collections::HashSet<&ObjectRef> =
            rendered.objects.iter().map(|object| &object.key).collect();
        let target = &unit.lowered.unit.target;
        let residents = state.live.residents(&target.namespace).map(|(key, resident)| Resident {
            key,
            uid: &resident.uid,
            owners: &resident.owners,
            has_unit: resident.instance.as_ref().is_some_and(|instance| {
                // The Unit itself is not among the others while it is looked at.
                *instance == unit.lowered.unit.ownership.instance || self.unit_of_instance(instance).is_some()
            }),
        });
        Some(
            orphans(
                residents,
                |key| declared.contains(key),
                rules,
                &unit.lowered.permissions,
                (cluster, &target.name),
            )
            .len(),
        )
    }
}

/// Orphans that are looked for on behalf of a Unit.
#[derive(Debug)]
pub(crate) struct OrphanWatch {
    place: OrphanPlace,
    /// How many were found last, and what that depends on.
    found: Option<(SeenAt, usize)>,
}

/// What the number of orphans around a Unit depends on.
#[derive(Debug)]
struct SeenAt {
    /// The version of the namespace's objects.
    residents: u64,
    /// How often Units came or went, here and elsewhere.
    units: (u64, u64),
    declared: Digest,
    /// The rules, what is permitted, and where. While this is held nothing else gets its address.
    lowered: Weak<Lowered>,
}

impl PartialEq for SeenAt {
    fn eq(&self, other: &Self) -> bool {
        (self.residents, self.units, self.declared) == (other.residents, other.units, other.declared)
            && self.lowered.ptr_eq(&other.lowered)
    }
}

/// Where orphans are looked for on behalf of a Unit, and as of which version of what is served there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct OrphanPlace {
    cluster: ClusterKey,
    namespace: Str,
    version: u64,
}
