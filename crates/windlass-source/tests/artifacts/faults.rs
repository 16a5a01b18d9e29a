//! Servers in trouble, and servers that lie.

use std::time::Duration;

use windlass_source::{Access, ArtifactLimits, ArtifactTarget, ErrorClass, LayerSelector, OciReference};
use windlass_testing::{FileServer, OciRegistry, WebFault};

use super::{Rig, chart, failure, impatient, packaged, tgz, update};

const TAR: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

fn main_tag() -> ArtifactTarget {
    ArtifactTarget::Oci { reference: OciReference::Tag("main".into()), layer: LayerSelector::Only }
}

fn fault(server: &OciRegistry, part_of_path: &str, fault: WebFault) {
    server.clear_faults();
    server.fault(part_of_path, usize::MAX, fault);
}

#[test]
fn every_trouble_of_a_registry_has_a_name_and_passes() {
    let server = OciRegistry::start().unwrap();
    let layer: Vec<u8> = tgz(&[("a", &"x y z ".repeat(500))]);
    server.push("app", "main", &[(TAR, &layer)], &[]).unwrap();
    let page = || WebFault::Body(b"<html>Log in</html>".to_vec());
    for (path, trouble, reason, class, message) in [
        ("/manifests/main", WebFault::Status(503), "RepositoryUnreachable", ErrorClass::Transient, "503"),
        ("/manifests/main", WebFault::Status(429), "RepositoryUnreachable", ErrorClass::Transient, "429"),
        ("/manifests/main", WebFault::Status(403), "Forbidden", ErrorClass::Configuration, "forbidden"),
        (
            "/manifests/main",
            WebFault::Status(401),
            "AuthenticationFailed",
            ErrorClass::Configuration,
            "requires credentials",
        ),
        ("/manifests/", WebFault::Disconnect, "RepositoryUnreachable", ErrorClass::Transient, ""),
        (
            "/manifests/",
            WebFault::Hang,
            "RepositorySilent",
            ErrorClass::Transient,
            "sent nothing for 0 seconds",
        ),
        ("/manifests/sha256", WebFault::Alter, "DigestMismatch", ErrorClass::Transient, "was announced as"),
        ("/manifests/sha256", WebFault::CutAfter(10), "RepositoryUnreachable", ErrorClass::Transient, ""),
        ("/manifests/sha256", page(), "DigestMismatch", ErrorClass::Transient, ""),
        (
            "/manifests/sha256",
            WebFault::Status(404),
            "ArtifactNotFound",
            ErrorClass::Configuration,
            "there is no manifest",
        ),
        ("/blobs/", WebFault::Alter, "DigestMismatch", ErrorClass::Transient, "was announced as"),
        ("/blobs/", WebFault::CutAfter(50), "RepositoryUnreachable", ErrorClass::Transient, ""),
        ("/blobs/", WebFault::Status(404), "ArtifactNotFound", ErrorClass::Configuration, "there is no blob"),
        ("/blobs/", WebFault::Status(500), "RepositoryUnreachable", ErrorClass::Transient, "500"),
        ("/blobs/", WebFault::Hang, "RepositorySilent", ErrorClass::Transient, ""),
        (
            "/blobs/",
            WebFault::RedirectTo(server.base_url()),
            "ProtocolError",
            ErrorClass::Transient,
            "redirected more than the limit of 5 times",
        ),
        (
            "/blobs/",
            WebFault::RedirectTo("ftp://x".into()),
            "RepositoryRefused",
            ErrorClass::Configuration,
            "",
        ),
        ("/manifests/main", WebFault::Status(418), "ProtocolError", ErrorClass::Transient, "418"),
    ] {
        let rig = Rig::new();
        let registry = rig.registry(&server.url("app"), &impatient());
        fault(&server, path, trouble.clone());
        let error = update(&registry, &main_tag()).unwrap_err();
        assert_eq!(
            (error.reason(), error.class()),
            (reason, class),
            "{path} {trouble:?}: {}",
            windlass_source::chain(&error)
        );
        assert!(windlass_source::chain(&error).contains(message), "{}", windlass_source::chain(&error));
        server.clear_faults();
        update(&registry, &main_tag()).unwrap();
    }
}

#[test]
fn a_server_that_drips_is_cut_off() {
    let server = OciRegistry::start().unwrap();
    server.push("app", "main", &[(TAR, &tgz(&[("a", "1")]))], &[]).unwrap();
    fault(&server, "/blobs/", WebFault::Drip(Duration::from_millis(100)));
    let rig = Rig::with(ArtifactLimits { transfer: Duration::from_millis(500), ..ArtifactLimits::default() });
    let registry = rig.registry(&server.url("app"), &impatient());
    assert_eq!(
        failure(&registry, &main_tag()),
        "cannot get tag main from oci://HOST/app: tag main did not arrive within the limit transfer of 0 seconds"
    );
}

#[test]
fn limits_name_themselves() {
    let server = OciRegistry::start().unwrap();
    server.push("app", "main", &[(TAR, &tgz(&[("a", "1")]))], &[]).unwrap();
    for n in 0..5 {
        server.push("app", &format!("1.{n}.0"), &[(TAR, &tgz(&[("a", "1")]))], &[]).unwrap();
    }
    let usual = ArtifactLimits::default();
    let range = ArtifactTarget::Oci {
        reference: OciReference::Range { range: "1.x".into(), filter: None },
        layer: LayerSelector::Only,
    };
    for (limits, target, name) in [
        (ArtifactLimits { archive_bytes: 20, ..usual }, main_tag(), "archive_bytes of 20 bytes"),
        (ArtifactLimits { manifest_bytes: 20, ..usual }, main_tag(), "manifest_bytes of 20 bytes"),
        (ArtifactLimits { tags: 3, ..usual }, range, "limit tags of 3"),
    ] {
        let rig = Rig::with(limits);
        let text = failure(&rig.registry(&server.url("app"), &Access::default()), &target);
        assert!(text.contains(name), "{text}");
    }
}

#[test]
fn every_trouble_of_a_helm_repository_has_a_name_and_passes() {
    let server = FileServer::start().unwrap();
    let package = packaged("web", "1.0.0");
    let digest = windlass_source::ContentDigest::of(&package);
    server.put("web.tgz", package);
    let index = |digest: &str| {
        format!(
            "apiVersion: v1\nentries:\n  web:\n  - name: web\n    version: 1.0.0\n    digest: {digest}\n    urls: [web.tgz]\n"
        )
    };
    server.put("index.yaml", index(&digest.hex()));
    for (path, trouble, reason, message) in [
        ("/index.yaml", WebFault::Status(500), "RepositoryUnreachable", "500"),
        ("/index.yaml", WebFault::Status(404), "RepositoryNotFound", "there is no repository at"),
        ("/index.yaml", WebFault::Body(b"<html>".to_vec()), "ProtocolError", "it has no apiVersion"),
        ("/index.yaml", WebFault::Body(b"a: [".to_vec()), "ProtocolError", "its index cannot be read"),
        ("/index.yaml", WebFault::Body(vec![0xff, 0xfe, 0xff]), "ProtocolError", ""),
        ("/index.yaml", WebFault::Disconnect, "RepositoryUnreachable", ""),
        ("/index.yaml", WebFault::Hang, "RepositorySilent", ""),
        ("/web.tgz", WebFault::Alter, "DigestMismatch", "was announced as"),
        ("/web.tgz", WebFault::Status(404), "ArtifactNotFound", "there is no chart web 1.0.0"),
        ("/web.tgz", WebFault::CutAfter(30), "RepositoryUnreachable", ""),
    ] {
        let rig = Rig::new();
        let charts = rig.charts(&server.base_url(), &impatient());
        server.clear_faults();
        server.fault(path, usize::MAX, trouble.clone());
        let error = update(&charts, &chart("web", "1.0.0")).unwrap_err();
        assert_eq!(error.reason(), reason, "{path} {trouble:?}: {}", windlass_source::chain(&error));
        assert!(windlass_source::chain(&error).contains(message), "{}", windlass_source::chain(&error));
        server.clear_faults();
        update(&charts, &chart("web", "1.0.0")).unwrap();
    }
    server.put("index.yaml", index("md5:abc"));
    let rig = Rig::new();
    let text = failure(&rig.charts(&server.base_url(), &Access::default()), &chart("web", ""));
    assert!(text.contains("\"md5:abc\", which cannot be checked"), "{text}");
    let rig = Rig::with(ArtifactLimits { index_bytes: 20, ..ArtifactLimits::default() });
    let text = failure(&rig.charts(&server.base_url(), &Access::default()), &chart("web", ""));
    assert!(text.contains("the index is larger than the limit index_bytes of 20 bytes"), "{text}");
}
