//! Values of the Kubernetes object model, and the algebra on them.

mod object;

pub use object::{GroupKind, Gvk, NotAnObject, Object, ObjectRef};
pub use windlass_yaml::{Array, Map, Str, Value, value};
