//! The store's file after a crash at any moment, and with any byte changed.
//!
//! A writer works on a store whose log is folded into the file after every few pages. Between two commits, what
//! changed in the files are the writes of the second; from them every state is made in which a crash could leave the
//! files: cut between writes, in the middle of one, with pages of the file written in any order. Each is opened.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use windlass_kube::{Object, value};
use windlass_testing::Seeded;

use super::*;
use crate::store::{Change, Expect, Store};

/// A write to a page is torn at sectors only.
const SECTOR: usize = 512;

/// The page size of every file that SQLite makes.
const PAGE: usize = 4096;

/// Every acknowledged change: revision, resource, name, kind.
type Log = Vec<(Revision, &'static str, String, EventKind)>;

/// What is there: resource and name, and the revision.
type State = BTreeMap<(&'static str, String), Revision>;

const RESOURCES: [&str; 2] = ["/configmaps", "apps/deployments"];

fn state_of(log: &[(Revision, &'static str, String, EventKind)]) -> State {
    let mut state = State::new();
    for (revision, resource, name, kind) in log {
        let key = (*resource, name.clone());
        match kind {
            EventKind::Deleted => state.remove(&key),
            EventKind::Added | EventKind::Modified => state.insert(key, *revision),
        };
    }
    state
}

fn state_in(store: &Store) -> State {
    let objects = |resource: &'static str| {
        let snapshot = store.table(resource).list(None);
        snapshot.objects.into_iter().map(move |object| {
            let parsed = object.object();
            assert_eq!(parsed.resource_version(), object.revision().to_string());
            ((resource, object.key().name.to_string()), object.revision())
        })
    };
    RESOURCES.into_iter().flat_map(objects).collect()
}

fn object(name: &str, size: usize) -> Object {
    let value = value!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name},
        "data": {"text": ("some text ".repeat(size))}});
    Object::try_new(value).unwrap()
}

/// The files at one moment.
#[derive(Clone, Default)]
struct Files {
    main: Vec<u8>,
    log: Vec<u8>,
    /// How far the log was acknowledged.
    last: Vec<u8>,
}

impl Files {
    fn of(path: &Path) -> Self {
        let read = |path: PathBuf| fs::read(path).unwrap_or_default();
        Self { main: read(path.to_owned()), log: read(log_of(path)), last: read(last_of(path)) }
    }

    fn write(&self, path: &Path) {
        fs::write(path, &self.main).unwrap();
        fs::write(log_of(path), &self.log).unwrap();
        fs::write(last_of(path), &self.last).unwrap();
    }
}

/// A folder in memory where there is one: nothing here asks whether the disk keeps its word, and thousands of
/// stores are opened.
fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

fn log_of(path: &Path) -> PathBuf {
    path.with_file_name("store.db-wal")
}

fn last_of(path: &Path) -> PathBuf {
    path.with_file_name("store.db-last")
}

/// A writer's life: the files after each commit, and how many changes had been acknowledged.
struct Life {
    log: Log,
    moments: Vec<(usize, Files)>,
}

/// Commits one random change at a time.
async fn live(seed: u64, n_commits: usize, fold_every_pages: i64) -> Life {
    let directory = scratch();
    let path = directory.path().join("store.db");
    let backend = Sqlite::open(&path).unwrap();
    backend.connection.pragma_update(None, "wal_autocheckpoint", fold_every_pages).unwrap();
    let store = Store::with_backend(Box::new(backend)).unwrap();
    let mut chance = Seeded::new(seed);
    let mut log = Log::new();
    let mut moments = vec![(0, Files::of(&path))];
    for _ in 0..n_commits {
        let resource = RESOURCES[usize::try_from(chance.below(2)).unwrap()];
        let name = format!("object-{}", chance.below(8));
        let largest = if chance.chance(0.1) { 2000 } else { 60 };
        let size = usize::try_from(chance.below(largest)).unwrap();
        let present = state_of(&log).get(&(resource, name.clone())).copied();
        let (kind, expect, change) = match present {
            None => (EventKind::Added, Expect::Absent, Change::Put(object(&name, size))),
            Some(at) if chance.chance(0.3) => {
                (EventKind::Deleted, Expect::At(at), Change::Delete(object(&name, size)))
            }
            Some(at) => (EventKind::Modified, Expect::At(at), Change::Put(object(&name, size))),
        };
        let key = Key::new("default", name.as_str());
        let stored = store.write(&resource.into(), key, expect, change).await.unwrap();
        log.push((stored.revision(), resource, name, kind));
        moments.push((log.len(), Files::of(&path)));
        if chance.chance(0.05) {
            // Changes cease to be known, and go from the file with the next commit.
            store.table(resource).compact(stored.revision().saturating_sub(5));
        }
    }
    drop(store);
    Life { log, moments }
}

/// Puts the first `n_bytes` of what differs between two contents into the older one.
fn cut(old: &[u8], new: &[u8], begin: usize, n_bytes: usize) -> Vec<u8> {
    let end = (begin + n_bytes).min(new.len());
    let mut content = old.to_vec();
    content.resize(content.len().max(end), 0);
    content[begin..end].copy_from_slice(&new[begin..end]);
    content
}

/// Where two contents begin to differ.
fn differs_at(old: &[u8], new: &[u8]) -> usize {
    old.iter().zip(new).position(|(old, new)| old != new).unwrap_or(old.len().min(new.len()))
}

/// Every state of the files that a crash between two commits can leave; and whether the second was acknowledged.
fn crashes(before: &Files, after: &Files, chance: &mut Seeded) -> Vec<(Files, bool)> {
    let mut images = Vec::new();
    let begin = differs_at(&before.log, &after.log);
    // The head of the log is one write of 32 bytes, within a sector; after it come frames of 24 bytes and a page.
    let is_new_round = begin < 32;
    let first_write = if is_new_round { 0 } else { begin - (begin - 32) % (24 + PAGE) };
    let mut ends = vec![];
    let mut at = first_write;
    while at < after.log.len() {
        if at == 0 {
            at = 32;
        } else {
            ends.push(at + 24);
            ends.extend(
                (1..PAGE / SECTOR).map(|sector| at + 24 + sector * SECTOR).filter(|_| chance.chance(0.2)),
            );
            at += 24 + PAGE;
        }
        ends.push(at);
    }
    for end in ends.iter().filter(|end| **end <= after.log.len()) {
        let log = cut(&before.log, &after.log, first_write, end - first_write);
        images
            .push((Files { main: before.main.clone(), log: log.clone(), last: before.last.clone() }, false));
        // The length of a file may become durable before what is in it.
        let mut longer = log;
        longer.resize(longer.len().max(after.log.len()), 0);
        images.push((Files { main: before.main.clone(), log: longer, last: before.last.clone() }, false));
    }
    if before.main != after.main {
        // The log is folded in: page by page, in any order, and the log is there until that is done.
        let n_pages = after.main.len().div_ceil(PAGE);
        let changed: Vec<usize> = (0..n_pages)
            .filter(|page| {
                let range = |content: &[u8]| {
                    let begin = (page * PAGE).min(content.len());
                    content[begin..(begin + PAGE).min(content.len())].to_vec()
                };
                range(&before.main) != range(&after.main)
            })
            .collect();
        for n_written in 0..=changed.len() {
            let mut main = before.main.clone();
            for page in &changed[..n_written] {
                main = cut(&main, &after.main, page * PAGE, PAGE);
            }
            // Nobody waits for what is noted of the log: it may be older.
            let last = if chance.chance(0.5) { &before.last } else { &after.last }.clone();
            images.push((Files { main: main.clone(), log: after.log.clone(), last: last.clone() }, true));
            if let Some(page) = changed.get(n_written) {
                let torn = usize::try_from(chance.below(7)).unwrap() * SECTOR + SECTOR;
                let main = cut(&main, &after.main, page * PAGE, torn);
                images.push((Files { main, log: after.log.clone(), last }, true));
            }
        }
        for _ in 0..4 {
            let mut main = before.main.clone();
            for page in &changed {
                if chance.chance(0.5) {
                    main = cut(&main, &after.main, page * PAGE, PAGE);
                }
            }
            images.push((Files { main, log: after.log.clone(), last: after.last.clone() }, true));
        }
    }
    images.push((after.clone(), true));
    images.push((Files { last: before.last.clone(), ..after.clone() }, true));
    images.push((Files { last: Vec::new(), ..after.clone() }, true));
    images
}

/// Opens what a crash left; nothing acknowledged may be missing, nothing else may be there, and it goes on.
async fn check(path: &Path, life: &Life, n_before: usize, n_after: usize, acknowledged: bool) {
    let store = Store::open(path).unwrap();
    let found = state_in(&store);
    let (before, after) = (state_of(&life.log[..n_before]), state_of(&life.log[..n_after]));
    let n_there = if found == after { n_after } else { n_before };
    assert!(found == after || (!acknowledged && found == before), "found {found:?}, acknowledged {before:?}");
    let revision = life.log[..n_there].last().map_or(1, |(revision, ..)| *revision);
    assert_eq!(store.revision(), revision, "versions go on where they were");
    for resource in RESOURCES {
        // A watch goes on from wherever it was, or is told that it cannot.
        let table = store.table(resource);
        for from in (1..=revision).rev() {
            let Ok(mut subscription) = table.subscribe(from) else { break };
            let told: Vec<_> = subscription
                .ready()
                .unwrap()
                .iter()
                .map(|event| (event.revision(), event.object.key().name.to_string(), event.kind))
                .collect();
            let wanted: Vec<_> = life.log[..n_there]
                .iter()
                .filter(|(revision, of, ..)| *revision > from && *of == resource)
                .map(|(revision, _, name, kind)| (*revision, name.clone(), *kind))
                .collect();
            assert_eq!(told, wanted, "{resource} from {from}");
        }
    }
    let change = Change::Put(object("later", 1));
    let later = store.write(&RESOURCES[0].into(), Key::new("default", "later"), Expect::Absent, change).await;
    assert_eq!(later.unwrap().revision(), revision + 1);
    store.close().await;
    let again = Store::open(path).unwrap();
    assert_eq!(again.revision(), revision + 1);
    assert_eq!(state_in(&again).len(), found.len() + 1);
    // Its thread would otherwise have the file for a moment longer.
    again.close().await;
}

/// How many lives, and commits in each; more with `WINDLASS_CRASH_LIVES`.
fn n_lives() -> u64 {
    std::env::var("WINDLASS_CRASH_LIVES").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

#[tokio::test]
async fn a_crash_at_any_write_loses_nothing() {
    let mut n_crashes = 0;
    for seed in 0..n_lives() {
        let life = live(seed, 40, 12).await;
        let mut chance = Seeded::new(seed);
        let directory = scratch();
        let path = directory.path().join("store.db");
        for pair in life.moments.windows(2) {
            let [(n_before, before), (n_after, after)] = pair else { unreachable!("pairs") };
            for (files, acknowledged) in crashes(before, after, &mut chance) {
                files.write(&path);
                check(&path, &life, *n_before, *n_after, acknowledged).await;
                n_crashes += 1;
            }
        }
    }
    assert!(n_crashes > 300, "only {n_crashes} crashes were tried");
    println!("{n_crashes} crashes");
}

/// What a file with a changed byte may do: be refused with a reason, or hold what it held. Where it is not known how far
/// the log was acknowledged, nobody can tell whether its last transaction was damaged or cut: it may be gone as a whole.
async fn check_damaged(path: &Path, life: &Life, n_changes: usize, may_lose_last: bool) -> bool {
    match Store::open(path) {
        Err(error) => {
            let text = error.to_string();
            assert!(!text.is_empty());
            if let BackendError::Damaged { .. } = error {
                assert!(text.contains("store.db") && text.contains("restore a backup"), "{text}");
            }
            true
        }
        Ok(store) => {
            let found = state_in(&store);
            let whole = state_of(&life.log[..n_changes]);
            let without_last = state_of(&life.log[..n_changes - 1]);
            assert!(
                found == whole || (may_lose_last && found == without_last),
                "silently other: {found:?} instead of {whole:?}"
            );
            store.close().await;
            false
        }
    }
}

#[tokio::test]
async fn a_changed_byte_is_noticed_or_does_not_matter() {
    let mut n_noticed = 0;
    let mut n_tried = 0;
    let (mut n_in_last, mut n_lost_notes) = (0, 0);
    for seed in 0..n_lives() {
        let life = live(seed + 100, 40, 20).await;
        let mut chance = Seeded::new(seed);
        let directory = scratch();
        let path = directory.path().join("store.db");
        for _ in 0..300 {
            let moment = usize::try_from(chance.below(20)).unwrap() + life.moments.len() - 20;
            let (n_changes, files) = &life.moments[moment];
            let previous = &life.moments[moment - 1].1;
            let mut files = files.clone();
            let in_main = chance.chance(0.5);
            let damaged = if in_main { &mut files.main } else { &mut files.log };
            let at = usize::try_from(chance.below(damaged.len() as u64)).unwrap();
            damaged[at] ^= u8::try_from(chance.below(255)).unwrap() + 1;
            let begin = differs_at(&previous.log, &life.moments[moment].1.log);
            let frame = if begin < 32 { 0 } else { begin - (begin - 32) % (24 + PAGE) };
            let in_last = !in_main && at >= frame;
            // As a power failure may leave it: what is noted of the log is older than the log, or not there.
            let is_noted = chance.chance(0.7);
            if !is_noted {
                files.last = if chance.chance(0.5) { previous.last.clone() } else { Vec::new() };
            }
            n_lost_notes += usize::from(in_last && !is_noted);
            n_in_last += usize::from(in_last && is_noted);
            files.write(&path);
            n_noticed += usize::from(check_damaged(&path, &life, *n_changes, in_last && !is_noted).await);
            n_tried += 1;
        }
    }
    assert!(n_noticed * 4 > n_tried, "only {n_noticed} of {n_tried} were noticed");
    println!(
        "{n_tried} changed bytes, {n_noticed} noticed; of the last transaction {n_in_last}, {n_lost_notes} without a note"
    );
    assert!(n_in_last > 0 && n_lost_notes > 0);
}

#[tokio::test]
async fn a_file_of_layout_1_is_taken_over() {
    let directory = scratch();
    let path = directory.path().join("store.db");
    let old = Connection::open(&path).unwrap();
    old.execute_batch(
        r#"CREATE TABLE object (resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
             revision INTEGER NOT NULL, json BLOB NOT NULL, PRIMARY KEY (resource, namespace, name));
           CREATE TABLE last_revision (one INTEGER PRIMARY KEY CHECK (one = 1), revision INTEGER NOT NULL);
           INSERT INTO last_revision VALUES (1, 9);
           INSERT INTO object VALUES ('/configmaps', 'default', 'a', 7,
             CAST('{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","resourceVersion":"7"}}' AS BLOB));
           PRAGMA user_version = 1;"#,
    )
    .unwrap();
    drop(old);
    for _ in 0..2 {
        let store = Store::open(&path).unwrap();
        assert_eq!(store.revision(), 9);
        assert_eq!(state_in(&store).into_iter().collect::<Vec<_>>(), [(("/configmaps", "a".to_owned()), 7)]);
        assert!(store.table("/configmaps").subscribe(8).is_err(), "what came before 9 is not known");
        assert!(store.table("/secrets").subscribe(8).is_err());
        assert!(store.table("/configmaps").subscribe(9).is_ok());
        store.close().await;
    }
}

#[tokio::test]
async fn history_is_bounded_on_disk_and_in_memory() {
    let directory = scratch();
    let path = directory.path().join("store.db");
    let store = Store::open(&path).unwrap();
    let resource: Str = RESOURCES[0].into();
    let key = Key::new("default", "one");
    let mut expect = Expect::Absent;
    for _ in 0..250 {
        // 250 of 100 kB are three times what a resource remembers.
        let change = Change::Put(object("one", 10_000));
        expect = Expect::At(store.write(&resource, key.clone(), expect, change).await.unwrap().revision());
    }
    let oldest = store.table(&resource).subscribe(1).err().unwrap().oldest;
    assert!(oldest > 100, "{oldest} is still known");
    store.close().await;
    let count = |path: &Path| -> i64 {
        let connection = Connection::open(path).unwrap();
        connection.query_row("SELECT count(*) FROM version", [], |row| row.get(0)).unwrap()
    };
    let n_versions = count(&path);
    assert!(n_versions < 100, "{n_versions} versions are kept");
    assert!(fs::metadata(&path).unwrap().len() < 20 << 20);
    let again = Store::open(&path).unwrap();
    assert_eq!(again.revision(), 251);
    // The last change made others useless that were on disk still when it was written.
    let known = again.table(&resource).subscribe(1).err().unwrap().oldest;
    assert!(known >= oldest - 1 && known <= oldest, "{known} and {oldest}");
}
