//! Which version is chosen: ours beside `helm pull --version`, for repositories and for registries.

use windlass_testing::{FileServer, OciRegistry};

use super::helm::{Helm, pulled};
use super::{Rig, chart, update, version_of};
use windlass_source::Access;

const PUBLISHED: [&str; 12] = [
    "0.1.0",
    "0.9.9",
    "1.0.0",
    "1.2.0",
    "1.2.3",
    "1.10.0",
    "2.0.0-alpha.1",
    "2.0.0-rc.1",
    "2.0.0+build.5",
    "2.1.0-beta",
    "3.0.0-rc.2",
    "10.0.0-0",
];

const WANTED: [&str; 30] = [
    "",
    "*",
    ">0.0.0",
    ">0.0.0-0",
    "*-0",
    "1.2",
    "1.x",
    "1.2.x",
    "^1",
    "~1.2",
    "1.2.3",
    "=1.2.3",
    "v1.2.3",
    "1.2.0 - 1.9",
    ">=1.0.0 <1.10.0",
    ">=1.0.0, <2.0.0-0",
    "^2.0.0-0",
    "2.0.0-rc.1",
    "~2.0.0-alpha",
    "2",
    "2.0.0",
    "2.0.0+build.5",
    ">2.0.0",
    ">=3",
    "<1",
    "!=1.10.0",
    "0.1.0 || 1.2.0",
    "9.9.9",
    "not a version",
    "1.2.3.4",
];

/// What Helm pulls for each text; `None` where it pulls nothing.
fn helm_chooses(helm: &Helm, arguments: &[&str], wanted: &str) -> Option<String> {
    let folder = helm.home.path().join("pulled");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir(&folder).unwrap();
    let mut all = vec!["pull"];
    all.extend(arguments);
    if !wanted.is_empty() {
        all.extend(["--version", wanted]);
    }
    all.extend(["--destination", "pulled"]);
    let output = helm.try_run(&all);
    let versions = pulled(&folder, "web");
    assert_eq!(output.status.success(), versions.len() == 1, "{wanted}: {output:?}");
    versions.into_iter().next()
}

#[test]
fn a_repository_gives_the_version_that_helm_takes() {
    let helm = Helm::new();
    for version in PUBLISHED {
        helm.package("web", version);
    }
    let server = FileServer::start().unwrap();
    helm.publish(&server, &[]);
    let rig = Rig::new();
    let charts = rig.charts(&server.base_url(), &Access::default());
    for wanted in WANTED {
        let expected = helm_chooses(&helm, &["web", "--repo", &server.base_url()], wanted);
        let found = update(&charts, &chart("web", wanted)).ok();
        assert_eq!(found.as_ref().map(version_of), expected.as_deref(), "{wanted:?}");
    }
}

#[test]
fn a_registry_gives_the_version_that_helm_takes() {
    let helm = Helm::new();
    let server = OciRegistry::start().unwrap();
    for version in PUBLISHED {
        let package = helm.package("web", version);
        helm.run(&["push", &package, &server.url("charts"), "--plain-http"]);
    }
    let rig = Rig::new();
    let registry = rig.registry(&server.url("charts"), &Access::default());
    for wanted in WANTED {
        let url = server.url("charts/web");
        let expected = helm_chooses(&helm, &[&url, "--plain-http"], wanted);
        let found = update(&registry, &chart("web", wanted)).ok();
        assert_eq!(found.as_ref().map(version_of), expected.as_deref(), "{wanted:?}");
    }
}
