//! Helm repositories: indexes made by Helm, caches, credentials, addresses.

use std::io::Write;

use windlass_model::Tree;
use windlass_source::{
    Access, ArtifactKind, ArtifactOptions, ClientCertificate, ErrorClass, Freshness, Proxy, Tls,
};
use windlass_testing::{FileServer, OciRegistry, WebFault};

use super::helm::Helm;
use super::{Rig, ada, chart, failure, packaged, set, text_at, trusting, update, version_of};

/// An index with entries of these: chart, version, address, digest.
fn index(entries: &[(&str, &str, &str, &str)]) -> String {
    let mut names: Vec<&str> = entries.iter().map(|(name, ..)| *name).collect();
    names.dedup();
    let mut text = String::from("apiVersion: v1\nentries:\n");
    for name in names {
        text.push_str(&format!("  {name}:\n"));
        for (_, version, url, digest) in entries.iter().filter(|(other, ..)| *other == name) {
            text.push_str(&format!(
                "  - name: {name}\n    version: {version}\n    digest: \"{digest}\"\n    urls:\n    - {url}\n"
            ));
        }
    }
    text
}

#[test]
fn a_chart_of_helm_s_own_making_is_read_whole() {
    let helm = Helm::new();
    helm.package("web", "1.0.0");
    helm.package("web", "1.1.0");
    helm.package("other", "5.0.0");
    let server = FileServer::start().unwrap();
    helm.publish(&server, &[]);
    let rig = Rig::new();
    let charts = rig.charts(&format!("{}/", server.base_url()), &Access::default());
    let snapshot = update(&charts, &chart("web", "1.x")).unwrap();
    assert_eq!(version_of(&snapshot), "1.1.0");
    assert_eq!(text_at(&snapshot, "templates/note.yaml").unwrap(), "# web 1.1.0\n");
    let names: Vec<_> = snapshot.tree.list("").unwrap().unwrap().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["Chart.yaml", "templates", "values.yaml"]);
    let package = helm.read("charts/web-1.1.0.tgz");
    assert_eq!(snapshot.revision.digest, windlass_source::ContentDigest::of(&package));
    let all = charts.resolve(&set(&[chart("other", ""), chart("none", "")]), Freshness::New);
    assert_eq!(all[&chart("other", "")].as_ref().unwrap().version.as_deref(), Some("5.0.0"));
    let base = server.base_url();
    let missing = all[&chart("none", "")].as_ref().unwrap_err();
    assert_eq!(
        windlass_source::chain(missing),
        format!("cannot get chart none * from {base}: there is no chart none in it")
    );
    assert_eq!((missing.class(), missing.reason()), (ErrorClass::Configuration, "ChartNotFound"));
}

#[test]
fn what_has_not_changed_is_not_sent_again() {
    let server = FileServer::start().unwrap();
    let package = packaged("web", "1.0.0");
    let digest = windlass_source::ContentDigest::of(&package).hex();
    server.put("web.tgz", package);
    server.put("index.yaml", index(&[("web", "1.0.0", "web.tgz", &digest)]));
    let rig = Rig::new();
    let charts = rig.charts(&server.base_url(), &Access::default());
    let first = update(&charts, &chart("web", "")).unwrap();
    server.forget_requests();
    update(&charts, &chart("web", "*")).unwrap();
    let asked = |server: &FileServer| -> Vec<(String, u16)> {
        server.requests().into_iter().map(|request| (request.path, request.status)).collect()
    };
    assert_eq!(asked(&server), [("/index.yaml".to_string(), 304)]);
    drop(charts);
    // The next process knows both, too.
    let rig = rig.restarted();
    server.forget_requests();
    let charts = rig.charts(&server.base_url(), &Access::default());
    let again = update(&charts, &chart("web", "")).unwrap();
    assert_eq!(asked(&server), [("/index.yaml".to_string(), 304)]);
    assert_eq!((again.revision, again.tree.digest()), (first.revision, first.tree.digest()));
    // A new version is seen at once.
    server.put("web-2.tgz", packaged("web", "2.0.0"));
    server
        .put("index.yaml", index(&[("web", "1.0.0", "web.tgz", &digest), ("web", "2.0.0", "web-2.tgz", "")]));
    assert_eq!(version_of(&update(&charts, &chart("web", "")).unwrap()), "2.0.0");
    // While the server is in trouble, an exact version that is known is still served, others are not.
    server.fault("", usize::MAX, WebFault::Status(503));
    assert_eq!(version_of(&update(&charts, &chart("web", "1.0.0")).unwrap()), "1.0.0");
    assert!(failure(&charts, &chart("web", "")).contains("503"));
}

#[test]
fn a_long_index_is_read_compressed_and_by_parts() {
    let server = FileServer::start().unwrap();
    let package = packaged("web", "1.0.0");
    server.put("web.tgz", package);
    let mut text = index(&[("web", "1.0.0", "web.tgz", "")]);
    for chart in 0..200 {
        text.push_str(&format!("  chart-{chart}:\n"));
        for version in 0..50 {
            text.push_str(&format!(
                "  - name: chart-{chart}\n    version: 1.{version}.0\n    description: |\n      name: x\n       {}\n    urls: [c]\n",
                "long ".repeat(20)
            ));
        }
    }
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    server.put("index.yaml.gz", encoder.finish().unwrap());
    let rig = Rig::new();
    let charts = rig.charts(&server.base_url(), &Access::default());
    assert_eq!(version_of(&update(&charts, &chart("web", "")).unwrap()), "1.0.0");
    let wanted = chart("chart-150", "<1.31.0");
    assert!(failure(&charts, &wanted).contains("chart-150 <1.31.0"));
}

#[test]
fn credentials_go_to_the_repository_s_host_only() {
    let elsewhere = FileServer::start().unwrap();
    elsewhere.put("far.tgz", packaged("far", "1.0.0"));
    elsewhere.put("moved.tgz", packaged("moved", "1.0.0"));
    let server = FileServer::builder().basic_auth("ada", "s3cret").start().unwrap();
    server.put("near.tgz", packaged("near", "1.0.0"));
    let far = format!("{}/far.tgz", elsewhere.base_url());
    server.put(
        "index.yaml",
        index(&[
            ("near", "1.0.0", "near.tgz", ""),
            ("far", "1.0.0", &far, ""),
            ("moved", "1.0.0", "moved.tgz", ""),
        ]),
    );
    server.fault("/moved.tgz", usize::MAX, WebFault::RedirectTo(elsewhere.base_url()));
    for pass_credentials in [false, true] {
        let rig = Rig::new();
        let options = ArtifactOptions { pass_credentials, ..ArtifactOptions::default() };
        let url = server.base_url().parse().unwrap();
        let charts = rig.store.repository(&url, ArtifactKind::HelmRepository, &ada(), &options).unwrap();
        elsewhere.forget_requests();
        for name in ["near", "far", "moved"] {
            update(&charts, &chart(name, "")).unwrap();
        }
        let sent: Vec<(String, bool)> =
            elsewhere.requests().iter().map(|it| (it.path.clone(), it.authenticated())).collect();
        assert_eq!(sent, [("/far.tgz".to_string(), pass_credentials), ("/moved.tgz".to_string(), false)]);
    }
    let rig = Rig::new();
    assert_eq!(
        failure(&rig.charts(&server.base_url(), &Access::default()), &chart("near", "")),
        "http://HOST requires credentials, and none are configured"
    );
    let clear = Access { credentials_over_http: false, ..ada() };
    assert!(failure(&rig.charts(&server.base_url(), &clear), &chart("near", "")).contains("in clear text"));
    let in_address = server.base_url().replace("http://", "http://ada:s3cret@");
    let allowed = Access { credentials_over_http: true, ..Access::default() };
    update(&rig.charts(&in_address, &allowed), &chart("near", "")).unwrap();
}

#[test]
fn certificates_are_checked_and_shown() {
    let server = FileServer::builder().client_certificates().start().unwrap();
    server.put("web.tgz", packaged("web", "1.0.0"));
    server.put("index.yaml", index(&[("web", "1.0.0", "web.tgz", "")]));
    let identity = server.client_identity().unwrap();
    let client = ClientCertificate {
        certificate: identity.certificate_pem.clone(),
        key: identity.key_pem.as_str().into(),
    };
    let authority = trusting(server.authority_pem().unwrap());
    let both =
        Access { tls: Tls { client: Some(client.clone()), ..authority.tls.clone() }, ..Access::default() };
    let skipping = Access {
        tls: Tls { client: Some(client), insecure_skip_verify: true, authorities: None },
        ..Access::default()
    };
    for (access, reason) in [
        (&both, None),
        (&skipping, None),
        (&authority, Some("RepositoryUnreachable")),
        (&Access::default(), Some("RepositoryUnreachable")),
    ] {
        let rig = Rig::new();
        let found = update(&rig.charts(&server.base_url(), access), &chart("web", ""));
        assert_eq!(found.as_ref().err().map(windlass_source::SourceError::reason), reason);
    }
}

#[test]
fn a_proxy_is_used_where_one_is_given() {
    let server = FileServer::start().unwrap();
    server.put("web.tgz", packaged("web", "1.0.0"));
    server.put("index.yaml", index(&[("web", "1.0.0", "web.tgz", "")]));
    let proxy = windlass_testing::Proxy::start().unwrap();
    proxy.route("charts.example.org", server.address());
    let access = Access {
        proxy: Some(Proxy { url: proxy.url().into(), no_proxy: String::new() }),
        ..Access::default()
    };
    let rig = Rig::new();
    update(&rig.charts("http://charts.example.org", &access), &chart("web", "")).unwrap();
    assert_eq!(proxy.targets().len(), 2);
}

#[test]
fn an_index_may_keep_its_charts_in_a_registry() {
    let registry = OciRegistry::start().unwrap();
    let layer = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
    registry.push("library/web", "1.0.0", &[(layer, &packaged("web", "1.0.0"))], &[]).unwrap();
    let server = FileServer::start().unwrap();
    let url = format!("{}:1.0.0", registry.url("library/web"));
    server.put("index.yaml", index(&[("web", "1.0.0", &url, "")]));
    let rig = Rig::new();
    let options = ArtifactOptions::default();
    let access = Access { plain_http: true, ..ada() };
    let url = server.base_url().parse().unwrap();
    let charts = rig.store.repository(&url, ArtifactKind::HelmRepository, &access, &options).unwrap();
    assert_eq!(
        text_at(&update(&charts, &chart("web", "")).unwrap(), "values.yaml").unwrap(),
        "replicas: 1\n"
    );
    assert!(registry.requests().iter().all(|request| !request.authenticated()));
}
