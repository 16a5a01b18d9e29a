//! What a child may use.

use std::io;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// A program that runs for longer than this is ended: it holds up others. The largest public ones need a tenth of it.
pub const RUN_SECONDS: u64 = 2;

/// Memory that one program may take, its process included. The largest public ones need a tenth of it.
pub const MEMORY_BYTES: u64 = 1024 * 1024 * 1024;

/// The JSON that a program evaluates to, as it is sent. No cluster takes as much from one file.
pub const RESULT_BYTES: u64 = 64 * 1024 * 1024;

/// Children that wait for the next program; those that become free beyond that end.
pub const IDLE_CHILDREN: usize = 2;

/// A child that waited for this long ends: it holds memory for nothing.
pub const IDLE_SECONDS: u64 = 30;

/// What one program may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The time from its start to its result, reading imports included.
    pub time: Duration,
    /// The memory of its process.
    pub memory_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { time: Duration::from_secs(RUN_SECONDS), memory_bytes: MEMORY_BYTES }
    }
}

/// Limits this process: its memory, and that it leaves no image of it behind.
pub(crate) fn limit_memory(bytes: u64) -> io::Result<()> {
    lower(Resource::Core, 0)?;
    lower(Resource::As, bytes)
}

/// Ends this process when it computes for `more` from now on, whatever became of its parent.
///
/// `used` is what it used before. The kernel counts in seconds.
pub(crate) fn limit_computing(used: Duration, more: Duration) -> io::Result<()> {
    let maximum = getrlimit(Resource::Cpu).maximum;
    let seconds = (used + more).as_secs() + 1;
    let current = maximum.map_or(seconds, |maximum| maximum.min(seconds));
    Ok(setrlimit(Resource::Cpu, Rlimit { current: Some(current), maximum })?)
}

/// Sets a limit for good, unless there is a lower one.
pub(crate) fn lower(resource: Resource, limit: u64) -> io::Result<()> {
    let limit = getrlimit(resource).maximum.map_or(limit, |maximum| maximum.min(limit));
    Ok(setrlimit(resource, Rlimit { current: Some(limit), maximum: Some(limit) })?)
}
