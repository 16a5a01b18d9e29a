//! Many fetches, and what becomes of the packs that they bring.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use windlass_source::{Limits, Policy, RepositoryStore};
use windlass_testing::{GitServer, Repository};

use crate::{Rig, noise, text_at, update};

/// With so many packs they are made one.
const MAX_PACKS: usize = 48;

/// What does not change.
const BASE_BYTES: u64 = 300_000;

/// A repository with a large file and a small one, of which the small one will change.
fn fill(git: &Repository) {
    git.commit("main").file("base/film", noise(BASE_BYTES)).file("counter", "0").submit().unwrap();
}

fn with_extension(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = crate::remote::walk(folder).into_iter().map(PathBuf::from).collect();
    found.retain(|path| path.extension().is_some_and(|it| it == extension));
    found
}

fn databases(store: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(store)
        .unwrap()
        .flatten()
        .flat_map(|slot| fs::read_dir(slot.path()).into_iter().flatten());
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    found.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("objects-")));
    found
}

/// What Git itself says of every object of a database.
fn git_reads(database: &Path) -> String {
    let output = Command::new("git")
        .arg("--git-dir")
        .arg(database)
        .args([
            "cat-file",
            "--batch-all-objects",
            "--batch-check=%(objectname) %(objecttype) %(objectsize) %(rest)",
        ])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let checked = Command::new("git")
        .arg("--git-dir")
        .arg(database)
        .args(["cat-file", "--batch-all-objects", "--batch"])
        .output()
        .unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn many_packs_become_one_without_being_fetched_anew() {
    let server = GitServer::start().unwrap();
    let git = server.repository("app").unwrap();
    fill(&git);
    let rig = Rig::new();
    let store = rig.folder.path().join("store");
    let repository = rig.anonymous(&server.url("app"));
    let first = update(&repository, "main").unwrap();
    let mut most = 0;
    for round in 1..=2 * MAX_PACKS {
        let before = server.bytes_sent();
        git.write("main", "counter", format!("{round}")).unwrap();
        server.forget_requests();
        let snapshot = update(&repository, "main").unwrap();
        assert_eq!(text_at(&snapshot, "counter"), Some(format!("{round}")));
        assert_eq!((server.requests().len(), server.fetches()), (2, 1), "round {round}");
        let sent = server.bytes_sent() - before;
        assert!(sent < BASE_BYTES / 10, "{sent} bytes in round {round}");
        most = most.max(with_extension(&databases(&store)[0], "pack").len());
    }
    assert!(most <= MAX_PACKS, "{most} packs");
    // It is what was not touched, in the packs of the first commit, that is read now.
    let last = update(&repository, "main").unwrap();
    use windlass_model::Tree;
    assert_eq!(last.tree.read("base/film", 1 << 30).unwrap().unwrap()[..], noise(BASE_BYTES)[..]);
    // Who read when packs were made one reads on, and the rest is gone when nobody does.
    assert_eq!(text_at(&first, "counter").as_deref(), Some("0"));
    assert!(databases(&store).len() > 1);
    drop((first, last));
    let left = databases(&store);
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(git_reads(&left[0]).lines().count() > 3 * MAX_PACKS);

    // The same after a restart, without anything but what has changed being sent.
    drop(repository);
    let rig = rig.restarted();
    let repository = rig.anonymous(&server.url("app"));
    git.write("main", "counter", "after").unwrap();
    let before = server.bytes_sent();
    let snapshot = update(&repository, "main").unwrap();
    assert_eq!(text_at(&snapshot, "counter").as_deref(), Some("after"));
    assert!(server.bytes_sent() - before < BASE_BYTES / 10);
}

#[test]
fn what_no_commit_needs_any_more_goes_in_the_end() {
    let server = GitServer::start().unwrap();
    let git = server.repository("app").unwrap();
    let rig = Rig::new();
    let repository = rig.anonymous(&server.url("app"));
    let mut largest = 0;
    for round in 0..5 * MAX_PACKS as u64 {
        git.write("main", "film", noise(5_000 + round)).unwrap();
        update(&repository, "main").unwrap();
        let size = with_extension(&rig.folder.path().join("store"), "pack")
            .iter()
            .map(|pack| fs::metadata(pack).map_or(0, |it| it.len()))
            .sum::<u64>();
        largest = largest.max(size);
    }
    // All rounds brought 1.2 MB, and one needs 5 kB: what is there at most is that of three times 48 rounds.
    assert!(largest < 900_000, "{largest} bytes");
}

#[test]
fn a_short_id_stays_one_in_a_pack_that_has_it_twice() {
    let server = GitServer::start().unwrap();
    let git = server.repository("app").unwrap();
    fill(&git);
    let rig = Rig::new();
    let repository = rig.anonymous(&server.url("app"));
    let mut kept = None;
    for round in 0..MAX_PACKS + 2 {
        let text = format!("{}{round}", "the same beginning of a file ".repeat(50));
        kept = Some(git.write("main", "counter", text).unwrap());
        update(&repository, "main").unwrap();
    }
    let id = kept.unwrap();
    let found = update(&repository, &id.as_str()[..10]).unwrap();
    assert_eq!(found.revision.commit, crate::commit(&id));
}

/// The steps in which one pack is made, in their order: each state that a process may leave behind when it is killed.
fn states(made: &Path) -> Vec<Vec<(PathBuf, Vec<u8>)>> {
    let pack = with_extension(made, "pack").remove(0);
    let index = pack.with_extension("idx");
    let unnamed = pack.with_file_name("consolidated.tmp");
    let file = |path: &Path, named: &Path| {
        (named.strip_prefix(made).unwrap().to_path_buf(), fs::read(path).unwrap())
    };
    let cut = |mut file: (PathBuf, Vec<u8>)| {
        file.1.truncate(file.1.len() / 2);
        file
    };
    let begun =
        vec![file(&made.join("config"), &made.join("config")), file(&made.join("HEAD"), &made.join("HEAD"))];
    let with = |more: Vec<(PathBuf, Vec<u8>)>| begun.iter().cloned().chain(more).collect::<Vec<_>>();
    let packed = file(&pack, &unnamed);
    let both = vec![file(&pack, &pack), file(&index, &index)];
    let note = |name: &str| file(&made.join(name), &made.join(name));
    vec![
        Vec::new(),
        begun.clone(),
        with(vec![cut(packed.clone())]),
        with(vec![packed.clone()]),
        with(vec![packed.clone(), cut(file(&index, &index))]),
        with(vec![packed, file(&index, &index)]),
        with(both.clone()),
        with([both.clone(), vec![cut(note("complete"))]].concat()),
        with([both.clone(), vec![note("complete"), note("shallow")]].concat()),
        with([both, vec![note("complete"), note("shallow"), note("first-size")]].concat()),
    ]
}

#[test]
fn a_process_killed_while_packs_become_one_leaves_a_store_that_works() {
    let server = GitServer::start().unwrap();
    let git = server.repository("app").unwrap();
    fill(&git);
    let rig = Rig::new();
    let store = rig.folder.path().join("store");
    let repository = rig.anonymous(&server.url("app"));
    for round in 1..MAX_PACKS {
        update(&repository, "main").unwrap();
        git.write("main", "counter", format!("{round}")).unwrap();
    }
    update(&repository, "main").unwrap();
    let old = databases(&store);
    assert_eq!((old.len(), with_extension(&store, "pack").len()), (1, MAX_PACKS));
    let before = tempfile::TempDir::new().unwrap();
    copy(&store, before.path());

    git.write("main", "counter", "next").unwrap();
    // What reads the old one keeps it there.
    let reading = repository.tree(crate::commit(&git.resolve("main~1").unwrap())).unwrap().unwrap();
    update(&repository, "main").unwrap();
    let now = databases(&store);
    let made = now.iter().find(|path| !old.contains(path)).unwrap();
    let states = states(made);
    let relative = made.strip_prefix(&store).unwrap();
    let try_it = |what: &str, prepare: &dyn Fn(&Path)| {
        let copied = tempfile::TempDir::new().unwrap();
        copy(before.path(), copied.path());
        prepare(copied.path());
        let opened = RepositoryStore::open(copied.path(), Policy::trusting(), Limits::default()).unwrap();
        let repository = opened.repository(&server.url("app").parse().unwrap(), &Default::default()).unwrap();
        let sent = server.bytes_sent();
        let snapshot = update(&repository, "main").unwrap();
        assert_eq!(text_at(&snapshot, "counter").as_deref(), Some("next"), "{what}");
        use windlass_model::Tree;
        let film = snapshot.tree.read("base/film", 1 << 30).unwrap().unwrap();
        assert_eq!(film.len() as u64, BASE_BYTES, "{what}");
        assert!(server.bytes_sent() - sent < BASE_BYTES / 10, "{what}: nothing is fetched anew");
        drop(snapshot);
        assert_eq!(databases(copied.path()).len(), 1, "{what}: nothing is left behind");
        git_reads(&databases(copied.path())[0]);
    };
    for (number, state) in states.iter().enumerate() {
        try_it(&format!("killed at step {number}"), &|store| {
            for (path, bytes) in state {
                let path = store.join(relative).join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, bytes).unwrap();
            }
        });
    }
    try_it("killed before the old one was removed", &|copied| {
        let slot = relative.parent().unwrap();
        copy(made, &copied.join(relative));
        let name = made.file_name().unwrap().to_string_lossy().into_owned();
        fs::write(copied.join(slot).join("current"), format!("{name}\n")).unwrap();
    });
    drop(reading);
}

#[test]
fn packs_that_are_damaged_are_not_made_one() {
    let server = GitServer::start().unwrap();
    let git = server.repository("app").unwrap();
    fill(&git);
    let rig = Rig::new();
    let store = rig.folder.path().join("store");
    let repository = rig.anonymous(&server.url("app"));
    for round in 1..=MAX_PACKS {
        update(&repository, "main").unwrap();
        git.write("main", "counter", format!("{round}")).unwrap();
    }
    let largest = with_extension(&store, "pack")
        .into_iter()
        .max_by_key(|pack| fs::metadata(pack).unwrap().len())
        .unwrap();
    let mut bytes = fs::read(&largest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    // A new file, as whoever has it open sees the old one.
    fs::remove_file(&largest).unwrap();
    fs::write(&largest, bytes).unwrap();
    let snapshot = update(&repository, "main").unwrap();
    assert_eq!(text_at(&snapshot, "counter"), Some(MAX_PACKS.to_string()));
    use windlass_model::Tree;
    let film = snapshot.tree.read("base/film", 1 << 30).unwrap().unwrap();
    assert_eq!(film[..], noise(BASE_BYTES)[..], "it was fetched anew");
}

#[test]
fn replicas_fetch_each_for_itself_in_two_requests() {
    let server = GitServer::start().unwrap();
    let git = server.repository("app").unwrap();
    fill(&git);
    let replicas = [Rig::new(), Rig::new()];
    let repositories = replicas.each_ref().map(|rig| rig.anonymous(&server.url("app")));
    for repository in &repositories {
        server.forget_requests();
        update(repository, "main").unwrap();
        // The first asks what the server can do, too.
        assert_eq!((server.requests().len(), server.fetches()), (3, 1));
    }
    git.write("main", "counter", "1").unwrap();
    for repository in &repositories {
        let before = server.bytes_sent();
        server.forget_requests();
        assert_eq!(text_at(&update(repository, "main").unwrap(), "counter").as_deref(), Some("1"));
        assert_eq!((server.requests().len(), server.fetches()), (2, 1));
        let sent = server.bytes_sent() - before;
        println!("a commit costs a replica 2 requests, answered with {sent} bytes");
        assert!(sent < 2_000, "{sent} bytes");
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
