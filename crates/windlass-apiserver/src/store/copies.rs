//! Copies that are made while a writer writes, and what is made durable together.

use std::collections::BTreeMap;

use windlass_kube::{Object, value};
use windlass_testing::Seeded;

use super::*;

const RESOURCES: [&str; 2] = ["/configmaps", "apps/deployments"];

/// Every change that was acknowledged: revision, resource, name, kind, and what the object said.
type Log = Vec<(Revision, &'static str, String, EventKind, u64)>;

fn object(name: &str, said: u64, size: usize) -> Object {
    let value = value!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name},
        "data": {"said": (said.to_string()), "text": ("some text ".repeat(size))}});
    Object::try_new(value).unwrap()
}

/// Writes random changes until `enough` says so of their number.
async fn write_on(store: &Store, log: &mut Log, chance: &mut Seeded, mut enough: impl FnMut(usize) -> bool) {
    let mut present: BTreeMap<(&'static str, String), Revision> = BTreeMap::new();
    for (revision, resource, name, kind, _) in log.iter() {
        match kind {
            EventKind::Deleted => present.remove(&(*resource, name.clone())),
            EventKind::Added | EventKind::Modified => present.insert((*resource, name.clone()), *revision),
        };
    }
    let mut n_written = 0;
    while !enough(n_written) {
        let resource = RESOURCES[usize::try_from(chance.below(2)).unwrap()];
        let name = format!("object-{}", chance.below(40));
        // Large ones push the history of their resource over its limit.
        let size = if chance.chance(0.2) { 12_000 } else { 20 };
        let said = chance.below(u64::MAX);
        let at = present.get(&(resource, name.clone())).copied();
        let (kind, expect, change) = match at {
            None => (EventKind::Added, Expect::Absent, Change::Put(object(&name, said, size))),
            Some(at) if chance.chance(0.3) => {
                (EventKind::Deleted, Expect::At(at), Change::Delete(object(&name, said, size)))
            }
            Some(at) => (EventKind::Modified, Expect::At(at), Change::Put(object(&name, said, size))),
        };
        let key = Key::new("default", name.as_str());
        let stored = store.write(&resource.into(), key, expect, change).await.unwrap();
        match kind {
            EventKind::Deleted => present.remove(&(resource, name.clone())),
            EventKind::Added | EventKind::Modified => {
                present.insert((resource, name.clone()), stored.revision())
            }
        };
        log.push((stored.revision(), resource, name, kind, said));
        n_written += 1;
    }
}

/// That a store is what the log says of the time up to `revision`: objects, and the history as far as it is known.
fn check(store: &Store, log: &Log, revision: Revision) {
    assert_eq!(store.revision(), revision);
    let until: Vec<_> = log.iter().filter(|(at, ..)| *at <= revision).collect();
    for resource in RESOURCES {
        let mut wanted: BTreeMap<String, (Revision, u64)> = BTreeMap::new();
        for (at, _, name, kind, said) in until.iter().filter(|(_, of, ..)| *of == resource) {
            match kind {
                EventKind::Deleted => wanted.remove(name),
                EventKind::Added | EventKind::Modified => wanted.insert(name.clone(), (*at, *said)),
            };
        }
        let table = store.table(resource);
        let said = |stored: &Stored| stored.object().str_at(&["data", "said"]).parse::<u64>().unwrap();
        let objects = table.list(None).objects;
        let found: BTreeMap<_, _> = objects
            .iter()
            .map(|stored| (stored.key().name.to_string(), (stored.revision(), said(stored))))
            .collect();
        assert_eq!(found, wanted, "{resource} at {revision}");
        let oldest = table.subscribe(1).err().map_or(1, |compacted| compacted.oldest);
        for from in (oldest..revision).step_by(47) {
            let events = table.subscribe(from).unwrap().ready().unwrap();
            let told: Vec<_> = events
                .iter()
                .map(|event| {
                    (event.revision(), event.object.key().name.to_string(), event.kind, said(&event.object))
                })
                .collect();
            let wanted: Vec<_> = until
                .iter()
                .filter(|(at, of, ..)| *at > from && *of == resource)
                .map(|(at, _, name, kind, said)| (*at, name.clone(), *kind, *said))
                .collect();
            assert_eq!(told, wanted, "{resource} from {from}");
        }
        assert!(oldest < revision.saturating_sub(20), "nearly nothing of the history is known");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_is_the_store_at_its_revision_while_a_writer_writes() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&directory.path().join("store.db")).unwrap();
    let mut chance = Seeded::new(7);
    let mut log = Log::new();
    write_on(&store, &mut log, &mut chance, |n_written| n_written == 300).await;
    let mut n_meanwhile = 0;
    for round in 0..2 {
        let path = directory.path().join(format!("copy-{round}"));
        let carried = vec![Carried { name: "key".into(), text: format!("secret {round}") }];
        let copying = tokio::spawn({
            let (store, path, carried) = (store.clone(), path.clone(), carried.clone());
            async move { store.copy_to(&path, carried).await }
        });
        let begun = log.len();
        write_on(&store, &mut log, &mut chance, |n_written| copying.is_finished() && n_written > 10).await;
        n_meanwhile += log.len() - begun;
        let revision = copying.await.unwrap().unwrap();
        assert!(revision >= log[begun - 1].0, "what was acknowledged before is in it");
        assert_eq!(Store::verify(&path).unwrap().0, revision);
        assert_eq!(Store::take_carried(&path).unwrap(), carried);
        assert_eq!(Store::take_carried(&path).unwrap(), []);
        let copy = Store::open(&path).unwrap();
        check(&copy, &log, revision);
        // It goes on from there.
        let change = Change::Put(object("later", 1, 1));
        let later = copy.write(&RESOURCES[0].into(), Key::new("", "later"), Expect::Absent, change).await;
        assert_eq!(later.unwrap().revision(), revision + 1);
        copy.close().await;
        assert_eq!(Store::open(&path).unwrap().revision(), revision + 1);
    }
    assert!(n_meanwhile > 20, "{n_meanwhile} changes were made while copies were");
}

#[tokio::test]
async fn writes_do_not_wait_for_a_copy() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&directory.path().join("store.db")).unwrap();
    let mut chance = Seeded::new(1);
    let mut log = Log::new();
    write_on(&store, &mut log, &mut chance, |n_written| n_written == 50).await;
    // A copy that takes for ever: it has its image, and has not begun to write.
    let image = store.image().await.unwrap();
    let revision = store.revision();
    write_on(&store, &mut log, &mut chance, |n_written| n_written == 50).await;
    assert_eq!(image.revision, revision);
    let path = directory.path().join("copy");
    image.write(&path, &[]).unwrap();
    check(&Store::open(&path).unwrap(), &log, revision);
}

#[tokio::test]
async fn a_copy_of_nothing_and_over_something() {
    let directory = tempfile::tempdir().unwrap();
    let (store, copy) = (directory.path().join("store.db"), directory.path().join("copy"));
    let store = Store::open(&store).unwrap();
    assert_eq!(store.copy_to(&copy, Vec::new()).await.unwrap(), 1);
    assert_eq!(Store::verify(&copy).unwrap(), (1, 0));
    assert!(store.copy_to(&copy, Vec::new()).await.is_err(), "there is something in the file");
    assert!(matches!(
        Store::in_memory().copy_to(&directory.path().join("other"), Vec::new()).await,
        Err(BackendError::NothingOnDisk)
    ));
    assert!(!format!("{:?}", Carried { name: "key".into(), text: "secret".into() }).contains("secret"));
}

/// Counts commits, and fails them while told to.
struct Counting(Arc<AtomicU64>, Arc<std::sync::atomic::AtomicBool>);

impl Backend for Counting {
    fn load(&mut self, _each: &mut dyn FnMut(Loaded)) -> Result<Revision, BackendError> {
        Ok(1)
    }

    fn commit(&mut self, batch: &Batch<'_>) -> Result<(), BackendError> {
        if self.1.load(Ordering::SeqCst) {
            return Err(BackendError::Closed);
        }
        assert!(!batch.records.is_empty());
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

#[tokio::test]
async fn what_is_written_together_is_one_commit() {
    let (n_commits, failing) = (Arc::new(AtomicU64::new(0)), Arc::default());
    let counting = Counting(n_commits.clone(), Arc::clone(&failing));
    let store = Store::with_backend(Box::new(counting)).unwrap();
    let mut chance = Seeded::new(3);
    let mut log = Log::new();
    store.together(write_on(&store, &mut log, &mut chance, |n_written| n_written == 30)).await.unwrap();
    assert_eq!((n_commits.load(Ordering::SeqCst), store.revision()), (1, 31));
    store.together(async {}).await.unwrap();
    assert_eq!(n_commits.load(Ordering::SeqCst), 1, "nothing is not committed");
    write_on(&store, &mut log, &mut chance, |n_written| n_written == 3).await;
    assert_eq!(n_commits.load(Ordering::SeqCst), 4);
    failing.store(true, Ordering::SeqCst);
    let failed = store.together(write_on(&store, &mut log, &mut chance, |n_written| n_written == 2)).await;
    assert!(matches!(failed, Err(BackendError::Together(_))));
    failing.store(false, Ordering::SeqCst);
    // What was seen and is lost must not be built upon.
    let change = Change::Put(object("late", 1, 1));
    let late = store.write(&RESOURCES[0].into(), Key::new("", "late"), Expect::Absent, change).await;
    assert!(matches!(late, Err(WriteError::Backend(_))));
}

#[tokio::test]
async fn what_was_written_together_survives() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let store = Store::open(&path).unwrap();
    let mut log = Log::new();
    let mut chance = Seeded::new(5);
    store.together(write_on(&store, &mut log, &mut chance, |n_written| n_written == 100)).await.unwrap();
    store.close().await;
    check(&Store::open(&path).unwrap(), &log, 101);
    let names: Vec<_> =
        std::fs::read_dir(directory.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| !name.to_string_lossy().contains("new")), "{names:?}");
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}
