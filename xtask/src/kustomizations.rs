//! Comparing every kustomization below folders with kustomize.

use anyhow::{Context, Result, ensure};
use std::{path::Path, process::Command};

/// Builds the comparing program with optimizations and runs it on the folders.
pub(crate) fn run(root: &Path, arguments: &[&str]) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let kustomize = std::env::var_os("KUSTOMIZE")
        .unwrap_or_else(|| root.join("target/tools/bin/kustomize").into_os_string());
    let program = ["--profile=bench-fast", "--package=windlass-kustomize", "--example=kustomizations"];
    let status = Command::new(cargo)
        .arg("run")
        .args(program)
        .arg("--")
        .args(arguments)
        .env("KUSTOMIZE", kustomize)
        .status()
        .context("cannot run cargo")?;
    ensure!(status.success(), "the comparison ended with {status}");
    Ok(())
}
