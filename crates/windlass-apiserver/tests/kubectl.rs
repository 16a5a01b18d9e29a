//! The real `kubectl` against the embedded API: what people type, and what they must see.
//!
//! `kubectl` 1.36 is looked for in `$KUBEBUILDER_ASSETS` and in `target/tools/bin`; without it the tests say
//! so and pass. What is expected was seen with kube-apiserver 1.36.3.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test ends where something is wrong, and says why it did nothing"
)]

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use windlass_apiserver::{Config, Server};

fn kubectl_binary() -> Option<PathBuf> {
    let installed =
        std::env::var_os("KUBEBUILDER_ASSETS").map(|directory| PathBuf::from(directory).join("kubectl"));
    let built = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/bin/kubectl");
    installed.into_iter().chain([built]).find(|path| path.exists())
}

struct Kubectl {
    binary: PathBuf,
    directory: tempfile::TempDir,
    server: Server,
}

struct Said {
    success: bool,
    out: String,
    all: String,
}

impl Kubectl {
    async fn start() -> Option<Self> {
        let Some(binary) = kubectl_binary() else {
            eprintln!("SKIPPED: no kubectl in $KUBEBUILDER_ASSETS or target/tools/bin");
            return None;
        };
        let directory = tempfile::tempdir().unwrap();
        let config = Config { simulate_workloads: true, ..Config::default() };
        let server = Server::start(config).await.unwrap();
        std::fs::write(directory.path().join("kubeconfig"), server.kubeconfig().unwrap()).unwrap();
        Some(Self { binary, directory, server })
    }

    fn run_with(&self, arguments: &str, input: &str, editor: &str) -> Said {
        let mut child = Command::new(&self.binary)
            .args(shell_words(arguments))
            .env("KUBECONFIG", self.directory.path().join("kubeconfig"))
            .env("HOME", self.directory.path())
            .env("EDITOR", editor)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        let all = format!("{out}{}", String::from_utf8_lossy(&output.stderr));
        Said { success: output.status.success(), out, all }
    }

    /// Runs a command that must succeed and returns what it printed.
    fn ok(&self, arguments: &str) -> String {
        self.ok_with(arguments, "")
    }

    fn ok_with(&self, arguments: &str, input: &str) -> String {
        let said = self.run_with(arguments, input, "false");
        assert!(said.success, "kubectl {arguments}\n{}", said.all);
        said.out
    }

    /// Runs a command that must fail and returns what it printed.
    fn fails(&self, arguments: &str, input: &str) -> String {
        let said = self.run_with(arguments, input, "false");
        assert!(!said.success, "kubectl {arguments} should fail\n{}", said.all);
        said.all
    }
}

/// Splits at blanks; single quotes keep together.
fn shell_words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in text.chars() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            c => words.last_mut().unwrap().push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn assert_contains(text: &str, wanted: &[&str]) {
    for wanted in wanted {
        assert!(text.contains(wanted), "{wanted:?} is not in:\n{text}");
    }
}

/// What `kubectl api-resources` counts on kube-apiserver 1.36.3.
const N_RESOURCES: usize = 67;

const WEB: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: "nginx:1.27", ports: [{containerPort: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn discovers_and_explains() {
    let Some(kubectl) = Kubectl::start().await else { return };
    assert_contains(&kubectl.ok("version"), &["Server Version: v1.36.3+windlass"]);
    let resources = kubectl.ok("api-resources");
    assert_contains(
        &resources,
        &["deployments                         deploy       apps/v1", "customresourcedefinitions"],
    );
    // One line for each resource that kube-apiserver 1.36.3 lists without flags, and the heading.
    assert_eq!(resources.lines().count(), N_RESOURCES + 1, "{resources}");
    assert_contains(&kubectl.ok("api-versions"), &["apps/v1\n", "autoscaling/v2\n", "\nv1\n"]);
    assert_contains(
        &kubectl.ok("explain deployment.spec.strategy.type"),
        &["GROUP:      apps", "FIELD: type <string>", "ENUM:\n    Recreate\n    RollingUpdate"],
    );
    assert_contains(
        &kubectl.ok("get namespaces"),
        &["default", "kube-system", "kube-public", "kube-node-lease"],
    );
    assert_eq!(kubectl.ok("auth can-i create pods").trim(), "yes");
    assert_contains(&kubectl.ok("auth whoami"), &["kubernetes-admin", "system:masters"]);
    assert_contains(&kubectl.ok("get --raw /healthz"), &["ok"]);
    assert_contains(
        &kubectl.fails("get nothing", ""),
        &["error: the server doesn't have a resource type \"nothing\""],
    );
    kubectl.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keeps_a_workload() {
    let Some(kubectl) = Kubectl::start().await else { return };
    let said = kubectl.ok_with("apply -f -", WEB);
    assert_eq!(said, "deployment.apps/web created\nservice/web created\n");
    assert_contains(&kubectl.ok("rollout status deployment/web --timeout=60s"), &["successfully rolled out"]);
    assert_contains(
        &kubectl.ok("get deployment web"),
        &["NAME   READY   UP-TO-DATE   AVAILABLE   AGE", "web    2/2     2            2"],
    );
    assert_contains(
        &kubectl.ok("get deployment web -o wide"),
        &["CONTAINERS   IMAGES       SELECTOR", "nginx:1.27   app=web"],
    );
    assert_contains(&kubectl.ok("get pods"), &["READY   STATUS    RESTARTS", "1/1     Running   0"]);
    assert_contains(
        &kubectl.ok("get deployment web -o yaml"),
        &["  strategy:\n    rollingUpdate:\n      maxSurge: 25%", "        resources: {}"],
    );
    let said = kubectl.ok_with("apply -f -", WEB);
    assert_eq!(said, "deployment.apps/web unchanged\nservice/web unchanged\n");
    let said = kubectl.fails("diff -f -", &WEB.replace("replicas: 2", "replicas: 3"));
    assert_contains(&said, &["-  replicas: 2", "+  replicas: 3"]);
    assert_contains(
        &kubectl.ok("describe deployment web"),
        &[
            "2 desired | 2 updated | 2 total | 2 available",
            "RollingUpdateStrategy:  25% max unavailable, 25% max surge",
        ],
    );
    assert_eq!(kubectl.ok("scale deployment web --replicas=1"), "deployment.apps/web scaled\n");
    assert_eq!(
        kubectl.ok("wait --for=jsonpath='{.status.replicas}'=1 deployment/web --timeout=60s"),
        "deployment.apps/web condition met\n"
    );
    assert_contains(&kubectl.ok("set image deployment/web web=nginx:1.28"), &["image updated"]);
    kubectl.ok("rollout status deployment/web --timeout=60s");
    assert_contains(
        &kubectl.ok("rollout history deployment/web"),
        &["REVISION  CHANGE-CAUSE", "2         <none>"],
    );
    assert_contains(&kubectl.ok("delete deployment web"), &["deployment.apps \"web\" deleted"]);
    kubectl.ok("wait --for=delete pod -l app=web --timeout=60s");
    assert_contains(&kubectl.ok("create namespace shop"), &["namespace/shop created"]);
    kubectl.ok("create configmap conf -n shop --from-literal=a=b");
    assert_contains(&kubectl.ok("delete namespace shop --timeout=60s"), &["namespace \"shop\" deleted"]);
    assert_contains(
        &kubectl.fails("get namespace shop", ""),
        &["Error from server (NotFound): namespaces \"shop\" not found"],
    );
    kubectl.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_objects_in_every_way() {
    let Some(kubectl) = Kubectl::start().await else { return };
    assert_eq!(kubectl.ok("create configmap conf --from-literal=a=1"), "configmap/conf created\n");
    assert_contains(
        &kubectl.fails("create configmap conf --from-literal=a=1", ""),
        &["error: failed to create configmap: configmaps \"conf\" already exists"],
    );
    for (kind, patch) in [
        ("strategic", r#"{"data":{"b":"2"}}"#),
        ("merge", r#"{"data":{"c":"3"}}"#),
        ("json", r#"[{"op":"add","path":"/data/d","value":"4"}]"#),
    ] {
        assert_eq!(
            kubectl.ok(&format!("patch configmap conf --type={kind} -p '{patch}'")),
            "configmap/conf patched\n"
        );
    }
    assert_contains(
        &kubectl.fails(
            r#"patch configmap conf --type=json -p '[{"op":"test","path":"/data/d","value":"5"}]'"#,
            "",
        ),
        &["The request is invalid: the server rejected our request due to an error in our request"],
    );
    assert_eq!(kubectl.ok("label configmap conf x=y"), "configmap/conf labeled\n");
    assert_eq!(kubectl.ok("annotate configmap conf q=r"), "configmap/conf annotated\n");
    assert_eq!(kubectl.ok("get configmap -l 'x in (y,z),!w' -o name"), "configmap/conf\n");
    assert_eq!(kubectl.ok("get configmap --field-selector metadata.name=conf -o name"), "configmap/conf\n");
    let said = kubectl.run_with("edit configmap conf", "", "sed -i 's/a: \"1\"/a: edited/'");
    assert_contains(&said.all, &["configmap/conf edited"]);
    assert_eq!(
        kubectl.ok("get configmap conf -o jsonpath='{.data}'"),
        r#"{"a":"edited","b":"2","c":"3","d":"4"}"#
    );
    let applied = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: conf}\ndata: {a: mine}\n";
    let said = kubectl.fails("apply --server-side -f -", applied);
    assert_contains(
        &said,
        &["Apply failed with 1 conflict: conflict with \"kubectl-edit\" using v1: .data.a"],
    );
    assert_eq!(
        kubectl.ok_with("apply --server-side --force-conflicts -f -", applied),
        "configmap/conf serverside-applied\n"
    );
    assert_contains(
        &kubectl.ok("get configmap conf -o yaml --show-managed-fields"),
        &["manager: kubectl\n    operation: Apply"],
    );
    let dry = applied.replace("conf", "dry");
    assert_eq!(
        kubectl.ok_with("apply --server-side --dry-run=server -f -", &dry),
        "configmap/dry serverside-applied (server dry run)\n"
    );
    assert_eq!(
        kubectl.ok_with("create --dry-run=server -f -", &dry),
        "configmap/dry created (server dry run)\n"
    );
    assert_contains(
        &kubectl.fails("get configmap dry", ""),
        &["Error from server (NotFound): configmaps \"dry\" not found"],
    );
    let unknown = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: odd}\nfoo: bar\n";
    assert_contains(
        &kubectl.fails("create -f -", unknown),
        &[
            "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: unknown field \"foo\"",
        ],
    );
    let said = kubectl.run_with("create --validate=warn -f -", unknown, "false");
    assert_contains(&said.all, &["Warning: unknown field \"foo\"", "configmap/odd created"]);
    assert_contains(&kubectl.ok("delete configmap odd"), &["configmap \"odd\" deleted"]);
    kubectl.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serves_custom_resources() {
    let Some(kubectl) = Kubectl::start().await else { return };
    let definition = include_str!("data/custom-definition.json");
    assert_eq!(
        kubectl.ok_with("create -f -", definition),
        "customresourcedefinition.apiextensions.k8s.io/widgets.example.com created\n"
    );
    kubectl.ok("wait --for=condition=established crd/widgets.example.com --timeout=10s");
    assert_contains(
        &kubectl.ok("api-resources --api-group=example.com"),
        &["widgets   wd           example.com/v1   true         Widget"],
    );
    assert_contains(&kubectl.ok("explain widget.spec"), &["What is wanted.", "replicas\t<integer>"]);
    let widget = "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: one}\nspec: {size: small}\n";
    assert_eq!(kubectl.ok_with("apply -f -", widget), "widget.example.com/one created\n");
    assert_contains(&kubectl.ok("get wd"), &["NAME   SIZE    REPLICAS   AGE", "one    small   2"]);
    assert_eq!(kubectl.ok("scale widget one --replicas=4"), "widget.example.com/one scaled\n");
    assert_eq!(
        kubectl.ok(r#"patch widget one --type=merge -p '{"spec":{"size":"large"}}'"#),
        "widget.example.com/one patched\n"
    );
    assert_eq!(
        kubectl.ok(r#"patch widget one --subresource=status --type=merge -p '{"status":{"replicas":4},"spec":{"replicas":9}}'"#),
        "widget.example.com/one patched\n"
    );
    let path = "'{.spec.size} {.spec.replicas} {.status.replicas} {.metadata.generation}'";
    assert_eq!(kubectl.ok(&format!("get widget one -o jsonpath={path}")), "large 4 4 3");
    let said =
        kubectl.fails("apply --validate=ignore -f -", &widget.replace("small", "huge").replace("one", "two"));
    assert_contains(
        &said,
        &[
            "The Widget \"two\" is invalid: spec.size: Unsupported value: \"huge\": supported values: \"small\", \"large\"",
        ],
    );
    let said = kubectl.fails("apply -f -", &widget.replace("size: small", "size: small, bolts: 3"));
    assert_contains(&said, &["strict decoding error: unknown field \"spec.bolts\""]);
    assert_contains(&kubectl.ok("delete crd widgets.example.com --timeout=60s"), &["deleted"]);
    assert_contains(&kubectl.fails("get wd", ""), &["the server could not find the requested resource"]);
    kubectl.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watches() {
    let Some(kubectl) = Kubectl::start().await else { return };
    let mut watching = Command::new(&kubectl.binary)
        .args(["get", "configmaps", "--watch", "-o", "name"])
        .env("KUBECONFIG", kubectl.directory.path().join("kubeconfig"))
        .env("HOME", kubectl.directory.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(watching.stdout.take().unwrap()));
    for name in ["one", "two"] {
        kubectl.ok(&format!("create configmap {name}"));
    }
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let line = lines.next().unwrap().unwrap();
        if line != "configmap/kube-root-ca.crt" {
            seen.push(line);
        }
    }
    assert_eq!(seen, ["configmap/one", "configmap/two"]);
    watching.kill().unwrap();
    watching.wait().unwrap();
    kubectl.server.shutdown().await;
}
