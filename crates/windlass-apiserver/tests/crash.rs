//! What was acknowledged survives `kill -9` in the middle of writes.

#![expect(clippy::unwrap_used, reason = "a test ends where something is wrong")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use windlass_apiserver::store::{Change, Expect, Key, Store};
use windlass_kube::{Object, Str, value};

/// Tells the child where to write, and that it is the child.
const DIRECTORY: &str = "WINDLASS_CRASH_TEST_DIRECTORY";

fn object(name: &str, round: u64) -> Object {
    let value = value!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name},
        "data": {"round": (round.to_string()), "padding": ("x".repeat(2000))}
    });
    Object::try_new(value).unwrap()
}

/// Writes without end from several tasks, and says of each write that it was acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn child_writes_until_it_is_killed() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let store = Store::open(&Path::new(&directory).join("store.db")).unwrap();
    let resource = Str::new("/configmaps");
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let (store, resource) = (store.clone(), resource.clone());
            tokio::spawn(async move {
                let name = format!("object-{task}");
                let mut expect = Expect::Absent;
                for round in 0_u64.. {
                    let change = Change::Put(object(&name, round));
                    let stored = store
                        .write(&resource, Key::new("default", name.as_str()), expect, change)
                        .await
                        .unwrap();
                    expect = Expect::At(stored.revision());
                    let mut out = std::io::stdout().lock();
                    writeln!(out, "ACK {name} {round} {}", stored.revision()).unwrap();
                    out.flush().unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn nothing_acknowledged_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    for n_acknowledged in [1, 50, 300] {
        let path = directory.path().join(n_acknowledged.to_string());
        std::fs::create_dir(&path).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_writes_until_it_is_killed", "--nocapture"])
            .env(DIRECTORY, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut last: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        let mut n_seen = 0;
        let mut note = |line: String| {
            // The test harness writes into the same stream, before the first acknowledgement.
            let Some((_, ack)) = line.split_once("ACK ") else { return 0 };
            let words: Vec<&str> = ack.split(' ').collect();
            let [name, round, revision] = words.as_slice() else { return 0 };
            let (Ok(round), Ok(revision)) = (round.parse(), revision.parse()) else { return 0 };
            last.insert((*name).to_owned(), (round, revision));
            1
        };
        while n_seen < n_acknowledged {
            n_seen += note(lines.next().unwrap().unwrap());
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What was said before the end counts too; the last line may be cut.
        for line in lines.map_while(Result::ok) {
            note(line);
        }
        let store = Store::open(&path.join("store.db")).unwrap();
        let table = store.table("/configmaps");
        for (name, (round, revision)) in &last {
            let stored = table.get(&Key::new("default", name.as_str())).unwrap();
            let stored_round: u64 = stored.object().str_at(&["data", "round"]).parse().unwrap();
            assert!(stored_round >= *round && stored.revision() >= *revision, "{name} went back");
            assert!(store.revision() >= stored.revision());
        }
        store.close().await;
    }
}
