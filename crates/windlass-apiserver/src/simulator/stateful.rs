//! StatefulSets: numbered pods, one after the other, each with its claims.

use std::time::Duration;

use windlass_kube::{Object, Value, value};

use super::Simulator;
use super::replicas::{is_active, readiness};
use super::status::{MOST_PODS, is_true, replicas};
use super::template::{PodName, set_label, template_hash};
use crate::controllers::change::{create, get, items, set_status};
use crate::resource::Gvr;
use crate::status::Status;
use crate::store::Key;

const REVISION: &str = "controller-revision-hash";

impl Simulator {
    pub(super) async fn stateful_set(&self, key: &Key) -> Result<Option<Duration>, Status> {
        let gvr = Gvr::new("apps", "v1", "statefulsets");
        let Some(set) = self.read(&gvr, key) else { return Ok(None) };
        if set.is_terminating() {
            return Ok(None);
        }
        let template = set.at(&["spec", "template"]).cloned().unwrap_or_else(Value::object);
        let update = format!("{}-{}", set.name(), template_hash(&template));
        let current = Some(set.str_at(&["status", "currentRevision"])).filter(|name| !name.is_empty());
        let current = current.unwrap_or(&update).to_owned();
        self.record_revision(&set, &template, &update).await?;
        self.step(&set, &template, &update).await?;
        let pods = self.children(&set, "/pods");
        let active: Vec<&Object> = pods.iter().filter(|pod| is_active(pod)).collect();
        let minimum = u64::try_from(replicas(&set, &["spec", "minReadySeconds"], 0)).unwrap_or(0);
        let readiness = readiness(active.iter().copied(), minimum);
        let updated = active.iter().filter(|pod| pod.label(REVISION) == Some(&update)).count();
        let wanted = replicas(&set, &["spec", "replicas"], 1);
        let done = updated == wanted && active.len() == wanted && readiness.ready == wanted;
        let current = if done { &update } else { &current };
        let of_current = active.iter().filter(|pod| pod.label(REVISION) == Some(current)).count();
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let mut status = value!({
            "observedGeneration": (set.generation()), "collisionCount": 0, "currentRevision": (current.as_str()),
            "updateRevision": (update.as_str())
        });
        status.set_at(&["replicas"], count(active.len()));
        status.set_at(&["availableReplicas"], count(readiness.available));
        for (field, n) in [
            ("readyReplicas", readiness.ready),
            ("updatedReplicas", updated),
            ("currentReplicas", of_current),
        ] {
            if n > 0 {
                status.set_at(&[field], count(n));
            }
        }
        set_status(&self.api, &gvr, &set, &status).await?;
        Ok(readiness.again)
    }

    /// The next thing to do: make a pod that is missing, drop one that is too many, renew one that is old.
    async fn step(&self, set: &Object, template: &Value, update: &str) -> Result<(), Status> {
        let pods_gvr = Gvr::new("", "v1", "pods");
        let wanted = replicas(set, &["spec", "replicas"], 1).min(MOST_PODS);
        let first = replicas(set, &["spec", "ordinals", "start"], 0);
        let parallel = set.str_at(&["spec", "podManagementPolicy"]) == "Parallel";
        let mut pods = Vec::new();
        for ordinal in first..first + wanted {
            let name = format!("{}-{ordinal}", set.name());
            match get(&self.api, &pods_gvr, set.namespace(), &name) {
                Some(pod) if !is_active(&pod) => {
                    if !pod.is_terminating() {
                        self.delete(&pods_gvr, &pod).await?;
                    }
                    return Ok(());
                }
                Some(pod) => {
                    let ready = is_true(&pod, "Ready");
                    pods.push(pod);
                    if !ready && !parallel {
                        // A pod of an old template that never became ready makes way for the new one.
                        return self.renew(set, &pods, first, update).await;
                    }
                }
                None => {
                    self.make_claims(set, ordinal).await?;
                    let pod_name = name.clone();
                    self.make_pod(set, template, PodName::Exact(&name), |pod| {
                        set_label(pod, REVISION, update);
                        set_label(pod, "statefulset.kubernetes.io/pod-name", pod_name.as_str());
                        set_label(pod, "apps.kubernetes.io/pod-index", ordinal.to_string());
                        pod.set_at(&["metadata", "generateName"], format!("{}-", set.name()));
                        pod.set_at(&["spec", "hostname"], pod_name.as_str());
                        if let Some(service) = set.at(&["spec", "serviceName"]) {
                            pod.set_at(&["spec", "subdomain"], service.clone());
                        }
                        add_claims(set, pod, ordinal);
                    })
                    .await?;
                    if !parallel {
                        return Ok(());
                    }
                }
            }
        }
        let ordinal = |pod: &Object| {
            pod.name().rsplit('-').next().and_then(|text| text.parse::<usize>().ok()).unwrap_or(0)
        };
        let mut excess: Vec<Object> = self.children(set, "/pods");
        excess.retain(|pod| !(first..first + wanted).contains(&ordinal(pod)) && !pod.is_terminating());
        excess.sort_by_key(|pod| std::cmp::Reverse(ordinal(pod)));
        let at_once = if parallel { excess.len() } else { excess.len().min(1) };
        for pod in &excess[..at_once] {
            self.delete(&pods_gvr, pod).await?;
        }
        if !excess.is_empty() {
            return Ok(());
        }
        self.renew(set, &pods, first, update).await
    }

    /// Deletes the last pod of an older template, to be made again from the new one.
    async fn renew(&self, set: &Object, pods: &[Object], first: usize, update: &str) -> Result<(), Status> {
        if set.str_at(&["spec", "updateStrategy", "type"]) != "RollingUpdate" {
            return Ok(());
        }
        let partition = replicas(set, &["spec", "updateStrategy", "rollingUpdate", "partition"], 0);
        for (idx, pod) in pods.iter().enumerate().rev() {
            if first + idx < partition {
                break;
            }
            if pod.label(REVISION) != Some(update) {
                return self.delete(&Gvr::new("", "v1", "pods"), pod).await;
            }
            if !is_true(pod, "Ready") {
                break;
            }
        }
        Ok(())
    }

    async fn make_claims(&self, set: &Object, ordinal: usize) -> Result<(), Status> {
        let gvr = Gvr::new("", "v1", "persistentvolumeclaims");
        for template in items(set, &["spec", "volumeClaimTemplates"]) {
            let name = claim_name(set, template, ordinal);
            if get(&self.api, &gvr, set.namespace(), &name).is_some() {
                continue;
            }
            let mut claim = value!({"apiVersion": "v1", "kind": "PersistentVolumeClaim"});
            claim.set_at(&["metadata"], template.get("metadata").cloned().unwrap_or_else(Value::object));
            claim.set_at(&["metadata", "name"], name);
            claim.set_at(&["metadata", "namespace"], set.namespace());
            let labels = set.at(&["spec", "selector", "matchLabels"]).and_then(Value::as_object);
            for (key, text) in labels.into_iter().flat_map(|labels| labels.iter()) {
                claim.set_at(&["metadata", "labels", key], text.clone());
            }
            claim.set_at(&["spec"], template.get("spec").cloned().unwrap_or_else(Value::object));
            create(&self.api, &gvr, claim).await?;
        }
        Ok(())
    }
}

fn claim_name(set: &Object, template: &Value, ordinal: usize) -> String {
    format!("{}-{}-{ordinal}", template.str_at(&["metadata", "name"]).unwrap_or_default(), set.name())
}

/// The pod's volumes of the same names are its own claims.
fn add_claims(set: &Object, pod: &mut Value, ordinal: usize) {
    let templates = items(set, &["spec", "volumeClaimTemplates"]);
    if templates.is_empty() {
        return;
    }
    let mut volumes = pod.items_at(&["spec", "volumes"]).to_vec();
    for template in templates {
        let name = template.str_at(&["metadata", "name"]).unwrap_or_default();
        volumes.retain(|volume| volume.str_at(&["name"]) != Some(name));
        let claim = claim_name(set, template, ordinal);
        volumes.push(value!({"name": name, "persistentVolumeClaim": {"claimName": claim}}));
    }
    pod.set_at(&["spec", "volumes"], volumes);
}
