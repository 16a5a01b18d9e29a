//! Folders of this machine: packed as they are, watched for changes.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use tempfile::TempDir;
use windlass_model::Tree;
use windlass_source::{ArtifactLimits, ArtifactStore, FolderChange, FolderWatch, Policy, SourceError, chain};

use super::Rig;

/// How long news may take on a machine that does many other things.
const PATIENCE: Duration = Duration::from_secs(60);

fn written(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::with_prefix("windlass-folder-").unwrap();
    for (path, content) in files {
        put(folder.path(), path, content);
    }
    folder
}

fn put(folder: &Path, path: &str, content: &str) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

#[test]
fn a_folder_is_known_by_its_content_and_stays_as_it_was_read() {
    let rig = Rig::new();
    let folder = written(&[("deploy/a.yaml", "a: 1\n"), ("b.yaml", "b: 1\n"), (".git/index", "none of it")]);
    symlink("deploy/a.yaml", folder.path().join("link.yaml")).unwrap();
    let first = rig.store.folder(folder.path()).unwrap();
    assert!(first.revision.to_string().starts_with("sha256:"));
    assert_eq!(&*first.tree.read("link.yaml", 100).unwrap().unwrap(), b"a: 1\n");
    assert!(first.tree.entry(".git").unwrap().is_none());
    // Written once more, and elsewhere: the same content.
    put(folder.path(), "b.yaml", "b: 1\n");
    assert_eq!(rig.store.folder(folder.path()).unwrap().revision, first.revision);
    let copy = written(&[("deploy/a.yaml", "a: 1\n"), ("b.yaml", "b: 1\n")]);
    symlink("deploy/a.yaml", copy.path().join("link.yaml")).unwrap();
    assert_eq!(rig.store.folder(copy.path()).unwrap().revision, first.revision);
    // As long as before, in the same moment perhaps.
    put(folder.path(), "deploy/a.yaml", "a: 2\n");
    let second = rig.store.folder(folder.path()).unwrap();
    assert_ne!(second.revision, first.revision);
    assert_eq!(&*second.tree.read("link.yaml", 100).unwrap().unwrap(), b"a: 2\n");
    assert_eq!(&*first.tree.read("deploy/a.yaml", 100).unwrap().unwrap(), b"a: 1\n");
    let folder_digest = |tree: &dyn Tree| tree.entry("").unwrap().unwrap().digest;
    assert_ne!(folder_digest(&first.tree), folder_digest(&second.tree));
}

#[test]
fn what_a_folder_must_not_hold_is_refused() {
    for (target, problem) in [("../../etc/passwd", "points out"), ("/etc/passwd", "points out")] {
        let folder = written(&[("a.yaml", "a: 1\n")]);
        symlink(target, folder.path().join("out.yaml")).unwrap();
        let error = Rig::new().store.folder(folder.path()).unwrap_err();
        assert!(chain(&error).contains(problem), "{}", chain(&error));
        assert_eq!(error.reason(), "ArchiveRefused");
    }
    let limits = ArtifactLimits { archive_bytes: 10, ..ArtifactLimits::default() };
    let large = written(&[("a.yaml", "a: 1234567890\n")]);
    let error = Rig::with(limits).store.folder(large.path()).unwrap_err();
    assert!(chain(&error).contains("archive_bytes"), "{}", chain(&error));
    let mut limits = ArtifactLimits::default();
    limits.archive.entries = 2;
    let many = written(&[("a", ""), ("b", ""), ("c", "")]);
    let error = Rig::with(limits).store.folder(many.path()).unwrap_err();
    assert!(chain(&error).contains("entries"), "{}", chain(&error));
    let empty = TempDir::new().unwrap();
    assert_eq!(Rig::new().store.folder(empty.path()).unwrap_err().reason(), "ArchiveRefused");
}

#[test]
fn without_leave_nobody_learns_whether_a_folder_is_there() {
    let (open, closed) = (written(&[("a.yaml", "a: 1\n")]), written(&[("a.yaml", "a: 1\n")]));
    let policy = Policy { folders: vec![open.path().into()], ..Policy::default() };
    let home = TempDir::new().unwrap();
    let store = ArtifactStore::open(home.path(), policy, ArtifactLimits::default()).unwrap();
    assert!(store.folder(open.path()).is_ok());
    let gone = closed.path().join("gone");
    for path in [closed.path(), &gone] {
        let error = store.folder(path).unwrap_err();
        assert!(matches!(error, SourceError::RepositoryNotFound { .. }), "{error:?}");
    }
}

fn watched(folder: &Path) -> (FolderWatch, Receiver<Vec<FolderChange>>) {
    let (tell, told) = mpsc::channel();
    let watch = FolderWatch::start(folder, move |changes| {
        let _ = tell.send(changes);
    });
    (watch.unwrap(), told)
}

/// Receives until all of `wanted` were told; how often that took.
fn until(told: &Receiver<Vec<FolderChange>>, wanted: &[FolderChange]) -> usize {
    let mut missing = wanted.to_vec();
    let mut n_told = 0;
    while !missing.is_empty() {
        let changes = told.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("never told: {missing:?}"));
        missing.retain(|change| !changes.contains(change));
        n_told += 1;
    }
    n_told
}

fn added(path: &str) -> FolderChange {
    FolderChange::Added(path.into())
}

fn changed(path: &str) -> FolderChange {
    FolderChange::Changed(path.into())
}

fn removed(path: &str) -> FolderChange {
    FolderChange::Removed(path.into())
}

#[test]
fn every_way_to_change_a_folder_is_told() {
    let folder = written(&[("a.yaml", "a: 1\n"), ("deep/b.yaml", "b: 1\n")]);
    let root = folder.path();
    let (_watch, told) = watched(root);
    put(root, "a.yaml", "a: 22\n");
    until(&told, &[changed("a.yaml")]);
    // As editors do that never leave half a file.
    put(root, ".a.yaml.swp", "a: 33\n");
    fs::rename(root.join(".a.yaml.swp"), root.join("a.yaml")).unwrap();
    until(&told, &[changed("a.yaml")]);
    put(root, "new/deep/c.yaml", "c: 1\n");
    until(&told, &[added("new/deep/c.yaml")]);
    // In a folder that was not there when watching began.
    put(root, "new/deep/c.yaml", "c: 22\n");
    until(&told, &[changed("new/deep/c.yaml")]);
    fs::rename(root.join("deep"), root.join("moved")).unwrap();
    until(&told, &[removed("deep/b.yaml"), added("moved/b.yaml")]);
    fs::remove_file(root.join("a.yaml")).unwrap();
    until(&told, &[removed("a.yaml")]);
    symlink("moved/b.yaml", root.join("link")).unwrap();
    until(&told, &[added("link")]);
    // What Git does is no change, and what came before is told.
    put(root, ".git/index", "x");
    put(root, "last.yaml", "d: 1\n");
    until(&told, &[added("last.yaml")]);
}

#[test]
fn a_folder_may_go_and_come_back() {
    let parent = TempDir::with_prefix("windlass-folder-").unwrap();
    let folder = parent.path().join("app");
    let (_watch, told) = watched(&folder);
    put(parent.path(), "app/a.yaml", "a: 1\n");
    until(&told, &[added("a.yaml")]);
    fs::remove_dir_all(&folder).unwrap();
    until(&told, &[removed("a.yaml")]);
    put(parent.path(), "app/a.yaml", "a: 2\n");
    until(&told, &[added("a.yaml")]);
    // Another folder takes its place, of which the system tells whoever watches the old one nothing.
    put(parent.path(), "next/b.yaml", "b: 1\n");
    fs::rename(&folder, parent.path().join("old")).unwrap();
    fs::rename(parent.path().join("next"), &folder).unwrap();
    until(&told, &[removed("a.yaml"), added("b.yaml")]);
    put(parent.path(), "app/b.yaml", "b: 22\n");
    until(&told, &[changed("b.yaml")]);
}

#[test]
fn a_burst_of_changes_is_told_in_few_words() {
    let folder = written(&[("a.yaml", "a: 1\n")]);
    let (_watch, told) = watched(folder.path());
    let names: Vec<String> = (0..300).map(|number| format!("app-{number}.yaml")).collect();
    for name in &names {
        put(folder.path(), name, "a: 1\n");
    }
    let wanted: Vec<FolderChange> = names.iter().map(|name| added(name)).collect();
    let n_told = until(&told, &wanted);
    assert!(n_told < 30, "told {n_told} times");
}
