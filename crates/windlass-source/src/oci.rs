//! Registries: the distribution protocol's reading half, for charts and artifacts.

mod login;
mod manifest;
mod registry;
mod signatures;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use windlass_artifact_signature::Signer;
use windlass_go::re2::Regex;
use windlass_go::semver::{Constraint, Version};

use self::manifest::Manifest;
use self::registry::Registry;
use crate::archive::ArchiveRoot;
use crate::artifact::download::Expected;
use crate::artifact::hub::{Origin, Shared};
use crate::artifact::web::{protocol, wrong};
use crate::artifact::{
    ArtifactError, ArtifactOptions, ArtifactRevision, ArtifactSnapshot, ArtifactTarget, ArtifactUrl,
    ContentDigest, LayerSelector, OciReference,
};
use crate::credentials::Access;
use crate::error::SourceError;
use crate::helm_repository::versions::{choose_tag, no_match, parse_range};

/// Manifests kept in memory for each repository: a few per Unit that follows it.
const MAX_MANIFESTS: usize = 256;

/// A repository of a registry, or a folder of them, reached with one set of credentials.
pub(crate) struct OciRepository {
    url: ArtifactUrl,
    shown: String,
    access: Access,
    options: ArtifactOptions,
    shared: Arc<Shared>,
    /// By the path below the address.
    registries: Mutex<HashMap<String, Arc<Registry>>>,
    /// Only manifests that the registry has shown us with these credentials.
    manifests: Mutex<HashMap<(String, ContentDigest), Arc<Manifest>>>,
    /// Who has signed what, as far as it was looked at. The digest stays what it is, so this holds.
    signers: Mutex<HashMap<(String, ContentDigest), Vec<Signer>>>,
}

/// Which layer a target wants.
enum Wanted<'a> {
    Chart,
    Layer(&'a LayerSelector),
}

impl OciRepository {
    pub(crate) fn new(
        url: ArtifactUrl,
        access: Access,
        options: ArtifactOptions,
        shared: Arc<Shared>,
    ) -> Self {
        let shown = url.to_string();
        Self {
            url,
            shown,
            access,
            options,
            shared,
            registries: Mutex::default(),
            manifests: Mutex::default(),
            signers: Mutex::default(),
        }
    }

    /// The repository at `below` the address.
    fn registry(&self, below: &str) -> Result<Arc<Registry>, SourceError> {
        let mut registries = self.registries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(registry) = registries.get(below) {
            return Ok(registry.clone());
        }
        let registry =
            Arc::new(Registry::new(&self.url, below, &self.access, &self.options, self.shared.clone())?);
        registries.insert(below.to_string(), registry.clone());
        Ok(registry)
    }

    /// The repository that a target is in, what is asked for there, and what of it.
    fn parts<'a>(&self, target: &'a ArtifactTarget) -> Result<(Arc<Registry>, Wanted<'a>), SourceError> {
        match target {
            ArtifactTarget::Chart { name, .. } => Ok((self.registry(name.trim_matches('/'))?, Wanted::Chart)),
            ArtifactTarget::Oci { layer, .. } => Ok((self.registry("")?, Wanted::Layer(layer))),
            ArtifactTarget::Archive { .. } | ArtifactTarget::Bucket(_) => {
                Err(protocol(&self.shown, "it is a registry and has charts and artifacts only"))
            }
        }
    }

    /// The version or tag and the digest that a target stands for now.
    fn find(
        &self,
        registry: &Registry,
        target: &ArtifactTarget,
    ) -> Result<(Option<String>, ContentDigest), SourceError> {
        let fail = |error: ArtifactError| wrong(&registry.shown, &target.shown(), error);
        let reference = match target {
            ArtifactTarget::Chart { version, .. } => {
                if let Ok(digest) = version.parse()
                    && version.starts_with("sha256:")
                {
                    return Ok((None, digest));
                }
                let version = choose_tag(|| registry.tags(), version)?.map_err(fail)?;
                // A tag has no plus sign.
                let digest = registry.digest_of(&version.replace('+', "_"))?;
                let digest = digest.ok_or_else(|| fail(no_tag(&version)))?;
                return Ok((Some(version), digest));
            }
            ArtifactTarget::Oci { reference, .. } => reference,
            ArtifactTarget::Archive { .. } | ArtifactTarget::Bucket(_) => {
                return Err(protocol(&self.shown, "it is a registry"));
            }
        };
        let tagged = |tag: String| {
            let digest = registry.digest_of(&tag)?;
            let digest = digest.ok_or_else(|| fail(no_tag(&tag)))?;
            Ok((Some(tag), digest))
        };
        match reference {
            OciReference::Digest(digest) => Ok((None, *digest)),
            OciReference::Tag(tag) => tagged(tag.clone()),
            OciReference::Range { range, filter } => {
                let constraint = parse_range(range).map_err(fail)?;
                let pattern = filter.as_deref().map(Regex::parse).transpose().map_err(|error| {
                    let range = filter.clone().unwrap_or_default();
                    fail(ArtifactError::InvalidRange { range, reason: error.to_string() })
                })?;
                let tags = registry.tags()?;
                let fits = |tag: &&String| pattern.as_ref().is_none_or(|pattern| pattern.is_match(tag));
                // Flux reads strict versions, with a v before them or not.
                let parse = |tag: &str| Version::parse_strict(tag.strip_prefix('v').unwrap_or(tag)).ok();
                let tag = highest(tags.iter().filter(fits), &constraint, parse);
                tagged(tag.ok_or_else(|| fail(no_match(range, tags.len())))?)
            }
            OciReference::Revision(text) => {
                if let Ok(digest) = text.parse()
                    && text.starts_with("sha256:")
                {
                    return Ok((None, digest));
                }
                let text = if text.is_empty() { "latest" } else { text };
                if is_tag(text)
                    && let Some(digest) = registry.digest_of(text)?
                {
                    return Ok((Some(text.to_string()), digest));
                }
                // What is a version by itself is no range (Argo CD 3.x, `versions.IsConstraint`).
                if Version::parse(text).is_ok() {
                    return Err(fail(no_tag(text)));
                }
                let constraint = match parse_range(text) {
                    Ok(constraint) => constraint,
                    Err(_) if is_tag(text) => return Err(fail(no_tag(text))),
                    Err(error) => return Err(fail(error)),
                };
                let tags = registry.tags()?;
                let tag = highest(tags.iter(), &constraint, |tag| Version::parse(tag).ok());
                tagged(tag.ok_or_else(|| fail(no_match(text, tags.len())))?)
            }
        }
    }

    fn manifest(&self, registry: &Registry, digest: ContentDigest) -> Result<Arc<Manifest>, SourceError> {
        let key = (registry.shown.clone(), digest);
        if let Some(known) = self.manifests.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(known.clone());
        }
        let manifest = Arc::new(registry.manifest(digest)?);
        let mut manifests = self.manifests.lock().unwrap_or_else(PoisonError::into_inner);
        if manifests.len() >= MAX_MANIFESTS {
            manifests.clear();
        }
        manifests.insert(key, manifest.clone());
        Ok(manifest)
    }
}

impl OciRepository {
    /// Who has signed a digest, one for each rule that asks.
    fn signers(
        &self,
        registry: &Registry,
        digest: ContentDigest,
        artifact: &str,
    ) -> Result<Vec<Signer>, SourceError> {
        let demands = self.access.verifications.asked_of(&self.url, &registry.below);
        if demands.is_empty() {
            return Ok(Vec::new());
        }
        let key = (registry.shown.clone(), digest);
        if let Some(known) = self.signers.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(known.clone());
        }
        let fail = |error: ArtifactError| wrong(&registry.shown, artifact, error);
        let mut signers = Vec::new();
        for demand in demands {
            let verification = demand
                .as_ref()
                .map_err(|problem| fail(ArtifactError::VerificationUnusable { problem: problem.clone() }))?;
            let found = signatures::of(registry, digest, verification)?;
            let signer = verification.check(&registry.scope(), &digest.to_string(), &found);
            signers.push(signer.map_err(|refusal| fail(ArtifactError::Unverified(refusal)))?);
        }
        let mut known = self.signers.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_MANIFESTS {
            known.clear();
        }
        known.insert(key, signers.clone());
        Ok(signers)
    }
}

impl Origin for OciRepository {
    fn refresh(&self) -> Result<(), SourceError> {
        Ok(())
    }

    fn resolve(&self, target: &ArtifactTarget) -> Result<ArtifactRevision, SourceError> {
        let (registry, _) = self.parts(target)?;
        let (version, digest) = self.find(&registry, target)?;
        // A digest that nobody has is no revision.
        self.manifest(&registry, digest)?;
        self.signers(&registry, digest, &target.shown())?;
        Ok(ArtifactRevision { version, digest })
    }

    fn update(&self, target: &ArtifactTarget) -> Result<ArtifactSnapshot, SourceError> {
        let (registry, wanted) = self.parts(target)?;
        let (version, digest) = self.find(&registry, target)?;
        let artifact = target.shown();
        let selector = match &wanted {
            Wanted::Chart => "chart".to_string(),
            Wanted::Layer(layer) => format!("{layer:?}"),
        };
        let identity = format!("oci {} {digest} {selector}", registry.shown);
        // What is verified is the digest, and what is fetched below has it.
        let signers = self.signers(&registry, digest, &artifact)?;
        let revision = ArtifactRevision { version, digest };
        let manifest = match self.manifest(&registry, digest) {
            Ok(manifest) => manifest,
            Err(error @ (SourceError::Unreachable { .. } | SourceError::Silent { .. })) => {
                // What was fetched before does not change: it has the digest.
                let tree = self.shared.trees.get(&identity).ok_or(error)?;
                return Ok(ArtifactSnapshot { revision, tree, annotations: BTreeMap::new(), signers });
            }
            Err(error) => return Err(error),
        };
        let annotations = manifest.annotations.clone();
        if let Some(tree) = self.shared.trees.get(&identity) {
            return Ok(ArtifactSnapshot { revision, tree, annotations, signers });
        }
        let layer = match wanted {
            Wanted::Chart => manifest.chart_layer(),
            Wanted::Layer(selector) => manifest.layer(selector),
        };
        let layer = layer.map_err(|error| wrong(&registry.shown, &artifact, error))?;
        let root = if layer.is_chart() { ArchiveRoot::OnlyFolder } else { ArchiveRoot::Top };
        let content = layer.digest().map_err(|error| wrong(&registry.shown, &artifact, error))?;
        let limit = self.shared.web.limits.archive_bytes;
        if layer.size > limit {
            let error =
                ArtifactError::TooLarge { what: artifact.clone(), limit_name: "archive_bytes", limit };
            return Err(wrong(&registry.shown, &artifact, error));
        }
        let reply = registry.blob(content)?;
        let expected =
            Expected { repository: &registry.shown, artifact: &artifact, digest: Some(content), root };
        let tree = self.shared.download(reply, &expected, |_| identity)?;
        Ok(ArtifactSnapshot { revision, tree, annotations, signers })
    }
}

fn highest<'a>(
    tags: impl Iterator<Item = &'a String>,
    constraint: &Constraint,
    parse: impl Fn(&str) -> Option<Version>,
) -> Option<String> {
    let mut best: Option<(Version, &String)> = None;
    for tag in tags {
        let Some(version) = parse(tag).filter(|version| constraint.matches(version)) else { continue };
        if best.as_ref().is_none_or(|(highest, _)| version > *highest) {
            best = Some((version, tag));
        }
    }
    best.map(|(_, tag)| tag.clone())
}

fn no_tag(tag: &str) -> ArtifactError {
    ArtifactError::NotFound { what: format!("tag {tag}") }
}

/// Whether a text can be a tag (distribution specification 1.1, "Pulling manifests").
fn is_tag(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    text.len() <= 128 && text.chars().all(fits) && !text.starts_with(['.', '-']) && !text.is_empty()
}
