//! Files of values.

use std::borrow::Cow;

use windlass_yaml::{LoadOptions, Map, Value, YamlError};

use crate::HelmVersion;

/// Why a text is no file of values, in Helm's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValuesFileError {
    /// It is no YAML.
    #[error("{prefix}error converting YAML to JSON: {error}")]
    Yaml {
        /// What Helm 4 says before.
        prefix: &'static str,
        /// What is wrong with it.
        error: YamlError,
    },
    /// A document is not an object.
    #[error(
        "{prefix}error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {found} into Go value of type map[string]interface {{}}"
    )]
    NotAnObject {
        /// What Helm 4 says before.
        prefix: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// A line that begins with `---` has something behind.
    #[error("error reading yaml document: {0}")]
    Separator(YamlError),
}

/// Reads a file of values. Helm 4 merges all documents of it, Helm 3 reads the first only.
///
/// # Errors
///
/// [`ValuesFileError`].
pub fn parse_values(bytes: &[u8], helm: HelmVersion) -> Result<Map, ValuesFileError> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        // The text of the error is that of Go's reader, which sees the bytes.
        Err(_) => windlass_yaml::decode_text(bytes)
            .map_err(|error| ValuesFileError::Yaml { prefix: prefix(helm), error })?,
    };
    match helm {
        HelmVersion::V3 => document(&text, ""),
        HelmVersion::V4 => {
            let mut values = Map::new();
            for part in windlass_yaml::parts(&text) {
                let part = part.map_err(ValuesFileError::Separator)?;
                merge(&mut values, document(&part.text, prefix(helm))?);
            }
            Ok(values)
        }
    }
}

const fn prefix(helm: HelmVersion) -> &'static str {
    match helm {
        HelmVersion::V3 => "",
        HelmVersion::V4 => "cannot unmarshal yaml document: ",
    }
}

fn document(text: &str, prefix: &'static str) -> Result<Map, ValuesFileError> {
    let value = windlass_yaml::load_with(text, &LoadOptions::default())
        .map_err(|error| ValuesFileError::Yaml { prefix, error })?;
    let found = match value {
        Value::Object(map) => return Ok(map),
        Value::Null => return Ok(Map::new()),
        Value::Bool(_) => "bool",
        Value::Int(_) | Value::Float(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
    };
    Err(ValuesFileError::NotAnObject { prefix, found })
}

/// Puts `from` over `into`, objects into objects; null is a value like any other.
pub(crate) fn merge(into: &mut Map, from: Map) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Object(into)), Value::Object(from)) => merge(into, from),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}
