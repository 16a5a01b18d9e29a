//! Whether files are there that a plugin looks for: `matchRepository` of Argo CD 3.6.
//!
//! Nothing is written for that: names are read from the Tree, and recorded.

use windlass_go::glob::path_match;
use windlass_model::{EntryKind, Tree, TreeError};

use crate::zglob::ZGlob;

/// Folders deeper than this are not looked into.
const FOLDER_DEPTH: usize = 64;

/// Whether a file is there by `spec.discover.fileName`: a pattern of Go's `filepath.Glob`, from the folder on.
///
/// A pattern that is none finds nothing.
pub(crate) fn finds_file(tree: &dyn Tree, folder: &str, pattern: &str) -> Result<bool, TreeError> {
    let Some(pattern) = joined(folder, pattern) else { return Ok(false) };
    // Go looks at the pattern as a whole first.
    if path_match(&pattern, "").is_err() {
        return Ok(false);
    }
    let parts: Vec<&str> = pattern.split('/').filter(|part| !part.is_empty()).collect();
    // The folder is meant as it is written.
    let fixed = folder.split('/').filter(|part| !part.is_empty()).count();
    let fixed = if parts.iter().zip(folder.split('/')).take(fixed).all(|(a, b)| *a == b) { fixed } else { 0 };
    finds(tree, "", &parts, fixed)
}

fn finds(tree: &dyn Tree, base: &str, parts: &[&str], fixed: usize) -> Result<bool, TreeError> {
    let Some((part, rest)) = parts.split_first() else { return stands(tree, base) };
    let below = |name: &str| if base.is_empty() { name.to_owned() } else { format!("{base}/{name}") };
    if fixed > 0 || !part.contains(['*', '?', '[', '\\']) {
        return finds(tree, &below(part), rest, fixed.saturating_sub(1));
    }
    for (name, entry) in tree.list(base)?.unwrap_or_default() {
        let fits = path_match(part, &name).unwrap_or(false);
        let leads_on = rest.is_empty() || entry.kind == EntryKind::Directory;
        if fits && leads_on && finds(tree, &below(&name), rest, 0)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether anything stands there, be it a link that leads nowhere.
fn stands(tree: &dyn Tree, path: &str) -> Result<bool, TreeError> {
    match tree.entry(path) {
        Ok(Some(_)) => Ok(true),
        Ok(None) | Err(TreeError::Link { .. }) => tree.is_link(path),
        Err(TreeError::Outside { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether something is there by `spec.discover.find.glob`: a pattern of `mattn/go-zglob` 0.0.6, from the folder on.
pub(crate) fn finds_glob(tree: &dyn Tree, folder: &str, pattern: &str) -> Result<bool, TreeError> {
    let Some(pattern) = joined(folder, pattern) else { return Ok(false) };
    let Ok(glob) = ZGlob::compile(&pattern) else { return Ok(false) };
    match glob {
        ZGlob::Path(path) => stands(tree, &path),
        ZGlob::Below { root, pattern } => {
            walk(tree, &root, 0, &mut |path| pattern.is_match(path)).map(Option::unwrap_or_default)
        }
    }
}

/// Whether `found` says so of anything below `folder`; `None` when there is no such folder.
fn walk(
    tree: &dyn Tree,
    folder: &str,
    depth: usize,
    found: &mut dyn FnMut(&str) -> bool,
) -> Result<Option<bool>, TreeError> {
    let Some(members) = tree.list(folder)? else { return Ok(None) };
    for (name, entry) in members {
        let path = if folder.is_empty() { name.to_string() } else { format!("{folder}/{name}") };
        if found(&path) {
            return Ok(Some(true));
        }
        let leads_on = entry.kind == EntryKind::Directory && depth < FOLDER_DEPTH && !tree.is_link(&path)?;
        if leads_on && walk(tree, &path, depth + 1, found)? == Some(true) {
            return Ok(Some(true));
        }
    }
    Ok(Some(false))
}

/// Both together, without dots, as `filepath.Join` gives it; `None` when it leads out of the root.
fn joined(folder: &str, pattern: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(pattern.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}
