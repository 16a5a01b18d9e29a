//! Labels and annotations.

use smol_str::SmolStr;

use super::field_spec::{Create, FieldSpec, apply_all, gvk_of};
use crate::error::Result;
use crate::node::{Node, Scalar, Style, Tag, is_yaml_1_1_non_string};

/// Sets entries of the maps that specs mean, in the order given; missing maps are made where the spec says so.
///
/// A value that is new in several maps is one node for kustomize: they have the same [`Scalar::shared`].
///
/// # Errors
/// A field that is no map.
pub fn set_entries(node: &mut Node, entries: &[(SmolStr, SmolStr)], specs: &[FieldSpec]) -> Result<()> {
    let gvk = gvk_of(node);
    let specs: Vec<FieldSpec> = specs.iter().filter(|spec| gvk.is_selected_by(&spec.gvk)).cloned().collect();
    // One path without lists means one map.
    let is_single = specs.len() == 1 && specs[0].path().starts_with("metadata/");
    let mut shared = if is_single || entries.is_empty() { 0 } else { node.next_shared() };
    let before = node.shared_scalars();
    for (key, value) in entries {
        // All fields get the one node that kyaml makes, and each that is there already gives it its style.
        let mut style = Style::Plain;
        let mut added_styles: Vec<Style> = Vec::new();
        apply_all(node, &specs, Some(Create::MAP), &mut |map| {
            if style == Style::Plain && is_yaml_1_1_non_string(value) {
                style = Style::DoubleQuoted;
            }
            if !map.is_null() {
                match map.get(key) {
                    Some(field) => style = field.style(),
                    None => added_styles.push(style),
                }
            }
            let value = Scalar { value: value.clone(), tag: Tag::Str, style, shared, ..Scalar::default() };
            map.set_field(key, Node::Scalar(value))
        })?;
        if shared > 0 && added_styles.iter().any(|added| *added != style) {
            node.walk_mut(&mut |node| {
                if let Node::Scalar(scalar) = node
                    && scalar.shared == shared
                {
                    scalar.style = style;
                }
            });
        }
        shared += u32::from(shared > 0);
    }
    node.settle_shared(&before);
    Ok(())
}
