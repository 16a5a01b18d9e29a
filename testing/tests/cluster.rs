//! The cluster harness, on the real programs.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};
use std::{
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};
use windlass_testing::{Cluster, Kubectl, Namespace, eventually, eventually_blocking};

/// Set in the process that is to be killed.
const OWNER: &str = "WINDLASS_TESTING_OWNER";

const LONG: Duration = Duration::from_secs(180);

fn deployment(name: &str, replicas: u32) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "c", "image": "example.com/none:1"}]},
            },
        },
    })
}

async fn becomes_ready(cluster: &Cluster, namespace: &Namespace, name: &str, replicas: u32) {
    let path = format!("/apis/apps/v1/namespaces/{namespace}/deployments/{name}");
    eventually(LONG, || async {
        let found = cluster.api().get(&path).await.map_err(|error| error.to_string())?;
        let ready = found["status"]["readyReplicas"].as_u64();
        if ready == Some(replicas.into()) { Ok(()) } else { Err(found["status"].to_string()) }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_deployment_becomes_ready() {
    let cluster = Cluster::shared().await.unwrap();
    let namespace = cluster.namespace("ready").await.unwrap();
    let path = format!("/apis/apps/v1/namespaces/{namespace}/deployments/web");
    cluster.api().apply(&path, "tester", &deployment("web", 3)).await.unwrap();
    becomes_ready(cluster, &namespace, "web", 3).await;
    let kubectl = Kubectl::new(cluster.kubeconfig());
    let manifest = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}";
    let applied = kubectl.run_with_input(&["apply", "-n", namespace.name(), "-f", "-"], manifest).unwrap();
    assert_eq!(applied, "configmap/a created\n");
    let pods = cluster.kubectl(&["get", "pods", "-n", namespace.name(), "--no-headers"]).unwrap();
    assert_eq!(pods.matches("Running").count(), 3, "{pods}");
}

#[tokio::test]
async fn namespaces_are_apart_and_go_away() {
    let cluster = Cluster::shared().await.unwrap();
    let one = cluster.namespace("apart").await.unwrap();
    let other = cluster.namespace("apart").await.unwrap();
    assert_ne!(one.name(), other.name());
    let path = format!("/api/v1/namespaces/{one}");
    drop(one);
    eventually(LONG, || async {
        match cluster.api().get(&path).await {
            Err(error) if error.code() == Some(404) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn an_impersonated_user_has_only_their_rights() {
    let cluster = Cluster::shared().await.unwrap();
    let directory = tempfile::TempDir::new().unwrap();
    let kubeconfig = directory.path().join("kubeconfig");
    std::fs::write(&kubeconfig, cluster.kubeconfig_as("eve", &["visitors"])).unwrap();
    let kubectl = Command::new(windlass_testing::tool("kubectl").unwrap())
        .args(["auth", "can-i", "create", "deployments"])
        .env("KUBECONFIG", &kubeconfig)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&kubectl.stdout).trim(), "no");
}

#[tokio::test]
async fn a_private_cluster_survives_a_restart_of_its_api_and_leaves_nothing() {
    let cluster = Cluster::builder().unthrottled().start().await.unwrap();
    let path = "/api/v1/namespaces/default/configmaps";
    cluster.api().create(path, &json!({"metadata": {"name": "a"}})).await.unwrap();
    cluster.kill_apiserver().await;
    assert_eq!(cluster.api().get(path).await.unwrap_err().code(), None);
    cluster.start_apiserver().await.unwrap();
    cluster.api().get(&format!("{path}/a")).await.unwrap();
    let directory = cluster.kubeconfig().parent().unwrap().to_owned();
    let running = processes_of(&directory);
    assert!(running.len() >= 5, "{running:#?}");
    drop(cluster);
    nothing_is_left_of(&directory);
}

#[test]
fn a_cluster_ends_with_an_owner_that_was_killed() {
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "owner_of_a_cluster", "--nocapture"])
        .env(OWNER, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let directory = {
        use std::io::BufRead;
        let output = std::io::BufReader::new(owner.stdout.take().unwrap());
        let mut lines = output.lines().map_while(Result::ok);
        let line = lines.find_map(|line| line.split_once("DIRECTORY ").map(|(_, path)| path.to_owned()));
        std::path::PathBuf::from(line.unwrap())
    };
    assert!(processes_of(&directory).len() >= 5);
    owner.kill().unwrap();
    owner.wait().unwrap();
    nothing_is_left_of(&directory);
}

/// The owner that the test above kills, in a process of its own; in any other, there is nothing to do.
#[tokio::test]
async fn owner_of_a_cluster() {
    if std::env::var_os(OWNER).is_none() {
        return;
    }
    let cluster = Cluster::builder().start().await.unwrap();
    println!("DIRECTORY {}", cluster.kubeconfig().parent().unwrap().display());
    std::future::pending::<()>().await;
}

/// The command lines of processes that work on this directory.
fn processes_of(directory: &Path) -> Vec<String> {
    let directory = directory.to_str().unwrap();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let commands = processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    let commands = commands.map(|bytes| String::from_utf8_lossy(&bytes).replace('\0', " "));
    commands.filter(|command| command.contains(directory)).collect()
}

fn nothing_is_left_of(directory: &Path) {
    eventually_blocking(LONG, || {
        let running = processes_of(directory);
        if running.is_empty() && !directory.exists() { Ok(()) } else { Err(format!("{running:#?}")) }
    })
    .unwrap();
}
