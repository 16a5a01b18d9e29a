//! Builds kustomizations with kustomize and in process, and compares.
//!
//! ```text
//! cargo xtask kustomizations FOLDER…
//! cargo xtask kustomizations --generate COUNT --seed SEED
//! ```
//!
//! `KUSTOMIZE` and `HELM` name the programs. With `--show N` the first N differences are printed whole; with `--list`
//! every folder gets its line. With `--enable-helm` charts that lie beside a kustomization are rendered.
//! `--generate` composes random kustomizations; `--keep` leaves those that differ where they are. A kustomization
//! that needs something remote is counted and left alone.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a tool for developers")]

#[path = "kustomizations/compose.rs"]
mod compose;
#[path = "../../windlass-kustomize/tests/disk_tree/mod.rs"]
mod disk_tree;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use windlass_helm::HelmVersion;
use windlass_kustomize::helm::Helm;
use windlass_kustomize::{ErrorKind, Options, Services, build};
use windlass_render::{KustomizeCharts, NoWorld};

use crate::disk_tree::DiskTree;

/// The version of Kubernetes that charts are told by both.
const KUBE_VERSION: &str = "v1.34.0";

/// The programs to compare with.
struct Programs {
    kustomize: String,
    helm: String,
    enable_helm: bool,
}

const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Equal,
    SameError,
    OtherError,
    OnlyOursFails,
    OnlyTheirsFails,
    Different,
    Remote,
}

impl Outcome {
    fn differs(self) -> bool {
        !matches!(self, Self::Equal | Self::SameError | Self::Remote)
    }
}

struct Compared {
    folder: PathBuf,
    outcome: Outcome,
    ours: String,
    theirs: String,
    our_time: Duration,
    their_time: Duration,
}

fn main() {
    let mut folders = Vec::new();
    let mut shown = 0;
    let (mut list, mut keep) = (false, false);
    let (mut generate, mut seed) = (0, 1);
    let named = |variable: &str, name: &str| std::env::var(variable).unwrap_or_else(|_| name.to_owned());
    let mut programs = Programs {
        kustomize: named("KUSTOMIZE", "kustomize"),
        helm: named("HELM", "helm"),
        enable_helm: false,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().unwrap().parse::<u64>().unwrap();
        match argument.as_str() {
            "--show" => shown = usize::try_from(number()).unwrap(),
            "--generate" => generate = usize::try_from(number()).unwrap(),
            "--seed" => seed = number(),
            "--list" => list = true,
            "--keep" => keep = true,
            "--enable-helm" => programs.enable_helm = true,
            _ => find(Path::new(&argument), &mut folders),
        }
    }
    let composed = std::env::temp_dir().join(format!("windlass-kustomizations-{}", std::process::id()));
    if generate > 0 {
        folders.extend(compose::compose(generate, seed, &composed).unwrap());
    }
    let results = compare_all(&mut folders, &programs);
    report(&results, shown, list);
    if generate > 0 && !keep {
        std::fs::remove_dir_all(&composed).unwrap();
    } else if generate > 0 {
        for result in results.iter().filter(|result| !result.outcome.differs()) {
            std::fs::remove_dir_all(&result.folder).unwrap();
        }
        println!("what differs is in {}", composed.display());
    }
}

fn compare_all(folders: &mut [PathBuf], programs: &Programs) -> Vec<Compared> {
    folders.sort();
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(folder) = folders.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let compared = compare(folder, programs);
                    results.lock().unwrap().push(compared);
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap();
    results.sort_by(|a, b| a.folder.cmp(&b.folder));
    results
}

fn find(folder: &Path, found: &mut Vec<PathBuf>) {
    if NAMES.iter().any(|name| folder.join(name).is_file()) {
        found.push(folder.to_owned());
    }
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) && entry.file_name() != ".git" {
            find(&entry.path(), found);
        }
    }
}

fn compare(folder: &Path, programs: &Programs) -> Compared {
    // The whole disk is the Tree, as it is for kustomize.
    let tree = DiskTree::new(Path::new("/")).unwrap();
    let folder = folder.canonicalize().unwrap();
    let in_tree = folder.strip_prefix("/").unwrap().to_str().unwrap().to_owned();
    let mut world = NoWorld::default();
    let charts = KustomizeCharts::new(HelmVersion::V4, None, &mut world);
    let helm = programs.enable_helm.then_some(&charts as &dyn Helm);
    let options = Options { helm_kube_version: KUBE_VERSION.to_owned(), ..Options::default() };
    let begin = Instant::now();
    let ours = build(&tree, &in_tree, &options, Services { helm, ..Services::default() }, &[])
        .and_then(|built| built.resources.to_yaml());
    let our_time = begin.elapsed();
    let mut compared = Compared {
        folder: folder.clone(),
        outcome: Outcome::Remote,
        ours: String::new(),
        theirs: String::new(),
        our_time,
        their_time: Duration::ZERO,
    };
    if ours.as_ref().is_err_and(|error| error.kind() == ErrorKind::Remote) {
        return compared;
    }
    let begin = Instant::now();
    let mut command = Command::new(&programs.kustomize);
    command.arg("build").arg(&folder);
    if programs.enable_helm {
        command.args(["--enable-helm", "--helm-kube-version", KUBE_VERSION, "--helm-command"]);
        command.arg(&programs.helm);
    }
    let output = command.output().unwrap();
    compared.their_time = begin.elapsed();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let theirs = if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        let text = text(&output.stderr);
        Err(without_addresses(said(&text)))
    };
    compared.outcome = match (&ours, &theirs) {
        (Ok(ours), Ok(theirs)) if ours == theirs => Outcome::Equal,
        (Ok(_), Ok(_)) => Outcome::Different,
        (Err(ours), Err(theirs)) if ours.to_string() == *theirs => Outcome::SameError,
        (Err(_), Err(_)) => Outcome::OtherError,
        (Err(_), Ok(_)) => Outcome::OnlyOursFails,
        (Ok(_), Err(_)) => Outcome::OnlyTheirsFails,
    };
    if compared.outcome != Outcome::Equal {
        compared.ours = ours.unwrap_or_else(|error| format!("ERROR {error}"));
        compared.theirs = theirs.unwrap_or_else(|error| format!("ERROR {error}"));
    }
    compared
}

/// What kustomize says is wrong. Where it panics, the words of that: nobody wants to panic in the same way.
fn said(stderr: &str) -> &str {
    if let Some((_, text)) = stderr.split_once("Error: ") {
        return text.strip_suffix('\n').unwrap_or(text);
    }
    match stderr.split_once("panic: ") {
        Some((_, text)) => text.lines().next().unwrap_or_default(),
        None => stderr.strip_suffix('\n').unwrap_or(stderr),
    }
}

/// An error without the addresses that Go prints for pointers.
fn without_addresses(text: &str) -> String {
    match text.find("from generator &{0x").and_then(|begin| Some((begin, text[begin..].find('}')?))) {
        Some((begin, length)) => {
            format!("{}from generator{}", &text[..begin], &text[begin + length + 1..])
        }
        None => text.to_owned(),
    }
}

fn report(results: &[Compared], shown: usize, list: bool) {
    if list {
        for result in results {
            // The end of an error says most.
            let tail: Vec<char> =
                result.ours.lines().next().unwrap_or_default().chars().rev().take(100).collect();
            let tail: String = tail.iter().rev().collect();
            println!("{:?} {} {tail}", result.outcome, result.folder.display());
        }
    }
    for result in results.iter().filter(|result| result.outcome.differs()).take(shown) {
        println!("==== {:?} {}", result.outcome, result.folder.display());
        if result.outcome == Outcome::Different {
            print_difference(&result.theirs, &result.ours);
        } else {
            let head = |text: &str| text.chars().take(1500).collect::<String>();
            println!("theirs: {}\nours:   {}", head(&result.theirs), head(&result.ours));
        }
    }
    let count = |outcome: Outcome| results.iter().filter(|result| result.outcome == outcome).count();
    println!("{} kustomizations", results.len());
    for outcome in [
        Outcome::Equal,
        Outcome::SameError,
        Outcome::Different,
        Outcome::OnlyOursFails,
        Outcome::OnlyTheirsFails,
        Outcome::OtherError,
        Outcome::Remote,
    ] {
        println!("{:6} {outcome:?}", count(outcome));
    }
    let equal: Vec<&Compared> = results.iter().filter(|result| result.outcome == Outcome::Equal).collect();
    if equal.is_empty() {
        return;
    }
    let logs = equal.iter().map(|it| (it.their_time.as_secs_f64() / it.our_time.as_secs_f64()).ln());
    #[expect(clippy::cast_precision_loss, reason = "a count")]
    let mean = (logs.sum::<f64>() / equal.len() as f64).exp();
    let total = |time: fn(&Compared) -> Duration| equal.iter().map(|it| time(it)).sum::<Duration>();
    println!(
        "time of the equal ones: kustomize {:?}, here {:?}; geometric mean of the ratios {mean:.1}",
        total(|it| it.their_time),
        total(|it| it.our_time)
    );
}

fn print_difference(theirs: &str, ours: &str) {
    let (theirs, ours): (Vec<&str>, Vec<&str>) = (theirs.lines().collect(), ours.lines().collect());
    let Some(first) = (0..theirs.len().max(ours.len())).find(|idx| theirs.get(*idx) != ours.get(*idx)) else {
        return;
    };
    let begin = first.saturating_sub(6);
    println!("line {} of {} / {}", first + 1, theirs.len(), ours.len());
    for (sign, lines) in [('<', &theirs), ('>', &ours)] {
        for line in lines.iter().skip(begin).take(14) {
            println!("{sign} {}", line.chars().take(200).collect::<String>());
        }
    }
}
