//! Dropping values that nest deeply, without using the stack for it.

use std::cell::{Cell, RefCell};

use super::Value;

/// How many containers may be dropped inside each other before the rest is queued.
///
/// A template can nest a list into a list a million times; dropping that by recursion would overflow the
/// stack. At this depth a drop uses some ten kilobytes of it.
const MAX_NESTED_DROPS: usize = 64;

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    static QUEUE: RefCell<Vec<Value>> = const { RefCell::new(Vec::new()) };
}

/// Drops `values`, now or when the outermost drop is done.
pub(super) fn values(values: Vec<Value>) {
    let depth = DEPTH.try_with(Cell::get).unwrap_or(0);
    if depth >= MAX_NESTED_DROPS {
        // Where the queue is gone already (the thread ends), nothing is left but recursion.
        let _ = QUEUE.try_with(|queue| queue.borrow_mut().extend(values));
        return;
    }
    let _ = DEPTH.try_with(|cell| cell.set(depth + 1));
    drop(values);
    if depth == 0 {
        while let Some(value) = QUEUE.try_with(|queue| queue.borrow_mut().pop()).ok().flatten() {
            drop(value);
        }
    }
    let _ = DEPTH.try_with(|cell| cell.set(depth));
}
