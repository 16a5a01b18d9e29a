//! The functions on nodes that transformers are made of, as kyaml and kustomize's `filters` have them.
//!
//! Each takes nodes and plain arguments; none knows of kustomizations, files or the order of transformers.
//! [`crate::transformers`] chooses the resources, calls these and keeps what a resource remembers beside its
//! node (earlier identities, prefixes, suffixes).

pub mod openapi;
