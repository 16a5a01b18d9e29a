//! Fields that name other objects.

use super::field_spec::{FieldSpec, apply, set_scalar};
use crate::error::{Error, Result};
use crate::node::{Kind, Node, Scalar};

/// A field that names an object.
pub enum NameField<'a> {
    /// The name itself.
    Name(&'a mut Node),
    /// A map with a `name` and perhaps a `namespace`.
    Reference(&'a mut Node),
}

/// Calls `visit` with each name or reference that a spec means; nulls name nothing.
///
/// # Errors
/// A path through what is neither a map nor a list, a list of lists; those of `visit`.
pub fn visit(
    node: &mut Node,
    spec: &FieldSpec,
    visit: &mut dyn FnMut(NameField<'_>) -> Result<()>,
) -> Result<()> {
    apply(node, spec, None, &mut |field| {
        if field.is_null() {
            return Ok(());
        }
        match field.kind() {
            Kind::Scalar => visit(NameField::Name(field)),
            Kind::Mapping => visit(NameField::Reference(field)),
            Kind::Sequence => {
                for item in field.items_mut().into_iter().flatten().filter(|item| !item.is_null()) {
                    match item.kind() {
                        Kind::Scalar => visit(NameField::Name(item))?,
                        Kind::Mapping => visit(NameField::Reference(item))?,
                        Kind::Sequence => {
                            let words = "a list is expected to be either a string or a map of string";
                            return Err(Error::invalid(words));
                        }
                    }
                }
                Ok(())
            }
        }
    })
}

/// Writes a name over a name.
///
/// # Errors
/// A field that is no scalar.
pub fn set_name(field: &mut Node, name: &str) -> Result<()> {
    if name.is_empty() { Ok(()) } else { set_scalar(field, Scalar::untagged(name)) }
}

/// Writes a text into a reference's field; an empty one removes it.
///
/// # Errors
/// A reference that is no map.
pub fn set_reference(reference: &mut Node, field: &str, text: &str) -> Result<()> {
    if text.is_empty() {
        reference.clear(field).map(drop)
    } else {
        reference.set_field(field, Node::untagged(text))
    }
}
