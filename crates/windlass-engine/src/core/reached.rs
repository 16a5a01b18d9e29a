//! Follows what sources name by addresses, as the sources themselves are followed.

use std::collections::BTreeMap;

use windlass_kube::Str;
use windlass_model::UnitId;

use super::Core;
use crate::fetching::Fetched;
use crate::reach::{Address, Guide, Reach};
use crate::source_hub::SourceKey;
use crate::unit_state::{Reached, UnitState};

/// What tells what is known of an address from what may be known later.
pub(super) fn identity_of(known: &Result<Fetched, Str>) -> Str {
    match known {
        Ok(fetched) => fetched.identity(),
        Err(problem) => format!("not to be had: {problem}").into(),
    }
}

impl Core {
    /// What answers renders of a Unit that ask for addresses: what is known of those that were asked for before.
    pub(super) fn reach(&self, unit: &UnitState) -> Reach {
        let known = unit.reached.iter().filter_map(|reached| {
            let known = self.sources.get(&reached.key)?.known()?;
            Some((reached.address.clone(), (reached.key.clone(), known)))
        });
        let known: BTreeMap<_, _> = known.collect();
        Reach::of_known(known, Guide::new(&self.credentials, &unit.lowered), &unit.lowered)
    }

    /// Whether something is known of every address that was asked for.
    pub(super) fn is_reached(&self, unit: &UnitState) -> bool {
        let is_known = |key| self.sources.get(key).is_some_and(|state| state.known().is_some());
        unit.reached.iter().all(|reached| is_known(&reached.key))
    }

    /// What is known of every address that was asked for, by its identity.
    pub(super) fn reached_identities(&self, unit: &UnitState) -> Vec<Str> {
        let known = |reached: &Reached| self.sources.get(&reached.key)?.known();
        let identity = |reached| known(reached).as_ref().map(identity_of).unwrap_or_default();
        unit.reached.iter().map(identity).collect()
    }

    /// Follows these addresses for a Unit and no others; those it has, with the credentials of now, if none are given.
    pub(super) fn follow_reached(&mut self, unit: &mut UnitState, addresses: Option<&[Address]>) {
        let before = std::mem::take(&mut unit.reached);
        if before.is_empty() && addresses.is_none_or(<[_]>::is_empty) {
            return;
        }
        let guide = Guide::new(&self.credentials, &unit.lowered);
        let addresses: Vec<Address> = match addresses {
            Some(addresses) => addresses.to_vec(),
            None => before.iter().map(|reached| reached.address.clone()).collect(),
        };
        for address in addresses {
            let Ok(located) = guide.locate(&address) else { continue };
            self.hub.follow(&located.place, &located.access, &located.key);
            self.sources.entry(located.key.clone()).or_default();
            self.register_reader(&located.key, &Str::default(), &unit.shared_id);
            unit.reached.push(Reached { address, key: located.key });
        }
        // Followed first, unfollowed then: what stays is not dropped in between.
        for reached in before {
            if unit.followed().any(|key| *key == reached.key) {
                self.hub.unfollow(&reached.key);
            } else {
                self.unfollow_reached(&unit.id, &reached.key);
            }
        }
    }

    /// Follows what was named by an address no more.
    pub(super) fn unfollow_reached(&mut self, id: &UnitId, key: &SourceKey) {
        self.hub.unfollow(key);
        self.unregister_reader(key, &Str::default(), id);
        self.drop_unused_source(key);
    }
}
