//! A disk that can be filled.
//!
//! It is a file system in memory, mounted in a namespace of its own, so that no right is needed that an
//! ordinary user does not have. Programs that are started [on it](crate::ProcessBuilder::on) see it; everybody
//! else sees an empty folder. What is on it stays until the guard is dropped, whoever is killed meanwhile.

use crate::{Error, Process, Result, eventually_blocking, tools};
use std::{
    fs::File,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    time::Duration,
};
use tempfile::TempDir;

/// Mounting takes milliseconds; this only bounds a machine that is very busy.
const READY_WITHIN: Duration = Duration::from_secs(120);

/// What the disk is filled with.
const FILLER: &str = ".filler";

/// Makes the file system, says so, and keeps the namespace.
const HOLD: &str = r#"mount -t tmpfs -o "size=$1" none "$0" && echo ready && exec sleep infinity"#;

/// A disk of a chosen size that can be filled and freed. It is gone when dropped.
#[derive(Debug)]
pub struct SmallDisk {
    directory: TempDir,
    holder: Process,
}

impl SmallDisk {
    /// Whether this user may make namespaces here, which some containers forbid.
    pub fn is_available() -> bool {
        let command = ["--user", "--map-root-user", "--mount", "true"];
        let output = std::process::Command::new("unshare").args(command).output();
        output.is_ok_and(|output| output.status.success())
    }

    /// Makes an empty disk with room for `n_bytes`.
    ///
    /// # Errors
    /// When it is not [available](Self::is_available).
    pub fn new(n_bytes: u64) -> Result<Self> {
        let directory =
            TempDir::with_prefix("windlass-disk-").map_err(Error::io("make a temporary directory"))?;
        let mut holder = Process::builder("unshare")
            .name("small-disk")
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", HOLD])
            .arg(directory.path())
            .arg(n_bytes.to_string())
            .start()?;
        let ready = eventually_blocking(READY_WITHIN, || {
            if holder.log_tail().contains("ready") {
                return Ok(Ok(()));
            }
            match holder.exited() {
                Some(status) => Ok(Err(format!("unshare ended ({status}): {}", holder.log_tail()))),
                None => Err("the file system is not mounted"),
            }
        });
        let last = match ready {
            Ok(Ok(())) => return Ok(Self { directory, holder }),
            Ok(Err(ended)) => ended,
            Err(overdue) => overdue.to_string(),
        };
        let logs = holder.log().to_owned();
        Err(Error::NotReady { what: "a small disk".to_owned(), waited: READY_WITHIN, last, logs })
    }

    /// Where a program on the disk sees it.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Where this process, which is not on the disk, sees what is on it.
    pub fn path_from_outside(&self) -> PathBuf {
        let root = format!("/proc/{}/root", self.holder.id());
        Path::new(&root).join(self.path().strip_prefix("/").unwrap_or(self.path()))
    }

    /// Writes until there is no room for one more byte.
    ///
    /// # Errors
    /// When something else than a full disk stops it.
    pub fn fill(&self) -> Result<()> {
        let path = self.path_from_outside().join(FILLER);
        let attempt = || Error::io(format!("fill {}", path.display()));
        let mut file = File::options().create(true).append(true).open(&path).map_err(attempt())?;
        // Large pieces first, then what is left byte by byte.
        for size in [1 << 20, 1 << 12, 1] {
            loop {
                match file.write(&vec![0; size]) {
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => return Err(attempt()(error)),
                }
            }
        }
        Ok(())
    }

    /// Takes away what [`fill`](Self::fill) has written.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn free(&self) -> Result<()> {
        let path = self.path_from_outside().join(FILLER);
        std::fs::remove_file(&path).map_err(Error::io(format!("remove {}", path.display())))
    }

    /// The command that runs another one on the disk.
    pub(crate) fn enter(&self) -> Vec<String> {
        let target = format!("--target={}", self.holder.id());
        let command = ["nsenter", &target, "--user", "--mount", "--preserve-credentials"];
        command.into_iter().map(str::to_owned).collect()
    }

    /// Writes a file on the disk, from outside.
    ///
    /// # Errors
    /// When there is no room, for example.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Result<()> {
        tools::write(&self.path_from_outside().join(name), content)
    }
}
