//! What cosign signs, with keys or with identities.

mod claims;
mod key;
mod keyless;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use self::key::PublicKey;
pub use self::keyless::Identity;
use self::keyless::Keyless;
use crate::{MAX_SIGNATURE_BYTES, PolicyError, Reason, Signature, Signer};

/// Whose signature by cosign is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosign(Who);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Who {
    Keys(Vec<PublicKey>),
    Identities(Keyless),
}

/// A signature below the tag `sha256-HEX.sig`: a layer and its annotations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassicSignature {
    /// The layer: what is signed.
    pub payload: Vec<u8>,
    /// `dev.cosignproject.cosign/signature`.
    pub signature: String,
    /// `dev.sigstore.cosign/certificate`, as PEM.
    pub certificate: Option<String>,
    /// `dev.sigstore.cosign/chain`, as PEM.
    pub chain: Option<String>,
    /// `dev.sigstore.cosign/bundle`: what the log of signatures promised, as JSON.
    pub log_entry: Option<String>,
}

impl Cosign {
    /// Asks for a signature by one of these keys, as PEM (`PUBLIC KEY`): ECDSA on P-256 or P-384, RSA of 2,048 to 8,192
    /// bits, or Ed25519.
    ///
    /// That the signature is in a log is not asked for, as Flux does not.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] for a key that cannot be used, and when there is none.
    pub fn with_keys<'a>(keys: impl IntoIterator<Item = &'a str>) -> Result<Self, PolicyError> {
        let keys = keys.into_iter().map(PublicKey::parse).collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() {
            let problem = "there is none".to_string();
            return Err(PolicyError::Unusable { what: "the public key", problem });
        }
        Ok(Self(Who::Keys(keys)))
    }

    /// Asks for a signature by somebody to whom an authority of the trusted root (`trusted_root.json`) gave a
    /// certificate of ten minutes, and that a log of the root has seen within them. Without a root it is that of
    /// Sigstore's public service.
    ///
    /// Everything is checked that `cosign verify` checks: the chain of the certificate at the time of the signature, the
    /// log of certificates, the proof or the promise of the log of signatures, that its entry is of this signature, and
    /// the identity.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] when the root cannot be used, and when there is no identity: then everybody would count.
    pub fn keyless(identities: Vec<Identity>, trusted_root: Option<&str>) -> Result<Self, PolicyError> {
        Ok(Self(Who::Identities(Keyless::new(identities, trusted_root)?)))
    }

    pub(crate) fn check(&self, digest: &str, signature: &Signature) -> Result<Signer, Reason> {
        match signature {
            Signature::Classic(classic) => {
                if classic.payload.len() > MAX_SIGNATURE_BYTES {
                    return Err(Reason::TooLarge);
                }
                let signed = STANDARD.decode(&classic.signature).map_err(|error| Reason::Malformed {
                    what: "the signature",
                    problem: error.to_string(),
                })?;
                let signer = match &self.0 {
                    Who::Keys(keys) => key::check(keys, &classic.payload, &signed)?,
                    Who::Identities(keyless) => keyless.check_classic(classic, &signed)?,
                };
                // What nobody who counts has signed is not read.
                claims::check_payload(&classic.payload, digest)?;
                Ok(signer)
            }
            Signature::Notation { .. } => Err(Reason::OtherKind("cosign has not made it")),
            Signature::Unreadable(problem) => Err(malformed("the signature", &problem)),
            Signature::Bundle(bytes) => {
                if bytes.len() > MAX_SIGNATURE_BYTES {
                    return Err(Reason::TooLarge);
                }
                match &self.0 {
                    Who::Keys(keys) => key::check_bundle(keys, bytes, digest),
                    Who::Identities(keyless) => keyless.check_bundle(bytes, digest),
                }
            }
        }
    }
}

pub(crate) fn malformed(what: &'static str, problem: &dyn std::fmt::Display) -> Reason {
    Reason::Malformed { what, problem: problem.to_string() }
}
