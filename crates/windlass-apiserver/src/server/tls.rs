//! The server's own certificate authority, and the certificates it gives.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;
use windlass_kube::Str;
use x509_parser::prelude::FromDer;

use super::StartError;
use crate::api::UserInfo;
use crate::tokens::SigningKey;

/// How long the authority lasts.
const CA_LIFETIME: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// How long the certificates of server and clients last; the server's is made anew at each start.
const LEAF_LIFETIME: Duration = Duration::from_secs(365 * 24 * 3600);

/// How far back certificates begin, for clients whose clock is behind.
const BACKDATED: Duration = Duration::from_secs(3600);

/// The names every server answers to, as in-cluster clients know it.
const NAMES: [&str; 6] =
    ["localhost", "127.0.0.1", "::1", "kubernetes", "kubernetes.default.svc", "10.96.0.1"];

/// The authority and the server's certificate.
pub(super) struct Identity {
    ca_pem: String,
    issuer: Issuer<'static, KeyPair>,
    names: Vec<String>,
}

fn failed(what: &str) -> impl Fn(rcgen::Error) -> StartError {
    move |error| StartError::Tls(format!("{what}: {error}"))
}

impl Identity {
    /// Reads the authority from a directory, or makes it and leaves it there, readable by its owner alone.
    pub(super) fn load(directory: Option<&Path>, names: &[String]) -> Result<Self, StartError> {
        let all_names: Vec<String> =
            NAMES.iter().map(|name| (*name).to_owned()).chain(names.iter().cloned()).collect();
        let (ca_pem, key_pem) = match directory {
            Some(directory) => stored_authority(directory)?,
            None => new_authority()?,
        };
        let key = KeyPair::from_pem(&key_pem).map_err(failed("reading the authority's key"))?;
        let issuer =
            Issuer::from_ca_cert_pem(&ca_pem, key).map_err(failed("reading the authority's certificate"))?;
        Ok(Self { ca_pem, issuer, names: all_names })
    }

    pub(super) fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// What accepts connections: TLS with HTTP/2 and HTTP/1.1, client certificates asked for but not required.
    pub(super) fn acceptor(&self) -> Result<TlsAcceptor, StartError> {
        let error = |what: &str, error: &dyn std::fmt::Display| StartError::Tls(format!("{what}: {error}"));
        let mut params = CertificateParams::new(self.names.clone()).map_err(failed("naming the server"))?;
        params.distinguished_name.push(DnType::CommonName, "kube-apiserver");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        limit(&mut params, LEAF_LIFETIME);
        let key = KeyPair::generate().map_err(failed("making the server's key"))?;
        let certificate =
            params.signed_by(&key, &self.issuer).map_err(failed("making the server's certificate"))?;
        let ca = CertificateDer::from_pem_slice(self.ca_pem.as_bytes())
            .map_err(|problem| error("reading the authority's certificate", &problem))?;
        let mut roots = RootCertStore::empty();
        roots.add(ca.clone()).map_err(|problem| error("trusting the authority", &problem))?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
            .allow_unauthenticated()
            .build()
            .map_err(|problem| error("preparing the check of client certificates", &problem))?;
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|problem| error("choosing TLS versions", &problem))?
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![certificate.der().clone(), ca], private)
            .map_err(|problem| error("using the server's certificate", &problem))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// A certificate and key, in PEM, that name a user and a group.
    pub(super) fn client_certificate(&self, user: &str, group: &str) -> Result<(String, String), StartError> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, user);
        params.distinguished_name.push(DnType::OrganizationName, group);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        limit(&mut params, LEAF_LIFETIME);
        let key = KeyPair::generate().map_err(failed("making a client's key"))?;
        let certificate =
            params.signed_by(&key, &self.issuer).map_err(failed("making a client's certificate"))?;
        Ok((certificate.pem(), key.serialize_pem()))
    }
}

fn limit(params: &mut CertificateParams, lifetime: Duration) {
    let now = SystemTime::now();
    params.not_before = (now - BACKDATED).into();
    params.not_after = (now + lifetime).into();
}

fn new_authority() -> Result<(String, String), StartError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "windlass");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages =
        vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    limit(&mut params, CA_LIFETIME);
    let key = KeyPair::generate().map_err(failed("making the authority's key"))?;
    let certificate = params.self_signed(&key).map_err(failed("making the authority's certificate"))?;
    Ok((certificate.pem(), key.serialize_pem()))
}

fn stored_authority(directory: &Path) -> Result<(String, String), StartError> {
    let (certificate, key) = (directory.join("ca.crt"), directory.join("ca.key"));
    if let (Ok(certificate), Ok(key)) = (fs::read_to_string(&certificate), fs::read_to_string(&key)) {
        return Ok((certificate, key));
    }
    let made = new_authority()?;
    write(&key, &made.1, 0o600)
        .and_then(|()| write(&certificate, &made.0, 0o644))
        .map_err(|source| StartError::Directory { path: directory.to_owned(), source })?;
    Ok(made)
}

/// Writes a file so that it is complete or not there: a half-written key would lock everybody out.
fn write(path: &Path, text: &str, mode: u32) -> std::io::Result<()> {
    let partial = path.with_extension("partial");
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&partial)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&partial, path)
}

/// The key that signs the tokens of service accounts: that of the directory, or a new one that is left there.
pub(super) fn signing_key(directory: &Path) -> Result<Arc<SigningKey>, StartError> {
    let path = directory.join("service-accounts.key");
    let failed = |what: &str, why: String| StartError::Tls(format!("{what} {}: {why}", path.display()));
    if let Ok(pem) = fs::read_to_string(&path) {
        return SigningKey::from_pem(&pem).map_err(|why| failed("reading the key of tokens in", why));
    }
    let (key, pem) = SigningKey::generate().map_err(|why| failed("making the key of tokens for", why))?;
    write(&path, &pem, 0o600)
        .map_err(|source| StartError::Directory { path: directory.to_owned(), source })?;
    Ok(key)
}

/// Whom a client certificate names: the common name, and the organizations as groups.
pub(super) fn user_of(certificate: &CertificateDer<'_>) -> Option<UserInfo> {
    let (_, certificate) = x509_parser::certificate::X509Certificate::from_der(certificate).ok()?;
    let subject = certificate.subject();
    let name = subject.iter_common_name().next()?.as_str().ok()?;
    let mut groups: Vec<Str> =
        subject.iter_organization().filter_map(|group| group.as_str().ok()).map(Str::new).collect();
    groups.push("system:authenticated".into());
    Some(UserInfo { name: name.into(), groups, ..UserInfo::default() })
}
