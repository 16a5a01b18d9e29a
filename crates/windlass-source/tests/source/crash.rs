//! Killed in the middle of a fetch, and silence in the middle of a fetch.

use std::path::Path;
use std::process::{Command, Stdio};

use windlass_source::{Access, Limits, Policy, RepositoryStore};
use windlass_testing::{GitServer, SmallDisk, eventually_blocking};

use crate::proxy::Front;
use crate::{Rig, failure, impatient, noise, text_at, update};

const DISK: &str = "WINDLASS_TEST_SMALL_DISK";
const STORE: &str = "WINDLASS_TEST_CRASH_STORE";
const URL: &str = "WINDLASS_TEST_CRASH_URL";

/// Not a test by itself: the process that works on a small disk.
#[test]
fn child_on_a_small_disk() {
    let (Ok(folder), Ok(url)) = (std::env::var(DISK), std::env::var(URL)) else { return };
    let store =
        RepositoryStore::open(Path::new(&folder).join("store"), Policy::trusting(), Limits::default())
            .unwrap();
    let repository = store.repository(&url.parse().unwrap(), &Access::default()).unwrap();
    let small = update(&repository, "small").unwrap();
    println!("failed: {}", failure(&repository, "large"));
    println!("still there: {:?}", text_at(&small, "file"));
    println!("other: {:?}", text_at(&update(&repository, "other").unwrap(), "file"));
    update(&repository, "smaller").unwrap();
    println!("recovered");
}

#[test]
fn a_full_disk_is_said_and_survived() {
    if !SmallDisk::is_available() {
        return;
    }
    let server = GitServer::start().unwrap();
    let git = server.repository("app").unwrap();
    git.write("small", "file", "small").unwrap();
    git.write("other", "file", "other").unwrap();
    git.write("large", "file", noise(6_000_000)).unwrap();
    git.write("smaller", "file", noise(100_000)).unwrap();
    let disk = SmallDisk::new(4 << 20).unwrap();
    let mut child = windlass_testing::Process::builder(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child_on_a_small_disk", "--nocapture"])
        .env(DISK, disk.path())
        .env(URL, server.url("app"))
        .on(&disk)
        .start()
        .unwrap();
    let ended = child.wait(std::time::Duration::from_secs(120));
    let log = child.log_tail();
    assert!(ended.is_some_and(|status| status.success()), "{log}");
    let full = format!(
        "failed: no space is left for the objects of {} in {}",
        server.url("app"),
        disk.path().display()
    );
    for line in [full.as_str(), "still there: Some(\"small\")", "other: Some(\"other\")", "recovered"] {
        assert!(log.contains(line), "{line} in {log}");
    }
}

/// Not a test by itself: the process that the next one kills.
#[test]
fn child_that_is_killed() {
    let (Ok(store), Ok(url)) = (std::env::var(STORE), std::env::var(URL)) else { return };
    let store = RepositoryStore::open(store, Policy::trusting(), Limits::default()).unwrap();
    let _ = update(&store.repository(&url.parse().unwrap(), &Access::default()).unwrap(), "main");
}

#[test]
fn a_process_killed_in_the_middle_of_a_fetch_leaves_a_store_that_works() {
    let server = GitServer::start().unwrap();
    let git = server.repository("app").unwrap();
    let folder = tempfile::TempDir::new().unwrap();
    let store_path = folder.path().join("store");
    // Both start the same repository: the front's address is what the store knows it by.
    for round in 0..2 {
        git.write("main", "noise", noise(3_000_000 + round)).unwrap();
        let front = Front::stalling(&server.base_url(), &[], 1_000_000);
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::child_that_is_killed"])
            .env(STORE, &store_path)
            .env(URL, front.url("app"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        eventually_blocking(std::time::Duration::from_secs(60), || match unfinished(&store_path) {
            0 => Err("no pack is being written"),
            _ => Ok(()),
        })
        .unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(unfinished(&store_path) > 0, "the fetch was under way");

        // The address must be the same for the store to meet its leftovers again.
        let store = RepositoryStore::open(&store_path, Policy::trusting(), Limits::default()).unwrap();
        let url = front.url("app").parse().unwrap();
        let repository = store.repository(&url, &impatient()).unwrap();
        assert!(update(&repository, "main").is_err(), "the front still stalls");
        assert_eq!(unfinished(&store_path), 0, "leftovers are swept and a failed fetch leaves none");
        drop((repository, store));
    }
    let rig = Rig::new();
    assert!(update(&rig.anonymous(&server.url("app")), "main").is_ok());
}

/// How many temporary files there are below the store's pack folders.
fn unfinished(store: &Path) -> usize {
    let list =
        |path: &Path| std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    list(store)
        .flat_map(|repository| list(&repository).collect::<Vec<_>>())
        .flat_map(|objects| list(&objects.join("objects/pack")).collect::<Vec<_>>())
        .filter(|file| !matches!(file.extension().and_then(|it| it.to_str()), Some("pack" | "idx")))
        .count()
}

#[test]
fn silence_in_the_middle_of_a_pack_ends_the_fetch() {
    let server = GitServer::start().unwrap();
    let git = server.repository("app").unwrap();
    git.write("main", "noise", noise(1_000_000)).unwrap();
    let front = Front::stalling(&server.base_url(), &[], 300_000);
    let rig = Rig::new();
    let repository = rig.repository(&front.url("app"), &impatient());
    assert_eq!(failure(&repository, "main"), format!("{} sent nothing for 0 seconds", front.url("app")));
    let direct = update(&rig.anonymous(&server.url("app")), "main").unwrap();
    assert!(text_at(&direct, "nothing").is_none());
}

#[test]
fn a_shutdown_does_not_wait_for_a_silent_server() {
    let server = GitServer::start().unwrap();
    let git = server.repository("app").unwrap();
    git.write("main", "noise", noise(1_000_000)).unwrap();
    let front = Front::stalling(&server.base_url(), &[], 300_000);
    let rig = Rig::new();
    // With the time limits of real life: the test itself would run for one and a half minutes.
    let repository = rig.anonymous(&front.url("app"));
    std::thread::scope(|scope| {
        let fetching = scope.spawn(|| failure(&repository, "main"));
        eventually_blocking(std::time::Duration::from_secs(60), || {
            if unfinished(&rig.folder.path().join("store")) > 0 {
                Ok(())
            } else {
                Err("no pack is being written")
            }
        })
        .unwrap();
        rig.store.interrupt();
        assert_eq!(fetching.join().unwrap(), format!("the fetch of {} was cancelled", front.url("app")));
    });
    assert_eq!(failure(&repository, "main"), format!("the fetch of {} was cancelled", front.url("app")));
}

#[test]
fn damage_on_disk_is_repaired_by_fetching_again() {
    let server = GitServer::start().unwrap();
    let git = server.repository("app").unwrap();
    git.write("main", "file", "content").unwrap();
    let folder = tempfile::TempDir::new().unwrap();
    let open = || RepositoryStore::open(folder.path(), Policy::trusting(), Limits::default()).unwrap();
    let url = server.url("app").parse().unwrap();
    let store = open();
    update(&store.repository(&url, &Access::default()).unwrap(), "main").unwrap();
    drop(store);
    let repository =
        std::fs::read_dir(folder.path()).unwrap().flatten().find(|it| it.path().is_dir()).unwrap();
    for (file, content) in [("objects-1/config", "[core\nnonsense"), ("current", "objects-9")] {
        std::fs::write(repository.path().join(file), content).unwrap();
        let store = open();
        let snapshot = update(&store.repository(&url, &Access::default()).unwrap(), "main").unwrap();
        assert_eq!(text_at(&snapshot, "file").as_deref(), Some("content"), "{file}");
    }
    // Damage inside a pack shows only when it is read.
    for folder in std::fs::read_dir(repository.path()).unwrap().flatten() {
        for file in std::fs::read_dir(folder.path().join("objects/pack")).into_iter().flatten().flatten() {
            if file.path().extension().is_some_and(|extension| extension == "pack") {
                let mut bytes = std::fs::read(file.path()).unwrap();
                bytes[12..].fill(0x5a);
                std::fs::remove_file(file.path()).unwrap();
                std::fs::write(file.path(), bytes).unwrap();
            }
        }
    }
    let store = open();
    let snapshot = update(&store.repository(&url, &Access::default()).unwrap(), "main").unwrap();
    assert_eq!(text_at(&snapshot, "file").as_deref(), Some("content"));
    drop((snapshot, store));

    let store = open();
    let again = store.repository(&url, &Access::default()).unwrap();
    let before = update(&again, "main").unwrap();
    again.discard_objects();
    let after = update(&again, "main").unwrap();
    assert_eq!(before.tree.digest(), after.tree.digest());
    assert_eq!(text_at(&before, "file").as_deref(), Some("content"));
}

#[test]
fn damaged_files_are_noticed_and_fetched_again() {
    let server = GitServer::start().unwrap();
    let git = server.repository("app").unwrap();
    git.write("main", "noise", noise(100_000)).unwrap();
    let rig = Rig::new();
    let repository = rig.anonymous(&server.url("app"));
    let snapshot = update(&repository, "main").unwrap();
    let mut folders = vec![rig.folder.path().to_path_buf()];
    let mut packs = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else if entry.path().extension().is_some_and(|extension| extension == "pack") {
                packs.push(entry.path());
            }
        }
    }
    let [pack] = packs.as_slice() else { panic!("expected one pack, there are {packs:?}") };
    let mut bytes = std::fs::read(pack).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::remove_file(pack).unwrap();
    std::fs::write(pack, bytes).unwrap();
    // The next process finds it so.
    drop((snapshot, repository));
    let rig = rig.restarted();
    let repository = rig.anonymous(&server.url("app"));
    let damaged = update(&repository, "main").unwrap();
    assert!(!damaged.tree.is_damaged());
    let error = windlass_model::Tree::read(&damaged.tree, "noise", 1 << 20).unwrap_err();
    assert!(matches!(error, windlass_model::TreeError::Store { .. }), "{error}");
    assert!(damaged.tree.is_damaged());
    let again = update(&repository, "main").unwrap();
    assert_eq!(again.revision.commit, damaged.revision.commit);
    let read = windlass_model::Tree::read(&again.tree, "noise", 1 << 20).unwrap().unwrap();
    assert_eq!(read.len(), 100_000);
    assert!(!again.tree.is_damaged());
}
