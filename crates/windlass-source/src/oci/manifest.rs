//! Manifests and indexes: what an artifact consists of.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::artifact::{ArtifactError, ContentDigest, LayerSelector};

/// The media types of manifests and indexes, asked for in this order.
pub(super) const ACCEPTED: &str = "application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json";

const CHART_LAYER: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";

/// What charts were pushed with before Helm 3.7.
const OLD_CHART_LAYER: &str = "application/tar+gzip";

/// What Argo CD takes as the only layer of an artifact.
const ARCHIVE_LAYERS: [&str; 3] =
    ["application/vnd.oci.image.layer.v1.tar", "application/vnd.oci.image.layer.v1.tar+gzip", CHART_LAYER];

/// What stands under a digest.
pub(super) enum Document {
    Manifest(Manifest),
    /// One artifact in several variants.
    Index(Vec<Descriptor>),
}

/// An artifact's parts.
#[derive(Debug, Default)]
pub(super) struct Manifest {
    pub(super) layers: Vec<Descriptor>,
    pub(super) annotations: BTreeMap<String, String>,
}

/// A part: what it is called, and which bytes it has.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Descriptor {
    #[serde(rename = "mediaType", default)]
    pub(super) media_type: String,
    #[serde(rename = "digest")]
    digest_text: String,
    #[serde(default)]
    pub(super) size: u64,
    #[serde(default)]
    platform: Option<Platform>,
    #[serde(rename = "artifactType", default)]
    pub(super) artifact_type: Option<String>,
    #[serde(default)]
    pub(super) annotations: Option<BTreeMap<String, String>>,
}

impl Descriptor {
    pub(super) fn annotation(&self, name: &str) -> Option<String> {
        self.annotations.as_ref()?.get(name).filter(|text| !text.is_empty()).cloned()
    }
}

#[derive(Clone, Debug, Deserialize)]
struct Platform {
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    os: String,
}

#[derive(Deserialize)]
struct Raw {
    #[serde(rename = "schemaVersion")]
    schema_version: u64,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

impl Document {
    /// Reads a manifest or an index; the error says what is wrong.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let raw: Raw = serde_json::from_slice(bytes)
            .map_err(|error| format!("the manifest is not readable: {error}"))?;
        match raw {
            Raw { schema_version: 2, layers: Some(layers), manifests: None, annotations } => {
                Ok(Self::Manifest(Manifest { layers, annotations: annotations.unwrap_or_default() }))
            }
            Raw { schema_version: 2, layers: None, manifests: Some(manifests), .. } => {
                Ok(Self::Index(manifests))
            }
            // Both would mean two things to two readers (CVE-2021-41190).
            _ => Err("it is neither a manifest nor an index of schema version 2".to_string()),
        }
    }
}

impl Manifest {
    /// The layer that a packaged chart is in.
    pub(super) fn chart_layer(&self) -> Result<&Descriptor, ArtifactError> {
        self.layers.iter().find(|layer| layer.is_chart()).ok_or_else(|| self.none_of(CHART_LAYER))
    }

    /// The layer that a selector means.
    pub(super) fn layer(&self, selector: &LayerSelector) -> Result<&Descriptor, ArtifactError> {
        match selector {
            LayerSelector::Only => match &self.layers[..] {
                [layer] if ARCHIVE_LAYERS.contains(&layer.media_type.as_str()) => Ok(layer),
                _ => Err(self.none_of("that is its only one and a tar archive or a chart")),
            },
            LayerSelector::First => self.layers.first().ok_or_else(|| self.none_of("at all")),
            LayerSelector::MediaType(media_type) => self
                .layers
                .iter()
                .find(|layer| layer.media_type == *media_type)
                .ok_or_else(|| self.none_of(&format!("of the type {media_type}"))),
        }
    }

    fn none_of(&self, wanted: &str) -> ArtifactError {
        /// Media types named in an error; a manifest may have thousands.
        const MAX_NAMED: usize = 8;
        let types: Vec<_> =
            self.layers.iter().take(MAX_NAMED).map(|layer| layer.media_type.as_str()).collect();
        let offered = if types.is_empty() { "none".to_string() } else { types.join(", ") };
        ArtifactError::NoSuchLayer { wanted: wanted.to_string(), offered }
    }
}

impl Descriptor {
    pub(super) fn is_chart(&self) -> bool {
        self.media_type == CHART_LAYER || self.media_type == OLD_CHART_LAYER
    }

    /// Its digest, if it is one that can be checked.
    pub(super) fn digest(&self) -> Result<ContentDigest, ArtifactError> {
        let parsed = self.digest_text.starts_with("sha256:").then(|| self.digest_text.parse().ok()).flatten();
        parsed.ok_or_else(|| ArtifactError::UnknownDigest {
            what: "a part of it".to_string(),
            digest: self.digest_text.clone(),
        })
    }
}

/// The variant of an index to use: the only one, or that for Linux on AMD64, which Flux's library takes too.
pub(super) fn choose_variant(variants: &[Descriptor]) -> Option<&Descriptor> {
    let is_default = |variant: &&Descriptor| {
        variant.platform.as_ref().is_some_and(|it| it.os == "linux" && it.architecture == "amd64")
    };
    match variants {
        [only] => Some(only),
        several => several.iter().find(is_default),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptor(media_type: &str) -> String {
        format!(r#"{{"mediaType": "{media_type}", "digest": "sha256:{}", "size": 1}}"#, "0".repeat(64))
    }

    fn manifest(types: &[&str]) -> Manifest {
        let layers: Vec<_> = types.iter().map(|it| descriptor(it)).collect();
        let text =
            format!(r#"{{"schemaVersion": 2, "layers": [{}], "annotations": null}}"#, layers.join(","));
        match Document::read(text.as_bytes()).unwrap() {
            Document::Manifest(manifest) => manifest,
            Document::Index(_) => panic!("it is a manifest"),
        }
    }

    #[test]
    fn layers_are_chosen_by_their_kind() {
        let tar = "application/vnd.oci.image.layer.v1.tar+gzip";
        let chart = manifest(&["application/vnd.cncf.helm.chart.provenance.v1.prov", CHART_LAYER]);
        assert!(chart.chart_layer().unwrap().is_chart());
        assert_eq!(
            chart.layer(&LayerSelector::Only).unwrap_err().to_string(),
            format!(
                "its manifest has no layer that is its only one and a tar archive or a chart, \
                 only application/vnd.cncf.helm.chart.provenance.v1.prov, {CHART_LAYER}"
            )
        );
        let one = manifest(&[tar]);
        assert_eq!(one.layer(&LayerSelector::Only).unwrap().media_type, tar);
        assert!(one.chart_layer().is_err());
        let two = manifest(&["a/b", tar]);
        assert_eq!(two.layer(&LayerSelector::First).unwrap().media_type, "a/b");
        assert_eq!(two.layer(&LayerSelector::MediaType(tar.into())).unwrap().media_type, tar);
        assert!(two.layer(&LayerSelector::MediaType("x/y".into())).is_err());
        assert!(manifest(&[]).layer(&LayerSelector::First).is_err());
    }

    #[test]
    fn what_could_mean_two_things_is_refused() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"schemaVersion": 1}"#,
            r#"{"schemaVersion": 2, "layers": [], "manifests": []}"#,
        ] {
            assert!(Document::read(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn an_index_gives_its_only_or_its_default_variant() {
        let variant = |os: &str, architecture: &str| Descriptor {
            media_type: String::new(),
            digest_text: format!("{os}/{architecture}"),
            size: 0,
            platform: Some(Platform { architecture: architecture.into(), os: os.into() }),
            artifact_type: None,
            annotations: None,
        };
        let (arm, amd) = (variant("linux", "arm64"), variant("linux", "amd64"));
        assert_eq!(choose_variant(&[arm.clone(), amd]).unwrap().digest_text, "linux/amd64");
        assert_eq!(choose_variant(std::slice::from_ref(&arm)).unwrap().digest_text, "linux/arm64");
        assert!(choose_variant(&[arm.clone(), arm]).is_none());
    }
}
