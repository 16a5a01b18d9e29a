//! The objects of `argoproj.io/v1alpha1`, with every field that Argo CD 3.6 knows.

mod project;
mod source;
mod spec;
mod status;

pub use project::*;
pub use source::*;
pub use spec::*;
pub use status::*;

pub use crate::field::{Any, Entries, FieldProblem, FieldProblemKind, IntOrString, Timestamp};
