//! What an installation sets once for all Applications: the part of `argocd-cm` and of flags that lowering reads.

use windlass_kube::Str;
use windlass_model::{Installation, Tracking};

/// The annotation that holds a tracking id.
pub const TRACKING_ANNOTATION: &str = "argocd.argoproj.io/tracking-id";
/// The annotation that holds the installation's id.
pub const INSTALLATION_ANNOTATION: &str = "argocd.argoproj.io/installation-id";

/// Where tracking marks are written: `application.resourceTrackingMethod`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TrackingMethod {
    /// An annotation; the default since Argo CD 3.0.
    #[default]
    Annotation,
    /// A label.
    Label,
    /// Both; the annotation decides.
    AnnotationAndLabel,
}

/// The settings that lowering depends on. The default is that of a fresh Argo CD 3.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The namespace of Argo CD's own objects: Applications there have short tracking names, projects live there.
    pub control_plane_namespace: Str,
    /// `application.resourceTrackingMethod`.
    pub tracking: TrackingMethod,
    /// `application.instanceLabelKey`.
    pub instance_label: Str,
    /// `installationID`; empty when there is one control plane on the cluster.
    pub installation_id: Str,
    /// `application.namespaces`: where else Applications may live, as globs or `/regular expressions/`.
    pub application_namespaces: Box<[Str]>,
    /// Whether `https://kubernetes.default.svc` may be a destination: `cluster.inClusterEnabled`.
    pub in_cluster_enabled: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            control_plane_namespace: "argocd".into(),
            tracking: TrackingMethod::default(),
            instance_label: "app.kubernetes.io/instance".into(),
            installation_id: Str::default(),
            application_namespaces: Box::default(),
            in_cluster_enabled: true,
        }
    }
}

impl Settings {
    /// Where marks are written and read.
    #[must_use]
    pub fn tracking(&self) -> Tracking {
        let annotation = Str::new_static(TRACKING_ANNOTATION);
        match self.tracking {
            TrackingMethod::Annotation => Tracking::Annotation { key: annotation },
            TrackingMethod::Label => Tracking::Label { key: self.instance_label.clone() },
            TrackingMethod::AnnotationAndLabel => {
                Tracking::AnnotationAndLabel { annotation, label: self.instance_label.clone() }
            }
        }
    }

    /// Which installation marks are of.
    #[must_use]
    pub fn installation(&self) -> Installation {
        Installation { key: Str::new_static(INSTALLATION_ANNOTATION), id: self.installation_id.clone() }
    }

    /// The name of an Application in tracking marks: its own, or `<namespace>_<name>` outside the control-plane
    /// namespace.
    #[must_use]
    pub fn instance(&self, namespace: &str, name: &str) -> Str {
        if namespace.is_empty() || namespace == self.control_plane_namespace {
            name.into()
        } else {
            format!("{namespace}_{name}").into()
        }
    }
}
