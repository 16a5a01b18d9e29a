//! The parent's side.

use std::io::{self, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use windlass_kube::Value;
use windlass_render::jsonnet::{Engine, Files, JsonnetError, Program};

use crate::child::JSONNET_ARGUMENT;
use crate::limits::{IDLE_CHILDREN, Limits, RESULT_BYTES};
use crate::messages::{content, message, of_request, send, to_result};

/// This program itself, also after it was replaced by a newer one.
pub const THIS_PROGRAM: &str = "/proc/self/exe";

/// Of what a child says when it breaks, this much is read.
const LAST_WORDS_BYTES: u64 = 4096;

/// Signals that end a child, by what they say of it.
const ABORTED: i32 = 6;
const KILLED: i32 = 9;
const SEGMENTATION_FAULT: i32 = 11;
const TIME_EXCEEDED: i32 = 24;

/// Runs Jsonnet programs in children, which are ended when a program goes beyond its limits.
#[derive(Debug)]
pub struct ChildJsonnet {
    program: PathBuf,
    limits: Limits,
    idle: Mutex<Vec<Worker>>,
}

impl ChildJsonnet {
    /// Children that run this very program, which calls [`serve_if_child`](crate::serve_if_child).
    #[must_use]
    pub fn of_this_program(limits: Limits) -> Self {
        Self::new(THIS_PROGRAM.into(), limits)
    }

    /// Children that run another program that calls [`serve_if_child`](crate::serve_if_child).
    #[must_use]
    pub fn new(program: PathBuf, limits: Limits) -> Self {
        Self { program, limits, idle: Mutex::new(Vec::new()) }
    }

    fn take_idle(&self) -> Option<Worker> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn keep_idle(&self, worker: Worker) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_CHILDREN {
            idle.push(worker);
        }
    }

    fn failed(&self, ended: &Ended) -> JsonnetError {
        let Limits { time, memory_bytes } = self.limits;
        let problem = match ended {
            Ended::Late => format!(
                "it ran for more than {} seconds (limit RUN_SECONDS, see --jsonnet-seconds)",
                time.as_secs_f32()
            ),
            Ended::OutOfMemory => {
                format!("it takes more than {memory_bytes} bytes of memory (limit MEMORY_BYTES)")
            }
            Ended::OutOfStack => {
                "it is nested deeper than the stack allows, which is a quarter of its memory (limit STACK_SHARE)"
                    .to_owned()
            }
            Ended::TooMuch => {
                format!("what it evaluates to is longer than {RESULT_BYTES} bytes (limit RESULT_BYTES)")
            }
            Ended::Gone(status) => format!("its process ended before it was done ({status})"),
        };
        let may_pass = matches!(ended, Ended::Late | Ended::Gone(_));
        JsonnetError { may_pass, ..JsonnetError::new(problem) }
    }
}

impl Engine for ChildJsonnet {
    fn evaluate(&self, program: &Program, files: &mut dyn Files) -> Result<String, JsonnetError> {
        let deadline = Instant::now() + self.limits.time;
        // One that waited may have ended meanwhile; then nothing was said, and a fresh one is asked.
        while let Some(mut worker) = self.take_idle() {
            match worker.ask(program, files, self.limits.time, deadline) {
                Ok(result) => {
                    self.keep_idle(worker);
                    return result;
                }
                Err(_) if !worker.has_spoken => {}
                Err(lost) => return Err(self.failed(&worker.end(&lost))),
            }
        }
        let failed = |error| JsonnetError {
            may_pass: true,
            ..JsonnetError::new(format!("no process could be started for it: {error}"))
        };
        let mut worker = Worker::start(&self.program, self.limits.memory_bytes).map_err(failed)?;
        match worker.ask(program, files, self.limits.time, deadline) {
            Ok(result) => {
                self.keep_idle(worker);
                result
            }
            Err(lost) => Err(self.failed(&worker.end(&lost))),
        }
    }
}

/// Why a child does not answer.
enum Lost {
    Late,
    TooMuch,
    Gone,
}

/// How a child ended.
enum Ended {
    Late,
    OutOfMemory,
    OutOfStack,
    TooMuch,
    Gone(String),
}

/// A child with its pipes; it ends with this value.
#[derive(Debug)]
struct Worker {
    child: Child,
    to: ChildStdin,
    from: ChildStdout,
    last_words: ChildStderr,
    /// What came of the next message.
    received: Vec<u8>,
    /// Whether it said anything since it was asked.
    has_spoken: bool,
}

impl Worker {
    fn start(program: &Path, memory_bytes: u64) -> io::Result<Self> {
        let mut child = Command::new(program)
            .args([JSONNET_ARGUMENT, &memory_bytes.to_string()])
            .env_clear()
            // The allocator of Windlass reserves a whole limit's worth at once; in KiB.
            .env("MIMALLOC_ARENA_RESERVE", "65536")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(to), Some(from), Some(last_words)) = pipes else {
            return Err(io::Error::other("it has no pipes"));
        };
        Ok(Self { child, to, from, last_words, received: Vec::new(), has_spoken: false })
    }

    /// Answers the child's questions until it says the result.
    fn ask(
        &mut self,
        program: &Program,
        files: &mut dyn Files,
        time: Duration,
        deadline: Instant,
    ) -> Result<Result<String, JsonnetError>, Lost> {
        self.has_spoken = false;
        let seconds = time.as_secs() + 1;
        send(&mut self.to, &of_request(program, seconds)).map_err(|_| Lost::Gone)?;
        loop {
            let message = self.receive(deadline)?;
            match message.str_at(&["read"]) {
                Some(path) => {
                    let read = files.read(path);
                    let answer = content(read.as_ref().map(Option::as_deref).map_err(Clone::clone));
                    send(&mut self.to, &answer).map_err(|_| Lost::Gone)?;
                }
                None => return to_result(&message).ok_or(Lost::Gone),
            }
        }
    }

    /// The next message, which the child has until `deadline` to say.
    fn receive(&mut self, deadline: Instant) -> Result<Value, Lost> {
        let mut block = [0; 64 * 1024];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let left = Timespec::try_from(left).map_err(|_| Lost::Late)?;
            match poll(&mut [PollFd::new(&self.from, PollFlags::IN)], Some(&left)) {
                Ok(0) => return Err(Lost::Late),
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(_) => return Err(Lost::Gone),
            }
            let count = self.from.read(&mut block).map_err(|_| Lost::Gone)?;
            if count == 0 {
                return Err(Lost::Gone);
            }
            self.has_spoken = true;
            self.received.extend_from_slice(&block[..count]);
            if self.received.len() as u64 > RESULT_BYTES {
                return Err(Lost::TooMuch);
            }
            // A child says nothing before it is asked, so what ends a message ends the block.
            if self.received.last() == Some(&b'\n') {
                let message = message(&self.received);
                self.received.clear();
                return message.ok_or(Lost::Gone);
            }
        }
    }

    /// Ends the child and says how it ended by itself, if it did.
    fn end(mut self, lost: &Lost) -> Ended {
        match lost {
            Lost::Late => return Ended::Late,
            Lost::TooMuch => return Ended::TooMuch,
            Lost::Gone => {}
        }
        // One that ends already keeps the status that it ends with.
        let _ = self.child.kill();
        let Ok(status) = self.child.wait() else { return Ended::Gone("its status is not known".into()) };
        let mut words = Vec::new();
        let _ = (&mut self.last_words).take(LAST_WORDS_BYTES).read_to_end(&mut words);
        let words = String::from_utf8_lossy(&words);
        match status.signal() {
            Some(TIME_EXCEEDED) => Ended::Late,
            Some(SEGMENTATION_FAULT) => Ended::OutOfStack,
            Some(ABORTED) if words.contains("overflowed its stack") => Ended::OutOfStack,
            Some(ABORTED | KILLED) => Ended::OutOfMemory,
            _ => Ended::Gone(status.to_string()),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        // None stays as a zombie.
        let _ = self.child.wait();
    }
}
