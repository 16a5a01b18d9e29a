//! The annotations by which a manifest says how it wants to be treated.

use windlass_kube::Object;

/// The keys of a dialect's annotations on the objects it syncs.
#[derive(Debug, Clone, Copy)]
pub struct Marks {
    /// An integer: objects with smaller ones come first.
    pub wave: &'static str,
    /// Comma-separated `Name=value` options.
    pub options: &'static str,
    /// Names the phases in which a hook runs.
    pub hook: &'static str,
    /// What other tools write, and what has the same meaning where ours is absent.
    pub foreign_hook: &'static str,
    /// The same for the wave.
    pub foreign_wave: &'static str,
    /// An annotation whose value `keep` protects from deletion.
    pub foreign_policy: &'static str,
}

impl Marks {
    /// The annotations that Argo CD 3 reads.
    pub const ARGO: Self = Self {
        wave: "argocd.argoproj.io/sync-wave",
        options: "argocd.argoproj.io/sync-options",
        hook: "argocd.argoproj.io/hook",
        foreign_hook: "helm.sh/hook",
        foreign_wave: "helm.sh/hook-weight",
        foreign_policy: "helm.sh/resource-policy",
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

    /// The hook phases that an object names, if it is a hook.
    #[must_use]
    pub fn hook_of<'a>(&self, object: &'a Object) -> Option<&'a str> {
        object.annotation(self.hook).or_else(|| object.annotation(self.foreign_hook))
    }

    /// The options that an object asks for.
    #[must_use]
    pub fn options_of(&self, object: &Object) -> SyncOptions {
        let mut options = SyncOptions::default();
        for option in object.annotation(self.options).unwrap_or_default().split(',') {
            match option.trim() {
                "Prune=false" | "Prune=confirm" => options.keep_on_prune = true,
                "Delete=false" | "Delete=confirm" => options.keep_on_delete = true,
                "PruneLast=true" => options.prune_last = true,
                "SkipDryRunOnMissingResource=true" => options.skip_dry_run_on_missing_kind = true,
                _ => {}
            }
        }
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
    /// It stays when its Unit is deleted.
    pub keep_on_delete: bool,
    /// It is pruned after everything else.
    pub prune_last: bool,
    /// It is not dry-run while its kind is not there.
    pub skip_dry_run_on_missing_kind: bool,
}
