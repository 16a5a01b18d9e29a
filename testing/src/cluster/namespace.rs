//! A namespace of one's own on a cluster that others use too.

use super::ApiClient;
use crate::{Result, background};
use serde_json::json;
use std::fmt;

/// A namespace that is deleted, with what is in it, when the guard is dropped.
///
/// Prints as its name.
#[derive(Debug)]
pub struct Namespace {
    api: ApiClient,
    name: String,
}

impl Namespace {
    pub(super) async fn create(api: &ApiClient, prefix: &str) -> Result<Self> {
        let object = json!({"metadata": {"generateName": format!("{prefix}-")}});
        let created = api.create("/api/v1/namespaces", &object).await?;
        let name = created["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        Ok(Self { api: api.clone(), name })
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let api = self.api.clone();
        let path = format!("/api/v1/namespaces/{}", self.name);
        // Not waited for: deletion takes seconds, and the cluster ends soon enough if this comes too late.
        background::runtime().spawn(async move { api.delete(&path).await });
    }
}
