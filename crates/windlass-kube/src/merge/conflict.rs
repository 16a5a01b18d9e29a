//! Conflicts, as the server words them.

use std::fmt;

use super::managers::ManagerId;
use crate::Str;
use crate::fields::{FieldPath, FieldSet, Operation};
use crate::go_print::quote;

/// A field that an apply would change and another manager owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The other manager, as messages print it: `"kubectl" with subresource "status" using apps/v1`.
    pub manager: String,
    /// The field.
    pub path: FieldPath,
    id: ManagerId,
}

/// All conflicts of an apply, by manager and then in the order of the fields.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Conflicts(Vec<Conflict>);

/// A cause in the details of a `Status`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusCause {
    /// `FieldManagerConflict`.
    pub reason: &'static str,
    /// `conflict with "kubectl" using apps/v1`.
    pub message: String,
    /// The field.
    pub field: String,
}

impl Conflicts {
    pub(super) fn new(mut of_managers: Vec<(ManagerId, Str, FieldSet)>) -> Self {
        of_managers.sort_by_cached_key(|(id, _, _)| identifier(id));
        let conflicts = of_managers.into_iter().flat_map(|(id, api_version, set)| {
            let manager = print_manager(&id, &api_version);
            let paths = set.paths().into_iter();
            paths.map(move |path| Conflict { manager: manager.clone(), path, id: id.clone() })
        });
        Self(conflicts.collect())
    }

    /// The conflicts.
    #[must_use]
    pub fn as_slice(&self) -> &[Conflict] {
        &self.0
    }

    /// What the details of the `Status` list.
    #[must_use]
    pub fn causes(&self) -> Vec<StatusCause> {
        let cause = |conflict: &Conflict| StatusCause {
            reason: "FieldManagerConflict",
            message: format!("conflict with {}", conflict.manager),
            field: conflict.path.to_string(),
        };
        self.0.iter().map(cause).collect()
    }

    /// The conflicts that are not on fields in `allowed`; `None` when there are none left.
    pub(super) fn without(self, allowed: &FieldSet) -> Option<Self> {
        let left: Vec<Conflict> =
            self.0.into_iter().filter(|conflict| !allowed.contains(&conflict.path)).collect();
        (!left.is_empty()).then_some(Self(left))
    }
}

impl fmt::Display for Conflicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [only] = self.0.as_slice() {
            return write!(f, "Apply failed with 1 conflict: conflict with {}: {}", only.manager, only.path);
        }
        write!(f, "Apply failed with {} conflicts: ", self.0.len())?;
        let mut previous: Option<&ManagerId> = None;
        for conflict in &self.0 {
            if previous != Some(&conflict.id) {
                let line_end = if previous.is_some() { "\n" } else { "" };
                write!(f, "{line_end}conflicts with {}:", conflict.manager)?;
                previous = Some(&conflict.id);
            }
            write!(f, "\n- {}", conflict.path)?;
        }
        Ok(())
    }
}

fn print_manager(id: &ManagerId, api_version: &str) -> String {
    let mut out = quote(&id.manager);
    if !id.subresource.is_empty() {
        out.push_str(&format!(" with subresource {}", quote(&id.subresource)));
    }
    if id.operation == Operation::Update {
        out.push_str(&format!(" using {api_version}"));
    }
    out
}

/// What the server sorts managers by: their entries as JSON, without fields and time.
fn identifier(id: &ManagerId) -> String {
    let parts = [
        ("manager", id.manager.as_str()),
        ("operation", id.operation.as_str()),
        ("apiVersion", id.api_version.as_str()),
        ("subresource", id.subresource.as_str()),
    ];
    let parts = parts.iter().filter(|(_, text)| !text.is_empty());
    let parts: Vec<String> = parts.map(|(name, text)| format!("\"{name}\":{}", quote(text))).collect();
    format!("{{{}}}", parts.join(","))
}
