//! Renewing what the original programs have said.
//!
//! Each `tools/oracle-NAME` is a Go program that asks an original and prints its answers. How to renew
//! the recorded answers stands in the program, as `//go:generate` lines; this runs them.

use anyhow::{Context, Result, bail, ensure};
use std::{fs, path::Path, process::Command};

/// Runs the oracles of these names, or all of them.
pub(crate) fn run(root: &Path, names: &[&str]) -> Result<()> {
    let tools = root.join("tools");
    let mut oracles = Vec::new();
    for entry in fs::read_dir(&tools).with_context(|| format!("cannot list {}", tools.display()))? {
        let file_name = entry?.file_name();
        if let Some(name) = file_name.to_str().and_then(|name| name.strip_prefix("oracle-")) {
            oracles.push(name.to_owned());
        }
    }
    oracles.sort();
    if let Some(unknown) = names.iter().find(|name| !oracles.iter().any(|oracle| oracle == *name)) {
        bail!("there is no tools/oracle-{unknown}; there are: {}", oracles.join(", "));
    }
    oracles.retain(|oracle| names.is_empty() || names.contains(&oracle.as_str()));
    for oracle in oracles {
        println!("oracle-{oracle}");
        let directory = tools.join(format!("oracle-{oracle}"));
        ensure!(
            has_directive(&directory)?,
            "oracle-{oracle} has no //go:generate line that says how it records"
        );
        let status = Command::new("go").arg("generate").arg("./...").current_dir(&directory).status();
        let status = status.context("cannot run go")?;
        ensure!(status.success(), "oracle-{oracle} failed ({status})");
    }
    Ok(())
}

fn has_directive(directory: &Path) -> Result<bool> {
    for entry in fs::read_dir(directory).with_context(|| format!("cannot list {}", directory.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "go")
            && fs::read_to_string(&path)?.lines().any(|line| line.starts_with("//go:generate "))
        {
            return Ok(true);
        }
    }
    Ok(false)
}
