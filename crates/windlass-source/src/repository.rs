//! One repository: what its references point to now, and the Trees of its commits.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use gix::protocol::transport::Protocol;
use gix::protocol::transport::client::blocking_io::{Transport, http};

use reqwest::Url;
use windlass_model::Tree;

use crate::credentials::Access;
use crate::error::{Message, SourceError};
use crate::flight::{Flight, Freshness};
use crate::lfs::{self, LfsClient, LfsTree};
use crate::objects::{Ambiguous, Objects};
use crate::partial::Elsewhere;
use crate::refs::{self, Reference};
use crate::revision::{CommitId, Resolved, Revision, TargetRevision};
use crate::session::{Content, Session};
use crate::signatures::{self, HISTORY_COMMITS, SignatureScope, SignedRevision, TrustedKeys};
use crate::slot::Slot;
use crate::store::Shared;
use crate::transport::http::{Greeting, HttpLink};
use crate::transport::{FailureSlot, flatten, ssh};
use crate::tree::GitTree;
use crate::url::{RepositoryUrl, Scheme};

/// Addresses of LFS servers that are kept apart for one repository: commits name few.
const MAX_LFS_SERVERS: usize = 16;

/// A revision and its files.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// What the target stood for when the repository was asked.
    pub revision: Revision,
    /// The files of that commit.
    pub tree: GitTree,
}

/// Who made a commit, when and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitMetadata {
    /// The author's name and address, `Name <address>`.
    pub author: String,
    /// When the author made it, in seconds since 1970.
    pub authored_at: i64,
    /// When it was committed, in seconds since 1970.
    pub committed_at: i64,
    /// The whole message.
    pub message: String,
    /// The commits it follows.
    pub parents: Vec<CommitId>,
}

/// One repository, reached with one set of credentials.
///
/// Methods block on the network and the disk: call them from a blocking thread, or use the `_async` forms. However
/// many threads ask at once, at most one request is on its way and one more is prepared for those who need news.
pub struct Repository {
    /// Itself, for Trees that fetch what is read.
    this: Weak<Self>,
    url: RepositoryUrl,
    access: Access,
    pub(crate) slot: Arc<Slot>,
    pub(crate) shared: Arc<Shared>,
    updates: Flight<TargetRevision, Result<Snapshot, SourceError>>,
    listings: Flight<TargetRevision, Result<Revision, SourceError>>,
    /// Whether the server has let us in with these credentials: what others have fetched is not shown before.
    admitted: AtomicBool,
    /// What the server can do, as it said before.
    greeting: Arc<Greeting>,
    /// Begun when it is first needed.
    /// By the address that `.lfsconfig` names, which each commit may do anew.
    lfs: Mutex<HashMap<Option<Url>, Arc<LfsClient>>>,
}

impl Repository {
    pub(crate) fn new(url: RepositoryUrl, access: Access, slot: Arc<Slot>, shared: Arc<Shared>) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            this: this.clone(),
            url,
            access,
            slot,
            shared,
            updates: Flight::default(),
            listings: Flight::default(),
            admitted: AtomicBool::new(false),
            greeting: Arc::default(),
            lfs: Mutex::default(),
        })
    }

    pub(crate) fn is_for(&self, url: &RepositoryUrl, access: &Access) -> bool {
        self.url == *url
            && self.url.user() == url.user()
            && self.url.password() == url.password()
            && self.access == *access
    }

    /// The repository's address.
    #[must_use]
    pub fn url(&self) -> &RepositoryUrl {
        &self.url
    }

    /// What the repository is reached with.
    #[must_use]
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// Finds out what each target stands for now, and makes the files of those commits available.
    ///
    /// One listing and at most one pack are transferred for all of them. A target that fails does not fail the
    /// others. When the server cannot be reached, targets that name a full commit id are still answered from what
    /// was fetched before.
    pub fn update(
        &self,
        targets: &BTreeSet<TargetRevision>,
        freshness: Freshness,
    ) -> BTreeMap<TargetRevision, Result<Snapshot, SourceError>> {
        let mut answers = self.updates.ask(targets, freshness, |all| self.update_or_repair(all));
        for target in targets {
            answers.entry(target.clone()).or_insert_with(|| Err(self.unanswered()));
        }
        answers
    }

    /// As [`update`](Self::update), for one target.
    ///
    /// # Errors
    ///
    /// [`SourceError`] says what is wrong with the repository or the revision.
    pub fn update_one(&self, target: &TargetRevision, freshness: Freshness) -> Result<Snapshot, SourceError> {
        let targets = BTreeSet::from([target.clone()]);
        self.update(&targets, freshness).remove(target).unwrap_or_else(|| Err(self.unanswered()))
    }

    /// Finds out what each target stands for now, without fetching anything.
    pub fn resolve(
        &self,
        targets: &BTreeSet<TargetRevision>,
        freshness: Freshness,
    ) -> BTreeMap<TargetRevision, Result<Revision, SourceError>> {
        let mut answers = self.listings.ask(targets, freshness, |all| self.run_listing(all));
        for target in targets {
            answers.entry(target.clone()).or_insert_with(|| Err(self.unanswered()));
        }
        answers
    }

    /// As [`update`](Self::update), on Tokio's blocking threads.
    ///
    /// # Cancel safety
    ///
    /// A dropped future loses the answer; the fetch itself goes on and its objects are kept.
    pub async fn update_async(
        self: &Arc<Self>,
        targets: BTreeSet<TargetRevision>,
        freshness: Freshness,
    ) -> BTreeMap<TargetRevision, Result<Snapshot, SourceError>> {
        let repository = self.clone();
        let wanted = targets.clone();
        let job = tokio::task::spawn_blocking(move || repository.update(&wanted, freshness));
        match job.await {
            Ok(answers) => answers,
            Err(_) => targets.into_iter().map(|target| (target, Err(self.unanswered()))).collect(),
        }
    }

    /// As [`resolve`](Self::resolve), on Tokio's blocking threads.
    ///
    /// # Cancel safety
    ///
    /// A dropped future loses the answer and nothing else.
    pub async fn resolve_async(
        self: &Arc<Self>,
        targets: BTreeSet<TargetRevision>,
        freshness: Freshness,
    ) -> BTreeMap<TargetRevision, Result<Revision, SourceError>> {
        let repository = self.clone();
        let wanted = targets.clone();
        let job = tokio::task::spawn_blocking(move || repository.resolve(&wanted, freshness));
        match job.await {
            Ok(answers) => answers,
            Err(_) => targets.into_iter().map(|target| (target, Err(self.unanswered()))).collect(),
        }
    }

    /// The files of a commit that was fetched before; `None` when it was not. Asks no server.
    ///
    /// # Errors
    ///
    /// [`SourceError::Store`] when the database cannot be read.
    pub fn tree(&self, commit: CommitId) -> Result<Option<GitTree>, SourceError> {
        let objects = self.slot.objects(&self.url)?;
        if objects.contains(commit) { self.open_tree(&objects, commit).map(Some) } else { Ok(None) }
    }

    /// Who made a commit that was fetched before; `None` when it was not fetched.
    ///
    /// # Errors
    ///
    /// [`SourceError::Store`] when the database cannot be read.
    pub fn commit_metadata(&self, commit: CommitId) -> Result<Option<CommitMetadata>, SourceError> {
        let objects = self.slot.objects(&self.url)?;
        if !objects.contains(commit) {
            return Ok(None);
        }
        let read = |repository: &gix::Repository| -> gix::Result<CommitMetadata> {
            let found = repository.find_commit(commit.to_git())?;
            let decoded = found.decode()?;
            let author = decoded.author()?;
            Ok(CommitMetadata {
                author: format!("{} <{}>", author.name, author.email),
                authored_at: author.time()?.seconds,
                committed_at: decoded.committer()?.time()?.seconds,
                message: decoded.message.to_string(),
                parents: decoded.parents().filter_map(CommitId::from_git).collect(),
            })
        };
        objects.with(read).map(Some).map_err(|error| self.broken_store("read a commit of", &objects, &error))
    }

    /// What signatures say of a revision: of its tag, its commit and the commits before it, as `scope` says.
    ///
    /// A tag, and the history of a commit, are asked for at the server, looked at, and thrown away. `now` is the time in
    /// seconds since 1970.
    ///
    /// # Errors
    ///
    /// [`SourceError`] when what is to be looked at cannot be had, or is more than the limit HISTORY_COMMITS.
    pub fn signatures(
        &self,
        revision: &Revision,
        scope: SignatureScope,
        keys: &TrustedKeys,
        now: u64,
    ) -> Result<Vec<SignedRevision>, SourceError> {
        let known = self.slot.objects(&self.url)?;
        let is_local = self.url.scheme() == Scheme::Local;
        let tag = revision.tag_object.filter(|_| scope != SignatureScope::Commit);
        let is_here = tag.is_none() && scope != SignatureScope::History;
        let objects = if is_local || (is_here && known.contains(revision.commit)) {
            known
        } else {
            let _permit = self.shared.permits.acquire();
            let mut session = self.connect().inspect_err(|error| self.forget_refused_token(error))?;
            let wanted = tag.unwrap_or(revision.commit);
            let content = match scope {
                SignatureScope::History => Content::History,
                _ => Content::Alone,
            };
            let shared = &self.shared;
            let (limits, interrupt) = (&shared.limits, shared.io.interrupted());
            Arc::new(self.slot.fetch_apart(&mut session, &[wanted], content, limits, interrupt)?)
        };
        let looked_at =
            objects.with(|repository| signatures::look_at(repository, revision, scope, keys, now));
        looked_at.map_err(|error| self.broken_store("read a signature of", &objects, &error))?.ok_or_else(
            || SourceError::Protocol {
                repository: self.url.to_string(),
                source: Message::cause(format!(
                    "its history has more than {HISTORY_COMMITS} commits (limit HISTORY_COMMITS)"
                )),
            },
        )
    }

    /// The files of a commit with those that Git LFS keeps beside the repository, which are fetched when they are read.
    ///
    /// `tree` is of this repository; submodules in it see to theirs themselves. A repository on this machine has no LFS server, and its tree stays as it is: `None`.
    #[must_use]
    pub fn with_lfs(&self, tree: Arc<dyn Tree>) -> Option<LfsTree> {
        let client = self.lfs_client(tree.as_ref())?;
        Some(LfsTree::new(tree, client))
    }

    /// What fetches the files that Git LFS keeps of a tree of this repository.
    pub(crate) fn lfs_client(&self, tree: &dyn Tree) -> Option<Arc<LfsClient>> {
        let folder = self.slot.lfs_folder()?;
        let endpoint = lfs::endpoint_of(tree);
        let mut clients = self.lfs.lock().unwrap_or_else(PoisonError::into_inner);
        if clients.len() >= MAX_LFS_SERVERS {
            clients.clear();
        }
        let client = clients.entry(endpoint.clone()).or_insert_with(|| {
            let (url, access, web) = (self.url.clone(), self.access.clone(), self.shared.web.clone());
            Arc::new(LfsClient::new(url, endpoint, access, web, folder))
        });
        Some(client.clone())
    }

    /// Throws away what was fetched, after reading it has failed. Trees that are open stay as they are.
    pub fn discard_objects(&self) {
        self.slot.discard();
    }

    /// Updates; when the objects on disk turn out to be damaged, throws them away and fetches them again, once.
    fn update_or_repair(
        &self,
        targets: &BTreeSet<TargetRevision>,
    ) -> BTreeMap<TargetRevision, Result<Snapshot, SourceError>> {
        let answers = self.run_update(targets);
        let damaged =
            |answer: &Result<Snapshot, SourceError>| matches!(answer, Err(SourceError::Store { .. }));
        if self.url.scheme() == Scheme::Local || !answers.values().any(damaged) {
            return answers;
        }
        tracing::warn!(repository = %self.url, "the fetched objects are damaged and are fetched again");
        self.slot.discard();
        self.run_update(targets)
    }

    fn run_update(
        &self,
        targets: &BTreeSet<TargetRevision>,
    ) -> BTreeMap<TargetRevision, Result<Snapshot, SourceError>> {
        let everyone =
            |error: SourceError| targets.iter().map(|it| (it.clone(), Err(error.clone()))).collect();
        let objects = match self.slot.objects(&self.url) {
            Ok(objects) => objects,
            Err(error) => return everyone(error),
        };
        if self.url.scheme() == Scheme::Local {
            return self.update_local(targets);
        }
        let on_disk = |target: &TargetRevision| match target {
            TargetRevision::Commit(commit) if objects.contains(*commit) => Some(*commit),
            _ => None,
        };
        let from_disk = |commit: CommitId| {
            let tree = self.open_tree(&objects, commit)?;
            Ok(Snapshot { revision: Revision { commit, reference: None, tag: None, tag_object: None }, tree })
        };
        if self.admitted.load(Ordering::Relaxed) && targets.iter().all(|target| on_disk(target).is_some()) {
            return targets
                .iter()
                .filter_map(|target| Some((target.clone(), from_disk(on_disk(target)?))))
                .collect();
        }
        let _permit = self.shared.permits.acquire();
        let (mut session, references) = match self.connect_and_list(targets) {
            Ok(listed) => listed,
            Err(error) => {
                let unreachable =
                    matches!(error, SourceError::Unreachable { .. } | SourceError::Silent { .. });
                return targets
                    .iter()
                    .map(|target| match on_disk(target) {
                        Some(commit) if unreachable => (target.clone(), from_disk(commit)),
                        _ => (target.clone(), Err(error.clone())),
                    })
                    .collect();
            }
        };
        let resolved: BTreeMap<_, _> = targets
            .iter()
            .map(|target| {
                let revision = self.resolve_one(target, &references, Some(&objects), Some(&mut session));
                (target.clone(), revision)
            })
            .collect();
        let wants: BTreeSet<CommitId> = resolved.values().flatten().map(|revision| revision.commit).collect();
        let fetched = self.fetch(&mut session, &wants);
        resolved
            .into_iter()
            .map(|(target, revision)| {
                let snapshot = revision.and_then(|revision| {
                    let objects =
                        fetched.get(&revision.commit).cloned().unwrap_or_else(|| Err(self.unanswered()))?;
                    let tree = self.open_tree(&objects, revision.commit)?;
                    Ok(Snapshot { revision, tree })
                });
                (target, snapshot)
            })
            .collect()
    }

    /// Fetches all wants with one pack. When the server lacks one of them, it is left out and the others are asked
    /// for again.
    fn fetch(
        &self,
        session: &mut Session,
        wants: &BTreeSet<CommitId>,
    ) -> BTreeMap<CommitId, Result<Arc<Objects>, SourceError>> {
        let fetch = |session: &mut Session, wants: &[CommitId]| {
            self.slot.fetch(session, wants, &self.url, &self.shared.limits, self.shared.io.interrupted())
        };
        let mut answers = BTreeMap::new();
        let mut left: Vec<_> = wants.iter().copied().collect();
        let mut fetched = fetch(session, &left);
        if fetched.is_err() {
            // It may have been asked for something that it cannot do any more.
            self.greeting.forget();
        }
        if self.slot.was_too_large(&fetched, &self.shared.limits) {
            tracing::info!(repository = %self.url, "only files that are read are fetched: it is large");
            fetched = self.connect().and_then(|mut session| fetch(&mut session, &left));
        }
        while let Err(SourceError::CommitNotFound { commit, .. }) = &fetched
            && let Some(at) = left.iter().position(|want| want == commit)
        {
            answers.insert(left.remove(at), fetched);
            if left.is_empty() {
                return answers;
            }
            // A server hangs up after it has refused something.
            fetched = self.connect().and_then(|mut session| fetch(&mut session, &left));
        }
        answers.extend(left.into_iter().map(|want| (want, fetched.clone())));
        answers
    }

    fn run_listing(
        &self,
        targets: &BTreeSet<TargetRevision>,
    ) -> BTreeMap<TargetRevision, Result<Revision, SourceError>> {
        let objects = self.slot.objects(&self.url);
        let mut session = None;
        let references = match (&objects, self.url.scheme()) {
            (Ok(objects), Scheme::Local) => self.list_local(objects),
            (Err(error), Scheme::Local) => Err(error.clone()),
            _ => {
                let _permit = self.shared.permits.acquire();
                self.connect_and_list(targets).map(|(opened, references)| {
                    session = Some(opened);
                    references
                })
            }
        };
        targets
            .iter()
            .map(|target| {
                let revision = match &references {
                    Ok(references) => {
                        self.resolve_one(target, references, objects.as_deref().ok(), session.as_mut())
                    }
                    Err(error) => Err(error.clone()),
                };
                (target.clone(), revision)
            })
            .collect()
    }

    fn update_local(
        &self,
        targets: &BTreeSet<TargetRevision>,
    ) -> BTreeMap<TargetRevision, Result<Snapshot, SourceError>> {
        let attempt = |target: &TargetRevision| {
            let objects = self.slot.objects(&self.url)?;
            let references = self.list_local(&objects)?;
            let revision = self.resolve_one(target, &references, Some(&objects), None)?;
            if !objects.contains(revision.commit) {
                return Err(SourceError::CommitNotFound {
                    repository: self.url.to_string(),
                    commit: revision.commit,
                });
            }
            let tree = self.open_tree(&objects, revision.commit)?;
            Ok(Snapshot { revision, tree })
        };
        targets
            .iter()
            .map(|target| {
                let first = attempt(target);
                let answer = match first {
                    Err(SourceError::CommitNotFound { .. } | SourceError::Store { .. }) => {
                        self.slot.reopen_local();
                        attempt(target)
                    }
                    other => other,
                };
                (target.clone(), answer)
            })
            .collect()
    }

    fn list_local(&self, objects: &Objects) -> Result<Vec<Reference>, SourceError> {
        objects
            .with(refs::from_local)
            .map_err(|error| self.broken_store("list the references of", objects, &error))
    }

    fn resolve_one(
        &self,
        target: &TargetRevision,
        references: &[Reference],
        objects: Option<&Objects>,
        session: Option<&mut Session>,
    ) -> Result<Revision, SourceError> {
        let repository = || self.url.to_string();
        match target.resolve(references, &self.url)? {
            Resolved::Known(revision) => Ok(revision),
            Resolved::Short(prefix) => {
                let mut found = objects.and_then(|objects| objects.find_short(&prefix).transpose());
                if found.is_none()
                    && let Some(session) = session
                {
                    let tips: BTreeSet<CommitId> = references.iter().map(|it| it.commit).collect();
                    let tips: Vec<CommitId> = tips.into_iter().collect();
                    let shared = &self.shared;
                    found = self.slot.find_in_history(
                        session,
                        &tips,
                        &prefix,
                        &shared.limits,
                        shared.io.interrupted(),
                    )?;
                }
                match found {
                    Some(Ok(commit)) => Ok(Revision { commit, reference: None, tag: None, tag_object: None }),
                    Some(Err(Ambiguous)) => {
                        Err(SourceError::AmbiguousCommit { repository: repository(), prefix })
                    }
                    None => {
                        Err(SourceError::ReferenceNotFound { repository: repository(), reference: prefix })
                    }
                }
            }
        }
    }

    fn connect_and_list(
        &self,
        targets: &BTreeSet<TargetRevision>,
    ) -> Result<(Session, Vec<Reference>), SourceError> {
        let prefixes: BTreeSet<String> =
            targets.iter().flat_map(TargetRevision::reference_prefixes).collect();
        let prefixes: Vec<String> = prefixes.into_iter().collect();
        let attempt = || {
            let mut session = self.connect()?;
            let references = session.list(&prefixes)?;
            Ok((session, references))
        };
        let mut listed = attempt();
        if let Err(error) = &listed {
            self.forget_refused_token(error);
            // Moved, or another server than the one that was greeted.
            let may_be_outdated = !matches!(
                error,
                SourceError::Unreachable { .. } | SourceError::Silent { .. } | SourceError::Cancelled { .. }
            );
            if self.greeting.forget() && may_be_outdated {
                listed = attempt();
                if let Err(error) = &listed {
                    self.forget_refused_token(error);
                }
            }
        }
        let listed = listed?;
        self.admitted.store(true, Ordering::Relaxed);
        Ok(listed)
    }

    fn forget_refused_token(&self, error: &SourceError) {
        if matches!(error, SourceError::AuthenticationFailed { .. } | SourceError::Forbidden { .. }) {
            self.shared.web.forget_token(&self.url, &self.access);
        }
    }

    pub(crate) fn connect(&self) -> Result<Session, SourceError> {
        if self.shared.io.interrupted().load(Ordering::Relaxed) {
            return Err(SourceError::Cancelled { repository: self.url.to_string() });
        }
        let failure = FailureSlot::default();
        let shared = &self.shared;
        let transport: Box<dyn Transport> = match self.url.scheme() {
            Scheme::Https | Scheme::Http => {
                let access = shared.web.signed_in(&self.url, &self.access)?;
                let link = HttpLink::new(
                    &shared.clients,
                    &shared.io,
                    &self.url,
                    &access,
                    &shared.policy,
                    &self.greeting,
                    failure.clone(),
                )?;
                let url =
                    gix::url::parse(self.url.bare().as_str()).map_err(|error| SourceError::Protocol {
                        repository: self.url.to_string(),
                        source: Message::cause(flatten(&error)),
                    })?;
                Box::new(http::Transport::new_http(link, url, Protocol::V2, false))
            }
            Scheme::Ssh => {
                Box::new(ssh::connect(&shared.io, &self.url, &self.access, &shared.policy, &failure)?)
            }
            Scheme::Local => {
                return Err(SourceError::RepositoryNotFound { repository: self.url.to_string() });
            }
        };
        Session::start(&self.url, transport, failure)
    }

    fn open_tree(&self, objects: &Arc<Objects>, commit: CommitId) -> Result<GitTree, SourceError> {
        let tree = GitTree::open(objects, commit)
            .map_err(|error| self.broken_store("read a commit of", objects, &error))?;
        Ok(match self.this.upgrade().filter(|_| self.slot.is_partial()) {
            Some(this) => tree.with_elsewhere(Elsewhere::new(this)),
            None => tree,
        })
    }

    pub(crate) fn broken_store(
        &self,
        action: &'static str,
        objects: &Objects,
        error: &gix::Error,
    ) -> SourceError {
        SourceError::Store {
            action,
            path: objects.path().to_path_buf(),
            source: Message::cause(flatten(error)),
        }
    }

    fn unanswered(&self) -> SourceError {
        SourceError::Cancelled { repository: self.url.to_string() }
    }
}

impl fmt::Debug for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Repository({})", self.url)
    }
}
