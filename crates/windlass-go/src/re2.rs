//! Regular expressions as Go's `regexp` package reads them, run by the `regex` crate.
//!
//! Both engines are linear in the text and prefer the leftmost-first match, but their syntax differs in ways
//! that change what a pattern matches: `\d`, `\w`, `\s` and `\b` are ASCII in Go, `\Q…\E`, octal escapes and a
//! stray `{` exist only there, `[a&&b]` and `(?x)` mean something only in Rust. So a pattern is parsed by Go's
//! grammar, refused with Go's words where Go refuses it, and printed anew in the other syntax.
//!
//! Replacement templates follow Go too: `$1x` is the group named `1x`, `${1}x` is group 1 and an `x`, `$$` is a
//! dollar sign, and a group that is not there is empty.
//!
//! # Differences that remain
//!
//! - Unicode tables are those of the `regex` crate, one or two Unicode versions newer than Go's.
//! - A pattern may nest [`MAX_NESTING`] deep (Go: 1000) and compile to [`MAX_COMPILED_BYTES`] (Go: 128 MB).
//!
//! ```
//! use windlass_go::re2::Regex;
//! let tag = Regex::parse(r"^v(?P<major>\d+)\.\d+$")?;
//! assert!(tag.is_match("v1.2") && !tag.is_match("v١.٢"));
//! assert_eq!(tag.replace_all("v3.9", "release $major"), "release 3");
//! assert_eq!(Regex::parse("a**").unwrap_err().to_string(), "error parsing regexp: invalid nested repetition operator: `**`");
//! # Ok::<(), windlass_go::re2::RegexError>(())
//! ```

mod class;
mod parse;
mod replace;
mod unicode;

use std::ops::Range;

/// How deep a pattern may nest groups and repetitions. Go allows 1000; the `regex` crate recurses on some of
/// them, and no pattern people write comes near.
pub const MAX_NESTING: usize = 200;

/// How large a pattern may become when compiled: the default of the `regex` crate, enough for any pattern that
/// is not built to exhaust memory.
pub const MAX_COMPILED_BYTES: usize = 10 * 1024 * 1024;

/// The longest pattern that is read, in bytes. Go has no such limit; patterns arrive in objects of at most a
/// megabyte, and translation can grow them tenfold.
pub const MAX_PATTERN_LEN: usize = 64 * 1024;

/// A compiled Go regular expression. A clone shares everything.
#[derive(Clone, Debug)]
pub struct Regex {
    source: std::sync::Arc<str>,
    /// On bytes, because ASCII `\B` may fall inside a character; such matches are skipped.
    compiled: regex::bytes::Regex,
    names: std::sync::Arc<[Option<Box<str>>]>,
}

/// Why a pattern is refused; prints as Go words it, where Go has the rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegexError {
    /// Go refuses it.
    #[error("error parsing regexp: {problem}: `{expression}`")]
    Syntax {
        /// The rule that is broken.
        problem: Problem,
        /// The part that breaks it, or the whole.
        expression: String,
    },
    /// Longer than [`MAX_PATTERN_LEN`].
    #[error("regular expression is longer than {MAX_PATTERN_LEN} bytes")]
    TooLong,
    /// Compiles to more than [`MAX_COMPILED_BYTES`].
    #[error("regular expression needs more than {MAX_COMPILED_BYTES} bytes when compiled")]
    TooLarge,
    /// The translation was not accepted: a bug here.
    #[error("regular expression cannot be translated: {0}")]
    Untranslatable(String),
}

/// The rules of Go's syntax, in its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each is the sentence it prints")]
pub enum Problem {
    #[error("invalid character class range")]
    InvalidCharRange,
    #[error("invalid escape sequence")]
    InvalidEscape,
    #[error("invalid named capture")]
    InvalidNamedCapture,
    #[error("invalid or unsupported Perl syntax")]
    InvalidPerlOp,
    #[error("invalid nested repetition operator")]
    InvalidRepeatOp,
    #[error("invalid repeat count")]
    InvalidRepeatSize,
    #[error("missing closing ]")]
    MissingBracket,
    #[error("missing closing )")]
    MissingParen,
    #[error("missing argument to repetition operator")]
    MissingRepeatArgument,
    #[error("trailing backslash at end of expression")]
    TrailingBackslash,
    #[error("unexpected )")]
    UnexpectedParen,
    #[error("expression nests too deeply")]
    NestingDepth,
}

/// One match: where each group matched, the whole first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captures<'t> {
    text: &'t str,
    groups: Vec<Option<Range<usize>>>,
}

impl Regex {
    /// Compiles a pattern written for Go.
    ///
    /// # Errors
    ///
    /// [`RegexError`] where Go refuses the pattern, or a limit of this module is passed.
    pub fn parse(pattern: &str) -> Result<Self, RegexError> {
        if pattern.len() > MAX_PATTERN_LEN {
            return Err(RegexError::TooLong);
        }
        let translated = parse::translate(pattern)?;
        let compiled = regex::bytes::RegexBuilder::new(&translated.pattern)
            .size_limit(MAX_COMPILED_BYTES)
            // Each level here is at most two there: the group, and the flags or the repetition around it.
            .nest_limit(u32::try_from(3 * MAX_NESTING).expect("a small constant"))
            .build()
            .map_err(|error| match error {
                regex::Error::CompiledTooBig(_) => RegexError::TooLarge,
                error => RegexError::Untranslatable(error.to_string()),
            })?;
        Ok(Self { source: pattern.into(), compiled, names: translated.names.into() })
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// The names of the groups, the whole match first.
    #[must_use]
    pub fn group_names(&self) -> impl ExactSizeIterator<Item = Option<&str>> {
        self.names.iter().map(Option::as_deref)
    }

    /// Whether it matches anywhere in `text`.
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        match self.compiled.find(text.as_bytes()) {
            Some(found) if found.is_empty() => self.find(text).is_some(),
            found => found.is_some(),
        }
    }

    /// The first match.
    #[must_use]
    pub fn find<'t>(&self, text: &'t str) -> Option<&'t str> {
        let mut from = 0;
        while from <= text.len() {
            let found = self.compiled.find_at(text.as_bytes(), from)?;
            if text.is_char_boundary(found.start()) && text.is_char_boundary(found.end()) {
                return Some(&text[found.range()]);
            }
            from = found.start() + 1;
        }
        None
    }

    /// The first match with its groups.
    #[must_use]
    pub fn captures<'t>(&self, text: &'t str) -> Option<Captures<'t>> {
        self.captures_at(text, 0)
    }

    /// The first match that starts at byte `from` or later; what is before still counts for `^` and `\b`.
    fn captures_at<'t>(&self, text: &'t str, mut from: usize) -> Option<Captures<'t>> {
        while from <= text.len() {
            let found = self.compiled.captures_at(text.as_bytes(), from)?;
            let mut groups: Vec<_> = found.iter().map(|group| group.map(|group| group.range())).collect();
            // The engine forgets groups that are repeated zero times.
            groups.resize(self.names.len(), None);
            let whole = groups.first().cloned().flatten()?;
            if text.is_char_boundary(whole.start) && text.is_char_boundary(whole.end) {
                return Some(Captures { text, groups });
            }
            from = whole.start + 1;
        }
        None
    }

    /// All matches that do not overlap, as Go's `FindAll` gives them: an empty match right after another
    /// match is left out.
    #[must_use]
    pub fn captures_all<'t>(&self, text: &'t str) -> Vec<Captures<'t>> {
        let mut all: Vec<Captures<'t>> = Vec::new();
        let mut from = 0;
        let mut last_end = None;
        while let Some(found) = self.captures_at(text, from) {
            let whole = found.range();
            from = whole.end + if whole.is_empty() { next_char_len(text, whole.end) } else { 0 };
            if !(whole.is_empty() && last_end == Some(whole.end)) {
                all.push(found);
            }
            last_end = Some(whole.end);
        }
        all
    }

    /// Replaces all matches by a template: `$1`, `${name}`, `$$`; the module page has the rules.
    #[must_use]
    pub fn replace_all(&self, text: &str, template: &str) -> String {
        self.replace_all_with(text, |found, to| replace::expand(self, found, template, to))
    }

    /// Replaces all matches by a text as it stands.
    #[must_use]
    pub fn replace_all_literal(&self, text: &str, replacement: &str) -> String {
        self.replace_all_with(text, |_, to| to.push_str(replacement))
    }

    fn replace_all_with(&self, text: &str, mut replace: impl FnMut(&Captures<'_>, &mut String)) -> String {
        let mut replaced = String::with_capacity(text.len());
        let mut kept_from = 0;
        for found in self.captures_all(text) {
            let whole = found.range();
            replaced.push_str(&text[kept_from..whole.start]);
            replace(&found, &mut replaced);
            kept_from = whole.end;
        }
        replaced.push_str(&text[kept_from..]);
        replaced
    }
}

/// The length of the character at `at`; 1 at the end, so that a search started there is past it.
fn next_char_len(text: &str, at: usize) -> usize {
    text[at..].chars().next().map_or(1, char::len_utf8)
}

impl<'t> Captures<'t> {
    /// Where the whole match is, in bytes.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        self.groups.first().cloned().flatten().unwrap_or_default()
    }

    /// The text of group `idx`, 0 for the whole; `None` where the group took no part.
    #[must_use]
    pub fn get(&self, idx: usize) -> Option<&'t str> {
        self.groups.get(idx)?.clone().map(|range| &self.text[range])
    }

    /// Where each group matched, the whole first.
    #[must_use]
    pub fn ranges(&self) -> &[Option<Range<usize>>] {
        &self.groups
    }
}
