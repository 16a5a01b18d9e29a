//! What the user sets: files, then flags.

use gotemplate::{Map, Str, Value};
use windlass_yaml::json;

use super::from_file;
use crate::HelmVersion;
use crate::load::{ValuesFileError, parse_values};
use crate::strvals::{self, SetError};

/// Values that a user gives, in the order that counts: files (later ones win), `--set-json`, `--set`,
/// `--set-string`, `--set-file`, `--set-literal`.
///
/// Nothing is read here: the content of files is given by whoever may read them.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// Each file's name, for errors, and its bytes.
    pub files: Vec<(String, Vec<u8>)>,
    /// Texts of `--set-json`.
    pub set_json: Vec<String>,
    /// Texts of `--set`.
    pub set: Vec<String>,
    /// Texts of `--set-string`.
    pub set_string: Vec<String>,
    /// Texts of `--set-file`.
    pub set_file: Vec<String>,
    /// Texts of `--set-literal`.
    pub set_literal: Vec<String>,
}

/// A value of the user's that cannot be used, in Helm's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OverrideError {
    /// A file of values.
    #[error("failed to parse {file}: {error}")]
    File {
        /// Its name as given.
        file: String,
        /// What is wrong with it.
        error: ValuesFileError,
    },
    /// A text of `--set-json` that is neither an object nor names with values.
    #[error("failed parsing --set-json data{what} {text}")]
    SetJson {
        /// ` JSON:` when it looked like an object.
        what: &'static str,
        /// The text.
        text: String,
    },
    /// A text of another flag.
    #[error("failed parsing {flag} data: {error}")]
    Set {
        /// The flag.
        flag: &'static str,
        /// What is wrong with it.
        error: SetError,
    },
}

impl Overrides {
    /// Makes one map of them all.
    ///
    /// `read` gives the content of a file of `--set-file`.
    ///
    /// # Errors
    /// The first that cannot be used.
    pub fn merge(
        &self,
        helm: HelmVersion,
        mut read: impl FnMut(&str) -> Result<Str, String>,
    ) -> Result<Map, OverrideError> {
        let mut files = windlass_yaml::Map::new();
        for (file, bytes) in &self.files {
            let values = parse_values(bytes, helm)
                .map_err(|error| OverrideError::File { file: file.clone(), error })?;
            crate::load::merge_values(&mut files, values);
        }
        let values = from_file(&windlass_yaml::Value::Object(files));
        for text in &self.set_json {
            set_json(text, &values, helm)?;
        }
        let failed = |flag| move |error| OverrideError::Set { flag, error };
        for text in &self.set {
            strvals::set(text, &values, helm).map_err(failed("--set"))?;
        }
        for text in &self.set_string {
            strvals::set_string(text, &values, helm).map_err(failed("--set-string"))?;
        }
        for text in &self.set_file {
            strvals::set_file(text, &values, helm, &mut read).map_err(failed("--set-file"))?;
        }
        for text in &self.set_literal {
            strvals::set_literal(text, &values, helm).map_err(failed("--set-literal"))?;
        }
        Ok(values)
    }
}

fn set_json(text: &str, values: &Map, helm: HelmVersion) -> Result<(), OverrideError> {
    let trimmed = text.trim_matches(crate::text::is_space);
    if helm == HelmVersion::V4 && trimmed.starts_with('{') {
        let Ok(parsed) = json::parse(trimmed.as_bytes()) else {
            return Err(OverrideError::SetJson { what: " JSON:", text: text.to_owned() });
        };
        merge_maps(values, &from_file(&parsed));
        return Ok(());
    }
    strvals::set_json(text, values, helm)
        .map_err(|_| OverrideError::SetJson { what: "", text: text.to_owned() })
}

/// Puts `from` over `into`, maps into maps; nil is a value like any other.
fn merge_maps(into: &Map, from: &Map) {
    for (key, value) in from.entries() {
        match (into.get(&key), value) {
            (Some(Value::Map(into)), Value::Map(from)) => merge_maps(&into, &from),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}
