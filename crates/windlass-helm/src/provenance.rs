//! Provenance files: whether a packaged chart is what somebody signed.
//!
//! `helm package --sign` writes `NAME-VERSION.tgz.prov`: the chart's metadata and the archive's SHA-256, clear-signed by
//! OpenPGP.

use sha2::{Digest, Sha256};
use windlass_signature::SignatureError;
use windlass_signature::openpgp::clear_signed;

pub use windlass_signature::openpgp::Keyring;

/// Who signed a packaged chart, and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The names of the key: `Ann <ann@example.com>`.
    pub signers: Vec<String>,
    /// The fingerprint of the key, in capital hexadecimal digits; of the primary one, if another one of it has signed.
    pub fingerprint: String,
    /// The digest of the archive: `sha256:…`.
    pub digest: String,
}

/// Why a packaged chart is not known to be what somebody signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProvenanceError {
    /// The file is too large.
    #[error("the provenance file cannot be read: it is larger than the limit MAX_PROVENANCE_BYTES")]
    TooLarge,
    /// Nobody who is known has signed it.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The text is not what Helm signs.
    #[error("{0}")]
    Message(String),
    /// The archive is not named in what was signed.
    #[error("provenance does not contain a SHA for a file named {0}")]
    UnknownFile(String),
    /// The archive is not the one that was signed.
    #[error("sha256 sum does not match for {file}: {signed:?} != {found:?}")]
    Mismatch {
        /// The name of the archive.
        file: String,
        /// The digest that was signed.
        signed: String,
        /// The digest it has.
        found: String,
    },
}

/// A provenance file is no larger: it has the metadata of a chart, and Helm takes 5 MiB for that.
pub const MAX_PROVENANCE_BYTES: usize = 5 << 20;

/// Checks that `archive`, a packaged chart called `file_name`, is what `provenance` says, and that a key of the ring
/// has signed that.
///
/// `now` is the time in seconds since 1970, for keys and signatures that expire.
///
/// # Errors
///
/// [`ProvenanceError`], in Helm's words where it has some.
pub fn verify(
    archive: &[u8],
    file_name: &str,
    provenance: &[u8],
    keyring: &Keyring,
    now: u64,
) -> Result<Verified, ProvenanceError> {
    if provenance.len() > MAX_PROVENANCE_BYTES {
        return Err(ProvenanceError::TooLarge);
    }
    let (signer, text) = clear_signed(provenance, keyring, now)?;
    let digest: String = Sha256::digest(archive).iter().map(|byte| format!("{byte:02x}")).collect();
    let digest = format!("sha256:{digest}");
    let Some((_, sums)) = text.split_once("\n...\n") else {
        return Err(ProvenanceError::Message("message block must have at least two parts".into()));
    };
    let sums = sums.split("\n...\n").next().unwrap_or_default();
    let sums = windlass_yaml::load(sums).map_err(|error| ProvenanceError::Message(error.to_string()))?;
    match sums.str_at(&["files", file_name]) {
        None => Err(ProvenanceError::UnknownFile(crate::text::quote(file_name))),
        Some(signed) if signed != digest => Err(ProvenanceError::Mismatch {
            file: file_name.to_owned(),
            signed: signed.to_owned(),
            found: digest,
        }),
        Some(_) => Ok(Verified { signers: signer.names, fingerprint: signer.fingerprint, digest }),
    }
}
