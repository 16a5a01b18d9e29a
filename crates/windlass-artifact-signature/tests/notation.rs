//! What notation says of signatures, and what we say: recorded by `tools/oracle-notation` from notation-go 1.3.2.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Value, json};
use windlass_artifact_signature::{COSE, JWS, Notation, Refusal, Signature, Signer, Verification};

#[derive(Deserialize)]
struct Recording {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    repository: String,
    digest: String,
    signature: String,
    certificates: Option<Vec<String>>,
    policy: Value,
    verified: bool,
}

/// Where we refuse what notation takes: what is critical and not understood.
const STRICTER: &str = "attribute/unknown-critical/";

/// What was recorded of envelopes of each kind.
fn recordings() -> [(&'static str, Recording); 2] {
    let read = |text: &str| serde_json::from_str(text).unwrap();
    [(JWS, read(include_str!("notation.json"))), (COSE, read(include_str!("notation-cose.json")))]
}

fn recording() -> Recording {
    recordings().into_iter().next().unwrap().1
}

impl Case {
    fn policy(&self) -> Verification {
        let certificates = self.certificates.iter().flatten().map(String::as_str);
        Verification::Notation(Notation::new(&self.policy.to_string(), certificates).unwrap())
    }

    fn bytes(&self) -> Vec<u8> {
        STANDARD.decode(&self.signature).unwrap()
    }

    fn check(&self, bytes: Vec<u8>) -> Result<Signer, Refusal> {
        self.check_as(JWS, bytes)
    }

    fn check_as(&self, media_type: &str, bytes: Vec<u8>) -> Result<Signer, Refusal> {
        let signature = Signature::Notation { media_type: media_type.into(), envelope: bytes };
        self.policy().check(&self.repository, &self.digest, &[signature])
    }
}

#[test]
fn what_notation_believes_is_believed_and_nothing_else() {
    for (media_type, recording) in recordings() {
        believed_as_recorded(media_type, recording);
    }
}

fn believed_as_recorded(media_type: &str, recording: Recording) {
    let (mut n_good, mut n_bad, mut wrong) = (0, 0, Vec::new());
    for case in recording.cases {
        let found = case.check_as(media_type, case.bytes());
        let is_stricter = case.name.starts_with(STRICTER);
        assert!(!is_stricter || case.verified, "{}: no longer different", case.name);
        if found.is_ok() != (case.verified && !is_stricter) {
            wrong.push(format!("{media_type} {}: {found:?}", case.name));
        }
        if found.is_ok() { n_good += 1 } else { n_bad += 1 }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(n_good > 30 && n_bad > 25, "{n_good} {n_bad}");
}

#[test]
fn who_has_signed_is_told_and_who_is_not_known_is_not() {
    let recording = recording();
    let signer = |name: &str| {
        let case = recording.cases.iter().find(|case| case.name == name).unwrap();
        case.check(case.bytes()).unwrap().to_string()
    };
    assert!(signer("policy/strict").contains("Acme"), "{}", signer("policy/strict"));
    for name in ["policy/skip", "policy/audit/untrusted"] {
        assert_eq!(signer(name), Signer::Nobody.to_string(), "{name}");
    }
    let skip = recording.cases.iter().find(|case| case.name == "policy/skip").unwrap();
    assert_eq!(skip.policy().check(&skip.repository, &skip.digest, &[]), Ok(Signer::Nobody));
    let strict = recording.cases.iter().find(|case| case.name == "policy/strict").unwrap();
    assert_eq!(strict.policy().check(&strict.repository, &strict.digest, &[]), Err(Refusal::Unsigned));
}

#[test]
fn nothing_of_what_holds_can_be_changed() {
    let recording = recording();
    let case = recording.cases.iter().find(|case| case.name == "policy/strict").unwrap();
    let good: Value = serde_json::from_slice(&case.bytes()).unwrap();
    for part in ["payload", "protected", "signature"] {
        let bytes = URL_SAFE_NO_PAD.decode(good[part].as_str().unwrap()).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << (at % 8);
            let mut envelope = good.clone();
            envelope[part] = json!(URL_SAFE_NO_PAD.encode(changed));
            assert!(case.check(envelope.to_string().into_bytes()).is_err(), "{part} {at}");
        }
    }
}

#[test]
fn nothing_of_what_holds_in_cose_can_be_changed() {
    let [_, (_, recording)] = recordings();
    let case = recording.cases.iter().find(|case| case.name == "policy/strict").unwrap();
    let good = case.bytes();
    case.check_as(COSE, good.clone()).unwrap();
    assert!(case.check_as("application/x", good.clone()).is_err());
    // The name of the program that signed is not signed, nor is the chain beyond the certificates that are in it.
    let agent = b"windlass oracle";
    let unsigned = good.windows(agent.len()).position(|part| part == agent).unwrap();
    for at in (0..good.len()).filter(|at| !(unsigned..unsigned + agent.len()).contains(at)) {
        let mut changed = good.clone();
        changed[at] ^= 1 << (at % 8);
        // The key of the unsigned header that nobody reads may be another one.
        let key = b"io.cncf.notary.signingAgent";
        let is_of_key = good.windows(key.len()).position(|part| part == key);
        if is_of_key.is_some_and(|from| (from..from + key.len() + 2).contains(&at)) {
            continue;
        }
        assert!(case.check_as(COSE, changed).is_err(), "{at}");
    }
}

#[test]
fn policies_that_mean_nothing_are_refused() {
    let statement = |change: Value| {
        let mut statement = json!({
            "name": "s", "registryScopes": ["*"], "signatureVerification": {"level": "strict"},
            "trustStores": ["ca:x"], "trustedIdentities": ["*"],
        });
        for (key, value) in change.as_object().unwrap() {
            statement[key] = value.clone();
        }
        json!({"version": "1.0", "trustPolicies": [statement]})
    };
    let read = |policy: &Value| Notation::new(&policy.to_string(), []).map(|_| ());
    assert_eq!(read(&statement(json!({}))), Ok(()));
    for bad in [
        json!({}),
        json!({"version": "2.0", "trustPolicies": []}),
        json!({"version": "1.0", "trustPolicies": []}),
        statement(json!({"unknown": 1})),
        statement(json!({"registryScopes": []})),
        statement(json!({"registryScopes": ["*", "r/x"]})),
        statement(json!({"registryScopes": ["r/*"]})),
        statement(json!({"trustStores": []})),
        statement(json!({"trustStores": ["tsa:x"]})),
        statement(json!({"trustedIdentities": []})),
        statement(json!({"trustedIdentities": ["*", "x509.subject: C=US, ST=WA, O=x"]})),
        statement(json!({"trustedIdentities": ["x509.subject: C=US"]})),
        statement(json!({"trustedIdentities": ["somebody"]})),
        statement(json!({"signatureVerification": {"level": "lax"}})),
        statement(json!({"signatureVerification": {"level": "skip", "override": {"expiry": "log"}}})),
        statement(json!({"signatureVerification": {"level": "strict", "override": {"integrity": "log"}}})),
        statement(json!({"signatureVerification": {"level": "strict", "override": {"expiry": "perhaps"}}})),
    ] {
        assert!(read(&bad).is_err(), "{bad}");
    }
    assert!(Notation::new(&statement(json!({})).to_string(), ["nonsense"]).is_err());
}
