//! What happened to the objects of one operation.

use std::collections::HashMap;
use std::ops::Deref;

use windlass_kube::ObjectRef;
use windlass_model::{ObjectOutcome, Phase};

/// What happened to each object so far, in the order in which it happened first. News of an object replaces what was
/// said of it in that phase, without looking at every other.
#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    outcomes: Vec<ObjectOutcome>,
    places: HashMap<(ObjectRef, Phase), usize>,
}

impl Outcomes {
    /// Takes in what happened to an object in a phase.
    pub(crate) fn put(&mut self, outcome: ObjectOutcome) {
        let next = self.outcomes.len();
        let place = *self.places.entry((outcome.key.clone(), outcome.phase)).or_insert(next);
        if place == next {
            self.outcomes.push(outcome);
        } else {
            self.outcomes[place] = outcome;
        }
    }

    /// Changes those that `which` picks. Their key and phase stay.
    pub(crate) fn change(
        &mut self,
        which: impl Fn(&ObjectOutcome) -> bool,
        change: impl Fn(&mut ObjectOutcome),
    ) {
        self.outcomes.iter_mut().filter(|outcome| which(outcome)).for_each(change);
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// All of them, where nothing more is to come.
    pub(crate) fn into_vec(self) -> Vec<ObjectOutcome> {
        self.outcomes
    }
}

impl FromIterator<ObjectOutcome> for Outcomes {
    fn from_iter<I: IntoIterator<Item = ObjectOutcome>>(outcomes: I) -> Self {
        let mut all = Self::default();
        outcomes.into_iter().for_each(|outcome| all.put(outcome));
        all
    }
}

impl Deref for Outcomes {
    type Target = [ObjectOutcome];

    fn deref(&self) -> &[ObjectOutcome] {
        &self.outcomes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_kube::Gvk;
    use windlass_model::OutcomeStatus;

    fn outcome(name: &str, phase: Phase, message: &str) -> ObjectOutcome {
        ObjectOutcome {
            key: ObjectRef::new("", "ConfigMap", "default", name.to_owned()),
            gvk: Gvk::new("", "v1", "ConfigMap"),
            status: OutcomeStatus::Synced,
            message: message.into(),
            phase,
            hook: None,
            images: Box::default(),
        }
    }

    #[test]
    fn news_of_one_phase_replace_only_what_was_said_of_it() {
        let told = [
            outcome("a", Phase::PreSync, "1"),
            outcome("b", Phase::Sync, "2"),
            outcome("a", Phase::PostSync, "3"),
            outcome("a", Phase::PreSync, "4"),
        ];
        let mut outcomes: Outcomes = told.into_iter().collect();
        let said = |outcomes: &Outcomes| {
            outcomes.iter().map(|it| format!("{} {}", it.key.name, it.message)).collect::<Vec<_>>()
        };
        assert_eq!(said(&outcomes), ["a 4", "b 2", "a 3"]);
        outcomes.change(|it| it.phase == Phase::Sync, |it| it.message = "5".into());
        assert_eq!(said(&outcomes), ["a 4", "b 5", "a 3"]);
        outcomes.clear();
        outcomes.put(outcome("b", Phase::Sync, "6"));
        assert_eq!(said(&outcomes), ["b 6"]);
    }
}
