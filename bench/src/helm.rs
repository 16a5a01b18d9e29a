//! Rendering charts, in process and as a process, against `helm template`.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use gotemplate::{NoWorld, World};
use windlass_helm::{
    Capabilities, CompiledChart, HelmVersion, KubeVersion, LoadOptions, Overrides, PrintOptions, Release,
    RenderRequest, load_archive, load_folder,
};
use windlass_model::MemoryTree;

use crate::figures::{Report, Row, float, repeated};
use crate::usage;

mod synthetic;

/// What takes longer than this is measured once.
const LONG: Duration = Duration::from_secs(2);

/// Charts that are rendered at once.
const AT_ONCE: usize = 1_000;

/// The version of Kubernetes that all are told.
const KUBE_VERSION: &str = "v1.34.0";

const HELM: HelmVersion = HelmVersion::V4;

/// A chart on disk.
struct Case {
    name: String,
    chart: PathBuf,
}

/// What one chart took.
struct Times {
    name: String,
    helm: Duration,
    warm: Duration,
    cold: Option<Duration>,
}

/// Measures our own chart, and those below the folders.
pub(crate) fn run(report: &mut Report, windlass: Option<&Path>, folders: &[PathBuf]) -> Result<()> {
    let helm = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/bin/helm");
    ensure!(helm.is_file(), "there is no {}; build it with `cargo xtask tools helm`", helm.display());
    let scratch = tempfile::tempdir()?;
    let own = scratch.path().join("platform");
    let files = synthetic::chart(synthetic::COMPONENTS, 0);
    for (path, text) in &files {
        let file = own.join(path);
        std::fs::create_dir_all(file.parent().context("every file lies in a folder")?)?;
        std::fs::write(file, text)?;
    }
    let own = Case { name: "our own chart of 300 templates".into(), chart: own };
    let times = measure(&own, &helm, windlass)?.context("our own chart renders")?;
    let mut rows = shown(&times);
    rows.extend(steps(&own)?);
    rows.extend(at_once()?);
    report.add("Charts: our own", rows);

    let mut cases = Vec::new();
    for folder in folders {
        find(folder, folder, &mut cases);
    }
    if cases.is_empty() {
        return Ok(());
    }
    let mut all = Vec::new();
    for case in &cases {
        match measure(case, &helm, windlass) {
            Ok(Some(times)) => all.push(times),
            // A chart that needs values or charts of others is compared by `cargo xtask charts`.
            Ok(None) => {}
            Err(error) => eprintln!("{}: {error:#}", case.name),
        }
    }
    report.add("Charts: those of others", summary(&all, cases.len()));
    Ok(())
}

/// Measures a chart; `None` for one that Helm does not render without values.
fn measure(case: &Case, helm: &Path, windlass: Option<&Path>) -> Result<Option<Times>> {
    let chart = case.chart.to_string_lossy().into_owned();
    let arguments = ["template", "rel", &chart, "--include-crds", "--kube-version", KUBE_VERSION];
    if !process(helm, &arguments)? {
        return Ok(None);
    }
    let theirs = repeated(LONG, || process(helm, &arguments).map(drop))?;
    let compiled = compiled(&case.chart)?;
    let request = request()?;
    let render = || print(&compiled, &request).map(|text| drop(black_box(text)));
    render()?;
    let warm = repeated(LONG, render)?;
    let cold = windlass.map(|windlass| {
        let arguments = ["render", "helm", "rel", &chart, "--include-crds", "--kube-version", KUBE_VERSION];
        repeated(LONG, || {
            ensure!(process(windlass, &arguments)?, "windlass render helm fails on {}", case.name);
            Ok(())
        })
    });
    Ok(Some(Times { name: case.name.clone(), helm: theirs, warm, cold: cold.transpose()? }))
}

fn process(program: &Path, arguments: &[&str]) -> Result<bool> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let status = command.status().with_context(|| format!("cannot run {}", program.display()))?;
    Ok(status.success())
}

fn compiled(chart: &Path) -> Result<CompiledChart> {
    let options = LoadOptions::of(HELM);
    let loaded = if chart.is_dir() {
        let mut files = Vec::new();
        read(chart, "", &mut files)?;
        load_folder(&MemoryTree::new(files), "", &options)?
    } else {
        load_archive(&std::fs::read(chart)?, &options)?
    };
    Ok(CompiledChart::new(loaded.chart, HELM))
}

fn request() -> Result<RenderRequest> {
    let values = Overrides::default().merge(HELM, |path| Err(path.to_owned()))?;
    let mut capabilities = Capabilities::default_of(HELM);
    capabilities.kube_version = KubeVersion::parse(KUBE_VERSION, HELM)?;
    Ok(RenderRequest {
        capabilities,
        ..RenderRequest::new(Release::install("rel", "default")?, values, HELM)
    })
}

/// Chance as cheap as it can be had, and no clock: neither is what is measured.
fn world() -> impl World {
    NoWorld::default()
}

fn print(chart: &CompiledChart, request: &RenderRequest) -> Result<String> {
    let rendered = chart.render(request, &mut world())?;
    Ok(rendered.print(&PrintOptions { include_crds: true, ..PrintOptions::default() }, HELM)?)
}

/// What the steps of a cold render take.
fn steps(case: &Case) -> Result<Vec<Row>> {
    let mut files = Vec::new();
    read(&case.chart, "", &mut files)?;
    let tree = MemoryTree::new(files);
    let options = LoadOptions::of(HELM);
    let load = repeated(LONG, || {
        load_folder(&tree, "", &options).map(|loaded| drop(black_box(loaded))).map_err(Into::into)
    })?;
    let chart = load_folder(&tree, "", &options)?.chart;
    let request = request()?;
    let first = repeated(LONG, || {
        let compiled = CompiledChart::new(Arc::clone(&chart), HELM);
        compiled.render(&request, &mut world()).map(|rendered| drop(black_box(rendered))).map_err(Into::into)
    })?;
    Ok(vec![
        Row::time("files in memory → a chart", load),
        Row::time("the first render: templates are parsed", first),
    ])
}

/// Renders many charts, no two of them equal, on all cores, from files to text.
fn at_once() -> Result<Vec<Row>> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let trees: Vec<MemoryTree> =
        (0..AT_ONCE).map(|seed| MemoryTree::new(synthetic::chart(synthetic::FEW_COMPONENTS, seed))).collect();
    let pid = std::process::id();
    // Forgets the largest size so far.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    let before = usage::memory(pid);
    let used = usage::processor_time(pid);
    let next = AtomicUsize::new(0);
    let n_bytes = AtomicUsize::new(0);
    let begun = Instant::now();
    let work = || -> Result<()> {
        let request = request()?;
        while let Some(tree) = trees.get(next.fetch_add(1, Ordering::Relaxed)) {
            let chart = load_folder(tree, "", &LoadOptions::of(HELM))?.chart;
            let text = print(&CompiledChart::new(chart, HELM), &request)?;
            n_bytes.fetch_add(text.len(), Ordering::Relaxed);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| anyhow!("a render panicked"))?)
    })?;
    let time = begun.elapsed();
    let busy = (usage::processor_time(pid) - used).as_secs_f64() / time.as_secs_f64() / float(cores);
    let peak = usage::memory(pid).peak.saturating_sub(before.resident);
    let megabytes = float(n_bytes.into_inner()) / 1e6;
    Ok(vec![
        Row::time(format!("{AT_ONCE} different charts of 30 templates at once, from files to text"), time)
            .note(format!("{megabytes:.0} MB of manifests")),
        Row::figure("of all cores", busy, format!("{:.0} %", busy * 100.0)),
        Row::memory("memory they took at most, beside their files", peak),
    ])
}

fn shown(times: &Times) -> Vec<Row> {
    let Times { name, helm, warm, cold } = times;
    let faster = |time: &Duration| format!("{:.0} times as fast", helm.as_secs_f64() / time.as_secs_f64());
    let mut rows = vec![
        Row::time(format!("{name}: helm template"), *helm),
        Row::time(format!("{name}: in process, warm"), *warm).ratio_to(*helm).note(faster(warm)),
    ];
    if let Some(cold) = cold {
        let row = Row::time(format!("{name}: windlass render helm"), *cold);
        rows.push(row.ratio_to(*helm).note(faster(cold)));
    }
    rows
}

fn summary(all: &[Times], n_cases: usize) -> Vec<Row> {
    let mut rows = vec![Row::figure(
        "charts that Helm renders as they are",
        float(all.len()),
        format!("{} of {n_cases}", all.len()),
    )];
    let ratio = |helm: Duration, ours: Duration| helm.as_secs_f64() / ours.as_secs_f64();
    let warm: Vec<_> = all.iter().map(|times| (ratio(times.helm, times.warm), times)).collect();
    let cold: Vec<_> = all.iter().filter_map(|times| Some((ratio(times.helm, times.cold?), times))).collect();
    for (what, target, mut ratios) in [("warm in process", "≥ 50 ×", warm), ("cold process", "", cold)] {
        ratios.sort_by(|one, other| one.0.total_cmp(&other.0));
        let (Some((least, worst)), Some((most, best))) = (ratios.first(), ratios.last()) else { continue };
        let mean = (ratios.iter().map(|(ratio, _)| ratio.ln()).sum::<f64>() / float(ratios.len())).exp();
        let row = Row::figure(format!("{what}: geometric mean"), mean, format!("{mean:.1} ×"));
        rows.push(row.target(target));
        let row = Row::figure(format!("{what}: the worst"), *least, format!("{least:.1} ×"));
        rows.push(row.target("≥ 1 ×").note(worst.name.clone()));
        let row = Row::figure(format!("{what}: the best"), *most, format!("{most:.0} ×"));
        rows.push(row.note(best.name.clone()));
    }
    rows
}

/// Charts below a folder, and not those inside of others.
fn find(root: &Path, folder: &Path, cases: &mut Vec<Case>) {
    let members = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut members: Vec<_> = members.map(|member| member.path()).filter(|path| !path.is_symlink()).collect();
    members.sort();
    let mut add = |chart: &Path| {
        let name = chart.strip_prefix(root).unwrap_or(chart).display().to_string();
        cases.push(Case { name, chart: chart.to_owned() });
    };
    if folder.join("Chart.yaml").is_file() {
        return add(folder);
    }
    for member in members {
        if member.is_dir() {
            find(root, &member, cases);
        } else if member.extension().is_some_and(|extension| extension == "tgz") {
            let name = member.strip_prefix(root).unwrap_or(&member).display().to_string();
            cases.push(Case { name, chart: member });
        }
    }
}

fn read(folder: &Path, prefix: &str, files: &mut Vec<(String, Vec<u8>)>) -> Result<()> {
    for member in std::fs::read_dir(folder)? {
        let path = member?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let name = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
        if path.is_dir() {
            read(&path, &name, files)?;
        } else if path.is_file() {
            files.push((name, std::fs::read(&path)?));
        }
    }
    Ok(())
}
