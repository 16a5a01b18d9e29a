//! One Unit of thousands of objects.

use anyhow::Result;

use super::{Measure, application, bare_apply, config_map};
use crate::client::Call;
use crate::figures::{Row, float, median};
use crate::scene::SETTLE;
use crate::usage::memory;
use crate::workload::{self, CONTROL_PLANE};

/// How many objects.
const N_OBJECTS: usize = 5000;

/// How many of them stand in one file.
const N_IN_FILE: usize = 50;

pub(super) async fn measure(measure: &mut Measure<'_>) -> Result<()> {
    let n_objects = measure.arguments.scaled(N_OBJECTS);
    let title = measure.title(&format!("one Unit of {n_objects} objects"));
    let applies =
        |value: &str| (0..n_objects).map(|idx| vec![bare_apply(&name(idx), value)]).collect::<Vec<_>>();
    let floor_first = measure.floor(applies("first")).await?;
    let floor_change = {
        // Creating them first is not part of it.
        let (process, api) = measure.server.bare(measure.place).await?;
        let mut pool = api.pool().await?;
        pool.run(applies("first")).await?;
        let took = pool.run(applies("change")).await?;
        api.once(&Call::delete(&workload::config_maps(workload::FLOOR))).await?;
        process.map_or(Ok(()), crate::windlass::Windlass::stop)?;
        took
    };
    let (mut scene, _folder) = measure.scene(files(0..n_objects, n_objects, "first")).await?;
    let large = [application("large", &scene.repository)];
    let first = scene.create(&large).await?;
    tokio::time::sleep(SETTLE).await;
    let applies_before = scene.count("windlass_applies_total").await?;
    let mut all = Vec::new();
    for round in 0..measure.arguments.repeat {
        all.push(scene.commit(files(0..n_objects, n_objects, &format!("all-{round}")), &large).await?);
        tokio::time::sleep(SETTLE).await;
    }
    let n_applies = scene.count("windlass_applies_total").await? - applies_before;
    let mut one = Vec::new();
    for round in 0..measure.arguments.repeat {
        // The first file has the same objects but one.
        let mut changed =
            files(0..N_IN_FILE.min(n_objects), n_objects, &format!("all-{}", measure.arguments.repeat - 1));
        let other = config_map(&name(0), &format!("one-{round}"), &[]);
        let same = config_map(&name(0), &format!("all-{}", measure.arguments.repeat - 1), &[]);
        changed[0].1 = changed[0].1.replacen(&same, &other, 1);
        one.push(scene.commit(changed, &large).await?);
        tokio::time::sleep(SETTLE).await;
    }
    let path = format!("{}/large", workload::applications(CONTROL_PLANE));
    let stored = scene.api.once(&Call::get(&path)).await?["status"].to_string().len();
    let usage = memory(scene.windlass.id());
    let rows = vec![
        Row::time(format!("floor: {n_objects} applies that create"), floor_first),
        Row::time(format!("floor: {n_objects} applies that change"), floor_change),
        Row::time("created → Synced and Healthy", first).ratio_to(floor_first),
        Row::time("one commit that changes all objects", median(all.clone())).ratio_to(floor_change).note(
            format!("{:.2} applies an object and commit", n_applies / float(n_objects * all.len().max(1))),
        ),
        Row::time("one commit that changes one object", median(one.clone()))
            .note(format!("median of {}", one.len())),
        Row::memory("resident memory", usage.resident).note(format!("a status of {stored} bytes")),
    ];
    measure.report.add(title, rows);
    scene.finish(measure.server).await
}

fn name(idx: usize) -> String {
    format!("large-{idx:05}")
}

/// The files that hold these objects.
fn files(objects: std::ops::Range<usize>, n_objects: usize, value: &str) -> Vec<(String, String)> {
    objects
        .step_by(N_IN_FILE)
        .map(|begin| {
            let documents: Vec<String> = (begin..(begin + N_IN_FILE).min(n_objects))
                .map(|idx| config_map(&name(idx), value, &[]))
                .collect();
            (format!("large/{begin:05}.yaml"), documents.join("---\n"))
        })
        .collect()
}
