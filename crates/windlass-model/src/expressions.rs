//! Health that a Unit tells itself, by expressions.

use windlass_kube::Str;

/// What expressions in CEL say of the health of a Unit's objects of one kind: as Flux's `healthCheckExprs` has them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct HealthExpressions {
    /// The group and version of the objects, as in `apiVersion`.
    pub api_version: Str,
    /// Their kind.
    pub kind: Str,
    /// Whether an object is as it should be.
    pub current: Str,
    /// Whether it has failed; empty for never.
    pub failed: Str,
    /// Whether it is on its way; empty for whenever none of the others holds.
    pub in_progress: Str,
}
