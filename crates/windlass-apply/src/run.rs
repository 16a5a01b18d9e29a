//! Runs the steps of one wave.

use futures_util::stream::{self, StreamExt};
use windlass_kube::{Object, ObjectRef, Str, Value};
use windlass_model::{Action, Digest, ObjectOutcome, OperationPhase, OutcomeStatus, Plan, Step, Wave};

use crate::carry::{Way, carry_out};
use crate::{CallError, CallErrorKind, Target};

/// How many calls of one wave are under way at once. A Unit that is larger than this must not crowd out others.
const CONCURRENT_STEPS: usize = 8;

/// What a step did.
#[derive(Debug, Clone)]
pub struct StepResult {
    /// For people and the status.
    pub outcome: ObjectOutcome,
    /// The object as it was right after applying.
    pub live: Option<Object>,
    /// The digest of what was applied, for a receipt.
    pub applied: Option<Digest>,
    /// What can be made of a failure.
    pub failure: Option<CallErrorKind>,
    /// What a deletion met.
    pub deletion: Option<Deletion>,
}

/// What a deletion met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletion {
    /// Which object was planned on; empty where any of the name was.
    pub uid: Str,
    /// Whether it was there, so that it is on its way out now or gone. Whoever thinks so of one that was not is behind.
    pub was_there: bool,
}

impl StepResult {
    /// The object.
    #[must_use]
    pub fn key(&self) -> &ObjectRef {
        &self.outcome.key
    }
}

/// Runs the steps of `wave`: rank by rank, the steps of a rank at once. A failed step stops no other.
///
/// # Cancel safety
///
/// A dropped future leaves the steps that were sent; what became of them shows in the live state.
pub async fn run_wave(plan: &Plan, wave: &Wave, target: &impl Target) -> Vec<StepResult> {
    let mut results = Vec::with_capacity(wave.steps.len());
    for rank in wave.steps.chunk_by(|a, b| a.order == b.order) {
        if let [only] = rank {
            results.push(run_step(plan, wave, only, target).await);
            continue;
        }
        let calls: Vec<_> = rank
            .iter()
            .enumerate()
            .map(|(place, step)| async move { (place, run_step(plan, wave, step, target).await) })
            .collect();
        // As they end: one slow call must not hold up those that could begin.
        let mut done: Vec<(usize, StepResult)> =
            stream::iter(calls).buffer_unordered(CONCURRENT_STEPS).collect().await;
        done.sort_by_key(|(place, _)| *place);
        results.extend(done.into_iter().map(|(_, result)| result));
    }
    results
}

async fn run_step(plan: &Plan, wave: &Wave, step: &Step, target: &impl Target) -> StepResult {
    match &step.action {
        Action::Apply { object, digest, mode } => {
            let (result, way) = match carry_out(plan, step, object, *mode, target).await {
                Ok((live, way)) => (Ok(live), way),
                Err(error) => (Err(error), Way::ServerSide),
            };
            let digest = (way == Way::ServerSide).then_some(*digest);
            let mut done = applied(wave, step, digest, result);
            let name = kubectl_name(step);
            done.outcome.message = match way {
                Way::ServerSide => done.outcome.message,
                Way::Merged => format!(
                    "{name} configured by a three-way merge, because server-side apply cannot take it"
                )
                .into(),
                Way::Replaced => format!("{name} replaced").into(),
                Way::Recreated => format!("{name} deleted and created anew").into(),
            };
            done
        }
        Action::EnsureNamespace { object } => {
            // The rest of the namespace is somebody else's, and stays theirs.
            let result = target.apply(&step.gvk, object, &plan.field_manager, false).await;
            applied(wave, step, None, result)
        }
        Action::RunHook { goes_on: true, .. } => {
            finished(wave, step, OutcomeStatus::Synced, format!("{} runs already", kubectl_name(step)))
        }
        Action::RunHook { object, .. } => {
            let result = target.apply(&step.gvk, object, &plan.field_manager, false).await;
            applied(wave, step, None, result)
        }
        Action::DeleteHook { propagation } => {
            match target.delete(&step.gvk, &step.key, None, *propagation, false).await {
                Ok(was_there) => StepResult {
                    deletion: Some(Deletion { uid: Str::default(), was_there }),
                    ..finished(wave, step, OutcomeStatus::HookDeleted, "deleted")
                },
                Err(error) => failed(wave, step, &error),
            }
        }
        Action::Delete { uid, propagation } => {
            match target.delete(&step.gvk, &step.key, Some(uid), *propagation, false).await {
                Ok(was_there) => StepResult {
                    deletion: Some(Deletion { uid: uid.clone(), was_there }),
                    ..finished(wave, step, OutcomeStatus::Pruned, "pruned")
                },
                // It was replaced since the plan was made, so that the one that was planned on is gone; or somebody
                // wrote in between. Nothing is to be concluded from that: the watch tells which.
                Err(error) if error.kind == CallErrorKind::Conflict => {
                    finished(wave, step, OutcomeStatus::Pruned, "pruned")
                }
                Err(error) => failed(wave, step, &error),
            }
        }
        Action::Skip => {
            let message = format!("ignored: {}", step.reason);
            finished(wave, step, OutcomeStatus::PruneSkipped, message)
        }
    }
}

fn applied(
    wave: &Wave,
    step: &Step,
    digest: Option<Digest>,
    result: Result<Object, CallError>,
) -> StepResult {
    match result {
        Ok(live) => {
            let mut done = finished(
                wave,
                step,
                OutcomeStatus::Synced,
                format!("{} serverside-applied", kubectl_name(step)),
            );
            done.outcome.images = images_of(&live);
            done.live = Some(live);
            done.applied = digest;
            done
        }
        Err(error) => failed(wave, step, &error),
    }
}

fn finished(wave: &Wave, step: &Step, status: OutcomeStatus, message: impl Into<Str>) -> StepResult {
    StepResult {
        outcome: ObjectOutcome {
            key: step.key.clone(),
            gvk: step.gvk.clone(),
            status,
            message: message.into(),
            phase: wave.phase,
            hook: step.hook().map(|_| match status {
                OutcomeStatus::Failed => OperationPhase::Failed,
                _ => OperationPhase::Running,
            }),
            images: Box::default(),
        },
        live: None,
        applied: None,
        failure: None,
        deletion: None,
    }
}

fn failed(wave: &Wave, step: &Step, error: &CallError) -> StepResult {
    let message = match &step.origin {
        Some(origin) => format!("{origin}: {error}"),
        None => error.to_string(),
    };
    StepResult { failure: Some(error.kind), ..finished(wave, step, OutcomeStatus::Failed, message) }
}

/// As `kubectl` names an object it applied: `deployment.apps/web`.
fn kubectl_name(step: &Step) -> String {
    let kind = step.key.kind.to_lowercase();
    if step.key.group.is_empty() {
        format!("{kind}/{}", step.key.name)
    } else {
        format!("{kind}.{}/{}", step.key.group, step.key.name)
    }
}

/// The container images of a pod template, of a pod, or of a CronJob's template.
fn images_of(object: &Object) -> Box<[Str]> {
    let pod_specs: [&[&str]; 3] =
        [&["spec", "template", "spec"], &["spec"], &["spec", "jobTemplate", "spec", "template", "spec"]];
    let pod_spec =
        pod_specs.iter().filter_map(|path| object.at(path)).find(|spec| spec.get("containers").is_some());
    let containers = pod_spec
        .into_iter()
        .flat_map(|spec| [spec.items_at(&["initContainers"]), spec.items_at(&["containers"])].concat());
    containers.filter_map(|container| container.get("image").and_then(Value::as_str).map(Str::from)).collect()
}
