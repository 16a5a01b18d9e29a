//! Which part of a cluster is looked at: all of it, or the namespaces that its Secret names.

use windlass_cluster::ClusterSecret;
use windlass_kube::{ObjectRef, Str};

/// Which part of a cluster is looked at. All of it by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    /// The only namespaces; empty for all.
    namespaces: Vec<Str>,
    /// Whether objects without namespace are looked at although `namespaces` says something.
    cluster_resources: bool,
}

impl Extent {
    /// What the Secret of a cluster says; all where there is none.
    pub(crate) fn of(secret: Option<&ClusterSecret>) -> Self {
        secret.map_or_else(Self::default, |secret| Self {
            namespaces: secret.namespaces.clone(),
            cluster_resources: secret.cluster_resources,
        })
    }

    /// Where a kind is watched: in each of these namespaces, or once everywhere (an empty name); nowhere when it is
    /// none of our business.
    pub(crate) fn scopes(&self, namespaced: bool) -> Vec<Str> {
        match (self.namespaces.is_empty(), namespaced) {
            (true, _) => vec![Str::default()],
            (false, true) => self.namespaces.clone(),
            (false, false) if self.cluster_resources => vec![Str::default()],
            (false, false) => Vec::new(),
        }
    }

    /// Why an object cannot be managed there; the words are those of Argo CD's gitops-engine 3.6.
    pub(crate) fn refusal(&self, key: &ObjectRef) -> Option<String> {
        let ObjectRef { kind, namespace, name, .. } = key;
        if self.namespaces.is_empty() {
            return None;
        }
        if namespace.is_empty() {
            return (!self.cluster_resources).then(|| {
                format!("cluster level {kind} {name:?} can not be managed when in namespaced mode")
            });
        }
        (!self.namespaces.contains(namespace))
            .then(|| format!("namespace {namespace:?} for {kind} {name:?} is not managed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extent(namespaces: &[&str], cluster_resources: bool) -> Extent {
        Extent { namespaces: namespaces.iter().map(|it| Str::from(*it)).collect(), cluster_resources }
    }

    #[test]
    fn kinds_are_watched_where_they_concern() {
        assert_eq!(extent(&[], false).scopes(true), [""]);
        assert_eq!(extent(&[], false).scopes(false), [""]);
        assert_eq!(extent(&["a", "b"], false).scopes(true), ["a", "b"]);
        assert!(extent(&["a"], false).scopes(false).is_empty());
        assert_eq!(extent(&["a"], true).scopes(false), [""]);
    }

    #[test]
    fn what_is_outside_is_refused() {
        let key = |namespace: &str| ObjectRef::new("apps", "Deployment", namespace, "web");
        assert_eq!(extent(&[], false).refusal(&key("a")), None);
        assert_eq!(extent(&["a"], false).refusal(&key("a")), None);
        assert_eq!(
            extent(&["a"], false).refusal(&key("b")).as_deref(),
            Some("namespace \"b\" for Deployment \"web\" is not managed")
        );
        assert_eq!(
            extent(&["a"], false).refusal(&key("")).as_deref(),
            Some("cluster level Deployment \"web\" can not be managed when in namespaced mode")
        );
        assert_eq!(extent(&["a"], true).refusal(&key("")), None);
    }
}
