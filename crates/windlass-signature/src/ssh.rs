//! Signatures by SSH keys, as `ssh-keygen -Y sign` makes them for Git.

use ssh_key::public::KeyData;
use ssh_key::{Fingerprint, HashAlg, PublicKey, SshSig};

use crate::{SignatureError, Unfitness};

/// What Git signs for. A signature for anything else was not meant for a commit.
const NAMESPACE: &str = "git";

/// A shorter RSA key can be broken.
const MIN_RSA_BITS: u32 = 2_048;

/// A list of keys is no larger: that is some ten thousand of them.
const MAX_KEYS_BYTES: usize = 4 << 20;

/// Keys whose signatures are believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys(Vec<PublicKey>);

impl Keys {
    /// Reads keys, one a line, as they stand in `id_ed25519.pub`, in `authorized_keys` (without options), or behind the
    /// principals of an `allowed_signers` file. Lines that are no key, or one with options, give none: what they would
    /// restrict is not understood here.
    ///
    /// # Errors
    ///
    /// [`SignatureError::Malformed`] when there is no key at all.
    pub fn parse(text: &str) -> Result<Self, SignatureError> {
        let malformed = |problem| SignatureError::Malformed { what: "the list of keys", problem };
        if text.len() > MAX_KEYS_BYTES {
            return Err(malformed("it is larger than the limit MAX_KEYS_BYTES"));
        }
        let keys: Vec<_> = text.lines().filter_map(key).collect();
        if keys.is_empty() { Err(malformed("there is no public key in it")) } else { Ok(Self(keys)) }
    }

    /// Adds the keys of another list.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The fingerprint (`SHA256:…`) of the key that has signed `payload`.
    ///
    /// # Errors
    ///
    /// [`SignatureError`]; also for signatures for anything but Git, and for RSA with SHA-1.
    pub fn check(&self, payload: &[u8], armored: &str) -> Result<String, SignatureError> {
        let unreadable =
            SignatureError::Malformed { what: "the signature", problem: "it is no SSH signature" };
        let signature = SshSig::from_pem(trimmed(armored)).map_err(|_| unreadable)?;
        let signer = signature.public_key();
        let Some(key) = self.0.iter().find(|key| key.key_data() == signer) else {
            return Err(SignatureError::UnknownKey);
        };
        let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
        if let KeyData::Rsa(rsa) = signer
            && rsa.key_size() < MIN_RSA_BITS
        {
            return Err(SignatureError::UnusableKey { fingerprint, unfitness: Unfitness::TooSmall });
        }
        if signature.namespace() != NAMESPACE {
            return Err(SignatureError::Invalid("it was not made for Git"));
        }
        key.verify(NAMESPACE, payload, &signature)
            .map_err(|_| SignatureError::Invalid("the text was changed, or another key has signed it"))?;
        Ok(fingerprint)
    }
}

/// The fingerprint (`SHA256:…`) of the key that a signature names, for messages.
#[must_use]
pub fn named_key(armored: &str) -> Option<String> {
    let signature = SshSig::from_pem(trimmed(armored)).ok()?;
    Some(Fingerprint::new(HashAlg::Sha256, signature.public_key()).to_string())
}

/// Without the empty lines that Git leaves around it.
fn trimmed(armored: &str) -> String {
    format!("{}\n", armored.trim())
}

/// The key of a line, which may stand behind principals.
fn key(line: &str) -> Option<PublicKey> {
    let line = line.trim();
    if line.starts_with('#') {
        return None;
    }
    PublicKey::from_openssh(line).ok().or_else(|| {
        let (_principals, rest) = line.split_once([' ', '\t'])?;
        PublicKey::from_openssh(rest.trim()).ok()
    })
}
