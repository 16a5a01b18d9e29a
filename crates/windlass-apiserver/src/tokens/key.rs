//! The key that signs tokens: JSON Web Tokens by ES256, as kube-apiserver signs them with such a key.

use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, UnparsedPublicKey,
};
use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD, URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use windlass_kube::{Value, value};

/// Longer texts are no token of ours; they are not looked at.
const MAX_TOKEN: usize = 16 << 10;

/// As Go reads it: what is left in the last letter does not matter.
const LENIENT: GeneralPurpose =
    GeneralPurpose::new(&alphabet::URL_SAFE, NO_PAD.with_decode_allow_trailing_bits(true));

/// A key on the curve P-256.
pub(crate) struct SigningKey {
    pair: EcdsaKeyPair,
    id: String,
}

impl SigningKey {
    /// A new key, and its PEM.
    pub(crate) fn generate() -> Result<(Arc<Self>, String), String> {
        let key = rcgen::KeyPair::generate().map_err(|error| error.to_string())?;
        let pem = key.serialize_pem();
        Ok((Arc::new(Self::new(&key)?), pem))
    }

    /// Reads a key; others than of P-256 are refused.
    pub(crate) fn from_pem(pem: &str) -> Result<Arc<Self>, String> {
        let key = rcgen::KeyPair::from_pem(pem).map_err(|error| error.to_string())?;
        Self::new(&key).map(Arc::new)
    }

    fn new(key: &rcgen::KeyPair) -> Result<Self, String> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &key.serialize_der())
            .map_err(|error| error.to_string())?;
        // As kube-apiserver names keys: so that the name tells nothing of the key.
        let id = URL_SAFE_NO_PAD.encode(Sha256::digest(rcgen::PublicKeyData::subject_public_key_info(key)));
        Ok(Self { pair, id })
    }

    /// A token that says `claims`.
    pub(super) fn sign(&self, claims: &Value) -> Result<String, String> {
        let part = |value: &Value| {
            URL_SAFE_NO_PAD.encode(serde_json::to_vec(value).expect("writing to memory cannot fail"))
        };
        let header = value!({"alg": "ES256", "kid": (self.id.as_str())});
        let signed = format!("{}.{}", part(&header), part(claims));
        let signature =
            self.pair.sign(&SystemRandom::new(), signed.as_bytes()).map_err(|error| error.to_string())?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// Why the signature of a token is not of this key, in kube-apiserver's words.
    pub(super) fn check(&self, token: &Unverified<'_>) -> Result<(), String> {
        if !token.key.is_empty() && token.key != self.id {
            return Err("invalid signature, no keys found".into());
        }
        if token.algorithm != "ES256" {
            return Err("go-jose/go-jose: error in cryptographic primitive".into());
        }
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.pair.public_key().as_ref());
        public
            .verify(token.signed.as_bytes(), &token.signature)
            .map_err(|_| "go-jose/go-jose: error in cryptographic primitive".into())
    }

    /// The public half as a set of keys.
    pub(crate) fn key_set(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        // A byte that says it is not compressed, then two numbers of 32 bytes.
        let number = |range: std::ops::Range<usize>| URL_SAFE_NO_PAD.encode(&point[range]);
        value!({"keys": [{
            "use": "sig", "kty": "EC", "kid": (self.id.as_str()), "crv": "P-256", "alg": "ES256",
            "x": (number(1..33)), "y": (number(33..65))
        }]})
    }
}

/// A token that was taken apart, of which nothing is known to be true.
pub(super) struct Unverified<'a> {
    pub(super) claims: Value,
    algorithm: String,
    key: String,
    signed: &'a str,
    signature: Vec<u8>,
}

impl<'a> Unverified<'a> {
    /// Takes a token apart; `None` if it is no JSON Web Token.
    pub(super) fn parse(token: &'a str) -> Option<Self> {
        if token.len() > MAX_TOKEN {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let read = |part: &str| -> Option<Value> { serde_json::from_slice(&LENIENT.decode(part).ok()?).ok() };
        let header = read(header)?;
        let text = |key: &str| header.str_at(&[key]).unwrap_or_default().to_owned();
        Some(Self {
            claims: read(claims)?,
            algorithm: text("alg"),
            key: text("kid"),
            signed,
            signature: LENIENT.decode(signature).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_of_the_key_that_signed_it_and_of_no_other() {
        let (key, pem) = SigningKey::generate().unwrap();
        let token = key.sign(&value!({"sub": "me", "iat": 7})).unwrap();
        let parsed = Unverified::parse(&token).unwrap();
        assert_eq!(parsed.claims, value!({"sub": "me", "iat": 7}));
        assert_eq!(key.check(&parsed), Ok(()));
        assert_eq!(SigningKey::from_pem(&pem).unwrap().check(&parsed), Ok(()));
        let other = SigningKey::generate().unwrap().0;
        assert_eq!(other.check(&parsed), Err("invalid signature, no keys found".into()));
        let (header, rest) = token.split_once('.').unwrap();
        let (_, signature) = rest.split_once('.').unwrap();
        let claims = URL_SAFE_NO_PAD.encode(r#"{"sub":"you"}"#);
        let forged = format!("{header}.{claims}.{signature}");
        assert!(key.check(&Unverified::parse(&forged).unwrap()).is_err());
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
        assert!(key.check(&Unverified::parse(&format!("{none}.{claims}.")).unwrap()).is_err());
        for cut in 0..token.len() {
            let right = Unverified::parse(&token[..cut]).is_some_and(|parsed| key.check(&parsed).is_ok());
            assert!(!right, "{cut}");
        }
    }
}
