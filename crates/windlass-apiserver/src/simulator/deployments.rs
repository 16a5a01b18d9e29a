//! Deployments: a replica set for each template, rolled from one to the next.

use std::time::{Duration, SystemTime};

use windlass_kube::{Object, Value, value};

use super::Simulator;
use super::status::{Condition, conditions, counts, replicas, set_condition};
use super::template::template_hash;
use crate::controllers::change::{controller_reference, create, items, modify};
use crate::resource::Gvr;
use crate::status::Status;
use crate::store::Key;
use crate::time;

const REVISION: &str = "deployment.kubernetes.io/revision";
const HASH: &str = "pod-template-hash";

fn sets() -> Gvr {
    Gvr::new("apps", "v1", "replicasets")
}

fn deployments() -> Gvr {
    Gvr::new("apps", "v1", "deployments")
}

fn revision(object: &Object) -> u64 {
    object.annotation(REVISION).and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn desired(set: &Object) -> usize {
    replicas(set, &["spec", "replicas"], 1)
}

fn have(set: &Object, count: &str) -> usize {
    replicas(set, &["status", count], 0)
}

/// A number or a share of the replicas.
fn share(value: Option<&Value>, of: usize, round_up: bool) -> usize {
    match value {
        Some(Value::Int(number)) => usize::try_from(*number).unwrap_or(0),
        Some(Value::String(text)) => {
            let percent: usize = text.trim_end_matches('%').parse().unwrap_or(0);
            let part = of.saturating_mul(percent);
            if round_up { part.div_ceil(100) } else { part / 100 }
        }
        _ => 0,
    }
}

impl Simulator {
    pub(super) async fn deployment(&self, key: &Key) -> Result<Option<Duration>, Status> {
        let Some(deployment) = self.read(&deployments(), key) else { return Ok(None) };
        if deployment.is_terminating() {
            return Ok(None);
        }
        let mut sets = self.children(&deployment, "apps/replicasets");
        sets.sort_by_key(revision);
        let template = deployment.at(&["spec", "template"]).cloned().unwrap_or_else(Value::object);
        let paused = deployment.at(&["spec", "paused"]).and_then(Value::as_bool) == Some(true);
        let current = sets.iter().position(|set| same_template(set, &template));
        let mut new = current.map(|idx| sets.remove(idx));
        let old = sets;
        let recreate = deployment.str_at(&["spec", "strategy", "type"]) == "Recreate";
        let old_pods: usize = old.iter().map(|set| have(set, "replicas")).sum();
        if new.is_none() && !paused && !(recreate && (old_pods > 0 || old.iter().any(|set| desired(set) > 0)))
        {
            new = self.make_set(&deployment, &template, &old).await?;
        } else if let Some(set) = &new {
            self.keep_newest(&deployment, set, &old).await?;
        }
        if paused {
            self.scale_paused(&deployment, new.as_ref(), &old).await?;
        } else if recreate {
            self.recreate(&deployment, new.as_ref(), &old, old_pods).await?;
        } else {
            self.roll(&deployment, new.as_ref(), &old).await?;
        }
        let again = self.write_status(&deployment, new.as_ref(), &old, paused).await?;
        self.forget_history(&deployment, &old).await?;
        Ok(again)
    }

    async fn make_set(
        &self,
        deployment: &Object,
        template: &Value,
        old: &[Object],
    ) -> Result<Option<Object>, Status> {
        let hash = template_hash(template);
        let name = format!("{}-{hash}", deployment.name());
        let wanted = desired(deployment);
        let surge = share(deployment.at(&["spec", "strategy", "rollingUpdate", "maxSurge"]), wanted, true);
        let others: usize = old.iter().map(desired).sum();
        let recreate = deployment.str_at(&["spec", "strategy", "type"]) == "Recreate";
        let first = if recreate { wanted } else { wanted.min((wanted + surge).saturating_sub(others)) };
        let mut template = template.clone();
        template.set_at(&["metadata", "labels", HASH], hash.as_str());
        let mut selector = deployment.at(&["spec", "selector"]).cloned().unwrap_or_else(Value::object);
        selector.set_at(&["matchLabels", HASH], hash.as_str());
        let number = old.iter().map(revision).max().unwrap_or(0) + 1;
        let mut annotations = deployment
            .at(&["metadata", "annotations"])
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default();
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        annotations.insert(REVISION, number.to_string());
        annotations.insert("deployment.kubernetes.io/desired-replicas", wanted.to_string());
        annotations.insert("deployment.kubernetes.io/max-replicas", (wanted + surge).to_string());
        let labels = template.at(&["metadata", "labels"]).cloned().unwrap_or_else(Value::object);
        let mut set = value!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {
                "name": (name.as_str()), "namespace": (deployment.namespace()), "labels": labels,
                "annotations": annotations, "ownerReferences": [(controller_reference(deployment))]
            },
            "spec": {"replicas": (i64::try_from(first).unwrap_or(0)), "selector": selector, "template": template}
        });
        if let Some(minimum) = deployment.at(&["spec", "minReadySeconds"]) {
            set.set_at(&["spec", "minReadySeconds"], minimum.clone());
        }
        let made = create(&self.api, &sets(), set).await?;
        if let Some(made) = &made {
            self.note_child("apps/replicasets", made);
        }
        Ok(made)
    }

    /// A template that is used again becomes the newest revision. What is noted on the Deployment, such as the cause of a
    /// change, is noted on the newest, too.
    async fn keep_newest(&self, deployment: &Object, set: &Object, old: &[Object]) -> Result<(), Status> {
        let newest = old.iter().map(revision).max().unwrap_or(0);
        let annotations = deployment.at(&["metadata", "annotations"]).and_then(Value::as_object);
        let is_own = |key: &str| {
            key == "kubectl.kubernetes.io/last-applied-configuration"
                || key.starts_with("deployment.kubernetes.io/")
        };
        let mut noted: Vec<(&str, Value)> = annotations
            .into_iter()
            .flat_map(|annotations| annotations.iter())
            .filter(|(key, text)| !is_own(key) && set.annotation(key) != text.as_str())
            .map(|(key, text)| (key.as_str(), text.clone()))
            .collect();
        if revision(set) <= newest {
            noted.push((REVISION, (newest + 1).to_string().into()));
        }
        if !noted.is_empty() {
            modify(&self.api, &sets(), set.namespace(), set.name(), "", |set| {
                for (key, text) in &noted {
                    set.set_at(&["metadata", "annotations", key], text.clone());
                }
            })
            .await?;
        }
        Ok(())
    }

    async fn resize(&self, set: &Object, to: usize) -> Result<(), Status> {
        if desired(set) == to {
            return Ok(());
        }
        modify(&self.api, &sets(), set.namespace(), set.name(), "", |set| {
            set.set_at(&["spec", "replicas"], i64::try_from(to).unwrap_or(i64::MAX));
        })
        .await?;
        Ok(())
    }

    /// While paused only the number of replicas follows.
    async fn scale_paused(
        &self,
        deployment: &Object,
        new: Option<&Object>,
        old: &[Object],
    ) -> Result<(), Status> {
        let active: Vec<&Object> = old.iter().chain(new).filter(|set| desired(set) > 0).collect();
        if let Some(set) = active.last().copied().or(new) {
            let others: usize =
                active.iter().filter(|other| other.uid() != set.uid()).map(|set| desired(set)).sum();
            self.resize(set, desired(deployment).saturating_sub(others)).await?;
        }
        Ok(())
    }

    async fn recreate(
        &self,
        deployment: &Object,
        new: Option<&Object>,
        old: &[Object],
        old_pods: usize,
    ) -> Result<(), Status> {
        for set in old {
            self.resize(set, 0).await?;
        }
        if let Some(new) = new.filter(|_| old_pods == 0) {
            self.resize(new, desired(deployment)).await?;
        }
        Ok(())
    }

    async fn roll(&self, deployment: &Object, new: Option<&Object>, old: &[Object]) -> Result<(), Status> {
        let Some(new) = new else { return Ok(()) };
        let wanted = desired(deployment);
        let rolling = |field: &str| deployment.at(&["spec", "strategy", "rollingUpdate", field]);
        let surge = share(rolling("maxSurge"), wanted, true);
        let mut unavailable = share(rolling("maxUnavailable"), wanted, false).min(wanted);
        if surge == 0 && unavailable == 0 {
            unavailable = 1;
        }
        let others: usize = old.iter().map(desired).sum();
        let now = desired(new);
        let target = if now > wanted {
            wanted
        } else {
            let room = (wanted + surge).saturating_sub(now + others);
            (now + room).min(wanted)
        };
        self.resize(new, target).await?;
        // Old replicas may go as far as enough of all are available.
        let minimum = wanted - unavailable;
        let new_unavailable = target.saturating_sub(have(new, "availableReplicas"));
        let mut budget = (others + target).saturating_sub(minimum + new_unavailable);
        let available: usize = old.iter().chain([new]).map(|set| have(set, "availableReplicas")).sum();
        let mut spare = available.saturating_sub(minimum);
        for set in old {
            let size = desired(set);
            let unhealthy = size.saturating_sub(have(set, "availableReplicas")).min(budget);
            budget -= unhealthy;
            let healthy = (size - unhealthy).min(spare).min(budget);
            budget -= healthy;
            spare -= healthy;
            self.resize(set, size - unhealthy - healthy).await?;
        }
        Ok(())
    }

    async fn write_status(
        &self,
        deployment: &Object,
        new: Option<&Object>,
        old: &[Object],
        paused: bool,
    ) -> Result<Option<Duration>, Status> {
        let sum = |count: &str| old.iter().chain(new).map(|set| have(set, count)).sum::<usize>();
        let wanted = desired(deployment);
        let (total, ready, available) = (sum("replicas"), sum("readyReplicas"), sum("availableReplicas"));
        let updated = new.map_or(0, |set| have(set, "replicas"));
        let unavailable = wanted.max(total).saturating_sub(available);
        let mut list = conditions(deployment);
        let before = |count: &str| replicas(deployment, &["status", count], 0);
        let moved = before("replicas") != total
            || before("updatedReplicas") != updated
            || before("readyReplicas") != ready
            || before("availableReplicas") != available;
        let rolling = deployment.at(&["spec", "strategy", "rollingUpdate", "maxUnavailable"]);
        let minimum = wanted.saturating_sub(share(rolling, wanted, false));
        let enough = available >= minimum;
        let availability = if enough {
            Condition {
                kind: "Available",
                status: true,
                reason: "MinimumReplicasAvailable",
                message: "Deployment has minimum availability.",
            }
        } else {
            Condition {
                kind: "Available",
                status: false,
                reason: "MinimumReplicasUnavailable",
                message: "Deployment does not have minimum availability.",
            }
        };
        set_timed(&mut list, &availability, false);
        let complete = new.is_some() && updated == wanted && total == wanted && available == wanted;
        let again = progress(deployment, new, &mut list, complete, moved, paused);
        let mut status = counts(&[
            ("replicas", total),
            ("updatedReplicas", updated),
            ("readyReplicas", ready),
            ("availableReplicas", available),
            ("unavailableReplicas", unavailable),
        ]);
        status.insert("observedGeneration", deployment.generation());
        status.insert("terminatingReplicas", 0_i64);
        status.insert("conditions", list);
        let status = Value::from(status);
        let number =
            new.map(|set| revision(set).max(old.iter().map(revision).max().map_or(0, |max| max + 1)));
        modify(&self.api, &deployments(), deployment.namespace(), deployment.name(), "status", |object| {
            if object.uid() == deployment.uid() && object.generation() == deployment.generation() {
                object.set_at(&["status"], status.clone());
                if let Some(number) = number.filter(|number| *number > 0) {
                    object.set_at(&["metadata", "annotations", REVISION], number.to_string());
                }
            }
        })
        .await?;
        Ok(again)
    }

    async fn forget_history(&self, deployment: &Object, old: &[Object]) -> Result<(), Status> {
        let limit = replicas(deployment, &["spec", "revisionHistoryLimit"], 10);
        let idle: Vec<&Object> = old
            .iter()
            .filter(|set| desired(set) == 0 && have(set, "replicas") == 0 && !set.is_terminating())
            .collect();
        for set in idle.iter().take(idle.len().saturating_sub(limit)) {
            self.delete(&sets(), set).await?;
        }
        Ok(())
    }
}

/// How the roll-out goes, and when its deadline is to be looked at.
fn progress(
    deployment: &Object,
    new: Option<&Object>,
    list: &mut Vec<Value>,
    complete: bool,
    moved: bool,
    paused: bool,
) -> Option<Duration> {
    let last = items(deployment, &["status", "conditions"])
        .iter()
        .find(|condition| condition.str_at(&["type"]) == Some("Progressing"))
        .cloned();
    let last_reason = last.as_ref().and_then(|last| last.str_at(&["reason"])).unwrap_or_default().to_owned();
    let name = new.map(Object::name).unwrap_or_default();
    let mut set = |status: bool, reason: &str, message: &str, touch: bool| {
        set_timed(list, &Condition { kind: "Progressing", status, reason, message }, touch);
    };
    let behind = replicas(deployment, &["status", "observedGeneration"], 0)
        < replicas(deployment, &["metadata", "generation"], 0);
    if paused {
        if last_reason != "DeploymentPaused" {
            set(false, "DeploymentPaused", "Deployment is paused", true);
            // Neither true nor false: nobody tries.
            if let Some(condition) =
                list.iter_mut().find(|have| have.str_at(&["type"]) == Some("Progressing"))
            {
                condition.set_at(&["status"], "Unknown");
            }
        }
        return None;
    }
    if complete {
        let message = format!("ReplicaSet {name:?} has successfully progressed.");
        set(true, "NewReplicaSetAvailable", &message, last_reason != "NewReplicaSetAvailable");
        return None;
    }
    let deadline = Duration::from_secs(
        u64::try_from(replicas(deployment, &["spec", "progressDeadlineSeconds"], 600)).unwrap_or(600),
    );
    let updated = last.as_ref().and_then(|last| time::parse(last.str_at(&["lastUpdateTime"])?));
    let waited = updated.and_then(|at| SystemTime::now().duration_since(at).ok()).unwrap_or_default();
    if last.is_none() {
        set(true, "NewReplicaSetCreated", &format!("Created new replica set {name:?}"), true);
    } else if moved || behind {
        set(true, "ReplicaSetUpdated", &format!("ReplicaSet {name:?} is progressing."), true);
    } else if last_reason == "ProgressDeadlineExceeded" {
        return None;
    } else if last_reason != "NewReplicaSetAvailable" && waited >= deadline {
        set(
            false,
            "ProgressDeadlineExceeded",
            &format!("ReplicaSet {name:?} has timed out progressing."),
            true,
        );
        return None;
    }
    Some(deadline.saturating_sub(waited).max(Duration::from_secs(1)))
}

/// Sets a condition that also says when it was last updated.
fn set_timed(list: &mut Vec<Value>, condition: &Condition<'_>, touch: bool) {
    let before = list.iter().find(|have| have.str_at(&["type"]) == Some(condition.kind)).cloned();
    set_condition(list, condition);
    let status = if condition.status { "True" } else { "False" };
    let same = before.as_ref().is_some_and(|before| {
        before.str_at(&["status"]) == Some(status) && before.str_at(&["reason"]) == Some(condition.reason)
    });
    let updated =
        before.as_ref().and_then(|before| before.get("lastUpdateTime").cloned()).filter(|_| same && !touch);
    if let Some(new) = list.iter_mut().find(|have| have.str_at(&["type"]) == Some(condition.kind)) {
        new.set_at(&["lastUpdateTime"], updated.unwrap_or_else(|| time::now().into()));
    }
}

/// Whether a set was made for this template.
fn same_template(set: &Object, template: &Value) -> bool {
    let Some(mut theirs) = set.at(&["spec", "template"]).cloned() else { return false };
    theirs.remove_at(&["metadata", "labels", HASH]);
    theirs == *template
}
