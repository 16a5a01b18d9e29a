//! What an installation sets once for all Applications: the part of `argocd-cm` and of flags that lowering reads.

use std::sync::Arc;

use windlass_kube::{Object, Str};
use windlass_model::{Installation, SystemComparing, Tracking};

use crate::customizations::Customizations;
use crate::inherited::GlobalProject;
use crate::kind_filter::KindFilter;

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

/// Whether the ServiceAccounts that projects name in `destinationServiceAccounts` write for their Applications.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Impersonation {
    /// They do not; the default of Argo CD 3.6.
    #[default]
    Off,
    /// They do where one is named, and the control plane does elsewhere: `enabled`, and `enforced: "false"`.
    WhereNamed,
    /// They do, and where none is named nothing is written: `enabled`.
    Enforced,
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
    /// Whether ServiceAccounts write for Applications: `application.sync.impersonation.*`.
    pub impersonation: Impersonation,
    /// What does not count when objects are compared: `resource.customizations.ignoreDifferences.*`,
    /// `resource.customizations.knownTypeFields.*` and `resource.compareoptions`.
    pub comparing: Arc<SystemComparing>,
    /// What projects inherit from others: `globalProjects`.
    pub global_projects: Box<[GlobalProject]>,
    /// Checks and actions of the users' own: `resource.customizations.health.*` and `.actions.*`.
    pub customizations: Arc<Customizations>,
    /// Flags for every `kustomize build`: `kustomize.buildOptions`.
    pub kustomize_build_options: Str,
    /// Which kinds are looked at where nobody declared one: `resource.exclusions` and `resource.inclusions`.
    pub kinds: Arc<KindFilter>,
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
            impersonation: Impersonation::default(),
            comparing: Arc::default(),
            global_projects: Box::default(),
            customizations: Arc::default(),
            kustomize_build_options: Str::default(),
            kinds: Arc::default(),
        }
    }
}

impl Settings {
    /// Reads the ConfigMaps `argocd-cm` and `argocd-cmd-params-cm`; what they do not say is as by default.
    #[must_use]
    pub fn read(control_plane_namespace: &str, config: Option<&Object>, parameters: Option<&Object>) -> Self {
        fn said<'a>(map: Option<&'a Object>, key: &str) -> Option<&'a str> {
            map.map(|map| map.str_at(&["data", key]).trim()).filter(|text| !text.is_empty())
        }
        let default = Self::default();
        let mut customizations = Customizations::read(config);
        let global_projects = GlobalProject::read(said(config, "globalProjects").unwrap_or_default());
        let global_projects = global_projects.unwrap_or_else(|problem| {
            customizations.problems.push(format!("globalProjects in argocd-cm cannot be used: {problem}"));
            Box::default()
        });
        let (kinds, problems) =
            KindFilter::read(said(config, "resource.exclusions"), said(config, "resource.inclusions"));
        customizations.problems.extend(problems);
        let namespaces = said(parameters, "application.namespaces").unwrap_or_default();
        Self {
            control_plane_namespace: control_plane_namespace.into(),
            tracking: match said(config, "application.resourceTrackingMethod") {
                Some("label") => TrackingMethod::Label,
                Some("annotation+label") => TrackingMethod::AnnotationAndLabel,
                _ => TrackingMethod::Annotation,
            },
            instance_label: said(config, "application.instanceLabelKey")
                .map_or(default.instance_label, Str::from),
            installation_id: said(config, "installationID").unwrap_or_default().into(),
            application_namespaces: namespaces
                .split(',')
                .map(str::trim)
                .filter(|pattern| !pattern.is_empty())
                .map(Str::from)
                .collect(),
            in_cluster_enabled: said(config, "cluster.inClusterEnabled") != Some("false"),
            impersonation: match said(config, "application.sync.impersonation.enforced") {
                _ if said(config, "application.sync.impersonation.enabled") != Some("true") => {
                    Impersonation::Off
                }
                None | Some("true") => Impersonation::Enforced,
                Some(_) => Impersonation::WhereNamed,
            },
            global_projects,
            comparing: Arc::new(customizations.comparing(said(config, "resource.compareoptions"))),
            customizations: Arc::new(customizations),
            kustomize_build_options: said(config, "kustomize.buildOptions").unwrap_or_default().into(),
            kinds: Arc::new(kinds),
        }
    }

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

#[cfg(test)]
mod tests {
    use windlass_kube::value;

    use super::*;

    #[test]
    fn settings_are_read_from_config_maps() {
        let map = |data: windlass_kube::Value| {
            let mut map = value!({"apiVersion": "v1", "kind": "ConfigMap"});
            map.set_at(&["data"], data);
            Object::try_new(map).unwrap()
        };
        let config = map(value!({
            "application.resourceTrackingMethod": "annotation+label", "installationID": "one",
            "cluster.inClusterEnabled": "false"
        }));
        let parameters = map(value!({"application.namespaces": "team-*, /^x$/ ,"}));
        let read = Settings::read("gitops", Some(&config), Some(&parameters));
        assert_eq!(read.tracking, TrackingMethod::AnnotationAndLabel);
        assert_eq!(read.instance_label, "app.kubernetes.io/instance");
        assert_eq!((read.installation_id.as_str(), read.in_cluster_enabled), ("one", false));
        assert_eq!(*read.application_namespaces, ["team-*", "/^x$/"]);
        assert_eq!(read.instance("gitops", "a"), "a");
        assert_eq!(read.instance("team-b", "a"), "team-b_a");
        assert_eq!(Settings::read("argocd", None, None), Settings::default());
    }

    #[test]
    fn impersonation_is_enforced_once_it_is_enabled() {
        let read = |data: windlass_kube::Value| {
            let mut map = value!({"apiVersion": "v1", "kind": "ConfigMap"});
            map.set_at(&["data"], data);
            Settings::read("argocd", Some(&Object::try_new(map).unwrap()), None).impersonation
        };
        assert_eq!(read(value!({"application.sync.impersonation.enforced": "true"})), Impersonation::Off);
        let mut data = value!({"application.sync.impersonation.enabled": "true"});
        assert_eq!(read(data.clone()), Impersonation::Enforced);
        data.set_at(&["application.sync.impersonation.enforced"], "false");
        assert_eq!(read(data), Impersonation::WhereNamed);
    }
}
