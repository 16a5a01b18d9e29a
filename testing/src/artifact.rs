//! Servers of charts, artifacts and archives: a registry, and a server of files.

mod files;
mod registry;
pub(crate) mod web;

pub use files::{FileServer, FileServerBuilder};
pub use registry::{OciRegistry, OciRegistryBuilder, RegistryAuth};
pub use web::{WebFault, WebRequest};
