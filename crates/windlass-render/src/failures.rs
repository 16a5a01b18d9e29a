//! Renders that failed, so that they are not tried again and again.

use std::collections::HashMap;
use std::hash::Hash;

use windlass_kube::Str;

use crate::{Failure, Fetched, ReadSet, RenderError};

/// After a first failure, the same is not tried again for this long; then for twice as long each time.
const FIRST_PAUSE_SECONDS: i64 = 10;

/// But never for longer than this: what fails may have reasons that nobody recorded.
const LONGEST_PAUSE_SECONDS: i64 = 600;

/// More failures than this are forgotten, the one that is tried again first before others.
const FAILURES_KEPT: usize = 10_000;

/// Failures by what was rendered.
pub(crate) struct Failures<K>(HashMap<K, KeptFailure>);

/// One failure.
#[derive(Clone)]
pub(crate) struct KeptFailure {
    pub(crate) reads: ReadSet,
    pub(crate) reference_reads: Vec<(Str, ReadSet)>,
    pub(crate) fetched: Fetched,
    problem: Str,
    count: u32,
    again_at: i64,
}

impl<K> Default for Failures<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash + Clone> Failures<K> {
    /// A failure that is not to be tried again at `now`, in seconds, while what it read is as it was.
    pub(crate) fn pausing(&self, key: &K, now: i64) -> Option<&KeptFailure> {
        self.0.get(key).filter(|kept| now < kept.again_at)
    }

    /// Notes a failure. Those of the Tree are none of what is rendered, and neither is that something elsewhere is not
    /// to be had: whoever fetches says when it is.
    pub(crate) fn note(&mut self, key: K, failure: &Failure, now: i64) {
        if failure.confidential
            || failure.unreached
            || failure.fetched == Fetched::Unknown
            || matches!(failure.error, RenderError::Tree(_))
        {
            return;
        }
        let same = |kept: &&KeptFailure| kept.reads == failure.reads && kept.fetched == failure.fetched;
        let count = self.0.get(&key).filter(same).map_or(0, |kept| kept.count).saturating_add(1);
        let pause = FIRST_PAUSE_SECONDS.checked_shl(count - 1).unwrap_or(LONGEST_PAUSE_SECONDS);
        if self.0.len() >= FAILURES_KEPT && !self.0.contains_key(&key) {
            let first = self.0.iter().min_by_key(|(_, kept)| kept.again_at).map(|(key, _)| key.clone());
            first.and_then(|key| self.0.remove(&key));
        }
        let kept = KeptFailure {
            reads: failure.reads.clone(),
            reference_reads: failure.reference_reads.clone(),
            fetched: failure.fetched.clone(),
            problem: failure.error.to_string().into(),
            count,
            again_at: now.saturating_add(pause.clamp(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)),
        };
        self.0.insert(key, kept);
    }

    pub(crate) fn forget(&mut self, key: &K) {
        self.0.remove(key);
    }
}

impl KeptFailure {
    pub(crate) fn error(&self) -> RenderError {
        RenderError::Again { problem: self.problem.clone(), failures: self.count }
    }
}
