//! The process that cleans up when its owner no longer can.
//!
//! A test may panic, be interrupted, abort, or be killed with `kill -9`; its children must not stay.
//! Asking the kernel to signal children when their parent dies does not do here: the kernel means the
//! parent *thread*, and each test has a thread of its own. So a keeper, a few lines of POSIX shell, leads
//! a process group that every child joins. It waits for the end of its owner, which it sees in a way that
//! no manner of dying can hide (a pipe that closes, a file lock that is released), and then ends the group.

use crate::{Error, Result};
use std::{
    ffi::OsStr,
    os::unix::process::CommandExt,
    process::{Child, ChildStdin, Command, Stdio},
    sync::OnceLock,
};

/// How long programs have between the polite signal and the other one, in seconds.
const GRACE: &str = "0.5";

/// Ends the group: politely, then for good. The keeper ignores the first and dies of the second.
const END: &str = r#"
kill -TERM 0 2>/dev/null
sleep "$GRACE"
[ -n "$REMOVE" ] && rm -rf -- "$REMOVE"
kill -KILL 0
"#;

/// Waits for the owner's end of the pipe to close.
const UNTIL_PIPE_CLOSES: &str = "cat >/dev/null\n";

/// Waits until no process holds a shared lock on `$LEASE`, and no process whose id is a line of `$HOLDERS`
/// and that is (still) a cargo lives. The lock is kept from then on, so that nobody can join a group that
/// is about to end.
const UNTIL_LEASE_IS_FREE: &str = r#"
exec 9<"$LEASE"
while :; do
  flock -x 9
  held=
  while read -r pid; do
    case "$(cat "/proc/$pid/comm" 2>/dev/null)" in cargo*) held=$pid ;; esac
  done <"$HOLDERS"
  [ -n "$held" ] || break
  flock -u 9
  sleep 0.2
done
rm -f -- "$ANNOUNCEMENT"
"#;

/// Leads a process group and ends it with its owner.
#[derive(Debug)]
pub(crate) struct Keeper {
    group: i32,
    /// Closing this is the signal; it is held for nothing else.
    pipe: Option<ChildStdin>,
    child: Child,
}

impl Keeper {
    /// The keeper of this process: whatever joins it ends when this process does.
    ///
    /// # Errors
    /// When no shell can be started.
    pub(crate) fn of_this_process() -> Result<&'static Self> {
        static KEEPER: OnceLock<Keeper> = OnceLock::new();
        if let Some(keeper) = KEEPER.get() {
            return Ok(keeper);
        }
        let keeper = Self::until_dropped(None)?;
        Ok(KEEPER.get_or_init(|| keeper))
    }

    /// A keeper that ends its group when it is dropped, or this process ends, and removes `directory` then.
    pub(crate) fn until_dropped(directory: Option<&std::path::Path>) -> Result<Self> {
        let variables = [("REMOVE", directory.map_or(OsStr::new(""), |path| path.as_os_str()))];
        Self::start(&[UNTIL_PIPE_CLOSES, END].concat(), &variables, Stdio::piped())
    }

    /// A keeper that outlives this process and ends its group once nobody holds the lease.
    pub(crate) fn until_lease_is_free(lease: &Lease<'_>) -> Result<Self> {
        let variables = [
            ("LEASE", lease.lock.as_os_str()),
            ("HOLDERS", lease.holders.as_os_str()),
            ("ANNOUNCEMENT", lease.announcement.as_os_str()),
            ("REMOVE", lease.directory.as_os_str()),
        ];
        Self::start(&[UNTIL_LEASE_IS_FREE, END].concat(), &variables, Stdio::null())
    }

    fn start(script: &str, variables: &[(&str, &OsStr)], input: Stdio) -> Result<Self> {
        let mut command = Command::new("sh");
        // Interrupts from the terminal go to the foreground group, which the new group is not.
        let script = format!("trap '' TERM INT HUP\n{script}");
        command.args(["-c", &script]).env("GRACE", GRACE).envs(variables.iter().copied());
        command.process_group(0).stdin(input).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(Error::io("start the shell that keeps child processes"))?;
        let group = i32::try_from(child.id()).expect("process ids are below 2^22 on Linux");
        Ok(Self { group, pipe: child.stdin.take(), child })
    }

    /// The id of the process group.
    pub(crate) fn group(&self) -> i32 {
        self.group
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if self.pipe.take().is_some() {
            // A failure to wait means that somebody else did.
            let _ = self.child.wait();
        }
    }
}

/// The files by which processes share one keeper.
pub(crate) struct Lease<'a> {
    /// Whoever uses the group holds a shared lock on this file.
    pub(crate) lock: &'a std::path::Path,
    /// Process ids of the cargo invocations that use the group, a line each.
    pub(crate) holders: &'a std::path::Path,
    /// The file that tells others of the group; removed before the group ends.
    pub(crate) announcement: &'a std::path::Path,
    /// Removed when the group has ended.
    pub(crate) directory: &'a std::path::Path,
}
