//! Envelopes in COSE (RFC 9052, `COSE_Sign1`) as the Notary Project has them (signature specification 1.0, "COSE").

use super::cbor::{Cbor, write_bytes};
use super::certificate::Certificate;
use super::envelope::{Attributes, MAX_CHAIN, Opened, no_chain};
use crate::Reason;
use crate::cosign::malformed;

/// The tag of a message that one has signed.
const SIGN1: u64 = 18;

/// How a message begins: the tag, and a list of four.
const HEAD: [u8; 2] = [0xd2, 0x84];

/// Labels of headers (RFC 9052, 3.1; RFC 9360).
const ALGORITHM: Cbor<'static> = Cbor::Integer(1);
const CRITICAL: Cbor<'static> = Cbor::Integer(2);
const CONTENT_TYPE: Cbor<'static> = Cbor::Integer(3);
const CHAIN: Cbor<'static> = Cbor::Integer(33);

/// The tag of seconds since 1970.
const EPOCH: u64 = 1;

/// Takes an envelope apart; nothing of it is believed yet.
pub(super) fn open(bytes: &[u8]) -> Result<Opened, Reason> {
    // Written so and not otherwise: as notation reads it.
    if !bytes.starts_with(&HEAD) {
        return Err(Reason::OtherKind("its envelope is no COSE_Sign1"));
    }
    let wrong = |what: &str| Reason::Invalid(format!("its envelope is no COSE_Sign1: {what}"));
    let Some(Cbor::Tagged(SIGN1, message)) = Cbor::parse(bytes) else {
        return Err(wrong("it cannot be read"));
    };
    let Cbor::Array(parts) = *message else { return Err(wrong("it is no list")) };
    let [protected, unprotected, payload, signature] = parts.as_slice() else {
        return Err(wrong("it has not four parts"));
    };
    let (Some(protected), Some(payload), Some(signature)) =
        (protected.bytes(), payload.bytes(), signature.bytes())
    else {
        return Err(wrong("a part of it is missing"));
    };
    let header = Cbor::parse(protected).ok_or_else(|| wrong("its header cannot be read"))?;
    let Some(Cbor::Array(chain)) = unprotected.get(&CHAIN) else { return Err(no_chain()) };
    if chain.is_empty() || chain.len() > MAX_CHAIN {
        return Err(no_chain());
    }
    let certificate = |item: &Cbor<'_>| Certificate::of_der(item.bytes().unwrap_or_default());
    let algorithm = match header.get(&ALGORITHM) {
        // RFC 9053: ECDSA; RFC 8230: RSASSA-PSS.
        Some(Cbor::Integer(-7)) => "ES256",
        Some(Cbor::Integer(-35)) => "ES384",
        Some(Cbor::Integer(-36)) => "ES512",
        Some(Cbor::Integer(-37)) => "PS256",
        Some(Cbor::Integer(-38)) => "PS384",
        Some(Cbor::Integer(-39)) => "PS512",
        _ => "",
    };
    Ok(Opened {
        algorithm: algorithm.to_owned(),
        chain: chain.iter().map(certificate).collect::<Result<_, _>>()?,
        signed: to_be_signed(protected, payload),
        signature: signature.to_vec(),
        attributes: attributes(&header)?,
        payload: payload.to_vec(),
    })
}

/// What the signature is of (`Sig_structure`).
fn to_be_signed(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut signed = vec![0x84, 0x6a];
    signed.extend_from_slice(b"Signature1");
    for part in [protected, &[], payload] {
        write_bytes(&mut signed, part);
    }
    signed
}

fn attributes(header: &Cbor<'_>) -> Result<Attributes, Reason> {
    let text = |key: &Cbor<'_>| header.get(key).and_then(Cbor::text).map(str::to_owned);
    let named = |name: &'static str| header.get(&Cbor::Text(name));
    let time = |name: &'static str| match named(name) {
        None => Ok(None),
        Some(Cbor::Tagged(EPOCH, seconds)) => match **seconds {
            Cbor::Integer(seconds) => u64::try_from(seconds).ok(),
            _ => None,
        }
        .map(Some)
        .ok_or_else(|| malformed("a time of the signature", &"it is no number of seconds since 1970")),
        Some(_) => Err(malformed("a time of the signature", &"it has not the tag of times")),
    };
    let Some(Cbor::Array(critical)) = header.get(&CRITICAL) else {
        return Err(Reason::Invalid("it does not say what of it is critical".to_string()));
    };
    let mut names = Vec::new();
    for label in critical {
        if header.get(label).is_none() {
            return Err(Reason::Invalid("something critical is not there".to_string()));
        }
        match label {
            Cbor::Text(name) => names.push((*name).to_owned()),
            // What every reader of these envelopes understands.
            label if [ALGORITHM, CRITICAL, CONTENT_TYPE].contains(label) => {}
            label => names.push(format!("{label:?}")),
        }
    }
    let scheme = text(&Cbor::Text("io.cncf.notary.signingScheme")).unwrap_or_default();
    // Elsewhere it is an attribute like any other.
    let is_by_authority = scheme == "notary.x509.signingAuthority";
    let authentic_signing_time = time("io.cncf.notary.authenticSigningTime")?.filter(|_| is_by_authority);
    Ok(Attributes {
        content_type: text(&CONTENT_TYPE).unwrap_or_default(),
        critical: names,
        scheme,
        signing_time: time("io.cncf.notary.signingTime")?,
        authentic_signing_time,
        expiry: time("io.cncf.notary.expiry")?,
    })
}
