//! Records over restarts, damage, bounds and other processes.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use windlass_kube::Str;
use windlass_model::{Digest, MemoryTree, Renderer};
use windlass_render::{Context, Instant, RenderCache, Rendered, World};
use windlass_store::RecordStore;

fn key(name: &str) -> Digest {
    Digest::of_bytes(name.as_bytes())
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[test]
fn records_outlive_the_store_and_replace_one_another_by_slot() {
    let folder = tempfile::tempdir().unwrap();
    let store = RecordStore::open(folder.path(), 1 << 20).unwrap();
    store.put(key("a"), 0, b"one").unwrap();
    store.put(key("a"), 1, b"two").unwrap();
    store.put(key("a"), 0, b"three").unwrap();
    let again = RecordStore::open(folder.path(), 1 << 20).unwrap();
    assert_eq!(again.get(key("a")), [b"three".to_vec(), b"two".to_vec()]);
    assert!(again.get(key("b")).is_empty());
}

#[test]
fn a_damaged_record_is_none_wherever_it_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let store = RecordStore::open(folder.path(), 1 << 20).unwrap();
    let write = || store.put(key("a"), 0, b"a record of some length, a record of some length").unwrap();
    write();
    let file = files(folder.path()).remove(0);
    let whole = fs::read(&file).unwrap();
    for at in 0..whole.len() {
        write();
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fs::write(&file, &damaged).unwrap();
        assert!(store.get(key("a")).is_empty(), "byte {at}");
        assert!(!file.exists(), "byte {at}");
        fs::write(&file, &whole[..at]).unwrap();
        assert!(store.get(key("a")).is_empty(), "cut at {at}");
    }
    write();
    assert_eq!(store.get(key("a")).len(), 1);
}

#[test]
fn the_folder_stays_within_its_bound_and_keeps_what_is_used() {
    const CAPACITY: u64 = 64 * 1024;
    let folder = tempfile::tempdir().unwrap();
    let store = RecordStore::open(folder.path(), CAPACITY).unwrap();
    // What cannot be packed.
    let noise = |n: u32| -> Vec<u8> {
        (0..64_u32)
            .flat_map(|idx| *blake3::hash(&[n.to_le_bytes(), idx.to_le_bytes()].concat()).as_bytes())
            .collect()
    };
    store.put(key("favourite"), 0, &noise(0)).unwrap();
    for n in 1..200 {
        store.put(key(&n.to_string()), 0, &noise(n)).unwrap();
        assert_eq!(store.get(key("favourite")).len(), 1, "after {n}");
        let bytes: u64 = files(folder.path()).iter().map(|file| file.metadata().unwrap().len()).sum();
        assert!(bytes <= CAPACITY, "{bytes} after {n}");
    }
}

#[test]
fn many_writers_leave_whole_records() {
    let folder = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for writer in 0..4_u8 {
            let folder = folder.path();
            scope.spawn(move || {
                let store = RecordStore::open(folder, 1 << 20).unwrap();
                for n in 0..100_u8 {
                    store.put(key(&(n % 5).to_string()), 0, &vec![writer; 1000 + usize::from(n)]).unwrap();
                    for record in store.get(key(&(n % 7).to_string())) {
                        assert!(record.iter().all(|byte| *byte == record[0]));
                    }
                }
            });
        }
    });
    let store = RecordStore::open(folder.path(), 1 << 20).unwrap();
    assert!((0..5).all(|n: u8| store.get(key(&n.to_string())).len() == 1));
}

/// A world whose chance is another in each process.
struct Chance(u8);

impl World for Chance {
    fn now(&mut self) -> Instant {
        Instant { seconds: 0, nanoseconds: 0 }
    }

    fn random(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_mul(31).wrapping_add(7);
            *byte = self.0;
        }
    }
}

fn chart(more: &[(&str, &str)]) -> MemoryTree {
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {p: {{ randAlphaNum 20 | quote }}, v: {{ \
                    .Values.v | quote }}}\n";
    let mut files = vec![
        ("app/Chart.yaml", "apiVersion: v2\nname: app\nversion: 1.0.0\n"),
        ("app/values.yaml", "v: one\n"),
        ("app/templates/a.yaml", template),
    ];
    files.retain(|(path, _)| !more.iter().any(|(other, _)| path == other));
    files.extend_from_slice(more);
    MemoryTree::new(files)
}

fn data(rendered: &Rendered) -> (Str, Str) {
    let text = |key| rendered.manifests[0].object.str_at(&["data", key]).into();
    (text("p"), text("v"))
}

#[test]
fn what_chance_made_stays_over_a_restart_until_an_input_changes() {
    let folder = tempfile::tempdir().unwrap();
    // Each call is a process of its own.
    let process = |tree: &MemoryTree, chance: u8| {
        let store = RecordStore::open(folder.path(), 1 << 20).unwrap();
        let cache = RenderCache::new(1 << 20).with_store(Arc::new(store));
        let mut world = Chance(chance);
        let mut context = Context::empty(&mut world);
        context.name = "app".into();
        let rendered = cache.render("repo", tree, "app", &Renderer::Detect, &mut context).unwrap();
        assert!(rendered.by_chance);
        (data(&rendered), cache.counts())
    };
    let ((password, _), counts) = process(&chart(&[]), 1);
    assert_eq!((counts.rendered, counts.loaded), (1, 0));
    let ((again, _), counts) = process(&chart(&[("README.md", "beside")]), 2);
    assert_eq!((counts.rendered, counts.loaded), (0, 1));
    assert_eq!(again, password);
    let changed = chart(&[("app/values.yaml", "v: two\n")]);
    let ((new, value), counts) = process(&changed, 3);
    assert_eq!((counts.rendered, counts.loaded, value.as_str()), (1, 0, "two"));
    assert_ne!(new, password);
    // Both revisions are known.
    assert_eq!(process(&chart(&[]), 4).0.0, password);
    assert_eq!(process(&changed, 5).0.0, new);
    for file in files(folder.path()) {
        fs::write(file, "damaged").unwrap();
    }
    assert_eq!(process(&chart(&[]), 6).1.rendered, 1);
}

#[test]
fn a_render_anew_passes_by_what_is_kept_and_takes_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let cache = || {
        let store = RecordStore::open(folder.path(), 1 << 20).unwrap();
        RenderCache::new(1 << 20).with_store(Arc::new(store))
    };
    let run = |cache: &RenderCache, chance: u8, anew: bool, tree: &MemoryTree| {
        let mut world = Chance(chance);
        let mut context = Context::empty(&mut world);
        context.name = "app".into();
        let render = if anew { RenderCache::render_anew } else { RenderCache::render };
        render(cache, "repo", tree, "app", &Renderer::Detect, &mut context).map(|rendered| data(&rendered).0)
    };
    let (first, tree) = (cache(), chart(&[]));
    let password = run(&first, 1, false, &tree).unwrap();
    assert_eq!(run(&first, 2, false, &tree).unwrap(), password);
    let renewed = run(&first, 3, true, &tree).unwrap();
    assert_ne!(renewed, password);
    // From then on the new one is what is kept, in this process and in the next.
    assert_eq!(run(&first, 4, false, &tree).unwrap(), renewed);
    assert_eq!(run(&cache(), 5, false, &tree).unwrap(), renewed);
    // Another process knows nothing of the old one in memory, and passes by the record.
    assert_ne!(run(&cache(), 6, true, &tree).unwrap(), renewed);
    // A failure is not told again, but tried.
    let broken = chart(&[("app/values.yaml", "v: [\n")]);
    run(&first, 1, false, &broken).unwrap_err();
    let n_before = first.counts();
    run(&first, 1, false, &broken).unwrap_err();
    run(&first, 1, true, &broken).unwrap_err();
    let n_after = first.counts();
    assert_eq!((n_after.paused - n_before.paused, n_after.rendered - n_before.rendered), (1, 1));
}
