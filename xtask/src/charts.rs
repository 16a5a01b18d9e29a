//! Charts of others, rendered with Helm and with ours.

use anyhow::{Context, Result, ensure};
use std::{path::Path, process::Command};

/// Builds the comparing program with optimizations and runs it on the folders.
pub(crate) fn compare(root: &Path, arguments: &[&str]) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let program = ["--profile=bench-fast", "--package=windlass-helm", "--example=charts"];
    let status = Command::new(cargo)
        .arg("run")
        .args(program)
        .arg("--")
        .arg("--tools")
        .arg(root.join("target/tools/bin"))
        .args(arguments)
        .status()
        .context("cannot run cargo")?;
    ensure!(status.success(), "the comparison ended with {status}");
    Ok(())
}
