//! Charts as they are loaded: files, metadata, defaults and the charts inside.

mod decode;
mod metadata;

use std::sync::Arc;

pub use decode::DecodeError;
pub use metadata::{Dependency, ImportValue, InvalidMetadata, Lock, Maintainer, Metadata};
use windlass_yaml::{Str, Value};

use crate::text::extension;

/// A file of a chart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its path below the chart's folder.
    pub name: Str,
    /// Its bytes, without a byte order mark.
    pub data: Arc<[u8]>,
}

/// A chart with the charts inside it. Immutable, and shared between renders.
#[derive(Clone, Debug)]
pub struct Chart {
    /// What `Chart.yaml` says, and `requirements.yaml` of an old chart.
    pub metadata: Metadata,
    /// `Chart.lock` or `requirements.lock`.
    pub lock: Option<Lock>,
    /// The files below `templates/`.
    pub templates: Vec<File>,
    /// `values.yaml`: an object, or null without the file.
    pub values: Value,
    /// `values.schema.json`.
    pub schema: Option<Arc<[u8]>>,
    /// All other files, those of `crds/` too: what `.Files` gives.
    pub files: Vec<File>,
    /// The charts in `charts/`, by the name of their folder or archive.
    pub dependencies: Vec<Arc<Self>>,
    /// The name of its folder or archive in `charts/` of the chart around it; empty for the outermost.
    pub(crate) place: Str,
}

impl Chart {
    /// Whether this chart only lends templates to others.
    #[must_use]
    pub fn is_library(&self) -> bool {
        self.metadata.kind.eq_ignore_ascii_case("library")
    }

    /// The manifests in `crds/` of this chart alone.
    pub fn crds(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| {
            let extension = extension(&file.name);
            file.name.starts_with("crds/")
                && [".yaml", ".yml", ".json"].iter().any(|known| extension.eq_ignore_ascii_case(known))
        })
    }

    /// The declared dependencies that are not among the charts inside, by name.
    #[must_use]
    pub fn missing_dependencies(&self) -> Vec<&Dependency> {
        let declared = self.metadata.dependencies.iter().flatten();
        declared
            .filter(|dependency| self.dependencies.iter().all(|chart| chart.metadata.name != dependency.name))
            .collect()
    }
}
