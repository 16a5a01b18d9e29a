//! Compares this crate with Go on every YAML file of a folder.
//!
//! First let the oracle write down what Go makes of the files, then compare:
//!
//! ```text
//! (cd tools/oracle-yaml && go run . corpus /path/to/files) > results.jsonl
//! cargo run --release -p windlass-yaml --example corpus -- compare results.jsonl
//! cargo run --release -p windlass-yaml --example corpus -- show FILE       # as `oracle-yaml show FILE`
//! cargo run --release -p windlass-yaml --example corpus -- edit results.jsonl # sets scalars of every file
//! cargo run --release -p windlass-yaml --example corpus -- speed FILE...   # bytes a second
//! ```
#![expect(clippy::print_stdout, reason = "a tool for the command line")]

use std::collections::BTreeMap;
use std::time::Instant;

use windlass_yaml::edit::{Replacement, Step, set_scalar};
use windlass_yaml::json;
use windlass_yaml::{
    Dialect, Limits, LoadOptions, Node, NodeKind, Value, YamlStyle, decode_text, load_all, load_with,
    nodes_to_yaml, parse_nodes, parts, to_yaml, to_yaml_with,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["compare", results] => compare(&std::fs::read_to_string(results)?),
        ["edit", results] => edit(&std::fs::read_to_string(results)?),
        ["show", file] => show(&std::fs::read(file)?),
        ["speed", files @ ..] => speed(files),
        _ => Err("usage: corpus compare RESULTS | edit RESULTS | show FILE | speed FILE...".into()),
    }
}

/// FNV-1a with 64 bits, as the oracle hashes texts.
fn hash(text: &str) -> String {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:x}")
}

/// The texts of one file that are compared, by name.
fn about(bytes: &[u8]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let text = match decode_text(bytes) {
        Ok(text) => text,
        Err(error) => {
            found.push(("part 0".to_owned(), format!("error {error}")));
            return found;
        }
    };
    for (idx, part) in parts(&text).enumerate() {
        match part.and_then(|part| load_with(&part.text, &LoadOptions::default())) {
            Ok(value) => {
                found.push((format!("part {idx}"), json::to_string(&value)));
                found.push((format!("part {idx} yaml"), to_yaml(&value)));
                found.push((format!("part {idx} v3 yaml"), to_yaml_with(&value, &YamlStyle::V3)));
            }
            Err(error) => found.push((format!("part {idx}"), format!("error {error}"))),
        }
    }
    let options = LoadOptions { dialect: Dialect::V3, ..LoadOptions::default() };
    match load_all(&text, &options) {
        Ok(documents) => {
            for (idx, document) in documents.iter().enumerate() {
                found.push((format!("v3 document {idx}"), json::to_string(&document.value)));
            }
        }
        Err(error) => found.push(("v3 error".to_owned(), format!("error {error}"))),
    }
    let nodes = match parse_nodes(&text, &Limits::default()) {
        Ok(documents) => nodes_to_yaml(&documents, &YamlStyle::KYAML),
        Err(error) => format!("error {error}"),
    };
    found.push(("nodes".to_owned(), nodes));
    found
}

fn expected(file: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut third = file.items_at(&["v3two"]).iter();
    for (idx, part) in file.items_at(&["parts"]).iter().enumerate() {
        let pair = part.as_array().map_or(&[][..], |pair| pair.as_slice());
        let [value, yaml] = pair else { continue };
        found.push((format!("part {idx}"), text(value)));
        if !text(value).starts_with("error ") {
            found.push((format!("part {idx} yaml"), text(yaml)));
            found.push((format!("part {idx} v3 yaml"), third.next().map(text).unwrap_or_default()));
        }
    }
    found.push(("nodes".to_owned(), file.get("node").map(text).unwrap_or_default()));
    let documents = file.items_at(&["v3"]);
    match documents.iter().map(text).find(|text| text.starts_with("error ")) {
        Some(error) => found.push(("v3 error".to_owned(), error)),
        None => {
            found.extend(
                documents.iter().enumerate().map(|(idx, value)| (format!("v3 document {idx}"), text(value))),
            );
        }
    }
    found
}

fn compare(results: &str) -> Result<(), Box<dyn std::error::Error>> {
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut files = 0;
    for line in results.lines() {
        let file = json::parse(line.as_bytes())?;
        let path = file.str_at(&["path"]).unwrap_or_default().to_owned();
        files += 1;
        let ours = about(&std::fs::read(&path)?);
        let theirs = expected(&file);
        for (name, wanted) in &theirs {
            let got = ours.iter().find(|(have, _)| have == name).map(|(_, text)| text.as_str());
            let class: String = name.chars().filter(|c| !c.is_ascii_digit() || *c == '3').collect();
            let class = if wanted.starts_with("error ") { format!("{class} refused") } else { class };
            let count = counts.entry(class).or_default();
            count.0 += 1;
            let same = match got {
                Some(text) if wanted.starts_with("error ") || text.starts_with("error ") => text == wanted,
                Some(text) => hash(text) == *wanted,
                None => false,
            };
            if !same {
                count.1 += 1;
                let shown = got.filter(|text| text.starts_with("error ")).unwrap_or(if got.is_some() {
                    "-"
                } else {
                    "absent"
                });
                println!("{path}: {name}: go {wanted}, here {shown}");
            }
        }
    }
    println!("{files} files");
    for (class, (all, different)) in counts {
        println!("{class}: {all} compared, {different} differ");
    }
    Ok(())
}

/// How many scalars of one file are set.
const EDITS_A_FILE: usize = 40;

/// Longer files are left out: every edit reads its file twice.
const EDITED_FILE: usize = 32 * 1024;

/// The paths to the scalars below a node.
fn scalar_paths<'a>(node: &'a Node, path: &mut Vec<Step<'a>>, found: &mut Vec<Vec<Step<'a>>>) {
    if matches!(node.kind, NodeKind::Scalar | NodeKind::Alias) {
        found.push(path.clone());
    }
    for (key, value) in node.members().filter(|(key, _)| key.kind == NodeKind::Scalar) {
        path.push(Step::Key(&key.value));
        scalar_paths(value, path, found);
        path.pop();
    }
    if node.kind == NodeKind::Sequence {
        for (idx, item) in node.content.iter().enumerate() {
            path.push(Step::Index(idx));
            scalar_paths(item, path, found);
            path.pop();
        }
    }
}

fn edit(results: &str) -> Result<(), Box<dyn std::error::Error>> {
    let (mut done, mut failed) = (0, 0);
    for line in results.lines() {
        let file = json::parse(line.as_bytes())?;
        let path = file.str_at(&["path"]).unwrap_or_default();
        let Ok(text) = std::fs::read_to_string(path) else { continue };
        if text.len() > EDITED_FILE {
            continue;
        }
        let Ok(documents) = parse_nodes(&text, &Limits::default()) else { continue };
        for (idx, document) in documents.iter().enumerate() {
            let mut paths = Vec::new();
            scalar_paths(&document.root, &mut Vec::new(), &mut paths);
            let every = paths.len() / EDITS_A_FILE + 1;
            for steps in paths.iter().step_by(every) {
                done += 1;
                if let Err(error) = set_scalar(&text, idx, steps, Replacement::String("new: value")) {
                    failed += 1;
                    println!("{path}: document {idx}: {error}");
                }
            }
        }
    }
    println!("{done} edits, {failed} refused");
    Ok(())
}

fn show(bytes: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
    for (name, text) in about(bytes) {
        println!("== {name}\n{text}");
    }
    Ok(())
}

/// The CPU time of this process, where the system tells it.
fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let ticks: f64 = stat.rsplit_once(')')?.1.split_whitespace().nth(11)?.parse().ok()?;
    Some(ticks / 100.0)
}

fn speed(files: &[&str]) -> Result<(), Box<dyn std::error::Error>> {
    let texts: Vec<String> = files.iter().map(std::fs::read_to_string).collect::<Result<_, _>>()?;
    let bytes: usize = texts.iter().map(String::len).sum();
    let report = |what: &str, bytes: usize, since: (Instant, Option<f64>)| {
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let megabytes = bytes as f64 / 1e6;
        let wall = megabytes / since.0.elapsed().as_secs_f64();
        let cpu = since.1.zip(cpu_seconds()).map_or(String::new(), |(before, after)| {
            format!(", {:.1} MB a CPU second", megabytes / (after - before).max(0.01))
        });
        println!("{what}: {wall:.1} MB/s{cpu}");
    };
    let since = (Instant::now(), cpu_seconds());
    let values: Vec<Value> = texts
        .iter()
        .flat_map(|text| load_all(text, &LoadOptions::default()))
        .flatten()
        .map(|d| d.value)
        .collect();
    report("load", bytes, since);
    let since = (Instant::now(), cpu_seconds());
    let emitted: usize = values.iter().map(|value| to_yaml(value).len()).sum();
    report("to_yaml", emitted, since);
    let since = (Instant::now(), cpu_seconds());
    let jsons: Vec<Vec<u8>> = values.iter().map(json::to_vec).collect();
    let written: usize = jsons.iter().map(Vec::len).sum();
    report("json::to_vec", written, since);
    let since = (Instant::now(), cpu_seconds());
    let parsed = jsons.iter().filter(|text| json::parse(text).is_ok()).count();
    report("json::parse", written, since);
    println!("{} values, {parsed} parsed again, {bytes} bytes", values.len());
    Ok(())
}
