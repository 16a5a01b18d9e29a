//! Kustomizations with charts build as `kustomize build --enable-helm` builds them with Helm 4: the folders under
//! `tests/kustomize_charts`, recorded by `cargo xtask kustomizations --record`.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "../../windlass-kustomize/tests/disk_tree/mod.rs"]
mod disk_tree;
#[path = "../../windlass-kustomize/tests/recorded/mod.rs"]
mod recorded;

use std::path::Path;
use std::sync::Arc;

use disk_tree::DiskTree;
use windlass_helm::HelmVersion;
use windlass_kustomize::helm::Helm;
use windlass_kustomize::{Error, ErrorKind, Options, Services, build};
use windlass_model::{MemoryTree, Tree};
use windlass_render::{ChartAddress, ChartFetcher, KustomizeCharts, NoWorld};

fn options(flags: &str) -> (Options, bool) {
    let mut options = Options { shown_root: "/case".to_owned(), ..Options::default() };
    let mut enabled = false;
    let mut words = flags.split_whitespace();
    while let Some(word) = words.next() {
        match word {
            "--enable-helm" => enabled = true,
            "--helm-kube-version" => options.helm_kube_version = words.next().unwrap().to_owned(),
            "--helm-api-versions" => options.helm_api_versions.push(words.next().unwrap().to_owned()),
            "--load-restrictor" => options.load_from_anywhere = words.next() == Some("LoadRestrictionsNone"),
            other => panic!("no flag {other}"),
        }
    }
    (options, enabled)
}

fn built(case: &Path) -> Result<String, Error> {
    let tree = DiskTree::new(case).unwrap();
    let folder = if case.join("overlay").is_dir() { "overlay" } else { "" };
    let (options, enabled) = options(&std::fs::read_to_string(case.join("flags")).unwrap());
    let mut world = NoWorld::default();
    let charts = KustomizeCharts::new(HelmVersion::V4, None, &mut world);
    let services = Services { helm: enabled.then_some(&charts as &dyn Helm), ..Services::default() };
    build(&tree, folder, &options, services, &[])?.resources.to_yaml()
}

/// Whether two errors are one: kustomize says how it ran Helm, with a folder that is another one each time.
fn is_same_error(expected: &str, ours: &str) -> bool {
    // Go prints the address of the generator, which the recorder replaces.
    expected.replace(" &{0xADDRESS <nil>}", "") == ours
        || (expected.contains("unable to run: ") && ours.contains(" cannot be rendered: "))
}

#[test]
fn charts_are_rendered_as_recorded() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kustomize_charts");
    recorded::hold(&root, built, |outcome| {
        let is_same = || match (&outcome.expected, &outcome.given) {
            (Some(expected), Err(ours)) => is_same_error(expected, ours),
            _ => false,
        };
        outcome.is_equal() || is_same()
    });
}

struct OneChart;

impl ChartFetcher for OneChart {
    fn chart(&self, address: &ChartAddress) -> Result<Arc<dyn Tree>, String> {
        if address.version != "1.0.0" {
            return Err("there is only 1.0.0".to_owned());
        }
        Ok(Arc::new(MemoryTree::new([
            ("Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n"),
            ("values.yaml", "a: chart\nb: chart\n"),
            ("prod.yaml", "a: prod\n"),
            (
                "templates/a.yaml",
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {{ toJson .Values }}\n",
            ),
        ])))
    }
}

#[test]
fn charts_that_are_published_are_fetched() {
    let with = |lines: &str| {
        let text = format!("helmCharts:\n- name: web\n  repo: https://charts.example\n  {lines}\n");
        let tree = MemoryTree::new([("kustomization.yaml", text.as_str())]);
        let mut world = NoWorld::default();
        let charts = KustomizeCharts::new(HelmVersion::V3, Some(&OneChart), &mut world);
        let services = Services { helm: Some(&charts), ..Services::default() };
        build(&tree, "", &Options::default(), services, &[]).and_then(|built| built.resources.to_yaml())
    };
    let text = with("version: 1.0.0\n  valuesInline: {b: inline}").unwrap();
    assert!(text.contains("  a: chart\n  b: inline\n"), "{text}");
    let text = with("version: 1.0.0\n  valuesFile: charts/web-1.0.0/web/prod.yaml").unwrap();
    assert!(text.contains("  a: prod\n  b: chart\n"), "{text}");
    let error = with("version: 2.0.0").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Remote);
    assert!(error.to_string().contains("there is only 1.0.0"), "{error}");
}

#[test]
fn nothing_is_fetched_unasked() {
    let tree = MemoryTree::new([(
        "kustomization.yaml",
        "helmCharts:\n- name: web\n  repo: https://charts.example\n",
    )]);
    let mut world = NoWorld::default();
    let charts = KustomizeCharts::new(HelmVersion::V3, None, &mut world);
    let services = Services { helm: Some(&charts), ..Services::default() };
    let error = build(&tree, "", &Options::default(), services, &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Remote);
}
