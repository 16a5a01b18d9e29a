//! Where a registry keeps the signatures of a digest.

use windlass_artifact_signature::{
    COSE, ClassicSignature, JWS, MAX_SIGNATURE_BYTES, MAX_SIGNATURES, Signature, Verification,
};

use super::manifest::{Descriptor, Document, Manifest};
use super::registry::Registry;
use crate::artifact::ContentDigest;
use crate::error::{SourceError, chain};

/// The media type of what cosign signed before its third version.
const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";

/// What an artifact of the Notary Project's is called, and what its envelopes are.
const NOTATION: &str = "application/vnd.cncf.notary.signature";
const ENVELOPES: [&str; 2] = [JWS, COSE];

/// How the media types of Sigstore's bundles begin.
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle";

/// The predicate of a statement that says nothing more than that somebody signs.
const SIGN_PREDICATE: &str = "https://sigstore.dev/cosign/sign/v1";

/// Signatures that are fetched from each of the two places: who fills one with rubbish does not hide the other.
const MAX_OF_A_PLACE: usize = MAX_SIGNATURES / 2;

/// Everything that a registry says is a signature of a digest.
///
/// One that is listed and cannot be had counts as one that does not hold. A registry that cannot be asked is an error,
/// for what is not known to be unsigned may be signed.
pub(super) fn of(
    registry: &Registry,
    digest: ContentDigest,
    verification: &Verification,
) -> Result<Vec<Signature>, SourceError> {
    match verification {
        Verification::Cosign(_) => {
            let mut found = bundles(registry, digest)?;
            found.extend(classic(registry, digest)?);
            Ok(found)
        }
        Verification::Notation(_) => envelopes(registry, digest),
    }
}

/// The bundles that refer to a digest.
fn bundles(registry: &Registry, digest: ContentDigest) -> Result<Vec<Signature>, SourceError> {
    let mut found = referrers(registry, digest)?;
    found.retain(|referrer| referrer.artifact_type.as_deref().is_none_or(|kind| kind.starts_with(BUNDLE)));
    // Signatures before provenance and lists of packages, which are large. What decides is in the bundle.
    found.sort_by_key(|it| {
        it.annotation("dev.sigstore.bundle.predicateType").as_deref() != Some(SIGN_PREDICATE)
    });
    let mut out = Vec::new();
    for referrer in found.iter().take(MAX_OF_A_PLACE) {
        let Some(manifest) = listed(referrer, |digest| manifest(registry, digest), &mut out)? else {
            continue;
        };
        for layer in manifest.layers.iter().filter(|layer| layer.media_type.starts_with(BUNDLE)) {
            if let Some(bytes) = listed(layer, |digest| blob(registry, layer, digest), &mut out)? {
                out.push(Signature::Bundle(bytes));
            }
        }
    }
    Ok(out)
}

/// The envelopes of the Notary Project that refer to a digest.
fn envelopes(registry: &Registry, digest: ContentDigest) -> Result<Vec<Signature>, SourceError> {
    let found = referrers(registry, digest)?;
    let mut out = Vec::new();
    let ours = found.iter().filter(|it| it.artifact_type.as_deref().is_none_or(|kind| kind == NOTATION));
    for referrer in ours.take(MAX_OF_A_PLACE) {
        let Some(manifest) = listed(referrer, |digest| manifest(registry, digest), &mut out)? else {
            continue;
        };
        // What has no type says by its parts what it is.
        for layer in manifest.layers.iter().filter(|layer| ENVELOPES.contains(&layer.media_type.as_str())) {
            if let Some(envelope) = listed(layer, |digest| blob(registry, layer, digest), &mut out)? {
                out.push(Signature::Notation { media_type: layer.media_type.clone(), envelope });
            }
        }
    }
    Ok(out)
}

/// The signatures below the tag that is made of the digest.
fn classic(registry: &Registry, digest: ContentDigest) -> Result<Vec<Signature>, SourceError> {
    let Some(found) = registry.digest_of(&format!("sha256-{}.sig", digest.hex()))? else {
        return Ok(Vec::new());
    };
    let Document::Manifest(manifest) = registry.document(found)? else { return Ok(Vec::new()) };
    let mut out = Vec::new();
    let layers = manifest.layers.iter().filter(|layer| layer.media_type == SIMPLE_SIGNING);
    for layer in layers.take(MAX_OF_A_PLACE) {
        let Some(payload) = listed(layer, |digest| blob(registry, layer, digest), &mut out)? else {
            continue;
        };
        out.push(Signature::Classic(ClassicSignature {
            payload,
            signature: layer.annotation("dev.cosignproject.cosign/signature").unwrap_or_default(),
            certificate: layer.annotation("dev.sigstore.cosign/certificate"),
            chain: layer.annotation("dev.sigstore.cosign/chain"),
            log_entry: layer.annotation("dev.sigstore.cosign/bundle"),
        }));
    }
    Ok(out)
}

/// What refers to a digest: the registry's list, or the index below the tag that stands for it where there is none
/// (distribution specification 1.1, "Referrers Tag Schema").
fn referrers(registry: &Registry, digest: ContentDigest) -> Result<Vec<Descriptor>, SourceError> {
    if let Some(listed) = registry.referrers(digest)?.filter(|listed| !listed.is_empty()) {
        return Ok(listed);
    }
    let Some(index) = registry.digest_of(&format!("sha256-{}", digest.hex()))? else { return Ok(Vec::new()) };
    match registry.document(index)? {
        Document::Index(listed) => Ok(listed),
        Document::Manifest(_) => Ok(Vec::new()),
    }
}

fn manifest(registry: &Registry, digest: ContentDigest) -> Result<Manifest, SourceError> {
    match registry.document(digest)? {
        Document::Manifest(manifest) => Ok(manifest),
        Document::Index(_) => Ok(Manifest::default()),
    }
}

fn blob(registry: &Registry, layer: &Descriptor, digest: ContentDigest) -> Result<Vec<u8>, SourceError> {
    use crate::artifact::web::wrong;
    use crate::artifact::{ArtifactError, ArtifactError::DigestMismatch};
    let (what, limit) = (format!("signature {digest}"), MAX_SIGNATURE_BYTES as u64);
    if layer.size > limit {
        let error = ArtifactError::TooLarge { what: what.clone(), limit_name: "MAX_SIGNATURE_BYTES", limit };
        return Err(wrong(&registry.shown, &what, error));
    }
    let bytes = registry.blob(digest)?.bytes(&what, "MAX_SIGNATURE_BYTES", limit)?;
    let actual = ContentDigest::of(&bytes);
    if actual == digest {
        Ok(bytes)
    } else {
        let error = DigestMismatch { what: what.clone(), expected: digest, actual };
        Err(wrong(&registry.shown, &what, error))
    }
}

/// What is listed, if it can be had; otherwise a signature that cannot be read is noted.
fn listed<T>(
    descriptor: &Descriptor,
    get: impl FnOnce(ContentDigest) -> Result<T, SourceError>,
    out: &mut Vec<Signature>,
) -> Result<Option<T>, SourceError> {
    let got = match descriptor.digest() {
        Ok(digest) => get(digest),
        Err(error) => {
            out.push(Signature::Unreadable(error.to_string()));
            return Ok(None);
        }
    };
    match got {
        Ok(value) => Ok(Some(value)),
        Err(error @ SourceError::Artifact { .. }) => {
            out.push(Signature::Unreadable(chain(&error)));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
