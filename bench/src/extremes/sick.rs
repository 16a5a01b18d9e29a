//! Healthy Units beside some that never get healthy: syncs of theirs wait for a load balancer that nobody makes.

use anyhow::{Result, bail};
use serde_json::Value;

use super::{Measure, application, config_map};
use crate::client::Call;
use crate::figures::{Row, median};
use crate::scene::{SETTLE, Scene};
use crate::usage::processor_time;
use crate::workload::{self, CONTROL_PLANE, TARGET};

/// How many are healthy.
const N_HEALTHY: usize = 200;

/// How many are not.
const N_SICK: usize = 20;

pub(super) async fn measure(measure: &mut Measure<'_>) -> Result<()> {
    let (n_healthy, n_sick) = (measure.arguments.scaled(N_HEALTHY), measure.arguments.scaled(N_SICK));
    let title = measure.title(&format!("{n_healthy} healthy Units beside {n_sick} sick ones"));
    let mut files = healthy(n_healthy, "first");
    files.extend(sick(n_sick, "first"));
    let (mut scene, _folder) = measure.scene(files).await?;
    let units = |what: &str, n_units: usize, scene: &Scene| -> Vec<Value> {
        (0..n_units).map(|idx| application(&format!("{what}-{idx:03}"), &scene.repository)).collect()
    };
    let well = units("well", n_healthy, &scene);
    scene.create(&well).await?;
    let rounds = measure.arguments.repeat;
    let mut alone = Vec::new();
    for round in 0..rounds {
        tokio::time::sleep(SETTLE).await;
        alone.push(scene.commit(healthy(n_healthy, &format!("alone-{round}")), &well).await?);
    }
    let ill = units("sick", n_sick, &scene);
    scene.send(&ill).await?;
    until_running(&scene, n_sick).await?;
    let mut beside = Vec::new();
    for round in 0..rounds {
        tokio::time::sleep(SETTLE).await;
        beside.push(scene.commit(healthy(n_healthy, &format!("beside-{round}")), &well).await?);
    }
    until_running(&scene, n_sick).await?;
    let before = (std::time::Instant::now(), processor_time(scene.windlass.id()));
    tokio::time::sleep(std::time::Duration::from_secs(measure.arguments.idle_seconds.min(10))).await;
    let used = processor_time(scene.windlass.id()).saturating_sub(before.1);
    let share = used.as_secs_f64() / before.0.elapsed().as_secs_f64();
    let (alone, beside) = (median(alone), median(beside));
    let rows = vec![
        Row::time(format!("one commit that changes the {n_healthy}, alone"), alone),
        Row::time("the same beside the sick ones", beside)
            .ratio_to(alone)
            .target("no slower")
            .note(format!("median of {rounds}; the syncs of the sick are running, and wait")),
        Row::figure("processor time while the sick wait", share, format!("{:.2} % of a core", share * 100.0)),
    ];
    measure.report.add(title, rows);
    let services = format!("/api/v1/namespaces/{TARGET}/services");
    for idx in 0..n_sick {
        scene.api.once(&Call::delete(&format!("{services}/sick-{idx:03}"))).await?;
    }
    scene.finish(measure.server).await
}

/// Waits until the syncs of the sick have applied what never gets healthy.
async fn until_running(scene: &Scene, n_sick: usize) -> Result<()> {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        let list = scene.api.once(&Call::get(&workload::applications(CONTROL_PLANE))).await?;
        let items = list["items"].as_array().cloned().unwrap_or_default();
        let waits = |app: &&Value| {
            app["metadata"]["name"].as_str().is_some_and(|name| name.starts_with("sick-"))
                && app["status"]["operationState"]["phase"] == "Running"
        };
        let n_waiting = items.iter().filter(waits).count();
        if n_waiting == n_sick {
            return Ok(());
        }
        if std::time::Instant::now() > deadline {
            bail!("{n_waiting} of {n_sick} sick Units wait for what never gets healthy");
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

fn healthy(n_units: usize, value: &str) -> Vec<(String, String)> {
    let file = |idx: usize| {
        let name = format!("well-{idx:03}");
        (format!("{name}/{name}.yaml"), config_map(&name, value, &[]))
    };
    (0..n_units).map(file).collect()
}

fn sick(n_units: usize, value: &str) -> Vec<(String, String)> {
    let file = |idx: usize| {
        let name = format!("sick-{idx:03}");
        let service = format!(
            "apiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\nspec:\n  type: LoadBalancer\n  selector:\n    app: \
             nobody\n  ports:\n  - port: 80\n"
        );
        let later = [("argocd.argoproj.io/sync-wave", "1".to_owned())];
        (format!("{name}/{name}.yaml"), format!("{service}---\n{}", config_map(&name, value, &later)))
    };
    (0..n_units).map(file).collect()
}
