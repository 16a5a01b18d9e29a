//! Signed commits and tags of Git.

use crate::openpgp::{self, Keyring};
use crate::{SignatureError, Unfitness, ssh};

/// Where the armor of a signature begins, by its kind.
const OPENPGP: &str = "-----BEGIN PGP SIGNATURE-----";
const OPENPGP_MESSAGE: &str = "-----BEGIN PGP MESSAGE-----";
const SSH: &str = "-----BEGIN SSH SIGNATURE-----";
const CMS: &str = "-----BEGIN SIGNED MESSAGE-----";

/// A commit or a tag, taken apart into what is signed and the signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedObject {
    /// What the signature is of.
    pub payload: Vec<u8>,
    /// The armored signature; `None` when there is none.
    pub signature: Option<String>,
}

impl SignedObject {
    /// Takes the bytes of a commit apart.
    #[must_use]
    pub fn of_commit(raw: &[u8]) -> Self {
        let mut payload = Vec::with_capacity(raw.len());
        let mut signature: Option<Vec<u8>> = None;
        // Of the header that is being read: whether it is the signature, or one that is not signed.
        let (mut in_signature, mut is_left_out) = (false, false);
        let mut lines = raw.split_inclusive(|byte| *byte == b'\n');
        for line in lines.by_ref() {
            if line == b"\n" {
                payload.extend_from_slice(line);
                break;
            }
            match line.strip_prefix(b" ") {
                Some(continued) if in_signature => {
                    signature.get_or_insert_default().extend_from_slice(continued);
                    continue;
                }
                Some(_) if is_left_out => continue,
                Some(_) => {}
                None => {
                    is_left_out = line.starts_with(b"gpgsig-sha256 ");
                    // A second signature is no part of the first.
                    in_signature = line.starts_with(b"gpgsig ") && signature.is_none();
                    if let Some(first) = line.strip_prefix(b"gpgsig ").filter(|_| in_signature) {
                        signature.get_or_insert_default().extend_from_slice(first);
                        continue;
                    }
                    if is_left_out {
                        continue;
                    }
                }
            }
            payload.extend_from_slice(line);
        }
        for line in lines {
            payload.extend_from_slice(line);
        }
        let signature = signature.and_then(|bytes| String::from_utf8(bytes).ok());
        Self { payload, signature }
    }

    /// Takes the bytes of a tag apart: the signature stands at the end of the message.
    #[must_use]
    pub fn of_tag(raw: &[u8]) -> Self {
        let mut start = None;
        let mut at = 0;
        for line in raw.split_inclusive(|byte| *byte == b'\n') {
            if [OPENPGP, OPENPGP_MESSAGE, SSH, CMS].iter().any(|begin| line.starts_with(begin.as_bytes())) {
                start = Some(at);
            }
            at += line.len();
        }
        let (payload, signature) = raw.split_at(start.unwrap_or(raw.len()));
        let signature = std::str::from_utf8(signature).ok().filter(|text| !text.is_empty());
        Self { payload: payload.to_vec(), signature: signature.map(Into::into) }
    }

    /// Who has signed it.
    ///
    /// `now` is the time in seconds since 1970, for keys and signatures that expire.
    #[must_use]
    pub fn check(&self, keys: &Keys, now: u64) -> Finding {
        let Some(signature) = &self.signature else { return Finding::Unsigned };
        if signature.contains(SSH) {
            return match keys.ssh.check(&self.payload, signature) {
                Ok(key) => Finding::Good { key },
                Err(error) => Finding::new(&error, ssh::named_key(signature).unwrap_or_default()),
            };
        }
        match openpgp::detached(&self.payload, signature, &keys.openpgp, now) {
            Ok(signer) => Finding::Good { key: signer.key_id },
            Err(refusal) => Finding::new(&refusal.error, refusal.key_id),
        }
    }
}

/// Keys whose signatures are looked for.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    /// OpenPGP keys.
    pub openpgp: Keyring,
    /// SSH keys.
    pub ssh: ssh::Keys,
}

/// What a look at a signature has found, as `git log --format=%G?` tells them apart.
///
/// `key` is the id of an OpenPGP key in 16 digits, or the fingerprint of an SSH key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the field is described above")]
pub enum Finding {
    /// The key has signed it.
    Good { key: String },
    /// There is no signature.
    Unsigned,
    /// The key has not signed this.
    Bad { key: String },
    /// The signature held for a while, which is over.
    ExpiredSignature { key: String },
    /// The key held for a while, which is over.
    ExpiredKey { key: String },
    /// The key was taken back.
    RevokedKey { key: String },
    /// The key is not among those that are known, or is of a kind that is not.
    UnknownKey { key: String },
}

impl Finding {
    fn new(error: &SignatureError, key: String) -> Self {
        match error {
            SignatureError::UnusableKey { unfitness: Unfitness::Revoked, .. } => Self::RevokedKey { key },
            SignatureError::UnusableKey { unfitness: Unfitness::Expired, .. } => Self::ExpiredKey { key },
            SignatureError::Expired => Self::ExpiredSignature { key },
            SignatureError::UnknownKey | SignatureError::Unsupported(_) => Self::UnknownKey { key },
            SignatureError::UnusableKey { .. }
            | SignatureError::Invalid(_)
            | SignatureError::Malformed { .. }
            | SignatureError::NoSignature => Self::Bad { key },
        }
    }

    /// The key that has signed, or that the signature names; empty when there is none.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::Unsigned => "",
            Self::Good { key }
            | Self::Bad { key }
            | Self::ExpiredSignature { key }
            | Self::ExpiredKey { key }
            | Self::RevokedKey { key }
            | Self::UnknownKey { key } => key,
        }
    }
}
