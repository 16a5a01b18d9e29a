//! Label selectors and field selectors.
//!
//! Facts and messages: `k8s.io/apimachinery` v0.36.3, packages `labels`, `fields` and `apis/meta/v1`.

mod field;
mod label;
mod parse;

pub use field::{FieldRequirement, FieldSelector};
pub use label::{LabelOperator, LabelRequirement, LabelSelector};

/// Why a selector was refused, in apimachinery's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseSelectorError(pub(crate) String);
