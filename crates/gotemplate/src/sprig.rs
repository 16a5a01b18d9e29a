//! The functions of sprig, Go's library of template functions.

use crate::function::Functions;

/// Adds them all.
pub fn register(_functions: &mut Functions) {}
