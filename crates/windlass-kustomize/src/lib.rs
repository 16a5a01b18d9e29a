//! Kustomizations built in process, byte for byte as `kustomize build` 5.8 builds them.
//!
//! A build is a function of a Tree and its options: no file is written, nothing is fetched but through
//! traits, the schema of Kubernetes is held once, and builds run side by side.
//!
//! How the parts lie on each other:
//!
//! - [`node`]: the tree a resource is made of; [`res_id`]: what it is called; [`resource`]: both, with what
//!   kustomize remembers of it; [`res_map`]: the resources of a kustomization, in order.
//! - [`filters`]: functions on nodes: merging, patching, setting fields below field paths.

mod build;
mod cache;
mod config;
mod decode;
pub mod edits;
pub mod error;
pub mod filters;
pub mod flux;
mod generated;
mod generators;
pub mod helm;
pub mod kustomization;
mod loader;
mod name_reference;
pub mod node;
mod origin;
mod plugins;
mod reader;
pub mod remote;
pub mod res_id;
pub mod res_map;
pub mod resource;
mod sort;
mod target;
mod variables;

pub use build::{Built, Options, Reorder, Services, build, build_address};
pub use cache::Cache;
pub use edits::Edit;
pub use error::{Error, ErrorKind, Result};
pub use filters::growth::{MAX_GROWTH, MAX_OBJECT_NODES};
pub use generated::MAX_SCANNED;
pub use generators::MAX_GENERATED;
pub use loader::{MAX_FILE, MAX_LEVELS};
pub use node::{Kind, MAX_ALIASED_NODES, Node, Scalar, Style, Tag};
pub use target::MAX_OBJECTS;
