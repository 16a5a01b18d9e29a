//! Field ownership: which manager owns which fields of an object, and the algebra on such sets.
//!
//! A [`FieldSet`] is the tree that `metadata.managedFields[].fieldsV1` writes down; [`PathElement`] and
//! [`FieldPath`] name one field. [`extract`] reads from a live object what a set owns, with no schema.
//!
//! Facts: `sigs.k8s.io/structured-merge-diff/v6` v6.3.3, package `fieldpath`, as kube-apiserver 1.36.3 uses it.

mod element;
mod extract;
mod json;
mod managed;
mod set;

pub use element::{FieldPath, PathElement, compare_values};
pub use extract::{extract, extract_owned};
pub use json::ParseFieldsError;
pub use managed::{ManagedFieldsEntry, Operation, managed_fields, owned_by};
pub use set::FieldSet;
pub(crate) use set::{Node, SetBuilder};

/// How deep a set of fields may nest: far beyond any real schema, far below what a thread's stack holds.
pub const MAX_DEPTH: usize = 256;
