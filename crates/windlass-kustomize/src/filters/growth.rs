//! How much a build may make of what it has read.
//!
//! A short text can ask for a lot: a value that is put into itself again and again doubles each time, and a long label
//! goes onto every object. So whatever is written several times is counted.

use std::cell::Cell;

use crate::error::{Error, Result};
use crate::node::Node;

/// How many bytes transformers may write in one build: a hundred times what the largest public kustomization
/// prints.
pub const MAX_GROWTH: usize = 1 << 30;

/// How many nodes one object may have after a JSON patch: as many as the aliases of one document may stand for.
pub const MAX_OBJECT_NODES: usize = 1_000_000;

/// What a node takes beside its text.
const NODE_BYTES: usize = 32;

/// Counts what transformers write.
#[derive(Debug, Default)]
pub struct Growth(Cell<usize>);

impl Growth {
    /// Counts `times` copies of something of `bytes` bytes.
    ///
    /// # Errors
    /// More than [`MAX_GROWTH`] would have been written.
    pub fn charge(&self, bytes: usize, times: usize) -> Result<()> {
        let written = self.0.get().saturating_add(bytes.saturating_mul(times));
        self.0.set(written);
        if written > MAX_GROWTH {
            let message = format!("transformers write more than the limit MAX_GROWTH of {MAX_GROWTH} bytes");
            return Err(Error::limit(message));
        }
        Ok(())
    }
}

/// About how many bytes a copy of a node takes.
#[must_use]
pub fn weight(node: &Node) -> usize {
    let mut bytes = 0_usize;
    let mut open = vec![node];
    while let Some(node) = open.pop() {
        bytes = bytes.saturating_add(NODE_BYTES + node.as_scalar().map_or(0, |scalar| scalar.value.len()));
        open.extend(node.items());
        for (key, value) in node.members() {
            bytes = bytes.saturating_add(NODE_BYTES + key.value.len());
            open.push(value);
        }
    }
    bytes
}
