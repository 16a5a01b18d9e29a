//! A certificate authority of one's own.

use crate::{Error, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    server::WebPkiClientVerifier,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use std::{fmt, sync::Arc};

/// A private certificate authority, made anew each time and trusted by nobody who was not told.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

impl Authority {
    /// Makes a new authority.
    ///
    /// # Errors
    /// When the cryptography library cannot make a key.
    pub fn new(name: &str) -> Result<Self> {
        let failed = |error: rcgen::Error| failed(name, &error);
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)?;
        let certificate = params.self_signed(&key).map_err(failed)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), certificate })
    }

    /// The authority's certificate, as PEM.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate
    }

    /// The authority's private key, as PEM.
    pub fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// The authority's public key, as PEM.
    pub fn public_key_pem(&self) -> String {
        self.issuer.key().public_key_pem()
    }

    /// Issues a certificate for a server that answers to these names and addresses.
    ///
    /// # Errors
    /// When a name is not one that a certificate can carry.
    pub fn server(&self, names: &[&str]) -> Result<Identity> {
        let subject = names.first().copied().unwrap_or("server");
        let names = names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let mut params = CertificateParams::new(names).map_err(|error| failed(subject, &error))?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.issue(params, subject)
    }

    /// Issues a certificate for a client. Kubernetes reads the name as the user and `groups` as its groups.
    ///
    /// # Errors
    /// When the cryptography library cannot make a key.
    pub fn client(&self, name: &str, groups: &[&str]) -> Result<Identity> {
        let mut params = CertificateParams::default();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        // One organization only: rcgen keeps one value per kind of name, and no test needs more.
        if let Some(&group) = groups.first() {
            params.distinguished_name.push(DnType::OrganizationName, group);
        }
        self.issue(params, name)
    }

    fn issue(&self, mut params: CertificateParams, subject: &str) -> Result<Identity> {
        let failed = |error: rcgen::Error| failed(subject, &error);
        params.distinguished_name.push(DnType::CommonName, subject);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(failed)?;
        Ok(Identity { certificate_pem: certificate.pem(), key_pem: key.serialize_pem() })
    }

    /// How a server with a certificate of this authority speaks TLS; with `client_certificates`, only to
    /// clients that show one of this authority too.
    pub(crate) fn server_config(&self, names: &[&str], client_certificates: bool) -> Result<ServerConfig> {
        let bad = |error: &dyn fmt::Display| Error::Certificate {
            subject: names.join(", "),
            reason: error.to_string(),
        };
        let identity = self.server(names)?;
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| bad(&error))?;
        let builder = if client_certificates {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(self.roots()?), provider())
                .build()
                .map_err(|error| bad(&error))?;
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        let (chain, key) = identity.der()?;
        let mut config = builder.with_single_cert(chain, key).map_err(|error| bad(&error))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }

    fn roots(&self) -> Result<RootCertStore> {
        roots(&self.certificate)
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Authority").finish_non_exhaustive()
    }
}

/// A certificate and its private key.
#[derive(Clone)]
pub struct Identity {
    /// The certificate, as PEM.
    pub certificate_pem: String,
    /// The private key, as PEM (PKCS #8).
    pub key_pem: String,
}

impl Identity {
    fn der(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
        let bad = |error: rustls_pki_types::pem::Error| Error::Certificate {
            subject: "an identity".to_owned(),
            reason: error.to_string(),
        };
        let certificate = CertificateDer::from_pem_slice(self.certificate_pem.as_bytes()).map_err(bad)?;
        let key = PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes()).map_err(bad)?;
        Ok((vec![certificate], key))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Identity").finish_non_exhaustive()
    }
}

/// The cryptography that everything here uses, without a process-wide default that a test might set too.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// The roots in a PEM text.
pub(crate) fn roots(pem: &str) -> Result<RootCertStore> {
    let bad = |reason: String| Error::Certificate { subject: "an authority".to_owned(), reason };
    let mut roots = RootCertStore::empty();
    let certificate =
        CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| bad(error.to_string()))?;
    roots.add(certificate).map_err(|error| bad(error.to_string()))?;
    Ok(roots)
}

fn failed(subject: &str, error: &rcgen::Error) -> Error {
    Error::Certificate { subject: subject.to_owned(), reason: error.to_string() }
}
