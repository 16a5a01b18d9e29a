//! Renders a Tree into objects, and remembers by what was read.
