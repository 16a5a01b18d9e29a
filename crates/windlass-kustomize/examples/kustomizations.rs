//! Builds every kustomization below folders with kustomize and with this crate, and compares.
//!
//! ```text
//! cargo xtask kustomizations FOLDER…
//! ```
//!
//! `KUSTOMIZE` names the program. With `--show N` the first N differences are printed whole; with `--list`
//! every folder gets its line. A kustomization that needs something remote is counted and left alone.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a tool for developers")]

#[path = "../tests/disk_tree/mod.rs"]
mod disk_tree;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use windlass_kustomize::{ErrorKind, Options, Services, build};

use crate::disk_tree::DiskTree;

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
    let mut list = false;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--show" => shown = arguments.next().unwrap().parse().unwrap(),
            "--list" => list = true,
            _ => find(Path::new(&argument), &mut folders),
        }
    }
    folders.sort();
    let kustomize = std::env::var("KUSTOMIZE").unwrap_or_else(|_| "kustomize".to_owned());
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(folder) = folders.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let compared = compare(folder, &kustomize);
                    results.lock().unwrap().push(compared);
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap();
    results.sort_by(|a, b| a.folder.cmp(&b.folder));
    report(&results, shown, list);
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

fn compare(folder: &Path, kustomize: &str) -> Compared {
    // The whole disk is the Tree, as it is for kustomize.
    let tree = DiskTree::new(Path::new("/")).unwrap();
    let folder = folder.canonicalize().unwrap();
    let in_tree = folder.strip_prefix("/").unwrap().to_str().unwrap().to_owned();
    let begin = Instant::now();
    let ours = build(&tree, &in_tree, &Options::default(), Services::default(), &[])
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
    let output = Command::new(kustomize).arg("build").arg(&folder).output().unwrap();
    compared.their_time = begin.elapsed();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let theirs = if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        let text = text(&output.stderr);
        let begin = text.find("Error: ").map_or(0, |begin| begin + "Error: ".len());
        Err(without_addresses(text[begin..].strip_suffix('\n').unwrap_or(&text[begin..])))
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
    let differs =
        |outcome: Outcome| !matches!(outcome, Outcome::Equal | Outcome::SameError | Outcome::Remote);
    if list {
        for result in results {
            println!("{:?} {}", result.outcome, result.folder.display());
        }
    }
    for result in results.iter().filter(|result| differs(result.outcome)).take(shown) {
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
