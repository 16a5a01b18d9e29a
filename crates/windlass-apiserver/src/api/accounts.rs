//! The service account of a pod: that it exists, its token in the pod's containers, its pull secrets.
//!
//! Facts and words: `ServiceAccount` among the admission plugins of kube-apiserver 1.36.3. The account's list of mountable
//! secrets, which is deprecated, is not enforced.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use windlass_kube::{Object, Value, value};

use super::Api;
use super::write::random_suffix;
use crate::resource::Resource;
use crate::status::Status;
use crate::store::{Key, Stored};

/// Where the token is mounted.
const MOUNT_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// What the names of volumes with tokens begin with.
const VOLUME: &str = "kube-api-access-";

/// How often a new namespace's account is looked for, and how long is waited in between: kube-apiserver looks ten times, a
/// tenth to a fifth of a second apart.
const LOOKS: usize = 10;
const BETWEEN: Duration = Duration::from_millis(100);

impl Api {
    /// Gives a new pod its service account.
    ///
    /// Where nobody makes accounts, which is so without controllers, pods go without.
    ///
    /// # Errors
    ///
    /// `Forbidden` when the account does not exist.
    pub(super) async fn give_account(
        &self,
        resource: &Resource,
        namespace: &str,
        pod: &mut Object,
        generated: bool,
    ) -> Result<(), Status> {
        if resource.storage != "/pods" || !self.shared.has_accounts.load(Ordering::Acquire) {
            return Ok(());
        }
        let refuse = |pod: &Object, why: String| {
            let shown = if generated { pod.str_at(&["metadata", "generateName"]) } else { pod.name() };
            Status::forbidden(&resource.group_resource(), shown, why)
        };
        let named = pod.str_at(&["spec", "serviceAccountName"]).to_owned();
        if pod.annotation("kubernetes.io/config.mirror").is_some() {
            if named.is_empty() {
                return Ok(());
            }
            return Err(refuse(pod, "a mirror pod may not reference service accounts".into()));
        }
        let name = if named.is_empty() { "default" } else { named.as_str() };
        let Some(account) = self.awaited_account(namespace, name).await else {
            let why = format!(
                "error looking up service account {namespace}/{name}: serviceaccount {name:?} not found"
            );
            return Err(refuse(pod, why));
        };
        let account = account.object();
        let mut value = pod.to_value();
        value.set_at(&["spec", "serviceAccountName"], name);
        value.set_at(&["spec", "serviceAccount"], name);
        let mounts = value
            .bool_at(&["spec", "automountServiceAccountToken"])
            .or_else(|| account.at(&["automountServiceAccountToken"]).and_then(Value::as_bool))
            .unwrap_or(true);
        if mounts {
            mount_token(&mut value);
        }
        let secrets = account.at(&["imagePullSecrets"]).and_then(Value::as_array);
        if let Some(secrets) = secrets.filter(|_| value.items_at(&["spec", "imagePullSecrets"]).is_empty()) {
            value.set_at(&["spec", "imagePullSecrets"], secrets.to_vec());
        }
        *pod = Object::try_new(value).map_err(Status::internal)?;
        Ok(())
    }

    /// An account; that of a namespace that has just been made may take a moment.
    async fn awaited_account(&self, namespace: &str, name: &str) -> Option<Arc<Stored>> {
        let table = self.shared.store.table("/serviceaccounts");
        let key = Key::new(namespace, name);
        let looks = if name == "default" { LOOKS } else { 1 };
        for look in 0..looks {
            if look > 0 {
                tokio::time::sleep(BETWEEN).await;
            }
            if let Some(account) = table.get(&key) {
                return Some(account);
            }
        }
        None
    }
}

/// Mounts the account's token in every container that has nothing at its place.
fn mount_token(pod: &mut Value) {
    let volumes = pod.items_at(&["spec", "volumes"]).to_vec();
    let have = volumes.iter().find_map(|volume| volume.str_at(&["name"]).filter(|it| it.starts_with(VOLUME)));
    let has_volume = have.is_some();
    let volume = have.map_or_else(|| format!("{VOLUME}{}", random_suffix()), str::to_owned);
    let mut is_needed = false;
    for list in ["initContainers", "containers"] {
        let mut containers = pod.items_at(&["spec", list]).to_vec();
        for container in &mut containers {
            let mut mounts = container.items_at(&["volumeMounts"]).to_vec();
            if container.as_object().is_none()
                || mounts.iter().any(|mount| mount.str_at(&["mountPath"]) == Some(MOUNT_PATH))
            {
                continue;
            }
            mounts.push(value!({"name": (volume.as_str()), "readOnly": true, "mountPath": MOUNT_PATH}));
            container.set_at(&["volumeMounts"], mounts);
            is_needed = true;
        }
        if !containers.is_empty() {
            pod.set_at(&["spec", list], containers);
        }
    }
    if !has_volume && is_needed {
        let mut volumes = volumes;
        volumes.push(value!({
            "name": (volume.as_str()),
            "projected": {
                "defaultMode": 420,
                "sources": [
                    {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                    {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                    {"downwardAPI": {"items": [
                        {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
                    ]}}
                ]
            }
        }));
        pod.set_at(&["spec", "volumes"], volumes);
    }
}
