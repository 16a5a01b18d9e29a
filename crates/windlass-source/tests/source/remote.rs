//! Resolving and fetching over smart HTTP.

use std::sync::Barrier;
use std::thread;

use windlass_model::Tree;
use windlass_source::{Access, Freshness, Limits, Policy, SourceError, TargetRevision};
use windlass_testing::{Fault, GitServer};

use crate::proxy::Front;
use crate::{Rig, commit, failure, impatient, noise, target, targets, text_at, update};

#[test]
fn every_form_of_a_revision_is_fetched() {
    let server = GitServer::start().unwrap();
    let git = server.repository("team/app").unwrap();
    let first = git.write("main", "file", "first").unwrap();
    git.annotated_tag("v1.0.0", first.as_str(), "release").unwrap();
    let second = git.write("main", "file", "second").unwrap();
    git.tag("v1.1.0", second.as_str()).unwrap();
    let third = git.write("main", "file", "third").unwrap();
    git.annotated_tag("chart-2.0.0", third.as_str(), "chart").unwrap();
    let branch = git.write("feature/x", "file", "branch").unwrap();
    git.set_reference("refs/pull/7/head", branch.as_str()).unwrap();
    let head = git.write("main", "file", "head").unwrap();

    let rig = Rig::new();
    let repository = rig.anonymous(&server.url("team/app"));
    for (text, expected, content, reference) in [
        ("", &head, "head", Some("refs/heads/main")),
        ("HEAD", &head, "head", Some("refs/heads/main")),
        ("main", &head, "head", Some("refs/heads/main")),
        ("refs/heads/feature/x", &branch, "branch", Some("refs/heads/feature/x")),
        ("feature/x", &branch, "branch", Some("refs/heads/feature/x")),
        ("refs/pull/7/head", &branch, "branch", Some("refs/pull/7/head")),
        ("v1.0.0", &first, "first", Some("refs/tags/v1.0.0")),
        ("refs/tags/v1.1.0", &second, "second", Some("refs/tags/v1.1.0")),
        ("1.x", &second, "second", Some("refs/tags/v1.1.0")),
        ("<1.1.0", &first, "first", Some("refs/tags/v1.0.0")),
        (third.as_str(), &third, "third", None),
        (&third.as_str()[..8], &third, "third", None),
    ] {
        let snapshot = update(&repository, text).unwrap();
        assert_eq!(snapshot.revision.commit, commit(expected), "{text}");
        assert_eq!(snapshot.revision.reference.as_deref(), reference, "{text}");
        assert_eq!(text_at(&snapshot, "file").as_deref(), Some(content), "{text}");
    }
    let ranged = TargetRevision::parse("2.x", "chart-");
    let snapshot = repository.update_one(&ranged, Freshness::New).unwrap();
    assert_eq!(snapshot.revision.tag.as_deref(), Some("chart-2.0.0"));
    assert_eq!(text_at(&snapshot, "file").as_deref(), Some("third"));
}

#[test]
fn what_is_not_there_is_named() {
    let server = GitServer::start().unwrap();
    let git = server.repository("app").unwrap();
    let first = git.write("main", "file", "first").unwrap();
    git.set_branch("doomed", first.as_str()).unwrap();
    let url = server.url("app");
    let rig = Rig::new();
    let repository = rig.anonymous(&url);
    assert_eq!(update(&repository, "doomed").unwrap().revision.commit, commit(&first));
    git.delete_branch("doomed").unwrap();

    let missing = "b".repeat(40);
    for (text, message) in [
        ("doomed", format!("there is no branch, tag or commit doomed in {url}")),
        (">=9.0.0", format!("none of the 0 tags in {url} satisfies >=9.0.0")),
        (missing.as_str(), format!("there is no commit {missing} in {url}")),
        ("bbbbbbbb", format!("there is no branch, tag or commit bbbbbbbb in {url}")),
    ] {
        assert_eq!(failure(&repository, text), message);
    }
    let empty = server.url("empty");
    server.repository("empty").unwrap();
    assert_eq!(failure(&rig.anonymous(&empty), "HEAD"), format!("{empty} has no commits yet"));
    let nowhere = server.url("nowhere");
    assert_eq!(failure(&rig.anonymous(&nowhere), "HEAD"), format!("there is no repository at {nowhere}"));
}

#[test]
fn one_bad_target_does_not_fail_the_others() {
    let server = GitServer::start().unwrap();
    let git = server.repository("app").unwrap();
    git.write("main", "file", "main").unwrap();
    git.write("other", "file", "other").unwrap();
    let rig = Rig::new();
    let repository = rig.anonymous(&server.url("app"));
    let (missing, lost) = ("c".repeat(40), "0d".repeat(20));
    let answers = repository.update(&targets(&["main", "other", "gone", &missing, &lost]), Freshness::New);
    assert!(matches!(answers[&target(&lost)], Err(SourceError::CommitNotFound { .. })));
    assert_eq!(text_at(answers[&target("main")].as_ref().unwrap(), "file").as_deref(), Some("main"));
    assert_eq!(text_at(answers[&target("other")].as_ref().unwrap(), "file").as_deref(), Some("other"));
    assert!(matches!(answers[&target("gone")], Err(SourceError::ReferenceNotFound { .. })));
    assert!(matches!(answers[&target(&missing)], Err(SourceError::CommitNotFound { .. })));
}

#[test]
fn an_unchanged_branch_costs_a_listing_and_no_pack() {
    let server = GitServer::start().unwrap();
    let git = server.repository("app").unwrap();
    let files = (0..200).map(|number| (format!("dir/{number}"), format!("content {number}")));
    git.commit("main").files(files).submit().unwrap();
    let rig = Rig::new();
    let repository = rig.anonymous(&server.url("app"));
    let before = update(&repository, "main").unwrap();
    assert_eq!((server.handshakes(), server.fetches()), (1, 1));

    server.forget_requests();
    let after = update(&repository, "main").unwrap();
    assert_eq!((server.handshakes(), server.upload_packs(), server.fetches()), (0, 1, 0));
    assert_eq!(server.requests().len(), 1, "what the server can do is known");
    assert_eq!(before.tree.digest(), after.tree.digest());

    git.write("main", "dir/7", "changed").unwrap();
    server.forget_requests();
    let changed = update(&repository, "main").unwrap();
    assert_eq!((server.requests().len(), server.fetches()), (2, 1));
    assert_eq!(text_at(&changed, "dir/7").as_deref(), Some("changed"));
    assert_eq!(text_at(&changed, "dir/8").as_deref(), Some("content 8"));
    assert_eq!(text_at(&before, "dir/7").as_deref(), Some("content 7"), "an older Tree stays as it is");
    let paths = windlass_model::changed_paths(&before.tree, &changed.tree, 10).unwrap().unwrap();
    assert_eq!(paths, ["dir/7"]);
    assert!(server.requests().iter().all(|request| request.protocol == "version=2"));
    assert!(server.requests().iter().all(|request| request.user_agent.starts_with("git/windlass-")));
}

#[test]
fn only_the_commits_asked_for_are_fetched() {
    let server = GitServer::start().unwrap();
    let git = server.repository("app").unwrap();
    let old = git.write("main", "big", "x".repeat(50_000)).unwrap();
    let new = git.write("main", "big", "small").unwrap();
    let rig = Rig::new();
    let repository = rig.anonymous(&server.url("app"));
    update(&repository, "main").unwrap();
    assert!(repository.tree(commit(&new)).unwrap().is_some());
    assert!(repository.tree(commit(&old)).unwrap().is_none(), "history is not fetched");
    let metadata = repository.commit_metadata(commit(&new)).unwrap().unwrap();
    assert_eq!(metadata.author, "Windlass Test <test@windlass.dev>");
    assert_eq!(metadata.parents, [commit(&old)]);
    let resolved = repository.resolve(&targets(&["main"]), Freshness::New);
    assert_eq!(resolved[&target("main")].as_ref().unwrap().commit, commit(&new));
}

#[test]
fn a_short_commit_id_is_found_in_history() {
    let server = GitServer::start().unwrap();
    let git = server.repository("app").unwrap();
    git.git(&["config", "uploadpack.allowFilter", "true"]).unwrap();
    let old = git.commit("main").file("file", "old").file("big", noise(200_000)).submit().unwrap();
    git.write("main", "file", "newer").unwrap();
    git.commit("main").file("file", "newest").delete("big").submit().unwrap();
    let rig = Rig::new();
    let repository = rig.anonymous(&server.url("app"));
    let short = &old.as_str()[..7];
    let resolved = repository.resolve(&targets(&[short]), Freshness::New);
    assert_eq!(resolved[&target(short)].as_ref().unwrap().commit, commit(&old));
    assert!(walk(rig.folder.path()).iter().all(|path| !path.ends_with(".pack")), "history is not kept");
    assert_eq!(text_at(&update(&repository, short).unwrap(), "file").as_deref(), Some("old"));
    server.forget_requests();
    update(&repository, short).unwrap();
    assert_eq!(server.fetches(), 0, "known from now on");
    for fetches in [1, 0] {
        server.forget_requests();
        assert!(matches!(update(&repository, "0123456789"), Err(SourceError::ReferenceNotFound { .. })));
        assert_eq!(server.fetches(), fetches, "history is looked through once while no reference moves");
    }
}

#[test]
fn servers_of_the_older_protocol_are_understood() {
    let server = GitServer::start().unwrap();
    let git = server.repository("app").unwrap();
    let first = git.write("main", "file", "first").unwrap();
    git.annotated_tag("v1.0.0", first.as_str(), "release").unwrap();
    git.write("main", "file", "second").unwrap();
    let front = Front::forwarding_to(&server.base_url(), &[("git-protocol: version=2", "x-unknown: 1")]);
    let rig = Rig::new();
    let repository = rig.anonymous(&front.url("app"));
    for content in ["second", "third"] {
        git.write("main", "file", content).unwrap();
        assert_eq!(text_at(&update(&repository, "HEAD").unwrap(), "file").as_deref(), Some(content));
    }
    assert_eq!(text_at(&update(&repository, "1.x").unwrap(), "file").as_deref(), Some("first"));
    assert!(server.requests().iter().all(|request| request.protocol.is_empty()));
}

#[test]
fn a_force_push_is_followed() {
    let server = GitServer::start().unwrap();
    let git = server.repository("app").unwrap();
    git.write("main", "file", "before").unwrap();
    let rig = Rig::new();
    let repository = rig.anonymous(&server.url("app"));
    update(&repository, "main").unwrap();
    git.commit("main").orphan().file("file", "after").submit().unwrap();
    git.git(&["reflog", "expire", "--expire=now", "--all"]).unwrap();
    git.git(&["gc", "--prune=now", "--quiet"]).unwrap();
    assert_eq!(text_at(&update(&repository, "main").unwrap(), "file").as_deref(), Some("after"));
}

#[test]
fn many_commits_do_not_pile_up() {
    let server = GitServer::start().unwrap();
    let git = server.repository("app").unwrap();
    let rig = Rig::new();
    let repository = rig.anonymous(&server.url("app"));
    git.write("main", "constant", "constant").unwrap();
    let first = update(&repository, "main").unwrap();
    for number in 0..60 {
        git.write("main", "file", number.to_string()).unwrap();
        let snapshot = update(&repository, "main").unwrap();
        assert_eq!(text_at(&snapshot, "file"), Some(number.to_string()));
        assert_eq!(text_at(&snapshot, "constant").as_deref(), Some("constant"));
    }
    assert_eq!(
        text_at(&first, "constant").as_deref(),
        Some("constant"),
        "a replaced database stays readable"
    );
    let packs = || walk(rig.folder.path()).into_iter().filter(|path| path.ends_with(".pack")).count();
    // The 48 of the old one, those one in the new one, and 13 more.
    assert!(packs() <= 62, "{} packs", packs());
    drop(first);
    assert!(packs() <= 48, "{} packs", packs());
}

pub(crate) fn walk(folder: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        if entry.path().is_dir() {
            found.extend(walk(&entry.path()));
        } else {
            found.push(entry.path().to_string_lossy().into_owned());
        }
    }
    found
}

#[test]
fn many_who_ask_at_once_share_one_fetch() {
    let server = GitServer::start().unwrap();
    let git = server.repository("app").unwrap();
    git.write("main", "file", "content").unwrap();
    let rig = Rig::new();
    let repository = rig.anonymous(&server.url("app"));
    let everyone = Barrier::new(16);
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                everyone.wait();
                let snapshot = repository.update_one(&target("main"), Freshness::Shared).unwrap();
                assert_eq!(text_at(&snapshot, "file").as_deref(), Some("content"));
            });
        }
    });
    assert_eq!(server.fetches(), 1);
}

#[test]
fn while_one_asks_the_others_wait_for_the_answer() {
    let server = GitServer::start().unwrap();
    server.repository("app").unwrap().write("main", "file", "content").unwrap();
    // The answer never comes, so nobody can be too late to share it.
    let front = Front::stalling(&server.base_url(), &[], 10);
    let rig = Rig::new();
    let repository = rig.anonymous(&front.url("app"));
    let everyone = Barrier::new(17);
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                everyone.wait();
                let outcome = repository.update_one(&target("main"), Freshness::Shared);
                assert!(matches!(outcome, Err(SourceError::Cancelled { .. })), "{outcome:?}");
            });
        }
        everyone.wait();
        windlass_testing::eventually_blocking(std::time::Duration::from_secs(60), || {
            if front.heads().is_empty() { Err("nobody has asked") } else { Ok(()) }
        })
        .unwrap();
        rig.store.interrupt();
    });
    assert_eq!(front.heads().len(), 1);
}

#[test]
fn a_server_in_trouble_is_reported_and_the_last_commit_stays_readable() {
    let server = GitServer::start().unwrap();
    let git = server.repository("app").unwrap();
    let known = git.write("main", "file", "content").unwrap();
    let url = server.url("app");
    let rig = Rig::new();
    let repository = rig.anonymous(&url);
    let snapshot = update(&repository, "main").unwrap();
    git.write("main", "file", "x".repeat(100_000)).unwrap();
    for (fault, expected) in [
        (Fault::Status(503), format!("cannot reach {url}: the server answered 503 Service Unavailable")),
        (Fault::Status(403), format!("access to {url} is forbidden")),
        (Fault::Status(404), format!("there is no repository at {url}")),
        (
            Fault::Status(418),
            format!("cannot understand the answer of {url}: the server answered 418 I'm a teapot"),
        ),
    ] {
        server.set_fault(Some(fault));
        assert_eq!(failure(&repository, "main"), expected);
    }
    server.set_fault(Some(Fault::Hang));
    let silent = failure(&rig.repository(&url, &impatient()), "main");
    assert_eq!(silent, format!("{url} sent nothing for 0 seconds"));
    for fault in [Fault::Disconnect, Fault::CutAfter(40)] {
        server.set_fault(Some(fault));
        let message = failure(&repository, "main");
        assert!(message.contains(&url), "{message}");
        let again = update(&repository, known.as_str());
        assert!(again.is_ok() || fault == Fault::CutAfter(40), "{again:?}");
    }
    assert_eq!(text_at(&snapshot, "file").as_deref(), Some("content"));
    assert!(repository.tree(commit(&known)).unwrap().is_some());
    server.set_fault(None);
    assert_eq!(text_at(&update(&repository, "main").unwrap(), "file").map(|text| text.len()), Some(100_000));
}

#[test]
fn a_truncated_pack_leaves_the_last_commit_usable() {
    let server = GitServer::start().unwrap();
    let git = server.repository("app").unwrap();
    git.write("main", "file", "content").unwrap();
    let rig = Rig::new();
    let repository = rig.anonymous(&server.url("app"));
    let snapshot = update(&repository, "main").unwrap();
    // What no compression makes small.
    let mut state = 1_u64;
    let noise: String = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{:016x}", state ^ (state >> 29))
    })
    .take(20_000)
    .collect();
    git.write("main", "file", &noise).unwrap();
    for n_bytes in [1_000, 10_000, 50_000, 100_000] {
        server.set_fault(Some(Fault::CutAfter(n_bytes)));
        let message = failure(&repository, "main");
        assert!(message.contains(&server.url("app")), "{n_bytes}: {message}");
        assert_eq!(text_at(&snapshot, "file").as_deref(), Some("content"));
    }
    server.set_fault(None);
    assert_eq!(text_at(&update(&repository, "main").unwrap(), "file"), Some(noise));
}

#[test]
fn a_pack_over_the_limit_leaves_the_last_commit_usable() {
    let server = GitServer::start().unwrap();
    let git = server.repository("app").unwrap();
    git.write("main", "file", "small").unwrap();
    let url = server.url("app");
    let rig = Rig::with(Policy::trusting(), Limits { pack_bytes: 20_000, ..Limits::default() });
    let repository = rig.anonymous(&url);
    let snapshot = update(&repository, "main").unwrap();
    git.write("main", "file", noise(60_000)).unwrap();
    assert_eq!(
        failure(&repository, "main"),
        format!("{url} sent more than the limit of 20000 bytes for one fetch")
    );
    assert_eq!(text_at(&snapshot, "file").as_deref(), Some("small"));
    git.write("main", "file", "small again").unwrap();
    assert_eq!(text_at(&update(&repository, "main").unwrap(), "file").as_deref(), Some("small again"));
}

#[test]
fn the_store_survives_a_restart_and_forgets_what_is_unused() {
    let server = GitServer::start().unwrap();
    let git = server.repository("app").unwrap();
    let known = git.write("main", "file", "content").unwrap();
    let folder = tempfile::TempDir::new().unwrap();
    let open =
        || windlass_source::RepositoryStore::open(folder.path(), Policy::trusting(), Limits::default());
    let store = open().unwrap();
    let url: windlass_source::RepositoryUrl = server.url("app").parse().unwrap();
    update(&store.repository(&url, &Access::default()).unwrap(), "main").unwrap();
    assert!(matches!(open(), Err(SourceError::StoreInUse { .. })));
    drop(store);

    let store = open().unwrap();
    server.set_fault(Some(Fault::Disconnect));
    let repository = store.repository(&url, &Access::default()).unwrap();
    let snapshot = update(&repository, known.as_str()).unwrap();
    assert_eq!(text_at(&snapshot, "file").as_deref(), Some("content"));
    assert!(matches!(update(&repository, "main"), Err(SourceError::Unreachable { .. })));
    drop((snapshot, repository));
    store.retain(&[url].into()).unwrap();
    assert!(!walk(folder.path()).iter().all(|path| path.ends_with("lock")));
    store.retain(&[].into()).unwrap();
    assert!(walk(folder.path()).iter().all(|path| path.ends_with("lock")));
}

#[tokio::test(flavor = "multi_thread")]
async fn asynchronous_callers_get_the_same() {
    let server = GitServer::start().unwrap();
    server.repository("app").unwrap().write("main", "file", "content").unwrap();
    let rig = Rig::new();
    let repository = rig.anonymous(&server.url("app"));
    let answers = repository.update_async(targets(&["main"]), Freshness::Shared).await;
    let snapshot = answers[&target("main")].as_ref().unwrap();
    assert_eq!(snapshot.tree.list("").unwrap().unwrap().len(), 1);
    let resolved = repository.resolve_async(targets(&["main"]), Freshness::Shared).await;
    assert_eq!(resolved[&target("main")].as_ref().unwrap(), &snapshot.revision);
}
