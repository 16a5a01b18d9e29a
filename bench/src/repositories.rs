//! Repositories that are large in one way or another: what one folder of them costs to render, next to `git clone`.
//!
//! Each is rendered by a `windlass render` of its own, which has nothing on disk, from `git http-backend`. `git` clones it
//! with the same depth and makes its files. Peaks of memory are those of each process; what was sent, the server counts.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use windlass_testing::GitServer;

use crate::arguments::Arguments;
use crate::figures::{Report, Row, duration};
use crate::usage::memory;
use crate::windlass::version;

/// How many files the repository of many files has.
const FILES: usize = 100_000;

/// Files in one folder of it.
const FILES_IN_FOLDER: usize = 100;

/// Bytes of each. They do not compress, so that the whole is as large when it is sent.
const FILE_BYTES: u64 = 1_000;

/// Bytes of what each commit of the long history replaces.
const FILM_BYTES: u64 = 64 << 20;

/// What one process took.
struct Run {
    time: Duration,
    peak_kib: u64,
    sent: u64,
    requests: usize,
}

/// Runs what was asked for.
pub(crate) fn run(arguments: &Arguments, report: &mut Report) -> Result<()> {
    let binary = arguments.binary()?;
    report.versions.push(format!("{} ({})", version(&binary), binary.display()));
    let folder = tempfile::tempdir()?;

    let server = GitServer::start()?;
    let repository = server.repository("large")?;
    let files = (0..FILES / FILES_IN_FOLDER).flat_map(|folder_idx| {
        (0..FILES_IN_FOLDER).map(move |file_idx| {
            let seed = (folder_idx * FILES_IN_FOLDER + file_idx) as u64;
            (format!("source/{folder_idx:04}/{file_idx:03}"), noise(seed, FILE_BYTES))
        })
    });
    repository.commit("main").files(files).files([application()]).submit()?;
    let mut rows = measure(&server, &binary, folder.path(), "a folder among 100,000 files")?;
    // The same where the server leaves nothing out.
    repository.git(&["config", "uploadpack.allowFilter", "false"])?;
    let whole = render(&server, &binary)?;
    rows.push(row("the same where the server sends all files or none", &whole));
    report.add(format!("repository of {FILES} files of {FILE_BYTES} bytes"), rows);
    drop(server);

    let server = GitServer::start()?;
    let repository = server.repository("large")?;
    let n_commits = (arguments.history_mib << 20).div_ceil(FILM_BYTES).max(1);
    for commit_idx in 0..n_commits {
        let film = noise(FILES as u64 + commit_idx, FILM_BYTES);
        repository.commit("main").file("films/film", film).submit()?;
    }
    // The newest is not small either: what nobody reads is not sent with it.
    repository.commit("main").files([application()]).submit()?;
    let rows = measure(&server, &binary, folder.path(), "a folder beside a film, history behind it")?;
    let size = (n_commits * FILM_BYTES) >> 20;
    report.add(format!("repository with {size} MiB of history, 64 MiB of it in the newest commit"), rows);
    Ok(())
}

fn application() -> (String, String) {
    let object = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {color: blue}\n";
    ("apps/web/settings.yaml".to_owned(), object.to_owned())
}

fn measure(server: &GitServer, binary: &Path, folder: &Path, what: &str) -> Result<Vec<Row>> {
    let ours = render(server, binary)?;
    let target = folder.join("clone");
    let theirs = process(
        server,
        Command::new("git")
            .args(["clone", "--quiet", "--depth=1", &server.url("large")])
            .arg(&target)
            .env("GIT_CONFIG_GLOBAL", "/dev/null"),
    )?;
    std::fs::remove_dir_all(&target)?;
    Ok(vec![
        row(format!("`git clone --depth=1`: {what}"), &theirs),
        row(format!("`windlass render`: {what}"), &ours).ratio_to(theirs.time),
    ])
}

fn row(what: impl Into<String>, run: &Run) -> Row {
    #[expect(clippy::cast_precision_loss, reason = "memory has fewer digits than a float")]
    let mb = |bytes: u64| bytes as f64 / 1e6;
    Row::time(what, run.time).note(format!(
        "{:.2} MB sent in {} requests; peak memory {:.0} MB",
        mb(run.sent),
        run.requests,
        mb(run.peak_kib * 1024)
    ))
}

fn render(server: &GitServer, binary: &Path) -> Result<Run> {
    let place = format!("{}//apps/web", server.url("large"));
    process(server, Command::new(binary).args(["render", &place, "-o", "name"]))
}

/// Runs a program to its end, and looks at what it took.
fn process(server: &GitServer, command: &mut Command) -> Result<Run> {
    server.forget_requests();
    let before = server.bytes_sent();
    let begun = Instant::now();
    let mut child = command.stdout(Stdio::null()).spawn().context("a program cannot be run")?;
    let mut peak_kib = 0;
    let status = loop {
        // The peak only grows, so that what is missed is what is used in the last milliseconds.
        peak_kib = peak_kib.max(memory(child.id()).peak);
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let time = begun.elapsed();
    if !status.success() {
        bail!("{command:?} failed after {}: {status}", duration(time));
    }
    let (sent, requests) = (server.bytes_sent() - before, server.requests().len());
    Ok(Run { time, peak_kib, sent, requests })
}

/// Bytes that do not compress, the same for the same seed.
fn noise(seed: u64, length: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default() + 8);
    while (bytes.len() as u64) < length {
        // Xorshift64, Marsaglia 2003.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(usize::try_from(length).unwrap_or_default());
    bytes
}
