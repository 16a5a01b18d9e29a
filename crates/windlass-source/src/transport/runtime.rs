//! The small runtime that connections live on, and waiting for them from blocking code.

use std::future::Future;
use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::runtime::{Handle, Runtime};
use tokio::sync::Notify;

use crate::error::{Message, SourceError};

/// Threads that move bytes and decrypt them; the work on what arrives is done by the callers' threads.
const WORKERS: usize = 2;

/// A runtime, started with the first connection, and the sign that everything has to end.
#[derive(Debug, Default)]
pub(crate) struct IoRuntime {
    runtime: OnceLock<Runtime>,
    interrupted: AtomicBool,
    sign: Notify,
}

/// Why a wait ended without a result.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// Nothing came within the limit.
    Silent(Duration),
    /// The program is shutting down.
    Cancelled,
    /// There is no runtime to wait on.
    NoRuntime(io::Error),
}

impl IoRuntime {
    /// Waits for `future`, for `limit` at most and no longer than until the interruption.
    ///
    /// Must not be called from asynchronous code.
    pub(crate) fn wait<T>(&self, limit: Duration, future: impl Future<Output = T>) -> Result<T, Stopped> {
        let handle = self.handle().map_err(Stopped::NoRuntime)?;
        handle.block_on(async {
            // Created before the flag is looked at, so that no sign is missed between the two.
            let sign = self.sign.notified();
            if self.interrupted.load(Ordering::Relaxed) {
                return Err(Stopped::Cancelled);
            }
            tokio::select! {
                result = tokio::time::timeout(limit, future) => result.map_err(|_| Stopped::Silent(limit)),
                () = sign => Err(Stopped::Cancelled),
            }
        })
    }

    /// Ends every wait, present and future.
    pub(crate) fn interrupt(&self) {
        self.interrupted.store(true, Ordering::Relaxed);
        self.sign.notify_waiters();
    }

    /// The flag that [`interrupt`](Self::interrupt) sets.
    pub(crate) fn interrupted(&self) -> &AtomicBool {
        &self.interrupted
    }

    fn handle(&self) -> io::Result<Handle> {
        if let Some(runtime) = self.runtime.get() {
            return Ok(runtime.handle().clone());
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .thread_name("source-io")
            .enable_all()
            .build()?;
        Ok(self.runtime.get_or_init(|| runtime).handle().clone())
    }
}

impl Stopped {
    /// What to tell about a repository.
    pub(crate) fn into_error(self, repository: &(impl std::fmt::Display + ?Sized)) -> SourceError {
        let repository = repository.to_string();
        match self {
            Self::Silent(limit) => SourceError::Silent { repository, limit },
            Self::Cancelled => SourceError::Cancelled { repository },
            Self::NoRuntime(error) => SourceError::Unreachable {
                repository,
                source: Message::cause(format!("no thread can be started: {error}")),
            },
        }
    }
}

/// A runtime may not be waited for from asynchronous code, where a store may well be dropped.
impl Drop for IoRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
