//! bmatcuk/doublestar: paths, with `**` for any depth of directories.

mod compile;

/// The most plain patterns that alternatives may unfold to: `{a,b}{c,d}` unfolds to four. The original
/// unfolds them while it matches, without a limit.
pub const MAX_ALTERNATIVES: usize = 1_000;

/// A compiled pattern of bmatcuk/doublestar 4.
///
/// - `*` matches any characters of one path segment, `?` one of them.
/// - `**` as a whole segment matches any number of directories, none included: `a/**/b` matches `a/b`. At the
///   end it matches everything below, and the directory itself: `a/**` matches `a`. Within a segment it is a
///   plain `*`.
/// - `[abc]`, `[a-z]`, `[!a]`, `[^a]` match one character; a negated class matches `/` too.
/// - `{a,b*}` matches one of the alternatives, which may be empty and may nest.
/// - `\` takes the meaning from the next character.
///
/// ```
/// use windlass_go::glob::Doublestar;
/// let files = Doublestar::compile("clusters/**/config.{json,yaml}")?;
/// assert!(files.is_match("clusters/eu/prod/config.json"));
/// assert!(files.is_match("clusters/config.yaml"));
/// # Ok::<(), windlass_go::glob::DoublestarError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Doublestar {
    alternatives: Vec<Alternative>,
}

/// Why a pattern is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DoublestarError {
    /// An open or empty class, an unbalanced brace, or a backslash at the end.
    #[error("syntax error in pattern")]
    BadPattern,
    /// Alternatives unfold to more than [`MAX_ALTERNATIVES`] patterns.
    #[error("the pattern's alternatives unfold to more than {MAX_ALTERNATIVES} patterns")]
    TooManyAlternatives,
}

/// A pattern without alternatives.
#[derive(Clone, Debug)]
struct Alternative {
    parts: Vec<Part>,
    /// Where, in parts, the alternatives stood that this one was unfolded from; ascending.
    braces: Vec<usize>,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Char(char),
    /// `\/`, which starts a segment but does not count as its separator where nothing is left to match.
    EscapedSlash,
    Single,
    /// `*`, or a `**` that is no segment of its own.
    Star {
        is_double: bool,
    },
    /// `**/` at the start of a segment.
    Directories,
    /// `**` as the last segment.
    Everything,
    Class {
        is_negated: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Doublestar {
    /// Compiles a pattern.
    ///
    /// # Errors
    ///
    /// [`DoublestarError`] where the original's `ValidatePattern` says no, or the limit is passed.
    pub fn compile(pattern: &str) -> Result<Self, DoublestarError> {
        Ok(Self { alternatives: compile::compile(pattern)? })
    }

    /// Whether `name` as a whole matches.
    #[must_use]
    pub fn is_match(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        self.alternatives.iter().any(|alternative| alternative.is_match(&name))
    }
}

impl Alternative {
    /// Matches with at most two places to go back to: the last star, and the last `**/`.
    fn is_match(&self, name: &[char]) -> bool {
        let (mut part_idx, mut name_idx, mut furthest) = (0, 0, 0);
        let mut star: Option<(usize, usize)> = None;
        let mut directories: Option<(usize, usize)> = None;
        while let Some(&char) = name.get(name_idx) {
            furthest = furthest.max(part_idx);
            let takes = match self.parts.get(part_idx) {
                None => false,
                Some(Part::Everything) => return true,
                Some(Part::Directories) => {
                    part_idx += 1;
                    directories = Some((part_idx, name_idx));
                    star = None;
                    continue;
                }
                Some(Part::Star { .. }) => {
                    part_idx += 1;
                    star = Some((part_idx, name_idx));
                    continue;
                }
                Some(Part::Single) => char != '/',
                Some(Part::Char(wanted)) => *wanted == char,
                Some(Part::EscapedSlash) => char == '/',
                Some(Part::Class { is_negated, ranges }) => {
                    ranges.iter().any(|(low, high)| (*low..=*high).contains(&char)) != *is_negated
                }
            };
            if takes {
                part_idx += 1;
                name_idx += 1;
                continue;
            }
            if let Some((after_star, starred)) = &mut star
                && name.get(*starred).is_some_and(|char| *char != '/')
            {
                *starred += 1;
                (part_idx, name_idx) = (*after_star, *starred);
                continue;
            }
            let Some((after, skipped)) = &mut directories else { return false };
            let Some(slash) = name[*skipped..].iter().position(|char| *char == '/') else { return false };
            *skipped += slash + 1;
            if *skipped >= name.len() {
                // The name ends in a slash: nothing is left to match below it.
                return self.matches_nothing(*after, furthest);
            }
            (part_idx, name_idx) = (*after, *skipped);
        }
        self.matches_nothing(part_idx, furthest)
    }

    /// Whether the parts from `part_idx` on match the empty text.
    ///
    /// Alternatives that matching never came to (those after `furthest`) are still folded in the original at
    /// this point, and it does not look into them unless they come next.
    fn matches_nothing(&self, part_idx: usize, furthest: usize) -> bool {
        if self.braces.iter().any(|brace| *brace > part_idx && *brace > furthest) {
            return false;
        }
        matches!(
            &self.parts[part_idx..],
            [] | [Part::Star { .. } | Part::Everything | Part::Directories]
                | [Part::Char('/'), Part::Everything | Part::Directories]
                | [Part::Star { is_double: true }, Part::Char('/')]
        )
    }
}
