//! Values of the Kubernetes object model, and the algebra on them: what a server does to objects, as pure functions.
//!
//! - [`Object`], [`Gvk`], [`ObjectRef`]: dynamic objects and the names of things.
//! - [`fields`]: which manager owns which fields, and the part of an object that it owns.
//! - [`schema`]: types of objects, made of OpenAPI documents or of a CustomResourceDefinition.
//! - [`merge`]: server-side apply, and the tracking of ownership through all other writes.
//! - [`strategic`], [`json_patch`], [`merge_patch`]: the other ways to patch.
//! - [`selector`]: label and field selectors. [`quantity`]: amounts of resources. [`validation`]: names and labels.
//!
//! Everything works on [`Value`], the shared tree of `windlass-yaml`: what an operation does not touch, its result
//! shares with its input. Nothing here reads a clock, a file or the network; nothing panics on bad input, and
//! recursion is bounded by [`fields::MAX_DEPTH`] where ownership is computed. Patches recurse as deep as their
//! input, which its parser bounds.
//!
//! Behaviour and messages are those of kubernetes 1.36.3; `tests/data` holds what its libraries and a real
//! kube-apiserver answered, recorded by `tools/oracle-kube`.
//!
//! ```
//! use windlass_kube::fields::{FieldSet, extract};
//! use windlass_kube::{json_patch, merge_patch, value};
//!
//! let live = value!({"spec": {"replicas": 2, "paused": false}});
//! let owned = FieldSet::parse(r#"{"f:spec":{"f:replicas":{}}}"#)?;
//! assert_eq!(extract(&live, &owned), value!({"spec": {"replicas": 2}}));
//!
//! let patch = value!([{"op": "replace", "path": "/spec/replicas", "value": 3}]);
//! let scaled = json_patch::apply(&live, &patch)?;
//! assert_eq!(merge_patch::diff(&live, &scaled), value!({"spec": {"replicas": 3}}));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod fields;
mod go_print;
pub mod json_patch;
pub mod merge;
pub mod merge_patch;
mod object;
pub mod quantity;
pub mod schema;
pub mod selector;
pub mod strategic;
pub mod validation;

pub use object::{GroupKind, Gvk, NotAnObject, Object, ObjectRef};
pub use windlass_yaml::{Array, Map, Str, Value, value};
