//! `.helmignore`: which files of a folder are no part of the chart.
//!
//! The rules look like Git's and are others: they are tried in order and the first that matches decides; a rule
//! with `!` leaves out everything that does *not* match it; `**` is an error. Facts from Helm's `pkg/ignore`.

use windlass_go::glob::path_match;

use crate::text::base;

/// A line of `.helmignore` that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IgnoreError {
    /// `**` is not supported.
    #[error("double-star (**) syntax is not supported")]
    DoubleStar,
    /// A bracket is not closed, or a backslash ends the pattern.
    #[error("syntax error in pattern")]
    BadPattern,
}

/// The rules of one chart.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules(Vec<Rule>);

#[derive(Clone, Debug)]
struct Rule {
    pattern: String,
    /// Whether the pattern is for the whole path, not for the last part only.
    whole: bool,
    negate: bool,
    folders_only: bool,
}

impl Rules {
    /// Reads the rules of a `.helmignore`; hidden files in `templates/` are left out in any case.
    pub(crate) fn parse(text: &str) -> Result<Self, IgnoreError> {
        let mut rules = Self::default();
        for line in text.strip_prefix('\u{feff}').unwrap_or(text).lines() {
            rules.add(line)?;
        }
        rules.add("templates/.?*")?;
        Ok(rules)
    }

    fn add(&mut self, line: &str) -> Result<(), IgnoreError> {
        let rule = line.trim_matches(crate::text::is_space);
        if rule.is_empty() || rule.starts_with('#') {
            return Ok(());
        }
        if rule.contains("**") {
            return Err(IgnoreError::DoubleStar);
        }
        path_match(rule, "abc").map_err(|_| IgnoreError::BadPattern)?;
        let (negate, rule) = rule.strip_prefix('!').map_or((false, rule), |rest| (true, rest));
        let (folders_only, rule) = rule.strip_suffix('/').map_or((false, rule), |rest| (true, rest));
        let (whole, pattern) = match rule.strip_prefix('/') {
            Some(rest) => (true, rest),
            None => (rule.contains('/'), rule),
        };
        self.0.push(Rule { pattern: pattern.to_owned(), whole, negate, folders_only });
        Ok(())
    }

    /// Whether the file or folder at `path` is left out, with everything below it.
    pub(crate) fn ignore(&self, path: &str, is_folder: bool) -> bool {
        for rule in &self.0 {
            let name = if rule.whole { path } else { base(path) };
            let matches = || path_match(&rule.pattern, name).unwrap_or(false);
            if rule.negate {
                if rule.folders_only && !is_folder || !matches() {
                    return true;
                }
                continue;
            }
            if rule.folders_only && !is_folder {
                continue;
            }
            if matches() {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_matches_decides() {
        let rules = Rules::parse("# a comment\n*.bak\n/top.txt\ndocs/\nci/*.yaml\n").unwrap();
        for (path, is_folder, ignored) in [
            ("a/b.bak", false, true),
            ("top.txt", false, true),
            ("a/top.txt", false, false),
            ("a/docs", true, true),
            ("a/docs", false, false),
            ("ci/x.yaml", false, true),
            ("a/ci/x.yaml", false, false),
            ("templates/.hidden", false, true),
            ("templates/a/.hidden", false, false),
        ] {
            assert_eq!(rules.ignore(path, is_folder), ignored, "{path}");
        }
    }

    #[test]
    fn a_negated_rule_leaves_out_what_does_not_match() {
        let rules = Rules::parse("!*.yaml\n").unwrap();
        assert!(rules.ignore("README.md", false));
        assert!(!rules.ignore("a.yaml", false));
        assert_eq!(Rules::parse("a/**/b").unwrap_err(), IgnoreError::DoubleStar);
        assert_eq!(Rules::parse("[").unwrap_err(), IgnoreError::BadPattern);
    }
}
