//! How bytes reach a Git server: https through reqwest, ssh through russh, both behind gix's blocking transport.

pub(crate) mod http;
pub(crate) mod known_hosts;
mod private_key;
pub(crate) mod runtime;
pub(crate) mod ssh;

use std::error::Error;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Message, SourceError};
use crate::url::RepositoryUrl;

/// Where a transport leaves its own account of a failure, because gix would only pass on texts.
#[derive(Clone, Debug, Default)]
pub(crate) struct FailureSlot(Arc<Mutex<Option<SourceError>>>);

impl FailureSlot {
    /// Keeps the first failure; what follows is a consequence of it.
    pub(crate) fn put(&self, error: SourceError) -> io::Error {
        let text = error.to_string();
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slot.get_or_insert(error);
        io::Error::other(text)
    }

    /// What went wrong: the transport's own account, or else what gix says.
    pub(crate) fn explain(&self, url: &RepositoryUrl, error: &gix::Error) -> SourceError {
        if let Some(own) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return own;
        }
        let repository = url.to_string();
        let cause = Message::cause(flatten(error));
        let broken_off = error.iter_errors().any(|part| {
            part.downcast_ref::<io::Error>().is_some_and(|io| io.kind() != io::ErrorKind::InvalidData)
        });
        if broken_off {
            SourceError::Unreachable { repository, source: cause }
        } else {
            SourceError::Protocol { repository, source: cause }
        }
    }
}

/// The texts of an error and its causes, outermost first, each once.
pub(crate) fn flatten(error: &gix::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    for part in error.iter_errors() {
        let text = part.to_string();
        if !text.is_empty() && !parts.iter().any(|seen| seen.contains(&text)) {
            parts.push(text);
        }
    }
    parts.join(": ")
}

/// The first error of a type in a chain.
pub(crate) fn find_cause<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(current) = next {
        if let Some(found) = current.downcast_ref::<T>() {
            return Some(found);
        }
        // An io::Error says nothing of the error it wraps, which may be another one of its kind: its source is that one's.
        let wrapped = current.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match wrapped {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => current.source(),
        };
    }
    None
}
