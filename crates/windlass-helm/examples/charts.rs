//! Renders every chart below folders with `helm template` and in process, and compares: `cargo xtask charts`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use gotemplate::World;
use windlass_helm::{
    Capabilities, CompiledChart, HelmVersion, KubeVersion, LoadOptions, Overrides, PrintOptions, Release,
    RenderRequest, load_archive, load_folder,
};
use windlass_model::MemoryTree;

/// The version of Kubernetes that both are told.
const KUBE_VERSION: &str = "v1.34.0";

/// How often a chart is rendered in process; the quickest counts, as for a cache that is warm.
const WARM_RENDERS: usize = 3;

struct Options {
    program: PathBuf,
    helm: HelmVersion,
    cache: Option<PathBuf>,
    only: Option<String>,
    show: bool,
    folders: Vec<PathBuf>,
}

fn main() -> ExitCode {
    let options = match arguments() {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("error: {problem}");
            return ExitCode::from(2);
        }
    };
    let mut cases = Vec::new();
    for folder in &options.folders {
        find(folder, &mut cases);
    }
    if let Some(only) = &options.only {
        cases.retain(|case| case.shown().contains(only.as_str()));
    }
    eprintln!("{} renders", cases.len());
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            let work = || {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = compare(case, &options);
                    outcomes.lock().expect("no thread panics").insert(case.shown(), outcome);
                }
            };
            // Deep templates need a deep stack.
            let _ = std::thread::Builder::new().stack_size(64 << 20).spawn_scoped(scope, work);
        }
    });
    let outcomes = outcomes.into_inner().expect("no thread panics");
    report(&outcomes, &options)
}

fn arguments() -> Result<Options, String> {
    let mut options = Options {
        program: PathBuf::new(),
        helm: HelmVersion::V4,
        cache: None,
        only: None,
        show: false,
        folders: Vec::new(),
    };
    let mut tools = PathBuf::from("target/tools/bin");
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--helm" => match value()?.as_str() {
                "3" => options.helm = HelmVersion::V3,
                "4" => options.helm = HelmVersion::V4,
                other => return Err(format!("there is no Helm {other:?}: 3 or 4")),
            },
            "--tools" => tools = value()?.into(),
            "--cache" => options.cache = Some(value()?.into()),
            "--only" => options.only = Some(value()?),
            "--show" => options.show = true,
            _ => options.folders.push(argument.into()),
        }
    }
    if options.folders.is_empty() {
        return Err("name folders with charts".into());
    }
    options.program = tools.join(match options.helm {
        HelmVersion::V3 => "helm3",
        HelmVersion::V4 => "helm",
    });
    if !options.program.is_file() {
        return Err(format!("there is no {}: build it with `cargo xtask tools`", options.program.display()));
    }
    Ok(options)
}

/// A chart with one file of values, or none.
struct Case {
    chart: PathBuf,
    values: Option<PathBuf>,
}

impl Case {
    fn shown(&self) -> String {
        match &self.values {
            None => self.chart.display().to_string(),
            Some(values) => format!("{} -f {}", self.chart.display(), values.display()),
        }
    }
}

/// Finds charts: folders with a `Chart.yaml`, and packaged ones. Charts inside of charts are left to these.
fn find(folder: &Path, cases: &mut Vec<Case>) {
    if folder.join("Chart.yaml").is_file() {
        cases.push(Case { chart: folder.to_owned(), values: None });
        let mut values: Vec<_> = list(&folder.join("ci"));
        values.retain(|path| path.to_string_lossy().ends_with("values.yaml"));
        cases
            .extend(values.into_iter().map(|values| Case { chart: folder.to_owned(), values: Some(values) }));
        // A repository may be a chart and hold others.
        for member in list(folder).into_iter().filter(|member| member.is_dir()) {
            let name = member.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !matches!(name.as_str(), "charts" | "templates" | "crds" | "ci" | ".git") {
                find(&member, cases);
            }
        }
        return;
    }
    for member in list(folder) {
        if member.is_dir() && !member.ends_with(".git") {
            find(&member, cases);
        } else if member.extension().is_some_and(|extension| extension == "tgz") {
            cases.push(Case { chart: member, values: None });
        }
    }
}

fn list(folder: &Path) -> Vec<PathBuf> {
    let members = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<_> = members.map(|member| member.path()).filter(|path| !path.is_symlink()).collect();
    paths.sort();
    paths
}

/// What one program made of a chart.
#[derive(Clone, PartialEq)]
struct Made {
    text: String,
    error: String,
}

struct Outcome {
    verdict: Verdict,
    helm: Duration,
    ours: Duration,
    detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Equal,
    EqualError,
    /// Equal but for lines in which two runs of Helm differ.
    EqualButChance,
    Different,
    DifferentError,
}

fn compare(case: &Case, options: &Options) -> Outcome {
    let (mut ours, mut ours_time, mut asked_world) = render(case, options, false);
    let mut salt = "";
    if ours.error.contains("schemas are not fetched") {
        // Neither has a network to ask; the rest of the chart can be compared.
        salt = SKIP_SCHEMA;
        (ours, ours_time, asked_world) = render(case, options, true);
    }
    let (helm, helm_time) = run_helm(case, options, salt);
    let mut detail = String::new();
    let verdict = if helm == ours || is_equal_but_order(&helm.error, &ours.error) {
        if helm.error.is_empty() { Verdict::Equal } else { Verdict::EqualError }
    } else if asked_world && {
        let (again, _) = run_helm(case, options, &format!("{salt}again"));
        is_equal_but_chance(&helm.text, &again.text, &ours.text)
    } {
        Verdict::EqualButChance
    } else if helm.error != ours.error {
        detail = format!("  helm: {}\n  ours: {}\n", helm.error, ours.error);
        Verdict::DifferentError
    } else {
        detail = difference(&helm.text, &ours.text, if options.show { 400 } else { 12 });
        Verdict::Different
    };
    Outcome { verdict, helm: helm_time, ours: ours_time, detail }
}

/// Marks results without validation.
const SKIP_SCHEMA: &str = "skip-schema";

fn run_helm(case: &Case, options: &Options, salt: &str) -> (Made, Duration) {
    let kept = options.cache.as_ref().map(|folder| {
        let name = format!("{}{salt}{:?}", case.shown(), options.helm);
        folder.join(name.replace(['/', ' '], "_").chars().rev().take(200).collect::<String>())
    });
    if let Some(kept) = &kept
        && let Ok(text) = fs::read_to_string(kept)
        && let Some((head, text)) = text.split_once('\u{1}')
        && let Some((micros, error)) = head.split_once('\u{2}')
    {
        let result = Made { text: text.into(), error: error.into() };
        return (result, Duration::from_micros(micros.parse().unwrap_or(0)));
    }
    let mut command = Command::new(&options.program);
    command.arg("template").arg("rel").arg(&case.chart).args(["--namespace", "space", "--include-crds"]);
    command.args(["--kube-version", KUBE_VERSION]);
    if let Some(values) = &case.values {
        command.arg("-f").arg(values);
    }
    if salt.starts_with(SKIP_SCHEMA) {
        command.arg("--skip-schema-validation");
    }
    let begin = Instant::now();
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => {
            return (Made { text: String::new(), error: error.to_string() }, Duration::ZERO);
        }
    };
    let time = begin.elapsed();
    let stderr = String::from_utf8_lossy(&output.stderr);
    let error = if output.status.success() {
        String::new()
    } else {
        let from = stderr.find("Error: ").unwrap_or(0);
        stderr[from..].trim_end().trim_start_matches("Error: ").to_owned()
    };
    let result = Made { text: String::from_utf8_lossy(&output.stdout).into_owned(), error };
    if let Some(kept) = kept {
        let _ = fs::create_dir_all(kept.parent().unwrap_or(Path::new(".")));
        let text = format!("{}\u{2}{}\u{1}{}", time.as_micros(), result.error, result.text);
        let _ = fs::write(kept, text);
    }
    (result, time)
}

/// The real world.
struct Now {
    state: u64,
}

impl World for Now {
    fn now(&mut self) -> gotemplate::Instant {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        gotemplate::Instant {
            seconds: i64::try_from(now.as_secs()).unwrap_or(0),
            nanoseconds: now.subsec_nanos(),
        }
    }

    fn random(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.state =
                self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = (self.state >> 33).to_le_bytes()[0];
        }
    }
}

/// What we make of the chart, how long a warm render takes, and whether it asked for time or chance.
fn render(case: &Case, options: &Options, skip_schema_validation: bool) -> (Made, Duration, bool) {
    let fail = |error: String| {
        let error = if error.ends_with("\n") { error.trim_end().to_owned() } else { error };
        (Made { text: String::new(), error }, Duration::ZERO, false)
    };
    let load = LoadOptions::of(options.helm);
    let loaded = if case.chart.is_dir() {
        let mut files = Vec::new();
        if let Err(error) = read(&case.chart, "", &mut files) {
            return fail(error.to_string());
        }
        load_folder(&MemoryTree::new(files), "", &load)
    } else {
        fs::read(&case.chart)
            .map_err(|error| error.to_string())
            .map_or_else(|_| load_archive(&[], &load), |bytes| load_archive(&bytes, &load))
    };
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(error) => return fail(error.to_string()),
    };
    let mut overrides = Overrides::default();
    if let Some(values) = &case.values {
        overrides.files.push((values.display().to_string(), fs::read(values).unwrap_or_default()));
    }
    let values = match overrides.merge(options.helm, |path| Err(path.to_owned())) {
        Ok(values) => values,
        Err(error) => return fail(error.to_string()),
    };
    let release = Release::install("rel", "space").expect("the name is valid");
    let mut capabilities = Capabilities::default_of(options.helm);
    capabilities.kube_version = KubeVersion::parse(KUBE_VERSION, options.helm).expect("the version is valid");
    let request = RenderRequest {
        capabilities,
        skip_schema_validation,
        ..RenderRequest::new(release, values, options.helm)
    };
    let chart = CompiledChart::new(loaded.chart, options.helm);
    let mut world = Now { state: 42 };
    let mut best = Duration::MAX;
    let mut result = None;
    for _ in 0..WARM_RENDERS {
        let begin = Instant::now();
        let rendered = chart.render(&request, &mut world);
        let time = begin.elapsed();
        best = best.min(time);
        let is_slow = time > Duration::from_millis(300);
        result = Some(rendered);
        if is_slow {
            break;
        }
    }
    match result.expect("it was rendered at least once") {
        Ok(rendered) => {
            let print = PrintOptions { include_crds: true, ..PrintOptions::default() };
            let text = rendered.print(&print, options.helm).unwrap_or_default();
            (Made { text, error: String::new() }, best, rendered.record.asked_world)
        }
        Err(error) => {
            let mut text = error.to_string();
            use windlass_helm::RenderError::{KubeVersion, Manifest, Parse, Template};
            if matches!(error, KubeVersion { .. } | Manifest(_) | Parse(_) | Template(_)) {
                text.push_str("\n\nUse --debug flag to render out invalid YAML");
            }
            let (result, ..) = fail(text);
            (result, best, true)
        }
    }
}

fn read(folder: &Path, prefix: &str, files: &mut Vec<(String, Vec<u8>)>) -> io::Result<()> {
    for member in fs::read_dir(folder)? {
        let path = member?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let name = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
        if path.is_dir() {
            read(&path, &name, files)?;
        } else if path.is_file() {
            files.push((name, fs::read(&path)?));
        }
    }
    Ok(())
}

/// Whether two errors list the same problems of a schema: Helm goes through objects in random order.
fn is_equal_but_order(one: &str, other: &str) -> bool {
    let sorted = |text: &str| {
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    one.starts_with("values don't meet") && sorted(one) == sorted(other)
}

/// Whether `ours` is equal to `one` but for lines in which `one` and `other`, two runs of Helm, differ.
fn is_equal_but_chance(one: &str, other: &str, ours: &str) -> bool {
    if one == other {
        return false;
    }
    let same = |one: &[String], other: &[String], ours: &[String]| {
        one.len() == other.len()
            && one.len() == ours.len()
            && one.iter().zip(other).zip(ours).all(|((one, other), ours)| one != other || one == ours)
    };
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    // Keys and certificates have different numbers of lines, and what is made of them different lengths.
    same(&lines(one), &lines(other), &lines(ours))
        || same(&without_keys(one), &without_keys(other), &without_keys(ours))
}

/// The lines without those that nothing but a key or a certificate has, and with short ones for those that end in one.
fn without_keys(text: &str) -> Vec<String> {
    /// A line of PEM has 64 digits.
    const LONG: usize = 48;
    let is_digit = |char: char| char.is_ascii_alphanumeric() || matches!(char, '+' | '/' | '=');
    let mut is_inside = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.contains("-----BEGIN ") {
            is_inside = true;
        }
        if !is_inside {
            let rest = line.trim_end_matches('"').trim_end_matches(is_digit);
            let is_long = line.len() - rest.len() > LONG;
            lines.push(if is_long { rest.to_owned() } else { line.to_owned() });
        }
        if line.contains("-----END ") {
            is_inside = false;
        }
    }
    lines
}

/// The first lines that differ.
fn difference(helm: &str, ours: &str, most: usize) -> String {
    let (helm, ours): (Vec<_>, Vec<_>) = (helm.lines().collect(), ours.lines().collect());
    let first = helm.iter().zip(&ours).take_while(|(a, b)| a == b).count();
    let source = helm[..first].iter().rev().find(|line| line.starts_with("# Source: ")).unwrap_or(&"");
    let mut text = format!("  {source} line {}\n", first + 1);
    for line in helm.iter().skip(first).take(most / 2) {
        text.push_str(&format!("  - {line}\n"));
    }
    for line in ours.iter().skip(first).take(most / 2) {
        text.push_str(&format!("  + {line}\n"));
    }
    text
}

fn report(outcomes: &BTreeMap<String, Outcome>, options: &Options) -> ExitCode {
    let mut counts: BTreeMap<Verdict, usize> = BTreeMap::new();
    let mut repositories: BTreeMap<String, [usize; 3]> = BTreeMap::new();
    let mut by_detail: HashMap<&str, usize> = HashMap::new();
    for (case, outcome) in outcomes {
        *counts.entry(outcome.verdict).or_default() += 1;
        let is_equal = outcome.verdict < Verdict::Different;
        let folder = options.folders.iter().find(|folder| Path::new(case).starts_with(folder));
        let below = folder.and_then(|folder| Path::new(case).strip_prefix(folder).ok());
        let repository = match (folder, options.folders.len()) {
            (_, 1) => {
                below.and_then(|below| below.iter().next()).map(|part| part.to_string_lossy().into_owned())
            }
            (folder, _) => folder.map(|folder| folder.display().to_string()),
        };
        let row = repositories.entry(repository.unwrap_or_default()).or_default();
        row[0] += 1;
        row[1] += usize::from(is_equal);
        row[2] += usize::from(is_equal && outcome.verdict == Verdict::EqualError);
        if !is_equal {
            println!("{:?} {case}", outcome.verdict);
            print!("{}", outcome.detail);
            *by_detail.entry(outcome.detail.lines().last().unwrap_or_default()).or_default() += 1;
        }
    }
    println!("\n| repository | renders | equal | of these errors |\n|---|--:|--:|--:|");
    for (repository, [all, equal, errors]) in &repositories {
        println!("| {repository} | {all} | {equal} | {errors} |");
    }
    println!();
    for (verdict, count) in &counts {
        println!("{verdict:?}: {count}");
    }
    let mut ratios: Vec<f64> = outcomes
        .values()
        .filter(|outcome| outcome.verdict == Verdict::Equal && outcome.ours > Duration::ZERO)
        .map(|outcome| outcome.helm.as_secs_f64() / outcome.ours.as_secs_f64())
        .collect();
    ratios.sort_by(f64::total_cmp);
    if let (Some(least), Some(most)) = (ratios.first(), ratios.last()) {
        #[expect(clippy::cast_precision_loss, reason = "there are few charts")]
        let mean = (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp();
        println!(
            "helm process / warm render: geometric mean {mean:.0} ×, least {least:.1} ×, most {most:.0} ×"
        );
    }
    let mut slowest: Vec<_> = outcomes.iter().collect();
    slowest.sort_by_key(|(_, outcome)| std::cmp::Reverse(outcome.ours));
    for (case, outcome) in slowest.iter().take(5) {
        println!("slowest: {case}: {:.1?} (helm {:.1?})", outcome.ours, outcome.helm);
    }
    let _ = io::stdout().flush();
    let is_all = outcomes.values().all(|outcome| outcome.verdict < Verdict::Different);
    if is_all { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
