//! gobwas/glob: `*`, `**`, `?`, classes and alternatives, with separators of the caller's choice.

mod affixes;
mod parse;
mod program;

use affixes::Affixes;
use program::Program;

/// The longest pattern that is compiled, in bytes. The original has no limit; a pattern is part of an
/// Application or a project, and its cost is multiplied by every file or object it is tried on.
pub const MAX_PATTERN_LEN: usize = 16 * 1024;

/// How deep alternatives may nest. The original has no limit and recurses.
pub const MAX_NESTING: usize = 100;

/// A compiled pattern of gobwas/glob.
///
/// - `*` matches any characters but separators, `**` any characters, `?` one character but separators;
///   without separators `*` matches everything.
/// - `[abc]` and `[a-z]` match one character, `[!abc]` and `[!a-z]` any other one, separators included. A class
///   holds either one range or a set; in `[ab-z]` the hyphen is a member.
/// - `{a,b*}` matches one of the alternatives, which may be empty and may nest; one left open ends with the
///   pattern.
/// - `\` takes the meaning from the next character; at the end of the pattern it is ignored.
///
/// One accident of the original is kept because people's patterns live on it: where a pattern is nothing but
/// text, an unlimited star and text, the two texts may overlap, so `envs/**/app.yaml` matches `envs/app.yaml`.
/// Its other short cuts that contradict its own documentation are not reproduced: `?` alone matches the empty
/// text there, a character of several bytes next to `?` or a class matches nothing, and some stars beside
/// alternatives miss.
///
/// ```
/// use windlass_go::glob::Gobwas;
/// let rule = Gobwas::compile("https://github.com/*/charts", &['/'])?;
/// assert!(rule.is_match("https://github.com/acme/charts"));
/// assert!(!rule.is_match("https://github.com/acme/fork/charts"));
/// # Ok::<(), windlass_go::glob::GobwasError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Gobwas {
    program: Program,
    affixes: Vec<Affixes>,
}

/// Why a pattern is refused; prints as gobwas/glob words it, where that has the rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GobwasError {
    /// A class is open at the end of the pattern.
    #[error("unexpected end of input")]
    UnexpectedEnd,
    /// More follows a range than its two ends.
    #[error("expected close range character")]
    ExpectedClose,
    /// The ends of a range are the wrong way round.
    #[error("hi character '{high}' should be greater than lo '{low}'")]
    RangeOrder {
        /// The first end.
        low: char,
        /// The second end.
        high: char,
    },
    /// A class is empty.
    #[error("could not parse range")]
    EmptyRange,
    /// The pattern holds U+FFFD, which the original takes for broken text.
    #[error("could not read rune")]
    ReplacementCharacter,
    /// Longer than [`MAX_PATTERN_LEN`].
    #[error("glob pattern is longer than {MAX_PATTERN_LEN} bytes")]
    TooLong,
    /// Alternatives nest deeper than [`MAX_NESTING`].
    #[error("glob pattern nests deeper than {MAX_NESTING}")]
    TooDeep,
}

impl Gobwas {
    /// Compiles a pattern; `*` and `?` do not match any of `separators`.
    ///
    /// # Errors
    ///
    /// [`GobwasError`] when a class is malformed, or a limit is passed.
    pub fn compile(pattern: &str, separators: &[char]) -> Result<Self, GobwasError> {
        if pattern.len() > MAX_PATTERN_LEN {
            return Err(GobwasError::TooLong);
        }
        let pattern = parse::parse(pattern)?;
        Ok(Self {
            program: Program::compile(&pattern, separators),
            affixes: affixes::find(&pattern, separators.is_empty()),
        })
    }

    /// Whether `text` as a whole matches.
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        self.affixes.iter().any(|affixes| affixes.is_match(text)) || self.program.is_match(text)
    }
}
