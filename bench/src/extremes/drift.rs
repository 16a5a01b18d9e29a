//! Somebody who changes a thousand objects a second, each of which Windlass brings back.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::json;

use super::{Measure, application, config_map, has_any};
use crate::client::Call;
use crate::figures::{Row, duration, float};
use crate::scene::SETTLE;
use crate::usage::{memory, processor_time};
use crate::workload::{self, FLOOR, TARGET};

/// How many Units, and how many objects each.
const N_UNITS: usize = 200;
const N_OBJECTS: usize = 50;

/// How many objects somebody changes in a second.
const PER_SECOND: usize = 1000;

pub(super) async fn measure(measure: &mut Measure<'_>) -> Result<()> {
    let (n_units, n_objects) = (measure.arguments.scaled(N_UNITS), N_OBJECTS);
    let n_all = n_units * n_objects;
    let title = measure
        .title(&format!("drift, {PER_SECOND} objects a second of {n_units} Units with {n_objects} each"));
    let (mut scene, _folder) = measure.scene(files(n_units)).await?;
    let units: Vec<_> = (0..n_units).map(|idx| application(&unit(idx), &scene.repository)).collect();
    scene.create(&units).await?;
    tokio::time::sleep(SETTLE).await;
    let applies = scene.count("windlass_applies_total").await?;
    let used = processor_time(scene.windlass.id());
    let empty = memory(scene.windlass.id());

    let mut pool = scene.api.pool().await?;
    let begun = Instant::now();
    let drift = json!({"metadata": {"labels": {"state": "drifted"}}});
    // Neighbours in time are of different Units, as when somebody goes through a cluster kind by kind.
    let paths: Vec<String> = (0..n_all)
        .map(|idx| format!("{}/{}", workload::config_maps(TARGET), object(idx % n_units, idx / n_units)))
        .collect();
    for (nth, second) in paths.chunks(PER_SECOND).enumerate() {
        let calls = second.iter().map(|path| vec![drifting(path, &drift)]).collect();
        pool.run(calls).await?;
        let due = Duration::from_secs(u64::try_from(nth)? + 1);
        tokio::time::sleep(due.saturating_sub(begun.elapsed())).await;
    }
    let storm = begun.elapsed();
    let healed = until_healed(&scene.api, measure.arguments.timeout()).await?;
    tokio::time::sleep(SETTLE).await;
    let applies = scene.count("windlass_applies_total").await? - applies;
    let used = processor_time(scene.windlass.id()).saturating_sub(used);
    let usage = memory(scene.windlass.id());
    let grown = usage.peak.saturating_sub(empty.resident) / 1024;

    // What a bare client takes to bring the same number back.
    let calls = |value: &'static str| {
        (0..n_all)
            .map(move |idx| vec![super::bare_apply(&format!("drift-{idx:05}"), value)])
            .collect::<Vec<_>>()
    };
    let (process, api) = measure.server.bare(measure.place).await?;
    let mut pool = api.pool().await?;
    pool.run(calls("first")).await?;
    let floor = pool.run(calls("again")).await?;
    api.once(&Call::delete(&workload::config_maps(FLOOR))).await?;
    process.map_or(Ok(()), crate::windlass::Windlass::stop)?;

    let rows = vec![
        Row::time(format!("floor: {n_all} applies"), floor),
        Row::time(format!("the storm: {n_all} objects changed"), storm)
            .note(format!("{:.0} a second", float(n_all) / storm.as_secs_f64())),
        Row::time("end of the storm → all as declared", healed).note(format!(
            "{:.2} applies a change; processor time {} in all; memory grew by {grown} MiB at most",
            applies / float(n_all),
            duration(used),
        )),
        Row::memory("resident memory", usage.resident),
    ];
    measure.report.add(title, rows);
    scene.finish(measure.server).await
}

/// A change by somebody who is not Windlass.
fn drifting(path: &str, patch: &serde_json::Value) -> Call {
    let mut call = Call::merge(path, patch);
    call.path = format!("{path}?fieldManager=somebody");
    call
}

async fn until_healed(api: &crate::client::Api, timeout: Duration) -> Result<Duration> {
    let begun = Instant::now();
    while has_any(api, TARGET, "state=drifted").await? {
        if begun.elapsed() > timeout {
            bail!("what drifted is not as declared after {timeout:?}");
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(begun.elapsed())
}

fn unit(idx: usize) -> String {
    format!("drift-{idx:03}")
}

fn object(unit_idx: usize, idx: usize) -> String {
    format!("{}-{idx:03}", unit(unit_idx))
}

fn files(n_units: usize) -> Vec<(String, String)> {
    let file = |unit_idx: usize| {
        let documents: Vec<String> =
            (0..N_OBJECTS).map(|idx| config_map(&object(unit_idx, idx), "declared", &[])).collect();
        (format!("{0}/{0}.yaml", unit(unit_idx)), documents.join("---\n"))
    };
    (0..n_units).map(file).collect()
}
