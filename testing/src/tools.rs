//! Where the original programs are, and where logs go.

use crate::{Error, Result};
use std::{
    env,
    path::{Path, PathBuf},
    sync::{
        Once,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

/// Long enough to look into last night's failure.
const LOGS_ARE_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// The root of the workspace that this crate was built in.
pub fn workspace_root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The directory of files that this crate leaves behind for a person to read.
pub(crate) fn testing_directory() -> Result<PathBuf> {
    let root = workspace_root();
    let root = root.canonicalize().map_err(Error::io(format!("find {}", root.display())))?;
    let directory = root.join("target/testing");
    create_directory(&directory)?;
    Ok(directory)
}

/// Finds one of the pinned programs: `kubectl`, `etcd`, `helm`, …
///
/// A set that `KUBEBUILDER_ASSETS` names is used first, then what `make tools` has built.
///
/// # Errors
/// When it is in neither place; the error says how to get it.
pub fn tool(name: &str) -> Result<PathBuf> {
    let assets = env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from);
    let built = workspace_root().join("target/tools/bin");
    let found = assets.into_iter().chain([built]).map(|directory| directory.join(name));
    found.into_iter().find(|path| path.is_file()).ok_or_else(|| Error::NotInstalled {
        program: name.to_owned(),
        remedy: format!("build it with `cargo xtask tools {name}`, or all of them with `make tools`"),
    })
}

/// A new log file for a program of this process.
pub(crate) fn log_file(name: &str) -> Result<PathBuf> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    Ok(logs_directory()?.join(format!("{name}-{}-{count}.log", std::process::id())))
}

/// The directory of logs. What is older than [`LOGS_ARE_KEPT`] is removed the first time.
pub(crate) fn logs_directory() -> Result<PathBuf> {
    static SWEPT: Once = Once::new();
    let directory = testing_directory()?.join("logs");
    create_directory(&directory)?;
    SWEPT.call_once(|| {
        for entry in std::fs::read_dir(&directory).into_iter().flatten().flatten() {
            let modified = entry.metadata().and_then(|metadata| metadata.modified());
            if modified.is_ok_and(|time| time.elapsed().is_ok_and(|age| age > LOGS_ARE_KEPT)) {
                // It is a file or a directory; and that it is still there next time does no harm.
                let _ = std::fs::remove_file(entry.path());
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
    });
    Ok(directory)
}

pub(crate) fn create_directory(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(Error::io(format!("create {}", path.display())))
}

pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    std::fs::write(path, content).map_err(Error::io(format!("write {}", path.display())))
}
