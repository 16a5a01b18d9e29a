//! Several clusters, of which some swallow every call.
//!
//! The clusters are embedded APIs, whichever server Windlass keeps its own state on.

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use windlass_testing::{ApiClient, ApiFault, ApiFaults, FaultProxy, FaultRule, Traffic};

use super::{Measure, application, config_map};
use crate::client::Call;
use crate::figures::{Row, median};
use crate::scene::SETTLE;
use crate::server::Server;
use crate::windlass::Windlass;
use crate::workload::CONTROL_PLANE;

/// How many clusters there are.
const N_CLUSTERS: usize = 10;

/// How many of them swallow every call.
const N_BLACK_HOLES: usize = 2;

/// How many Units each of them has.
const N_UNITS: usize = 20;

/// How one of the clusters is reached.
struct Far {
    process: Windlass,
    proxy: Option<FaultProxy>,
    name: String,
    url: String,
    secret: Value,
}

pub(super) async fn measure(measure: &mut Measure<'_>) -> Result<()> {
    let (n_clusters, n_units) = (N_CLUSTERS, measure.arguments.scaled(N_UNITS));
    let title = measure.title(&format!(
        "{n_clusters} clusters with {n_units} Units each, {N_BLACK_HOLES} of them black holes"
    ));
    let faults = ApiFaults::new(1);
    let mut clusters = Vec::new();
    for idx in 0..n_clusters {
        clusters.push(far(idx, measure, &faults).await?);
    }
    let (mut scene, _folder) = measure.scene(files(n_clusters, n_units, "first")).await?;
    let secrets = format!("/api/v1/namespaces/{CONTROL_PLANE}/secrets");
    for far in &clusters {
        scene.api.once(&Call::create(&secrets, &far.secret)).await?;
    }
    let units: Vec<Value> = (0..n_clusters * n_units)
        .map(|idx| {
            let mut unit = application(&unit(idx), &scene.repository);
            unit["spec"]["destination"]["server"] = json!(clusters[idx % n_clusters].url);
            unit
        })
        .collect();
    let near: Vec<Value> = (0..units.len())
        .filter(|idx| clusters[idx % n_clusters].proxy.is_none())
        .map(|idx| units[idx].clone())
        .collect();
    let first = scene.create(&units).await?;
    let rounds = measure.arguments.repeat;
    let mut well = Vec::new();
    for round in 0..rounds {
        tokio::time::sleep(SETTLE).await;
        well.push(scene.commit(files(n_clusters, n_units, &format!("well-{round}")), &near).await?);
    }
    tokio::time::sleep(SETTLE).await;
    faults.add(FaultRule::new(Traffic::All, ApiFault::BlackHole));
    faults.drop_watches();
    let mut beside = Vec::new();
    for round in 0..rounds {
        tokio::time::sleep(SETTLE).await;
        beside.push(scene.commit(files(n_clusters, n_units, &format!("beside-{round}")), &near).await?);
    }
    let n_swallowed = faults.count();
    faults.heal();
    let begun = std::time::Instant::now();
    let revision = scene.repository.resolve("main")?;
    let last = scene.follower.synced(super::names(&units), &revision).await?;
    let (well, beside) = (median(well), median(beside));
    let rows = vec![
        Row::time("created → all Synced and Healthy", first),
        Row::time("one commit that changes all → those of the eight Synced, all clusters well", well),
        Row::time("the same beside two black holes", beside)
            .ratio_to(well)
            .target("no slower")
            .note(format!("median of {rounds}; {n_swallowed} calls were swallowed")),
        Row::time("the two answer again → all Synced", last.saturating_duration_since(begun)),
    ];
    measure.report.add(title, rows);
    for far in clusters {
        scene.api.once(&Call::delete(&format!("{secrets}/{}", far.name))).await?;
        far.process.stop()?;
    }
    scene.finish(measure.server).await
}

/// Starts one of the clusters; the last ones behind a proxy that can swallow calls.
async fn far(idx: usize, measure: &Measure<'_>, faults: &ApiFaults) -> Result<Far> {
    let server = Server::Embedded { in_memory: true };
    let (process, _) = server.bare(measure.place).await?;
    let process = process.context("an embedded API has a process")?;
    let text = std::fs::read_to_string(&process.kubeconfig)?;
    let config = windlass_yaml::load(&text)?;
    let part = |list: &str, path: &[&str]| -> Result<String> {
        let found = config.items_at(&[list]).first().and_then(|item| item.str_at(path).map(str::to_owned));
        found.with_context(|| format!("the kubeconfig of a cluster has no {path:?}"))
    };
    let mut url = part("clusters", &["cluster", "server"])?;
    let mut authority = part("clusters", &["cluster", "certificate-authority-data"])?;
    let certificate = part("users", &["user", "client-certificate-data"])?;
    let key = part("users", &["user", "client-key-data"])?;
    let mut proxy = None;
    if idx + N_BLACK_HOLES >= N_CLUSTERS {
        let port = url.rsplit(':').next().and_then(|port| port.trim_end_matches('/').parse().ok());
        let port = port.context("the address of a cluster has no port")?;
        let pem = |text: &str| -> Result<String> { Ok(String::from_utf8(STANDARD.decode(text)?)?) };
        let client = ApiClient::with_certificate(port, &pem(&authority)?, &pem(&certificate)?, &pem(&key)?)?;
        let through = FaultProxy::start(&client, faults.clone())?;
        url = through.url();
        authority = STANDARD.encode(through.authority_pem());
        proxy = Some(through);
    }
    let name = format!("far-{idx:02}");
    let access = json!({"tlsClientConfig": {"caData": authority, "certData": certificate, "keyData": key}});
    let secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name,
            "namespace": CONTROL_PLANE,
            "labels": {"argocd.argoproj.io/secret-type": "cluster"},
        },
        "stringData": {"name": name, "server": url, "config": access.to_string()},
    });
    Ok(Far { process, proxy, name, url, secret })
}

fn unit(idx: usize) -> String {
    format!("far-{idx:03}")
}

fn files(n_clusters: usize, n_units: usize, value: &str) -> Vec<(String, String)> {
    let file = |idx: usize| (format!("{0}/{0}.yaml", unit(idx)), config_map(&unit(idx), value, &[]));
    (0..n_clusters * n_units).map(file).collect()
}
