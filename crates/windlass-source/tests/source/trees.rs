//! Trees of commits and folders: links, limits, digests, size, many readers.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use windlass_model::{EntryKind, Tree, TreeError, changed_paths};
use windlass_source::FolderTree;
use windlass_testing::Repository as GitRepository;

use crate::{Rig, commit, update};

#[test]
fn links_submodules_and_large_files() {
    let rig = Rig::new();
    let git = GitRepository::init(rig.folder.path().join("app.git")).unwrap();
    git.commit("main")
        .file("app/a.yaml", "a: 1")
        .executable("app/run.sh", "#!/bin/sh")
        .file("shared/b.yaml", "b: 1")
        .file("big", "x".repeat(5000))
        .symlink("app/b.yaml", "../shared/b.yaml")
        .symlink("app/shared", "../shared")
        .symlink("app/dangling", "nothing")
        .symlink("bad/out", "../../etc/passwd")
        .symlink("absolute/passwd", "/etc/passwd")
        .symlink("loop/a", "b")
        .symlink("loop/b", "a")
        .submodule("vendor/lib", &"1".repeat(40))
        .submit()
        .unwrap();
    let tree = update(&rig.anonymous(&git.file_url()), "main").unwrap().tree;

    let names = |path: &str| -> Vec<_> {
        let listed = tree.list(path).unwrap().unwrap();
        listed.into_iter().map(|(name, entry)| (name.to_string(), entry.kind)).collect()
    };
    let expected = [
        ("a.yaml", EntryKind::File),
        ("b.yaml", EntryKind::File),
        ("run.sh", EntryKind::File),
        ("shared", EntryKind::Directory),
    ];
    assert_eq!(names("app"), expected.map(|(name, kind)| (name.to_string(), kind)));
    assert_eq!(names("vendor"), [("lib".to_string(), EntryKind::Submodule)]);
    assert_eq!(&*tree.read("app/b.yaml", 100).unwrap().unwrap(), b"b: 1");
    assert_eq!(&*tree.read("app/shared/b.yaml", 100).unwrap().unwrap(), b"b: 1");
    assert_eq!(tree.entry("app/b.yaml").unwrap(), tree.entry("shared/b.yaml").unwrap());
    assert_eq!(tree.entry("app/shared").unwrap(), tree.entry("shared").unwrap());
    assert_eq!(tree.entry("app/dangling").unwrap(), None);
    assert_eq!(tree.read("app", 100).unwrap(), None);
    assert_eq!(tree.list("big").unwrap(), None);
    assert_eq!(tree.read("nothing/here", 100).unwrap(), None);
    for (error, message) in [
        (tree.list("bad").unwrap_err(), "the symbolic link bad/out points outside of the repository"),
        (tree.read("bad/out", 1).unwrap_err(), "the symbolic link bad/out points outside of the repository"),
        (
            tree.entry("absolute/passwd").unwrap_err(),
            "the symbolic link absolute/passwd points outside of the repository",
        ),
        (tree.entry("loop/a").unwrap_err(), "the symbolic link loop/a is part of a loop"),
        (tree.entry("../x").unwrap_err(), "../x leads outside of the repository"),
        (tree.read("big", 4999).unwrap_err(), "big is 5000 bytes, more than the limit of 4999 bytes"),
    ] {
        assert_eq!(error.to_string(), message);
    }
    assert_eq!(tree.read("big", 5000).unwrap().map(|bytes| bytes.len()), Some(5000));
}

#[test]
fn equal_content_has_equal_digests_in_commits_and_folders() {
    let rig = Rig::new();
    let git = GitRepository::init(rig.folder.path().join("app.git")).unwrap();
    git.commit("main").file("one/x", "same").file("two/x", "same").file("three/x", "other").submit().unwrap();
    let tree = update(&rig.anonymous(&git.file_url()), "main").unwrap().tree;
    let digest = |path: &str| tree.entry(path).unwrap().unwrap().digest;
    assert_eq!(digest("one"), digest("two"));
    assert_ne!(digest("one"), digest("three"));

    let folder = rig.folder.path().join("folder");
    std::fs::create_dir_all(folder.join("one/.git")).unwrap();
    std::fs::write(folder.join("one/x"), "same").unwrap();
    std::os::unix::fs::symlink("one/x", folder.join("link")).unwrap();
    std::os::unix::fs::symlink("one", folder.join("dir")).unwrap();
    std::os::unix::fs::symlink("..", folder.join("one/up")).unwrap();
    std::fs::create_dir_all(folder.join("bad")).unwrap();
    std::os::unix::fs::symlink("../..", folder.join("bad/out")).unwrap();
    let local = FolderTree::open(&folder).unwrap();
    assert_eq!(local.entry("one/x").unwrap().unwrap().digest, digest("one/x"));
    assert_eq!(local.entry("link").unwrap().unwrap().digest, digest("one/x"));
    let names: Vec<_> =
        local.list("").unwrap().unwrap().into_iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(names, ["bad", "dir", "link", "one"]);
    let inner: Vec<_> =
        local.list("dir").unwrap().unwrap().into_iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(inner, ["up", "x"], "the folder .git is nobody's business");
    assert_eq!(&*local.read("dir/up/link", 10).unwrap().unwrap(), b"same");
    assert!(matches!(local.read("link", 3), Err(TreeError::TooLarge { size: 4, limit: 3, .. })));
    assert!(matches!(local.list("bad"), Err(TreeError::Link { .. })));
    assert!(matches!(local.read("../app.git/HEAD", 10), Err(TreeError::Outside { .. })));
    let before = local.entry("one").unwrap();
    std::fs::write(folder.join("one/x"), "changed").unwrap();
    assert_ne!(local.entry("one").unwrap(), before);
}

#[test]
fn a_hundred_thousand_files_are_listed_and_many_read_at_once() {
    let rig = Rig::new();
    let git = GitRepository::init(rig.folder.path().join("app.git")).unwrap();
    let files =
        (0..100_000).map(|n| (format!("apps/{:04}/{:02}.yaml", n / 50, n % 50), format!("number: {n}\n")));
    let id = git.commit("main").files(files).submit().unwrap();
    let snapshot = update(&rig.anonymous(&git.file_url()), "main").unwrap();
    assert_eq!(snapshot.revision.commit, commit(&id));
    let tree = &snapshot.tree;
    assert_eq!(tree.list("apps").unwrap().unwrap().len(), 2000);
    let read = AtomicUsize::new(0);
    thread::scope(|scope| {
        for worker in 0..4 {
            let read = &read;
            scope.spawn(move || {
                for app in (worker..2000).step_by(20) {
                    for (name, _) in tree.list(&format!("apps/{app:04}")).unwrap().unwrap() {
                        let path = format!("apps/{app:04}/{name}");
                        let bytes = tree.read(&path, 100).unwrap().unwrap();
                        let number: usize = name.trim_end_matches(".yaml").parse().unwrap();
                        assert_eq!(*bytes, *format!("number: {}\n", app * 50 + number).as_bytes());
                        read.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!(read.into_inner(), 20_000);
}

/// Paths to what stands there: a file's content, or a link's target.
type Files = std::collections::BTreeMap<&'static str, Result<u8, &'static str>>;

/// Paths whose order differs between Git, which ends folders in a slash, and bytes; with links among them.
fn files() -> impl Strategy<Value = Files> {
    let paths = ["a", "a/b", "a/b/c", "a-b", "a-b/x", "a.yaml", "a/z", "a0", "b/link", "b/x", "link", "é"];
    let node = prop_oneof![
        6 => (0..3_u8).prop_map(Ok),
        1 => prop::sample::select(vec!["a", "../a", "a/b", "../a-b", "nowhere"]).prop_map(Err),
    ];
    prop::collection::btree_map(prop::sample::select(paths.to_vec()), node, 0..10).prop_map(|mut files| {
        let kept: Vec<_> = files.keys().copied().collect();
        files.retain(|path, _| !path.match_indices('/').any(|(at, _)| kept.contains(&&path[..at])));
        files
    })
}

#[test]
fn what_differs_is_found_as_by_listing_every_folder() {
    let rig = Rig::new();
    let git = GitRepository::init(rig.folder.path().join("app.git")).unwrap();
    let repository = rig.anonymous(&git.file_url());
    let config = Config { cases: 40, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&(files(), files()), |sides| {
            let [older, newer] = [sides.0, sides.1].map(|files| {
                let mut commit = git.commit("main").replacing_everything();
                for (path, node) in files {
                    commit = match node {
                        Ok(content) => commit.file(path, [content]),
                        Err(target) => commit.symlink(path, target),
                    };
                }
                commit.submit().unwrap();
                update(&repository, "main").unwrap().tree
            });
            // A link that leads out fails a listing; here it only counts as itself.
            if let Ok(expected) = changed_paths(&older, &newer, 1000) {
                prop_assert_eq!(newer.changes_since(&older, 1000).unwrap(), expected);
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn more_differences_than_the_limit_are_not_listed() {
    let rig = Rig::new();
    let git = GitRepository::init(rig.folder.path().join("app.git")).unwrap();
    git.commit("main").files((0..20).map(|idx| (format!("f/{idx}"), "old"))).submit().unwrap();
    let older = update(&rig.anonymous(&git.file_url()), "main").unwrap().tree;
    git.commit("main").files((0..20).map(|idx| (format!("f/{idx}"), "new"))).submit().unwrap();
    let newer = update(&rig.anonymous(&git.file_url()), "main").unwrap().tree;
    assert_eq!(newer.changes_since(&older, 19).unwrap(), None);
    assert_eq!(newer.changes_since(&older, 20).unwrap().unwrap().len(), 20);
    assert_eq!(newer.changes_since(&newer, 0).unwrap().unwrap().len(), 0);
}
