//! Room on the stack for what recurses.

/// How much must be left of the stack before something recurses once more: several times the largest frame
/// between two calls of [`deepen`], in an unoptimized build.
const RED_ZONE: usize = 128 << 10;

/// How much is added when less is left.
const SEGMENT: usize = 4 << 20;

/// Calls `body`, on a new piece of stack if little is left of this one.
#[inline]
pub(crate) fn deepen<R>(body: impl FnOnce() -> R) -> R {
    stacker::maybe_grow(RED_ZONE, SEGMENT, body)
}
