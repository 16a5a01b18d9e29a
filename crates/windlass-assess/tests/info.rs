//! The columns beside an object.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use windlass_assess::{images, info};
use windlass_kube::{Object, Value, value};

fn pod(spec: Value, status: Value) -> Object {
    let pod = value!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": (spec), "status": (status)
    });
    Object::try_new(pod).unwrap()
}

fn columns(object: &Object) -> String {
    let columns = info(object).into_iter().filter(|column| column.name != "Node");
    columns.map(|column| format!("{}={}", column.name, column.value)).collect::<Vec<_>>().join("; ")
}

fn check(spec: Value, status: Value, expected: &str) {
    let pod = pod(spec, status);
    assert_eq!(columns(&pod), expected, "{pod:?}");
}

fn two() -> Value {
    value!({"containers": [{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:1"}]})
}

/// Pods made at random, with the columns that Argo CD's own code gave them.
#[test]
fn pods_show_what_argo_cd_shows() {
    let text = include_str!("data/pods.jsonl");
    let mut pods = 0;
    for line in text.lines().skip(1) {
        let case: Value = serde_json::from_str(line).unwrap();
        let object = Object::try_new(case.get("object").unwrap().clone()).unwrap();
        let expected: Vec<_> = case.items_at(&["info"]).iter().filter_map(Value::as_str).collect();
        let columns: Vec<_> =
            info(&object).iter().map(|column| format!("{}={}", column.name, column.value)).collect();
        assert_eq!(columns, expected, "{object:?}");
        pods += 1;
    }
    assert!(pods > 100, "{pods} pods");
}

#[test]
fn a_pod_shows_its_containers() {
    let running =
        value!({"name": "a", "ready": true, "restartCount": 0, "state": {"running": {"startedAt": "x"}}});
    let unready =
        value!({"name": "b", "ready": false, "restartCount": 2, "state": {"running": {"startedAt": "x"}}});
    let looping =
        value!({"name": "b", "restartCount": 7, "state": {"waiting": {"reason": "CrashLoopBackOff"}}});
    let completed = value!({"name": "b", "state": {"terminated": {"reason": "Completed", "exitCode": 0}}});
    let silent = value!({"name": "b", "state": {"terminated": {"exitCode": 3}}});
    let killed = value!({"name": "b", "state": {"terminated": {"exitCode": 137, "signal": 9}}});
    for (statuses, expected) in [
        (value!([(running.clone()), (running.clone())]), "Status Reason=Running; Containers=2/2"),
        (value!([(running.clone()), (unready)]), "Status Reason=Running; Containers=1/2; Restart Count=2"),
        (
            value!([(running.clone()), (looping)]),
            "Status Reason=CrashLoopBackOff; Containers=1/2; Restart Count=7",
        ),
        (value!([(running.clone()), (completed.clone())]), "Status Reason=Running; Containers=1/2"),
        (value!([(completed.clone()), (completed)]), "Status Reason=Completed; Containers=0/2"),
        (value!([(silent), (running.clone())]), "Status Reason=ExitCode:3; Containers=1/2"),
        (value!([(running), (killed)]), "Status Reason=Signal:9; Containers=1/2"),
    ] {
        check(two(), value!({"phase": "Running", "containerStatuses": (statuses)}), expected);
    }
}

#[test]
fn a_pod_that_is_not_started_says_why() {
    check(two(), value!({"phase": "Pending"}), "Status Reason=Pending; Containers=0/2");
    check(two(), value!({"phase": "Failed", "reason": "Evicted"}), "Status Reason=Evicted; Containers=0/2");
    let gated = value!({"phase": "Pending", "conditions": [
        {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}
    ]});
    check(two(), gated, "Status Reason=SchedulingGated; Containers=0/2");
}

#[test]
fn init_containers_come_first() {
    let spec = value!({
        "initContainers": [{"name": "setup"}, {"name": "proxy", "restartPolicy": "Always"}],
        "containers": [{"name": "main"}]
    });
    let done = value!({"name": "setup", "state": {"terminated": {"exitCode": 0}}});
    let started =
        value!({"name": "proxy", "started": true, "ready": true, "state": {"running": {"startedAt": "x"}}});
    let main = value!({"name": "main", "ready": true, "state": {"running": {"startedAt": "x"}}});
    for (init, containers, expected) in [
        (
            value!([{"name": "setup", "state": {"running": {"startedAt": "x"}}}]),
            value!([]),
            "Status Reason=Init:0/2; Containers=0/2",
        ),
        (
            value!([{"name": "setup", "restartCount": 4, "state": {"waiting": {"reason": "ImagePullBackOff"}}}]),
            value!([]),
            "Status Reason=Init:ImagePullBackOff; Containers=0/2; Restart Count=4",
        ),
        (
            value!([(done.clone()), {"name": "proxy", "state": {"waiting": {"reason": "PodInitializing"}}}]),
            value!([]),
            "Status Reason=Init:1/2; Containers=0/2",
        ),
        (
            value!([{"name": "setup", "state": {"terminated": {"exitCode": 2}}}]),
            value!([]),
            "Status Reason=Init:ExitCode:2; Containers=0/2",
        ),
        (value!([(done), (started)]), value!([(main)]), "Status Reason=Running; Containers=2/2"),
    ] {
        let status = value!({
            "phase": "Running", "initContainerStatuses": (init), "containerStatuses": (containers)
        });
        check(spec.clone(), status, expected);
    }
}

#[test]
fn a_pod_that_leaves_is_terminating() {
    let mut leaving = pod(two(), value!({"phase": "Running"}));
    leaving.set_at(&["metadata", "deletionTimestamp"], "2026-11-01T00:00:00Z");
    assert_eq!(columns(&leaving), "Status Reason=Terminating; Containers=0/2");
    leaving.set_at(&["status", "reason"], "NodeLost");
    assert_eq!(columns(&leaving), "Status Reason=Unknown; Containers=0/2");
    leaving.set_at(&["status"], value!({"phase": "Succeeded"}));
    assert_eq!(columns(&leaving), "Status Reason=Succeeded; Containers=0/2");
}

#[test]
fn a_replica_set_shows_its_revision() {
    let mut replica_set = Object::try_new(
        value!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "web-1"}}),
    )
    .unwrap();
    assert_eq!(columns(&replica_set), "");
    replica_set.set_at(&["metadata", "annotations", "deployment.kubernetes.io/revision"], "12");
    assert_eq!(columns(&replica_set), "Revision=Rev:12");
}

#[test]
fn images_are_those_of_the_template() {
    let template = value!({"spec": {
        "initContainers": [{"image": "setup:1"}], "containers": [{"image": "web:2"}, {"image": "setup:1"}, {"image": ""}]
    }});
    let kinds = [
        ("apps/v1", "Deployment", value!({"template": (template.clone())})),
        ("batch/v1", "CronJob", value!({"jobTemplate": {"spec": {"template": (template.clone())}}})),
        ("v1", "Pod", template.at(&["spec"]).unwrap().clone()),
        ("example.org/v1", "Rollout", value!({"template": (template.clone())})),
    ];
    for (api_version, kind, spec) in kinds {
        let object = value!({"apiVersion": api_version, "kind": kind, "spec": (spec)});
        assert_eq!(images(&Object::try_new(object).unwrap()), ["setup:1", "web:2"], "{kind}");
    }
    let none = Object::try_new(value!({"apiVersion": "v1", "kind": "ConfigMap"})).unwrap();
    assert!(images(&none).is_empty());
}
