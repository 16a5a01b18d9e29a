//! What templates may ask the cluster.

use windlass_yaml::Value;

/// Objects of a cluster, for the function `lookup`.
pub trait Lookup: Send + Sync {
    /// The object, or the list of objects where the name is empty; an empty object where there is none.
    ///
    /// # Errors
    /// What the template fails with.
    fn lookup(&self, request: &LookupRequest) -> Result<Value, String>;
}

/// What a template asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LookupRequest {
    /// `apps/v1`.
    pub api_version: String,
    /// `Deployment`.
    pub kind: String,
    /// Empty for objects without one, and for all namespaces.
    pub namespace: String,
    /// Empty for a list.
    pub name: String,
}

/// No cluster: nothing is ever found, as with `helm template`.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoCluster;

impl Lookup for NoCluster {
    fn lookup(&self, _: &LookupRequest) -> Result<Value, String> {
        Ok(Value::object())
    }
}
