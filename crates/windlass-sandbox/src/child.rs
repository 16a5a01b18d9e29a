//! The child's side.

use std::ffi::OsString;
use std::io::{BufReader, Stdin, Stdout, Write as _};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::time::{ClockId, clock_gettime};
use windlass_render::jsonnet::{FILE_BYTES, Files, evaluate_on};

use crate::confined::launcher::{PLUGIN_ARGUMENT, launch};
use crate::limits::{IDLE_SECONDS, limit_computing, limit_memory};
use crate::messages::{Request, of_result, question, receive, send, to_content, to_request};

/// The argument that makes a program that calls [`serve_if_child`] a child that evaluates Jsonnet.
pub(crate) const JSONNET_ARGUMENT: &str = "__jsonnet";

/// Of the child's memory, one part in this many is its stack: for the parser, which goes as deep as the text is nested.
const STACK_SHARE: u64 = 4;

/// Of the parent's answers the largest is a file, in base64.
const ANSWER_BYTES: u64 = FILE_BYTES / 3 * 4 + 1024;

/// Serves as a child if this process was started as one, and says whether it was.
///
/// To be called first thing in `main`, before anything else is done with arguments or threads.
#[must_use]
pub fn serve_if_child() -> bool {
    let mut arguments = std::env::args_os().skip(1);
    let first = arguments.next();
    if first.as_deref() == Some(PLUGIN_ARGUMENT.as_ref()) {
        let code = launch(arguments.next().as_deref());
        #[expect(
            clippy::exit,
            reason = "the parent tells by the code that the program was not even started"
        )]
        std::process::exit(code);
    }
    if first.as_deref() != Some(JSONNET_ARGUMENT.as_ref()) {
        return false;
    }
    let memory = arguments.next().as_deref().and_then(number);
    if let Some(memory) = memory {
        serve(memory);
    }
    true
}

fn number(argument: &std::ffi::OsStr) -> Option<u64> {
    OsString::from(argument).into_string().ok()?.parse().ok()
}

/// Evaluates the programs that stdin names, one after another, asks there for files, and says the results on stdout.
///
/// What cannot be said is left out: the parent sees that the child is gone.
fn serve(memory: u64) {
    // Without its limit it must not run.
    if limit_memory(memory).is_err() {
        return;
    }
    // Where memory is short, a child goes before the engine does.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    // A bug is told as an error; where in the engine it was is of no use to the parent.
    std::panic::set_hook(Box::new(|_| {}));
    let stack = usize::try_from(memory / STACK_SHARE).unwrap_or(usize::MAX);
    let mut parent = Parent { from: BufReader::new(std::io::stdin()), to: std::io::stdout() };
    while parent.is_asking() {
        let Some(Request { program, seconds }) = parent.next() else { return };
        let used = clock_gettime(ClockId::ProcessCPUTime);
        let used = Duration::from_secs(used.tv_sec.try_into().unwrap_or_default());
        if limit_computing(used, Duration::from_secs(seconds)).is_err() {
            return;
        }
        let result = evaluate_on(stack, &program, &mut parent);
        if send(&mut parent.to, &of_result(&result)).is_err() {
            return;
        }
    }
}

struct Parent {
    from: BufReader<Stdin>,
    to: Stdout,
}

impl Parent {
    /// Waits for the next program; false when there is none for a while.
    fn is_asking(&self) -> bool {
        let idle = Timespec { tv_sec: i64::try_from(IDLE_SECONDS).unwrap_or(i64::MAX), tv_nsec: 0 };
        let stdin = std::io::stdin();
        poll(&mut [PollFd::new(&stdin, PollFlags::IN)], Some(&idle)).is_ok_and(|ready| ready > 0)
    }

    fn next(&mut self) -> Option<Request> {
        to_request(&receive(&mut self.from, ANSWER_BYTES)?)
    }
}

impl Files for Parent {
    fn read(&mut self, path: &str) -> Result<Option<Arc<[u8]>>, String> {
        send(&mut self.to, &question(path)).map_err(|error| error.to_string())?;
        let answer = receive(&mut self.from, ANSWER_BYTES).ok_or("nobody answers any more")?;
        Ok(to_content(&answer)?.map(Arc::from))
    }
}

impl Drop for Parent {
    fn drop(&mut self) {
        let _ = self.to.flush();
    }
}
