//! What can go wrong while a fake or a harness is set up or driven.

use std::{error::Error as _, fmt, io, path::PathBuf, time::Duration};

/// The result of everything fallible in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a fake or a harness could not do what it was asked.
///
/// Nobody matches on these: a test prints them and fails. They are one type so that a test
/// can use `?` throughout. `Debug` prints the message and its causes, so that `unwrap()` reads well.
#[derive(thiserror::Error)]
pub enum Error {
    /// The operating system refused something.
    #[error("cannot {attempt}")]
    Io {
        /// What was being attempted, on what.
        attempt: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// A program this crate drives is not on this machine.
    #[error("{program} is not installed: {remedy}")]
    NotInstalled {
        /// The program that was looked for.
        program: String,
        /// What to do about it.
        remedy: String,
    },
    /// A program ran and failed.
    #[error("{program} failed ({status}): {output}")]
    Program {
        /// The command that was run.
        program: String,
        /// How it ended.
        status: String,
        /// What it printed to standard error, shortened.
        output: String,
    },
    /// A program was started and did not become ready in time, or ended first.
    #[error("{what} did not become ready within {waited:?}: {last} (logs: {logs})", logs = logs.display())]
    NotReady {
        /// What was waited for.
        what: String,
        /// For how long.
        waited: Duration,
        /// What was wrong the last time it was looked at.
        last: String,
        /// Where its output is.
        logs: PathBuf,
    },
    /// A certificate or key could not be made.
    #[error("cannot make a certificate for {subject}: {reason}")]
    Certificate {
        /// Who the certificate is for.
        subject: String,
        /// What was wrong.
        reason: String,
    },
    /// A call to the cluster's API failed.
    #[error(transparent)]
    Api(#[from] crate::ApiError),
    /// Something did not happen in time.
    #[error(transparent)]
    Overdue(#[from] crate::Overdue),
}

impl Error {
    /// Wraps an I/O error with what was being attempted.
    pub(crate) fn io(attempt: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let attempt = attempt.into();
        move |source| Self::Io { attempt, source }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")?;
        let mut cause = self.source();
        while let Some(error) = cause {
            write!(formatter, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
