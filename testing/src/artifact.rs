//! Servers of charts, artifacts, archives and objects: a registry, a server of files, and one of buckets.

mod files;
mod registry;
mod s3;
pub(crate) mod web;

pub use files::{FileServer, FileServerBuilder};
pub use registry::{OciRegistry, OciRegistryBuilder, RegistryAuth};
pub use s3::S3Server;
pub use web::{WebFault, WebRequest};
