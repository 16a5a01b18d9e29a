//! YAML to [`Value`]s.

mod loader;
mod mapping;

use self::loader::Loader;
pub(crate) use self::loader::json_number;
use crate::error::YamlError;
use crate::limits::Limits;
use crate::resolve::Dialect;
use crate::value::Value;

/// How a text is loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadOptions {
    /// Whose rules hold.
    pub dialect: Dialect,
    /// Whether equal keys in a map are an error; with [`Dialect::V3`] they always are.
    pub strict: bool,
    /// What stops the load.
    pub limits: Limits,
}

/// One document of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// What the document says; `null` for an empty one.
    pub value: Value,
    /// The line, counted from 1, on which the document's content begins.
    pub line: usize,
}

/// Loads the first document of `text` as `sigs.k8s.io/yaml` does; an empty text is `null`.
///
/// # Errors
/// See [`YamlError`].
pub fn load(text: &str) -> Result<Value, YamlError> {
    load_with(text, &LoadOptions::default())
}

/// Loads the first document of `text`; an empty text is `null`. What follows that document is not read.
///
/// # Errors
/// See [`YamlError`].
pub fn load_with(text: &str, options: &LoadOptions) -> Result<Value, YamlError> {
    Ok(load_first(text, options)?.map_or(Value::Null, |document| document.value))
}

/// The first document of `text`, if there is one.
pub(crate) fn load_first(text: &str, options: &LoadOptions) -> Result<Option<Document>, YamlError> {
    crate::text::check(text, &options.limits)?;
    Loader::new(text, *options).document()
}

/// Loads all documents of a YAML stream, as a YAML decoder that is called again and again does.
///
/// To read manifests the way `kubectl` does, use [`documents`](crate::documents).
///
/// # Errors
/// The first document that cannot be loaded.
pub fn load_all(text: &str, options: &LoadOptions) -> Result<Vec<Document>, YamlError> {
    crate::text::check(text, &options.limits)?;
    let mut loader = Loader::new(text, *options);
    let mut documents = Vec::new();
    while let Some(document) = loader.document()? {
        documents.push(document);
    }
    Ok(documents)
}
