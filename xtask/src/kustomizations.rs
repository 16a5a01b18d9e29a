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

fn program(root: &Path, variable: &str, name: &str) -> OsString {
    let ours = || root.join("target/tools/bin").join(name).into_os_string();
    std::env::var_os(variable).unwrap_or_else(ours)
}

fn kustomize(root: &Path) -> OsString {
    program(root, "KUSTOMIZE", "kustomize")
}

fn helm(root: &Path) -> OsString {
    program(root, "HELM", "helm")
}

/// Builds the comparing program with optimizations and runs it on the folders.
pub(crate) fn compare(root: &Path, arguments: &[&str]) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let program = ["--profile=bench-fast", "--package=windlass-render", "--example=kustomizations"];
    let status = Command::new(cargo)
        .arg("run")
        .args(program)
        .arg("--")
        .args(arguments)
        .env("KUSTOMIZE", kustomize(root))
        .env("HELM", helm(root))
        .status()
        .context("cannot run cargo")?;
    ensure!(status.success(), "the comparison ended with {status}");
    Ok(())
}

/// Writes down what kustomize prints for each case of the crate's tests.
///
/// A case is a folder `tests/cases/TOPIC/RULE`, or `tests/kustomize_charts/RULE` of the crate that joins kustomizations
/// and charts; its kustomization lies in it or in its folder `overlay`, and a
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
    for case in folders(&root.join("crates/windlass-render/tests/kustomize_charts"))? {
        record_case(root, &case).with_context(|| format!("cannot record {}", case.display()))?;
        count += 1;
    }
    for case in folders(&root.join("crates/windlass-kustomize/tests/edited"))? {
        record_edited(root, &case).with_context(|| format!("cannot record {}", case.display()))?;
        count += 1;
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

/// Runs the lines of a case's file `edits` as `kustomize edit`, in a copy, and then builds it.
fn record_edited(root: &Path, case: &Path) -> Result<()> {
    forget(case)?;
    let copy = std::env::temp_dir().join(format!("windlass-edited-{}", std::process::id()));
    copy_folder(case, &copy)?;
    let overlay = copy.join("overlay");
    let target = if overlay.is_dir() { overlay } else { copy.clone() };
    let edits = fs::read_to_string(case.join("edits"))?;
    let mut commands: Vec<Vec<&str>> = Vec::new();
    for line in edits.lines() {
        commands.push(["edit"].into_iter().chain(line.split_whitespace()).collect());
    }
    commands.push(vec!["build"]);
    let mut printed = Vec::new();
    let mut failed = None;
    for arguments in commands {
        let output = Command::new(kustomize(root)).args(arguments).current_dir(&target).output()?;
        if !output.status.success() {
            failed = Some(error_text(root, &output.stderr, &copy)?);
            break;
        }
        printed = output.stdout;
    }
    match failed {
        Some(text) => fs::write(case.join("expected.error"), text)?,
        None => fs::write(case.join("expected.yaml"), printed)?,
    }
    fs::remove_dir_all(copy)?;
    Ok(())
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn forget(case: &Path) -> Result<()> {
    for old in ["expected.yaml", "expected.error"] {
        if case.join(old).exists() {
            fs::remove_file(case.join(old))?;
        }
    }
    Ok(())
}

/// What kustomize says after `Error: `, with the case's folder where all cases are said to lie, and Helm by its name:
/// where a program lies on the machine that recorded is no part of what it says.
fn error_text(root: &Path, stderr: &[u8], folder: &Path) -> Result<String> {
    let text = String::from_utf8_lossy(stderr).into_owned();
    let begin = text.find("Error: ").map_or(0, |begin| begin + "Error: ".len());
    let text = match text[begin..].find("\nUsage:\n") {
        Some(length) => format!("{}\n", &text[begin..begin + length]),
        None => text[begin..].to_owned(),
    };
    let text = text.replace(&folder.canonicalize()?.display().to_string(), SHOWN_ROOT);
    let text = text.replace(&helm(root).to_string_lossy().into_owned(), "helm");
    Ok(without_chance(&text))
}

/// What stands for an address in memory, which is another one each time.
const ADDRESS: &str = "&{0xADDRESS";

/// What stands for the folder that kustomize makes for Helm, which is another one each time.
const FOLDER: &str = "kustomize-helm-NUMBER";

/// The text without what is another one each time: addresses that Go prints for pointers, and Helm's folder.
fn without_chance(text: &str) -> String {
    /// Shorter numbers in this form are no addresses: somebody wrote them.
    const DIGITS: usize = 8;
    let text = replaced(text, "&{0x", ADDRESS, DIGITS, u8::is_ascii_hexdigit);
    replaced(&text, "kustomize-helm-", FOLDER, 1, u8::is_ascii_digit)
}

/// `replacement` for every `prefix` with at least so many digits behind it, and for those.
fn replaced(
    text: &str,
    prefix: &str,
    replacement: &str,
    least: usize,
    is_digit: impl Fn(&u8) -> bool,
) -> String {
    let mut parts = text.split(prefix);
    let mut found = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.bytes().take_while(&is_digit).count();
        if digits < least {
            found.push_str(prefix);
            found.push_str(part);
        } else {
            found.push_str(replacement);
            found.push_str(&part[digits..]);
        }
    }
    found
}

fn record_case(root: &Path, case: &Path) -> Result<()> {
    forget(case)?;
    let overlay = case.join("overlay");
    let is_target = |folder: &Path| NAMES.iter().any(|name| folder.join(name).is_file());
    let target = if is_target(&overlay) { &overlay } else { case };
    let flags = fs::read_to_string(case.join("flags")).unwrap_or_default();
    let mut command = Command::new(kustomize(root));
    command.arg("build").args(flags.split_whitespace()).arg(target);
    if flags.contains("--enable-helm") {
        command.arg("--helm-command").arg(helm(root));
    }
    let output = command.output()?;
    let (file, bytes) = if output.status.success() {
        ("expected.yaml", output.stdout)
    } else {
        let text = error_text(root, &output.stderr, case)?;
        ("expected.error", text.into_bytes())
    };
    fs::write(case.join(file), bytes)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_another_each_time_is_not_recorded() {
        for (said, recorded) in [
            ("generator &{0x1c758d079110 <nil>}: id", "generator &{0xADDRESS <nil>}: id"),
            ("&{0xc000012345 0xff}&{0xc000012346}", "&{0xADDRESS 0xff}&{0xADDRESS}"),
            ("a: &{0x12}", "a: &{0x12}"),
            ("0x1c758d079110", "0x1c758d079110"),
            (
                "-f /tmp/kustomize-helm-12/a kustomize-helm-x",
                "-f /tmp/kustomize-helm-NUMBER/a kustomize-helm-x",
            ),
        ] {
            assert_eq!(without_chance(said), recorded);
        }
    }
}
