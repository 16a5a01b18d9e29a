//! Git LFS, from a server on a real socket.

use std::sync::Arc;

use windlass_model::{Tree, TreeError};
use windlass_source::{Access, LfsTree, chain};
use windlass_testing::{Fault, FileServer, GitServer};

use crate::submodules::ada;
use crate::{Rig, update};

/// The files of `main` in a repository with these files.
fn tree(rig: &Rig, server: &GitServer, access: &Access, files: &[(&str, &str)]) -> LfsTree {
    let git = server.repository("app").unwrap();
    let mut commit = git.commit("main");
    for (path, content) in files {
        commit = commit.file(*path, *content);
    }
    commit.submit().unwrap();
    let repository = rig.repository(&server.url("app"), access);
    let snapshot = update(&repository, "main").unwrap();
    repository.with_lfs(Arc::new(snapshot.tree)).unwrap()
}

fn text(tree: &LfsTree, path: &str) -> String {
    String::from_utf8(tree.read(path, 1 << 20).unwrap().unwrap().to_vec()).unwrap()
}

fn failure(tree: &LfsTree, path: &str) -> String {
    chain(&tree.read(path, 1 << 20).unwrap_err())
}

#[test]
fn content_is_fetched_when_it_is_read_and_kept() {
    let server = GitServer::builder().basic_auth("ada", "s3cret").start().unwrap();
    let pointer = server.keep_lfs("large: true\n");
    let unread = server.keep_lfs("never read\n");
    let rig = Rig::new();
    let files = [("values.yaml", pointer.as_str()), ("other", &unread), ("plain", "plain: true\n")];
    let lfs = tree(&rig, &server, &ada(), &files);
    server.forget_requests();
    assert_eq!(text(&lfs, "plain"), "plain: true\n");
    assert!(server.requests().is_empty());
    for _ in 0..2 {
        assert_eq!(text(&lfs, "values.yaml"), "large: true\n");
    }
    let asked: Vec<_> =
        server.requests().into_iter().map(|it| (it.method, it.authenticated, it.status)).collect();
    assert_eq!(asked, [("POST".to_string(), true, 200), ("GET".to_string(), true, 200)]);
    assert!(!lfs.has_failed());
    // The next process has it on disk.
    drop(lfs);
    let rig = rig.restarted();
    let repository = rig.repository(&server.url("app"), &ada());
    let lfs = repository.with_lfs(Arc::new(update(&repository, "main").unwrap().tree)).unwrap();
    server.forget_requests();
    assert_eq!(text(&lfs, "values.yaml"), "large: true\n");
    assert!(server.requests().is_empty());
    // A reader's limit is for the content, and nothing is fetched that is beyond it.
    let error = lfs.read("other", 5).unwrap_err();
    assert!(matches!(error, TreeError::TooLarge { size: 11, limit: 5, .. }), "{error}");
    assert!(matches!(lfs.read("plain", 5).unwrap_err(), TreeError::TooLarge { size: 12, .. }));
    assert!(server.requests().is_empty());
}

#[test]
fn another_host_gets_no_credentials() {
    let server = GitServer::builder().basic_auth("ada", "s3cret").start().unwrap();
    let storage = FileServer::start().unwrap();
    let pointer = server.keep_lfs("far away\n");
    let digits = pointer.split("sha256:").nth(1).unwrap().split_whitespace().next().unwrap();
    storage.put(&format!("lfs/{digits}"), "far away\n");
    server.keep_lfs_at(&storage.base_url());
    let rig = Rig::new();
    let lfs = tree(&rig, &server, &ada(), &[("file", &pointer)]);
    assert_eq!(text(&lfs, "file"), "far away\n");
    assert!(storage.requests().iter().all(|request| !request.authenticated()));
}

#[test]
fn what_cannot_be_had_is_told_and_asked_for_again() {
    let server = GitServer::start().unwrap();
    let pointer = server.keep_lfs("content\n");
    let digits = pointer.split("sha256:").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let missing =
        format!("version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 3\n", "0".repeat(64));
    let rig = Rig::new();
    let lfs = tree(&rig, &server, &Access::default(), &[("file", &pointer), ("missing", &missing)]);
    assert!(failure(&lfs, "missing").contains("there is no LFS object 0000"));
    assert!(lfs.has_failed());
    server.set_fault(Some(Fault::Status(503)));
    assert!(failure(&lfs, "file").contains("503"));
    server.set_fault(None);
    server.replace_lfs(&digits, "c0ntent\n");
    let said = failure(&lfs, "file");
    assert!(said.contains("has the digest") && said.contains(&digits), "{said}");
    server.replace_lfs(&digits, "content that is longer than was said\n");
    assert!(failure(&lfs, "file").contains("larger than the limit size of 8 bytes"));
    server.replace_lfs(&digits, "content\n");
    assert_eq!(text(&lfs, "file"), "content\n");
}

#[test]
fn the_repository_may_name_its_server() {
    let server = GitServer::builder().basic_auth("ada", "s3cret").start().unwrap();
    let pointer = server.keep_lfs("content\n");
    let rig = Rig::new();
    let config = format!("[lfs]\n\turl = {}/shared/info/lfs\n", server.base_url());
    let lfs = tree(&rig, &server, &ada(), &[("file", &pointer), (".lfsconfig", &config)]);
    server.forget_requests();
    assert_eq!(text(&lfs, "file"), "content\n");
    let asked: Vec<_> = server.requests().into_iter().map(|it| (it.path, it.authenticated)).collect();
    assert_eq!(asked[0], ("/shared/info/lfs/objects/batch".to_string(), true));
    // Another host is asked, and gets no credentials.
    let other = GitServer::start().unwrap();
    let far = other.keep_lfs("far away\n");
    let config = format!("[lfs]\n\turl = {}/x/info/lfs\n", other.base_url());
    let lfs = tree(&rig, &server, &ada(), &[("file", &far), (".lfsconfig", &config)]);
    assert_eq!(text(&lfs, "file"), "far away\n");
    assert!(!other.requests().is_empty() && other.requests().iter().all(|request| !request.authenticated));
    // What is no plain web address does not count.
    for named in ["ssh://h/x", "https://user:word@h/x", "!command"] {
        let config = format!("[lfs]\n\turl = {named}\n");
        let lfs = tree(&rig, &server, &ada(), &[("file", &pointer), (".lfsconfig", &config)]);
        assert_eq!(text(&lfs, "file"), "content\n", "{named}");
    }
}
