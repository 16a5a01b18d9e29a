//! GitOps Promoter: a Ready condition, then what each kind counts.

use std::collections::BTreeMap;

use windlass_kube::{Object, Value};
use windlass_model::Health;

use super::{Degraded, Fields, Healthy, Progressing, generation_differs, say};

/// The words of one kind.
struct Words {
    /// What it is doing before it has a status.
    starting: &'static str,
    /// What the newest spec is of.
    observed: &'static str,
    /// Said of an error while reconciling, and of any other reason.
    failed: &'static str,
    not_ready: &'static str,
    /// Said when it is not known whether it is ready; empty for kinds that do not look.
    unknown: &'static str,
    /// Said when there is no condition.
    missing: &'static str,
}

fn words(kind: &str) -> Words {
    let (starting, observed, failed, not_ready, unknown, missing) = match kind {
        "ArgoCDCommitStatus" => (
            "Initializing Argo CD commit status",
            "Argo CD commit status",
            "Argo CD commit status reconciliation failed",
            "Argo CD commit status reconciliation failed",
            "",
            "Argo CD commit status is not ready yet",
        ),
        "ChangeTransferPolicy" => (
            "Initializing change transfer policy",
            "change transfer policy",
            "Change transfer policy reconciliation failed",
            "Change transfer policy reconciliation failed",
            "",
            "Change transfer policy is not ready yet",
        ),
        "ClusterScmProvider" => (
            "Initializing cluster SCM provider",
            "ClusterScmProvider",
            "Cluster SCM provider validation failed",
            "Cluster SCM provider not ready",
            "Cluster SCM provider readiness unknown",
            "ClusterScmProvider Ready condition is missing",
        ),
        "CommitStatus" => (
            "Initializing commit status",
            "commit status",
            "Commit status reconciliation failed",
            "Commit status reconciliation failed",
            "",
            "Commit status is not ready yet",
        ),
        "GitCommitStatus" => (
            "Initializing git commit validation",
            "GitCommitStatus",
            "Git commit validation failed",
            "Git commit validation not ready",
            "Git commit validation status unknown",
            "GitCommitStatus Ready condition is missing",
        ),
        "GitRepository" => (
            "Initializing Git repository",
            "GitRepository",
            "Git repository validation failed",
            "Git repository not ready",
            "Git repository readiness unknown",
            "GitRepository Ready condition is missing",
        ),
        "PromotionStrategy" => (
            "Initializing promotion strategy",
            "promotion strategy",
            "Promotion strategy reconciliation failed",
            "Promotion strategy reconciliation failed",
            "",
            "Promotion strategy is not ready yet",
        ),
        "PullRequest" => (
            "Initializing pull request",
            "pull request",
            "Pull request reconciliation failed",
            "Pull request reconciliation failed",
            "",
            "Pull request is not ready yet",
        ),
        "ScmProvider" => (
            "Initializing SCM provider",
            "ScmProvider",
            "SCM provider validation failed",
            "SCM provider not ready",
            "SCM provider readiness unknown",
            "ScmProvider Ready condition is missing",
        ),
        "TimedCommitStatus" => (
            "Initializing timed commit gate",
            "TimedCommitStatus",
            "Timed commit gate failed",
            "Timed commit gate not ready",
            "Timed commit gate status unknown",
            "TimedCommitStatus Ready condition is missing",
        ),
        _ => (
            "Initializing web request commit validation",
            "WebRequestCommitStatus",
            "Web request commit validation failed",
            "Web request commit validation not ready",
            "Web request commit validation unknown",
            "WebRequestCommitStatus Ready condition is missing",
        ),
    };
    Words { starting, observed, failed, not_ready, unknown, missing }
}

pub(super) fn promoter(object: &Object) -> Option<Health> {
    let kind = object.kind();
    let words = words(kind);
    if !object.has("status") {
        return say(Progressing, words.starting);
    }
    let mut is_told = false;
    for condition in super::conditions(object) {
        let of = condition.text("type");
        if of != "Ready" && !(kind == "PullRequest" && of == "Reconciled") {
            continue;
        }
        is_told = true;
        if generation_differs(object, condition.number("observedGeneration")) {
            return say(Progressing, format!("Waiting for {} spec update to be observed", words.observed));
        }
        let reason = condition.maybe_text("reason").unwrap_or("Unknown");
        match condition.text("status") {
            "False" => {
                let message = condition.maybe_text("message").unwrap_or("Unknown error");
                return if reason == "ReconciliationError" {
                    say(Degraded, format!("{}: {message}", words.failed))
                } else {
                    say(Degraded, format!("{} ({reason}): {message}", words.not_ready))
                };
            }
            "Unknown" if !words.unknown.is_empty() => {
                let message = condition.maybe_text("message").unwrap_or("Unknown");
                return say(Progressing, format!("{} ({reason}): {message}", words.unknown));
            }
            _ => {}
        }
    }
    if !is_told {
        return say(Progressing, words.missing);
    }
    match kind {
        "ArgoCDCommitStatus" => match object.list("status.applicationsSelected").len() {
            0 => say(Degraded, "Argo CD commit status has no applications configured"),
            n => say(Healthy, format!("Argo CD commit status is healthy and is tracking {n} applications")),
        },
        "ChangeTransferPolicy" => transfer(object),
        "ClusterScmProvider" => say(Healthy, "Cluster SCM provider is ready"),
        "CommitStatus" => match (object.maybe_text("status.sha"), object.maybe_text("status.phase")) {
            (Some(sha), Some(phase)) => {
                say(Healthy, format!("Commit status for commit {sha} reports {phase}"))
            }
            _ => say(Healthy, "Commit status is healthy"),
        },
        "GitRepository" => say(Healthy, "Git repository is ready"),
        "PromotionStrategy" => strategy(object),
        "PullRequest" => match (object.find("status.id"), object.maybe_text("status.state")) {
            (Some(id), Some(state)) => {
                let id = crate::health::table::printed(id);
                say(Healthy, format!("Pull request is {state} as PR {id}"))
            }
            _ => say(Healthy, "Pull request is healthy"),
        },
        "ScmProvider" => say(Healthy, "SCM provider is ready"),
        "GitCommitStatus" => branches(object, "Git commit validation", "Git commit validation", "passed"),
        "TimedCommitStatus" => branches(object, "Timed commit gate", "Timed commit gate", "satisfied"),
        _ => branches(object, "Web request commit validation", "Web request validation", "passed"),
    }
}

fn branches(object: &Object, whole: &str, each: &str, good: &str) -> Option<Health> {
    let environments = object.list("status.environments");
    if environments.is_empty() {
        return say(Healthy, format!("{whole} reconciled"));
    }
    let names = |wanted: &str| {
        let phase = |it: &&Value| match it.maybe_text("phase") {
            Some("failure") => "failure",
            Some("success") => "success",
            _ => "pending",
        };
        let found = environments.iter().filter(|it| phase(it) == wanted);
        found.map(|it| it.maybe_text("branch").unwrap_or("?")).collect::<Vec<_>>()
    };
    let (failed, pending) = (names("failure"), names("pending"));
    if !failed.is_empty() {
        return say(Degraded, format!("{each} failed for branch(es): {}", failed.join(", ")));
    }
    if !pending.is_empty() {
        return say(Progressing, format!("{each} pending for branch(es): {}", pending.join(", ")));
    }
    say(Healthy, format!("{each} {good} for {} environment(s)", names("success").len()))
}

/// How the commit statuses of one side stand.
struct Tally {
    pending: Vec<String>,
    failed: Vec<String>,
    n_good: usize,
}

impl Tally {
    fn of(statuses: &[Value]) -> Self {
        let keys = |phase: &str| {
            let found = statuses.iter().filter(|it| it.text("phase") == phase);
            found.map(|it| it.text("key").to_owned()).collect::<Vec<_>>()
        };
        Self { pending: keys("pending"), failed: keys("failure"), n_good: keys("success").len() }
    }

    fn counts(&self) -> String {
        format!("{} pending, {} successful, {} failed. ", self.pending.len(), self.n_good, self.failed.len())
    }

    fn names(&self) -> String {
        let mut text = String::new();
        if !self.pending.is_empty() {
            text.push_str(&format!("Pending commit statuses: {}. ", self.pending.join(", ")));
        }
        if !self.failed.is_empty() {
            text.push_str(&format!("Failed commit statuses: {}. ", self.failed.join(", ")));
        }
        text
    }
}

fn short(sha: &str) -> &str {
    sha.get(..7).unwrap_or(sha)
}

fn transfer(object: &Object) -> Option<Health> {
    let (active, proposed) = (object.text("status.active.dry.sha"), object.text("status.proposed.dry.sha"));
    if active.is_empty() {
        return say(Progressing, "The active commit DRY SHA is missing or empty.");
    }
    if proposed.is_empty() {
        return say(Progressing, "The proposed commit DRY SHA is missing or empty.");
    }
    if active != proposed {
        let tally = Tally::of(object.list("status.proposed.commitStatuses"));
        let (from, to) = (short(active), short(proposed));
        let message =
            format!("Promotion in progress from '{from}' to '{to}': {}{}", tally.counts(), tally.names());
        return say(Healthy, message);
    }
    let tally = Tally::of(object.list("status.active.commitStatuses"));
    if tally.pending.is_empty() && tally.failed.is_empty() {
        return say(Healthy, format!("Environment is up-to-date on commit {}.", short(active)));
    }
    say(
        Healthy,
        format!(
            "Environment is up-to-date, but there are non-successful active commit statuses: {}{}",
            tally.counts(),
            tally.names()
        ),
    )
}

fn strategy(object: &Object) -> Option<Health> {
    let environments = object.list("status.environments");
    let Some(first) = environments.first() else {
        return say(Degraded, "Promotion strategy has no environments configured");
    };
    let proposed = |env: &Value| {
        let noted = env.text("proposed.note.drySha").to_owned();
        if noted.is_empty() { env.text("proposed.dry.sha").to_owned() } else { noted }
    };
    for environment in environments {
        let branch = environment.text("branch");
        if environment.text("active.dry.sha").is_empty() {
            let message = format!("The active commit DRY SHA is missing or empty in environment '{branch}'.");
            return say(Progressing, message);
        }
        if proposed(environment).is_empty() {
            let message =
                format!("The proposed commit DRY SHA is missing or empty in environment '{branch}'.");
            return say(Progressing, message);
        }
    }
    if environments.iter().any(|it| proposed(it) != proposed(first)) {
        return say(
            Progressing,
            "Not all environments have the same proposed commit SHA. This likely means the hydrator has not run for \
             all environments yet.",
        );
    }
    for environment in environments {
        let (active, next) = (environment.text("active.dry.sha"), environment.text("proposed.dry.sha"));
        if active != next {
            let tally = Tally::of(environment.list("proposed.commitStatuses"));
            let message = format!(
                "Promotion in progress for environment '{}' from '{}' to '{}': {}{}Hydrator has processed dry commit \
                 '{}'. ",
                environment.text("branch"),
                short(active),
                short(next),
                tally.counts(),
                tally.names(),
                short(&proposed(environment))
            );
            return say(Healthy, message);
        }
    }
    let mut left = BTreeMap::new();
    for environment in environments {
        let tally = Tally::of(environment.list("active.commitStatuses"));
        if !tally.pending.is_empty() || !tally.failed.is_empty() {
            left.insert(environment.text("branch"), (tally.failed.len(), tally.pending.len()));
        }
    }
    if !left.is_empty() {
        let parts = left
            .iter()
            .map(|(branch, (failed, pending))| format!("{branch} ({failed} failed, {pending} pending)"));
        let parts = parts.collect::<Vec<_>>().join(", ");
        return say(
            Healthy,
            format!(
                "Environments are up-to-date, but some environments have non-successful commit statuses: {parts}."
            ),
        );
    }
    say(
        Healthy,
        format!(
            "All environments are up-to-date on commit '{}'. Hydrator has processed dry commit '{}'.",
            short(first.text("active.dry.sha")),
            short(&proposed(first))
        ),
    )
}
