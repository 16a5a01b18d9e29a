//! Certificates as Go's `crypto/x509` (1.26) makes them, for the one template that sprig has.

use core::net::IpAddr;

use sha2::{Digest, Sha256};
use windlass_go::time::Time;

use crate::function::Context;

use super::der::{
    BIT_STRING, BOOLEAN, INTEGER, OCTET_STRING, Reader, SEQUENCE, SET, bits, constructed, element,
    identifier, sequence, unsigned,
};
use super::keys::PrivateKey;

/// What a new certificate says.
pub(super) struct Template<'a> {
    pub(super) serial: [u8; 16],
    pub(super) common_name: &'a [u8],
    pub(super) dns_names: Vec<Vec<u8>>,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) not_before: Time,
    pub(super) not_after: Time,
    pub(super) is_authority: bool,
}

/// Who signs: what its certificate calls itself, and its key's identifier there.
pub(super) struct Issuer {
    /// The whole element of the name.
    pub(super) name: Vec<u8>,
    pub(super) key_identifier: Vec<u8>,
    /// The whole element of the public key.
    pub(super) public_key: Vec<u8>,
}

const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const SUBJECT_KEY_IDENTIFIER: &[u8] = &[0x55, 29, 14];
const KEY_USAGE: &[u8] = &[0x55, 29, 15];
const SUBJECT_ALTERNATIVE_NAME: &[u8] = &[0x55, 29, 17];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 29, 19];
const AUTHORITY_KEY_IDENTIFIER: &[u8] = &[0x55, 29, 35];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 29, 37];
const SERVER_AUTHENTICATION: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
const CLIENT_AUTHENTICATION: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];

/// Makes a certificate for a public key (the whole element), signed by a key. Without an issuer it is its own.
pub(super) fn certificate(
    template: &Template<'_>,
    issuer: Option<&Issuer>,
    public_key: &[u8],
    signer: &PrivateKey,
    context: &mut Context<'_>,
) -> Result<Vec<u8>, String> {
    let algorithm = signer.signature_algorithm().ok_or("x509: only RSA, ECDSA and Ed25519 keys supported")?;
    let subject = name(template.common_name)?;
    let issuer_name = issuer.map_or_else(|| subject.clone(), |issuer| issuer.name.clone());
    let key_identifier = template.is_authority.then(|| key_identifier(public_key));
    let issuer_key =
        issuer.filter(|issuer| issuer.name != subject).map(|issuer| issuer.key_identifier.clone());
    let extensions = extensions(template, key_identifier.as_deref(), issuer_key.as_deref())?;
    let content = sequence(&[
        constructed(0xa0, &[element(INTEGER, &[2])]),
        unsigned(&template.serial),
        algorithm.clone(),
        issuer_name,
        sequence(&[time(&template.not_before)?, time(&template.not_after)?]),
        subject,
        public_key.to_vec(),
        constructed(0xa3, &[sequence(&extensions)]),
    ]);
    let signature = signer.sign(context, &content)?;
    Ok(sequence(&[content, algorithm, bits(&signature)]))
}

/// A name of nothing but a common name; of nothing at all if that is empty.
fn name(common_name: &[u8]) -> Result<Vec<u8>, String> {
    if common_name.is_empty() {
        return Ok(sequence(&[]));
    }
    let is_printable = |byte: &u8| byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(byte);
    let tag = if common_name.iter().all(is_printable) {
        0x13
    } else if std::str::from_utf8(common_name).is_ok() {
        0x0c
    } else {
        return Err("asn1: string not valid UTF-8".to_owned());
    };
    let attribute = sequence(&[identifier(COMMON_NAME), element(tag, common_name)]);
    Ok(sequence(&[constructed(SET, &[attribute])]))
}

fn time(time: &Time) -> Result<Vec<u8>, String> {
    let year = time.civil().year;
    match year {
        1950..=2049 => Ok(element(0x17, time.format("060102150405Z").as_bytes())),
        0..=9999 => Ok(element(0x18, time.format("20060102150405Z").as_bytes())),
        _ => Err("asn1: cannot represent time as GeneralizedTime".to_owned()),
    }
}

fn extensions(
    template: &Template<'_>,
    key_identifier: Option<&[u8]>,
    issuer_key: Option<&[u8]>,
) -> Result<Vec<Vec<u8>>, String> {
    // Digital signature and key encipherment; signing of certificates too.
    let usage: &[u8] = if template.is_authority { &[2, 0xa4] } else { &[5, 0xa0] };
    let purposes = sequence(&[identifier(SERVER_AUTHENTICATION), identifier(CLIENT_AUTHENTICATION)]);
    let constraints: &[Vec<u8>] = if template.is_authority { &[element(BOOLEAN, &[0xff])] } else { &[] };
    let mut extensions = vec![
        extension(KEY_USAGE, true, &element(BIT_STRING, usage)),
        extension(EXTENDED_KEY_USAGE, false, &purposes),
        extension(BASIC_CONSTRAINTS, true, &sequence(constraints)),
    ];
    if let Some(identifier) = key_identifier {
        extensions.push(extension(SUBJECT_KEY_IDENTIFIER, false, &element(OCTET_STRING, identifier)));
    }
    if let Some(identifier) = issuer_key.filter(|identifier| !identifier.is_empty()) {
        let identifier = sequence(&[element(0x80, identifier)]);
        extensions.push(extension(AUTHORITY_KEY_IDENTIFIER, false, &identifier));
    }
    let names = alternative_names(template)?;
    if !names.is_empty() {
        // Without a subject these are the only names.
        let is_critical = template.common_name.is_empty();
        extensions.push(extension(SUBJECT_ALTERNATIVE_NAME, is_critical, &sequence(&names)));
    }
    Ok(extensions)
}

fn extension(name: &[u8], is_critical: bool, content: &[u8]) -> Vec<u8> {
    let mut parts = vec![identifier(name)];
    if is_critical {
        parts.push(element(BOOLEAN, &[0xff]));
    }
    parts.push(element(OCTET_STRING, content));
    sequence(&parts)
}

fn alternative_names(template: &Template<'_>) -> Result<Vec<Vec<u8>>, String> {
    let mut names = Vec::new();
    for name in &template.dns_names {
        if !name.is_ascii() {
            let name = String::from_utf8_lossy(name);
            return Err(format!("x509: \"{name}\" cannot be encoded as an IA5String"));
        }
        names.push(element(0x82, name));
    }
    names.extend(template.addresses.iter().map(|address| match address.to_canonical() {
        IpAddr::V4(address) => element(0x87, &address.octets()),
        IpAddr::V6(address) => element(0x87, &address.octets()),
    }));
    Ok(names)
}

/// The beginning of the digest of the public key's bits.
fn key_identifier(public_key: &[u8]) -> Vec<u8> {
    let mut reader = Reader(public_key);
    let mut inner = Reader(reader.expect(SEQUENCE).unwrap_or_default());
    inner.next();
    let bits = inner.expect(BIT_STRING).and_then(|bits| bits.get(1..)).unwrap_or_default();
    Sha256::digest(bits)[..20].to_vec()
}

/// Reads what signing needs of a certificate; `None` if it is none.
pub(super) fn issuer(certificate: &[u8]) -> Option<Issuer> {
    let mut outer = Reader(certificate);
    let mut certificate = Reader(outer.expect(SEQUENCE)?);
    let mut content = Reader(certificate.expect(SEQUENCE)?);
    certificate.expect(SEQUENCE)?;
    certificate.expect(BIT_STRING)?;
    content.optional(0xa0);
    content.expect(INTEGER)?;
    content.expect(SEQUENCE)?;
    content.expect(SEQUENCE)?;
    content.expect(SEQUENCE)?;
    let (tag, _, name) = content.next()?;
    let (key_tag, _, public_key) = content.next()?;
    if tag != SEQUENCE || key_tag != SEQUENCE || !outer.0.is_empty() {
        return None;
    }
    content.optional(0xa1);
    content.optional(0xa2);
    let mut key_identifier = Vec::new();
    if let Some(wrapped) = content.optional(0xa3) {
        let mut extensions = Reader(Reader(wrapped).expect(SEQUENCE)?);
        while let Some(extension) = extensions.optional(SEQUENCE) {
            let mut extension = Reader(extension);
            let name = extension.expect(6)?;
            extension.optional(BOOLEAN);
            let value = extension.expect(OCTET_STRING)?;
            if name == SUBJECT_KEY_IDENTIFIER {
                key_identifier = Reader(value).expect(OCTET_STRING)?.to_vec();
            }
        }
    }
    Some(Issuer { name: name.to_vec(), key_identifier, public_key: public_key.to_vec() })
}
