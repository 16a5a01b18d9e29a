//! What the store promises: order, expectations, history, durability.

use windlass_kube::{Object, value};

use super::*;

fn object(name: &str, data: &str) -> Object {
    let value = value!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "zz": "1"}, "data": {"a": data}});
    Object::try_new(value).unwrap()
}

fn resource() -> Str {
    "/configmaps".into()
}

async fn put(store: &Store, name: &str, data: &str, expect: Expect) -> Result<Arc<Stored>, WriteError> {
    store.write(&resource(), Key::new("default", name), expect, Change::Put(object(name, data))).await
}

async fn delete(store: &Store, name: &str, at: Revision) -> Result<Arc<Stored>, WriteError> {
    let change = Change::Delete(object(name, "last"));
    store.write(&resource(), Key::new("default", name), Expect::At(at), change).await
}

#[tokio::test]
async fn writes_get_revisions_and_expectations_hold() {
    let store = Store::in_memory();
    let first = put(&store, "a", "1", Expect::Absent).await.unwrap();
    assert_eq!(first.revision(), 2);
    assert_eq!(
        std::str::from_utf8(&first.json()).unwrap(),
        r#"{"apiVersion":"v1","data":{"a":"1"},"kind":"ConfigMap","metadata":{"name":"a","resourceVersion":"2","zz":"1"}}"#
    );
    assert_eq!(first.object().resource_version(), "2");
    assert!(matches!(put(&store, "a", "2", Expect::Absent).await, Err(WriteError::Conflict { .. })));
    assert!(matches!(put(&store, "a", "2", Expect::At(7)).await, Err(WriteError::Conflict { .. })));
    let second = put(&store, "a", "2", Expect::At(2)).await.unwrap();
    assert_eq!((second.revision(), store.revision()), (3, 3));
    let gone = delete(&store, "a", 3).await.unwrap();
    assert_eq!(gone.revision(), 4);
    assert!(store.table("/configmaps").is_empty());
}

#[tokio::test]
async fn lists_the_past_and_follows_from_it() {
    let store = Store::in_memory();
    let a = put(&store, "a", "1", Expect::Absent).await.unwrap();
    put(&store, "b", "1", Expect::Absent).await.unwrap();
    put(&store, "a", "2", Expect::At(a.revision())).await.unwrap();
    delete(&store, "b", 3).await.unwrap();
    put(&store, "c", "1", Expect::Absent).await.unwrap();
    let table = store.table("/configmaps");
    let names = |revision| -> Vec<(String, Revision)> {
        let snapshot = table.list_at(None, None, revision).unwrap();
        snapshot.objects.iter().map(|object| (object.key().name.to_string(), object.revision())).collect()
    };
    assert_eq!(names(2), [("a".into(), 2)]);
    assert_eq!(names(3), [("a".into(), 2), ("b".into(), 3)]);
    assert_eq!(names(4), [("a".into(), 4), ("b".into(), 3)]);
    assert_eq!(names(6), [("a".into(), 4), ("c".into(), 6)]);
    let mut subscription = table.subscribe(3).unwrap();
    let events = subscription.next().await.unwrap();
    let told: Vec<_> = events.iter().map(|event| (event.kind, event.revision())).collect();
    assert_eq!(told, [(EventKind::Modified, 4), (EventKind::Deleted, 5), (EventKind::Added, 6)]);
    table.compact(4);
    assert_eq!(table.subscribe(3).err(), Some(Compacted { asked: 3, oldest: 4 }));
    assert!(table.list_at(None, None, 3).is_err());
    assert!(table.subscribe(4).is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_writers_leave_one_history() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let store = Store::open(&path).unwrap();
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                for n in 0..25 {
                    put(&store, &format!("t{task}-{n}"), "x", Expect::Absent).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!((store.revision(), store.table("/configmaps").len()), (201, 200));
    let events = store.table("/configmaps").subscribe(1).unwrap().ready().unwrap();
    assert!(events.iter().map(|event| event.revision()).eq(2..=201));
    assert!(Store::open(&path).is_err(), "the file belongs to one process");
    store.close().await;
    assert!(matches!(put(&store, "late", "x", Expect::Absent).await, Err(WriteError::Closed)));
    let again = Store::open(&path).unwrap();
    assert_eq!((again.revision(), again.table("/configmaps").len()), (201, 200));
    let events = again.table("/configmaps").subscribe(100).unwrap().ready().unwrap();
    assert!(events.iter().map(|event| event.revision()).eq(101..=201), "history survives");
    let stored = again.table("/configmaps").get(&Key::new("default", "t3-7")).unwrap();
    assert_eq!(stored.object().resource_version(), stored.revision().to_string());
}

/// Fails every commit while told to.
struct Failing(Arc<std::sync::atomic::AtomicBool>);

impl Backend for Failing {
    fn load(&mut self, _each: &mut dyn FnMut(Loaded)) -> Result<Revision, BackendError> {
        Ok(1)
    }

    fn commit(&mut self, _batch: &Batch<'_>) -> Result<(), BackendError> {
        if self.0.load(Ordering::SeqCst) {
            return Err(BackendError::Thread(std::io::Error::other("disk full")));
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_failed_commit_changes_nothing() {
    let failing = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let store = Store::with_backend(Box::new(Failing(failing.clone()))).unwrap();
    put(&store, "a", "1", Expect::Absent).await.unwrap();
    failing.store(true, Ordering::SeqCst);
    assert!(matches!(put(&store, "a", "2", Expect::At(2)).await, Err(WriteError::Backend(_))));
    assert_eq!(store.revision(), 2);
    assert_eq!(store.table("/configmaps").list(None).objects[0].revision(), 2);
    failing.store(false, Ordering::SeqCst);
    assert_eq!(put(&store, "a", "2", Expect::At(2)).await.unwrap().revision(), 3);
}

#[test]
fn keys_sort_as_etcd_sorts_them() {
    let mut keys = [Key::new("a", "x"), Key::new("a-b", "x"), Key::new("", "z"), Key::new("a", "b")];
    keys.sort();
    let shown: Vec<String> = keys.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["z", "a-b/x", "a/b", "a/x"]);
}
