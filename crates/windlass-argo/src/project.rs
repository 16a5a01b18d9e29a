//! The AppProject: what its Applications may deploy, from where and to where.

use std::sync::Arc;

use windlass_kube::{Object, Str};
use windlass_model::{Diagnostic, Permissions};

/// A lowered AppProject.
#[derive(Clone, Debug)]
pub struct Project {
    /// Its name.
    pub name: Str,
    /// Destinations and kinds.
    pub permissions: Arc<Permissions>,
    /// What there is to say about it: fields that are not acted on, rules that cannot hold.
    pub diagnostics: Vec<Diagnostic>,
}

/// Why an Application has no project.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProjectProblem {
    /// There is none of that name in the control-plane namespace.
    #[error("application references project {0} which does not exist")]
    NotFound(Str),
}

impl Project {
    /// Reads an AppProject. What cannot be read is said in `diagnostics` and permits nothing.
    #[must_use]
    pub fn parse(project: &Object) -> Self {
        Self {
            name: project.name().into(),
            permissions: Arc::new(Permissions::everything(project.name())),
            diagnostics: Vec::new(),
        }
    }

    /// The project `default` as Argo CD creates it: everything is allowed. It stands in where there is no object
    /// of that name.
    #[must_use]
    pub fn built_in() -> Self {
        Self {
            name: "default".into(),
            permissions: Arc::new(Permissions::everything("default")),
            diagnostics: Vec::new(),
        }
    }
}

/// The name of the project that `application` is in; `default` when it names none.
#[must_use]
pub fn project_name(application: &Object) -> &str {
    match application.str_at(&["spec", "project"]) {
        "" => "default",
        name => name,
    }
}
