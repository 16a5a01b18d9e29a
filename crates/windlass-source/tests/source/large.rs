//! Repositories that are larger than what is needed of them: what is transferred, and what is not.

use std::sync::Arc;

use windlass_model::Tree;
use windlass_source::{Limits, Policy, Repository, SourceError, chain};
use windlass_testing::{Fault, GitServer, SshGitServer};

use crate::{Rig, noise, text_at, update};

/// Everything larger than a few hundred bytes is large.
fn rig() -> Rig {
    Rig::with(Policy::trusting(), Limits { whole_bytes: 10_000, ..Limits::default() })
}

const ASSET_BYTES: u64 = 2_000_000;

/// Many small folders of Applications, beside something large that none of them reads.
fn fill(git: &windlass_testing::Repository, n_apps: usize) {
    let values =
        (0..n_apps).map(|number| (format!("apps/app-{number}/values.yaml"), format!("number: {number}\n")));
    let charts =
        (0..n_apps).map(|number| (format!("apps/app-{number}/Chart.yaml"), format!("name: app-{number}\n")));
    git.commit("main")
        .files(values.chain(charts))
        .file("assets/film", noise(ASSET_BYTES))
        .file("README.md", "about")
        .symlink("apps/link", "app-1/values.yaml")
        .submit()
        .unwrap();
}

fn read(repository: &Arc<Repository>, path: &str) -> Option<String> {
    text_at(&update(repository, "main").unwrap(), path)
}

#[test]
fn of_a_large_repository_only_what_is_read_is_transferred() {
    let server = GitServer::start().unwrap();
    let git = server.repository("mono").unwrap();
    fill(&git, 200);
    let rig = rig();
    let repository = rig.anonymous(&server.url("mono"));
    let snapshot = update(&repository, "main").unwrap();
    // The first pack is given up soon after its beginning.
    let names = snapshot.tree.list("apps").unwrap().unwrap();
    assert_eq!(names.len(), 201, "every folder is there");

    let before = server.bytes_sent();
    server.forget_requests();
    for number in 0..200 {
        let text = text_at(&snapshot, &format!("apps/app-{number}/values.yaml"));
        assert_eq!(text, Some(format!("number: {number}\n")));
        assert!(text_at(&snapshot, &format!("apps/app-{number}/Chart.yaml")).is_some());
    }
    assert_eq!(text_at(&snapshot, "README.md").as_deref(), Some("about"));
    assert_eq!(text_at(&snapshot, "apps/link").as_deref(), Some("number: 1\n"));
    let n_fetches = server.fetches();
    assert!(n_fetches <= 6, "{n_fetches} requests for 200 folders");
    let sent = server.bytes_sent() - before;
    assert!(sent < 100_000, "{sent} bytes for files of 8,000");
    println!("200 folders of a large repository: {n_fetches} requests, {sent} bytes");

    // A restart remembers that it is large, and has what was fetched.
    let rig = rig.restarted();
    let repository = rig.anonymous(&server.url("mono"));
    git.write("main", "apps/app-7/values.yaml", "number: seven\n").unwrap();
    git.commit("main").file("assets/film", noise(ASSET_BYTES + 1)).submit().unwrap();
    let before = server.bytes_sent();
    assert_eq!(read(&repository, "apps/app-7/values.yaml").as_deref(), Some("number: seven\n"));
    assert_eq!(read(&repository, "apps/app-8/values.yaml").as_deref(), Some("number: 8\n"));
    let sent = server.bytes_sent() - before;
    assert!(sent < 50_000, "{sent} bytes for one changed file");

    // Who reads it gets it.
    let film = update(&repository, "main").unwrap().tree.read("assets/film", 1 << 30).unwrap().unwrap();
    assert_eq!(film.len() as u64, ASSET_BYTES + 1);
}

#[test]
fn ten_thousand_folders_at_the_root_take_a_dozen_requests() {
    const N_APPS: usize = 10_000;
    let server = GitServer::start().unwrap();
    let git = server.repository("mono").unwrap();
    let values =
        (0..N_APPS).map(|number| (format!("app-{number}/values.yaml"), format!("number: {number}\n")));
    git.commit("main").files(values).file("assets/film", noise(ASSET_BYTES)).submit().unwrap();
    let rig = Rig::with(Policy::trusting(), Limits { whole_bytes: 100_000, ..Limits::default() });
    let repository = rig.anonymous(&server.url("mono"));
    let snapshot = update(&repository, "main").unwrap();

    // Few bring few others.
    server.forget_requests();
    let before = server.bytes_sent();
    for number in 0..10 {
        let text = text_at(&snapshot, &format!("app-{number}/values.yaml"));
        assert_eq!(text, Some(format!("number: {number}\n")));
    }
    let (n_fetches, sent) = (server.fetches(), server.bytes_sent() - before);
    assert!(n_fetches <= 10 && sent < 50_000, "{n_fetches} requests, {sent} bytes for ten folders");

    for number in 0..N_APPS {
        let text = text_at(&snapshot, &format!("app-{number}/values.yaml"));
        assert_eq!(text, Some(format!("number: {number}\n")));
    }
    let (n_fetches, sent) = (server.fetches(), server.bytes_sent() - before);
    println!("{N_APPS} folders at the root of a large repository: {n_fetches} requests, {sent} bytes");
    assert!(n_fetches <= 18, "{n_fetches} requests");
    assert!(sent < ASSET_BYTES, "{sent} bytes: what is unlike them is not fetched");

    // A commit that touches one of them brings that one.
    git.write("main", "app-7/values.yaml", "number: seven\n").unwrap();
    server.forget_requests();
    assert_eq!(read(&repository, "app-7/values.yaml").as_deref(), Some("number: seven\n"));
    assert_eq!(read(&repository, "app-8/values.yaml").as_deref(), Some("number: 8\n"));
    assert_eq!(server.fetches(), 2, "one for the commit and its folders, one for the file");
}

#[test]
fn a_file_that_cannot_be_fetched_is_an_error_that_passes() {
    let server = GitServer::start().unwrap();
    fill(&server.repository("mono").unwrap(), 3);
    let rig = rig();
    let repository = rig.anonymous(&server.url("mono"));
    let snapshot = update(&repository, "main").unwrap();
    server.set_fault(Some(Fault::Status(503)));
    let error = snapshot.tree.read("apps/app-1/values.yaml", 1 << 20).unwrap_err();
    assert!(chain(&error).contains("503"), "{}", chain(&error));
    assert!(snapshot.tree.is_damaged(), "it is to be looked at again");
    server.set_fault(None);
    assert_eq!(text_at(&snapshot, "apps/app-1/values.yaml").as_deref(), Some("number: 1\n"));
    assert!(!update(&repository, "main").unwrap().tree.is_damaged());
}

#[test]
fn a_server_that_leaves_nothing_out_sends_everything() {
    let server = GitServer::start().unwrap();
    let git = server.repository("mono").unwrap();
    git.git(&["config", "uploadpack.allowFilter", "false"]).unwrap();
    fill(&git, 3);
    let rig = rig();
    let repository = rig.anonymous(&server.url("mono"));
    let snapshot = update(&repository, "main").unwrap();
    server.set_fault(Some(Fault::Status(503)));
    assert_eq!(text_at(&snapshot, "README.md").as_deref(), Some("about"));
    // Larger than is taken at all is refused as ever.
    server.set_fault(None);
    let small = Rig::with(Policy::trusting(), Limits { pack_bytes: 20_000, ..Limits::default() });
    let refused = update(&small.anonymous(&server.url("mono")), "main").unwrap_err();
    assert!(matches!(refused, SourceError::TooLarge { limit: 20_000, .. }), "{refused}");
}

#[test]
fn of_a_long_history_only_the_newest_commit_is_transferred() {
    let server = GitServer::start().unwrap();
    let git = server.repository("old").unwrap();
    for round in 0..20 {
        git.commit("main")
            .file("film", noise(200_000 + round))
            .file("a.yaml", format!("{round}"))
            .submit()
            .unwrap();
    }
    git.commit("main").delete("film").submit().unwrap();
    let rig = Rig::new();
    let repository = rig.anonymous(&server.url("old"));
    assert_eq!(read(&repository, "a.yaml").as_deref(), Some("19"));
    let sent = server.bytes_sent();
    assert!(sent < 10_000, "{sent} bytes of a history of 4 MB");
}

#[test]
fn files_that_are_read_come_over_ssh_too() {
    if !SshGitServer::is_available() {
        return;
    }
    let server = SshGitServer::start().unwrap();
    fill(&server.repository("mono").unwrap(), 50);
    let rig = rig();
    let repository = rig.repository(&server.url("mono"), &crate::ssh::access(&server));
    let snapshot = update(&repository, "main").unwrap();
    for number in 0..50 {
        let text = text_at(&snapshot, &format!("apps/app-{number}/values.yaml"));
        assert_eq!(text, Some(format!("number: {number}\n")));
    }
    let on_disk: u64 = crate::remote::walk(rig.folder.path())
        .iter()
        .map(|path| std::fs::metadata(path).map_or(0, |it| it.len()))
        .sum();
    assert!(on_disk < ASSET_BYTES / 4, "{on_disk} bytes on disk");
}
