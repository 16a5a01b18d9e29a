//! Signatures by people and workloads who showed an authority who they are.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;
use sigstore_verify::trust_root::{SIGSTORE_PRODUCTION_TRUSTED_ROOT, TrustedRoot};
use sigstore_verify::types::bundle::Bundle;
use sigstore_verify::types::{Artifact, DerCertificate, Sha256Hash, SignatureBytes};
use sigstore_verify::{VerificationPolicy, VerificationResult, Verifier};
use windlass_go::re2::Regex;

use super::{ClassicSignature, claims, malformed};
use crate::{PolicyError, Reason, Signer};

/// Certificates of a chain that are read: there are an authority and one between.
const MAX_CHAIN: usize = 8;

/// Somebody whose signature counts: both the issuer and the subject must fit.
#[derive(Clone, Debug)]
pub struct Identity {
    issuer: Wanted,
    subject: Wanted,
}

#[derive(Clone, Debug)]
enum Wanted {
    Exactly(String),
    Pattern(Box<Regex>),
}

impl Identity {
    /// Exactly this issuer (`https://accounts.google.com`) and subject (`release@example.com`).
    #[must_use]
    pub fn exact(issuer: impl Into<String>, subject: impl Into<String>) -> Self {
        Self { issuer: Wanted::Exactly(issuer.into()), subject: Wanted::Exactly(subject.into()) }
    }

    /// Issuers and subjects in which these regular expressions of Go (RE2) find something, as Flux's
    /// `matchOIDCIdentity` has them: who does not write `^` and `$` lets in what only contains the text.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] when one is no regular expression, or is empty.
    pub fn patterns(issuer: &str, subject: &str) -> Result<Self, PolicyError> {
        Ok(Self { issuer: Wanted::pattern(issuer)?, subject: Wanted::pattern(subject)? })
    }

    fn fits(&self, issuer: &str, subject: &str) -> bool {
        self.issuer.fits(issuer) && self.subject.fits(subject)
    }
}

impl Wanted {
    fn pattern(text: &str) -> Result<Self, PolicyError> {
        if text.is_empty() {
            return Err(PolicyError::TooWide("an empty pattern would let every identity in"));
        }
        let pattern = Regex::parse(text).map_err(|error| PolicyError::Pattern {
            pattern: text.to_string(),
            problem: error.to_string(),
        })?;
        Ok(Self::Pattern(Box::new(pattern)))
    }

    fn fits(&self, text: &str) -> bool {
        match self {
            Self::Exactly(wanted) => wanted == text,
            Self::Pattern(pattern) => pattern.is_match(text),
        }
    }

    fn key(&self) -> (bool, &str) {
        match self {
            Self::Exactly(wanted) => (true, wanted),
            Self::Pattern(pattern) => (false, pattern.as_str()),
        }
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.issuer.key() == other.issuer.key() && self.subject.key() == other.subject.key()
    }
}

impl Eq for Identity {}

/// Identities, and who may vouch for them.
#[derive(Clone)]
pub(super) struct Keyless {
    identities: Vec<Identity>,
    /// The text that the verifier was made of.
    root: Arc<str>,
    verifier: Arc<Verifier>,
}

impl PartialEq for Keyless {
    fn eq(&self, other: &Self) -> bool {
        self.identities == other.identities && self.root == other.root
    }
}

impl Eq for Keyless {}

impl fmt::Debug for Keyless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyless").field("identities", &self.identities).finish_non_exhaustive()
    }
}

impl Keyless {
    pub(super) fn new(identities: Vec<Identity>, root: Option<&str>) -> Result<Self, PolicyError> {
        if identities.is_empty() {
            let problem =
                "without a key, and without an identity of issuer and subject, everybody could sign";
            return Err(PolicyError::TooWide(problem));
        }
        let text = root.unwrap_or(SIGSTORE_PRODUCTION_TRUSTED_ROOT);
        let unusable = |problem: String| PolicyError::Unusable { what: "the trusted root", problem };
        let trusted = TrustedRoot::from_json(text).map_err(|error| unusable(error.to_string()))?;
        let verifier = Verifier::new(&trusted).map_err(|error| unusable(error.to_string()))?;
        Ok(Self { identities, root: text.into(), verifier: Arc::new(verifier) })
    }

    pub(super) fn check_bundle(&self, bytes: &[u8], digest: &str) -> Result<Signer, Reason> {
        let bundle = claims::read_bundle(bytes)?;
        let envelope = claims::envelope(&bundle)?;
        if bundle.signing_certificate().is_none() {
            return Err(Reason::OtherKind("a key made it, and identities are asked for"));
        }
        let signer = self.verify(claims::sha256(digest)?, &bundle)?;
        // The library has compared the digest too, but may look at others than SHA-256.
        claims::check_statement(envelope, digest)?;
        Ok(signer)
    }

    pub(super) fn check_classic(&self, classic: &ClassicSignature, signed: &[u8]) -> Result<Signer, Reason> {
        let Some(certificate) = &classic.certificate else {
            return Err(Reason::OtherKind("a key made it, and identities are asked for"));
        };
        let Some(log_entry) = &classic.log_entry else {
            return Err(Reason::Invalid("no log has seen it".to_string()));
        };
        let bundle = as_bundle(certificate, classic.chain.as_deref(), log_entry, &classic.payload, signed)?;
        self.verify(classic.payload.as_slice(), &bundle)
    }

    fn verify<'a>(&self, artifact: impl Into<Artifact<'a>>, bundle: &Bundle) -> Result<Signer, Reason> {
        let policy = VerificationPolicy::any_identity();
        let result = self
            .verifier
            .verify(artifact, bundle, &policy)
            .map_err(|error| Reason::Invalid(error.to_string()))?;
        if !(result.certificate_verified() && result.sct_verified() && result.tlog_verified()) {
            return Err(Reason::Invalid("not everything of it was checked".to_string()));
        }
        self.identify(&result)
    }

    fn identify(&self, result: &VerificationResult) -> Result<Signer, Reason> {
        let subject = result.identity().map(|it| it.as_str().to_string()).unwrap_or_default();
        let issuer = result.issuer().unwrap_or_default().to_string();
        if subject.is_empty() || issuer.is_empty() {
            return Err(Reason::Invalid("its certificate names no issuer or no subject".to_string()));
        }
        if self.identities.iter().any(|identity| identity.fits(&issuer, &subject)) {
            Ok(Signer::Identity { subject, issuer })
        } else {
            Err(Reason::OtherIdentity { subject, issuer })
        }
    }
}

/// What Rekor promised, as cosign writes it into an annotation.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LogEntry {
    signed_entry_timestamp: String,
    payload: LogPayload,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogPayload {
    body: String,
    integrated_time: i64,
    log_index: u64,
    #[serde(rename = "logID")]
    log_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    kind: String,
    api_version: String,
}

/// A classic signature in the form of the first bundles, in which the promise of the log is the evidence.
fn as_bundle(
    certificate: &str,
    chain: Option<&str>,
    log_entry: &str,
    payload: &[u8],
    signed: &[u8],
) -> Result<Bundle, Reason> {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let unreadable = |error: &dyn fmt::Display| malformed("the entry of the log", error);
    let entry: LogEntry = serde_json::from_str(log_entry).map_err(|error| unreadable(&error))?;
    let body = STANDARD.decode(&entry.payload.body).map_err(|error| unreadable(&error))?;
    let body: Body = serde_json::from_slice(&body).map_err(|error| unreadable(&error))?;
    let log_id = Sha256Hash::from_hex(&entry.payload.log_id).map_err(|error| unreadable(&error))?;
    let mut certificates = Vec::new();
    for text in [Some(certificate), chain].into_iter().flatten() {
        for pem in blocks(text).take(MAX_CHAIN) {
            let der = DerCertificate::from_pem(pem).map_err(|error| malformed("the certificate", &error))?;
            certificates.push(json!({"rawBytes": der.to_base64()}));
        }
    }
    let value = json!({
        "mediaType": "application/vnd.dev.sigstore.bundle+json;version=0.1",
        "verificationMaterial": {
            "x509CertificateChain": {"certificates": certificates},
            "tlogEntries": [{
                "logIndex": entry.payload.log_index.to_string(),
                "logId": {"keyId": STANDARD.encode(log_id.as_bytes())},
                "kindVersion": {"kind": body.kind, "version": body.api_version},
                "integratedTime": entry.payload.integrated_time.to_string(),
                "inclusionPromise": {"signedEntryTimestamp": entry.signed_entry_timestamp},
                "canonicalizedBody": entry.payload.body,
            }],
        },
        "messageSignature": {
            "messageDigest": {
                "algorithm": "SHA2_256",
                "digest": STANDARD.encode(sigstore_verify::crypto::sha256(payload).as_bytes()),
            },
            "signature": SignatureBytes::from_bytes(signed).to_base64(),
        },
    });
    Bundle::from_json(&value.to_string()).map_err(|error| malformed("the signature", &error))
}

/// The blocks of a PEM text.
fn blocks(text: &str) -> impl Iterator<Item = &str> {
    const END: &str = "-----END CERTIFICATE-----";
    text.split_inclusive(END).filter(|block| block.contains(END))
}
