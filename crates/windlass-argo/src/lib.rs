//! The argoproj.io dialect: objects, schemas, lowering to Units and raising of status.
//!
//! An `Application` and the `AppProject` it names are lowered to a [`windlass_model::Unit`]; the
//! [`windlass_model::Report`] of that Unit is raised to the status that Argo CD would have written.
//!
//! ```
//! use windlass_argo::{Project, Settings, lower};
//! use windlass_kube::{Object, value};
//!
//! let application = Object::try_new(value!({
//!     "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
//!     "metadata": {"name": "shop", "namespace": "argocd"},
//!     "spec": {
//!         "project": "default",
//!         "source": {"repoURL": "https://example.org/shop.git", "path": "deploy"},
//!         "destination": {"server": "https://kubernetes.default.svc", "namespace": "shop"}
//!     }
//! }))?;
//! let project = Project::built_in();
//! let lowered = lower(&application, Ok(&project), &Settings::default(), &[]);
//! assert!(lowered.unit.diagnostics.is_empty());
//! assert_eq!(lowered.unit.sources[0].path, "deploy");
//! # Ok::<(), windlass_kube::NotAnObject>(())
//! ```
//!
//! Everything here is a pure function: the time comes with the Report.

mod cluster;
mod crds;
mod customizations;
mod deletion;
mod field;
mod git_url;
mod inherited;
mod integrity;
mod kind_filter;
mod lower;
mod previous;
mod project;
mod raise;
mod settings;
pub mod types;
mod window;

pub use cluster::{Cluster, IN_CLUSTER_NAME, IN_CLUSTER_SERVER};
pub use crds::crds;
pub use customizations::{Customization, Customizations};
pub use deletion::{Deletion, DeletionHooks, finalizer_patch, hook_finalizer_patch};
pub use inherited::{GlobalProject, with_inherited};
pub use kind_filter::KindFilter;
pub use lower::{
    DEPENDS_ON_ANNOTATION, FIELD_MANAGER, HEALTH_CHECKS_ANNOTATION, Lowered, Refresh, STATUS_MANAGER, lower,
    overridden,
};
pub use previous::{HistoryEntry, Previous, PreviousOperation, previous};
pub use project::{Project, ProjectProblem, SourceRules, in_list, project_name};
pub use raise::{Taken, patch, raise, status_patch};
pub use settings::{INSTALLATION_ANNOTATION, Impersonation, Settings, TRACKING_ANNOTATION, TrackingMethod};
pub use window::sync_window;

/// The API group of all objects of the dialect.
pub const GROUP: &str = "argoproj.io";
/// The API version of all objects of the dialect.
pub const VERSION: &str = "v1alpha1";
