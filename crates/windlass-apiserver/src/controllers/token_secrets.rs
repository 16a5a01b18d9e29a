//! Secrets of type `kubernetes.io/service-account-token` hold a token of their service account, and go with it.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use windlass_kube::{Object, Value};

use super::change::{get, modify};
use super::follow::Change;
use super::runner::Controller;
use crate::api::{Api, DeleteOptions};
use crate::resource::Gvr;
use crate::status::Status;
use crate::store::Key;
use crate::tokens::{ACCOUNT_NAME, ACCOUNT_UID, SECRET_TYPE};

pub(crate) struct TokenSecrets {
    api: Api,
    cluster_ca: Option<String>,
}

impl TokenSecrets {
    pub(crate) fn new(api: Api, cluster_ca: Option<String>) -> Self {
        Self { api, cluster_ca }
    }
}

fn annotation<'a>(secret: &'a Object, name: &str) -> &'a str {
    secret.str_at(&["metadata", "annotations", name])
}

fn is_token(secret: &Object) -> bool {
    secret.str_at(&["type"]) == SECRET_TYPE && !annotation(secret, ACCOUNT_NAME).is_empty()
}

impl Controller for TokenSecrets {
    type Key = Key;

    const NAME: &'static str = "token-secrets";

    fn observe(&self, change: &Change) -> Vec<Key> {
        let key = change.key();
        match change.storage() {
            "/secrets" if !change.deleted && is_token(&change.object.object()) => vec![key.clone()],
            "/serviceaccounts" if change.deleted => {
                let secrets = self.api.store().table("/secrets").list(Some(&key.namespace)).objects;
                let of_account =
                    |secret: &Object| is_token(secret) && annotation(secret, ACCOUNT_NAME) == key.name;
                let secrets = secrets.iter().filter(|stored| of_account(&stored.object()));
                secrets.map(|stored| stored.key().clone()).collect()
            }
            _ => Vec::new(),
        }
    }

    async fn reconcile(&self, key: Key) -> Result<Option<Duration>, Status> {
        let secrets = Gvr::new("", "v1", "secrets");
        let Some(secret) = get(&self.api, &secrets, &key.namespace, &key.name).filter(is_token) else {
            return Ok(None);
        };
        let accounts = Gvr::new("", "v1", "serviceaccounts");
        let account = get(&self.api, &accounts, &key.namespace, annotation(&secret, ACCOUNT_NAME));
        let wanted = annotation(&secret, ACCOUNT_UID);
        let Some(account) = account.filter(|account| wanted.is_empty() || account.uid() == wanted) else {
            let options = DeleteOptions { uid: Some(secret.uid().into()), ..DeleteOptions::default() };
            return match self.api.delete(&secrets, &key.namespace, &key.name, &options).await {
                Err(status) if !matches!(status.reason, "NotFound" | "Conflict") => Err(status),
                _ => Ok(None),
            };
        };
        let token = self.api.tokens().issue_for_secret(&account, &key.name).map_err(Status::internal)?;
        modify(&self.api, &secrets, &key.namespace, &key.name, "", |live| {
            let mut missing = vec![("namespace", key.namespace.to_string()), ("token", token.clone())];
            missing.retain(|(name, _)| live.str_at(&["data", name]).is_empty());
            if let Some(pem) = &self.cluster_ca
                && live.str_at(&["data", "ca.crt"]) != STANDARD.encode(pem)
            {
                missing.push(("ca.crt", pem.clone()));
            }
            if live.uid() != secret.uid() || missing.is_empty() {
                return;
            }
            for (name, text) in missing {
                live.set_at(&["data", name], Value::from(STANDARD.encode(text)));
            }
            live.set_at(&["metadata", "annotations", ACCOUNT_UID], account.uid());
        })
        .await?;
        Ok(None)
    }
}
