//! What stands around workloads: the node, claims and volumes, addresses, budgets, autoscalers.

use std::time::Duration;

use windlass_kube::selector::LabelSelector;
use windlass_kube::{Object, Value, value};

use super::replicas::is_active;
use super::status::{Condition, conditions, is_true, replicas, set_condition};
use super::{NODE, Node, SIMULATED, Simulator};
use crate::controllers::change::{create, get, items, modify, set_status};
use crate::resource::Gvr;
use crate::status::Status;
use crate::store::Key;

/// The address load balancers and ingresses get.
const ADDRESS: &str = "127.0.0.1";

/// How long until a target that is not there is looked for again.
const MISSING_TARGET: Duration = Duration::from_secs(15);

fn core(plural: &str) -> Gvr {
    Gvr::new("", "v1", plural)
}

impl Simulator {
    pub(super) async fn node(&self) -> Result<Option<Duration>, Status> {
        let nodes = core("nodes");
        if get(&self.api, &nodes, "", NODE).is_none() {
            let node = value!({
                "apiVersion": "v1", "kind": "Node",
                "metadata": {
                    "name": NODE,
                    "labels": {
                        (SIMULATED): "true", "kubernetes.io/hostname": NODE, "kubernetes.io/os": "linux",
                        "kubernetes.io/arch": "amd64"
                    },
                    "annotations": {"windlass.dev/note": "No container runs here: workloads are simulated."}
                }
            });
            create(&self.api, &nodes, node).await?;
        }
        modify(&self.api, &nodes, "", NODE, "status", |node| {
            let mut list = conditions(node);
            for (kind, on, reason, message) in [
                ("Ready", true, "SimulatedNodeReady", "workloads are simulated"),
                ("MemoryPressure", false, "Simulated", "workloads are simulated"),
                ("DiskPressure", false, "Simulated", "workloads are simulated"),
                ("PIDPressure", false, "Simulated", "workloads are simulated"),
            ] {
                set_condition(&mut list, &Condition { kind, status: on, reason, message });
            }
            let capacity = value!({"cpu": "1k", "memory": "1Ti", "pods": "1M", "ephemeral-storage": "1Ti"});
            let status = value!({
                "addresses": [{"type": "InternalIP", "address": "10.245.0.1"}, {"type": "Hostname", "address": NODE}],
                "capacity": (capacity.clone()), "allocatable": capacity, "conditions": list,
                "nodeInfo": {
                    "architecture": "amd64", "bootID": "", "containerRuntimeVersion": "simulated://1",
                    "kernelVersion": "simulated", "kubeProxyVersion": "", "kubeletVersion": "v1.36.3-simulated",
                    "machineID": "", "operatingSystem": "linux", "osImage": "Windlass workload simulator",
                    "systemUUID": ""
                },
                "daemonEndpoints": {"kubeletEndpoint": {"Port": 0}}
            });
            node.set_at(&["status"], status);
        })
        .await?;
        Ok(None)
    }

    /// A claim gets a volume made for it; the volume goes with the claim unless it is to be kept.
    pub(super) async fn claim(&self, key: &Key) -> Result<Option<Duration>, Status> {
        let (claims, volumes) = (core("persistentvolumeclaims"), core("persistentvolumes"));
        let Some(claim) = self.read(&claims, key) else {
            return self.reclaim(key).await;
        };
        if claim.is_terminating() || claim.str_at(&["status", "phase"]) == "Bound" {
            return Ok(None);
        }
        let named = claim.str_at(&["spec", "volumeName"]).to_owned();
        let name = if named.is_empty() { format!("pvc-{}", claim.uid()) } else { named.clone() };
        let reference = value!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": (claim.namespace()),
            "name": (claim.name()), "uid": (claim.uid())
        });
        let mut capacity =
            claim.at(&["spec", "resources", "requests", "storage"]).cloned().unwrap_or_else(|| "1Gi".into());
        match get(&self.api, &volumes, "", &name) {
            Some(volume) => {
                capacity = volume.at(&["spec", "capacity", "storage"]).cloned().unwrap_or(capacity);
                modify(&self.api, &volumes, "", &name, "", |volume| {
                    volume.set_at(&["spec", "claimRef"], reference.clone());
                })
                .await?;
            }
            None if named.is_empty() => {
                let mut volume = value!({
                    "apiVersion": "v1", "kind": "PersistentVolume",
                    "metadata": {
                        "name": (name.as_str()), "labels": {(SIMULATED): "true"},
                        "annotations": {"pv.kubernetes.io/provisioned-by": "simulator.windlass.dev"}
                    },
                    "spec": {
                        "capacity": {"storage": (capacity.clone())}, "persistentVolumeReclaimPolicy": "Delete",
                        "claimRef": reference, "hostPath": {"path": (format!("/simulated/{name}"))}
                    }
                });
                for field in ["accessModes", "storageClassName", "volumeMode"] {
                    if let Some(member) = claim.at(&["spec", field]) {
                        volume.set_at(&["spec", field], member.clone());
                    }
                }
                create(&self.api, &volumes, volume).await?;
            }
            // A volume that was asked for by name has to come first.
            None => return Ok(Some(Duration::from_secs(1))),
        }
        modify(&self.api, &volumes, "", &name, "status", |volume| {
            volume.set_at(&["status", "phase"], "Bound");
        })
        .await?;
        if named.is_empty() {
            modify(&self.api, &claims, &key.namespace, &key.name, "", |claim| {
                claim.set_at(&["spec", "volumeName"], name.as_str());
                claim.set_at(&["metadata", "annotations", "pv.kubernetes.io/bind-completed"], "yes");
            })
            .await?;
        }
        modify(&self.api, &claims, &key.namespace, &key.name, "status", |claim| {
            let modes = claim.at(&["spec", "accessModes"]).cloned().unwrap_or_default();
            claim.set_at(&["status", "phase"], "Bound");
            claim.set_at(&["status", "accessModes"], modes);
            claim.set_at(&["status", "capacity", "storage"], capacity.clone());
        })
        .await?;
        Ok(None)
    }

    async fn reclaim(&self, key: &Key) -> Result<Option<Duration>, Status> {
        let volumes = core("persistentvolumes");
        for stored in self.api.store().table("/persistentvolumes").list(None).objects {
            let volume = stored.object();
            let bound = volume.str_at(&["spec", "claimRef", "namespace"]) == key.namespace
                && volume.str_at(&["spec", "claimRef", "name"]) == key.name;
            if !bound || volume.str_at(&["status", "phase"]) == "Released" {
                continue;
            }
            modify(&self.api, &volumes, "", volume.name(), "status", |volume| {
                volume.set_at(&["status", "phase"], "Released");
            })
            .await?;
            let provisioned =
                volume.annotation("pv.kubernetes.io/provisioned-by") == Some("simulator.windlass.dev");
            if provisioned && volume.str_at(&["spec", "persistentVolumeReclaimPolicy"]) == "Delete" {
                self.delete(&volumes, &volume).await?;
            }
        }
        Ok(None)
    }

    pub(super) async fn service(&self, key: &Key) -> Result<Option<Duration>, Status> {
        let services = core("services");
        let Some(service) = self.read(&services, key) else { return Ok(None) };
        if service.str_at(&["spec", "type"]) == "LoadBalancer" && !service.is_terminating() {
            let status = value!({"loadBalancer": {"ingress": [{"ip": ADDRESS, "ipMode": "VIP"}]}});
            set_status(&self.api, &services, &service, &status).await?;
        }
        Ok(None)
    }

    pub(super) async fn ingress(&self, key: &Key) -> Result<Option<Duration>, Status> {
        let ingresses = Gvr::new("networking.k8s.io", "v1", "ingresses");
        let Some(ingress) = self.read(&ingresses, key) else { return Ok(None) };
        if !ingress.is_terminating() {
            let status = value!({"loadBalancer": {"ingress": [{"ip": ADDRESS}]}});
            set_status(&self.api, &ingresses, &ingress, &status).await?;
        }
        Ok(None)
    }

    pub(super) async fn disruption_budget(&self, key: &Key) -> Result<Option<Duration>, Status> {
        let budgets = Gvr::new("policy", "v1", "poddisruptionbudgets");
        let Some(budget) = self.read(&budgets, key) else { return Ok(None) };
        let Ok(selector) = LabelSelector::from_object(budget.at(&["spec", "selector"])) else {
            return Ok(None);
        };
        let pods: Vec<Object> = self
            .api
            .store()
            .table("/pods")
            .list(Some(&key.namespace))
            .objects
            .iter()
            .filter(|pod| selector.matches(pod.labels()))
            .map(|pod| pod.object())
            .filter(is_active)
            .collect();
        let expected = pods.len();
        let healthy = pods.iter().filter(|pod| is_true(pod, "Ready")).count();
        let bound = |field: &str| match budget.at(&["spec", field]) {
            Some(Value::Int(number)) => usize::try_from(*number).ok(),
            Some(Value::String(text)) => {
                let percent: usize = text.trim_end_matches('%').parse().ok()?;
                Some(expected.saturating_mul(percent).div_ceil(100))
            }
            _ => None,
        };
        let desired = bound("minAvailable")
            .or_else(|| bound("maxUnavailable").map(|max| expected.saturating_sub(max)))
            .unwrap_or(expected);
        let allowed = healthy.saturating_sub(desired);
        let mut list = conditions(&budget);
        let (status, reason) =
            if allowed > 0 { (true, "SufficientPods") } else { (false, "InsufficientPods") };
        set_condition(&mut list, &Condition { kind: "DisruptionAllowed", status, reason, message: "" });
        for condition in &mut list {
            condition.set_at(&["observedGeneration"], budget.generation());
            if condition.get("message").is_none() {
                condition.set_at(&["message"], "");
            }
        }
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let mut new = value!({"conditions": list, "observedGeneration": (budget.generation())});
        new.set_at(&["disruptionsAllowed"], count(allowed));
        new.set_at(&["currentHealthy"], count(healthy));
        new.set_at(&["desiredHealthy"], count(desired));
        new.set_at(&["expectedPods"], count(expected));
        set_status(&self.api, &budgets, &budget, &new).await?;
        Ok(None)
    }

    /// The budgets of a namespace; those that watch over a pod are among them.
    pub(super) fn budgets_of(&self, namespace: &str) -> Vec<Node> {
        self.keys_of("policy/poddisruptionbudgets", namespace)
    }

    /// The autoscalers of a namespace; those that follow a workload are among them.
    pub(super) fn autoscalers_of(&self, namespace: &str) -> Vec<Node> {
        self.keys_of("autoscaling/horizontalpodautoscalers", namespace)
    }

    fn keys_of(&self, storage: &str, namespace: &str) -> Vec<Node> {
        let objects = self.api.store().table(storage).list(Some(namespace)).objects;
        objects.iter().map(|object| (storage.into(), object.key().clone())).collect()
    }

    /// An autoscaler that never has a reason to scale beyond its minimum.
    pub(super) async fn autoscaler(&self, key: &Key) -> Result<Option<Duration>, Status> {
        let autoscalers = Gvr::new("autoscaling", "v2", "horizontalpodautoscalers");
        let Some(autoscaler) = self.read(&autoscalers, key) else { return Ok(None) };
        let target = |field: &str| autoscaler.str_at(&["spec", "scaleTargetRef", field]).to_owned();
        let kind = windlass_kube::Gvk::from_api_version(&target("apiVersion"), target("kind"));
        let found = self
            .api
            .resource_for(&kind)
            .and_then(|resource| get(&self.api, &resource.gvr, &key.namespace, &target("name")));
        let now = found.as_ref().map_or(0, |found| replicas(found, &["spec", "replicas"], 1));
        let mut list = conditions(&autoscaler);
        let (able, reason, message) = if found.is_some() {
            (true, "ReadyForNewScale", "recommended size matches current size")
        } else {
            (false, "FailedGetScale", "the HPA controller was unable to get the target's current scale")
        };
        set_condition(&mut list, &Condition { kind: "AbleToScale", status: able, reason, message });
        if able {
            let message = "the HPA was able to successfully calculate a replica count from simulated metrics";
            let active =
                Condition { kind: "ScalingActive", status: true, reason: "ValidMetricFound", message };
            set_condition(&mut list, &active);
            let message = "the desired count is within the acceptable range";
            let limited =
                Condition { kind: "ScalingLimited", status: false, reason: "DesiredWithinRange", message };
            set_condition(&mut list, &limited);
        }
        let count = i64::try_from(now).unwrap_or(i64::MAX);
        let mut status = value!({"conditions": list, "desiredReplicas": count});
        status.set_at(&["currentMetrics"], Value::Null);
        if count > 0 {
            status.set_at(&["currentReplicas"], count);
        }
        if !items(&autoscaler, &["status", "currentMetrics"]).is_empty() {
            status.set_at(&["currentMetrics"], items(&autoscaler, &["status", "currentMetrics"]).to_vec());
        }
        set_status(&self.api, &autoscalers, &autoscaler, &status).await?;
        // Most targets are followed; for those that came later or are of other kinds, a look now and then.
        Ok((!able).then_some(MISSING_TARGET))
    }
}
