//! The limits a reader keeps, each with its reason.

/// How deep values may nest.
///
/// Go's decoders stop at 10,000. Code over a [`Value`](crate::Value) is recursive all over the project, and a
/// thread's stack is 2 MiB, so every reader here stops where the deepest such function is still safe. The
/// deepest object in the public repositories we compared nests about 40 levels.
pub const MAX_DEPTH: usize = 512;

/// How long a text may be, in bytes; positions are kept in 32 bits, and etcd refuses objects of 1.5 MiB.
pub const MAX_INPUT: usize = 512 * 1024 * 1024;

/// How deep indentation and brackets may nest before the scanner stops; the number is Go's.
pub(crate) const MAX_SYNTAX_DEPTH: usize = 10_000;

/// Limits of one load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How deep values may nest; at most [`MAX_DEPTH`] is sensible.
    pub depth: usize,
    /// How many bytes of text are read.
    pub input: usize,
    /// Whether Go's rule against alias bombs holds: aliases may stand for 99 % of what is decoded up to
    /// 400,000 nodes, falling to 10 % at 4 million.
    pub aliases: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: MAX_DEPTH, input: MAX_INPUT, aliases: true }
    }
}

/// The share of decoded nodes that aliases may stand for.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
pub(crate) fn allowed_alias_ratio(decoded: u64) -> f64 {
    const LOW: u64 = 400_000;
    const HIGH: u64 = 4_000_000;
    match decoded {
        0..=LOW => 0.99,
        HIGH.. => 0.10,
        _ => 0.99 - 0.89 * ((decoded - LOW) as f64 / (HIGH - LOW) as f64),
    }
}
