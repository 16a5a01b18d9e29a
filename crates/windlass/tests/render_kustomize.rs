//! `windlass render kustomize` with what lies elsewhere: repositories, files and charts on servers of this machine,
//! compared with `kustomize build` on the same addresses.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;
use windlass_testing::{FileServer, GitServer};

const CONFIG_MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: conf\ndata: {a: b}\n";

fn windlass(arguments: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_windlass"))
        .args(["render", "kustomize"])
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

/// kustomize's output, where kustomize is there.
fn kustomize(arguments: &[&str], folder: &Path) -> Option<Output> {
    let Ok(program) = windlass_testing::tool("kustomize") else {
        eprintln!("there is no kustomize to compare with: `make tools`");
        return None;
    };
    let mut command = Command::new(program);
    command.arg("build").args(arguments).current_dir(folder).env("GIT_CONFIG_GLOBAL", "/dev/null");
    if arguments.contains(&"--enable-helm") {
        command.arg("--helm-command").arg(windlass_testing::tool("helm").unwrap());
    }
    Some(command.output().unwrap())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Builds with both; returns what both print.
fn same_output(arguments: &[&str], folder: &Path) -> String {
    let ours = windlass(&[arguments, &["--allow-remote"]].concat(), folder);
    assert!(ours.status.success(), "{arguments:?}: {}", text(&ours.stderr));
    if let Some(theirs) = kustomize(arguments, folder) {
        assert_eq!(text(&ours.stdout), text(&theirs.stdout), "{arguments:?}: {}", text(&theirs.stderr));
    }
    text(&ours.stdout)
}

fn both_fail(arguments: &[&str], folder: &Path) -> String {
    let ours = windlass(&[arguments, &["--allow-remote"]].concat(), folder);
    assert!(!ours.status.success(), "{arguments:?}: {}", text(&ours.stdout));
    if let Some(theirs) = kustomize(arguments, folder) {
        assert!(!theirs.status.success(), "{arguments:?}: {}", text(&theirs.stdout));
    }
    text(&ours.stderr)
}

fn overlay(text: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("kustomization.yaml"), text).unwrap();
    folder
}

#[test]
fn bases_in_repositories_are_built_as_kustomize_builds_them() {
    let server = GitServer::start().unwrap();
    let repository = server.repository("org/base").unwrap();
    let first = repository
        .commit("main")
        .file("base/kustomization.yaml", "resources: [conf.yaml, ../more]\nnamePrefix: b-\n")
        .file("base/conf.yaml", CONFIG_MAP)
        .file("more/kustomization.yaml", "configMapGenerator: [{name: more, files: [f.txt]}]\n")
        .file("more/f.txt", "text\n")
        .file("outside/kustomization.yaml", "resources: [../../../../etc]\n")
        .submit()
        .unwrap();
    repository.set_head("main").unwrap();
    repository.tag("v1", first.as_str()).unwrap();
    repository.write("main", "base/conf.yaml", CONFIG_MAP.replace("a: b", "a: newer")).unwrap();
    repository.write("feature/x", "base/conf.yaml", CONFIG_MAP.replace("a: b", "a: feature")).unwrap();
    let url = server.url("org/base");

    for (query, value) in [
        ("", "newer"),
        ("?ref=main", "newer"),
        ("?ref=v1", "b"),
        ("?version=v1", "b"),
        ("?ref=v1&timeout=90s&submodules=false", "b"),
        ("?timeout=2m&ref=main", "newer"),
    ] {
        let folder =
            overlay(&format!("resources: [\"{url}//base{query}\"]\nnameSuffix: -s\nnamespace: n2\n"));
        let text = same_output(&["."], folder.path());
        assert!(text.contains(&format!("  a: {value}\n")) && text.contains("name: b-conf-s\n"), "{text}");
    }
    let folder = overlay(&format!(
        "resources: [\"{url}/base?ref={}\"]\nbuildMetadata: [originAnnotations]\n",
        first.as_str()
    ));
    let text = same_output(&["."], folder.path());
    assert!(text.contains(&format!("repo: {url}")), "{text}");

    let empty = tempfile::tempdir().unwrap();
    let text = same_output(&[&format!("{url}//base?ref=v1")], empty.path());
    assert!(text.contains("name: b-conf\n"), "{text}");

    let folder = overlay(&format!("resources: [\"{url}//base?ref=nobody\"]\n"));
    let words = both_fail(&["."], folder.path());
    assert!(words.contains("nobody"), "{words}");
    let folder = overlay(&format!("resources: [\"{url}//gone\"]\n"));
    both_fail(&["."], folder.path());
    let folder = overlay(&format!("resources: [\"{url}//outside\"]\n"));
    both_fail(&["."], folder.path());
    let folder = overlay(&format!("resources: [\"{}//base\"]\n", server.url("org/nothing")));
    both_fail(&["."], folder.path());
}

#[test]
fn components_and_submodules_are_fetched_too() {
    let server = GitServer::start().unwrap();
    let inner = server.repository("inner").unwrap();
    let commit = inner
        .commit("main")
        .file("kustomization.yaml", "resources: [conf.yaml]\n")
        .file("conf.yaml", CONFIG_MAP)
        .submit()
        .unwrap();
    inner.set_head("main").unwrap();
    let outer = server.repository("outer").unwrap();
    outer
        .commit("main")
        .file(".gitmodules", format!("[submodule \"sub\"]\n\tpath = sub\n\turl = {}\n", server.url("inner")))
        .submodule("sub", commit.as_str())
        .file("kustomization.yaml", "resources: [sub]\n")
        .file(
            "component/kustomization.yaml",
            "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\ncommonAnnotations: {from: component}\n",
        )
        .submit()
        .unwrap();
    outer.set_head("main").unwrap();
    let url = server.url("outer");
    let folder = overlay(&format!("resources: [\"{url}//?ref=main\"]\ncomponents: [\"{url}//component\"]\n"));
    let text = same_output(&["."], folder.path());
    assert!(text.contains("from: component\n") && text.contains("name: conf\n"), "{text}");
    let folder = overlay(&format!("resources: [\"{url}//?ref=main&submodules=false\"]\n"));
    both_fail(&["."], folder.path());
}

#[test]
fn files_are_fetched_and_answers_that_are_no_files_are_errors() {
    let server = FileServer::start().unwrap();
    server.put("a/conf.yaml", CONFIG_MAP);
    server.put("a/patch.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: conf}\ndata: {c: d}\n");
    let url = server.base_url();
    let folder = overlay(&format!(
        "resources: [\"{url}/a/conf.yaml\"]\npatches: [{{path: \"{url}/a/patch.yaml\"}}]\n"
    ));
    let text = same_output(&["."], folder.path());
    assert!(text.contains("  c: d\n"), "{text}");
    let folder = overlay(&format!("resources: [\"{url}/a/gone.yaml\"]\n"));
    both_fail(&["."], folder.path());
}

#[test]
fn nothing_is_fetched_unasked() {
    let server = FileServer::start().unwrap();
    server.put("conf.yaml", CONFIG_MAP);
    let url = server.base_url();
    for resource in
        [format!("{url}/conf.yaml"), format!("{url}/org/repo.git//base"), "git@github.com:o/r".into()]
    {
        let folder = overlay(&format!("resources: [\"{resource}\"]\n"));
        let output = windlass(&["."], folder.path());
        assert!(!output.status.success());
        let words = text(&output.stderr);
        assert!(words.contains("remote resources are not allowed here"), "{words}");
    }
    assert!(server.requests().is_empty());
}

#[test]
fn charts_of_repositories_are_pulled() {
    let charts = tempfile::tempdir().unwrap();
    let chart = charts.path().join("web");
    std::fs::create_dir_all(chart.join("templates")).unwrap();
    std::fs::write(chart.join("Chart.yaml"), "apiVersion: v2\nname: web\nversion: 1.2.3\n").unwrap();
    std::fs::write(chart.join("values.yaml"), "a: chart\nb: {c: 1}\n").unwrap();
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\ndata: {v: {{ toJson .Values | quote }}}\n";
    std::fs::write(chart.join("templates/a.yaml"), template).unwrap();
    let packed = Command::new("tar").args(["czf", "web.tgz", "web"]).current_dir(charts.path()).status();
    assert!(packed.unwrap().success());
    let server = FileServer::start().unwrap();
    server.put("web-1.2.3.tgz", std::fs::read(charts.path().join("web.tgz")).unwrap());
    let url = server.base_url();
    server.put(
        "index.yaml",
        format!("apiVersion: v1\nentries:\n  web:\n  - {{apiVersion: v2, name: web, version: 1.2.3, urls: [\"{url}/web-1.2.3.tgz\"]}}\n"),
    );
    for version in ["  version: 1.2.3\n", ""] {
        let folder = overlay(&format!(
            "namespace: prod\nhelmCharts:\n- name: web\n  repo: {url}\n{version}  releaseName: rel\n  valuesInline: {{b: {{d: 2}}}}\n"
        ));
        let text = same_output(&[".", "--enable-helm"], folder.path());
        assert!(text.contains("name: rel\n"), "{text}");
    }
    let folder = overlay(&format!("helmCharts:\n- name: web\n  repo: {url}\n  version: 9.9.9\n"));
    both_fail(&[".", "--enable-helm"], folder.path());
    let folder = overlay(&format!("helmCharts:\n- name: web\n  repo: {url}\n"));
    let output = windlass(&[".", "--enable-helm"], folder.path());
    assert!(text(&output.stderr).contains("none are fetched here"), "{}", text(&output.stderr));
}
