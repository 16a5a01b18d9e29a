//! What cosign says of signatures, and what we say: recorded by `tools/oracle-cosign` from cosign 3.1.3.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;
use windlass_artifact_signature::{
    ClassicSignature, Cosign, Identity, MAX_SIGNATURES, PolicyError, Refusal, Signature, Verification,
};

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
struct Manifest {
    body: String,
}

#[derive(Deserialize)]
struct Wanted {
    issuer: String,
    subject: String,
}

/// Where we answer otherwise, and why.
const DIFFERENCES: &[(&str, bool, &str)] = &[
    ("key/classic/p521", false, "P-521 is not supported"),
    ("key/bundle/p521", false, "P-521 is not supported"),
    ("key/classic/payload-of-another-type", false, "what is signed must say that it is an image"),
    ("key/classic/and-bundle-of-another-key", true, "a good signature counts whatever lies beside it"),
];

fn recording() -> Recording {
    serde_json::from_str(include_str!("cosign.json")).unwrap()
}

impl Case {
    fn manifest(&self, reference: &str) -> Option<Value> {
        let body = STANDARD.decode(&self.manifests.get(reference)?.body).unwrap();
        Some(serde_json::from_slice(&body).unwrap())
    }

    fn layers(&self, manifest: &Value) -> Vec<(Value, Vec<u8>)> {
        let layers = manifest["layers"].as_array().unwrap().iter();
        let blob = |layer: &Value| STANDARD.decode(&self.blobs[layer["digest"].as_str().unwrap()]).unwrap();
        layers.map(|layer| (layer.clone(), blob(layer))).collect()
    }

    fn signatures(&self) -> Vec<Signature> {
        let tag = self.digest.replace(':', "-");
        let mut found = Vec::new();
        for referrer in self.manifest(&tag).iter().flat_map(|it| it["manifests"].as_array().unwrap()) {
            let manifest = self.manifest(referrer["digest"].as_str().unwrap()).unwrap();
            found.extend(self.layers(&manifest).into_iter().map(|(_, bytes)| Signature::Bundle(bytes)));
        }
        for (layer, payload) in
            self.manifest(&format!("{tag}.sig")).iter().flat_map(|manifest| self.layers(manifest))
        {
            let annotation =
                |name: &str| layer["annotations"][name].as_str().filter(|it| !it.is_empty()).map(Into::into);
            found.push(Signature::Classic(ClassicSignature {
                payload,
                signature: annotation("dev.cosignproject.cosign/signature").unwrap_or_default(),
                certificate: annotation("dev.sigstore.cosign/certificate"),
                chain: annotation("dev.sigstore.cosign/chain"),
                log_entry: annotation("dev.sigstore.cosign/bundle"),
            }));
        }
        found
    }

    fn policy(&self, root: &str) -> Result<Verification, PolicyError> {
        let cosign = if self.keys.is_empty() {
            let patterns = |it: &Wanted| Identity::patterns(&it.issuer, &it.subject).unwrap();
            Cosign::keyless(self.identities.iter().map(patterns).collect(), Some(root))
        } else {
            Cosign::with_keys(self.keys.iter().map(String::as_str))
        };
        cosign.map(Verification::Cosign)
    }
}

#[test]
fn what_cosign_believes_is_believed_and_nothing_else() {
    let recording = recording();
    let root = recording.trusted_root.to_string();
    let (mut n_good, mut n_bad, mut wrong) = (0, 0, Vec::new());
    for case in &recording.cases {
        let found = case
            .policy(&root)
            .map(|policy| policy.check("registry/apps/web", &case.digest, &case.signatures()));
        let verified = matches!(found, Ok(Ok(_)));
        let difference = DIFFERENCES.iter().find(|(name, ..)| *name == case.name);
        let expected = difference.map_or(case.verified, |(_, ours, _)| *ours);
        assert!(difference.is_none() || expected != case.verified, "{}: no longer different", case.name);
        if verified != expected {
            wrong.push(format!("{}: {found:?}", case.name));
        }
        if verified { n_good += 1 } else { n_bad += 1 }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(n_good > 20 && n_bad > 40, "{n_good} {n_bad}");
}

/// Flips each bit of everything that is signed or signs, in the cases that hold.
#[test]
fn nothing_of_what_holds_can_be_changed() {
    let recording = recording();
    let root = recording.trusted_root.to_string();
    let mut n_changes = 0;
    for name in ["key/classic/p256", "key/bundle/p256", "keyless/classic/good", "keyless/bundle/good"] {
        let case = recording.cases.iter().find(|case| case.name == name).unwrap();
        let policy = case.policy(&root).unwrap();
        let good = case.signatures();
        assert!(policy.check("registry/apps/web", &case.digest, &good).is_ok(), "{name}");
        let other = format!("sha256:{}", "ab".repeat(32));
        assert!(policy.check("registry/apps/web", &other, &good).is_err(), "{name}");
        match &good[0] {
            Signature::Classic(classic) => {
                for at in 0..classic.payload.len() {
                    let mut changed = classic.clone();
                    changed.payload[at] ^= 1 << (at % 8);
                    assert!(
                        policy
                            .check("registry/apps/web", &case.digest, &[Signature::Classic(changed)])
                            .is_err(),
                        "{name} {at}"
                    );
                    n_changes += 1;
                }
            }
            Signature::Bundle(bytes) => {
                let bundle: Value = serde_json::from_slice(bytes).unwrap();
                let payload = STANDARD.decode(bundle["dsseEnvelope"]["payload"].as_str().unwrap()).unwrap();
                for at in 0..payload.len() {
                    let mut changed = payload.clone();
                    changed[at] ^= 1 << (at % 8);
                    let mut bundle = bundle.clone();
                    bundle["dsseEnvelope"]["payload"] = STANDARD.encode(changed).into();
                    let changed = Signature::Bundle(bundle.to_string().into_bytes());
                    assert!(
                        policy.check("registry/apps/web", &case.digest, &[changed]).is_err(),
                        "{name} {at}"
                    );
                    n_changes += 1;
                }
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(n_changes > 500, "{n_changes}");
}

#[test]
fn an_endless_list_of_signatures_is_not_looked_at() {
    let recording = recording();
    let case = recording.cases.iter().find(|case| case.name == "key/classic/p256").unwrap();
    let policy = case.policy("").unwrap();
    let junk = Signature::Classic(ClassicSignature { signature: "AAAA".into(), ..Default::default() });
    let mut signatures = vec![junk; MAX_SIGNATURES];
    signatures.extend(case.signatures());
    let refusal = policy.check("registry/apps/web", &case.digest, &signatures).unwrap_err();
    let reasons = vec!["no trusted key made it".to_string()];
    assert_eq!(refusal, Refusal::NoneCounts { looked_at: MAX_SIGNATURES, reasons });
}

#[test]
fn policies_that_would_let_everybody_in_are_none() {
    assert!(matches!(Cosign::keyless(Vec::new(), None), Err(PolicyError::TooWide(_))));
    assert!(matches!(Identity::patterns("", ".*"), Err(PolicyError::TooWide(_))));
    assert!(matches!(Identity::patterns("(", ".*"), Err(PolicyError::Pattern { .. })));
    assert!(Cosign::with_keys([]).is_err());
    assert!(Cosign::with_keys(["nonsense"]).is_err());
    assert!(Cosign::keyless(vec![Identity::exact("i", "s")], Some("{}")).is_err());
    // What Sigstore's public service is known by is readable.
    assert!(Cosign::keyless(vec![Identity::exact("i", "s")], None).is_ok());
}
