//! Who has signed: OpenPGP and SSH signatures, and Git's signed commits and tags.
//!
//! Nothing here reads a clock or a file: keys, texts and the time are arguments.

pub mod git;
pub mod openpgp;
pub mod ssh;

/// Why something is not known to be what somebody signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// A keyring or a signature is not of the form that it has to be.
    #[error("{what} cannot be read: {problem}")]
    Malformed {
        /// `the keyring`, or `the signature`.
        what: &'static str,
        /// What is wrong.
        problem: &'static str,
    },
    /// A keyring or a signature uses what is not supported here.
    #[error("{0} is not supported")]
    Unsupported(String),
    /// There is no signature.
    #[error("signature block not found")]
    NoSignature,
    /// No key that is known has signed.
    #[error("signature made by unknown entity")]
    UnknownKey,
    /// A key must not sign, or not any more.
    #[error("the key {fingerprint} {unfitness}")]
    UnusableKey {
        /// Its fingerprint.
        fingerprint: String,
        /// What is wrong with it.
        unfitness: Unfitness,
    },
    /// The signature held for a while, which is over.
    #[error("invalid signature: it has expired")]
    Expired,
    /// The signature is not that of the text by the key.
    #[error("invalid signature: {0}")]
    Invalid(&'static str),
}

/// What is wrong with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfitness {
    /// Its owner has taken it back.
    Revoked,
    /// Its time is over.
    Expired,
    /// It is for something else.
    NotForSigning,
    /// Nothing says that its owner made it.
    WithoutSelfSignature,
    /// It can be broken.
    TooSmall,
}

impl std::fmt::Display for Unfitness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Revoked => "is revoked",
            Self::Expired => "has expired",
            Self::NotForSigning => "is not meant to sign",
            Self::WithoutSelfSignature => "has no signature of itself",
            Self::TooSmall => "is an RSA key of less than 2048 bits",
        })
    }
}
