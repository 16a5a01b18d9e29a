//! Who has signed an artifact of a registry: cosign with keys and identities, and the Notary Project.
//!
//! A [`Verification`] is what somebody asks of the artifacts of a repository. It is given everything that a registry
//! has of signatures for one digest, and answers who has signed that digest, or why nobody who counts has. Nothing here
//! fetches anything; the clock is read, for no signature may be from the future.
//!
//! ```
//! use windlass_artifact_signature::{Cosign, Refusal, Verification};
//!
//! # let key = "-----BEGIN PUBLIC KEY-----
//! # MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEhyQCx0E9wQWSFI9ULGwy3BuRklnt
//! # IqozONbbdbqz11hlRJy9c7SG+hdcFl9jE9uE/dwtuwU2MqU9T/cN0YkWww==
//! # -----END PUBLIC KEY-----";
//! let verification = Verification::Cosign(Cosign::with_keys([key])?);
//! let digest = "sha256:".to_string() + &"ab".repeat(32);
//! assert_eq!(verification.check("registry.example.com/web", &digest, &[]), Err(Refusal::Unsigned));
//! # Ok::<(), windlass_artifact_signature::PolicyError>(())
//! ```
//!
//! What an artifact's publisher can choose is never trusted: not the hint of a bundle at its key, not the annotations of
//! a manifest, not the time a signature claims for itself. The absence of a signature is a refusal.

mod cosign;
mod limits;
mod notation;

use std::fmt;

pub use cosign::{ClassicSignature, Cosign, Identity};
pub use limits::{MAX_REASONS, MAX_SIGNATURE_BYTES, MAX_SIGNATURES};
pub use notation::{COSE, JWS, Notation};

/// What is asked of the artifacts of a repository. Equal when it was read from equal texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verification {
    /// A signature that cosign made.
    Cosign(Cosign),
    /// A signature that the Notary Project's tools made.
    Notation(Notation),
}

/// Something that a registry says is a signature of an artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signature {
    /// A layer below the tag `sha256-HEX.sig`, as cosign made them before its third version.
    Classic(ClassicSignature),
    /// A Sigstore bundle, as JSON.
    Bundle(Vec<u8>),
    /// An envelope of the Notary Project.
    Notation {
        /// How it is written: [`JWS`] or [`COSE`].
        media_type: String,
        /// Its bytes.
        envelope: Vec<u8>,
    },
    /// What the registry lists and does not give, or gives otherwise than it is listed; the text says how.
    Unreadable(String),
}

/// Who has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signer {
    /// Whoever has the private half of a key; the SHA-256 of the public half in hexadecimal digits.
    Key(String),
    /// Somebody whose identity an issuer vouched for.
    Identity {
        /// An address of mail or of a workload.
        subject: String,
        /// Who knows that it is them.
        issuer: String,
    },
    /// Nobody who is known, and the policy lets that pass: its level is `audit` or `skip`.
    Nobody,
}

impl fmt::Display for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(fingerprint) => write!(f, "key sha256:{fingerprint}"),
            Self::Identity { subject, issuer } => write!(f, "{subject} ({issuer})"),
            Self::Nobody => f.write_str("nobody who is known, which the policy allows"),
        }
    }
}

/// Why what is asked for cannot be asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A key, a trust root or another file is not what it has to be.
    #[error("{what} cannot be used: {problem}")]
    Unusable {
        /// `the public key`, `the trusted root`, …
        what: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// A pattern is none.
    #[error("{pattern:?} is no regular expression: {problem}")]
    Pattern {
        /// The text.
        pattern: String,
        /// What is wrong with it.
        problem: String,
    },
    /// What would let everybody in.
    #[error("{0}")]
    TooWide(&'static str),
}

/// Why an artifact does not count as signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no signature at all.
    #[error("it has no signature")]
    Unsigned,
    /// None of its signatures is what is asked for.
    #[error("none of its {looked_at} signatures counts: {}", reasons.join("; "))]
    NoneCounts {
        /// How many were looked at.
        looked_at: usize,
        /// Why not, for the first [`MAX_REASONS`] of them.
        reasons: Vec<String>,
    },
}

impl Verification {
    /// Who has signed the artifact of this digest (`sha256:` and 64 hexadecimal digits) in this repository
    /// (`registry.example.com/apps/web`).
    ///
    /// One signature that counts is enough. More than [`MAX_SIGNATURES`] are not looked at.
    ///
    /// # Errors
    ///
    /// [`Refusal`], also when there is no signature.
    pub fn check(&self, repository: &str, digest: &str, signatures: &[Signature]) -> Result<Signer, Refusal> {
        let statement = match self {
            Self::Cosign(_) => None,
            Self::Notation(notation) => match notation.asked_of(repository) {
                Ok(Some(statement)) => Some(statement),
                Ok(None) => return Ok(Signer::Nobody),
                Err(reason) => {
                    return Err(Refusal::NoneCounts {
                        looked_at: 0,
                        reasons: vec![short(&reason.to_string())],
                    });
                }
            },
        };
        let mut reasons = Vec::new();
        let looked_at = signatures.len().min(MAX_SIGNATURES);
        for signature in &signatures[..looked_at] {
            let found = match self {
                Self::Cosign(cosign) => cosign.check(digest, signature),
                Self::Notation(notation) => match (signature, statement) {
                    (Signature::Notation { media_type, envelope }, Some(statement)) => {
                        notation.check(statement, digest, media_type, envelope)
                    }
                    (Signature::Unreadable(problem), _) => Err(cosign::malformed("the signature", problem)),
                    _ => Err(Reason::OtherKind("it is none of the Notary Project's")),
                },
            };
            match found {
                Ok(signer) => return Ok(signer),
                Err(reason) => {
                    let reason = short(&reason.to_string());
                    if reasons.len() < MAX_REASONS && !reasons.contains(&reason) {
                        reasons.push(reason);
                    }
                }
            }
        }
        if looked_at == 0 { Err(Refusal::Unsigned) } else { Err(Refusal::NoneCounts { looked_at, reasons }) }
    }
}

/// Why one signature does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Reason {
    /// It is not of the form that it has to be.
    #[error("{what} cannot be read: {problem}")]
    Malformed {
        /// What is not.
        what: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// It is larger than is looked at.
    #[error("it is larger than the limit MAX_SIGNATURE_BYTES of {MAX_SIGNATURE_BYTES} bytes")]
    TooLarge,
    /// It is of another kind than what is asked for.
    #[error("{0}")]
    OtherKind(&'static str),
    /// It is not that of one of the keys.
    #[error("no trusted key made it")]
    OtherKey,
    /// It holds, and for something else.
    #[error("it is of {0}")]
    OtherArtifact(String),
    /// It holds, and somebody else made it.
    #[error("{subject} ({issuer}) made it, who is none of the identities that are asked for")]
    OtherIdentity {
        /// Who.
        subject: String,
        /// Who says so.
        issuer: String,
    },
    /// It does not hold.
    #[error("{0}")]
    Invalid(String),
}

/// A reason that its publisher cannot make endless, on one line.
fn short(text: &str) -> String {
    /// Long enough for an identity and its issuer.
    const MAX_CHARS: usize = 300;
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let mut chars = text.chars().map(plain);
    let mut out: String = chars.by_ref().take(MAX_CHARS).collect();
    if chars.next().is_some() {
        out.push('…');
    }
    out
}
