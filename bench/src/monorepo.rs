//! One repository with thousands of folders, each of them an Application's, fetched over HTTP from `git http-backend`.
//!
//! A third of the folders are charts, a third kustomizations on bases that a hundred of them share, a third plain files.
//! The same is measured of repositories with one folder, in the same run: what one of many costs more is the ratio.
//! How often the server was asked, and how much was sent, the server counts itself.

mod fleet;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::Value;
use windlass_testing::{GitServer, Repository};

use crate::arguments::Arguments;
use crate::client::{Api, Call};
use crate::figures::{Report, Row, duration, float, median};
use crate::follow::Follower;
use crate::scene::SETTLE;
use crate::server::{Place, Server};
use crate::usage::{memory, processor_time};
use crate::windlass::Windlass;
use crate::workload::{self, CONTROL_PLANE, TARGET};
use fleet::{Fleet, Kind};

/// What one folder alone costs, by its kind.
struct Single {
    kind: Kind,
    commit: Duration,
    bytes: u64,
}

/// Everything around one measured process.
struct Scene {
    windlass: Windlass,
    api: Api,
    follower: Follower,
    server: GitServer,
    repository: Repository,
    fleet: Fleet,
}

/// What one commit cost.
struct Commit {
    time: Duration,
    renders: f64,
    requests: usize,
    bytes: u64,
}

/// Runs what was asked for.
pub(crate) async fn run(arguments: &Arguments, report: &mut Report) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let place = Place::new(arguments, report, folder.path())?;
    let mut singles = Vec::new();
    let mut rows = Vec::new();
    for kind in Kind::ALL {
        let single = measure_single(kind, &place, arguments).await?;
        let note = format!("announced → Synced; {} sent by the Git server", bytes_of(single.bytes));
        let what = format!("one commit to a repository of one folder, {}", kind.name());
        rows.push(Row::time(what, single.commit).note(note));
        singles.push(single);
    }
    report.add("monorepo, one folder", rows);
    for &n_folders in &arguments.folders {
        measure(n_folders, &singles, &place, arguments, report).await?;
    }
    Ok(())
}

async fn measure_single(kind: Kind, place: &Place, arguments: &Arguments) -> Result<Single> {
    let fleet = Fleet::single(kind);
    let mut scene = Scene::start(fleet, place, arguments).await?;
    scene.create_all().await?;
    let mut times = Vec::new();
    let mut bytes = 0;
    for round in 0..arguments.repeat {
        tokio::time::sleep(SETTLE).await;
        let commit = scene.change(0, &format!("one-{round}")).await?;
        times.push(commit.time);
        bytes = commit.bytes;
    }
    scene.windlass.stop()?;
    Ok(Single { kind, commit: median(times), bytes })
}

async fn measure(
    n_folders: usize,
    singles: &[Single],
    place: &Place,
    arguments: &Arguments,
    report: &mut Report,
) -> Result<()> {
    let title = format!("monorepo, {n_folders} folders");
    eprintln!("measuring: {title}");
    let mut scene = Scene::start(Fleet::mixed(n_folders), place, arguments).await?;
    let empty = memory(scene.windlass.id());
    let mut rows = Vec::new();

    let before = processor_time(scene.windlass.id());
    let renders = scene.renders().await?;
    let first = scene.create_all().await?;
    let used = processor_time(scene.windlass.id()).saturating_sub(before);
    let renders = scene.renders().await? - renders;
    rows.push(Row::time("first create sent → all folders rendered, applied and Synced", first).note(
        format!(
            "{} a folder; {renders:.0} renders; {} requests to the Git server, {} sent; processor time {}",
            duration(first.div_f64(float(n_folders))),
            scene.server.requests().len(),
            bytes_of(scene.server.bytes_sent()),
            duration(used),
        ),
    ));
    tokio::time::sleep(SETTLE).await;

    for single in singles {
        let mut commits = Vec::new();
        for round in 0..arguments.repeat {
            let Some(unit_idx) = scene.fleet.nth_of(single.kind, round) else { continue };
            commits.push(scene.change(unit_idx, &format!("one-{round}")).await?);
            tokio::time::sleep(SETTLE).await;
        }
        let Some(last) = commits.last() else { continue };
        let note = format!(
            "median of {}; {:.0} renders, {} requests, {} sent; ratio to a repository of one folder",
            commits.len(),
            last.renders,
            last.requests,
            bytes_of(last.bytes),
        );
        let time = median(commits.iter().map(|commit| commit.time).collect());
        rows.push(
            Row::time(format!("one commit to one folder, {}", single.kind.name()), time)
                .ratio_to(single.commit)
                .target("≤ 2 ×")
                .note(note),
        );
    }

    let kustomized = singles.iter().find(|single| single.kind == Kind::Kustomize);
    if let (Some(single), false) = (kustomized, scene.fleet.sharing(0).is_empty()) {
        let mut commits = Vec::new();
        for round in 0..arguments.repeat {
            commits.push(scene.change_base(0, &format!("base-{round}")).await?);
            tokio::time::sleep(SETTLE).await;
        }
        let n_sharing = scene.fleet.sharing(0).len();
        let time = median(commits.iter().map(|commit| commit.time).collect());
        let last = &commits[commits.len() - 1];
        rows.push(
            Row::time(format!("one commit to a base of {n_sharing} folders"), time)
                .ratio_to(single.commit)
                .note(format!(
                    "{} a folder; {:.0} renders, {} requests, {} sent",
                    duration(time.div_f64(float(n_sharing))),
                    last.renders,
                    last.requests,
                    bytes_of(last.bytes)
                )),
        );
    }

    scene.follower.changes_since_last();
    let (requests, time) = scene.poll().await?;
    let writes = scene.follower.changes_since_last();
    rows.push(
        Row::figure("requests of a poll without news", float(requests), requests.to_string())
            .target("1")
            .note(format!("answered after {}; {writes} Applications written", duration(time))),
    );

    let usage = memory(scene.windlass.id());
    let grown = usage.resident.saturating_sub(empty.resident) * 1024 / u64::try_from(n_folders.max(1))?;
    #[expect(clippy::cast_precision_loss, reason = "memory has fewer digits than a float")]
    let peak = (usage.peak * 1024) as f64 / 1e6;
    rows.push(
        Row::memory("resident memory", usage.resident)
            .note(format!("{grown} bytes a folder more than with none; peak {peak:.1} MB")),
    );
    report.add(title, rows);
    scene.windlass.stop()
}

impl Scene {
    async fn start(fleet: Fleet, place: &Place, arguments: &Arguments) -> Result<Self> {
        let server = GitServer::start()?;
        let repository = server.repository("fleet")?;
        repository.commit("main").files(fleet.files("first")).submit()?;
        repository.repack()?;
        let (windlass, api, _) = Server::Embedded { in_memory: !arguments.on_disk }.engine(place).await?;
        let follower = Follower::start(&api, arguments.timeout()).await?;
        tokio::time::sleep(SETTLE).await;
        Ok(Self { windlass, api, follower, server, repository, fleet })
    }

    fn url(&self) -> String {
        self.server.url("fleet")
    }

    async fn renders(&self) -> Result<f64> {
        let metrics = self.windlass.metrics().await?;
        let renders = metrics.iter().filter(|(name, _)| name.starts_with("windlass_renders_total"));
        Ok(renders.map(|(_, count)| count).sum())
    }

    /// Creates every Application, and waits until all are synced.
    async fn create_all(&mut self) -> Result<Duration> {
        let path = workload::applications(CONTROL_PLANE);
        let url = self.url();
        let calls = self
            .fleet
            .indices()
            .map(|unit_idx| vec![Call::create(&path, &self.fleet.application(unit_idx, &url))])
            .collect();
        let revision = self.repository.resolve("main")?;
        let mut pool = self.api.pool().await?;
        let begun = Instant::now();
        pool.run(calls).await?;
        let names: Vec<String> = self.fleet.indices().map(workload::name).collect();
        let last = self.follower.synced(names, &revision).await?;
        self.check("first", self.fleet.indices().collect()).await?;
        Ok(last.saturating_duration_since(begun))
    }

    /// Changes one folder.
    async fn change(&mut self, unit_idx: usize, value: &str) -> Result<Commit> {
        let files = self.fleet.folder(unit_idx, value);
        self.push(files, vec![unit_idx], value).await
    }

    /// Changes a base, and with it every folder that shares it.
    async fn change_base(&mut self, base_idx: usize, value: &str) -> Result<Commit> {
        let files = vec![self.fleet.base(base_idx, value)];
        self.push(files, self.fleet.sharing(base_idx), value).await
    }

    async fn push(&mut self, files: Vec<(String, String)>, units: Vec<usize>, value: &str) -> Result<Commit> {
        let revision = self.repository.commit("main").files(files).submit()?;
        let (requests, bytes) = (self.server.requests().len(), self.server.bytes_sent());
        let renders = self.renders().await?;
        let names: Vec<String> = units.iter().copied().map(workload::name).collect();
        let begun = Instant::now();
        self.windlass.announce(&self.url()).await?;
        let last = self.follower.synced(names, &revision).await?;
        let commit = Commit {
            time: last.saturating_duration_since(begun),
            renders: self.renders().await? - renders,
            requests: self.server.requests().len() - requests,
            bytes: self.server.bytes_sent() - bytes,
        };
        self.check(value, units).await?;
        Ok(commit)
    }

    /// Announces that nothing has happened. Answers how many requests the server got, and when it had answered the last.
    async fn poll(&mut self) -> Result<(usize, Duration)> {
        self.server.forget_requests();
        let begun = Instant::now();
        self.windlass.announce(&self.url()).await?;
        let mut seen = (0, Duration::ZERO);
        while begun.elapsed() < seen.1 + SETTLE * 2 {
            tokio::time::sleep(Duration::from_millis(2)).await;
            let n_requests = self.server.requests().len();
            if n_requests != seen.0 {
                seen = (n_requests, begun.elapsed());
            }
        }
        Ok(seen)
    }

    /// Fails unless the ConfigMaps of these folders say what was committed.
    async fn check(&self, value: &str, units: Vec<usize>) -> Result<()> {
        let list = self.api.once(&Call::get(&workload::config_maps(TARGET))).await?;
        let items = list["items"].as_array().cloned().unwrap_or_default();
        let says: HashMap<&str, &Value> = items
            .iter()
            .filter_map(|item| Some((item["metadata"]["name"].as_str()?, &item["data"])))
            .collect();
        let wrong = units.iter().find(|unit_idx| {
            let data = says.get(self.fleet.config_map(**unit_idx).as_str());
            !data.is_some_and(|data| data["value"] == value || data["own"] == value)
        });
        match wrong {
            None => Ok(()),
            Some(unit_idx) => {
                bail!("{} does not say {value:?}, though it is Synced", self.fleet.config_map(*unit_idx))
            }
        }
    }
}

fn bytes_of(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} bytes"),
        10_000..10_000_000 => format!("{} kB", bytes / 1000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}
