//! Fetches a repository and reads all its files, telling how long each step takes.
//!
//! `cargo run -p windlass-source --example read_repository -- https://github.com/argoproj/argocd-example-apps.git HEAD`
#![expect(clippy::print_stdout, reason = "an example talks to its user")]

use std::error::Error;
use std::time::Instant;

use windlass_model::{EntryKind, Tree};
use windlass_source::{Access, Freshness, GitTree, Limits, Policy, RepositoryStore, TargetRevision};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("give the address of a repository")?.parse()?;
    let target = TargetRevision::parse(&arguments.next().unwrap_or_default(), "");
    let folder = arguments.next().map_or_else(|| std::env::temp_dir().join("windlass-example"), Into::into);

    let store = RepositoryStore::open(folder, Policy::trusting(), Limits::default())?;
    let repository = store.repository(&url, &Access::default())?;
    let started = Instant::now();
    let snapshot = repository.update_one(&target, Freshness::New)?;
    println!("{:>8.1?} to fetch {}", started.elapsed(), snapshot.revision);
    let started = Instant::now();
    repository.update_one(&target, Freshness::New)?;
    println!("{:>8.1?} to look again", started.elapsed());
    for _ in 0..2 {
        let started = Instant::now();
        let (files, bytes) = read_below(&snapshot.tree, "")?;
        println!("{:>8.1?} to read {files} files, {bytes} bytes", started.elapsed());
    }
    Ok(())
}

fn read_below(tree: &GitTree, folder: &str) -> Result<(u64, u64), Box<dyn Error>> {
    let (mut files, mut bytes) = (0, 0);
    for (name, entry) in tree.list(folder)?.unwrap_or_default() {
        let path = if folder.is_empty() { name.to_string() } else { format!("{folder}/{name}") };
        match entry.kind {
            EntryKind::Directory => {
                let below = read_below(tree, &path)?;
                files += below.0;
                bytes += below.1;
            }
            EntryKind::File => {
                files += 1;
                bytes += tree.read(&path, u64::MAX)?.map_or(0, |content| content.len() as u64);
            }
            EntryKind::Submodule => {}
        }
    }
    Ok((files, bytes))
}
