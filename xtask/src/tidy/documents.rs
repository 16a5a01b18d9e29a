//! What documents may say: links lead somewhere, and the map shows every crate.

use super::{Violation, crates::RULES};
use anyhow::{Context, Result};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The page with the table of crates.
const MAP: &str = "ARCHITECTURE.md";

/// Folders that the table shows by their own name, and the crates that they are.
const SHOWN_BY_FOLDER: [(&str, &str); 2] = [("windlass-bench", "bench/"), ("xtask", "xtask/")];

/// Checks the pages of the root and of `docs`.
pub(super) fn check(root: &Path, violations: &mut Vec<Violation>) -> Result<()> {
    let mut pages = Vec::new();
    list(root, false, &mut pages)?;
    list(&root.join("docs"), true, &mut pages)?;
    pages.sort();
    for page in pages {
        let text = fs::read_to_string(&page).with_context(|| format!("cannot read {}", page.display()))?;
        let place = page.strip_prefix(root).unwrap_or(&page).display().to_string();
        let folder = page.parent().unwrap_or(root);
        for (line, target) in links(&text) {
            if !leads_somewhere(folder, target) {
                violations
                    .push(Violation::new(format!("{place}:{line}"), format!("nothing is at `{target}`")));
            }
        }
        if place == MAP {
            let missing = RULES.iter().filter(|rule| !shows(&text, rule.name));
            violations
                .extend(missing.map(|rule| Violation::new(MAP, format!("does not show `{}`", rule.name))));
        }
    }
    Ok(())
}

fn list(folder: &Path, deep: bool, pages: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() && deep {
            list(&path, deep, pages)?;
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
    Ok(())
}

/// The targets of `[text](target)`, with their lines, but for those in blocks of code.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut in_block = false;
    let mut found = Vec::new();
    for (line_idx, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        }
        if in_block {
            continue;
        }
        for (start, opening) in line.match_indices("](") {
            if let Some((target, _)) = line[start + opening.len()..].split_once(')') {
                found.push((line_idx + 1, target));
            }
        }
    }
    found
}

/// Whether a link within the repository has something at its end. Others are taken on trust.
fn leads_somewhere(folder: &Path, target: &str) -> bool {
    let path = target.split('#').next().unwrap_or_default();
    path.is_empty() || path.contains("://") || path.starts_with("mailto:") || folder.join(path).exists()
}

fn shows(text: &str, name: &str) -> bool {
    let shown = SHOWN_BY_FOLDER.iter().find(|(other, _)| *other == name).map_or(name, |(_, folder)| folder);
    text.contains(&format!("`{shown}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_outside_of_code() {
        let text = "[a](b.md) and [c](https://d)\n```\n[x](y)\n```\n[e](f.md#g)\n";
        assert_eq!(links(text), [(1, "b.md"), (1, "https://d"), (5, "f.md#g")]);
    }

    #[test]
    fn links_lead_to_files() {
        let root = crate::root();
        for (target, leads) in
            [("README.md#x", true), ("#here", true), ("https://x", true), ("docs/", true), ("no.md", false)]
        {
            assert_eq!(leads_somewhere(&root, target), leads, "{target}");
        }
    }
}
