//! The files of a chart in a folder.

use std::sync::Arc;

use windlass_model::{EntryKind, Tree, TreeError};
use windlass_yaml::Str;

use super::ignore::Rules;
use super::{Budget, LoadError, file};
use crate::chart::File;

/// The files below the folder, in the order in which Helm walks them.
pub(super) fn files(tree: &dyn Tree, path: &str, budget: &mut Budget) -> Result<Vec<File>, LoadError> {
    let root = path.trim_matches('/');
    let failed = |path: &str| {
        let path = Str::from(path);
        move |source| LoadError::Tree { path, source }
    };
    match tree.entry(root).map_err(failed(root))? {
        Some(entry) if entry.kind == EntryKind::Directory => {}
        _ => return Err(LoadError::NoFolder { path: Str::from(path) }),
    }
    let rules = match read(tree, root, ".helmignore", budget)? {
        Some(bytes) => Rules::parse(&String::from_utf8_lossy(&bytes))?,
        None => Rules::parse("")?,
    };
    let mut files = Vec::new();
    // Folders that are being walked: what is left of each, the next one last.
    let mut walks = vec![members(tree, root, "")?];
    while let Some(walk) = walks.last_mut() {
        let Some((name, kind)) = walk.pop() else {
            walks.pop();
            continue;
        };
        let is_folder = kind == EntryKind::Directory;
        if rules.ignore(&name, is_folder) {
            continue;
        }
        match kind {
            EntryKind::Directory => {
                let members = members(tree, root, &name)?;
                walks.push(members);
            }
            EntryKind::File => {
                let data = read(tree, root, &name, budget)?;
                let Some(data) = data else { continue };
                budget.take(&name, data.len() as u64)?;
                files.push(file(&name, data));
            }
            EntryKind::Submodule => {}
        }
    }
    Ok(files)
}

/// The bytes of a file, as far as the limits allow.
fn read(tree: &dyn Tree, root: &str, name: &str, budget: &Budget) -> Result<Option<Arc<[u8]>>, LoadError> {
    let limits = &budget.options.limits;
    let limit = budget.remaining().min(limits.file_bytes);
    tree.read(&joined(root, name), limit).map_err(|source| match source {
        TreeError::TooLarge { .. } if limit == limits.file_bytes && limit < limits.chart_bytes => {
            LoadError::FileTooLarge { file: Str::from(name), limit }
        }
        TreeError::TooLarge { .. } => LoadError::ChartTooLarge(limits.chart_bytes),
        source => LoadError::Tree { path: Str::from(name), source },
    })
}

/// The members of the folder `name` of the chart, the first one last.
fn members(tree: &dyn Tree, root: &str, name: &str) -> Result<Vec<(String, EntryKind)>, LoadError> {
    let path = joined(root, name);
    let listed =
        tree.list(&path).map_err(|source| LoadError::Tree { path: Str::from(path.as_str()), source })?;
    let mut members: Vec<_> = listed
        .unwrap_or_default()
        .into_iter()
        // A member without a name would be its own folder.
        .filter(|(member, _)| !member.is_empty())
        .map(|(member, entry)| (joined(name, &member), entry.kind))
        .collect();
    members.reverse();
    Ok(members)
}

fn joined(folder: &str, name: &str) -> String {
    match (folder.is_empty(), name.is_empty()) {
        (true, _) => name.to_owned(),
        (false, true) => folder.to_owned(),
        (false, false) => format!("{folder}/{name}"),
    }
}
