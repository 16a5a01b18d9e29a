//! Which Units declare which objects.

use std::collections::HashMap;
use std::sync::Arc;

use windlass_kube::ObjectRef;
use windlass_model::UnitId;

/// Which Units declare an object. Nearly every object has one Unit, so that one costs no list.
#[derive(Default)]
pub(crate) struct Wanted(HashMap<ObjectRef, Units>);

enum Units {
    One(Arc<UnitId>),
    /// Two or more.
    Several(Box<[Arc<UnitId>]>),
}

impl Units {
    fn as_slice(&self) -> &[Arc<UnitId>] {
        match self {
            Self::One(unit) => std::slice::from_ref(unit),
            Self::Several(units) => units,
        }
    }
}

impl Wanted {
    /// The Units that declare `key`.
    pub(crate) fn units(&self, key: &ObjectRef) -> &[Arc<UnitId>] {
        self.0.get(key).map_or(&[], Units::as_slice)
    }

    /// Whether any Unit declares `key`.
    pub(crate) fn contains(&self, key: &ObjectRef) -> bool {
        self.0.contains_key(key)
    }

    /// Notes that a Unit declares `key`.
    pub(crate) fn insert(&mut self, key: ObjectRef, unit: &Arc<UnitId>) {
        match self.0.get_mut(&key) {
            None => {
                self.0.insert(key, Units::One(unit.clone()));
            }
            Some(units) if units.as_slice().contains(unit) => {}
            Some(units) => *units = Units::Several(units.as_slice().iter().chain([unit]).cloned().collect()),
        }
    }

    /// Notes that a Unit does not declare `key` any more.
    pub(crate) fn remove(&mut self, key: &ObjectRef, unit: &UnitId) {
        let Some(units) = self.0.get_mut(key) else { return };
        let mut left = units.as_slice().iter().filter(|other| ***other != *unit).cloned().collect::<Vec<_>>();
        match left.len() {
            0 => {
                self.0.remove(key);
            }
            1 => *units = Units::One(left.remove(0)),
            _ => *units = Units::Several(left.into()),
        }
    }

    /// Forgets a Unit.
    pub(crate) fn forget(&mut self, unit: &UnitId) {
        let keys: Vec<ObjectRef> = self
            .0
            .iter()
            .filter(|(_, units)| units.as_slice().iter().any(|other| **other == *unit))
            .map(|(key, _)| key.clone())
            .collect();
        for key in keys {
            self.remove(&key, unit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_has_as_many_units_as_declare_it() {
        let unit =
            |name: &str| Arc::new(UnitId(ObjectRef::new("argoproj.io", "Application", "argocd", name)));
        let key = ObjectRef::new("", "ConfigMap", "web", "settings");
        let other = ObjectRef::new("", "ConfigMap", "web", "other");
        let (a, b, c) = (unit("a"), unit("b"), unit("c"));
        let mut wanted = Wanted::default();
        for unit in [&a, &a, &b, &c] {
            wanted.insert(key.clone(), unit);
        }
        wanted.insert(other.clone(), &a);
        assert_eq!(wanted.units(&key), [a.clone(), b.clone(), c.clone()]);
        wanted.remove(&key, &b);
        wanted.remove(&key, &b);
        assert_eq!(wanted.units(&key), [a.clone(), c.clone()]);
        wanted.forget(&a);
        assert_eq!(wanted.units(&key), std::slice::from_ref(&c));
        assert!(!wanted.contains(&other));
        wanted.forget(&c);
        assert!(wanted.units(&key).is_empty() && !wanted.contains(&key));
    }
}
