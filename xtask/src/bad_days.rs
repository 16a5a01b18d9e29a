//! Many random worlds, each through bad days of its own.

use anyhow::{Context, Result, bail, ensure};
use std::{path::Path, process::Command};

/// How many worlds, when it is not said.
const COUNT: &str = "1000";

/// Runs the test that holds the worlds, with so many of them.
pub(crate) fn run(root: &Path, arguments: &[&str]) -> Result<()> {
    let (count, from) = match arguments {
        [] => (COUNT, "1"),
        [count] => (*count, "1"),
        [count, from] => (*count, *from),
        _ => bail!("usage: cargo xtask bad-days [COUNT] [FROM]"),
    };
    let mut cargo = Command::new("cargo");
    cargo.args(["test", "-p", "windlass", "--test", "bad_days", "--", "--nocapture"]).current_dir(root);
    cargo.env("WINDLASS_COUNT", count).env("WINDLASS_SEED", from);
    let status = cargo.status().context("cannot run cargo")?;
    ensure!(status.success(), "some worlds did not get over it ({status})");
    Ok(())
}
