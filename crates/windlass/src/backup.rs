//! `windlass backup` and `windlass restore`: the whole state of the embedded control plane in one file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use http_body_util::BodyExt;
use windlass_apiserver::BACKUP_PATH;
use windlass_apiserver::store::{BackendError, Store};

use crate::output::{self, Advised};
use crate::session::Connection;

/// Options of `windlass backup`.
#[derive(Debug, Clone, Args)]
pub(crate) struct BackupOptions {
    /// The file to write; it must not be there yet.
    file: PathBuf,
    #[command(flatten)]
    connection: Connection,
}

/// Options of `windlass restore`.
#[derive(Debug, Clone, Args)]
pub(crate) struct RestoreOptions {
    /// The file that `windlass backup` wrote.
    file: PathBuf,
    /// The data directory of `windlass up`, which must not run. Default: the user's data directory.
    #[arg(long, env = "WINDLASS_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Put it in place of the state that is there, which is kept beside it.
    #[arg(long)]
    replace: bool,
}

/// Writes what a running control plane holds to a file.
pub(crate) async fn backup(options: &BackupOptions) -> Result<()> {
    let file = &options.file;
    if file.try_exists().unwrap_or(true) {
        return Err(exists(file));
    }
    let client = options.connection.client().await?;
    let body = client.open(BACKUP_PATH).await.context("the control plane gives no backup")?;
    let partial = Partial::beside(file)?;
    let mut writer = partial.create()?;
    let mut body = std::pin::pin!(body);
    while let Some(frame) = body.frame().await {
        let frame = frame.context("the backup was cut off")?;
        if let Ok(bytes) = frame.into_data() {
            writer.write_all(&bytes).with_context(|| written(&partial.0))?;
        }
    }
    writer.sync_all().with_context(|| written(&partial.0))?;
    drop(writer);
    let (revision, n_objects) =
        Store::verify(&partial.0).context("what the control plane sent is no backup")?;
    let n_bytes = fs::metadata(&partial.0).map_or(0, |metadata| metadata.len());
    partial.become_file(file)?;
    let objects = output::count(n_objects, "object");
    output::note(&format!(
        "{objects} at version {revision}, {n_bytes} bytes, written to {}.",
        file.display()
    ));
    Ok(())
}

/// Puts a backup where `windlass up` looks for its state.
pub(crate) fn restore(options: &RestoreOptions) -> Result<()> {
    let folder = options.data_dir.clone().unwrap_or_else(crate::serving::default_data_dir).join("api");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let store = folder.join("store.db");
    let partial = Partial::beside(&store)?;
    let mut reader =
        File::open(&options.file).with_context(|| format!("cannot read {}", options.file.display()))?;
    let mut writer = partial.create()?;
    io::copy(&mut reader, &mut writer)
        .and_then(|_| writer.sync_all())
        .with_context(|| written(&partial.0))?;
    drop(writer);
    let (revision, n_objects) = Store::verify(&partial.0)
        .with_context(|| format!("{} is no backup that can be restored", options.file.display()))?;
    if store.try_exists().unwrap_or(true) {
        set_aside(&store, options.replace)?;
    }
    partial.become_file(&store)?;
    let objects = output::count(n_objects, "object");
    output::note(&format!("{objects} at version {revision} restored to {}.", folder.display()));
    Ok(())
}

/// Gives the state that is there another name.
fn set_aside(store: &Path, replace: bool) -> Result<()> {
    match Store::verify(store) {
        Err(BackendError::InUse { .. }) => {
            return Err(Advised::error(
                format!("{} is in use", store.display()),
                "stop the `windlass up` that works on it",
            ));
        }
        // What is damaged may be replaced all the more.
        Ok(_) | Err(_) if replace => {}
        Ok(_) | Err(_) => {
            return Err(Advised::error(
                format!("there is a state already in {}", store.display()),
                "--replace keeps it beside and restores",
            ));
        }
    }
    let aside = (1..)
        .map(|n: u32| store.with_file_name(format!("store.db.replaced-{n}")))
        .find(|path| !path.exists())
        .context("there is no free name")?;
    let log = |path: &Path| {
        let mut name = path.as_os_str().to_owned();
        name.push("-wal");
        PathBuf::from(name)
    };
    // The log first: with it alone nothing is lost, and the file without it would be an older state.
    if log(store).exists() {
        fs::rename(log(store), log(&aside)).with_context(|| format!("cannot rename {}", store.display()))?;
    }
    fs::rename(store, &aside).with_context(|| format!("cannot rename {}", store.display()))?;
    output::note(&format!("What was there is kept as {}.", aside.display()));
    Ok(())
}

fn exists(file: &Path) -> anyhow::Error {
    Advised::error(
        format!("{} exists", file.display()),
        "a backup never overwrites anything: choose another name",
    )
}

fn written(file: &Path) -> String {
    format!("cannot write {}", file.display())
}

/// A file that is complete before it gets its name, and removed if it never does.
struct Partial(PathBuf);

impl Partial {
    fn beside(file: &Path) -> Result<Self> {
        let name = file.file_name().with_context(|| format!("{} is no name of a file", file.display()))?;
        let mut partial = name.to_owned();
        partial.push(format!(".partial-{}", std::process::id()));
        Ok(Self(file.with_file_name(partial)))
    }

    /// Only its owner can read it: it holds every Secret.
    fn create(&self) -> Result<File> {
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&self.0)
            .with_context(|| written(&self.0))
    }

    /// Gives it its name, unless somebody else has it by now.
    fn become_file(self, file: &Path) -> Result<()> {
        match fs::hard_link(&self.0, file) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(exists(file)),
            Err(error) => return Err(error).with_context(|| written(file)),
        }
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).with_context(|| written(file))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
