//! Signatures by keys.

use sigstore_verify::crypto::{KeyAlgorithm, SigningScheme, VerificationKey, sha256};
use sigstore_verify::types::bundle::VerificationMaterialContent;
use sigstore_verify::types::{DerPublicKey, SignatureBytes};

use super::claims;
use crate::{PolicyError, Reason, Signer};

/// The public half of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PublicKey {
    der: DerPublicKey,
    /// How it may have signed.
    schemes: &'static [SigningScheme],
}

impl PublicKey {
    /// Reads a key as PEM.
    pub(super) fn parse(pem: &str) -> Result<Self, PolicyError> {
        let unusable = |problem: String| PolicyError::Unusable { what: "the public key", problem };
        let der = DerPublicKey::from_pem(pem).map_err(|error| unusable(error.to_string()))?;
        let algorithm = KeyAlgorithm::from_spki(&der).map_err(|error| unusable(error.to_string()))?;
        // cosign hashes with SHA-256 whatever the curve; its bundles may go by the curve.
        let schemes: &[SigningScheme] = match algorithm {
            KeyAlgorithm::EcdsaP256 => &[SigningScheme::EcdsaP256Sha256],
            KeyAlgorithm::EcdsaP384 => &[SigningScheme::EcdsaP384Sha256, SigningScheme::EcdsaP384Sha384],
            KeyAlgorithm::Ed25519 => &[SigningScheme::Ed25519],
            KeyAlgorithm::Rsa => &[SigningScheme::RsaPkcs1Sha256],
            _ => return Err(unusable("its kind is not supported".to_string())),
        };
        let key = Self { der, schemes };
        let scheme = schemes.first().copied().unwrap_or(SigningScheme::EcdsaP256Sha256);
        let loaded = VerificationKey::from_spki_with_scheme(&key.der, scheme);
        let loaded = loaded.map_err(|error| unusable(error.to_string()))?;
        sigstore_verify::crypto::validate_raw_public_key(scheme, loaded.as_bytes())
            .map_err(|error| unusable(error.to_string()))?;
        Ok(key)
    }

    fn has_signed(&self, text: &[u8], signature: &SignatureBytes) -> bool {
        self.schemes.iter().any(|scheme| {
            VerificationKey::from_spki_with_scheme(&self.der, *scheme)
                .is_ok_and(|key| key.verify(text, signature).is_ok())
        })
    }

    fn signer(&self) -> Signer {
        Signer::Key(sha256(self.der.as_bytes()).to_hex())
    }
}

/// Which of the keys has signed a text.
pub(super) fn check(keys: &[PublicKey], text: &[u8], signature: &[u8]) -> Result<Signer, Reason> {
    let signature = SignatureBytes::from_bytes(signature);
    let key = keys.iter().find(|key| key.has_signed(text, &signature));
    key.map(PublicKey::signer).ok_or(Reason::OtherKey)
}

/// Which of the keys has signed a bundle that is of this digest. Its hint at the key is not looked at: whoever pushes
/// has written it.
pub(super) fn check_bundle(keys: &[PublicKey], bytes: &[u8], digest: &str) -> Result<Signer, Reason> {
    let bundle = claims::read_bundle(bytes)?;
    if !matches!(bundle.verification_material.content, VerificationMaterialContent::PublicKey(_)) {
        return Err(Reason::OtherKind("a certificate made it, and keys are asked for"));
    }
    let envelope = claims::envelope(&bundle)?;
    let signer = check(keys, &envelope.pae(), envelope.signature.sig.as_bytes())?;
    claims::check_statement(envelope, digest)?;
    Ok(signer)
}
