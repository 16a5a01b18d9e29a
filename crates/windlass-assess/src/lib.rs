//! Health per kind, its roll-up, and the resource tree.
