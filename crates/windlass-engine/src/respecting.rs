//! A cluster as the target of plans that leave alone what does not count.

use std::sync::Arc;

use windlass_apply::{CallError, Target};
use windlass_diff::{Rules, respected};
use windlass_kube::{Gvk, Object, ObjectRef, Value};
use windlass_model::{Propagation, SyncPolicy};

use crate::target::{ClusterTarget, call_error};
use crate::unit_state::UnitState;

/// A cluster; where rules are given, fields that do not count keep their live value in whatever is written.
///
/// What is live is read right before each write of an object that the rules are about, and of no other.
#[derive(Clone)]
pub(crate) struct RespectingTarget {
    /// The cluster.
    pub(crate) target: ClusterTarget,
    /// What does not count; `None` writes everything as it is declared.
    pub(crate) rules: Option<Arc<Rules>>,
}

impl RespectingTarget {
    async fn respected(&self, gvk: &Gvk, object: &Object) -> Result<Option<Object>, CallError> {
        let Some(rules) = self.rules.as_ref().filter(|rules| rules.concern(&object.object_ref())) else {
            return Ok(None);
        };
        let resource = self.target.resource(gvk)?;
        match self.target.client.get(resource, object.namespace(), object.name()).await {
            Ok(live) => Ok(Some(respected(object, &live, rules))),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(call_error(&error)),
        }
    }
}

impl Target for RespectingTarget {
    async fn apply(
        &self,
        gvk: &Gvk,
        object: &Object,
        manager: &str,
        dry_run: bool,
    ) -> Result<Object, CallError> {
        let respected = self.respected(gvk, object).await?;
        self.target.apply(gvk, respected.as_ref().unwrap_or(object), manager, dry_run).await
    }

    async fn replace(
        &self,
        gvk: &Gvk,
        object: &Object,
        manager: &str,
        dry_run: bool,
    ) -> Result<Object, CallError> {
        let respected = self.respected(gvk, object).await?;
        self.target.replace(gvk, respected.as_ref().unwrap_or(object), manager, dry_run).await
    }

    async fn merge(
        &self,
        gvk: &Gvk,
        object: &Object,
        manager: &str,
        dry_run: bool,
    ) -> Result<Object, CallError> {
        let respected = self.respected(gvk, object).await?;
        self.target.merge(gvk, respected.as_ref().unwrap_or(object), manager, dry_run).await
    }

    async fn set_owners(&self, gvk: &Gvk, live: &Object, managed_fields: &Value) -> Result<(), CallError> {
        self.target.set_owners(gvk, live, managed_fields).await
    }

    async fn delete(
        &self,
        gvk: &Gvk,
        key: &ObjectRef,
        uid: Option<&str>,
        propagation: Propagation,
        dry_run: bool,
    ) -> Result<(), CallError> {
        self.target.delete(gvk, key, uid, propagation, dry_run).await
    }
}

impl UnitState {
    /// A cluster, as this Unit writes to it now: as its identity, by the policy of the operation that runs, where it has its own.
    pub(crate) fn writing_to(&self, target: &ClusterTarget) -> RespectingTarget {
        let own = self.operation.as_ref().and_then(|operation| operation.request.policy.as_deref());
        let policy: &SyncPolicy = own.unwrap_or(&self.lowered.unit.policy);
        let rules = self.rules.clone().filter(|_| policy.respect_ignored);
        RespectingTarget { target: target.as_identity(&self.lowered.unit.target.identity), rules }
    }
}
