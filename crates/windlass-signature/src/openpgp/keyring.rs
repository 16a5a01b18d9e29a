//! Public keys, with what they say of themselves: names, uses, ends.

use std::fmt;

use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::Signer;
use super::armor;
use super::packet::{Packet, Reader, packets};
use super::signature::Signature;
use crate::{SignatureError, Unfitness};

/// Keys whose signatures are believed.
#[derive(Clone, Debug, Default)]
pub struct Keyring {
    pub(super) keys: Vec<Key>,
}

/// A primary key and those below it.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) primary: PublicKey,
    names: Vec<String>,
    pub(super) is_revoked: bool,
    /// What its newest signature of itself says; `None` if it has none that is right.
    pub(super) claims: Option<Claims>,
    pub(super) subkeys: Vec<Subkey>,
}

#[derive(Clone, Debug)]
pub(super) struct Subkey {
    pub(super) key: PublicKey,
    pub(super) is_revoked: bool,
    pub(super) claims: Option<Claims>,
}

/// What a key may be used for, and how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claims {
    /// When this was said.
    pub(super) created: u32,
    /// Seconds from the making of the key on, 0 for ever.
    pub(super) lifetime: u32,
    pub(super) may_sign: bool,
}

/// The numbers of a key.
#[derive(Clone)]
pub(super) struct PublicKey {
    body: Vec<u8>,
    pub(super) created: u32,
    pub(super) fingerprint: [u8; 20],
    material: Material,
}

#[derive(Clone)]
enum Material {
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519([u8; 32]),
    Other(u8),
}

const PUBLIC_KEY: u8 = 6;
const PUBLIC_SUBKEY: u8 = 14;
const USER_ID: u8 = 13;
const SIGNATURE: u8 = 2;

const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const P384: &[u8] = &[0x2b, 0x81, 4, 0, 34];
const ED25519_LEGACY: &[u8] = &[0x2b, 6, 1, 4, 1, 0xda, 0x47, 0x0f, 1];

/// A shorter RSA key can be broken: what Go's OpenPGP asks for.
const MIN_RSA_BITS: usize = 2_047;

/// A keyring is no larger: that of a whole distribution has 10 MB.
const MAX_KEYRING_BYTES: usize = 32 << 20;

impl Keyring {
    /// Takes in the keys of another ring.
    pub fn extend(&mut self, other: Self) {
        self.keys.extend(other.keys);
    }

    /// Reads keys as GnuPG exports them, armored or not.
    ///
    /// # Errors
    /// [`SignatureError::Malformed`], and [`SignatureError::Unsupported`] for GnuPG's own `pubring.kbx`.
    pub fn parse(bytes: &[u8]) -> Result<Self, SignatureError> {
        const WHAT: &str = "the keyring";
        let malformed = |problem| SignatureError::Malformed { what: WHAT, problem };
        if bytes.len() > MAX_KEYRING_BYTES {
            return Err(malformed("it is larger than the limit MAX_KEYRING_BYTES"));
        }
        if bytes.get(8..12) == Some(b"KBXf") {
            return Err(SignatureError::Unsupported("GnuPG's keybox (use `gpg --export`)".into()));
        }
        let stream = armor::keys(bytes).ok_or(malformed("its armor is damaged"))?;
        let packets = packets(&stream, WHAT)?;
        let starts: Vec<_> = packets
            .iter()
            .enumerate()
            .filter(|(_, packet)| packet.tag == PUBLIC_KEY)
            .map(|(idx, _)| idx)
            .collect();
        if starts.is_empty() {
            return Err(malformed("there is no public key in it"));
        }
        let ends = starts.iter().skip(1).copied().chain([packets.len()]);
        // A key that cannot be read is one that has not signed.
        let keys =
            starts.iter().zip(ends).filter_map(|(start, end)| Key::read(&packets[*start..end])).collect();
        Ok(Self { keys })
    }
}

impl Key {
    /// This key as a signer, with the one of its keys that has signed.
    pub(super) fn signer(&self, with: &PublicKey) -> Signer {
        Signer { names: self.names.clone(), fingerprint: self.primary.shown(), key_id: with.id() }
    }

    /// The primary key and those below it, with whether they are revoked and what is said of them.
    pub(super) fn all(&self) -> impl Iterator<Item = (&PublicKey, bool, Option<Claims>)> {
        let subkeys = self
            .subkeys
            .iter()
            .map(|subkey| (&subkey.key, self.is_revoked || subkey.is_revoked, subkey.claims));
        std::iter::once((&self.primary, self.is_revoked, self.claims)).chain(subkeys)
    }

    /// The packets of one key.
    fn read(packets: &[Packet<'_>]) -> Option<Self> {
        let primary = PublicKey::read(packets.first()?.body)?;
        let mut key =
            Self { primary, names: Vec::new(), is_revoked: false, claims: None, subkeys: Vec::new() };
        // What the signatures that follow are about: the key, a name of it, or a key below it.
        let mut subject = packets.first()?;
        for packet in &packets[1..] {
            match packet.tag {
                SIGNATURE => {
                    if let Some(signature) = Signature::read(packet.body) {
                        key.learn(subject, &signature);
                    }
                    continue;
                }
                USER_ID => key.names.push(String::from_utf8_lossy(packet.body).into_owned()),
                PUBLIC_SUBKEY => match PublicKey::read(packet.body) {
                    Some(subkey) => key.subkeys.push(Subkey { key: subkey, is_revoked: false, claims: None }),
                    None => {
                        subject = &IGNORED;
                        continue;
                    }
                },
                _ => {
                    subject = &IGNORED;
                    continue;
                }
            }
            subject = packet;
        }
        Some(key)
    }

    /// Takes in what the key says of itself.
    fn learn(&mut self, subject: &Packet<'_>, signature: &Signature<'_>) {
        let mut about = self.primary.hashed();
        match (subject.tag, signature.kind) {
            (PUBLIC_KEY, 0x1f | 0x20) => {}
            (USER_ID, 0x10..=0x13) => {
                about.push(0xb4);
                about.extend((subject.body.len() as u32).to_be_bytes());
                about.extend(subject.body);
            }
            (PUBLIC_SUBKEY, 0x18 | 0x28) => {
                let Some(subkey) = self.subkeys.last() else { return };
                about.extend(subkey.key.hashed());
            }
            _ => return,
        }
        // Signatures of others, and damaged ones, say nothing.
        if !signature.is_by(&self.primary, &about) {
            return;
        }
        match (subject.tag, signature.kind) {
            (PUBLIC_KEY, 0x20) => self.is_revoked = true,
            (PUBLIC_SUBKEY, 0x28) => {
                if let Some(subkey) = self.subkeys.last_mut() {
                    subkey.is_revoked = true;
                }
            }
            (PUBLIC_SUBKEY, _) => {
                let Some(subkey) = self.subkeys.last_mut() else { return };
                let mut claims = signature.claims();
                // A key that signs has to agree to be below this one: else anyone's could be.
                let agrees = signature
                    .embedded
                    .and_then(Signature::read)
                    .is_some_and(|agreement| agreement.kind == 0x19 && agreement.is_by(&subkey.key, &about));
                claims.may_sign &= agrees;
                replace(&mut subkey.claims, claims);
            }
            _ => replace(&mut self.claims, signature.claims()),
        }
    }
}

/// What is not known: signatures behind it are not looked at.
const IGNORED: Packet<'static> = Packet { tag: 0, body: &[] };

/// The newest claims count.
fn replace(claims: &mut Option<Claims>, with: Claims) {
    if claims.is_none_or(|known| known.created <= with.created) {
        *claims = Some(with);
    }
}

impl PublicKey {
    fn read(body: &[u8]) -> Option<Self> {
        let mut reader = Reader(body);
        if reader.byte()? != 4 {
            return None;
        }
        let created = reader.number(4)?;
        let material = match reader.byte()? {
            1 | 3 => {
                Material::Rsa { modulus: reader.integer()?.to_vec(), exponent: reader.integer()?.to_vec() }
            }
            19 => {
                let length = usize::from(reader.byte()?);
                let curve = reader.take(length)?;
                let point = reader.integer()?.to_vec();
                match curve {
                    P256 => Material::P256(point),
                    P384 => Material::P384(point),
                    _ => Material::Other(19),
                }
            }
            22 => {
                let length = usize::from(reader.byte()?);
                if reader.take(length)? != ED25519_LEGACY {
                    return None;
                }
                Material::Ed25519(reader.integer()?.strip_prefix(&[0x40])?.try_into().ok()?)
            }
            27 => Material::Ed25519(reader.take(32)?.try_into().ok()?),
            other => Material::Other(other),
        };
        let mut key = Self { body: body.to_vec(), created, fingerprint: [0; 20], material };
        key.fingerprint = Sha1::digest(key.hashed()).into();
        Some(key)
    }

    /// The key as it is part of what is signed.
    fn hashed(&self) -> Vec<u8> {
        let mut hashed = vec![0x99];
        hashed.extend((self.body.len() as u16).to_be_bytes());
        hashed.extend(&self.body);
        hashed
    }

    /// The fingerprint in hexadecimal digits.
    pub(super) fn shown(&self) -> String {
        self.fingerprint.iter().map(|byte| format!("{byte:02X}")).collect()
    }

    /// What is not supported about the key, or why it is too weak.
    pub(super) fn refusal(&self) -> Option<SignatureError> {
        match &self.material {
            Material::Other(algorithm) => {
                Some(SignatureError::Unsupported(format!("OpenPGP's public-key algorithm {algorithm}")))
            }
            Material::Rsa { modulus, .. } if bits(modulus) < MIN_RSA_BITS => {
                let unfitness = Unfitness::TooSmall;
                Some(SignatureError::UnusableKey { fingerprint: self.shown(), unfitness })
            }
            _ => None,
        }
    }

    /// The last digits of the fingerprint, by which signatures name the key.
    pub(super) fn id(&self) -> String {
        shown_id(&self.fingerprint)
    }

    /// Whether the numbers are this key's signature of a digest. `hash` is the number of the digest's algorithm.
    pub(super) fn has_signed(&self, hash: u8, digest: &[u8], numbers: &[u8]) -> bool {
        self.check(hash, digest, numbers).unwrap_or(false)
    }

    fn check(&self, hash: u8, digest: &[u8], numbers: &[u8]) -> Option<bool> {
        let mut numbers = Reader(numbers);
        match &self.material {
            Material::Rsa { modulus, exponent } => {
                let number = rsa::BoxedUint::from_be_slice_vartime;
                let key = rsa::RsaPublicKey::new(number(modulus), number(exponent)).ok()?;
                let signature = padded(numbers.integer()?, modulus.len())?;
                let scheme = match hash {
                    2 => rsa::Pkcs1v15Sign::new::<Sha1>(),
                    8 => rsa::Pkcs1v15Sign::new::<Sha256>(),
                    9 => rsa::Pkcs1v15Sign::new::<Sha384>(),
                    10 => rsa::Pkcs1v15Sign::new::<Sha512>(),
                    _ => return None,
                };
                Some(key.verify(scheme, digest, &signature).is_ok())
            }
            Material::P256(point) => {
                use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
                let numbers = pair(&mut numbers, 32)?;
                let signature = p256::ecdsa::Signature::from_slice(&numbers).ok()?;
                let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(point).ok()?;
                Some(key.verify_prehash(digest, &signature).is_ok())
            }
            Material::P384(point) => {
                use p384::ecdsa::signature::hazmat::PrehashVerifier as _;
                let numbers = pair(&mut numbers, 48)?;
                let signature = p384::ecdsa::Signature::from_slice(&numbers).ok()?;
                let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(point).ok()?;
                Some(key.verify_prehash(digest, &signature).is_ok())
            }
            Material::Ed25519(point) => {
                // The newer form has no lengths.
                let bytes = if numbers.0.len() == 64 { numbers.0.to_vec() } else { pair(&mut numbers, 32)? };
                let signature = ed25519_dalek::Signature::from_slice(&bytes).ok()?;
                let key = ed25519_dalek::VerifyingKey::from_bytes(point).ok()?;
                Some(key.verify_strict(digest, &signature).is_ok())
            }
            Material::Other(_) => None,
        }
    }
}

/// The id of the key that a fingerprint, or its end, is of.
pub(super) fn shown_id(fingerprint: &[u8]) -> String {
    const ID_BYTES: usize = 8;
    let end = &fingerprint[fingerprint.len().saturating_sub(ID_BYTES)..];
    end.iter().map(|byte| format!("{byte:02X}")).collect()
}

fn bits(number: &[u8]) -> usize {
    number.first().map_or(0, |first| 8 * number.len() - first.leading_zeros() as usize)
}

/// A number with so many bytes.
fn padded(number: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; length.checked_sub(number.len())?];
    bytes.extend(number);
    Some(bytes)
}

/// Two numbers of so many bytes each.
fn pair(numbers: &mut Reader<'_>, length: usize) -> Option<Vec<u8>> {
    let mut bytes = padded(numbers.integer()?, length)?;
    bytes.extend(padded(numbers.integer()?, length)?);
    Some(bytes)
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PublicKey({})", self.shown())
    }
}
