//! Envelopes: JSON Web Signatures as the Notary Project has them (signature specification 1.0, "JWS").

use aws_lc_rs::signature::{self, VerificationAlgorithm};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::certificate::{Certificate, KeyKind, check_chain};
use crate::Reason;
use crate::cosign::malformed;

const PAYLOAD_TYPE: &str = "application/vnd.cncf.notary.payload.v1+json";

/// Certificates of a chain that are read.
const MAX_CHAIN: usize = 10;

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

#[derive(Deserialize)]
struct Raw {
    payload: String,
    protected: String,
    header: Header,
    signature: String,
}

#[derive(Deserialize)]
struct Header {
    #[serde(default)]
    x5c: Vec<String>,
}

#[derive(Deserialize)]
struct Protected {
    alg: String,
    cty: String,
    #[serde(default)]
    crit: Vec<String>,
    #[serde(rename = "io.cncf.notary.signingScheme")]
    scheme: String,
    #[serde(rename = "io.cncf.notary.signingTime")]
    signing_time: Option<String>,
    #[serde(rename = "io.cncf.notary.authenticSigningTime")]
    authentic_signing_time: Option<String>,
    #[serde(rename = "io.cncf.notary.expiry")]
    expiry: Option<String>,
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
    pub(super) fn open(bytes: &[u8]) -> Result<Self, Reason> {
        let decode = |what, text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|error| malformed(what, &error));
        let raw: Raw = serde_json::from_slice(bytes).map_err(|error| malformed("the envelope", &error))?;
        let protected: Protected = serde_json::from_slice(&decode("the header", &raw.protected)?)
            .map_err(|error| malformed("the header", &error))?;
        if raw.header.x5c.is_empty() || raw.header.x5c.len() > MAX_CHAIN {
            return Err(Reason::Invalid("it has no chain of certificates, or an endless one".to_string()));
        }
        let chain: Vec<_> =
            raw.header.x5c.iter().map(|text| Certificate::of_base64(text)).collect::<Result<_, _>>()?;
        let algorithm = algorithm(&protected.alg, chain[0].key_kind())?;
        let text = format!("{}.{}", raw.protected, raw.payload);
        if !chain[0].has_signed(algorithm, text.as_bytes(), &decode("the signature", &raw.signature)?) {
            return Err(Reason::Invalid("the text was changed, or another key has signed it".to_string()));
        }
        check_chain(&chain)?;
        protected.check()?;
        let scheme = match protected.scheme.as_str() {
            "notary.x509" => Scheme::Certificate,
            "notary.x509.signingAuthority" => Scheme::SigningAuthority,
            _ => return Err(Reason::OtherKind("its signing scheme is not known")),
        };
        let time = match scheme {
            Scheme::Certificate => &protected.signing_time,
            Scheme::SigningAuthority => &protected.authentic_signing_time,
        };
        let signing_time = seconds(time.as_deref().unwrap_or_default())?;
        let expiry = protected.expiry.as_deref().map(seconds).transpose()?;
        let payload: Payload = serde_json::from_slice(&decode("what is signed", &raw.payload)?)
            .map_err(|error| malformed("what is signed", &error))?;
        Ok(Self { scheme, signing_time, expiry, chain, digest: payload.target.digest })
    }
}

impl Protected {
    fn check(&self) -> Result<(), Reason> {
        if self.cty != PAYLOAD_TYPE {
            return Err(Reason::OtherKind("what is signed is none of the Notary Project's payloads"));
        }
        let is_critical = |name: &str| self.crit.iter().any(|it| it == name);
        let must = [
            (SCHEME, true),
            (AUTHENTIC_TIME, self.authentic_signing_time.is_some()),
            (EXPIRY, self.expiry.is_some()),
        ];
        if must.iter().any(|(name, is_there)| *is_there && !is_critical(name)) {
            return Err(Reason::Invalid("an attribute that must be critical is not".to_string()));
        }
        match self.crit.iter().find(|name| !must.iter().any(|(known, _)| known == name)) {
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

/// A time of RFC 3339 in seconds since 1970.
fn seconds(text: &str) -> Result<u64, Reason> {
    let time: jiff::Timestamp = text.parse().map_err(|error| malformed("a time of the signature", &error))?;
    u64::try_from(time.as_second()).map_err(|_| malformed("a time of the signature", &"it is before 1970"))
}
