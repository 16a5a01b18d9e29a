//! Values of the Kubernetes object model, and the algebra on them.

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
