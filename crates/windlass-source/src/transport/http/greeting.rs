//! What a server says of itself when it is greeted, kept so that a poll is one request.
//!
//! With protocol 2 the greeting names what the server can do, and nothing of the repository. Git asks for it in every
//! conversation, because each of its processes begins with nothing.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;

/// How long a greeting counts. A server that is replaced is noticed before, by what it refuses; this bounds how long one
/// that has learned something is asked for less than it can.
const KEPT_FOR: Duration = Duration::from_secs(60 * 60);

/// Longest greeting that is kept. One of protocol 2 has some 200 bytes; an older one lists all references.
const MAX_BYTES: usize = 4096;

/// The greeting of one repository, as far as it is known.
#[derive(Debug, Default)]
pub(crate) struct Greeting(Mutex<Option<Kept>>);

/// A greeting that was heard.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) body: Bytes,
    /// The address that the server has led to.
    pub(super) redirected: Option<String>,
    heard: Instant,
}

impl Greeting {
    /// What was said, unless that is too long ago.
    pub(super) fn get(&self) -> Option<Kept> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.clone().filter(|kept| kept.heard.elapsed() < KEPT_FOR)
    }

    /// Forgets it, so that the next conversation begins with a greeting. Answers whether there was one.
    pub(crate) fn forget(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().is_some()
    }

    fn keep(&self, body: Vec<u8>, redirected: Option<String>) {
        // A packet line of its own, in Git's words (gitprotocol-v2).
        if body.windows(14).any(|line| line == b"000eversion 2\n") {
            let kept = Kept { body: body.into(), redirected, heard: Instant::now() };
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
        }
    }
}

/// Listens to a greeting while it is read.
pub(super) struct Listener {
    greeting: Arc<Greeting>,
    redirected: Option<String>,
    heard: Vec<u8>,
    is_too_long: bool,
}

impl Listener {
    pub(super) fn new(greeting: &Arc<Greeting>, redirected: Option<String>) -> Self {
        Self { greeting: greeting.clone(), redirected, heard: Vec::new(), is_too_long: false }
    }

    /// Some more bytes of it; none is its end.
    pub(super) fn hear(&mut self, bytes: &[u8]) {
        if bytes.is_empty() && !self.is_too_long {
            self.greeting.keep(std::mem::take(&mut self.heard), self.redirected.take());
        }
        if self.heard.len() + bytes.len() > MAX_BYTES {
            self.is_too_long = true;
        } else {
            self.heard.extend_from_slice(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_greetings_of_protocol_2_are_kept() {
        let heard = |pieces: &[&[u8]]| {
            let greeting = Arc::<Greeting>::default();
            let mut listener = Listener::new(&greeting, None);
            pieces.iter().for_each(|piece| listener.hear(piece));
            greeting.get().map(|kept| kept.body)
        };
        let whole: &[u8] = b"001e# service=git-upload-pack\n0000000eversion 2\n0012fetch=shallow0000";
        assert_eq!(heard(&[&whole[..9], &whole[9..], b""]).as_deref(), Some(whole));
        assert_eq!(heard(&[whole]), None, "its end was not heard");
        assert_eq!(heard(&[b"001e# service=git-upload-pack\n0000", b""]), None);
        assert_eq!(heard(&[whole, &[b'x'; MAX_BYTES], b""]), None);
    }
}
