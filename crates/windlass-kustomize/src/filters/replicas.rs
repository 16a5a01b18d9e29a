//! Counts of replicas.

use super::field_spec::{Create, FieldSpec, apply_settled, set_scalar};
use crate::error::Result;
use crate::node::{Node, Scalar, Tag};

/// Sets the count in the fields that a spec means.
///
/// # Errors
/// A field that is no scalar.
pub fn set_count(node: &mut Node, count: i64, spec: &FieldSpec) -> Result<()> {
    apply_settled(node, std::slice::from_ref(spec), Some(Create::INT), &mut |field| {
        set_scalar(field, Scalar { value: count.to_string().into(), tag: Tag::Int, ..Scalar::default() })
    })
}
