//! What source files may say.

use super::{
    Violation,
    crates::RULES,
    rust_source::{code, is_identifier, line_of, names_below, test_modules},
};
use anyhow::{Context, Result};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Folders of the root that hold sources of ours.
const FOLDERS: [&str; 4] = ["bench", "crates", "testing", "xtask"];

/// Names that say nothing.
const EMPTY_NAMES: [&str; 7] = ["common", "helper", "helpers", "misc", "shared_utils", "util", "utils"];

/// What a pure crate must not name in the standard library, and why.
const FORBIDDEN_IN_STD: [(&str, &str); 8] = [
    ("env", "the environment is read by the binary and passed in"),
    ("fs", "files are read through a recording tree that is passed in"),
    ("net", "the network is for the crates at the edge"),
    ("process", "nothing is run"),
    ("thread", "threads are for the engine"),
    ("os", "the operating system is for the crates at the edge"),
    ("time::Instant", "time is passed in"),
    ("time::SystemTime", "time is passed in"),
];

/// What a pure crate must not say at all, and why. The empty spaces are any white space.
const FORBIDDEN_WORDS: [(&str, &str); 9] = [
    ("Instant::now", "time is passed in"),
    ("SystemTime::now", "time is passed in"),
    ("Timestamp::now", "time is passed in"),
    ("Zoned::now", "time is passed in"),
    ("async fn", "there are no tasks here"),
    ("async move", "there are no tasks here"),
    (".await", "there are no tasks here"),
    ("println!", "a pure function prints nothing"),
    ("eprintln!", "a pure function prints nothing"),
];

/// Checks every source file, and returns how many there are.
pub(super) fn check(root: &Path, violations: &mut Vec<Violation>) -> Result<usize> {
    let mut files = Vec::new();
    for folder in FOLDERS {
        list(&root.join(folder), &mut files)?;
    }
    files.sort();
    let mut sources = Vec::new();
    for path in &files {
        let source = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        sources.push((path.strip_prefix(root).unwrap_or(path), source));
    }
    let for_tests = sources.iter().flat_map(|(path, source)| {
        let folder = module_folder(path);
        test_modules(source).into_iter().map(move |name| folder.join(name))
    });
    let for_tests = for_tests.collect::<Vec<_>>();
    for (path, source) in &sources {
        check_opening(path, source, violations);
        check_names(path, source, violations);
        let is_test = for_tests.iter().any(|module| path.with_extension("").starts_with(module));
        if is_pure(path) && !is_test {
            check_purity(path, source, violations);
        }
    }
    Ok(files.len())
}

/// Collects the Rust files below a folder. Test data may hold anything.
fn list(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() {
            if !name.starts_with('.') && !["data", "fixtures", "target", "testdata"].contains(&name) {
                list(&path, files)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// The folder that the modules which a file declares are in.
fn module_folder(path: &Path) -> PathBuf {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    if ["lib", "main", "mod"].contains(&stem) {
        path.parent().unwrap_or(path).to_owned()
    } else {
        path.with_extension("")
    }
}

/// Whether a file is part of the library of a pure crate, not of its tests or benchmarks.
fn is_pure(path: &Path) -> bool {
    let mut parts = path.iter().filter_map(|part| part.to_str());
    let (folder, name, kind) = (parts.next(), parts.next(), parts.next());
    let is_pure = RULES.iter().any(|rule| rule.pure && Some(rule.name) == name);
    folder == Some("crates") && is_pure && kind == Some("src")
}

fn check_opening(path: &Path, source: &str, violations: &mut Vec<Violation>) {
    let first = source.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let says = first.strip_prefix("//!").map(str::trim);
    if says.is_none_or(str::is_empty) {
        violations.push(Violation::new(
            format!("{}:1", path.display()),
            "does not open with a `//!` line that says what it is for",
        ));
    }
}

fn check_names(path: &Path, source: &str, violations: &mut Vec<Violation>) {
    let named = path.with_extension("");
    if let Some(name) = named.iter().filter_map(|part| part.to_str()).find(|part| EMPTY_NAMES.contains(part))
    {
        let what = format!("`{name}` says nothing: name it for what it does");
        violations.push(Violation::new(path.display().to_string(), what));
    }
    let code = code(source);
    for (start, _) in code.match_indices("mod ") {
        let name = code[start + "mod ".len()..].chars().take_while(|&c| is_identifier(c)).collect::<String>();
        let is_word = !code[..start].chars().next_back().is_some_and(is_identifier);
        // A file of that name has been complained of above.
        let has_body = code[start + "mod ".len() + name.len()..].trim_start().starts_with('{');
        if is_word && has_body && EMPTY_NAMES.contains(&name.as_str()) {
            let place = format!("{}:{}", path.display(), line_of(&code, start));
            violations
                .push(Violation::new(place, format!("`{name}` says nothing: name it for what it does")));
        }
    }
}

fn check_purity(path: &Path, source: &str, violations: &mut Vec<Violation>) {
    let code = code(source);
    let mut complain = |line: usize, what: &str, why: &str| {
        let place = format!("{}:{line}", path.display());
        violations.push(Violation::new(place, format!("`{what}` in a pure crate: {why}")));
    };
    for (line, name) in names_below(&code, "std") {
        let forbidden = FORBIDDEN_IN_STD.iter().find(|(forbidden, _)| {
            let rest = name.strip_prefix(forbidden);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
        });
        if let Some((forbidden, why)) = forbidden {
            complain(line, &format!("std::{forbidden}"), why);
        }
    }
    for (line, _) in names_below(&code, "tokio") {
        complain(line, "tokio", "there are no tasks here");
    }
    // A clock in a group, as in `use std::time::{Duration, Instant}`, is caught where it is asked.
    for (word, why) in FORBIDDEN_WORDS {
        for (start, _) in code.match_indices(word) {
            let before = code[..start].chars().next_back().unwrap_or(' ');
            let after = code[start + word.len()..].chars().next().unwrap_or(' ');
            let touches_word = word.starts_with(is_identifier) && is_identifier(before);
            if !touches_word && !is_identifier(after) {
                complain(line_of(&code, start), word, why);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is complained of in a file, by line and first word.
    fn complaints(path: &str, source: &str) -> Vec<String> {
        let path = Path::new(path);
        let mut violations = Vec::new();
        check_opening(path, source, &mut violations);
        check_names(path, source, &mut violations);
        if is_pure(path) {
            check_purity(path, source, &mut violations);
        }
        violations.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_file_says_what_it_is_for() {
        assert_eq!(complaints("xtask/src/a.rs", "//! Something.\n"), Vec::<String>::new());
        for source in ["", "//!\n", "use a;\n//! Late.\n", "// Not this.\n"] {
            assert_eq!(complaints("xtask/src/a.rs", source).len(), 1, "{source:?}");
        }
    }

    #[test]
    fn empty_names_are_found_in_paths_and_modules() {
        assert_eq!(complaints("crates/utils/src/a.rs", "//! A.\n").len(), 1);
        assert_eq!(complaints("crates/a/src/helpers.rs", "//! A.\n").len(), 1);
        assert_eq!(complaints("crates/a/src/b.rs", "//! A.\npub mod common {\n}\n").len(), 1);
        assert_eq!(complaints("crates/a/src/b.rs", "//! A.\nmod common_ancestor {}\n"), Vec::<String>::new());
    }

    #[test]
    fn pure_crates_have_no_clock_and_no_files() {
        let path = "crates/windlass-plan/src/a.rs";
        for source in [
            "use std::{collections::BTreeMap, fs};",
            "fn f() { std::env::var(\"A\"); }",
            "let now = Instant::now();",
            "use std::time::SystemTime;",
            "let now = jiff::Timestamp::now();",
            "async fn f() {}",
            "tokio::spawn(x);",
        ] {
            let source = format!("//! A.\n{source}\n");
            assert_eq!(complaints(path, &source).len(), 1, "{source}");
            assert_eq!(complaints("crates/windlass-engine/src/a.rs", &source), Vec::<String>::new());
        }
        for source in
            ["// std::fs is not used.", "use std::time::Duration;", "#[cfg(test)] mod t { use std::fs; }"]
        {
            assert_eq!(complaints(path, &format!("//! A.\n{source}\n")), Vec::<String>::new());
        }
    }
}
