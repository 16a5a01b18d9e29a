//! Units that are large, slow or sick, somebody who keeps changing what they own, and clusters that are gone.
//!
//! Each is measured on its own process, next to what a bare client takes for the same writes in the same run.

mod chain;
mod clusters;
mod drift;
mod large;
mod sick;
mod waves;

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use windlass_testing::Repository;

use crate::arguments::{Arguments, Extreme, Which};
use crate::client::{Api, Call, Pool};
use crate::figures::Report;
use crate::scene::Scene;
use crate::server::{Place, Server};
use crate::workload::{self, CONTROL_PLANE, FLOOR};

/// The branch that is followed.
const BRANCH: &str = "main";

/// Runs what was asked for.
pub(crate) async fn run(arguments: &Arguments, report: &mut Report) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let place = Place::new(arguments, report, folder.path())?;
    if arguments.server != Which::Real {
        all(&Server::Embedded { in_memory: !arguments.on_disk }, &place, arguments, report).await?;
    }
    if arguments.server != Which::Embedded {
        all(&Server::real().await?, &place, arguments, report).await?;
    }
    Ok(())
}

async fn all(server: &Server, place: &Place, arguments: &Arguments, report: &mut Report) -> Result<()> {
    let mut measure = Measure { server, place, arguments, report };
    if arguments.wants(Extreme::Large) {
        large::measure(&mut measure).await?;
    }
    if arguments.wants(Extreme::Waves) {
        waves::measure(&mut measure).await?;
    }
    if arguments.wants(Extreme::Chain) {
        chain::measure(&mut measure).await?;
    }
    if arguments.wants(Extreme::Sick) {
        sick::measure(&mut measure).await?;
    }
    if arguments.wants(Extreme::Drift) {
        drift::measure(&mut measure).await?;
    }
    if arguments.wants(Extreme::Clusters) {
        clusters::measure(&mut measure).await?;
    }
    Ok(())
}

/// What every measurement is given.
struct Measure<'a> {
    server: &'a Server,
    place: &'a Place,
    arguments: &'a Arguments,
    report: &'a mut Report,
}

impl Measure<'_> {
    /// A title that says where this was measured.
    fn title(&self, what: &str) -> String {
        let title = format!("{}, {what}", self.server.name());
        eprintln!("measuring: {title}");
        title
    }

    /// A process with nothing to do, and a repository with these files.
    async fn scene(&self, files: Vec<(String, String)>) -> Result<(Scene, tempfile::TempDir)> {
        let folder = tempfile::tempdir()?;
        let repository = Repository::init(folder.path().join("repository"))?;
        repository.commit(BRANCH).files(files).submit()?;
        let scene = Scene::start(self.server, self.place, repository, self.arguments.timeout()).await?;
        Ok((scene, folder))
    }

    /// What a bare client takes for these calls: each sequence in order on one of several connections.
    async fn floor(&self, sequences: Vec<Vec<Call>>) -> Result<Duration> {
        let (process, api) = self.server.bare(self.place).await?;
        let took = api.pool().await?.run(sequences).await?;
        for kind in [workload::config_maps(FLOOR), workload::applications(FLOOR)] {
            api.once(&Call::delete(&kind)).await?;
        }
        process.map_or(Ok(()), crate::windlass::Windlass::stop)?;
        Ok(took)
    }
}

impl Scene {
    /// Creates these Applications, and waits until all of them are synced at the newest commit.
    async fn create(&mut self, applications: &[Value]) -> Result<Duration> {
        let begun = self.send(applications).await?;
        let revision = self.repository.resolve(BRANCH)?;
        let last = self.follower.synced(names(applications), &revision).await?;
        Ok(last.saturating_duration_since(begun))
    }

    /// Creates these Applications, and answers when that began.
    async fn send(&self, applications: &[Value]) -> Result<Instant> {
        let path = workload::applications(CONTROL_PLANE);
        let calls = applications.iter().map(|application| vec![Call::create(&path, application)]).collect();
        let mut pool: Pool = self.api.pool().await?;
        let begun = Instant::now();
        pool.run(calls).await?;
        Ok(begun)
    }

    /// Commits these files, and waits until these Applications are synced at that.
    async fn commit(&mut self, files: Vec<(String, String)>, applications: &[Value]) -> Result<Duration> {
        let revision = self.repository.commit(BRANCH).files(files).submit()?;
        self.push(names(applications), &revision).await
    }

    /// The sum of a counter over all its labels.
    async fn count(&self, name: &str) -> Result<f64> {
        let metrics = self.windlass.metrics().await?;
        Ok(metrics.iter().filter(|(key, _)| key.starts_with(name)).map(|(_, value)| value).sum())
    }
}

/// The names of Applications.
fn names(applications: &[Value]) -> Vec<String> {
    let name = |application: &Value| application["metadata"]["name"].as_str().map(str::to_owned);
    applications.iter().filter_map(name).collect()
}

/// An automated Application of the folder that has its name.
fn application(name: &str, repository: &Repository) -> Value {
    let mut application = workload::automated(name, CONTROL_PLANE, &repository.file_url(), name);
    // A status that grows from commit to commit would make later ones slower.
    application["spec"]["revisionHistoryLimit"] = json!(1);
    application
}

/// A ConfigMap as it stands in a file.
fn config_map(name: &str, value: &str, annotations: &[(&str, String)]) -> String {
    let annotations: String =
        annotations.iter().map(|(key, value)| format!("    {key}: {value:?}\n")).collect();
    let annotations =
        if annotations.is_empty() { annotations } else { format!("  annotations:\n{annotations}") };
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  labels:\n    state: declared\n{annotations}data:\n  value: \
         \"{value}\"\n"
    )
}

/// The apply of a ConfigMap like those, into the namespace of the floor.
fn bare_apply(name: &str, value: &str) -> Call {
    let object = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "namespace": FLOOR,
            "labels": {"state": "declared"},
            "annotations": {"argocd.argoproj.io/tracking-id": format!("unit:/ConfigMap:{FLOOR}/{name}")},
        },
        "data": {"value": value},
    });
    Call::apply(&format!("{}/{name}", workload::config_maps(FLOOR)), &object)
}

/// Whether any ConfigMap of a namespace has this label.
async fn has_any(api: &Api, namespace: &str, label: &str) -> Result<bool> {
    let path = format!("{}?limit=1&labelSelector={label}", workload::config_maps(namespace));
    let list = api.once(&Call::get(&path)).await?;
    Ok(!list["items"].as_array().context("a list has no items")?.is_empty())
}
