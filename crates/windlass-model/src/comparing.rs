//! What does not count when declared and live are compared.

use std::sync::Arc;

use windlass_kube::Str;

/// What a Unit, and the control plane for all Units, say about differences that do not count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparing {
    /// The Unit's own rules.
    pub rules: Box<[IgnoreRule]>,
    /// What holds for all.
    pub system: Arc<SystemComparing>,
}

/// What a control plane says for all Units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SystemComparing {
    /// Rules for all.
    pub rules: Box<[IgnoreRule]>,
    /// Whether the rules of a ClusterRole that gets them from others do not count.
    pub ignore_aggregated_roles: bool,
    /// Fields of custom resources with a known type.
    pub known_types: Box<[KnownType]>,
    /// Of which objects a declared `status` counts.
    pub status: CountedStatus,
}

/// Of which objects a declared `status` counts. Where it does not, it is neither applied nor compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CountedStatus {
    /// Of none.
    #[default]
    None,
    /// Of all but definitions of kinds.
    AllButDefinitions,
    /// Of all.
    All,
}

impl CountedStatus {
    /// Whether that of objects of a kind counts.
    #[must_use]
    pub fn of(self, group: &str, kind: &str) -> bool {
        match self {
            Self::None => false,
            Self::AllButDefinitions => (group, kind) != ("apiextensions.k8s.io", "CustomResourceDefinition"),
            Self::All => true,
        }
    }
}

/// Fields of some objects that do not count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IgnoreRule {
    /// A glob for the group; empty is the core group.
    pub group: Str,
    /// A glob for the kind.
    pub kind: Str,
    /// A glob for the name; empty is any.
    pub name: Str,
    /// A glob for the namespace; empty is any.
    pub namespace: Str,
    /// Fields, as JSON pointers.
    pub pointers: Box<[Str]>,
    /// Fields, as jq expressions that name paths.
    pub expressions: Box<[Str]>,
    /// Field managers whose fields do not count.
    pub managers: Box<[Str]>,
}

/// A field of a custom resource that holds a value of a built-in type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownType {
    /// A glob for the group.
    pub group: Str,
    /// A glob for the kind.
    pub kind: Str,
    /// The field, with dots between its steps; lists on the way mean all of their items.
    pub field: Str,
    /// The type, such as `core/v1/PodSpec` or `core/Quantity`.
    pub type_name: Str,
}
