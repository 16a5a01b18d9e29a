//! Values added to fields, or put into file paths that fields hold (`ValueAddTransformer`).

use super::field_spec::set_scalar;
use super::path;
use crate::error::Result;
use crate::node::{Kind, Node, Scalar};

/// Sets the field at `field_path` to `value`; with a position above 0, puts the value into the file path there
/// instead, as its part with that number.
///
/// # Errors
/// A step into a node of another kind; a field that is no scalar.
pub fn add(node: &mut Node, value: &str, field_path: &str, position: usize) -> Result<()> {
    let mut parts: Vec<String> = Vec::new();
    for piece in field_path.split('/') {
        match parts.last_mut() {
            Some(last) if last.ends_with('\\') => {
                last.pop();
                last.push('/');
                last.push_str(piece);
            }
            _ => parts.push(piece.to_owned()),
        }
    }
    let before = node.shared_scalars();
    let Some(field) = path::lookup_create(node, Kind::Scalar, &parts)? else { return Ok(()) };
    field.expect_kind(Kind::Scalar)?;
    let value = match position.checked_sub(1) {
        Some(position) => insert_part(field.text(), position, value),
        None => value.to_owned(),
    };
    if value.is_empty() {
        return Ok(());
    }
    set_scalar(field, Scalar::untagged(value))?;
    node.settle_shared(&before);
    Ok(())
}

/// Puts a part into a file path; a position past the end is the end. An absolute path stays absolute.
fn insert_part(file_path: &str, position: usize, part: &str) -> String {
    if part.is_empty() {
        return file_path.to_owned();
    }
    let is_absolute = file_path.starts_with('/');
    let mut parts: Vec<&str> = file_path.split('/').filter(|part| !part.is_empty()).collect();
    parts.insert(position.min(parts.len()), part);
    let joined = parts.join("/");
    if is_absolute { format!("/{joined}") } else { joined }
}

#[cfg(test)]
mod tests {
    use super::insert_part;

    #[test]
    fn puts_parts_where_kustomize_documents_it() {
        for (old, new, position) in [
            ("", "PEACH", 4),
            ("/", "/PEACH", 4),
            ("pie", "PEACH/pie", 0),
            ("/pie", "/PEACH/pie", 0),
            ("raw", "raw/PEACH", 1),
            ("/raw", "/raw/PEACH", 7),
            ("a/nice/warm/pie", "a/nice/warm/PEACH/pie", 3),
            ("/a/nice/warm/pie", "/a/nice/warm/PEACH/pie", 3),
        ] {
            assert_eq!(insert_part(old, position, "PEACH"), new, "{old:?} {position}");
        }
    }
}
