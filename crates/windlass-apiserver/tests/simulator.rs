//! Workloads that are simulated end up as Kubernetes' own controllers and kwok leave them.

use std::time::Duration;

use windlass_apiserver::controllers::{Controllers, Options};
use windlass_apiserver::store::Store;
use windlass_apiserver::{Api, DeleteOptions, Gvr, ListOptions, Propagation, WatchOptions, WriteOptions};
use windlass_kube::{Object, Value};

/// How long something may take before a test says it never happens.
const LONG: Duration = Duration::from_secs(120);

struct Cluster {
    api: Api,
    _controllers: Controllers,
}

async fn cluster() -> Cluster {
    let api = Api::start(Store::in_memory()).await.expect("an empty store");
    let options = Options { simulate_workloads: true, cluster_ca: Some("PEM".into()) };
    let controllers = Controllers::start(&api, &options);
    Cluster { api, _controllers: controllers }
}

fn gvr(text: &str) -> Gvr {
    match text.split('/').collect::<Vec<_>>().as_slice() {
        [version, plural] => Gvr::new("", *version, *plural),
        [group, version, plural] => Gvr::new(*group, *version, *plural),
        _ => panic!("no resource: {text}"),
    }
}

fn object(json: &str) -> Object {
    let value: Value = serde_json::from_str(json).expect("JSON");
    Object::try_new(value).expect("an object")
}

impl Cluster {
    async fn create(&self, resource: &str, json: &str) -> Object {
        let namespace = if resource.ends_with("/namespaces") { "" } else { "default" };
        let written =
            self.api.create(&gvr(resource), namespace, object(json), &WriteOptions::default()).await;
        written.unwrap_or_else(|status| panic!("{json}: {status}")).object
    }

    async fn merge(&self, resource: &str, name: &str, patch: &str) {
        let patch = windlass_apiserver::Patch::Merge(serde_json::from_str(patch).expect("JSON"));
        let done = self.api.patch(&gvr(resource), "default", name, patch, &WriteOptions::default()).await;
        done.unwrap_or_else(|status| panic!("{name}: {status}"));
    }

    fn get(&self, resource: &str, name: &str) -> Option<Object> {
        let namespace = if resource.ends_with("/namespaces") { "" } else { "default" };
        self.api.get(&gvr(resource), namespace, name).ok()
    }

    fn list(&self, resource: &str, selector: &str) -> Vec<Object> {
        let options = ListOptions { label_selector: selector.into(), ..ListOptions::default() };
        self.api.list(&gvr(resource), Some("default"), &options).expect("a list").items
    }

    /// Waits, by watching, until `holds` says so of what there is.
    async fn until(&self, what: &str, resource: &str, holds: impl Fn(&Self) -> bool) {
        let mut watch = self.api.watch(&gvr(resource), None, &WatchOptions::default()).expect("a watch");
        let wait = async {
            while !holds(self) {
                watch.next().await.expect("the watch goes on");
            }
        };
        if tokio::time::timeout(LONG, wait).await.is_err() {
            let seen: Vec<Object> =
                self.api.list(&gvr(resource), None, &ListOptions::default()).expect("a list").items;
            panic!("{what}: {seen:#?}");
        }
    }
}

fn condition(object: &Object, kind: &str) -> (String, String) {
    let found = object
        .to_value()
        .items_at(&["status", "conditions"])
        .iter()
        .find(|condition| condition.str_at(&["type"]) == Some(kind))
        .cloned()
        .unwrap_or_default();
    let text = |key: &str| found.str_at(&[key]).unwrap_or_default().to_owned();
    (text("status"), text("reason"))
}

fn int(object: &Object, path: &[&str]) -> i64 {
    object.at(path).and_then(Value::as_int).unwrap_or(0)
}

/// What `kubectl rollout status deployment` and Argo CD look at.
fn rolled_out(deployment: &Object, replicas: i64) -> bool {
    let status = |field| int(deployment, &["status", field]);
    status("observedGeneration") >= deployment.generation()
        && ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"]
            .into_iter()
            .all(|f| status(f) == replicas)
        && condition(deployment, "Available") == ("True".into(), "MinimumReplicasAvailable".into())
        && condition(deployment, "Progressing") == ("True".into(), "NewReplicaSetAvailable".into())
}

fn deployment(name: &str, replicas: i64, image: &str, annotations: &str) -> String {
    format!(
        r#"{{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {{"name": "{name}"}}, "spec": {{"replicas": {replicas},
        "selector": {{"matchLabels": {{"app": "{name}"}}}}, "template": {{"metadata": {{"labels": {{"app": "{name}"}}, "annotations": {annotations}}},
        "spec": {{"containers": [{{"name": "web", "image": "{image}", "ports": [{{"name": "http", "containerPort": 8080}}]}}]}}}}}}}}"#
    )
}

const DEPLOYMENTS: &str = "apps/v1/deployments";

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_rolls_out_scales_and_rolls_over() {
    let cluster = cluster().await;
    cluster.create(DEPLOYMENTS, &deployment("web", 3, "web:1", "{}")).await;
    let done =
        |replicas| move |c: &Cluster| c.get(DEPLOYMENTS, "web").is_some_and(|d| rolled_out(&d, replicas));
    cluster.until("rolled out", DEPLOYMENTS, done(3)).await;
    assert_eq!(cluster.list("v1/pods", "app=web").len(), 3);
    assert_eq!(
        cluster.get(DEPLOYMENTS, "web").unwrap().generation(),
        1,
        "a revision is no change of the spec"
    );

    cluster.merge(DEPLOYMENTS, "web", r#"{"spec": {"replicas": 5}}"#).await;
    cluster.until("scaled up", DEPLOYMENTS, done(5)).await;
    cluster.merge(DEPLOYMENTS, "web", r#"{"spec": {"replicas": 2}}"#).await;
    cluster.until("scaled down", DEPLOYMENTS, done(2)).await;

    // While it is paused, only its size changes.
    cluster.merge(DEPLOYMENTS, "web", r#"{"spec": {"paused": true}}"#).await;
    cluster
        .until("paused", DEPLOYMENTS, |c| {
            let paused = c.get(DEPLOYMENTS, "web").unwrap();
            condition(&paused, "Progressing") == ("Unknown".into(), "DeploymentPaused".into())
        })
        .await;
    cluster.merge(DEPLOYMENTS, "web", r#"{"spec": {"paused": false}}"#).await;

    let next = r#"{"spec": {"template": {"metadata": {"annotations": {"v": "2"}}}}}"#;
    cluster.merge(DEPLOYMENTS, "web", next).await;
    cluster
        .until("rolled over", DEPLOYMENTS, |c| {
            let sets = c.list("apps/v1/replicasets", "app=web");
            let sizes: Vec<i64> = sets.iter().map(|set| int(set, &["status", "replicas"])).collect();
            c.get(DEPLOYMENTS, "web").is_some_and(|d| {
                rolled_out(&d, 2) && d.annotation("deployment.kubernetes.io/revision") == Some("2")
            }) && sets.len() == 2
                && sizes.iter().sum::<i64>() == 2
        })
        .await;
    let pods = cluster.list("v1/pods", "app=web");
    assert_eq!(pods.len(), 2);
    assert!(pods.iter().all(|pod| pod.annotation("v") == Some("2")));

    // A pod that is deleted is made again.
    let lost = pods[0].name().to_owned();
    cluster.api.delete(&gvr("v1/pods"), "default", &lost, &DeleteOptions::default()).await.unwrap();
    cluster
        .until("replaced", "v1/pods", |c| {
            let pods = c.list("v1/pods", "app=web");
            pods.len() == 2
                && pods.iter().all(|pod| pod.name() != lost && condition(pod, "Ready").0 == "True")
        })
        .await;

    // What it owns goes with it.
    cluster.api.delete(&gvr(DEPLOYMENTS), "default", "web", &DeleteOptions::default()).await.unwrap();
    cluster
        .until("collected", "v1/pods", |c| {
            c.list("v1/pods", "app=web").is_empty() && c.list("apps/v1/replicasets", "app=web").is_empty()
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_shows_where_it_is_asked_for() {
    let cluster = cluster().await;
    let fail = |reason: &str| format!(r#"{{"simulator.windlass.dev/fail": "{reason}"}}"#);
    cluster.create(DEPLOYMENTS, &deployment("pull", 1, "web:1", &fail("ImagePullBackOff"))).await;
    cluster.create(DEPLOYMENTS, &deployment("crash", 1, "web:1", &fail("CrashLoopBackOff"))).await;
    cluster
        .create(
            DEPLOYMENTS,
            &deployment("late", 1, "web:1", r#"{"simulator.windlass.dev/ready-after": "1s"}"#),
        )
        .await;
    let waiting = |c: &Cluster, app: &str| {
        let pods = c.list("v1/pods", &format!("app={app}"));
        pods.first().and_then(|pod| {
            let statuses = pod.at(&["status", "containerStatuses"])?.as_array()?;
            statuses.first()?.str_at(&["state", "waiting", "reason"]).map(str::to_owned)
        })
    };
    cluster.until("pull", "v1/pods", |c| waiting(c, "pull").as_deref() == Some("ImagePullBackOff")).await;
    cluster.until("crash", "v1/pods", |c| waiting(c, "crash").as_deref() == Some("CrashLoopBackOff")).await;
    cluster
        .until("late", DEPLOYMENTS, |c| c.get(DEPLOYMENTS, "late").is_some_and(|d| rolled_out(&d, 1)))
        .await;
    let pull = cluster.get(DEPLOYMENTS, "pull").unwrap();
    assert_eq!(condition(&pull, "Available"), ("False".into(), "MinimumReplicasUnavailable".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_workloads_become_ready() {
    let cluster = cluster().await;
    let template = |restart: &str| {
        format!(
            r#"{{"metadata": {{"labels": {{"app": "x"}}}}, "spec": {{"restartPolicy": "{restart}", "containers": [{{"name": "c", "image": "i:1"}}]}}}}"#
        )
    };
    cluster
        .create("apps/v1/statefulsets", &format!(
            r#"{{"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {{"name": "db"}}, "spec": {{"replicas": 3, "serviceName": "db",
            "selector": {{"matchLabels": {{"app": "x"}}}}, "template": {}, "volumeClaimTemplates": [{{"metadata": {{"name": "data"}},
            "spec": {{"accessModes": ["ReadWriteOnce"], "resources": {{"requests": {{"storage": "1Gi"}}}}}}}}]}}}}"#,
            template("Always")
        ))
        .await;
    cluster
        .create(
            "apps/v1/daemonsets",
            &format!(
                r#"{{"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {{"name": "agent"}}, "spec": {{
            "selector": {{"matchLabels": {{"app": "x"}}}}, "template": {}}}}}"#,
                template("Always")
            ),
        )
        .await;
    cluster
        .create("batch/v1/jobs", &format!(
            r#"{{"apiVersion": "batch/v1", "kind": "Job", "metadata": {{"name": "once"}}, "spec": {{"completions": 2, "template": {}}}}}"#,
            template("Never")
        ))
        .await;
    cluster
        .create("batch/v1/jobs", &format!(
            r#"{{"apiVersion": "batch/v1", "kind": "Job", "metadata": {{"name": "broken"}}, "spec": {{"backoffLimit": 1, "template": {}}}}}"#,
            template("Never").replace(r#""labels""#, r#""annotations": {"simulator.windlass.dev/fail": "Error"}, "labels""#)
        ))
        .await;
    cluster
        .until("stateful set", "apps/v1/statefulsets", |c| {
            let set = c.get("apps/v1/statefulsets", "db").unwrap();
            let status = |field| int(&set, &["status", field]);
            status("readyReplicas") == 3
                && status("updatedReplicas") == 3
                && status("currentReplicas") == 3
                && status("observedGeneration") == set.generation()
                && set.str_at(&["status", "currentRevision"]) == set.str_at(&["status", "updateRevision"])
        })
        .await;
    cluster
        .until("daemon set", "apps/v1/daemonsets", |c| {
            let set = c.get("apps/v1/daemonsets", "agent").unwrap();
            ["desiredNumberScheduled", "numberReady", "numberAvailable", "updatedNumberScheduled"]
                .into_iter()
                .all(|field| int(&set, &["status", field]) == 1)
        })
        .await;
    cluster
        .until("job", "batch/v1/jobs", |c| {
            let job = c.get("batch/v1/jobs", "once").unwrap();
            condition(&job, "Complete").0 == "True" && int(&job, &["status", "succeeded"]) == 2
        })
        .await;
    cluster
        .until("failing job", "batch/v1/jobs", |c| {
            let job = c.get("batch/v1/jobs", "broken").unwrap();
            condition(&job, "Failed") == ("True".into(), "BackoffLimitExceeded".into())
        })
        .await;
    cluster
        .until("claims", "v1/persistentvolumeclaims", |c| {
            let claims = c.list("v1/persistentvolumeclaims", "app=x");
            claims.len() == 3 && claims.iter().all(|claim| claim.str_at(&["status", "phase"]) == "Bound")
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn services_find_their_pods_and_get_addresses() {
    let cluster = cluster().await;
    cluster.create(DEPLOYMENTS, &deployment("web", 2, "web:1", "{}")).await;
    cluster
        .create(
            "v1/services",
            r#"{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"type": "LoadBalancer",
            "selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}]}}"#,
        )
        .await;
    let slices = "discovery.k8s.io/v1/endpointslices";
    cluster
        .until("endpoints", slices, |c| {
            let found = c.list(slices, "kubernetes.io/service-name=web");
            found.first().is_some_and(|slice| {
                let slice = slice.to_value();
                slice.items_at(&["endpoints"]).len() == 2
                    && slice
                        .items_at(&["endpoints"])
                        .iter()
                        .all(|e| e.bool_at(&["conditions", "ready"]) == Some(true))
                    && slice.items_at(&["ports"])[0].int_at(&["port"]) == Some(8080)
            })
        })
        .await;
    cluster
        .until("address", "v1/services", |c| {
            let service = c.get("v1/services", "web").unwrap();
            !service.to_value().items_at(&["status", "loadBalancer", "ingress"]).is_empty()
        })
        .await;
    cluster
        .until("legacy endpoints", "v1/endpoints", |c| {
            c.get("v1/endpoints", "web").is_some_and(|e| !e.to_value().items_at(&["subsets"]).is_empty())
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn namespaces_fill_and_empty_themselves() {
    let cluster = cluster().await;
    cluster
        .create("v1/namespaces", r#"{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}}"#)
        .await;
    let has = |c: &Cluster, resource: &str, name: &str| c.api.get(&gvr(resource), "team", name).is_ok();
    cluster.until("account", "v1/serviceaccounts", |c| has(c, "v1/serviceaccounts", "default")).await;
    cluster.until("authority", "v1/configmaps", |c| has(c, "v1/configmaps", "kube-root-ca.crt")).await;
    let kept = r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept", "finalizers": ["example.com/wait"]}}"#;
    cluster.api.create(&gvr("v1/configmaps"), "team", object(kept), &WriteOptions::default()).await.unwrap();
    let web = object(&deployment("web", 2, "web:1", "{}"));
    cluster.api.create(&gvr(DEPLOYMENTS), "team", web, &WriteOptions::default()).await.unwrap();

    cluster.api.delete(&gvr("v1/namespaces"), "", "team", &DeleteOptions::default()).await.unwrap();
    cluster
        .until("waits", "v1/namespaces", |c| {
            let namespace = c.get("v1/namespaces", "team").unwrap();
            namespace.str_at(&["status", "phase"]) == "Terminating"
                && condition(&namespace, "NamespaceFinalizersRemaining")
                    == ("True".into(), "SomeFinalizersRemain".into())
        })
        .await;
    let patch = windlass_apiserver::Patch::Merge(
        serde_json::from_str(r#"{"metadata": {"finalizers": null}}"#).unwrap(),
    );
    cluster.api.patch(&gvr("v1/configmaps"), "team", "kept", patch, &WriteOptions::default()).await.unwrap();
    cluster.until("gone", "v1/namespaces", |c| c.get("v1/namespaces", "team").is_none()).await;
    let left = cluster.api.list(&gvr("v1/pods"), Some("team"), &ListOptions::default()).unwrap();
    assert!(left.items.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn owners_wait_for_or_let_go_of_what_they_own() {
    let cluster = cluster().await;
    let maps = "v1/configmaps";
    let owner = |name: &str| {
        format!(r#"{{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {{"name": "{name}"}}}}"#)
    };
    let owned = |name: &str, owner: &Object| {
        format!(
            r#"{{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {{"name": "{name}", "finalizers": ["example.com/wait"], "ownerReferences":
            [{{"apiVersion": "v1", "kind": "ConfigMap", "name": "{}", "uid": "{}", "blockOwnerDeletion": true}}]}}}}"#,
            owner.name(),
            owner.uid()
        )
    };
    let delete = async |name: &str, propagation| {
        let options = DeleteOptions { propagation: Some(propagation), ..DeleteOptions::default() };
        cluster.api.delete(&gvr(maps), "default", name, &options).await.unwrap();
    };
    // Foreground: the owner stays until its dependent is gone.
    let first = cluster.create(maps, &owner("first")).await;
    cluster.create(maps, &owned("child", &first)).await;
    delete("first", Propagation::Foreground).await;
    cluster.until("child is going", maps, |c| c.get(maps, "child").unwrap().is_terminating()).await;
    assert!(cluster.get(maps, "first").unwrap().is_terminating());
    cluster.merge(maps, "child", r#"{"metadata": {"finalizers": null}}"#).await;
    cluster
        .until("both gone", maps, |c| c.get(maps, "first").is_none() && c.get(maps, "child").is_none())
        .await;

    // Orphan: the dependent stays, without its owner.
    let second = cluster.create(maps, &owner("second")).await;
    cluster.create(maps, &owned("orphan", &second)).await;
    delete("second", Propagation::Orphan).await;
    cluster.until("owner gone", maps, |c| c.get(maps, "second").is_none()).await;
    let orphan = cluster.get(maps, "orphan").unwrap();
    assert!(!orphan.is_terminating() && orphan.at(&["metadata", "ownerReferences"]).is_none());

    // An owner that never was: nothing keeps its dependent.
    let mut ghost = second.clone();
    ghost.set_at(&["metadata", "uid"], "00000000-0000-4000-8000-000000000000");
    cluster
        .create(maps, &owned("stray", &ghost).replace(r#""finalizers": ["example.com/wait"], "#, ""))
        .await;
    cluster.until("stray gone", maps, |c| c.get(maps, "stray").is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_roll_out_that_fails_says_so_in_time() {
    let cluster = cluster().await;
    let fail = r#"{"simulator.windlass.dev/fail": "ImagePullBackOff"}"#;
    let manifest = deployment("stuck", 1, "web:1", fail).replacen(
        r#""spec": {"#,
        r#""spec": {"progressDeadlineSeconds": 1, "#,
        1,
    );
    cluster.create(DEPLOYMENTS, &manifest).await;
    cluster
        .until("deadline", DEPLOYMENTS, |c| {
            let stuck = c.get(DEPLOYMENTS, "stuck").unwrap();
            condition(&stuck, "Progressing") == ("False".into(), "ProgressDeadlineExceeded".into())
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stateful_set_renews_its_pods_down_to_the_partition() {
    let cluster = cluster().await;
    let sets = "apps/v1/statefulsets";
    cluster
        .create(
            sets,
            r#"{"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"}, "spec": {"replicas": 3,
            "serviceName": "db", "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}},
            "selector": {"matchLabels": {"app": "db"}}, "template": {"metadata": {"labels": {"app": "db"}},
            "spec": {"containers": [{"name": "c", "image": "i:1"}]}}}}"#,
        )
        .await;
    let status = |c: &Cluster, field| int(&c.get(sets, "db").unwrap(), &["status", field]);
    cluster
        .until("ready", sets, |c| status(c, "readyReplicas") == 3 && status(c, "updatedReplicas") == 3)
        .await;
    cluster.merge(sets, "db", r#"{"spec": {"template": {"metadata": {"annotations": {"v": "2"}}}}}"#).await;
    cluster
        .until("renewed to the partition", sets, |c| {
            status(c, "updatedReplicas") == 2
                && status(c, "readyReplicas") == 3
                && status(c, "observedGeneration") == 2
        })
        .await;
    let renewed = |c: &Cluster, name| c.get("v1/pods", name).unwrap().annotation("v").is_some();
    assert!(!renewed(&cluster, "db-0") && renewed(&cluster, "db-1") && renewed(&cluster, "db-2"));
    assert_eq!(cluster.list("apps/v1/controllerrevisions", "app=db").len(), 2);

    cluster.merge(sets, "db", r#"{"spec": {"replicas": 1}}"#).await;
    cluster.until("scaled down from the last", "v1/pods", |c| c.list("v1/pods", "app=db").len() == 1).await;
    assert!(cluster.get("v1/pods", "db-0").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn storage_goes_when_nothing_uses_it() {
    let cluster = cluster().await;
    let claims = "v1/persistentvolumeclaims";
    cluster
        .create(
            claims,
            r#"{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}"#,
        )
        .await;
    let bound = |c: &Cluster| {
        c.get(claims, "data").is_some_and(|claim| claim.str_at(&["status", "phase"]) == "Bound")
    };
    cluster.until("bound", claims, bound).await;
    cluster
        .create(
            "v1/pods",
            r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "user"}, "spec": {"containers": [{"name": "c", "image": "i"}],
            "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]}}"#,
        )
        .await;
    cluster
        .until("pod ready", "v1/pods", |c| {
            c.get("v1/pods", "user").is_some_and(|pod| condition(&pod, "Ready").0 == "True")
        })
        .await;
    cluster.api.delete(&gvr(claims), "default", "data", &DeleteOptions::default()).await.unwrap();
    assert!(cluster.get(claims, "data").unwrap().is_terminating(), "a pod uses it");
    cluster.api.delete(&gvr("v1/pods"), "default", "user", &DeleteOptions::default()).await.unwrap();
    cluster.until("claim gone", claims, |c| c.get(claims, "data").is_none()).await;
    cluster
        .until("volume gone", "v1/persistentvolumes", |c| {
            c.api.list(&gvr("v1/persistentvolumes"), None, &ListOptions::default()).unwrap().items.is_empty()
        })
        .await;
}

/// Whatever its controllers are at, a Deployment that is deleted in the foreground goes, and all of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn deletion_in_the_foreground_may_come_at_any_moment() {
    let cluster = cluster().await;
    let options = DeleteOptions { propagation: Some(Propagation::Foreground), ..DeleteOptions::default() };
    for round in 0..100 {
        let name = format!("web-{round}");
        let web = format!(
            r#"{{"apiVersion":"apps/v1","kind":"Deployment","metadata":{{"name":"{name}"}},"spec":{{"replicas":2,
            "selector":{{"matchLabels":{{"app":"{name}"}}}},"template":{{"metadata":{{"labels":{{"app":"{name}"}}}},
            "spec":{{"containers":[{{"name":"c","image":"nginx"}}]}}}}}}}}"#
        );
        cluster.create("apps/v1/deployments", &web).await;
        // A different moment each round.
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        if round % 4 == 3 {
            cluster
                .until("it is ready", "apps/v1/deployments", |cluster| {
                    let web = cluster.get("apps/v1/deployments", &name);
                    web.is_some_and(|web| {
                        web.at(&["status", "readyReplicas"]).and_then(Value::as_int) == Some(2)
                    })
                })
                .await;
        }
        cluster
            .api
            .delete(&gvr("apps/v1/deployments"), "default", &name, &options)
            .await
            .expect("it is there");
        cluster
            .until("the Deployment is gone", "apps/v1/deployments", |cluster| {
                cluster.get("apps/v1/deployments", &name).is_none()
            })
            .await;
        let selector = format!("app={name}");
        for resource in ["apps/v1/replicasets", "v1/pods"] {
            cluster
                .until("all of it is gone", resource, |cluster| cluster.list(resource, &selector).is_empty())
                .await;
        }
    }
}
