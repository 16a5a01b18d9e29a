//! Following objects as they change.

use windlass_kube::Object;

use crate::status::Status;
use crate::store::Revision;

/// What a watch tells.
#[derive(Clone, Debug)]
pub enum WatchEvent {
    /// An object is new, or now matches.
    Added(Object),
    /// An object changed.
    Modified(Object),
    /// An object is gone, or matches no longer; this is its last state.
    Deleted(Object),
    /// Everything up to this revision has been told; `initial` ends the initial events.
    Bookmark {
        /// The revision.
        revision: Revision,
        /// Whether this ends the events for objects that were there before.
        initial: bool,
    },
}

/// A stream of [`WatchEvent`]s; ends only with an error.
pub struct Watch {}

impl Watch {
    /// The next event. Cancelling loses nothing.
    ///
    /// # Errors
    ///
    /// `Expired` when the reader was too slow; list again.
    pub async fn next(&mut self) -> Result<WatchEvent, Status> {
        std::future::pending().await
    }
}
