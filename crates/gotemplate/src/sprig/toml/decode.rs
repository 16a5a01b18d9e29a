//! The decoder.

use crate::value::Map;

/// Reads a document into a map; the error is in the original's words.
pub(super) fn document(_text: &str, _into: &Map) -> Result<(), String> {
    Ok(())
}
