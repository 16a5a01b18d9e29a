//! Private keys for SSH, with a remedy for those that `ssh-key` 0.7 refuses: one key on P-256 of some 256.
//!
//! OpenSSH writes the number of a key without the zero bytes that it begins with (its `mpint`), and `ssh-key` wants at
//! least 32 bytes. Longer curves have them to spare.

use russh::keys::ssh_key::{Cipher, Kdf, PrivateKey};
use russh::keys::{Error, decode_secret_key};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const HEADER: &str = "-----BEGIN OPENSSH PRIVATE KEY-----";
const FOOTER: &str = "-----END OPENSSH PRIVATE KEY-----";
const MAGIC: &[u8] = b"openssh-key-v1\0";
const KIND: &[u8] = b"ecdsa-sha2-nistp256";
/// The bytes of a number on P-256.
const WHOLE: usize = 32;
/// What the secret part of a key that is not encrypted is filled up to.
const BLOCK: usize = 8;

/// The key that a text in any of OpenSSH's formats, PKCS or PuTTY's holds.
///
/// # Errors
///
/// What the library says where the text is no key, or the passphrase is not the one of the key.
pub(super) fn decode(text: &str, passphrase: Option<&str>) -> Result<PrivateKey, Error> {
    decode_secret_key(text, passphrase).or_else(|error| with_whole_number(text, passphrase).ok_or(error))
}

/// The key with all bytes of its number; `None` where they are there, or where it is another kind of key.
fn with_whole_number(text: &str, passphrase: Option<&str>) -> Option<PrivateKey> {
    let body = text.trim().strip_prefix(HEADER)?.strip_suffix(FOOTER)?;
    let body: String = body.split_ascii_whitespace().collect();
    let bytes = STANDARD.decode(body).ok()?;
    let rest = bytes.strip_prefix(MAGIC)?;
    let (cipher, rest) = string(rest)?;
    let (derivation, rest) = string(rest)?;
    let (options, rest) = string(rest)?;
    let (count, rest) = rest.split_at_checked(4)?;
    let (public, rest) = string(rest)?;
    if string(public)?.0 != KIND {
        return None;
    }
    let (secret, tag) = string(rest)?;
    let mut secret = secret.to_vec();
    if cipher != b"none" {
        decrypt(std::str::from_utf8(cipher).ok()?, derivation, options, &mut secret, tag, passphrase?)?;
    }
    let secret = filled_up(&secret)?;

    let mut key = MAGIC.to_vec();
    for part in [&b"none"[..], b"none", b""] {
        put(&mut key, part);
    }
    key.extend(count);
    put(&mut key, public);
    put(&mut key, &secret);
    PrivateKey::from_bytes(&key).ok()
}

/// The secret part of a key with its whole number.
fn filled_up(secret: &[u8]) -> Option<Vec<u8>> {
    let (check, fields) = secret.split_at_checked(8)?;
    // Two equal numbers: otherwise the passphrase was another one.
    if check[..4] != check[4..] {
        return None;
    }
    let (kind, fields) = string(fields)?;
    let (_, fields) = string(fields)?;
    let (_, fields) = string(fields)?;
    if kind != KIND {
        return None;
    }
    let head = &secret[..secret.len() - fields.len()];
    let (number, fields) = string(fields)?;
    let (comment, _) = string(fields)?;
    let missing = WHOLE.checked_sub(number.len()).filter(|missing| *missing > 0)?;
    let mut made = head.to_vec();
    put(&mut made, &[&vec![0; missing], number].concat());
    put(&mut made, comment);
    let fill = (BLOCK - made.len() % BLOCK) % BLOCK;
    made.extend((1..=u8::MAX).take(fill));
    Some(made)
}

fn decrypt(
    cipher: &str,
    derivation: &[u8],
    options: &[u8],
    secret: &mut [u8],
    tag: &[u8],
    passphrase: &str,
) -> Option<()> {
    if derivation != b"bcrypt" {
        return None;
    }
    let (salt, rounds) = string(options)?;
    let derivation = Kdf::Bcrypt { salt: salt.to_vec(), rounds: u32::from_be_bytes(rounds.try_into().ok()?) };
    let cipher = Cipher::new(cipher).ok()?;
    let (key, start) = derivation.derive_key_and_iv(cipher, passphrase).ok()?;
    let tag = if tag.is_empty() { None } else { Some(tag.try_into().ok()?) };
    cipher.decrypt(&key, &start, secret, tag).ok()
}

/// A string of the SSH protocol, and what follows.
fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.extend(length.to_be_bytes());
    out.extend(bytes);
}

#[cfg(test)]
mod recorded;

#[cfg(test)]
mod tests {
    use super::recorded::*;
    use super::*;

    const LOCKED: [(&str, &str); 4] = [
        ("aes256-ctr", P256_AES_CTR),
        ("aes128-cbc", P256_AES_CBC),
        ("aes256-gcm", P256_AES_GCM),
        ("chacha20-poly1305", P256_CHACHA),
    ];

    fn public(key: &PrivateKey) -> String {
        let words = key.public_key().to_openssh().unwrap();
        words.split(' ').take(2).collect::<Vec<_>>().join(" ")
    }

    fn signs(key: &PrivateKey) -> bool {
        let signature = key.sign("test", russh::keys::HashAlg::Sha256, b"text").unwrap();
        key.public_key().verify("test", b"text", &signature).is_ok()
    }

    #[test]
    fn keys_whose_number_begins_with_zero_bytes_are_keys() {
        for (text, whole) in [(P256, P256_PUBLIC), (P384, P384_PUBLIC), (P521, P521_PUBLIC)] {
            let key = decode(text, None).unwrap();
            assert_eq!(public(&key), whole.rsplit_once(' ').unwrap().0);
            assert!(signs(&key), "{whole}");
        }
        assert!(decode_secret_key(P256, None).is_err(), "the library has learnt it: this module can go");
    }

    #[test]
    fn under_a_passphrase_too() {
        for (name, text) in LOCKED {
            let key = decode(text, Some("s3cret")).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(public(&key), P256_PUBLIC.rsplit_once(' ').unwrap().0, "{name}");
            assert!(signs(&key), "{name}");
            assert!(decode(text, Some("other")).is_err(), "{name}");
            assert!(matches!(decode(text, None), Err(Error::KeyIsEncrypted)), "{name}");
        }
    }

    #[test]
    fn what_is_cut_or_changed_is_no_key_and_no_panic() {
        let body: String = P256.lines().filter(|line| !line.starts_with('-')).collect();
        let bytes = STANDARD.decode(body).unwrap();
        let text = |bytes: &[u8]| format!("{HEADER}\n{}\n{FOOTER}\n", STANDARD.encode(bytes));
        for end in 0..bytes.len() {
            // The last bytes fill up, and what is made has its own.
            let is_whole = decode(&text(&bytes[..end]), None).is_ok();
            assert!(!is_whole, "{end} of {}", bytes.len());
        }
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x80;
            _ = decode(&text(&changed), None);
        }
        for text in ["", HEADER, "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n"] {
            assert!(decode(text, None).is_err(), "{text}");
        }
    }
}
