//! DaemonSets: one pod on the one node, if it is selected.

use std::time::Duration;

use windlass_kube::{Object, Value, value};

use super::replicas::{is_active, readiness};
use super::status::replicas;
use super::template::{PodName, set_label, template_hash};
use super::{NODE, Simulator};
use crate::controllers::change::{get, set_status};
use crate::resource::Gvr;
use crate::status::Status;
use crate::store::Key;

const REVISION: &str = "controller-revision-hash";

impl Simulator {
    pub(super) async fn daemon_set(&self, key: &Key) -> Result<Option<Duration>, Status> {
        let gvr = Gvr::new("apps", "v1", "daemonsets");
        let Some(set) = self.read(&gvr, key) else { return Ok(None) };
        if set.is_terminating() {
            return Ok(None);
        }
        let template = set.at(&["spec", "template"]).cloned().unwrap_or_else(Value::object);
        let hash = template_hash(&template);
        self.record_revision(&set, &template, &format!("{}-{hash}", set.name())).await?;
        let wanted = self.node_is_selected(&template);
        let rolling = set.str_at(&["spec", "updateStrategy", "type"]) == "RollingUpdate";
        let pods_gvr = Gvr::new("", "v1", "pods");
        let mut kept = Vec::new();
        for pod in self.children(&set, "/pods") {
            let old = rolling && pod.label(REVISION) != Some(&hash);
            if pod.is_terminating() {
                continue;
            }
            if !wanted || old || !is_active(&pod) || !kept.is_empty() {
                self.delete(&pods_gvr, &pod).await?;
            } else {
                kept.push(pod);
            }
        }
        if wanted && kept.is_empty() {
            let prefix = format!("{}-", set.name());
            let generation =
                set.annotation("deprecated.daemonset.template.generation").unwrap_or("1").to_owned();
            self.make_pod(&set, &template, PodName::Generated(&prefix), |pod| {
                set_label(pod, REVISION, hash.as_str());
                set_label(pod, "pod-template-generation", generation);
                stay_on_the_node(pod);
            })
            .await?;
            kept = self.children(&set, "/pods").into_iter().filter(is_active).collect();
        }
        let minimum = u64::try_from(replicas(&set, &["spec", "minReadySeconds"], 0)).unwrap_or(0);
        let readiness = readiness(kept.iter(), minimum);
        let updated = kept.iter().filter(|pod| pod.label(REVISION) == Some(&hash)).count();
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let mut status = value!({"numberMisscheduled": 0, "observedGeneration": (set.generation())});
        status.set_at(&["currentNumberScheduled"], count(kept.len()));
        status.set_at(&["desiredNumberScheduled"], i64::from(wanted));
        status.set_at(&["numberReady"], count(readiness.ready));
        let unavailable = usize::from(wanted).saturating_sub(readiness.available);
        for (field, n) in [
            ("updatedNumberScheduled", updated),
            ("numberAvailable", readiness.available),
            ("numberUnavailable", unavailable),
        ] {
            if n > 0 {
                status.set_at(&[field], count(n));
            }
        }
        set_status(&self.api, &gvr, &set, &status).await?;
        Ok(readiness.again)
    }

    fn node_is_selected(&self, template: &Value) -> bool {
        let Some(selector) = template.at(&["spec", "nodeSelector"]).and_then(Value::as_object) else {
            return true;
        };
        let node: Option<Object> = get(&self.api, &Gvr::new("", "v1", "nodes"), "", NODE);
        node.is_some_and(|node| selector.iter().all(|(key, text)| node.label(key) == text.as_str()))
    }
}

/// What Kubernetes adds to a daemon's pod: it belongs to its node and stays whatever befalls it.
fn stay_on_the_node(pod: &mut Value) {
    let mut tolerations = pod.items_at(&["spec", "tolerations"]).to_vec();
    for (name, effect) in [
        ("not-ready", "NoExecute"),
        ("unreachable", "NoExecute"),
        ("disk-pressure", "NoSchedule"),
        ("memory-pressure", "NoSchedule"),
        ("pid-pressure", "NoSchedule"),
        ("unschedulable", "NoSchedule"),
    ] {
        let key = format!("node.kubernetes.io/{name}");
        tolerations.push(value!({"key": key, "operator": "Exists", "effect": effect}));
    }
    pod.set_at(&["spec", "tolerations"], tolerations);
    let terms = value!([{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [NODE]}]}]);
    let path = [
        "spec",
        "affinity",
        "nodeAffinity",
        "requiredDuringSchedulingIgnoredDuringExecution",
        "nodeSelectorTerms",
    ];
    pod.set_at(&path, terms);
}
