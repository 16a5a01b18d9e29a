//! What the Notary Project's tools sign: certificates of one's own, and a trust policy.

mod cbor;
mod certificate;
mod cose;
mod envelope;
mod jws;
mod name;
mod policy;

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use self::certificate::Certificate;
use self::envelope::{Envelope, Scheme};
use self::policy::{Action, Enforcement, Policy, Statement};
use crate::{MAX_SIGNATURE_BYTES, PolicyError, Reason, Signer};

/// The media type of envelopes that are JSON Web Signatures.
pub const JWS: &str = "application/jose+json";

/// The media type of envelopes in COSE.
pub const COSE: &str = "application/cose";

/// Whose signature by the Notary Project's tools is asked for: a trust policy and the certificates of its stores.
///
/// As with Flux, the names of the stores are not looked at: all certificates are in each store that a statement names.
#[derive(Clone)]
pub struct Notation {
    policy: Policy,
    certificates: Arc<[Certificate]>,
    /// The texts it was read from.
    texts: Arc<[String]>,
}

impl PartialEq for Notation {
    fn eq(&self, other: &Self) -> bool {
        self.texts == other.texts
    }
}

impl Eq for Notation {}

impl fmt::Debug for Notation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notation").field("policy", &self.policy).finish_non_exhaustive()
    }
}

impl Notation {
    /// Reads a trust policy (`trustpolicy.json`, version 1.0) and certificates as PEM.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] for what is not of that form, and for a policy that asks for what is not supported: stores of time
    /// authorities, and plugins.
    pub fn new<'a>(
        trust_policy: &str,
        certificates: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, PolicyError> {
        let policy = Policy::parse(trust_policy)?;
        let mut texts = vec![trust_policy.to_string()];
        let mut read = Vec::new();
        for text in certificates {
            texts.push(text.to_string());
            let found = Certificate::all_of_pem(text).map_err(|problem| PolicyError::Unusable {
                what: "the certificate",
                problem: problem.to_string(),
            })?;
            read.extend(found);
        }
        Ok(Self { policy, certificates: read.into(), texts: texts.into() })
    }

    /// What is asked of a repository (`registry.example.com/apps/web`); `None` when a statement says that nothing is.
    ///
    /// # Errors
    ///
    /// [`Reason`] when no statement is for it.
    pub(crate) fn asked_of(&self, repository: &str) -> Result<Option<&Statement>, Reason> {
        let statement = self.policy.statement(repository).ok_or_else(|| {
            Reason::Invalid(format!("no statement of the trust policy is for {repository}"))
        })?;
        Ok(statement.enforcement.is_some().then_some(statement))
    }

    /// Who has signed the artifact, by a statement that asks.
    pub(crate) fn check(
        &self,
        statement: &Statement,
        digest: &str,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<Signer, Reason> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let Some(enforcement) = &statement.enforcement else { return Ok(Signer::Nobody) };
        if bytes.len() > MAX_SIGNATURE_BYTES {
            return Err(Reason::TooLarge);
        }
        // Whatever the level, what is not whole is nothing.
        let envelope = Envelope::open(media_type, bytes)?;
        if envelope.digest != digest {
            return Err(Reason::OtherArtifact(envelope.digest));
        }
        let authentic = self.authenticity(statement, &envelope);
        let mut is_known = authentic.is_ok();
        for (action, found) in [
            (enforcement.authenticity, authentic),
            (enforcement.expiry, expiry(&envelope, now)),
            (enforcement.authentic_timestamp, validity(&envelope, now)),
            (enforcement.revocation, revocation(&envelope)),
        ] {
            if action == Action::Enforce {
                found?;
            }
        }
        is_known &= enforcement.authenticity != Action::Skip;
        let subject = envelope.chain[0].subject_text();
        let issuer = envelope.chain.last().map(Certificate::subject_text).unwrap_or_default();
        Ok(if is_known { Signer::Identity { subject, issuer } } else { Signer::Nobody })
    }

    /// Whether a certificate of the store is in the chain, and its leaf is somebody whom the statement names.
    fn authenticity(&self, statement: &Statement, envelope: &Envelope) -> Result<(), Reason> {
        let is_trusted = statement.stores.contains(&envelope.scheme)
            && envelope.chain.iter().any(|certificate| self.certificates.contains(certificate));
        if !is_trusted {
            let problem = "its chain of certificates has none that is trusted";
            return Err(Reason::Invalid(problem.to_string()));
        }
        let subject = envelope.chain[0].subject().ok();
        if statement.trusts(subject.as_ref()) {
            return Ok(());
        }
        let (subject, issuer) = (envelope.chain[0].subject_text(), "its certificate".to_string());
        Err(Reason::OtherIdentity { subject, issuer })
    }
}

/// Whether a signature that ends has not ended.
fn expiry(envelope: &Envelope, now: u64) -> Result<(), Reason> {
    match envelope.expiry {
        Some(end) if now >= end => Err(Reason::Invalid("it has expired".to_string())),
        _ => Ok(()),
    }
}

/// Whether the certificates hold: when an authority says that it signed, or else now.
fn validity(envelope: &Envelope, now: u64) -> Result<(), Reason> {
    let at = match envelope.scheme {
        Scheme::Certificate => now,
        Scheme::SigningAuthority => envelope.signing_time,
    };
    match envelope.chain.iter().find(|certificate| !certificate.holds_at(at)) {
        Some(certificate) => {
            let subject = certificate.subject_text();
            Err(Reason::Invalid(format!("the certificate of {subject} does not hold at the time")))
        }
        None => Ok(()),
    }
}

/// Whether nobody could have taken a certificate back: nobody is asked whether somebody has.
fn revocation(envelope: &Envelope) -> Result<(), Reason> {
    if envelope.chain.iter().any(Certificate::can_be_revoked) {
        let problem = "whether its certificate was taken back would have to be asked of a server, which is not \
                       supported; the policy may set revocation to log";
        return Err(Reason::Invalid(problem.to_string()));
    }
    Ok(())
}

impl Enforcement {
    pub(super) const STRICT: Self = Self {
        authenticity: Action::Enforce,
        authentic_timestamp: Action::Enforce,
        expiry: Action::Enforce,
        revocation: Action::Enforce,
    };
    pub(super) const PERMISSIVE: Self = Self {
        authenticity: Action::Enforce,
        authentic_timestamp: Action::Log,
        expiry: Action::Log,
        revocation: Action::Log,
    };
    pub(super) const AUDIT: Self = Self {
        authenticity: Action::Log,
        authentic_timestamp: Action::Log,
        expiry: Action::Log,
        revocation: Action::Log,
    };
}
