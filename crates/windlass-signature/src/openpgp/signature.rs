//! Signatures of version 4 (RFC 9580, section 5.2).

use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::keyring::{Claims, Keyring, PublicKey, shown_id};
use super::packet::{Reader, packets};
use super::{Refusal, Signer};
use crate::{SignatureError, Unfitness};

/// A signature packet.
pub(super) struct Signature<'a> {
    pub(super) kind: u8,
    hash: u8,
    /// The packet from its version to the end of what is hashed of it.
    hashed: &'a [u8],
    /// The first two bytes of the digest.
    begin: &'a [u8],
    numbers: &'a [u8],
    created: Option<u32>,
    /// Seconds from the making of the signature on, 0 for ever.
    lifetime: u32,
    key_lifetime: u32,
    key_flags: Option<u8>,
    /// Who has signed, as the signature says: the end of a fingerprint.
    issuers: Vec<&'a [u8]>,
    /// A signature inside this one.
    pub(super) embedded: Option<&'a [u8]>,
    /// Whether it says something that has to be understood and is not.
    is_beyond_us: bool,
}

impl<'a> Signature<'a> {
    pub(super) fn read(body: &'a [u8]) -> Option<Self> {
        let mut reader = Reader(body);
        if reader.byte()? != 4 {
            return None;
        }
        let kind = reader.byte()?;
        let _algorithm = reader.byte()?;
        let hash = reader.byte()?;
        let length = reader.number(2)? as usize;
        let signed = reader.take(length)?;
        let hashed = &body[..6 + length];
        let length = reader.number(2)? as usize;
        let unsigned = reader.take(length)?;
        let begin = reader.take(2)?;
        let mut signature = Self {
            kind,
            hash,
            hashed,
            begin,
            numbers: reader.0,
            created: None,
            lifetime: 0,
            key_lifetime: 0,
            key_flags: None,
            issuers: Vec::new(),
            embedded: None,
            is_beyond_us: false,
        };
        signature.subpackets(signed, true)?;
        signature.subpackets(unsigned, false)?;
        Some(signature)
    }

    fn subpackets(&mut self, bytes: &'a [u8], is_signed: bool) -> Option<()> {
        let mut reader = Reader(bytes);
        while !reader.is_empty() {
            let (kind, is_critical, content) = reader.subpacket()?;
            let number = || Reader(content).number(4);
            match kind {
                16 => self.issuers.push(content),
                33 => self.issuers.push(content.strip_prefix(&[4]).unwrap_or_default()),
                32 => self.embedded = Some(content),
                // What is not signed can be anybody's.
                _ if !is_signed => {}
                2 => self.created = Some(number()?),
                3 => self.lifetime = number()?,
                9 => self.key_lifetime = number()?,
                27 => self.key_flags = Some(content.first().copied().unwrap_or(0)),
                // Preferences, names of policies and the like change nothing about what is signed.
                4..=7 | 11 | 12 | 20..=26 | 28..=31 | 34 | 35 | 39 => {}
                _ => self.is_beyond_us |= is_critical,
            }
        }
        Some(())
    }

    /// Whether the key has made this of some bytes.
    pub(super) fn is_by(&self, key: &PublicKey, bytes: &[u8]) -> bool {
        if self.is_beyond_us || self.created.is_none() {
            return false;
        }
        let length = (self.hashed.len() as u32).to_be_bytes();
        let parts = [bytes, self.hashed, &[4, 0xff], &length];
        let digest = match self.hash {
            2 => digest::<Sha1>(&parts),
            8 => digest::<Sha256>(&parts),
            9 => digest::<Sha384>(&parts),
            10 => digest::<Sha512>(&parts),
            _ => return false,
        };
        digest.starts_with(self.begin) && key.has_signed(self.hash, &digest, self.numbers)
    }

    /// What it says of a key.
    pub(super) fn claims(&self) -> Claims {
        const SIGN: u8 = 2;
        Claims {
            created: self.created.unwrap_or(0),
            lifetime: self.key_lifetime,
            may_sign: self.key_flags.is_none_or(|flags| flags & SIGN != 0),
        }
    }

    fn names(&self, key: &PublicKey) -> bool {
        const KEY_ID: usize = 8;
        self.issuers.iter().any(|issuer| issuer.len() >= KEY_ID && key.fingerprint.ends_with(issuer))
    }
}

fn digest<D: Digest>(parts: &[&[u8]]) -> Vec<u8> {
    let mut hasher = D::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().to_vec()
}

/// Who has signed. `canonical` is what is signed where the signature says that it is of a text.
pub(super) fn check(
    payload: &[u8],
    canonical: &[u8],
    signatures: &[u8],
    keyring: &Keyring,
    now: u64,
) -> Result<Signer, Refusal> {
    let unnamed = |error| Refusal { error, key_id: String::new() };
    let mut found = unnamed(SignatureError::UnknownKey);
    let packets = packets(signatures, "the signature").map_err(unnamed)?;
    if packets.is_empty() {
        return Err(unnamed(SignatureError::NoSignature));
    }
    for packet in packets {
        let Some(signature) = Signature::read(packet.body).filter(|_| packet.tag == 2) else {
            found = unnamed(SignatureError::Unsupported("a signature that is not of version 4".into()));
            continue;
        };
        if found.key_id.is_empty() {
            found.key_id = signature.issuers.first().copied().map(shown_id).unwrap_or_default();
        }
        for key in &keyring.keys {
            for (signer, is_revoked, claims) in key.all().filter(|(signer, ..)| signature.names(signer)) {
                match check_by(&signature, payload, canonical, signer, is_revoked, claims, now) {
                    Ok(()) => return Ok(key.signer(signer)),
                    Err(error) => found = Refusal { error, key_id: signer.id() },
                }
            }
        }
    }
    Err(found)
}

fn check_by(
    signature: &Signature<'_>,
    payload: &[u8],
    canonical: &[u8],
    signer: &PublicKey,
    is_revoked: bool,
    claims: Option<Claims>,
    now: u64,
) -> Result<(), SignatureError> {
    const BINARY: u8 = 0;
    const TEXT: u8 = 1;
    const SHA1: u8 = 2;
    if let Some(refusal) = signer.refusal() {
        return Err(refusal);
    }
    let signed = match signature.kind {
        BINARY => payload,
        TEXT => canonical,
        _ => return Err(SignatureError::Invalid("it is not one of a text")),
    };
    if signature.hash == SHA1 || !matches!(signature.hash, 8..=10) {
        return Err(SignatureError::Unsupported(format!("OpenPGP's hash algorithm {}", signature.hash)));
    }
    if !signature.is_by(signer, signed) {
        return Err(SignatureError::Invalid("the text was changed, or another key has signed it"));
    }
    let unusable = |unfitness| Err(SignatureError::UnusableKey { fingerprint: signer.shown(), unfitness });
    let Some(claims) = claims else { return unusable(Unfitness::WithoutSelfSignature) };
    let end = |from: u32, lifetime: u32| match lifetime {
        0 => u64::MAX,
        lifetime => u64::from(from) + u64::from(lifetime),
    };
    let created = signature.created.unwrap_or(0);
    match () {
        () if is_revoked => unusable(Unfitness::Revoked),
        () if !claims.may_sign => unusable(Unfitness::NotForSigning),
        () if now >= end(signer.created, claims.lifetime) => unusable(Unfitness::Expired),
        () if created < signer.created => Err(SignatureError::Invalid("it is older than its key")),
        () if u64::from(created) > now => Err(SignatureError::Invalid("it is from the future")),
        () if now >= end(created, signature.lifetime) => Err(SignatureError::Expired),
        () => Ok(()),
    }
}
