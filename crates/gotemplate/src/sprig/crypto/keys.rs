//! Private keys: made, read from PEM and written to it, and signing.

use num_bigint::BigUint;
use p256::ecdsa::signature::hazmat::PrehashSigner;
use rsa::{BoxedUint, Pkcs1v15Sign, RsaPrivateKey};
use sha2::{Digest, Sha256, Sha384};

use crate::error::LimitExceeded;
use crate::function::{Context, Entry, FunctionError, Signature};
use crate::value::{Str, Value};

use super::super::arguments::{Answer, STRING, text};
use super::der::{self, INTEGER, NULL, OBJECT_IDENTIFIER, OCTET_STRING, Reader, SEQUENCE};
use super::{Chance, pem, primes};

pub(in super::super) const FUNCTIONS: &[Entry] =
    &[Entry::new("genPrivateKey", Signature::fixed(&[STRING]), generate)];

/// The size of the keys of certificates.
pub(super) const RSA_BITS: u64 = 2_048;
/// The size of the keys of `genPrivateKey`.
const LARGE_RSA_BITS: u64 = 4_096;
/// The public exponent of every key that is made here.
const PUBLIC_EXPONENT: u32 = 65_537;

const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
const SHA256_WITH_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11];
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const ECDSA_WITH_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
const ECDSA_WITH_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const P384: &[u8] = &[0x2b, 0x81, 4, 0, 34];
const ED25519: &[u8] = &[0x2b, 0x65, 112];

/// A private key of one of the kinds that Go reads. Its curves P-224 and P-521 are missing.
pub(super) enum PrivateKey {
    Rsa(Box<RsaNumbers>),
    P256(Box<p256::ecdsa::SigningKey>),
    P384(Box<p384::ecdsa::SigningKey>),
    Ed25519(Box<ed25519_dalek::SigningKey>),
    /// Can be made and read, but signs no certificates.
    Dsa(Box<DsaNumbers>),
}

/// The numbers of an RSA key.
pub(super) struct RsaNumbers {
    modulus: BigUint,
    public_exponent: BigUint,
    private_exponent: BigUint,
    primes: [BigUint; 2],
}

/// The numbers of a DSA key in the order in which they are written: prime, divisor, generator, public, private.
pub(super) struct DsaNumbers([BigUint; 5]);

fn generate(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let kind = text(arguments, 0);
    let key = match kind.as_bytes() {
        b"" | b"rsa" => PrivateKey::new_rsa(context, LARGE_RSA_BITS)?,
        b"dsa" => PrivateKey::new_dsa(context)?,
        b"ecdsa" => PrivateKey::new_p256(context),
        b"ed25519" => {
            let mut secret = [0; 32];
            context.random(&mut secret);
            PrivateKey::Ed25519(Box::new(ed25519_dalek::SigningKey::from_bytes(&secret)))
        }
        _ => return Ok(Str::from([b"Unknown type ", kind.as_bytes()].concat()).into()),
    };
    Ok(key.to_pem().into())
}

impl PrivateKey {
    /// A new RSA key with a modulus of so many bits.
    pub(super) fn new_rsa(context: &mut Context<'_>, bits: u64) -> Result<Self, FunctionError> {
        let exponent = BigUint::from(PUBLIC_EXPONENT);
        let one = BigUint::from(1_u32);
        // The exponent is prime, so that it has an inverse unless it divides.
        let suits = |prime: &BigUint| (prime - &one) % &exponent != BigUint::ZERO;
        loop {
            let primes = [primes::prime(context, bits / 2, suits)?, primes::prime(context, bits / 2, suits)?];
            let [first, second] = &primes;
            let modulus = first * second;
            let order = (first - &one) * (second - &one);
            if let Some(private_exponent) = exponent.modinv(&order)
                && first != second
                && modulus.bits() == bits
            {
                let public_exponent = exponent.clone();
                return Ok(Self::Rsa(Box::new(RsaNumbers {
                    modulus,
                    public_exponent,
                    private_exponent,
                    primes,
                })));
            }
        }
    }

    fn new_dsa(context: &mut Context<'_>) -> Result<Self, LimitExceeded> {
        let parameters = primes::dsa_parameters(context)?;
        let private = primes::below(context, &parameters.divisor);
        let public = parameters.generator.modpow(&private, &parameters.prime);
        Ok(Self::Dsa(Box::new(DsaNumbers([
            parameters.prime,
            parameters.divisor,
            parameters.generator,
            public,
            private,
        ]))))
    }

    fn new_p256(context: &mut Context<'_>) -> Self {
        loop {
            let mut secret = [0; 32];
            context.random(&mut secret);
            // Nearly every number is one.
            if let Ok(key) = p256::ecdsa::SigningKey::from_slice(&secret) {
                return Self::P256(Box::new(key));
            }
        }
    }

    /// Reads the first block of a text.
    pub(super) fn from_pem(text: &[u8]) -> Result<Self, String> {
        let block = pem::decode(text).ok_or("no PEM data in input")?;
        if block.label == "PRIVATE KEY" {
            return Self::from_pkcs8(&block.content)
                .map_err(|error| format!("decoding PEM as PKCS#8: {error}"));
        }
        let Some(kind) = block.label.strip_suffix(" PRIVATE KEY") else {
            return Err(format!("no private key data in PEM block of type {}", block.label));
        };
        match kind {
            "RSA" => Self::from_pkcs1(&block.content)
                .ok_or_else(|| "parsing RSA private key from PEM: x509: malformed key".to_owned()),
            "EC" => Self::from_sec1(&block.content, None)
                .ok_or_else(|| "parsing EC private key from PEM: x509: malformed key".to_owned()),
            "DSA" => Self::from_dsa(&block.content)
                .ok_or_else(|| "parsing DSA private key from PEM: asn1: malformed key".to_owned()),
            kind => Err(format!("invalid private key type {kind}")),
        }
    }

    fn from_pkcs8(content: &[u8]) -> Result<Self, String> {
        let parsed = || {
            let mut fields = Reader(Reader(content).expect(SEQUENCE)?);
            fields.expect(INTEGER)?;
            let mut algorithm = Reader(fields.expect(SEQUENCE)?);
            let kind = algorithm.expect(OBJECT_IDENTIFIER)?;
            Some((kind, algorithm, fields.expect(OCTET_STRING)?))
        };
        let malformed = || "x509: malformed key".to_owned();
        let (kind, mut algorithm, key) = parsed().ok_or_else(malformed)?;
        match kind {
            RSA_ENCRYPTION => Self::from_pkcs1(key).ok_or_else(malformed),
            EC_PUBLIC_KEY => {
                let curve = algorithm.expect(OBJECT_IDENTIFIER).ok_or_else(malformed)?;
                Self::from_sec1(key, Some(curve)).ok_or_else(malformed)
            }
            ED25519 => {
                let secret = Reader(key).expect(OCTET_STRING).and_then(|secret| secret.try_into().ok());
                let key = ed25519_dalek::SigningKey::from_bytes(secret.ok_or_else(malformed)?);
                Ok(Self::Ed25519(Box::new(key)))
            }
            _ => Err("x509: PKCS#8 wrapping contained private key with unknown algorithm".to_owned()),
        }
    }

    fn from_pkcs1(content: &[u8]) -> Option<Self> {
        let mut fields = Reader(Reader(content).expect(SEQUENCE)?);
        let mut next = || Some(BigUint::from_bytes_be(fields.expect(INTEGER)?));
        next()?;
        let (modulus, public_exponent, private_exponent) = (next()?, next()?, next()?);
        let primes = [next()?, next()?];
        let is_whole = &primes[0] * &primes[1] == modulus && modulus.bits() >= 512;
        let numbers = RsaNumbers { modulus, public_exponent, private_exponent, primes };
        is_whole.then(|| Self::Rsa(Box::new(numbers)))
    }

    /// Reads a key of a curve, which the content names unless it was named before.
    fn from_sec1(content: &[u8], curve: Option<&[u8]>) -> Option<Self> {
        let mut fields = Reader(Reader(content).expect(SEQUENCE)?);
        fields.expect(INTEGER)?;
        let secret = fields.expect(OCTET_STRING)?;
        let curve = match curve {
            Some(curve) => curve,
            None => Reader(fields.optional(0xa0)?).expect(OBJECT_IDENTIFIER)?,
        };
        match curve {
            P256 => Some(Self::P256(Box::new(p256::ecdsa::SigningKey::from_slice(secret).ok()?))),
            P384 => Some(Self::P384(Box::new(p384::ecdsa::SigningKey::from_slice(secret).ok()?))),
            _ => None,
        }
    }

    fn from_dsa(content: &[u8]) -> Option<Self> {
        let mut fields = Reader(Reader(content).expect(SEQUENCE)?);
        let mut next = || Some(BigUint::from_bytes_be(fields.expect(INTEGER)?));
        next()?;
        Some(Self::Dsa(Box::new(DsaNumbers([next()?, next()?, next()?, next()?, next()?]))))
    }

    /// The key as Go writes one of its kind.
    pub(super) fn to_pem(&self) -> String {
        match self {
            Self::Rsa(numbers) => pem::encode("RSA PRIVATE KEY", &numbers.to_pkcs1()),
            Self::P256(key) => {
                let public = key.verifying_key().to_sec1_point(false);
                pem::encode("EC PRIVATE KEY", &sec1(&key.to_bytes(), P256, public.as_bytes()))
            }
            Self::P384(key) => {
                let public = key.verifying_key().to_sec1_point(false);
                pem::encode("EC PRIVATE KEY", &sec1(&key.to_bytes(), P384, public.as_bytes()))
            }
            Self::Ed25519(key) => {
                let secret = der::element(OCTET_STRING, &key.to_bytes());
                let algorithm = der::sequence(&[der::identifier(ED25519)]);
                let content =
                    der::sequence(&[der::unsigned(&[]), algorithm, der::element(OCTET_STRING, &secret)]);
                pem::encode("PRIVATE KEY", &content)
            }
            Self::Dsa(numbers) => {
                let mut fields = vec![der::unsigned(&[])];
                fields.extend(numbers.0.iter().map(integer));
                pem::encode("DSA PRIVATE KEY", &der::sequence(&fields))
            }
        }
    }

    /// The public key as certificates hold it; `None` where they cannot.
    pub(super) fn public(&self) -> Option<Vec<u8>> {
        let (algorithm, key) = match self {
            Self::Rsa(numbers) => {
                let key = der::sequence(&[integer(&numbers.modulus), integer(&numbers.public_exponent)]);
                (vec![der::identifier(RSA_ENCRYPTION), der::element(NULL, &[])], key)
            }
            Self::P256(key) => {
                let public = key.verifying_key().to_sec1_point(false);
                (vec![der::identifier(EC_PUBLIC_KEY), der::identifier(P256)], public.as_bytes().to_vec())
            }
            Self::P384(key) => {
                let public = key.verifying_key().to_sec1_point(false);
                (vec![der::identifier(EC_PUBLIC_KEY), der::identifier(P384)], public.as_bytes().to_vec())
            }
            Self::Ed25519(key) => (vec![der::identifier(ED25519)], key.verifying_key().to_bytes().to_vec()),
            Self::Dsa(_) => return None,
        };
        Some(der::sequence(&[der::sequence(&algorithm), der::bits(&key)]))
    }

    /// How the key signs, as certificates say it; `None` where it cannot.
    pub(super) fn signature_algorithm(&self) -> Option<Vec<u8>> {
        Some(der::sequence(&match self {
            Self::Rsa(_) => vec![der::identifier(SHA256_WITH_RSA), der::element(NULL, &[])],
            Self::P256(_) => vec![der::identifier(ECDSA_WITH_SHA256)],
            Self::P384(_) => vec![der::identifier(ECDSA_WITH_SHA384)],
            Self::Ed25519(_) => vec![der::identifier(ED25519)],
            Self::Dsa(_) => return None,
        }))
    }

    /// The signature of a message.
    pub(super) fn sign(&self, context: &mut Context<'_>, message: &[u8]) -> Result<Vec<u8>, String> {
        match self {
            Self::Rsa(numbers) => {
                let key = numbers.to_key()?;
                let digest = Sha256::digest(message);
                let padding = Pkcs1v15Sign::new::<Sha256>();
                key.sign_with_rng(&mut Chance(context), padding, &digest).map_err(|error| error.to_string())
            }
            Self::P256(key) => {
                let signature: p256::ecdsa::Signature =
                    key.sign_prehash(&Sha256::digest(message)).map_err(|error| error.to_string())?;
                Ok(signature.to_der().as_bytes().to_vec())
            }
            Self::P384(key) => {
                let signature: p384::ecdsa::Signature =
                    key.sign_prehash(&Sha384::digest(message)).map_err(|error| error.to_string())?;
                Ok(signature.to_der().as_bytes().to_vec())
            }
            Self::Ed25519(key) => {
                use ed25519_dalek::Signer;
                Ok(key.sign(message).to_bytes().to_vec())
            }
            Self::Dsa(_) => Err("x509: only RSA, ECDSA and Ed25519 keys supported".to_owned()),
        }
    }
}

impl RsaNumbers {
    fn to_pkcs1(&self) -> Vec<u8> {
        let [first, second] = &self.primes;
        let one = BigUint::from(1_u32);
        let zero = BigUint::ZERO;
        der::sequence(&[
            integer(&zero),
            integer(&self.modulus),
            integer(&self.public_exponent),
            integer(&self.private_exponent),
            integer(first),
            integer(second),
            integer(&(&self.private_exponent % (first - &one))),
            integer(&(&self.private_exponent % (second - &one))),
            integer(&second.modinv(first).unwrap_or(zero)),
        ])
    }

    /// The key as the library that signs has it.
    fn to_key(&self) -> Result<RsaPrivateKey, String> {
        let number = |number: &BigUint| BoxedUint::from_be_slice_vartime(&number.to_bytes_be());
        let primes = self.primes.iter().map(number).collect();
        RsaPrivateKey::from_components(
            number(&self.modulus),
            number(&self.public_exponent),
            number(&self.private_exponent),
            primes,
        )
        .map_err(|error| error.to_string())
    }
}

fn integer(number: &BigUint) -> Vec<u8> {
    der::unsigned(&number.to_bytes_be())
}

fn sec1(secret: &[u8], curve: &[u8], public: &[u8]) -> Vec<u8> {
    der::sequence(&[
        der::unsigned(&[1]),
        der::element(OCTET_STRING, secret),
        der::constructed(0xa0, &[der::identifier(curve)]),
        der::constructed(0xa1, &[der::bits(public)]),
    ])
}
