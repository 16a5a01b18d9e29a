//! Which objects of a namespace count as orphans: those that belong to no Unit.

use windlass_go::glob::Gobwas;
use windlass_kube::ObjectRef;

/// What is looked for in a Unit's target namespace, and what of it does not count.
#[derive(Clone, Debug, Default)]
pub struct OrphanRules {
    /// Whether orphans are told of. Where they are not, they can be listed all the same.
    pub warn: bool,
    /// What does not count.
    pub ignored: Box<[IgnoredOrphans]>,
}

/// Objects that are no orphans, by glob patterns.
#[derive(Clone, Debug)]
pub struct IgnoredOrphans {
    group: Glob,
    kind: Option<Glob>,
    name: Option<Glob>,
}

/// `None` is a malformed pattern, which matches nothing.
type Glob = Option<Gobwas>;

impl IgnoredOrphans {
    /// Three patterns. An empty kind or name is any; an empty group is the core group.
    #[must_use]
    pub fn new(group: &str, kind: &str, name: &str) -> Self {
        let glob = |pattern: &str| Gobwas::compile(pattern, &[]).ok();
        let any_or = |pattern: &str| (!pattern.is_empty()).then(|| glob(pattern));
        Self { group: glob(group), kind: any_or(kind), name: any_or(name) }
    }

    fn matches(&self, key: &ObjectRef) -> bool {
        let is = |glob: &Glob, text: &str| glob.as_ref().is_some_and(|glob| glob.is_match(text));
        is(&self.group, &key.group)
            && self.kind.as_ref().is_none_or(|kind| is(kind, &key.kind))
            && self.name.as_ref().is_none_or(|name| is(name, &key.name))
    }
}

impl OrphanRules {
    /// Whether an object is none of the orphans: the rules say so, or Kubernetes makes it in every such namespace
    /// (`isKnownOrphanedResourceExclusion` of Argo CD 3.6).
    #[must_use]
    pub fn ignores(&self, key: &ObjectRef) -> bool {
        let own = key.group.is_empty()
            && match key.kind.as_str() {
                "Service" => key.namespace == "default" && key.name == "kubernetes",
                "ServiceAccount" => key.name == "default",
                "ConfigMap" => key.name == "kube-root-ca.crt",
                _ => false,
            };
        own || self.ignored.iter().any(|ignored| ignored.matches(key))
    }
}
