//! Where the repository begins that a folder of this machine is in.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// A folder, as one of the files of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InRepository {
    /// The nearest folder above with a `.git`, or the folder itself where there is none.
    pub(crate) root: PathBuf,
    /// Where the folder lies below the root, with slashes; empty at the root.
    pub(crate) path: String,
}

/// Finds the repository that a folder is in, by its `.git` alone: nothing in there is read.
///
/// # Errors
///
/// A folder that is not there, or is below a name that is no UTF-8.
pub(crate) fn in_repository(folder: &Path) -> Result<InRepository> {
    let folder = canonical(folder)?;
    let root = folder.ancestors().find(|above| above.join(".git").exists()).unwrap_or(&folder);
    below(root.to_owned(), &folder)
}

/// The same with a root that the user names.
///
/// # Errors
///
/// As above, and a folder that is not below the root.
pub(crate) fn in_root(root: &Path, folder: &Path) -> Result<InRepository> {
    below(canonical(root)?, &canonical(folder)?)
}

fn canonical(folder: &Path) -> Result<PathBuf> {
    folder.canonicalize().with_context(|| format!("the folder {} cannot be read", folder.display()))
}

fn below(root: PathBuf, folder: &Path) -> Result<InRepository> {
    let path = folder
        .strip_prefix(&root)
        .with_context(|| format!("{} is not below {}", folder.display(), root.display()))?
        .to_str()
        .with_context(|| format!("the name of {} is no UTF-8", folder.display()))?
        .to_owned();
    Ok(InRepository { root, path })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_folder_with_a_git_is_the_root() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().canonicalize().unwrap();
        let deep = home.join("repository/apps/web");
        std::fs::create_dir_all(&deep).unwrap();
        // A link to the repository, as in a work tree, is a file.
        std::fs::write(home.join("repository/.git"), "gitdir: elsewhere\n").unwrap();
        let found = in_repository(&deep).unwrap();
        assert_eq!(found, InRepository { root: home.join("repository"), path: "apps/web".into() });
        let found = in_root(&home, &deep).unwrap();
        assert_eq!(found, InRepository { root: home.clone(), path: "repository/apps/web".into() });
        let error = in_root(&deep, &home).unwrap_err().to_string();
        assert!(error.contains("is not below"), "{error}");
        assert!(in_repository(&home.join("gone")).is_err());
    }
}
