//! Which actions an object has, and which of them make sense now.

use windlass_kube::{Object, Str, Value};

use super::{Action, Parameter};
use crate::condition::{conditions, items};

fn action(name: &'static str, icon: &'static str, is_disabled: bool) -> Action {
    Action {
        name: Str::new_static(name),
        title: Str::default(),
        is_disabled,
        icon: Str::new_static(icon),
        parameters: Vec::new(),
    }
}

impl Action {
    fn titled(self, title: &'static str) -> Self {
        Self { title: Str::new_static(title), ..self }
    }

    fn asking(mut self, name: &'static str, default: impl Into<Str>) -> Self {
        self.parameters.push(Parameter { name: Str::new_static(name), default: default.into() });
        self
    }
}

const PAUSE: &str = "fa fa-fw fa-pause";
const PLAY: &str = "fa fa-fw fa-play";
const PAUSE_CIRCLE: &str = "fa fa-fw fa-pause-circle";
const PLAY_CIRCLE: &str = "fa fa-fw fa-play-circle";
const REDO: &str = "fa fa-fw fa-redo";
const PLUS: &str = "fa fa-fw fa-plus";

fn flag(object: &Object, path: &[&str]) -> bool {
    object.at(path).and_then(Value::as_bool) == Some(true)
}

pub(super) fn actions(object: &Object) -> Vec<Action> {
    let gvk = object.gvk();
    match (gvk.group.as_str(), gvk.kind.as_str()) {
        ("apps", "DaemonSet") => vec![action("restart", REDO, false)],
        ("apps", "StatefulSet") => vec![action("restart", REDO, false), scale()],
        ("apps", "Deployment") => {
            let paused = flag(object, &["spec", "paused"]);
            vec![
                action("restart", REDO, false),
                action("pause", PAUSE_CIRCLE, paused),
                action("resume", PLAY_CIRCLE, !paused),
                scale(),
            ]
        }
        ("batch", "CronJob") => {
            let create = action("create-job", PLUS, false).titled("Create Job");
            vec![create, suspend_or_resume(object)]
        }
        ("batch", "Job") => job(object),
        ("argoproj.io", "Rollout") => rollout(object),
        ("argoproj.io", "AnalysisRun") => {
            let ended = matches!(
                object.str_at(&["status", "phase"]),
                "Successful" | "Failed" | "Error" | "Inconclusive"
            );
            vec![action("terminate", "", flag(object, &["spec", "terminate"]) || ended)]
        }
        ("argoproj.io", "Application") => {
            let title = if syncs_by_itself(object) { "Disable Auto-Sync" } else { "Enable Auto-Sync" };
            vec![action("toggle-auto-sync", "", false).titled(title)]
        }
        ("argoproj.io", "CronWorkflow" | "WorkflowTemplate") => {
            vec![action("create-workflow", PLUS, false).titled("Create Workflow")]
        }
        ("capsule.clastix.io", "GlobalTenantResource" | "TenantResource") => {
            let mut found = cordon(object);
            let cordoned = flag(object, &["spec", "cordoned"]);
            found.push(action("reconcile", "fa fa-fw fa-rotate-right", cordoned));
            found
        }
        ("capsule.clastix.io", "Tenant") => cordon(object),
        ("core.strimzi.io", "StrimziPodSet") => {
            let rolling = object.annotation("strimzi.io/manual-rolling-update") == Some("true");
            vec![action("rolling-update", "", rolling)]
        }
        ("external-secrets.io", "ExternalSecret") => {
            let on_change = object.str_at(&["spec", "refreshPolicy"]) == "OnChange";
            vec![action("refresh", "", never_refreshed(object) && !on_change)]
        }
        ("external-secrets.io", "PushSecret") => vec![action("push", "", never_refreshed(object))],
        ("k8s.mariadb.com", "MariaDB") => {
            let it = suspend_or_resume(object);
            let title = if it.name == "resume" { "Resume" } else { "Suspend" };
            vec![it.titled(title)]
        }
        ("keda.sh", "ScaledJob" | "ScaledObject") => scaled(object),
        ("numaflow.numaproj.io", "InterStepBufferService") => vec![force_promote(object)],
        ("numaflow.numaproj.io", "MonoVertex" | "Pipeline") => vertex(object),
        ("numaplane.numaproj.io", "MonoVertexRollout" | "PipelineRollout") => plane(object),
        ("postgresql.cnpg.io", "Cluster") => cnpg(object),
        ("promoter.argoproj.io", "PullRequest") => {
            let open = object.str_at(&["spec", "state"]) == "open";
            vec![action("merge", "fa fa-fw fa-code-merge", !open).titled("Merge PR")]
        }
        ("psmdb.percona.com", "PerconaServerMongoDB") => {
            let paused = flag(object, &["spec", "pause"]);
            vec![action("pause", PAUSE_CIRCLE, paused), action("unpause", PLAY_CIRCLE, !paused)]
        }
        (group, kind) if reconciles(group, kind) => {
            let suspended = flag(object, &["spec", "suspend"]);
            vec![
                action("reconcile", "", suspended),
                action("suspend", "", suspended),
                action("resume", "", !suspended),
            ]
        }
        ("notification.toolkit.fluxcd.io", "Alert" | "Provider") => {
            let suspended = flag(object, &["spec", "suspend"]);
            vec![action("suspend", "", suspended), action("resume", "", !suspended)]
        }
        _ => Vec::new(),
    }
}

/// Flux's kinds that can be told to look now.
pub(super) fn reconciles(group: &str, kind: &str) -> bool {
    matches!(
        (group, kind),
        ("helm.toolkit.fluxcd.io", "HelmRelease")
            | ("image.toolkit.fluxcd.io", "ImageRepository" | "ImageUpdateAutomation")
            | ("kustomize.toolkit.fluxcd.io", "Kustomization")
            | ("notification.toolkit.fluxcd.io", "Receiver")
            | (
                "source.toolkit.fluxcd.io",
                "Bucket" | "GitRepository" | "HelmChart" | "HelmRepository" | "OCIRepository"
            )
    )
}

fn scale() -> Action {
    action("scale", "fa fa-fw fa-plus-circle", false).asking("replicas", "")
}

fn suspend_or_resume(object: &Object) -> Action {
    if flag(object, &["spec", "suspend"]) {
        action("resume", PLAY, false)
    } else {
        action("suspend", PAUSE, false)
    }
}

/// Whether a Job has ended, or is about to.
pub(super) fn has_ended(job: &Object) -> bool {
    conditions(job).any(|it| {
        it.is_true() && matches!(it.kind, "Complete" | "Failed" | "FailureTarget" | "SuccessCriteriaMet")
    })
}

fn job(object: &Object) -> Vec<Action> {
    if has_ended(object) {
        return Vec::new();
    }
    let mut found = vec![suspend_or_resume(object)];
    if object.at(&["status"]).is_some_and(|status| !status.is_null()) {
        found.push(action("terminate", "fa fa-fw fa-stop", false));
    }
    found
}

/// Whether an Application syncs by itself.
pub(super) fn syncs_by_itself(application: &Object) -> bool {
    let automated = application.at(&["spec", "syncPolicy", "automated"]).filter(|it| !it.is_null());
    automated.is_some_and(|automated| automated.bool_at(&["enabled"]) != Some(false))
}

/// Whether a controller of Rollouts older than 1.0 wrote the status: it wrote a hash for a generation.
pub(super) fn is_of_old_controller(rollout: &Object) -> bool {
    let observed = rollout.at(&["status", "observedGeneration"]);
    let observed = observed.and_then(|it| it.as_float().or_else(|| it.as_str()?.trim().parse().ok()));
    #[expect(clippy::cast_precision_loss, reason = "generations are small")]
    observed.is_none_or(|observed| observed > rollout.generation() as f64)
}

fn rollout(object: &Object) -> Vec<Action> {
    let status = object.at(&["status"]).filter(|status| !status.is_null());
    let conditions_of_pause = status.and_then(|status| status.at(&["pauseConditions"]));
    let spec_paused = flag(object, &["spec", "paused"]);
    let paused = match conditions_of_pause.filter(|it| !it.is_null()) {
        Some(conditions) => !conditions.items_at(&[]).is_empty(),
        None => spec_paused,
    };
    let hash = |field: &str| status.and_then(|status| status.str_at(&[field]));
    let promoted = status.is_none() || hash("currentPodHash") == hash("stableRS");
    let aborted = flag(object, &["status", "abort"]);
    let is_blue_green = object.at(&["spec", "strategy", "blueGreen"]).is_some_and(|it| !it.is_null());
    let no_promotion = promoted || (is_of_old_controller(object) && is_blue_green);
    let steps = object.at(&["spec", "strategy", "canary", "steps"]).filter(|steps| !steps.is_null());
    let at = object.at(&["status", "currentStepIndex"]).and_then(Value::as_int);
    let at_end =
        steps.is_none_or(|steps| status.is_none() || at == i64::try_from(steps.items_at(&[]).len()).ok());
    vec![
        action("restart", "", false).titled("Restart Pods"),
        action("resume", "", !paused),
        action("abort", "", promoted || aborted),
        action("retry", "", promoted || !aborted),
        action("pause", "", promoted || aborted || spec_paused),
        action("promote-full", "", no_promotion),
        action("skip-current-step", "", at_end),
    ]
}

fn cordon(object: &Object) -> Vec<Action> {
    let cordoned = flag(object, &["spec", "cordoned"]);
    vec![action("cordon", PAUSE, cordoned), action("uncordon", PLAY, !cordoned)]
}

fn never_refreshed(object: &Object) -> bool {
    let interval = match object.at(&["spec", "refreshInterval"]) {
        Some(Value::String(text)) => text.to_string(),
        Some(Value::Int(number)) => number.to_string(),
        _ => return false,
    };
    matches!(interval.as_str(), "0" | "0ns" | "0us" | "0µs" | "0ms" | "0s" | "0m" | "0h")
}

fn scaled(object: &Object) -> Vec<Action> {
    let paused = object.annotation("autoscaling.keda.sh/paused") == Some("true");
    if object.kind() == "ScaledJob" {
        return vec![action("pause", PAUSE_CIRCLE, paused), action("resume", PLAY_CIRCLE, !paused)];
    }
    let held = object.annotation("autoscaling.keda.sh/paused-replicas");
    let rests = paused || held.is_some();
    vec![
        action("pause", PAUSE_CIRCLE, rests),
        action("paused-replicas", PAUSE_CIRCLE, paused).asking("replicas", held.unwrap_or("0")),
        action("resume", PLAY_CIRCLE, !rests),
    ]
}

const NUMA_PAUSE: &str = "fa-solid fa-fw fa-pause";
const NUMA_PLAY: &str = "fa-solid fa-fw fa-play";
const UPGRADE: &str = "numaplane.numaproj.io/upgrade-state";

fn force_promote(object: &Object) -> Action {
    let upgrading = matches!(object.label(UPGRADE), Some("in-progress" | "trial"));
    let asked = object.label("numaplane.numaproj.io/force-promote") == Some("true");
    action("force-promote", "fa-solid fa-fw fa-forward", !upgrading || asked)
}

/// Pausing and going on, where `phase` says whether it rests and `strategies` how it may go on.
fn pausing(allowed: bool, phase: Option<&str>, strategies: Option<&str>) -> Vec<Action> {
    let paused = phase == Some("Paused");
    let gradual = allowed && paused && strategies != Some("fast");
    let fast = allowed && paused && matches!(strategies, Some("fast" | "slow, fast"));
    vec![
        action("pause", NUMA_PAUSE, !allowed || paused),
        action("unpause-gradual", NUMA_PLAY, !gradual).titled("Unpause (gradual)"),
        action("unpause-fast", NUMA_PLAY, !fast).titled("Unpause (fast)"),
    ]
}

const RESUME_STRATEGIES: &str = "numaflow.numaproj.io/allowed-resume-strategies";

fn vertex(object: &Object) -> Vec<Action> {
    let is_pipeline = object.kind() == "Pipeline";
    let owner = if is_pipeline { "PipelineRollout" } else { "MonoVertexRollout" };
    let owned =
        items(object, &["metadata", "ownerReferences"]).iter().any(|it| it.str_at(&["kind"]) == Some(owner));
    let allowed = !owned || (is_pipeline && object.label(UPGRADE) == Some("recyclable-expired"));
    let phase = object.at(&["spec", "lifecycle", "desiredPhase"]).and_then(Value::as_str);
    let strategies =
        object.at(&["spec", "metadata", "annotations", RESUME_STRATEGIES]).and_then(Value::as_str);
    let mut found = pausing(allowed, phase, strategies);
    found.push(force_promote(object).titled("Force Promote"));
    if is_pipeline {
        let recyclable = matches!(object.label(UPGRADE), Some("recyclable" | "recyclable-expired"));
        found.push(action("delete", "fa-solid fa-fw fa-trash", !recyclable).titled("Delete"));
    }
    found
}

fn plane(object: &Object) -> Vec<Action> {
    let is_pipeline = object.kind() == "PipelineRollout";
    let child = if is_pipeline { "pipeline" } else { "monoVertex" };
    let phase = object.at(&["spec", child, "spec", "lifecycle", "desiredPhase"]).and_then(Value::as_str);
    let strategies =
        object.at(&["spec", child, "metadata", "annotations", RESUME_STRATEGIES]).and_then(Value::as_str);
    let mut found = pausing(true, phase, strategies);
    if is_pipeline {
        let draining = object.str_at(&["status", "upgradeInProgress"]) == "PipelinePauseAndDrain";
        let allowed = object.annotation("numaplane.numaproj.io/allow-data-loss") == Some("true");
        found.push(
            action("allow-data-loss", "fa-solid fa-fw fa-unlock", !draining)
                .titled("Allow (Possible) Data Loss"),
        );
        found.push(
            action("disallow-data-loss", "fa-solid fa-fw fa-lock", !allowed).titled("Disallow Data Loss"),
        );
    }
    found
}

fn cnpg(object: &Object) -> Vec<Action> {
    let n_healthy = items(object, &["status", "instancesStatus", "healthy"]).len();
    let promote =
        action("promote", "fa fa-fw fa-angles-up", n_healthy < 2).titled("Promote Replica to Primary");
    let suspended = object.annotation("cnpg.io/reconciliationLoop") == Some("disabled");
    let hibernated = object.annotation("cnpg.io/hibernation") == Some("on");
    vec![
        action("restart", "fa fa-fw fa-recycle", false).titled("Rollout restart Cluster"),
        action("reload", "fa fa-fw fa-rotate-right", false).titled("Reload all Configuration"),
        promote.asking("instance", "any"),
        if suspended {
            action("resume", PLAY, false).titled("Resume Reconciliation")
        } else {
            action("suspend", PAUSE, false).titled("Suspend Reconciliation")
        },
        if hibernated {
            action("rehydrate", PLAY, false).titled("Rehydrate Cluster")
        } else {
            action("hibernate", PAUSE, false).titled("Hibernate Cluster")
        },
    ]
}
