//! Which check answers for an object: one's own first, then the built-in one.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use windlass_kube::{GroupKind, Object};
use windlass_model::Health;

use crate::health::{built_in, pending_deletion};

/// A way to tell the health of an object, such as a script a user configured.
///
/// Must be quick and must end: it is called for each change of each object of its kind.
pub trait Check: Send + Sync {
    /// The health of `object`; `None` leaves it to the next check.
    fn assess(&self, object: &Object) -> Option<Health>;
}

/// Any function of that form is a check.
impl<F: Fn(&Object) -> Option<Health> + Send + Sync> Check for F {
    fn assess(&self, object: &Object) -> Option<Health> {
        self(object)
    }
}

/// Checks by kind. A clone shares them.
///
/// Asked in this order until one answers: the check for exactly the kind, the checks for a pattern of kinds in the
/// order they were added, the built-in check. An object that is being deleted is Progressing whatever they say.
#[derive(Clone, Default)]
pub struct Checks {
    exact: BTreeMap<GroupKind, Arc<dyn Check>>,
    patterns: Vec<(Applies, Arc<dyn Check>)>,
}

type Applies = Arc<dyn Fn(&GroupKind) -> bool + Send + Sync>;

impl Checks {
    /// The built-in checks alone.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the check for one kind; a second one for the same kind replaces the first.
    pub fn insert(&mut self, kind: GroupKind, check: impl Check + 'static) {
        self.exact.insert(kind, Arc::new(check));
    }

    /// Adds a check for all kinds that `applies` holds for.
    pub fn insert_pattern(
        &mut self,
        applies: impl Fn(&GroupKind) -> bool + Send + Sync + 'static,
        check: impl Check + 'static,
    ) {
        self.patterns.push((Arc::new(applies), Arc::new(check)));
    }

    /// The health of an object; `None` when no check knows its kind.
    #[must_use]
    pub fn health(&self, object: &Object) -> Option<Health> {
        self.health_unless(object, || None)
    }

    /// The health of an object, as `own` says it before all checks by kind.
    #[must_use]
    pub fn health_unless(&self, object: &Object, own: impl FnOnce() -> Option<Health>) -> Option<Health> {
        pending_deletion(object)
            .or_else(own)
            .or_else(|| if self.is_empty() { None } else { self.own_health(object) })
            .or_else(|| built_in(object))
    }

    fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.patterns.is_empty()
    }

    fn own_health(&self, object: &Object) -> Option<Health> {
        let kind = object.gvk().group_kind();
        let exact = self.exact.get(&kind).into_iter();
        let patterns = self.patterns.iter().filter(|(applies, _)| applies(&kind)).map(|(_, check)| check);
        exact.chain(patterns).find_map(|check| check.assess(object))
    }
}

impl fmt::Debug for Checks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checks")
            .field("exact", &self.exact.keys().collect::<Vec<_>>())
            .field("patterns", &self.patterns.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use windlass_kube::value;
    use windlass_model::HealthStatus;

    use super::*;

    fn object(kind: &str) -> Object {
        Object::try_new(value!({"apiVersion": "example.org/v1", "kind": kind, "metadata": {"name": "a"}}))
            .unwrap()
    }

    fn says(word: &'static str) -> impl Check {
        move |_: &Object| Some(Health::new(HealthStatus::Degraded, word))
    }

    #[test]
    fn the_most_exact_check_that_answers_wins() {
        let mut checks = Checks::new();
        assert_eq!(checks.health(&object("Widget")), None);

        checks.insert_pattern(|kind| kind.group == "example.org", says("pattern"));
        checks.insert_pattern(|kind| kind.kind == "Widget", says("later pattern"));
        assert_eq!(checks.health(&object("Widget")).unwrap().message, "pattern");

        checks.insert(GroupKind::new("example.org", "Widget"), says("exact"));
        assert_eq!(checks.health(&object("Widget")).unwrap().message, "exact");
        assert_eq!(checks.health(&object("Gadget")).unwrap().message, "pattern");

        checks.insert(GroupKind::new("example.org", "Widget"), |_: &Object| None);
        assert_eq!(checks.health(&object("Widget")).unwrap().message, "pattern");
    }

    #[test]
    fn deletion_goes_before_every_check() {
        let mut checks = Checks::new();
        checks.insert(GroupKind::new("example.org", "Widget"), says("exact"));
        let mut widget = object("Widget");
        widget.set_at(&["metadata", "deletionTimestamp"], "2026-11-01T00:00:00Z");
        let health = checks.health(&widget).unwrap();
        assert_eq!((health.status, health.message.as_str()), (HealthStatus::Progressing, "Pending deletion"));
    }
}
