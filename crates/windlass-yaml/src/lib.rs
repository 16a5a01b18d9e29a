//! YAML and JSON as Kubernetes tools read and write them.

mod value;

pub use value::{Array, Map, Str, Value};
