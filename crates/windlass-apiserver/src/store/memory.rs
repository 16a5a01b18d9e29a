//! The backend that keeps nothing.

use super::{Backend, BackendError, Batch, Loaded, Revision};

/// Makes nothing durable.
pub(super) struct Memory;

impl Backend for Memory {
    fn load(&mut self, _each: &mut dyn FnMut(Loaded)) -> Result<Revision, BackendError> {
        Ok(1)
    }

    fn commit(&mut self, _batch: &Batch<'_>) -> Result<(), BackendError> {
        Ok(())
    }
}
