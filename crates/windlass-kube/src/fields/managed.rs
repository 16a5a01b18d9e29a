//! `metadata.managedFields`: who owns what.

use std::fmt;

use super::json::ParseFieldsError;
use super::set::FieldSet;
use crate::{Object, Value};

/// How a manager came to own its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// By server-side apply.
    Apply,
    /// By create, update or any other patch.
    Update,
}

/// One entry of `metadata.managedFields`, borrowed from its object.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ManagedFieldsEntry<'a> {
    /// The manager's name.
    pub manager: &'a str,
    /// How it came to own the fields; `None` for anything but `Apply` and `Update`.
    pub operation: Option<Operation>,
    /// The version the fields are named at.
    pub api_version: &'a str,
    /// When the set last changed, as written.
    pub time: Option<&'a str>,
    /// `status`, `scale`, …; empty for the object itself.
    pub subresource: &'a str,
    /// The fields as written.
    pub fields_v1: Option<&'a Value>,
}

impl Operation {
    /// The word that entries have.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        }
    }

    /// Reads the word that entries have.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "Apply" => Some(Self::Apply),
            "Update" => Some(Self::Update),
            _ => None,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl ManagedFieldsEntry<'_> {
    /// The fields, read.
    ///
    /// # Errors
    ///
    /// When they are no fieldsV1.
    pub fn fields(&self) -> Result<FieldSet, ParseFieldsError> {
        self.fields_v1.map_or_else(|| Ok(FieldSet::new()), FieldSet::from_value)
    }
}

/// The entries of `metadata.managedFields`, in order; what is not an object is passed over.
pub fn managed_fields(object: &Object) -> impl Iterator<Item = ManagedFieldsEntry<'_>> {
    let entries = object.at(&["metadata", "managedFields"]).and_then(Value::as_array);
    let entries = entries.map_or(&[][..], |entries| entries.as_slice());
    entries.iter().filter(|entry| entry.as_object().is_some()).map(|entry| {
        let text = |key| entry.get(key).and_then(Value::as_str);
        ManagedFieldsEntry {
            manager: text("manager").unwrap_or_default(),
            operation: text("operation").and_then(Operation::from_word),
            api_version: text("apiVersion").unwrap_or_default(),
            time: text("time"),
            subresource: text("subresource").unwrap_or_default(),
            fields_v1: entry.get("fieldsV1").filter(|fields| !fields.is_null()),
        }
    })
}

/// The fields `manager` owns by `operation`, at any version, subresources not counted.
///
/// `None` when it has no entry; entries that cannot be read count as empty.
#[must_use]
pub fn owned_by(object: &Object, manager: &str, operation: Operation) -> Option<FieldSet> {
    managed_fields(object)
        .filter(|entry| {
            entry.manager == manager && entry.operation == Some(operation) && entry.subresource.is_empty()
        })
        .map(|entry| entry.fields().unwrap_or_default())
        .reduce(|all, fields| all.union(&fields))
}
