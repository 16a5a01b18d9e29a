//! Paths inside archives: what is accepted, and what it means.

use super::{ArchiveError, ArchiveLimits, ArchiveRoot};

/// Longest name of one file or folder, Linux's own limit.
const MAX_NAME_BYTES: usize = 255;

/// The names that lead from the Tree's root to an entry; `None` for the root itself.
pub(super) fn names(
    raw: &[u8],
    root: ArchiveRoot,
    limits: &ArchiveLimits,
) -> Result<Option<Vec<String>>, ArchiveError> {
    if raw.len() > limits.path_bytes {
        return Err(ArchiveError::limit("path_bytes", limits.path_bytes, "bytes in a path", None));
    }
    let Ok(path) = std::str::from_utf8(raw) else {
        let path = String::from_utf8_lossy(raw).into_owned();
        return Err(ArchiveError::Name { path, problem: "is no Unicode" });
    };
    let refuse = |problem| Err(ArchiveError::Name { path: path.to_string(), problem });
    if path.chars().any(char::is_control) {
        return refuse("holds a control character");
    }
    if path.contains('\\') {
        return refuse("holds a backslash, which is a separator on other systems");
    }
    let is_drive = |path: &str| {
        path.as_bytes().first().is_some_and(u8::is_ascii_alphabetic) && path.as_bytes().get(1) == Some(&b':')
    };
    if path.starts_with('/') || is_drive(path) {
        return Err(ArchiveError::Absolute { path: path.to_string() });
    }
    let mut names = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => return Err(ArchiveError::Outside { path: path.to_string() }),
            name if name.len() > MAX_NAME_BYTES => return refuse("is longer than 255 bytes"),
            name => names.push(name.to_string()),
        }
    }
    if root == ArchiveRoot::OnlyFolder && !names.is_empty() {
        names.remove(0);
        if names.is_empty() && !path.ends_with('/') {
            return Err(ArchiveError::NoFolder { path: path.to_string() });
        }
    }
    if names.len() > limits.depth {
        return Err(ArchiveError::limit("depth", limits.depth, "folders inside each other", Some(path)));
    }
    Ok((!names.is_empty()).then_some(names))
}

/// Whether a symbolic link in the folder `folder_depth` folders below the root stays inside, read by its text alone.
pub(super) fn stays_inside(target: &str, folder_depth: usize) -> bool {
    if target.starts_with('/') || target.contains('\0') {
        return false;
    }
    let mut depth = folder_depth;
    for name in target.split('/') {
        match name {
            "" | "." => {}
            ".." => match depth.checked_sub(1) {
                Some(above) => depth = above,
                None => return false,
            },
            _ => depth += 1,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_apart_or_refused() {
        let shown = |path: &str, root| match names(path.as_bytes(), root, &ArchiveLimits::default()) {
            Ok(None) => "root".to_string(),
            Ok(Some(names)) => names.join(" "),
            Err(error) => error.to_string(),
        };
        for (path, top, folder) in [
            ("a/b", "a b", "b"),
            ("./a//b/.", "a b", "b"),
            ("a/", "a", "root"),
            ("./", "root", "root"),
            ("a", "a", "\"a\" in it is not inside a folder"),
            ("a/../b", "the path \"a/../b\" in it leads out of the archive", ""),
            ("..", "the path \"..\" in it leads out of the archive", ""),
            ("/etc/passwd", "the path \"/etc/passwd\" in it is absolute", ""),
            ("c:/x", "the path \"c:/x\" in it is absolute", ""),
            (
                "a\\b",
                "the name \"a\\\\b\" in it holds a backslash, which is a separator on other systems",
                "",
            ),
            ("a\nb", "the name \"a\\nb\" in it holds a control character", ""),
        ] {
            assert_eq!(shown(path, ArchiveRoot::Top), top);
            assert_eq!(shown(path, ArchiveRoot::OnlyFolder), if folder.is_empty() { top } else { folder });
        }
        let deep = "x/".repeat(65);
        assert_eq!(
            shown(&deep, ArchiveRoot::Top),
            format!("it has more than the limit depth of 64 folders inside each other at {deep:?}")
        );
    }

    #[test]
    fn links_may_climb_as_far_as_the_root() {
        assert!(stays_inside("../x", 1));
        assert!(stays_inside("../../a/x", 2));
        assert!(!stays_inside("../x", 0));
        assert!(!stays_inside("a/../../x", 0));
        assert!(!stays_inside("/x", 3));
    }
}
