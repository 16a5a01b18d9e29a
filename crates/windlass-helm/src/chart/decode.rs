//! YAML into fields of a Go type, as `sigs.k8s.io/yaml` with `encoding/json` decodes it.
//!
//! Two rules of theirs show in charts: a scalar for a field of type string is taken as its text (`version: 1.10`
//! is `"1.1"`), and the names of fields match in any case.

use windlass_yaml::{Map, Str, Value};

use crate::text::float_g;

/// A value that does not fit its field, in the words of `encoding/json`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {found} into Go {place} of type {wanted}"
)]
pub struct DecodeError {
    found: &'static str,
    place: String,
    wanted: &'static str,
}

/// Where a value stands: the Go struct it belongs to, and the path of fields to it.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) structure: &'static str,
    pub(super) path: String,
}

impl Place {
    pub(super) fn root() -> Self {
        Self { structure: "", path: String::new() }
    }

    pub(super) fn field(&self, structure: &'static str, name: &str) -> Self {
        let path = if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
        Self { structure, path }
    }

    pub(super) fn error(&self, found: &Value, wanted: &'static str) -> DecodeError {
        let found = match found {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Int(_) | Value::Float(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let place = if self.path.is_empty() {
            "value".to_owned()
        } else {
            format!("struct field {}.{}", self.structure, self.path)
        };
        DecodeError { found, place, wanted }
    }
}

/// The members of an object; none of null.
pub(super) fn object<'a>(
    value: &'a Value,
    place: &Place,
    wanted: &'static str,
) -> Result<Option<&'a Map>, DecodeError> {
    match value {
        Value::Null => Ok(None),
        Value::Object(map) => Ok(Some(map)),
        other => Err(place.error(other, wanted)),
    }
}

/// The items of a list; none of null.
pub(super) fn list<'a>(
    value: &'a Value,
    place: &Place,
    wanted: &'static str,
) -> Result<Option<&'a [Value]>, DecodeError> {
    match value {
        Value::Null => Ok(None),
        Value::Array(items) => Ok(Some(items.as_slice())),
        other => Err(place.error(other, wanted)),
    }
}

/// The text of a scalar; empty for null.
pub(super) fn string(value: &Value, place: &Place) -> Result<Str, DecodeError> {
    match value {
        Value::Null => Ok(Str::default()),
        Value::String(text) => Ok(text.clone()),
        Value::Bool(bool) => Ok(Str::from(bool.to_string())),
        Value::Int(int) => Ok(Str::from(int.to_string())),
        Value::Float(float) => Ok(Str::from(float_g(*float))),
        other => Err(place.error(other, "string")),
    }
}

/// A boolean; false for null.
pub(super) fn boolean(value: &Value, place: &Place) -> Result<bool, DecodeError> {
    match value {
        Value::Null => Ok(false),
        Value::Bool(bool) => Ok(*bool),
        other => Err(place.error(other, "bool")),
    }
}

/// A list of strings.
pub(super) fn strings(value: &Value, place: &Place) -> Result<Vec<Str>, DecodeError> {
    let items = list(value, place, "[]string")?.unwrap_or_default();
    items.iter().map(|item| string(item, place)).collect()
}
