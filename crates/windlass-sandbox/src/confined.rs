//! Programs that somebody installed beside Windlass, run on files of a repository: with no network, few files, little
//! memory and an end.
//!
//! The program is started by a child of Windlass that confines itself first (`launcher`) and then becomes the program:
//! a seccomp filter leaves it without sockets and without a way out of its process group, Landlock, where the kernel has it, without
//! files beside those it needs. Here its time, its output, its processes and their memory are watched; when one is
//! over, the whole group is killed.

mod files;
mod filter;
mod group;
pub(crate) mod launcher;

use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use group::Group;

/// A program that runs for longer than this is ended: Argo CD's `ARGOCD_EXEC_TIMEOUT`.
pub const PLUGIN_SECONDS: u64 = 90;

/// Memory that a program and its children may take together. Helm takes a tenth of it for the largest public charts.
pub const PLUGIN_MEMORY_BYTES: u64 = 1024 * 1024 * 1024;

/// What a program may print: as much as all manifests of a folder may be, several times.
pub const PLUGIN_OUTPUT_BYTES: u64 = 64 * 1024 * 1024;

/// A program and its children, at once. A shell script with a pipeline has a handful.
pub const PLUGIN_PROCESSES: usize = 64;

/// Each file that a program writes is no larger than this.
pub const PLUGIN_FILE_BYTES: u64 = 256 * 1024 * 1024;

/// Of what a program says on stderr, this much of its end is quoted.
const LAST_WORDS_BYTES: usize = 4096;

/// How often processes and their memory are counted.
const TICK: Duration = Duration::from_millis(50);

/// What a program may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobLimits {
    /// The time from its start to its end.
    pub time: Duration,
    /// The memory of its processes together; each alone may also not ask for more.
    pub memory_bytes: u64,
    /// What it prints.
    pub output_bytes: u64,
    /// Its processes at once.
    pub processes: usize,
    /// Each file that it writes.
    pub file_bytes: u64,
}

impl Default for JobLimits {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(PLUGIN_SECONDS),
            memory_bytes: PLUGIN_MEMORY_BYTES,
            output_bytes: PLUGIN_OUTPUT_BYTES,
            processes: PLUGIN_PROCESSES,
            file_bytes: PLUGIN_FILE_BYTES,
        }
    }
}

/// Whether a program is confined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Confinement {
    /// It is, or it does not run.
    #[default]
    Required,
    /// It is as far as the kernel can, and runs in any case: for programs that are trusted like Windlass itself.
    WherePossible,
}

/// A program to run.
#[derive(Debug, Clone)]
pub struct Job<'a> {
    /// The program, as found in its `PATH` or from its folder on, and its arguments.
    pub command: &'a [String],
    /// The folder that it runs in.
    pub folder: &'a Path,
    /// All of its environment.
    pub environment: &'a [(String, String)],
    /// Files and folders that it may read and run besides the system's own.
    pub readable: &'a [PathBuf],
    /// Folders that it may do anything in.
    pub writable: &'a [PathBuf],
    /// Whether it may use the network.
    pub network: bool,
    /// Whether it is confined.
    pub confinement: Confinement,
    /// What it may use.
    pub limits: JobLimits,
}

/// Why a program gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// There is no command.
    #[error("the command is empty")]
    NoCommand,
    /// Windlass could not start its own child.
    #[error("no process could be started for it")]
    Start(#[source] io::Error),
    /// The child could not become the program.
    #[error("{0}")]
    Launch(String),
    /// It ran for too long.
    #[error("it ran for more than {} seconds (limit PLUGIN_SECONDS, see --plugin-seconds)", .0.as_secs_f32())]
    Late(Duration),
    /// Its processes took too much memory together.
    #[error("it takes more than {0} bytes of memory (limit PLUGIN_MEMORY_BYTES)")]
    Memory(u64),
    /// It printed too much.
    #[error("it prints more than {0} bytes (limit PLUGIN_OUTPUT_BYTES)")]
    Output(u64),
    /// It started too many processes.
    #[error("it runs more than {0} processes at once (limit PLUGIN_PROCESSES)")]
    Processes(usize),
    /// It ended by itself, without success.
    #[error("it ended with {status}{}{}", Words(.words), hint(.words, *.network))]
    Failed {
        /// Its status.
        status: ExitStatus,
        /// The end of what it said on stderr.
        words: String,
        /// Whether it might have used the network.
        network: bool,
    },
    /// Its process could not be waited for.
    #[error("its process could not be followed")]
    Lost(#[source] io::Error),
}

/// What a program said, if it said anything.
struct Words<'a>(&'a str);

impl std::fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, ": {}", self.0) }
    }
}

/// What probably made a program fail, by what it said.
fn hint(words: &str, network: bool) -> &'static str {
    const OF_NETWORK: [&str; 6] = [
        "network is unreachable",
        "name resolution",
        "resolve host",
        "could not connect",
        "couldn't connect",
        "no such host",
    ];
    const OF_MEMORY: [&str; 4] =
        ["cannot allocate memory", "out of memory", "memoryerror", "memory exhausted"];
    let words = words.to_lowercase();
    if !network && OF_NETWORK.iter().any(|sign| words.contains(sign)) {
        " (it has no network unless its definition says so)"
    } else if OF_MEMORY.iter().any(|sign| words.contains(sign)) {
        " (limit PLUGIN_MEMORY_BYTES)"
    } else {
        ""
    }
}

/// Runs a program to its end and answers what it printed. Nothing that it started is left.
///
/// `launcher` is a program that calls [`serve_if_child`](crate::serve_if_child); usually [`THIS_PROGRAM`](crate::THIS_PROGRAM).
///
/// # Errors
///
/// [`JobError`] when it does not end well or goes beyond a limit.
pub fn run(launcher: &Path, job: &Job<'_>) -> Result<Vec<u8>, JobError> {
    if job.command.is_empty() {
        return Err(JobError::NoCommand);
    }
    let deadline = Instant::now() + job.limits.time;
    let child = Command::new(launcher)
        .arg(launcher::PLUGIN_ARGUMENT)
        .arg(launcher::instructions(job))
        .env_clear()
        .envs(job.environment.iter().map(|(name, value)| (name, value)))
        .current_dir(job.folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(JobError::Start)?;
    let mut running = Running { group: Group::led_by(&child), child, ended: false };
    let mut printed = Printed::default();
    running.follow(job, deadline, &mut printed)?;
    let status = running.end().map_err(JobError::Lost)?;
    running.drain(&mut printed, job.limits.output_bytes)?;
    printed.answer(status, job)
}

/// What a program said so far.
#[derive(Default)]
struct Printed {
    out: Vec<u8>,
    words: Vec<u8>,
}

impl Printed {
    fn answer(self, status: ExitStatus, job: &Job<'_>) -> Result<Vec<u8>, JobError> {
        if status.success() {
            return Ok(self.out);
        }
        if status.signal() == Some(Signal::XCPU.as_raw()) {
            return Err(JobError::Late(job.limits.time));
        }
        let words = String::from_utf8_lossy(&self.words).trim().to_owned();
        if status.code() == Some(launcher::NOT_STARTED)
            && let Some(problem) = words.strip_prefix(launcher::NOT_STARTED_WORDS)
        {
            return Err(JobError::Launch(problem.trim().to_owned()));
        }
        Err(JobError::Failed { status, words, network: job.network })
    }

    /// Takes what is there of one stream; false at its end.
    fn take(&mut self, from: &mut impl io::Read, is_words: bool, limit: u64) -> Result<bool, JobError> {
        let mut block = [0; 64 * 1024];
        let count = match from.read(&mut block) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(true),
            Err(error) => return Err(JobError::Lost(error)),
        };
        if is_words {
            self.words.extend_from_slice(&block[..count]);
            if self.words.len() > 2 * LAST_WORDS_BYTES {
                self.words.drain(..self.words.len() - LAST_WORDS_BYTES);
            }
        } else {
            self.out.extend_from_slice(&block[..count]);
            if self.out.len() as u64 > limit {
                return Err(JobError::Output(limit));
            }
        }
        Ok(count > 0)
    }
}

/// A program that runs; its group ends with this value.
struct Running {
    child: Child,
    group: Group,
    ended: bool,
}

impl Running {
    /// Reads what it says until it ends, and watches over it.
    fn follow(&mut self, job: &Job<'_>, deadline: Instant, printed: &mut Printed) -> Result<(), JobError> {
        let pid = Pid::from_child(&self.child);
        let end = pidfd_open(pid, PidfdFlags::empty()).map_err(|error| JobError::Lost(error.into()))?;
        let mut next_count = Instant::now() + TICK;
        loop {
            let now = Instant::now();
            if now >= deadline {
                return Err(JobError::Late(job.limits.time));
            }
            if now >= next_count {
                self.count(job)?;
                next_count = now + TICK;
            }
            let wait = deadline.min(next_count).saturating_duration_since(now);
            let wait = Timespec::try_from(wait).map_err(|_| JobError::Late(job.limits.time))?;
            let (out, words) = (&self.child.stdout, &self.child.stderr);
            let mut fds = vec![PollFd::new(&end, PollFlags::IN)];
            fds.extend(out.iter().map(|out| PollFd::new(out, PollFlags::IN)));
            fds.extend(words.iter().map(|words| PollFd::new(words, PollFlags::IN)));
            match poll(&mut fds, Some(&wait)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(JobError::Lost(error.into())),
            }
            let mut ready = fds.iter().map(|fd| !fd.revents().is_empty());
            let has_ended = ready.next() == Some(true);
            let out_ready = out.is_some() && ready.next() == Some(true);
            let words_ready = words.is_some() && ready.next() == Some(true);
            drop(fds);
            let limit = job.limits.output_bytes;
            if out_ready
                && let Some(out) = &mut self.child.stdout
                && !printed.take(out, false, limit)?
            {
                self.child.stdout = None;
            }
            if words_ready
                && let Some(words) = &mut self.child.stderr
                && !printed.take(words, true, limit)?
            {
                self.child.stderr = None;
            }
            if has_ended {
                return Ok(());
            }
        }
    }

    fn count(&self, job: &Job<'_>) -> Result<(), JobError> {
        let usage = self.group.usage();
        if usage.processes > job.limits.processes {
            return Err(JobError::Processes(job.limits.processes));
        }
        if usage.memory_bytes > job.limits.memory_bytes {
            return Err(JobError::Memory(job.limits.memory_bytes));
        }
        Ok(())
    }

    /// Kills what is left of the group, and then takes the status: as long as nobody did, its number is nobody else's.
    fn end(&mut self) -> io::Result<ExitStatus> {
        let _ = kill_process_group(self.group.leader(), Signal::KILL);
        self.ended = true;
        self.child.wait()
    }

    /// Reads what is left in the pipes of a group that is gone.
    fn drain(&mut self, printed: &mut Printed, limit: u64) -> Result<(), JobError> {
        if let Some(mut out) = self.child.stdout.take() {
            while printed.take(&mut out, false, limit)? {}
        }
        if let Some(mut words) = self.child.stderr.take() {
            while printed.take(&mut words, true, limit)? {}
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended {
            // None stays as a zombie.
            let _ = self.end();
            // Those that hold the pipes are gone when these end.
            let out = self.child.stdout.take().map(|mut out| io::copy(&mut out, &mut io::sink()));
            let words = self.child.stderr.take().map(|mut words| io::copy(&mut words, &mut io::sink()));
            let _ = (out, words);
        }
    }
}
