//! One Unit of many waves of one object each: a wave begins when the one before it is healthy.

use anyhow::Result;

use super::{Measure, application, bare_apply, config_map};
use crate::figures::{Row, duration, float, median};
use crate::scene::SETTLE;

/// How many waves.
const N_WAVES: usize = 100;

pub(super) async fn measure(measure: &mut Measure<'_>) -> Result<()> {
    let n_waves = measure.arguments.scaled(N_WAVES);
    let title = measure.title(&format!("one Unit of {n_waves} waves"));
    let one_by_one = |value: &str| vec![(0..n_waves).map(|idx| bare_apply(&name(idx), value)).collect()];
    let floor = measure.floor(one_by_one("first")).await?;
    let (mut scene, _folder) = measure.scene(files(n_waves, "first")).await?;
    let waves = [application("waves", &scene.repository)];
    let first = scene.create(&waves).await?;
    let mut times = Vec::new();
    for round in 0..measure.arguments.repeat {
        tokio::time::sleep(SETTLE).await;
        times.push(scene.commit(files(n_waves, &format!("again-{round}")), &waves).await?);
    }
    let again = median(times);
    let each = |time: std::time::Duration| format!("{} a wave", duration(time.div_f64(float(n_waves))));
    let rows = vec![
        Row::time(format!("floor: {n_waves} applies, one after the other"), floor).note(each(floor)),
        Row::time("created → Synced and Healthy", first).ratio_to(floor).note(each(first)),
        Row::time("one commit that changes all", again).ratio_to(floor).note(each(again)),
    ];
    measure.report.add(title, rows);
    scene.finish(measure.server).await
}

fn name(idx: usize) -> String {
    format!("wave-{idx:03}")
}

fn files(n_waves: usize, value: &str) -> Vec<(String, String)> {
    let file = |idx: usize| {
        let wave = [("argocd.argoproj.io/sync-wave", idx.to_string())];
        (format!("waves/{}.yaml", name(idx)), config_map(&name(idx), value, &wave))
    };
    (0..n_waves).map(file).collect()
}
