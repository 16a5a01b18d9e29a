//! Envelopes of the Notary Project (signature specification 1.0), however they are written.

use aws_lc_rs::signature::{self, VerificationAlgorithm};
use serde::Deserialize;

use super::certificate::{Certificate, KeyKind, check_chain};
use super::{COSE, JWS, cose, jws};
use crate::Reason;
use crate::cosign::malformed;

const PAYLOAD_TYPE: &str = "application/vnd.cncf.notary.payload.v1+json";

/// Certificates of a chain that are read.
pub(super) const MAX_CHAIN: usize = 10;

/// What must be critical, and nothing else may be: what is critical and not understood changes the meaning.
const SCHEME: &str = "io.cncf.notary.signingScheme";
const AUTHENTIC_TIME: &str = "io.cncf.notary.authenticSigningTime";
const EXPIRY: &str = "io.cncf.notary.expiry";

/// Who says when it was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    /// `notary.x509`: nobody; the certificates must hold now.
    Certificate,
    /// `notary.x509.signingAuthority`: whoever signs, who is trusted with that too.
    SigningAuthority,
}

/// An envelope that is whole: signed by the key of its first certificate, which the others vouch for.
pub(super) struct Envelope {
    pub(super) scheme: Scheme,
    /// In seconds since 1970.
    pub(super) signing_time: u64,
    pub(super) expiry: Option<u64>,
    /// From the signer's to the root; never empty.
    pub(super) chain: Vec<Certificate>,
    /// What it is of.
    pub(super) digest: String,
}

/// An envelope that was taken apart, of which nothing is believed yet.
pub(super) struct Opened {
    /// By its name in JSON Web Signatures; empty where it is none of theirs.
    pub(super) algorithm: String,
    /// From the signer's on; never empty.
    pub(super) chain: Vec<Certificate>,
    /// What the signature is of: attributes and payload.
    pub(super) signed: Vec<u8>,
    pub(super) signature: Vec<u8>,
    pub(super) attributes: Attributes,
    pub(super) payload: Vec<u8>,
}

/// What is signed beside the payload. Times are seconds since 1970.
pub(super) struct Attributes {
    pub(super) content_type: String,
    /// What must be understood.
    pub(super) critical: Vec<String>,
    pub(super) scheme: String,
    pub(super) signing_time: Option<u64>,
    pub(super) authentic_signing_time: Option<u64>,
    pub(super) expiry: Option<u64>,
}

#[derive(Deserialize)]
struct Payload {
    #[serde(rename = "targetArtifact")]
    target: Target,
}

#[derive(Deserialize)]
struct Target {
    digest: String,
}

impl Envelope {
    pub(super) fn open(media_type: &str, bytes: &[u8]) -> Result<Self, Reason> {
        let opened = match media_type {
            JWS => jws::open(bytes)?,
            COSE => cose::open(bytes)?,
            _ => return Err(Reason::OtherKind("its envelope is neither a JSON Web Signature nor COSE")),
        };
        let Opened { chain, attributes, .. } = &opened;
        let algorithm = algorithm(&opened.algorithm, chain[0].key_kind())?;
        if !chain[0].has_signed(algorithm, &opened.signed, &opened.signature) {
            return Err(Reason::Invalid("the text was changed, or another key has signed it".to_string()));
        }
        check_chain(chain)?;
        attributes.check()?;
        let scheme = match attributes.scheme.as_str() {
            "notary.x509" => Scheme::Certificate,
            "notary.x509.signingAuthority" => Scheme::SigningAuthority,
            _ => return Err(Reason::OtherKind("its signing scheme is not known")),
        };
        let time = match scheme {
            Scheme::Certificate => attributes.signing_time,
            Scheme::SigningAuthority => attributes.authentic_signing_time,
        };
        let signing_time =
            time.ok_or_else(|| malformed("a time of the signature", &"it does not say when it was made"))?;
        let payload: Payload =
            serde_json::from_slice(&opened.payload).map_err(|error| malformed("what is signed", &error))?;
        let (digest, expiry) = (payload.target.digest, attributes.expiry);
        Ok(Self { scheme, signing_time, expiry, chain: opened.chain, digest })
    }
}

/// What is said of an envelope without certificates.
pub(super) fn no_chain() -> Reason {
    Reason::Invalid("it has no chain of certificates, or an endless one".to_string())
}

impl Attributes {
    fn check(&self) -> Result<(), Reason> {
        if self.content_type != PAYLOAD_TYPE {
            return Err(Reason::OtherKind("what is signed is none of the Notary Project's payloads"));
        }
        let is_critical = |name: &str| self.critical.iter().any(|it| it == name);
        let must = [
            (SCHEME, true),
            (AUTHENTIC_TIME, self.authentic_signing_time.is_some()),
            (EXPIRY, self.expiry.is_some()),
        ];
        if must.iter().any(|(name, is_there)| *is_there && !is_critical(name)) {
            return Err(Reason::Invalid("an attribute that must be critical is not".to_string()));
        }
        match self.critical.iter().find(|name| !must.iter().any(|(known, _)| known == name)) {
            Some(unknown) => Err(Reason::Invalid(format!("its critical attribute {unknown} is not known"))),
            None => Ok(()),
        }
    }
}

/// The algorithm of a name, which must be the one for the kind of the key.
fn algorithm(name: &str, kind: KeyKind) -> Result<&'static dyn VerificationAlgorithm, Reason> {
    Ok(match (name, kind) {
        ("PS256", KeyKind::Rsa(2048)) => &signature::RSA_PSS_2048_8192_SHA256,
        ("PS384", KeyKind::Rsa(3072)) => &signature::RSA_PSS_2048_8192_SHA384,
        ("PS512", KeyKind::Rsa(4096)) => &signature::RSA_PSS_2048_8192_SHA512,
        ("ES256", KeyKind::P256) => &signature::ECDSA_P256_SHA256_FIXED,
        ("ES384", KeyKind::P384) => &signature::ECDSA_P384_SHA384_FIXED,
        ("ES512", KeyKind::P521) => &signature::ECDSA_P521_SHA512_FIXED,
        _ => return Err(Reason::OtherKind("its algorithm does not fit its key")),
    })
}
