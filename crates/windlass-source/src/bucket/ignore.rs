//! Patterns of what is none of a bucket's files, as `.gitignore` has them.

use gix::bstr::BStr;
use gix::glob::pattern::{Case, Mode};
use gix::glob::{Pattern, wildmatch};

/// Patterns; the last that matches counts.
pub(super) struct Ignore(Vec<Pattern>);

impl Ignore {
    pub(super) fn parse(text: &str) -> Self {
        let lines = text.lines().map(str::trim_end);
        Self(lines.filter(|line| !line.starts_with('#')).filter_map(gix::glob::parse).collect())
    }

    /// Whether a file, or a folder that it is in, is left out.
    pub(super) fn matches(&self, path: &str) -> bool {
        let folders = path.match_indices('/').map(|(at, _)| (&path[..at], true));
        // What is in a folder that is left out cannot be brought back.
        folders.chain([(path, false)]).any(|(part, is_folder)| self.matches_one(part, is_folder))
    }

    fn matches_one(&self, path: &str, is_folder: bool) -> bool {
        let name_starts = path.rfind('/').map(|at| at + 1);
        let matching = self.0.iter().rev().find(|pattern| {
            let mode = wildmatch::Mode::NO_MATCH_SLASH_LITERAL;
            pattern.matches_repo_relative_path(
                BStr::new(path),
                name_starts,
                Some(is_folder),
                Case::Sensitive,
                mode,
            )
        });
        matching.is_some_and(|pattern| !pattern.mode.contains(Mode::NEGATIVE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `git check-ignore --no-index` 2.39.5 has it.
    #[test]
    fn patterns_match_as_gits() {
        let ignore = Ignore::parse("# comment\n*.md\n!/README.md\nbuild/\n/top\na/**/z\n");
        for (path, is_ignored) in [
            ("x.md", true),
            ("deep/x.md", true),
            ("README.md", false),
            ("deep/README.md", true),
            ("build/out.yaml", true),
            ("deep/build/out.yaml", true),
            ("build", false),
            ("top", true),
            ("deep/top", false),
            ("a/b/c/z", true),
            ("a/z", true),
            ("b/z", false),
            ("app.yaml", false),
        ] {
            assert_eq!(ignore.matches(path), is_ignored, "{path}");
        }
    }
}
