//! `docs/kustomize-fields.md` says of every field of a kustomization which recorded cases show it, and how many of them
//! are equal.
//!
//! `WINDLASS_WRITE_FIELDS=1 cargo test -p windlass-render --test kustomize_fields` writes it anew.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "../../windlass-kustomize/tests/disk_tree/mod.rs"]
mod disk_tree;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use disk_tree::DiskTree;
use windlass_helm::HelmVersion;
use windlass_kube::Value;
use windlass_kustomize::helm::Helm;
use windlass_kustomize::{Options, Reorder, Services, build};
use windlass_render::{KustomizeCharts, NoWorld};

const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// How many cases are named in a row.
const NAMED: usize = 3;

const HEADER: &str = "# Kustomizations, field by field

Of every field that `Kustomization` and `Component` have in kustomize 5.8.1, and of every built-in plugin as an object of
its own: the recorded cases that use it, and how many of them give what kustomize gave, byte for byte, be it an output or
an error; where Helm fails, that it fails. Cases lie in `crates/windlass-kustomize/tests/cases`, those of charts in
`crates/windlass-render/tests/kustomize_charts`. A test writes this page and fails when it is not true any more.

";

/// Structures by their names: fields with the name of the structure that each of them has, if any.
type Structures = BTreeMap<String, Vec<(String, Option<String>)>>;

/// The structures that kustomizations are read into.
fn structures(sources: &Path) -> Structures {
    let mut structures = Structures::new();
    for file in ["mod.rs", "fields.rs"] {
        let text = std::fs::read_to_string(sources.join(file)).unwrap();
        let mut current = None;
        for line in text.lines().map(str::trim) {
            if let Some(begin) = line.find("struct ").filter(|_| line.ends_with("\") {")) {
                current = line[begin + "struct ".len()..].split('(').next().map(str::to_owned);
                structures.insert(current.clone().unwrap(), Vec::new());
            } else if line == "}" {
                current = None;
            } else if let (Some(name), Some((left, right))) = (&current, line.split_once(" = \""))
                && let Some((_, kind)) = left.split_once(": ")
            {
                let key = right.split('"').next().unwrap().to_owned();
                let inner = kind.trim_end_matches('>').rsplit('<').next().unwrap().to_owned();
                let inner = if inner == "FieldSpec" { "WrittenFieldSpec".to_owned() } else { inner };
                structures.get_mut(name).unwrap().push((key, Some(inner)));
            }
        }
    }
    let known: BTreeSet<String> = structures.keys().cloned().collect();
    for (_, inner) in structures.values_mut().flatten() {
        *inner = inner.take().filter(|name| known.contains(name));
    }
    structures
}

/// All fields below a structure, as paths.
fn all(structures: &Structures, name: &str, prefix: &str, paths: &mut Vec<String>) {
    for (key, inner) in &structures[name] {
        let path = format!("{prefix}{key}");
        paths.push(path.clone());
        if let Some(inner) = inner {
            all(structures, inner, &format!("{path}."), paths);
        }
    }
}

/// The fields that a value has, as paths.
fn used(structures: &Structures, name: &str, prefix: &str, value: &Value, paths: &mut BTreeSet<String>) {
    let fields = &structures[name];
    for (key, value) in value.as_object().into_iter().flat_map(|map| map.iter()) {
        let Some((_, inner)) = fields.iter().find(|(field, _)| field == key.as_str()) else { continue };
        let path = format!("{prefix}{key}");
        if let Some(inner) = inner {
            let items = value.as_array().map_or(std::slice::from_ref(value), |items| items.as_slice());
            for item in items {
                used(structures, inner, &format!("{path}."), item, paths);
            }
        }
        paths.insert(path);
    }
}

/// What the files below a folder use: fields of kustomizations, and plugins.
fn used_below(structures: &Structures, plugins: &[String], folder: &Path, paths: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            used_below(structures, plugins, &entry.path(), paths);
            continue;
        }
        let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
        let name = entry.file_name().display().to_string();
        if NAMES.contains(&name.as_str())
            && let Ok(value) = windlass_yaml::load(&text)
        {
            used(structures, "Kustomization", "", &value, paths);
        }
        if !name.starts_with("expected.") {
            let kinds = text.lines().filter_map(|line| line.trim().strip_prefix("kind: "));
            paths.extend(kinds.filter(|kind| plugins.iter().any(|plugin| plugin == kind)).map(str::to_owned));
        }
    }
}

/// The kinds of built-in plugins.
fn plugins(sources: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(sources.join("plugins/mod.rs")).unwrap();
    let arms = text.lines().filter_map(|line| line.trim().strip_prefix('"')?.split_once("\" => "));
    let mut kinds: Vec<String> = arms.map(|(kind, _)| kind.to_owned()).collect();
    kinds.retain(|kind| kind.ends_with("Generator") || kind.ends_with("Transformer"));
    kinds.sort();
    kinds.dedup();
    kinds
}

fn options(flags: &str) -> (Options, bool) {
    let mut options = Options { shown_root: "/case".to_owned(), ..Options::default() };
    let mut enabled = false;
    let mut words = flags.split_whitespace();
    while let Some(word) = words.next() {
        match word {
            "--enable-helm" => enabled = true,
            "--helm-kube-version" => options.helm_kube_version = words.next().unwrap().to_owned(),
            "--helm-api-versions" => options.helm_api_versions.push(words.next().unwrap().to_owned()),
            "--load-restrictor" => options.load_from_anywhere = words.next() == Some("LoadRestrictionsNone"),
            "--reorder" if words.next() == Some("none") => options.reorder = Reorder::None,
            other => panic!("no flag {other}"),
        }
    }
    (options, enabled)
}

/// Whether a case builds to what was recorded.
fn is_equal(case: &Path) -> bool {
    let tree = DiskTree::new(case).unwrap();
    let overlay = NAMES.iter().any(|name| case.join("overlay").join(name).is_file());
    let (options, enabled) = options(&std::fs::read_to_string(case.join("flags")).unwrap_or_default());
    let mut world = NoWorld::default();
    let charts = KustomizeCharts::new(HelmVersion::V4, None, &mut world);
    let services = Services { helm: enabled.then_some(&charts as &dyn Helm), ..Services::default() };
    let folder = if overlay { "overlay" } else { "" };
    let built = build(&tree, folder, &options, services, &[]).and_then(|built| built.resources.to_yaml());
    let expected = |file: &str| std::fs::read_to_string(case.join(file)).ok();
    match built {
        Ok(text) => expected("expected.yaml") == Some(text),
        Err(error) => expected("expected.error").is_some_and(|expected| {
            // How Helm was run is no part of what is compared.
            let is_of_helm = expected.contains("unable to run: ") && enabled;
            is_of_helm || expected.replace(" &{0xADDRESS <nil>}", "") == format!("{error}\n")
        }),
    }
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).unwrap().map(Result::unwrap);
    let mut found: Vec<PathBuf> =
        entries.filter(|entry| entry.file_type().unwrap().is_dir()).map(|entry| entry.path()).collect();
    found.sort();
    found
}

fn row(page: &mut String, field: &str, cases: &[(String, bool)]) {
    let names: Vec<String> = cases.iter().take(NAMED).map(|(name, _)| format!("`{name}`")).collect();
    let more = match cases.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let n_equal = cases.iter().filter(|(_, equal)| *equal).count();
    writeln!(page, "| `{field}` | {n_equal} | {} | {}{more} |", cases.len(), names.join(", ")).unwrap();
}

#[test]
fn every_field_is_shown_by_cases() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = here.join("../windlass-kustomize/src");
    let structures = structures(&sources.join("kustomization"));
    let plugins = plugins(&sources);
    let mut cases: Vec<PathBuf> = folders(&here.join("../windlass-kustomize/tests/cases"))
        .iter()
        .flat_map(|topic| folders(topic))
        .collect();
    cases.extend(folders(&here.join("tests/kustomize_charts")));
    let mut by_path: BTreeMap<String, Vec<(String, bool)>> = BTreeMap::new();
    let mut n_equal = 0;
    for case in &cases {
        let equal = is_equal(case);
        n_equal += usize::from(equal);
        let names: Vec<String> = case.iter().rev().take(2).map(|part| part.display().to_string()).collect();
        let name = format!("{}/{}", names[1].replace("kustomize_charts", "charts"), names[0]);
        let mut paths = BTreeSet::new();
        used_below(&structures, &plugins, case, &mut paths);
        for path in paths {
            by_path.entry(path).or_default().push((name.clone(), equal));
        }
    }
    let mut fields = Vec::new();
    all(&structures, "Kustomization", "", &mut fields);
    let mut page = HEADER.to_owned();
    writeln!(page, "{n_equal} of {} cases are equal; the others ask for something remote.\n", cases.len())
        .unwrap();
    for (title, rows) in [("Field", &fields), ("Plugin", &plugins)] {
        writeln!(page, "| {title} | equal | cases | such as |\n|---|--:|--:|---|").unwrap();
        for path in rows {
            row(&mut page, path, by_path.get(path).map_or(&[], Vec::as_slice));
        }
        page.push('\n');
    }
    let page = page.trim_end().to_owned() + "\n";
    let file = here.join("../../docs/kustomize-fields.md");
    if std::env::var_os("WINDLASS_WRITE_FIELDS").is_some() {
        std::fs::write(&file, &page).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        written == page,
        "docs/kustomize-fields.md is not true any more; the first line of this test's file says how to write it anew"
    );
    let without: Vec<&String> =
        fields.iter().chain(&plugins).filter(|path| !by_path.contains_key(*path)).collect();
    assert!(without.is_empty(), "no case shows {without:?}");
}
