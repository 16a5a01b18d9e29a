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

pub mod error;
pub mod filters;
pub mod node;
pub mod res_id;
pub mod res_map;
pub mod resource;

pub use error::{Error, ErrorKind, Result};
pub use node::{Kind, Node, Scalar, Style, Tag};
