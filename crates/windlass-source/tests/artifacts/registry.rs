//! Registries: charts pushed by Helm, artifacts, tokens, redirects.

use serde_json::json;
use windlass_source::{
    Access, ArtifactKind, ArtifactOptions, ArtifactTarget, ArtifactUrl, Authentication, ClientCertificate,
    DockerConfig, Freshness, LayerSelector, OciReference, Tls,
};
use windlass_testing::{FileServer, OciRegistry, RegistryAuth};

use super::helm::Helm;
use super::{Rig, ada, chart, failure, packaged, text_at, tgz, trusting, update, version_of};

const TAR: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const CHART: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";

fn artifact(reference: OciReference, layer: LayerSelector) -> ArtifactTarget {
    ArtifactTarget::Oci { reference, layer }
}

fn revision(text: &str) -> ArtifactTarget {
    artifact(OciReference::Revision(text.into()), LayerSelector::Only)
}

fn token() -> RegistryAuth {
    RegistryAuth::Token("ada".into(), "s3cret".into())
}

#[test]
fn what_helm_pushes_is_read_and_what_we_serve_helm_pulls() {
    let helm = Helm::new();
    for auth in [RegistryAuth::Anyone, RegistryAuth::Basic("ada".into(), "s3cret".into()), token()] {
        let server = OciRegistry::builder().auth(auth.clone()).start().unwrap();
        let host = server.base_url().replace("http://", "");
        if auth != RegistryAuth::Anyone {
            helm.run(&["registry", "login", &host, "--plain-http", "-u", "ada", "-p", "s3cret"]);
        }
        let package = helm.package("web", "1.2.3+four");
        helm.run(&["push", &package, &server.url("team/charts"), "--plain-http"]);
        assert_eq!(server.tags("team/charts/web"), ["1.2.3_four"]);
        let rig = Rig::new();
        let access = if auth == RegistryAuth::Anyone { Access::default() } else { ada() };
        let registry = rig.registry(&server.url("team/charts"), &access);
        for wanted in ["", "1.x", "1.2.3+four"] {
            let snapshot = update(&registry, &chart("web", wanted)).unwrap();
            assert_eq!(version_of(&snapshot), "1.2.3+four");
            assert_eq!(text_at(&snapshot, "templates/note.yaml").unwrap(), "# web 1.2.3+four\n");
            assert_eq!(snapshot.annotations["org.opencontainers.image.title"], "web");
        }
        helm.run(&["pull", &server.url("team/charts/web"), "--version", "1.2.3+four", "--plain-http"]);
        assert_eq!(helm.read("web-1.2.3+four.tgz"), helm.read(&package));
    }
}

#[test]
fn helm_s_own_login_is_read_from_its_configuration() {
    let helm = Helm::new();
    let server = OciRegistry::builder().auth(token()).start().unwrap();
    let host = server.base_url().replace("http://", "");
    helm.run(&["registry", "login", &host, "--plain-http", "-u", "ada", "-p", "s3cret"]);
    server.push("app", "1.0.0", &[(TAR, &tgz(&[("a.yaml", "a: 1")]))], &[]).unwrap();
    let text = String::from_utf8(helm.read("config/registry/config.json")).unwrap();
    let url: ArtifactUrl = server.url("app").parse().unwrap();
    let config = DockerConfig::parse(&text).unwrap();
    let authentication = config.for_url(&url).unwrap().clone();
    let access = Access { authentication, credentials_over_http: true, ..Access::default() };
    let rig = Rig::new();
    update(&rig.registry(&server.url("app"), &access), &revision("1.0.0")).unwrap();
}

#[test]
fn every_form_of_a_reference_finds_its_artifact() {
    let server = OciRegistry::start().unwrap();
    server.set_tags_per_page(2);
    let mut digests = std::collections::BTreeMap::new();
    for tag in ["1.0.0", "1.2.0", "v1.3.0", "2.0.0-rc.1", "2.0.0-dev.7", "latest", "main", "1.5"] {
        let layer = tgz(&[("tag", tag)]);
        digests.insert(tag, server.push("app", tag, &[(TAR, &layer)], &[("created", tag)]).unwrap());
    }
    let rig = Rig::new();
    let registry = rig.registry(&server.url("app"), &Access::default());
    let range = |range: &str, filter: Option<&str>| OciReference::Range {
        range: range.into(),
        filter: filter.map(str::to_string),
    };
    for (reference, expected) in [
        (OciReference::Revision(String::new()), "latest"),
        (OciReference::Revision("main".into()), "main"),
        (OciReference::Revision("1.0.0".into()), "1.0.0"),
        (OciReference::Revision("^1".into()), "1.5"),
        (OciReference::Revision(digests["1.2.0"].clone()), "1.2.0"),
        (OciReference::Digest(digests["main"].parse().unwrap()), "main"),
        (OciReference::Tag("1.2.0".into()), "1.2.0"),
        (range("1.x", None), "v1.3.0"),
        (range(">=1.0.0-0", None), "2.0.0-rc.1"),
        (range(">=1.0.0-0", Some("dev")), "2.0.0-dev.7"),
    ] {
        let snapshot = update(&registry, &artifact(reference.clone(), LayerSelector::Only)).unwrap();
        assert_eq!(text_at(&snapshot, "tag").as_deref(), Some(expected), "{reference:?}");
        assert_eq!(snapshot.annotations["created"], expected);
        assert_eq!(snapshot.revision.digest.to_string(), digests[expected]);
    }
    for (reference, message) in [
        (OciReference::Tag("9".into()), "cannot get tag 9 from oci://HOST/app: there is no tag 9 in it"),
        (
            OciReference::Revision("9.9.9".into()),
            "cannot get revision 9.9.9 from oci://HOST/app: there is no tag 9.9.9 in it",
        ),
        (
            OciReference::Revision("^7".into()),
            "cannot get revision ^7 from oci://HOST/app: none of its 8 versions satisfies ^7",
        ),
        (range("^7", None), "cannot get version ^7 from oci://HOST/app: none of its 8 versions satisfies ^7"),
        (
            OciReference::Revision("gone".into()),
            "cannot get revision gone from oci://HOST/app: there is no tag gone in it",
        ),
    ] {
        assert_eq!(failure(&registry, &artifact(reference, LayerSelector::Only)), message);
    }
}

#[test]
fn a_poll_without_news_is_one_request_and_a_pinned_digest_none() {
    let server = OciRegistry::start().unwrap();
    let digest = server.push("app", "main", &[(TAR, &tgz(&[("a", "1")]))], &[]).unwrap();
    let rig = Rig::new();
    let registry = rig.registry(&server.url("app"), &Access::default());
    update(&registry, &revision("main")).unwrap();
    server.forget_requests();
    update(&registry, &revision("main")).unwrap();
    let methods: Vec<_> = server.requests().into_iter().map(|request| request.method).collect();
    assert_eq!(methods, ["HEAD"]);
    server.forget_requests();
    update(&registry, &revision(&digest)).unwrap();
    assert_eq!(server.requests(), []);
    // Where a registry does not tell the digest, its manifest does.
    server.hide_digests();
    update(&registry, &revision("main")).unwrap();
    server.push("app", "main", &[(TAR, &tgz(&[("a", "2")]))], &[]).unwrap();
    assert_eq!(text_at(&update(&registry, &revision("main")).unwrap(), "a").unwrap(), "2");
}

#[test]
fn a_pinned_digest_is_served_while_the_registry_is_away() {
    let server = OciRegistry::start().unwrap();
    let digest = server.push("app", "main", &[(TAR, &tgz(&[("a", "1")]))], &[]).unwrap();
    let rig = Rig::new();
    update(&rig.registry(&server.url("app"), &Access::default()), &revision("main")).unwrap();
    let rig = rig.restarted();
    server.fault("", usize::MAX, windlass_testing::WebFault::Disconnect);
    let registry = rig.registry(&server.url("app"), &Access::default());
    assert_eq!(text_at(&update(&registry, &revision(&digest)).unwrap(), "a").unwrap(), "1");
    assert_eq!(update(&registry, &revision("main")).unwrap_err().reason(), "RepositoryUnreachable");
}

#[test]
fn layers_are_selected_and_indexes_followed() {
    let server = OciRegistry::start().unwrap();
    let (one, two) = (tgz(&[("n", "1")]), tgz(&[("n", "2")]));
    let inner = server.push("app", "two", &[("a/b", &one), ("c/d", &two)], &[]).unwrap();
    let rig = Rig::new();
    let registry = rig.registry(&server.url("app"), &Access::default());
    let tagged = |tag: &str, layer| artifact(OciReference::Tag(tag.into()), layer);
    let first = update(&registry, &tagged("two", LayerSelector::First)).unwrap();
    let second = update(&registry, &tagged("two", LayerSelector::MediaType("c/d".into()))).unwrap();
    assert_eq!((text_at(&first, "n").unwrap(), text_at(&second, "n").unwrap()), ("1".into(), "2".into()));
    assert!(failure(&registry, &tagged("two", LayerSelector::Only)).ends_with("only a/b, c/d"));
    server.push("app", "chart", &[(CHART, &packaged("web", "1.0.0"))], &[]).unwrap();
    let as_artifact = update(&registry, &tagged("chart", LayerSelector::Only)).unwrap();
    assert!(text_at(&as_artifact, "Chart.yaml").is_some());
    let variant = |os: &str, digest: &str| {
        json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": 1,
               "platform": {"os": os, "architecture": "amd64"}})
    };
    let index =
        json!({"schemaVersion": 2, "manifests": [variant("windows", "sha256:0"), variant("linux", &inner)]});
    let media_type = "application/vnd.oci.image.index.v1+json";
    server.push_manifest("app", "index", media_type, &index).unwrap();
    let through = update(&registry, &tagged("index", LayerSelector::First)).unwrap();
    assert_eq!(text_at(&through, "n").unwrap(), "1");
}

#[test]
fn blobs_are_fetched_from_storage_hosts_without_credentials() {
    let storage = FileServer::start().unwrap();
    let server = OciRegistry::builder().auth(token()).start().unwrap();
    let layer = tgz(&[("a", "1")]);
    server.push("app", "1.0.0", &[(TAR, &layer)], &[]).unwrap();
    let digest = windlass_source::ContentDigest::of(&layer);
    storage.put(&format!("blob/{digest}"), layer);
    server.redirect_blobs_to(&storage.base_url());
    let rig = Rig::new();
    update(&rig.registry(&server.url("app"), &ada()), &revision("1.0.0")).unwrap();
    let sent: Vec<bool> =
        storage.requests().iter().map(windlass_testing::WebRequest::authenticated).collect();
    assert_eq!(sent, [false]);
    // A storage host that asks for credentials gets none, and is not taken for the registry.
    let greedy = FileServer::builder().basic_auth("x", "y").start().unwrap();
    server.redirect_blobs_to(&greedy.base_url());
    let rig = Rig::new();
    let text = failure(&rig.registry(&server.url("app"), &ada()), &revision("1.0.0"));
    assert!(text.contains("401"), "{text}");
    assert!(greedy.requests().iter().all(|request| !request.authenticated()));
}

#[test]
fn tokens_are_bought_once_and_again_when_they_end() {
    let server = OciRegistry::builder().auth(token()).start().unwrap();
    server.push("app", "1.0.0", &[(TAR, &tgz(&[("a", "1")]))], &[]).unwrap();
    let rig = Rig::new();
    let registry = rig.registry(&server.url("app"), &ada());
    let bought = || server.requests().iter().filter(|request| request.path == "/token").count();
    update(&registry, &revision("1.0.0")).unwrap();
    update(&registry, &revision("1.0.0")).unwrap();
    assert_eq!(bought(), 1);
    server.expire_tokens();
    update(&registry, &revision("1.0.0")).unwrap();
    assert_eq!(bought(), 2);
    // The password was shown to the token server and to nobody else.
    for request in server.requests() {
        assert_eq!(request.authorization.starts_with("Basic "), request.path == "/token", "{request:?}");
    }
    let wrong = Access {
        authentication: Authentication::Basic { username: "ada".into(), password: "wrong".into() },
        ..ada()
    };
    assert_eq!(
        failure(&rig.registry(&server.url("app"), &wrong), &revision("1.0.0")),
        "oci://HOST/app did not accept the configured credentials"
    );
    let public = OciRegistry::builder().auth(RegistryAuth::AnonymousToken).start().unwrap();
    public.push("app", "1.0.0", &[(TAR, &tgz(&[("a", "1")]))], &[]).unwrap();
    update(&rig.registry(&public.url("app"), &Access::default()), &revision("1.0.0")).unwrap();
}

#[test]
fn a_foreign_token_server_gets_no_password() {
    let thief = FileServer::start().unwrap();
    thief.put("token", "{\"token\": \"x\"}");
    let server = OciRegistry::builder().auth(token()).tls().start().unwrap();
    server.push("app", "1.0.0", &[(TAR, &tgz(&[("a", "1")]))], &[]).unwrap();
    server.set_token_realm(&format!("{}/token", thief.base_url()));
    let access = Access { authentication: ada().authentication, ..trusting(server.authority_pem().unwrap()) };
    let rig = Rig::new();
    let registry = rig.registry(&server.url("app"), &access);
    let text = failure(&registry, &revision("1.0.0"));
    assert!(text.contains("127.0.0.1 for a token, which is not of its own domain"), "{text}");
    // Allowed by name, but not over http.
    let options = ArtifactOptions { token_hosts: vec!["127.0.0.1".into()], ..ArtifactOptions::default() };
    let url = server.url("app").parse().unwrap();
    let registry = rig.store.repository(&url, ArtifactKind::Oci, &access, &options).unwrap();
    assert!(failure(&registry, &revision("1.0.0")).contains("in clear text"));
    assert_eq!(thief.requests(), []);
}

#[test]
fn a_registry_without_tls_is_told_from_one_that_is_away() {
    let server = OciRegistry::start().unwrap();
    let rig = Rig::new();
    let url = server.url("app").parse().unwrap();
    let options = ArtifactOptions::default();
    let registry = rig.store.repository(&url, ArtifactKind::Oci, &Access::default(), &options).unwrap();
    let text = failure(&registry, &revision("1.0.0"));
    assert!(
        text.contains("the server there does not speak TLS") && text.contains("insecureOCIForceHttp"),
        "{text}"
    );
}

#[test]
fn registries_are_reached_with_our_certificates() {
    let server = OciRegistry::builder().client_certificates().start().unwrap();
    server.push("app", "1.0.0", &[(TAR, &tgz(&[("a", "1")]))], &[]).unwrap();
    let identity = server.client_identity().unwrap();
    let authority = trusting(server.authority_pem().unwrap());
    let client = ClientCertificate {
        certificate: identity.certificate_pem.clone(),
        key: identity.key_pem.as_str().into(),
    };
    let both = Access { tls: Tls { client: Some(client), ..authority.tls.clone() }, ..Access::default() };
    let rig = Rig::new();
    update(&rig.registry(&server.url("app"), &both), &revision("1.0.0")).unwrap();
    let error = update(&rig.registry(&server.url("app"), &authority), &revision("1.0.0")).unwrap_err();
    assert_eq!(error.reason(), "RepositoryUnreachable");
}

#[test]
fn what_many_ask_at_once_is_fetched_once() {
    let server = OciRegistry::start().unwrap();
    server.push("app", "1.0.0", &[(TAR, &tgz(&[("a", "1")]))], &[]).unwrap();
    let rig = Rig::new();
    let registry = rig.registry(&server.url("app"), &Access::default());
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| registry.update_one(&revision("1.0.0"), Freshness::Shared).unwrap());
        }
    });
    let blobs = server.requests().iter().filter(|request| request.path.contains("/blobs/")).count();
    assert_eq!(blobs, 1);
}
