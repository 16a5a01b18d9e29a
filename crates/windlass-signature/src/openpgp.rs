//! OpenPGP: keys and signatures.
//!
//! The part that releases, charts and commits need is here: keys and signatures of version 4 (RFC 4880 and 9580), RSA,
//! ECDSA on P-256 and P-384, Ed25519, SHA-2. What is older or rarer is refused by name.

mod armor;
mod keyring;
mod packet;
mod signature;

pub use keyring::Keyring;

use crate::SignatureError;

/// Who has signed something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// The names of the key: `Ann <ann@example.com>`.
    pub names: Vec<String>,
    /// The fingerprint of the primary key, in capital hexadecimal digits.
    pub fingerprint: String,
    /// The id of the key that has signed, which may be one below the primary: the last 16 digits of its fingerprint.
    pub key_id: String,
}

/// Why a signature is not believed, and whose it says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub error: SignatureError,
    /// The id of the key that it names, in 16 capital hexadecimal digits; empty when it names none.
    pub key_id: String,
}

/// Who has clear-signed a text, and the text without escapes, its lines ended by a line feed.
///
/// `now` is the time in seconds since 1970, for keys and signatures that expire.
///
/// # Errors
///
/// [`SignatureError`].
pub fn clear_signed(text: &[u8], keyring: &Keyring, now: u64) -> Result<(Signer, String), SignatureError> {
    let signed = armor::clear_signed(text)?;
    let signer = signature::check(&signed.canonical, &signed.canonical, &signed.signatures, keyring, now)
        .map_err(|refusal| refusal.error)?;
    Ok((signer, signed.text))
}

/// Who has made an armored signature that lies beside what it signs.
///
/// # Errors
///
/// [`Refusal`].
pub fn detached(payload: &[u8], armored: &str, keyring: &Keyring, now: u64) -> Result<Signer, Refusal> {
    let signatures = armor::signature(armored)
        .ok_or(SignatureError::Malformed { what: "the signature", problem: "its armor is damaged" })
        .map_err(|error| Refusal { error, key_id: String::new() })?;
    signature::check(payload, &armor::canonical_lines(payload), &signatures, keyring, now)
}
