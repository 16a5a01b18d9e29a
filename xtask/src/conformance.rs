//! Conversations with the embedded API, compared with those that were had with kube-apiserver.

use anyhow::{Context, Result, bail, ensure};
use std::{path::Path, process::Command};

/// Runs the test that holds the scenarios, as the arguments say.
pub(crate) fn run(root: &Path, arguments: &[&str]) -> Result<()> {
    let (test, wanted): (&[&str], _) = match arguments {
        [] => (&["answers_are"], None),
        ["--record"] => (&["record", "--ignored"], None),
        ["--record", name] => (&["record", "--ignored"], Some(name)),
        ["--random"] => (&["random_conversations", "--ignored"], None),
        [name] if !name.starts_with("--") => (&["answers_are"], Some(name)),
        _ => bail!("usage: cargo xtask conformance [--record] [NAME] | --random"),
    };
    let mut cargo = Command::new("cargo");
    cargo.args(["test", "-p", "windlass-apiserver", "--test", "conformance", "--"]).args(test);
    cargo.arg("--nocapture").current_dir(root);
    if let Some(name) = wanted {
        cargo.env("WINDLASS_SCENARIOS", name);
    }
    let status = cargo.status().context("cannot run cargo")?;
    ensure!(status.success(), "the test of the scenarios failed ({status})");
    Ok(())
}
