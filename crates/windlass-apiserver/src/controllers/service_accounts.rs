//! Every namespace has the service account `default` and the cluster's certificate authority.

use std::time::Duration;

use windlass_kube::{Str, value};

use super::change::{create, get, modify};
use super::follow::Change;
use super::runner::Controller;
use crate::api::Api;
use crate::resource::Gvr;
use crate::status::Status;

const AUTHORITY: &str = "kube-root-ca.crt";

pub(crate) struct ServiceAccounts {
    api: Api,
    cluster_ca: Option<String>,
}

impl ServiceAccounts {
    pub(crate) fn new(api: Api, cluster_ca: Option<String>) -> Self {
        Self { api, cluster_ca }
    }
}

impl Controller for ServiceAccounts {
    type Key = Str;

    const NAME: &'static str = "service-accounts";

    fn observe(&self, change: &Change) -> Vec<Str> {
        let key = change.key();
        match change.storage() {
            "/namespaces" if !change.deleted => vec![key.name.clone()],
            "/serviceaccounts" if change.deleted && key.name == "default" => vec![key.namespace.clone()],
            "/configmaps" if key.name == AUTHORITY => vec![key.namespace.clone()],
            _ => Vec::new(),
        }
    }

    async fn reconcile(&self, namespace: Str) -> Result<Option<Duration>, Status> {
        let active = get(&self.api, &Gvr::new("", "v1", "namespaces"), "", &namespace)
            .is_some_and(|namespace| !namespace.is_terminating());
        if !active {
            return Ok(None);
        }
        let accounts = Gvr::new("", "v1", "serviceaccounts");
        if get(&self.api, &accounts, &namespace, "default").is_none() {
            let account = value!({
                "apiVersion": "v1", "kind": "ServiceAccount",
                "metadata": {"name": "default", "namespace": (namespace.clone())}
            });
            create(&self.api, &accounts, account).await?;
        }
        let Some(pem) = &self.cluster_ca else { return Ok(None) };
        let maps = Gvr::new("", "v1", "configmaps");
        if get(&self.api, &maps, &namespace, AUTHORITY).is_some() {
            modify(&self.api, &maps, &namespace, AUTHORITY, "", |map| {
                map.set_at(&["data"], value!({"ca.crt": (pem.as_str())}));
            })
            .await?;
            return Ok(None);
        }
        let map = value!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {
                "name": AUTHORITY, "namespace": (namespace.clone()),
                "annotations": {
                    "kubernetes.io/description": "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters."
                }
            },
            "data": {"ca.crt": (pem.as_str())}
        });
        create(&self.api, &maps, map).await?;
        Ok(None)
    }
}
