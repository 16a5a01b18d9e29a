//! Resource actions: what a person can do to an object beside changing its source, such as restarting a Deployment.
//!
//! The built-in ones are those that Argo CD 3.6 ships, with the same names and effects. Users' own are Lua scripts
//! ([`UserActions`]). An action is a function of the object, its parameters and the time; who runs it applies the
//! [`Change`]s.

mod discover;
mod perform;
mod user;

use windlass_kube::{Object, Str};

pub use user::{UserActions, UserActionsProblem};

use crate::lua::LuaError;

/// An action that an object has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// Its name, such as `restart`.
    pub name: Str,
    /// How people read it; empty when the name says it.
    pub title: Str,
    /// Whether it makes no sense in the object's present state.
    pub is_disabled: bool,
    /// The classes of its icon in Argo CD's console.
    pub icon: Str,
    /// What it asks for.
    pub parameters: Vec<Parameter>,
}

/// What an action asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: Str,
    /// What it is when nobody says; empty when somebody must.
    pub default: Str,
}

/// What an action does to the cluster.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// The object becomes this: written as a patch of what differs.
    Patch(Object),
    /// This object is created.
    Create(Object),
}

/// Why an action was not performed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActionError {
    /// The object's kind has no such action.
    #[error("{kind} has no action {name:?}; it has {}", if .known.is_empty() { "none" } else { .known.as_str() })]
    Unknown {
        /// The kind.
        kind: Str,
        /// What was asked for.
        name: Str,
        /// What there is.
        known: String,
    },
    /// A parameter is missing or cannot be.
    #[error("{0}")]
    Parameter(String),
    /// A script failed.
    #[error("action {name} of {kind} failed")]
    Script {
        /// The kind.
        kind: Str,
        /// The action.
        name: Str,
        /// How.
        #[source]
        problem: LuaError,
    },
}

/// The built-in actions of an object, by name.
#[must_use]
pub fn actions(object: &Object) -> Vec<Action> {
    let mut found = discover::actions(object);
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// Performs a built-in action. `now` is in seconds since 1970. A disabled one is performed all the same, as Argo CD
/// does: who offers it looks at [`actions`] first.
///
/// # Errors
///
/// [`ActionError`] when the kind has no such action, or a parameter cannot be.
pub fn run_action(
    object: &Object,
    name: &str,
    parameters: &[(Str, Str)],
    now: i64,
) -> Result<Vec<Change>, ActionError> {
    let known = actions(object);
    let changes = perform::perform(object, name, parameters, now)?;
    changes.ok_or_else(|| ActionError::Unknown {
        kind: object.kind().into(),
        name: name.into(),
        known: known.iter().map(|action| action.name.as_str()).collect::<Vec<_>>().join(", "),
    })
}
