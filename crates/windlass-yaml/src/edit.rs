//! Changing scalars in a text and leaving every other byte alone.
//!
//! ```
//! use windlass_yaml::edit::{Replacement, set_scalar};
//! let text = "image:\n    tag: '1.2'  # {\"$imagepolicy\": \"apps:web:tag\"}\n";
//! let text = set_scalar(text, 0, &["image".into(), "tag".into()], Replacement::Keep("1.3"))?;
//! assert_eq!(text, "image:\n    tag: '1.3'  # {\"$imagepolicy\": \"apps:web:tag\"}\n");
//! # Ok::<(), windlass_yaml::edit::EditError>(())
//! ```

use std::fmt;
use std::ops::Range;

use crate::emit::{YamlStyle, scalar_line};
use crate::error::YamlError;
use crate::limits::Limits;
use crate::node::{DocumentNode, Node, NodeKind, NodeStyle, parse_nodes};
use crate::resolve::{Dialect, Resolved, resolve};

/// One step into a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// The value of a map's key.
    Key(&'a str),
    /// An item of a list, counted from 0.
    Index(usize),
}

impl<'a> From<&'a str> for Step<'a> {
    fn from(key: &'a str) -> Self {
        Self::Key(key)
    }
}

impl From<usize> for Step<'_> {
    fn from(idx: usize) -> Self {
        Self::Index(idx)
    }
}

/// What a scalar is replaced by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replacement<'a> {
    /// A string, quoted where it would be read as something else.
    String(&'a str),
    /// A plain scalar that means what its text resolves to: a number, a boolean, null.
    Plain(&'a str),
    /// A text in the style of the old one: quotes stay, a string stays a string, a number stays without quotes.
    /// Kustomize's and Flux's image setters do this.
    Keep(&'a str),
}

impl<'a> Replacement<'a> {
    fn text(self) -> &'a str {
        match self {
            Self::String(text) | Self::Plain(text) | Self::Keep(text) => text,
        }
    }
}

/// Why a text was not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The text is not YAML.
    #[error("cannot read the text to be edited")]
    Yaml(#[from] YamlError),
    /// The text has no such document.
    #[error("there is no document {0}")]
    NoDocument(usize),
    /// A step of the path leads nowhere.
    #[error("there is nothing at {0}")]
    NotFound(String),
    /// The path leads to a list or a map.
    #[error("{0} is not a scalar")]
    NotScalar(String),
    /// The text cannot be put in place without changing more than the scalar.
    #[error("{0} cannot be replaced in place")]
    NotInPlace(String),
}

/// Sets the scalar under `path` in document `document` (counted from 0).
///
/// The result is read again: what comes back says the new text at `path`.
///
/// # Errors
/// See [`EditError`].
pub fn set_scalar(
    text: &str,
    document: usize,
    path: &[Step<'_>],
    replacement: Replacement<'_>,
) -> Result<String, EditError> {
    let limits = Limits::default();
    let documents = parse_nodes(text, &limits)?;
    let node = find(&documents, document, path)?;
    let mut splices = Splices::new(text);
    splices.set(node, replacement).ok_or_else(|| EditError::NotInPlace(shown(path)))?;
    let edited = splices.finish();
    let documents = parse_nodes(&edited, &limits).map_err(|_| EditError::NotInPlace(shown(path)))?;
    match find(&documents, document, path) {
        Ok(node) if node.value == replacement.text() => Ok(edited),
        _ => Err(EditError::NotInPlace(shown(path))),
    }
}

fn shown(path: &[Step<'_>]) -> String {
    path.iter().map(ToString::to_string).collect()
}

impl fmt::Display for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => write!(f, ".{key}"),
            Self::Index(idx) => write!(f, "[{idx}]"),
        }
    }
}

/// The scalar under `path`.
///
/// # Errors
/// No such document, nothing there, a collection there.
pub fn find<'a>(
    documents: &'a [DocumentNode],
    document: usize,
    path: &[Step<'_>],
) -> Result<&'a Node, EditError> {
    let mut node = &documents.get(document).ok_or(EditError::NoDocument(document))?.root;
    for (idx, step) in path.iter().enumerate() {
        let next = match step {
            Step::Key(key) => node.get(key),
            Step::Index(item) if node.kind == NodeKind::Sequence => node.content.get(*item),
            Step::Index(_) => None,
        };
        node = next.ok_or_else(|| EditError::NotFound(shown(&path[..=idx])))?;
    }
    match node.kind {
        NodeKind::Scalar | NodeKind::Alias => Ok(node),
        _ => Err(EditError::NotScalar(shown(path))),
    }
}

/// Changes to one text, put in at the end.
#[derive(Clone, Debug)]
pub struct Splices<'a> {
    text: &'a str,
    changes: Vec<(Range<usize>, String)>,
}

impl<'a> Splices<'a> {
    /// No changes to `text` yet.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        Self { text, changes: Vec::new() }
    }

    /// Replaces a scalar or alias that was read from the same text; `None` if there is no place for it.
    pub fn set(&mut self, node: &Node, replacement: Replacement<'_>) -> Option<()> {
        let mut range = node.span.clone();
        let old = self.text.get(range.clone())?;
        if matches!(node.style, NodeStyle::Literal | NodeStyle::Folded) {
            range.end = range.start + old.trim_end().len();
        }
        let mut new = scalar_text(node, replacement);
        if range.is_empty() {
            // An absent value: it goes behind its colon or dash.
            let before = self.text[..range.start].chars().next_back()?;
            if !matches!(before, ':' | '-' | ' ') {
                return None;
            }
            if before != ' ' {
                new.insert(0, ' ');
            }
        }
        self.changes.push((range, new));
        Some(())
    }

    /// The text with all changes.
    #[must_use]
    pub fn finish(mut self) -> String {
        self.changes.sort_by_key(|(range, _)| range.start);
        let mut edited = String::with_capacity(self.text.len());
        let mut from = 0;
        for (range, new) in self.changes {
            if range.start < from {
                continue;
            }
            edited.push_str(&self.text[from..range.start]);
            edited.push_str(&new);
            from = range.end;
        }
        edited.push_str(&self.text[from..]);
        edited
    }
}

/// The scalar on one line, in a style that means what the replacement says.
fn scalar_text(node: &Node, replacement: Replacement<'_>) -> String {
    let text = replacement.text();
    let quotes_needed = || resolve(text, Dialect::V3, true) != Resolved::Str;
    let was_string = node.kind == NodeKind::Alias || node.tag == "!!str";
    let style = match (replacement, node.style) {
        (Replacement::Plain(_), _) => NodeStyle::Plain,
        (_, style @ (NodeStyle::SingleQuoted | NodeStyle::DoubleQuoted)) => style,
        (Replacement::String(_), _) if quotes_needed() => NodeStyle::DoubleQuoted,
        (Replacement::Keep(_), _) if was_string && quotes_needed() => NodeStyle::DoubleQuoted,
        _ => NodeStyle::Plain,
    };
    scalar_line(text, style, node.in_flow, &YamlStyle::V3)
}
