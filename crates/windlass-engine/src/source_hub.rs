//! Follows sources: one conversation per repository, however many Units use it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tracing::Instrument;
use windlass_kube::Str;
use windlass_source::{
    Access, FolderWatch, Freshness, PollInterval, Refused, Repository, RepositoryUrl, Scheme, SourceError,
    chain,
};

use crate::credentials::Credentials;
use crate::fetching::{Fetched, Place, SourceStores, Target};

/// Which state of which repository is followed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SourceKey {
    /// What tells the repository from others: [`Place::name`].
    pub(crate) repository: Str,
    /// What is followed in it.
    pub(crate) target: Target,
}

/// What stands at the end of the names of repositories that are read without anybody's credentials.
const FOR_ANYBODY: &str = " without credentials";

/// What `target` of a place is followed as, for Applications of a project that may use credentials for it.
///
/// What is read with credentials of a project is followed by itself, and so is what is read without any although there
/// may be some.
pub(crate) fn key_of(
    credentials: &Credentials,
    place: &Place,
    target: Target,
    project: Option<&str>,
) -> SourceKey {
    let name = place.name();
    let repository = match project {
        Some(project) if credentials.are_of_project(place, project) => {
            format!("{name} for project {project}").into()
        }
        Some(_) => name,
        None => format!("{name}{FOR_ANYBODY}").into(),
    };
    SourceKey { repository, target }
}

impl SourceKey {
    /// What submodules of it may be reached with.
    pub(crate) fn credentials(&self, credentials: &Arc<Credentials>) -> Arc<Credentials> {
        credentials_of(&self.repository, credentials)
    }
}

fn credentials_of(repository: &str, credentials: &Arc<Credentials>) -> Arc<Credentials> {
    if repository.ends_with(FOR_ANYBODY) { Arc::new(credentials.of_nobody()) } else { credentials.clone() }
}

/// What is known of a source.
#[derive(Clone, Default)]
pub(crate) struct SourceState {
    /// The newest revision that could be had.
    pub(crate) latest: Option<Fetched>,
    /// Why the last attempt failed, if it did. The latest revision is still used.
    pub(crate) problem: Option<Str>,
    /// The newest refresh that what is known here is an answer to.
    pub(crate) answered: RefreshTicket,
}

/// Numbers the refreshes of a repository.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RefreshTicket(u64);

/// News of a source.
pub(crate) struct SourceUpdate {
    pub(crate) key: SourceKey,
    pub(crate) news: Result<SourceNews, Str>,
    /// The newest refresh that had been asked for when the repository was.
    pub(crate) answered: RefreshTicket,
    /// Which conversation with the repository it is from.
    conversation: u64,
}

/// A revision, and what changed since the one before.
pub(crate) struct SourceNews {
    pub(crate) resolved: Fetched,
    /// The files that differ from the revision before; `None` when everything may.
    pub(crate) changed: Option<Vec<Str>>,
    /// Whether the content is another one than before.
    pub(crate) is_new: bool,
}

/// More changed files than this are not compared one by one with what Units read: everything counts as changed.
const MOST_CHANGED_PATHS: usize = 20_000;

/// The first pause after a failed attempt; doubled each time, up to the poll interval.
const FIRST_RETRY: Duration = Duration::from_secs(3);

/// What is on disk and damaged is not fetched again sooner than this after the last time: the disk may be at fault.
const REPAIR_PAUSE: Duration = Duration::from_secs(30);

enum Command {
    Follow(Target),
    Unfollow(Target),
    Refresh(RefreshTicket),
    Repair,
    Credentials(Arc<Credentials>),
}

/// Owns the conversations.
pub(crate) struct SourceHub {
    stores: Arc<SourceStores>,
    credentials: Arc<Credentials>,
    polling: PollInterval,
    updates: mpsc::Sender<SourceUpdate>,
    repositories: HashMap<Str, Followed>,
    /// How many conversations were begun.
    n_conversations: u64,
}

struct Followed {
    commands: mpsc::UnboundedSender<Command>,
    place: Place,
    access: Access,
    followers: HashMap<Target, usize>,
    refreshes: RefreshTicket,
    /// The number of its conversation.
    number: u64,
}

impl SourceState {
    /// What is known of it, for those who ask for it by an address; `None` while it is not known yet.
    pub(crate) fn known(&self) -> Option<Result<Fetched, Str>> {
        match (&self.latest, &self.problem) {
            (Some(latest), _) => Some(Ok(latest.clone())),
            (None, Some(problem)) => Some(Err(problem.clone())),
            (None, None) => None,
        }
    }
}

impl SourceHub {
    pub(crate) fn new(
        stores: Arc<SourceStores>,
        polling: PollInterval,
        updates: mpsc::Sender<SourceUpdate>,
    ) -> Self {
        let credentials = Arc::default();
        Self { stores, credentials, polling, updates, repositories: HashMap::new(), n_conversations: 0 }
    }

    /// Submodules are reached with these from now on.
    pub(crate) fn set_credentials(&mut self, credentials: &Arc<Credentials>) {
        self.credentials = credentials.clone();
        for followed in self.repositories.values() {
            let _ = followed.commands.send(Command::Credentials(credentials.clone()));
        }
    }

    /// Whether news are from the conversation that is held now: one that was ended, because what it reached the repository
    /// with was replaced, may still have had an answer on its way.
    pub(crate) fn is_current(&self, update: &SourceUpdate) -> bool {
        let followed = self.repositories.get(&update.key.repository);
        followed.is_some_and(|followed| followed.number == update.conversation)
    }

    /// Follows a source, or counts one more follower of it.
    pub(crate) fn follow(&mut self, place: &Place, access: &Access, key: &SourceKey) {
        self.n_conversations += 1;
        let number = self.n_conversations;
        let start = || {
            start(Conversation {
                number,
                stores: self.stores.clone(),
                credentials: key.credentials(&self.credentials),
                polling: self.polling,
                updates: self.updates.clone(),
                place: place.clone(),
                access: access.clone(),
                name: key.repository.clone(),
                targets: BTreeSet::new(),
                latest: HashMap::new(),
                failures: 0,
                round: 0,
                answered: RefreshTicket::default(),
                repaired: None,
                n_repairs: 0,
                folder: None,
            })
        };
        let followed = self.repositories.entry(key.repository.clone()).or_insert_with(start);
        if followed.access != *access {
            // New credentials: begin anew with them, following what was followed.
            let followers = std::mem::take(&mut followed.followers);
            let refreshes = followed.refreshes;
            *followed = start();
            for target in followers.keys() {
                let _ = followed.commands.send(Command::Follow(target.clone()));
            }
            followed.followers = followers;
            followed.refreshes = refreshes;
            if refreshes > RefreshTicket::default() {
                let _ = followed.commands.send(Command::Refresh(refreshes));
            }
        }
        let count = followed.followers.entry(key.target.clone()).or_insert(0);
        *count += 1;
        if *count == 1 {
            let _ = followed.commands.send(Command::Follow(key.target.clone()));
        }
    }

    /// One follower less.
    pub(crate) fn unfollow(&mut self, key: &SourceKey) {
        let Some(followed) = self.repositories.get_mut(&key.repository) else { return };
        if let Some(count) = followed.followers.get_mut(&key.target) {
            *count -= 1;
            if *count == 0 {
                followed.followers.remove(&key.target);
                let _ = followed.commands.send(Command::Unfollow(key.target.clone()));
            }
        }
        if followed.followers.is_empty() {
            self.repositories.remove(&key.repository);
        }
    }

    /// Looks at a repository now. What is followed in it is as new as that once its state names this ticket.
    pub(crate) fn refresh(&mut self, repository: &str) -> RefreshTicket {
        let Some(followed) = self.repositories.get_mut(repository) else { return RefreshTicket::default() };
        followed.refreshes.0 += 1;
        let _ = followed.commands.send(Command::Refresh(followed.refreshes));
        followed.refreshes
    }

    /// Fetches a repository again whose files on disk turned out to be damaged.
    pub(crate) fn repair(&self, repository: &str) {
        if let Some(followed) = self.repositories.get(repository) {
            let _ = followed.commands.send(Command::Repair);
        }
    }

    /// Gives back memory that reading needed.
    pub(crate) fn release_readers(&self) {
        self.stores.release_readers();
    }

    /// A Git repository that is followed.
    pub(crate) fn repository(&self, name: &str) -> Option<Arc<Repository>> {
        let followed = self.repositories.get(name)?;
        let Place::Git(url) = &followed.place else { return None };
        self.stores.repository(url, &followed.access).ok()
    }

    /// The Git repositories that are followed.
    pub(crate) fn repositories(&self) -> impl Iterator<Item = (&Str, &RepositoryUrl)> {
        self.repositories.iter().filter_map(|(name, followed)| match &followed.place {
            Place::Git(url) => Some((name, url)),
            Place::Artifacts { .. } | Place::Bucket(_) | Place::File(_) => None,
        })
    }
}

fn start(conversation: Conversation) -> Followed {
    let (commands, received) = mpsc::unbounded_channel();
    let (place, access, number) =
        (conversation.place.clone(), conversation.access.clone(), conversation.number);
    tokio::spawn(conversation.run(received));
    let refreshes = RefreshTicket::default();
    Followed { commands, place, access, followers: HashMap::new(), refreshes, number }
}

/// One repository's conversation; ends when its commands' sender is dropped.
struct Conversation {
    number: u64,
    stores: Arc<SourceStores>,
    credentials: Arc<Credentials>,
    polling: PollInterval,
    updates: mpsc::Sender<SourceUpdate>,
    place: Place,
    access: Access,
    name: Str,
    targets: BTreeSet<Target>,
    latest: HashMap<Target, Fetched>,
    failures: u32,
    round: u64,
    answered: RefreshTicket,
    /// When damage on disk was last repaired, and how often.
    repaired: Option<Instant>,
    n_repairs: u32,
    /// Where it is a folder of this machine: what tells of changes in it.
    folder: Option<(FolderWatch, Arc<Notify>)>,
}

impl Conversation {
    async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>) {
        let mut next = Instant::now() + self.polling.interval;
        loop {
            let mut wanted: BTreeSet<Target> = BTreeSet::new();
            let mut freshness = Freshness::Shared;
            let command = tokio::select! {
                command = commands.recv() => match command {
                    None => return,
                    command => command,
                },
                () = tokio::time::sleep_until(next) => None,
                () = news_of(self.folder.as_ref()) => None,
            };
            if command.is_none() {
                wanted.clone_from(&self.targets);
                freshness = Freshness::New;
            }
            let mut command = command;
            while let Some(received) = command.or_else(|| commands.try_recv().ok()) {
                match received {
                    Command::Follow(target) => {
                        self.targets.insert(target.clone());
                        wanted.insert(target);
                    }
                    Command::Unfollow(target) => {
                        self.targets.remove(&target);
                        self.latest.remove(&target);
                    }
                    Command::Refresh(ticket) => {
                        self.answered = ticket;
                        wanted.clone_from(&self.targets);
                        freshness = Freshness::New;
                    }
                    Command::Repair => {
                        if self.repaired.is_none_or(|at| at.elapsed() >= REPAIR_PAUSE) {
                            tracing::warn!(repository = %self.name, "what is on disk is damaged and is fetched again");
                            self.repaired = Some(Instant::now());
                            wanted.clone_from(&self.targets);
                            freshness = Freshness::New;
                        }
                    }
                    Command::Credentials(credentials) => {
                        self.credentials = credentials_of(&self.name, &credentials);
                        // What could not be had may be had with them.
                        if self.failures > 0 {
                            wanted.clone_from(&self.targets);
                            freshness = Freshness::New;
                        }
                    }
                }
                command = None;
            }
            wanted.retain(|target| self.targets.contains(target));
            if wanted.is_empty() {
                continue;
            }
            self.watch_folder();
            let Ok(ok) = self.update(wanted, freshness).await else { return };
            self.round += 1;
            self.failures = if ok { 0 } else { self.failures.saturating_add(1) };
            let regular = self.polling.delay(&self.name, self.round);
            let pause = match self.failures {
                0 => regular,
                failures => (FIRST_RETRY * 2u32.saturating_pow(failures - 1)).min(regular),
            };
            next = Instant::now() + pause;
        }
    }

    /// Watches a folder of this machine from before it is read, for as long as it is no repository.
    fn watch_folder(&mut self) {
        let Some(path) = self.stores.folder_at(&self.place) else {
            self.folder = None;
            return;
        };
        if self.folder.is_some() {
            return;
        }
        let news = Arc::new(Notify::new());
        let tell = news.clone();
        match FolderWatch::start(path, move |_| tell.notify_one()) {
            Ok(watch) => self.folder = Some((watch, news)),
            Err(error) => {
                tracing::warn!(repository = %self.name, %error, "the folder is polled, not watched");
            }
        }
    }

    /// Asks for `targets` and tells the news; answers whether all could be had. `Err` when nobody listens.
    async fn update(&mut self, targets: BTreeSet<Target>, freshness: Freshness) -> Result<bool, ()> {
        let span = tracing::debug_span!("source_update", repository = %self.name);
        let stores = self.stores.clone();
        let (place, access, credentials) = (&self.place, &self.access, &self.credentials);
        let asking = stores.update(place, access, credentials, targets, freshness, &self.latest);
        let answers = asking.instrument(span).await;
        let mut all_ok = true;
        for (target, answer) in answers {
            let key = SourceKey { repository: self.name.clone(), target: target.clone() };
            let news = match answer {
                Ok(mut resolved) => {
                    if self.latest.get(&target).is_some_and(|before| before.files.is_damaged()) {
                        // What was rendered of the same content before is looked at again.
                        self.n_repairs += 1;
                    }
                    resolved.n_repairs = self.n_repairs;
                    let before = self.latest.insert(target, resolved.clone());
                    let is_new =
                        before.as_ref().is_none_or(|before| before.identity() != resolved.identity());
                    let changed = match before {
                        Some(before) if is_new => changes(before, resolved.clone()).await,
                        Some(_) => Some(Vec::new()),
                        None => None,
                    };
                    Ok(SourceNews { resolved, changed, is_new })
                }
                Err(error) => {
                    all_ok = false;
                    Err(advised(&error))
                }
            };
            let answered = self.answered;
            self.updates
                .send(SourceUpdate { key, news, answered, conversation: self.number })
                .await
                .map_err(|_| ())?;
        }
        Ok(all_ok)
    }
}

/// Done when something has changed in the folder, if there is one.
async fn news_of(folder: Option<&(FolderWatch, Arc<Notify>)>) {
    match folder {
        Some((_, news)) => news.notified().await,
        None => std::future::pending().await,
    }
}

/// What went wrong, and what a person can do about it where that is known here.
fn advised(error: &SourceError) -> Str {
    let text = chain(error);
    match error {
        SourceError::Refused { source: Refused::Scheme { scheme: Scheme::Local }, .. } => format!(
            "{text}; `--allow-local-repositories` allows them, and `--allow-local-folder` folders without Git"
        )
        .into(),
        SourceError::RepositoryNotFound { repository } if repository.starts_with('/') => {
            format!("{text}; a folder without Git needs `--allow-local-folder`").into()
        }
        _ => text.into(),
    }
}

async fn changes(before: Fetched, after: Fetched) -> Option<Vec<Str>> {
    if before.revision == after.revision || before.files.is_damaged() {
        return None;
    }
    let compare = move || after.files.changes_since(&before.files, MOST_CHANGED_PATHS);
    tokio::task::spawn_blocking(compare).await.ok().flatten()
}
