//! From a Git repository to live state: what the whole costs, next to the floor of the same run.
//!
//! For each API server: one Unit first (cold start, and the reference for "one of many"), then for each number of
//! Units the floor, Windlass, and the floor again. Pushes are announced by a signed webhook, so that no polling
//! interval is measured; the repository is read from the local disk.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use windlass_testing::Repository;

use crate::arguments::{Arguments, Which};
use crate::client::{Api, CONNECTIONS, Call};
use crate::figures::{Report, Row, duration, median};
use crate::floor::{self, Floor, Sample};
use crate::follow::Follower;
use crate::scene::{SETTLE, Scene, clear};
use crate::server::{Place, Server};
use crate::usage::{memory, processor_time};
use crate::windlass::Windlass;
use crate::workload::{self, CONTROL_PLANE, Size, TARGET};

/// Runs what was asked for.
pub(crate) async fn run(arguments: &Arguments, report: &mut Report) -> Result<()> {
    let in_memory = !arguments.on_disk;
    let folder = tempfile::tempdir()?;
    let place = Place::new(arguments, report, folder.path())?;
    let which = arguments.server;
    if which != Which::Real {
        let single = measure_single(&Server::Embedded { in_memory }, &place, arguments, report).await?;
        for &n_units in &arguments.units {
            let server = Server::Embedded { in_memory };
            measure_many(&server, &place, arguments, &single, arguments.size(n_units), report).await?;
        }
    }
    if which != Which::Embedded {
        let server = Server::real().await?;
        let single = measure_single(&server, &place, arguments, report).await?;
        for &n_units in &arguments.units {
            measure_many(&server, &place, arguments, &single, arguments.size(n_units), report).await?;
        }
    }
    Ok(())
}

/// What one Unit alone took.
struct Single {
    /// From the announcement of a commit to Synced.
    commit: Duration,
    sample: Sample,
}

impl Scene {
    async fn counters(&self) -> Result<Counters> {
        Ok(Counters {
            metrics: self.windlass.metrics().await?,
            version: newest_version(&self.api).await?,
            windlass: processor_time(self.windlass.id()),
            bench: processor_time(std::process::id()),
        })
    }
}

/// What was counted until now.
struct Counters {
    metrics: BTreeMap<String, f64>,
    version: u64,
    windlass: Duration,
    bench: Duration,
}

impl Counters {
    /// What was counted between two points, a Unit and round.
    fn row(&self, after: &Self, what: &str, size: Size, n_creations: usize) -> Row {
        let n_units = size.n_units;
        #[expect(clippy::cast_precision_loss, reason = "counts of one run")]
        let per = |count: f64| count / n_units as f64;
        let grown = |name: &str| {
            let sum = |metrics: &BTreeMap<String, f64>| -> f64 {
                metrics.iter().filter(|(key, _)| key.starts_with(name)).map(|(_, value)| value).sum()
            };
            per(sum(&after.metrics) - sum(&self.metrics))
        };
        let applies = grown("windlass_applies_total");
        let statuses = grown("windlass_status_writes_total");
        #[expect(clippy::cast_precision_loss, reason = "counts of one run")]
        let counted = per(after.version.saturating_sub(self.version) as f64 - n_creations as f64);
        let note = format!(
            "{applies:.2} applies, {statuses:.2} status writes, {:.2} dry runs, {:.2} renders, {:.2} looks; the \
             server counted {counted:.2} writes (Events included); processor time a Unit {} windlass, {} bench",
            grown("windlass_dry_runs_total"),
            grown("windlass_renders_total"),
            grown("windlass_reconciles_total"),
            duration((after.windlass - self.windlass).div_f64(count(n_units))),
            duration((after.bench - self.bench).div_f64(count(n_units))),
        );
        let figure = format!("{:.2}", applies + statuses);
        Row::figure(what, applies + statuses, figure).target((size.n_objects + 1).to_string()).note(note)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of one run")]
fn count(n_things: usize) -> f64 {
    n_things as f64
}

async fn measure_single(
    server: &Server,
    place: &Place,
    arguments: &Arguments,
    report: &mut Report,
) -> Result<Single> {
    let mut rows = Vec::new();
    let folder = tempfile::tempdir()?;
    let repository = Repository::init(folder.path().join("repository"))?;
    let revision = workload::commit_all(&repository, arguments.size(1), "1")?;
    let application = workload::application(0, CONTROL_PLANE, &repository.file_url());
    let create = Call::create(&workload::applications(CONTROL_PLANE), &application);
    let is_real = matches!(server, Server::Real(_));
    let (windlass, api, mut follower) = if is_real {
        // The Application is there before its controller.
        let (_, api) = server.bare(place).await?;
        let follower = Follower::start(&api, arguments.timeout()).await?;
        api.once(&create).await?;
        let (windlass, api, _) = server.engine(place).await?;
        (windlass, api, follower)
    } else {
        let (windlass, api, ready) = server.engine(place).await?;
        rows.push(Row::time("cold start to an API that answers", ready));
        let follower = Follower::start(&api, arguments.timeout()).await?;
        api.once(&create).await?;
        (windlass, api, follower)
    };
    let server_version = api.once(&Call::get("/version")).await?;
    report.versions.push(format!(
        "{}: Kubernetes {}",
        server.name(),
        server_version["gitVersion"].as_str().unwrap_or_default()
    ));
    let started = windlass.started;
    let last = follower.synced([workload::name(0)], &revision).await?;
    let cold = Row::time("cold start to the first Unit synced", last.saturating_duration_since(started));
    rows.push(if is_real { cold } else { cold.target("≤ 300 ms") });
    windlass.engine_ready().await?;
    let path = format!("{}/{}", workload::applications(CONTROL_PLANE), workload::name(0));
    let first = api.once(&Call::get(&path)).await?["status"].take();

    let mut scene = Scene { windlass, api, follower, repository };
    let mut times = Vec::new();
    let mut second = Value::Null;
    for round in 0..arguments.repeat {
        tokio::time::sleep(SETTLE).await;
        let revision =
            workload::commit_one(&scene.repository, arguments.size(1), 0, &format!("again-{round}"))?;
        times.push(scene.push(vec![workload::name(0)], &revision).await?);
        if round == 0 {
            second = scene.api.once(&Call::get(&path)).await?["status"].take();
        }
    }
    let commit = median(times);
    rows.push(Row::time("one commit to a repository of one Unit", commit).note("announced → Synced"));
    let usage = memory(scene.windlass.id());
    rows.push(Row::memory("resident memory", usage.resident));
    report.add(format!("{}, one Unit", server.name()), rows);
    scene.windlass.stop()?;
    if is_real {
        clear(&scene.api).await?;
    }
    let change = windlass_kube::merge_patch::diff(&to_value(&first)?, &to_value(&second)?);
    let sample = Sample { first, change: serde_json::to_value(&change)? };
    Ok(Single { commit, sample })
}

fn to_value(json: &Value) -> Result<windlass_kube::Value> {
    Ok(serde_json::from_value(json.clone())?)
}

async fn measure_many(
    server: &Server,
    place: &Place,
    arguments: &Arguments,
    single: &Single,
    size: Size,
    report: &mut Report,
) -> Result<()> {
    let mut title = format!("{}, {} Units", server.name(), size.n_units);
    if size.n_objects != 1 {
        title.push_str(&format!(" of {} objects each", size.n_objects));
    }
    eprintln!("measuring: {title}");
    let before = measure_floor(server, place, size, &single.sample).await?;
    if arguments.floor_only {
        report.add(title, floor_rows(&before, None, size));
        return Ok(());
    }
    let measured = measure_windlass(server, place, arguments, size).await?;
    let after = measure_floor(server, place, size, &single.sample).await?;
    let floor = before.mean(after);
    let mut rows = floor_rows(&before, Some(&after), size);
    rows.extend(measured.rows(&floor, single));
    report.add(title, rows);
    Ok(())
}

async fn measure_floor(server: &Server, place: &Place, size: Size, sample: &Sample) -> Result<Floor> {
    let (process, api) = server.bare(place).await?;
    let floor = floor::measure(&api, size, sample).await?;
    process.map_or(Ok(()), Windlass::stop)?;
    Ok(floor)
}

fn floor_rows(before: &Floor, after: Option<&Floor>, size: Size) -> Vec<Row> {
    let floor = after.map_or(*before, |after| before.mean(*after));
    let both = |pick: fn(&Floor) -> Duration| match after {
        Some(after) => format!("before {}, after {}", duration(pick(before)), duration(pick(after))),
        None => String::new(),
    };
    let (first_bytes, change_bytes) = floor.status_bytes;
    let per_second = count(size.all_objects()) / floor.applies.as_secs_f64();
    vec![
        Row::time(format!("(a) floor: create the Applications, {CONNECTIONS} connections"), floor.create)
            .note(both(|floor| floor.create)),
        Row::time("(a) floor: an apply and a status write a Unit, the first", floor.first)
            .note(format!("{}; statuses of {first_bytes} bytes", both(|floor| floor.first))),
        Row::time("(a) floor: the same, a change", floor.change)
            .note(format!("{}; statuses of {change_bytes} bytes", both(|floor| floor.change))),
        Row::figure("(a) server-side applies a second", per_second, format!("{per_second:.0}"))
            .note(both(|floor| floor.applies)),
    ]
}

/// What Windlass took.
struct Measured {
    size: Size,
    create: Duration,
    since_first: Duration,
    since_last: Duration,
    all: Vec<Duration>,
    one: Vec<Duration>,
    counts: Vec<Row>,
    rest: Vec<Row>,
}

impl Measured {
    fn rows(self, floor: &Floor, single: &Single) -> Vec<Row> {
        let spread = |times: &[Duration]| {
            let (least, most) = (times.iter().min(), times.iter().max());
            let show = |time: Option<&Duration>| time.copied().map(duration).unwrap_or_default();
            format!("median of {}; {} to {}", times.len(), show(least), show(most))
        };
        let mut counts = self.counts.into_iter();
        let mut rows = vec![
            Row::time("(b) create the Applications while Windlass works", self.create).ratio_to(floor.create),
            Row::time("(b) last create returned → all Synced", self.since_last)
                .ratio_to(floor.first)
                .note("the work begins with the first create"),
            Row::time("(b) first create sent → all Synced", self.since_first)
                .ratio_to(floor.create + floor.first)
                .target("≤ 1.5 ×")
                .note("floor: creates and first syncs"),
        ];
        rows.extend(counts.next());
        let n_units = self.size.n_units;
        rows.push(
            Row::time(format!("(c) one commit that changes all {n_units}"), median(self.all.clone()))
                .ratio_to(floor.change)
                .target("≤ 1.5 ×")
                .note(spread(&self.all)),
        );
        rows.extend(counts.next());
        rows.push(
            Row::time(format!("(d) one commit that changes 1 of {n_units}"), median(self.one.clone()))
                .ratio_to(single.commit)
                .target("≤ 2 ×")
                .note(format!("{}; ratio to a repository of one Unit", spread(&self.one))),
        );
        rows.extend(counts);
        rows.extend(self.rest);
        rows
    }
}

async fn measure_windlass(
    server: &Server,
    place: &Place,
    arguments: &Arguments,
    size: Size,
) -> Result<Measured> {
    let n_units = size.n_units;
    let folder = tempfile::tempdir()?;
    let repository = Repository::init(folder.path().join("repository"))?;
    let first = workload::commit_all(&repository, size, "first")?;
    let (windlass, api, _) = server.engine(place).await?;
    windlass.engine_ready().await?;
    let empty = memory(windlass.id());
    let follower = Follower::start(&api, arguments.timeout()).await?;
    let mut pool = api.pool().await?;
    let names = || size.unit_indices().map(workload::name).collect::<Vec<_>>();
    let address = repository.file_url();
    let mut scene = Scene { windlass, api, follower, repository };
    tokio::time::sleep(SETTLE).await;

    // (b) N Applications at once.
    let path = workload::applications(CONTROL_PLANE);
    let calls = size
        .unit_indices()
        .map(|idx| vec![Call::create(&path, &workload::application(idx, CONTROL_PLANE, &address))])
        .collect();
    let mut counters = scene.counters().await?;
    let begun = Instant::now();
    let create = pool.run(calls).await?;
    let created = Instant::now();
    let last = scene.follower.synced(names(), &first).await?;
    let mut counts = Vec::new();
    tokio::time::sleep(SETTLE).await;
    let after = scene.counters().await?;
    counts.push(counters.row(&after, "(b) writes a Unit, creation apart", size, n_units));

    // (c) One commit that changes all.
    counters = after;
    let mut all = Vec::new();
    for round in 0..arguments.repeat {
        let value = format!("all-{round}");
        let revision = workload::commit_all(&scene.repository, size, &value)?;
        all.push(scene.push(names(), &revision).await?);
        check_live(&scene.api, size.all_objects(), &value).await?;
        tokio::time::sleep(SETTLE).await;
    }
    let after = scene.counters().await?;
    let n_changed = size.units(n_units * arguments.repeat);
    counts.push(counters.row(&after, "(c) writes a Unit and commit", n_changed, 0));

    // (d) One commit that changes one of all.
    counters = after;
    scene.follower.changes_since_last();
    let mut one = Vec::new();
    for round in 0..arguments.repeat {
        let unit_idx = (n_units / 2 + round) % n_units;
        let revision = workload::commit_one(&scene.repository, size, unit_idx, &format!("one-{round}"))?;
        one.push(scene.push(vec![workload::name(unit_idx)], &revision).await?);
        tokio::time::sleep(SETTLE).await;
    }
    let n_strays = scene.follower.changes_since_last().saturating_sub(arguments.repeat);
    counters = {
        let after = scene.counters().await?;
        counts.push(counters.row(&after, "(d) writes a commit", size.units(arguments.repeat), 0));
        after
    };

    // (e) What it costs to do nothing.
    let mut rest = vec![
        Row::figure("(d) writes to Units that no commit touched", count(n_strays), n_strays.to_string())
            .target("0"),
    ];
    let usage = memory(scene.windlass.id());
    let grown = usage.resident.saturating_sub(empty.resident);
    let per = grown * 1024 / u64::try_from(n_units.max(1))?;
    rest.push(
        Row::memory("(e) resident memory", usage.resident)
            .note(format!("{per} bytes a Unit more than with none; peak {:.1} MB", mb(usage.peak))),
    );
    rest.push(Row::memory("(e) proportional share of memory", usage.proportional));
    let idle = Duration::from_secs(arguments.idle_seconds);
    let begun_idle = (Instant::now(), processor_time(scene.windlass.id()));
    tokio::time::sleep(idle).await;
    let used = processor_time(scene.windlass.id()).saturating_sub(begun_idle.1);
    let share = used.as_secs_f64() / begun_idle.0.elapsed().as_secs_f64();
    let n_idle_writes = newest_version(&scene.api).await?.saturating_sub(counters.version);
    rest.push(
        Row::figure("(e) idle processor time", share, format!("{:.2} % of a core", share * 100.0))
            .target("≤ 2 % at 10,000")
            .note(format!("over {}; the server counted {n_idle_writes} writes", duration(idle))),
    );
    scene.windlass.stop()?;
    if matches!(server, Server::Real(_)) {
        clear(&scene.api).await?;
    }
    Ok(Measured {
        size,
        create,
        since_first: last.saturating_duration_since(begun),
        since_last: last.saturating_duration_since(created),
        all,
        one,
        counts,
        rest,
    })
}

fn mb(kib: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "memory has fewer digits than a float")]
    let bytes = (kib * 1024) as f64;
    bytes / 1e6
}

/// Fails unless every ConfigMap is there and says what was committed last.
async fn check_live(api: &Api, n_objects: usize, value: &str) -> Result<()> {
    let list = api.once(&Call::get(&workload::config_maps(TARGET))).await?;
    let items = list["items"].as_array().context("the list of ConfigMaps has no items")?;
    let n_right = items.iter().filter(|item| item["data"]["value"] == value).count();
    if n_right != n_objects {
        bail!(
            "{n_right} of {n_objects} ConfigMaps say what was committed, though all Applications are Synced"
        );
    }
    Ok(())
}

/// The server's newest resource version: both number every write of any object with the next integer.
async fn newest_version(api: &Api) -> Result<u64> {
    let list = api.once(&Call::get(&format!("{}?limit=1", workload::config_maps(TARGET)))).await?;
    let version = list["metadata"]["resourceVersion"].as_str().unwrap_or_default();
    version.parse().with_context(|| format!("the resource version {version:?} is no number"))
}
