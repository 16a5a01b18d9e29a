//! Manifests: many objects in one text, read as `kubectl` and Argo CD read them.

use std::borrow::Cow;

use crate::error::{Position, YamlError, YamlErrorKind};
use crate::json::{JsonError, JsonOptions, Stream};
use crate::load::{Document, LoadOptions, load_first};
use crate::value::Value;

/// Why one object of a manifest could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// The document is not YAML.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// The text looks like JSON, and is neither JSON nor YAML.
    #[error("{text}")]
    Json {
        /// What apimachinery's decoder says.
        text: String,
        /// What is wrong with it as JSON.
        error: JsonError,
    },
}

impl ManifestError {
    /// Where in the text the error was found.
    #[must_use]
    pub fn position(&self) -> Position {
        match self {
            Self::Yaml(error) => error.position(),
            Self::Json { error, .. } => error.position(),
        }
    }
}

/// Splits a text at lines that begin with `---`, as `k8s.io/apimachinery/pkg/util/yaml` does, and loads each
/// part by itself, so that one bad part does not spoil the others.
///
/// Only the first YAML document of a part counts, and a part without any is `null`. Lines are counted from the
/// start of `text`.
pub fn documents(text: &str, options: &LoadOptions) -> impl Iterator<Item = Result<Document, YamlError>> {
    let options = *options;
    parts(text).map(move |part| {
        let part = part?;
        let document =
            load_first(&part.text, &options).map_err(|error| error.moved_down(part.lines_before))?;
        Ok(match document {
            Some(document) => Document { line: document.line + part.lines_before, ..document },
            None => Document { value: Value::Null, line: part.lines_before + 1 },
        })
    })
}

/// A part of a text between two separators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// The text, with a final line break.
    pub text: Cow<'a, str>,
    /// How many lines stand before it.
    pub lines_before: usize,
}

/// The parts of a text between lines that begin with `---`; a part may begin with such a line, too, where
/// nothing stood before it.
///
/// Nothing but blanks and a comment may follow the dashes.
pub fn parts(text: &str) -> impl Iterator<Item = Result<Part<'_>, YamlError>> {
    let mut from = 0;
    let mut lines_before = 0;
    let mut offset = 0;
    let mut line = 0;
    let mut bad: Option<YamlError> = None;
    std::iter::from_fn(move || {
        if let Some(error) = bad.take() {
            return Some(Err(error));
        }
        while offset < text.len() {
            let end = memchr_newline(text, offset);
            let this = &text[offset..end];
            let at = offset;
            offset = end;
            line += 1;
            let Some(after) = this.strip_prefix("---") else { continue };
            // A separator with nothing before it belongs to the part that follows.
            let part = part(&text[from..at], lines_before);
            if part.is_some() {
                from = end;
                lines_before = line;
            }
            let after = after.trim();
            if !after.is_empty() && !after.starts_with('#') {
                let problem = format!("invalid Yaml document separator: {after}");
                let error =
                    YamlError::new(YamlErrorKind::Syntax, problem.clone(), Position { line, column: 4 });
                bad = Some(error.with_text(problem));
            }
            if let Some(part) = part {
                return Some(Ok(part));
            }
            if let Some(error) = bad.take() {
                return Some(Err(error));
            }
        }
        let last = part(&text[from..], lines_before);
        from = text.len();
        last.map(Ok)
    })
}

fn part(text: &str, lines_before: usize) -> Option<Part<'_>> {
    if text.is_empty() {
        return None;
    }
    let text = if text.ends_with('\n') { Cow::Borrowed(text) } else { Cow::Owned(format!("{text}\n")) };
    Some(Part { text, lines_before })
}

/// The offset after the line break that ends the line at `from`.
fn memchr_newline(text: &str, from: usize) -> usize {
    text[from..].find('\n').map_or(text.len(), |idx| from + idx + 1)
}

/// Reads every object of a manifest, YAML or JSON, as apimachinery's `YAMLOrJSONDecoder` does: a text whose
/// first character is `{` is a stream of JSON values, and YAML if that fails. Empty documents are left out.
#[must_use]
pub fn load_manifest(text: &str, options: &LoadOptions) -> Vec<Result<Document, ManifestError>> {
    let mut objects = Vec::new();
    let mut rest = 0;
    let mut json_error = None;
    if text.trim_start().starts_with('{') {
        let mut stream =
            Stream::new(text.as_bytes(), JsonOptions { strict: options.strict, depth: options.limits.depth });
        // The line at which the text from `counted` on begins.
        let (mut line, mut counted) = (1, 0);
        loop {
            let from = stream.offset();
            match stream.next() {
                None => return objects,
                Some(Ok(Value::Null)) => {}
                Some(Ok(value)) => {
                    let blank = text[from..].len() - text[from..].trim_start().len();
                    let passed = &text[counted..from + blank];
                    line += passed.bytes().filter(|byte| *byte == b'\n').count();
                    counted = from + blank;
                    objects.push(Ok(Document { value, line }));
                }
                Some(Err(error)) if objects.len() > 1 => {
                    objects.push(Err(ManifestError::Json { text: error.to_string(), error }));
                    return objects;
                }
                Some(Err(error)) => {
                    rest = stream.offset();
                    json_error = Some(error);
                    break;
                }
            }
        }
        // The blanks after a JSON value, up to its line's end, are not YAML.
        let after = &text[rest..];
        let blank = after.len() - after.trim_start().len();
        rest += after[..blank].find('\n').map_or(blank, |idx| idx + 1);
    }
    let lines_before = text[..rest].bytes().filter(|byte| *byte == b'\n').count();
    for document in documents(&text[rest..], options) {
        match document {
            Ok(Document { value: Value::Null, .. }) => {}
            Ok(document) => objects.push(Ok(Document { line: document.line + lines_before, ..document })),
            Err(error) => objects.push(Err(match json_error.take() {
                // Go counts the bytes it has read, with the one it did not like.
                Some(error) => ManifestError::Json {
                    text: format!("json: offset {}: {error}", error.offset() + 1),
                    error,
                },
                None => ManifestError::Yaml(error.moved_down(lines_before)),
            })),
        }
        json_error = None;
    }
    objects
}
