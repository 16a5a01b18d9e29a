//! Certificates (X.509) as far as the Notary Project's signatures need them.

use std::fmt;

use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::der::{Decode, DecodePem, Encode};
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages};

use super::name::Name;
use crate::Reason;

/// Certificates of a chain or a file that are read.
const MAX_CERTIFICATES: usize = 100;

const CODE_SIGNING: &str = "1.3.6.1.5.5.7.3.3";
/// What a certificate that signs artifacts must not be for: anything, servers, mail, time, OCSP.
const FOREIGN_USAGES: [&str; 5] =
    ["2.5.29.37.0", "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.4", "1.3.6.1.5.5.7.3.8", "1.3.6.1.5.5.7.3.9"];
/// Where to ask whether a certificate was taken back: lists, and servers (which is one use of the second).
const REVOCATION_LISTS: &str = "2.5.29.31";
const AUTHORITY_INFORMATION: &str = "1.3.6.1.5.5.7.1.1";

/// A certificate. Two are equal when their bytes are.
#[derive(Clone)]
pub(super) struct Certificate {
    der: Vec<u8>,
    parsed: Box<x509_cert::Certificate>,
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", self.subject_text())
    }
}

fn invalid(problem: impl Into<String>) -> Reason {
    Reason::Invalid(problem.into())
}

impl Certificate {
    pub(super) fn of_base64(text: &str) -> Result<Self, Reason> {
        let der = STANDARD.decode(text).map_err(|_| invalid("its certificate is not base64"))?;
        Self::of_der(&der)
    }

    pub(super) fn of_der(der: &[u8]) -> Result<Self, Reason> {
        let parsed = x509_cert::Certificate::from_der(der)
            .map_err(|error| invalid(format!("its certificate cannot be read: {error}")))?;
        Ok(Self { der: der.to_vec(), parsed: Box::new(parsed) })
    }

    /// The certificates of a PEM text; none is an error.
    pub(super) fn all_of_pem(text: &str) -> Result<Vec<Self>, Reason> {
        const END: &str = "-----END CERTIFICATE-----";
        let blocks = text.split_inclusive(END).filter(|block| block.contains(END)).take(MAX_CERTIFICATES);
        let read = blocks.map(|block| {
            let start = block.find("-----BEGIN CERTIFICATE-----").unwrap_or_default();
            let parsed = x509_cert::Certificate::from_pem(&block[start..])
                .map_err(|error| invalid(format!("it cannot be read: {error}")))?;
            let der = parsed.to_der().map_err(|error| invalid(error.to_string()))?;
            Ok(Self { der, parsed: Box::new(parsed) })
        });
        let all = read.collect::<Result<Vec<_>, Reason>>()?;
        if all.is_empty() { Err(invalid("there is none in it")) } else { Ok(all) }
    }

    /// The subject's name in one line, for people.
    pub(super) fn subject_text(&self) -> String {
        self.parsed.tbs_certificate.subject.to_string()
    }

    /// The subject's name by its parts.
    pub(super) fn subject(&self) -> Result<Name, &'static str> {
        Name::parse(&self.subject_text())
    }

    /// Whether it holds at a time, in seconds since 1970.
    pub(super) fn holds_at(&self, at: u64) -> bool {
        let validity = &self.parsed.tbs_certificate.validity;
        let seconds = |time: x509_cert::time::Time| time.to_unix_duration().as_secs();
        seconds(validity.not_before) <= at && at <= seconds(validity.not_after)
    }

    /// Whether it says where to ask if it was taken back.
    pub(super) fn can_be_revoked(&self) -> bool {
        let of = |wanted: &str| self.extensions().any(|id| id.to_string() == wanted);
        of(REVOCATION_LISTS) || of(AUTHORITY_INFORMATION)
    }

    fn extensions(&self) -> impl Iterator<Item = &ObjectIdentifier> {
        self.parsed.tbs_certificate.extensions.iter().flatten().map(|extension| &extension.extn_id)
    }

    fn extension<'a, T>(&'a self) -> Result<Option<(bool, T)>, Reason>
    where
        T: Decode<'a> + x509_cert::der::oid::AssociatedOid,
    {
        self.parsed
            .tbs_certificate
            .get()
            .map_err(|error| invalid(format!("an extension of its certificate cannot be read: {error}")))
    }

    fn is_authority(&self) -> Result<Option<Option<u8>>, Reason> {
        let constraints = self.extension::<BasicConstraints>()?;
        Ok(constraints.filter(|(_, it)| it.ca).map(|(_, it)| it.path_len_constraint))
    }

    fn has_usage(&self, wanted: KeyUsages) -> Result<bool, Reason> {
        Ok(self
            .extension::<KeyUsage>()?
            .is_some_and(|(is_critical, usage)| is_critical && usage.0.contains(wanted)))
    }

    /// The public key as it stands there.
    fn key(&self) -> Result<Vec<u8>, Reason> {
        let key = self.parsed.tbs_certificate.subject_public_key_info.to_der();
        key.map_err(|error| invalid(error.to_string()))
    }

    /// Whether the key has signed a text.
    pub(super) fn has_signed(
        &self,
        algorithm: &'static dyn VerificationAlgorithm,
        text: &[u8],
        signature: &[u8],
    ) -> bool {
        self.key().is_ok_and(|key| UnparsedPublicKey::new(algorithm, key).verify(text, signature).is_ok())
    }

    /// The bits of an RSA key, or the curve of another: what its signature's algorithm must fit.
    pub(super) fn key_kind(&self) -> KeyKind {
        const RSA: &str = "1.2.840.113549.1.1.1";
        let info = &self.parsed.tbs_certificate.subject_public_key_info;
        if info.algorithm.oid.to_string() == RSA {
            // Some twenty bytes beside the modulus.
            return KeyKind::Rsa(info.subject_public_key.raw_bytes().len() * 8 / 256 * 256);
        }
        let curve = info.algorithm.parameters.as_ref().and_then(|it| it.decode_as::<ObjectIdentifier>().ok());
        match curve.map(|it| it.to_string()).as_deref() {
            Some("1.2.840.10045.3.1.7") => KeyKind::P256,
            Some("1.3.132.0.34") => KeyKind::P384,
            Some("1.3.132.0.35") => KeyKind::P521,
            _ => KeyKind::Other,
        }
    }

    /// Whether another certificate's key has signed this one.
    fn is_issued_by(&self, issuer: &Self) -> Result<bool, Reason> {
        let mine = &self.parsed.tbs_certificate;
        if mine.issuer != issuer.parsed.tbs_certificate.subject {
            return Ok(false);
        }
        let text = mine.to_der().map_err(|error| invalid(error.to_string()))?;
        let signed = self.parsed.signature.raw_bytes();
        let algorithms: &[&'static dyn VerificationAlgorithm] =
            match self.parsed.signature_algorithm.oid.to_string().as_str() {
                "1.2.840.113549.1.1.11" => &[&signature::RSA_PKCS1_2048_8192_SHA256],
                "1.2.840.113549.1.1.12" => &[&signature::RSA_PKCS1_2048_8192_SHA384],
                "1.2.840.113549.1.1.13" => &[&signature::RSA_PKCS1_2048_8192_SHA512],
                "1.2.840.113549.1.1.10" => &[
                    &signature::RSA_PSS_2048_8192_SHA256,
                    &signature::RSA_PSS_2048_8192_SHA384,
                    &signature::RSA_PSS_2048_8192_SHA512,
                ],
                "1.2.840.10045.4.3.2" => &[
                    &signature::ECDSA_P256_SHA256_ASN1,
                    &signature::ECDSA_P384_SHA256_ASN1,
                    &signature::ECDSA_P521_SHA256_ASN1,
                ],
                "1.2.840.10045.4.3.3" => &[
                    &signature::ECDSA_P256_SHA384_ASN1,
                    &signature::ECDSA_P384_SHA384_ASN1,
                    &signature::ECDSA_P521_SHA384_ASN1,
                ],
                "1.2.840.10045.4.3.4" => &[
                    &signature::ECDSA_P256_SHA512_ASN1,
                    &signature::ECDSA_P384_SHA512_ASN1,
                    &signature::ECDSA_P521_SHA512_ASN1,
                ],
                _ => &[],
            };
        Ok(algorithms.iter().any(|algorithm| issuer.has_signed(*algorithm, &text, signed)))
    }

    fn is_self_signed(&self) -> Result<bool, Reason> {
        self.is_issued_by(self)
    }
}

/// What kind a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyKind {
    /// With so many bits.
    Rsa(usize),
    P256,
    P384,
    P521,
    Other,
}

/// Whether a chain is one that may sign code: each certificate by the next, the last by itself, and each for what it
/// does (signature specification of the Notary Project, "Certificate Requirements").
pub(super) fn check_chain(chain: &[Certificate]) -> Result<(), Reason> {
    let [leaf, rest @ ..] = chain else { return Err(invalid("it has no certificate")) };
    check_leaf(leaf)?;
    let Some(root) = rest.last() else {
        let own = leaf.is_self_signed()?;
        return if own {
            Ok(())
        } else {
            Err(invalid("its certificate stands alone, and is not its own issuer"))
        };
    };
    if !root.is_self_signed()? {
        return Err(invalid("its chain of certificates does not end with a root"));
    }
    for (at, certificate) in chain[..chain.len() - 1].iter().enumerate() {
        if certificate.is_self_signed()? || !certificate.is_issued_by(&chain[at + 1])? {
            return Err(invalid("its certificates are no chain"));
        }
    }
    for (below, authority) in rest.iter().enumerate() {
        let Some(length) = authority.is_authority()? else {
            return Err(invalid("a certificate of its chain is no authority's"));
        };
        if length.is_some_and(|length| usize::from(length) < below) {
            return Err(invalid("its chain of certificates is longer than its authority allows"));
        }
        if !authority.has_usage(KeyUsages::KeyCertSign)? {
            return Err(invalid("a certificate of its chain is not for issuing others"));
        }
    }
    Ok(())
}

fn check_leaf(leaf: &Certificate) -> Result<(), Reason> {
    if leaf.is_authority()?.is_some() {
        return Err(invalid("its certificate is an authority's"));
    }
    if !leaf.has_usage(KeyUsages::DigitalSignature)? || leaf.has_usage(KeyUsages::KeyCertSign)? {
        return Err(invalid("its certificate is not for signing"));
    }
    if let Some((_, usages)) = leaf.extension::<ExtendedKeyUsage>()? {
        let usages: Vec<String> = usages.0.iter().map(ToString::to_string).collect();
        let is_foreign = usages.iter().any(|usage| FOREIGN_USAGES.contains(&usage.as_str()));
        if is_foreign || !usages.iter().any(|usage| usage == CODE_SIGNING) {
            return Err(invalid("its certificate is not for signing code"));
        }
    }
    Ok(())
}
