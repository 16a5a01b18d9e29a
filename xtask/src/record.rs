//! Renewing what the original programs have said.
//!
//! Each `tools/oracle-NAME` is a Go program that asks an original and prints its answers. How to renew
//! the recorded answers stands in the program, as `//go:generate` lines; this runs them. What kube-apiserver answers
//! is recorded by tests that do nothing else, and are ignored otherwise; this runs those, too.

use anyhow::{Context, Result, bail, ensure};
use std::{fs, path::Path, process::Command};

/// What is recorded by a test: its name here, the test's file and the test.
const TESTS: [(&str, &str, &str); 3] = [
    ("conformance", "conformance", "record"),
    ("audit", "audit", "record"),
    ("client-go", "clients", "record_what_client_go_meets"),
];

/// Runs the oracles and tests of these names, or all of them.
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
    let is_test = |name: &&str| TESTS.iter().any(|(test, ..)| test == name);
    let mut oracles_named = names.iter().filter(|name| !is_test(name));
    if let Some(unknown) = oracles_named.find(|name| !oracles.iter().any(|oracle| oracle == *name)) {
        let tests = TESTS.map(|(test, ..)| test).join(", ");
        bail!("there is no tools/oracle-{unknown}; there are: {}, and the tests {tests}", oracles.join(", "));
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
    for (name, file, test) in TESTS.iter().filter(|(name, ..)| names.is_empty() || names.contains(name)) {
        println!("{name}");
        let mut cargo = Command::new("cargo");
        cargo.args(["test", "-p", "windlass-apiserver", "--test", file, "--"]);
        cargo.args(["--exact", test, "--ignored", "--nocapture"]).current_dir(root);
        let status = cargo.status().context("cannot run cargo")?;
        ensure!(status.success(), "the test that records {name} failed ({status})");
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
