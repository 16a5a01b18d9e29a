//! What can be wrong with a YAML text, said in Go's words and with exact positions.

use std::fmt;

/// A place in a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// The class of a [`YamlError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum YamlErrorKind {
    /// The bytes are not text that YAML allows.
    Encoding,
    /// The text is not YAML.
    Syntax,
    /// An alias names an unknown anchor, or an anchor that contains it.
    Anchor,
    /// A value does not fit its tag, or a merge does not name a map.
    Type,
    /// A key stands twice in a map.
    Duplicate,
    /// The value has no JSON form: a null or composite map key, infinity, not-a-number.
    NotJson,
    /// A limit was reached; the message names it.
    Limit,
}

/// Why a YAML text was refused.
///
/// `Display` prints what the Go program prints for the same text, including Go's own line numbers, which
/// count from the start of the document and are off by one in some messages. [`YamlError::position`] is
/// exact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct YamlError {
    kind: YamlErrorKind,
    text: String,
    problem: String,
    position: Position,
}

impl YamlError {
    pub(crate) fn new(kind: YamlErrorKind, problem: impl Into<String>, position: Position) -> Self {
        let problem = problem.into();
        Self { kind, text: format!("yaml: {problem}"), problem, position }
    }

    /// An error whose printed text is not `yaml: ` and the problem.
    pub(crate) fn with_text(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }

    /// The same error, `lines` further down: the document stands that far into its file.
    pub(crate) fn moved_down(mut self, lines: usize) -> Self {
        self.position.line += lines;
        self
    }

    /// The class of the error.
    #[must_use]
    pub fn kind(&self) -> YamlErrorKind {
        self.kind
    }

    /// Where the error was found, in the text that was handed in.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// What is wrong, without `yaml:` and without a line number.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// The line of `text` with the error and a caret under it; empty if `text` is another text.
    #[must_use]
    pub fn snippet(&self, text: &str) -> String {
        snippet(text, self.position)
    }
}

impl fmt::Display for YamlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for YamlError {}

/// How many characters of a long line a snippet shows on each side: a terminal's width in all.
const SNIPPET_SIDE: usize = 38;

/// The line of `text` at `position`, numbered, with a caret under the column.
#[must_use]
pub fn snippet(text: &str, position: Position) -> String {
    let Some(line) = position.line.checked_sub(1).and_then(|idx| text.lines().nth(idx)) else {
        return String::new();
    };
    let column = position.column.saturating_sub(1);
    let skipped = column.saturating_sub(SNIPPET_SIDE);
    let shown: String = line
        .chars()
        .skip(skipped)
        .take(2 * SNIPPET_SIDE)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let number = position.line.to_string();
    let caret = " ".repeat(column - skipped);
    format!("{number} | {shown}\n{} | {caret}^", " ".repeat(number.len()))
}
