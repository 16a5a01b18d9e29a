//! One archive at an address, asked for again only when it has changed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use http::header::{ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use reqwest::StatusCode;

use super::download::Expected;
use super::hub::{Origin, Shared};
use super::target::{ArtifactRevision, ArtifactSnapshot, ArtifactTarget};
use super::url::ArtifactUrl;
use super::web::{Question, authorization, protocol, wrong};
use super::{ArtifactError, ContentDigest};
use crate::archive::ArchiveRoot;
use crate::credentials::Access;
use crate::error::SourceError;
use crate::identity::Purpose;

/// An archive behind an address.
pub(crate) struct Tarball {
    url: ArtifactUrl,
    access: Access,
    shared: Arc<Shared>,
    last: Mutex<BTreeMap<ArchiveRoot, Seen>>,
    /// Whether the server has let us in with these credentials: what others have fetched is not given to everybody who knows
    /// its digest.
    admitted: AtomicBool,
}

/// What came the last time, and how to ask whether it still holds.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) etag: Option<String>,
    pub(crate) last_modified: Option<String>,
    pub(crate) digest: ContentDigest,
}

impl Seen {
    /// Asks only for something newer.
    pub(crate) fn condition<'a>(&self, question: Question<'a>) -> Question<'a> {
        match (&self.etag, &self.last_modified) {
            (Some(etag), _) => question.with_header(IF_NONE_MATCH, etag),
            (None, Some(date)) => question.with_header(IF_MODIFIED_SINCE, date),
            (None, None) => question,
        }
    }
}

impl Tarball {
    pub(crate) fn new(url: ArtifactUrl, access: Access, shared: Arc<Shared>) -> Self {
        Self { url, access, shared, last: Mutex::default(), admitted: AtomicBool::default() }
    }

    fn is_admitted(&self) -> bool {
        self.admitted.load(Ordering::Relaxed)
    }
}

impl Origin for Tarball {
    fn refresh(&self) -> Result<(), SourceError> {
        Ok(())
    }

    fn resolve(&self, target: &ArtifactTarget) -> Result<ArtifactRevision, SourceError> {
        self.update(target).map(|snapshot| snapshot.revision)
    }

    fn update(&self, target: &ArtifactTarget) -> Result<ArtifactSnapshot, SourceError> {
        let shown = self.url.to_string();
        let ArtifactTarget::Archive { root, digest } = *target else {
            return Err(protocol(&shown, "it is an archive and has no charts or layers"));
        };
        let identity = |digest: ContentDigest| format!("archive {root:?} {digest}");
        let snapshot = |tree: super::ArtifactTree| ArtifactSnapshot {
            revision: ArtifactRevision { version: None, digest: tree.source() },
            tree,
            annotations: BTreeMap::new(),
            signers: Vec::new(),
        };
        // What has this digest does not change.
        if self.is_admitted()
            && let Some(tree) = digest.and_then(|digest| self.shared.trees.get(&identity(digest)))
        {
            return Ok(snapshot(tree));
        }
        let mut question = Question::get(&shown, &self.access, self.url.web().clone());
        question.authorization = authorization(&self.shared.web, &self.url, &self.access, Purpose::Other)?;
        let anonymous = question.authorization.is_none();
        let known = self.last.lock().unwrap_or_else(PoisonError::into_inner).get(&root).cloned();
        let known = known.and_then(|seen| Some((self.shared.trees.get(&identity(seen.digest))?, seen)));
        if let Some((_, seen)) = &known {
            question = seen.condition(question);
        }
        let reply = self.shared.web.ask(question)?;
        if reply.status() == StatusCode::NOT_MODIFIED
            && let Some((tree, seen)) = known
        {
            self.admitted.store(true, Ordering::Relaxed);
            // Another target of the same address may have been answered by it.
            if let Some(expected) = digest.filter(|digest| *digest != seen.digest) {
                let (what, actual) = (target.shown(), seen.digest);
                let error = ArtifactError::DigestMismatch { what, expected, actual };
                return Err(wrong(&shown, &target.shown(), error));
            }
            return Ok(snapshot(tree));
        }
        if reply.status() != StatusCode::OK {
            return Err(reply.failure(anonymous, None));
        }
        let etag = reply.header(ETAG).map(str::to_string);
        let last_modified = reply.header(LAST_MODIFIED).map(str::to_string);
        let artifact = target.shown();
        let expected = Expected { repository: &shown, artifact: &artifact, digest, root };
        let tree = self.shared.download(reply, &expected, identity)?;
        self.admitted.store(true, Ordering::Relaxed);
        let seen = Seen { etag, last_modified, digest: tree.source() };
        self.last.lock().unwrap_or_else(PoisonError::into_inner).insert(root, seen);
        Ok(snapshot(tree))
    }
}
