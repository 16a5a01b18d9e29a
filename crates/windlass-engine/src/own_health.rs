//! Checks of health that Units bring along for their own objects.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use windlass_assess::Check as _;
use windlass_assess::cel::CelChecks;
use windlass_kube::{GroupKind, Object, Str};
use windlass_model::Health;

/// The checks of all Units of a cluster, by what their objects are marked with. A clone shares them with the watches.
#[derive(Debug, Clone, Default)]
pub(crate) struct OwnChecks {
    checks: Arc<RwLock<HashMap<Str, Arc<CelChecks>>>>,
}

impl OwnChecks {
    /// Puts the checks of an instance in the place of those it had. Answers the kinds whose objects read differently
    /// now.
    pub(crate) fn set(&self, instance: &Str, checks: Option<&Arc<CelChecks>>) -> Vec<GroupKind> {
        let before = {
            let all = self.checks.read().unwrap_or_else(PoisonError::into_inner);
            match (all.get(instance), checks) {
                (None, None) => return Vec::new(),
                (Some(before), Some(checks)) if Arc::ptr_eq(before, checks) => return Vec::new(),
                (before, _) => before.cloned(),
            }
        };
        let mut all = self.checks.write().unwrap_or_else(PoisonError::into_inner);
        match checks {
            Some(checks) => all.insert(instance.clone(), checks.clone()),
            None => all.remove(instance),
        };
        let mut kinds: Vec<GroupKind> =
            before.iter().chain(checks).flat_map(|checks| checks.kinds()).collect();
        kinds.sort();
        kinds.dedup();
        kinds
    }

    /// What the instance that an object belongs to says of its health; `None` where it says nothing of its kind.
    pub(crate) fn health(&self, instance: &str, object: &Object) -> Option<Health> {
        let all = self.checks.read().unwrap_or_else(PoisonError::into_inner);
        let checks = all.get(instance)?.clone();
        drop(all);
        checks.assess(object)
    }
}

#[cfg(test)]
mod tests {
    use windlass_kube::value;
    use windlass_model::HealthStatus;

    use super::*;

    #[test]
    fn objects_are_asked_for_by_their_instance() {
        let own = OwnChecks::default();
        let list = value!([{"apiVersion": "v1", "kind": "ConfigMap", "current": "data.state == 'ready'"}]);
        let checks = Arc::new(CelChecks::read(&list).unwrap());
        let instance = Str::from("shop");
        assert_eq!(own.set(&instance, Some(&checks)), [GroupKind::new("", "ConfigMap")]);
        assert_eq!(own.set(&instance, Some(&checks)), []);
        let object = value!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"state": "ready"}
        });
        let object = Object::try_new(object).unwrap();
        let healthy = Some(HealthStatus::Healthy);
        assert_eq!(own.health("shop", &object).map(|health| health.status), healthy);
        assert_eq!(own.health("other", &object), None);
        assert_eq!(own.set(&instance, None), [GroupKind::new("", "ConfigMap")]);
        assert_eq!((own.set(&instance, None), own.health("shop", &object)), (vec![], None));
    }
}
