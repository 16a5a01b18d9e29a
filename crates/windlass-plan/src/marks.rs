//! The annotations by which a manifest says how it wants to be treated.

use windlass_kube::Object;
use windlass_model::{ApplyMode, HookDeletion, HookRole, Phase, Strict};

/// What is done with a declared object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Treatment {
    /// It is kept in sync.
    Member,
    /// It runs as a hook.
    Hook {
        /// When; empty for one that never runs.
        phases: Box<[Phase]>,
        /// What it is as a hook.
        role: HookRole,
    },
    /// It is left alone.
    Skipped,
}

/// The keys of a dialect's annotations on the objects it syncs.
#[derive(Debug, Clone, Copy)]
pub struct Marks {
    /// An integer: objects with smaller ones come first.
    pub wave: &'static str,
    /// Comma-separated `Name=value` options.
    pub options: &'static str,
    /// Comma-separated options for comparing.
    pub compare_options: &'static str,
    /// Names the phases in which a hook runs.
    pub hook: &'static str,
    /// Says when a hook is deleted.
    pub hook_deletion: &'static str,
    /// What other tools write, and what has the same meaning where ours is absent.
    pub foreign_hook: &'static str,
    /// The same for its deletion.
    pub foreign_hook_deletion: &'static str,
    /// The same for the wave.
    pub foreign_wave: &'static str,
    /// An annotation whose value `keep` protects from deletion.
    pub foreign_policy: &'static str,
    /// Whether a hook runs when drift is undone, too: `true`.
    pub hook_when_healing: &'static str,
    /// Put on a hook that is run: which attempt of a sync made it.
    pub hook_attempt: &'static str,
    /// A finalizer that another tool puts on hooks that it runs, and takes off when they have ended.
    pub hook_finalizer: &'static str,
    /// What is done about fields that others added: `off`, `report` or `revert`.
    pub strict: &'static str,
}

impl Marks {
    /// The annotations that Argo CD 3 reads.
    pub const ARGO: Self = Self {
        wave: "argocd.argoproj.io/sync-wave",
        options: "argocd.argoproj.io/sync-options",
        compare_options: "argocd.argoproj.io/compare-options",
        hook: "argocd.argoproj.io/hook",
        hook_deletion: "argocd.argoproj.io/hook-delete-policy",
        foreign_hook: "helm.sh/hook",
        foreign_hook_deletion: "helm.sh/hook-delete-policy",
        foreign_wave: "helm.sh/hook-weight",
        foreign_policy: "helm.sh/resource-policy",
        hook_when_healing: "windlass.dev/hook-when-healing",
        hook_attempt: "windlass.dev/hook-attempt",
        hook_finalizer: "argocd.argoproj.io/hook-finalizer",
        strict: "windlass.dev/strict",
    };

    /// The wave of an object: its own mark, else the foreign one, else 0.
    ///
    /// # Errors
    ///
    /// The text that is no integer.
    pub fn wave_of<'a>(&self, object: &'a Object) -> Result<i32, &'a str> {
        let text = object.annotation(self.wave).or_else(|| object.annotation(self.foreign_wave));
        text.map_or(Ok(0), |text| text.trim().parse().map_err(|_| text))
    }

    /// Whether an object is kept in sync, runs as a hook, or is left alone: as Argo CD 3.6 reads it
    /// (`gitops-engine`, `pkg/sync/hook`; `controller/hook.go` for the phases of deletion).
    ///
    /// An annotation that names no phase we know still makes a hook: one that never runs.
    #[must_use]
    pub fn treatment_of(&self, object: &Object) -> Treatment {
        let (own, foreign) = (object.annotation(self.hook), object.annotation(self.foreign_hook));
        // Helm 2 marked definitions so; they are no hooks.
        let foreign = foreign.filter(|text| *text != "crd-install");
        if own.is_none() && foreign.is_none() {
            return Treatment::Member;
        }
        let named = |text: Option<&str>, word: &str| {
            text.unwrap_or_default().split(',').any(|one| one.trim() == word)
        };
        let has_own = ["PreSync", "Sync", "PostSync", "SyncFail", "Skip"].iter().any(|word| named(own, word));
        let phase_of = |phase: Phase, foreign_words: &[&str]| {
            let meant = match phase {
                Phase::PreDelete | Phase::PostDelete => {
                    named(own, phase.as_str()) || foreign_words.iter().any(|word| named(foreign, word))
                }
                _ if has_own => named(own, phase.as_str()),
                _ => foreign_words.iter().any(|word| named(foreign, word)),
            };
            meant.then_some(phase)
        };
        let phases: Box<[Phase]> = [
            phase_of(Phase::PreSync, &["pre-install", "pre-upgrade"]),
            phase_of(Phase::Sync, &[]),
            phase_of(Phase::PostSync, &["post-install", "post-upgrade"]),
            phase_of(Phase::SyncFail, &[]),
            phase_of(Phase::PreDelete, &["pre-delete"]),
            phase_of(Phase::PostDelete, &["post-delete"]),
        ]
        .into_iter()
        .flatten()
        .collect();
        if phases.is_empty() && named(own, "Skip") {
            return Treatment::Skipped;
        }
        Treatment::Hook { phases, role: HookRole { delete: self.deletion_of(object) } }
    }

    /// When a hook is deleted.
    fn deletion_of(&self, object: &Object) -> HookDeletion {
        let own = object.annotation(self.hook_deletion).unwrap_or_default();
        let foreign = object.annotation(self.foreign_hook_deletion).unwrap_or_default();
        let named = |own_word: &str, foreign_word: &str| {
            own.split(',').any(|word| word.trim() == own_word)
                || foreign.split(',').any(|word| word.trim() == foreign_word)
        };
        let deletion = HookDeletion {
            before_creation: named("BeforeHookCreation", "before-hook-creation"),
            succeeded: named("HookSucceeded", "hook-succeeded"),
            failed: named("HookFailed", "hook-failed"),
        };
        if deletion == HookDeletion::default() {
            return HookDeletion { before_creation: true, ..deletion };
        }
        deletion
    }

    /// The options that an object asks for.
    #[must_use]
    pub fn options_of(&self, object: &Object) -> SyncOptions {
        let mut options = SyncOptions::default();
        for option in object.annotation(self.options).unwrap_or_default().split(',') {
            match option.trim() {
                "Prune=false" => options.keep_on_prune = true,
                "Prune=confirm" => options.confirm_prune = Some(true),
                "Prune=true" => options.confirm_prune = Some(false),
                "Delete=false" => options.keep_on_delete = true,
                "Delete=confirm" => options.confirm_delete = true,
                "Replace=true" => options.apply.replace = true,
                "Force=true" => options.apply.force = true,
                "Validate=false" => options.apply.lenient = true,
                "SkipDryRunOnMissingResource=true" => options.apply.kind_may_be_missing = true,
                _ => {}
            }
        }
        let comparing = object.annotation(self.compare_options).unwrap_or_default();
        options.uncounted = comparing.split(',').any(|option| option.trim() == "IgnoreExtraneous");
        options.strict = object.annotation(self.strict).and_then(|text| text.parse().ok());
        if object.annotation(self.foreign_policy) == Some("keep") {
            options.keep_on_delete = true;
        }
        options
    }
}

/// What an object asks for by its annotations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SyncOptions {
    /// It stays when it is no longer declared.
    pub keep_on_prune: bool,
    /// It goes only when a person approves, when it is no longer declared; `None` leaves it to the policy.
    pub confirm_prune: Option<bool>,
    /// It stays when its Unit is deleted.
    pub keep_on_delete: bool,
    /// It does not count when it is no longer declared.
    pub uncounted: bool,
    /// It goes only when a person approves, when its Unit is deleted.
    pub confirm_delete: bool,
    /// What is done about fields that others added; `None` leaves it to the policy.
    pub strict: Option<Strict>,
    /// How it is applied.
    pub apply: ApplyMode,
}
