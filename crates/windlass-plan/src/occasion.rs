//! On which occasions hooks run: Helm's events, where an Application asks for them, and healing.

use windlass_kube::Object;
use windlass_model::{DesiredHook, HookPolicy, Phase};

use crate::Marks;

/// What a sync is, in the words of Helm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HelmEvent {
    /// Nothing was deployed before.
    Install,
    /// Something was deployed before.
    Upgrade,
    /// Somebody asks for something that was deployed before.
    Rollback,
}

/// The occasion of a sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occasion {
    /// What it is for Helm.
    pub event: HelmEvent,
    /// Whether it undoes drift, and deploys nothing.
    pub heals: bool,
}

impl HelmEvent {
    /// The words that make a hook run before and after it.
    fn words(self) -> [(&'static str, Phase); 2] {
        match self {
            Self::Install => [("pre-install", Phase::PreSync), ("post-install", Phase::PostSync)],
            Self::Upgrade => [("pre-upgrade", Phase::PreSync), ("post-upgrade", Phase::PostSync)],
            Self::Rollback => [("pre-rollback", Phase::PreSync), ("post-rollback", Phase::PostSync)],
        }
    }
}

/// The hook as it runs on an occasion; `None` when it does not.
///
/// Where the policy asks for Helm's events, a hook that is one by Helm's annotation alone runs before or after the events
/// that it names. Drift is undone without hooks, unless the policy or the hook says otherwise.
#[must_use]
pub fn on_occasion(
    hook: &DesiredHook,
    occasion: Occasion,
    policy: HookPolicy,
    marks: &Marks,
) -> Option<DesiredHook> {
    let object = &hook.desired.object;
    if occasion.heals && !policy.when_healing && object.annotation(marks.hook_when_healing) != Some("true") {
        return None;
    }
    if !policy.by_event || object.annotation(marks.hook).is_some() {
        return Some(hook.clone());
    }
    let words = foreign_words(object, marks);
    let phases: Box<[Phase]> = occasion
        .event
        .words()
        .into_iter()
        .filter(|(word, _)| words.contains(word))
        .map(|(_, phase)| phase)
        .collect();
    (!phases.is_empty()).then(|| DesiredHook { phases, ..hook.clone() })
}

/// The phases of hooks that Helm runs on a rollback alone: those that Argo CD never runs.
pub(crate) fn rollback_phases(object: &Object, marks: &Marks) -> Vec<Phase> {
    let words = foreign_words(object, marks);
    let named = HelmEvent::Rollback.words().into_iter().filter(|(word, _)| words.contains(word));
    named.map(|(_, phase)| phase).collect()
}

fn foreign_words<'a>(object: &'a Object, marks: &Marks) -> Vec<&'a str> {
    object.annotation(marks.foreign_hook).unwrap_or_default().split(',').map(str::trim).collect()
}
