//! What a chart may know of the cluster.

use crate::HelmVersion;

/// What `.Capabilities` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The version of Kubernetes.
    pub kube_version: KubeVersion,
    /// The versions of APIs, such as `apps/v1`, and kinds, such as `apps/v1/Deployment`, where known.
    pub api_versions: Vec<String>,
}

/// A version of Kubernetes, as charts see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubeVersion {
    /// `.Version` and `.GitVersion`: `v1.33.4-gke.1245000`; with Helm 3 without the suffix.
    pub version: String,
    /// What constraints are checked on: `v1.33.4`.
    pub normalized: String,
    /// `.Major`.
    pub major: String,
    /// `.Minor`.
    pub minor: String,
}

/// A text that is no version of Kubernetes, in the words of `k8s.io/apimachinery`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct KubeVersionError(String);

impl Capabilities {
    /// What `helm template` assumes without a cluster.
    ///
    /// Helm takes the version of Kubernetes from the client library it was built with; Helm 3 does so only in its
    /// releases, whose answer this is.
    #[must_use]
    pub fn default_of(helm: HelmVersion) -> Self {
        let version = match helm {
            HelmVersion::V3 => "v1.36.0",
            HelmVersion::V4 => "v1.37.0",
        };
        let kube_version = KubeVersion::parse(version, helm).expect("the defaults are versions");
        let known = DEFAULT_API_VERSIONS.lines().map(str::trim).filter(|line| !line.is_empty());
        let api_versions = known.filter_map(|line| match (line.split_once(' '), helm) {
            (None, _) => Some(line.to_owned()),
            (Some((version, "3")), HelmVersion::V3) | (Some((version, "4")), HelmVersion::V4) => {
                Some(version.to_owned())
            }
            _ => None,
        });
        Self { kube_version, api_versions: api_versions.collect() }
    }
}

/// What the client libraries of Helm 4.3.1 and 3.21.4 know, in their order; a number is the only Helm that has it.
const DEFAULT_API_VERSIONS: &str = "
    v1
    admissionregistration.k8s.io/v1
    admissionregistration.k8s.io/v1alpha1
    admissionregistration.k8s.io/v1beta1
    internal.apiserver.k8s.io/v1alpha1
    apps/v1
    apps/v1beta1
    apps/v1beta2
    authentication.k8s.io/v1
    authentication.k8s.io/v1alpha1
    authentication.k8s.io/v1beta1
    authorization.k8s.io/v1
    authorization.k8s.io/v1beta1
    autoscaling/v1
    autoscaling/v2
    batch/v1
    batch/v1beta1
    certificates.k8s.io/v1
    certificates.k8s.io/v1beta1
    certificates.k8s.io/v1alpha1
    coordination.k8s.io/v1alpha2
    coordination.k8s.io/v1beta1
    coordination.k8s.io/v1
    discovery.k8s.io/v1
    discovery.k8s.io/v1beta1
    events.k8s.io/v1
    events.k8s.io/v1beta1
    extensions/v1beta1
    flowcontrol.apiserver.k8s.io/v1
    flowcontrol.apiserver.k8s.io/v1beta1
    flowcontrol.apiserver.k8s.io/v1beta2
    flowcontrol.apiserver.k8s.io/v1beta3
    lifecycle.k8s.io/v1alpha1 4
    networking.k8s.io/v1
    networking.k8s.io/v1beta1
    node.k8s.io/v1
    node.k8s.io/v1alpha1
    node.k8s.io/v1beta1
    policy/v1
    policy/v1beta1
    rbac.authorization.k8s.io/v1
    rbac.authorization.k8s.io/v1beta1
    rbac.authorization.k8s.io/v1alpha1
    resource.k8s.io/v1
    resource.k8s.io/v1beta2
    resource.k8s.io/v1beta1
    resource.k8s.io/v1alpha3
    scheduling.k8s.io/v1alpha3 4
    scheduling.k8s.io/v1alpha2 3
    scheduling.k8s.io/v1beta1
    scheduling.k8s.io/v1
    storage.k8s.io/v1beta1
    storage.k8s.io/v1
    storage.k8s.io/v1alpha1
    storagemigration.k8s.io/v1 4
    storagemigration.k8s.io/v1beta1
    apiextensions.k8s.io/v1beta1
    apiextensions.k8s.io/v1
";

impl KubeVersion {
    /// Reads a version as `--kube-version` does: two or more numbers, and anything behind them.
    ///
    /// # Errors
    /// A text that is no such version.
    pub fn parse(text: &str, helm: HelmVersion) -> Result<Self, KubeVersionError> {
        let error = |problem: String| Err(KubeVersionError(problem));
        let shown = crate::text::quote(text);
        let bare = text.trim_start_matches(crate::text::is_space);
        let bare = bare.strip_prefix('v').unwrap_or(bare);
        let end = bare.find(|char: char| !char.is_ascii_digit() && char != '.').unwrap_or(bare.len());
        // Two dots in a row, or one at the end, belong to what stands behind the numbers.
        let numbers = bare[..end].split("..").next().unwrap_or_default().trim_end_matches('.');
        if numbers.is_empty() || numbers.starts_with('.') || bare.contains('\n') {
            return error(format!("could not parse {shown} as version"));
        }
        let parts: Vec<&str> = numbers.split('.').collect();
        if parts.len() < 2 {
            return error(format!("illegal version string {shown}"));
        }
        if parts[0].len() > 1 && parts[0].starts_with('0') {
            let part = crate::text::quote(parts[0]);
            return error(format!("illegal zero-prefixed version component {part} in {shown}"));
        }
        let mut parsed = Vec::with_capacity(parts.len());
        for part in &parts {
            let Ok(number) = part.parse::<u64>() else {
                let part = crate::text::quote(part);
                let problem = format!("strconv.ParseUint: parsing {part}: value out of range");
                return error(format!("illegal non-numeric version component {part} in {shown}: {problem}"));
            };
            parsed.push(number.to_string());
        }
        let numbers = parsed.join(".");
        let normalized = format!("v{numbers}");
        let version = match helm {
            HelmVersion::V3 => normalized.clone(),
            HelmVersion::V4 if text.starts_with('v') => text.to_owned(),
            HelmVersion::V4 => format!("v{text}"),
        };
        Ok(Self { version, normalized, major: parsed[0].clone(), minor: parsed[1].clone() })
    }
}
