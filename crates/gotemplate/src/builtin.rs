//! The functions of the language itself.

use crate::function::{Function, Functions, ShortCircuit};

/// Adds them all.
pub(crate) fn register(functions: &mut Functions) {
    functions.insert("and", Function::short_circuit(ShortCircuit::And));
    functions.insert("or", Function::short_circuit(ShortCircuit::Or));
}
