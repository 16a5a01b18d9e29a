//! Units of which each depends on the one before.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use super::{Measure, application, bare_apply, config_map};
use crate::client::Call;
use crate::figures::{Row, duration, float, median};
use crate::scene::SETTLE;
use crate::workload::{self, FLOOR};

/// How many Units.
const N_UNITS: usize = 50;

pub(super) async fn measure(measure: &mut Measure<'_>) -> Result<()> {
    let n_units = measure.arguments.scaled(N_UNITS);
    let title = measure.title(&format!("a chain of {n_units} Units"));
    let (mut scene, _folder) = measure.scene(files(n_units, "first")).await?;
    let chain: Vec<_> = (0..n_units)
        .map(|idx| {
            let mut unit = application(&name(idx), &scene.repository);
            if idx > 0 {
                unit["metadata"]["annotations"] = json!({"windlass.dev/depends-on": name(idx - 1)});
            }
            unit
        })
        .collect();
    let floor = {
        // One apply and one status write, one Unit after the other.
        let mut calls = Vec::new();
        for (idx, unit) in chain.iter().enumerate() {
            let mut unit = unit.clone();
            unit["metadata"]["namespace"] = json!(FLOOR);
            let path = workload::applications(FLOOR);
            calls.push(Call::create(&path, &unit));
            calls.push(bare_apply(&name(idx), "first"));
            let status = json!({"status": {"sync": {"status": "Synced"}, "health": {"status": "Healthy"}}});
            calls.push(Call::merge(&format!("{path}/{}", name(idx)), &status));
        }
        measure.floor(vec![calls]).await?
    };
    let first = scene.create(&chain).await?;
    let mut times = Vec::new();
    for round in 0..measure.arguments.repeat {
        tokio::time::sleep(SETTLE).await;
        times.push(scene.commit(files(n_units, &format!("again-{round}")), &chain).await?);
    }
    let again = median(times);
    let hop = |time: Duration| duration(time.saturating_sub(floor).div_f64(float(n_units)));
    let rows = vec![
        Row::time("floor: a create, an apply and a status write a Unit, one after the other", floor),
        Row::time("created → all Synced and Healthy", first)
            .target("≤ 50 ms a hop more than the floor")
            .note(format!("{} a hop more than the floor", hop(first))),
        Row::time("one commit that changes all", again)
            .target("≤ 50 ms a hop more than the floor")
            .note(format!("{} a hop more than the floor", hop(again))),
    ];
    measure.report.add(title, rows);
    scene.finish(measure.server).await
}

fn name(idx: usize) -> String {
    format!("chain-{idx:02}")
}

fn files(n_units: usize, value: &str) -> Vec<(String, String)> {
    let file = |idx: usize| (format!("{0}/{0}.yaml", name(idx)), config_map(&name(idx), value, &[]));
    (0..n_units).map(file).collect()
}
