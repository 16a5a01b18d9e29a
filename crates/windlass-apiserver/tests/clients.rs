//! Clients that were not made for us: Helm, and Kubernetes' own controllers and scheduler.
//!
//! They are those of `target/tools`; without them the tests say so and pass.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test ends where something is wrong, and says why it did nothing"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use windlass_apiserver::{Config, Data, Gvr, Server};
use windlass_testing::{Authority, Cluster, Kubectl, Process, eventually_blocking, tool};

/// Everything here takes seconds; this bounds a machine that is very busy.
const WITHIN: Duration = Duration::from_secs(120);

/// The programs, or `None` and a word about it.
fn tools<const N: usize>(names: [&str; N]) -> Option<[PathBuf; N]> {
    let found: Vec<PathBuf> = names.iter().filter_map(|name| tool(name).ok()).collect();
    let found = found.try_into().ok();
    if found.is_none() {
        eprintln!("SKIPPED: {} are not all in target/tools/bin", names.join(", "));
    }
    found
}

struct Place {
    directory: tempfile::TempDir,
    server: Server,
    kubectl: Kubectl,
}

impl Place {
    async fn start(simulate_workloads: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = Config { simulate_workloads, ..Config::default() };
        let server = Server::start(config).await.unwrap();
        let kubeconfig = directory.path().join("kubeconfig");
        std::fs::write(&kubeconfig, server.kubeconfig().unwrap()).unwrap();
        let kubectl = Kubectl::new(kubeconfig);
        Self { directory, server, kubectl }
    }

    fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A kubeconfig with which the administrator acts as somebody else.
    fn kubeconfig_as(&self, user: &str) -> PathBuf {
        let mut config: Value = serde_json::from_str(&self.server.kubeconfig().unwrap()).unwrap();
        config["users"][0]["user"]["as"] = json!(user);
        self.file(&format!("{}.kubeconfig", user.replace(':', "-")), config.to_string())
    }

    fn get(&self, what: &str) -> Value {
        let mut arguments: Vec<&str> = what.split(' ').collect();
        arguments.extend(["-o", "json"]);
        serde_json::from_str(&self.kubectl.run(&[&["get"], &arguments[..]].concat()).unwrap()).unwrap()
    }
}

const CHART: [(&str, &str); 5] = [
    ("Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n"),
    ("values.yaml", "replicas: 1\ncolor: blue\n"),
    (
        "templates/deployment.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {{ .Release.Name }}\nspec:\n  replicas: {{ \
         .Values.replicas }}\n  selector: {matchLabels: {app: shop}}\n  template:\n    metadata: {labels: {app: \
         shop}}\n    spec: {containers: [{name: shop, image: nginx, env: [{name: COLOR, value: {{ .Values.color }}}]}]}\n",
    ),
    (
        "templates/service.yaml",
        "apiVersion: v1\nkind: Service\nmetadata: {name: {{ .Release.Name }}}\nspec: {selector: {app: shop}, ports: \
         [{port: 80}]}\n",
    ),
    (
        "templates/hook.yaml",
        "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: {{ .Release.Name }}-migrate\n  annotations: \
         {helm.sh/hook: \"pre-install,pre-upgrade\", helm.sh/hook-delete-policy: before-hook-creation}\nspec: \
         {template: {spec: {restartPolicy: Never, containers: [{name: migrate, image: migrate}]}}}\n",
    ),
];

fn helm(binary: &Path, place: &Place, arguments: &str) -> String {
    let output = Command::new(binary)
        .args(arguments.split(' '))
        .env("KUBECONFIG", place.kubectl.kubeconfig())
        .env("HOME", place.directory.path())
        .env_remove("XDG_CACHE_HOME")
        .env_remove("XDG_CONFIG_HOME")
        .output()
        .unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "helm {arguments}: {complaints}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A release from its installation to its end.
fn release(binary: &Path, place: &Place) {
    let chart = place.directory.path().join("shop");
    for (name, text) in CHART {
        place.file(&format!("shop/{name}"), text);
    }
    let run = |arguments: &str| helm(binary, place, arguments);
    let replicas = || place.get("deployment shop")["spec"]["replicas"].clone();
    let chart = chart.display();
    run(&format!("install shop {chart} --wait --timeout 60s"));
    assert_eq!(place.get("deployment shop")["status"]["readyReplicas"], 1);
    let listed: Value = serde_json::from_str(&run("list -o json")).unwrap();
    assert_eq!((&listed[0]["name"], &listed[0]["status"]), (&json!("shop"), &json!("deployed")));
    run(&format!("upgrade shop {chart} --set replicas=3,color=red --wait --timeout 60s"));
    assert_eq!(replicas(), 3);
    let values: Value = serde_json::from_str(&run("get values shop -o json")).unwrap();
    assert_eq!(values, json!({"color": "red", "replicas": 3}));
    run("rollback shop 1 --wait --timeout 60s");
    assert_eq!(replicas(), 1);
    let history: Value = serde_json::from_str(&run("history shop -o json")).unwrap();
    let states: Vec<_> = history.as_array().unwrap().iter().map(|one| one["status"].clone()).collect();
    assert_eq!(states, ["superseded", "superseded", "deployed"]);
    let secrets = place.get("secrets");
    let kept = secrets["items"].as_array().unwrap().iter().filter(|it| it["type"] == "helm.sh/release.v1");
    assert_eq!(kept.count(), 3);
    run("uninstall shop --wait --timeout 60s");
    assert_eq!(run("list -q").trim(), "");
    assert_eq!(
        place.get("deployments,services,secrets -l app.kubernetes.io/managed-by=Helm")["items"],
        json!([])
    );
    assert_eq!(place.get("secrets --field-selector type=helm.sh/release.v1")["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn helm_3_installs_upgrades_rolls_back_and_uninstalls() {
    let Some([binary, _]) = tools(["helm3", "kubectl"]) else { return };
    release(&binary, &Place::start(true).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn helm_4_installs_upgrades_rolls_back_and_uninstalls() {
    let Some([binary, _]) = tools(["helm", "kubectl"]) else { return };
    release(&binary, &Place::start(true).await);
}

/// Controllers that need a cloud or a network, which there is none of.
const CONTROLLERS: &str =
    "*,-node-ipam-controller,-node-route-controller,-service-lb-controller,-cloud-node-lifecycle-controller";

const WORKLOADS: &str = r#"
apiVersion: v1
kind: Node
metadata: {name: node-1, annotations: {kwok.x-k8s.io/node: fake}, labels: {kubernetes.io/hostname: node-1, kubernetes.io/os: linux}}
status: {allocatable: {cpu: "32", memory: 256Gi, pods: "110"}, capacity: {cpu: "32", memory: 256Gi, pods: "110"}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: nginx}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: 2
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, image: db}]}
---
apiVersion: batch/v1
kind: Job
metadata: {name: once}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: once, image: once}]}}}
"#;

/// The programs of a control plane, each with the rights that Kubernetes gives it, and the controllers as their own
/// ServiceAccounts.
fn start_control_plane(place: &Place, [manager, scheduler, kwok]: [PathBuf; 3]) -> Vec<Process> {
    let accounts = Authority::new("service-accounts").unwrap();
    let key = place.file("accounts.key", accounts.key_pem());
    let ca = place.file("ca.crt", place.server.ca_pem());
    let start = |binary: &Path, kubeconfig: &Path, arguments: &[String]| {
        Process::builder(binary)
            .arg(format!("--kubeconfig={}", kubeconfig.display()))
            .args(arguments)
            .env("HOME", place.directory.path())
            .log(place.directory.path().join(format!("{}.log", binary.file_name().unwrap().display())))
            .start()
            .unwrap()
    };
    let for_manager = [
        format!("--service-account-private-key-file={}", key.display()),
        format!("--root-ca-file={}", ca.display()),
        format!("--controllers={CONTROLLERS}"),
        "--use-service-account-credentials=true".to_owned(),
        "--secure-port=0".to_owned(),
        // Nodes of kwok tell of themselves seldom.
        "--node-monitor-grace-period=24h".to_owned(),
    ];
    vec![
        start(&manager, &place.kubeconfig_as("system:kube-controller-manager"), &for_manager),
        start(&scheduler, &place.kubeconfig_as("system:kube-scheduler"), &["--secure-port=0".to_owned()]),
        start(&kwok, place.kubectl.kubeconfig(), &["--manage-all-nodes=true".to_owned()]),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn kubernetes_own_controllers_and_scheduler_run_workloads() {
    let Some([manager, scheduler, kwok, _]) =
        tools(["kube-controller-manager", "kube-scheduler", "kwok", "kubectl"])
    else {
        return;
    };
    let place = Place::start(false).await;
    let processes = start_control_plane(&place, [manager, scheduler, kwok]);
    let logs =
        || processes.iter().map(|it| format!("{}:\n{}\n", it.name(), it.log_tail())).collect::<String>();
    let until = |what: &str, probe: &dyn Fn() -> Result<(), String>| {
        if let Err(overdue) = eventually_blocking(WITHIN, probe) {
            panic!("{what}: {overdue}\n{}", logs());
        }
    };
    place.kubectl.run_with_input(&["apply", "-f", "-"], WORKLOADS).unwrap();
    let same = |is: &Value, wanted: Value| if *is == wanted { Ok(()) } else { Err(format!("{is}")) };
    until("the Deployment", &|| same(&place.get("deployment web")["status"]["readyReplicas"], json!(2)));
    until("the StatefulSet", &|| same(&place.get("statefulset db")["status"]["readyReplicas"], json!(2)));
    until("the Job", &|| same(&place.get("job once")["status"]["succeeded"], json!(1)));
    until("the endpoints", &|| {
        let slices = place.get("endpointslices -l kubernetes.io/service-name=web");
        let count = |slice: &Value| slice["endpoints"].as_array().map_or(0, Vec::len);
        same(&json!(slices["items"].as_array().unwrap().iter().map(count).max()), json!(2))
    });
    let pods = place.get("pods");
    for pod in pods["items"].as_array().unwrap() {
        assert_eq!(pod["spec"]["nodeName"], "node-1", "{pod}");
        let scheduled = |it: &Value| it["type"] == "PodScheduled" && it["status"] == "True";
        assert!(pod["status"]["conditions"].as_array().unwrap().iter().any(scheduled), "{pod}");
    }
    let sets = place.get("replicasets");
    assert_eq!(sets["items"][0]["metadata"]["ownerReferences"][0]["name"], "web");

    place.kubectl.run(&["set", "image", "deployment/web", "web=nginx:2"]).unwrap();
    place.kubectl.run(&["rollout", "status", "deployment/web", "--timeout=120s"]).unwrap();
    until("the old pods", &|| {
        let pods = place.get("pods -l app=web");
        let images = pods["items"].as_array().unwrap().iter();
        same(
            &images.map(|pod| pod["spec"]["containers"][0]["image"].clone()).collect(),
            json!(["nginx:2", "nginx:2"]),
        )
    });
    place.kubectl.run(&["delete", "deployment/web", "statefulset/db", "--cascade=foreground"]).unwrap();
    until("what belonged to them", &|| same(&place.get("replicasets,pods -l app")["items"], json!([])));
    drop(processes);
    place.server.shutdown().await;
}

/// What the real server's client met: `client-go.txt`, with informers that stream their first list and without.
fn met() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/client-go.txt")
}

/// What a program of client-go's parts meets at a server, both ways.
fn transcript(binary: &Path, kubeconfig: &Path) -> String {
    let run = |watch_list: bool| {
        let output = Command::new(binary)
            .arg("-kubeconfig")
            .arg(kubeconfig)
            .args(["-namespace", &format!("client-go-{watch_list}"), &format!("-watch-list={watch_list}")])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}\n{complaints}");
        format!("# with -watch-list={watch_list}\n{text}")
    };
    run(true) + &run(false)
}

#[tokio::test(flavor = "multi_thread")]
async fn client_go_meets_what_it_meets_at_kube_apiserver() {
    let Some([binary]) = tools(["client-go"]) else { return };
    let place = Place::start(false).await;
    let ours = transcript(&binary, &place.file("admin", place.server.kubeconfig().unwrap()));
    let theirs = std::fs::read_to_string(met()).unwrap();
    let different: Vec<String> = ours
        .lines()
        .zip(theirs.lines())
        .filter(|(ours, theirs)| ours != theirs)
        .map(|(ours, theirs)| format!("ours   {ours}\ntheirs {theirs}"))
        .collect();
    assert!(different.is_empty(), "{} lines:\n{}", different.len(), different.join("\n"));
    assert_eq!(ours.lines().count(), theirs.lines().count());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "records, with the original programs: cargo test -p windlass-apiserver --test clients -- --ignored"]
async fn record_what_client_go_meets() {
    let [binary] = tools(["client-go"]).unwrap();
    let controllers = "garbage-collector-controller,namespace-controller,serviceaccount-controller,\
        root-ca-certificate-publisher-controller";
    let cluster = Cluster::builder().controllers(controllers).nodes(0).start().await.unwrap();
    std::fs::write(met(), transcript(&binary, cluster.kubeconfig())).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_service_accounts_survive_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let config = Config { data: Data::Dir(directory.path().join("data")), ..Config::default() };
    let server = Server::start(config.clone()).await.unwrap();
    let accounts = Gvr::new("", "v1", "serviceaccounts");
    eventually_blocking(WITHIN, || {
        server.api().get(&accounts, "default", "default").map_err(|status| status.message)
    })
    .unwrap();
    let ask = http::Request::post("/api/v1/namespaces/default/serviceaccounts/default/token")
        .header("content-type", "application/json")
        .body(String::from("{}"))
        .unwrap();
    let answer = server.service().answer(ask).await;
    let body = http_body_util::BodyExt::collect(answer.into_body()).await.unwrap().to_bytes();
    let body: Value = serde_json::from_slice(&body).unwrap();
    let token = body["status"]["token"].as_str().unwrap();
    assert!(server.service().with_token(token).is_some());
    server.shutdown().await;

    let again = Server::start(config).await.unwrap();
    assert!(again.service().with_token(token).is_some());
    let options = windlass_apiserver::DeleteOptions::default();
    again.api().delete(&accounts, "default", "default", &options).await.unwrap();
    // The account that comes in its place is another.
    assert!(again.service().with_token(token).is_none());
    again.shutdown().await;

    let elsewhere = Server::start(Config::default()).await.unwrap();
    assert!(elsewhere.service().with_token(token).is_none());
    elsewhere.shutdown().await;
}
