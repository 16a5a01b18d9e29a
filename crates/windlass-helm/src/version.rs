//! Which Helm's behaviour is wanted.

/// The major version of Helm whose behaviour a render has.
///
/// Facts are those of 4.3.1 and 3.21.4. They differ in: values files of several documents, nulls in chart
/// defaults, `--set-json` with an object, how manifests are trimmed and sorted, `.Chart` (a map in 4, a struct
/// in 3), functions (`mustToYaml`, `duration…` are new in 4), the words of template errors, and the default
/// capabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HelmVersion {
    /// Helm 3, as Argo CD up to 3.x and most people run it.
    V3,
    /// Helm 4.
    #[default]
    V4,
}

impl HelmVersion {
    /// What `.Capabilities.HelmVersion.Version` says.
    #[must_use]
    pub const fn version(self) -> &'static str {
        match self {
            Self::V3 => "v3.21.4",
            Self::V4 => "v4.3.1",
        }
    }
}
