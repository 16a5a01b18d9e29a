//! Compares the filters with kustomize's own on random cases.
//!
//! ```text
//! (cd tools/oracle-kustomize && go build -o /tmp/oracle .)
//! cargo run -p windlass-kustomize --example differential -- /tmp/oracle CASES SEED [RECORD EVERY]
//! ```
//!
//! With a file name, every so-manieth case on which both agree is written there with kustomize's answer.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a tool for developers")]

#[path = "differential/cases.rs"]
mod cases;
#[path = "../tests/steps/mod.rs"]
mod steps;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use windlass_yaml::{Value, json, value};

/// How many differing cases are printed, and how many whose errors have other words.
const SHOWN: usize = 20;

/// How many requests are sent before the answers are read.
const BATCH: usize = 50;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, oracle, count, seed, rest @ ..] = &arguments[..] else {
        println!("differential ORACLE CASES SEED [RECORD EVERY]");
        return;
    };
    let (count, seed): (usize, u64) = (count.parse().unwrap(), seed.parse().unwrap());
    let mut record = rest.first().map(|file| std::fs::File::create(file).unwrap());
    let every: usize = rest.get(1).map_or(1, |every| every.parse().unwrap());
    let mut child =
        Command::new(oracle).arg("serve").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut to = child.stdin.take().unwrap();
    let mut from = BufReader::new(child.stdout.take().unwrap());
    let mut random = cases::Random::new(seed);
    let mut tally: BTreeMap<String, [usize; 4]> = BTreeMap::new();
    let (mut shown, mut worded) = (0, 0);
    let mut done = 0;
    while done < count {
        let batch: Vec<Value> = (0..BATCH.min(count - done)).map(|_| cases::request(&mut random)).collect();
        let mut lines = String::new();
        for request in &batch {
            json::write(request, json::JsonStyle::default(), &mut lines);
            lines.push('\n');
        }
        to.write_all(lines.as_bytes()).unwrap();
        to.flush().unwrap();
        for request in batch {
            let mut line = String::new();
            from.read_line(&mut line).unwrap();
            let answer = json::parse(line.as_bytes()).unwrap();
            done += 1;
            let verdict = compare(&request, &answer);
            let names: Vec<&str> =
                request.items_at(&["steps"]).iter().filter_map(|step| step.str_at(&["filter"])).collect();
            let row = tally.entry(names.first().copied().unwrap_or("-").to_owned()).or_default();
            row[verdict.place()] += 1;
            if let Some(file) = &mut record
                && done % every == 0
                && verdict != Verdict::Differ
            {
                let line =
                    json::to_string(&value!({"request": (request.clone()), "answer": (answer.clone())}));
                writeln!(file, "{line}").unwrap();
            }
            if verdict == Verdict::Differ && shown < SHOWN || verdict == Verdict::Words && worded < SHOWN {
                shown += usize::from(verdict == Verdict::Differ);
                worded += usize::from(verdict == Verdict::Words);
                show(&request, &answer);
            }
        }
    }
    drop(to);
    child.wait().unwrap();
    println!("{:<14} {:>8} {:>8} {:>8} {:>8}", "first filter", "equal", "(errors)", "differ", "words");
    for (name, [equal, errors, differ, words]) in tally {
        println!("{name:<14} {equal:>8} {errors:>8} {differ:>8} {words:>8}");
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Equal,
    EqualErrors,
    Differ,
    Words,
}

impl Verdict {
    fn place(self) -> usize {
        match self {
            Self::Equal => 0,
            Self::EqualErrors => 1,
            Self::Differ => 2,
            Self::Words => 3,
        }
    }
}

fn compare(request: &Value, answer: &Value) -> Verdict {
    let expected = answer.str_at(&["error"]);
    match (steps::run(request), expected) {
        (Ok(output), None) if answer.str_at(&["output"]).unwrap_or_default() == output => Verdict::Equal,
        (Err(error), Some(expected)) if error == expected => Verdict::EqualErrors,
        // Where kustomize ends with a panic, anything else is as well.
        (_, Some(expected)) if expected.starts_with("panic: ") => Verdict::EqualErrors,
        (Err(_), Some(_)) => Verdict::Words,
        _ => Verdict::Differ,
    }
}

fn show(request: &Value, answer: &Value) {
    println!("=== {}", request.str_at(&["objects"]).unwrap_or_default());
    for step in request.items_at(&["steps"]) {
        println!("--- {}", step.str_at(&["filter"]).unwrap_or_default());
        println!("{}", step.str_at(&["text"]).unwrap_or_default());
        println!("{}", step.str_at(&["arguments"]).unwrap_or_default());
    }
    match answer.str_at(&["error"]) {
        Some(error) => println!("--- kustomize fails: {error}"),
        None => println!("--- kustomize:\n{}", answer.str_at(&["output"]).unwrap_or_default()),
    }
    match steps::run(request) {
        Ok(output) => println!("--- here:\n{output}"),
        Err(error) => println!("--- here it fails: {error}"),
    }
}
