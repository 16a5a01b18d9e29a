//! Follows sources: one conversation per repository, however many Units use it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::Instrument;
use windlass_kube::Str;
use windlass_source::{
    Access, Freshness, GitTree, PollInterval, Refused, Repository, RepositoryStore, RepositoryUrl, Scheme,
    SourceError, TargetRevision, chain,
};

/// Which state of which repository is followed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SourceKey {
    /// The repository's address in its normal form.
    pub(crate) repository: Str,
    /// What is followed in it.
    pub(crate) target: TargetRevision,
}

/// What is known of a source.
#[derive(Clone, Default)]
pub(crate) struct SourceState {
    /// The newest revision that could be had.
    pub(crate) latest: Option<ResolvedSource>,
    /// Why the last attempt failed, if it did. The latest revision is still used.
    pub(crate) problem: Option<Str>,
    /// The newest refresh that what is known here is an answer to.
    pub(crate) answered: RefreshTicket,
}

/// Numbers the refreshes of a repository.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RefreshTicket(u64);

/// A revision with its files.
#[derive(Clone)]
pub(crate) struct ResolvedSource {
    /// The commit.
    pub(crate) commit: Str,
    /// Its files.
    pub(crate) tree: Arc<GitTree>,
}

/// News of a source.
pub(crate) struct SourceUpdate {
    pub(crate) key: SourceKey,
    pub(crate) news: Result<SourceNews, Str>,
    /// The newest refresh that had been asked for when the repository was.
    pub(crate) answered: RefreshTicket,
}

/// A revision, and what changed since the one before.
pub(crate) struct SourceNews {
    pub(crate) resolved: ResolvedSource,
    /// The files that differ from the revision before; `None` when everything may.
    pub(crate) changed: Option<Vec<Str>>,
    /// Whether the commit is another one than before.
    pub(crate) is_new: bool,
}

/// More changed files than this are not compared one by one with what Units read: everything counts as changed.
const MOST_CHANGED_PATHS: usize = 20_000;

/// The first pause after a failed attempt; doubled each time, up to the poll interval.
const FIRST_RETRY: Duration = Duration::from_secs(3);

enum Command {
    Follow(TargetRevision),
    Unfollow(TargetRevision),
    Refresh(RefreshTicket),
}

/// Owns the conversations.
pub(crate) struct SourceHub {
    store: Arc<RepositoryStore>,
    polling: PollInterval,
    updates: mpsc::Sender<SourceUpdate>,
    repositories: HashMap<Str, Followed>,
}

struct Followed {
    commands: mpsc::UnboundedSender<Command>,
    url: RepositoryUrl,
    access: Access,
    followers: HashMap<TargetRevision, usize>,
    refreshes: RefreshTicket,
}

impl SourceHub {
    pub(crate) fn new(
        store: Arc<RepositoryStore>,
        polling: PollInterval,
        updates: mpsc::Sender<SourceUpdate>,
    ) -> Self {
        Self { store, polling, updates, repositories: HashMap::new() }
    }

    /// Follows a source, or counts one more follower of it.
    pub(crate) fn follow(&mut self, url: &RepositoryUrl, access: &Access, key: &SourceKey) {
        let store = &self.store;
        let (polling, updates) = (self.polling, &self.updates);
        let followed = self.repositories.entry(key.repository.clone()).or_insert_with(|| {
            start(
                store.clone(),
                polling,
                updates.clone(),
                url.clone(),
                access.clone(),
                key.repository.clone(),
            )
        });
        if followed.access != *access {
            // New credentials: begin anew with them, following what was followed.
            let followers = std::mem::take(&mut followed.followers);
            let refreshes = followed.refreshes;
            *followed = start(
                store.clone(),
                polling,
                updates.clone(),
                url.clone(),
                access.clone(),
                key.repository.clone(),
            );
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

    /// Gives back memory that reading needed.
    pub(crate) fn release_readers(&self) {
        self.store.release_readers();
    }

    /// A repository that is followed.
    pub(crate) fn repository(&self, name: &str) -> Option<Arc<Repository>> {
        let followed = self.repositories.get(name)?;
        self.store.repository(&followed.url, &followed.access).ok()
    }

    /// The repositories that are followed.
    pub(crate) fn repositories(&self) -> impl Iterator<Item = (&Str, &RepositoryUrl)> {
        self.repositories.iter().map(|(name, followed)| (name, &followed.url))
    }
}

fn start(
    store: Arc<RepositoryStore>,
    polling: PollInterval,
    updates: mpsc::Sender<SourceUpdate>,
    url: RepositoryUrl,
    access: Access,
    name: Str,
) -> Followed {
    let (commands, received) = mpsc::unbounded_channel();
    let conversation = Conversation {
        store,
        polling,
        updates,
        url: url.clone(),
        access: access.clone(),
        name,
        targets: BTreeSet::new(),
        latest: HashMap::new(),
        failures: 0,
        round: 0,
        answered: RefreshTicket::default(),
    };
    tokio::spawn(conversation.run(received));
    Followed { commands, url, access, followers: HashMap::new(), refreshes: RefreshTicket::default() }
}

/// One repository's conversation; ends when its commands' sender is dropped.
struct Conversation {
    store: Arc<RepositoryStore>,
    polling: PollInterval,
    updates: mpsc::Sender<SourceUpdate>,
    url: RepositoryUrl,
    access: Access,
    name: Str,
    targets: BTreeSet<TargetRevision>,
    latest: HashMap<TargetRevision, ResolvedSource>,
    failures: u32,
    round: u64,
    answered: RefreshTicket,
}

impl Conversation {
    async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>) {
        let mut next = Instant::now() + self.polling.interval;
        loop {
            let mut wanted: BTreeSet<TargetRevision> = BTreeSet::new();
            let mut freshness = Freshness::Shared;
            let command = tokio::select! {
                command = commands.recv() => match command {
                    None => return,
                    command => command,
                },
                () = tokio::time::sleep_until(next) => None,
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
                }
                command = None;
            }
            wanted.retain(|target| self.targets.contains(target));
            if wanted.is_empty() {
                continue;
            }
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

    /// Asks for `targets` and tells the news; answers whether all could be had. `Err` when nobody listens.
    async fn update(&mut self, targets: BTreeSet<TargetRevision>, freshness: Freshness) -> Result<bool, ()> {
        let answers = match self.store.repository(&self.url, &self.access) {
            Ok(repository) => {
                let span = tracing::debug_span!("source_update", repository = %self.name);
                repository.update_async(targets, freshness).instrument(span).await
            }
            Err(error) => targets.into_iter().map(|target| (target, Err(error.clone()))).collect(),
        };
        let mut all_ok = true;
        for (target, answer) in answers {
            let key = SourceKey { repository: self.name.clone(), target: target.clone() };
            let news = match answer {
                Ok(snapshot) => {
                    let resolved = ResolvedSource {
                        commit: snapshot.revision.commit.to_string().into(),
                        tree: Arc::new(snapshot.tree),
                    };
                    let before = self.latest.insert(target, resolved.clone());
                    let is_new = before.as_ref().is_none_or(|before| before.commit != resolved.commit);
                    let changed = match before {
                        Some(before) if is_new => changes(before.tree, resolved.tree.clone()).await,
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
            self.updates.send(SourceUpdate { key, news, answered }).await.map_err(|_| ())?;
        }
        Ok(all_ok)
    }
}

/// What went wrong, and what a person can do about it where that is known here.
fn advised(error: &SourceError) -> Str {
    let text = chain(error);
    match error {
        SourceError::Refused { source: Refused::Scheme { scheme: Scheme::Local }, .. } => {
            format!("{text}; `--allow-local-repositories` allows them").into()
        }
        _ => text.into(),
    }
}

async fn changes(before: Arc<GitTree>, after: Arc<GitTree>) -> Option<Vec<Str>> {
    let compare = move || after.changes_since(&before, MOST_CHANGED_PATHS).ok().flatten();
    tokio::task::spawn_blocking(compare).await.ok().flatten()
}
