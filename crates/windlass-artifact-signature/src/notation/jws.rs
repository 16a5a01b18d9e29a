//! Envelopes that are JSON Web Signatures (RFC 7515), as the Notary Project has them (signature specification 1.0, "JWS").

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::certificate::Certificate;
use super::envelope::{Attributes, MAX_CHAIN, Opened, no_chain};
use crate::Reason;
use crate::cosign::malformed;

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

/// Takes an envelope apart; nothing of it is believed yet.
pub(super) fn open(bytes: &[u8]) -> Result<Opened, Reason> {
    let decode = |what, text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|error| malformed(what, &error));
    let raw: Raw = serde_json::from_slice(bytes).map_err(|error| malformed("the envelope", &error))?;
    let protected: Protected = serde_json::from_slice(&decode("the header", &raw.protected)?)
        .map_err(|error| malformed("the header", &error))?;
    if raw.header.x5c.is_empty() || raw.header.x5c.len() > MAX_CHAIN {
        return Err(no_chain());
    }
    let chain = raw.header.x5c.iter().map(|text| Certificate::of_base64(text)).collect::<Result<_, _>>()?;
    let time = |text: &Option<String>| text.as_deref().map(seconds).transpose();
    let attributes = Attributes {
        signing_time: time(&protected.signing_time)?,
        authentic_signing_time: time(&protected.authentic_signing_time)?,
        expiry: time(&protected.expiry)?,
        content_type: protected.cty,
        critical: protected.crit,
        scheme: protected.scheme,
    };
    Ok(Opened {
        algorithm: protected.alg,
        chain,
        signed: format!("{}.{}", raw.protected, raw.payload).into_bytes(),
        signature: decode("the signature", &raw.signature)?,
        attributes,
        payload: decode("what is signed", &raw.payload)?,
    })
}

/// A time of RFC 3339 in seconds since 1970.
fn seconds(text: &str) -> Result<u64, Reason> {
    let time: jiff::Timestamp = text.parse().map_err(|error| malformed("a time of the signature", &error))?;
    u64::try_from(time.as_second()).map_err(|_| malformed("a time of the signature", &"it is before 1970"))
}
