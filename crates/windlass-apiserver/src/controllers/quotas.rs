//! Keeps the status of resource quotas: what is limited, and how much of it is used.

use std::time::Duration;

use windlass_kube::{Map, Value, value};

use super::change::set_status;
use super::follow::Change;
use super::runner::Controller;
use crate::admission::quota::{QUOTAS, used};
use crate::api::Api;
use crate::resource::Gvr;
use crate::status::Status;
use crate::store::Key;

pub(crate) struct Quotas {
    api: Api,
}

impl Quotas {
    pub(crate) fn new(api: Api) -> Self {
        Self { api }
    }
}

/// A quota.
impl Controller for Quotas {
    type Key = Key;

    const NAME: &'static str = "resource-quotas";

    fn observe(&self, change: &Change) -> Vec<Key> {
        let quotas = self.api.store().table(QUOTAS);
        if quotas.is_empty() || change.key().namespace.is_empty() {
            return Vec::new();
        }
        if change.storage() == QUOTAS && !change.deleted {
            return vec![change.key().clone()];
        }
        let counts = change.deleted
            || change.previous.is_none()
            || matches!(change.storage(), "/pods" | "/services" | "/persistentvolumeclaims");
        if !counts {
            return Vec::new();
        }
        let there = quotas.list(Some(&change.key().namespace)).objects;
        there.iter().map(|stored| stored.key().clone()).collect()
    }

    async fn reconcile(&self, key: Key) -> Result<Option<Duration>, Status> {
        let gvr = Gvr::new("", "v1", "resourcequotas");
        let Ok(quota) = self.api.get(&gvr, &key.namespace, &key.name) else { return Ok(None) };
        if quota.is_terminating() {
            return Ok(None);
        }
        let hard = quota.at(&["spec", "hard"]).cloned().unwrap_or_else(|| Value::Object(Map::new()));
        let mut amounts = Map::new();
        for (name, amount) in used(&self.api, &quota) {
            amounts.insert(name, amount.to_string());
        }
        let status = value!({"hard": hard, "used": amounts});
        set_status(&self.api, &gvr, &quota, &status).await?;
        Ok(None)
    }
}
