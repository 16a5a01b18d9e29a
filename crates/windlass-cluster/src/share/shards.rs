//! Who acts on which Unit.

use std::sync::Arc;

use windlass_kube::Str;
use windlass_model::Digest;

use super::member::View;

/// Which Units a replica acts on.
#[derive(Debug, Clone, PartialEq)]
pub struct Shards(Kind);

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    /// On all: there are no others.
    All,
    /// On none.
    None,
    Shared {
        own: Str,
        /// All of these must give a Unit to us: while a view is exchanged there are two.
        views: Arc<[View]>,
        /// None of these may give it to the one whose view it is.
        others: Arc<[(Str, View)]>,
    },
}

impl Shards {
    /// Whoever is alone acts on all Units.
    #[must_use]
    pub fn all() -> Self {
        Self(Kind::All)
    }

    /// Nobody acts before it is told on what.
    #[must_use]
    pub fn none() -> Self {
        Self(Kind::None)
    }

    pub(super) fn shared(own: Str, views: Vec<View>, others: Vec<(Str, View)>) -> Self {
        Self(Kind::Shared { own, views: views.into(), others: others.into() })
    }

    /// Whether a Unit, by its namespace and name, is acted on.
    #[must_use]
    pub fn has(&self, namespace: &str, name: &str) -> bool {
        match &self.0 {
            Kind::All => true,
            Kind::None => false,
            Kind::Shared { own, views, others } => {
                let unit = format!("{namespace}/{name}");
                views.iter().all(|view| owner(view, &unit) == Some(own))
                    && others.iter().all(|(other, view)| owner(view, &unit) != Some(other))
            }
        }
    }

    /// Among how many replicas the Units are shared.
    #[must_use]
    pub fn n_replicas(&self) -> usize {
        match &self.0 {
            Kind::All => 1,
            Kind::None => 0,
            Kind::Shared { views, .. } => views.iter().map(|view| view.len()).max().unwrap_or(0),
        }
    }
}

/// Who of a view acts on a Unit: the one whose digest together with the Unit is highest (rendezvous hashing).
pub(super) fn owner<'view>(view: &'view [Str], unit: &str) -> Option<&'view Str> {
    view.iter().max_by_key(|replica| Digest::of_bytes(format!("{replica}\0{unit}").as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(names: &[&str]) -> Vec<Str> {
        names.iter().map(|name| Str::from(*name)).collect()
    }

    #[test]
    fn units_are_shared_evenly_and_move_only_to_or_from_who_comes_or_goes() {
        const N_UNITS: usize = 3000;
        let unit = |idx: usize| format!("argocd/unit-{idx}");
        let (two, three) = (view(&["a", "b"]), view(&["a", "b", "c"]));
        let count = |view: &[Str], replica: &str| {
            (0..N_UNITS).filter(|idx| owner(view, &unit(*idx)).is_some_and(|owner| *owner == replica)).count()
        };
        for replica in ["a", "b", "c"] {
            let share = count(&three, replica);
            assert!((900..1100).contains(&share), "{replica} has {share} of {N_UNITS}");
        }
        for idx in 0..N_UNITS {
            let (before, after) = (owner(&two, &unit(idx)), owner(&three, &unit(idx)));
            assert!(before == after || after.is_some_and(|owner| *owner == "c"), "{}", unit(idx));
        }
    }

    #[test]
    fn a_unit_is_acted_on_where_all_own_views_and_nobody_elses_say_so() {
        let both: View = view(&["a", "b"]).into();
        let alone = |name: &str| -> View { view(&[name]).into() };
        let units: Vec<String> = (0..100).map(|idx| format!("unit-{idx}")).collect();
        let has = |shards: &Shards| units.iter().filter(|unit| shards.has("argocd", unit)).count();
        let of_a = Shards::shared("a".into(), vec![both.clone()], vec![("b".into(), both.clone())]);
        let of_b = Shards::shared("b".into(), vec![both.clone()], vec![("a".into(), both.clone())]);
        assert_eq!(has(&of_a) + has(&of_b), units.len());
        assert!(units.iter().all(|unit| !(of_a.has("argocd", unit) && of_b.has("argocd", unit))));
        let narrowed = Shards::shared("a".into(), vec![alone("a"), both.clone()], Vec::new());
        assert_eq!(has(&narrowed), has(&of_a));
        let beside_a_stranger = Shards::shared("a".into(), vec![both], vec![("b".into(), alone("b"))]);
        assert_eq!(has(&beside_a_stranger), 0);
        assert_eq!((has(&Shards::all()), has(&Shards::none())), (units.len(), 0));
    }
}
