//! Prefixes and suffixes of names.

use super::field_spec::{Create, FieldSpec, apply_settled, set_scalar};
use crate::error::Result;
use crate::node::{Node, Scalar};
use crate::res_id::Gvk;

/// Puts a prefix before the fields that a spec means.
///
/// # Errors
/// A field that is no scalar.
pub fn add_prefix(node: &mut Node, prefix: &str, spec: &FieldSpec) -> Result<()> {
    change(node, spec, |text| format!("{prefix}{text}"))
}

/// Puts a suffix behind the fields that a spec means.
///
/// # Errors
/// A field that is no scalar.
pub fn add_suffix(node: &mut Node, suffix: &str, spec: &FieldSpec) -> Result<()> {
    change(node, spec, |text| format!("{text}{suffix}"))
}

fn change(node: &mut Node, spec: &FieldSpec, change: impl Fn(&str) -> String) -> Result<()> {
    apply_settled(node, std::slice::from_ref(spec), Some(Create::STRING), &mut |field| {
        let changed = change(field.text());
        set_scalar(field, Scalar::untagged(changed))
    })
}

/// Whether names of a kind get neither prefix nor suffix: they follow from what the object says, or name what
/// others look for.
#[must_use]
pub fn is_exempt(gvk: &Gvk) -> bool {
    match gvk.kind.as_str() {
        "CustomResourceDefinition" | "Namespace" => true,
        "APIService" => gvk.group == "apiregistration.k8s.io",
        _ => false,
    }
}
