//! When and how a Unit is synced.

use std::time::Duration;

use windlass_kube::Str;
use windlass_model::{
    ApplyMode, Automation, Backoff, HookPolicy, NamespacePolicy, Propagation, Retry, SyncPolicy,
};

use crate::types::{ApplicationSpec, RetryStrategy};

/// How many deployments Argo CD remembers where nothing is said.
const HISTORY_LIMIT: i64 = 10;

/// The option that leaves the fields of client-side apply to whoever applied them.
pub(super) const NO_MIGRATION: &str = "ClientSideApplyMigration=false";

/// What reading a policy found: what is wrong, and what is not acted on.
pub(super) trait Findings {
    /// A value that cannot be.
    fn refuse(&mut self, message: String);
    /// A value that is not acted on.
    fn ignore(&mut self, message: String);
}

/// The policy of an Application.
pub(super) fn policy(spec: &ApplicationSpec, findings: &mut dyn Findings) -> SyncPolicy {
    let declared = spec.sync_policy.as_deref();
    let automated = declared.and_then(|policy| policy.automated.as_ref());
    let automation = match automated.filter(|automated| automated.enabled.unwrap_or(true)) {
        None => Automation::Manual,
        Some(automated) => Automation::Automatic {
            prune: automated.prune.unwrap_or(false),
            self_heal: automated.self_heal.unwrap_or(false),
            allow_empty: automated.allow_empty.unwrap_or(false),
        },
    };
    let metadata = declared.and_then(|policy| policy.managed_namespace_metadata.as_deref());
    let limit = spec.revision_history_limit.unwrap_or(HISTORY_LIMIT);
    let mut policy = SyncPolicy {
        automation,
        retry: retry(declared.and_then(|policy| policy.retry.as_deref()), "spec.syncPolicy.retry", findings),
        namespace: NamespacePolicy {
            create: false,
            labels: metadata.map(|metadata| metadata.labels.0.to_vec()).unwrap_or_default(),
            annotations: metadata.map(|metadata| metadata.annotations.0.to_vec()).unwrap_or_default(),
        },
        never_prune: false,
        confirm_prune: false,
        apply: ApplyMode::default(),
        fail_on_shared_object: false,
        respect_ignored: false,
        prune_propagation: Propagation::Foreground,
        history_limit: usize::try_from(limit).unwrap_or(0),
        hooks: HookPolicy::default(),
    };
    for option in declared.map(|policy| &*policy.sync_options).unwrap_or_default() {
        apply_option(option, "spec.syncPolicy.syncOptions", &mut policy, findings);
    }
    if !policy.namespace.create {
        // Without CreateNamespace Argo CD leaves the namespace alone, whatever is said about it.
        policy.namespace = NamespacePolicy::default();
    }
    policy
}

/// Takes one option into a policy; `at` names where it stands.
pub(super) fn apply_option(option: &Str, at: &str, policy: &mut SyncPolicy, findings: &mut dyn Findings) {
    match option.split_once('=').unwrap_or((option, "")) {
        ("CreateNamespace", "true") => policy.namespace.create = true,
        ("SkipDryRunOnMissingResource", "true") => policy.apply.kind_may_be_missing = true,
        ("Replace", "true") => policy.apply.replace = true,
        ("Validate", "false") => policy.apply.lenient = true,
        ("FailOnSharedResource", "true") => policy.fail_on_shared_object = true,
        ("RespectIgnoreDifferences", "true") => policy.respect_ignored = true,
        ("Prune", "false") => policy.never_prune = true,
        ("Prune", "confirm") => policy.confirm_prune = true,
        ("PrunePropagationPolicy", "foreground") => policy.prune_propagation = Propagation::Foreground,
        ("PrunePropagationPolicy", "background") => policy.prune_propagation = Propagation::Background,
        ("PrunePropagationPolicy", "orphan") => policy.prune_propagation = Propagation::Orphan,
        _ if is_neutral(option) || option == NO_MIGRATION => {}
        _ => findings.ignore(format!("sync option {option} in {at} is not acted on yet")),
    }
}

/// Whether an option asks for what happens anyway.
///
/// Objects are always applied server-side, and only those that are out of sync; what is no longer declared is always
/// pruned last; `Delete` is read when the Application is deleted.
pub(super) fn is_neutral(option: &str) -> bool {
    matches!(
        option.split_once('='),
        Some(
            (
                "CreateNamespace"
                    | "SkipDryRunOnMissingResource"
                    | "Replace"
                    | "Force"
                    | "RespectIgnoreDifferences"
                    | "FailOnSharedResource",
                "false"
            ) | ("Prune" | "Validate" | "ClientSideApplyMigration", "true")
                | ("ServerSideApply" | "ApplyOutOfSyncOnly" | "PruneLast", "true" | "false")
                | ("Delete", "true" | "false" | "confirm")
        )
    )
}

/// Back-off as declared, or as Argo CD has it where nothing is said: no retries, 5 seconds doubling up to 3 minutes.
pub(super) fn retry(declared: Option<&RetryStrategy>, at: &str, findings: &mut dyn Findings) -> Retry {
    let backoff = declared.and_then(|retry| retry.backoff.as_deref());
    let mut duration = |text: Option<&Str>, field: &str, default: u64| {
        let default = Duration::from_secs(default);
        let text = text.map(Str::as_str).filter(|text| !text.is_empty());
        text.map_or(default, |text| {
            parse_duration(text).unwrap_or_else(|| {
                findings.refuse(format!("{at}.backoff.{field}: unable to parse {text} as a duration"));
                default
            })
        })
    };
    let initial = duration(backoff.map(|backoff| &backoff.duration), "duration", 5);
    let max = duration(backoff.map(|backoff| &backoff.max_duration), "maxDuration", 180);
    let factor = backoff.and_then(|backoff| backoff.factor).unwrap_or(2);
    let limit = declared.map_or(0, |retry| retry.limit);
    Retry {
        // A limit beyond what fits is no limit in practice; a negative one is none by definition.
        limit: if limit < 0 { None } else { Some(u32::try_from(limit).unwrap_or(u32::MAX)) },
        backoff: Backoff {
            initial,
            #[expect(clippy::cast_precision_loss, reason = "no back-off grows by more than 2^53")]
            factor: factor as f64,
            max: if max.is_zero() { Duration::MAX } else { max },
        },
    }
}

/// Whole seconds, or a duration as Go writes them; never negative.
fn parse_duration(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<i64>() {
        return u64::try_from(seconds).ok().map(Duration::from_secs);
    }
    windlass_go::duration::Duration::parse(text).ok()?.try_into().ok()
}
