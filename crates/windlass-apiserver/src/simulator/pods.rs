//! The kubelet that is none: pods become ready, fail as asked, end, and go when they are deleted.

use std::time::{Duration, SystemTime};

use windlass_kube::{Object, Value, value};

use super::index::owner_of;
use super::status::{Condition, conditions, set_condition};
use super::{NODE, Simulator};
use crate::controllers::change::{items, modify, set_status};
use crate::resource::Gvr;
use crate::status::Status;
use crate::store::Key;
use crate::time;

/// What a pod's annotation asks of the simulator.
pub(super) fn wish(pod: &Value, name: &str) -> Option<String> {
    let key = format!("simulator.windlass.dev/{name}");
    pod.str_at(&["metadata", "annotations", &key]).map(str::to_owned)
}

/// How a pod is at this moment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Course<'a> {
    /// Its containers are being made.
    Creating,
    /// It runs, ready or not.
    Running { ready: bool },
    /// It waits with a reason, having run before or not.
    Waiting { reason: &'a str, restarted: bool },
    /// No node takes it.
    Unschedulable,
    /// It has ended.
    Ended { failed: bool },
}

impl Simulator {
    pub(super) async fn pod(&self, key: &Key) -> Result<Option<Duration>, Status> {
        let gvr = Gvr::new("", "v1", "pods");
        let Some(mut pod) = self.read(&gvr, key) else { return Ok(None) };
        if pod.is_terminating() {
            if pod.at(&["metadata", "deletionGracePeriodSeconds"]).and_then(Value::as_int) != Some(0) {
                self.delete(&gvr, &pod).await?;
            }
            return Ok(None);
        }
        if matches!(pod.str_at(&["status", "phase"]), "Succeeded" | "Failed")
            || !items(&pod, &["spec", "schedulingGates"]).is_empty()
        {
            return Ok(None);
        }
        let node = pod.str_at(&["spec", "nodeName"]).to_owned();
        if !node.is_empty() && node != NODE {
            return Ok(None);
        }
        let fail = wish(&pod.to_value(), "fail").unwrap_or_default();
        let (course, again) = course(&pod, &fail);
        if node.is_empty() && course != Course::Unschedulable {
            let bound = modify(&self.api, &gvr, &key.namespace, &key.name, "", |pod| {
                if pod.str_at(&["spec", "nodeName"]).is_empty() {
                    pod.set_at(&["spec", "nodeName"], NODE);
                }
            })
            .await?;
            let Some(bound) = bound else { return Ok(None) };
            pod = bound;
        }
        set_status(&self.api, &gvr, &pod, &pod_status(&pod, course)).await?;
        Ok(again)
    }
}

fn course<'a>(pod: &Object, fail: &'a str) -> (Course<'a>, Option<Duration>) {
    let value = pod.to_value();
    let age = time::parse(pod.str_at(&["metadata", "creationTimestamp"]))
        .and_then(|created| SystemTime::now().duration_since(created).ok())
        .unwrap_or_default();
    let left = |name: &str| {
        let wanted = wish(&value, name).and_then(|text| text.parse::<windlass_go::duration::Duration>().ok());
        let wanted = wanted.and_then(|wanted| Duration::try_from(wanted).ok()).unwrap_or_default();
        wanted.checked_sub(age).filter(|left| !left.is_zero())
    };
    if fail == "Unschedulable" {
        return (Course::Unschedulable, None);
    }
    if let Some(left) = left("ready-after") {
        return (Course::Creating, Some(left));
    }
    let of_job = owner_of(pod).is_some_and(|(storage, _)| storage == "batch/jobs");
    let ends = of_job || wish(&value, "run-for").is_some();
    match fail {
        "" if ends && pod.str_at(&["spec", "restartPolicy"]) != "Always" => match left("run-for") {
            Some(left) => (Course::Running { ready: true }, Some(left)),
            None => (Course::Ended { failed: false }, None),
        },
        "" => (Course::Running { ready: true }, None),
        "NotReady" => (Course::Running { ready: false }, None),
        "Error" if pod.str_at(&["spec", "restartPolicy"]) != "Always" => {
            (Course::Ended { failed: true }, None)
        }
        "CrashLoopBackOff" | "Error" | "OOMKilled" => {
            (Course::Waiting { reason: "CrashLoopBackOff", restarted: true }, None)
        }
        reason => (Course::Waiting { reason, restarted: false }, None),
    }
}

/// The status of a pod in its course; times that are set stay.
fn pod_status(pod: &Object, course: Course<'_>) -> Value {
    let mut status = pod.at(&["status"]).cloned().unwrap_or_else(Value::object);
    let running = matches!(course, Course::Running { .. } | Course::Waiting { restarted: true, .. });
    let phase = match course {
        Course::Ended { failed: true } => "Failed",
        Course::Ended { failed: false } => "Succeeded",
        _ if running => "Running",
        _ => "Pending",
    };
    status.set_at(&["phase"], phase);
    set_pod_conditions(pod, course, &mut status);
    if pod.generation() > 0 {
        status.set_at(&["observedGeneration"], pod.generation());
    }
    if course == Course::Unschedulable {
        return status;
    }
    if status.get("startTime").is_none() {
        status.set_at(&["startTime"], time::now());
    }
    let address = address(pod.uid());
    status.set_at(&["hostIP"], "10.245.0.1");
    status.set_at(&["hostIPs"], value!([{"ip": "10.245.0.1"}]));
    status.set_at(&["podIP"], address.as_str());
    status.set_at(&["podIPs"], value!([{"ip": (address.as_str())}]));
    let before = |list: &str, name: &str| {
        items(pod, &["status", list]).iter().find(|have| have.str_at(&["name"]) == Some(name)).cloned()
    };
    for (spec, list) in [("initContainers", "initContainerStatuses"), ("containers", "containerStatuses")] {
        let statuses: Vec<Value> = items(pod, &["spec", spec])
            .iter()
            .map(|container| {
                let sidecar = container.str_at(&["restartPolicy"]) == Some("Always");
                let course = match course {
                    Course::Creating | Course::Waiting { restarted: false, .. }
                        if spec == "initContainers" =>
                    {
                        course
                    }
                    _ if spec == "initContainers" && !sidecar => Course::Ended { failed: false },
                    _ if spec == "initContainers" => Course::Running { ready: true },
                    other => other,
                };
                let name = container.str_at(&["name"]).unwrap_or_default();
                container_status(container, before(list, name).as_ref(), course)
            })
            .collect();
        if !statuses.is_empty() {
            status.set_at(&[list], statuses);
        }
    }
    status
}

fn set_pod_conditions(pod: &Object, course: Course<'_>, status: &mut Value) {
    let mut list = conditions(pod);
    let mut set = |kind: &str, on: bool, reason: &str, message: &str| {
        set_condition(&mut list, &Condition { kind, status: on, reason, message });
    };
    if course == Course::Unschedulable {
        set("PodScheduled", false, "Unschedulable", "0/1 nodes are available: simulated as unschedulable.");
    } else {
        let ready = course == Course::Running { ready: true };
        let ended = matches!(course, Course::Ended { .. });
        let initialized = !matches!(course, Course::Creating);
        let reason = if ready {
            ""
        } else if course == (Course::Ended { failed: false }) {
            "PodCompleted"
        } else if ended {
            "PodFailed"
        } else {
            "ContainersNotReady"
        };
        let names: Vec<&str> =
            items(pod, &["spec", "containers"]).iter().filter_map(|c| c.str_at(&["name"])).collect();
        let message = if ready || ended {
            String::new()
        } else {
            format!("containers with unready status: [{}]", names.join(" "))
        };
        set("PodReadyToStartContainers", !ended, "", "");
        set("Initialized", initialized, "", "");
        set("Ready", ready, reason, &message);
        set("ContainersReady", ready, reason, &message);
        set("PodScheduled", true, "", "");
    }
    status.set_at(&["conditions"], list);
}

fn container_status(container: &Value, before: Option<&Value>, course: Course<'_>) -> Value {
    let text = |key: &str| container.str_at(&[key]).unwrap_or_default();
    let kept = |path: &[&str]| before.and_then(|before| before.at(path)).cloned();
    let since = |path: &[&str]| kept(path).unwrap_or_else(|| time::now().into());
    let mut status = value!({
        "name": (text("name")), "image": (text("image")), "imageID": "", "ready": false, "started": false,
        "restartCount": 0
    });
    if !matches!(course, Course::Creating | Course::Waiting { restarted: false, .. }) {
        status.set_at(&["containerID"], format!("simulated://{}", text("name")));
        status.set_at(&["imageID"], text("image"));
    }
    match course {
        Course::Creating | Course::Unschedulable => {
            status.set_at(&["state"], value!({"waiting": {"reason": "ContainerCreating"}}));
        }
        Course::Running { ready } => {
            status.set_at(&["ready"], ready);
            status.set_at(&["started"], true);
            status.set_at(&["state", "running", "startedAt"], since(&["state", "running", "startedAt"]));
        }
        Course::Waiting { reason, restarted } => {
            let message = match reason {
                "ImagePullBackOff" => format!("Back-off pulling image {:?}", text("image")),
                "CrashLoopBackOff" => format!("back-off 10s restarting failed container={}", text("name")),
                _ => "simulated failure".to_owned(),
            };
            status.set_at(&["state"], value!({"waiting": {"reason": reason, "message": message}}));
            if restarted {
                status.set_at(&["restartCount"], 1_i64);
                let at = since(&["lastState", "terminated", "finishedAt"]);
                status.set_at(
                    &["lastState"],
                    value!({"terminated": {"exitCode": 1, "reason": "Error", "startedAt": (at.clone()), "finishedAt": at}}),
                );
            }
        }
        Course::Ended { failed } => {
            let started = kept(&["state", "running", "startedAt"]).unwrap_or_else(|| time::now().into());
            let reason = if failed { "Error" } else { "Completed" };
            let ended = kept(&["state", "terminated"]).unwrap_or_else(|| {
                value!({
                    "exitCode": (i64::from(failed)), "reason": reason, "startedAt": started,
                    "finishedAt": (time::now())
                })
            });
            status.set_at(&["state"], value!({"terminated": ended}));
            status.set_at(&["ready"], !failed && container.get("restartPolicy").is_none() && is_init(before));
        }
    }
    status
}

/// Whether the status before was that of an init container that is done, which counts as ready.
fn is_init(before: Option<&Value>) -> bool {
    before.is_some_and(|before| {
        before.bool_at(&["ready"]) == Some(true) && before.at(&["state", "terminated"]).is_some()
    })
}

/// An address of the pod network that follows from the uid.
fn address(uid: &str) -> String {
    let mut hash: u32 = 0x811c_9dc5;
    for byte in uid.bytes() {
        hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    }
    format!("10.244.{}.{}", hash >> 8 & 255, 1 + (hash & 255) % 254)
}
