//! Kustomizations and kustomize: recording what it says of our cases, comparing on folders of others.

use anyhow::{Context, Result, ensure};
use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The names of a kustomization's file.
const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Where recorded errors say that a case lies.
const SHOWN_ROOT: &str = "/case";

fn kustomize(root: &Path) -> OsString {
    let ours = || root.join("target/tools/bin/kustomize").into_os_string();
    std::env::var_os("KUSTOMIZE").unwrap_or_else(ours)
}

/// Builds the comparing program with optimizations and runs it on the folders.
pub(crate) fn compare(root: &Path, arguments: &[&str]) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let program = ["--profile=bench-fast", "--package=windlass-kustomize", "--example=kustomizations"];
    let status = Command::new(cargo)
        .arg("run")
        .args(program)
        .arg("--")
        .args(arguments)
        .env("KUSTOMIZE", kustomize(root))
        .status()
        .context("cannot run cargo")?;
    ensure!(status.success(), "the comparison ended with {status}");
    Ok(())
}

/// Writes down what kustomize prints for each case of the crate's tests.
///
/// A case is a folder `tests/cases/TOPIC/RULE`; its kustomization lies in it or in its folder `overlay`, and a
/// file `flags` has flags. What is printed goes to `expected.yaml`, an error to `expected.error`.
pub(crate) fn record(root: &Path) -> Result<()> {
    let cases = root.join("crates/windlass-kustomize/tests/cases");
    let mut count = 0;
    for topic in folders(&cases)? {
        for case in folders(&topic)? {
            record_case(root, &case).with_context(|| format!("cannot record {}", case.display()))?;
            count += 1;
        }
    }
    println!("{count} cases recorded");
    Ok(())
}

fn folders(path: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path).with_context(|| format!("cannot list {}", path.display()))? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

fn record_case(root: &Path, case: &Path) -> Result<()> {
    for old in ["expected.yaml", "expected.error"] {
        if case.join(old).exists() {
            fs::remove_file(case.join(old))?;
        }
    }
    let overlay = case.join("overlay");
    let is_target = |folder: &Path| NAMES.iter().any(|name| folder.join(name).is_file());
    let target = if is_target(&overlay) { &overlay } else { case };
    let flags = fs::read_to_string(case.join("flags")).unwrap_or_default();
    let output =
        Command::new(kustomize(root)).arg("build").args(flags.split_whitespace()).arg(target).output()?;
    let (file, bytes) = if output.status.success() {
        ("expected.yaml", output.stdout)
    } else {
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let begin = text.find("Error: ").map_or(0, |begin| begin + "Error: ".len());
        let place = case.canonicalize()?;
        let text = text[begin..].replace(&place.display().to_string(), SHOWN_ROOT);
        ("expected.error", text.into_bytes())
    };
    fs::write(case.join(file), bytes)?;
    Ok(())
}
