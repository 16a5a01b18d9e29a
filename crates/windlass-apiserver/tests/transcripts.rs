//! Sessions of the real `kubectl`: what it says at our API is what it says at kube-apiserver, word for word.
//!
//! `kubectl/*.session` is what is typed: `$` before a command; `%` where only the last line counts, because what comes
//! before depends on time; `<<` after which the input follows; `[…]` around what the editor does. `kubectl/*.txt` is what
//! kubectl 1.36 said at kube-apiserver 1.36.3, and is recorded by the ignored test.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test ends where something is wrong, and says why it did nothing"
)]

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use regex::Regex;
use windlass_apiserver::{Config, Server};
use windlass_testing::{Cluster, Kubectl, eventually_blocking, tool};

/// What may differ, and what stands for it.
const EQUAL: [(&str, &str); 15] = [
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UID"),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?[+-]\d{4}|Z)?", "TIME"),
    (r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d \+0000", "TIME"),
    (r"/tmp/(LIVE|MERGED)-\d+", "/tmp/$1"),
    (r#"resourceVersion: "\d+""#, "resourceVersion: VERSION"),
    (r#"resourceVersion\\":\\"\d+"#, "resourceVersion"),
    (r"kubectl-edit-\d+", "kubectl-edit-RANDOM"),
    (r"Resource Version: +\d+", "Resource Version: VERSION"),
    (r"eyJ[\w-]+\.[\w-]+\.[\w-]+", "TOKEN"),
    // Ages, with the blanks that fill their column.
    (r"(?m)(^| )\d+(m\d+)?s +", "${1}AGE "),
    (r"(?m) \d+(m\d+)?s$", " AGE"),
    (r"\b10\.\d+\.\d+\.\d+\b *", "IP "),
    (r"(web|later|once|now)-[bcdf-hj-np-tv-xz0-9]{5,10}(-[bcdf-hj-np-tv-xz0-9]{5})?\b", "$1-RANDOM"),
    (r"localhost:\d+|127\.0\.0\.1:\d+", "ADDRESS"),
    (r"pod-template-hash=\w+", "pod-template-hash=RANDOM"),
];

/// Commands that are answered in other words, with how their answer begins; and why, in a word.
const KNOWN: [(&str, &str); 4] = [
    // What was sent is shown as it was sent; kube-apiserver prints the Go map that is left after it was worked on.
    (
        "$ apply --validate=strict -f -\nexit code 1\n! The request is invalid: patch: Invalid value: \"map[",
        "map",
    ),
    ("$ patch configmap made -p '{\"data\":{\"b\":5}}'", "map"),
    // kubectl asks for `/openapi/v2` in protobuf where it does not know a kind, which is answered 406.
    ("$ apply -f -\nexit code 1\n! error: resource mapping not found", "protobuf"),
    // What a Pod's `nodeName` may become is not checked.
    ("$ patch pod lonely -p '{\"spec\":{\"nodeName\"", "nodeName"),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kubectl")
}

/// Splits at blanks; single quotes keep together.
fn words(text: &str) -> Vec<String> {
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

/// Runs a session, and returns what was typed and said.
fn transcript(kubectl: &Kubectl, session: &str) -> String {
    let equal = EQUAL.map(|(pattern, stands)| (Regex::new(pattern).unwrap(), stands));
    let mut told = String::new();
    let mut lines = session.lines().filter(|line| !line.starts_with('#'));
    while let Some(line) = lines.next() {
        let (mark, typed) = line.split_once(' ').unwrap();
        let (typed, input) = match typed.strip_suffix(" <<") {
            Some(typed) => {
                let input: Vec<&str> = lines.by_ref().take_while(|line| *line != "EOF").collect();
                (typed, input.join("\n"))
            }
            None => (typed, String::new()),
        };
        let edited = typed.starts_with("edit").then(|| typed.strip_suffix(']')?.rsplit_once(" [")).flatten();
        let (arguments, editor) = edited.unwrap_or((typed, "false"));
        let mut child = kubectl
            .command()
            .unwrap()
            .args(words(arguments))
            .env("EDITOR", editor)
            .env("HOME", kubectl.kubeconfig().parent().unwrap())
            .env("TZ", "UTC")
            .env_remove("KUBE_EDITOR")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Not every command reads it.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        writeln!(told, "{mark} {typed}").unwrap();
        let code = output.status.code().unwrap_or(-1);
        if code != 0 {
            writeln!(told, "exit code {code}").unwrap();
        }
        for (begin, bytes) in [("  ", output.stdout), ("! ", output.stderr)] {
            let mut text = String::from_utf8_lossy(&bytes).into_owned();
            for (pattern, stands) in &equal {
                text = pattern.replace_all(&text, *stands).into_owned();
            }
            let said: Vec<&str> = text.lines().collect();
            let begin_at = if mark == "%" { said.len().saturating_sub(1) } else { 0 };
            for line in &said[begin_at..] {
                writeln!(told, "{}", format!("{begin}{line}").trim_end()).unwrap();
            }
        }
    }
    told
}

/// A transcript in its commands.
fn commands(transcript: &str) -> Vec<&str> {
    let is_begin = |at: &usize| *at == 0 || transcript.as_bytes()[at - 1] == b'\n';
    let mut begins: Vec<usize> =
        transcript.match_indices(['$', '%']).map(|(at, _)| at).filter(is_begin).collect();
    begins.push(transcript.len());
    begins.windows(2).map(|pair| &transcript[pair[0]..pair[1]]).collect()
}

/// What every namespace gets a moment after it is made.
fn settle(kubectl: &Kubectl) {
    for what in ["serviceaccount/default", "configmap/kube-root-ca.crt"] {
        eventually_blocking(Duration::from_secs(120), || kubectl.run(&["get", what])).unwrap();
    }
}

async fn compare(name: &str, simulate_workloads: bool) {
    if tool("kubectl").is_err() {
        eprintln!("SKIPPED: kubectl is not in target/tools/bin");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(Config { simulate_workloads, ..Config::default() }).await.unwrap();
    let kubeconfig = directory.path().join("kubeconfig");
    std::fs::write(&kubeconfig, server.kubeconfig().unwrap()).unwrap();
    let kubectl = Kubectl::new(kubeconfig);
    settle(&kubectl);
    let session = std::fs::read_to_string(folder().join(format!("{name}.session"))).unwrap();
    let ours = transcript(&kubectl, &session);
    if let Some(folder) = std::env::var_os("WINDLASS_TRANSCRIPTS") {
        std::fs::write(Path::new(&folder).join(format!("{name}.txt")), &ours).unwrap();
    }
    let theirs = std::fs::read_to_string(folder().join(format!("{name}.txt"))).unwrap();
    let (ours, theirs) = (commands(&ours), commands(&theirs));
    assert_eq!(ours.len(), theirs.len(), "record anew");
    let is_known = |said: &str| KNOWN.iter().any(|(begin, _)| said.starts_with(begin));
    let different: Vec<String> = ours
        .iter()
        .zip(&theirs)
        .filter(|(ours, theirs)| ours != theirs && !is_known(theirs))
        .map(|(ours, theirs)| format!("--- theirs\n{theirs}+++ ours\n{ours}"))
        .collect();
    // What is answered alike by now is known no longer.
    let alike = ours.iter().zip(&theirs).find(|(ours, theirs)| ours == theirs && is_known(theirs));
    assert!(alike.is_none(), "{alike:?}");
    assert!(different.is_empty(), "{} of {}:\n{}", different.len(), ours.len(), different.join("\n"));
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_worked_on_as_at_kube_apiserver() {
    compare("objects", false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workloads_are_worked_on_as_at_kube_apiserver() {
    compare("workloads", true).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "records, with the original programs: cargo test -p windlass-apiserver --test transcripts -- --ignored"]
async fn record_what_kubectl_says() {
    let controllers = "garbage-collector-controller,namespace-controller,serviceaccount-controller,\
        root-ca-certificate-publisher-controller";
    for (name, cluster) in
        [("objects", Cluster::builder().controllers(controllers).nodes(0)), ("workloads", Cluster::builder())]
    {
        let cluster = cluster.start().await.unwrap();
        let kubectl = Kubectl::new(cluster.kubeconfig());
        settle(&kubectl);
        let session = std::fs::read_to_string(folder().join(format!("{name}.session"))).unwrap();
        std::fs::write(folder().join(format!("{name}.txt")), transcript(&kubectl, &session)).unwrap();
    }
}
