//! The Unit, and every value that passes between the stages.
