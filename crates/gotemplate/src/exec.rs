//! Executes templates.

use crate::context::Context;
use crate::error::ExecError;
use crate::value::Value;

/// Executes the template `name` of the context's set.
pub(crate) fn execute(_context: &mut Context<'_>, _name: &str, _data: &Value) -> Result<Vec<u8>, ExecError> {
    Ok(Vec::new())
}
