//! Artifacts that must be signed: what cosign pushed, from a registry, byte for byte.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;
use windlass_source::artifact_signature::{COSE, Cosign, Identity, JWS, MAX_SIGNATURES, Notation};
use windlass_source::{
    Access, ArtifactKind, ArtifactOptions, ArtifactRepository, ArtifactTarget, ErrorClass, LayerSelector,
    OciReference, Verification, VerificationRule, Verifications, chain,
};
use windlass_testing::{FileServer, OciRegistry, WebFault};

use super::{Rig, set, text_at, update};

const REPOSITORY: &str = "apps/web";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recording {
    trusted_root: Value,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    digest: String,
    manifests: BTreeMap<String, Manifest>,
    blobs: BTreeMap<String, String>,
    #[serde(default)]
    keys: Vec<String>,
    #[serde(default)]
    identities: Vec<Wanted>,
    verified: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    media_type: String,
    body: String,
}

#[derive(Deserialize)]
struct Wanted {
    issuer: String,
    subject: String,
}

/// Where `windlass-artifact-signature` says why we answer otherwise than cosign.
const DIFFERENCES: &[&str] = &[
    "key/classic/p521",
    "key/bundle/p521",
    "key/classic/payload-of-another-type",
    "key/classic/and-bundle-of-another-key",
];

fn recording() -> Recording {
    let text = include_str!("../../../windlass-artifact-signature/tests/cosign.json");
    serde_json::from_str(text).unwrap()
}

impl Recording {
    fn case(&self, name: &str) -> &Case {
        self.cases.iter().find(|case| case.name == name).unwrap()
    }
}

impl Case {
    fn push(&self, server: &OciRegistry) {
        for (reference, manifest) in &self.manifests {
            let tag = Some(reference.as_str()).filter(|it| !it.starts_with("sha256:"));
            let bytes = STANDARD.decode(&manifest.body).unwrap();
            server.push_manifest_bytes(REPOSITORY, tag, &manifest.media_type, &bytes);
        }
        for blob in self.blobs.values() {
            server.push_blob(&STANDARD.decode(blob).unwrap());
        }
    }

    fn verification(&self, root: &Value) -> Option<Verification> {
        let cosign = if self.keys.is_empty() {
            let patterns = |it: &Wanted| Identity::patterns(&it.issuer, &it.subject).unwrap();
            Cosign::keyless(self.identities.iter().map(patterns).collect(), Some(&root.to_string()))
        } else {
            Cosign::with_keys(self.keys.iter().map(String::as_str))
        };
        cosign.ok().map(Verification::Cosign)
    }
}

fn repository(rig: &Rig, server: &OciRegistry, verification: Verification) -> Arc<ArtifactRepository> {
    let verifications = Verifications::of_everything(verification);
    let access = Access { plain_http: true, verifications, ..Access::default() };
    let options = ArtifactOptions::default();
    let url = server.url(REPOSITORY).parse().unwrap();
    rig.store.repository(&url, ArtifactKind::Oci, &access, &options).unwrap()
}

fn tag(text: &str) -> ArtifactTarget {
    ArtifactTarget::Oci { reference: OciReference::Tag(text.into()), layer: LayerSelector::Only }
}

#[test]
fn what_cosign_pushed_is_verified_as_cosign_does() {
    let recording = recording();
    for has_list in [false, true] {
        let mut n_verified = 0;
        for case in recording.cases.iter().filter(|case| !DIFFERENCES.contains(&case.name.as_str())) {
            let server = OciRegistry::start().unwrap();
            case.push(&server);
            if has_list {
                server.list_referrers();
                server.remove_tag(REPOSITORY, &case.digest.replace(':', "-"));
            }
            let rig = Rig::new();
            let verification = case.verification(&recording.trusted_root).unwrap();
            let found = update(&repository(&rig, &server, verification), &tag("1.0.0"));
            assert_eq!(found.is_ok(), case.verified, "{}: {:?}", case.name, found.map_err(|it| chain(&it)));
            if let Ok(snapshot) = found {
                assert_eq!(snapshot.revision.digest.to_string(), case.digest);
                assert!(snapshot.signers.len() == 1 && text_at(&snapshot, "app.yaml").is_some());
                n_verified += 1;
            }
        }
        assert!(n_verified > 20, "{n_verified}");
    }
}

#[test]
fn an_unsigned_artifact_is_no_revision() {
    let recording = recording();
    let (case, other) = (recording.case("key/none"), recording.case("key/classic/other-key"));
    let server = OciRegistry::start().unwrap();
    case.push(&server);
    let rig = Rig::new();
    let registry = repository(&rig, &server, case.verification(&Value::Null).unwrap());
    let error = update(&registry, &tag("1.0.0")).unwrap_err();
    assert_eq!((error.class(), error.reason()), (ErrorClass::Configuration, "NotSigned"));
    assert!(chain(&error).ends_with("it is not signed as is asked for: it has no signature"), "{error}");
    // Nor is it shown as one before anything of it is fetched.
    let resolved = registry.resolve(&set(&[tag("1.0.0")]), windlass_source::Freshness::New);
    assert!(resolved[&tag("1.0.0")].is_err());
    let fetched = server.requests().iter().any(|request| request.path.contains("/blobs/"));
    assert!(!fetched, "{:?}", server.requests());
    other.push(&server);
    let registry = repository(&rig, &server, other.verification(&Value::Null).unwrap());
    let error = update(&registry, &tag("1.0.0")).unwrap_err();
    assert_eq!(error.reason(), "SignatureRefused");
    assert!(chain(&error).contains("none of its 1 signatures counts: no trusted key made it"), "{error}");
}

#[test]
fn a_digest_is_looked_at_once() {
    let recording = recording();
    let case = recording.case("key/bundle/p256");
    let server = OciRegistry::start().unwrap();
    case.push(&server);
    let rig = Rig::new();
    let registry = repository(&rig, &server, case.verification(&Value::Null).unwrap());
    update(&registry, &tag("1.0.0")).unwrap();
    server.forget_requests();
    update(&registry, &tag("1.0.0")).unwrap();
    let asked: Vec<_> =
        server.requests().into_iter().map(|it| format!("{} {}", it.method, it.path)).collect();
    assert_eq!(asked, ["HEAD /v2/apps/web/manifests/1.0.0"]);
    // Another policy has not looked yet.
    let other = recording.case("key/bundle/rsa2048").verification(&Value::Null).unwrap();
    assert!(update(&repository(&rig, &server, other), &tag("1.0.0")).is_err());
}

#[test]
fn a_registry_that_cannot_be_asked_is_no_reason_to_believe() {
    let recording = recording();
    let case = recording.case("key/classic/p256");
    let server = OciRegistry::start().unwrap();
    case.push(&server);
    let rig = Rig::new();
    let registry = repository(&rig, &server, case.verification(&Value::Null).unwrap());
    server.fault("/referrers/", usize::MAX, WebFault::Status(503));
    let error = update(&registry, &tag("1.0.0")).unwrap_err();
    assert_eq!((error.class(), error.reason()), (ErrorClass::Transient, "RepositoryUnreachable"));
    server.clear_faults();
    update(&registry, &tag("1.0.0")).unwrap();
}

#[test]
fn a_list_full_of_rubbish_hides_no_signature() {
    let recording = recording();
    let case = recording.case("key/classic/p256");
    let server = OciRegistry::start().unwrap();
    case.push(&server);
    let junk: Vec<_> = (0..3 * MAX_SIGNATURES)
        .map(|at| {
            serde_json::json!({
                "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": format!("sha256:{at:064x}"),
                "size": 1, "artifactType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            })
        })
        .collect();
    let index = serde_json::json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": junk,
    });
    let media_type = "application/vnd.oci.image.index.v1+json";
    server.push_manifest(REPOSITORY, &case.digest.replace(':', "-"), media_type, &index).unwrap();
    let rig = Rig::new();
    let registry = repository(&rig, &server, case.verification(&Value::Null).unwrap());
    update(&registry, &tag("1.0.0")).unwrap();
    assert!(server.requests().len() < MAX_SIGNATURES, "{}", server.requests().len());
}

#[test]
fn only_what_can_be_verified_may_be_asked_for() {
    let recording = recording();
    let verification = recording.case("key/none").verification(&Value::Null).unwrap();
    let server = FileServer::start().unwrap();
    let rig = Rig::new();
    let verifications = Verifications::of_everything(verification);
    let access = Access { verifications, ..Access::default() };
    let url = server.base_url().parse().unwrap();
    for kind in [ArtifactKind::HelmRepository, ArtifactKind::Archive, ArtifactKind::Buckets] {
        let error = rig.store.repository(&url, kind, &access, &ArtifactOptions::default()).unwrap_err();
        assert_eq!(error.reason(), "SignatureUnsupported", "{kind:?}");
    }
}

#[test]
fn rules_are_for_the_repositories_that_they_name() {
    let recording = recording();
    let case = recording.case("key/classic/p256");
    let server = OciRegistry::start().unwrap();
    case.push(&server);
    let rig = Rig::new();
    let host = server.address();
    let key = |case: &Case| case.keys[0].replace('\n', "\n  ");
    let rule = |repositories: &str, case: &Case| {
        let text =
            format!("repositories: ['{repositories}']\nprovider: cosign\nkeys:\n- |\n  {}\n", key(case));
        let rule = VerificationRule::read(&text);
        assert_eq!(rule.problem(), None);
        rule
    };
    let (good, other) = (case, recording.case("key/classic/rsa2048"));
    let here = format!("oci://{host}/apps/*");
    for (rules, reason) in [
        (vec![rule(&here, good)], None),
        (vec![rule(&here, other)], Some("SignatureRefused")),
        // Everything that is asked for must hold.
        (vec![rule(&here, good), rule("*", other)], Some("SignatureRefused")),
        (vec![rule(&here, good), rule("oci://elsewhere/*", other)], None),
        (vec![rule(&here, good), VerificationRule::read("{")], Some("SignaturePolicyInvalid")),
    ] {
        let access =
            Access { plain_http: true, verifications: Verifications::new(rules), ..Access::default() };
        // The address of a folder of repositories, as charts have it.
        for (url, target) in [
            (server.url(REPOSITORY), tag("1.0.0")),
            (server.url("apps"), ArtifactTarget::Chart { name: "web".into(), version: "1.0.0".into() }),
        ] {
            let options = ArtifactOptions::default();
            let url = url.parse().unwrap();
            let registry = rig.store.repository(&url, ArtifactKind::Oci, &access, &options).unwrap();
            let found =
                registry.resolve(&set(std::slice::from_ref(&target)), windlass_source::Freshness::New);
            let found = found[&target].as_ref().err().map(windlass_source::SourceError::reason);
            assert_eq!(found, reason, "{url:?} {access:?}");
        }
    }
}

/// What notation pushes: a manifest that refers to the artifact, and the envelope as its only layer.
#[test]
fn what_notation_signed_is_verified_under_a_trust_policy() {
    verified_under_a_trust_policy(
        JWS,
        include_str!("../../../windlass-artifact-signature/tests/notation.json"),
    );
    verified_under_a_trust_policy(
        COSE,
        include_str!("../../../windlass-artifact-signature/tests/notation-cose.json"),
    );
}

fn verified_under_a_trust_policy(envelope_type: &str, recording: &str) {
    let recording: Value = serde_json::from_str(recording).unwrap();
    let case = |name: &str| {
        recording["cases"].as_array().unwrap().iter().find(|case| case["name"] == name).unwrap().clone()
    };
    let (media_type, empty) =
        ("application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.empty.v1+json");
    let server = OciRegistry::start().unwrap();
    server.list_referrers();
    let good = case("policy/strict");
    // The artifact that was signed is only the text of a digest; here it is what has it.
    let artifact = b"artifact of artifact";
    server.push_manifest_bytes(REPOSITORY, Some("1.0.0"), media_type, artifact);
    let digest = good["digest"].as_str().unwrap();
    let envelope = STANDARD.decode(good["signature"].as_str().unwrap()).unwrap();
    server.push_blob(&envelope);
    server.push_blob(b"{}");
    let rig = Rig::new();
    let access = |policy: &Value| {
        let certificates = good["certificates"].as_array().unwrap().iter();
        let certificates = certificates.map(|text| text.as_str().unwrap()).collect::<Vec<_>>();
        let notation = Notation::new(&policy.to_string(), certificates).unwrap();
        let verifications = Verifications::of_everything(Verification::Notation(notation));
        Access { plain_http: true, verifications, ..Access::default() }
    };
    let reason = |policy: &Value| {
        let url = server.url(REPOSITORY).parse().unwrap();
        let options = ArtifactOptions::default();
        let registry = rig.store.repository(&url, ArtifactKind::Oci, &access(policy), &options).unwrap();
        update(&registry, &tag("1.0.0")).unwrap_err().reason()
    };
    let mut policy = good["policy"].clone();
    assert_eq!(reason(&policy), "NotSigned");
    let layer = serde_json::json!({
        "mediaType": envelope_type, "digest": digest_of(&envelope), "size": envelope.len(),
    });
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": media_type, "artifactType": "application/vnd.cncf.notary.signature",
        "config": {"mediaType": empty, "digest": digest_of(b"{}"), "size": 2}, "layers": [layer],
        "subject": {"mediaType": media_type, "digest": digest, "size": artifact.len()},
    });
    server.push_manifest(REPOSITORY, "signature", media_type, &manifest).unwrap();
    // It is signed, and what has the digest is no manifest.
    policy["trustPolicies"][0]["name"] = "again".into();
    assert_eq!(reason(&policy), "ProtocolError");
    policy["trustPolicies"][0]["registryScopes"] =
        serde_json::json!([format!("{}/{REPOSITORY}", server.address())]);
    assert_eq!(reason(&policy), "ProtocolError");
    policy["trustPolicies"][0]["registryScopes"] = serde_json::json!(["registry.example.com/apps/web"]);
    assert_eq!(reason(&policy), "SignatureRefused");
}

fn digest_of(bytes: &[u8]) -> String {
    use sha2::{Digest as _, Sha256};
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}
