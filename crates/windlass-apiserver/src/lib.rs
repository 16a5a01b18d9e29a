//! The embedded Kubernetes-compatible API.
//!
//! A [`Store`](store::Store) holds objects at revisions; an [`Api`] gives them the behaviour of the
//! Kubernetes API (defaults, validation, managed fields, finalizers, watches); a [`Server`] speaks HTTP
//! for it, so that `kubectl` and every other client see a cluster.
//!
//! The API knows nothing of GitOps. In process, an [`Api`] is used directly, or as a `tower` service of
//! HTTP requests ([`Api::service`]) on which a Kubernetes client can be built without a socket.

mod admission;
mod api;
pub mod audit;
mod authorize;
mod backup;
pub mod controllers;
mod custom;
pub mod defaults;
mod http;
pub mod protobuf;
mod recorded;
mod registry;
mod resource;
mod server;
pub mod simulator;
mod status;
pub mod store;
pub mod tables;
mod time;
mod tokens;
pub mod validation;

pub use crate::http::{ApiService, Body, MAX_IN_FLIGHT, MAX_QUEUE_WAIT, MAX_REQUEST_BYTES};
pub use api::{
    Api, DeleteOptions, Deleted, FieldValidation, ListOptions, ObjectList, Patch, Propagation, UserInfo,
    Watch, WatchEvent, WatchOptions, WriteOptions, Written,
};
pub use backup::{BACKUP_PATH, CARRIED_KEYS, REVISION_HEADER};
pub use resource::{GroupResource, Gvr, Resource, Subresource};
pub use server::{Config, Data, Server, StartError};
pub use status::{Cause, Details, Status};
