//! `windlass backup` and `windlass restore`: the whole state of the embedded control plane in one file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use http_body_util::BodyExt;
use windlass_apiserver::store::{BackendError, Store};
use windlass_apiserver::{BACKUP_PATH, CARRIED_KEYS};

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
        Store::verify(&partial.0).map_err(|error| no_backup(error, "what the control plane sent"))?;
    let n_bytes = fs::metadata(&partial.0).map_or(0, |metadata| metadata.len());
    partial.become_file(file)?;
    let objects = output::count(n_objects, "object");
    output::note(&format!(
        "{objects} at version {revision}, {n_bytes} bytes, written to {}. It holds every Secret and the server's keys.",
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
    let given = options.file.display().to_string();
    let (revision, n_objects) = Store::verify(&partial.0).map_err(|error| no_backup(error, &given))?;
    let keys = Store::take_carried(&partial.0).map_err(|error| no_backup(error, &given))?;
    let keys: Vec<(PathBuf, String)> = keys
        .into_iter()
        .filter(|key| CARRIED_KEYS.contains(&key.name.as_str()))
        .map(|key| (folder.join(key.name), key.text))
        // The same key may stay where it is.
        .filter(|(path, text)| fs::read_to_string(path).ok().as_ref() != Some(text))
        .collect();
    let in_the_way = |path: &Path| path.try_exists().unwrap_or(true);
    if in_the_way(&store) || keys.iter().any(|(path, _)| in_the_way(path)) {
        set_aside(&store, &keys, options.replace)?;
    }
    for (path, text) in &keys {
        write_key(path, text).with_context(|| written(path))?;
    }
    partial.become_file(&store)?;
    let objects = output::count(n_objects, "object");
    output::note(&format!("{objects} at version {revision} restored to {}.", folder.display()));
    Ok(())
}

/// What is wrong with a backup, of which people know by another name than the file that was looked at.
fn no_backup(error: BackendError, name: &str) -> anyhow::Error {
    match error {
        BackendError::Damaged { what, .. } => {
            anyhow::anyhow!("{name} is no backup that can be restored: it is damaged: {what}")
        }
        error => anyhow::Error::new(error).context(format!("{name} is no backup that can be restored")),
    }
}

/// Writes a key that only its owner can read.
fn write_key(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Gives the state that is there another name, and the keys for which there are others.
fn set_aside(store: &Path, keys: &[(PathBuf, String)], replace: bool) -> Result<()> {
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
                format!("there is a state already in {}", store.parent().unwrap_or(store).display()),
                "--replace keeps it beside and restores",
            ));
        }
    }
    let renamed = |path: &Path, n: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".replaced-{n}"));
        PathBuf::from(name)
    };
    let is_free = |n: &u32| {
        let paths = keys.iter().map(|(path, _)| path.as_path()).chain([store]);
        paths.into_iter().all(|path| !renamed(path, *n).exists())
    };
    let n = (1..).find(is_free).context("there is no free name")?;
    let aside = renamed(store, n);
    let log = |path: &Path| {
        let mut name = path.as_os_str().to_owned();
        name.push("-wal");
        PathBuf::from(name)
    };
    // The log first: with it alone nothing is lost, and the file without it would be an older state.
    let paths = keys.iter().map(|(path, _)| (path.clone(), renamed(path, n)));
    let paths = [(log(store), log(&aside)), (store.to_owned(), aside.clone())].into_iter().chain(paths);
    for (from, to) in paths.filter(|(from, _)| from.exists()) {
        fs::rename(&from, &to).with_context(|| format!("cannot rename {}", from.display()))?;
    }
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
        for end in ["", "-wal", "-journal"] {
            let mut name = self.0.as_os_str().to_owned();
            name.push(end);
            let _ = fs::remove_file(PathBuf::from(name));
        }
    }
}
