//! Says of admission policies that they have been looked at.
//!
//! kube-controller-manager also checks the types of their expressions against the schemas of what they match, and
//! tells what it finds in `typeChecking`; nothing is found here.

use std::time::Duration;

use windlass_kube::value;

use super::follow::Change;
use super::runner::Controller;
use crate::api::{Api, Patch, WriteOptions};
use crate::resource::Gvr;
use crate::status::Status;

/// Who owns the status, as in a cluster.
const MANAGER: &str = "validatingadmissionpolicy-status";

pub(crate) struct Policies {
    api: Api,
}

impl Policies {
    pub(crate) fn new(api: Api) -> Self {
        Self { api }
    }
}

/// The name of a policy.
impl Controller for Policies {
    type Key = String;

    const NAME: &'static str = "admission-policies";

    fn observe(&self, change: &Change) -> Vec<String> {
        match change.storage() {
            "admissionregistration.k8s.io/validatingadmissionpolicies" if !change.deleted => {
                vec![change.key().name.to_string()]
            }
            _ => Vec::new(),
        }
    }

    async fn reconcile(&self, name: String) -> Result<Option<Duration>, Status> {
        let gvr = Gvr::new("admissionregistration.k8s.io", "v1", "validatingadmissionpolicies");
        let Ok(policy) = self.api.get(&gvr, "", &name) else { return Ok(None) };
        let generation = policy.generation();
        let observed = policy.at(&["status", "observedGeneration"]).and_then(windlass_kube::Value::as_int);
        if observed == Some(generation) {
            return Ok(None);
        }
        let applied = value!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": (name.as_str())},
            "status": {"observedGeneration": (generation), "typeChecking": (windlass_kube::Map::new())}
        });
        let options = WriteOptions { force: true, ..WriteOptions::status() }.manager(MANAGER);
        match self.api.patch(&gvr, "", &name, Patch::Apply(applied), &options).await {
            Err(status) if status.reason != "NotFound" => Err(status),
            _ => Ok(None),
        }
    }
}
