//! Every case under `tests/cases` builds as kustomize 5.8.1 built it when it was recorded
//! (`cargo xtask kustomizations --record`).
//!
//! `cargo test -p windlass-kustomize --test cases -- --nocapture` prints a table of the fields that the cases use.
#![expect(clippy::unwrap_used, reason = "tests")]

mod disk_tree;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use disk_tree::DiskTree;
use windlass_kustomize::{ErrorKind, Options, Reorder, Services, build};

const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Cases where we say something else on purpose, with the reason.
const DIFFERENT: [(&str, &str); 2] = [
    ("remote/refused-repository", "kustomize runs git; here nothing is fetched unless it is allowed"),
    ("remote/refused-file", "kustomize asks the server; here nothing is fetched unless it is allowed"),
];

fn folders(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).unwrap().map(Result::unwrap);
    let mut found: Vec<PathBuf> =
        entries.filter(|entry| entry.file_type().unwrap().is_dir()).map(|entry| entry.path()).collect();
    found.sort();
    found
}

fn options(flags: &str) -> Options {
    let mut options = Options { shown_root: "/case".to_owned(), ..Options::default() };
    let mut words = flags.split_whitespace();
    while let Some(word) = words.next() {
        match (word, words.next()) {
            ("--reorder", Some("none")) => options.reorder = Reorder::None,
            ("--load-restrictor", Some("LoadRestrictionsNone")) => options.load_from_anywhere = true,
            other => panic!("no flag {other:?}"),
        }
    }
    options
}

/// What is printed, or what is said to be wrong.
fn built(case: &Path) -> (String, bool) {
    let tree = DiskTree::new(case).unwrap();
    let overlay = NAMES.iter().any(|name| case.join("overlay").join(name).is_file());
    let folder = if overlay { "overlay" } else { "" };
    let flags = std::fs::read_to_string(case.join("flags")).unwrap_or_default();
    let result = build(&tree, folder, &options(&flags), Services::default(), &[]);
    match result.and_then(|built| built.resources.to_yaml()) {
        Ok(text) => (text, true),
        Err(error) => (format!("{error}\n"), false),
    }
}

/// An error without the generator that Go prints with its address, which the recorder replaces.
fn without_addresses(text: &str) -> String {
    text.replace(" &{0xADDRESS <nil>}", "")
}

/// The top-level fields of all kustomizations of a case, and what plugins it has as objects.
fn fields(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            fields(&entry.path(), found);
            continue;
        }
        let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
        let name = entry.file_name().display().to_string();
        if NAMES.contains(&name.as_str()) {
            let value = windlass_yaml::load(&text).unwrap_or_default();
            let keys =
                value.as_object().into_iter().flat_map(|map| map.iter()).map(|(key, _)| key.to_string());
            found.extend(keys.filter(|key| key != "kind" && key != "apiVersion"));
        }
        if !name.starts_with("expected.") {
            let kinds = text.lines().filter_map(|line| line.strip_prefix("kind: "));
            found.extend(
                kinds
                    .filter(|kind| kind.ends_with("Transformer") || kind.ends_with("Generator"))
                    .map(str::to_owned),
            );
        }
    }
}

#[test]
fn cases_build_as_recorded() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut tally: BTreeMap<String, [usize; 2]> = BTreeMap::new();
    let mut by_field: BTreeMap<String, [usize; 2]> = BTreeMap::new();
    let mut problems = Vec::new();
    for topic in folders(&root) {
        for case in folders(&topic) {
            let name = case.strip_prefix(&root).unwrap().display().to_string();
            let entry = tally.entry(topic.file_name().unwrap().display().to_string()).or_default();
            entry[1] += 1;
            let (text, is_ok) = built(&case);
            let file = if is_ok { "expected.yaml" } else { "expected.error" };
            let expected = std::fs::read_to_string(case.join(file));
            let equal = expected.as_ref().is_ok_and(|expected| without_addresses(expected) == text);
            let mut used = BTreeSet::new();
            fields(&case, &mut used);
            for field in used {
                let entry = by_field.entry(field).or_default();
                entry[0] += usize::from(equal);
                entry[1] += 1;
            }
            let is_meant = DIFFERENT.iter().any(|(different, _)| *different == name);
            if equal != is_meant {
                entry[0] += 1;
                continue;
            }
            let expected = expected.unwrap_or_else(|_| "(the other of output and error)\n".to_owned());
            problems.push(format!("=== {name}\n--- kustomize\n{expected}--- here\n{text}"));
        }
    }
    for (field, [equal, all]) in &by_field {
        println!("| `{field}` | {equal} | {all} |");
    }
    let lines = tally.iter().map(|(topic, [equal, all])| format!("{topic}: {equal} of {all}"));
    let summary = lines.collect::<Vec<_>>().join("\n");
    assert!(problems.is_empty(), "{}\n{summary}", problems.join("\n"));
}

#[test]
fn what_is_remote_is_refused_with_its_own_kind() {
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/remote/refused-repository");
    let tree = DiskTree::new(&case).unwrap();
    let error = build(&tree, "", &Options::default(), Services::default(), &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Remote);
}
