//! A program that dies with its guard, and with its owner.

use crate::{Error, Result, SmallDisk, keeper::Keeper};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    ffi::{OsStr, OsString},
    fs::File,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// How often a program that was asked to stop is looked at.
const GLANCE: Duration = Duration::from_millis(10);

/// How much of the end of a log is quoted in an error.
const QUOTED_LOG_BYTES: usize = 2_000;

/// A running program; dropping it kills it.
///
/// It also ends when the process that started it ends, however that happens. Its output goes to a file.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Prepares to start `program`, which is looked up like a shell would.
    pub fn builder(program: impl AsRef<OsStr>) -> ProcessBuilder {
        let command = Command::new(program.as_ref());
        let name = Path::new(program.as_ref()).file_name().unwrap_or(program.as_ref());
        ProcessBuilder { name: name.to_string_lossy().into_owned(), command, log: None, group: None }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What the program is called in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file that standard output and standard error go to.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The end of the log, for a message.
    pub fn log_tail(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let start = text.len().saturating_sub(QUOTED_LOG_BYTES);
        String::from_utf8_lossy(&text[start..]).into_owned()
    }

    /// How the program ended, if it has.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Kills the program at once, as `kill -9` does, and waits until it is gone.
    pub fn kill(&mut self) {
        // Both fail only when the program has ended and was waited for: then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends the signal that asks a program to stop.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends the signal of Ctrl-C.
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// Asks the program to stop, and kills it after `grace`.
    ///
    /// Blocks the thread. Returns how it ended.
    ///
    /// # Errors
    /// When the program cannot be waited for.
    pub fn stop(&mut self, grace: Duration) -> Result<ExitStatus> {
        self.terminate();
        let deadline = Instant::now() + grace;
        while Instant::now() < deadline {
            if let Some(status) = self.exited() {
                return Ok(status);
            }
            std::thread::sleep(GLANCE);
        }
        let _ = self.child.kill();
        self.child.wait().map_err(Error::io(format!("wait for {}", self.name)))
    }

    /// Waits until the program ends by itself, for at most `timeout`.
    ///
    /// Blocks the thread. `None` when it still runs.
    pub fn wait(&mut self, timeout: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + timeout;
        loop {
            let status = self.exited();
            if status.is_some() || Instant::now() >= deadline {
                return status;
            }
            std::thread::sleep(GLANCE);
        }
    }

    /// Lets go: the program ends with its group, no longer with this guard.
    pub(crate) fn release(self) {
        std::mem::forget(self);
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // Fails only when the program has ended.
            let _ = kill_process(pid, signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// How to start a [`Process`].
#[derive(Debug)]
pub struct ProcessBuilder {
    name: String,
    command: Command,
    log: Option<PathBuf>,
    group: Option<i32>,
}

impl ProcessBuilder {
    /// Calls it something else than its file name in messages.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Adds one argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Adds arguments.
    pub fn args(mut self, arguments: impl IntoIterator<Item: Into<OsString>>) -> Self {
        self.command.args(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Takes an environment variable away that this process has.
    pub fn env_remove(mut self, name: impl AsRef<OsStr>) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Sets the working directory.
    pub fn current_dir(mut self, directory: impl AsRef<Path>) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// Writes output to this file instead of one under `target/testing/logs`.
    pub fn log(mut self, file: impl Into<PathBuf>) -> Self {
        self.log = Some(file.into());
        self
    }

    /// Runs the program where it sees this disk. To be called after all else, but for [`start`](Self::start).
    pub fn on(mut self, disk: &SmallDisk) -> Self {
        let mut enter = disk.enter().into_iter();
        let mut command = Command::new(enter.next().unwrap_or_default());
        command.args(enter).arg(self.command.get_program()).args(self.command.get_args());
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(directory) = self.command.get_current_dir() {
            command.current_dir(directory);
        }
        self.command = command;
        self
    }

    /// Joins this process group instead of the one that ends with this process.
    pub(crate) fn group(mut self, group: i32) -> Self {
        self.group = Some(group);
        self
    }

    /// Starts the program.
    ///
    /// # Errors
    /// When it cannot be started, or its log cannot be written.
    pub fn start(mut self) -> Result<Process> {
        let log = match self.log {
            Some(log) => log,
            None => crate::tools::log_file(&self.name)?,
        };
        let group = match self.group {
            Some(group) => group,
            None => Keeper::of_this_process()?.group(),
        };
        let cannot_log = || Error::io(format!("write the log {}", log.display()));
        let output = File::options().create(true).append(true).open(&log).map_err(cannot_log())?;
        let errors = output.try_clone().map_err(cannot_log())?;
        self.command.process_group(group).stdin(Stdio::null()).stdout(output).stderr(errors);
        let child = self.command.spawn().map_err(Error::io(format!("start {}", self.name)))?;
        Ok(Process { name: self.name, child, log })
    }
}
