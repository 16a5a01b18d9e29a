//! The real kubectl, against any API that a kubeconfig leads to.

use crate::{Error, Result, tool};
use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Runs the pinned kubectl, apart from the configuration and the caches of whoever runs the tests.
#[derive(Clone, Debug)]
pub struct Kubectl {
    kubeconfig: PathBuf,
}

impl Kubectl {
    /// A kubectl that uses this kubeconfig. It caches what it discovers in a folder beside it.
    pub fn new(kubeconfig: impl Into<PathBuf>) -> Self {
        Self { kubeconfig: kubeconfig.into() }
    }

    /// The kubeconfig.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Runs kubectl, and returns what it printed. Blocks the thread.
    ///
    /// # Errors
    /// When kubectl is not there, or fails; the error holds what it complained of.
    pub fn run(&self, arguments: &[&str]) -> Result<String> {
        self.run_with_input(arguments, "")
    }

    /// The same, with something on standard input: for `apply -f -`.
    ///
    /// # Errors
    /// When kubectl is not there, or fails; the error holds what it complained of.
    pub fn run_with_input(&self, arguments: &[&str], input: impl AsRef<[u8]>) -> Result<String> {
        let attempt = || Error::io("run kubectl");
        let mut command = self.command()?;
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(attempt())?;
        let mut standard_input = child.stdin.take().expect("standard input was asked for");
        // Beside the reading, so that neither end waits for the other. It may not read all: its own affair.
        let input = input.as_ref().to_vec();
        let writer = std::thread::spawn(move || standard_input.write_all(&input));
        let output = child.wait_with_output().map_err(attempt())?;
        let _ = writer.join();
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(Error::Program {
            program: format!("kubectl {}", arguments.join(" ")),
            status: output.status.to_string(),
            output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }

    /// The command, for a test that wants more of it: exit codes, standard error, a watch.
    ///
    /// # Errors
    /// When kubectl is not there.
    pub fn command(&self) -> Result<Command> {
        let mut command = Command::new(tool("kubectl")?);
        command.arg("--kubeconfig").arg(&self.kubeconfig);
        // Discovery is cached by address, and a port may belong to another cluster the next time.
        command.arg("--cache-dir").arg(self.kubeconfig.with_file_name("kubectl-cache"));
        command.env_remove("KUBECONFIG").env("KUBECTL_KUBERC", "false");
        Ok(command)
    }
}
