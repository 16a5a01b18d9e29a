//! Memory does not grow with history: an object may change for ever.

#![expect(clippy::unwrap_used, reason = "a test ends where something is wrong")]

use windlass_apiserver::store::{Change, Expect, Key, Store};
use windlass_kube::{Object, Str, value};

/// How often each object changes; more with `WINDLASS_MEMORY_UPDATES`. The history of one resource remembers 8,192
/// changes at most.
const N_UPDATES: u64 = 30_000;

/// By how much memory may differ between two moments: what an allocator keeps for later.
const SLACK: u64 = 12 << 20;

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

fn object(n: u64, size: usize) -> Object {
    let value = value!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one", "namespace": "default"},
        "data": {"n": (n.to_string()), "text": ("some text ".repeat(size))}
    });
    Object::try_new(value).unwrap()
}

async fn change(store: &Store, resource: &Str, updates: std::ops::Range<u64>, size: usize, at: &mut Expect) {
    for n in updates {
        let key = Key::new("default", "one");
        let stored = store.write(resource, key, *at, Change::Put(object(n, size))).await.unwrap();
        *at = Expect::At(stored.revision());
    }
}

/// Both in one test, because they look at the memory of one process.
#[tokio::test]
async fn memory_does_not_grow_with_history() {
    let n_updates = std::env::var("WINDLASS_MEMORY_UPDATES").map_or(N_UPDATES, |text| text.parse().unwrap());
    let store = Store::in_memory();
    // Small objects, of which the history remembers a number; large ones, of which it remembers so many bytes.
    for (resource, size, n_updates) in [("/configmaps", 50, n_updates), ("/secrets", 5000, n_updates / 20)] {
        let resource = Str::new(resource);
        let mut at = Expect::Absent;
        let begun = resident();
        change(&store, &resource, 0..n_updates / 2, size, &mut at).await;
        let half = resident();
        change(&store, &resource, n_updates / 2..n_updates, size, &mut at).await;
        let whole = resident();
        println!(
            "{n_updates} updates of {} bytes: {begun} bytes resident, {half} after half of them, {whole} after all",
            size * 10
        );
        assert!(
            whole < half + SLACK,
            "{half} bytes after {} updates, {whole} after {n_updates}",
            n_updates / 2
        );
        let oldest = store.table(&resource).subscribe(1).err().unwrap().oldest;
        assert!(oldest > n_updates / 2, "{oldest} is still known");
    }
}
