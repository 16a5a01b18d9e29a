//! What is wrong with an expression, shown as kube-apiserver shows it: with the line and a mark below.

use std::fmt;

/// The most problems that are shown, as in cel-go: what follows from the first hundred helps nobody.
const MOST_SHOWN: usize = 100;

/// A line longer than this is not repeated below its message, as in cel-go.
const LONGEST_LINE: usize = 16_384;

/// The problems of one expression, in the order of their places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    text: Vec<char>,
    found: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// In words.
    pub message: String,
    /// Characters before it; nothing where it has no place.
    at: Option<u32>,
}

impl Problems {
    pub(crate) fn new(text: &str) -> Self {
        Self { text: text.chars().collect(), found: Vec::new() }
    }

    pub(crate) fn report(&mut self, at: u32, message: String) {
        self.found.push(Problem { message, at: Some(at) });
    }

    pub(crate) fn report_nowhere(&mut self, message: String) {
        self.found.push(Problem { message, at: None });
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Each problem, as it was found.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.found.iter()
    }

    /// Line from 1, column from 0.
    fn line_and_column(&self, at: u32) -> (usize, usize) {
        let before = &self.text[..(at as usize).min(self.text.len())];
        let line = before.iter().filter(|char| **char == '\n').count() + 1;
        let column = before.iter().rev().take_while(|char| **char != '\n').count();
        (line, column)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sorted: Vec<((isize, isize), &Problem)> = self
            .found
            .iter()
            .map(|problem| match problem.at {
                Some(at) => {
                    let (line, column) = self.line_and_column(at);
                    ((line.cast_signed(), column.cast_signed()), problem)
                }
                None => ((-1, -1), problem),
            })
            .collect();
        sorted.truncate(MOST_SHOWN);
        sorted.sort_by_key(|(place, _)| *place);
        for (idx, ((line, column), problem)) in sorted.iter().enumerate() {
            if idx > 0 {
                writeln!(out)?;
            }
            write!(out, "ERROR: <input>:{line}:{}: {}", column + 1, problem.message)?;
            let Ok(nth) = usize::try_from(*line - 1) else { continue };
            let Some(shown) = self.text.split(|char| *char == '\n').nth(nth) else { continue };
            if shown.iter().map(|char| char.len_utf8()).sum::<usize>() > LONGEST_LINE {
                continue;
            }
            let shown: Vec<char> = shown.iter().map(|char| if *char == '\t' { ' ' } else { *char }).collect();
            write!(out, "\n | {}\n | ", shown.iter().collect::<String>())?;
            let column = usize::try_from(*column).unwrap_or_default();
            for char in shown.iter().take(column) {
                write!(out, "{}", if char.is_ascii() { '.' } else { '\u{ff0e}' })?;
            }
            let is_wide = shown.get(column).is_some_and(|char| !char.is_ascii());
            write!(out, "{}", if is_wide { '\u{ff3e}' } else { '^' })?;
        }
        if self.found.len() > MOST_SHOWN {
            write!(out, "\n{} more errors were truncated", self.found.len() - MOST_SHOWN)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
