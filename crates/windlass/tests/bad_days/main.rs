//! Random bad days: commits, drift, faults between the engine and the API, and kills, all as a seed says.
//!
//! Each seed is a world of its own on an embedded API that all share: a repository, two Applications, an engine that is
//! killed and started again. Whatever happened, afterwards these hold:
//!
//! - it converges: everything is as the newest commit declares it, and the statuses say so;
//! - nothing is lost: what belongs to nobody stays, and the history ends with what is deployed;
//! - nothing was pruned that every commit since it was applied declares;
//! - no object was applied as an older commit declares it after it was as a newer one does.
//!
//! A failure prints its seed. `WINDLASS_SEED=7 WINDLASS_COUNT=1` runs one again; how calls and threads interleave is not
//! part of a seed, so that it may take several runs. `cargo xtask bad-days 1000` runs many.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod world;

use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _};
use windlass_apiserver::{Config, Server};
use windlass_cluster::{ApplyOptions, ClusterClient, Resource};
use windlass_kube::{Object, Value};

use crate::world::World;

/// Enough to notice most of what breaks, in the time of one end-to-end scenario.
const SEEDS: u64 = 24;

/// More worlds at once would only make each of them slower.
const AT_ONCE: usize = 6;

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

#[test]
fn it_converges_whatever_happens() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    if let Ok(filter) = std::env::var("WINDLASS_LOG") {
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    }
    let (first, count) = (setting("WINDLASS_SEED", 1), setting("WINDLASS_COUNT", SEEDS));
    runtime.block_on(async {
        let config = Config { simulate_workloads: true, ..Config::default() };
        let server = Arc::new(Server::start(config).await.unwrap());
        define_kinds(&ClusterClient::new(kube::Client::new(server.service(), "default"))).await;
        let worlds = stream::iter(first..first + count).map(|seed| {
            let server = server.clone();
            tokio::spawn(async move {
                let mut world = World::new(seed, &server).await;
                let ended = world.live_through().await;
                world.end().await;
                (seed, world.n_faults(), ended.map_err(|problem| world.story(&problem)))
            })
        });
        let mut n_done = 0;
        let mut n_faults = 0;
        let mut failed = Vec::new();
        let mut worlds = worlds.buffer_unordered(AT_ONCE);
        while let Some(ended) = worlds.next().await {
            let (seed, faults, ended) = ended.unwrap();
            n_done += 1;
            n_faults += faults;
            if let Err(story) = ended {
                eprintln!("--- seed {seed}\n{story}\n---");
                failed.push(seed);
            }
            if n_done % 50 == 0 {
                eprintln!("{n_done} of {count} seeds, {n_faults} faults");
            }
        }
        assert!(failed.is_empty(), "seeds that failed (WINDLASS_SEED): {failed:?}");
        assert!(n_faults > 0 || count < SEEDS, "nothing went wrong, so that nothing was tested");
    });
}

async fn define_kinds(client: &ClusterClient) {
    let definitions = "customresourcedefinitions";
    let definition =
        Resource::new("apiextensions.k8s.io", "v1", "CustomResourceDefinition", definitions, false);
    for object in windlass_argo::crds() {
        let object = Object::try_new(Value::from(object)).unwrap();
        client.apply(&definition, &object, &ApplyOptions::new("test")).await.unwrap();
    }
}
