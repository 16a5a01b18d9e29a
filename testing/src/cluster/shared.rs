//! One cluster for all tests that run at the same time, whatever process they are in.
//!
//! Whoever comes first starts it, under a lock, and says where it is in a file. Whoever uses it holds a
//! shared lock on its lease for as long as the process lives. A [keeper](crate::keeper) waits until it can
//! have the lease for itself, and until no `cargo` lives whose tests have used it (it would otherwise end
//! and start again between two test programs of one `cargo test`), and ends the cluster.

use super::{
    Cluster,
    api::ApiClient,
    clusters_directory,
    control_plane::{ControlPlane, Files, Settings},
};
use crate::{
    Error, Result,
    keeper::{Keeper, Lease},
    tools,
};
use serde_json::Value;
use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
};

/// Changes whenever the cluster is set up differently, so that differently built tests do not share one.
const SETUP: u32 = 1;

/// The right to use the shared cluster, which lasts as long as the file is open.
#[derive(Debug)]
pub(super) struct Membership {
    _lease: File,
}

/// Joins the shared cluster, or starts it.
pub(super) async fn attach() -> Result<(Cluster, Membership)> {
    let directory = clusters_directory()?;
    let _starting = lock(directory.join("lock"), Mode::Exclusive).await?;
    let pointer = directory.join(format!("shared-{SETUP}"));
    if let Ok(current) = std::fs::read_to_string(&pointer)
        && let Some(joined) = join(Path::new(&current)).await
    {
        return Ok(joined);
    }
    start(&pointer).await
}

/// Joins the cluster in this directory; `None` when there is none any more.
async fn join(directory: &Path) -> Option<(Cluster, Membership)> {
    // Waits while the keeper looks around, or while it ends the cluster.
    let lease = lock(directory.join("lease"), Mode::Shared).await.ok()?;
    if !directory.join("ready").exists() {
        return None;
    }
    let description = std::fs::read(directory.join("cluster.json")).ok()?;
    let description = serde_json::from_slice::<Value>(&description).ok()?;
    let port = u16::try_from(description["port"].as_u64()?).ok()?;
    let api =
        ApiClient::new(port, description["authority"].as_str()?, description["token"].as_str()?).ok()?;
    api.get("/readyz").await.ok()?;
    note_cargo(directory).ok()?;
    let logs = PathBuf::from(description["logs"].as_str()?);
    Some((Cluster { api, kubeconfig: directory.join("kubeconfig"), logs }, Membership { _lease: lease }))
}

/// Starts a cluster that outlives this process.
async fn start(pointer: &Path) -> Result<(Cluster, Membership)> {
    let files = Files::create()?;
    let directory = files.directory.clone();
    let (lease_file, holders, ready) =
        (directory.join("lease"), directory.join("holders"), directory.join("ready"));
    tools::write(&lease_file, "")?;
    tools::write(&holders, "")?;
    let lease = lock(lease_file.clone(), Mode::Shared).await?;
    let keeper = Keeper::until_lease_is_free(&Lease {
        lock: &lease_file,
        holders: &holders,
        announcement: &ready,
        directory: &directory,
    })?;
    let plane = ControlPlane::start(Settings::default(), files, keeper.group()).await?;
    note_cargo(&directory)?;
    tools::write(&ready, "")?;
    tools::write(pointer, directory.as_os_str().as_encoded_bytes())?;
    Ok((plane.release(), Membership { _lease: lease }))
}

/// Notes the `cargo` that runs this test program, if one does, so that the cluster waits for its end.
fn note_cargo(directory: &Path) -> Result<()> {
    let parent = std::os::unix::process::parent_id();
    let name = std::fs::read_to_string(format!("/proc/{parent}/comm")).unwrap_or_default();
    if !name.starts_with("cargo") {
        return Ok(());
    }
    let attempt = || Error::io("note the user of the shared cluster");
    let mut holders = File::options().append(true).open(directory.join("holders")).map_err(attempt())?;
    writeln!(holders, "{parent}").map_err(attempt())
}

enum Mode {
    Shared,
    Exclusive,
}

/// Waits for a lock on a file, which is made when it does not exist.
async fn lock(path: PathBuf, mode: Mode) -> Result<File> {
    let locking = tokio::task::spawn_blocking(move || {
        let attempt = || Error::io(format!("lock {}", path.display()));
        let file = match mode {
            Mode::Shared => File::open(&path),
            Mode::Exclusive => File::options().create(true).append(true).open(&path),
        };
        let file = file.map_err(attempt())?;
        match mode {
            Mode::Shared => file.lock_shared(),
            Mode::Exclusive => file.lock(),
        }
        .map_err(attempt())?;
        Ok(file)
    });
    locking.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}
