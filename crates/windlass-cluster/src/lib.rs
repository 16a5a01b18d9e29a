//! The client side of a Kubernetes API: raw requests, discovery, watches, and the Leases by which replicas share work.
//!
//! This is the one crate that talks to an API server. Objects travel as [`windlass_kube::Value`], never as
//! typed structs or `DynamicObject`s: what a watch brings is digested and dropped, so it must be cheap to read.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use windlass_cluster::{ApplyOptions, ClusterClient};
//! use windlass_kube::{Object, value};
//!
//! let client = ClusterClient::infer().await?;
//! let discovery = client.discover().await?;
//! let config_maps = discovery.resource("", "v1", "ConfigMap").ok_or("no ConfigMaps?")?;
//! let object = Object::try_new(value!({
//!     "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "default"}
//! }))?;
//! client.apply(config_maps, &object, &ApplyOptions::new("me")).await?;
//! # Ok(())
//! # }
//! ```

mod client;
mod discovery;
mod error;
mod secret;
mod share;
mod watch;

pub use client::{ApplyOptions, CALL_TIMEOUT, ClusterClient, DeleteOptions, Page, WriteOptions};
pub use discovery::{Discovery, Resource};
pub use error::{ApiError, Status, StatusCause};
pub use secret::{CLUSTER_SECRET, ClusterSecret, LocalLogins, SECRET_TYPE, secret_data};
pub use share::{Assignment, Messages, REPLICA_LABEL, Shards, ShareOptions, leave, share};
pub use watch::{WatchEvent, WatchScope, watch};
