//! The `windlass` binary: verbs and printing, thin.

fn main() {}
