//! What a signature says that it is of.

use serde::Deserialize;
use sigstore_verify::types::bundle::Bundle;
use sigstore_verify::types::{DsseEnvelope, MediaType, Sha256Hash, SignatureContent, Statement};

use super::malformed;
use crate::Reason;

/// What a classic payload must be (specification of cosign's signatures, `critical.type`). cosign itself does not look.
const PAYLOAD_TYPE: &str = "cosign container image signature";

/// What the envelope of a bundle must hold.
const STATEMENT_TYPE: &str = "application/vnd.in-toto+json";

#[derive(Deserialize)]
struct Payload {
    critical: Critical,
}

#[derive(Deserialize)]
struct Critical {
    image: Image,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    digest: String,
}

/// Whether a classic payload is of this digest.
pub(super) fn check_payload(payload: &[u8], digest: &str) -> Result<(), Reason> {
    let payload: Payload =
        serde_json::from_slice(payload).map_err(|error| malformed("what is signed", &error))?;
    if payload.critical.kind != PAYLOAD_TYPE {
        return Err(Reason::OtherKind("what is signed is no image"));
    }
    if payload.critical.image.digest != digest {
        return Err(Reason::OtherArtifact(payload.critical.image.digest));
    }
    Ok(())
}

/// A bundle, and the envelope in it.
///
/// Only the newest form is taken: the older ones can say less of a log, and whoever pushes would choose them.
pub(super) fn read_bundle(bytes: &[u8]) -> Result<Bundle, Reason> {
    let text = std::str::from_utf8(bytes).map_err(|error| malformed("the bundle", &error))?;
    let bundle = Bundle::from_json(text).map_err(|error| malformed("the bundle", &error))?;
    if bundle.media_type() != MediaType::Bundle0_3 {
        return Err(Reason::OtherKind("it is a bundle of an older form than 0.3"));
    }
    Ok(bundle)
}

pub(super) fn envelope(bundle: &Bundle) -> Result<&DsseEnvelope, Reason> {
    match &bundle.content {
        SignatureContent::DsseEnvelope(envelope) => Ok(envelope),
        _ => Err(Reason::OtherKind("its bundle has no statement")),
    }
}

/// Whether a statement is of this digest.
pub(super) fn check_statement(envelope: &DsseEnvelope, digest: &str) -> Result<(), Reason> {
    if envelope.payload_type != STATEMENT_TYPE {
        return Err(Reason::OtherKind("what is signed is no statement"));
    }
    let statement: Statement = serde_json::from_slice(envelope.payload.as_bytes())
        .map_err(|error| malformed("the statement", &error))?;
    if !statement.matches_sha256(&sha256(digest)?) {
        let subject = statement.subject.first().and_then(|subject| subject.digest.sha256);
        let subject =
            subject.map_or("something else".to_string(), |hash| format!("sha256:{}", hash.to_hex()));
        return Err(Reason::OtherArtifact(subject));
    }
    Ok(())
}

/// A digest as the library has it.
pub(super) fn sha256(digest: &str) -> Result<Sha256Hash, Reason> {
    let hex = digest.strip_prefix("sha256:").unwrap_or_default();
    Sha256Hash::from_hex(hex).map_err(|_| malformed("the artifact's digest", &"it is no SHA-256"))
}
