//! Watches a folder: the system wakes us, and a look at the folder says what has changed.
//!
//! What the system tells is a hint and no more. It may be silent (a network file system, a limit of watches, a folder that
//! another one took the place of) and say too much, so the folder is looked at anyway, seldom where there are hints and often
//! where there are none.

use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{Config, Event, RecommendedWatcher, RecursiveMode, Watcher as _};

use super::state::{FolderChange, FolderState};

/// News are told once nothing has happened for so long: who saves twenty files, or checks something out, is answered once.
const QUIET: Duration = Duration::from_millis(100);

/// But they are told after so long, however busy the folder is.
const AT_MOST: Duration = Duration::from_secs(1);

/// How often the folder is looked at where the system tells of changes.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// How often it is looked at where the system does not, because the folder is not there or cannot be watched.
const LOOK_OFTEN: Duration = Duration::from_millis(500);

/// Watches a folder until it is dropped.
pub struct FolderWatch {
    wakes: Sender<Wake>,
    thread: Option<std::thread::JoinHandle<()>>,
}

enum Wake {
    /// Something happened.
    Event,
    /// Nobody listens any more.
    Stop,
}

impl FolderWatch {
    /// Calls `tell` with what has changed below `folder`, some time after it did, on a thread of its own.
    ///
    /// The folder may be absent, go, come back, and be replaced by another one; while it is not there, all of its files are
    /// gone. An empty list says that something was written so soon after a change before that times and sizes do not tell.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub fn start(
        folder: impl Into<PathBuf>,
        tell: impl FnMut(Vec<FolderChange>) + Send + 'static,
    ) -> io::Result<Self> {
        let folder = folder.into();
        let (wakes, received) = mpsc::channel();
        // What changes after this returns is seen.
        let hints = hints(&folder, &wakes);
        let state = FolderState::of(&folder).unwrap_or_default();
        let watching = Watching { folder, wakes: wakes.clone(), received, state, hints, tell };
        let thread = std::thread::Builder::new().name("folder-watch".into()).spawn(move || watching.run())?;
        Ok(Self { wakes, thread: Some(thread) })
    }
}

impl Drop for FolderWatch {
    fn drop(&mut self) {
        let _ = self.wakes.send(Wake::Stop);
        if let Some(thread) = self.thread.take().filter(|it| it.thread().id() != std::thread::current().id())
        {
            let _ = thread.join();
        }
    }
}

struct Watching<T> {
    folder: PathBuf,
    wakes: Sender<Wake>,
    received: Receiver<Wake>,
    state: FolderState,
    hints: Option<RecommendedWatcher>,
    tell: T,
}

impl<T: FnMut(Vec<FolderChange>)> Watching<T> {
    fn run(mut self) {
        loop {
            let pause = if self.hints.is_some() { LOOK_AGAIN } else { LOOK_OFTEN };
            let was_told = match self.received.recv_timeout(pause) {
                Ok(Wake::Event) => true,
                Err(RecvTimeoutError::Timeout) => false,
                Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            };
            if was_told && !self.settle() {
                return;
            }
            let mut now = FolderState::of(&self.folder).unwrap_or_default();
            if self.hints.is_none() || !now.is_of_same_folder(&self.state) {
                // Hints about a folder that was moved away are of no use.
                self.hints = hints(&self.folder, &self.wakes);
                now = FolderState::of(&self.folder).unwrap_or_default();
            }
            let unseen = was_told && now.may_have_changed_unseen();
            if now != self.state || unseen {
                let changes = now.changes_since(&self.state);
                self.state = now;
                (self.tell)(changes);
            }
        }
    }

    /// Waits until it is quiet; `false` when nobody listens any more.
    fn settle(&self) -> bool {
        let began = Instant::now();
        while began.elapsed() < AT_MOST {
            match self.received.recv_timeout(QUIET) {
                Ok(Wake::Event) => {}
                Err(RecvTimeoutError::Timeout) => return true,
                Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
        true
    }
}

/// Has the system tell of what happens below a folder; `None` where it cannot.
fn hints(folder: &Path, wakes: &Sender<Wake>) -> Option<RecommendedWatcher> {
    let (wakes, root) = (wakes.clone(), folder.to_owned());
    let tell = move |event: notify::Result<Event>| {
        // An error may mean that something was missed.
        if event.as_ref().map_or(true, |event| matters(event, &root)) {
            let _ = wakes.send(Wake::Event);
        }
    };
    let config = Config::default().with_follow_symlinks(false);
    let mut watcher = RecommendedWatcher::new(tell, config).ok()?;
    match watcher.watch(folder, RecursiveMode::Recursive) {
        Ok(()) => Some(watcher),
        Err(error) => {
            tracing::debug!(folder = %folder.display(), %error, "the folder is looked at again and again instead");
            None
        }
    }
}

/// Whether something may have changed. We read the files ourselves, and Git works on its own ones.
fn matters(event: &Event, root: &Path) -> bool {
    let is_read = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => false,
        EventKind::Access(_) => true,
        _ => false,
    };
    let is_of_git = |path: &PathBuf| {
        let below = path.strip_prefix(root).unwrap_or(path);
        below.components().any(|part| part == Component::Normal(".git".as_ref()))
    };
    !is_read && (event.paths.is_empty() || !event.paths.iter().all(is_of_git))
}
