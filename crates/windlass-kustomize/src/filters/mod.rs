//! The functions on nodes that transformers are made of, as kyaml and kustomize's `filters` have them.
//!
//! Each takes nodes and plain arguments; none knows of files or of the order of transformers.
//! `transformers` chooses the resources, calls these and keeps what a resource remembers beside its
//! node (earlier identities, prefixes, suffixes).

pub mod affix;
pub mod field_spec;
pub mod images;
pub mod json6902;
pub mod labels;
pub mod name_reference;
pub mod namespace;
pub mod openapi;
pub mod path;
mod path_match;
pub mod print;
pub mod refvar;
pub mod replacement;
pub mod replicas;
pub mod selector;
pub mod strategic_merge;
pub mod value_add;

/// A float as Go's `%v` and yaml.v3 print it.
fn go_float(float: f64) -> String {
    windlass_go::fmt::format_float(float, b'g', None, 64)
}
