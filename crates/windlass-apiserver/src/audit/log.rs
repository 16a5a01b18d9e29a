//! The file that events are written to, by a thread of its own, and its older parts.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use crate::time;

/// How many events may wait for the disk. Past this a request waits, and after [`MAX_WAIT`] an event is lost.
pub const MAX_WAITING_EVENTS: usize = 10_000;

/// How long a request waits for room in the queue of events.
pub const MAX_WAIT: Duration = Duration::from_secs(1);

/// How often it is looked whether there is room.
const GLANCE: Duration = Duration::from_millis(5);

/// How large the file gets, in MB, where nothing is said; kube-apiserver's own default.
const DEFAULT_MAX_MEGABYTES: u64 = 100;

/// Where events go, and what is kept of them.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// The file; `-` is standard output.
    pub path: PathBuf,
    /// How many megabytes a file has before another is begun; 0 means 100.
    pub max_megabytes: u64,
    /// For how many days older files are kept; 0 for ever.
    pub max_age_days: u64,
    /// How many older files are kept; 0 all.
    pub max_backups: usize,
}

/// A queue of events, and the thread that writes them.
pub(super) struct Log {
    queue: Mutex<Option<SyncSender<Bytes>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    lost: Arc<AtomicU64>,
}

impl Log {
    /// Opens the file and begins to write.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened.
    pub(super) fn open(options: LogOptions) -> io::Result<Self> {
        let (queue, events) = sync_channel(MAX_WAITING_EVENTS);
        let mut output = Output::open(options)?;
        let lost = Arc::new(AtomicU64::new(0));
        let counted = lost.clone();
        let writer = std::thread::Builder::new()
            .name("audit log".into())
            .spawn(move || write_all(&mut output, &events, &counted))?;
        Ok(Self { queue: Mutex::new(Some(queue)), writer: Mutex::new(Some(writer)), lost })
    }

    fn queue(&self) -> Option<SyncSender<Bytes>> {
        self.queue.lock().expect("no panic under this lock").clone()
    }

    /// Hands an event over, waiting a while for room; whether it was taken.
    pub(super) async fn write(&self, mut event: Bytes) -> bool {
        let Some(queue) = self.queue() else { return false };
        let give_up = tokio::time::Instant::now() + MAX_WAIT;
        loop {
            event = match queue.try_send(event) {
                Ok(()) => return true,
                Err(TrySendError::Full(event)) if tokio::time::Instant::now() < give_up => event,
                Err(_) => {
                    self.lose();
                    return false;
                }
            };
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// Hands an event over if there is room at once.
    pub(super) fn write_now(&self, event: Bytes) {
        if self.queue().is_none_or(|queue| queue.try_send(event).is_err()) {
            self.lose();
        }
    }

    fn lose(&self) {
        if self.lost.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::error!(
                limit = MAX_WAITING_EVENTS,
                "an audit event was lost: more wait for the disk than MAX_WAITING_EVENTS allows"
            );
        }
    }

    /// How many events were lost.
    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// Writes what waits, and ends.
impl Drop for Log {
    fn drop(&mut self) {
        self.queue.lock().expect("no panic under this lock").take();
        if let Some(writer) = self.writer.lock().expect("no panic under this lock").take() {
            let _ = writer.join();
        }
    }
}

fn write_all(output: &mut Output, events: &Receiver<Bytes>, lost: &AtomicU64) {
    while let Ok(first) = events.recv() {
        let mut lines = first.to_vec();
        let mut n_events = 1;
        while lines.len() < 1 << 20
            && let Ok(next) = events.try_recv()
        {
            lines.extend_from_slice(&next);
            n_events += 1;
        }
        if let Err(error) = output.write(&lines)
            && lost.fetch_add(n_events, Ordering::Relaxed) == 0
        {
            tracing::error!(%error, "audit events could not be written");
        }
    }
}

/// An open file, how large it is, and how large it may get.
struct Output {
    options: LogOptions,
    to: Option<File>,
    n_bytes: u64,
}

impl Output {
    fn open(options: LogOptions) -> io::Result<Self> {
        let mut output = Self { options, to: None, n_bytes: 0 };
        output.begin()?;
        Ok(output)
    }

    fn begin(&mut self) -> io::Result<()> {
        use std::os::unix::fs::OpenOptionsExt as _;
        if self.options.path == Path::new("-") {
            return Ok(());
        }
        // What is told may be secret: nobody else reads it.
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&self.options.path)?;
        self.n_bytes = file.metadata()?.len();
        self.to = Some(file);
        Ok(())
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.options.path == Path::new("-") {
            return io::stdout().lock().write_all(lines);
        }
        let megabytes = match self.options.max_megabytes {
            0 => DEFAULT_MAX_MEGABYTES,
            given => given,
        };
        let length = lines.len() as u64;
        if self.n_bytes > 0 && self.n_bytes + length > megabytes << 20 {
            self.to = None;
            std::fs::rename(&self.options.path, self.backup(SystemTime::now()))?;
            self.prune();
        }
        if self.to.is_none() {
            self.begin()?;
        }
        let Some(file) = &mut self.to else { return Ok(()) };
        file.write_all(lines)?;
        self.n_bytes += length;
        Ok(())
    }

    /// The name of an older part, `audit-2026-01-02T03-04-05.678.log`, as kube-apiserver names them.
    fn backup(&self, now: SystemTime) -> PathBuf {
        let (stem, extension) = self.parts();
        let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let moment = time::format(now).trim_end_matches('Z').replace(':', "-");
        self.options.path.with_file_name(format!("{stem}-{moment}.{:03}{extension}", since.subsec_millis()))
    }

    fn parts(&self) -> (String, String) {
        let path = &self.options.path;
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let extension = path.extension().map(|it| format!(".{}", it.to_string_lossy())).unwrap_or_default();
        (stem, extension)
    }

    /// Removes older parts that are too many or too old.
    fn prune(&self) {
        let (stem, extension) = self.parts();
        let folder = match self.options.path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let Ok(entries) = std::fs::read_dir(folder) else { return };
        let mut parts: Vec<(String, PathBuf)> = entries
            .filter_map(Result::ok)
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                let moment = name.strip_prefix(&format!("{stem}-"))?.strip_suffix(&extension)?.to_owned();
                // Only what was named here.
                (moment.len() == 23 && moment.as_bytes()[10] == b'T').then(|| (moment, entry.path()))
            })
            .collect();
        parts.sort();
        let oldest = (self.options.max_age_days > 0).then(|| {
            let age = Duration::from_secs(self.options.max_age_days * 86_400);
            let oldest = SystemTime::now().checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH);
            time::format(oldest).trim_end_matches('Z').replace(':', "-")
        });
        let n_more = match self.options.max_backups {
            0 => 0,
            kept => parts.len().saturating_sub(kept),
        };
        for (idx, (moment, path)) in parts.iter().enumerate() {
            if idx < n_more || oldest.as_ref().is_some_and(|oldest| moment < oldest) {
                let _ = std::fs::remove_file(path);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_file_is_put_aside_and_old_ones_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log");
        std::fs::write(folder.path().join("audit-2001-01-01T00-00-00.000.log"), "old").unwrap();
        std::fs::write(folder.path().join("audit-other.log"), "not ours").unwrap();
        let options = LogOptions { path, max_megabytes: 1, max_age_days: 1, max_backups: 2 };
        let mut output = Output::open(options).unwrap();
        for _ in 0..5 {
            output.write(&vec![b'x'; 900 << 10]).unwrap();
            std::thread::sleep(Duration::from_millis(2));
        }
        let mut names: Vec<String> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names.len(), 4, "{names:?}");
        assert!(names.contains(&"audit.log".to_owned()) && names.contains(&"audit-other.log".to_owned()));
        assert!(!names.iter().any(|name| name.contains("2001")), "{names:?}");
    }

    #[tokio::test]
    async fn what_waits_is_written_before_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log");
        let options = LogOptions { path: path.clone(), max_megabytes: 0, max_age_days: 0, max_backups: 0 };
        let log = Log::open(options).unwrap();
        for _ in 0..1000 {
            assert!(log.write(Bytes::from_static(b"{}\n")).await);
        }
        assert_eq!(log.lost(), 0);
        drop(log);
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 1000);
    }
}
