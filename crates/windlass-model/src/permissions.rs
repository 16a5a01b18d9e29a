//! What a Unit may deploy and where to: the rules its tenant is held to.

use windlass_go::glob::{Gobwas, path_match};
use windlass_kube::{GroupKind, Str};

/// Rules on destinations and kinds. Everything that no rule allows is forbidden.
#[derive(Clone, Debug, Default)]
pub struct Permissions {
    /// Who sets the rules, as messages name it.
    pub project: Str,
    /// Where objects may go.
    pub destinations: Box<[DestinationRule]>,
    /// Cluster-scoped kinds that are allowed; none when empty.
    pub cluster_allow: Box<[KindRule]>,
    /// Cluster-scoped kinds that are forbidden all the same.
    pub cluster_deny: Box<[KindRule]>,
    /// Namespaced kinds that are allowed; `None` is every kind, an empty list none.
    pub namespaced_allow: Option<Box<[KindRule]>>,
    /// Namespaced kinds that are forbidden all the same.
    pub namespaced_deny: Box<[KindRule]>,
}

/// A kind or some kinds, by patterns in the language of Go's `filepath.Match`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindRule {
    /// The pattern for the group.
    pub group: Str,
    /// The pattern for the kind.
    pub kind: Str,
    /// The pattern for the object's name; empty is any.
    pub name: Str,
}

/// A place or some places, by glob patterns. One that begins with `!` forbids what the rest matches.
#[derive(Clone, Debug)]
pub struct DestinationRule {
    server: Pattern,
    name: Pattern,
    namespace: Pattern,
}

impl DestinationRule {
    /// A rule of three patterns; a cluster is matched by its server or by its name.
    #[must_use]
    pub fn new(server: &str, name: &str, namespace: &str) -> Self {
        Self { server: Pattern::new(server), name: Pattern::new(name), namespace: Pattern::new(namespace) }
    }
}

/// The answer to a question about a permission: why not, in words.
pub type Permitted = Result<(), Str>;

impl Permissions {
    /// Rules that allow everything.
    #[must_use]
    pub fn everything(project: impl Into<Str>) -> Self {
        Self {
            project: project.into(),
            destinations: [DestinationRule::new("*", "", "*")].into(),
            cluster_allow: [KindRule { group: "*".into(), kind: "*".into(), name: Str::default() }].into(),
            ..Self::default()
        }
    }

    /// Whether an object of this kind and name may be deployed.
    ///
    /// # Errors
    ///
    /// Why not, for a person.
    pub fn permits_kind(&self, kind: &GroupKind, namespaced: bool, name: &str) -> Permitted {
        let listed = |rules: &[KindRule]| rules.iter().any(|rule| rule.matches(kind, name, namespaced));
        let (allowed, denied) = if namespaced {
            (self.namespaced_allow.as_deref().is_none_or(listed), listed(&self.namespaced_deny))
        } else {
            (listed(&self.cluster_allow), listed(&self.cluster_deny))
        };
        if allowed && !denied {
            return Ok(());
        }
        let GroupKind { group, kind } = kind;
        Err(format!("resource {group}:{kind} is not permitted in project {}", self.project).into())
    }

    /// Whether objects may go to this namespace of the cluster with this server and name; either may be empty.
    ///
    /// Some rule must allow it and none forbid it. A rule with a `!` only forbids: Argo CD's code (3.6), unlike its
    /// documentation, also takes it for one that allows everything else.
    ///
    /// # Errors
    ///
    /// Why not, for a person.
    pub fn permits_destination(&self, server: &str, name: &str, namespace: &str) -> Permitted {
        let mut permitted = false;
        for rule in &self.destinations {
            let by_name = !name.is_empty() && rule.name.matches(name);
            let by_server = !server.is_empty() && rule.server.matches(server);
            let by_namespace = rule.namespace.matches(namespace);
            let forbids = rule.name.denies || rule.server.denies || rule.namespace.denies;
            if (by_server || by_name) && by_namespace {
                permitted |= !forbids;
            } else if (!by_name && rule.name.denies)
                || (!by_server && rule.server.denies && by_namespace)
                || (!by_namespace && rule.namespace.denies && by_server)
            {
                permitted = false;
                break;
            }
        }
        if permitted {
            return Ok(());
        }
        Err(format!("namespace {namespace} is not permitted in project '{}'", self.project).into())
    }
}

impl KindRule {
    fn matches(&self, kind: &GroupKind, name: &str, namespaced: bool) -> bool {
        // A malformed pattern matches nothing, as in Argo CD.
        let matches = |pattern: &str, text: &str| path_match(pattern, text).unwrap_or(false);
        matches(&self.kind, &kind.kind)
            && matches(&self.group, &kind.group)
            && (namespaced || self.name.is_empty() || matches(&self.name, name))
    }
}

/// A glob that may forbid instead of allow, compiled once.
#[derive(Clone, Debug)]
struct Pattern {
    denies: bool,
    /// `None` for a malformed pattern, which matches nothing.
    glob: Option<Gobwas>,
}

impl Pattern {
    fn new(text: &str) -> Self {
        let denied = text.strip_prefix('!');
        Self { denies: denied.is_some(), glob: Gobwas::compile(denied.unwrap_or(text), &[]).ok() }
    }

    /// Whether the rule lets `text` pass: a pattern that forbids lets pass what it does not match.
    fn matches(&self, text: &str) -> bool {
        self.glob.as_ref().is_some_and(|glob| glob.is_match(text)) != self.denies
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // How patterns match is held to Argo CD's own answers in `windlass-argo/tests/oracle.rs`.

    #[test]
    fn everything_permits_everything_and_nothing_nothing() {
        let (everything, nothing) = (Permissions::everything("all"), Permissions::default());
        let role = GroupKind::new("rbac.authorization.k8s.io", "ClusterRole");
        assert_eq!(everything.permits_kind(&role, false, "admin"), Ok(()));
        assert_eq!(everything.permits_destination("https://a", "", "b"), Ok(()));
        assert!(nothing.permits_kind(&role, false, "admin").is_err());
        assert!(nothing.permits_destination("https://a", "", "b").is_err());
    }

    #[test]
    fn a_refusal_says_what_and_by_whom() {
        let rules = Permissions { project: "team".into(), ..Permissions::default() };
        let why = rules.permits_kind(&GroupKind::new("", "Namespace"), false, "a").unwrap_err();
        assert_eq!(why, "resource :Namespace is not permitted in project team");
    }
}
